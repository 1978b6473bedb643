"""Metrics and their intervals, against figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer import Answer, Citation, Outcome
from bot.golden import GoldenQuestion
from bot.metrics import bootstrap, judge, normalise, rate, summarise, unsupported_values


def golden(**changes):
    fields = dict(id="q", type="lookup", question="How long?", answerable=True, gold_docs=("returns.md",),
                  must_contain=(("45 days", "forty-five"),), must_not_contain=("30 days",))  # fmt: skip
    return GoldenQuestion(**{**fields, **changes})


def answer(
    text="You have 45 days. [1]", outcome=Outcome.ANSWERED, documents=("returns.md",), passage="You have 45 days."
):
    citations = tuple(
        Citation(n, name, "id", "T", "", 1, "2026-11-24", 0, len(passage), passage, ((0, 5),), "/x")
        for n, name in enumerate(documents, 1)
    )
    return Answer("a", "How long?", "How long?", outcome, text, text, citations, (), 1.0, 0.9)


def test_an_answer_is_correct_when_it_says_what_it_must_and_nothing_it_must_not():
    """One alternative of each group, none of the forbidden strings."""
    assert judge(golden(), answer()).correct
    assert judge(golden(), answer("Forty-five days it is. [1]")).correct
    assert not judge(golden(), answer("You have some days. [1]")).correct
    assert not judge(golden(), answer("You have 45 days, not 30 days. [1]")).correct


def test_pasting_passages_is_not_answering():
    """More than 120 words are wrong, 200 where a procedure is asked for."""
    long = answer("45 days " + "word " * 130)

    assert not judge(golden(), long).correct
    assert judge(golden(type="procedure"), long).correct


def test_an_unanswerable_question_is_right_when_declined():
    """And an answerable one is wrong then."""
    declined = answer("I couldn't find that.", Outcome.ABSTAINED, ())

    assert judge(golden(answerable=False, must_contain=()), declined).correct
    assert not judge(golden(), declined).correct


def test_one_right_citation_is_enough_but_multi_wants_all():
    """`gold_docs` are alternatives, except where several documents are needed."""
    both = golden(type="multi", gold_docs=("returns.md", "shipping.md"))

    assert judge(golden(gold_docs=("x.md", "returns.md")), answer()).cited_right
    assert not judge(both, answer()).cited_right
    assert judge(both, answer(documents=("returns.md", "shipping.md"))).cited_right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("You have 45 days. [1]", ()),
        ("1. Wait 45 days.\n2. Call.", ()),
        ("You have 60 days. [1]", ("60",)),
        ("Write to x@shop.example within 45 days.", ("x@shop.example",)),
        ("It costs $1,000 or 45.", ("1,000",)),
    ],
)
def test_values_that_no_cited_passage_has_are_unsupported(text, found):
    """Citation marks and step numbers are no values."""
    assert unsupported_values(text, answer(text)) == found


def test_text_is_compared_in_one_form():
    """Typographic quotes and dashes, white space, case and marks make no difference."""
    assert normalise("Don’t  wait\u00a0– now [2].") == "don't wait - now."


def test_a_rate_has_its_wilson_interval():
    """8 of 10: Wilson 1927 gives 0.490 to 0.943."""
    found = rate(8, 10)

    assert found["value"] == 0.8
    assert (round(found["low"], 3), round(found["high"], 3)) == (0.490, 0.943)
    assert rate(0, 0) == {"value": None, "n": 0, "low": None, "high": None}


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_a_bootstrap_interval_holds_its_value_and_repeats(values):
    """The same values give the same interval, around the mean."""
    found = bootstrap(values, rounds=200)

    assert found == bootstrap(values, rounds=200)
    assert min(values) - 1e-9 <= found["low"] <= found["high"] <= max(values) + 1e-9


def test_the_summary_counts_refusals_both_ways():
    """Precision: declined ones that are unanswerable; recall: unanswerable ones that were declined."""
    declined = answer("I couldn't find that.", Outcome.ABSTAINED, ())
    rows = [
        judge(golden(), answer()),
        judge(golden(), declined),
        judge(golden(answerable=False), declined),
        judge(golden(answerable=False), answer()),
    ]
    found = summarise(rows)

    assert (found["refusal_precision"]["value"], found["refusal_recall"]["value"]) == (0.5, 0.5)
    assert found["correctness"] == rate(1, 2)
