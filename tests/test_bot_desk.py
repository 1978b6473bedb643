"""The verbs of a client: the same through a running server as in the own process."""

import inspect
import os
from itertools import product
from pathlib import Path

import httpx
import pytest

from bot.desk import ASK, VERBS, WORKS, LocalDesk
from bot.errors import BotError, ServerError
from bot.home import ServerAddress
from bot.remote import RemoteDesk
from bot.times import read_begin, read_end
from knowledge.documents import Terms
from knowledge.errors import DocumentNotFound, KnowledgeError
from tests.fake_service import RETURNS
from tone_tuning.language_model import ScriptedModel

ASKED = "How many days do I have to return a kettle?"
CHANGING = {"id", "seconds"}  # of an answer: what differs between two runs


@pytest.fixture
def local(filled):
    """The desk over two documents, one of them with a version that is to come, and one for staff."""
    later = Terms(effective_from=read_begin("2199-01-01"), effective_until=read_end("2199-06-30"), note="Autumn")
    filled.documents.add_bytes("returns.md", RETURNS.replace("45 days", "60 days").encode(), terms=later)
    staff = Terms(audience="internal", review_at=read_begin("2020-01-01"), uploaded_by="ann", origin="mail")
    filled.documents.add_bytes("goodwill.md", b"# Goodwill\n\nStaff may give $40 for a late kettle.\n", terms=staff)
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
        ("list", ()), ("list", (True,)), ("list", (False, "2199-02-01")), ("list", (False, "2020-01-01")),
        ("show", ("returns.md", None)), ("show", ("returns.md", 1)), ("show", ("returns.md", 2, True)),
        ("search", ("kettle returns", 3)), ("search", ("kettle returns", 1)), ("search", ("???", 5)),
        ("search", ("kettle returns", 5, "2199-02-01", "internal")), ("search", ("late kettle", 5, "", "internal")),
        ("versions", ("returns.md",)), ("versions", ("goodwill.md",)),
        ("diff", ("returns.md", 1, 2)), ("diff", ("returns.md", 1, 1)),
        ("stale", ()), ("verify", ()), ("verify", (True,)), ("missing", ("/nowhere",)),
    ],
)  # fmt: skip
def test_reading_is_the_same_here_and_there(local, remote, verb, arguments):
    """Equal dictionaries, down to the types of their values."""
    here = getattr(local, verb)(*arguments)

    assert getattr(remote, verb)(*arguments) == here
    assert verb != "list" or len(here) == {"2020-01-01": 0, "2199-02-01": 3}.get(arguments[-1] if arguments else "", 3)


def test_a_document_is_listed_with_what_is_planned_for_it(local):
    """The version in force, and the day on which another takes over."""
    returns = next(row for row in local.list() if row["source"] == "returns.md")
    then = next(row for row in local.list(as_of="2199-02-01") if row["source"] == "returns.md")

    assert (returns["state"], returns["version"], returns["versions"]) == ("in force", 1, 2)
    assert returns["next_from"] == read_begin("2199-01-01").isoformat(timespec="seconds")
    assert then["version"] == 2 and then["effective_until"] == read_end("2199-06-30").isoformat(timespec="seconds")


def test_versions_come_with_their_dates_and_their_state(local):
    """What was said about each when it was added, and when it is in force; never the text."""
    first, second = local.versions("returns.md")

    assert [(row["version"], row["state"], row["note"]) for row in (first, second)] == [
        (1, "in force", ""), (2, "scheduled", "Autumn")]  # fmt: skip
    assert first["ends"] == second["begins"] == second["effective_from"] and first["effective_until"] is None
    assert "markdown" not in first and first["characters"] == len(RETURNS)
    local.withdraw("returns.md", 2)
    local.withdraw("returns.md")
    assert [(row["state"], row["begins"] is None) for row in local.versions("returns.md")] == [
        ("over", False), ("never", True)]  # fmt: skip


def test_a_difference_is_told_line_by_line(local):
    """What was there, what is there now, and where lines are left out."""
    lines = local.diff("returns.md", 1, 2)

    assert [(line["kind"], line["text"]) for line in lines if line["kind"] in ("added", "removed")] == [
        ("removed", "You can return a kettle within 45 days of delivery. Gift cards cannot be returned."),
        ("added", "You can return a kettle within 60 days of delivery. Gift cards cannot be returned."),
    ]
    assert {line["kind"] for line in lines} == {"same", "added", "removed", "gap"}


def test_stale_documents_come_in_the_order_of_the_answers_that_rest_on_them(local, filled):
    """Those past their review date only."""
    local.describe("shipping.md", review="2019-01-01")
    assert [(row["source"], row["answers"]) for row in local.stale()] == [("shipping.md", 0), ("goodwill.md", 0)]

    list(local.ask("What may staff give for a late kettle?", audience="internal"))
    assert [(row["source"], row["answers"]) for row in local.stale()] == [("goodwill.md", 1), ("shipping.md", 0)]
    local.remove("goodwill.md")
    local.describe("shipping.md", review="2199-01-01")
    assert local.stale() == []


def test_asking_is_the_same_here_and_there(local, remote):
    """The same pieces of text, then the same answer."""
    history = [{"role": "user", "content": "Do you sell kettles?"}, {"role": "assistant", "content": "We do."}]
    here = lasting(local.ask(ASKED, history))

    assert lasting(remote.ask(ASKED, history)) == here
    assert here[1]["citations"][0]["document"] == "returns.md"
    assert "".join(here[0]).strip() == here[1]["text"]


@pytest.mark.parametrize(("as_of", "audience", "said", "not_said"), [
    ("2199-02-01", "", "60 days", "45 days"), ("", "internal", "45 days", "60 days"), ("2199-06-30", "vip", "60", "45"),
])  # fmt: skip
def test_asking_about_a_day_for_somebody_is_the_same_here_and_there(local, remote, as_of, audience, said, not_said):
    """The version of that day, down to its citation."""
    here = lasting(local.ask(ASKED, (), as_of, audience))

    assert lasting(remote.ask(ASKED, (), as_of, audience)) == here
    assert lasting(remote.ask(ASKED, as_of=as_of, audience=audience)) == here
    assert said in here[1]["text"] and not_said not in here[1]["text"]
    assert (here[1]["as_of"] is None) == (as_of == "")


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
    assert [row["source"] for row in local.list()] == [row["source"] for row in remote.list()] == ["goodwill.md"]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("expire", ("2199-01-01",)), ("expire", ("",)), ("expire", ("2198-05-05 12:00", 1)), ("withdraw", ()),
        ("withdraw", (1,)), ("remove", ()), ("erase", ()),
        ("describe", ("vip",)), ("describe", ("", "2030-01-01")), ("describe", ("b,a", "2030-01-01")),
        ("describe", ("", "never")),
    ],
)  # fmt: skip
def test_changing_is_the_same_here_and_there(local, remote, filled, verb, arguments):
    """The same call on two equal documents: equal answers but for names, and equal effects."""
    twins = [f"twin {n}/same.md" for n in (1, 2)]
    for source in twins:
        filled.documents.add_item("twins", source, "same.md", b"# Same\n\nThe same text.\n")
    there = getattr(remote, verb)(twins[0], *arguments)
    here = getattr(local, verb)(twins[1], *arguments)

    own = {"id", "document_id", "source", "added_at", "effective_from", "withdrawn_at"}
    assert there.keys() == here.keys()
    assert {k: v for k, v in there.items() if k not in own} == {k: v for k, v in here.items() if k not in own}
    rows = {row["source"]: row for row in local.list(everything=True)}
    same = [{k: v for k, v in rows[s].items() if k not in own} for s in twins if s in rows]
    assert (len(same) == 0) == (verb == "erase") and same[:1] == same[1:]
    assert local.verify() == []


def test_an_answer_under_way_quotes_nothing_that_is_erased_meanwhile(local, filled, home):
    """The customer has it on the screen, but the log keeps no word of it."""

    class Erasing(ScriptedModel):
        def stream(self, messages, **options):
            local.erase("returns.md")
            yield from super().stream(messages, **options)

    filled.bot.model = lambda: Erasing(["You can return a kettle within 45 days of delivery. [1]"])
    *_, answer = local.ask(ASKED)

    assert "45 days" in answer["text"]
    kept = filled.log.get(answer["id"])
    assert (kept["text"], kept["draft"], kept["question"]) == ("[erased]", "[erased]", ASKED)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path.name for path in files if b"within 45 days" in path.read_bytes()] == []


def test_rolling_back_is_the_same_here_and_there(local, remote, filled):
    """The old text as a new version, from now on or from a day on, with who did it."""
    twins = [f"twin {n}/same.md" for n in (1, 2)]
    for source, text in product(twins, (b"# Same\n\nOld text.\n", b"# Same\n\nNew text.\n")):
        filled.documents.add_item("twins", source, "same.md", text)
    there, here = remote.rollback(twins[0], 1, "2199-01-01", "ann"), local.rollback(twins[1], 1, "2199-01-01", "ann")

    assert there.keys() == here.keys()
    assert (there["version"], there["uploaded_by"], there["note"]) == (3, "ann", "version 1 again")
    assert there["effective_from"] == here["effective_from"] == read_begin("2199-01-01").isoformat(timespec="seconds")
    assert remote.rollback(twins[0], 1)["version"] == local.rollback(twins[1], 1)["version"] == 4
    assert "Old text." in local.show(twins[0])["markdown"] and "Old text." in remote.show(twins[1])["markdown"]


def test_adding_with_terms_is_the_same_here_and_there(local, remote, tmp_path):
    """Dates, audience, pattern, review, note, and who added it from where."""
    for n in (1, 2):
        (tmp_path / f"folder {n}").mkdir()
        (tmp_path / f"folder {n}" / "a.md").write_text("# Internal: a\n\nAlpha.\n")
        (tmp_path / f"folder {n}" / "b.md").write_text("# B\n\nBeta.\n")
    terms = ("2030-01-01", "2030-12-31", "internal", "Internal:*", "2030-06-01", "Checked", "ann")
    there = remote.add(tmp_path / "folder 1", nothing, *terms)
    here = local.add(tmp_path / "folder 2", nothing, *terms)

    for mine, place in ((there, tmp_path / "folder 1"), (here, tmp_path / "folder 2")):
        a, b = (row["document"] for row in mine)
        assert (a["audience"], b["audience"]) == ("internal", "public")
        assert a["review_at"] == read_begin("2030-06-01").isoformat(timespec="seconds")
        (version,) = local.versions(a["id"])
        assert (version["begins"], version["ends"]) == (
            read_begin("2030-01-01").isoformat(timespec="seconds"),
            read_end("2030-12-31").isoformat(timespec="seconds"),
        )
        assert (version["note"], version["uploaded_by"], version["origin"]) == ("Checked", "ann", str(place))


def test_rebuilding_is_the_same_here_and_there(local, remote):
    """The same count and the same progress; nobody has to watch."""
    seen = {"there": [], "here": []}
    counts = [remote.rebuild(lambda *event: seen["there"].append(event)),
              local.rebuild(lambda *event: seen["here"].append(event)), remote.rebuild(), local.rebuild()]  # fmt: skip

    assert counts == [5] * 4 and seen["here"] == seen["there"] and len(seen["here"]) > 1


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("show", ("nothing.md", None)), ("remove", ("nothing.md",)), ("show", ("returns.md", 9)),
        ("diff", ("returns.md", 1, 9)), ("versions", ("nothing.md",)), ("erase", ("nothing.md",)),
        ("rollback", ("returns.md", 1)), ("rollback", ("returns.md", 9)), ("rollback", ("returns.md", 2, "soon")),
        ("withdraw", ("returns.md", 9)), ("expire", ("returns.md", "2020-01-01")), ("expire", ("returns.md", "x")),
        ("describe", ("returns.md",)), ("describe", ("returns.md", "a b")), ("describe", ("returns.md", "", "x")),
        ("list", (False, "yesterday")), ("search", ("x", 5, "31.12.2026")), ("search", ("x", 5, "", "no group")),
    ],
)  # fmt: skip
def test_a_refusal_has_the_same_sentence_here_and_there(local, remote, verb, arguments):
    """The kind of the error differs, what a person reads does not; and nothing is changed."""
    before = local.list(everything=True)
    with pytest.raises((BotError, KnowledgeError)) as here:
        getattr(local, verb)(*arguments)
    with pytest.raises(BotError) as there:
        getattr(remote, verb)(*arguments)

    assert str(there.value) == str(here.value)
    assert isinstance(here.value, DocumentNotFound) or "nothing.md" not in str(arguments)
    assert local.list(everything=True) == before


@pytest.mark.parametrize("terms", [{"begins": "soon"}, {"until": "2020-01-01"}, {"audience": "a b"}, {"review": "x"}])
def test_refused_terms_are_the_same_sentence_here_and_there(local, remote, tmp_path, terms):
    """Of a verb that answers with a stream."""
    (tmp_path / "a.md").write_text("# A\n\nAlpha.\n")
    with pytest.raises((BotError, KnowledgeError)) as here:
        local.add(tmp_path / "a.md", nothing, **terms)
    with pytest.raises(BotError) as there:
        remote.add(tmp_path / "a.md", nothing, **terms)

    assert str(there.value) == str(here.value) and len(local.list()) == 3


def test_every_verb_has_its_name_and_arguments_here_and_there(local, remote):
    """Nothing is written down twice, so nothing can differ; what is no verb is not there."""
    for verb in VERBS | WORKS | {ASK}:
        assert callable(getattr(remote, verb))
        with pytest.raises(TypeError):
            getattr(local, verb)(bogus=1)
        with pytest.raises(TypeError):
            getattr(remote, verb)(bogus=1)
    methods = {name for name, _ in inspect.getmembers(LocalDesk, inspect.isfunction) if not name.startswith("_")}
    assert methods == VERBS | WORKS | {ASK, "close"}
    for name in ("bogus", "service", "_plain"):
        with pytest.raises(AttributeError, match=name):
            getattr(remote, name)


def test_a_refused_question_and_a_missing_path_are_sentences_too(remote, tmp_path):
    """They come as events of a stream that has begun."""
    with pytest.raises(BotError, match="question is empty"):
        list(remote.ask(" ", []))
    with pytest.raises(BotError, match="does not exist"):
        remote.add(tmp_path / "nowhere", nothing)


def test_a_wrong_token_is_refused(served):
    """The file of the home folder is the key."""
    desk = RemoteDesk(ServerAddress(served.url, "wrong", served.pid))

    for refused in (desk.list, lambda: list(desk.ask(ASKED, [])), desk.rebuild):
        with pytest.raises(BotError, match="wants the token of the home folder"):
            refused()
    desk.close()


def test_a_server_that_is_gone_is_named(tmp_path):
    """With its address, its process, and what to do."""
    desk = RemoteDesk(ServerAddress("http://127.0.0.1:9", "secret", 4711))

    assert not desk.answers()
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:9 \(process 4711\) does not answer.*frontdesk serve"):
        desk.list()
    with pytest.raises(ServerError, match="4711"):
        list(desk.ask(ASKED, []))
    with pytest.raises(ServerError, match="4711"):
        desk.rebuild()
    desk.close()


@pytest.mark.parametrize("broken", ["", '{"resu', "<html>"])
def test_a_server_that_stops_in_the_middle_is_no_success(broken):
    """The stream ends before the result, between two lines or within one: half an answer is no answer."""
    desk = RemoteDesk(ServerAddress("http://127.0.0.1:9", "secret", 4711))
    begun = {"rebuild": '{"done": 1, "total": 2, "name": "a.md"}\n', "ask": '{"text": "You have"}\n'}

    def stop(request):
        return httpx.Response(200, text=begun[request.url.path.rsplit("/", 1)[1]] + broken)

    desk.client = httpx.Client(transport=httpx.MockTransport(stop), base_url="http://127.0.0.1:9")
    with pytest.raises(ServerError, match="4711"):
        desk.rebuild(nothing)
    pieces = desk.ask(ASKED, [])
    assert next(pieces) == "You have"
    with pytest.raises(ServerError, match="4711"):
        next(pieces)
    desk.close()


def test_a_name_that_is_no_text_is_named_before_it_is_sent(local, remote):
    """A file name may have bytes that JSON cannot carry."""
    for refused in (lambda: remote.show("ret\udcffurns.md"), lambda: remote.add(Path("/tmp/\udcff"), nothing),
                    lambda: list(remote.ask("\udcff"))):  # fmt: skip
        with pytest.raises(BotError, match=r"udcff.*is no text"):
            refused()


def test_a_running_server_answers(remote):
    """Asked before each command, so that a leftover file sends nobody astray."""
    assert remote.answers()


def test_a_failure_without_a_sentence_is_named_by_its_status(served, filled, monkeypatch, remote):
    """A plain 500 is no JSON."""
    monkeypatch.setattr(filled.documents, "documents", lambda *_: 1 / 0)

    with pytest.raises(BotError, match="failed with status 500: see its log"):
        remote.list()
