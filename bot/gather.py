"""One question -> the sources for its answer: its parts found, passages retrieved for each, evidence chosen."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from bot.evidence import MOST_SENTENCES, Choice, Evidence, Reader
from knowledge.documents import RetrievedChunk

__all__ = ["Retriever", "gather", "question_parts"]

SENTENCE = re.compile(r"(?<=[.!?])\s+")
ASKING = re.compile(
    r"^(?:and |but |or |also |so |then )*"
    r"(?:what|how|when|where|which|who|why|is|are|can|could|do|does|did|will|would|may|"
    r"should|must|am|by when|for how|until when)\b",
    re.IGNORECASE,
)
# "…, and what would it cost …", "… and how fast …", "…, or can gift cards …": a second question in one sentence.
SECOND = re.compile(
    r",?\s+(?:and|or|but)\s+(?=(?:what|how|when|where|which|who|by when)\b)"
    r"|,\s+(?:and|or|but)\s+(?=(?:is|are|can|could|do|does|will|would|may)\b)",
    re.IGNORECASE,
)
CLAUSE = re.compile(r",\s+(?=(?:what|how|when|where|which|who|can|do|does|is|are|will|would)\b)", re.IGNORECASE)
FEWEST_WORDS = 4  # a shorter part ("and when?") says nothing alone
MARGIN = 0.6  # evidence of a part that is this far under the best of all parts is left out
WEAKER = 0.5  # a part whose chance is under this share of the best part's is left out


class Retriever(Protocol):
    """What the bot needs of `knowledge`: passages for a question, best first."""

    def retrieve(self, query: str, top_k: int = 5, *, window: int = 0, rerank: bool = False) -> list[RetrievedChunk]:
        """At most `top_k` passages, with neighbours up to `window` characters; empty when nothing is relevant.

        `rerank` puts them in the order of the trained reader, where there is one.
        """
        ...


def question_parts(message: str) -> list[tuple[str, str]]:
    """The questions in a message as (with its story, alone); one pair, alone maybe empty, where there are not two.

    "The mixer is wrong. What does a return cost, and when is it paid?" gives both questions, each after the story.
    """
    asked = _asking(message)
    story = " ".join(sentence for sentence in _sentences(message) if sentence not in asked)
    parts: list[tuple[str, str]] = []
    for sentence in asked:
        lead, tail = _lead(sentence)
        parts += [(" ".join(filter(None, (story, lead, part))), part) for part in map(str.strip, SECOND.split(tail))]
    if len(parts) > 1 and all(len(part.split()) >= FEWEST_WORDS for _, part in parts):
        return parts
    core = asked[0] if len(asked) == 1 else ""
    return [(message, core if 0 < len(core) < len(message.strip()) else "")]


def gather(question: str, retriever: Retriever, reader: Reader, standalone: str | None = None) -> Choice:
    """The reader's choice; several questions in one message are looked up one by one and put together.

    `standalone` is the form that makes sense without the turns before; a follow-up is never taken apart.
    """
    if standalone is not None and standalone != question:
        return _choose(standalone, "", retriever, reader)
    parts = question_parts(question)
    choices = [_choose(whole, core, retriever, reader) for whole, core in parts]
    if len(parts) == 1:
        return choices[0]
    best = max((choice.answers or 0.0 for choice in choices), default=0.0)
    return _joined([choice for choice in choices if choice.answers is None or choice.answers >= WEAKER * best])


def _choose(whole: str, core: str, retriever: Retriever, reader: Reader) -> Choice:
    found = {passage.chunk.id: passage for passage in retriever.retrieve(whole, top_k=reader.candidates)}
    for passage in retriever.retrieve(core, top_k=reader.candidates) if core else ():
        known = found.get(passage.chunk.id)
        found[passage.chunk.id] = passage if known is None or passage.score > known.score else known
    ranked = sorted(found.values(), key=lambda passage: (-passage.score, passage.chunk.id))
    return reader.choose(whole, ranked[: reader.candidates], core)


def _sentences(message: str) -> list[str]:
    return [part.strip() for part in SENTENCE.split(message.strip()) if part.strip()]


def _asking(message: str) -> list[str]:
    return [s for s in _sentences(message) if s.endswith("?") or ASKING.match(s) or _lead(s)[0]]


def _lead(sentence: str) -> tuple[str, str]:
    """What stands before the question in its sentence ("About the mixer, how much is it"), and the question."""
    cut = CLAUSE.search(sentence)
    tail = sentence[cut.end() :].strip() if cut else sentence
    return (sentence[: cut.start()] + ",", tail) if cut and len(tail.split()) >= FEWEST_WORDS else ("", sentence)


def _joined(choices: Sequence[Choice]) -> Choice:
    """Evidence of several choices over one list of passages, each sentence once."""
    passages: dict[str, RetrievedChunk] = {}
    for choice in choices:
        passages |= {p.chunk.id: p for p in choice.passages if p.chunk.id not in passages}
    places = {name: place for place, name in enumerate(passages)}
    evidence: dict[tuple[int, int], Evidence] = {}
    best = max((item.score for choice in choices for item in choice.evidence), default=0.0)
    share = max(1, MOST_SENTENCES // len(choices))
    for choice in choices:
        near = [item for item in choice.evidence if item.score >= best - MARGIN]
        for item in near if _is_procedure(choice) else near[:share]:
            place = places[choice.passages[item.passage].chunk.id]
            evidence.setdefault((place, item.sentence.start), replace(item, passage=place))
    answers = [choice.answers for choice in choices if choice.answers is not None]
    return Choice(tuple(passages.values()), tuple(evidence.values()), max(answers) if answers else None)


def _is_procedure(choice: Choice) -> bool:
    return sum(item.sentence.kind == "step" for item in choice.evidence) > 1
