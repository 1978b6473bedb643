"""Which passages somebody may see at an instant, kept as small tables that both searches are filtered by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from knowledge.audiences import CUSTOMER, may_see
from knowledge.database import Database, stamp

__all__ = ["Scope", "ScopeTables"]

MOST_TABLES = 6
# The versions in force at an instant for some audiences; `?` are both times the instant, then the audiences.
IN_FORCE = (
    "FROM versions v JOIN documents d ON d.id = v.document_id "
    "WHERE v.begins <= ? AND v.ends > ? AND d.audience IN ({marks})"
)


@dataclass(frozen=True)
class Scope:
    """Who asks (the groups they belong to), and about which instant (aware)."""

    as_of: datetime
    audiences: frozenset[str] = CUSTOMER


@dataclass
class _Kept:
    """A table, and when it is right: until something changes, for these audiences, between two changes of force."""

    name: str
    changes: int
    audiences: tuple[str, ...]
    since: str
    until: str

    def serves(self, changes: int, audiences: tuple[str, ...], at: str) -> bool:
        return self.changes == changes and self.audiences == audiences and self.since <= at < self.until


class ScopeTables:
    """Temporary tables of passage numbers in the database of the catalog.

    A table is made once and used until it is wrong, so that a question does not pay for the calendar.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._kept: list[_Kept] = []
        self._made = 0
        self._stored: tuple[int, tuple[str, ...]] = (-1, ())  # changes so far, and the audiences of all documents

    def audiences(self, scope: Scope) -> tuple[str, ...]:
        """The audiences of stored documents that the scope may see."""
        changes, stored = self._stored
        if changes != self.database.changes:
            changes = self.database.changes
            rows = self.database.read("SELECT DISTINCT audience FROM documents ORDER BY audience")
            stored = tuple(audience for (audience,) in rows)
            self._stored = (changes, stored)
        return tuple(audience for audience in stored if may_see(audience, scope.audiences))

    def table(self, scope: Scope) -> str:
        """The name of a table with a column `number`: every passage in force for the scope. Hold the lock."""
        at, audiences = stamp(scope.as_of), self.audiences(scope)
        kept = next((k for k in self._kept if k.serves(self.database.changes, audiences, at)), None)
        if kept is None:
            kept = self._make(at, audiences)
        self._kept = [kept, *(k for k in self._kept if k is not kept)]
        return kept.name

    def _make(self, at: str, audiences: tuple[str, ...]) -> _Kept:
        self._forget()
        self._made += 1
        name = f"temp.scope_{self._made}"
        read = self.database.read
        read(f"CREATE TEMP TABLE {name.removeprefix('temp.')} (number INTEGER PRIMARY KEY)")
        read(
            f"INSERT INTO {name} SELECT DISTINCT p.number FROM places p JOIN (SELECT v.document_id, v.version "
            f"{in_force(audiences)}) f ON p.document_id = f.document_id AND p.version = f.version",
            (at, at, *audiences),
        )
        ((since,),) = read(
            "SELECT max(coalesce((SELECT max(begins) FROM versions WHERE begins <= ?), ''), "
            "coalesce((SELECT max(ends) FROM versions WHERE ends <= ?), ''))",
            (at, at),
        )
        ((until,),) = read(
            "SELECT min(coalesce((SELECT min(begins) FROM versions WHERE begins > ?), '~'), "
            "coalesce((SELECT min(ends) FROM versions WHERE ends > ?), '~'))",
            (at, at),
        )
        return _Kept(name, self.database.changes, audiences, since, until)

    def _forget(self) -> None:
        """Drop the tables that nothing can use any more, and the one unused longest when there are many."""
        current = [kept for kept in self._kept if kept.changes == self.database.changes][: MOST_TABLES - 1]
        for kept in self._kept:
            if kept not in current:
                self.database.read(f"DROP TABLE {kept.name}")
        self._kept = current


def in_force(audiences: Sequence[str]) -> str:
    """The SQL after SELECT for the versions in force; its values are the instant twice, then the audiences."""
    return IN_FORCE.format(marks=",".join("?" * len(audiences)))
