"""Markdown -> passages that respect headings, lists and tables, each with its place."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.blocks import INSIDE, LIST, PAGE, STEP, UNDERLINE, first_title, read_blocks
from knowledge.embedder import HashEmbedder
from knowledge.splitter import MAX_CHARACTERS, MAX_TOKENS, split

count_tokens = HashEmbedder().count_tokens
POLICY = """Welcome to the help pages.

# Returns

You have 45 days.

## How to return

To send it back:

1. Sign in to your account.
2. Print the label.

## Refunds ##

<!-- page 2 -->

Money comes back within 5 days.
"""


def texts(markdown, **limits):
    return [piece.text for piece in split(markdown, count_tokens, **limits)]


def test_what_stands_under_one_heading_on_one_page_is_a_piece():
    """Each piece knows its headings, its page and its place in the text."""
    pieces = split(POLICY, count_tokens)

    assert [(piece.heading_path, piece.page, piece.text) for piece in pieces] == [
        ((), None, "Welcome to the help pages."),
        (("Returns",), None, "You have 45 days."),
        (
            ("Returns", "How to return"),
            None,
            "To send it back:\n\n1. Sign in to your account.\n2. Print the label.",
        ),
        (("Returns", "Refunds"), 2, "Money comes back within 5 days."),
    ]
    assert all(POLICY[piece.start : piece.end] == piece.text for piece in pieces)


def test_the_limits_hold_by_default():
    """A passage fits the embedder with its headings, and four of them fit the prompt of a small model."""
    pieces = split("# A\n\n" + "Some words of a sentence. " * 400 + "\n\n- item\n" * 300, count_tokens)

    assert all(len(piece.text) <= MAX_CHARACTERS and count_tokens(piece.text) <= MAX_TOKENS for piece in pieces)


def test_a_long_section_is_cut_into_even_pieces_between_paragraphs():
    """Not one full piece and a crumb."""
    paragraphs = [f"Paragraph {n} has exactly eight words in it." for n in range(9)]
    pieces = texts("\n\n".join(paragraphs), max_characters=300)

    assert [piece.count("Paragraph") for piece in pieces] == [5, 4]
    assert "\n\n".join(pieces) == "\n\n".join(paragraphs)


def test_a_cut_goes_before_a_paragraph_rather_than_into_a_list():
    """Even though the halves would be more even otherwise."""
    items = "\n".join(f"- item number {n}" for n in range(5))

    assert texts(f"First paragraph of a few more words here.\n\nSecond one:\n\n{items}", max_characters=110) == [
        "First paragraph of a few more words here.",
        f"Second one:\n\n{items}",
    ]


@pytest.mark.parametrize("line", ["To send it back:", "**Steps:**", "__How it works__", "The boxes are *these:*"])
def test_a_line_that_announces_stays_with_what_it_announces(line):
    """A list without the line before it does not say what it lists."""
    text = f"{'Words before it. ' * 4}\n\n{line}\n\n1. First step here.\n2. Second step here."

    assert any(f"{line}\n\n1. First step" in piece for piece in texts(text, max_characters=90))


def test_a_continued_item_stays_with_its_item():
    """An indented line or paragraph belongs to the step above it."""
    text = "1. Open the menu\nand wait there.\n\n   A minute.\n2. Close the menu again."

    assert [block.glue for block in read_blocks(text)] == [LIST, INSIDE, STEP]
    assert texts(text, max_characters=52) == [
        "1. Open the menu\nand wait there.\n\n   A minute.",
        "2. Close the menu again.",
    ]


def test_a_table_is_not_cut_unless_it_must_be():
    """One that fits stays whole, whatever stands around it; a larger one is cut between rows."""
    table = "| A | B |\n|---|---|\n" + "\n".join(f"| cell {n} | value {n} |" for n in range(8))
    around = f"{'Words before it. ' * 10}\n\n{table}\n\n{'Words after it. ' * 10}"

    assert any(table in piece for piece in texts(around, max_characters=300))
    assert "\n".join(texts(table, max_characters=100)) == table


def test_code_is_one_block_and_its_signs_mean_nothing():
    """A comment in a shell script is no heading; a fence that never ends takes the rest."""
    text = "# Setup\n\n```\n# not a heading\n\n- not an item\n```\n\nAfter.\n\n~~~\n# still open"

    assert [(block.path, text[block.start : block.end]) for block in read_blocks(text)] == [
        (("Setup",), "```\n# not a heading\n\n- not an item\n```"),
        (("Setup",), "After."),
        (("Setup",), "~~~\n# still open"),
    ]


def test_a_full_stop_in_a_row_or_in_code_is_no_place_to_cut():
    """Lines of tables and code stay whole wherever they fit, unlike those of a paragraph."""
    rows = [f"| Plan {n} | Costs {n} euros. Paid each month. |" for n in range(12)]
    code = [f"run {n}. then wait {n}. stop" for n in range(12)]

    for lines in (["| A | B |", "|---|---|", *rows], ["```", *code, "```"]):
        pieces = texts("\n".join(lines), max_characters=100)
        assert [line for piece in pieces for line in piece.split("\n")] == lines


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("# Returns", ("Returns",)),
        ("   ### Returns ###", ("Returns",)),
        ("Returns\n=======", ("Returns",)),
        ("# **Returns** [now](x.md) {#id} `v2`", ("Returns now v2",)),
        ("# C#", ("C#",)),
        ("#hashtag", ()),
        ("####### seven", ()),
        ("# " + "long " * 100, ()),
        ("two lines\nof text\n---", ()),
    ],
)
def test_what_is_a_heading_and_how_it_reads(line, path):
    """Marks, anchors and addresses go; a hashtag, a rule and a line of 300 characters are no headings."""
    assert split(f"{line}\n\nText.", count_tokens)[-1].heading_path == path


def test_a_heading_with_nothing_under_it_is_a_piece_itself():
    """Else its words could not be found; one with a subheading under it is not repeated."""
    assert texts("# A\n\n## B\n\ntext\n\n## C\n\n# D") == ["text", "## C", "# D"]


def test_equal_headings_do_not_run_together():
    """Two sections of one name are two places."""
    assert texts("## Note\n\none\n\n## Note\n\ntwo") == ["one", "two"]


def test_a_sentence_is_cut_only_where_nothing_else_fits():
    """After a sentence, else after a word, else inside of one."""
    assert texts("First sentence here. Second sentence here.", max_characters=30) == [
        "First sentence here.",
        "Second sentence here.",
    ]
    assert texts("several words without a stop", max_characters=15) == ["several words", "without a stop"]
    assert texts("unbreakable", max_characters=6) == ["unbrea", "kable"]


@pytest.mark.parametrize("text", ["", " \n\n ", "<!-- page 3 -->\n\n<!-- page 4 -->"])
def test_nothing_gives_no_pieces(text):
    """White space and page marks are not quoted."""
    assert texts(text) == []


def test_senseless_limits_give_single_characters_not_an_endless_loop():
    """A limit under one counts as one."""
    assert texts("ab c", max_characters=0, max_tokens=-5) == ["a", "b", "c"]


def test_the_first_title_is_the_first_heading_of_the_first_level():
    """As a person reads it; empty ones do not count."""
    assert first_title("#\n\n## B\n\ntext\n\n# **A** title #\n\n# Second") == "A title"
    assert first_title("## B\n\ntext") == ""


markdowns = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            ["# A", "## B ##", "Title\n===", "x\n---", "- item", "  1. sub", "| a | b |", "|---|---|", "```", "~~~",
             "<!-- page 2 -->", "**Steps:**", "    code", "Some words. More words! " * 6, "wordwithoutend" * 8],
        ),
    ),
    max_size=25,
).flatmap(lambda lines: st.sampled_from(["\n", "\n\n"]).map(lambda end: end.join(lines)))  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(markdowns, st.integers(1, 80), st.integers(1, 300))
def test_pieces_are_verbatim_in_order_and_within_the_limits(text, max_tokens, max_characters):
    """Each equals the text at its offsets, none overlaps the one before, none is blank or too long."""
    end = 0
    for piece in split(text, count_tokens, max_tokens, max_characters):
        assert text[piece.start : piece.end] == piece.text
        assert piece.start >= end
        assert piece.text == piece.text.strip() != ""
        assert len(piece.text) <= max_characters
        assert count_tokens(piece.text) <= max_tokens
        end = piece.end


@settings(deadline=None, max_examples=300)
@given(markdowns, st.integers(1, 300))
def test_nothing_is_lost_but_headings_page_marks_and_white_space(text, max_characters):
    """What lies between two pieces is one of these."""
    end = 0
    gaps = []
    for piece in split(text, count_tokens, max_characters=max_characters):
        gaps.append(text[end : piece.start])
        end = piece.end
    for gap in [*gaps, text[end:]]:
        lines = [line for line in gap.split("\n") if line.strip()]
        underlined = {n for n, line in enumerate(lines) if UNDERLINE.match(line)}
        for number, line in enumerate(lines):
            is_heading = re.match(r" {0,3}#{1,6}([ \t]|$)", line) or {number, number + 1} & underlined
            assert is_heading or PAGE.match(line), line


@settings(deadline=None)
@given(markdowns)
def test_every_heading_of_a_piece_stands_before_it(text):
    """A path is made of headings that were read, not of words of the passage."""
    for piece in split(text, count_tokens):
        for title in piece.heading_path:
            assert title.split()[0].strip("#") in text[: piece.start] + piece.text
