"""Every answer as one row, without personal data, and what people thought of it, in frontdesk.db."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.answer import Answer
from bot.errors import HomeError
from bot.personal_data import redact as without_personal_data

__all__ = ["MIGRATIONS", "ConversationLog"]

# Applied in order, each once; PRAGMA user_version counts them. Never edit one that was released: add the next.
MIGRATIONS = (
    """CREATE TABLE answers (
        id TEXT PRIMARY KEY, at TEXT NOT NULL, question TEXT NOT NULL, outcome TEXT NOT NULL, text TEXT NOT NULL,
        confidence REAL NOT NULL, model TEXT NOT NULL, adapter TEXT, record TEXT NOT NULL);
    CREATE TABLE feedback (
        id INTEGER PRIMARY KEY, answer_id TEXT NOT NULL REFERENCES answers(id), at TEXT NOT NULL,
        thumb INTEGER NOT NULL CHECK (thumb IN (-1, 1)), comment TEXT NOT NULL);
    CREATE INDEX feedback_of_answer ON feedback(answer_id);""",
)
ERASED = "[erased]"
SAID = ("question", "standalone", "text", "draft")  # by the customer and the bot; the rest are the company's documents
JITTER = timedelta(seconds=0.05)  # between the last word of an answer and its row


class ConversationLog:
    """Append-only log of answers; `record` holds the whole answer as JSON, enough to see what it rested on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._erased: dict[str, datetime] = {}  # document id -> when; answers begun before may still come in
        with self._translated():
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._migrate()

    def add(self, answer: Answer) -> None:
        """Write one answer, without personal data of the customer; it is on disk when this returns."""
        record = answer.to_dict()
        told = "\n".join(citation.passage for citation in answer.citations)
        record |= {name: without_personal_data(record[name], told) for name in SAID}
        began = datetime.now(UTC) - timedelta(seconds=answer.seconds.get("total", 0.0)) - JITTER
        with self._lock:
            for document_id in [name for name, at in self._erased.items() if at >= began]:
                _redact(record, document_id)
            row = (
                answer.id,
                _now(),
                record["question"],
                answer.outcome,
                record["text"],
                answer.confidence,
                answer.model,
                answer.adapter,
                json.dumps(record),
            )
            self._write("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def feedback(self, answer_id: str, thumb: int, comment: str = "") -> None:
        """Keep a thumb (+1 or -1) and a comment to an answer; a later one does not erase an earlier one.

        Raises:
            HomeError: there is no such answer, or the file cannot be written.
        """
        row = (answer_id, _now(), 1 if thumb > 0 else -1, without_personal_data(comment.strip()))
        self._write("INSERT INTO feedback (answer_id, at, thumb, comment) VALUES (?, ?, ?, ?)", row)

    def recent(self, count: int = 50) -> list[dict[str, Any]]:
        """The newest rows first: id, at, question, outcome, text, confidence, model, adapter, thumb (the last one)."""
        query = """SELECT id, at, question, outcome, text, confidence, model, adapter,
            (SELECT thumb FROM feedback WHERE answer_id = answers.id ORDER BY id DESC LIMIT 1) AS thumb
            FROM answers ORDER BY at DESC, rowid DESC LIMIT ?"""
        return self._read(query, count)

    def comments(self, answer_id: str) -> list[str]:
        """What people wrote about an answer, oldest first."""
        query = "SELECT comment FROM feedback WHERE answer_id = ? AND comment != '' ORDER BY id"
        return [row["comment"] for row in self._read(query, answer_id)]

    def get(self, answer_id: str) -> dict[str, Any] | None:
        """The whole record of one answer, or None."""
        rows = self._read("SELECT record FROM answers WHERE id = ?", answer_id)
        return json.loads(rows[0]["record"]) if rows else None

    def asked_about(self, document_id: str, limit: int) -> list[str]:
        """Standalone questions whose answers cite a document, the newest first, each once; none about another day."""
        query = """SELECT a.record FROM answers a WHERE EXISTS (SELECT 1 FROM json_each(a.record, '$.citations') c
            WHERE json_extract(c.value, '$.document_id') = ?) ORDER BY a.at DESC, a.rowid DESC"""
        records = (json.loads(row["record"]) for row in self._read(query, document_id))
        asked = {" ".join(r["standalone"].split()).lower(): r["standalone"] for r in records if not r.get("as_of")}
        return list(asked.values())[:limit]

    def unhelpful(self, since: datetime) -> list[dict[str, Any]]:
        """Declined questions and those whose last thumb is down, newest first.

        Each is {"question" (standalone), "at", "declined", "rejected", "nearest" (source found first), "comments"}.
        """
        query = """SELECT id, at, record, (SELECT thumb FROM feedback WHERE answer_id = answers.id
            ORDER BY id DESC LIMIT 1) AS thumb FROM answers
            WHERE at >= ? AND (outcome != 'answered' OR thumb = -1) ORDER BY at DESC, rowid DESC"""
        rows = []
        for row in self._read(query, since.astimezone(UTC).isoformat(timespec="milliseconds")):
            record = json.loads(row["record"])
            found = record["retrieved"][0]["document"] if record["retrieved"] else ""
            rows.append({
                "question": record["standalone"],
                "at": row["at"],
                "declined": record["outcome"] != "answered",
                "rejected": row["thumb"] == -1,
                "nearest": "" if found == ERASED else found,
                "comments": self.comments(row["id"]) if row["thumb"] == -1 else [],
            })  # fmt: skip
        return rows

    def grounded(self) -> dict[str, int]:
        """How many answers rest on each document, by its id."""
        query = """SELECT json_extract(c.value, '$.document_id') AS document, count(DISTINCT a.id) AS answers
            FROM answers a, json_each(a.record, '$.citations') c GROUP BY 1"""
        return {row["document"]: row["answers"] for row in self._read(query)}

    def redact(self, document_id: str) -> int:
        """Take what past answers quote of a document, and what they said on its ground, out of them; how many did.

        Nothing of it is left in the file afterwards, and an answer that is being written now is redacted as it comes.
        """
        count = 0
        with self._lock:
            self._erased[document_id] = datetime.now(UTC)
            told = self._read("SELECT id, record FROM answers WHERE instr(record, ?)", document_id)
            for row in told:
                record = json.loads(row["record"])
                if _redact(record, document_id):
                    values = (record["text"], json.dumps(record), row["id"])
                    self._write("UPDATE answers SET text = ?, record = ? WHERE id = ?", values)
                    count += 1
            if told:
                self._shred()
        return count

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()

    def _shred(self) -> None:
        """Leave nothing of overwritten rows in the file or in its log."""
        with self._translated():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _write(self, statement: str, row: Sequence[object]) -> None:
        with self._lock, self._translated(), self._db:
            self._db.execute(statement, tuple(row))

    def _read(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self._lock, self._translated():
            cursor = self._db.execute(query, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HomeError(
                f"The log '{self.path}' cannot be used ({error}): check its permissions and the disk, or move it away."
            ) from error

    def _migrate(self) -> None:
        (done,) = self._db.execute("PRAGMA user_version").fetchone()
        if done > len(MIGRATIONS):
            raise HomeError(f"The log '{self.path}' was written by a newer version: update Frontdesk to open it.")
        for number, script in enumerate(MIGRATIONS[done:], done + 1):
            self._db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


def _redact(record: dict[str, Any], document_id: str) -> bool:
    """Empty what an answer has of a document: its names, and the text and draft that it was the ground of.

    True if there was something.
    """
    before = json.dumps(record)
    for found in record["retrieved"]:
        if found["document_id"] == document_id:
            found |= {"document": ERASED, "section": ERASED}
            record["draft"] = record["draft"] and ERASED  # the model had read it, whatever it cited
    for citation in record["citations"]:
        if citation["document_id"] == document_id:
            citation |= {"document": ERASED, "title": ERASED, "section": ERASED, "passage": ERASED}
            record |= {"text": ERASED, "draft": ERASED}
    return json.dumps(record) != before


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
