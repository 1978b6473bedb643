"""One file -> a version that is split and waits for its vectors, or why there is none."""

import fnmatch
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from knowledge.audiences import audience_of
from knowledge.calendar import period
from knowledge.catalog import Catalog
from knowledge.converters import Convert
from knowledge.documents import Chunk, Document, DocumentVersion, Terms, document_id
from knowledge.embedder import Embedder
from knowledge.errors import UnsupportedFormat
from knowledge.folders import keep_original, readable
from knowledge.passages import make_chunks

__all__ = ["FileResult", "Intake", "Prepared"]


@dataclass(frozen=True)
class FileResult:
    """What became of one file: status is added, changed, unchanged or failed.

    `message` says why it failed, or what is worth knowing about one that did not.
    """

    source: str
    status: str
    document: Document | None
    chunks: int
    embedded: int
    message: str = ""


@dataclass(frozen=True)
class Prepared:
    """A version that is split and waits for its vectors; it gets its number when it is written.

    `version` is None where the text is stored already and only the document's audience or review date changes.
    """

    document: Document
    version: DocumentVersion | None
    chunks: list[Chunk]
    status: str
    message: str = ""


class Intake:
    """Everything that can be done to a file without changing what is stored, but for keeping the original."""

    def __init__(
        self, catalog: Catalog, embedder: Embedder, originals: Path, clock: Callable[[], datetime], convert: Convert
    ) -> None:
        self.catalog = catalog
        self.embedder = embedder
        self.originals = originals
        self.clock = clock
        self.convert = convert

    def prepare(self, target: tuple[str, str], name: str, data: bytes, terms: Terms) -> Prepared | FileResult:
        """A version of the document at `target` (collection, source), or the result where there is nothing to write.

        The original is kept before anything points to it.

        Raises:
            ConversionError: the file cannot be read.
            TermsError: the dates or the audience cannot be.
        """
        if not _is_text(target):
            raise UnsupportedFormat(f"'{readable(name)}' or its folder has a name that is no text: rename it.")
        identity, original, now = document_id(*target), hashlib.sha256(data).hexdigest(), self.clock()
        begins = period(terms.effective_from, terms.effective_until, now)
        known = self.catalog.ever(identity)
        current = self.catalog.in_force(identity, now)
        if known and (same := self._stored(identity, current, original, terms, now)):
            return self._unchanged(known, same, terms)
        converted = self.convert(name, data)
        document = _described(known or Document(identity, *target, ""), converted.title, terms)
        version = DocumentVersion(
            identity, 0, hashlib.sha256(converted.markdown.encode()).hexdigest(), now, converted.markdown, original,
            converted.title, begins, _utc(terms.effective_until), None, terms.uploaded_by, terms.origin, terms.note,
        )  # fmt: skip
        keep_original(self.originals, data)
        chunks = make_chunks(document, version, self.embedder)
        return Prepared(document, version, chunks, "changed" if current else "added", converted.warning)

    def has(self, target: tuple[str, str], data: bytes, terms: Terms) -> bool:
        """Whether `prepare` would find nothing to write: the same bytes stand, and the terms change nothing."""
        if not _is_text(target):
            return False
        identity = document_id(*target)
        known, now = self.catalog.ever(identity), self.clock()
        current = self.catalog.in_force(identity, now)
        same = self._stored(identity, current, hashlib.sha256(data).hexdigest(), terms, now)
        return known is not None and same is not None and _described(known, known.title, terms) == known

    def _stored(
        self, identity: str, current: DocumentVersion | None, original: str, terms: Terms, now: datetime
    ) -> DocumentVersion | None:
        """The version of these bytes and dates that is in force (`current`) or to come."""
        stored = (current, *self.catalog.upcoming(identity, now))
        return next((v for v in stored if v and v.original_hash == original and _has_dates(v, terms)), None)

    def _unchanged(self, known: Document, version: DocumentVersion, terms: Terms) -> Prepared | FileResult:
        count = len(self.catalog.chunks(known.id, version.version))
        document = _described(known, known.title, terms)
        if document == known:
            planned = f"This text is planned already, from {version.effective_from:%Y-%m-%d} on."
            message = planned if version.effective_from > self.clock() else ""
            return FileResult(known.source, "unchanged", known, count, 0, message)
        return Prepared(document, None, [], "changed", f"It is for {document.audience} now; its text is the same.")


def _is_text(target: tuple[str, str]) -> bool:
    return all(readable(part) == part for part in target)


def _has_dates(version: DocumentVersion, terms: Terms) -> bool:
    """Whether nothing else is asked for than what the version has."""
    begins = terms.effective_from in (None, version.effective_from)
    return begins and terms.effective_until in (None, version.effective_until)


def _described(document: Document, title: str, terms: Terms) -> Document:
    """The document with the title of the new text, and the audience and review date that the terms give it."""
    names = (title, document.source, document.source.rsplit("/", 1)[-1])
    matches = not terms.match or any(fnmatch.fnmatchcase(name, terms.match) for name in names)
    audience = audience_of(terms.audience) if terms.audience and matches else document.audience
    return replace(document, title=title, audience=audience, review_at=_utc(terms.review_at) or document.review_at)


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
