"""What the documents lack: declined and rejected questions, alike ones together."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from bot.gaps import find_gaps
from bot.page_tables import gaps_table
from knowledge.embedder import HashEmbedder
from tests.fake_service import RETURNS, make_service

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def row(question, day=1, declined=True, rejected=False, comments=(), nearest="returns.md"):
    at = f"2026-12-{day:02d}T12:00:00.000+00:00"
    return {"question": question, "at": at, "declined": declined, "rejected": rejected, "comments": list(comments),
            "nearest": nearest}  # fmt: skip


@pytest.fixture
def service(home):
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    yield service
    service.close()


def test_alike_questions_are_one_gap_and_the_most_asked_comes_first():
    """With all wordings, the day of the newest, and how often each way."""
    rows = [
        row("do you ship to iceland", 9),
        row("is there a discount for students", 8),
        row("a discount for students?", 7, declined=False, rejected=True, comments=["I asked about students"]),
        row("is there a discount for students", 6),
    ]
    first, second = find_gaps(rows, HashEmbedder())

    assert asdict(first) == {
        "questions": ["is there a discount for students", "a discount for students?"],
        "last": "2026-12-08T12:00:00.000+00:00",
        "nearest": "returns.md",
        "declined": 2,
        "rejected": 1,
        "comments": ["I asked about students"],
    }
    assert second.questions == ["do you ship to iceland"]


def test_nothing_asked_in_vain_is_no_gap():
    """And an empty table says what will appear in it."""
    assert find_gaps([], HashEmbedder()) == []
    assert "appear here" in gaps_table([])


def test_what_customers_write_is_shown_as_text():
    """A question is nobody's markup."""
    (gap,) = find_gaps([row("<b>x</b>", comments=["<i>y</i>"], nearest="<u>z")], HashEmbedder())

    assert not any(tag in gaps_table([asdict(gap)]) for tag in ("<b>x", "<i>", "<u>"))


def test_the_log_gives_declined_and_rejected_answers_newest_first(service):
    """A thumb that was taken back counts no more, and what is older than asked for is left out."""
    bot, log = service.bot, service.log
    declined = bot.ask("Zebra quantum xylophone?")
    good, bad = (bot.ask("How many days do I have to return a kettle?") for _ in range(2))
    log.feedback(bad.id, -1, "Not what I asked")
    log.feedback(good.id, -1)
    log.feedback(good.id, 1)

    assert log.unhelpful(LONG_AGO) == [
        {"question": bad.standalone, "at": log.recent()[0]["at"], "declined": False, "rejected": True,
         "nearest": "returns.md", "comments": ["Not what I asked"]},
        {"question": declined.standalone, "at": log.recent()[2]["at"], "declined": True, "rejected": False,
         "nearest": declined.retrieved[0].document if declined.retrieved else "", "comments": []},
    ]  # fmt: skip
    assert log.unhelpful(datetime.now(UTC) + timedelta(minutes=1)) == []


def test_the_command_line_lists_gaps(frontdesk, home):
    """A support lead sees what to write next; without any it says so."""
    assert "In the last 30 days nothing was declined" in frontdesk("gaps", "--days", "30").err
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    for _ in range(2):
        service.bot.ask("Zebra quantum xylophone?")
    service.close()

    told = frontdesk("gaps")
    assert told.code == 0 and "Zebra quantum xylophone?" in told.out and told.out.splitlines()[1].split()[0] == "2"
