"""Answer or abstain, from signals alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.decision import THRESHOLD, Signals, confidence, read_signals
from bot.evidence import Choice, Evidence
from bot.sentences import split_sentences
from tests.stories import retrieved

CHANCES = st.floats(0, 1)


def choice_of(text, answers=0.9, score=0.8):
    return Choice((retrieved(text),), (Evidence(split_sentences(text)[0], 0, score),), answers)


@pytest.mark.parametrize("has_head", [True, False])
def test_strong_signals_answer_and_weak_ones_abstain(has_head):
    """Everything in favour is above the threshold, everything against it below."""
    assert confidence(Signals(0.98, 0.95, 0.75, 1.0, has_head)) > THRESHOLD
    assert confidence(Signals(0.02, 0.10, 0.15, 0.1, has_head)) < THRESHOLD


def test_nothing_found_is_no_confidence():
    """Without passages or evidence there is nothing to say."""
    assert confidence(read_signals("How long?", Choice((), ()))) == 0.0
    assert confidence(read_signals("How long?", Choice((retrieved("Some text."),), ()))) == 0.0


def test_signals_are_read_from_the_best_passage():
    """The share of the question's words counts title and headings too."""
    signals = read_signals("Can I return a kettle?", choice_of("A kettle can go back within 45 days."))

    assert signals.answers == 0.9
    assert signals.evidence == 0.8
    assert signals.words == 1.0
    assert signals.has_head


def test_a_reader_without_a_head_has_no_chance_of_its_own():
    """Then other weights decide."""
    assert not read_signals("Can I return it?", choice_of("Yes.", answers=None)).has_head


@given(CHANCES, CHANCES, CHANCES, CHANCES, st.booleans())
def test_confidence_is_a_chance_that_never_falls_with_better_evidence(answers, evidence, passage, words, has_head):
    """0 to 1, and more evidence is no reason to doubt."""
    signals = Signals(answers, evidence, passage, words, has_head)

    assert 0.0 <= confidence(signals) <= 1.0
    assert confidence(replace(signals, evidence=min(1.0, evidence + 0.1))) >= confidence(signals)
