"""Rows of a table, view or query as Markdown documents: PostgreSQL and SQLite, read-only, bounded."""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from knowledge.errors import QueryRefused, SourceError

__all__ = ["Row", "RowLimits", "TableQuery", "check_query", "fill_url", "read_rows", "shown_url"]

DRIVERS = dict.fromkeys(("postgresql", "postgres", "postgresql+psycopg"), "postgresql+psycopg")
DRIVERS |= {"sqlite": "sqlite", "sqlite+pysqlite": "sqlite"}
OPTIONS = {"sslmode", "sslrootcert", "host"}  # of a PostgreSQL address; others could weaken what is set here
VARIABLE = re.compile(r"\$\{(\w+)\}")
# Where a semicolon separates nothing: strings, quoted names, dollar quotes, comments.
QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/""", re.DOTALL)
WRITES = re.compile(r"\b(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into)\b", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
LONGEST_KEY, LONGEST_TITLE = 200, 200  # characters
# Rows come as they are fetched, and a % in the query stays one. For PostgreSQL this declares a cursor, which takes one
# reading statement only: a second one after a semicolon could end the transaction and write.
STREAMING: dict[str, Any] = {"stream_results": True, "no_parameters": True, "max_row_buffer": 200}
SQLITE_STEPS = 20_000  # of its virtual machine between two looks at the clock: about a millisecond


@dataclass(frozen=True)
class RowLimits:
    """How much may be read, and for how long: a source beyond it fails as a whole, as cut rows would seem removed."""

    rows: int = 50_000
    row_characters: int = 1_000_000
    all_characters: int = 100_000_000
    seconds: float = 60.0
    connect_seconds: int = 10


@dataclass(frozen=True)
class TableQuery:
    """What to read: a `query`, or all of a `table` (or view, "schema.name").

    Of its columns `key` tells rows apart, `title` is the heading (the key by default), `updated_at` the date from
    which the row is in force. `url` may have ${NAME} for what shall not be stored.
    """

    url: str
    key: str
    query: str = ""
    table: str = ""
    title: str = ""
    updated_at: str = ""


@dataclass(frozen=True)
class Row:
    """A row as a document; `fault` is a sentence if it cannot be one. `updated_at` is aware, UTC."""

    key: str
    markdown: str = ""
    updated_at: datetime | None = None
    fault: str = ""


def read_rows(
    wanted: TableQuery,
    variables: Mapping[str, str],
    limits: RowLimits | None = None,
    now: Callable[[], float] = time.monotonic,
) -> list[Row]:
    """Every row, in the order of the database.

    What a query calls runs with the rights of its user: a user that may only read is a second lock on the door.

    Raises:
        QueryRefused: the query is not one reading statement.
        SourceError: the database cannot be reached, refuses, lacks a column, has a key twice, or exceeds a limit.
    """
    limits = limits or RowLimits()
    url = fill_url(wanted.url, variables)
    deadline = now() + limits.seconds
    try:
        with _open(url, limits, lambda: now() > deadline) as connection:
            result = connection.exec_driver_sql(_statement(wanted, connection), execution_options=STREAMING)
            columns = _Columns(wanted, list(result.keys()))
            return list(_read(result, columns, limits, lambda: now() > deadline))
    except (SQLAlchemyError, sqlite3.Error, ValueError, OverflowError, OSError) as error:
        raise SourceError(
            f"The database '{shown_url(wanted.url)}' refuses ({_reason(error, url)}): check its address and the query."
        ) from error


def check_query(query: str) -> str:
    """The query without the semicolon at its end.

    The database enforces it again: this is for a clear sentence before anything is asked.

    Raises:
        QueryRefused: it is not one statement that begins with SELECT or WITH, or it writes.
    """
    bare = QUOTED.sub(" ", query).strip().rstrip("; \n\t")
    if ";" in bare:
        raise QueryRefused("The query has more than one statement: leave one SELECT, without semicolons inside.")
    first = re.match(r"[\s(]*(\w*)", bare)
    if first is None or first[1].upper() not in ("SELECT", "WITH"):
        raise QueryRefused(f"The query begins with '{bare[:20]}': it must be one SELECT or WITH statement.")
    if found := WRITES.search(bare):
        raise QueryRefused(f"The query would write ('{found[0]}'): leave one statement that only reads.")
    return query.strip().rstrip("; \n\t")


def fill_url(url: str, variables: Mapping[str, str]) -> sa.URL:
    """A database's address with each ${NAME} filled from `variables`; values need no escaping.

    Raises:
        SourceError: it is no address, names a variable that is missing, or a database that cannot be read safely.
    """
    if whole := VARIABLE.fullmatch(url.strip()):
        url = _value(whole, variables)
    found = _parsed(url)
    if found is None or "@" in (found.host or ""):  # an @ in the password ended up in the host
        raise SourceError(
            "The database's address cannot be read: write it like 'postgresql://user:${PASSWORD}@host/name' "
            "or 'sqlite:////path/to/file.db'."
        )
    if found.drivername not in DRIVERS:
        raise SourceError(
            f"'{found.drivername}' is no database that can be read safely: use postgresql or sqlite, or export a file."
        )
    if unknown := sorted(found.query.keys() - OPTIONS):
        raise SourceError(f"The address '{shown_url(url)}' has the option '{unknown[0]}': leave it out.")
    parts = {name: getattr(found, name) for name in ("username", "password", "host", "database")}
    filled: dict[str, Any] = {
        name: VARIABLE.sub(lambda match: _value(match, variables), part) for name, part in parts.items() if part
    }
    return found.set(drivername=DRIVERS[found.drivername], **filled)


def shown_url(url: str) -> str:
    """The address for people: without password and options."""
    found = _parsed(url)
    if found is None or "@" in (found.host or ""):
        return url if VARIABLE.fullmatch(url.strip()) else "(unreadable address)"
    return found.set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> sa.URL | None:
    """None if it is no address; the reason is kept back, as it may quote the password."""
    try:
        return sa.make_url(url.strip())
    except (ArgumentError, ValueError):
        return None


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if not variables.get(match[1]):
        raise SourceError(f"The database's address needs {match[1]}, which is not set: set it and try again.")
    return variables[match[1]]


@contextmanager
def _open(url: sa.URL, limits: RowLimits, is_over: Callable[[], bool]) -> Iterator[sa.Connection]:
    """A connection in a transaction that cannot write, with a limit on time; rolled back at the end."""
    if url.drivername == "sqlite":
        path = Path(url.database or "")
        if not path.is_absolute() or not path.is_file():
            raise SourceError(f"The database file '{path}' does not exist: give its whole path.")
        engine = sa.create_engine("sqlite://", creator=lambda: _sqlite(path, limits, is_over), poolclass=NullPool)
    else:
        options = {"connect_timeout": limits.connect_seconds, "application_name": "frontdesk", "keepalives_idle": 20}
        engine = sa.create_engine(url, connect_args=options, poolclass=NullPool, hide_parameters=True)
    with engine.connect() as connection:
        _forbid_writing(connection, limits)
        yield connection
        connection.rollback()


def _forbid_writing(connection: sa.Connection, limits: RowLimits) -> None:
    native: Any = connection.connection.driver_connection
    if isinstance(native, sqlite3.Connection):
        native.set_authorizer(_allowed)
        return
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(limits.seconds * 1000))}")
    connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")  # a row's text must not depend on the server's


def _sqlite(path: Path, limits: RowLimits, is_over: Callable[[], bool]) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=limits.connect_seconds)
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * limits.row_characters)  # bytes of one value or row
    connection.set_progress_handler(is_over, SQLITE_STEPS)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def _allowed(action: int, *_: object) -> int:
    """What a statement may do in SQLite: read, and nothing like ATTACH, which would make a file."""
    reads = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reads else sqlite3.SQLITE_DENY


def _statement(wanted: TableQuery, connection: sa.Connection) -> str:
    if bool(wanted.query) == bool(wanted.table):
        raise QueryRefused("A database source reads either a query or a table: give one of them.")
    if wanted.query:
        return check_query(wanted.query)
    quote = connection.dialect.identifier_preparer.quote
    return "SELECT * FROM " + ".".join(quote(part) for part in wanted.table.split(".", 1))


class _Columns:
    """Where the columns are that have a meaning, and which are shown."""

    def __init__(self, wanted: TableQuery, names: Sequence[str]) -> None:
        self.key = _place(wanted.key, names)
        self.title = _place(wanted.title, names) if wanted.title else self.key
        self.updated_at = _place(wanted.updated_at, names) if wanted.updated_at else None
        hidden = {self.title, self.updated_at}
        self.shown = [(at, " ".join(name.split())) for at, name in enumerate(names) if at not in hidden]


def _place(name: str, names: Sequence[str]) -> int:
    found = [at for at, other in enumerate(names) if other == name] or [
        at for at, other in enumerate(names) if other.lower() == name.lower()
    ]
    if len(found) != 1:
        what = f"{len(found)} columns" if found else "no column"
        raise SourceError(f"The query gives {what} '{name}': use one of {', '.join(names)[:300]}, each named once.")
    return found[0]


def _read(
    result: sa.CursorResult[Any], columns: _Columns, limits: RowLimits, is_over: Callable[[], bool]
) -> Iterator[Row]:
    seen: set[str] = set()
    characters = 0
    for number, values in enumerate(result, 1):
        if number > limits.rows:
            raise SourceError(f"The query gives more than {limits.rows} rows: narrow it down, or split the source.")
        if is_over():
            raise SourceError(f"The query takes longer than {limits.seconds:g} seconds: narrow it down.")
        row = _row(number, values, columns, limits)
        characters += len(row.markdown)
        if characters > limits.all_characters:
            raise SourceError(f"The rows have more than {limits.all_characters} characters: leave out long columns.")
        if row.key in seen:
            raise SourceError(f"The key '{row.key}' stands for several rows: choose a column that tells them apart.")
        if row.key:
            seen.add(row.key)
        yield row


def _row(number: int, values: Sequence[object], columns: _Columns, limits: RowLimits) -> Row:
    key = " ".join(_text(values[columns.key]).split())
    if not 0 < len(key) <= LONGEST_KEY:
        return Row("", fault=f"Row {number} has a key of {len(key)} characters: it needs 1 to {LONGEST_KEY}.")
    try:
        updated_at = None if columns.updated_at is None else _date(values[columns.updated_at])
    except (ValueError, OverflowError, OSError):
        shown = _text(values[columns.updated_at or 0])[:40]
        return Row(key, fault=f"Row '{key}' was updated at '{shown}', which is no date: use one like 2026-11-24.")
    title = " ".join(_text(values[columns.title]).split())[:LONGEST_TITLE] or key
    lines = [f"# {title}", ""]
    for at, name in columns.shown:
        lines += _item(name, _text(values[at]))
    markdown = "\n".join([*lines, ""])
    if len(markdown) > limits.row_characters:
        return Row(key, fault=f"Row '{key}' has more than {limits.row_characters} characters: leave out long columns.")
    return Row(key, markdown, updated_at)


def _item(name: str, text: str) -> list[str]:
    """A list item; further lines are set in so far that none of them begins a heading or a list of its own."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [f"- {name}: {lines[0]}", *(f"    {line}" for line in lines[1:])] if lines else []


def _text(value: object) -> str:
    """A value as people write it; nothing for what has no text (NULL, bytes)."""
    if value is None or isinstance(value, bytes | bytearray | memoryview):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        text = f"{value:f}"
    elif isinstance(value, float):
        text = f"{value:.15g}"
    elif isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=False, default=str)
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_text, value))
    else:
        text = str(value)
    return CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _date(value: object) -> datetime | None:
    """An aware time in UTC; one without a zone is taken as UTC, a number as seconds since 1970."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float | Decimal):
        return datetime.fromtimestamp(float(value), UTC)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _reason(error: Exception, url: sa.URL) -> str:
    """The database's own first line, without the password."""
    original = error.orig if isinstance(error, DBAPIError) else error
    line = (str(original).strip().split("\n") or [""])[0][:300] or type(error).__name__
    return line.replace(url.password, "***") if url.password else line
