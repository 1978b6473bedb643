"""Retrieval metrics, against values worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.evaluate import (
    METRICS,
    Label,
    RetrievalReport,
    Scores,
    distinct_documents,
    has_expected_words,
    ndcg,
    reciprocal_rank,
    report,
    score,
)

TEXTS = {"a.md": "Kettles may be returned within 45 days.", "b.md": "We ship on Monday.", "c.md": "Open at nine."}


def label(*documents, words=()):
    return Label("q", "How long?", frozenset(documents), words)


def test_a_question_is_scored_on_documents_and_words():
    """The gold document comes second of two: rank 1/2, nDCG 1/log2(3), and its words are read."""
    found = [("b.md", TEXTS["b.md"]), ("b.md", "More."), ("a.md", TEXTS["a.md"])]

    scores = score(label("a.md", words=(("45 days", "forty-five"),)), found, TEXTS)

    assert scores == Scores("q", 0.0, 1.0, 0.5, 1 / math.log2(3), 1.0, 1.0)


def test_a_report_asks_every_question_and_means_over_them():
    """Two questions, one answered at rank 1 and one not at all, give one half of everything."""
    found = {"a?": [("a.md", TEXTS["a.md"])], "b?": [("c.md", TEXTS["c.md"])]}
    labels = [Label("1", "a?", frozenset({"a.md"}), (("45",),)), Label("2", "b?", frozenset({"b.md"}), (("monday",),))]

    result = report(labels, found.__getitem__, TEXTS)

    assert [result.mean(metric) for metric in METRICS] == [0.5] * 6
    assert result.values("mrr") == [1.0, 0.0]


def test_documents_count_once_in_the_order_of_their_best_passage():
    """Five passages of three documents are three documents."""
    assert distinct_documents([(name, "") for name in "bcbac"]) == ["b", "c", "a"]


@pytest.mark.parametrize(("ranked", "expected"), [("abc", 1.0), ("bca", 1 / 3), ("bcd", 0.0), ("", 0.0)])
def test_reciprocal_rank(ranked, expected):
    """One over the place of the first gold document."""
    assert reciprocal_rank(list(ranked), frozenset("a")) == expected


@pytest.mark.parametrize(
    ("ranked", "gold", "k", "expected"),
    [
        ("abc", "a", 10, 1.0),
        ("bac", "a", 10, 1 / math.log2(3)),
        ("axb", "ab", 10, 1.5 / (1 + 1 / math.log2(3))),
        ("xab", "ab", 2, (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
        ("ab", "abc", 2, 1.0),
        ("xyz", "a", 10, 0.0),
        ("abc", "", 10, 0.0),
    ],
)
def test_ndcg(ranked, gold, k, expected):
    """Binary gains, log2(1 + rank); no more gold documents are expected than fit into k."""
    assert ndcg(list(ranked), frozenset(gold), k) == pytest.approx(expected)


def test_the_fifth_document_is_a_hit_in_five_and_the_sixth_is_not():
    """The border of recall at 5, by distinct documents."""
    found = [(name, "") for name in "bbcdefa"]

    assert score(label("f"), found, {}).recall_at_5 == 1.0
    assert score(label("a"), found, {}).recall_at_5 == 0.0


def test_only_the_first_ten_passages_count():
    """A gold document in the eleventh passage is not found."""
    found = [("b.md", "")] * 10 + [("a.md", "")]

    assert score(label("a.md"), found, TEXTS) == Scores("q", 0.0, 0.0, 0.0, 0.0, None, None)


def test_expected_words_stand_in_the_first_five_passages():
    """The sixth passage is not read for words, though its document counts."""
    found = [("b.md", "no")] * 5 + [("a.md", TEXTS["a.md"])]

    assert score(label("a.md", words=(("45",),)), found, TEXTS).expected_words == 0.0


def test_words_in_budget_are_counted_over_all_passages():
    """Word 400 is read, word 401 is not, wherever the passages end."""
    words = (("45 days",),)
    inside = [("b.md", "so " * 199), ("b.md", "so " * 199), ("a.md", "45 days")]
    outside = [("b.md", "so " * 200), ("b.md", "so " * 199), ("a.md", "45 days")]

    assert score(label("a.md", words=words), inside, TEXTS).expected_words_in_budget == 1.0
    assert score(label("a.md", words=words), outside, TEXTS).expected_words_in_budget == 0.0
    assert score(label("a.md", words=words), outside, TEXTS).expected_words == 1.0


def test_words_of_several_passages_add_up():
    """Every group needs one alternative somewhere in the passages, not all in one."""
    groups = [["45 days", "forty-five"], ["monday"]]

    assert has_expected_words(["45 days", "on Monday"], groups, ["45 days; on monday"]) == 1.0
    assert has_expected_words(["45 days"], groups, ["45 days; on monday"]) == 0.0


def test_a_group_that_no_gold_document_has_is_left_out():
    """A plain "no," is the writer's word; with no other group the metric does not apply."""
    assert has_expected_words(["45 days"], [["no,"], ["45"]], ["45 days"]) == 1.0
    assert has_expected_words(["45 days"], [["no,"]], ["45 days"]) is None
    assert has_expected_words(["45 days"], [], ["45 days"]) is None


def test_words_are_compared_in_the_form_the_caller_wants():
    """Both sides go through the same function."""
    assert has_expected_words(["Don’t"], [["don't"]], ["don't"], lambda text: text.lower().replace("’", "'")) == 1.0


def test_questions_a_metric_does_not_apply_to_are_not_in_its_mean():
    """None is neither a hit nor a miss."""
    rows = RetrievalReport((Scores("1", 1, 1, 1, 1, None, None), Scores("2", 1, 1, 1, 1, 0.0, 0.0)))

    assert rows.values("expected_words") == [0.0]
    assert RetrievalReport(()).mean("mrr") is None


def test_a_metric_that_does_not_exist_is_refused():
    """A typing error does not become an empty column."""
    with pytest.raises(AttributeError):
        RetrievalReport((Scores("1", 1, 1, 1, 1, None, None),)).values("recall_at_7")


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.frozensets(st.sampled_from("abcdef")))
def test_values_stay_between_nothing_and_all(ranked, gold):
    """Whatever is found, and 1 exactly when nothing but gold stands on top of any gold."""
    value = ndcg(ranked, gold, 10)

    assert 0.0 <= value <= 1.0 + 1e-9
    assert (value > 1 - 1e-9) == (bool(gold) and set(ranked[: len(gold)]) == gold)
