"""The answer and its parts: outcome, text, citations, what was retrieved and how long it took."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Answer", "Citation", "Outcome", "Retrieved", "passage_link"]


class Outcome(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    CLARIFY = "clarify"
    ABSTAINED = "abstained"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True)
class Citation:
    """One `[number]` of an answer, resolved to the place it comes from.

    `passage` equals the stored Markdown of that version from `start` to `end`; `sentences` are the
    offsets, in the same Markdown, of the sentences the answer rests on.
    """

    number: int
    document: str  # source path of the document
    document_id: str
    title: str
    section: str  # heading path, joined by " > "; empty at the top of a document
    version: int
    date: str  # day from which the version is in force, ISO 8601
    start: int
    end: int
    passage: str
    sentences: tuple[tuple[int, int], ...]
    link: str
    page: int | None = None
    until: str | None = None  # last day of the version, where it has one


@dataclass(frozen=True)
class Retrieved:
    """One retrieved passage as the log and the evaluation keep it."""

    document: str
    section: str
    score: float
    chunk_id: str
    document_id: str
    version: int


@dataclass(frozen=True)
class Answer:
    """What the bot says to one question, with everything needed to see why.

    `draft` is what the model wrote before any check; `wrote` the share (0 to 1) of the value-bearing
    sentences of `text` that the model wrote and the checks only passed; `confidence` the score (0 to 1)
    that decided between answering and abstaining; `seconds` maps stage names to durations; `as_of` is the instant
    whose rules were asked for, None for the present.
    """

    id: str
    question: str
    standalone: str
    outcome: Outcome
    text: str
    draft: str
    citations: tuple[Citation, ...]
    retrieved: tuple[Retrieved, ...]
    wrote: float
    confidence: float
    seconds: dict[str, float] = field(default_factory=dict)
    tokens: int = 0
    model: str = ""
    adapter: str | None = None
    degraded: tuple[str, ...] = ()
    as_of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)


def passage_link(document_id: str, version: int, start: int, end: int) -> str:
    """The address, relative to the page, that opens a stored document at a passage."""
    return f"/documents/{document_id}?version={version}&start={start}&end={end}#passage"
