"""Documents, their versions and chunks as frozen records; ids are content hashes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Chunk", "Document", "DocumentSummary", "DocumentVersion", "RetrievedChunk", "chunk_id", "document_id"]


@dataclass(frozen=True)
class Document:
    """One document: `source` is its POSIX path relative to the folder (`collection`) it came by."""

    id: str
    collection: str
    source: str
    title: str


@dataclass(frozen=True)
class DocumentVersion:
    """The text of a document from `added_at` (aware, UTC) on; `version` counts from 1."""

    document_id: str
    version: int
    content_hash: str
    added_at: datetime
    markdown: str
    original_hash: str


@dataclass(frozen=True)
class DocumentSummary:
    """A row of the list of documents."""

    document: Document
    version: int
    added_at: datetime
    chunks: int
    characters: int


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
    """A passage found for a query: `score` fused 0 to 1, `dense` cosine, `lexical` BM25 over the best hit's."""

    chunk: Chunk
    document: Document
    added_at: datetime
    score: float
    dense: float
    lexical: float


def document_id(collection: str, source: str) -> str:
    """12 hex digits that stand for a collection and a path in it."""
    return _digest(collection, source)[:12]


def chunk_id(document: str, title: str, heading_path: tuple[str, ...], text: str, repeat: int) -> str:
    """20 hex digits of what is embedded; `repeat` tells equal passages of one document apart."""
    return _digest(document, title, "\x1f".join(heading_path), text, str(repeat))[:20]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
