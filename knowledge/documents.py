"""Documents, their dated versions and passages as frozen records; ids are content hashes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "LIVE",
    "Chunk",
    "Document",
    "DocumentSummary",
    "DocumentVersion",
    "RetrievedChunk",
    "Terms",
    "chunk_id",
    "document_id",
]

LIVE = "source:"  # how the collections of live sources begin, but for folders


@dataclass(frozen=True)
class Document:
    """One document: `source` is its POSIX path relative to the folder (`collection`) it came by.

    `audience` says who may see it, see knowledge/audiences.py; `review_at` when somebody should read it again.
    """

    id: str
    collection: str
    source: str
    title: str
    audience: str = "public"
    review_at: datetime | None = None


@dataclass(frozen=True)
class DocumentVersion:
    """The text of a document, meant for `effective_from` to `effective_until` (aware, UTC); `version` counts from 1.

    When it really was or is in force follows from all versions together, see knowledge/calendar.py.
    """

    document_id: str
    version: int
    content_hash: str
    added_at: datetime
    markdown: str
    original_hash: str
    title: str
    effective_from: datetime
    effective_until: datetime | None = None
    withdrawn_at: datetime | None = None
    uploaded_by: str = ""
    origin: str = ""
    note: str = ""


@dataclass(frozen=True)
class Terms:
    """What is said about documents when they are added; None and "" leave what is there, or the default.

    `effective_from` is the moment of adding by default. With a `match` (a pattern for title, path or file name)
    the `audience` holds for the documents that fit it only.
    """

    effective_from: datetime | None = None
    effective_until: datetime | None = None
    audience: str | None = None
    match: str = ""
    review_at: datetime | None = None
    uploaded_by: str = ""
    origin: str = ""
    note: str = ""


@dataclass(frozen=True)
class DocumentSummary:
    """A row of the list of documents: the version in force, else the next one to come, else the last there was.

    `state` is "in force", "scheduled" or "past"; `next_from` is when another version takes over, if one is planned.
    """

    document: Document
    version: int
    added_at: datetime
    chunks: int
    characters: int
    effective_from: datetime
    effective_until: datetime | None
    state: str
    next_from: datetime | None
    versions: int


@dataclass(frozen=True)
class Chunk:
    """A passage: `text` equals the version's Markdown from `start` to `end`; `page` counts from 1."""

    id: str
    document_id: str
    version: int
    position: int
    text: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None


@dataclass(frozen=True)
class RetrievedChunk:
    """A passage found for a query: `score` fused 0 to 1, `dense` cosine, `lexical` BM25 brought to 0 to 1.

    `effective_from` and `effective_until` are the dates of its version. `reader` is the reader head's chance, 0 to 1,
    that it answers, where the passages were reranked.
    """

    chunk: Chunk
    document: Document
    effective_from: datetime
    effective_until: datetime | None
    score: float
    dense: float
    lexical: float
    reader: float | None = None

    @property
    def heading(self) -> str:
        """Title and headings, each once."""
        return ". ".join(dict.fromkeys((self.document.title, *self.chunk.heading_path)))


def document_id(collection: str, source: str) -> str:
    """12 hex digits that stand for a collection and a path in it."""
    return _digest(collection, source)[:12]


def chunk_id(document: str, title: str, heading_path: tuple[str, ...], text: str, repeat: int) -> str:
    """20 hex digits of what is embedded; `repeat` tells equal passages of one document apart."""
    return _digest(document, title, "\x1f".join(heading_path), text, str(repeat))[:20]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
