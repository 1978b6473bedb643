"""Practice companies for fitting scores: documents out of the fact bank or FAQ sections, with questions to them."""

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

__all__ = ["PracticeQuestion", "World", "bank_worlds", "faq_world"]

BANK = Path(__file__).parents[1] / "tone_tuning" / "reading" / "fact_bank"
COMMON = {"brand": ["Norvane", "Tessel", "Oakmere"], "product": ["Brio 2", "Lumen X", "Halden"], "city": ["Leeds", "Graz"],
          "support_email": ["help@norvane.example"], "support_url": ["norvane.example/help"]}  # fmt: skip


@dataclass(frozen=True)
class PracticeQuestion:
    """A question, the sentence that answers it ("" where none does), and what kind it is."""

    question: str
    gold: str
    kind: str  # "fact", "near miss", "other topic", "faq" or "left out"

    @property
    def answerable(self) -> bool:
        """Whether the documents hold the answer."""
        return bool(self.gold)


@dataclass(frozen=True)
class World:
    """One company: its search and the questions to it."""

    retriever: Retriever
    questions: list[PracticeQuestion]


def bank_worlds(embedder: Embedder, count: int, seed: int = 0) -> Iterator[World]:
    """Companies of ten topics each; near misses and questions to other topics are unanswerable."""
    topics = [t for path in sorted(BANK.glob("*.json")) for t in json.loads(path.read_text())["topics"]]
    draw = random.Random(seed)
    for _ in range(count):
        draw.shuffle(topics)
        files, questions = {}, []
        for topic in topics[:10]:
            slots = _slots(topic, draw)
            paragraphs = []
            for fact in topic["facts"]:
                paragraphs.append(_fill(draw.choice(fact["doc"]), slots))
                asked = _fill(draw.choice(fact["questions"]), slots)
                questions.append(PracticeQuestion(asked, paragraphs[-1], "fact"))
            files[f"{topic['id']}.md"] = f"# {draw.choice(topic['titles'])}\n\n" + "\n\n".join(paragraphs)
            questions += [
                PracticeQuestion(_fill(q, slots), "", "near miss") for q in draw.sample(topic["near_misses"], 3)
            ]
        for topic in topics[10:30]:
            asked = _fill(draw.choice(draw.choice(topic["facts"])["questions"]), _slots(topic, draw))
            questions.append(PracticeQuestion(asked, "", "other topic"))
        yield World(_search(files, embedder), questions)


def faq_world(embedder: Embedder, sections: Path, seed: int = 0) -> World:
    """FAQ sections of real product documentation; a third of them is left out, so their questions have no answer."""
    draw = random.Random(seed)
    rows = [row for row in map(json.loads, sections.read_text().splitlines()) if row["k"] == "faq"]
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
    return Retriever(catalog, vectors, embedder)


def _slots(topic: dict, draw: random.Random) -> dict[str, str]:  # type: ignore[type-arg]
    values = {name: draw.choice(choices) for name, choices in COMMON.items()}
    for name, slot in topic.get("slots", {}).items():
        if "choices" in slot:
            values[name] = str(draw.choice(slot["choices"]))
        else:
            number = draw.randint(int(slot["min"]), int(slot["max"]))
            values[name] = f"${number}.00" if slot["type"] == "money" else f"{number}%" if slot["type"] == "percent" else str(number)  # fmt: skip
    return values


def _fill(text: str, slots: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: slots[match[1]], text)
