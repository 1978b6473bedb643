"""`frontdesk tone`: train, list, promote, roll back, and how each of them refuses."""

import json

import pytest

from tests.fake_service import make_service, write_transcripts
from tests.test_bot_cli_documents import refused
from tone_tuning.registry import AdapterRegistry


@pytest.fixture(autouse=True)
def base(monkeypatch, tiny_base):
    monkeypatch.setenv("FRONTDESK_BASE", str(tiny_base))


@pytest.fixture
def registry(home):
    return AdapterRegistry(home / "adapters")


def rows(ended):
    return [line.split() for line in ended.out.splitlines()[1:]]


def test_versions_are_listed_with_their_roles(frontdesk, registry, tiny_adapter):
    """Champion, candidate and previous; one that is several things is listed by the weightier."""
    for _ in range(3):
        registry.add(tiny_adapter)
    registry.promote("v0001")
    registry.promote("v0002")
    ended = frontdesk("tone", "list")

    assert (ended.code, ended.err) == (0, "")
    assert [row[:2] for row in rows(ended)] == [["v0001", "previous"], ["v0002", "champion"], ["v0003", "candidate"]]


def test_without_a_champion_the_list_says_that_answers_are_plain(frontdesk, registry, tiny_adapter):
    """Also where there is no version at all."""
    assert "answers are plain" in frontdesk("tone", "list").err
    registry.add(tiny_adapter)
    assert "answers are plain" in frontdesk("tone", "list").err


def test_promote_and_rollback_move_the_champion(frontdesk, registry, tiny_adapter):
    """Beside a running server too: the pointer is a file."""
    registry.add(tiny_adapter), registry.add(tiny_adapter)

    assert frontdesk("tone", "promote", "v0001").out == "v0001 is the champion.\n"
    assert frontdesk("tone", "promote", "v0002").out == "v0002 is the champion.\n"
    assert frontdesk("tone", "rollback").out == "v0001 is the champion again.\n"
    assert registry.aliases()["champion"] == "v0001"


def test_an_unknown_version_is_one_sentence(frontdesk, registry, tiny_adapter, monkeypatch):
    """With those that are known, and before a base that might take long is prepared."""
    registry.add(tiny_adapter)
    monkeypatch.setenv("FRONTDESK_BASE", "/no/such/model")

    said = refused(frontdesk("tone", "promote", "v0099"))
    assert "'v0099'" in said and "v0001" in said


def test_rolling_back_without_an_earlier_champion_is_one_sentence(frontdesk):
    """There is nothing to go back to."""
    assert "no earlier champion" in refused(frontdesk("tone", "rollback"))


def test_a_version_for_another_base_is_refused(frontdesk, home):
    """The fakes' adapter does not fit the base in service."""
    make_service(home).close()

    assert "v0001" in refused(frontdesk("tone", "promote", "v0001"))


@pytest.fixture
def trains(monkeypatch, tiny_base):
    """The service of the command trains for real, on the tiny base."""
    from dataclasses import replace

    from bot.retraining import Retraining

    def open_fake(settings, purpose="test", *_):
        service = make_service(settings.home, settings, purpose)
        return replace(service, retraining=Retraining(settings, service.bot.retriever, service.bot.reader))

    monkeypatch.setattr("bot.service.open_service", open_fake)


def test_training_ends_with_a_candidate_and_the_command_that_releases_it(frontdesk, trains, registry, tmp_path):
    """Which can be copied as it stands."""
    ended = frontdesk("tone", "train", "--data", write_transcripts(tmp_path / "rows.jsonl", 24), "--epochs", "1")

    assert ended.code == 0
    assert ended.out == "Adapter v0002 is the candidate: release it with `frontdesk tone promote v0002`.\n"
    assert frontdesk("tone", "promote", "v0002").code == 0


def test_a_base_folder_that_does_not_exist_is_one_sentence(
    frontdesk, trains, registry, tiny_adapter, monkeypatch, tmp_path
):
    """For promoting and for training."""
    registry.add(tiny_adapter)
    monkeypatch.setenv("FRONTDESK_BASE", "/no/such/model")
    data = write_transcripts(tmp_path / "rows.jsonl", 3)

    assert "/no/such/model" in refused(frontdesk("tone", "promote", "v0001"))
    assert "/no/such/model" in refused(frontdesk("tone", "train", "--data", data))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"messages": [{"role": "user", "content": "Hello?"}]}], "no assistant turn"),
        ([{"messages": []}, "text"], "2 faulty rows"),
        ([], "no conversations"),
    ],
)
def test_a_data_set_that_cannot_be_used_is_one_sentence(frontdesk, trains, tmp_path, rows, reason):
    """Without assistant turns there is nothing to learn; all faulty rows are named."""
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))

    said = refused(frontdesk("tone", "train", "--data", data))
    assert reason in said and "tone:" not in said


def test_a_data_set_that_is_not_there_is_one_sentence(frontdesk, trains, tmp_path):
    """With its path."""
    assert str(tmp_path / "no.jsonl") in refused(frontdesk("tone", "train", "--data", tmp_path / "no.jsonl"))


def test_beside_a_running_server_complete_rows_can_be_trained(frontdesk, served, registry, tmp_path):
    """The server keeps its documents; the candidate appears beside its champion."""
    ended = frontdesk("tone", "train", "--data", write_transcripts(tmp_path / "rows.jsonl", 24), "--epochs", "1")

    assert ended.code == 0 and registry.aliases() == {"champion": "v0001", "candidate": "v0002"}


def test_beside_a_running_server_rows_without_sources_are_refused(frontdesk, served, tmp_path):
    """The sentence says what to do instead."""
    data = tmp_path / "rows.jsonl"
    turns = [{"role": "user", "content": "How long?"}, {"role": "assistant", "content": "45 days."}]
    data.write_text(json.dumps({"messages": turns}))

    assert "retrain from the page, or stop the server" in refused(frontdesk("tone", "train", "--data", data))


def test_a_home_owned_by_another_process_is_named(frontdesk, home, tmp_path):
    """A server that does not answer, or a long evaluation."""
    from bot.home import claim_home

    lock = claim_home(home, "frontdesk eval")
    said = refused(frontdesk("tone", "train", "--data", write_transcripts(tmp_path / "rows.jsonl", 3)))
    lock.release()

    assert "in use by process" in said
