"""Live sources in SQLite: what to read and how often, how the last time went, and what each item was then."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from knowledge.database import Database, moment, stamp
from knowledge.documents import LIVE
from knowledge.errors import SourceError, SourceNotFound, StoreError
from knowledge.folders import readable

__all__ = ["KINDS", "MIGRATIONS", "ItemState", "Run", "Source", "SourceRecord", "SourceRegistry"]

KINDS = ("folder", "web", "database")
LEAST_SECONDS = 60
# Never edit one that was released: add the next.
MIGRATIONS = (
    """CREATE TABLE sources (
        name TEXT PRIMARY KEY, kind TEXT NOT NULL, settings TEXT NOT NULL, every_seconds INTEGER NOT NULL,
        audience TEXT NOT NULL, created_at TEXT NOT NULL, last_run_at TEXT, last_ok_at TEXT,
        last_status TEXT NOT NULL DEFAULT '', last_message TEXT NOT NULL DEFAULT '', counts TEXT NOT NULL DEFAULT '{}');
    CREATE TABLE items (
        source TEXT NOT NULL REFERENCES sources(name), item TEXT NOT NULL, content_hash TEXT NOT NULL,
        etag TEXT NOT NULL, last_modified TEXT NOT NULL, url TEXT NOT NULL, effective_from TEXT,
        PRIMARY KEY (source, item));""",
)
SOURCE_COLUMNS = "name, kind, settings, every_seconds, audience"
RECORD_COLUMNS = f"{SOURCE_COLUMNS}, created_at, last_run_at, last_ok_at, last_status, last_message, counts"


@dataclass(frozen=True)
class Source:
    """A live source: `settings` are those of its kind, see knowledge/source_readers.py; 0 seconds is by hand only.

    `name` is of a-z, 0-9 and hyphens, at most 40; its documents are the collection "source:<name>", those of a folder
    the ones that came by it in any way. An `audience` of "" leaves documents the one they have; new ones are public.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    every_seconds: int = 86_400
    audience: str = "public"

    @property
    def collection(self) -> str:
        """The collection of its documents."""
        return str(Path(self.settings["path"]).resolve()) if self.kind == "folder" else f"{LIVE}{self.name}"


@dataclass(frozen=True)
class Run:
    """How a run ended: ok, partial (some items failed), held (removals wait for a yes), failed or interrupted."""

    status: str
    message: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceRecord:
    """A source and its last run; all times aware, UTC. `last_ok_at` is when it could be read, as a whole, last."""

    source: Source
    created_at: datetime
    last_run_at: datetime | None
    last_ok_at: datetime | None
    last: Run

    def age(self, now: datetime) -> timedelta | None:
        """How old the last good version is; None if there was none yet."""
        return None if self.last_ok_at is None else now - self.last_ok_at

    def due_at(self) -> datetime | None:
        """When it is to be read next: long ago if it never was, None if by hand only."""
        if not self.source.every_seconds:
            return None
        return (
            (self.last_run_at + timedelta(seconds=self.source.every_seconds)) if self.last_run_at else self.created_at
        )


@dataclass(frozen=True)
class ItemState:
    """What an item was when it was read last: the hash of its bytes, what its server gave, and since when it holds."""

    content_hash: str = ""
    etag: str = ""
    last_modified: str = ""
    url: str = ""
    effective_from: datetime | None = None


class SourceRegistry:
    """A file that only its owner may read, as addresses may hold secrets; used from any thread."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise StoreError(
                f"The list of sources '{path}' cannot be opened ({error.strerror}): check its permissions."
            ) from error
        self.database = Database(path, MIGRATIONS, "list of sources")

    def add(self, source: Source, at: datetime) -> SourceRecord:
        """Take in a new source; it is due at once.

        Raises:
            SourceError: its name, kind or schedule cannot be, or the name is taken.
        """
        _check(source)
        with self.database.transaction() as db:
            if db.execute("SELECT 1 FROM sources WHERE name = ?", (source.name,)).fetchone():
                raise SourceError(
                    f"There is a source '{source.name}' already: choose another name, or change that one."
                )
            db.execute(
                f"INSERT INTO sources ({SOURCE_COLUMNS}, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                (*_values(source), stamp(at)),
            )
        return self.get(source.name)

    def change(self, source: Source) -> SourceRecord:
        """Give the source of that name other settings; all its items are read anew if more than the schedule changed.

        Raises:
            SourceNotFound: there is none of that name.
            SourceError: its kind would change, or its schedule cannot be.
        """
        _check(source)
        old = self.get(source.name).source
        if source.kind != old.kind:
            raise SourceError(f"'{source.name}' is a source of the kind {old.kind}: add another one for {source.kind}.")
        with self.database.transaction() as db:
            db.execute(
                "UPDATE sources SET settings = ?, every_seconds = ?, audience = ? WHERE name = ?",
                (*_values(source)[2:], source.name),
            )
            if (dict(source.settings), source.audience) != (dict(old.settings), old.audience):
                db.execute("UPDATE items SET content_hash = '', etag = '', last_modified = '' WHERE source = ?",
                           (source.name,))  # fmt: skip
        return self.get(source.name)

    def remove(self, name: str) -> None:
        """Forget a source; its documents are left to the caller.

        Raises:
            SourceNotFound: there is none of that name.
        """
        self.get(name)
        with self.database.transaction() as db:
            db.execute("DELETE FROM items WHERE source = ?", (name,))
            db.execute("DELETE FROM sources WHERE name = ?", (name,))

    def get(self, name: str) -> SourceRecord:
        """A source by name.

        Raises:
            SourceNotFound: there is none of that name.
        """
        shown = readable(name)
        rows = self.database.read(f"SELECT {RECORD_COLUMNS} FROM sources WHERE name = ?", (shown,))
        if not rows:
            raise SourceNotFound(f"There is no source '{shown}': see the list of sources.")
        return _record(rows[0])

    def sources(self) -> list[SourceRecord]:
        """All of them, by name."""
        return [_record(row) for row in self.database.read(f"SELECT {RECORD_COLUMNS} FROM sources ORDER BY name")]

    def due(self, now: datetime) -> list[SourceRecord]:
        """Those whose time has come, the longest waiting first."""
        waiting = [(due, record) for record in self.sources() if (due := record.due_at()) is not None and due <= now]
        return [record for _, record in sorted(waiting, key=lambda pair: pair[0])]

    def record(self, name: str, at: datetime, run: Run) -> None:
        """Keep how a run ended; one that was interrupted is due again at once."""
        ran = None if run.status == "interrupted" else stamp(at)
        good = stamp(at) if run.status in ("ok", "partial") else None
        with self.database.transaction() as db:
            db.execute(
                "UPDATE sources SET last_run_at = coalesce(?, last_run_at), last_ok_at = coalesce(?, last_ok_at), "
                "last_status = ?, last_message = ?, counts = ? WHERE name = ?",
                (ran, good, run.status, run.message, json.dumps(dict(run.counts)), name),
            )

    def items(self, name: str) -> dict[str, ItemState]:
        """What is known of the items of a source."""
        rows = self.database.read(
            "SELECT item, content_hash, etag, last_modified, url, effective_from FROM items WHERE source = ?", (name,)
        )
        return {row[0]: ItemState(row[1], row[2], row[3], row[4], moment(row[5])) for row in rows}

    def keep_item(self, name: str, item: str, state: ItemState) -> None:
        """Remember what an item is now."""
        since = stamp(state.effective_from) if state.effective_from else None
        with self.database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, item, state.content_hash, state.etag, state.last_modified, state.url, since),
            )

    def forget_item(self, name: str, item: str) -> None:
        """It is gone; only since when its last version held is kept, in case it comes back with an older date."""
        with self.database.transaction() as db:
            db.execute(
                "UPDATE items SET content_hash = '', etag = '', last_modified = '' WHERE source = ? AND item = ?",
                (name, item),
            )

    def close(self) -> None:
        """Release the file."""
        self.database.close()


def _check(source: Source) -> None:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", source.name):
        raise SourceError(f"'{readable(source.name)}' is no name for a source: use 1 to 40 of a-z, 0-9 and hyphens.")
    if source.kind not in KINDS:
        raise SourceError(f"'{source.kind}' is no kind of source: use one of {', '.join(KINDS)}.")
    if source.every_seconds and source.every_seconds < LEAST_SECONDS:
        raise SourceError(
            f"Every {source.every_seconds} seconds is too often: use {LEAST_SECONDS} or more, or 0 for by hand only."
        )


def _values(source: Source) -> tuple[str, str, str, int, str]:
    settings = json.dumps(dict(source.settings), ensure_ascii=False)
    return source.name, source.kind, settings, source.every_seconds, source.audience


def _record(row: Sequence[Any]) -> SourceRecord:
    source = Source(row[0], row[1], json.loads(row[2]), row[3], row[4])
    run = Run(row[8], row[9], json.loads(row[10]))
    return SourceRecord(source, datetime.fromisoformat(row[5]), moment(row[6]), moment(row[7]), run)
