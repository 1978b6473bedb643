"""Values that an answer may not invent or lose."""

import pytest

from bot.values import find_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("You have 45 days.", {"45"}),
        ("a 45-day period of forty-five", {"45", "40", "5"}),
        ("sixty days", {"60"}),
        ("$1,000.00 or 10 %", {"1000", "10"}),
        ("from 3 March 2026", {"3", "mar", "2026"}),
        ("You may return it.", set()),
        ("Write to help@shop.example.", {"help@shop.example"}),
        ("See https://shop.example/returns.", {"https://shop.example/returns"}),
        ("Call +44 20 7946 0958.", {"442079460958"}),
        ("230V and 1.50", {"230", "1.5"}),
    ],
)
def test_values_are_found_in_one_form(text, values):
    """Different ways to write a value give the same string."""
    assert find_values(text) == values


def test_marks_and_step_numbers_are_no_values():
    """Citations and the numbers of a list belong to the layout."""
    assert find_values("1. Sign in. [1]\n2. Wait 3 days. [12]") == {"3"}
