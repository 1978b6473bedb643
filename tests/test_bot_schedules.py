"""How often a source is read, in letters; and the thread that reads what is due, whatever happens."""

import contextlib
import logging
import threading
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import QuestionError
from bot.schedules import Scheduler, read_every, show_every
from knowledge.errors import StoreError
from knowledge.source_registry import Source
from knowledge.sync import SyncResult

SOON = 0.01  # seconds between two looks


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("15m", 900, "every 15 min"), ("6h", 21_600, "every 6 h"), ("1d", 86_400, "every 1 d"),
        ("90m", 5400, "every 90 min"), ("120m", 7200, "every 2 h"), ("48h", 172_800, "every 2 d"),
        (" 2 H ", 7200, "every 2 h"), ("never", 0, "by hand"), (" Never", 0, "by hand"),
        ("99999d", 99_999 * 86_400, "every 99999 d"),
    ],
)  # fmt: skip
def test_a_schedule_is_read_and_shown(text, seconds, shown):
    """A number with its unit, in the largest unit that is exact; or never."""
    assert read_every(text) == seconds
    assert show_every(seconds) == shown


@given(st.integers(1, 99_999), st.sampled_from("mhd"))
def test_what_is_shown_is_what_was_asked_for(number, unit):
    """However the unit changes on the way."""
    seconds = read_every(f"{number}{unit}")
    count, shown = show_every(seconds).removeprefix("every ").split()

    assert int(count) * {"min": 60, "h": 3600, "d": 86_400}[shown] == seconds


def test_seconds_that_no_one_can_write_are_still_shown_right():
    """A program may have asked for them."""
    assert show_every(90) == "every 90 s"


@pytest.mark.parametrize(
    "text", ["", "6", "h", "0h", "007m", "-1h", "1.5h", "6 hours", "6w", "1h30m", "100000d", "٣h", "6h\0", "often"]
)
def test_what_is_no_schedule_is_one_sentence(text):
    """It names the text and shows how to write one."""
    with pytest.raises(QuestionError, match="is no schedule: write it like 15m, 6h, 1d or never") as refused:
        read_every(text)
    assert f"'{text}'" in str(refused.value)


@given(st.text(max_size=12))
def test_any_text_is_a_schedule_or_refused(text):
    """Nothing else can come of it."""
    with contextlib.suppress(QuestionError):
        assert read_every(text) >= 0


class FakeSources:
    """Stands for `LiveSources`: plays results and faults, one a look, and then there is nothing to do."""

    def __init__(self, *plays):
        self.plays = list(plays)
        self.looks = 0
        self.stops = []

    def run_due(self, stop):
        self.looks += 1
        self.stops.append(stop)
        play = self.plays.pop(0) if self.plays else {}
        if isinstance(play, Exception):
            raise play
        return play() if callable(play) else play


def until(is_so):
    """Wait for it, ten seconds at most."""
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(SOON)


@pytest.fixture
def start():
    """Starts a scheduler over sources, and ends it with the test."""
    started = []

    def begin(sources):
        scheduler = Scheduler(sources, SOON)
        started.append(scheduler)
        assert scheduler.start() == scheduler.stop
        return scheduler

    yield begin
    for scheduler in started:
        scheduler.stop()


def test_what_is_due_is_read_again_and_again(service, tmp_path, start):
    """A new source at once, a changed file when its time has come, and one that is read by hand never."""
    for name in ("often", "by-hand"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text("# A\n\nAlpha is first.\n")
    now = service.documents.clock()
    service.sources.clock = lambda: now
    service.sources.add(Source("often", "folder", {"path": str(tmp_path / "often")}, 3600))
    service.sources.add(Source("by-hand", "folder", {"path": str(tmp_path / "by-hand")}, 0))
    start(service.sources)

    def texts():
        return [service.documents.version(item.document.id).markdown for item in service.documents.documents()]

    until(lambda: service.sources.registry.get("often").last.status == "ok")
    assert texts() == ["# A\n\nAlpha is first.\n"]
    (tmp_path / "often" / "a.md").write_text("# A\n\nAlpha is last.\n")
    time.sleep(10 * SOON)
    assert texts() == ["# A\n\nAlpha is first.\n"]

    now += timedelta(hours=1)
    until(lambda: service.sources.registry.get("often").last.counts.get("changed") == 1)
    assert texts() == ["# A\n\nAlpha is last.\n"]
    assert service.sources.registry.get("by-hand").last_run_at is None


def test_a_fault_of_a_source_is_logged_with_its_sentence(start, caplog):
    """What went well is not worth a line, and what was stopped is read later."""
    sources = FakeSources({"shop": SyncResult(fault="It is down."), "docs": SyncResult(added=("a.md",)),
                           "help": SyncResult(failed=("'a' is too large.",)), "wiki": SyncResult(interrupted=True),
                           "faq": SyncResult(held=("a", "b"))})  # fmt: skip
    start(sources)
    until(lambda: sources.looks > 1)

    said = [record.getMessage() for record in caplog.records if record.name == "bot.schedules"]
    assert said[:2] == ["source 'shop': It is down.", "source 'help': 'a' is too large."]
    assert len(said) == 3 and said[2].startswith("source 'faq': 2 items are not there any more")


@pytest.mark.parametrize("fault", [StoreError("The disk is full."), RuntimeError("a bug"), OSError("gone")])
def test_no_fault_ends_the_thread(start, caplog, fault):
    """Ours is one line, one that nobody foresaw has its traceback; the next look is made all the same."""
    sources = FakeSources(fault, fault, {"docs": SyncResult(fault="Later.")})
    start(sources)
    until(lambda: sources.looks > 3)

    assert "source 'docs': Later." in caplog.text
    traces = [record for record in caplog.records if record.exc_info]
    assert len(traces) == (0 if isinstance(fault, StoreError) else 2)
    assert ("sources: The disk is full." in caplog.text) == isinstance(fault, StoreError)


def test_stopping_ends_the_reading_after_the_item_at_hand(start):
    """The reader is asked to stop and waited for; then there is no further look."""
    reading, go_on = threading.Event(), threading.Event()

    def read():
        reading.set()
        until(sources.stops[-1])
        go_on.wait(10)
        return {"docs": SyncResult(interrupted=True)}

    sources = FakeSources(read)
    scheduler = start(sources)
    assert reading.wait(10)
    ending = threading.Thread(target=scheduler.stop)
    ending.start()
    time.sleep(5 * SOON)
    assert ending.is_alive()

    go_on.set()
    ending.join(10)
    assert not ending.is_alive() and sources.looks == 1
    time.sleep(5 * SOON)
    assert sources.looks == 1


def test_stopping_twice_or_before_the_start_does_no_harm():
    """A server may die before it has begun."""
    scheduler = Scheduler(FakeSources(), SOON)
    scheduler.stop()
    scheduler.stop()

    sources = FakeSources()
    patient = Scheduler(sources, 1000)
    stop = patient.start()
    began = time.monotonic()
    stop()
    assert time.monotonic() - began < 5 and sources.looks == 0


def test_nothing_is_logged_when_there_is_nothing_to_do(start, caplog):
    """A log that fills up by itself is read by nobody."""
    caplog.set_level(logging.DEBUG, "bot.schedules")
    sources = FakeSources()
    start(sources)
    until(lambda: sources.looks > 3)

    assert [record for record in caplog.records if record.name == "bot.schedules"] == []
