"""A clock that a story moves, and the days it is told in."""

from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "day"]


def day(number: float) -> datetime:
    """Noon of a day of the story; day 0 is a Tuesday in November."""
    return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(days=number)


class Clock:
    """Stands still until it is set, so that a story is the same at every run."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or day(0)

    def __call__(self) -> datetime:
        return self.now

    def set(self, number: float) -> None:
        """Go to noon of a day."""
        self.now = day(number)
