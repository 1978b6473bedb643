"""The routes below the page: stored documents at their passage, health, and the endpoint of the command line."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bot.api import add_routes, document_page
from tests.test_bot_page import EVIL, Reader
from tone_tuning.language_model import ScriptedModel

TOKEN = {"authorization": "Bearer secret"}
DOCUMENT = {
    "title": "Returns",
    "source": "returns.md",
    "version": 2,
    "added_at": "2026-11-24T12:00:00",
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


@pytest.mark.parametrize(
    ("start", "end", "passage"), [(1, 2, "b"), (0, 3, "abc"), (-5, 1, "a"), (2, 99, "c"), (2, 2, None), (3, 1, None)]
)
def test_offsets_are_kept_within_the_text(start, end, passage):
    """The text is whole whatever the offsets say."""
    page = document_page(DOCUMENT, start, end)

    assert marked(page) == passage
    assert Reader(page).text.endswith("abc")


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


ROUTES = [("GET", "documents"), ("POST", "documents"),
          ("GET", "document?reference=a"), ("DELETE", "document?reference=a"),
          ("GET", "missing?folder=a"), ("GET", "search?query=a"), ("POST", "ask")]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize(
    "header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer "}, {"authorization": "secret"}]
)
def test_every_verb_of_the_command_line_wants_the_token(client, filled, method, route, header):
    """Without it nothing is read and nothing is changed."""
    assert (
        client.request(method, f"/internal/{route}", headers=header, json={"path": "/", "question": "x"}).status_code
        == 403
    )
    assert len(filled.documents.documents()) == 2


def test_every_verb_that_wants_a_token_is_in_the_list_above(client):
    """A new route of the endpoint cannot be forgotten in the test before."""
    listed = {(method, f"/internal/{route.split('?')[0]}") for method, route in ROUTES}
    paths = client.get("/openapi.json").json()["paths"]
    found = {(m.upper(), path) for path, methods in paths.items() for m in methods if path.startswith("/internal")}

    assert found == listed


def test_adding_streams_progress_and_then_the_results(client, tmp_path):
    """One event for each file, so that the command line can count along."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\nAlpha is first.\n")
    (folder / "b.md").write_text("---\ntitle: B\n---\n")
    found = events(client.post("/internal/documents", headers=TOKEN, json={"path": str(folder)}))

    assert [event["done"] for event in found[:-1]] == [0, 1, 2]
    assert [(r["source"], r["status"]) for r in found[-1]["results"]] == [("a.md", "added"), ("b.md", "failed")]


def test_adding_what_is_not_there_is_an_event_with_a_sentence(client):
    """The stream has begun with status 200 by then."""
    found = events(client.post("/internal/documents", headers=TOKEN, json={"path": "/nowhere/at/all"}))

    assert found == [{"error": "'/nowhere/at/all' does not exist: check the path."}]


def test_adding_never_ends_in_silence(client, filled, monkeypatch, tmp_path):
    """What nobody foresaw is an error too, not an empty result that looks like success."""
    monkeypatch.setattr(filled.documents, "add_path", lambda *_: 1 / 0)
    found = events(client.post("/internal/documents", headers=TOKEN, json={"path": str(tmp_path)}))

    assert len(found) == 1 and "nobody foresaw" in found[0]["error"]


def test_our_errors_are_sentences_with_a_status(client):
    """404 for what is not there, 400 for the rest, inside a stream an event."""
    gone = client.delete("/internal/document?reference=nothing", headers=TOKEN)
    empty = client.post("/internal/ask", headers=TOKEN, json={"question": " "})

    assert gone.status_code == 404 and "nothing" in gone.json()["error"]
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
