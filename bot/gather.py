"""One question -> the sources for its answer: its parts found, passages retrieved for each, evidence chosen."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from bot.evidence import Choice, Evidence, Reader
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
FEWEST_WORDS = 4  # a shorter part ("and when?") says nothing alone
WEAKER = 0.5  # a part whose chance is under this share of the best part's is left out


class Retriever(Protocol):
    """What the bot needs of `knowledge`: passages for a question, best first."""

    def retrieve(self, query: str, top_k: int = 5) -> list[RetrievedChunk]:
        """At most `top_k` passages; empty when nothing is relevant."""
        ...


def question_parts(message: str) -> list[str]:
    """The questions in a message, each with words enough to stand alone; the whole message where there are not two."""
    sentences = [part.strip() for part in SENTENCE.split(message.strip()) if part.strip()]
    asked = [s for s in sentences if s.endswith("?") or ASKING.match(s)]
    parts = [part.strip() for sentence in asked for part in SECOND.split(sentence)]
    return parts if len(parts) > 1 and all(len(part.split()) >= FEWEST_WORDS for part in parts) else [message]


def gather(question: str, retriever: Retriever, reader: Reader) -> Choice:
    """The reader's choice; several questions in one message are looked up one by one and put together."""
    parts = question_parts(question)
    if len(parts) == 1:
        return reader.choose(question, _candidates(question, retriever, reader.candidates))
    choices = [reader.choose(part, _candidates(part, retriever, reader.candidates)) for part in parts]
    best = max((choice.answers or 0.0 for choice in choices), default=0.0)
    kept = [choice for choice in choices if choice.answers is None or choice.answers >= WEAKER * best]
    return _joined(kept)


def _candidates(question: str, retriever: Retriever, count: int) -> list[RetrievedChunk]:
    """Passages for the whole message and, where it has small talk around the question, for the question alone."""
    found = {passage.chunk.id: passage for passage in retriever.retrieve(question, top_k=count)}
    sentences = [part for part in SENTENCE.split(question.strip()) if part]
    asked = [s for s in sentences if s.endswith("?") or ASKING.match(s)]
    if len(asked) == 1 and len(sentences) > 1:
        for passage in retriever.retrieve(asked[0], top_k=count):
            known = found.get(passage.chunk.id)
            found[passage.chunk.id] = passage if known is None or passage.score > known.score else known
    return sorted(found.values(), key=lambda passage: (-passage.score, passage.chunk.id))


def _joined(choices: Sequence[Choice]) -> Choice:
    """Evidence of several choices over one list of passages, each sentence once."""
    passages: dict[str, RetrievedChunk] = {}
    for choice in choices:
        passages |= {p.chunk.id: p for p in choice.passages if p.chunk.id not in passages}
    places = {name: place for place, name in enumerate(passages)}
    evidence: dict[tuple[int, int], Evidence] = {}
    for choice in choices:
        share = max(1, 4 // len(choices))
        for item in choice.evidence[:share] if not _is_procedure(choice) else choice.evidence:
            place = places[choice.passages[item.passage].chunk.id]
            evidence.setdefault((place, item.sentence.start), replace(item, passage=place))
    answers = [choice.answers for choice in choices if choice.answers is not None]
    return Choice(tuple(passages.values()), tuple(evidence.values()), max(answers) if answers else None)


def _is_procedure(choice: Choice) -> bool:
    return sum(item.sentence.kind == "step" for item in choice.evidence) > 1
