"""Days and times as people write them <-> moments; a day without a time is a day of this machine's time zone."""

import re
from datetime import UTC, date, datetime, time, timedelta

from bot.errors import QuestionError

__all__ = ["asked_day", "day_of", "last_day", "read_as_of", "read_begin", "read_end"]

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS) + "|sept"
DAY = "|".join((
    r"(?P<y1>\d{4})-(?P<m1>\d{1,2})-(?P<d1>\d{1,2})",
    rf"(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m2>{MONTH})\.?,? (?P<y2>\d{{4}})",
    rf"(?P<m3>{MONTH})\.? (?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y3>\d{{4}})",
))  # fmt: skip
# "What applied on 3 March 2026?", "as of 2026-03-03, how long …": the day is about the rules, not about an order.
APPLIED = re.compile(
    rf"(?:[,;]?\s*\bas (?:of|at)|(?<=\bapplied)(?:,? back)? (?:on|at)|(?<=\bin force)(?:,? back)? on"
    rf"|(?<=\bvalid)(?:,? back)? on|\bback on)\s+(?:{DAY})",
    re.IGNORECASE,
)


def read_begin(text: str) -> datetime:
    """The moment "2026-12-01" or "2026-12-01 09:00" begins; UTC.

    Raises:
        QuestionError: it is no day and no time.
    """
    return _read(text, time.min)


def read_end(text: str) -> datetime:
    """The moment up to which something holds that holds "until 2026-12-31": a day is meant with its evening.

    Raises:
        QuestionError: it is no day and no time.
    """
    moment = _read(text, time.min)
    return moment + timedelta(days=1) if _is_day(text) else moment


def read_as_of(text: str) -> datetime:
    """The instant that "as of" a day or time means: of a day the last one.

    Raises:
        QuestionError: it is no day and no time.
    """
    return _read(text, time.max)


def day_of(moment: datetime) -> str:
    """The day of a moment on this machine, "2026-12-01"."""
    return moment.astimezone().date().isoformat()


def last_day(ends: datetime) -> str:
    """The last day on which something holds that ends at a moment."""
    return day_of(ends - timedelta(microseconds=1))


def asked_day(question: str) -> tuple[str, datetime | None]:
    """A question without the day whose rules it asks for, and the end of that day; None if it names none."""
    found = APPLIED.search(question)
    if found is None:
        return question, None
    parts = {name: value for name, value in found.groupdict().items() if value}
    year, month, day = (next(value for name, value in parts.items() if name[0] == letter) for letter in "ymd")
    number = int(month) if month.isdigit() else [name[:3] for name in MONTHS].index(month.lower()[:3]) + 1
    try:
        asked = date(int(year), number, int(day))
    except ValueError:
        return question, None
    rest = (question[: found.start()] + question[found.end() :]).strip(" ,;")
    return rest, datetime.combine(asked, time.max).astimezone(UTC)


def _read(text: str, at: time) -> datetime:
    try:
        if _is_day(text):
            return datetime.combine(date.fromisoformat(text.strip()), at).astimezone(UTC)
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuestionError(f"'{text}' is no day or time: write it like 2026-12-01 or 2026-12-01T09:00.") from None


def _is_day(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) is not None
