"""Rows for the reader head: a question, a passage, which of its sentences answer, and whether any does."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sentences import split_sentences
from knowledge.reader import Passage
from tone_tuning.fact_bank import Topic, draw_company, draw_values, fill, has_steps, held_out, read_topics

__all__ = ["Row", "bank_rows", "faq_rows", "natural_rows", "section_rows"]

CHATTER = ("Hi there.", "Hello!", "Quick one.", "Sorry to bother you again.", "I ordered something last week.",
           "Not sure if you are the right person to ask.", "We bought ours in the summer.",
           "My mum asked me to find out.",
           "I've been a customer for years.", "It's for my sister's birthday.", "Thanks for the help yesterday.",
           "I looked around your site but got lost.", "It was a present and I never used it.")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """`flags` tell for each sentence of the passage whether it is evidence; none is where nothing answers."""

    question: str
    passage: Passage
    flags: tuple[bool, ...]
    held_out: bool

    @property
    def answers(self) -> bool:
        """Whether the passage answers the question."""
        return any(self.flags)


def make_row(question: str, heading: str, text: str, gold: Sequence[tuple[int, int]], kept_out: bool) -> Row:
    """A row with the sentences flagged that lie mostly inside one of the places of `gold`."""
    sentences = split_sentences(text)
    flags = tuple(
        any(min(s.end, end) - max(s.start, start) > 0.5 * (s.end - s.start) for start, end in gold) for s in sentences
    )
    return Row(question, Passage(heading, text, tuple((s.start, s.end) for s in sentences)), flags, kept_out)


def rough(question: str, draw: random.Random) -> str:
    """The question as people type it: sometimes in lower case, without its mark, with a typo, or after small talk."""
    if draw.random() < 0.3:
        question = question.lower().rstrip("?.! ")
    if draw.random() < 0.08 and len(question) > 20:
        at = draw.randrange(3, len(question) - 3)
        question = question[:at] + question[at + 1] + question[at] + question[at + 2 :]
    return f"{draw.choice(CHATTER)} {question}" if draw.random() < 0.12 else question


def natural_rows(path: Path, draw: random.Random) -> Iterator[Row]:
    """Questions to encyclopaedia paragraphs: the sentence of the answer, paragraphs without one, and neighbours."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    contexts: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["context"] not in contexts[row["group"]][-1:]:
            contexts[row["group"]].append(row["context"])
    for row in rows:
        kept_out = held_out(row["group"])
        at = row["context"].find(row["answer_sentence"]) if row["answer_sentence"] else -1
        if row["answerable"] and (at < 0 or row.get("span_in_n_sentences")):
            continue
        gold = [(at, at + len(row["answer_sentence"]))] if row["answerable"] else []
        asked = rough(row["question"], draw)
        yield make_row(asked, row["title"], row["context"], gold, kept_out)
        if row["answerable"] and draw.random() < 0.15:
            other = draw.choice(contexts[row["group"]])
            if row["answer"].lower() not in other.lower():
                yield make_row(asked, row["title"], other, [], kept_out)


def faq_rows(path: Path, draw: random.Random) -> Iterator[Row]:
    """Questions to a place's FAQ entries: a few entries in one passage, with or without the one that answers."""
    places: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        places[row["group"]].append(row)
    for group, entries in places.items():
        for entry in entries:
            others = [e for e in entries if e["id"] != entry["id"] and e["context"] != entry["context"]]
            chosen = draw.sample(others, min(len(others), draw.randint(2, 5)))
            answerable = draw.random() < 0.6 or not chosen
            text, gold = _joined([e["context"] for e in chosen], entry["context"] if answerable else None, draw)
            yield make_row(rough(entry["question"], draw), entry["title"], text, gold, held_out(group))


def bank_rows(draw: random.Random, rounds: int) -> Iterator[Row]:
    """Support questions over the fact bank: the fact anywhere or left out; near misses; strangers."""
    topics = read_topics()
    for _ in range(rounds):
        company = draw_company(draw)
        for topic in topics:
            values = draw_values(topic, company, draw)
            for fact in topic.facts:
                question = rough(fill(draw.choice(fact.questions), values), draw)
                yield _bank_row(question, topic, fact.id if draw.random() < 0.62 else "", fact.id, values, draw)
            for miss in draw.sample(topic.near_misses, 2):
                yield _bank_row(rough(fill(miss, values), draw), topic, "", "", values, draw)
            stranger = draw.choice(topics)
            if stranger.id != topic.id:
                asked = fill(draw.choice(draw.choice(stranger.facts).questions), draw_values(stranger, company, draw))
                yield _bank_row(rough(asked, draw), topic, "", "", values, draw)


def _bank_row(
    question: str, topic: Topic, with_fact: str, asked: str, values: dict[str, str], draw: random.Random
) -> Row:
    others = [fact for fact in topic.facts if fact.id != asked]
    chosen = draw.sample(others, min(len(others), draw.randint(1, 4)))

    def wording(fact: Any) -> str:  # noqa: ANN401
        steps = [answer for answer in fact.answers if has_steps(answer)]
        return fill(draw.choice(steps if steps and draw.random() < 0.5 else fact.doc), values)

    gold_text = next((wording(fact) for fact in topic.facts if fact.id == with_fact), None)
    text, gold = _joined([wording(fact) for fact in chosen], gold_text, draw, "\n\n")
    return make_row(question, fill(draw.choice(topic.titles), values), text, gold, held_out(topic.id))


def section_rows(path: Path, draw: random.Random) -> Iterator[Row]:
    """Questions to sections of product documentation, without the heading that gives them away; others as strangers."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    faqs = [row for row in rows if row["k"] in ("faq", "def") and 40 < len(row["b"]) < 1100 and len(row["q"]) > 12]
    faqs += draw.sample([row for row in rows if row["k"] == "steps" and len(row["b"]) < 1100], 1800)
    for row, other in zip(faqs, _neighbours(faqs), strict=True):
        asked = rough(row["q"] if row["k"] != "steps" else _how(row["h"], draw), draw)
        title, kept_out = re.sub(r" \| .*", "", row["t"]), held_out(row["t"])
        start = row["b"].find(row.get("a", "")[:40]) if row["k"] != "steps" else 0
        length = len(row["a"]) if row["k"] != "steps" else len(row["b"])
        if start >= 0:
            yield make_row(asked, title, row["b"], [(start, start + length)], kept_out)
        yield make_row(asked, re.sub(r" \| .*", "", other["t"]), other["b"], [], kept_out)


def _how(heading: str, draw: random.Random) -> str:
    verb = heading[:1].lower() + heading[1:]
    form = draw.choice(
        ("How do I {}?", "how can i {}", "What are the steps to {}?", "Can you tell me how to {}?", "I want to {}.")
    )
    return form.format(re.sub(r"^(to|how to) ", "", verb))


def _neighbours(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each row another one, of the same document where there is one and of a similar title else."""
    order = sorted(range(len(rows)), key=lambda n: rows[n]["t"])
    after = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [rows[after[n]] for n in range(len(rows))]


def _joined(
    others: list[str], gold: str | None, draw: random.Random, gap: str | None = None
) -> tuple[str, list[tuple[int, int]]]:
    """Texts in one passage, the gold one anywhere among them; where it stands."""
    between = gap or draw.choice((" ", "\n\n", "\n- "))
    parts = [(text, False) for text in others]
    if gold is not None:
        parts.insert(draw.randint(0, len(parts)), (gold, True))
    text = "- " if between == "\n- " else ""
    places = []
    for number, (part, is_gold) in enumerate(parts):
        text += between if number else ""
        places += [(len(text), len(text) + len(part))] if is_gold else []
        text += part
    return text, places
