"""Personal data in a text: e-mail addresses, phone, card and bank account numbers, taken out before it is kept."""

import re
from collections.abc import Iterator

import phonenumbers
from stdnum import iban, luhn

__all__ = ["redact"]

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?![\w-])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.IGNORECASE)
CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
# Numbers without a country code are read by these regions' rules: where their groups differ, few others fit as well.
REGIONS = (None, "US", "GB", "DE", "FR")
SEPARATED = re.compile(r"[^\w]")
CALLED = re.compile(r"(?i)\b(?:phone|mobile|cell|tel|telephone|call|ring|reach|text|whatsapp|number is)\b[^\d+]{0,20}$")
MASKS = {"email": "[email]", "iban": "[account]", "card": "[card]", "phone": "[phone]"}

Span = tuple[int, int, str]


def redact(text: str, public: str = "") -> str:
    """The text with a word in brackets for each personal datum; what stands in `public` word for word stays.

    `public` are the company's own documents, whose addresses and numbers are meant to be told. Order numbers, prices
    and dates stay: a card number has to pass the check of Luhn, an account number that of its country (ISO 7064), and
    a phone number has to be valid and either be grouped like one or be announced as one.
    """
    found: list[Span] = []
    for start, end, kind in _spans(text):
        if text[start:end] not in public and not any(start < b and a < end for a, b, _ in found):
            found.append((start, end, kind))
    for start, end, kind in sorted(found, reverse=True):
        text = f"{text[:start]}{MASKS[kind]}{text[end:]}"
    return text


def _spans(text: str) -> Iterator[Span]:
    """What may be personal, surest first."""
    for match in EMAIL.finditer(text):
        yield match.start(), match.end(), "email"
    for match in IBAN.finditer(text):
        if end := _iban_end(match[0]):
            yield match.start(), match.start() + end, "iban"
    for match in CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match[0])):
            yield match.start(), match.end(), "card"
    yield from _phones(text)


def _iban_end(text: str) -> int:
    """How long the account number at the start of `text` is: words behind it may look like more of it; 0 for none."""
    for end in range(len(text), 14, -1):
        if text[end - 1] != " " and iban.is_valid(text[:end]):
            return end
    return 0


def _phones(text: str) -> Iterator[Span]:
    for region in REGIONS:
        leniency = phonenumbers.Leniency.VALID if region is None else phonenumbers.Leniency.STRICT_GROUPING
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency):
            if region is None or SEPARATED.search(match.raw_string) or CALLED.search(text[: match.start]):
                yield match.start, match.end, "phone"
