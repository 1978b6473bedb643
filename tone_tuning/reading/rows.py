"""One row of practice: a question, numbered sources, the reply to learn, and what a good reply keeps or leaves out."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tone_tuning.fact_bank import held_out
from tone_tuning.reading.values import keeps, values_in, without_marks

__all__ = [
    "DECLINE",
    "Passage",
    "PracticeRow",
    "arrange",
    "cited",
    "content_words",
    "distant",
    "lower_first",
    "make_row",
    "rough",
    "sentences_of",
]

DECLINE = "I couldn't find that in our documentation. Would you like me to connect you with a member of our team?"
CHATTER = ("Hi!", "Hello there.", "Good morning.", "Hey,", "Quick question:", "Me again.", "It's a bit urgent.",
           "Sorry for all the questions.", "I've looked all over your site.", "I'm asking for my dad.", "ok so",
           "My phone is about to die, so", "Thanks for getting back to me yesterday.", "I'm on the train right now.",
           "You were very kind last time.")  # fmt: skip
FAREWELLS = ("Thanks!", "thx", "Thank you in advance.", "pls", "Cheers", "Please be quick.", "Much appreciated.")
SMALL_WORDS = (
    "a an and any are as at be been but by can could did do does for from get give had has have how i if in into "
    "is it its me my no not of on or our please so that the their them then there they this to us was we what "
    "when where which who why will with would you your"
)
STOP_WORDS = frozenset(SMALL_WORDS.split())
# Words that lose their capital inside a sentence; any other may be a name.
OPENERS = (
    "a after all an and any are as at before by can cannot could delivery did do does every for from has have how "
    "if in is it items may may my no of on once orders our please returns should the there these they this to "
    "until up we what when where which who why will with would you your"
)
COMMON_OPENERS = frozenset(OPENERS.split())


@dataclass(frozen=True)
class Passage:
    """One source: what stands under `[n]`; `date` is ISO 8601 or empty."""

    title: str
    section: str
    text: str
    date: str = ""


@dataclass(frozen=True)
class PracticeRow:
    """A conversation in the shape of `tone_tuning.dataset`, with what evaluation needs to judge a reply to it.

    `values` are texts that a good reply keeps, `unwanted` texts that it must not hold.
    """

    kind: str
    group: str  # topic or document: all its rows lie on one side of the split
    question: str
    sources: tuple[Passage, ...]
    reply: str
    values: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()  # (role, content)

    @property
    def held_out(self) -> bool:
        """Whether it is kept from training."""
        return held_out(self.group)

    @property
    def invents(self) -> bool:
        """Whether the reply to learn has a value that nothing before it has: such a row would teach the worst fault."""
        before = [self.question, *(text for _, text in self.history)]
        before += [part for source in self.sources for part in (source.title, source.section, source.text)]
        return not values_in(self.reply) <= values_in("\n".join(before))

    def to_dict(self) -> dict[str, Any]:
        """The row as it stands in a JSONL file."""
        turns = (*self.history, ("user", self.question), ("assistant", self.reply))
        return {
            "kind": self.kind,
            "group": self.group,
            "held_out": self.held_out,
            "messages": [{"role": role, "content": content} for role, content in turns],
            "sources": [vars(source) for source in self.sources],
            "values": list(self.values),
            "unwanted": list(self.unwanted),
        }


def make_row(
    kind: str,
    group: str,
    question: str,
    sources: Sequence[Passage],
    reply: str,
    values: Iterable[str],
    *,
    unwanted: Sequence[str] = (),
    history: Sequence[tuple[str, str]] = (),
) -> PracticeRow:
    """A row; of `values` those stay that the reply to learn keeps, each once."""
    kept = tuple(dict.fromkeys(value for value in values if keeps(reply, value)))
    return PracticeRow(kind, group, question, tuple(sources), reply, kept, tuple(unwanted), tuple(history))


def arrange(right: Passage, others: Sequence[Passage], draw: random.Random) -> tuple[list[Passage], int]:
    """The sources in drawn order, the right one first, between or last; and its number, from 1."""
    listed = list(others)
    place = draw.randint(0, len(listed))
    listed.insert(place, right)
    return listed, place + 1


def cited(text: str, number: int) -> str:
    """A part of a reply with its full stop and its citation."""
    bare = text.strip()
    stop = "" if re.search(r"[.!?:)]$", bare) else "."
    return f"{bare}{stop} [{number}]"


def rough(question: str, draw: random.Random) -> str:
    """The question as people type it: in lower case, without its mark, with slips of the keys, amid small talk."""
    if draw.random() < 0.25:
        question = question.lower().rstrip("?.! ")
    for _ in range(draw.choice((0, 0, 0, 0, 0, 0, 1, 1, 2))):
        question = _slip(question, draw)
    if draw.random() < 0.10:
        question = f"{draw.choice(CHATTER)} {question}"
    return f"{question} {draw.choice(FAREWELLS)}" if draw.random() < 0.06 else question


def distant(questions: Sequence[str], text: str, draw: random.Random) -> str:
    """A question out of three drawn ones, mostly the one that shares the fewest words with the text that answers it.

    A model that only sees questions in the words of their passage learns to decline whatever is worded differently.
    """
    drawn = draw.sample(list(questions), min(3, len(questions)))
    known = content_words(text)
    return min(drawn, key=lambda q: len(content_words(q) & known)) if draw.random() < 0.7 else drawn[0]


def sentences_of(text: str) -> list[str]:
    """The sentences of prose, or the lines of a list."""
    if "\n" in text:
        return [line.strip() for line in text.split("\n") if line.strip()]
    ends = r"(?<![ .][A-Za-z]\.)(?<!\b[Nn]o\.)(?<!\bSt\.)(?<!\bMr\.)(?<!\bDr\.)(?<!Mrs\.)(?<=[.!?])\s+(?=[A-Z0-9\"“(])"
    return [part.strip() for part in re.split(ends, text) if part.strip()]


def content_words(text: str) -> frozenset[str]:
    """Lower-case words that carry content, cut to six letters."""
    return frozenset(w[:6].rstrip("s") for w in re.findall(r"[a-z0-9]+", without_marks(text).lower())) - STOP_WORDS


def lower_first(text: str) -> str:
    """`text` to go on a sentence with: its first letter small, unless the word is I, a name or an abbreviation."""
    first = re.match(r"[A-Za-z']+", text)
    if first is None or first[0] == "I" or first[0].startswith("I'") or any(c.isupper() for c in first[0][1:]):
        return text
    return text[0].lower() + text[1:] if first[0].lower() in COMMON_OPENERS else text


def _slip(text: str, draw: random.Random) -> str:
    """Two letters swapped, one left out, or one doubled; never in a number."""
    places = [n for n in range(1, len(text) - 1) if text[n - 1 : n + 2].isalpha()]
    if len(places) < 8:
        return text
    at = draw.choice(places)
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return draw.choice((swapped, text[:at] + text[at + 1 :], text[: at + 1] + text[at:]))
