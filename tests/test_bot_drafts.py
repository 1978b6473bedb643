"""A streamed draft, cut into units as soon as each is complete."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.drafts import cut_units

DRAFT = (
    "Good question.\n\nYou have 45 days, e.g. for kettles. [1] It is free. [2]\n"
    "1. Sign in.\n2. Wait. [1]\n\nAnything else?"
)


def test_marks_stay_with_the_sentence_before_them():
    """Greeting, two claims, two steps and the closing line come out as six units."""
    units = list(cut_units([DRAFT]))

    assert [(u.body, u.marks, u.step) for u in units] == [
        ("Good question.", (), False),
        ("You have 45 days, e.g. for kettles.", (1,), False),
        ("It is free.", (2,), False),
        ("Sign in.", (), True),
        ("Wait.", (1,), True),
        ("Anything else?", (), False),
    ]
    assert units[0].ends_paragraph and not units[1].ends_paragraph


def test_a_unit_is_released_before_the_draft_ends():
    """The first sentence is ready when the second one begins."""
    pieces = iter(["Good question.", "\n\nYou", " have 45 days."])
    first = next(cut_units(pieces))

    assert first.body == "Good question."
    assert next(pieces) == " have 45 days."


@given(st.lists(st.integers(1, len(DRAFT) - 1), max_size=12))
def test_how_the_draft_is_cut_into_pieces_does_not_matter(cuts):
    """Tokens of any length give the same units."""
    edges = sorted({0, *cuts, len(DRAFT)})
    pieces = [DRAFT[a:b] for a, b in pairwise(edges)]

    assert list(cut_units(pieces)) == list(cut_units([DRAFT]))


def test_an_empty_draft_has_no_units():
    """White space and lone marks are nothing to say."""
    assert list(cut_units(["", " \n", "[1]"])) == []
