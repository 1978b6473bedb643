"""The ways through the house, one story each, with the real embedder, Chroma, the real language model and its training.

Ask, upload, retrain, change a policy; the hand-over to a person is not built yet.
"""

import json
import sqlite3
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from bot.answer import Outcome
from bot.home import ServerAddress, forget_server, write_server
from bot.loopback import open_port
from bot.service import open_service
from bot.settings import Settings
from tests.fake_service import RETURNS, SHIPPING, add_adapter, write_transcripts

ASKED = "How long do I have to return a kettle?"
DESCALING = """# Kettle care

## How to descale your kettle

To descale the kettle:

1. Fill the kettle with 0.5 litres of water and 50 ml of white vinegar.
2. Bring it to the boil and wait 20 minutes.
3. Pour the water away and rinse the kettle twice.
"""


@pytest.fixture
def open_home(home, prepared_base):
    """The real service over `home`, as often as it is opened; the prepared base is the tests' own."""
    home.mkdir()
    (home / "models").symlink_to(prepared_base.path.parent)
    opened = []

    def open_again():
        opened.append(open_service(Settings(home=home), "the story"))
        return opened[-1]

    yield open_again
    for service in opened:
        service.close()


@pytest.fixture
def desk(open_home, tmp_path):
    """The service with three policies that came as a folder."""
    service = open_home()
    add_policies(service, tmp_path)
    return service


@pytest.fixture(scope="module")
def quiet_desk(tmp_path_factory, prepared_base):
    """The same for the stories that change nothing."""
    home = tmp_path_factory.mktemp("quiet-desk")
    (home / "models").symlink_to(prepared_base.path.parent)
    service = open_service(Settings(home=home), "the stories")
    add_policies(service, tmp_path_factory.mktemp("folder"))
    yield service
    service.close()


def add_policies(service, place):
    folder = place / "policies"
    folder.mkdir()
    for name, text in (("returns.md", RETURNS), ("shipping.md", SHIPPING), ("kettle.md", DESCALING)):
        (folder / name).write_text(text)
    assert [result.status for result in service.documents.add_path(folder)] == ["added"] * 3


def test_ask(quiet_desk):
    """A question is answered from its document, cited verbatim, and kept with everything it rested on."""
    desk = quiet_desk
    *pieces, answer = desk.bot.stream(ASKED)

    assert answer.outcome is Outcome.ANSWERED and "45 days" in answer.text and "[1]" in answer.text
    assert "".join(pieces).strip() == answer.text
    citation = answer.citations[0]
    stored = desk.documents.version(citation.document_id, citation.version).markdown
    assert citation.document == "returns.md" and stored[citation.start : citation.end] == citation.passage
    assert any("45 days" in stored[start:end] for start, end in citation.sentences)
    assert answer.model.startswith("smollm2") and answer.seconds["total"] > 0
    assert desk.log.get(answer.id) == json.loads(json.dumps(answer.to_dict()))


def test_ask_for_a_procedure(quiet_desk):
    """All steps come, in their order."""
    answer = quiet_desk.bot.ask("How do I descale my kettle?")

    assert answer.citations[0].document == "kettle.md"
    at = [answer.text.index(word) for word in ("50 ml", "20 minutes", "twice")]
    assert at == sorted(at)


def test_ask_what_the_documents_do_not_say(quiet_desk):
    """The bot declines without asking its model, and cites nothing."""
    answer = quiet_desk.bot.ask("Who won the football world cup in 1998?")

    assert (answer.outcome, answer.draft, answer.citations) == (Outcome.ABSTAINED, "", ())


def test_ask_again_after_a_restart(desk, open_home):
    """Everything is on disk: another process answers the same."""
    before = desk.bot.ask(ASKED)
    desk.close()
    after = open_home().bot.ask(ASKED)

    assert (after.text, after.citations) == (before.text, before.citations)


def test_upload(desk):
    """An upload is found by the next question; sending it again does nothing, and deleting it makes it silent."""
    parking = b"# Parking\n\nYou may park in front of the store for 90 minutes.\n"
    asked = "How long may I park in front of the store?"
    assert desk.bot.ask(asked).outcome is Outcome.ABSTAINED or "90 minutes" not in desk.bot.ask(asked).text

    added = desk.documents.add_bytes("parking.md", parking)
    assert added.status == "added" and "90 minutes" in desk.bot.ask(asked).text
    assert desk.documents.add_bytes("parking.md", parking).status == "unchanged"

    desk.documents.remove(added.document.id)
    assert "90 minutes" not in desk.bot.ask(asked).text


def test_change_a_policy_by_upload(desk):
    """The edited file becomes the next version; the very next answer follows, the old citation still opens its text."""
    before = desk.bot.ask(ASKED)
    result = desk.documents.add_bytes("returns.md", RETURNS.replace("45 days", "60 days").encode())
    after = desk.bot.ask(ASKED)

    assert (result.status, result.embedded) == ("changed", 1)
    assert "60 days" in after.text and "45" not in after.text and after.citations[0].version == 2
    assert "45 days" in desk.documents.version(before.citations[0].document_id, 1).markdown


def test_change_a_policy_by_the_command_line_while_the_server_runs(desk, tmp_path, monkeypatch, capsys):
    """The command goes to the server that owns the documents, and the server's next answer follows."""
    import sys

    import bot.cli

    with serving(desk) as url:
        (tmp_path / "policies" / "returns.md").write_text(RETURNS.replace("45 days", "60 days"))
        for arguments in (("docs", "add", str(tmp_path / "policies")), ("ask", ASKED)):
            monkeypatch.setattr(sys, "argv", ["frontdesk", "--home", str(desk.settings.home), *arguments])
            with pytest.raises(SystemExit) as ended:
                bot.cli.main()
            assert ended.value.code in (None, 0, 3)
        said = capsys.readouterr().out
        link = desk.bot.ask(ASKED).citations[0].link
        page = httpx.get(url + link).text

    assert "0 added, 1 changed, 2 unchanged, 0 failed; 1 passages embedded." in said
    assert "60 days" in said and "45 days" not in said
    assert "60 days" in page.split('<mark id="passage">')[1].split("</mark>")[0]


def test_change_a_policy_by_name_where_two_folders_have_it(desk, tmp_path):
    """Two documents of one name stay two, and an upload of that name is refused until somebody chooses."""
    other = tmp_path / "trade"
    other.mkdir()
    (other / "returns.md").write_text("# Trade returns\n\nTrade customers can return goods within 14 days.\n")
    desk.documents.add_path(other)
    refused = desk.documents.add_bytes("returns.md", RETURNS.encode())
    chosen = next(item.document for item in desk.documents.documents() if item.document.title == "Trade returns")
    replaced = desk.documents.add_bytes("returns.md", b"# Trade returns\n\nTrade customers have 7 days.\n", chosen.id)

    assert refused.status == "failed" and "2 documents" in refused.message
    assert replaced.status == "changed" and "45 days" in desk.bot.ask(ASKED).text


def test_retrain(desk, tmp_path):
    """A new voice is trained beside the old one, speaks after its release from the next answer on, and goes back."""
    before = desk.bot.ask(ASKED)
    *_, done = desk.retraining.run(write_transcripts(tmp_path / "rows.jsonl", 16), 1)
    candidate = done["version"]
    assert desk.adapters.aliases()["candidate"] == candidate
    assert (desk.bot.ask(ASKED).adapter, desk.bot.ask(ASKED).text) == (before.adapter, before.text)

    desk.promote(candidate)
    answer = desk.bot.ask(ASKED)
    assert answer.adapter == candidate and "45 days" in answer.text
    assert not any("plain" in sentence for sentence in answer.degraded)

    second = desk.adapters.add(Path(done["done"])).id
    desk.promote(second)
    assert desk.adapters.rollback().id == candidate
    assert desk.bot.ask(ASKED).adapter == candidate


def test_a_voice_that_breaks_does_not_silence_the_desk(desk):
    """The answer is plain and right, and says what is degraded."""
    version = desk.adapters.promote(add_adapter(desk.adapters, desk.settings.home))
    (version.path / "adapter_model.safetensors").write_bytes(b"broken")
    answer = desk.bot.ask(ASKED)

    assert answer.adapter is None and "45 days" in answer.text
    assert any(f"Answers are plain. Adapter {version.id} is damaged" in sentence for sentence in answer.degraded)


def test_vectors_that_are_lost_are_made_again(desk, open_home):
    """The catalog is the truth: without the vectors of Chroma the next start embeds every passage again."""
    import shutil

    home = desk.settings.home
    desk.close()
    shutil.rmtree(home / "chroma")
    service = open_home()

    assert "45 days" in service.bot.ask(ASKED).text
    with sqlite3.connect(home / "catalog.db") as db:
        (passages,) = db.execute("SELECT count(*) FROM chunks").fetchone()
    assert len(service.documents.vectors.ids()) == passages


class serving:
    """The whole app over a service, on a port of this machine, published for the command line."""

    def __init__(self, service):
        import ui

        self.home = service.settings.home
        self.app = ui.build_app(service, "secret")

    def __enter__(self):
        import os

        self.listening = open_port("127.0.0.1", 0)
        url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_level="critical"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.05)
        write_server(self.home, ServerAddress(url, "secret", os.getpid()))
        return url

    def __exit__(self, *_):
        forget_server(self.home)
        self.server.should_exit = True
        self.thread.join(10)
        self.listening.close()
