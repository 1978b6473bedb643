"""The truth: documents, versions and passages in SQLite, changed one transaction at a time."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from knowledge.documents import Chunk, Document, DocumentSummary, DocumentVersion
from knowledge.errors import DocumentNotFound, StoreError
from knowledge.lexical import search_words

__all__ = ["MIGRATIONS", "Catalog"]

# Applied in order, each once; PRAGMA user_version counts them. Never edit one that was released: add the next.
MIGRATIONS = (
    """CREATE TABLE documents (
        id TEXT PRIMARY KEY, collection TEXT NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL,
        version INTEGER NOT NULL, removed_at TEXT, UNIQUE (collection, source));
    CREATE TABLE versions (
        document_id TEXT NOT NULL REFERENCES documents(id), version INTEGER NOT NULL, content_hash TEXT NOT NULL,
        added_at TEXT NOT NULL, markdown TEXT NOT NULL, original_hash TEXT NOT NULL,
        PRIMARY KEY (document_id, version));
    CREATE TABLE chunks (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL REFERENCES documents(id),
        version INTEGER NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL, heading_path TEXT NOT NULL,
        start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER);
    CREATE INDEX chunks_of_document ON chunks(document_id, position);
    CREATE VIRTUAL TABLE chunk_words USING fts5(heading, text, tokenize='porter unicode61');""",
)
LARGEST = 2**63 - 1  # SQLite's; a page may ask for any version
CHUNK_COLUMNS = 'id, document_id, version, position, text, heading_path, start, "end", page'


class Catalog:
    """One SQLite file, one connection, one lock; every change is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The catalog '{path}' cannot be opened ({error}): "
                "check its permissions, or move it away to begin anew."
            ) from error

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        (done,) = self._db.execute("PRAGMA user_version").fetchone()
        if done > len(MIGRATIONS):
            raise StoreError(f"The catalog '{self.path}' was written by a newer version: update Frontdesk to open it.")
        for number, script in enumerate(MIGRATIONS[done:], done + 1):
            self._db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")

    def make_current(self, document: Document, version: DocumentVersion, chunks: Sequence[Chunk]) -> None:
        """In one transaction: keep the version, make it the current one, replace the passages in both tables."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO documents (id, collection, source, title, version) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET title = excluded.title, version = excluded.version, removed_at = NULL",
                (document.id, document.collection, document.source, document.title, version.version),
            )
            db.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)",
                (version.document_id, version.version, version.content_hash, version.added_at.isoformat(),
                 version.markdown, version.original_hash),
            )  # fmt: skip
            _drop_chunks(db, document.id)
            db.executemany(
                f"INSERT INTO chunks ({CHUNK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_row, chunks)
            )
            db.executemany(
                "INSERT INTO chunk_words (rowid, heading, text) SELECT number, ?, text FROM chunks WHERE id = ?",
                [(" ".join((document.title, *c.heading_path)), c.id) for c in chunks],
            )

    def remove(self, document_id: str, at: datetime) -> None:
        """Take a document out of every search in one transaction; its versions stay for old citations."""
        with self._transaction() as db:
            db.execute("UPDATE documents SET removed_at = ? WHERE id = ?", (at.isoformat(), document_id))
            _drop_chunks(db, document_id)

    def find(self, reference: str) -> list[Document]:
        """Current documents whose id, unique id prefix, source path or file name is `reference`."""
        return [
            document
            for document in self.all_documents()
            if reference in (document.id, document.source, document.source.rsplit("/", 1)[-1])
            or (len(reference) >= 6 and document.id.startswith(reference))
        ]

    def faults(self) -> list[str]:
        """What in the passages does not agree with the stored text or the word index, a sentence each."""
        wrong = self._read(
            "SELECT d.source, count(*) FROM chunks c JOIN documents d ON d.id = c.document_id LEFT JOIN versions v "
            "ON v.document_id = c.document_id AND v.version = c.version AND v.version = d.version "
            'WHERE d.removed_at IS NOT NULL OR substr(v.markdown, c.start + 1, c."end" - c.start) IS NOT c.text '
            "GROUP BY d.id"
        )
        found = [f"{count} passages of '{source}' are not in its current text." for source, count in wrong]
        unfound = self._count("SELECT number FROM chunks EXCEPT SELECT rowid FROM chunk_words")
        stray = self._count("SELECT rowid FROM chunk_words EXCEPT SELECT number FROM chunks")
        if unfound or stray:
            found.append(f"The word index lacks {unfound} passages and has {stray} that are gone.")
        return found

    def all_documents(self) -> list[Document]:
        """Every current document, by collection and source."""
        rows = self._read(
            "SELECT id, collection, source, title FROM documents WHERE removed_at IS NULL ORDER BY collection, source"
        )
        return [Document(*row) for row in rows]

    def summaries(self) -> list[DocumentSummary]:
        """Every current document with its version, date and sizes."""
        rows = self._read(
            "SELECT d.id, d.collection, d.source, d.title, d.version, v.added_at, "
            "(SELECT count(*) FROM chunks WHERE document_id = d.id), length(v.markdown) FROM documents d "
            "JOIN versions v ON v.document_id = d.id AND v.version = d.version "
            "WHERE d.removed_at IS NULL ORDER BY d.collection, d.source"
        )
        return [DocumentSummary(Document(*r[:4]), r[4], datetime.fromisoformat(r[5]), r[6], r[7]) for r in rows]

    def latest(self, document_id: str) -> DocumentVersion | None:
        """The newest version of a document that is in force; None if there is none."""
        rows = self._read(
            "SELECT v.document_id, v.version, content_hash, added_at, markdown, original_hash "
            "FROM versions v JOIN documents d ON d.id = v.document_id AND d.version = v.version "
            "WHERE d.id = ? AND d.removed_at IS NULL",
            (document_id,),
        )
        return _version(rows[0]) if rows else None

    def last_number(self, document_id: str) -> int:
        """The highest version number a document ever had; 0 if it was never seen. Numbers are not used twice."""
        rows = self._read("SELECT coalesce(max(version), 0) FROM versions WHERE document_id = ?", (document_id,))
        return int(rows[0][0])

    def version(self, document_id: str, number: int | None = None) -> DocumentVersion:
        """A version of a document, the newest by default; also of removed documents.

        Raises:
            DocumentNotFound: there is none of that number.
        """
        wanted = None if number is None else max(0, min(number, LARGEST))
        rows = self._read(
            "SELECT document_id, version, content_hash, added_at, markdown, original_hash FROM versions "
            "WHERE document_id = ? AND (? IS NULL OR version = ?) ORDER BY version DESC LIMIT 1",
            (document_id, wanted, wanted),
        )
        if not rows:
            raise DocumentNotFound(
                f"Document '{document_id}' has no version {'stored' if number is None else number}: "
                "see `frontdesk docs list`."
            )
        return _version(rows[0])

    def ever(self, document_id: str) -> Document | None:
        """A document by its full id, removed ones too."""
        rows = self._read("SELECT id, collection, source, title FROM documents WHERE id = ?", (document_id,))
        return Document(*rows[0]) if rows else None

    def chunk_ids(self, document_id: str | None = None) -> set[str]:
        """Ids of the current passages of one document, or of all."""
        rows = self._read("SELECT id FROM chunks WHERE ? IS NULL OR document_id = ?", (document_id, document_id))
        return {row[0] for row in rows}

    def chunks(self, document_id: str) -> list[Chunk]:
        """The current passages of a document, in order."""
        rows = self._read(f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE document_id = ? ORDER BY position", (document_id,))
        return [_chunk(row) for row in rows]

    def load(self, chunk_ids: Sequence[str]) -> dict[str, tuple[Chunk, Document, datetime]]:
        """Passages by id with their document and the date of its version; unknown ids are left out."""
        marks = ",".join("?" * len(chunk_ids))
        rows = self._read(
            f'SELECT c.id, c.document_id, c.version, position, text, heading_path, start, "end", page, '
            "d.id, d.collection, d.source, d.title, v.added_at FROM chunks c JOIN documents d ON d.id = c.document_id "
            f"JOIN versions v ON v.document_id = d.id AND v.version = c.version WHERE c.id IN ({marks})",
            tuple(chunk_ids),
        )
        return {row[0]: (_chunk(row[:9]), Document(*row[9:13]), datetime.fromisoformat(row[13])) for row in rows}

    def search_words(self, query: str, top_k: int) -> list[tuple[str, float]]:
        """Chunk ids by BM25, see knowledge/lexical.py."""
        return search_words(self._read, query, top_k)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()

    def _read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _count(self, query: str) -> int:
        return int(self._read(f"SELECT count(*) FROM ({query})")[0][0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._fault(error) from error

    def _fault(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"The catalog '{self.path}' failed ({error}): check disk space and permissions, then try again."
        )


def _drop_chunks(db: sqlite3.Connection, document_id: str) -> None:
    db.execute(
        "DELETE FROM chunk_words WHERE rowid IN (SELECT number FROM chunks WHERE document_id = ?)", (document_id,)
    )
    db.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))


def _row(chunk: Chunk) -> tuple[object, ...]:
    return (chunk.id, chunk.document_id, chunk.version, chunk.position, chunk.text, json.dumps(chunk.heading_path),
            chunk.start, chunk.end, chunk.page)  # fmt: skip


def _chunk(row: Sequence[Any]) -> Chunk:
    return Chunk(row[0], row[1], row[2], row[3], row[4], tuple(json.loads(row[5])), row[6], row[7], row[8])


def _version(row: Sequence[Any]) -> DocumentVersion:
    return DocumentVersion(row[0], row[1], row[2], datetime.fromisoformat(row[3]), row[4], row[5])
