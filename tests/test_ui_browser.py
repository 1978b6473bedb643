"""The page as a visitor sees it: a real server, the real models, and headless Chromium."""

import sqlite3

import pytest

from bot.service import EXAMPLES, open_adapters
from bot.settings import Settings
from tests.fake_service import write_transcripts
from tests.page_server import (
    BROWSER,
    ask,
    home_with,
    open_document,
    open_tab,
    serve_page,
    show,
    upload,
    watched_tab,
)

pytestmark = BROWSER
RETURN = "How long do I have to return a kettle?"


@pytest.fixture(scope="module")
def home(tmp_path_factory, prepared_base, real_adapter):
    """A home with the prepared base and two voices more than the shipped one."""
    home = home_with(prepared_base, tmp_path_factory.mktemp("browser"))
    adapters = open_adapters(Settings(home=home))
    adapters.add(real_adapter), adapters.add(real_adapter)
    return home


@pytest.fixture(scope="module")
def server(home):
    """The page with the example company."""
    with serve_page(home, "--example") as server:
        yield server


@pytest.fixture
def tab(browser, server):
    with watched_tab(browser, server.url) as tab:
        yield tab


def in_transit(home):
    """Uploads that are still in the page's cache; Gradio leaves an empty file without a name for each."""
    return [path for path in (home / "uploads-in-transit").rglob("*") if path.is_file() and path.stat().st_size]


def wait_for_champion(tab, version):
    said = f"{version} is the champion"
    tab.wait_for_function("said => document.querySelector('#versions').innerText.startsWith(said)", arg=said)


def rows(home, query):
    with sqlite3.connect(home / "frontdesk.db") as db:
        return db.execute(query).fetchall()


def test_the_page_loads_and_every_tab_shows_its_content(tab):
    """Without a complaint in the console, and without a request to another host."""
    assert tab.title() == "Frontdesk"
    assert "How can we help?" in tab.locator("#chat").inner_text()
    assert "appear here" in tab.locator("#sources").inner_text()
    show(tab, "Documents", "#documents table")
    files = [path for path in (EXAMPLES / "documents").rglob("*") if path.is_file()]
    assert tab.locator("#documents tbody tr").count() >= len(files)
    show(tab, "Tone", "#versions table")
    assert tab.locator("#versions tbody tr").count() >= 2


def test_a_phone_shows_every_tab_without_scrolling_sideways(browser, server):
    """390 points wide, before and after an answer."""
    with open_tab(browser, server.url, 390, 844) as tab:
        for name, selector in (("Documents", "#documents table"), ("Tone", "#versions table"), ("Chat", "#chat")):
            show(tab, name, selector)
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390, name
        ask(tab, RETURN)
        tab.locator("#chat a.cite").first.click()
        tab.wait_for_selector("#sources details[open]")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        boxes = [tab.locator(place).last.bounding_box() for place in ("#chat .bot .said", "#chat")]
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + boxes[1]["width"]


def test_an_answer_streams_and_its_mark_opens_the_passage(tab):
    """The text grows; the mark opens the card; the card's link opens the stored document at the passage."""
    tab.evaluate("""() => { window.seen = new Set(); new MutationObserver(() => {
        const said = document.querySelector('#chat .bot .said'); if (said) window.seen.add(said.innerText.length);
    }).observe(document.querySelector('#chat'), {subtree: true, childList: true, characterData: true}); }""")
    answer = ask(tab, "How do I descale my kettle?")
    assert tab.evaluate("window.seen.size") >= 2 and len(answer) > 80

    card = tab.locator("#sources details").first
    assert card.get_attribute("open") is None
    tab.locator("#chat a.cite").first.click()
    tab.wait_for_selector("#sources details[open] mark >> visible=true")
    marked = card.locator("mark").first.inner_text()
    with tab.context.expect_page() as opened:
        card.get_by_role("link", name="Open the document at this place").click()
    document = opened.value
    document.wait_for_selector("#passage")

    assert marked in document.locator("#passage").inner_text()
    assert document.evaluate("document.querySelector('#passage').getBoundingClientRect().top < innerHeight")
    card.get_by_text("Read the whole document").click()
    assert tab.frame_locator("#sources iframe").first.locator("#passage").inner_text()


def test_what_the_documents_do_not_say_is_declined(tab):
    """With a badge, no source, and the earlier answer's sources still at hand."""
    ask(tab, RETURN)
    answer = ask(tab, "Who won the football world cup in 1998?")

    assert "not in the documents" in answer
    assert "No document answers this question." in tab.locator("#sources").inner_text()
    tab.locator("#chat a.cite").first.click()
    tab.wait_for_selector("#sources .older[open] details[open] mark >> visible=true")


def test_an_example_can_be_clicked_and_a_new_conversation_begun(tab):
    """The first step needs no typing, and the last one leaves nothing behind."""
    tab.get_by_role("button", name=RETURN).click()
    tab.wait_for_selector("#chat a.cite")
    tab.wait_for_selector("#question textarea:enabled")
    tab.get_by_role("button", name="New conversation").click()
    tab.wait_for_selector("text=How can we help?")

    assert tab.locator("#chat a.cite").count() == 0


def test_a_thumb_and_a_comment_are_stored(tab, home):
    """With the answer they belong to."""
    asked = "How much is express shipping and how fast is it?"
    ask(tab, asked)
    tab.locator("#chat button[title='Dislike'], #chat button[aria-label='dislike']").last.click()
    tab.wait_for_selector("#comment textarea >> visible=true")
    tab.fill("#comment textarea", "Too short for me.")
    tab.press("#comment textarea", "Enter")
    tab.wait_for_function("() => document.querySelector('#status').innerText.includes('Thank you for the comment')")

    kept = rows(
        home, "SELECT question, thumb, comment FROM feedback JOIN answers a ON a.id = answer_id ORDER BY feedback.id"
    )
    assert kept == [(asked, -1, ""), (asked, -1, "Too short for me.")]


def test_two_files_one_of_them_bad_have_a_result_each(tab, home, tmp_path):
    """The good one answers, the bad one says why not, and the upload cache is empty."""
    results = upload(tab, tmp_path, parking__md="# Parking\n\nYou may park for 90 minutes.\n", photo__png=b"\x89PNG")

    assert "Added\tparking.md" in results and "Not added\tphoto.png" in results and "no format we read" in results
    assert "Parking" in tab.locator("#documents").inner_text()
    assert in_transit(home) == []


def test_an_edited_number_changes_the_very_next_answer(tab, tmp_path):
    """In the same conversation, with the citation of the new version."""
    text = "# Umbrella loans\n\nYou can borrow an umbrella for 11 days.\n"
    upload(tab, tmp_path, umbrella__md=text)
    show(tab, "Chat", "#chat")
    assert "11 days" in ask(tab, "How long can I borrow an umbrella?")

    assert "Updated" in upload(tab, tmp_path, umbrella__md=text.replace("11 days", "23 days"))
    show(tab, "Chat", "#chat")
    answer = ask(tab, "How long can I borrow an umbrella?")
    assert "23 days" in answer and "11" not in answer


def test_deleting_asks_and_then_removes(tab, tmp_path):
    """Keep it leaves it; yes takes it out of the table and of the answers."""
    upload(tab, tmp_path, lockers__md="# Lockers\n\nA locker costs 77 cents a day.\n")
    open_document(tab, "Lockers")
    tab.get_by_role("button", name="Delete or erase").click()
    tab.click("#delete")
    tab.wait_for_selector("text='Lockers' disappears from all answers at once.")
    tab.get_by_role("button", name="Keep it").click()
    tab.wait_for_selector("#warning", state="hidden")
    tab.click("#back")
    tab.wait_for_selector("#documents >> visible=true")
    assert "Lockers" in tab.locator("#documents").inner_text()

    open_document(tab, "Lockers")
    tab.click("#delete")
    tab.get_by_role("button", name="Yes, delete it").click()
    tab.wait_for_selector("#results >> text='Lockers' is deleted.")
    tab.wait_for_function("() => !document.querySelector('#documents').innerText.includes('Lockers')")
    show(tab, "Chat", "#chat")
    assert "77 cents" not in ask(tab, "How much is a locker a day?")


def test_a_hostile_document_stays_text_everywhere(tab, tmp_path):
    """Its title, its passage and its file name run nothing: not in the table, its details, the chat or the sources."""
    evil = "<img src=x onerror=window.hacked=1> {{7+7}} ${7+7} _b_"
    upload(tab, tmp_path, evil__md=f"# {evil}\n\nThe gizmo zorp {evil} lasts 13 years.\n")
    assert "<img src=x onerror=window.hacked=1> {{7+7}} ${7+7}" in tab.locator("#documents").inner_text()
    open_document(tab, "onerror")
    tab.locator("#passages button").first.click()
    tab.wait_for_selector("#passages article >> visible=true")
    for part in ("#head", "#passages"):
        assert "<img src=x onerror=window.hacked=1> {{7+7}} ${7+7} _b_" in tab.locator(part).inner_text()
    tab.click("#back")

    show(tab, "Chat", "#chat")
    ask(tab, f"How long does the gizmo zorp last {evil}?")
    for fold in tab.locator("#sources summary").all():
        if fold.is_visible():
            fold.click()
    assert "{{7+7}} ${7+7} _b_" in tab.locator("#chat").inner_text()
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0


def test_versions_are_listed_promoted_and_rolled_back(tab, home):
    """Each seen in the table at once and in the status of the next answer."""
    versions = [version.id for version in open_adapters(Settings(home=home)).versions()]
    first, second = versions[-2:]
    for version in (first, second):
        show(tab, "Tone", "#versions table")
        tab.locator("#version input").click()
        tab.get_by_role("option", name=version).click()
        tab.get_by_role("button", name="Promote").click()
        wait_for_champion(tab, version)
    show(tab, "Chat", "#chat")
    ask(tab, RETURN)
    assert f"tone {second}" in tab.locator("#status").inner_text()

    show(tab, "Tone", "#versions table")
    tab.get_by_role("button", name="Roll back").click()
    wait_for_champion(tab, first)
    show(tab, "Chat", "#chat")
    ask(tab, RETURN)
    assert f"tone {first}" in tab.locator("#status").inner_text()


def test_a_retraining_shows_its_loss_and_ends_with_a_candidate(tab, home, tmp_path):
    """The data set is counted first; the plot grows while the page can be used; the champion goes on speaking."""
    before = open_adapters(Settings(home=home)).aliases().get("champion")
    show(tab, "Tone", "#versions table")
    tab.set_input_files("#transcripts input[type=file]", write_transcripts(tmp_path / "rows.jsonl", 12))
    tab.wait_for_selector("text=rows.jsonl: 12 conversations, ready to retrain on.")
    tab.get_by_role("button", name="Retrain", exact=True).click()
    tab.locator("#losses").locator("canvas, svg").first.wait_for()
    tab.wait_for_function("() => /v\\d{4} is ready as candidate/.test(document.querySelector('#training').innerText)")
    tab.wait_for_function("() => document.querySelector('#versions').innerText.includes('candidate')")

    assert open_adapters(Settings(home=home)).aliases().get("champion") == before
    assert in_transit(home) == []


def test_a_faulty_data_set_is_refused_at_once(tab, tmp_path):
    """Before anybody waits for a training run, and Retrain then asks for a file."""
    (tmp_path / "bad.jsonl").write_text('{"messages": [{"role": "user", "content": "Hello?"}]}\n')
    show(tab, "Tone", "#versions table")
    tab.set_input_files("#transcripts input[type=file]", tmp_path / "bad.jsonl")
    tab.wait_for_selector("#chosen .error")
    assert "no assistant turn" in tab.locator("#chosen").inner_text()

    tab.get_by_role("button", name="Retrain", exact=True).click()
    tab.wait_for_selector("text=Choose a JSONL file of conversations first.")
