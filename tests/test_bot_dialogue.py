"""Follow-ups: when the question before is needed to understand this one."""

import pytest

from bot.dialogue import recent_turns, standalone_question

HISTORY = [
    {"role": "user", "content": "How long can I return a kettle?"},
    {"role": "assistant", "content": "You have 45 days. [1]"},
]


@pytest.mark.parametrize(
    "question", ["And for sale items?", "what about gift cards", "Is that also true for grinders?", "why?"]
)
def test_an_elliptical_question_gets_the_one_before_it(question):
    """Openings like "and", words that point, and questions of hardly a word lean on the turn before."""
    assert standalone_question(question, HISTORY) == f"How long can I return a kettle? {question.strip()}"


@pytest.mark.parametrize(
    "question",
    [
        "How much is express shipping to Leeds?",
        "Do you repair coffee machines from other brands?",
        "is there parking at the store",
    ],
)
def test_a_whole_question_is_left_alone(question):
    """A new subject must not be searched together with the old one."""
    assert standalone_question(question, HISTORY) == question


def test_without_history_there_is_nothing_to_add():
    """The first question stands as it is, however short."""
    assert standalone_question("why?", []) == "why?"


def test_the_writer_sees_the_last_turns_beginning_with_the_customer():
    """An assistant turn without its question would be half a thought."""
    turns = [{"role": role, "content": str(n)} for n, role in enumerate(["user", "assistant"] * 4)][:-1]
    kept = recent_turns(turns)

    assert kept[0]["role"] == "user"
    assert [turn["content"] for turn in kept] == ["4", "5", "6"]
