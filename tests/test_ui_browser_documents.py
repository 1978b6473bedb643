"""The calendar as a support lead works with it: the Documents tab on a real server, in headless Chromium."""

from datetime import date, timedelta

import pytest

from bot.page import day_text
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
LOANS = "# {0} loans\n\n## How long\n\nYou can borrow a {1} for {2} days. Bring it back dry and clean.\n"


def day(days):
    """The day so many days from now, as a date field holds it."""
    return (date.today() + timedelta(days=days)).isoformat()


@pytest.fixture(scope="module")
def server(tmp_path_factory, prepared_base):
    """The page with the example company."""
    home = home_with(prepared_base, tmp_path_factory.mktemp("calendar"))
    with serve_page(home, "--example") as server:
        yield server


@pytest.fixture
def tab(browser, server):
    with watched_tab(browser, server.url, height=800) as tab:
        yield tab


def add(tab, tmp_path, thing, days, **terms):
    """Upload the next version of the loans of a thing, with terms by their fields; returns what the page says."""
    show(tab, "Documents", "#files")
    if terms and not tab.locator("#add-begins").is_visible():
        tab.locator("#add-terms button").first.click()
        tab.wait_for_timeout(500)  # nobody types into a field in the moment it unfolds
    for name, value in terms.items():
        tab.fill(f"#add-{name} input", value)
        if name == "audience":
            tab.press("#add-audience input", "Enter")
    return upload(tab, tmp_path, **{f"{thing}__md": LOANS.format(thing.title(), thing, days)})


def said(tab, sentence):
    """Wait for a sentence of an open document."""
    tab.wait_for_selector(f"#said >> text={sentence}")


def pick(tab, field, option):
    """Choose in a list."""
    tab.locator(f"{field} input").click()
    tab.get_by_role("option", name=option).first.click()


def answer(tab, question):
    show(tab, "Chat", "#chat")
    return ask(tab, question)


def test_a_version_is_swapped_and_the_very_next_answer_follows(tab, tmp_path):
    """The chat says which version it read; both stand in the timeline, and what changed is marked."""
    add(tab, tmp_path, "umbrella", 11)
    assert "11 days" in answer(tab, "How long can I borrow an umbrella?")

    assert "Updated" in add(tab, tmp_path, "umbrella", 23, note="Longer loans")
    reply = answer(tab, "How long can I borrow an umbrella?")
    assert "23 days" in reply and "11" not in reply
    assert f"since {day_text(day(0))}" in tab.locator("#sources summary").first.inner_text()

    assert "In force" in open_document(tab, "Umbrella loans")
    assert tab.locator("#timeline .lane").count() == 2 and "Longer loans" in tab.locator("#dated").inner_text()
    tab.get_by_role("button", name="What changed").click()
    tab.wait_for_selector(".diff mark >> visible=true")
    assert tab.locator(".diff del mark").all_inner_texts() == ["11"]
    assert tab.locator(".diff ins mark").all_inner_texts() == ["23"]


def test_a_changed_policy_shows_what_it_changes_for_customers(tab, tmp_path):
    """Their question is asked again under both versions, and the words that differ are marked."""
    add(tab, tmp_path, "wheelbarrow", 13)
    assert "13 days" in answer(tab, "How long can I borrow a wheelbarrow?")
    add(tab, tmp_path, "wheelbarrow", 26)

    open_document(tab, "Wheelbarrow loans")
    tab.get_by_role("button", name="What changed").click()
    tab.click("#ask-again")
    tab.wait_for_selector("#impact >> text=1 of 1 answers change from version 1 to 2.", timeout=60_000)
    assert "How long can I borrow a wheelbarrow?" in tab.locator("#impact").inner_text()
    assert tab.locator("#impact ins mark").all_inner_texts() == ["26"]


def test_what_was_asked_in_vain_is_listed(tab):
    """With how often, so that a support lead sees what to write."""
    for _ in range(2):
        answer(tab, "Do you rent out hot air balloons over the sea?")
    show(tab, "Documents", "#documents")
    show(tab, "Gaps", "#gaps-table table")

    row = tab.locator("#gaps-table tr", has_text="hot air balloons").inner_text()
    assert row.split("\t")[1] == "2"


def test_a_future_version_waits_for_its_day(tab, tmp_path):
    """Until then the old one answers; list and search show the new one for that day."""
    add(tab, tmp_path, "raincoat", 12)
    results = add(tab, tmp_path, "raincoat", 31, begins=day(20))
    assert f"In force from {day_text(day(20))} on." in results
    assert tab.input_value("#add-begins input") == ""

    assert "12 days" in answer(tab, "How long can I borrow a raincoat?")
    show(tab, "Documents", "#documents")
    row = tab.locator("#documents tr", has_text="Raincoat loans")
    assert f"next version on {day_text(day(20))}" in row.inner_text() and "1 of 2" in row.inner_text()
    tab.fill("#as-of input", day(25))
    tab.wait_for_selector(f"#documents >> text=in force on {day_text(day(25))}")
    assert "2 of 2" in row.inner_text()

    show(tab, "Test search", "#query textarea")
    assert "12 days" in search(tab, "How long can I borrow a raincoat?")
    tab.fill("#search-as-of input", day(25))
    tab.press("#search-as-of input", "Tab")
    tab.wait_for_timeout(500)
    assert "31 days" in search(tab, "How long can I borrow a raincoat?", f"as of {day(25)}")


def test_what_is_over_answers_only_for_its_time(tab, tmp_path):
    """It is out of the list until the past is asked for; an end that is set shows at once."""
    results = add(tab, tmp_path, "sledge", 17, begins=day(-40), until=day(-9))
    assert "In force only for questions about the past." in results
    assert "17 days" not in answer(tab, "How long can I borrow a sledge?")
    assert "17 days" in answer(tab, f"How long can I borrow a sledge as of {day(-20)}?")

    show(tab, "Documents", "#documents")
    assert "Sledge loans" not in tab.locator("#documents").inner_text()
    tab.check("#past input")
    tab.wait_for_selector("#documents >> text=Sledge loans")
    assert f"ended {day_text(day(-9))}" in tab.locator("#documents tr", has_text="Sledge").inner_text()

    add(tab, tmp_path, "parasol", 44)
    open_document(tab, "Parasol loans")
    tab.get_by_label("Set its end").check()
    tab.fill("#change-until input", day(9))
    tab.locator("#do", has_text="Set the end").click()
    said(tab, f"Version 1 holds until {day_text(day(9))}.")
    assert f"to {day_text(day(9))}" in tab.locator("#dated").inner_text()


def test_an_old_text_is_rolled_back_to_at_once_and_from_a_day_on(tab, tmp_path):
    """As a new version; the answer follows."""
    add(tab, tmp_path, "kayak", 14)
    add(tab, tmp_path, "kayak", 28)
    open_document(tab, "Kayak loans")
    pick(tab, "#version-to-change", "Version 1")
    tab.click("#do")
    said(tab, "Version 3 has the text of version 1: in force from now on.")
    assert "version 1 again" in tab.locator("#dated").inner_text()
    assert "14 days" in answer(tab, "How long can I borrow a kayak?")

    show(tab, "Documents", "#details")
    pick(tab, "#version-to-change", "Version 2")
    tab.fill("#change-begins input", day(30))
    tab.click("#do")
    said(tab, f"in force from {day_text(day(30))} on.")
    assert tab.locator("#timeline i.coming").count() == 1 and tab.input_value("#change-begins input") == ""
    assert "14 days" in answer(tab, "How long can I borrow a kayak?")


def test_a_version_is_withdrawn_and_leaves_a_gap(tab, tmp_path):
    """No older text comes back by itself, and the page says how to bring one back."""
    add(tab, tmp_path, "wetsuit", 15)
    add(tab, tmp_path, "wetsuit", 37)
    open_document(tab, "Wetsuit loans")
    tab.get_by_label("Withdraw it").check()
    tab.locator("#do", has_text="Withdraw").click()
    said(tab, "none is in force: roll back to bring an earlier text back.")
    assert "Out of force" in tab.locator("#head").inner_text()

    reply = answer(tab, "How long can I borrow a wetsuit?")
    assert "37 days" not in reply and "15 days" not in reply


def test_what_is_for_staff_is_found_by_staff_only(tab, tmp_path):
    """Customers are not answered from it, and its text opens by the page's own link alone."""
    add(tab, tmp_path, "trailer", 19)
    assert "19 days" in answer(tab, "How long can I borrow a trailer?")
    open_document(tab, "Trailer loans")
    tab.get_by_role("button", name="Audience and review").click()
    pick(tab, "#audience", "Staff only")
    tab.click("#save")
    said(tab, "For staff only now.")
    assert "Staff only" in tab.locator("#head").inner_text()
    assert "19 days" not in answer(tab, "How long can I borrow a trailer?")

    show(tab, "Documents", "#details")
    address = tab.locator("#head a").get_attribute("href")
    assert "key=" in address and "19 days" in tab.request.get(tab.url.rstrip("/") + address).text()
    assert tab.request.get(tab.url.rstrip("/") + address.split("?")[0]).status == 404

    show(tab, "Test search", "#query textarea")
    for asking, found in (("Everyone", False), ("Staff only", True)):
        pick(tab, "#asking", asking)
        asked = "asked by internal" if found else "asked by public"
        hits = search(tab, "How long can I borrow a trailer?", asked)
        assert ("Trailer loans" in hits) == found


def search(tab, query, asked=""):
    """The hits; `asked` is what the result says of the question, once it is the one that is meant."""
    for _ in range(8):
        tab.fill("#query textarea", "")  # what is typed while a tab is being shown for the first time is lost
        tab.fill("#query textarea", query)
        tab.get_by_role("button", name="Search", exact=True).click()
        tab.wait_for_timeout(1500)
        said = tab.locator("#hits").inner_text()
        if query in said and asked in said:
            break
    return said


def test_the_search_shows_the_score_of_each_stage(tab):
    """For the example company, best first, as of any day."""
    show(tab, "Documents", "#documents table")
    show(tab, "Test search", "#query textarea")
    hits = search(tab, "How long do I have to return a kettle?")
    scores = [float(value) for value in tab.locator("#hits .scores b").all_inner_texts()]

    assert "Returns and refunds" in hits.split("Together")[0] and "version 1" in hits
    together, reader = scores[2::4], scores[3::4]
    assert len(together) == len(reader) == tab.locator("#hits article").count() > 1
    assert reader[0] == max(reader) and all(0 <= value <= 1 for value in scores)
    tab.fill("#search-as-of input", "2001-01-01")
    assert "Nothing found" in search(tab, "How long do I have to return a kettle?", "as of 2001-01-01")


def test_a_document_is_erased_after_a_warning(tab, tmp_path):
    """Nothing of it is left, the past neither."""
    add(tab, tmp_path, "telescope", 21)
    open_document(tab, "Telescope loans")
    tab.get_by_role("button", name="Delete or erase").click()
    tab.click("#erase")
    tab.wait_for_selector("#warning >> text=This cannot be undone.")
    tab.get_by_role("button", name="Yes, erase it").click()
    tab.wait_for_selector("#results >> text='Telescope loans' is erased.")
    tab.check("#past input")
    tab.fill("#find input", "telescope")
    tab.wait_for_selector("#documents >> text=No document has 'telescope'")


def test_what_is_due_is_listed_and_opens_from_there(tab, tmp_path):
    """Under Sources, beside the live ones, of which there is none yet."""
    add(tab, tmp_path, "bicycle", 16, review=day(-2))
    show(tab, "Sources", "#reviews table")
    assert "frontdesk docs source add" in tab.locator("#sources-table").inner_text()
    tab.locator("#reviews button", has_text="Bicycle loans").click()
    tab.wait_for_selector("#head >> text=Bicycle loans")
    assert "to be read again" in tab.locator("#head").inner_text()


def test_a_phone_shows_a_document_without_scrolling_sideways(browser, server, tmp_path):
    """390 points wide: list, details with everything unfolded, search and sources."""
    with open_tab(browser, server.url, 390, 800) as tab:
        add(tab, tmp_path, "canoe", 12, note="A note that is rather long for a phone")
        add(tab, tmp_path, "canoe", 13, begins=day(3))
        open_document(tab, "Canoe loans")
        for fold in tab.locator("#details .fold > button").all():
            fold.click()
        tab.wait_for_selector("#passages article >> visible=true")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        for name, selector in (("Test search", "#query textarea"), ("Sources", "#reviews")):
            show(tab, name, selector)
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert tab.faults == []
