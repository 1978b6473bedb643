"""The fact bank: every slot of every text has a value."""

import random

import pytest

from tone_tuning.fact_bank import draw_company, draw_values, fill, has_steps, read_topics

TOPICS = read_topics()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.id)
def test_every_text_of_a_topic_can_be_filled(topic):
    """Titles, wordings, questions and answers hold no slot without a value, not even inside a value."""
    draw = random.Random(1)
    values = draw_values(topic, draw_company(draw), draw)
    texts = [*topic.titles, *topic.near_misses]
    for fact in topic.facts:
        texts += [*fact.doc, *fact.questions, *fact.elliptical, *fact.answers, *fact.acknowledge]

    assert not [text for text in texts if "{" in fill(text, values)]


def test_the_same_draw_gives_the_same_values():
    """Practice data can be made again."""
    first, second = (draw_values(TOPICS[0], draw_company(random.Random(3)), random.Random(3)) for _ in range(2))

    assert first == second


def test_a_procedure_has_at_least_two_numbered_lines():
    """One number is no list."""
    assert has_steps("Do this:\n1. Sign in.\n2. Wait.")
    assert not has_steps("1. Sign in.")
    assert not has_steps("Version 2. is out.")
