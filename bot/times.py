"""Days and times as people write them <-> moments; a day without a time is a day of this machine's time zone."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from bot.errors import QuestionError

__all__ = ["asked_day", "day_of", "last_day", "minute_of", "read_as_of", "read_begin", "read_end", "when_given"]

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS) + "|sept"
DAY = "|".join((
    r"(?P<y1>[0-9]{4})-(?P<m1>[0-9]{1,2})-(?P<d1>[0-9]{1,2})\b",
    rf"(?:the )?(?P<d2>[0-9]{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m2>{MONTH})\.?,? (?P<y2>[0-9]{{4}})\b",
    rf"(?P<m3>{MONTH})\.? (?P<d3>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y3>[0-9]{{4}})\b",
))  # fmt: skip
NAMED = re.compile(rf"[,;]?\s*(?:\bas (?:of|at)|(?P<on>\b(?:back )?on))\s+(?:{DAY}),?", re.IGNORECASE)
# "What was the time limit on 3 March 2026?" asks for the rules of a day; "I ordered on 3 March 2026" does not.
OF_RULES = re.compile(
    r"(?:what|which|how)\b.*\b(?:was|were|did|applied|valid|in (?:force|effect)|back)\b"
    r"|(?:was|were|did)\b.*\b(?:apply|in (?:force|effect)|back)\b",
    re.IGNORECASE,
)
EVENT = re.compile(  # the day is then that of what somebody did
    r"\b(?:i|we|my|our|ordered|bought|purchased|placed|paid|charged|shipped|sent|delivered|received|arrived)\b",
    re.IGNORECASE,
)
ASKING = re.compile(
    r"\b(?:what|which|how|when|where|who|can|could|do|does|did|is|are|was|were|may|must|should|would|will|tell|show)\b",
    re.IGNORECASE,
)
PRESENT = re.compile(r"\b(?:now|today|currently|nowadays)\b", re.IGNORECASE)
JOINING = re.compile(r"(?:and|but|so|then|or)\b\s*", re.IGNORECASE)


def read_begin(text: str) -> datetime:
    """The moment "2026-12-01" or "2026-12-01 09:00" begins; UTC.

    Raises:
        QuestionError: it is no day and no time.
    """
    return _read(text, _begin)


def read_end(text: str) -> datetime:
    """The moment up to which something holds that holds "until 2026-12-31": a day is meant with its evening.

    Raises:
        QuestionError: it is no day and no time.
    """
    return _read(text, _end)


def read_as_of(text: str) -> datetime:
    """The instant that "as of" a day or time means: of a day the last one.

    Raises:
        QuestionError: it is no day and no time.
    """
    return _read(text, _last_instant)


def when_given(read: Callable[[str], datetime], text: str) -> datetime | None:
    """What `read` makes of a text; None of an empty one."""
    return read(text) if text else None


def day_of(moment: datetime | str) -> str:
    """The day of a moment, or of its text, on this machine, "2026-12-01"."""
    return _here(moment).date().isoformat()


def minute_of(moment: datetime | str) -> str:
    """The same with the time, "2026-12-01 09:00"."""
    return f"{_here(moment):%Y-%m-%d %H:%M}"


def last_day(ends: datetime | str) -> str:
    """The last day on which something holds that ends at a moment."""
    return day_of(_moment(ends) - timedelta(microseconds=1))


def asked_day(question: str, now: datetime) -> tuple[str, datetime | None]:
    """A question without the day whose rules it asks for, and the last instant of that day; None if it names none.

    No instant is later than `now`: what is planned is not for everybody who asks. Of several days the last one counts,
    and none if the present is named after it ("And today?").
    """
    named = [match for match in NAMED.finditer(question) if _asks_for_rules(question, match)]
    try:
        days = [_day(match) for match in named]
        if not days:
            return question, None
        moment: datetime | None = now if _begin(days[-1]) > now else min(_last_instant(days[-1]), now)
    except (ValueError, OverflowError, OSError):  # "31 February", and years that the machine cannot count
        return question, None
    if PRESENT.search(question, named[-1].end()):
        moment = None
    rest = question
    for match in reversed(named):
        rest = f"{rest[: match.start()].rstrip()} {rest[match.end() :].lstrip()}"
    return re.sub(r"(?:\s+\(\s*\))?\s*([?!.,;]|$)", r"\1", rest).strip(" ,;"), moment


def _asks_for_rules(question: str, match: re.Match[str]) -> bool:
    begin = max(question.rfind(mark, 0, match.start()) for mark in ".!?\n") + 1
    before = JOINING.sub("", question[begin : match.start()].strip(), count=1)
    if match["on"]:
        return bool(OF_RULES.match(f"{before} {match['on']}")) and not EVENT.search(before)
    after = re.split(r"[.!\n]", question[match.end() :], maxsplit=1)[0]
    return bool(ASKING.match(before) if before else ASKING.search(after) or not after.strip(" ?"))


def _day(match: re.Match[str]) -> date:
    parts = {name: value for name, value in match.groupdict().items() if value and name != "on"}
    year, month, day = (next(value for name, value in parts.items() if name[0] == letter) for letter in "ymd")
    number = int(month) if month.isdigit() else [name[:3] for name in MONTHS].index(month.lower()[:3]) + 1
    return date(int(year), number, int(day))


def _read(text: str, of_day: Callable[[date], datetime]) -> datetime:
    try:
        day = _date(text.strip())
        return datetime.fromisoformat(text.strip()).astimezone(UTC) if day is None else of_day(day)
    except (ValueError, OverflowError, OSError):
        raise QuestionError(f"'{text}' is no day or time: write it like 2026-12-01 or 2026-12-01T09:00.") from None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _begin(day: date) -> datetime:
    """The first instant of a day; it is not midnight where the clocks are put forward then."""
    first = datetime.combine(day, time.min).astimezone(UTC)
    is_before = _here(first).date() < day
    return datetime.combine(day, time(fold=1)).astimezone(UTC) if is_before else first


def _end(day: date) -> datetime:
    return _begin(day + timedelta(days=1))


def _last_instant(day: date) -> datetime:
    return _end(day) - timedelta(microseconds=1)


def _moment(moment: datetime | str) -> datetime:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def _here(moment: datetime | str) -> datetime:
    return _moment(moment).astimezone()
