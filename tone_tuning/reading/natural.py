"""Natural questions with the sentence that answers them, out of the reading data and of product documentation."""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tone_tuning.errors import DataSetError, reason
from tone_tuning.reading.rows import (
    DECLINE,
    Passage,
    PracticeRow,
    arrange,
    cited,
    content_words,
    make_row,
    rough,
    sentences_of,
)
from tone_tuning.reading.values import values_in

__all__ = ["SOURCES", "read_rows"]

Row = dict[str, Any]
NEGATION = re.compile(r"\b(?:no|not|never|none|cannot|without|nor|neither|unable)\b|n['’]t\b", re.IGNORECASE)
HOW = ("How do I {verb}?", "how can i {verb}", "What do I have to do to {verb}?", "I need to {verb}. How?",
       "Can you walk me through it? I want to {verb}.", "i'd like to {verb}", "Help me {verb}, please.")  # fmt: skip
LOOSE_START = re.compile(r"^(he|she|they|it|this|these|those|his|her|their|its|such|however|but|and|also)\b", re.I)
MOST_STEPS, MOST_STEP_WORDS = 9, 120


def read_rows(folder: Path, name: str, draw: random.Random) -> Iterator[PracticeRow]:
    """The practice rows of one file of the data folder, in shuffled order; `name` is a key of SOURCES.

    Raises:
        DataSetError: the file cannot be read or a row of it lacks something.
    """
    file, make = SOURCES[name]
    path = folder / file
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
        draw.shuffle(rows)
        yield from make(rows, draw)
    except OSError as error:
        raise DataSetError(
            f"'{path}' cannot be read ({reason(error)}): check --data, or use --natural-share 0."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataSetError(f"'{path}' is no reading data ({reason(error)}): see the README of the data.") from error


def _encyclopaedia(rows: Sequence[Row], draw: random.Random) -> Iterator[PracticeRow]:
    """SQuAD and QED: the sentence of the answer among others of its paragraph; few of the unanswerable ones."""
    for row in rows:
        if not row["answerable"]:
            if draw.random() < 0.04:
                yield _declined(row, draw)
            continue
        sentence = _clean(row["answer_sentence"])
        words = len(sentence.split())
        if row.get("span_in_n_sentences") or not 5 <= words <= 40 or LOOSE_START.match(sentence):
            continue
        if not row["answer"] or row["answer"] not in sentence:
            continue
        others = [s for s in sentences_of(row["context"]) if s not in row["answer_sentence"] and len(s.split()) < 35]
        yield _answered("natural", row, sentence, others, sentence, [row["answer"]], draw)


def _faq(rows: Sequence[Row], draw: random.Random) -> Iterator[PracticeRow]:
    """DSTC9: an entry of a place's FAQ among others of the same place."""
    entries: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        entries[row["group"]].append(row["context"])
    for row in rows:
        answer = _clean(row["context"])
        if not 4 <= len(answer.split()) <= 45 or LOOSE_START.match(answer):
            continue
        others = [text for text in entries[row["group"]] if text != row["context"]]
        yield _answered("natural_faq", row, answer, others, answer, sorted(values_in(answer)), draw)


def _clerk(rows: Sequence[Row], draw: random.Random) -> Iterator[PracticeRow]:
    """DSTC9: a clerk's reply in words of its own, where it says neither more nor less than the entry."""
    for row in rows:
        said = _statements(row["answer"])
        shared = content_words(said) & content_words(row["context"])
        same = values_in(said) == values_in(row["context"]) and _polarity(said) == _polarity(row["context"])
        if same and len(shared) >= 2 and 4 <= len(said.split()) <= 40 and "[" not in said and not _hedges(said):
            yield _answered("natural_reply", row, _clean(row["context"]), [], said, sorted(values_in(said)), draw)


def _reviews(rows: Sequence[Row], draw: random.Random) -> Iterator[PracticeRow]:
    """DSTC11: replies from FAQ entries and guest reviews, with the dialogue before, where the reviews are few."""
    for row in rows:
        listed = [line for line in row["context"].split("\n") if line[:2] in ("- ", "Q:", "A:")]
        lines = [re.sub(r"^(- |Q: |A: )", "", line) for line in listed]
        said = _statements(row["answer"])
        short = 4 <= len(said.split()) <= 40 and len(" ".join(lines).split()) <= 110
        if short and values_in(said) <= values_in(row["context"]) and len(lines) < 5 and not _hedges(said):
            roles = {"user": "user", "agent": "assistant"}
            history = tuple((roles[who], text) for who, text in row["history"][-4:] if who in roles)
            history = history if history and history[0][0] == "user" and history[-1][0] == "assistant" else ()
            source = Passage(row["title"], "", " ".join(lines))
            yield make_row(
                "natural_review", row["group"], row["question"], [source], cited(said, 1), [], history=history
            )


def _procedures(rows: Sequence[Row], draw: random.Random) -> Iterator[PracticeRow]:
    """How-to sections of product documentation: the steps as they are, one citation at the end."""
    rows = [row for row in rows if row["k"] == "steps"]
    for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True):
        steps = [_clean(step) for step in row["steps"]]
        words = sum(len(step.split()) for step in steps)
        if any(step.endswith(":") or "> >" in step for step in steps):
            continue  # what such a step announces is not there
        if not 2 <= len(steps) <= MOST_STEPS or words > MOST_STEP_WORDS or not all(steps):
            continue
        text = "\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1))
        strange = [Passage(_title(other), other["h"], _clean(other["steps"][0]))] if draw.random() < 0.4 else []
        section = row["h"] if draw.random() < 0.6 else ""
        listed, number = arrange(Passage(_title(row), section, text), strange, draw)
        asked = rough(draw.choice(HOW).format(verb=re.sub(r"^(to|how to) ", "", row["verb"])), draw)
        yield make_row("natural_steps", row["t"], asked, listed, cited(text, number), sorted(values_in(text)))


def _documentation(rows: Sequence[Row], draw: random.Random) -> Iterator[PracticeRow]:
    """Questions that are headings of product documentation, answered by the first sentences under them."""
    rows = [row for row in rows if row["k"] == "faq"]
    asked = Counter(row["q"] for row in rows)
    for row in rows:
        answer = _clean(row["a"])
        if asked[row["q"]] > 1 or "> >" in answer:
            continue  # a heading of many pages ("What do you need to know before you begin?") asks for nothing
        if not 6 <= len(answer.split()) <= 55 or LOOSE_START.match(answer) or re.match(r"Note|Tip|Important", answer):
            continue
        others = [s for s in sentences_of(_clean(row["b"])) if s not in answer and 5 <= len(s.split()) <= 35]
        sample = {"question": row["q"], "title": _title(row), "group": row["t"]}
        yield _answered("natural_faq", sample, answer, others, answer, sorted(values_in(answer)), draw)


SOURCES: dict[str, tuple[str, Callable[[Sequence[Row], random.Random], Iterator[PracticeRow]]]] = {
    "squad": ("reading/squad-dev.jsonl", _encyclopaedia),
    "qed": ("reading/qed.jsonl", _encyclopaedia),
    "faq": ("reading/dstc9-faq.jsonl", _faq),
    "clerk": ("reading/dstc9-label-replies.jsonl", _clerk),
    "reviews": ("reading/dstc11-track5.jsonl", _reviews),
    "procedures": ("sections.jsonl", _procedures),
    "documentation": ("sections.jsonl", _documentation),
}


def _answered(
    kind: str, row: Row, gold: str, others: Sequence[str], reply: str, values: Sequence[str], draw: random.Random
) -> PracticeRow:
    """The evidence with none to two other sentences of its passage, beside it or as a source of their own."""
    extra = draw.sample(list(others), min(len(others), draw.choice((0, 1, 1, 2))))
    inside = [gold]
    apart: list[Passage] = []
    for sentence in extra:
        if draw.random() < 0.5:
            inside.insert(draw.randint(0, len(inside)), _clean(sentence))
        else:
            apart.append(Passage(row["title"], "", _clean(sentence)))
    listed, number = arrange(Passage(row["title"], "", " ".join(inside)), apart, draw)
    return make_row(kind, row["group"], rough(row["question"], draw), listed, cited(reply, number), values)


def _declined(row: Row, draw: random.Random) -> PracticeRow:
    sentences = sentences_of(row["context"])
    chosen = draw.sample(sentences, min(len(sentences), 2))
    source = Passage(row["title"], "", " ".join(map(_clean, chosen)))
    return make_row("natural_miss", row["group"], row["question"], [source], DECLINE, [])


def _clean(text: str) -> str:
    """A sentence fit for a reply: no list mark, no residue of footnotes, one line, no brackets that look like marks."""
    text = re.sub(r"\[[^\]]{0,12}\]|:\d+(?:-\d+)?$", "", text.strip())
    text = re.sub(r"^\s*(?:[-*•>]|\d+[.)])\s+", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" +([.,;!?])", r"\1", text)


def _statements(reply: str) -> str:
    """A reply without the questions and offers at its end, and without greetings."""
    kept = sentences_of(_clean(reply))
    while kept and (kept[-1].endswith("?") or re.search(r"(?i)\b(let me know|anything else|help you)\b", kept[-1])):
        kept.pop()
    return " ".join(kept)


def _hedges(said: str) -> bool:
    return bool(re.search(r"(?i)don't have (any )?info|not sure|i can book|i hope|sorry|would you|shall i|thank", said))


def _polarity(text: str) -> bool:
    return bool(NEGATION.search(text))


def _title(row: Row) -> str:
    return re.sub(r" \| .*", "", row["t"]).strip()
