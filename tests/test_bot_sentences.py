"""Sentences of a Markdown text, with offsets that can be trusted."""

from hypothesis import given
from hypothesis import strategies as st

from bot.sentences import plain, split_sentences

POLICY = """Small appliances can be returned
within 45 days. Opened items, e.g. kettles, cost a fee of $5.

## How to

1. Sign in to **your** account.
2. Open [Orders](https://shop.example/orders).
   Pick the item.

- Bring the receipt. Cash is refunded in store.

| Product | Price |
|---|---|
| Kettle K1 | 39.90 |
"""


def test_a_text_is_cut_into_sentences_steps_items_and_rows():
    """Each kind of line becomes what a person would quote."""
    found = [(s.kind, s.plain) for s in split_sentences(POLICY)]

    assert found == [
        ("sentence", "Small appliances can be returned within 45 days."),
        ("sentence", "Opened items, e.g. kettles, cost a fee of $5."),
        ("step", "Sign in to your account."),
        ("step", "Open Orders. Pick the item."),
        ("item", "Bring the receipt."),
        ("item", "Cash is refunded in store."),
        ("row", "Product: Kettle K1; Price: 39.90"),
    ]


def test_plain_drops_marks_and_keeps_what_is_read():
    """Bold, code, link and image syntax go; names with underscores stay."""
    assert plain("**Set** `a_b` in [the *menu*](https://x.example/y) ![logo](l.png)") == "Set a_b in the menu"


def test_a_heading_alone_has_no_sentence():
    """Headings are context, not something to quote."""
    assert split_sentences("# Returns\n\n---\n<!-- page 2 -->\n") == []


@given(st.text(alphabet="ab1 .!?\n-*|#[]()", max_size=300))
def test_every_sentence_is_a_verbatim_piece_of_the_text(text):
    """Offsets point at the very characters that are quoted, in order, without overlap."""
    end = 0
    for sentence in split_sentences(text):
        assert text[sentence.start : sentence.end] == sentence.verbatim
        assert sentence.start >= end
        end = sentence.end
