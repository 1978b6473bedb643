"""Values in a text: numbers, dates, prices, percentages, e-mails, links and phones, normalised."""

import re

__all__ = ["find_values"]

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
         "eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40,
         "sixty": 60, "ninety": 90}  # fmt: skip
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|"
    r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|gov|io|example|shop|co\.uk)\b(?:/[^\s<>\"')\]]*)?",
                  re.IGNORECASE)  # fmt: skip
PHONE = re.compile(r"(?<![\w.])\+?\(?\d{1,4}\)?(?:[ -]\(?\d{2,5}\)?){2,5}(?![\w])")
MONTH = re.compile(r"\b(" + "|".join(MONTHS) + r")(?:uary|ruary|ch|il|e|y|ust|tember|ober|ember|t)?\b", re.IGNORECASE)
NUMBER = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?!\d)")
CITATION = re.compile(r"\[\d{1,2}\]")


def find_values(text: str) -> frozenset[str]:
    """Normalised values of `text`: "1,000.00" and "1000" are the same, so are "sixty" and "60".

    Citation marks like [2] and the numbers of list items at the start of a line are no values.
    A month counts as a value only beside a number, where it is part of a date.
    """
    rest = CITATION.sub(" ", re.sub(r"(?m)^\s*\d{1,2}[.)]\s", " ", text))
    found: set[str] = set()
    for pattern in (EMAIL, LINK):
        found |= {match.rstrip(".,;:!?/").lower() for match in pattern.findall(rest)}
        rest = pattern.sub(" ", rest)
    found |= {re.sub(r"\D", "", match) for match in PHONE.findall(rest)}
    rest = PHONE.sub(" ", rest)
    found |= {match[1].lower() for match in MONTH.finditer(rest) if _is_beside_number(match, rest)}
    found |= {_number(whole, cents) for whole, cents in NUMBER.findall(_joined_units(rest))}
    found |= {str(WORDS[word]) for word in re.findall(r"[a-z]+", rest.lower()) if word in WORDS}
    return frozenset(found)


def _is_beside_number(match: re.Match[str], text: str) -> bool:
    return bool(re.search(r"\d\W*$", text[: match.start()]) or re.match(r"\W*\d", text[match.end() :]))


def _joined_units(text: str) -> str:
    """Units glued to a number ("45-day", "230V", "10kg") set apart, so that the number is seen."""
    return re.sub(r"(?<=\d)(?=[A-Za-z])", " ", re.sub(r"(?<=[A-Za-z£€$])(?=\d)", " ", text))


def _number(whole: str, cents: str) -> str:
    fraction = cents.rstrip("0")
    return whole.replace(",", "").lstrip("0") + ("." + fraction if fraction else "") or "0"
