"""The policy calendar: which version of a document is in force at an instant, by a rule without exceptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from knowledge.errors import TermsError

__all__ = ["FOREVER", "Dated", "Dates", "Window", "governing", "period", "windows"]

EARLIEST, FOREVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Dated(Protocol):
    """A version, as far as the calendar looks at it."""

    @property
    def version(self) -> int:
        """Its number; of two that begin together, the higher one counts."""
        ...

    @property
    def effective_from(self) -> datetime:
        """When it is meant to begin."""
        ...

    @property
    def effective_until(self) -> datetime | None:
        """When it is meant to end, None for never."""
        ...

    @property
    def withdrawn_at(self) -> datetime | None:
        """When it was taken back."""
        ...


@dataclass(frozen=True)
class Dates:
    """The least that is `Dated`."""

    version: int
    effective_from: datetime
    effective_until: datetime | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True)
class Window:
    """From `begins` on, and up to but not at `ends`."""

    begins: datetime
    ends: datetime

    def covers(self, at: datetime) -> bool:
        """Whether `at` lies in it."""
        return self.begins <= at < self.ends


def windows(versions: Sequence[Dated]) -> dict[int, Window | None]:
    """When each version is in force; None for one that never is.

    A version begins at its `effective_from` and ends for good at its `effective_until`, when it is withdrawn, or
    when the next one begins, whatever comes first: an older text never comes back by itself, only by a new version.
    A version that is withdrawn before it begins is as if it had never been there.
    """
    found: dict[int, Window | None] = {version.version: None for version in versions}
    following = FOREVER
    for version in sorted(versions, key=lambda v: (v.effective_from, v.version), reverse=True):
        ends = min(version.effective_until or FOREVER, version.withdrawn_at or FOREVER)
        if version.effective_from >= ends:
            continue
        if version.effective_from < following:
            found[version.version] = Window(version.effective_from, min(ends, following))
            following = version.effective_from
    return found


def governing(versions: Sequence[Dated], at: datetime) -> int | None:
    """The number of the version in force at an instant; None if there is none."""
    return next((number for number, window in windows(versions).items() if window and window.covers(at)), None)


def period(effective_from: datetime | None, effective_until: datetime | None, now: datetime) -> datetime:
    """When a version with these dates begins: at `effective_from`, or `now`.

    Raises:
        TermsError: a date has no time zone or is out of all reason, or it would end before it begins.
    """
    for date in (effective_from, effective_until):
        if date is not None and date.tzinfo is None:
            raise TermsError(f"The time '{date}' has no time zone: add one, for instance '{date.isoformat()}+00:00'.")
        if date is not None and not EARLIEST <= date <= FOREVER:
            raise TermsError(f"The time '{date}' is too far away: give a year from 1900 to 9999.")
    begins = now if effective_from is None else effective_from
    if effective_until is not None and effective_until <= begins:
        raise TermsError(
            f"The end {effective_until:%Y-%m-%d %H:%M} is not after the beginning {begins:%Y-%m-%d %H:%M}: "
            "give a later end."
        )
    return begins.astimezone(UTC)
