"""A spreadsheet's cell as a person sees it: dates in ISO form, numbers with their currency, unit or percent sign."""

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

__all__ = ["shown", "shown_number"]

LITERAL = re.compile(r'"([^"]*)"|\\(.)|([$€£¥% ])')
DIGITS = re.compile(r"[0#?](?:[0#?.,/ ]*[0#?])?,*")
LONGEST_FORMAT = 255  # characters, as in Excel
MAX_DECIMALS = 10  # with 15 digits of a float and 2 of a percentage still fewer than Decimal's 28


def shown(cell: Any) -> str:  # noqa: ANN401 - a cell of openpyxl, which has no types
    """The cell's value as text; "" for an empty cell or an error such as #REF!."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return shown_number(value, cell.number_format)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else _without_seconds(value.isoformat(" "))
    if isinstance(value, time):
        return _without_seconds(value.isoformat())
    if isinstance(value, timedelta):
        return f"{value // timedelta(hours=1)}:{value // timedelta(minutes=1) % 60:02}"
    return value.isoformat() if isinstance(value, date) else " ".join(str(value).split())


def shown_number(value: int | float, number_format: str) -> str:
    """The number by its format, without thousands separators: 39.0 -> 39, 0.15 in "0%" -> 15%, 5 in "000" -> 005."""
    before, decimals, zeros, after = _format(number_format)
    plain = f"{value:.15g}"
    if not re.fullmatch(r"-?[\d.]+(e[+-]?\d{1,3})?", plain):
        return plain  # not a number, or endless
    number = Decimal(plain) * (100 if "%" in after else 1)
    if decimals is not None and abs(value) < 1e15:
        number = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    whole = number == number.to_integral_value()
    digits = f"{number.to_integral_value() + 0 if whole else number:f}"
    if not whole and (decimals is None or not (before or after)):
        digits = digits.rstrip("0")
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return f"{sign}{before}{digits.zfill(zeros)}{after}"


def _without_seconds(text: str) -> str:
    return re.sub(r"(\d\d:\d\d):00$", r"\1", text.split(".")[0])


@lru_cache(maxsize=1000)
def _format(number_format: str) -> tuple[str, int | None, int, str]:
    """What stands before a number, its decimals (None: as they are), its least digits, and what stands after it."""
    section = re.sub(r"\[\$([^\]-]*)[^\]]*\]", r'"\1"', number_format[:LONGEST_FORMAT].split(";")[0])
    section = re.sub(r"\[[^\]]*\]|_.|\*.", "", section)
    digits = DIGITS.search(section)
    if digits is None or "/" in digits[0] or digits[0].endswith(",") or "E" in section:
        return "", None, 1, ""
    whole, _, fraction = digits[0].partition(".")
    decimals = min(len(re.findall("[0#?]", fraction)), MAX_DECIMALS)
    zeros = len(whole) if whole and set(whole) == {"0"} else 1
    before, after = _literals(section[: digits.start()]), _literals(section[digits.end() :])
    return before.lstrip(), decimals, zeros, after.rstrip()


def _literals(text: str) -> str:
    return "".join("".join(found) for found in LITERAL.findall(text))
