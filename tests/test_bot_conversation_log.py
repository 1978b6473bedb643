"""The conversation log: every answer a row, feedback beside it, faults as sentences."""

import sqlite3
from dataclasses import replace

import pytest

from bot.conversation_log import MIGRATIONS, ConversationLog
from bot.errors import HomeError
from tests.test_bot_page import ANSWER


@pytest.fixture
def log(tmp_path):
    log = ConversationLog(tmp_path / "frontdesk.db")
    yield log
    log.close()


def test_an_answer_can_be_read_back_whole(log, tmp_path):
    """The record holds everything the answer rested on, also after the process ended."""
    log.add(ANSWER)
    record = ConversationLog(tmp_path / "frontdesk.db").get("a1")

    assert record["citations"][0]["passage"] == ANSWER.citations[0].passage
    assert record == ConversationLog(tmp_path / "frontdesk.db").get("a1")
    assert (record["text"], record["outcome"], record["adapter"]) == (ANSWER.text, "answered", "v0001")


def test_the_newest_answers_come_first(log):
    """At most as many as were asked for."""
    for number in range(4):
        log.add(replace(ANSWER, id=f"a{number}", question=f"question {number}"))

    assert [row["question"] for row in log.recent(3)] == ["question 3", "question 2", "question 1"]
    assert log.recent()[0].keys() == {
        "id", "at", "question", "outcome", "text", "confidence", "model", "adapter", "thumb"}  # fmt: skip


def test_a_comment_does_not_count_the_thumb_twice(log):
    """The thumb is kept at once and the comment follows it: one opinion, and the last one holds."""
    log.add(ANSWER)
    log.feedback("a1", 1)
    log.feedback("a1", 1, " Clear and quick. ")
    assert log.recent()[0]["thumb"] == 1

    log.feedback("a1", -1, "Wrong after all.")
    assert log.recent()[0]["thumb"] == -1
    assert log.comments("a1") == ["Clear and quick.", "Wrong after all."]


def test_an_answer_nobody_rated_has_no_thumb(log):
    """Silence is no opinion."""
    log.add(ANSWER)

    assert log.recent()[0]["thumb"] is None and log.comments("a1") == []


def test_feedback_needs_an_answer(log):
    """A thumb for an answer that does not exist is refused, not kept unseen."""
    with pytest.raises(HomeError, match="FOREIGN KEY"):
        log.feedback("nobody", 1)


def test_an_unknown_answer_is_none(log):
    """Nothing is invented for it."""
    assert log.get("nobody") is None and log.recent() == []


def test_a_write_that_fails_is_one_of_our_errors(log):
    """The same id twice stands for a full disk: the page shows the sentence and goes on."""
    log.add(ANSWER)

    with pytest.raises(HomeError, match="cannot be used"):
        log.add(ANSWER)
    log.add(replace(ANSWER, id="a2"))
    assert len(log.recent()) == 2


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path):
    """With its path and what to do."""
    (tmp_path / "frontdesk.db").write_text("not a database, but long enough to be taken for one " * 40)

    with pytest.raises(HomeError, match=r"frontdesk\.db' cannot be used \(file is not a database\)"):
        ConversationLog(tmp_path / "frontdesk.db")


def test_a_log_of_a_newer_version_is_not_touched(tmp_path):
    """An old program must not write into tables it does not know."""
    with sqlite3.connect(tmp_path / "frontdesk.db") as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    with pytest.raises(HomeError, match="newer version"):
        ConversationLog(tmp_path / "frontdesk.db")
