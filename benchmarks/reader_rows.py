"""Rows for the reader head: a question with a few passages, and which of their sentences answer it, if any."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bot.evidence import content_words
from bot.sentences import split_sentences
from knowledge.embedder import Embedder
from knowledge.reader import Passage
from tone_tuning.fact_bank import Fact, Topic, draw_company, draw_values, fill, has_steps, held_out, read_topics

__all__ = [
    "PASSAGES",
    "Group",
    "bank_groups",
    "faq_groups",
    "make_passage",
    "natural_groups",
    "rough",
    "section_groups",
    "variant_groups",
]

PASSAGES = 4  # of a group: the one that answers, where there is one, and others that are hard to tell from it
NEAREST = 12  # the others are drawn from so many nearest by MiniLM
SAME = 0.93  # cosine from which a text counts as a copy, which may answer too
ANSWERABLE = 0.7  # share of the groups that hold an answer
LONGEST_SECTION = 1100  # characters
STEPS_ROWS = 1500  # of 7,300, so that procedures do not drown the rest
CHATTER = ("Hi there.", "Hello!", "Quick one.", "Sorry to bother you again.", "I ordered something last week.",
           "Not sure if you are the right person to ask.", "We bought ours in the summer.",
           "My mum asked me to find out.", "I've been a customer for years.", "It's for my sister's birthday.",
           "Thanks for the help yesterday.", "I looked around your site but got lost.",
           "It was a present and I never used it.", "I'm new here.", "My manager wants to know.",
           "I read something about this but can't find it again.")  # fmt: skip
VARIANTS = (
    ("Basic", "Plus", "Premium", "Family", "Business", "Student"), ("Bronze", "Silver", "Gold", "Platinum", "Diamond"),
    ("Blue", "Green", "Lime", "Amber", "Violet", "Evergreen"), ("Starter", "Pro", "Team", "Enterprise"),
    ("2022", "2023", "2024", "2025"), ("Leeds", "Graz", "Porto", "Bergen"), ("Go", "Flex", "Max", "Max Plus"),
)  # fmt: skip
KINDS = ("plan", "account", "card", "membership", "model", "package", "edition", "service")
ABOUT = ("I have the {0}. {1}", "{1} It is about the {0}.", "For the {0}: {1}", "I'm with the {0}, {2}",
         "about the {0}, {2}", "We have the {0} at home. {1}", "{1} ({0})", "just got the {0} :) {2}")  # fmt: skip
Gold = Sequence[tuple[int, int]]  # places of a text that answer


@dataclass(frozen=True)
class Group:
    """A question and its passages; `flags` tell of each sentence of each passage whether it is evidence."""

    question: str
    passages: tuple[Passage, ...]
    flags: tuple[tuple[bool, ...], ...]
    held_out: bool

    @cached_property
    def answers(self) -> tuple[bool, ...]:
        """Of each passage, whether it answers the question."""
        return tuple(any(found) for found in self.flags)


@dataclass(frozen=True)
class Text:
    """A passage in the making: headings, text, and the places in it that answer."""

    heading: str
    text: str
    gold: Gold = ()


def make_group(question: str, texts: Sequence[Text], kept_out: bool, draw: random.Random) -> Group:
    """A group of at most PASSAGES in random order; sentences that lie mostly inside a gold place are flagged."""
    chosen = list(texts[:PASSAGES])
    draw.shuffle(chosen)
    passages = tuple(make_passage(text.heading, text.text) for text in chosen)
    flags = tuple(
        tuple(any(min(b, end) - max(a, start) > 0.5 * (b - a) for start, end in text.gold) for a, b in passage.spans)
        for text, passage in zip(chosen, passages, strict=True)
    )
    return Group(question, passages, flags, kept_out)


def make_passage(heading: str, text: str) -> Passage:
    """A passage with the places of its sentences."""
    return Passage(heading, text, tuple((s.start, s.end) for s in split_sentences(text)))


def rough(question: str, draw: random.Random) -> str:
    """The question as people type it: sometimes in lower case, without its mark, with a typo, or after small talk."""
    if draw.random() < 0.3:
        question = question.lower().rstrip("?.! ")
    if draw.random() < 0.08 and len(question) > 20:
        at = draw.randrange(3, len(question) - 3)
        question = question[:at] + question[at + 1] + question[at] + question[at + 2 :]
    return f"{draw.choice(CHATTER)} {question}" if draw.random() < 0.12 else question


class Neighbours:
    """The nearest texts to a question, for passages that look as if they answered it."""

    def __init__(self, embedder: Embedder, texts: Sequence[str]) -> None:
        self.embedder = embedder
        self.vectors = embedder.embed(texts)

    def of(self, questions: Sequence[str], gold: Sequence[int | None]) -> Iterator[list[int]]:
        """For each question the places of the NEAREST texts, without its gold one and copies of that."""
        asked = self.embedder.embed(questions)
        for vector, at in zip(asked, gold, strict=True):
            order = np.argsort(-(self.vectors @ vector))[: 2 * NEAREST]
            copies = self.vectors[order] @ self.vectors[at] > SAME if at is not None else np.zeros(len(order), bool)
            yield [int(place) for place, copy in zip(order, copies, strict=True) if not copy][:NEAREST]


def natural_groups(path: Path, embedder: Embedder, draw: random.Random, most: int) -> Iterator[Group]:
    """Questions to encyclopaedia paragraphs, cut to a few sentences; SQuAD 2.0's unanswerable ones among them."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows = [row for row in rows if not row.get("span_in_n_sentences") and (_answer_at(row) is None or row["answer"])]
    rows = draw.sample(rows, min(most, len(rows)))
    contexts = list(dict.fromkeys((row["title"], row["context"]) for row in rows))
    places = {context: place for place, (_, context) in enumerate(contexts)}
    near = Neighbours(embedder, [f"{title}. {context}" for title, context in contexts])
    gold = [places[row["context"]] for row in rows]
    for row, others in zip(rows, near.of([row["question"] for row in rows], gold), strict=True):
        at = _answer_at(row)
        if row["answerable"] and at is None:
            continue
        wrong = [
            Text(contexts[place][0], _cut(contexts[place][1], None, row["question"], draw)[0])
            for place in draw.sample(others, min(len(others), PASSAGES))
            if not row["answer"] or row["answer"].lower() not in contexts[place][1].lower()
        ]
        right = []
        if at is not None or not row["answerable"]:
            text, found = _cut(row["context"], at, row["question"], draw)
            right = [Text(row["title"], text, found)]
        if row["answerable"] and draw.random() > ANSWERABLE + 0.15:
            right = []
        if right or wrong:
            yield make_group(rough(row["question"], draw), [*right, *wrong], held_out(row["group"]), draw)


def _answer_at(row: Mapping[str, Any]) -> tuple[int, int] | None:
    sentence = row["answer_sentence"] if row["answerable"] else ""
    at = row["context"].find(sentence) if sentence else -1
    return (at, at + len(sentence)) if at >= 0 else None


def _cut(context: str, answer: tuple[int, int] | None, question: str, draw: random.Random) -> tuple[str, Gold]:
    """Two to six sentences around the answer, or around what looks most like one, and where the answer then stands."""
    sentences = split_sentences(context)
    if not sentences:
        return context, []
    asked = content_words(question)
    middle = max(range(len(sentences)), key=lambda n: len(asked & content_words(sentences[n].plain)))
    if answer:
        middle = max(
            range(len(sentences)), key=lambda n: min(sentences[n].end, answer[1]) - max(sentences[n].start, answer[0])
        )
    size = draw.randint(2, 6)
    first = max(0, min(middle - draw.randrange(size), len(sentences) - size))
    start, end = sentences[first].start, sentences[min(len(sentences), first + size) - 1].end
    start, end = (min(start, answer[0]), max(end, answer[1])) if answer else (start, end)
    return context[start:end], [(answer[0] - start, answer[1] - start)] if answer else []


def faq_groups(path: Path, draw: random.Random, most: int) -> Iterator[Group]:
    """Questions to a place's FAQ entries: a few entries in each passage, with or without the one that answers."""
    places: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        places[row["group"]].append(row)
    entries = [(group, entry) for group, rows in places.items() for entry in rows]
    for group, entry in draw.sample(entries, min(most, len(entries))):
        others = list({e["context"]: e for e in places[group] if e["context"] != entry["context"]}.values())
        draw.shuffle(others)
        answerable = draw.random() < ANSWERABLE
        texts = []
        for with_gold in (answerable, False, False, False):
            size = draw.randint(1, 4)
            chosen, others = [e["context"] for e in others[:size]], others[size:]
            if chosen or with_gold:
                texts.append(Text(entry["title"], *_joined(chosen, entry["context"] if with_gold else None, draw)))
        if texts:
            yield make_group(rough(entry["question"], draw), texts, held_out(group), draw)


def section_groups(path: Path, embedder: Embedder, draw: random.Random, share: float = 1.0) -> Iterator[Group]:
    """Questions to sections of product documentation, half of them without the heading that gives them away."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows = [row for row in rows if 40 < len(row["b"]) < LONGEST_SECTION]
    rows = draw.sample(rows, round(share * len(rows)))
    asked = [row for row in rows if row["k"] in ("faq", "def") and len(row["q"]) > 12]
    asked += draw.sample([row for row in rows if row["k"] == "steps"], round(share * STEPS_ROWS))
    places = {id(row): place for place, row in enumerate(rows)}
    near = Neighbours(embedder, [f"{row['t']}. {row['h']}. {row['b']}" for row in rows])
    questions = [row["q"] if row["k"] != "steps" else _how(row["h"], draw) for row in asked]
    found = near.of(questions, [places[id(row)] for row in asked])
    for row, question, others in zip(asked, questions, found, strict=True):
        start = row["b"].find(row["a"][:40]) if row["k"] != "steps" else 0
        length = len(row["a"]) if row["k"] != "steps" else len(row["b"])
        with_heading = draw.random() < 0.5
        right = [Text(_headed(row, with_heading), row["b"], [(start, start + length)])]
        if start < 0 or draw.random() > ANSWERABLE:
            right = []
        wrong = [Text(_headed(rows[n], with_heading), rows[n]["b"]) for n in draw.sample(others, min(4, len(others)))]
        yield make_group(rough(question, draw), [*right, *wrong], held_out(row["t"]), draw)


def _headed(row: Mapping[str, Any], with_heading: bool) -> str:
    title = re.sub(r" \| .*", "", row["t"])
    return f"{title}. {row['h']}" if with_heading else title


def _how(heading: str, draw: random.Random) -> str:
    verb = heading[:1].lower() + heading[1:]
    form = draw.choice(("How do I {}?", "how can i {}", "What are the steps to {}?", "Can you tell me how to {}?",
                        "I want to {}.", "I need to {}, what do I have to do?", "is there a way to {}"))  # fmt: skip
    return form.format(re.sub(r"^(to|how to) ", "", verb))


def bank_groups(draw: random.Random, rounds: int) -> Iterator[Group]:
    """Support questions over the fact bank: the fact anywhere or left out; near misses; strangers."""
    topics = read_topics()
    for _ in range(rounds):
        company = draw_company(draw)
        values = {topic.id: draw_values(topic, company, draw) for topic in topics}
        for topic in topics:
            mine, kept_out = values[topic.id], held_out(topic.id)
            other = draw.choice([t for t in topics if held_out(t.id) == kept_out and t.id != topic.id])
            beside = _passages(other, other.facts, values[other.id], draw)
            for fact in topic.facts:
                asked = rough(fill(draw.choice(fact.questions), mine), draw)
                texts = _passages(topic, topic.facts, mine, draw, fact)
                if draw.random() > ANSWERABLE:
                    texts = _passages(topic, [f for f in topic.facts if f.id != fact.id], mine, draw)
                yield make_group(asked, [*texts[:3], draw.choice(beside)], kept_out, draw)
            for miss in draw.sample(topic.near_misses, 2):
                texts = _passages(topic, topic.facts, mine, draw)
                yield make_group(rough(fill(miss, mine), draw), texts[:3], kept_out, draw)


def variant_groups(draw: random.Random, rounds: int) -> Iterator[Group]:
    """The same facts about several plans or models, each with values of its own: only the one asked for counts."""
    for _ in range(rounds):
        company = draw_company(draw)
        for topic in read_topics():
            for fact in draw.sample(topic.facts, 3):
                yield _variant_group(topic, fact, company, draw)


def _variant_group(topic: Topic, fact: Fact, company: Mapping[str, str], draw: random.Random) -> Group:
    kind, names = draw.choice(KINDS), draw.choice(VARIANTS)
    mine, *others = draw.sample(names, min(len(names), PASSAGES))
    title, in_title = draw.choice(topic.titles), draw.random() < 0.8

    def text(name: str, of: Fact, gold: bool) -> Text:
        values = draw_values(topic, company, draw)
        said = _wording(of, values, draw)
        if not in_title:
            said = f"{name} {kind}: {said}"
        heading = f"{name} {kind}. {fill(title, values)}" if in_title else fill(title, values)
        return Text(heading, said, [(0, len(said))] if gold else ())

    right = [text(mine, fact, True)] if draw.random() < ANSWERABLE else []
    same = [text(mine, draw.choice([f for f in topic.facts if f.id != fact.id]), False)]
    wrong = [text(name, fact, False) for name in others]
    asked = fill(draw.choice(fact.questions), {**company, **draw_values(topic, company, draw)})
    question = draw.choice(ABOUT).format(f"{mine} {kind}", asked, asked[:1].lower() + asked[1:])
    return make_group(rough(question, draw), [*right, *same, *wrong], held_out(topic.id), draw)


def _passages(
    topic: Topic, facts: Sequence[Fact], values: Mapping[str, str], draw: random.Random, asked: Fact | None = None
) -> list[Text]:
    """A topic's document cut into passages of one to three facts; the one with the fact asked for comes first."""
    title, headed = fill(draw.choice(topic.titles), values), draw.random() < 0.5
    order = draw.sample(list(facts), len(facts))
    texts: list[Text] = []
    while order:
        size = draw.choice((1, 1, 2, 2, 3))
        part, order = order[:size], order[size:]
        gold = next((fact for fact in part if asked and fact.id == asked.id), None)
        others = [_wording(fact, values, draw) for fact in part if fact is not gold]
        said = _wording(gold, values, draw) if gold else None
        heading = f"{title}. {part[0].id.replace('_', ' ').capitalize()}" if headed and size == 1 else title
        texts.append(Text(heading, *_joined(others, said, draw, "\n\n")))
    return sorted(texts, key=lambda text: not text.gold)


def _wording(fact: Fact, values: Mapping[str, str], draw: random.Random) -> str:
    steps = [answer for answer in fact.answers if has_steps(answer)]
    return fill(draw.choice(steps if steps and draw.random() < 0.5 else fact.doc), values)


def _joined(others: Sequence[str], gold: str | None, draw: random.Random, gap: str | None = None) -> tuple[str, Gold]:
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
