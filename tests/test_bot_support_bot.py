"""The whole way of one question, on the shipped fakes."""

import pytest

from bot.answer import Answer, Outcome
from bot.errors import QuestionError
from bot.evidence import SimilarityReader
from bot.head_reader import HeadReader
from bot.support_bot import ABSTAIN, LONGEST_QUESTION, SupportBot
from knowledge.embedder import HashEmbedder
from knowledge.reader import WordReader
from tests.stories import retrieved
from tone_tuning.errors import BaseModelError
from tone_tuning.language_model import ScriptedModel

RETURNS = retrieved("Small kettles can be returned within 45 days of delivery. Gift cards cannot be returned.", start=7)
QUESTION = "When can small kettles be returned?"
DRAFT = "Happy to help.\n\nSmall kettles can be returned within 45 days of delivery. [1]\n\nAnything else?"


class Shelf:
    """A retriever that always finds the same passages."""

    def __init__(self, *passages):
        self.passages = passages

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
    return SupportBot(Shelf(*passages), reader, lambda: writer, Notebook(), degraded=degraded), writer


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


@pytest.mark.parametrize("question", ["", "   \n"])
def test_an_empty_question_is_refused(question):
    """There is nothing to look up."""
    with pytest.raises(QuestionError, match="empty"):
        bot_with()[0].ask(question)


def test_a_question_too_long_is_refused_with_its_length():
    """The limit and the length are named."""
    with pytest.raises(QuestionError, match=str(LONGEST_QUESTION)):
        bot_with()[0].ask("x" * (LONGEST_QUESTION + 1))
