"""Personal data is taken out of what is kept; order numbers, prices and the company's own addresses stay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from bot.personal_data import redact


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to ann.lee+shop@mail.example.co.uk please", "write to [email] please"),
        ("I'm at +44 20 7946 0142, thanks", "I'm at [phone], thanks"),
        ("call (212) 555-2368 after 5", "call [phone] after 5"),
        ("my mobile is 07911 123456.", "my mobile is [phone]."),
        ("my card 4111 1111 1111 1111 was charged", "my card [card] was charged"),
        ("4111-1111-1111-1111", "[card]"),
        ("refund to DE89 3704 0044 0532 0130 00 today", "refund to [account] today"),
        ("GB82WEST12345698765432", "[account]"),
        ("a@b.example and c@d.example", "[email] and [email]"),
    ],
)
def test_what_is_personal_is_replaced_by_what_it_was(text, kept):
    """The rest of the sentence stays readable."""
    assert redact(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "order WR12345678 of 3 March 2026", "I paid $1,249.00 on 2026-03-03 at 10:30", "model WK-170, serial 4020 1187",
        "room 12, 3rd floor, 45 days, 2,200 watts", "the order 4111111111111112 has sixteen digits",
        "my order 2125552368 is late", "version 10.11.12.13", "GB82 WEST 1234 5698 7654 33", "tracking 00340434161094",
        "", "@", "a@b",
    ],
)  # fmt: skip
def test_other_numbers_stay(text):
    """An order number, a price, a date, a number with a wrong check digit."""
    assert redact(text) == text


def test_a_bare_number_counts_where_it_is_announced_as_a_phone():
    """Ten digits alone may be an order."""
    assert redact("my phone is 2125552368") == "my phone is [phone]"


def test_the_companys_own_addresses_stay():
    """Those that stand in its documents, in an answer that cites them."""
    answer = "Write to help@wrenfield.example or call +44 20 7946 0142, and give us bob@mail.example."

    assert redact(answer, "Contact: help@wrenfield.example, +44 20 7946 0142") == (
        "Write to help@wrenfield.example or call +44 20 7946 0142, and give us [email]."
    )


digits = st.text("0123456789", min_size=12, max_size=18)


@settings(deadline=None)
@given(number=digits, before=st.text("abc .,", max_size=9), after=st.text("abc .,", max_size=9))
def test_every_card_number_goes(number, before, after):
    """Whatever stands around it."""
    card = number + luhn.calc_check_digit(number)
    assert card not in redact(f"{before} {card} {after}")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200))
def test_what_was_redacted_once_is_redacted(text):
    """Twice is the same as once, for any text."""
    once = redact(text)
    assert redact(once) == once
