"""A question in parts: what is looked up, and how the findings are put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence import SimilarityReader
from bot.gather import gather, question_parts
from bot.head_reader import HeadReader
from knowledge.embedder import HashEmbedder
from knowledge.reader import WordReader
from tests.stories import retrieved

RETURNS = retrieved("Kettles can be returned within 45 days. Gift cards cannot be returned.", source="returns.md")
EXPRESS = retrieved("Express delivery costs $9.95. Parcels are tracked.", title="Shipping", source="shipping.md")


class Shelf:
    """Hands out the passages that share a long word with the query, and remembers the queries."""

    def __init__(self, *passages):
        self.passages = passages
        self.asked = []

    def retrieve(self, query, top_k=5):
        self.asked.append(query)
        words = {word for word in query.lower().strip("?.").split() if len(word) > 4}
        return [p for p in self.passages if any(word in p.chunk.text.lower() for word in words)][:top_k]


def head_reader():
    return HeadReader(WordReader(), SimilarityReader(HashEmbedder()))


def test_one_question_is_looked_up_as_it_is():
    """The reader sees the passages for the message, and its best sentence comes first."""
    shelf = Shelf(RETURNS, EXPRESS)
    choice = gather("How much is express delivery?", shelf, head_reader())

    assert shelf.asked == ["How much is express delivery?"]
    assert choice.evidence[0].sentence.plain == "Express delivery costs $9.95."
    assert choice.passages[choice.evidence[0].passage].document.source == "shipping.md"


def test_two_questions_in_one_message_are_looked_up_one_by_one():
    """Each part brings its own evidence, and both documents are cited."""
    shelf = Shelf(RETURNS, EXPRESS)
    choice = gather("How much is express delivery, and can gift cards be returned?", shelf, head_reader())

    assert set(shelf.asked) == {"How much is express delivery", "can gift cards be returned?"}
    assert {source.chunk.document.source for source in choice.sources} == {"shipping.md", "returns.md"}


def test_small_talk_before_a_question_does_not_hide_it():
    """The question alone is searched as well as the whole message."""
    shelf = Shelf(RETURNS, EXPRESS)
    choice = gather("My mum loves mixers. How much is express delivery?", shelf, head_reader())

    assert shelf.asked == ["My mum loves mixers. How much is express delivery?", "How much is express delivery?"]
    assert [p.document.source for p in choice.passages] == ["shipping.md"]


def test_nothing_retrieved_gives_an_empty_choice():
    """No passages, no evidence, no chance."""
    choice = gather("How tall is the tower?", Shelf(), head_reader())

    assert (choice.passages, choice.evidence, choice.answers) == ((), (), 0.0)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("How long can I return it?", [("How long can I return it?", "")]),
        (
            "I bought a kettle. How long can I return it?",
            [("I bought a kettle. How long can I return it?", "How long can I return it?")],
        ),
        ("What does it cost and when?", [("What does it cost and when?", "")]),
        (
            "Do you ship abroad? How much is express shipping?",
            [
                ("Do you ship abroad?", "Do you ship abroad?"),
                ("How much is express shipping?", "How much is express shipping?"),
            ],
        ),
        (
            "Thinking about the Lark, how much is it and how much water fits in",
            [
                ("Thinking about the Lark, how much is it", "how much is it"),
                ("Thinking about the Lark, how much water fits in", "how much water fits in"),
            ],
        ),
        ("return my kettle", [("return my kettle", "")]),
    ],
)
def test_each_question_of_a_message_keeps_its_story(message, parts):
    """Parts of fewer than four words say nothing without the rest; the core is the question without the story."""
    assert question_parts(message) == parts


def test_a_follow_up_is_never_taken_apart():
    """Its standalone form holds two questions, but only one is asked."""
    shelf = Shelf(RETURNS, EXPRESS)
    gather("And gift cards?", shelf, head_reader(), "How much is express delivery? And gift cards?")

    assert shelf.asked == ["How much is express delivery? And gift cards?"]


@given(st.text(max_size=200))
def test_any_message_has_at_least_one_part(message):
    """Whatever is typed, something is looked up."""
    assert question_parts(message)
