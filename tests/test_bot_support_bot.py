"""The whole way of one question, on the shipped fakes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.answer import Answer, Outcome
from bot.errors import QuestionError
from bot.evidence import SimilarityReader
from bot.head_reader import HeadReader
from bot.support_bot import ABSTAIN, LONGEST_QUESTION, SupportBot
from bot.times import day_of, read_as_of
from knowledge.audiences import CUSTOMER, STAFF
from knowledge.embedder import HashEmbedder
from knowledge.reader import WordReader
from tests.stories import NOON, retrieved
from tone_tuning.errors import BaseModelError
from tone_tuning.language_model import ScriptedModel

RETURNS = retrieved("Small kettles can be returned within 45 days of delivery. Gift cards cannot be returned.", start=7)
QUESTION = "When can small kettles be returned?"
DRAFT = "Happy to help.\n\nSmall kettles can be returned within 45 days of delivery. [1]\n\nAnything else?"


class Shelf:
    """A retriever that always finds the same passages, and keeps for when and whom it was asked."""

    def __init__(self, *passages):
        self.passages = passages
        self.scopes = []

    def within(self, as_of, audiences):
        self.scopes.append((as_of, audiences))
        return self

    def retrieve(self, query, top_k=5):
        return list(self.passages)[:top_k]


class Notebook:
    """A log in memory."""

    def __init__(self):
        self.answers = []

    def add(self, answer):
        self.answers.append(answer)


def bot_with(draft=DRAFT, passages=(RETURNS,), model=None, degraded=tuple):
    writer = model or ScriptedModel([draft], adapter="v0001")
    reader = HeadReader(WordReader(), SimilarityReader(HashEmbedder()))
    shelf = Shelf(*passages)
    return SupportBot(shelf, reader, lambda: writer, Notebook(), degraded=degraded, clock=lambda: NOON), writer


def test_an_answer_is_written_checked_cited_and_logged():
    """The customer sees the draft, its citation is verbatim, and one row is kept."""
    bot, writer = bot_with()
    answer = bot.ask(QUESTION)

    assert answer.outcome is Outcome.ANSWERED
    assert answer.text == DRAFT
    assert (answer.adapter, answer.model, answer.wrote) == ("v0001", "scripted", 1.0)
    (citation,) = answer.citations
    assert citation.passage == RETURNS.chunk.text
    start, end = citation.sentences[0]
    assert citation.passage[start - citation.start : end - citation.start].startswith("Small kettles")
    assert bot.log.answers == [answer]
    assert "Sources:\n[1] Returns\nSmall kettles" in writer.asked[0][-1]["content"]


def test_the_stream_adds_up_to_the_answer():
    """Pieces appear as they are checked; the last item is the answer itself."""
    bot, _ = bot_with()
    *pieces, answer = bot.stream(QUESTION)

    assert isinstance(answer, Answer)
    assert "".join(pieces).strip() == answer.text
    assert set(answer.seconds) >= {"read", "first", "write", "total"}


def test_a_wrong_value_never_reaches_the_customer():
    """The evidence stands where the draft invented a number."""
    bot, _ = bot_with("Small kettles can be returned within 90 days. [1]")
    answer = bot.ask(QUESTION)

    assert "90" not in answer.text
    assert "45 days of delivery. [1]" in answer.text
    assert "90" in answer.draft


def test_nothing_relevant_is_an_honest_sentence_and_the_model_is_not_asked():
    """Whether to answer is decided before anything is written."""
    bot, writer = bot_with(passages=())
    answer = bot.ask("What is the capital of France?")

    assert (answer.outcome, answer.text, answer.citations) == (Outcome.ABSTAINED, ABSTAIN, ())
    assert writer.asked == []
    assert bot.log.answers == [answer]


def test_a_follow_up_is_read_with_the_question_before_and_written_with_the_history():
    """The standalone form is logged; the writer sees the turns as they were."""
    bot, writer = bot_with()
    history = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "Within 45 days. [1]"}]
    answer = bot.ask("And gift cards?", history)

    assert answer.standalone == f"{QUESTION} And gift cards?"
    assert [turn["content"] for turn in writer.asked[0][1:3]] == [QUESTION, "Within 45 days. [1]"]
    assert "Question: And gift cards?" in writer.asked[0][-1]["content"]


def test_a_model_that_fails_leaves_the_quotation_and_says_so():
    """The documents still answer; the fault is in the answer's list."""

    class Broken(ScriptedModel):
        def stream(self, messages, *, max_new_tokens=256, stop=None):
            raise BaseModelError("The model file is gone: run `make setup`.")
            yield ""

    bot, _ = bot_with(model=Broken([""]))
    answer = bot.ask(QUESTION)

    assert "within 45 days of delivery. [1]" in answer.text
    assert any("The model file is gone" in fault for fault in answer.degraded)


def test_what_is_degraded_stands_in_every_answer():
    """Whoever reads the log sees which parts did not work at their best."""
    bot, _ = bot_with(degraded=lambda: ["No tone adapter is released."])

    assert bot.ask(QUESTION).degraded == ("No tone adapter is released.",)


def test_a_customer_asks_about_the_present():
    """The retriever's own default: no scope is made for it, and none is logged."""
    bot, _ = bot_with()
    answer = bot.ask(QUESTION)

    assert bot.retriever.scopes == [] and answer.as_of is None


def test_another_time_and_other_groups_reach_the_retriever():
    """An instant alone, groups alone, both; the instant is in the answer."""
    bot, _ = bot_with()
    then, answers = NOON - timedelta(days=30), []
    for as_of, audiences in (
        (then, CUSTOMER),
        (None, STAFF),
        (NOON + timedelta(days=30), frozenset({"public", "vip"})),
    ):
        answers.append(bot.ask(QUESTION, (), as_of, audiences))
        assert bot.retriever.scopes[-1] == (as_of, audiences)

    assert [answer.as_of for answer in answers] == ["2026-10-25T12:00:00+00:00", None, "2026-12-24T12:00:00+00:00"]
    assert not any("applied" in answer.text or "applies" in answer.text for answer in answers)


ASKED_THEN = "When could small kettles be returned as of 3 March 2026?"


def test_a_question_that_names_a_day_is_answered_by_its_rules_and_says_so():
    """The day is taken out for the search and the writer; the log has the question as it was, and the instant."""
    bot, writer = bot_with()
    *pieces, answer = bot.stream(ASKED_THEN)

    assert bot.retriever.scopes == [(read_as_of("2026-03-03"), CUSTOMER)]
    assert answer.text.splitlines()[-1] == "That is what applied on 2026-03-03, according to Returns of 2026-11-24."
    assert answer.text.startswith(DRAFT) and "".join(pieces).strip() == answer.text
    assert (answer.question, answer.standalone) == (ASKED_THEN, "When could small kettles be returned?")
    assert "March" not in writer.asked[0][-1]["content"]
    assert answer.as_of == read_as_of("2026-03-03").isoformat(timespec="seconds") and bot.log.answers == [answer]


def test_the_last_line_names_every_document_that_is_cited_once():
    """Two sources of one document are one version; a document that is not cited is not named."""
    box = retrieved("Small kettles can be returned in any box.", start=500)
    cups = retrieved("Small kettles and cups can be returned together.", "Cups", "cups.md")
    draft = (
        "Small kettles can be returned within 45 days of delivery. [1] Small kettles can be returned in any box. [2]"
    )
    bot, _ = bot_with(draft, (RETURNS, box, cups))
    answer = bot.ask(ASKED_THEN)

    titles = {citation.title for citation in answer.citations}
    last = answer.text.splitlines()[-1]
    assert last.count("of 2026-11-24") == len(titles) and all(title in last for title in titles)


def test_a_day_to_come_is_answered_by_what_applies_today_and_says_so():
    """What is planned is not told; the instant is now, not the evening of today."""
    bot, _ = bot_with()
    for asked in (
        "When can small kettles be returned as of 2027-01-01?",
        "When could small kettles be returned as of 2026-11-24?",
    ):
        answer = bot.ask(asked)
        assert bot.retriever.scopes[-1] == (NOON, CUSTOMER)
        assert "That is what applies today, 2026-11-24, according to Returns" in answer.text.splitlines()[-1]


def test_the_day_of_an_order_is_no_day_of_rules():
    """Today's rules answer, and no line about another day is put below."""
    bot, writer = bot_with()
    answer = bot.ask("I ordered on 3 March 2026. When can small kettles be returned?")

    assert bot.retriever.scopes == [] and answer.as_of is None and "applied" not in answer.text
    assert "3 March 2026" in writer.asked[0][-1]["content"]


def test_an_instant_that_is_given_wins_over_a_day_that_is_named():
    """Whoever gives one knows what they want; the question stays as it is."""
    bot, _ = bot_with()
    answer = bot.ask(ASKED_THEN, (), NOON, STAFF)

    assert bot.retriever.scopes == [(NOON, STAFF)] and answer.standalone == ASKED_THEN


def test_a_follow_up_is_about_the_day_of_the_question_before():
    """Until it names another, or the present."""
    bot, _ = bot_with()
    history = [{"role": "user", "content": ASKED_THEN}, {"role": "assistant", "content": "Within 45 days. [1]"}]
    asked = "When could small kettles be returned?"

    answer = bot.ask("And gift cards?", history)
    assert (answer.standalone, bot.retriever.scopes[-1][0]) == (f"{asked} And gift cards?", read_as_of("2026-03-03"))
    answer = bot.ask("And as of 4 May 2026?", history)
    assert (answer.standalone, bot.retriever.scopes[-1][0]) == (f"{asked} And?", read_as_of("2026-05-04"))
    count = len(bot.retriever.scopes)
    answer = bot.ask("And is it the same today?", history)
    assert len(bot.retriever.scopes) == count and answer.as_of is None and "applied" not in answer.text


def test_a_question_about_a_day_without_an_answer_is_declined():
    """The honest sentence alone; the instant is logged."""
    bot, writer = bot_with(passages=())
    answer = bot.ask(ASKED_THEN)

    assert (answer.text, answer.as_of) == (ABSTAIN, read_as_of("2026-03-03").isoformat(timespec="seconds"))
    assert writer.asked == []


def test_a_citation_has_the_days_of_its_version():
    """The day it begins, and the last one where it has an end."""
    ending = replace(RETURNS, effective_until=NOON + timedelta(days=10))
    for passage, until in ((RETURNS, None), (ending, "2026-12-04")):
        bot, _ = bot_with(passages=(passage,))
        (citation,) = bot.ask(QUESTION).citations
        assert (citation.date, citation.until) == (day_of(NOON), until)
        assert bot.log.answers[0].to_dict()["citations"][0]["until"] == until


@pytest.mark.parametrize("question", ["", "   \n"])
def test_an_empty_question_is_refused(question):
    """There is nothing to look up."""
    with pytest.raises(QuestionError, match="empty"):
        bot_with()[0].ask(question)


def test_a_question_too_long_is_refused_with_its_length():
    """The limit and the length are named."""
    with pytest.raises(QuestionError, match=str(LONGEST_QUESTION)):
        bot_with()[0].ask("x" * (LONGEST_QUESTION + 1))
