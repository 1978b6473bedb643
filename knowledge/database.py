"""One SQLite file behind one lock: numbered migrations, whole transactions, faults as sentences."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from knowledge.errors import StoreError

__all__ = ["Database", "moment", "stamp"]


class Database:
    """The file `path`, brought up to the last of `migrations`; `kind` is what a person calls it.

    Migrations are applied in order, each once; PRAGMA user_version counts them.
    """

    def __init__(self, path: Path, migrations: Sequence[str], kind: str) -> None:
        self.path = path
        self.kind = kind
        self.changes = 0  # transactions so far, so that what was read can be known to be old
        self.lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._prepare(migrations)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The {kind} '{path}' cannot be opened ({error}): check its permissions, or move it away to begin anew."
            ) from error

    def _prepare(self, migrations: Sequence[str]) -> None:
        db = self.connection
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA temp_store=MEMORY")
        (done,) = db.execute("PRAGMA user_version").fetchone()
        if done > len(migrations):
            raise StoreError(
                f"The {self.kind} '{self.path}' was written by a newer version: update Frontdesk to open it."
            )
        for number, script in enumerate(migrations[done:], done + 1):
            db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")

    def read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.lock, self._translated():
            return self.connection.execute(query, tuple(values)).fetchall()

    def count(self, query: str, values: Sequence[object] = ()) -> int:
        """How many rows a query has."""
        return int(self.read(f"SELECT count(*) FROM ({query})", values)[0][0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block or none; the writes are on disk when it ends."""
        with self.lock, self._translated():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            finally:
                self.changes += 1

    def shred(self) -> None:
        """Write the file anew, so that nothing of what was deleted is left in it or in its log."""
        with self.lock, self._translated():
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Release the file."""
        with self.lock:
            self.connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"The {self.kind} '{self.path}' failed ({error}): check disk space and permissions, then try again."
            ) from error


def stamp(at: datetime) -> str:
    """A moment as text that sorts by time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str | None) -> datetime | None:
    """The moment of a `stamp`; None stays None."""
    return None if text is None else datetime.fromisoformat(text)
