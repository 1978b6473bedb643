"""Live sources end to end: folders, pages and rows become documents, follow their source, and outlive its faults."""

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.documents import Document, DocumentSummary, Terms, document_id
from knowledge.embedder import HashEmbedder
from knowledge.errors import DocumentNotFound, SourceError, SourceNotFound, StoreError
from knowledge.indexing import FileResult, open_knowledge
from knowledge.live_sources import LiveSources
from knowledge.source_readers import check_source, place_of
from knowledge.source_registry import ItemState, Source, SourceRegistry
from knowledge.web import Fetcher, FetchLimits
from tests.knowledge_files import agree, make_index, search
from tests.web_servers import PUBLIC, Wire, html, look_up, redirect, serve

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SITE = "http://shop.example"
HASTY = FetchLimits(connect_seconds=0.5, read_seconds=0.3, total_seconds=0.6)


class FakeDocuments:
    """Stands for `DocumentIndex`: keeps bytes and terms, removes by id, refuses what contains "broken"."""

    def __init__(self):
        self.kept = {}
        self.terms = {}
        self.fault = None
        self.added = 0

    def add_item(self, collection, source, name, data, terms):
        if self.fault:
            raise self.fault
        self.added += 1
        if b"broken" in data:
            return FileResult(source, "failed", None, 0, 0, f"'{name}' has no text.")
        old = self.kept.get((collection, source))
        self.kept[collection, source] = data
        self.terms[collection, source] = terms
        document = Document(document_id(collection, source), collection, source, name)
        return FileResult(source, "added" if old is None else "unchanged" if old == data else "changed", document, 1, 1)

    def has_item(self, collection, source, data, terms):
        return self.kept.get((collection, source)) == data and terms.audience in (
            None, self.terms[collection, source].audience)  # fmt: skip

    def remove(self, reference):
        for place in list(self.kept):
            if document_id(*place) == reference:
                del self.kept[place]
                return Document(reference, *place, "")
        raise DocumentNotFound(f"There is no document '{reference}'.")

    def documents(self):
        return [
            DocumentSummary(Document(document_id(*place), *place, ""), 1, NOON, 1, 1, NOON, None, "in force", None, 1)
            for place in self.kept
        ]

    def texts(self, source):
        """The text of every document of a source, or of the folder of its name."""
        return {
            name: data.decode()
            for (collection, name), data in self.kept.items()
            if collection == f"source:{source}" or Path(collection).name.rstrip("0123456789") == source
        }


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def live(tmp_path):
    """All verbs over a fake index, at noon."""
    registry = SourceRegistry(tmp_path / "home" / "sources.db")
    yield LiveSources(registry, FakeDocuments(), Clock(), {"PW": "secret"})
    registry.close()


def counts(result):
    return {name: number for name, number in result.counts.items() if number}


# Folders


@pytest.fixture
def folder(tmp_path, live):
    """A folder with four files that is a source."""
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    for name in ["a.md", "b.md", "sub/a.md", "sub/c.md"]:
        (folder / name).write_text(f"# {name}\n\nText of {name}.\n")
    live.add(Source("docs", "folder", {"path": str(folder)}, 3600, "internal"))
    return folder


def test_a_folder_follows_its_files(live, folder):
    """What is new, changed or gone by content; the plan says the same before, and writes nothing."""
    seen = []
    first = live.sync("docs", on_progress=lambda done, total, name: seen.append((done, total, name)))
    assert first.added == ("a.md", "b.md", "sub/a.md", "sub/c.md") and first.status == "ok"
    assert seen == [(0, 4, "a.md"), (1, 4, "b.md"), (2, 4, "sub/a.md"), (3, 4, "sub/c.md"), (4, 4, "done")]
    (folder / "a.md").write_text("# a\n\nNew.\n")
    (folder / "b.md").unlink()
    (folder / "new.txt").write_text("Fresh.")
    os.utime(folder / "sub/a.md")  # a date alone is no change
    before = (dict(live.documents.kept), live.registry.items("docs"), live.registry.get("docs"))

    plan = live.plan(live.registry.get("docs").source)

    assert (plan.added, plan.changed, plan.removed) == (("new.txt",), ("a.md",), ("b.md",))
    assert plan.unchanged == ("sub/a.md", "sub/c.md")
    assert (dict(live.documents.kept), live.registry.items("docs"), live.registry.get("docs")) == before
    assert live.sync("docs") == plan
    assert live.documents.texts("docs")["a.md"] == "# a\n\nNew.\n"
    assert sorted(live.documents.texts("docs")) == ["a.md", "new.txt", "sub/a.md", "sub/c.md"]
    assert counts(live.sync("docs")) == {"unchanged": 4}


def test_a_plan_may_be_made_before_a_source_is_added(live, folder):
    """So that a person sees what would come; what other ways brought and stands already is no change."""
    shutil.copytree(folder, folder.with_name("other"))
    live.documents.add_item(str(folder.with_name("other")), "a.md", "a.md", (folder / "a.md").read_bytes(), Terms())
    before = dict(live.documents.kept)

    plan = live.plan(Source("other", "folder", {"path": str(folder.with_name("other"))}, 0, ""))

    assert (len(plan.added), plan.unchanged) == (3, ("a.md",)) and live.documents.kept == before
    assert [record.source.name for record in live.registry.sources()] == ["docs"]


def test_a_plan_tells_who_will_see_a_document_from_now_on(live, folder):
    """Another audience is a change, though no file has one."""
    live.sync("docs")
    source = live.registry.get("docs").source

    assert len(live.plan(replace(source, audience="vip")).changed) == 4
    assert counts(live.plan(replace(source, audience=""))) == counts(live.plan(source)) == {"unchanged": 4}


def test_a_source_without_an_audience_leaves_documents_theirs(live, folder):
    """What somebody set by hand, or came with, is not opened to everybody by the next change of the text."""
    live.change(replace(live.registry.get("docs").source, audience=""))
    live.sync("docs")

    assert live.documents.terms[str(folder), "a.md"].audience is None


@pytest.mark.parametrize(("mine", "other"), [("docs", "docs"), ("docs/sub", "docs"), (".", "docs")])
def test_a_folder_is_read_by_one_source(live, folder, mine, other, tmp_path):
    """One inside of another would bring each document twice; one beside it may be added."""
    source = Source("mine", "folder", {"path": str(tmp_path / mine)})
    for ask in (live.add, lambda source: live.plan(source).fault and live.add(source)):
        with pytest.raises(SourceError, match=f"The source 'docs' reads '{tmp_path / other}' already: sync that one"):
            ask(source)
    live.registry.remove("docs")
    live.documents.kept[str(tmp_path / other), "sub/a.md"] = b"# a"
    if mine == other:
        live.add(source)
    else:
        with pytest.raises(SourceError, match=f"'sub/a.md' came by the folder '{tmp_path / other}' already"):
            live.add(source)
    live.add(Source("beside", "folder", {"path": f"{tmp_path / mine}2"}))


def test_documents_out_of_a_zip_stay_while_it_is_there(live, folder):
    """`docs add` unpacks ZIPs, a source does not follow them: that is no reason to remove what they brought."""
    live.sync("docs")
    (folder / "old.zip").write_bytes(b"PK")
    for name in ("old.zip/x.md", "gone.zip/x.md"):
        live.documents.kept[str(folder), name] = b"x"

    result = live.sync("docs")
    assert (result.removed, result.skipped, result.status) == (("gone.zip/x.md",), ("old.zip",), "ok")
    (folder / "old.zip").unlink()
    assert live.sync("docs").removed == ("old.zip/x.md",)


def test_documents_are_added_with_the_terms_of_their_source(live, folder):
    """Audience and origin; the date is that of adding."""
    live.sync("docs")

    terms = live.documents.terms[str(folder), "a.md"]
    assert (terms.audience, terms.origin, terms.effective_from) == ("internal", str(folder / "a.md"), None)


def test_nothing_is_read_twice_that_did_not_change(live, folder):
    """But everything once more for another audience."""
    live.sync("docs")
    live.sync("docs")
    assert live.documents.added == 4

    live.change(replace(live.registry.get("docs").source, audience="vip"))
    assert counts(live.sync("docs")) == {"unchanged": 4}
    assert live.documents.added == 8
    assert live.documents.terms[str(folder), "a.md"].audience == "vip"


def test_a_document_that_somebody_removed_comes_back_with_its_source(live, folder):
    """What the source says is what counts."""
    live.sync("docs")
    live.documents.remove(document_id(str(folder), "a.md"))

    assert live.sync("docs").added == ("a.md",)


def test_documents_of_others_are_left_alone(live, folder):
    """Uploads, and those of a source whose name begins alike."""
    others = ["uploads", "source:docs", f"{folder}2", str(folder)[:-1]]
    for collection in others:
        live.documents.kept[collection, "x.md"] = b"x"
    live.sync("docs")
    (folder / "a.md").unlink()
    live.sync("docs")

    assert [place for place in live.documents.kept if place[0] != str(folder)] == [(name, "x.md") for name in others]


def test_files_of_no_use_are_skipped_not_failed(live, folder, tmp_path):
    """Other formats, and links that lead out of the folder; hidden files are not even mentioned."""
    (tmp_path / "secret.md").write_text("secret")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "in.md").symlink_to(folder / "a.md")
    (folder / "film.mp4").write_bytes(b"film")
    (folder / ".hidden.md").write_text("hidden")

    result = live.sync("docs")

    assert (result.skipped, result.status) == (("film.mp4", "out.md"), "ok")
    assert "in.md" in result.added and "secret" not in live.documents.texts("docs").values()


def test_a_file_that_cannot_be_read_keeps_its_last_good_version(live, folder):
    """It is named, tried again next time, and holds up no other."""
    live.sync("docs")
    (folder / "a.md").write_text("broken")
    (folder / "b.md").write_text("# b\n\nNew.\n")

    for _ in range(2):
        result = live.sync("docs")
        assert (result.failed, result.status) == (("'a.md' has no text.",), "partial")
        assert result.message == live.registry.get("docs").last.message == "'a.md' has no text."
    assert live.documents.texts("docs")["a.md"] == "# a.md\n\nText of a.md.\n"
    assert live.documents.texts("docs")["b.md"] == "# b\n\nNew.\n"


def test_a_file_that_is_too_large_or_shut_is_named(live, folder):
    """With what to do; only the first faults stand in the message."""
    with (folder / "a.md").open("r+b") as file:
        file.truncate(10**9)
    (folder / "b.md").unlink()
    (folder / "b.md").symlink_to("/proc/self/mem")
    for name in ["sub/a.md", "sub/c.md"]:
        (folder / name).write_text("broken")

    result = live.sync("docs")

    assert result.failed[0].startswith("'a.md' has 953.7 MiB") and result.skipped == ("b.md",)
    live.plan(live.registry.get("docs").source)
    (folder / "d.md").write_text("broken")
    assert live.sync("docs").message.endswith("And 1 more failed.")


def test_a_folder_that_is_gone_removes_nothing(live, folder):
    """A drive that is not connected is no deletion."""
    live.sync("docs")
    folder.rename(folder.with_name("away"))

    result = live.sync("docs")

    assert (result.status, len(live.documents.kept)) == ("failed", 4)
    assert result.fault == f"The folder '{folder}' is not there: is its drive connected?"
    record = live.registry.get("docs")
    assert (record.last.status, record.last.message, record.age(NOON + DAY)) == ("failed", result.fault, DAY)
    folder.with_name("away").rename(folder)
    assert counts(live.sync("docs")) == {"unchanged": 4}


@pytest.mark.parametrize(("left", "status"), [(4, "ok"), (3, "ok"), (2, "ok"), (1, "held"), (0, "held")])
def test_a_folder_that_lost_most_of_its_files_asks_first(live, folder, left, status):
    """An empty mount point looks like that; what is new comes in all the same."""
    live.sync("docs")
    for path in sorted(folder.rglob("*.md"))[left:]:
        path.unlink()
    (folder / "new.md").write_text("new")

    result = live.sync("docs")

    assert (result.status, len(result.held), len(result.removed)) == (
        status, 4 - left if status == "held" else 0, 4 - left if status == "ok" else 0,
    )  # fmt: skip
    assert len(live.documents.kept) == (5 if status == "held" else left + 1)
    if status == "held":
        assert "none of them was removed. Check the source, and force it" in result.message
        assert live.registry.get("docs").last_ok_at == NOON
        assert len(live.sync("docs", force=True).removed) == 4 - left
        assert len(live.documents.kept) == left + 1


def test_files_hidden_by_a_folder_that_may_not_be_listed_are_not_gone(live, folder, monkeypatch):
    """Each is asked for by name before it is taken for gone."""
    live.sync("docs")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    result = live.sync("docs")

    assert sorted(result.failed) == [
        f"'sub/{name}.md' is there, but its folder cannot be listed: check its permissions." for name in "ac"
    ]
    assert len(live.documents.kept) == 4


def test_a_file_whose_state_cannot_be_told_is_kept(live, folder, monkeypatch):
    """Not only a clear no is an answer."""
    live.sync("docs")
    (folder / "b.md").unlink()
    real = Path.stat

    def stat(path, **how):
        if path.name == "b.md":
            raise PermissionError(13, "Permission denied")
        return real(path, **how)

    monkeypatch.setattr(Path, "stat", stat)

    assert live.sync("docs").failed == ("'b.md' cannot be looked for (Permission denied): it is kept.",)
    assert len(live.documents.kept) == 4


def test_a_file_name_that_is_no_text_can_be_told(live, folder):
    """In results, messages and progress."""
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("broken")
    (folder / os.fsdecode(b"caf\xe9.mp4")).write_text("film")
    seen = []

    result = live.sync("docs", on_progress=lambda done, total, name: seen.append(name.encode()))

    assert result.failed and "\n".join([*result.failed, *result.skipped]).encode()


def test_a_run_may_be_interrupted_between_items(live, folder):
    """What is done stays, nothing is removed, and the next run does the rest."""
    live.sync("docs")
    for name in ["a.md", "b.md", "sub/a.md"]:
        (folder / name).write_text("new")
    (folder / "sub/c.md").unlink()
    seen = []

    result = live.sync("docs", on_progress=lambda *at: seen.append(at), stop=lambda: len(seen) == 2)

    assert (result.status, result.changed, result.removed) == ("interrupted", ("a.md", "b.md"), ())
    assert [record.source.name for record in live.registry.due(NOON + timedelta(hours=1))] == ["docs"]
    assert counts(live.sync("docs")) == {"changed": 1, "unchanged": 2, "removed": 1}


# Web pages


@pytest.fixture
def site(live):
    """A web site whose pages are set by path; the source lists three pages, the source "map" its sitemap."""
    routes = {f"/{name}": html(f"<p>Text of {name}</p>", ETag=f'"{name}1"') for name in "abc"}
    with serve(routes) as server:
        server.routes, server.limits = routes, FetchLimits()
        names = look_up(shop=PUBLIC)
        live.new_fetcher = lambda policy: Fetcher(policy, server.limits, names, network=Wire(server.port))
        live.add(Source("pages", "web", {"urls": [f"{SITE}/{name}" for name in "abc"]}))
        live.add(Source("map", "web", {"sitemap": f"{SITE}/map.xml"}))
        set_map(routes, *"abc")
        yield server


def set_map(routes, *names):
    inside = "".join(f"<url><loc>{SITE}/{name}</loc></url>" for name in names)
    routes["/map.xml"] = (200, {"Content-Type": "text/xml"}, f"<urlset>{inside}</urlset>".encode())


def set_page(site, name, text, tag="2"):
    def answer(handler):
        same = handler.headers["If-None-Match"] == f'"{name}{tag}"'
        return (304, {}, b"") if same else html(text, ETag=f'"{name}{tag}"')

    site.routes[f"/{name}"] = answer


@pytest.mark.parametrize("name", ["pages", "map"])
def test_pages_follow_their_site(live, site, name):
    """New, changed, moved on and gone; what did not change is not even sent."""
    for page in "abc":
        set_page(site, page, f"<p>Text of {page}</p>")
    assert live.sync(name).added == tuple(f"{SITE}/{page}" for page in "abc")
    assert live.documents.texts(name)[f"{SITE}/a"] == "<p>Text of a</p>"
    assert live.documents.terms[f"source:{name}", f"{SITE}/a"].origin == f"{SITE}/a"
    site.asked.clear()
    assert counts(live.sync(name)) == {"unchanged": 3}
    assert [headers["If-None-Match"] for path, headers in site.asked if path != "/map.xml"] == ['"a2"', '"b2"', '"c2"']

    set_page(site, "a", "<p>New</p>", "3")
    site.routes["/b"] = (410, {}, b"")
    result = live.sync(name)

    assert (result.changed, result.removed, result.unchanged) == ((f"{SITE}/a",), (f"{SITE}/b",), (f"{SITE}/c",))
    assert result.status == "ok"
    assert sorted(live.documents.texts(name)) == [f"{SITE}/a", f"{SITE}/c"]


def test_a_page_that_is_sent_again_unchanged_is_no_change(live, site):
    """Its new validators are kept for the next time."""
    live.sync("pages")
    set_page(site, "a", "<p>Text of a</p>", "9")

    assert counts(live.sync("pages")) == {"unchanged": 3}
    assert live.documents.added == 3
    assert live.registry.items("pages")[f"{SITE}/a"].etag == '"a9"'


def test_a_page_that_fails_keeps_its_last_good_version(live, site):
    """Down, silent, of another kind or leading astray: named, and asked again the next time."""
    live.sync("pages")
    for answer, why in [
        ((503, {}, b""), "answers with status 503"),
        (lambda handler: handler.connection.close(), "cannot be reached"),
        (lambda handler: time.sleep(5), "takes too long"),
        ((200, {"Content-Type": "image/png"}, b"x"), "is of the type 'image/png'"),
        (redirect("http://169.254.169.254/"), "leads elsewhere"),
        (html("<p>broken</p>"), "has no text"),
    ]:
        site.routes["/b"] = answer
        site.limits = HASTY if "too long" in why else FetchLimits()
        result = live.sync("pages")
        assert (result.status, len(result.unchanged), len(result.failed)) == ("partial", 2, 1)
        assert why in result.failed[0]
        assert live.documents.texts("pages")[f"{SITE}/b"] == "<p>Text of b</p>"
    set_page(site, "b", "<p>Back</p>")
    assert live.sync("pages").changed == (f"{SITE}/b",)


def test_a_page_that_was_removed_by_hand_is_fetched_whole_again(live, site):
    """Its validators would bring nothing but "not modified"."""
    for page in "abc":
        set_page(site, page, f"<p>Text of {page}</p>")
    live.sync("pages")
    live.documents.remove(document_id("source:pages", f"{SITE}/a"))

    assert live.sync("pages").added == (f"{SITE}/a",)


def test_a_page_that_never_was_there_is_a_fault(live, site):
    """A typing error in the list should not go unseen."""
    live.change(Source("pages", "web", {"urls": [f"{SITE}/a", f"{SITE}/typo"]}))

    result = live.sync("pages")

    assert (result.failed, result.status) == ((f"'{SITE}/typo' is gone (status 404).",), "partial")


def test_a_page_taken_off_the_list_by_a_person_is_removed(live, site):
    """However many: that list is written, not found."""
    live.sync("pages")
    live.change(Source("pages", "web", {"urls": [f"{SITE}/a#top", f"{SITE}/a"]}))

    result = live.sync("pages")

    assert (result.removed, result.unchanged) == ((f"{SITE}/b", f"{SITE}/c"), (f"{SITE}/a",))


def test_one_page_under_two_names_in_the_list_is_one_item(live, site):
    """With a place in it, or in capitals."""
    live.add(Source("one", "web", {"urls": [f"{SITE}/a#top", "HTTP://Shop.example:80/a", f" {SITE}/a"]}))

    assert live.sync("one").added == (f"{SITE}/a",)


@pytest.mark.parametrize(("kept", "status"), [("abc", "ok"), ("ab", "ok"), ("a", "held"), ("x", "held")])
def test_a_sitemap_that_lists_under_half_asks_first(live, site, kept, status):
    """A broken generator should not empty the answers."""
    live.sync("map")
    site.routes["/x"] = html("<p>x</p>")
    set_map(site.routes, *kept)

    plan = live.plan(live.registry.get("map").source)
    result = live.sync("map")

    assert result.status == plan.status == status
    assert result.held == plan.held
    assert len(live.documents.texts("map")) == {"abc": 3, "ab": 2, "a": 3, "x": 4}[kept]
    if status == "held":
        assert live.sync("map", force=True).removed
        assert live.documents.texts("map").keys() == {f"{SITE}/{name}" for name in kept}


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (404, {}, b""),
        html("<p>Please log in</p>"),
        (200, {"Content-Type": "text/xml"}, b"<urlset></urlset>"),
        (200, {"Content-Type": "text/xml"}, b"<urlset><url><loc>http://shop.example/a</loc>"),
        (200, {"Content-Type": "text/xml"},
         b"<sitemapindex><sitemap><loc>http://shop.example/no.xml</loc></sitemap></sitemapindex>"),
        redirect("http://10.0.0.1/map.xml"),
        lambda handler: handler.connection.close(),
    ],
)  # fmt: skip
def test_a_sitemap_that_cannot_be_read_removes_nothing(live, site, answer):
    """Not even by force: the source failed."""
    live.sync("map")
    site.routes["/map.xml"] = answer

    for force in [False, True]:
        result = live.sync("map", force=force)
        assert (result.status, counts(result)) == ("failed", {})
        assert live.registry.get("map").last.message == result.fault
    assert len(live.documents.texts("map")) == 3


def test_a_site_where_most_pages_are_gone_at_once_asks_first(live, site):
    """Up to three may go at any time; more than half of a larger site is rather a fault."""
    for number in range(7):
        site.routes[f"/{number}"] = html(f"<p>Page {number}</p>")
    live.add(Source("many", "web", {"urls": [f"{SITE}/{number}" for number in range(7)]}))
    live.sync("many")
    for number in range(4):
        del site.routes[f"/{number}"]

    result = live.sync("many")

    assert (result.status, len(result.held), len(live.documents.texts("many"))) == ("held", 4, 7)
    assert len(live.sync("many", force=True).removed) == 4
    for page in "abc":
        live.sync("pages")
        del site.routes[f"/{page}"]
        assert live.sync("pages").removed == (f"{SITE}/{page}",)


def test_a_server_that_is_down_is_not_asked_for_every_page(live, site):
    """After ten faults in a row the rest is left for the next time, and nothing is removed."""
    live.add(Source("many", "web", {"urls": [f"{SITE}/{number}" for number in range(30)]}))
    for number in range(30):
        site.routes[f"/{number}"] = html(f"<p>{number}</p>")
    live.sync("many")
    site.asked.clear()
    for number in range(3, 30):
        site.routes[f"/{number}"] = (503, {}, b"")
    del site.routes["/0"]

    result = live.sync("many")

    assert (result.status, len(result.failed), len(site.asked)) == ("failed", 10, 13)
    assert result.message.startswith("10 pages in a row failed: the rest was not asked for.")
    assert len(live.documents.texts("many")) == 30


def test_pages_that_may_not_be_called_do_not_end_a_run(live, site):
    """A sitemap that lists another host is at fault for those pages only."""
    site.routes["/map.xml"] = (
        200,
        {"Content-Type": "text/plain"},
        "\n".join([*(f"http://other.example/{n}" for n in range(12)), "http://[", f"{SITE}/a"]).encode(),
    )

    result = live.sync("map")

    assert (result.status, len(result.failed), result.added) == ("partial", 13, (f"{SITE}/a",))


# Databases


@pytest.fixture
def shop(tmp_path, live):
    """A SQLite database with four questions that is a source."""
    path = tmp_path / "shop.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE faq (id INTEGER, question TEXT, answer TEXT, changed TEXT)")
    for number in range(4):
        db.execute("INSERT INTO faq VALUES (?, ?, ?, ?)", (number, f"Q{number}?", f"A{number}.", "2026-11-01"))
    db.commit()
    columns = {"key": "id", "title": "question", "updated_at": "changed"}
    live.add(Source("faq", "database", {"url": f"sqlite:///{path}", "table": "faq", **columns}))
    yield db
    db.close()


def run(db, statement):
    with db:
        db.execute(statement)


def effective(live, item):
    return live.documents.terms["source:faq", item].effective_from


def test_rows_follow_their_table(live, shop):
    """Added, changed and removed by key, in force from the date of their last change."""
    assert live.sync("faq").added == ("0.md", "1.md", "2.md", "3.md")
    assert live.documents.texts("faq")["1.md"] == "# Q1?\n\n- id: 1\n- answer: A1.\n"
    assert effective(live, "1.md") == datetime(2026, 11, 1, tzinfo=UTC)
    run(shop, "DELETE FROM faq WHERE id = 0")
    run(shop, "UPDATE faq SET answer = 'New.', changed = '2026-11-20 08:00' WHERE id = 1")
    run(shop, "UPDATE faq SET changed = '2026-11-21' WHERE id = 2")
    run(shop, "INSERT INTO faq VALUES (9, 'Q9?', 'A9.', NULL)")

    result = live.sync("faq")

    assert (result.added, result.changed, result.removed) == (("9.md",), ("1.md",), ("0.md",))
    assert result.unchanged == ("2.md", "3.md")
    assert (effective(live, "1.md"), effective(live, "9.md")) == (datetime(2026, 11, 20, 8, tzinfo=UTC), None)


def test_the_newest_text_is_always_the_one_in_force(live, shop):
    """A date before that of the last version, or one to come, gives way to the moment of reading."""
    live.sync("faq")
    for changed, is_used in [
        ("2026-11-10", True),
        ("2026-11-10", False),  # the same date, another text
        ("2026-10-01", False),  # put back from a copy
        ("2027-01-01", False),  # a clock that is wrong
        ("2026-11-23", False),  # by now the last version holds since noon
    ]:
        run(shop, f"UPDATE faq SET answer = answer || '!', changed = '{changed}' WHERE id = 1")
        assert live.sync("faq").changed == ("1.md",)
        expected = datetime.fromisoformat(changed).replace(tzinfo=UTC) if is_used else None
        assert effective(live, "1.md") == expected


def test_a_row_that_comes_back_with_an_old_date_holds_from_now(live, shop):
    """Else the text it had when it went would still be stronger."""
    live.sync("faq")
    run(shop, "DELETE FROM faq WHERE id = 1")
    assert live.sync("faq").removed == ("1.md",)
    run(shop, "INSERT INTO faq VALUES (1, 'Q1?', 'Other.', '2026-10-01')")

    assert live.sync("faq").added == ("1.md",)
    assert effective(live, "1.md") is None


def test_rows_that_fail_keep_their_last_good_version(live, shop):
    """By key, and are named; a row without a key cannot be one."""
    live.sync("faq")
    run(shop, "UPDATE faq SET answer = 'New.', changed = 'yesterday' WHERE id = 1")
    run(shop, "INSERT INTO faq VALUES (NULL, 'Q?', 'A.', NULL)")

    result = live.sync("faq")

    assert result.failed == (
        "Row '1' was updated at 'yesterday', which is no date: use one like 2026-11-24.",
        "Row 5 has a key of 0 characters: it needs 1 to 200.",
    )
    assert live.documents.texts("faq")["1.md"] == "# Q1?\n\n- id: 1\n- answer: A1.\n"
    assert len(live.documents.texts("faq")) == 4


def test_many_rows_that_fail_hold_up_no_other(live, shop):
    """Nobody is called for them one by one, so there is nothing to spare."""
    run(shop, "UPDATE faq SET changed = 'yesterday'")
    for number in range(10, 30):
        run(shop, f"INSERT INTO faq VALUES ({number}, 'Q?', 'A.', '{'never' if number < 29 else '2026-11-01'}')")

    result = live.sync("faq")

    assert (result.status, len(result.failed), result.added) == ("partial", 23, ("29.md",))


def test_a_database_that_fails_removes_nothing(live, shop, tmp_path):
    """Its table gone, its key no longer one, or its file away; and an emptied table asks first."""
    live.sync("faq")
    run(shop, "UPDATE faq SET id = 1")
    assert "The key '1' stands for several rows" in live.sync("faq").fault
    run(shop, "DELETE FROM faq")
    assert (live.sync("faq").status, len(live.documents.kept)) == ("held", 4)
    run(shop, "DROP TABLE faq")
    assert "no such table: faq" in live.sync("faq", force=True).fault
    (tmp_path / "shop.db").unlink()
    assert "does not exist" in live.sync("faq", force=True).fault
    assert len(live.documents.kept) == 4


# All kinds


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        ("ftp", {}, "'ftp' is no kind of source"),
        ("folder", {}, "needs path: give exactly one"),
        ("folder", {"path": "docs"}, "'docs' is not a whole path"),
        ("folder", {"path": 1}, "The setting 'path' of the source 'new' must be a text"),
        ("folder", {"path": "/docs", "deep": True}, "A folder source has no setting 'deep': use path"),
        ("web", {}, "needs urls or sitemap: give exactly one"),
        ("web", {"urls": [f"{SITE}/"], "sitemap": f"{SITE}/"}, "needs urls or sitemap: give exactly one"),
        ("web", {"urls": f"{SITE}/"}, "must be a list of texts"),
        ("web", {"urls": [f"{SITE}/", 1]}, "must be a list of texts"),
        ("web", {"urls": ["file:///etc/passwd"]}, "is no web address"),
        ("web", {"urls": ["shop.example"]}, "is no web address"),
        ("web", {"urls": ["http://u:hunter2@shop.example/"]}, "came with a user name in it"),
        ("web", {"urls": [f"{SITE}/"], "hosts": ["other.example"]}, "which is not listed"),
        ("web", {"urls": [f"{SITE}/"], "hosts": ["a/b"]}, "'a/b' is no host"),
        ("web", {"urls": [f"{SITE}/"], "allow_private": 1}, "must be true or false"),
        ("web", {"sitemap": f"{SITE}/", "max_pages": 0}, "0 pages are too many or none"),
        ("web", {"sitemap": f"{SITE}/", "max_pages": True}, "must be a number"),
        ("database", {"url": "sqlite:////x.db", "key": "id"}, "needs query or table: give exactly one"),
        ("database", {"url": "sqlite:////x.db", "table": "t"}, "needs key"),
        ("database", {"url": "sqlite:////x.db", "key": "id", "query": "DROP TABLE t"}, "must be one SELECT"),
        (
            "database",
            {"url": ["hunter2"], "key": "id", "table": "t"},
            "The setting 'url' of the source 'new' must be a",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(live, kind, options, why):
    """When a source is added, changed or planned, without a call and without telling a password."""
    source = Source("new", kind, options)
    for ask in [live.add, live.change]:
        with pytest.raises(SourceError, match=why) as refused:
            ask(source)
        assert "hunter2" not in str(refused.value)
    assert live.registry.sources() == []
    assert why.split(":")[0] in live.plan(source).fault


@pytest.mark.parametrize(
    ("kind", "options", "place"),
    [
        ("folder", {"path": "/docs"}, "/docs"),
        ("web", {"urls": [f"{SITE}/a"]}, f"{SITE}/a"),
        ("web", {"urls": [f"{SITE}/a", f"{SITE}/b", f"{SITE}/c"]}, f"{SITE}/a and 2 more"),
        ("web", {"sitemap": f"{SITE}/map.xml"}, f"{SITE}/map.xml"),
        (
            "database",
            {"url": "postgresql://u:hunter2@h/d", "key": "id", "table": "faq"},
            "faq in postgresql://u:***@h/d",
        ),
        ("database", {"url": "${DB}", "key": "id", "query": "SELECT 1"}, "a query in ${DB}"),
    ],
)
def test_the_place_of_a_source_is_shown_without_secrets(kind, options, place):
    """For lists and pages."""
    source = Source("x", kind, options)

    check_source(source)
    assert place_of(source) == place


def test_due_sources_are_read_one_after_another(live, folder, site, tmp_path):
    """Each keeps its result, and one that fails, on whatever side, keeps no other waiting."""
    live.add(Source("away", "folder", {"path": str(tmp_path / "away")}))
    live.add(Source("by-hand", "folder", {"path": str(tmp_path / "by hand")}, 0))

    results = live.run_due()

    assert {name: result.status for name, result in results.items()} == {
        "away": "failed", "docs": "ok", "map": "ok", "pages": "ok",
    }  # fmt: skip
    assert live.run_due() == {}
    live.clock.now += timedelta(hours=1)
    assert list(live.run_due()) == ["docs"]
    live.clock.now += DAY
    assert set(live.run_due()) == {"away", "docs", "map", "pages"}
    assert live.registry.get("away").last_run_at == live.clock.now
    live.clock.now += DAY
    assert live.run_due(stop=lambda: True) == {}


@pytest.mark.parametrize("fault", [StoreError("The disk is full."), RuntimeError("a bug")])
def test_a_fault_on_our_side_is_kept_and_ends_no_schedule(live, folder, fault, caplog):
    """By hand it is raised; by schedule it is recorded, logged if it is a bug, and tried again at its time."""
    live.documents.fault = fault
    (folder.with_name("more")).mkdir()
    (folder.with_name("more") / "a.md").write_text("# More")
    live.add(Source("more", "folder", {"path": str(folder.with_name("more"))}))

    results = live.run_due()

    said = "The disk is full." if isinstance(fault, StoreError) else r"Reading 'docs' broke off (RuntimeError): the log"
    assert [result.status for result in results.values()] == ["failed", "failed"]
    assert live.registry.get("docs").last.message.startswith(said)
    assert live.run_due() == {}
    assert ("a bug" in caplog.text) == isinstance(fault, RuntimeError)
    with pytest.raises(type(fault)):
        live.sync("docs")
    live.documents.fault = None
    assert live.sync("docs").status == "ok"


def test_one_source_is_read_at_a_time(live, folder):
    """Who comes second is told at once; the schedule comes back later."""
    inside, go_on, told = threading.Event(), threading.Event(), []

    def wait(done, total, name):
        inside.set()
        go_on.wait(10)

    reader = threading.Thread(target=lambda: live.sync("docs", on_progress=wait))
    reader.start()
    inside.wait(10)
    for ask in [live.sync, live.drop, lambda name: live.plan(live.registry.get(name).source)]:
        with pytest.raises(SourceError, match="A source is being read right now: try again when it is done"):
            ask("docs")
        told.append(ask)
    assert live.run_due()["docs"].status == "failed"
    assert live.registry.get("docs").last.status == ""
    go_on.set()
    reader.join(10)

    assert len(told) == 3 and live.registry.get("docs").last.status == "ok"


def test_a_source_that_is_dropped_takes_its_documents_along(live, folder):
    """Also those that somebody removed already; an unknown name is a sentence."""
    live.sync("docs")
    live.documents.kept["uploads", "x.md"] = b"x"

    assert {document.source for document in live.drop("docs")} == {"a.md", "b.md", "sub/a.md", "sub/c.md"}

    assert list(live.documents.kept) == [("uploads", "x.md")] and live.registry.sources() == []
    for ask in [live.drop, live.sync]:
        with pytest.raises(SourceNotFound):
            ask("docs")


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "owner", ["documents.add_item", "documents.remove", "registry.keep_item", "registry.forget_item", "registry.record"]
)
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_kill_anywhere_leaves_what_the_next_run_mends(live, folder, monkeypatch, owner, before, number):
    """Before and after every write: the next run brings all in step, and the one after finds nothing to do."""
    live.sync("docs")
    live.clock.now += timedelta(hours=1)
    for name in ["a.md", "sub/a.md", "new.md", "newer.md"]:
        (folder / name).write_text(f"New {name}.")
    (folder / "b.md").unlink()
    (folder / "sub/c.md").unlink()
    object_name, verb = owner.split(".")
    target, calls = getattr(live, object_name), []
    real = getattr(target, verb)

    def dies(*args):
        calls.append(args)
        if len(calls) == number and before:
            raise Killed
        result = real(*args)
        if len(calls) == number:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(target, verb, dies)
        try:
            live.sync("docs")
        except Killed:
            assert live.registry.due(live.clock()) or (owner, before) == ("registry.record", False)

    live.sync("docs")

    assert sorted(live.documents.texts("docs")) == ["a.md", "new.md", "newer.md", "sub/a.md"]
    assert set(live.documents.texts("docs").values()) == {f"New {n}." for n in live.documents.texts("docs")}
    before_it = live.documents.added
    assert counts(live.sync("docs")) == {"unchanged": 4} and live.documents.added == before_it


contents = st.dictionaries(st.sampled_from(["a.md", "b.md", "c.md", "d/a.md", "d/e.md"]), st.sampled_from("xyz"))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(contents, st.booleans()), max_size=6))
def test_after_any_run_by_force_the_documents_are_the_folder(tmp_path_factory, states):
    """And a plan always foretells what a run does; without force nothing is lost unless at least half stays."""
    folder = tmp_path_factory.mktemp("docs")
    registry = SourceRegistry(tmp_path_factory.mktemp("home") / "sources.db")
    live = LiveSources(registry, FakeDocuments(), Clock())
    source = Source("docs", "folder", {"path": str(folder)})
    live.add(source)
    for files, force in states:
        for path in folder.rglob("*.md"):
            path.unlink()
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        before = live.documents.texts("docs")
        plan, result = live.plan(source), live.sync("docs", force)
        assert result == plan or (force and plan.held == result.removed)
        after = live.documents.texts("docs")
        if force or result.status == "ok":
            assert after == files
        else:
            assert after == before | files and 2 * len(before.keys() & files.keys()) < len(before)
        items = {name: state.content_hash for name, state in registry.items("docs").items() if state.content_hash}
        assert items == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in after.items()}
    registry.close()


# On the real index


def test_live_sources_fill_the_real_index(tmp_path, live, folder, site, shop):
    """Answers follow the sources: what is changed is found, what is gone is not, nothing is out of step."""
    index = make_index(tmp_path / "index")
    live.documents, live.clock = index, index.clock
    assert {result.status for result in live.run_due().values()} == {"ok"}
    assert search(index, "Text of a") and search(index, "A1.", audiences=frozenset({"public"}))
    site.routes["/a"] = html("<h1>Returns</h1><p>You have ninety days.</p>")
    run(shop, "UPDATE faq SET answer = 'Entirely different.', changed = '2026-10-01' WHERE id = 1")
    run(shop, "DELETE FROM faq WHERE id = 0")
    (folder / "a.md").unlink()

    results = {name: live.sync(name) for name in ["pages", "faq", "docs"]}

    assert counts(results["pages"]) == {"changed": 1, "unchanged": 2}
    assert counts(results["faq"]) == {"changed": 1, "removed": 1, "unchanged": 2}
    assert counts(results["docs"]) == {"removed": 1, "unchanged": 3}
    assert any("ninety days" in text for text in search(index, "How many days do I have?"))
    assert any("Entirely different." in text for text in search(index, "Q1?"))
    assert not any("A1." in text or "A0." in text for text in search(index, "A0. A1."))
    assert {counts(live.sync(name)).keys() == {"unchanged"} for name in results} == {True}
    assert agree(index)
    assert len(live.drop("pages")) == 3 and agree(index)
    index.close()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from knowledge.embedder import HashEmbedder
from knowledge.indexing import open_knowledge
from knowledge.live_sources import LiveSources
from knowledge.source_registry import Source, SourceRegistry

home, folder, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
clock = lambda: datetime.now(UTC)
documents, _ = open_knowledge(home, HashEmbedder(), clock)
live = LiveSources(SourceRegistry(home / "sources.db"), documents, clock)
if not live.registry.sources():
    live.add(Source("docs", "folder", {"path": folder}))
seen = 0
def trace(sql):
    global seen
    seen += "INSERT" in sql or "UPDATE" in sql or "COMMIT" in sql
    if seen == number:
        os.kill(os.getpid(), signal.SIGKILL)
live.registry.database.connection.set_trace_callback(trace)
print(live.sync("docs").counts)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 7, 20, 41])
def test_a_real_kill_is_mended_by_the_next_run(tmp_path, number):
    """SIGKILL inside a write of the item states, on real stores in a process of its own."""
    home, folder = tmp_path / "home", tmp_path / "docs"
    folder.mkdir()
    for at in range(20):
        (folder / f"{at}.md").write_text(f"# Document {at}\n\nText of {at}.\n")

    def start(number):
        command = [sys.executable, "-c", KILLED, str(home), str(folder), str(number)]
        return subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120)

    assert start(number).returncode == -signal.SIGKILL
    done = start(-1)
    assert done.returncode == 0, done.stderr
    documents, _ = open_knowledge(home, HashEmbedder(), lambda: datetime.now(UTC))
    assert agree(documents) and len(documents.documents()) == 20
    documents.close()
    assert "'unchanged': 20" in start(-1).stdout


def test_the_state_of_an_item_is_only_believed_with_its_document(live, folder):
    """After a kill between the two stores, or a catalog that was put back from a copy."""
    digest = hashlib.sha256((folder / "a.md").read_bytes()).hexdigest()
    live.registry.keep_item("docs", "a.md", ItemState(digest))

    assert "a.md" in live.sync("docs").added
