"""Every answer as one row, and what people thought of it, in frontdesk.db."""

import json
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.answer import Answer
from bot.errors import HomeError

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


class ConversationLog:
    """Append-only log of answers; `record` holds the whole answer as JSON, enough to see what it rested on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._migrate()
        except sqlite3.Error as error:
            raise HomeError(
                f"The log '{path}' cannot be opened ({error}): check its permissions or move the file away."
            ) from error

    def add(self, answer: Answer) -> None:
        """Write one answer; it is on disk when this returns."""
        row = (
            answer.id,
            _now(),
            answer.question,
            answer.outcome,
            answer.text,
            answer.confidence,
            answer.model,
            answer.adapter,
            json.dumps(answer.to_dict()),
        )
        with self._lock, self._db:
            self._db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def feedback(self, answer_id: str, thumb: int, comment: str = "") -> None:
        """Keep a thumb (+1 or -1) and a comment to an answer; a later one does not erase an earlier one."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT INTO feedback (answer_id, at, thumb, comment) VALUES (?, ?, ?, ?)",
                (answer_id, _now(), 1 if thumb > 0 else -1, comment.strip()),
            )

    def recent(self, count: int = 50) -> list[dict[str, Any]]:
        """The newest rows first: id, at, question, outcome, text, confidence, model, adapter, thumbs."""
        query = """SELECT id, at, question, outcome, text, confidence, model, adapter,
            (SELECT sum(thumb) FROM feedback WHERE answer_id = answers.id) AS thumbs
            FROM answers ORDER BY at DESC, rowid DESC LIMIT ?"""
        with self._lock:
            cursor = self._db.execute(query, (count,))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def get(self, answer_id: str) -> dict[str, Any] | None:
        """The whole record of one answer, or None."""
        with self._lock:
            row = self._db.execute("SELECT record FROM answers WHERE id = ?", (answer_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()

    def _migrate(self) -> None:
        (done,) = self._db.execute("PRAGMA user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[done:], done + 1):
            self._db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
