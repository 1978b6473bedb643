"""Practice companies: documents out of the fact bank or FAQ sections, searched as in service, and questions to them."""

import json
import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from knowledge.catalog import Catalog
from knowledge.embedder import Embedder
from knowledge.indexing import DocumentIndex
from knowledge.retriever import Retriever
from knowledge.store import FakeVectorStore
from tone_tuning.fact_bank import Fact, Topic, draw_company, draw_values, fill, has_steps, held_out, read_topics

__all__ = ["PracticeQuestion", "World", "bank_worlds", "faq_world"]

TOPICS = 10  # documents of a company
STRANGERS = 20  # questions to topics that it has no document of


@dataclass(frozen=True)
class PracticeQuestion:
    """A question, the text that answers it ("" where none does), and what kind it is."""

    question: str
    gold: str
    kind: str  # "fact", "near miss", "other topic", "faq" or "left out"
    fact: Fact | None = None
    values: tuple[tuple[str, str], ...] = ()
    earlier: str = ""  # the question before an elliptical one

    @property
    def answerable(self) -> bool:
        """Whether the documents hold the answer."""
        return bool(self.gold)


@dataclass(frozen=True)
class World:
    """One company: its search and the questions to it."""

    retriever: Retriever
    questions: list[PracticeQuestion]


def bank_worlds(embedder: Embedder, count: int, seed: int = 0, unseen: bool = False) -> Iterator[World]:
    """Companies of ten topics each; near misses and questions to other topics are unanswerable.

    `unseen` takes only the topics that are kept from training.
    """
    topics = [topic for topic in read_topics() if held_out(topic.id) or not unseen]
    strangers = [topic for topic in read_topics() if unseen and not held_out(topic.id)]
    draw = random.Random(seed)
    for _ in range(count):
        draw.shuffle(topics)
        company = draw_company(draw)
        files: dict[str, str] = {}
        questions: list[PracticeQuestion] = []
        for topic in topics[:TOPICS]:
            values = draw_values(topic, company, draw)
            files[f"{topic.id}.md"], asked = _document(topic, values, draw)
            questions += asked
            misses = draw.sample(topic.near_misses, min(3, len(topic.near_misses)))
            questions += [PracticeQuestion(fill(question, values), "", "near miss") for question in misses]
        for topic in draw.sample(strangers, STRANGERS) if unseen else topics[TOPICS : TOPICS + STRANGERS]:
            question = fill(draw.choice(draw.choice(topic.facts).questions), draw_values(topic, company, draw))
            questions.append(PracticeQuestion(question, "", "other topic"))
        yield World(_search(files, embedder), questions)


def _document(topic: Topic, values: dict[str, str], draw: random.Random) -> tuple[str, list[PracticeQuestion]]:
    """The Markdown of a topic, each fact once: as prose, under a heading of its own, or as a numbered procedure."""
    headed = draw.random() < 0.5
    parts = [f"# {fill(draw.choice(topic.titles), values)}"]
    questions: list[PracticeQuestion] = []
    for fact in topic.facts:
        steps = [answer for answer in fact.answers if has_steps(answer)]
        gold = fill(draw.choice(steps if steps and draw.random() < 0.6 else fact.doc), values)
        heading = f"## {fact.id.replace('_', ' ').capitalize()}\n\n" if headed else ""
        parts.append(heading + gold)
        kept = tuple(values.items())
        asked = fill(draw.choice(fact.questions), values)
        if questions and draw.random() < 0.2:
            ellipsis = fill(draw.choice(fact.elliptical), values)
            questions.append(PracticeQuestion(ellipsis, gold, "fact", fact, kept, questions[-1].question))
        else:
            questions.append(PracticeQuestion(asked, gold, "fact", fact, kept))
    return "\n\n".join(parts) + "\n", questions


def faq_world(embedder: Embedder, sections: Path, seed: int = 0, unseen: bool = False) -> World:
    """FAQ sections of real product documentation; a third of them is left out, so their questions have no answer."""
    draw = random.Random(seed)
    rows = [row for row in map(json.loads, sections.read_text().splitlines()) if row["k"] == "faq"]
    rows = [row for row in rows if held_out(row["t"]) or not unseen]
    files: dict[str, str] = {}
    questions = []
    for row in rows:
        known = draw.random() < 2 / 3
        questions.append(PracticeQuestion(row["q"], row["a"] if known else "", "faq" if known else "left out"))
        if known:
            name = re.sub(r"\W+", "-", row["t"].lower())[:60] + ".md"
            files.setdefault(name, f"# {row['t']}\n")
            # The heading is left out: with the question itself above the answer, search would be too easy.
            files[name] += f"\n{row['b']}\n"
    return World(_search(files, embedder), questions)


def _search(files: dict[str, str], embedder: Embedder) -> Retriever:
    folder = Path(tempfile.mkdtemp(prefix="practice-"))
    for name, text in files.items():
        (folder / name).write_text(text)
    catalog = Catalog(folder / ".state" / "catalog.db")
    vectors = FakeVectorStore()
    index = DocumentIndex(catalog, vectors, embedder, folder / ".state" / "originals", lambda: datetime.now(UTC))
    index.add_path(folder)
    return Retriever(catalog, vectors, embedder, index.clock)
