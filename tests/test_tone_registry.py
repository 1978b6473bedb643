"""Versions and aliases of adapters: what moves, what is refused, and what a kill or a full disk leaves behind."""

import json
import os
import resource
import threading
from itertools import pairwise

import pytest

from tone_tuning import atomic, registry
from tone_tuning.atomic import only_writer
from tone_tuning.errors import AdapterError
from tone_tuning.registry import WEIGHTS, AdapterRegistry


@pytest.fixture
def adapters(tmp_path):
    return AdapterRegistry(tmp_path / "adapters")


@pytest.fixture
def trained(tmp_path):
    return make_trained(tmp_path / "trained")


def make_trained(folder, **card):
    """A folder as training leaves it, of arbitrary bytes."""
    folder.mkdir()
    for name in WEIGHTS:
        (folder / name).write_text(f"{name} in {folder.name}")
    (folder / "card.json").write_text(json.dumps({"base_hash": "base", "prompt_hash": "prompt", **card}))
    return folder


def flip(path):
    """One byte of a file, changed."""
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def test_an_added_adapter_is_the_candidate(adapters, trained):
    """A copy with a fixed-width id and checksums in its card; who speaks does not change."""
    first, second = adapters.add(trained), adapters.add(trained)

    assert [first.id, second.id] == ["v0001", "v0002"] == [v.id for v in adapters.versions()]
    assert adapters.aliases() == {"candidate": "v0002"}
    assert adapters.champion() is None
    assert first.card["base_hash"] == "base"
    assert set(first.card["sha256"]) == set(WEIGHTS)
    assert {path.name for path in first.path.iterdir()} == {*WEIGHTS, "card.json"}
    assert adapters.get("v0001") == adapters.verify("v0001") == first


def test_promote_and_rollback_move_one_pointer(adapters, trained):
    """The champion before becomes `previous`; rollback swaps the two, as often as one likes."""
    for _ in range(3):
        adapters.add(trained)

    adapters.promote("v0001")
    assert adapters.aliases() == {"candidate": "v0003", "champion": "v0001"}
    adapters.promote("v0003")
    assert adapters.aliases() == {"champion": "v0003", "previous": "v0001"}
    assert adapters.rollback().id == adapters.champion().id == "v0001"
    assert adapters.aliases() == {"champion": "v0001", "previous": "v0003"}
    assert adapters.rollback().id == "v0003"


def test_promoting_the_champion_again_keeps_the_way_back(adapters, trained):
    """It must not become its own predecessor."""
    adapters.add(trained)
    adapters.add(trained)
    adapters.promote("v0001")
    adapters.promote("v0002")

    adapters.promote("v0002")

    assert adapters.aliases() == {"champion": "v0002", "previous": "v0001"}


def test_the_history_only_grows(adapters, trained):
    """Every move is one more row with its time, its name and where the aliases then stood."""
    log, written = adapters.folder / "aliases.log", [b""]
    moves = [
        lambda: adapters.add(trained),
        lambda: adapters.add(trained),
        lambda: adapters.promote("v0001"),
        lambda: adapters.promote("v0002"),
        adapters.rollback,
    ]
    for move in moves:
        move()
        written.append(log.read_bytes())

    assert all(later.startswith(earlier) and later != earlier for earlier, later in pairwise(written))
    assert [row["action"] for row in adapters.history()] == ["add", "add", "promote", "promote", "rollback"]
    assert adapters.history()[-1]["champion"] == "v0001"
    assert all(row["at"].endswith("+00:00") for row in adapters.history())


def test_an_empty_folder_has_nothing(adapters):
    """And reading it makes nothing."""
    assert (adapters.versions(), adapters.aliases(), adapters.history(), adapters.champion()) == ([], {}, [], None)
    assert not adapters.folder.exists()


def test_one_version_is_found_without_reading_the_others(adapters, trained, monkeypatch):
    """Before every answer the aliases are read, and after a promotion one card; thousands of others are not."""
    for _ in range(5):
        adapters.add(trained)
    adapters.promote("v0003")
    read = []
    monkeypatch.setattr(registry, "read_json", lambda path: (read.append(path), atomic.read_json(path))[1])

    assert adapters.champion().id == "v0003"

    assert read == [adapters.folder / "aliases.json", adapters.folder / "v0003" / "card.json"]


def test_aliases_move_by_one_replace(adapters, trained, monkeypatch):
    """A stop just before the move leaves the old champion, and nothing half written."""
    adapters.add(trained)
    adapters.add(trained)
    adapters.promote("v0001")

    def stop(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            adapters.promote("v0002")

    assert adapters.champion().id == "v0001"
    assert list(adapters.folder.glob("*partial*")) == []
    assert adapters.promote("v0002").id == "v0002"


def test_a_stop_between_copy_and_move_leaves_no_version(adapters, trained, monkeypatch):
    """And the number is free again."""

    def stop(source, target):
        if "v0001" in str(target):
            raise KeyboardInterrupt
        return replace(source, target)

    replace = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            adapters.add(trained)

    assert (adapters.versions(), adapters.aliases()) == ([], {})
    assert adapters.add(trained).id == "v0001"


def test_what_a_kill_left_is_no_version_and_is_swept(adapters, trained):
    """Folders and files of a process that got no time to clean up, also under the names of an earlier release."""
    adapters.add(trained)
    for name in ("v0002.partial", "partial-4711"):
        (adapters.folder / name).mkdir()
        (adapters.folder / name / "card.json").write_text("{}")
    (adapters.folder / "aliases.json.partial").write_text('{"champ')

    assert [v.id for v in adapters.versions()] == ["v0001"]
    assert adapters.add(trained).id == "v0002"
    assert list(adapters.folder.glob("*partial*")) == []


def test_adapters_added_at_once_do_not_collide(adapters, trained):
    """Each gets a number and a whole copy of its own."""
    threads = [threading.Thread(target=adapters.add, args=(trained,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [f"v{n:04d}" for n in range(1, 9)]
    assert [v.id for v in adapters.versions()] == ids
    assert [adapters.verify(version).id for version in ids] == ids
    assert [row["candidate"] for row in adapters.history()] == ids


def test_a_promotion_waits_for_whoever_is_writing(adapters, trained):
    """A training process that adds a candidate must not undo a promotion that it did not see."""
    adapters.add(trained)
    promoting = threading.Thread(target=adapters.promote, args=("v0001",))

    with only_writer(adapters.folder):
        promoting.start()
        promoting.join(timeout=0.3)
        assert promoting.is_alive()
        assert "champion" not in adapters.aliases()
    promoting.join(timeout=10)

    assert adapters.aliases() == {"champion": "v0001"}


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00" * 30])
def test_damaged_aliases_are_read_from_the_history(adapters, trained, content):
    """A power cut may empty the file; the last row of the log says the same."""
    adapters.add(trained)
    adapters.add(trained)
    adapters.promote("v0001")
    before = adapters.aliases()
    (adapters.folder / "aliases.json").write_text(content)

    assert adapters.aliases() == before
    assert adapters.promote("v0002").id == "v0002"
    assert json.loads((adapters.folder / "aliases.json").read_text()) == {"champion": "v0002", "previous": "v0001"}


def test_damaged_aliases_without_a_history_are_one_sentence(adapters, trained):
    """Silence would mean a bot without its voice."""
    adapters.add(trained)
    (adapters.folder / "aliases.json").write_text("{")
    (adapters.folder / "aliases.log").write_text("")

    with pytest.raises(AdapterError, match=r"aliases\.json' is damaged: delete it, then promote a version\.$"):
        adapters.aliases()


def test_aliases_of_another_shape_are_left_out(adapters, trained):
    """Only the three names count, and only where they name something."""
    adapters.add(trained)
    (adapters.folder / "aliases.json").write_text('{"champion": 5, "candidate": "v0001", "mine": "v0001"}')

    assert adapters.aliases() == {"candidate": "v0001"}


def test_a_torn_row_of_history_is_left_out(adapters, trained):
    """A kill in mid-row loses that row, not those before and after it."""
    adapters.add(trained)
    with (adapters.folder / "aliases.log").open("a") as log:
        log.write('\n{"at": "2026-11-24T12:00')
    adapters.promote("v0001")

    assert [row["action"] for row in adapters.history()] == ["add", "promote"]


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("spoil", [flip, lambda path: path.unlink()], ids=["flipped byte", "missing"])
def test_a_damaged_version_does_not_get_to_speak(adapters, trained, name, spoil):
    """Not by promotion, not by rollback, and `verify` names the file; the champion stays."""
    for _ in range(2):
        adapters.add(trained)
        adapters.promote(f"v000{len(adapters.versions())}")
    spoil(adapters.folder / "v0001" / name)

    for act in (lambda: adapters.verify("v0001"), lambda: adapters.promote("v0001"), adapters.rollback):
        with pytest.raises(AdapterError, match=rf"^Adapter v0001 is damaged \({name}\): .*\.$"):
            act()
    assert adapters.champion().id == "v0002"


@pytest.mark.parametrize(
    "card", ["{}", '{"sha256": {}}', '{"sha256": "x"}', '{"sha256": {"adapter_config.json": "x"}}']
)
def test_a_card_without_checksums_proves_nothing(adapters, trained, card):
    """So the version counts as damaged."""
    (adapters.add(trained).path / "card.json").write_text(card)

    with pytest.raises(AdapterError, match=r"^Adapter v0001 is damaged"):
        adapters.promote("v0001")


def test_a_damaged_card_is_told_from_a_missing_version(adapters, trained):
    """The folder is there; its number is not given again."""
    (adapters.add(trained).path / "card.json").write_text("{")

    with pytest.raises(AdapterError, match=r"^Adapter v0001 is damaged \(card\.json\)"):
        adapters.get("v0001")
    assert adapters.versions() == []
    assert adapters.add(trained).id == "v0002"


@pytest.mark.parametrize(
    ("named", "said"), [({"base_hash": "other"}, "for base base"), ({"prompt_hash": "other"}, "for prompt prompt")]
)
def test_an_adapter_for_another_base_or_prompt_is_refused(adapters, trained, named, said):
    """It would load and speak nonsense."""
    adapters.add(trained)

    with pytest.raises(AdapterError, match=rf"{said}, in service is other: retrain it"):
        adapters.promote("v0001", **{"base_hash": "base", "prompt_hash": "prompt", **named})

    assert adapters.aliases() == {"candidate": "v0001"}
    assert adapters.promote("v0001", base_hash="base", prompt_hash="prompt").id == "v0001"


@pytest.mark.parametrize("version", ["v0009", "", "v1", "../trained", "v0001/../v0001", "aliases.json"])
def test_an_unknown_version_is_one_sentence(adapters, trained, version):
    """It names those that are known, and a path is no version."""
    adapters.add(trained)

    with pytest.raises(AdapterError, match=r"known are v0001\.$"):
        adapters.promote(version)


def test_a_champion_that_is_gone_is_one_sentence(adapters, trained):
    """Somebody deleted its folder."""
    champion = adapters.promote(adapters.add(trained).id)
    champion.path.rename(adapters.folder / "away")

    with pytest.raises(AdapterError, match=r"^There is no adapter 'v0001': known are none yet\.$"):
        adapters.champion()


def test_a_rollback_needs_somewhere_to_go(adapters, trained):
    """The first champion has no predecessor."""
    adapters.promote(adapters.add(trained).id)

    with pytest.raises(AdapterError, match="There is no earlier champion to go back to"):
        adapters.rollback()


@pytest.mark.parametrize("missing", [*WEIGHTS, "card.json"])
def test_an_unfinished_training_is_not_added(adapters, trained, missing):
    """The sentence names what is missing."""
    (trained / missing).unlink()

    with pytest.raises(AdapterError, match=rf"is no trained adapter \({missing} is missing\): train it again\.$"):
        adapters.add(trained)
    assert adapters.versions() == []


def test_a_full_disk_leaves_no_version(adapters, trained):
    """One sentence, and the half copy is gone."""
    (trained / WEIGHTS[0]).write_bytes(bytes(50_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(AdapterError, match=r"cannot be kept in .* free space or check permissions\.$"):
            adapters.add(trained)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert (adapters.versions(), adapters.aliases()) == ([], {})
    assert list(adapters.folder.glob("*partial*")) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(trained, tmp_path):
    """A file stands where the adapters should lie."""
    (tmp_path / "adapters").write_text("in the way")

    with pytest.raises(AdapterError, match="cannot be kept in"):
        AdapterRegistry(tmp_path / "adapters").add(trained)


def test_numbers_do_not_run_over(adapters, trained):
    """After v9999 a five-digit id would be found by nobody."""
    (adapters.folder / "v9999").mkdir(parents=True)

    with pytest.raises(AdapterError, match="is full: delete old versions"):
        adapters.add(trained)
