"""Rows for the reader head's third output: a claim and a passage that supports it, contradicts it, or does neither."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reader_rows import make_passage
from bot.sentences import split_sentences
from knowledge.reader import CONTRADICTED, NEITHER, SUPPORTED, Passage
from tone_tuning.fact_bank import Fact, Topic, draw_company, draw_values, fill, has_steps, held_out, read_topics

__all__ = ["Claim", "bank_claims", "natural_claims", "reply_claims"]

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
FLIPS = (
    ("can", "cannot"), ("cannot", "can"), ("can't", "can"), ("is", "is not"), ("is not", "is"), ("are", "are not"),
    ("are not", "are"), ("will", "will not"), ("won't", "will"), ("does not", "does"), ("doesn't", "does"),
    ("do not", "do"), ("free", "charged for"), ("before", "after"), ("after", "before"), ("at least", "at most"),
    ("at most", "at least"), ("within", "only after"), ("must", "need not"), ("always", "never"), ("never", "always"),
)  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """One sentence or two, a passage, and the number of the relation between them."""

    claim: str
    passage: Passage
    relation: int
    held_out: bool


def bank_claims(draw: random.Random, rounds: int) -> Iterator[Claim]:
    """Answers of the fact bank against passages with the fact, with other values, or without it."""
    topics = read_topics()
    for _ in range(rounds):
        company = draw_company(draw)
        for topic in topics:
            for fact in topic.facts:
                yield _bank_claim(topic, fact, company, draw)


def _bank_claim(topic: Topic, fact: Fact, company: Mapping[str, str], draw: random.Random) -> Claim:
    values = draw_values(topic, company, draw)
    relation = draw.choice((SUPPORTED, SUPPORTED, CONTRADICTED, NEITHER))
    others = [other for other in topic.facts if other.id != fact.id]
    said = fill(_statement(fact, draw), values)
    facts = draw.sample(others, min(len(others), draw.randint(0, 3)))
    if relation == CONTRADICTED:
        changed = _changed(said, topic, values, company, draw)
        said, relation = (changed, CONTRADICTED) if changed else (said, SUPPORTED)
    if relation != NEITHER:
        facts.insert(draw.randint(0, len(facts)), fact)
    elif not facts:
        facts = [draw.choice(others)]
    text = "\n\n".join(fill(draw.choice(other.doc), values) for other in facts)
    title = fill(draw.choice(topic.titles), values)
    return Claim(said, make_passage(title, text), relation, held_out(topic.id))


def _statement(fact: Fact, draw: random.Random) -> str:
    plain = [answer for answer in fact.answers if not has_steps(answer)] or list(fact.answers)
    return draw.choice(plain if draw.random() < 0.75 else fact.doc)


def _changed(
    said: str, topic: Topic, values: Mapping[str, str], company: Mapping[str, str], draw: random.Random
) -> str | None:
    """The claim with another value of one slot, with two numbers changed round, or with its sense turned."""
    kinds = [_other_value, _swapped, _flipped] if draw.random() < 0.75 else [_flipped, _other_value]
    if draw.random() < 0.6:
        kinds = [_other_value, *kinds]
    for change in kinds:
        found = change(said, topic, values, company, draw)
        if found and found != said:
            return found
    return None


def _other_value(
    said: str, topic: Topic, values: Mapping[str, str], company: Mapping[str, str], draw: random.Random
) -> str | None:
    slots = [name for name in topic.slots if len(values[name]) > 0 and values[name] in said]
    if not slots:
        return None
    name = draw.choice(slots)
    drawn = (draw_values(topic, company, draw)[name] for _ in range(8))
    other = next((value for value in drawn if value.lower() != values[name].lower()), None)
    return None if other is None else re.sub(rf"(?<!\w){re.escape(values[name])}(?!\w)", lambda _: other, said)


def _swapped(said: str, *rest: Any) -> str | None:  # noqa: ANN401 - what the other changes take
    numbers = list(dict.fromkeys(NUMBER.findall(said)))
    if len(numbers) < 2:
        return None
    first, second = numbers[:2]
    return NUMBER.sub(lambda m: second if m[0] == first else first if m[0] == second else m[0], said)


def _flipped(said: str, *rest: Any) -> str | None:  # noqa: ANN401
    for yes, no in (("Yes, ", "No, "), ("No, ", "Yes, ")):
        if said.startswith(yes):
            return no + said.removeprefix(yes)
    draw: random.Random = rest[-1]
    fitting = [(old, new) for old, new in FLIPS if re.search(rf"(?i)\b{re.escape(old)}\b(?! not)", said)]
    if not fitting:
        return None
    old, new = draw.choice(fitting)
    return re.sub(rf"(?i)\b{re.escape(old)}\b(?! not)", new, said, count=1)


def natural_claims(path: Path, draw: random.Random, most: int) -> Iterator[Claim]:
    """Sentences of encyclopaedia paragraphs: in place, with another number or turned, or from a neighbour."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    contexts = list(dict.fromkeys((row["group"], row["title"], row["context"]) for row in rows))
    by_group: dict[str, list[str]] = defaultdict(list)
    for group, _, context in contexts:
        by_group[group].append(context)
    for group, title, context in draw.sample(contexts, min(most, len(contexts))):
        sentences = split_sentences(context)
        if not sentences:
            continue
        at = draw.randrange(len(sentences))
        said, relation = sentences[at].plain, draw.choice((SUPPORTED, CONTRADICTED, NEITHER))
        around = " ".join(s.verbatim for s in sentences[max(0, at - 2) : at + 3])
        if relation == NEITHER:
            around = " ".join(s.verbatim for n, s in enumerate(sentences) if n != at)[:600]
            if draw.random() < 0.5:
                around = draw.choice(by_group[group])[:600]
            if said in around or not around:
                continue
        if relation == CONTRADICTED:
            said = _denied(said, draw)
            if not said:
                continue
        yield Claim(said, make_passage(title, around), relation, held_out(group))


def _denied(said: str, draw: random.Random) -> str:
    """The claim with another first number, or with its sense turned where it has none; "" where neither can be."""
    numbers = NUMBER.findall(said)
    changed = said.replace(numbers[0], _near(numbers[0], draw), 1) if numbers else _flipped(said, draw)
    return changed if changed and changed != said else ""


def _near(number: str, draw: random.Random) -> str:
    """Another number of the same form."""
    digits = [c for c in number if c.isdigit()]
    at = draw.randrange(len(digits))
    digits[at] = draw.choice([d for d in "123456789" if d != digits[at]])
    found = iter(digits)
    return "".join(next(found) if c.isdigit() else c for c in number)


def reply_claims(path: Path, draw: random.Random) -> Iterator[Claim]:
    """Clerks' replies against their FAQ entry, turned round, or against another entry of the same place."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    by_group: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_group[row["group"]].append(row["context"])
    for row in rows:
        said = " ".join(part for part in re.split(r"(?<=[.!?])\s+", row["answer"]) if not part.endswith("?"))
        if not _is_faithful(said, row["context"]):
            continue
        others = [context for context in set(by_group[row["group"]]) if context != row["context"]]
        relation = draw.choice((SUPPORTED, CONTRADICTED, NEITHER))
        chosen = draw.sample(sorted(others), min(len(others), draw.randint(0 if relation != NEITHER else 1, 3)))
        if relation != NEITHER:
            chosen.insert(draw.randint(0, len(chosen)), row["context"])
        if relation == CONTRADICTED:
            said = _denied(said, draw)
            if not said:
                continue
        if chosen:
            yield Claim(said, make_passage(row["title"], " ".join(chosen)), relation, held_out(row["group"]))


def _is_faithful(said: str, context: str) -> bool:
    """Same numbers and the same polarity; some of the replies contradict their entry."""
    negative = re.compile(r"(?i)\b(?:no|not|none|never|unfortunately|cannot|sorry|unavailable)\b|n't\b")
    return (
        len(said.split()) > 3
        and set(NUMBER.findall(said)) <= set(NUMBER.findall(context))
        and bool(negative.search(said)) == bool(negative.search(context))
    )
