"""What counts as a value in practice and evaluation: numbers, dates, times, e-mails, links and phones, normalised."""

import re

__all__ = ["citations", "keeps", "values_in", "without_marks"]

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# "one" is left out: it is a pronoun more often than a number.
SPELLED = {word: number for number, word in enumerate(UNITS) if number > 1} | {
    word: 10 * number for number, word in enumerate(TENS, 2)
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MARK = re.compile(r"\s*\[(\d{1,2})\]")
LIST_NUMBER = re.compile(r"(?m)^\s*\d{1,2}[.)]\s+")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|example)\b(?:/[\w/-]*)?")
ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
PHONE = re.compile(r"(?<![\w.,$])\+?\(?\d{2,4}\)?(?:[ -]\d{2,5}){2,4}(?!\w)")
MONTH_DAY = re.compile(r"\b\d{1,2}(?:st|nd|rd|th)?(?: of)? (" + "|".join(MONTHS) + r")[a-z]*\b|"
                       r"\b(" + "|".join(MONTHS) + r")[a-z]* \d{1,4}\b", re.IGNORECASE)  # fmt: skip
NUMBER = re.compile(r"(?<![\d.,:])\d+(?:,\d{3})*(?:[.:]\d+)?")
COMPOUND = re.compile(r"\b(" + "|".join(TENS) + r")[- ](" + "|".join(UNITS[1:10]) + r")\b")


def values_in(text: str) -> frozenset[str]:
    """The values of `text`, one form each: "$10.00" and "10" are "10", "sixty" is "60", "9:00" is "9".

    The `[n]` of citations and the numbers of list lines are no values.
    """
    rest = without_marks(text)
    found: set[str] = set()
    for pattern in (EMAIL, LINK):
        found |= {match[0].rstrip(".,;:!?/").lower() for match in pattern.finditer(rest)}
        rest = pattern.sub(" ", rest)
    rest = ISO_DATE.sub(lambda m: f"{int(m[3])} {MONTHS[(int(m[2]) - 1) % 12]} {m[1]}", rest)
    found |= {re.sub(r"\D", "", match[0]) for match in PHONE.finditer(rest)}
    rest = PHONE.sub(" ", rest)
    found |= {(match[1] or match[2]).lower() for match in MONTH_DAY.finditer(rest)}
    rest = COMPOUND.sub(lambda m: str(SPELLED[m[1]] + UNITS.index(m[2])), rest.lower())
    found |= {_plain_number(match[0]) for match in NUMBER.finditer(rest)}
    return frozenset(found | {str(SPELLED[word]) for word in re.findall(r"[a-z]+", rest) if word in SPELLED})


def keeps(reply: str, value: str) -> bool:
    """Whether a reply still holds a value: in any form of it, or word by word where it is a phrase like "a kiosk"."""
    wanted = values_in(value)
    if wanted:
        return wanted <= values_in(reply)
    return _words(value) in _words(reply)


def citations(reply: str) -> frozenset[int]:
    """The numbers that a reply cites."""
    return frozenset(int(number) for number in MARK.findall(reply))


def without_marks(text: str) -> str:
    """`text` without `[n]` marks and list numbers."""
    return MARK.sub("", LIST_NUMBER.sub("", text))


def _plain_number(digits: str) -> str:
    whole, _, rest = digits.replace(",", "").replace(":", ".").partition(".")
    bare = whole.lstrip("0") or "0"
    if ":" in digits:
        return f"{bare}:{rest}" if rest.strip("0") else bare
    fraction = rest.rstrip("0")
    return f"{bare}.{fraction}" if fraction else bare


def _words(text: str) -> str:
    return f" {' '.join(re.findall(r'[a-z0-9]+', text.lower()))} "
