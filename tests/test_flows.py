"""The ways through the house, one story each, with the real embedder, Chroma, the real language model and its training.

Ask, upload, retrain, change a policy, keep staff documents to the staff; the hand-over to a person is not built yet.
"""

import json
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn

import bot.support_bot
from bot.answer import Outcome
from bot.home import ServerAddress, forget_server, write_server
from bot.loopback import open_port
from bot.service import open_service
from bot.settings import Settings
from bot.times import day_of, read_as_of, read_begin
from knowledge.audiences import STAFF
from knowledge.documents import Terms
from tests.clock import Clock, day
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

    def open_again(**options):
        opened.append(open_service(Settings(home=home), "the story", **options))
        return opened[-1]

    yield open_again
    for service in opened:
        service.close()


@pytest.fixture
def prompts(monkeypatch):
    """Everything that the language model is given to read."""
    seen = []

    def keep(*arguments):
        seen.append(build_messages(*arguments))
        return seen[-1]

    build_messages = bot.support_bot.build_messages
    monkeypatch.setattr("bot.support_bot.build_messages", keep)
    return seen


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


def test_change_a_policy_with_a_future_date(open_home, tmp_path):
    """Until the day answers follow version 1, from its first moment version 2; nobody does anything, nothing learns."""
    clock = Clock()
    desk = open_home(clock=clock)
    add_policies(desk, tmp_path)
    begins = read_begin(day_of(day(1)))
    planned = RETURNS.replace("45 days", "60 days").encode()
    result = desk.documents.add_bytes("returns.md", planned, terms=Terms(effective_from=begins))
    adapters, vectors = desk.adapters.aliases(), desk.documents.vectors.ids()

    today, later = desk.bot.ask(ASKED), desk.bot.ask(ASKED, as_of=day(2))
    assert (result.status, result.embedded) == ("changed", 1)
    assert "45 days" in today.text and "60" not in today.text and today.citations[0].version == 1
    assert "60 days" in later.text and "45" not in later.text and later.citations[0].version == 2
    assert later.citations[0].date == day_of(begins) and later.as_of == day(2).isoformat(timespec="seconds")
    assert later.adapter == today.adapter

    clock.now = begins - timedelta(microseconds=1)
    assert "45 days" in desk.bot.ask(ASKED).text
    clock.now = begins
    then = desk.bot.ask(ASKED)
    assert (then.text, then.citations) == (later.text, later.citations) and then.as_of is None
    assert "45 days" in desk.bot.ask(ASKED, as_of=day(0.4)).text
    assert (desk.adapters.aliases(), desk.documents.vectors.ids()) == (adapters, vectors)

    desk.close()  # and a start after that day is no other
    desk = open_home(clock=clock)
    assert "60 days" in desk.bot.ask(ASKED).text and desk.documents.verify() == []


def test_ask_what_applied_on_another_day(open_home, tmp_path):
    """The version of the day that the question names, cited with its dates, and the last line says which."""
    desk = open_home()
    for begins, days in (("2026-01-15", 30), ("2026-06-01", 45)):
        text = RETURNS.replace("45 days", f"{days} days").encode()
        desk.documents.add_bytes("returns.md", text, terms=Terms(effective_from=read_begin(begins)))
    answer = desk.bot.ask("How long did customers have to return a kettle as of 3 March 2026?")

    *_, last = answer.text.splitlines()
    assert "30 days" in answer.text and "45" not in answer.text
    assert last == "That is what applied on 2026-03-03, according to Returns of 2026-01-15."
    (citation,) = answer.citations
    assert (citation.version, citation.date) == (1, "2026-01-15") and "30 days" in citation.passage
    assert desk.log.get(answer.id)["as_of"] == read_as_of("2026-03-03").isoformat(timespec="seconds")
    ordered = desk.bot.ask("I ordered on 3 March 2026. How long do I have to return a kettle?")
    assert "45 days" in ordered.text and ordered.as_of is None


GOODWILL = """# Internal: Goodwill

## Late parcels

If a parcel comes late, staff may give the customer a voucher of $37 with the code KESTREL.
"""


def test_a_staff_document_never_reaches_a_customer(desk, prompts):
    """Not in a prompt, an answer, a citation or the log, however it is asked for; staff get it with its source."""
    added = desk.documents.add_bytes("goodwill.md", GOODWILL.encode(), terms=Terms(audience="internal"))
    asked = "What voucher may staff give if a parcel comes late?"
    questions = (asked, "Internal: Goodwill", "KESTREL", "Which code has the voucher for late parcels?",
                 f"{asked} And how long do I have to return a kettle?", f"{asked[:-1]} as of 2199-01-01?")  # fmt: skip
    answers = [desk.bot.ask(question) for question in questions]
    answers.append(desk.bot.ask("And for late parcels?", [{"role": "user", "content": asked}]))
    answers.append(desk.bot.ask(asked, as_of=day(9999)))

    assert "45 days" in answers[4].text  # what is public is answered all the same
    for answer in answers:
        kept = desk.log.get(answer.id)
        told = {name: kept[name] for name in kept.keys() - {"question", "standalone"}}
        for words in ("$37", "KESTREL", "give the customer", "goodwill.md", added.document.id):
            assert words not in json.dumps(told)
    read = json.dumps([message["content"].split("Question: ")[0] for prompt in prompts for message in prompt])
    assert "kettle" in read and not any(words in read for words in ("$37", "KESTREL", "give the customer"))

    answer = desk.bot.ask(asked, audiences=STAFF)
    assert "$37" in answer.text and [c.document for c in answer.citations] == ["goodwill.md"]
    assert "KESTREL" in json.dumps(prompts[-1])
    desk.documents.describe("goodwill.md", "public")
    assert "$37" in desk.bot.ask(asked).text


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
        (passages,) = db.execute("SELECT count(*) FROM passages").fetchone()
    assert sum(map(len, service.documents.vectors.ids().values())) == passages > 0


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
