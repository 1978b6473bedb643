"""`frontdesk docs sync` and `docs source`: what a person types, in the own process and through a running server."""

import os
import shutil
import sqlite3
import zipfile
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bot.desk import LocalDesk
from bot.errors import BotError
from bot.remote import RemoteDesk
from knowledge.errors import KnowledgeError
from knowledge.web import FetchLimits
from tests.fake_service import RETURNS
from tests.postgres import PASSWORD, serve_postgres
from tests.web_servers import drip, gzip_bomb, html, redirect, serve

HASTY = FetchLimits(max_bytes=200_000, connect_seconds=1, read_seconds=0.4, total_seconds=0.8)
LOANS = "# {0} loans\n\nYou can borrow a {0} for {1} days.\n"
UMBRELLA = "How many days can I borrow an umbrella?"


@pytest.fixture(params=["home", "server"])
def typed(request, frontdesk):
    """`frontdesk` over a home of its own, and the same through a running server."""
    if request.param == "server":
        request.getfixturevalue("served")
    return frontdesk


@pytest.fixture
def folder(tmp_path):
    """Four documents, one of them in a subfolder."""
    folder = tmp_path / "Our Policies"
    (folder / "sub").mkdir(parents=True)
    for place, thing in (("umbrella", "umbrella"), ("bike", "bike"), ("sub/canoe", "canoe"), ("tent", "tent")):
        (folder / f"{place}.md").write_text(LOANS.format(thing, 11))
    return folder


def refused(ended):
    """The one sentence of a command that failed."""
    assert ended.code == 1 and "Traceback" not in ended.err
    last = ended.err.splitlines()[-1].removeprefix("Do that? [y/N] ")
    assert last.startswith("frontdesk: ")
    return last.removeprefix("frontdesk: ")


def degraded(ended):
    """The sentences of a command that did what it could."""
    assert ended.code == 3 and "Traceback" not in ended.err
    return [line.removeprefix("degraded: ") for line in ended.err.splitlines() if line.startswith("degraded: ")]


def counted(ended):
    """The line of a result that has the numbers."""
    assert ended.code == 0, ended.err
    return ended.out.splitlines()[0]


def listed(frontdesk, *options):
    """Source -> the row of the list of documents, without its id."""
    rows = [line.split() for line in frontdesk("docs", "list", *options).out.splitlines()[1:-1]]
    return {row[1]: row[2:] for row in rows}


def state(frontdesk, name):
    """What the list of sources says about one: its row, and the sentence under the table."""
    lines = frontdesk("docs", "source", "list").out.splitlines()
    return " ".join(" ".join(line.split()) for line in lines if line.startswith((f"{name} ", f" {name} ", f"{name}:")))


# A folder


def test_a_folder_is_planned_then_asked_about_then_followed(typed, folder):
    """The plan writes nothing, a no changes nothing, a yes brings new, changed and gone files into the answers."""
    plan = typed("docs", "sync", folder, "--dry-run")
    assert counted(plan) == "4 would be added, 0 would be changed, 0 would be removed, 0 would be unchanged."
    assert "added    sub/canoe.md" in plan.out.splitlines() and "11 days" not in typed("ask", UMBRELLA).out
    assert refused(typed("docs", "sync", folder, stdin="n\n")) == "Nothing was changed."
    assert refused(typed("docs", "sync", folder)) == "Nothing was changed."
    assert "umbrella.md" not in listed(typed, "--all") and "our-policies" not in typed("docs", "source", "list").out

    done = typed("docs", "sync", folder, stdin="y\n")
    assert "Do that? [y/N]" in done.err and counted(done) == counted(plan)
    assert "4 added, 0 changed, 0 removed, 0 unchanged." in done.out.splitlines()
    assert "11 days" in typed("ask", UMBRELLA).out

    (folder / "umbrella.md").write_text(LOANS.format("umbrella", 23))
    (folder / "tent.md").unlink()
    (folder / "sub" / "sled.md").write_text(LOANS.format("sled", 5))
    done = typed("docs", "sync", folder, "--yes")
    assert "1 added, 1 changed, 1 removed, 2 unchanged." in done.out.splitlines() and "Do that?" not in done.err
    assert done.out.splitlines()[-3:] == ["added    sub/sled.md", "changed  umbrella.md", "removed  tent.md"]
    answer = typed("ask", UMBRELLA).out
    assert "23 days" in answer and "11 days" not in answer
    assert "tent.md" not in listed(typed) and "5 days" in typed("ask", "How many days can I borrow a sled?").out


def test_a_folder_that_stands_is_not_asked_about(typed, folder):
    """Nothing to do is no question and no change, but it counts as read; the folder is listed as read by hand."""
    typed("docs", "sync", folder, "--yes")
    os.utime(folder / "umbrella.md")
    before = listed(typed)
    again = typed("docs", "sync", folder)

    assert again.out == "0 would be added, 0 would be changed, 0 would be removed, 4 would be unchanged.\n"
    assert again.code == 0 and "Do that?" not in again.err and listed(typed) == before
    (row,) = [line for line in typed("docs", "source", "list").out.splitlines() if "our-policies-" in line]
    assert f"folder {folder} by hand as set" in " ".join(row.split())
    assert row.split("as set")[1].split()[1:4] == ["(0", "min", "ago)"] and row.endswith("ok: 4 unchanged ")


def test_a_folder_that_was_added_before_keeps_its_documents(typed, folder):
    """Not one of them comes twice, and who may see them stays as it was: nothing is opened to everybody."""
    (folder / "goodwill.md").write_text("# Internal: Goodwill\n\nStaff may give $40 back for a late umbrella.\n")
    typed("docs", "add", folder, "--audience", "internal", "--match", "Internal:*")
    before = listed(typed)
    assert before["goodwill.md"][-2] == "internal"

    assert counted(typed("docs", "sync", folder, "--dry-run")).endswith("0 would be removed, 5 would be unchanged.")
    assert counted(typed("docs", "sync", folder)).endswith("5 would be unchanged.") and listed(typed) == before
    (folder / "goodwill.md").write_text("# Goodwill\n\nStaff may give $60 back for a late umbrella.\n")
    assert "0 added, 1 changed, 0 removed, 4 unchanged." in typed("docs", "sync", folder, "--yes").out
    after = listed(typed)
    assert after.keys() == before.keys() and after["goodwill.md"][-2] == "internal"
    assert "$60" not in typed("ask", "What may staff give back for a late umbrella?").out


def test_an_audience_is_a_change_though_no_file_has_one(typed, folder):
    """It is told before, holds for what comes later, and hides at once what it shall hide."""
    typed("docs", "add", folder)
    plan = typed("docs", "sync", folder, "--audience", "internal", "--dry-run")
    assert counted(plan).startswith("0 would be added, 4 would be changed")
    assert refused(typed("docs", "sync", folder, "--audience", "internal")) == "Nothing was changed."
    assert "11 days" in typed("ask", UMBRELLA).out

    assert "0 added, 4 changed" in typed("docs", "sync", folder, "--audience", "internal", "--yes").out
    assert "11 days" not in typed("ask", UMBRELLA).out
    assert "11 days" in typed("ask", UMBRELLA, "--audience", "internal").out
    (folder / "new.md").write_text(LOANS.format("sled", 5))
    assert "1 added, 0 changed" in typed("docs", "sync", folder, "--yes").out
    assert {listed(typed)[name][-2] for name in ("new.md", "umbrella.md")} == {"internal"}


def test_a_folder_that_lost_most_of_its_files_is_held(typed, folder):
    """A drive that is not connected looks like that: exit code 3, all answers stay; --force takes it at its word."""
    typed("docs", "sync", folder, "--yes")
    for name in ("umbrella", "bike", "tent"):
        (folder / f"{name}.md").unlink()

    for options in (("--dry-run",), (), ("--yes",)):
        ended = typed("docs", "sync", folder, *options)
        assert degraded(ended) == [
            "3 items are not there any more, most of this source: none of them was removed. "
            "Check the source, and force it if they are really gone."
        ]
        assert ended.out.splitlines()[0].endswith("0 would be removed, 1 would be unchanged.")
    assert "umbrella.md" in typed("ask", UMBRELLA).out
    assert counted(typed("docs", "sync", folder, "--force", "--dry-run")).endswith("3 would be removed, "
                                                                                   "1 would be unchanged.")  # fmt: skip
    assert "3 removed" in typed("docs", "sync", folder, "--force", "--yes").out
    assert "umbrella.md" not in typed("ask", UMBRELLA).out


def test_a_folder_that_is_gone_or_none_changes_nothing(typed, folder):
    """A sentence and exit code 3; it is not listed as a source if it never was one."""
    for path in (folder / "nowhere", folder / "tent.md"):
        said = degraded(typed("docs", "sync", path, "--yes"))
        assert said == [f"The folder '{path}' is not there: is its drive connected?"]
    assert "There are no sources" in typed("docs", "source", "list").out

    typed("docs", "sync", folder, "--yes")
    folder.rename(folder.with_name("away"))
    assert "is not there" in degraded(typed("docs", "sync", folder, "--yes"))[0]
    assert "11 days" in typed("ask", UMBRELLA).out


def test_files_that_fail_and_files_of_no_use_stop_no_other(typed, folder):
    """Each that fails is a line on stderr, those left out are counted; a ZIP that was added before stays."""
    with zipfile.ZipFile(folder / "old.zip", "w") as packed:
        packed.writestr("gliders.md", LOANS.format("glider", 77))
    typed("docs", "add", folder)
    (folder / "tent.md").write_text("---\ntitle: Nothing but a title\n---\n")
    (folder / "film.mp4").write_bytes(b"film")
    (folder / "new.md").write_text(LOANS.format("sled", 5))
    ended = typed("docs", "sync", folder, "--yes")

    assert len(degraded(ended)) == 1 and "'tent.md' has no text" in ended.err
    assert "2 files are left out: ZIPs, links out of the folder, formats that are not read." in ended.err
    assert "1 added, 0 changed, 0 removed, 3 unchanged." in ended.out.splitlines()
    assert {"old.zip/gliders.md", "new.md", "tent.md"} <= listed(typed).keys()


def test_a_long_plan_is_cut(frontdesk, folder):
    """Twenty names, and how many more."""
    for number in range(30):
        (folder / f"{number:02}.md").write_text(f"# {number}\n\nNumber {number}.\n")
    ended = frontdesk("docs", "sync", folder, "--dry-run")

    assert ended.out.count("added    ") == 20 and "… and 14 more added" in ended.err


def test_folders_that_overlap_are_refused(typed, folder):
    """Each document would come twice: a folder in one that was added, and one around it."""
    typed("docs", "add", folder)
    inner = degraded(typed("docs", "sync", folder / "sub", "--yes"))
    assert inner == [f"'sub/canoe.md' came by the folder '{folder}' already: "
                     "sync that one, or remove its documents first."]  # fmt: skip
    assert "came by the folder" in refused(typed("docs", "source", "add", "all", "--folder", folder.parent))

    typed("docs", "sync", folder, "--yes")
    said = refused(typed("docs", "source", "add", "twin", "--folder", folder / "sub" / ".."))
    assert said.startswith("The source 'our-policies-") and said.endswith("sync that one, or remove it first.")
    assert len(typed("docs", "source", "list").out.splitlines()) == 2


def test_a_folder_whose_name_is_no_text_is_a_sentence(typed, tmp_path):
    """And so is an audience that cannot be."""
    strange = tmp_path / os.fsdecode(b"caf\xe9")
    strange.mkdir()
    (strange / "a.md").write_text("# A\n\nAlpha.\n")
    ended = typed("docs", "sync", strange, "--yes")
    assert ended.code in (1, 3) and "is no text" in ended.err and "Traceback" not in ended.err
    assert "is no text" in refused(typed("docs", "source", "add", "cafe", "--folder", strange))

    assert "'staff only' is no audience" in refused(typed("docs", "sync", tmp_path, "--audience", "staff only"))


# Adding sources


@pytest.mark.parametrize(
    ("options", "row"),
    [
        (("--folder", "{tmp}", "--every", "6h"), "folder {tmp} every 6 h as set never not read yet"),
        (("--url", "https://shop.example/a", "--every", "15m", "--audience", "internal"),
         "web https://shop.example/a every 15 min internal never not read yet"),
        (("--url", "https://shop.example/a", "--url", "https://help.example/b", "--every", "never"),
         "web https://shop.example/a and 1 more by hand as set never not read yet"),
        (("--sitemap", "https://shop.example/map.xml", "--host", "shop.example", "--host", "help.example"),
         "web https://shop.example/map.xml every 1 d as set never not read yet"),
        (("--database", "sqlite:////srv/shop.db", "--table", "faq", "--key", "id", "--title", "question"),
         "database faq in sqlite:////srv/shop.db every 1 d as set never not read yet"),
        (("--database", "postgresql://ann:hunter2@db.example/shop?sslmode=require", "--query", "SELECT 1 AS id",
          "--key", "id", "--updated", "changed", "--audience", "VIP, trade"),
         "database a query in postgresql://ann:***@db.example/shop every 1 d trade,vip never not read yet"),
        (("--database", "${DATABASE_URL}", "--table", "faq", "--key", "id"),
         "database faq in ${DATABASE_URL} every 1 d as set never not read yet"),
    ],
)  # fmt: skip
def test_a_source_of_each_kind_is_added_and_listed(typed, tmp_path, options, row):
    """With its place, its schedule and who will see it; nobody is called yet, and no password is shown."""
    ended = typed("docs", "source", "add", "one", *(part.replace("{tmp}", str(tmp_path)) for part in options))

    assert ended.code == 0 and ended.out.startswith("Added 'one': it is read ")
    assert state(typed, "one") == f"one {row.replace('{tmp}', str(tmp_path))}"
    assert "hunter2" not in ended.out + ended.err + typed("docs", "source", "list").out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "A source is one thing to read: say either --folder, or --url or --sitemap"),
        (("--folder", "/x", "--url", "https://shop.example/a"), "A source is one thing to read"),
        (("--url", "https://shop.example/a", "--key", "id"), "A source is one thing to read"),
        (("--url", "https://shop.example/a", "--sitemap", "https://shop.example/map.xml"), "urls or sitemap: give"),
        (("--host", "shop.example"), "needs urls or sitemap: give exactly one"),
        (("--database", "sqlite:////x.db", "--table", "faq"), "needs key: give exactly one"),
        (("--database", "sqlite:////x.db", "--key", "id"), "needs query or table: give exactly one"),
        (("--database", "sqlite:////x.db", "--key", "id", "--table", "faq", "--query", "SELECT 1"), "query or table"),
        (("--database", "sqlite:////x.db", "--key", "id", "--query", "DROP TABLE faq"), "must be one SELECT or WITH"),
        (("--folder", "/x", "--every", "sometimes"), "'sometimes' is no schedule: write it like 15m, 6h, 1d or never."),
        (("--folder", "/x", "--audience", "staff only"), "'staff only' is no audience"),
        (("--url", "ftp://shop.example/a"), "is no web address"),
        (("--url", "https://ann:hunter2@shop.example/a"), "came with a user name in it"),
        (("--url", "https://shop.example/a", "--host", "help.example"), "on the host 'shop.example', which is not"),
        (("--url", "https://shop.example/a", "--host", "https://shop.example/"), "is no host"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_is_one_sentence(typed, options, said):
    """Before anything is kept."""
    ended = typed("docs", "source", "add", "one", *options)

    assert said in refused(ended) and "hunter2" not in ended.err
    assert "There are no sources" in typed("docs", "source", "list").out


@pytest.mark.parametrize("name", ["Help Center", "", "x" * 41, "ä", "a/b"])
def test_a_name_that_cannot_be_is_one_sentence(typed, name):
    """It says what a name may be made of."""
    said = refused(typed("docs", "source", "add", name, "--folder", "/x"))

    assert said == f"'{name}' is no name for a source: use 1 to 40 of a-z, 0-9 and hyphens."


def test_a_name_is_taken_once_and_an_unknown_one_is_named(typed, tmp_path):
    """By every verb that takes one."""
    assert typed("docs", "source", "add", "docs", "--folder", tmp_path).code == 0
    (tmp_path / "other").mkdir()
    assert "There is a source 'docs' already" in refused(
        typed("docs", "source", "add", "docs", "--url", "https://shop.example/a")
    )
    for verb in ("run", "remove"):
        for name in ("none", "n\udcffone", ""):
            assert refused(typed("docs", "source", verb, name)).endswith(
                ("see the list of sources.", "cannot be told: rename it.", "rename it.")
            )


# Web pages


@pytest.fixture
def site(monkeypatch):
    """A web server of this machine whose pages are set by path; whoever reads it has little patience."""
    monkeypatch.setattr("knowledge.web.FetchLimits", lambda: HASTY)
    routes = {"/umbrellas": page("umbrella", 11), "/bikes": page("bike", 7)}
    with serve(routes) as server:
        server.routes, server.url = routes, f"http://127.0.0.1:{server.port}"
        yield server


def page(thing, days):
    return html(f"<h1>{thing} loans</h1><p>You can borrow a {thing} for {days} days.</p>")


def add_site(frontdesk, site, *options):
    pages = [part for path in ("/umbrellas", "/bikes") for part in ("--url", site.url + path)]
    assert frontdesk("docs", "source", "add", "site", *pages, *(options or ("--private",))).code == 0


def age(home, **ago):
    """Let the last good reading of every source be so long ago."""
    with sqlite3.connect(home / "sources.db") as db:
        db.execute("UPDATE sources SET last_ok_at = ?", ((datetime.now(UTC) - timedelta(**ago)).isoformat(),))


def test_a_changed_page_changes_the_next_answer(typed, site):
    """And one that says it is gone disappears; the list says what the last run did."""
    add_site(typed, site)
    assert counted(typed("docs", "source", "run", "site")) == "2 added, 0 changed, 0 removed, 0 unchanged."
    assert "11 days" in typed("ask", UMBRELLA).out
    assert "(0 min ago) ok: 2 added" in state(typed, "site")

    site.routes["/umbrellas"] = page("umbrella", 23)
    site.routes["/bikes"] = (410, {}, b"")
    ended = typed("docs", "source", "run", "site")
    assert counted(ended) == "0 added, 1 changed, 1 removed, 0 unchanged."
    assert ended.out.splitlines()[1:] == [f"changed  {site.url}/umbrellas", f"removed  {site.url}/bikes"]
    answer = typed("ask", UMBRELLA).out
    assert "23 days" in answer and "11 days" not in answer
    assert f"{site.url}/bikes" not in listed(typed)
    assert degraded(typed("docs", "source", "run", "site")) == [f"'{site.url}/bikes' is gone (status 410)."]


def broken(handler):
    raise ConnectionResetError


FAULTS = {
    "slow": (drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", times=60), "takes too long (the limit is"),
    "silent": (drip(b"", b"", 0.1, 20), "takes too long (the limit is 0.8 seconds in all)"),
    "huge": (html("x" * 300_000), "has more than 0.190735 MiB, the limit"),
    "bomb": (gzip_bomb(50), "has more than 0.190735 MiB, the limit"),
    "down": ((500, {}, b""), "answers with status 500: check it in a browser."),
    "broken": (broken, "cannot be reached ("),
    "inward": (redirect("http://127.0.0.1:9/admin"), "leads elsewhere. 'http://127.0.0.1:9/admin' is on the host"),
    "metadata": (redirect("http://169.254.169.254/latest"), "leads elsewhere. 'http://169.254.169.254/latest' is on"),
    "file": (redirect("file:///etc/passwd"), "leads elsewhere. 'file:/etc/passwd' is no web address"),
    "circle": (redirect("/umbrellas"), "leads on more than 5 times"),
    "picture": ((200, {"Content-Type": "image/png"}, b"\x89PNG"), "is of the type 'image/png', which is not read"),
    "empty": (html(""), "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_last_good_version_outlives_a_server_that_misbehaves(frontdesk, site, fault):
    """Exit code 3 and the sentence on stderr; the other page is read all the same, and the list says it too."""
    add_site(frontdesk, site)
    frontdesk("docs", "source", "run", "site")
    site.routes["/umbrellas"], words = FAULTS[fault]
    site.routes["/bikes"] = page("bike", 30)
    ended = frontdesk("docs", "source", "run", "site")

    (said,) = degraded(ended)
    assert words in said and ended.out.startswith("0 added, 1 changed, 0 removed, 0 unchanged.")
    assert "11 days" in frontdesk("ask", UMBRELLA).out
    assert "30 days" in frontdesk("ask", "How many days can I borrow a bike?").out
    row = state(frontdesk, "site")
    assert "partial: 1 changed, 1 failed" in row and row.endswith(f"site: {said}")


@pytest.mark.parametrize(("option", "path"), [("--url", "/umbrellas"), ("--sitemap", "/map.xml")])
def test_a_server_that_is_down_leaves_all_answers_and_their_age_is_told(typed, home, site, option, path):
    """Minutes, hours and days since the last time that anything could be read."""
    site.routes["/map.xml"] = (200, {"Content-Type": "text/xml"},
                               f"<urlset><url><loc>{site.url}/umbrellas</loc></url></urlset>".encode())  # fmt: skip
    typed("docs", "source", "add", "site", option, site.url + path, "--private")
    typed("docs", "source", "run", "site")
    site.routes[path] = (500, {}, b"")

    for ago, words in (({"minutes": 50}, "(50 min ago)"), ({"hours": 7}, "(7 h ago)"), ({"days": 3}, "(3 days ago)")):
        age(home, **ago)
        (said,) = degraded(typed("docs", "source", "run", "site"))
        assert said == f"'{site.url}{path}' answers with status 500: check it in a browser."
        assert f"{words} failed" in state(typed, "site") and state(typed, "site").endswith(f"site: {said}")
    assert "11 days" in typed("ask", UMBRELLA).out


def test_a_private_address_is_refused_by_default(typed, site):
    """Nobody on this machine is called; nor is a name that leads nowhere."""
    add_site(typed, site, "--every", "never")
    for said in degraded(typed("docs", "source", "run", "site")):
        assert "leads to the address 127.0.0.1, which is not public" in said
    assert site.asked == []

    typed("docs", "source", "add", "nowhere", "--url", "https://nowhere.invalid/a")
    assert degraded(typed("docs", "source", "run", "nowhere")) == [
        "The host 'nowhere.invalid' is not found: check its name and the network."
    ]
    assert "every 1 d as set never failed: 1 failed nowhere: The host" in state(typed, "nowhere")


def test_a_source_that_is_removed_takes_its_documents_along(typed, site):
    """At once; documents of others stay."""
    add_site(typed, site)
    typed("docs", "source", "run", "site")
    before = listed(typed)

    assert typed("docs", "source", "remove", "site").out == "Removed 'site' with 2 documents.\n"
    assert "11 days" not in typed("ask", UMBRELLA).out
    assert listed(typed).keys() == {name for name in before if not name.startswith(site.url)}
    assert "There are no sources" in typed("docs", "source", "list").out


def test_most_pages_gone_at_once_are_held_until_forced(typed, site):
    """A list that shrinks to a fraction is rather broken than true."""
    for paths in (("/umbrellas", "/bikes", "/tents", "/canoes"), ("/bikes",)):
        inside = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in paths)
        site.routes["/map.xml"] = (200, {"Content-Type": "text/xml"}, f"<urlset>{inside}</urlset>".encode())
        site.routes |= {"/tents": page("tent", 3), "/canoes": page("canoe", 4)}
        typed("docs", "source", "add", "site", "--sitemap", f"{site.url}/map.xml", "--private")
        ended = typed("docs", "source", "run", "site")

    assert "3 items are not there any more" in degraded(ended)[0] and "held: 1 unchanged, 3 held" in state(
        typed, "site"
    )
    assert "11 days" in typed("ask", UMBRELLA).out
    assert counted(typed("docs", "source", "run", "site", "--force")) == "0 added, 0 changed, 3 removed, 1 unchanged."
    assert "11 days" not in typed("ask", UMBRELLA).out


# Tables


class Sqlite:
    """A database file."""

    def __init__(self, path):
        self.path, self.url, self.secret = path, f"sqlite:///{path}", "no secret"

    def run(self, *statements):
        db = sqlite3.connect(self.path)
        with db:
            for statement in statements:
                db.execute(statement)
        db.close()


class Postgres:
    """A database of a real server, whose password is in the environment."""

    def __init__(self, port):
        self.port, self.secret = port, PASSWORD
        self.url = f"postgresql://postgres:${{SHOP_PASSWORD}}@127.0.0.1:{port}/postgres"

    def run(self, *statements):
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD) as db:
            for statement in statements:
                db.execute(statement)


@pytest.fixture(scope="module")
def cluster():
    with serve_postgres() as port:
        yield port


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, tmp_path, monkeypatch):
    """A table of loans in a real database."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    sqlite = request.param == "sqlite"
    shop = Sqlite(tmp_path / "shop.db") if sqlite else Postgres(request.getfixturevalue("cluster"))
    shop.run("DROP TABLE IF EXISTS loans", "CREATE TABLE loans (id INTEGER, thing TEXT, rule TEXT)",
             *(f"INSERT INTO loans VALUES ({number}, '{thing} loans', 'You can borrow a {thing} for {days} days.')"
               for number, thing, days in ((1, "umbrella", 11), (2, "bike", 7), (3, "tent", 3))))  # fmt: skip
    return shop


def add_shop(frontdesk, shop, **changed):
    options = {"database": shop.url, "table": "loans", "key": "id", "title": "thing"} | changed
    return frontdesk("docs", "source", "add", "shop", *(p for k, v in options.items() for p in (f"--{k}", v)))


def test_a_changed_row_changes_the_next_answer_and_a_deleted_one_disappears(shop, typed):
    """On real SQLite and on real PostgreSQL; the password is filled in from the environment and shown nowhere."""
    said = [add_shop(typed, shop), typed("docs", "source", "run", "shop")]
    assert counted(said[-1]) == "3 added, 0 changed, 0 removed, 0 unchanged." and "added    1.md" in said[-1].out
    said.append(typed("ask", UMBRELLA))
    assert "11 days" in said[-1].out

    shop.run("UPDATE loans SET rule = 'You can borrow an umbrella for 23 days.' WHERE id = 1",
             "DELETE FROM loans WHERE id = 2")  # fmt: skip
    said.append(typed("docs", "source", "run", "shop"))
    assert counted(said[-1]) == "0 added, 1 changed, 1 removed, 1 unchanged."
    said += [typed("ask", UMBRELLA), typed("docs", "list", "--all"), typed("docs", "source", "list")]
    assert "23 days" in said[-3].out and "11 days" not in said[-3].out and "2.md" not in listed(typed)
    assert f"loans in {shop.url.replace('${SHOP_PASSWORD}', '***')} every 1 d" in state(typed, "shop")
    assert not any(shop.secret in ended.out + ended.err for ended in said)


def test_a_database_that_refuses_leaves_all_answers(shop, typed):
    """A table that is gone, a key that is none: the sentence names it, and not the password."""
    add_shop(typed, shop)
    typed("docs", "source", "run", "shop")
    shop.run("ALTER TABLE loans RENAME TO old_loans")
    ended = typed("docs", "source", "run", "shop")
    shop.run("ALTER TABLE old_loans RENAME TO loans")

    (said,) = degraded(ended)
    assert said.startswith("The database '") and "loans" in said and "check its address and the query" in said
    assert "11 days" in typed("ask", UMBRELLA).out and "failed" in state(typed, "shop")
    assert shop.secret not in ended.err + typed("docs", "source", "list").out
    typed("docs", "source", "remove", "shop")
    add_shop(typed, shop, key="nummer")
    assert "The query gives no column 'nummer': use one of id, thing, rule" in degraded(
        typed("docs", "source", "run", "shop")
    )[0]  # fmt: skip


def test_a_variable_that_is_not_set_is_named(typed, cluster, monkeypatch):
    """And a wrong password is told without telling it."""
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    shop = Postgres(cluster)
    add_shop(typed, shop)
    assert degraded(typed("docs", "source", "run", "shop")) == [
        "The database's address needs SHOP_PASSWORD, which is not set: set it and try again."
    ]
    typed("docs", "source", "remove", "shop")
    add_shop(typed, shop, database=shop.url.replace("${SHOP_PASSWORD}", "hunter2"))
    ended = typed("docs", "source", "run", "shop")
    assert "refuses (" in degraded(ended)[0]
    assert "hunter2" not in ended.out + ended.err + typed("docs", "source", "list").out


# The verbs of the desk, here and through the server


@pytest.fixture
def desks(filled, served):
    """The same verbs in this process and over the loopback endpoint, on one service."""
    remote = RemoteDesk(served)
    yield LocalDesk(filled), remote
    remote.close()


def twins(folder):
    """Two equal folders, for one and the other."""
    twin = folder.with_name("other") / folder.name
    shutil.copytree(folder, twin)
    return folder, twin


def test_folders_are_planned_and_synced_the_same_here_and_there(desks, folder):
    """Equal results, down to the types of their values, and the same progress along the way."""
    told = {desk: [] for desk in desks}
    results = []
    for desk, place in zip(desks, twins(folder), strict=True):
        results.append([])
        for verb in (desk.plan_folder, desk.sync_folder, desk.sync_folder):
            results[-1].append(verb(place, lambda *event, seen=told[desk]: seen.append(event), "vip"))
        (place / "umbrella.md").unlink()
        (place / "bike.md").write_text("---\ntitle: Nothing\n---\n")
        results[-1] += [desk.plan_folder(place, force=True), desk.sync_folder(str(place))]

    assert results[0] == results[1] and told[desks[0]] == told[desks[1]] and len(told[desks[0]]) == 15
    plan, first, again, _, last = results[0]
    assert len(plan["added"]) == 4 and plan == first and len(again["unchanged"]) == 4
    assert (last["status"], last["removed"], last["faults"]) == ("partial", ["umbrella.md"], [last["message"]])
    rows = {row["source"]: row["audience"] for row in desks[0].list()}
    assert rows["tent.md"] == "vip" and rows["returns.md"] == "public"


def test_sources_are_added_listed_read_and_dropped_the_same_here_and_there(desks, folder):
    """By either desk for both."""
    local, remote = desks
    places = twins(folder)
    for desk, name, place in zip(desks, ("one", "two"), places, strict=True):
        assert desk.add_source(name, "folder", {"path": str(place)}, 3600, "B, a") == {"name": name}
    one, two = local.sources()
    assert remote.sources() == [one, two] and one | {"name": "", "place": ""} == two | {"name": "", "place": ""}
    assert (one["audience"], one["every_seconds"], one["last_ok_at"], one["status"], one["counts"]) == (
        "a,b", 3600, None, "", {})  # fmt: skip

    assert remote.sync("one") == local.sync("two")
    one, two = remote.sources()
    assert (one["counts"], one["status"]) == (two["counts"], "ok") and datetime.fromisoformat(one["last_ok_at"]).tzinfo
    here, there = local.drop("one"), remote.drop("two")
    assert len(here) == 4 and [row["source"] for row in here] == [row["source"] for row in there]
    assert here[0].keys() == there[0].keys() and local.sources() == remote.sources() == []


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("sync", ("none",)), ("drop", ("none",)), ("add_source", ("A b", "folder", {"path": "/x"}, 0)),
        ("add_source", ("ab", "ftp", {"path": "/x"}, 0)), ("add_source", ("ab", "folder", {"path": "x"}, 0)),
        ("add_source", ("ab", "folder", {"path": "/x", "more": 1}, 0)), ("add_source", ("ab", "folder", {}, 0)),
        ("add_source", ("ab", "folder", {"path": "/x"}, 59)),
        ("add_source", ("ab", "folder", {"path": "/x"}, 0, "a b")),
        ("add_source", ("ab", "web", {"urls": "https://shop.example/"}, 0)),
        ("add_source", ("ab", "database", {"url": "sqlite:////x", "key": "id", "query": "DELETE FROM x"}, 0)),
        ("plan_folder", ("/x", None, "a b")), ("sync_folder", ("/x", None, "public,vip")),
    ],
)  # fmt: skip
def test_a_refusal_has_the_same_sentence_here_and_there(desks, verb, arguments):
    """And nothing is kept."""
    local, remote = desks
    with pytest.raises((BotError, KnowledgeError)) as here:
        getattr(local, verb)(*arguments)
    with pytest.raises(BotError) as there:
        getattr(remote, verb)(*arguments)

    assert str(there.value) == str(here.value) and local.sources() == []


def test_documents_of_a_source_answer_here_and_there(desks, tmp_path):
    """What one desk read the other one says."""
    _, remote = desks
    (tmp_path / "returns").mkdir()
    (tmp_path / "returns" / "longer.md").write_text(RETURNS.replace("45 days", "90 days").replace("kettle", "samovar"))
    remote.sync_folder(tmp_path / "returns")

    for desk in desks:
        *_, answer = desk.ask("How many days do I have to return a samovar?")
        assert "90 days" in answer["text"] and answer["citations"][0]["document"] == "longer.md"
