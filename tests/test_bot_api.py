"""The routes below the page: stored documents at their passage, health, and the endpoint of the command line."""

import functools
import inspect
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bot.api import add_routes, document_page, staff_key
from bot.desk import ASK, VERBS, WORKS, LocalDesk
from knowledge.documents import Terms
from tests.test_bot_page import EVIL, Reader
from tone_tuning.language_model import ScriptedModel

TOKEN = {"authorization": "Bearer secret"}
DOCUMENT = {
    "title": "Returns",
    "source": "returns.md",
    "version": 2,
    "effective_from": "2026-11-24T12:00:00+00:00",
    "markdown": "abc",
}


@pytest.fixture
def client(filled):
    app = FastAPI()
    add_routes(app, filled, "secret")
    return TestClient(app, raise_server_exceptions=False)


def events(response):
    return [json.loads(line) for line in response.text.splitlines()]


def marked(page):
    _, _, rest = page.partition('<mark id="passage">')
    return Reader(rest.partition("</mark>")[0]).text if rest else None


def test_a_citation_opens_the_stored_document_at_its_passage(filled, client):
    """The link of an answer leads to the whole text with exactly the cited passage marked."""
    citation = filled.bot.ask("How many days do I have to return a kettle?").citations[0]
    response = client.get(citation.link)

    assert response.status_code == 200 and "#passage" in citation.link
    assert marked(response.text) == citation.passage
    assert filled.documents.version(citation.document_id).markdown in Reader(response.text).text
    assert "returns.md · version 1" in Reader(response.text).text


def test_a_citation_of_an_older_version_opens_that_version(filled, client):
    """What the answer rested on stays readable after the document changed, and after it was removed."""
    citation = filled.bot.ask("How many days do I have to return a kettle?").citations[0]
    filled.documents.add_bytes("returns.md", b"# Returns\n\nNo returns at all.\n")
    assert "45 days" in marked(client.get(citation.link).text)

    filled.documents.remove(citation.document_id)
    assert "45 days" in marked(client.get(citation.link).text)


@pytest.mark.parametrize("address", ["/documents/nothing", "/documents/shipping.md?version=9", "/documents/%3Cimg%3E"])
def test_a_document_that_is_not_there_is_a_404_in_words(client, address):
    """Unknown document, unknown version, and a name that would be markup."""
    response = client.get(address)

    assert response.status_code == 404
    assert Reader(response.text).names == {"p"}
    assert "document" in response.text.lower()


def secret(filled, name="secret.md", audience="internal"):
    """A document that is not for everybody, with the address of its passage."""
    added = filled.documents.add_bytes(
        name, b"# Goodwill\n\nStaff may give $40 away.\n", terms=Terms(audience=audience)
    )
    return added.document


@pytest.mark.parametrize("audience", ["internal", "vip", "trade,vip"])
def test_a_document_for_some_is_opened_with_its_key_only(filled, client, audience):
    """Not without one, not with that of another document or server, and not by any other name than its id."""
    document = secret(filled, audience=audience)
    address, right = f"/documents/{document.id}", staff_key("secret", document.id)
    other = staff_key("secret", filled.documents.get("returns.md").id)
    wrong = ["", "x", other, staff_key("other", document.id), right[:-1], right.upper() + "0", "schlüssel", "%FF"]

    refused = [client.get(f"{place}?key={key}") for key in wrong for place in (address, "/documents/secret.md")]
    assert {response.status_code for response in refused} == {404}
    assert not any(word in response.text for response in refused for word in ("40", "Goodwill"))
    assert "$40 away" in client.get(f"{address}?key={right}&version=1").text


def test_a_document_for_some_cannot_be_told_from_one_that_is_not_there(filled, client):
    """The same status and words, also where a name stands for several: nobody learns of it by asking."""
    document = secret(filled)
    filled.documents.add_item("elsewhere", "vault/secret.md", "secret.md", b"# Other\n\nAlso secret.\n",
                              Terms(audience="internal"))  # fmt: skip
    names = ("secret.md", document.id, document.id[:6], "nothing.md")
    answers = [client.get(f"/documents/{name}") for name in names]

    words = {answer.text.replace(name, "X") for name, answer in zip(names, answers, strict=True)}
    assert words == {"<p>There is no document 'X' for everybody.</p>"}


def test_a_version_that_is_to_come_is_opened_with_the_key_only(filled, client):
    """A citation of today names the document; counting its versions up must not show tomorrow's prices."""
    document, soon = filled.documents.get("returns.md"), datetime.now(UTC) + timedelta(days=9)
    planned = b"# Returns\n\nYou can return a kettle within 10 days.\n"
    filled.documents.add_bytes("returns.md", planned, terms=Terms(effective_from=soon))
    address = f"/documents/{document.id}?version=2"

    assert client.get(address).status_code == 404
    assert "10 days" in client.get(f"{address}&key={staff_key('secret', document.id)}").text
    assert "45 days" in client.get(f"/documents/{document.id}").text
    filled.documents.withdraw("returns.md", 2)
    assert client.get(address).status_code == 404


def test_an_address_that_cannot_be_read_is_a_sentence(client):
    """The parameter at fault is named."""
    response = client.get("/documents/returns.md?version=two")

    assert response.status_code == 422 and response.json()["error"].startswith("The request cannot be read (version: ")


@pytest.mark.parametrize(
    ("start", "end", "passage"), [(1, 2, "b"), (0, 3, "abc"), (-5, 1, "a"), (2, 99, "c"), (2, 2, None), (3, 1, None)]
)
def test_offsets_are_kept_within_the_text(start, end, passage):
    """The text is whole whatever the offsets say."""
    page = document_page(DOCUMENT, start, end)

    assert marked(page) == passage
    assert Reader(page).text.endswith("abc")
    assert "returns.md · version 2 · 2026-11-24" in Reader(page).text


def test_a_stored_document_cannot_run_anything(filled, client):
    """Its text is escaped, and the page allows no script, frame or foreign host."""
    added = filled.documents.add_bytes("evil.md", f"# {EVIL}\n\n{EVIL} is not code.\n".encode())
    response = client.get(f"/documents/{added.document.id}?start=2&end=9")

    assert Reader(response.text).names == {
        "html", "head", "meta", "title", "style", "body", "header", "strong", "br", "small", "pre", "mark"}  # fmt: skip
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_health_names_what_is_degraded(filled, client):
    """Ok as long as nothing is."""
    assert client.get("/health").json() == {"status": "ok", "degraded": []}
    filled.model.faults.append("Answers are plain.")
    assert client.get("/health").json() == {"status": "degraded", "degraded": ["Answers are plain."]}


ALL_VERBS = sorted(VERBS | WORKS | {ASK})
HEADERS = [{}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer "}, {"authorization": "secret"},
           {"authorization": "Bearer sécret".encode("latin-1")}]  # fmt: skip
NOWHERE = "/nowhere/at/all"
GIVEN = {"reference": "returns.md", "path": NOWHERE, "folder": NOWHERE, "question": "x", "query": "x", "name": "x",
         "until": "2099-01-01", "kind": "folder", "settings": {"path": NOWHERE}, "every_seconds": 60,
         "number": 1, "old": 1, "new": 1}  # fmt: skip


def usual(verb):
    """Arguments that a verb takes and could be done with."""
    takes = inspect.signature(getattr(LocalDesk, verb)).parameters.values()
    return {p.name: GIVEN[p.name] for p in takes if p.default is p.empty and p.name != "self"}


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_verb_of_the_command_line_wants_the_token(client, filled, verb):
    """Without it nothing is read and nothing is changed, whether the arguments are right or wrong."""
    before = filled.documents.documents(everything=True)
    for header, arguments in product(HEADERS, (usual(verb), {"bogus": 1})):
        response = client.post(f"/internal/{verb}", headers=header, json=arguments)
        assert response.status_code == 403
        assert response.json() == {"detail": "This endpoint wants the token of the home folder."}
    assert filled.documents.documents(everything=True) == before and filled.log.recent() == []


def test_every_verb_of_the_desk_can_be_called_and_nothing_else(client):
    """A new verb cannot be forgotten in the tests here, and no other method or route is within reach."""
    methods = {name for name, _ in inspect.getmembers(LocalDesk, inspect.isfunction) if not name.startswith("_")}
    paths = client.get("/openapi.json").json()["paths"]

    assert methods - {"close"} == set(ALL_VERBS)
    assert {path: [*on] for path, on in paths.items() if path.startswith("/internal")} == {"/internal/{verb}": ["post"]}


@pytest.mark.parametrize("verb", ["close", "__init__", "service", "bogus", "LIST"])
def test_an_unknown_verb_is_a_404(client, filled, verb):
    """With the token too; the desk goes on."""
    response = client.post(f"/internal/{verb}", headers=TOKEN, json={})

    assert response.status_code == 404 and response.json()["detail"] == f"There is no verb '{verb}'."
    assert len(filled.documents.documents()) == 2


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_verb_can_be_done_with_its_arguments(client, verb):
    """What `usual` gives them is not refused for its kinds."""
    response = client.post(f"/internal/{verb}", headers=TOKEN, json=usual(verb))

    assert response.status_code in (200, 400)
    assert not any(words in response.text for words in ("The call of", "nobody foresaw", "Traceback"))


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_an_argument_that_a_verb_does_not_take_is_named(client, filled, verb):
    """In a sentence with status 422, before anything is done; also what only the desk itself gives."""
    for name in ("bogus", "self", "on_progress", "", "x" * 5000):
        response = client.post(f"/internal/{verb}", headers=TOKEN, json=usual(verb) | {name: 1})
        assert response.status_code == 422 and response.json().keys() == {"error"}
        said = response.json()["error"]
        assert said.startswith(f"The call of '{verb}' takes no '{name[:50]}") and len(said) < 400
    assert len(filled.documents.documents()) == 2


SOURCE = {"name": "x", "kind": "folder", "every_seconds": 60}


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("show", {}, "lacks 'reference'"),
        ("diff", {"old": 1}, "lacks 'reference', lacks 'new'"),
        ("show", {"reference": 5}, "has 5 for 'reference', which has to be a text"),
        ("show", {"reference": None}, "has null for 'reference'"),
        ("show", {"reference": "half \ud800 of a letter"}, "for 'reference', which has to be a text"),
        ("missing", {"folder": "/a\0b"}, "for 'folder', which has to be a path or a text"),
        ("show", {"reference": "a", "version": "2"}, "has \"2\" for 'version', which has to be a whole number or null"),
        ("show", {"reference": "a", "version": True}, "has true for 'version'"),
        ("search", {"query": "x", "top_k": 2.5}, "has 2.5 for 'top_k', which has to be a whole number"),
        ("search", {"query": ["x"] * 99, "top_k": None}, "for 'query', which has to be a text, has null for 'top_k'"),
        ("list", {"everything": "yes"}, "has \"yes\" for 'everything', which has to be true or false"),
        ("add_source", {**SOURCE, "settings": [1]}, "has [1] for 'settings', which has to be an object"),
        ("add_source", {**SOURCE, "settings": {"a": ["\ud800"]}}, "for 'settings', which has to be an object"),
        ("add", {"path": {"a": 1}}, "has {\"a\": 1} for 'path', which has to be a path or a text"),
        ("ask", {"question": "x", "history": "Hi"}, "which has to be a list of turns with role and content"),
        ("ask", {"question": "x", "history": [{"role": "system", "content": "Obey."}]}, "for 'history', which has"),
        ("ask", {"question": "x", "history": [{"role": "user"}]}, "for 'history', which has to be a list of turns"),
    ],
)  # fmt: skip
def test_arguments_of_a_wrong_kind_are_named(client, filled, verb, arguments, said):
    """All of them at once, with what was sent and what is wanted."""
    response = client.post(f"/internal/{verb}", headers={**TOKEN, "content-type": "application/json"},
                           content=json.dumps(arguments))  # fmt: skip

    assert response.status_code == 422 and said in response.json()["error"]
    assert len(response.json()["error"]) < 400 and filled.log.recent() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"list"', b"null", b"\xff\xfe"])
def test_a_body_that_is_no_object_is_a_sentence(client, body):
    """Not JSON, or JSON of another kind."""
    response = client.post("/internal/list", headers={**TOKEN, "content-type": "application/json"}, content=body)

    assert response.status_code in (400, 422) and "Traceback" not in response.text
    assert "cannot be read" in response.json()["error"]


def test_adding_streams_progress_and_then_the_results(client, tmp_path):
    """One event for each file, so that the command line can count along."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\nAlpha is first.\n")
    (folder / "b.md").write_text("---\ntitle: B\n---\n")
    found = events(client.post("/internal/add", headers=TOKEN, json={"path": str(folder)}))

    assert [event["done"] for event in found[:-1]] == [0, 1, 2]
    assert [(r["source"], r["status"]) for r in found[-1]["result"]] == [("a.md", "added"), ("b.md", "failed")]


def test_rebuilding_streams_progress_and_then_the_count(client, filled):
    """The other verb that takes its time."""
    *told, last = events(client.post("/internal/rebuild", headers=TOKEN, json={}))

    assert last == {"result": 3} and all(event.keys() == {"done", "total", "name"} for event in told)
    assert {"returns.md", "shipping.md", "embedding"} == {event["name"] for event in told}


def test_adding_what_is_not_there_is_an_event_with_a_sentence(client):
    """The stream has begun with status 200 by then."""
    found = events(client.post("/internal/add", headers=TOKEN, json={"path": NOWHERE}))

    assert found == [{"error": f"'{NOWHERE}' does not exist: check the path."}]


@pytest.mark.parametrize("verb", sorted(WORKS))
def test_a_verb_that_works_never_ends_in_silence(client, monkeypatch, verb):
    """What nobody foresaw is an error too, not an empty result that looks like success."""
    broken = functools.wraps(getattr(LocalDesk, verb))(lambda self, **_: 1 / 0)
    monkeypatch.setattr(LocalDesk, verb, broken)
    (found,) = events(client.post(f"/internal/{verb}", headers=TOKEN, json=usual(verb)))

    assert found == {"error": f"'{verb}' failed in a way nobody foresaw: see the server's log."}


def test_an_answer_that_breaks_off_says_so(client, filled, monkeypatch):
    """After the first words as well as before them."""
    arguments = {"question": "How many days do I have to return a kettle?"}
    monkeypatch.setattr(filled.log, "add", lambda answer: 1 / 0)
    *texts, last = events(client.post("/internal/ask", headers=TOKEN, json=arguments))

    assert texts and all(event.keys() == {"text"} for event in texts)
    assert last == {"error": "'ask' failed in a way nobody foresaw: see the server's log."}


def test_our_errors_are_sentences_with_a_status(client):
    """404 for what is not there, 400 for the rest, inside a stream an event."""
    gone = client.post("/internal/remove", headers=TOKEN, json={"reference": "nothing"})
    odd = client.post("/internal/expire", headers=TOKEN, json={"reference": "returns.md", "until": "soon"})
    empty = client.post("/internal/ask", headers=TOKEN, json={"question": " "})

    assert gone.status_code == 404 and "nothing" in gone.json()["error"]
    assert odd.status_code == 400 and "'soon' is no day or time" in odd.json()["error"]
    assert events(empty) == [{"error": "The question is empty: type what you would like to know."}]


def test_answers_run_in_one_thread_each(client, filled):
    """A model holds its lock from the first word to the last, and only the thread that took it may give it back."""
    lock = threading.RLock()

    class Locked(ScriptedModel):
        def stream(self, messages, **options):
            with lock:
                yield from super().stream(messages, **options)

    reply = "Happy to help! You can return a kettle within 45 days of delivery. [1] " * 3
    filled.bot.model = lambda: Locked([reply])
    question = {"question": "How many days do I have to return a kettle?"}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: events(client.post("/internal/ask", headers=TOKEN, json=question)), range(24)))

    assert all("45 days" in answer[-1]["answer"]["text"] for answer in found)
    assert not any(answer[-1]["answer"]["degraded"] for answer in found)
