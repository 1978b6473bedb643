"""Live sources as a support lead sees them: the Documents tab on a real server, in headless Chromium."""

import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import BotError
from bot.home import read_server
from bot.remote import RemoteDesk
from tests.page_server import (
    BROWSER,
    ask,
    home_with,
    open_tab,
    serve_page,
    show,
    watched_tab,
)
from tests.web_servers import html, serve

pytestmark = BROWSER
UMBRELLA = "How long can I borrow an umbrella?"


@pytest.fixture(scope="module")
def home(tmp_path_factory, prepared_base):
    """A home with the prepared base and no documents."""
    home = home_with(prepared_base, tmp_path_factory.mktemp("sources"))
    return home


@pytest.fixture(scope="module")
def server(home):
    with serve_page(home) as server:
        yield server


@pytest.fixture
def tab(browser, server):
    with watched_tab(browser, server.url, height=800) as tab:
        yield tab


@pytest.fixture
def desk(home, server):
    """What the command line uses; it leaves no source behind."""
    desk = RemoteDesk(read_server(home))
    yield desk
    for source in desk.sources():
        patiently(desk.drop, source["name"])
    desk.close()


def patiently(verb, *arguments):
    """Do it when the server's own schedule is not reading just then."""
    while True:
        try:
            return verb(*arguments)
        except BotError as error:
            assert "is being read right now" in str(error)
            time.sleep(0.1)


@pytest.fixture
def site(desk):
    """A web server of this machine with two pages, which are a source that was read once."""
    routes = {"/umbrellas": page("umbrella", 11), "/bikes": page("bike", 7)}
    with serve(routes) as site:
        site.routes, site.url = routes, f"http://127.0.0.1:{site.port}"
        pages = {"urls": [site.url + path for path in routes], "allow_private": True}
        desk.add_source("loans-site", "web", pages, 21_600)
        patiently(desk.sync, "loans-site")
        yield site


@pytest.fixture
def shop(desk, tmp_path):
    """A table in a database file, which is a source that was read once, for staff."""
    shop = tmp_path / "shop.db"
    write(shop, "CREATE TABLE faq (id INTEGER, question TEXT, answer TEXT)",
          "INSERT INTO faq VALUES (1, 'Gift wrapping', 'Gift wrapping costs $4 for each parcel.')",
          "INSERT INTO faq VALUES (2, 'Engraving', 'Engraving a kettle costs $19.')")  # fmt: skip
    table = {"url": f"sqlite:///{shop}", "table": "faq", "key": "id", "title": "question"}
    desk.add_source("shop-faq", "database", table, 86_400)
    patiently(desk.sync, "shop-faq")
    return shop


def page(thing, days):
    return html(f"<h1>{thing.title()} loans</h1><p>You can borrow {_a(thing)} for {days} days. Bring it back dry.</p>")


def _a(thing):
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def write(path, *statements):
    db = sqlite3.connect(path)
    with db:
        for statement in statements:
            db.execute(statement)
    db.close()


def open_sources(tab):
    show(tab, "Documents", "#library")
    show(tab, "Sources", "#sources-table table")


def row(tab, name):
    """The row of a source, and what it says."""
    found = tab.locator("#sources-table tbody tr", has_text=name)
    return found, " ".join(found.inner_text().split())


def press(tab, name, verb):
    """Press a button of a source and wait for what is said then."""
    tab.evaluate("() => document.querySelector('#source-said .notice')?.setAttribute('data-old', '')")
    row(tab, name)[0].get_by_role("button", name=verb).click()
    tab.wait_for_selector("#source-said .notice:not([data-old])")
    return tab.locator("#source-said").inner_text()


def answer(tab, question):
    show(tab, "Chat", "#chat")
    return ask(tab, question)


def test_sources_are_shown_with_schedule_result_and_age(tab, home, site, shop):
    """What each is and where, how often it is read, how the last run went, and how old the last good version is."""
    write(home / "sources.db", f"UPDATE sources SET last_ok_at = '{datetime.now(UTC) - timedelta(days=3)}' "
                               "WHERE name = 'loans-site'")  # fmt: skip
    open_sources(tab)

    web, table = row(tab, "loans-site")[1], row(tab, "shop-faq")[1]
    assert f"Website · {site.url}/umbrellas and 1 more every 6 h ok just now: 2 added 3 days ago" in web
    assert f"Database · faq in sqlite:///{shop} every 1 d ok just now: 2 added just now" in table
    for words in ("Sync now", "Drop the source"):
        assert words in web and words in table
    assert "Remove the missing" not in web + table


def test_sync_now_brings_a_changed_page_into_the_next_answer(tab, site):
    """In the same conversation, with the page as the source of the answer."""
    assert "11 days" in answer(tab, UMBRELLA)
    site.routes["/umbrellas"] = page("umbrella", 23)
    open_sources(tab)

    assert "'loans-site': 1 changed, 1 unchanged." in press(tab, "loans-site", "Sync now")
    assert "ok just now: 1 changed, 1 unchanged just now" in row(tab, "loans-site")[1]
    reply = answer(tab, UMBRELLA)
    assert "23 days" in reply and "11" not in reply


def test_a_changed_row_and_a_deleted_one_follow_too(tab, shop):
    """The row's new price is the next answer; what is deleted is not known any more."""
    assert "$4" in answer(tab, "How much does gift wrapping cost?")
    assert "$19" in answer(tab, "How much does engraving a kettle cost?")
    write(shop, "UPDATE faq SET answer = 'Gift wrapping costs $6 for each parcel.' WHERE id = 1",
          "DELETE FROM faq WHERE id = 2")  # fmt: skip
    open_sources(tab)

    assert "'shop-faq': 1 changed, 1 removed." in press(tab, "shop-faq", "Sync now")
    reply = answer(tab, "How much does gift wrapping cost?")
    assert "$6" in reply and "$4" not in reply
    assert "$19" not in answer(tab, "How much does engraving a kettle cost?")


def test_a_server_that_fails_shows_its_fault_and_the_old_answer_stays(tab, home, site):
    """The sentence at once and in the row, with the age of what still answers; then it recovers."""
    site.routes |= {path: (500, {}, b"") for path in site.routes}
    write(home / "sources.db", f"UPDATE sources SET last_ok_at = '{datetime.now(UTC) - timedelta(hours=5)}'")
    open_sources(tab)

    said = press(tab, "loans-site", "Sync now")
    assert f"'{site.url}/umbrellas' answers with status 500: check it in a browser." in said
    assert tab.locator("#source-said .notice.warn, #source-said .notice.error").count() == 1
    text = row(tab, "loans-site")[1]
    assert "failed just now: 2 failed" in text and "answers with status 500" in text and "5 hours ago" in text
    assert "11 days" in answer(tab, UMBRELLA)

    site.routes |= {"/umbrellas": page("umbrella", 30), "/bikes": page("bike", 7)}
    open_sources(tab)
    assert "1 changed, 1 unchanged" in press(tab, "loans-site", "Sync now")
    assert "30 days" in answer(tab, UMBRELLA)


def test_a_page_that_leads_inward_is_refused(tab, site):
    """The other one is read; nobody else on this machine is called."""
    with serve({"/secret": page("secret", 99)}) as inside:
        site.routes["/umbrellas"] = (302, {"Location": f"http://127.0.0.1:{inside.port}/secret"}, b"")
        open_sources(tab)
        said = press(tab, "loans-site", "Sync now")

        assert f"'{site.url}/umbrellas' leads elsewhere." in said and inside.asked == []
    assert "partial just now: 1 unchanged, 1 failed" in row(tab, "loans-site")[1]
    assert "11 days" in answer(tab, UMBRELLA)


def test_rows_that_vanish_are_held_until_somebody_says_so(tab, shop):
    """The button for that is there only then."""
    write(shop, "DELETE FROM faq")
    open_sources(tab)

    assert "2 items are not there any more" in press(tab, "shop-faq", "Sync now")
    assert "$4" in answer(tab, "How much does gift wrapping cost?")
    open_sources(tab)
    assert "'shop-faq': 2 removed." in press(tab, "shop-faq", "Remove the missing")
    assert "Remove the missing" not in row(tab, "shop-faq")[1]
    assert "$4" not in answer(tab, "How much does gift wrapping cost?")


def test_dropping_a_source_asks_and_takes_its_documents_along(tab, site, shop):
    """Keep it changes nothing; the other source is left alone."""
    open_sources(tab)
    row(tab, "loans-site")[0].get_by_role("button", name="Drop the source").click()
    tab.wait_for_selector("#source-warning >> text='loans-site' is forgotten")
    tab.get_by_role("button", name="Keep it").last.click()
    tab.wait_for_selector("#source-warning", state="hidden")
    assert "loans-site" in tab.locator("#sources-table").inner_text()

    row(tab, "loans-site")[0].get_by_role("button", name="Drop the source").click()
    tab.get_by_role("button", name="Yes, remove it").click()
    tab.wait_for_selector("#source-said >> text='loans-site' is removed, and 2 documents with it.")
    assert "shop-faq" in tab.locator("#sources-table").inner_text()
    assert "loans-site" not in tab.locator("#sources-table").inner_text()
    assert "11 days" not in answer(tab, UMBRELLA)


def test_a_phone_shows_sources_without_scrolling_sideways(browser, server, site, shop):
    """390 points wide, with a fault under a row; every button can be reached."""
    site.routes |= {path: (500, {}, b"") for path in site.routes}
    with open_tab(browser, server.url, 390, 844) as tab:
        open_sources(tab)
        press(tab, "loans-site", "Sync now")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        for button in tab.locator("#sources-table button").all():
            box = button.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert tab.faults == []
