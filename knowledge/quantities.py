"""Numbers in a text with what they measure: money, percentages, durations, dates, times of day, sizes, counts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from math import isclose

from knowledge.lexical import STOP_WORDS

__all__ = ["Disagreement", "Quantity", "agree", "disagreement", "find_quantities", "stem"]

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = SMALL.split()
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = {word: n for n, word in enumerate(ONES)} | {word: 10 * n for n, word in enumerate(TENS, 2)}
WORDS |= {f"{ten}-{one}": WORDS[ten] + n for ten in TENS for n, one in enumerate(ONES[1:10], 1)} | {"hundred": 100}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAY = 24 * 60.0
# Unit as written, in small letters -> (kind, how many of the kind's own unit it is).
SIZES: dict[str, tuple[str, float]] = {
    "second": ("time", 1 / 60), "sec": ("time", 1 / 60), "minute": ("time", 1), "min": ("time", 1),
    "hour": ("time", 60), "hr": ("time", 60), "day": ("time", DAY), "night": ("time", DAY), "week": ("time", 7 * DAY),
    "fortnight": ("time", 14 * DAY), "month": ("time", 30 * DAY), "quarter": ("time", 91 * DAY),
    "year": ("time", 365 * DAY), "dollar": ("$", 1), "usd": ("$", 1), "cent": ("$", 0.01), "euro": ("€", 1),
    "eur": ("€", 1), "pound": ("£", 1), "gbp": ("£", 1), "%": ("%", 1), "percent": ("%", 1), "per cent": ("%", 1),
    "g": ("mass", 1), "gram": ("mass", 1), "kg": ("mass", 1000), "kilo": ("mass", 1000), "lb": ("mass", 453.6),
    "mm": ("length", 0.1), "cm": ("length", 1), "m": ("length", 100), "metre": ("length", 100),
    "meter": ("length", 100), "km": ("length", 1e5), "mile": ("length", 160934), "inch": ("length", 2.54),
    "ml": ("volume", 1), "l": ("volume", 1000), "litre": ("volume", 1000), "liter": ("volume", 1000),
    "kb": ("data", 1), "mb": ("data", 1024), "gb": ("data", 1024**2), "tb": ("data", 1024**3),
    "watt": ("W", 1), "w": ("W", 1), "kw": ("W", 1000), "volt": ("V", 1), "v": ("V", 1), "°c": ("°C", 1),
    "°f": ("°F", 1),
}  # fmt: skip
# Lengths that are not exact: the least and the most of the kind's unit that one of them may be.
LOOSE = {
    "month": (28 * DAY, 31 * DAY), "quarter": (89 * DAY, 93 * DAY), "year": (365 * DAY, 366 * DAY),
    "working day": (DAY, 2 * DAY),
}  # fmt: skip
JOINS = re.compile(r"\s?(?:-|–|—|to|until|till)\s?")
UNIT = "|".join(sorted((re.escape(unit) for unit in SIZES), key=len, reverse=True))
NUMBER = (
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d+)?(?!\.?\d|[/:]\d|\.x\b)|\b(?:"
    + "|".join(sorted(WORDS, key=len, reverse=True))
    + r")\b"
)


def _amount(n: int) -> str:
    return (
        rf"(?:US|CA|AU)?(?P<money{n}>[$£€])?\s?(?P<number{n}>{NUMBER})(?:[ \u00a0-]?(?:more |full |consecutive |"
        rf"calendar |additional |extra )?(?P<working{n}>(?:working|business|work)[ -])?(?P<unit{n}>{UNIT})"
        r"(?:e?s)?(?:'|’)?(?![\w°%]))?"
    )


AMOUNT = re.compile(
    rf"(?<![\w.,/#_+-])(?P<between>between )?~?{_amount(1)}"
    rf"(?:\s?(?:-|–|—|\bto\b|(?(between)\band\b|(?!)))\s?{_amount(2)})?(?![\w/+]|-\d|-[A-Z])",
    re.IGNORECASE,
)
HALF = r"(?:a\.?m\b\.?|p\.?m\b\.?)"
HOUR = re.compile(
    rf"(?<![\w.:/$])(?:(\d{{1,2}})(?:[:.](\d\d))?\s?({HALF})|(\d{{1,2}}):(\d\d)(?![\d:])|\b(noon|midnight)\b)",
    re.IGNORECASE,
)
MONTH = (
    r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\b\.?"
)
ORDINAL = r"(\d{1,2})(?:st|nd|rd|th)?"
DATE = re.compile(
    rf"(?<![\w.$-])(?:{ORDINAL}(?: of)? {MONTH}(?:,? (\d{{4}}))?|{MONTH} {ORDINAL}(?:,? (\d{{4}}))?|"
    rf"(\d{{4}})-(\d\d)-(\d\d))(?![\w-])",
    re.IGNORECASE,
)
PHONE = r"(?<!\w)(?!\d{4}-\d\d-\d\d)\+?\(?\d{1,4}\)?(?:[ -]\(?\d{2,5}\)?){2,5}"
NOT_READ = re.compile(rf"https?://\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|`[^`]*`|\{{[^}}]*\}}|{PHONE}")
# A number after one of these, or after a name, names something and measures nothing.
NUMBERED = re.compile(
    r"\b(?:versions?|v|steps?|sections?|chapters?|parts?|forms?|pages?|lines?|no|numbers?|phases?|levels?|tiers?|"
    r"articles?|rfc|ticket|patch|release|figure|table|item|option|question|box|error|code|room|floor|gate|class)"
    r"[ .:#-]*$"
)
NAMED = re.compile(r"\b([A-Z][A-Za-z]+)(?: in)? $")
BEGINNINGS = (
    "after before within until every each up over under all these those only max maximum min minimum around "
    "approximately any another between first last next choose keep use wait allow receive earn hold has includes not "
    "both exactly"
)
NO_NAME = STOP_WORDS.union(BEGINNINGS.split())


@dataclass(frozen=True)
class Quantity:
    """An amount or a range from `first` to `last` in the unit as written, from `start` to `end` in the text.

    `kind` is what it measures, `low` and `high` bound it in the one unit of that kind (times in minutes, clock
    times in minutes of the day, dates as 100 x month + day with the year as `unit`, or ""). `counted` are stems of
    what a bare number counts.
    """

    kind: str
    unit: str
    first: float
    last: float
    low: float
    high: float
    start: int
    end: int
    counted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Disagreement:
    """The quantities that differ on both sides, none if the sides agree; `is_whole` if nothing of their kind agrees."""

    ours: tuple[Quantity, ...]
    theirs: tuple[Quantity, ...]
    is_whole: bool


def find_quantities(text: str) -> list[Quantity]:
    """Every quantity of a text, in order. Versions, model numbers, phones, links and code are none."""
    rest = NOT_READ.sub(lambda match: "_" * len(match[0]), text)
    found: list[Quantity] = []
    for pattern, read in ((DATE, _date), (HOUR, _hour)):
        for match in pattern.finditer(rest):
            found += read(match)
        for quantity in found:
            rest = rest[: quantity.start] + "_" * (quantity.end - quantity.start) + rest[quantity.end :]
    found = list(_joined(sorted(found, key=lambda q: q.start), text))
    found += [q for match in AMOUNT.finditer(rest) for q in _amount_of(match, rest)]
    return sorted(found, key=lambda q: q.start)


def disagreement(ours: Sequence[Quantity], theirs: Sequence[Quantity]) -> Disagreement | None:
    """How the quantities of two statements about the same thing stand to each other; None if none are of one kind.

    They differ where all of a kind do, and partly where each side has as many and some of them differ. A kind where
    one side says less than the other agrees.
    """
    found: Disagreement | None = None
    for kind in dict.fromkeys(quantity.kind for quantity in ours):
        one = [q for q in ours if q.kind == kind and any(_same_kind(q, other) for other in theirs)]
        other = [q for q in theirs if q.kind == kind and any(_same_kind(q, ours_one) for ours_one in ours)]
        if not one or not other:
            continue
        left = tuple(q for q in one if not any(agree(q, o) for o in other))
        right = tuple(q for q in other if not any(agree(q, o) for o in one))
        is_whole = len(left) == len(one) and len(right) == len(other)
        if left and right and (is_whole or len(one) == len(other)):
            return Disagreement(left, right, is_whole)
        found = found or Disagreement((), (), True)
    return found


def agree(ours: Quantity, theirs: Quantity) -> bool:
    """Whether two quantities of one kind say the same: equal, or one within the range of the other.

    A month is 28 to 31 days against days, a working day one or two.
    """
    if ours.kind == "date" and ours.unit and theirs.unit and ours.unit != theirs.unit:
        return False
    if ours.unit == theirs.unit:
        return _equal(ours.first, theirs.first, ours.last, theirs.last)
    if ours.unit in LOOSE or theirs.unit in LOOSE:
        return ours.low <= theirs.high and theirs.low <= ours.high
    return _equal(ours.low, theirs.low, ours.high, theirs.high)


def stem(word: str) -> str:
    """A crude stem, six letters at most: delivery and delivered are one."""
    return word.lower()[:6].rstrip("s")


def _equal(first: float, other_first: float, last: float, other_last: float) -> bool:
    if isclose(first, other_first) and isclose(last, other_last):
        return True
    one_within = isclose(first, last) and other_first < other_last and other_first <= first <= other_last
    return one_within or (isclose(other_first, other_last) and first < last and first <= other_first <= last)


def _same_kind(ours: Quantity, theirs: Quantity) -> bool:
    """Whether both measure the same: bare numbers have to count the same."""
    if ours.kind != "count":
        return ours.kind == theirs.kind
    return theirs.kind == "count" and (bool(ours.counted & theirs.counted) or ours.counted == theirs.counted)


def _date(match: re.Match[str]) -> Iterator[Quantity]:
    day, month, year = match[1] or match[5], match[2] or match[4], match[3] or match[6] or match[7] or ""
    if month and month.lower() == "may" and "M" not in match[0]:
        return
    value = 100.0 * (MONTHS.index(month.lower()) + 1) + int(day) if month else 100.0 * int(match[8]) + int(match[9])
    yield Quantity("date", year, value, value, value, value, match.start(), match.end())


def _hour(match: re.Match[str]) -> Iterator[Quantity]:
    if match[6]:
        value = 720.0 if match[6].lower() == "noon" else 0.0
    else:
        hour, minute = int(match[1] or match[4]), int(match[2] or match[5] or 0)
        half = (match[3] or "").lower()[:1]
        value = 60.0 * (hour % 12 + (12 if half == "p" else 0) if half else hour) + minute
    yield Quantity("clock", "clock", value, value, value, value, match.start(), match.end())


def _joined(found: list[Quantity], text: str) -> Iterator[Quantity]:
    """Two clock times or dates with "to" between them as one range."""
    waiting: Quantity | None = None
    for quantity in found:
        between = text[waiting.end : quantity.start] if waiting and waiting.kind == quantity.kind else ""
        if waiting and JOINS.fullmatch(between):
            yield replace(waiting, last=quantity.last, high=quantity.high, end=quantity.end)
            waiting = None
            continue
        if waiting:
            yield waiting
        waiting = quantity
    if waiting:
        yield waiting


def _amount_of(match: re.Match[str], text: str) -> Iterator[Quantity]:
    first, last = _value(match["number1"]), _value(match["number2"] or match["number1"])
    last = max(first, last)
    start, end = match.end() - len(match[0].lstrip()), match.end()
    unit = (match["unit2"] or match["unit1"] or "").lower()
    if money := match["money1"] or match["money2"]:
        yield Quantity(money, money, first, last, first, last, start, end)
    elif unit:
        kind, factor = SIZES[unit]
        if unit == "day" and (match["working1"] or match["working2"]):
            unit = "working day"
        least, most = LOOSE.get(unit, (factor, factor))
        yield Quantity(kind, unit, first, last, first * least, last * most, start, end)
    elif _counts(match["number1"], first, text[:start]):
        following = re.match(r"(?:[ -](?!per\b|each\b|every\b)[A-Za-z][a-z]+){0,3}", text[end:])
        words = re.findall(r"[a-z]+", following[0].lower()) if following else []
        counted = frozenset(map(stem, takewhile(lambda word: word not in STOP_WORDS, words)))
        yield Quantity("count", "count", first, last, first, last, start, end, counted)


def _counts(written: str, value: float, before: str) -> bool:
    """Whether a number without a unit counts something, and is no name, year, page or long identifier."""
    if written.lower() in ("one", "zero") or NUMBERED.search(before):
        return False
    named = NAMED.search(before)
    if named and named[1].lower() not in NO_NAME:
        return False
    return not (written.isdigit() and (len(written) > 6 or written[0] == "0" != written or 1900 <= value <= 2100))


def _value(written: str) -> float:
    word = written.lower()
    return float(WORDS[word]) if word in WORDS else float(written.replace(",", ""))
