"""The list of live sources in SQLite: kept by its owner alone, due by schedule, with the last result and an age."""

import sqlite3
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from knowledge.errors import SourceError, SourceNotFound, StoreError
from knowledge.source_registry import MIGRATIONS, ItemState, Run, Source, SourceRegistry

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HELP = Source("help", "web", {"urls": ["https://shop.example/ü"], "allow_private": False}, 3600, "internal")
SEEN = ItemState("hash", '"one"', "yesterday", "https://shop.example/a", NOON)


@pytest.fixture
def registry(tmp_path):
    registry = SourceRegistry(tmp_path / "home" / "sources.db")
    yield registry
    registry.close()


def test_a_source_that_is_added_comes_back(registry):
    """With every setting, and nothing known about it yet."""
    record = registry.add(HELP, NOON)

    assert record == registry.get("help")
    assert registry.sources() == [record]
    assert (record.source, record.created_at, record.last_run_at, record.last_ok_at) == (HELP, NOON, None, None)
    assert (record.last, record.age(NOON), record.source.collection) == (Run("", "", {}), None, "source:help")


def test_a_run_is_kept_with_its_numbers(registry):
    """And the age counts from the last time that all could be read."""
    registry.add(HELP, NOON)
    registry.record("help", NOON + HOUR, Run("partial", "One failed.", {"added": 3}))
    registry.record("help", NOON + 2 * HOUR, Run("failed", "It is down."))

    record = registry.get("help")

    assert record.last == Run("failed", "It is down.", {})
    assert (record.last_run_at, record.last_ok_at) == (NOON + 2 * HOUR, NOON + HOUR)
    assert record.age(NOON + 3 * HOUR) == 2 * HOUR


@pytest.mark.parametrize(("status", "is_good"), [("ok", 1), ("partial", 1), ("held", 0), ("failed", 0)])
def test_what_counts_as_read(registry, status, is_good):
    """A list that is suspiciously short does not."""
    registry.add(HELP, NOON)
    registry.record("help", NOON, Run(status, ""))

    assert (registry.get("help").last_ok_at is not None) == bool(is_good)


def test_sources_are_due_by_their_schedule(registry):
    """A new one at once, the longest waiting first, those by hand never."""
    registry.add(HELP, NOON)
    registry.add(replace(HELP, name="by-hand", every_seconds=0), NOON - HOUR)
    registry.add(replace(HELP, name="daily", every_seconds=86_400), NOON + timedelta(minutes=1))

    def due(at):
        return [record.source.name for record in registry.due(at)]

    assert due(NOON) == ["help"]
    assert due(NOON + HOUR) == ["help", "daily"]
    registry.record("help", NOON + HOUR, Run("failed", "It is down."))
    assert due(NOON + 2 * HOUR - timedelta(seconds=1)) == ["daily"]
    assert due(NOON + 2 * HOUR) == ["daily", "help"]


def test_a_run_that_was_interrupted_is_due_again_at_once(registry):
    """It had no chance to end."""
    registry.add(HELP, NOON)
    registry.record("help", NOON, Run("ok", ""))
    registry.record("help", NOON + HOUR, Run("interrupted", ""))

    record = registry.get("help")

    assert (record.last.status, record.last_run_at) == ("interrupted", NOON)
    assert registry.due(NOON + HOUR) == [record]


def test_items_are_remembered_a_source(registry):
    """Kept, replaced, and forgotten but for the date of their last version."""
    registry.add(HELP, NOON)
    registry.add(replace(HELP, name="other"), NOON)
    registry.keep_item("help", "a", SEEN)
    registry.keep_item("help", "b", replace(SEEN, effective_from=None))
    registry.keep_item("help", "b", ItemState("newer"))

    assert registry.items("help") == {"a": SEEN, "b": ItemState("newer")}
    assert registry.items("other") == registry.items("no-such") == {}
    registry.forget_item("help", "a")
    assert registry.items("help")["a"] == ItemState(url=SEEN.url, effective_from=NOON)


def test_another_schedule_leaves_what_is_known_of_the_items(registry):
    """Other settings or another audience do not: all is read anew."""
    registry.add(HELP, NOON)
    registry.record("help", NOON, Run("ok", "", {"added": 1}))
    for changed, kept in [
        (replace(HELP, every_seconds=60), True),
        (replace(HELP, audience="vip"), False),
        (replace(HELP, settings={"sitemap": "https://shop.example/sitemap.xml"}), False),
    ]:
        registry.change(HELP)
        registry.keep_item("help", "a", SEEN)

        record = registry.change(changed)

        assert (record.source, record.last.counts) == (changed, {"added": 1})
        assert (registry.items("help")["a"] == SEEN) == kept
        assert registry.items("help")["a"].effective_from == NOON


def test_a_source_that_is_removed_leaves_nothing(registry):
    """A new one of that name begins anew."""
    registry.add(HELP, NOON)
    registry.keep_item("help", "a", SEEN)

    registry.remove("help")

    assert registry.sources() == []
    registry.add(HELP, NOON)
    assert registry.items("help") == {}


def test_only_its_owner_may_read_the_file(tmp_path):
    """Also one that was open to others before, and what SQLite puts beside it."""
    path = tmp_path / "sources.db"
    path.touch(mode=0o644)
    registry = SourceRegistry(path)
    registry.add(HELP, NOON)

    assert len(list(tmp_path.iterdir())) > 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    registry.close()


def test_all_is_there_after_it_is_opened_again(registry):
    """Migrations are applied once."""
    record = registry.add(HELP, NOON)
    registry.keep_item("help", "a", SEEN)
    registry.close()

    again = SourceRegistry(registry.database.path)

    assert again.sources() == [record] and again.items("help") == {"a": SEEN}
    again.close()


def test_threads_may_use_it_together(registry):
    """Nothing is lost."""
    registry.add(HELP, NOON)

    def keep(worker):
        for number in range(20):
            registry.keep_item("help", f"{worker}-{number}", SEEN)
            registry.record("help", NOON, Run("ok", ""))

    threads = [threading.Thread(target=keep, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(registry.items("help")) == 80


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": ""}, "'' is no name for a source: use 1 to 40 of a-z, 0-9 and hyphens"),
        ({"name": "Help Center"}, "'Help Center' is no name"),
        ({"name": "help\n"}, "is no name"),
        ({"name": "x" * 41}, "is no name"),
        ({"kind": "ftp"}, "'ftp' is no kind of source: use one of folder, web, database"),
        ({"every_seconds": 59}, "Every 59 seconds is too often: use 60 or more, or 0"),
        ({"every_seconds": -1}, "Every -1 seconds is too often"),
    ],
)
def test_a_source_that_cannot_be_is_refused(registry, change, why):
    """With a sentence that names what is wrong."""
    with pytest.raises(SourceError, match=why):
        registry.add(replace(HELP, **change), NOON)
    assert registry.sources() == []


def test_a_name_is_taken_once(registry):
    """And a source keeps its kind."""
    registry.add(HELP, NOON)

    with pytest.raises(SourceError, match="There is a source 'help' already: choose another name"):
        registry.add(replace(HELP, kind="folder"), NOON)
    with pytest.raises(SourceError, match="'help' is a source of the kind web: add another one for folder"):
        registry.change(replace(HELP, kind="folder"))
    assert registry.get("help").source == HELP


def test_an_unknown_name_is_a_sentence(registry):
    """For every verb that takes one."""
    for ask in [registry.get, registry.remove, lambda name: registry.change(replace(HELP, name=name))]:
        with pytest.raises(SourceNotFound, match="There is no source 'none': see the list of sources"):
            ask("none")


def test_a_list_of_a_newer_version_is_left_alone(registry):
    """An old program would not understand it."""
    registry.close()
    db = sqlite3.connect(registry.database.path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()

    with pytest.raises(StoreError, match="was written by a newer version: update Frontdesk"):
        SourceRegistry(registry.database.path)


def test_a_list_that_cannot_be_opened_or_read_is_a_sentence(registry, tmp_path):
    """A file that is no database, a folder in its place, a table that is gone."""
    (tmp_path / "text.db").write_text("no database " * 100)
    (tmp_path / "folder.db").mkdir()
    for name in ["text.db", "folder.db", "text.db/x.db"]:
        with pytest.raises(StoreError, match=r"list of sources '.*' cannot be opened \(.*\): check its permissions"):
            SourceRegistry(tmp_path / name)
    registry.database.connection.execute("DROP TABLE sources")
    with pytest.raises(StoreError, match=r"failed .*no such table: sources.*: check disk space and permissions"):
        registry.sources()
    with pytest.raises(StoreError, match="failed"):
        registry.add(HELP, NOON)


def test_a_change_that_fails_leaves_the_old_one(registry):
    """One transaction each."""
    registry.add(HELP, NOON)
    registry.keep_item("help", "a", SEEN)
    registry.database.connection.execute(
        "CREATE TRIGGER full BEFORE UPDATE ON items BEGIN SELECT raise(ABORT, 'disk is full'); END"
    )

    with pytest.raises(StoreError, match="disk is full"):
        registry.change(replace(HELP, audience="vip"))
    assert registry.get("help").source == HELP and registry.items("help") == {"a": SEEN}
