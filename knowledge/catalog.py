"""The truth: documents, their dated versions and passages in SQLite, changed one transaction at a time."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from knowledge.audiences import part_of
from knowledge.calendar import Window, windows
from knowledge.database import Database, stamp
from knowledge.documents import Chunk, Document, DocumentSummary, DocumentVersion
from knowledge.errors import DocumentNotFound
from knowledge.lexical import WORDS_TABLE, search_words
from knowledge.records import (
    CHUNK,
    DATES,
    DOCUMENT,
    VERSION,
    Found,
    to_chunk,
    to_dates,
    to_document,
    to_found,
    to_summary,
    to_version,
    to_window,
    version_row,
)  # fmt: skip
from knowledge.schema import MIGRATIONS
from knowledge.scopes import Scope, ScopeTables, in_force
from knowledge.windows import Extent

__all__ = ["Catalog"]

LARGEST = 2**63 - 1  # SQLite's; a page may ask for any version


class Catalog:
    """One SQLite file, one connection, one lock; every change is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path, MIGRATIONS, "catalog")
        self.scopes = ScopeTables(self.database)

    # -- changes

    def add_version(self, document: Document, version: DocumentVersion, chunks: Sequence[Chunk]) -> None:
        """In one transaction: keep the document, a version and its passages, and work out what is in force when."""
        with self.database.transaction() as db:
            db.execute(
                "INSERT INTO documents (id, collection, source, title, audience, review_at) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET title = excluded.title, audience = excluded.audience, "
                "review_at = excluded.review_at",
                (document.id, document.collection, document.source, document.title, document.audience,
                 _stamped(document.review_at)),
            )  # fmt: skip
            marks = ",".join("?" * 13)
            db.execute(
                "INSERT INTO versions (document_id, version, content_hash, added_at, markdown, original_hash, title, "
                f"effective_from, effective_until, withdrawn_at, uploaded_by, origin, note) VALUES ({marks})",
                version_row(version),
            )
            _place(db, version, chunks)
            _date(db, version.document_id)

    def place_again(self, version: DocumentVersion, chunks: Sequence[Chunk]) -> None:
        """Give a stored version other passages; those that no version has any more are forgotten."""
        with self.database.transaction() as db:
            key = (version.document_id, version.version)
            db.execute("DELETE FROM places WHERE document_id = ? AND version = ?", key)
            _place(db, version, chunks)
            _forget_unplaced(db, version.document_id)

    def change_versions(self, versions: Sequence[DocumentVersion]) -> None:
        """Store other dates and notes of versions of one document, and what follows for its calendar."""
        with self.database.transaction() as db:
            for v in versions:
                db.execute(
                    "UPDATE versions SET effective_from = ?, effective_until = ?, withdrawn_at = ?, note = ? "
                    "WHERE document_id = ? AND version = ?",
                    (stamp(v.effective_from), _stamped(v.effective_until), _stamped(v.withdrawn_at), v.note,
                     v.document_id, v.version),
                )  # fmt: skip
            for document_id in {v.document_id for v in versions}:
                _date(db, document_id)

    def change_document(self, document: Document) -> None:
        """Store another audience or review date."""
        with self.database.transaction() as db:
            db.execute(
                "UPDATE documents SET audience = ?, review_at = ? WHERE id = ?",
                (document.audience, _stamped(document.review_at), document.id),
            )

    def date_again(self) -> None:
        """Work out anew what is in force when."""
        with self.database.transaction() as db:
            for (document_id,) in db.execute("SELECT id FROM documents").fetchall():
                _date(db, document_id)

    def forget_stray(self) -> None:
        """Forget places of versions that are not there, and passages that have no place."""
        with self.database.transaction() as db:
            db.execute(
                "DELETE FROM places WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE "
                "v.document_id = places.document_id AND v.version = places.version)"
            )
            for (document_id,) in db.execute("SELECT DISTINCT document_id FROM passages").fetchall():
                _forget_unplaced(db, document_id)

    def erase(self, document_id: str, pending: tuple[str, str]) -> None:
        """Forget a document with all versions and passages, and keep the setting `pending` (name, value).

        Its bytes stay in the file until `shred`.
        """
        with self.database.transaction() as db:
            _set(db, *pending)
            db.execute("DELETE FROM places WHERE document_id = ?", (document_id,))
            _forget_unplaced(db, document_id)
            db.execute("DELETE FROM versions WHERE document_id = ?", (document_id,))
            db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def shred(self) -> None:
        """Write file and word index anew, without anything that was deleted."""
        self.index_words()
        self.database.shred()

    def index_words(self) -> None:
        """Make the word index anew from the passages."""
        with self.database.transaction() as db:
            db.execute("DROP TABLE chunk_words")
            db.execute(WORDS_TABLE)
            rows = db.execute("SELECT number, title, heading_path, text FROM passages").fetchall()
            db.executemany(
                "INSERT INTO chunk_words (rowid, heading, text) VALUES (?, ?, ?)",
                [(number, _heading(title, json.loads(path)), text) for number, title, path, text in rows],
            )

    def setting(self, name: str) -> str | None:
        """A fact about this home that is kept beside the documents."""
        rows = self.database.read("SELECT value FROM settings WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def set_setting(self, name: str, value: str | None) -> None:
        """Keep a fact about this home, or forget it."""
        with self.database.transaction() as db:
            _set(db, name, value)

    # -- documents and versions

    def find(self, reference: str, at: datetime) -> list[Document]:
        """Documents whose id, unique id prefix, source path or file name is `reference`, past ones if no other is."""
        matching = [
            document
            for document in self.all_documents()
            if reference in (document.id, document.source, document.source.rsplit("/", 1)[-1])
            or (len(reference) >= 6 and document.id.startswith(reference))
        ]
        alive = {document.id for document in self.all_documents(at)}
        return [document for document in matching if document.id in alive] or matching

    def all_documents(self, at: datetime | None = None) -> list[Document]:
        """Every document by collection and source; with `at` those that are in force then or will be later."""
        alive = "WHERE d.id IN (SELECT document_id FROM versions WHERE ends > ?)" if at else ""
        rows = self.database.read(
            f"SELECT {DOCUMENT} FROM documents d {alive} ORDER BY d.collection, d.source", (stamp(at),) if at else ()
        )
        return [to_document(row) for row in rows]

    def summaries(self, at: datetime) -> list[DocumentSummary]:
        """Every document with the version to show for it at an instant; see `DocumentSummary`."""
        rows = self.database.read(
            f"SELECT {DOCUMENT}, v.version, v.added_at, (SELECT count(*) FROM places l WHERE l.document_id = d.id "
            "AND l.version = v.version), length(v.markdown), v.effective_from, v.begins, v.ends "
            "FROM documents d JOIN versions v ON v.document_id = d.id "
            "ORDER BY d.collection, d.source, d.id, v.begins IS NOT NULL, v.begins, v.version"
        )
        of: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            of.setdefault(row[0], []).append(row)
        return [_summary(versions, at) for versions in of.values()]

    def versions(self, document_id: str) -> list[DocumentVersion]:
        """All versions of a document, oldest number first."""
        rows = self.database.read(
            f"SELECT {VERSION} FROM versions v WHERE document_id = ? ORDER BY version", (document_id,)
        )
        return [to_version(row) for row in rows]

    def windows(self, document_id: str) -> dict[int, Window | None]:
        """When each version of a document is in force, as stored."""
        rows = self.database.read("SELECT version, begins, ends FROM versions WHERE document_id = ?", (document_id,))
        return {row[0]: to_window(row[1], row[2]) for row in rows}

    def in_force(self, document_id: str, at: datetime) -> DocumentVersion | None:
        """The version of a document in force at an instant."""
        rows = self.database.read(
            f"SELECT {VERSION} FROM versions v WHERE document_id = ? AND begins <= ? AND ends > ?",
            (document_id, stamp(at), stamp(at)),
        )
        return to_version(rows[0]) if rows else None

    def upcoming(self, document_id: str, at: datetime) -> list[DocumentVersion]:
        """The versions of a document that begin later, the next one first."""
        rows = self.database.read(
            f"SELECT {VERSION} FROM versions v WHERE document_id = ? AND begins > ? ORDER BY begins",
            (document_id, stamp(at)),
        )
        return [to_version(row) for row in rows]

    def last_number(self, document_id: str) -> int:
        """The highest version number a document ever had; 0 if it was never seen. Numbers are not used twice."""
        query = "SELECT coalesce(max(version), 0) FROM versions WHERE document_id = ?"
        return int(self.database.read(query, (document_id,))[0][0])

    def version(self, document_id: str, number: int | None = None) -> DocumentVersion:
        """A version of a document, the newest by default.

        Raises:
            DocumentNotFound: there is none of that number.
        """
        wanted = None if number is None else max(0, min(number, LARGEST))
        rows = self.database.read(
            f"SELECT {VERSION} FROM versions v WHERE document_id = ? AND (? IS NULL OR version = ?) "
            "ORDER BY version DESC LIMIT 1",
            (document_id, wanted, wanted),
        )
        if not rows:
            raise DocumentNotFound(
                f"Document '{document_id}' has no version {'stored' if number is None else number}: "
                f"see `frontdesk docs versions {document_id}`."
            )
        return to_version(rows[0])

    def ever(self, document_id: str) -> Document | None:
        """A document by its full id, past ones too."""
        rows = self.database.read(f"SELECT {DOCUMENT} FROM documents d WHERE id = ?", (document_id,))
        return to_document(rows[0]) if rows else None

    # -- passages

    def chunk_ids(self, document_id: str | None = None) -> set[str]:
        """Ids of the passages of one document in any version, or of all."""
        rows = self.database.read(
            "SELECT id FROM passages WHERE ? IS NULL OR document_id = ?", (document_id, document_id)
        )
        return {row[0] for row in rows}

    def chunks(self, document_id: str, version: int) -> list[Chunk]:
        """The passages of a version, in order."""
        rows = self.database.read(
            f"SELECT {CHUNK} FROM places l JOIN passages p USING (number) "
            "WHERE l.document_id = ? AND l.version = ? ORDER BY l.position",
            (document_id, version),
        )
        return [to_chunk(row) for row in rows]

    def extents(self, chunk: Chunk, reach: int) -> list[Extent]:
        """Position, start and end of a passage and its neighbours in the same version."""
        return self.database.read(
            'SELECT position, start, "end" FROM places WHERE document_id = ? AND version = ? '
            "AND position BETWEEN ? AND ? ORDER BY position",
            (chunk.document_id, chunk.version, chunk.position - reach, chunk.position + reach),
        )

    def text_between(self, chunk: Chunk, start: int, end: int) -> str:
        """The Markdown of the version of a passage, from `start` to `end`."""
        rows = self.database.read(
            "SELECT substr(markdown, ?, ?) FROM versions WHERE document_id = ? AND version = ?",
            (start + 1, end - start, chunk.document_id, chunk.version),
        )
        return str(rows[0][0])

    def titled_chunks(self, chunk_ids: Sequence[str]) -> list[tuple[str, Chunk]]:
        """Passages with the title that is embedded in front of them, each once, wherever it stands."""
        rows = self.database.read(
            f"SELECT p.title, {CHUNK} FROM passages p JOIN places l USING (number) "
            f"WHERE p.id IN ({_marks(chunk_ids)}) GROUP BY p.number",
            chunk_ids,
        )
        return [(row[0], to_chunk(row[1:])) for row in rows]

    def placement(self, at: datetime, document_ids: Iterable[str] | None = None) -> dict[str, str]:
        """Passage id -> the part of the vector store it belongs to: by its audience, apart when it is out of force."""
        names = None if document_ids is None else list(document_ids)
        chosen = "" if names is None else f"WHERE p.document_id IN ({_marks(names)})"
        rows = self.database.read(
            "SELECT p.id, d.audience, coalesce(max(v.ends), '') FROM passages p JOIN documents d ON d.id = "
            "p.document_id JOIN places l USING (number) JOIN versions v ON v.document_id = l.document_id "
            f"AND v.version = l.version {chosen} GROUP BY p.number",
            names or (),
        )
        now = stamp(at)
        return {name: part_of(audience, ends <= now) for name, audience, ends in rows}

    def load(self, chunk_ids: Sequence[str], scope: Scope) -> dict[str, Found]:
        """Passages by id where they stand in the version in force; what the scope may not see is left out."""
        at, audiences = stamp(scope.as_of), self.scopes.audiences(scope)
        rows = self.database.read(
            f"SELECT {CHUNK}, {DOCUMENT}, f.title, f.effective_from, f.effective_until FROM passages p "
            "JOIN places l USING (number) JOIN documents d ON d.id = p.document_id JOIN (SELECT v.document_id, "
            f"v.version, v.title, v.effective_from, v.effective_until {in_force(audiences)}) f "
            "ON f.document_id = l.document_id AND f.version = l.version "
            f"WHERE p.id IN ({_marks(chunk_ids)})",
            (at, at, *audiences, *chunk_ids),
        )
        return {row[0]: to_found(row) for row in rows}

    def search_words(self, query: str, top_k: int, scope: Scope) -> list[tuple[str, float]]:
        """Ids of passages that the scope may see, by BM25, see knowledge/lexical.py."""
        with self.database.lock:
            return search_words(self.database.read, self.scopes.table(scope), query, top_k)

    def has_original(self, original_hash: str) -> bool:
        """Whether any version came from that file."""
        return bool(self.database.count("SELECT 1 FROM versions WHERE original_hash = ?", (original_hash,)))

    def unplaced_versions(self) -> list[DocumentVersion]:
        """Versions without a single passage: those of a home that kept only the passages of the current one."""
        rows = self.database.read(
            f"SELECT {VERSION} FROM versions v WHERE NOT EXISTS (SELECT 1 FROM places l WHERE "
            "l.document_id = v.document_id AND l.version = v.version)"
        )
        return [to_version(row) for row in rows]

    def close(self) -> None:
        """Release the file."""
        self.database.close()


def _summary(versions: Sequence[tuple[Any, ...]], at: datetime) -> DocumentSummary:
    """Of all versions of a document in the order of their windows, those never in force first."""
    now = stamp(at)
    current = [row for row in versions if row[11] and row[11] <= now < row[12]]
    upcoming = [row for row in versions if row[11] and row[11] > now]
    shown = (current or upcoming or list(versions[-1:]))[0]
    return to_summary(shown, upcoming[0][11] if upcoming else None, len(versions), at)


def _place(db: sqlite3.Connection, version: DocumentVersion, chunks: Sequence[Chunk]) -> None:
    """Passages that are new or were damaged, with their words, and the place of each in the version."""
    for c in chunks:
        values = (c.id, c.document_id, version.title, json.dumps(c.heading_path), c.text)
        new = db.execute(
            "INSERT INTO passages (id, document_id, title, heading_path, text) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET title = excluded.title, heading_path = excluded.heading_path, "
            "text = excluded.text WHERE text IS NOT excluded.text RETURNING number",
            values,
        ).fetchall()
        if new:
            words = (new[0][0], _heading(version.title, c.heading_path), c.text)
            db.execute("INSERT OR REPLACE INTO chunk_words (rowid, heading, text) VALUES (?, ?, ?)", words)
    db.executemany(
        'INSERT INTO places (document_id, version, position, number, start, "end", page) '
        "SELECT ?, ?, ?, number, ?, ?, ? FROM passages WHERE id = ?",
        [(version.document_id, version.version, c.position, c.start, c.end, c.page, c.id) for c in chunks],
    )


def _date(db: sqlite3.Connection, document_id: str) -> None:
    """Write down when each version of a document is in force."""
    rows = db.execute(f"SELECT {DATES} FROM versions WHERE document_id = ?", (document_id,)).fetchall()
    for number, window in windows(list(map(to_dates, rows))).items():
        begins, ends = (stamp(window.begins), stamp(window.ends)) if window else (None, None)
        db.execute(
            "UPDATE versions SET begins = ?, ends = ? WHERE document_id = ? AND version = ?",
            (begins, ends, document_id, number),
        )


def _forget_unplaced(db: sqlite3.Connection, document_id: str) -> None:
    unplaced = "SELECT number FROM passages WHERE document_id = ? EXCEPT SELECT number FROM places"
    db.execute(f"DELETE FROM chunk_words WHERE rowid IN ({unplaced})", (document_id,))
    db.execute(f"DELETE FROM passages WHERE number IN ({unplaced})", (document_id,))


def _set(db: sqlite3.Connection, name: str, value: str | None) -> None:
    db.execute("DELETE FROM settings WHERE name = ?", (name,))
    if value is not None:
        db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))


def _heading(title: str, path: Sequence[str]) -> str:
    return " ".join((title, *path))


def _stamped(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
