"""The conversation log: every answer a row, feedback beside it, faults as sentences."""

import json
import sqlite3
import threading
import time
from dataclasses import replace

import pytest

from bot.answer import Retrieved
from bot.conversation_log import MIGRATIONS, ConversationLog
from bot.errors import HomeError
from tests.test_bot_page import ANSWER, CITATION, PASSAGE


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


def test_personal_data_of_the_customer_never_reaches_the_file(log, tmp_path):
    """Not in question, answer, draft or comment; what the company itself publishes stays."""
    told = replace(CITATION, passage="Write to help@wrenfield.example.")
    said = "Write to help@wrenfield.example, ann@mail.example. [1]"
    asked = "I am ann@mail.example, card 4111 1111 1111 1111, where do I write?"
    log.add(replace(ANSWER, question=asked, standalone=asked, text=said, draft=said, citations=(told,)))
    log.feedback("a1", -1, "Call me: +44 20 7946 0142")

    record = log.get("a1") or {}
    assert record["question"] == record["standalone"] == "I am [email], card [card], where do I write?"
    assert record["text"] == record["draft"] == "Write to help@wrenfield.example, [email]. [1]"
    assert log.recent()[0]["question"] == record["question"] and log.comments("a1") == ["Call me: [phone]"]
    log.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(secret in kept for secret in (b"ann@mail", b"4111 1111", b"7946"))


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


def other(answer, document_id="def", **changes):
    """An answer that rests on another document, with another text."""
    cited = replace(CITATION, document="b.md", document_id=document_id, title="Shipping", section="Costs",
                    passage="It costs $7.")  # fmt: skip
    return replace(answer, id=f"on-{document_id}", text="It costs $7. [1]", citations=(cited,), **changes)


def found(document_id, source="returns.md"):
    """A passage that was found but maybe not cited."""
    section = "Time limits" if source == "returns.md" else "Costs"
    return Retrieved(source, section, 0.5, "chunk", document_id, 2)


def lying_in(folder, text):
    """Files that have the bytes of a text anywhere."""
    return [path.name for path in folder.iterdir() if text.encode() in path.read_bytes()]


def test_answers_are_counted_by_the_document_they_rest_on(log):
    """An answer counts once for each document, however often it cites it; one without sources counts for none."""
    log.add(replace(ANSWER, citations=(CITATION, replace(CITATION, number=2))))
    log.add(replace(ANSWER, id="a2", citations=(CITATION, replace(CITATION, number=2, document_id="def"))))
    log.add(replace(ANSWER, id="a3", citations=(), retrieved=(found("abc"),)))

    assert log.grounded() == {"abc": 2, "def": 1}


def test_redaction_takes_out_what_rested_on_a_document(log, tmp_path):
    """Text, draft, names and quotation; the question, the outcome and the numbers stay, and other answers whole."""
    draft = f"{PASSAGE} [1]"
    log.add(replace(ANSWER, draft=draft, retrieved=(found("abc"), found("def", "b.md"))))
    log.add(other(ANSWER))
    whole = log.get("on-def")
    assert log.redact("abc") == 1

    record = log.get("a1")
    assert (record["text"], record["draft"], record["citations"][0]["passage"]) == ("[erased]",) * 3
    assert (record["citations"][0]["title"], record["citations"][0]["section"]) == ("[erased]", "[erased]")
    assert [row["document"] for row in record["retrieved"]] == ["[erased]", "b.md"]
    assert (record["question"], record["outcome"], record["confidence"]) == ("How long?", "answered", 0.9)
    assert record["citations"][0]["document_id"] == "abc" and log.recent()[1]["text"] == "[erased]"
    assert log.get("on-def") == whole and log.grounded() == {"abc": 1, "def": 1}
    for text in (PASSAGE, "You have 45 days", "Time limits", "returns.md"):
        assert lying_in(tmp_path, text) == []


def test_a_draft_is_taken_out_where_the_document_was_only_read(log, tmp_path):
    """The model saw it: what it wrote may be its words, though the answer rests on another."""
    log.add(other(ANSWER, retrieved=(found("abc"), found("def", "b.md")), draft="Kettles: 45 days, I think."))
    assert log.redact("abc") == 1

    record = log.get("on-def")
    assert (record["text"], record["draft"]) == ("It costs $7. [1]", "[erased]")
    assert record["citations"][0]["passage"] == "It costs $7." and lying_in(tmp_path, "45 days, I think") == []


def test_redacting_again_or_an_unknown_document_is_nothing(log):
    """Nothing is counted twice, and nothing else is touched."""
    log.add(ANSWER)
    assert (log.redact("nobody"), log.redact("abc"), log.redact("abc")) == (0, 1, 0)
    assert ConversationLog(log.path).redact("abc") == 0


def test_an_answer_that_comes_after_the_erasure_it_began_before_is_redacted(log, tmp_path):
    """It was being written meanwhile; one that began later is kept, for the document may have been added again."""
    log.redact("abc")
    log.add(replace(ANSWER, seconds={"total": 5.0}))
    assert log.get("a1")["text"] == log.recent()[0]["text"] == "[erased]"
    assert lying_in(tmp_path, PASSAGE) == []

    time.sleep(0.1)
    log.add(replace(ANSWER, id="a2", seconds={"total": 0.01}))
    assert log.get("a2")["text"] == ANSWER.text
    log.add(other(ANSWER, seconds={"total": 5.0}))
    assert log.get("on-def")["text"] == "It costs $7. [1]"


def test_answers_that_come_during_an_erasure_leave_nothing(log, tmp_path):
    """Many threads write while one redacts: none of what they quote is in the file afterwards."""

    def write(first):
        for number in range(first, first + 25):
            log.add(replace(ANSWER, id=f"a{number}", seconds={"total": 60.0}))

    threads = [threading.Thread(target=write, args=(at,)) for at in (0, 100, 200)]
    for thread in threads:
        thread.start()
    log.redact("abc")
    for thread in threads:
        thread.join()

    assert lying_in(tmp_path, PASSAGE) == [] and len(log.recent(100)) == 75
    assert {row["text"] for row in log.recent(100)} == {"[erased]"}


def test_a_redaction_that_was_cut_short_can_be_done_again(log, tmp_path, monkeypatch):
    """The rows are changed, but their old bytes still lie in the file."""
    log.add(ANSWER)
    monkeypatch.setattr(log, "_shred", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        log.redact("abc")
    monkeypatch.undo()
    log.redact("abc")

    assert lying_in(tmp_path, PASSAGE) == [] and json.dumps(PASSAGE)[1:-1] not in json.dumps(log.get("a1"))
