"""Rows of the catalog <-> records: the columns that are asked for, and what is made of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from knowledge.calendar import FOREVER, Dates, Window
from knowledge.database import moment, stamp
from knowledge.documents import Chunk, Document, DocumentSummary, DocumentVersion

__all__ = [
    "CHUNK", "DATES", "DOCUMENT", "VERSION", "Found", "to_chunk", "to_dates", "to_document", "to_found", "to_summary",
    "to_version", "to_window", "version_row",
]  # fmt: skip

DOCUMENT = "d.id, d.collection, d.source, d.title, d.audience, d.review_at"
VERSION = (
    "v.document_id, v.version, v.content_hash, v.added_at, v.markdown, v.original_hash, v.title, v.effective_from, "
    "v.effective_until, v.withdrawn_at, v.uploaded_by, v.origin, v.note"
)
DATES = "version, effective_from, effective_until, withdrawn_at"
CHUNK = 'p.id, p.document_id, l.version, l.position, p.text, p.heading_path, l.start, l."end", l.page'
Row = Sequence[Any]
Found = tuple[Chunk, Document, datetime, datetime | None]  # a passage with the dates of its version


def to_document(row: Row) -> Document:
    """From the columns DOCUMENT."""
    return Document(row[0], row[1], row[2], row[3], row[4], moment(row[5]))


def to_version(row: Row) -> DocumentVersion:
    """From the columns VERSION."""
    return DocumentVersion(
        row[0], row[1], row[2], _certain(row[3]), row[4], row[5], row[6], _certain(row[7]), moment(row[8]),
        moment(row[9]), *row[10:13],
    )  # fmt: skip


def version_row(version: DocumentVersion) -> tuple[object, ...]:
    """The values of the columns VERSION."""
    v = version
    until, withdrawn = (None if at is None else stamp(at) for at in (v.effective_until, v.withdrawn_at))
    return (v.document_id, v.version, v.content_hash, stamp(v.added_at), v.markdown, v.original_hash, v.title,
            stamp(v.effective_from), until, withdrawn, v.uploaded_by, v.origin, v.note)  # fmt: skip


def to_chunk(row: Row) -> Chunk:
    """From the columns CHUNK."""
    return Chunk(row[0], row[1], row[2], row[3], row[4], tuple(json.loads(row[5])), row[6], row[7], row[8])


def to_found(row: Row) -> Found:
    """From the columns CHUNK, DOCUMENT and the title, begin and end of the version."""
    document = replace(to_document(row[9:15]), title=row[15])
    return to_chunk(row[:9]), document, _certain(row[16]), moment(row[17])


def to_dates(row: Row) -> Dates:
    """From the columns DATES."""
    return Dates(row[0], _certain(row[1]), moment(row[2]), moment(row[3]))


def to_window(begins: str | None, ends: str | None) -> Window | None:
    """From the columns `begins` and `ends`; None where both are NULL."""
    return Window(_certain(begins), _certain(ends)) if begins and ends else None


def to_summary(row: Row, following: str | None, versions: int, at: datetime) -> DocumentSummary:
    """From DOCUMENT, version, added_at, chunks, characters, effective_from, begins and ends."""
    window = to_window(row[11], row[12])
    state = "past"
    if window and window.ends > at:
        state = "in force" if window.begins <= at else "scheduled"
    ends = window.ends if window and window.ends != FOREVER else None
    return DocumentSummary(
        to_document(row), row[6], _certain(row[7]), row[8], row[9], _certain(row[10]), ends, state,
        moment(following), versions,
    )  # fmt: skip


def _certain(text: str) -> datetime:
    return datetime.fromisoformat(text)
