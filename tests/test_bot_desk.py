"""The verbs of a client: the same through a running server as in the own process."""

import os

import pytest

from bot.desk import LocalDesk
from bot.errors import BotError, ServerError
from bot.home import ServerAddress
from bot.remote import RemoteDesk
from knowledge.errors import DocumentNotFound

ASKED = "How many days do I have to return a kettle?"
CHANGING = {"id", "seconds"}  # of an answer: what differs between two runs


@pytest.fixture
def local(filled):
    return LocalDesk(filled)


@pytest.fixture
def remote(served):
    desk = RemoteDesk(served)
    yield desk
    desk.close()


def nothing(done, total, name):
    pass


def lasting(pieces):
    *texts, answer = pieces
    return texts, {name: value for name, value in answer.items() if name not in CHANGING}


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("list", ()), ("show", ("returns.md", None)), ("show", ("returns.md", 1)), ("search", ("kettle returns", 3)),
        ("search", ("kettle returns", 1)), ("search", ("???", 5)),
    ],
)  # fmt: skip
def test_reading_is_the_same_here_and_there(local, remote, verb, arguments):
    """Equal dictionaries, down to the types of their values."""
    here = getattr(local, verb)(*arguments)

    assert getattr(remote, verb)(*arguments) == here
    assert verb != "list" or len(here) == 2


def test_asking_is_the_same_here_and_there(local, remote):
    """The same pieces of text, then the same answer."""
    history = [{"role": "user", "content": "Do you sell kettles?"}, {"role": "assistant", "content": "We do."}]
    here = lasting(local.ask(ASKED, history))

    assert lasting(remote.ask(ASKED, history)) == here
    assert here[1]["citations"][0]["document"] == "returns.md"
    assert "".join(here[0]).strip() == here[1]["text"]


def test_adding_is_the_same_here_and_there(local, remote, tmp_path):
    """Good, bad and unchanged files, and the same progress along the way."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\nAlpha is first.\n")
    (folder / "b.png").write_bytes(b"\x89PNG")
    seen = {"there": [], "here": []}

    there = remote.add(folder, lambda *event: seen["there"].append(event))
    assert [(row["source"], row["status"]) for row in there] == [("a.md", "added"), ("b.png", "failed")]
    there = remote.add(folder, nothing)
    here = local.add(folder, lambda *event: seen["here"].append(event))
    assert here == there and there[0]["status"] == "unchanged"
    assert seen["here"] == seen["there"] and len(seen["here"]) == 3


def test_a_relative_path_means_the_same_folder_to_both(local, remote, tmp_path, monkeypatch):
    """The server works in a folder of its own."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.md").write_text("# A\n\nAlpha is first.\n")
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    monkeypatch.setattr(os, "getcwd", lambda: str(tmp_path))
    (row,) = remote.add(Path("documents"), nothing)
    assert row["document"]["collection"] == str(tmp_path / "documents")
    assert local.missing(Path("documents")) == remote.missing(Path("documents")) == []


def test_missing_files_are_the_same_here_and_there(local, remote, tmp_path):
    """Documents whose files are gone, and none for a folder nobody added."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\nAlpha is first.\n")
    local.add(folder)
    (folder / "a.md").unlink()

    assert remote.missing(folder) == local.missing(folder)
    assert [document["source"] for document in local.missing(folder)] == ["a.md"]
    assert remote.missing(tmp_path) == []


def test_removing_is_the_same_here_and_there(local, remote):
    """Each answers with the document that was removed, and it is gone for both."""
    there, here = remote.remove("returns.md"), local.remove("shipping.md")

    assert there.keys() == here.keys() and (there["source"], here["source"]) == ("returns.md", "shipping.md")
    assert local.list() == remote.list() == []


@pytest.mark.parametrize(
    ("verb", "arguments"), [("show", ("nothing.md", None)), ("remove", ("nothing.md",)), ("show", ("returns.md", 9))]
)
def test_a_refusal_has_the_same_sentence_here_and_there(local, remote, verb, arguments):
    """The kind of the error differs, what a person reads does not."""
    with pytest.raises(DocumentNotFound) as here:
        getattr(local, verb)(*arguments)
    with pytest.raises(BotError) as there:
        getattr(remote, verb)(*arguments)

    assert str(there.value) == str(here.value)


def test_a_refused_question_and_a_missing_path_are_sentences_too(remote, tmp_path):
    """They come as events of a stream that has begun."""
    with pytest.raises(BotError, match="question is empty"):
        list(remote.ask(" ", []))
    with pytest.raises(BotError, match="does not exist"):
        remote.add(tmp_path / "nowhere", nothing)


def test_a_wrong_token_is_refused(served):
    """The file of the home folder is the key."""
    desk = RemoteDesk(ServerAddress(served.url, "wrong", served.pid))

    with pytest.raises(BotError, match="status 403"):
        desk.list()
    with pytest.raises(BotError, match="status 403"):
        list(desk.ask(ASKED, []))
    desk.close()


def test_a_server_that_is_gone_is_named(tmp_path):
    """With its address, its process, and what to do."""
    desk = RemoteDesk(ServerAddress("http://127.0.0.1:9", "secret", 4711))

    assert not desk.answers()
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:9 \(process 4711\) does not answer.*frontdesk serve"):
        desk.list()
    with pytest.raises(ServerError, match="4711"):
        list(desk.ask(ASKED, []))
    desk.close()


def test_a_running_server_answers(remote):
    """Asked before each command, so that a leftover file sends nobody astray."""
    assert remote.answers()


def test_a_failure_without_a_sentence_is_named_by_its_status(served, filled, monkeypatch, remote):
    """A plain 500 is no JSON."""
    monkeypatch.setattr(filled.documents, "documents", lambda: 1 / 0)

    with pytest.raises(BotError, match="failed with status 500: see its log"):
        remote.list()
