"""The handlers of the Documents tab over a service of fakes: the list, one document, the search and the sources."""

import shutil
from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from bot.api import staff_key
from bot.document_details import VIEW
from bot.documents_tab import DocumentsTab
from bot.page import day_text
from knowledge.documents import Terms
from knowledge.source_registry import Source
from tests.fake_service import RETURNS, SHIPPING
from tests.test_bot_page import Reader

ASKED = "How many days do I have to return a kettle?"
LONGER = RETURNS.replace("45 days", "60 days")


def day(days):
    """The day so many days from now."""
    return (date.today() + timedelta(days=days)).isoformat()


@pytest.fixture
def tab(filled):
    return DocumentsTab(filled, "secret", lambda: "banner")


@pytest.fixture
def details(tab):
    return tab.details


@pytest.fixture
def returns(filled):
    """The id of one of the two documents."""
    return next(item.document.id for item in filled.documents.documents() if item.document.source == "returns.md")


@pytest.fixture
def swapped(filled, returns):
    """The same with a second version of it, in force now."""
    filled.documents.add_bytes("returns.md", LONGER.encode(), None, Terms(note="Longer"))
    return returns


def press(name, verb="open"):
    return SimpleNamespace(id=name, verb=verb)


def view(values):
    return SimpleNamespace(**dict(zip(VIEW, values[: len(VIEW)], strict=True)))


def text(fragment):
    return Reader(fragment).text


def upload(tab, *files, terms=("", "", "", "", "")):
    """Cleared files, results, the five terms, table and banner."""
    emptied, results, *rest = tab.upload(list(map(str, files)), "", "", False, *terms, lambda *_, **__: None)
    return emptied, text(results), rest[:5], text(rest[5]), rest[6]


# -- the library


def test_an_upload_is_answered_from_at_once(tab, filled, cache, tmp_path):
    """Results for each file, the new table, and nothing left in the cache."""
    emptied, results, _, table, banner = upload(tab, cache("returns.md", LONGER), cache("photo.png", b"\x89PNG"))

    assert emptied is None and "Updated" in results and "Not added" in results and banner == "banner"
    assert "Returns" in table and "2 of 2" in table and list((tmp_path / "cache").rglob("*")) == []
    assert "60 days" in filled.bot.ask(ASKED).text


def test_progress_names_each_file(tab, cache):
    """While many are added."""
    seen = []
    files = [str(cache("a.md", RETURNS)), str(cache("b.md", SHIPPING))]
    tab.upload(files, "", "", False, "", "", "", "", "", lambda *event, **named: seen.append((*event, named["desc"])))

    assert seen == [((0, 2), "a.md"), ((1, 2), "b.md")]


def test_a_version_for_a_future_day_waits_for_it(tab, filled, cache):
    """It is announced in the list, and the terms are for one upload only."""
    terms = (day(30), "", "", "", "")
    _, results, kept, table, _ = upload(tab, cache("returns.md", LONGER), terms=terms)

    assert f"In force from {day_text(day(30))} on." in results and kept == [""] * 5
    assert f"next version on {day_text(day(30))}" in table and "45 days" in filled.bot.ask(ASKED).text


def test_terms_are_kept_while_an_upload_fails(tab, cache):
    """So that whoever mistyped one does not begin anew."""
    terms = (day(30), day(20), "", "", "")
    _, results, kept, _, _ = upload(tab, cache("returns.md", LONGER), terms=terms)

    assert "Not added" in results and kept == list(terms)


def test_the_list_finds_by_title_or_path(tab):
    """Whatever the case; where nothing fits it says so."""
    assert "Shipping" not in text(tab.documents(" RETURNS.md ")[0]) and "Returns" in text(tab.documents("retur")[0])
    assert "No document has 'zebra'" in text(tab.documents("zebra")[0])


def test_the_list_shows_any_day_and_the_past(tab, filled, cache):
    """What was, what will be in force, and with a mark what is over."""
    filled.documents.add_bytes("sale.md", b"# Sale\n\nAll kettles are half price.\n", None, terms_until(filled, -3))
    upload(tab, cache("spring.md", "# Spring\n\nNew mugs are there.\n"), terms=(day(60), "", "", "", ""))

    assert "Sale" not in text(tab.documents()[0]) and "Spring" in text(tab.documents()[0])
    past = text(tab.documents("", "", True)[0])
    assert "Sale" in past and "ended" in past
    assert "Sale" in text(tab.documents("", day(-5))[0]) and "Spring" not in text(tab.documents("", day(-5))[0])
    assert f"3 documents in force on {day_text(day(70))}" in text(tab.documents("", day(70))[0])


def terms_until(filled, days):
    """In force from ten days ago until so many days from now."""
    now = filled.documents.clock()
    return Terms(effective_from=now - timedelta(days=10), effective_until=now + timedelta(days=days))


def test_a_day_that_is_none_is_a_notice(tab):
    """A forged one; the page's own field gives none."""
    assert "'soon' is no day" in text(tab.documents("", "soon")[0])


def test_the_groups_of_the_documents_can_be_chosen(tab, filled, returns):
    """In the upload and in the search, after everyone and staff."""
    filled.documents.describe(returns, "vip,trade")
    added, asking = tab.groups()

    assert [value for _, value in asking.choices] == ["public", "internal", "trade", "vip"]
    assert added.choices[0][1] == "" and added.choices[1:] == asking.choices


# -- one document


def test_a_document_opens_with_its_calendar(tab, swapped):
    """Head, timeline, versions, what the last one changed, and the passages of the one in force."""
    seen = view(tab.open(press(swapped)))

    assert (seen.overview.visible, seen.details.visible, seen.chosen) == (False, True, swapped)
    assert "In force" in text(seen.head) and seen.timeline.count('class="lane"') == 2
    assert "Longer" in text(seen.versions) and seen.compare.visible and (seen.old.value, seen.new.value) == (1, 2)
    assert "<mark>60</mark>" in seen.changes and (seen.read.value, seen.version.value) == (2, 2)
    assert "within 60 days" in text(seen.passages) and not seen.confirm.visible


def test_one_version_has_nothing_to_be_compared_with(tab, returns):
    """That part of the page is not there."""
    assert view(tab.open(press(returns))).compare.visible is False


def test_links_to_what_is_not_for_everybody_carry_the_key(tab, filled, returns):
    """That of this document, in head and passages."""
    filled.documents.describe(returns, "internal")
    seen = view(tab.open(press(returns)))

    assert all(staff_key("secret", returns) in fragment for fragment in (seen.head, seen.passages))
    assert "Staff only" in text(seen.head) and seen.audience.value == "internal"


def test_any_two_versions_are_compared_and_any_one_is_read(details, swapped):
    """As they are chosen."""
    assert "same text" in text(details.compare(swapped, 1, 1)) and "<mark>45</mark>" in details.compare(swapped, 2, 1)
    assert "within 45 days" in text(details.look(swapped, 1))


def test_the_way_back_shows_the_list(details):
    """And forgets the document."""
    seen = view(details.close())

    assert (seen.overview.visible, seen.details.visible, seen.chosen) == (True, False, "")


def test_rolling_back_puts_the_old_text_in_force_at_once(details, filled, swapped):
    """As a new version with its own place in the calendar."""
    values = details.change(swapped, 1, "rollback", "", "")
    seen = view(values)

    assert text(seen.said) == "Version 3 has the text of version 1: in force from now on."
    assert "version 1 again" in text(seen.versions) and values[-2:] == ["", ""]
    assert "45 days" in filled.bot.ask(ASKED).text


def test_rolling_back_from_a_day_on_waits_for_it(details, filled, swapped):
    """Until then the present version answers."""
    seen = view(details.change(swapped, 1, "rollback", day(9), ""))

    assert f"in force from {day_text(day(9))} on" in text(seen.said) and "scheduled" in text(seen.versions)
    assert "60 days" in filled.bot.ask(ASKED).text


def test_rolling_back_to_what_is_in_force_is_refused(details, swapped):
    """In a notice."""
    seen = view(details.change(swapped, 2, "rollback", "", ""))

    assert "error" in seen.said and "in force then already" in text(seen.said)


def test_an_end_is_set_and_taken_away(details, swapped):
    """The day is the last one on which it holds; an older one is refused."""
    seen = view(details.change(swapped, 2, "expire", "", day(5)))
    assert text(seen.said) == f"Version 2 holds until {day_text(day(5))}." and f"to {day_text(day(5))}" in seen.versions

    assert "Version 2 has no end now." in text(view(details.change(swapped, 2, "expire", "", "")).said)
    assert "error" in view(details.change(swapped, 2, "expire", "", day(-5))).said


def test_withdrawing_leaves_nothing_in_force_and_says_so(details, filled, swapped):
    """No older text comes back by itself."""
    seen = view(details.change(swapped, 2, "withdraw", "", ""))

    assert "none is in force: roll back" in text(seen.said) and "Out of force" in text(seen.head)
    assert "days" not in filled.bot.ask(ASKED).text
    assert "error" in view(details.change(swapped, 2, "withdraw", "", "")).said


def test_withdrawing_what_is_yet_to_come_leaves_the_present(details, filled, swapped):
    """It never begins."""
    details.change(swapped, 1, "rollback", day(9), "")
    seen = view(details.change(swapped, 3, "withdraw", "", ""))

    assert text(seen.said) == "Version 3 is withdrawn." and "never in force" in text(seen.versions)


def test_each_change_says_beforehand_what_it_does(details):
    """And asks for the day it needs."""
    said = {action: details.foretell(action) for action in ("rollback", "expire", "withdraw")}

    assert [(v[0]["visible"], v[1]["visible"], v[3]) for v in said.values()] == [
        (True, False, "Roll back"), (False, True, "Set the end"), (False, False, "Withdraw")]  # fmt: skip
    assert all("p class" in values[2] for values in said.values())


def test_a_change_without_a_version_or_of_no_kind_is_a_notice(details, swapped):
    """Only a forged page asks for it."""
    for number, action in ((None, "rollback"), (1, "burn"), (99, "rollback"), (99, "expire"), (99, "withdraw")):
        assert "error" in view(details.change(swapped, number, action, "", "")).said


def test_what_a_version_changes_for_customers_is_shown(details, filled, swapped):
    """The question with the answer before and after; gone when another document is opened."""
    assert "Nobody has asked" in text(details.reask(swapped, 1, 2))
    filled.bot.ask(ASKED)
    seen = text(details.reask(swapped, 1, 2))

    assert "1 of 1 answers change from version 1 to 2." in seen and ASKED in seen
    assert "45 days" in seen and "60 days" in seen
    assert view(details.show(swapped)).impact == ""
    assert "error" in details.reask(swapped, 1, 99)


def test_an_audience_is_changed_at_once(details, filled, returns):
    """Customers do not read it any more; a name that cannot be is refused."""
    seen = view(details.describe(returns, "internal", ""))
    assert text(seen.said) == "For staff only now." and "45 days" not in filled.bot.ask(ASKED).text

    assert "no audience" in text(view(details.describe(returns, "Everybody else!", "")).said)
    assert filled.documents.get(returns).audience == "internal"


def test_a_review_day_is_kept_and_shown(details, tab, returns):
    """In the head; once it has come among those to be read again, which open from there."""
    seen = view(details.describe(returns, "", day(40)))
    assert f"to be read again on {day_text(day(40))}" in text(seen.said)
    assert seen.review == day(40) and seen.audience.value == "public"

    details.describe(returns, "", day(-1))
    assert "Returns" in text(tab.sources.show()[1])


def test_an_emptied_review_day_is_taken_away(details, tab, returns):
    """The field shows what is kept."""
    details.describe(returns, "", day(-1))
    seen = view(details.describe(returns, "", ""))

    assert seen.review == "" and "Returns" not in text(tab.sources.show()[1])


def test_an_upload_in_a_document_is_its_next_version(details, filled, returns, cache, tmp_path):
    """Whatever the file is called."""
    values = details.upload(returns, str(cache("new rules.md", LONGER)), day(30), "", "", "", "Longer")
    seen = view(values)

    assert (
        "Updated" in text(seen.said) and "scheduled" in text(seen.versions) and values[len(VIEW) :] == [None, *[""] * 5]
    )
    assert filled.documents.get(returns).source == "returns.md" and list((tmp_path / "cache").rglob("*")) == []


def test_an_upload_in_a_document_that_fails_keeps_the_terms(details, returns, cache):
    """With its sentence."""
    values = details.upload(returns, str(cache("a.png", b"\x89PNG")), day(30), "", "", "", "Longer")

    assert "Not added" in text(view(values).said) and values[-5:] == [day(30), "", "", "", "Longer"]


def test_deleting_asks_first_and_keeps_the_past(details, filled, returns, tab):
    """The title is named; afterwards it is in no answer, and among the past ones."""
    group, warning, doom, button = details.warn_delete(returns)
    assert group.visible and "'Returns' disappears" in text(warning) and button == "Yes, delete it"
    assert len(filled.documents.documents()) == 2

    seen = view(details.destroy(returns, doom))
    assert seen.overview.visible and text(seen.results) == "'Returns' is deleted."
    assert "45 days" not in filled.bot.ask(ASKED).text and "Returns" in text(tab.documents("", "", True)[0])


def test_erasing_says_what_is_lost_and_leaves_nothing(details, filled, swapped, tab):
    """Versions, the answers that rest on it, and that it is for good."""
    answer = filled.bot.ask(ASKED)
    _, warning, doom, button = details.warn_erase(swapped)
    assert "2 versions" in text(warning) and "1 past answer will not" in text(warning)
    assert "cannot be undone" in text(warning) and button == "Yes, erase it"

    seen = view(details.destroy(swapped, doom))
    assert text(seen.results) == "'Returns' is erased. 1 past answer lost what came from it."
    assert "Returns" not in text(tab.documents("", "", True)[0]) and "60" not in filled.log.get(answer.id)["text"]


def test_erasing_what_a_source_brings_names_the_source(details, filled):
    """Else it would be back after the next sync."""
    found = filled.documents.add_item("source:site", "https://example.org/a", "a.md", RETURNS.encode(), Terms())

    assert "The source 'site' may bring it back" in text(details.warn_erase(found.document.id)[1])


def test_what_vanished_meanwhile_is_a_notice_everywhere(tab, details, filled, swapped, cache):
    """Another visitor erased it: nothing breaks, and the list comes back."""
    filled.documents.erase(swapped)
    shown = [tab.open(press(swapped)), details.change(swapped, 1, "rollback", "", ""),
             details.describe(swapped, "internal", ""), details.destroy(swapped, "erase"),
             details.upload(swapped, str(cache("a.md", RETURNS)), "", "", "", "", "")]  # fmt: skip

    for values in shown:
        seen = view(values)
        assert seen.overview.visible and "There is no document" in text(seen.results) and seen.chosen == ""
    for said in (details.compare(swapped, 1, 2), details.look(swapped, 1), details.warn_delete(swapped)[1],
                 details.warn_erase(swapped)[1]):  # fmt: skip
        assert "error" in said and "There is no document" in text(said)
    assert view(details.show("")).overview.visible


def test_gaps_are_shown(tab, filled):
    """As the desk finds them."""
    assert "No gaps" in text(tab.gaps())
    filled.bot.ask("Zebra quantum xylophone?")
    assert "Zebra quantum xylophone?" in text(tab.gaps())


# -- the search


def test_the_search_shows_what_the_bot_would_read(tab):
    """Ranked, with the score of each stage and what they mean."""
    seen = text(tab.search("kettle return days", "", "public"))

    assert seen.startswith("1 ReturnsTime limits · version 1") and "Together" in seen and "80 % meaning" in seen


def test_the_search_follows_the_day_and_who_asks(tab, filled, swapped):
    """Before its first day a document is not found; what is for staff is found by staff only."""
    assert "Nothing found" in tab.search("kettle", day(-400), "public")
    filled.documents.describe(swapped, "internal")

    assert "Returns" not in text(tab.search("kettle return", "", "public"))
    assert "Returns Staff only" in text(tab.search("kettle return", "", "internal"))


def test_a_search_for_nothing_or_by_nobody_is_a_notice(tab):
    """One sentence each."""
    assert "Type a question" in tab.search("  ", "", "public")
    assert "no audience" in tab.search("kettle", "", "Everybody else!")


# -- sources and reviews


@pytest.fixture
def folder(filled, tmp_path):
    """A folder that is a source called "shop"."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "mugs.md").write_text("# Mugs\n\nMugs cost 9 euros.\n")
    (folder / "pots.md").write_text("# Pots\n\nPots cost 19 euros.\n")
    filled.sources.add(Source("shop", "folder", {"path": str(folder)}, 3600))
    return folder


def test_without_sources_the_command_that_adds_one_is_named(tab):
    """And nothing is to be confirmed."""
    tables, _, said, confirm, warning, doomed = tab.sources.show()

    assert "frontdesk docs source add" in text(tables) and (said, confirm.visible, warning, doomed) == (
        "",
        False,
        "",
        "",
    )


def test_a_source_is_read_now(tab, filled, folder):
    """With progress, and a sentence when it is done; the bot answers from it."""
    seen = []
    table, _, said, *_ = tab.sources.press(press("shop", "sync"), lambda *_, **named: seen.append(named["desc"]))

    assert seen == ["mugs.md", "pots.md", "done"] and text(said) == "'shop': 2 added."
    assert "shopFolder" in text(table) and "every 1 h" in text(table) and "just now" in text(table)
    assert "9 euros" in filled.bot.ask("How much do mugs cost?").text


def test_a_source_that_cannot_be_read_says_why(tab, folder):
    """In the sentence and in the table; one that is not there any more in a notice."""
    shutil.rmtree(folder)
    table, _, said, *_ = tab.sources.press(press("shop", "sync"), quietly)

    assert "warn" in said and str(folder) in text(said) and "failed" in text(table)
    assert "no source 'gone'" in text(tab.sources.press(press("gone", "sync"), quietly)[2])


def test_what_most_of_a_source_lost_is_removed_only_by_force(tab, filled, folder):
    """The button for it is there then."""
    tab.sources.press(press("shop", "sync"), quietly)
    for place in folder.iterdir():
        place.unlink()
    table, _, said, *_ = tab.sources.press(press("shop", "sync"), quietly)
    assert "warn" in said and "Remove the missing" in text(table) and len(filled.documents.documents()) == 4

    assert "2 removed" in text(tab.sources.press(press("shop", "force"), quietly)[2])
    assert len(filled.documents.documents()) == 2


def test_dropping_a_source_asks_first(tab, filled, folder):
    """Its documents go with it."""
    tab.sources.press(press("shop", "sync"), quietly)
    _, _, _, confirm, warning, doomed = tab.sources.press(press("shop", "drop"))
    assert confirm.visible and "'shop' is forgotten" in text(warning) and doomed == "shop"

    table, _, said, *_ = tab.sources.drop(doomed)
    assert text(said) == "'shop' is removed, and 2 documents with it." and "No live sources yet" in table
    assert len(filled.documents.documents()) == 2 and "error" in tab.sources.drop("shop")[2]


def quietly(*_, **__):
    """The progress nobody watches."""
