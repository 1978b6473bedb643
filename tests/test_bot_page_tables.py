"""The tables of the page."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.page_tables import documents_table, results_table, reviews_table, sources_table, versions_table
from tests.test_bot_page import EVIL, Reader
from tone_tuning.registry import AdapterVersion

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def summary(title="Returns", source="docs/returns.md", **more):
    """A row of `list`."""
    row = {"id": "abc", "source": source, "title": title, "audience": "public", "review_at": None, "version": 2,
           "versions": 3, "chunks": 9, "state": "in force", "effective_from": "2026-01-15T12:00:00+00:00",
           "effective_until": None, "next_from": None, "answers": 4}  # fmt: skip
    return row | more


def source(name="site", **more):
    """A row of `sources`."""
    row = {"name": name, "kind": "web", "place": "https://example.org", "every_seconds": 86_400, "audience": "public",
           "last_run_at": (NOW - timedelta(hours=3)).isoformat(), "last_ok_at": (NOW - timedelta(days=2)).isoformat(),
           "status": "ok", "message": "", "counts": {"added": 2, "changed": 0, "unchanged": 1200}}  # fmt: skip
    return row | more


def version(name, **card):
    return AdapterVersion(name, Path(name), card)


def test_a_document_opens_and_says_how_it_stands():
    """Title as a button, file, dates, version and passages."""
    seen = Reader(documents_table([summary()], NOW))
    buttons = [attributes for tag, attributes in seen.tags if tag == "button"]

    assert buttons == [{"class": "open", "data-id": "abc", "data-verb": "open"}]
    assert seen.text.endswith("Returnsdocs/returns.mdsince 15 Jan 20262 of 391 document.")


def test_only_what_is_not_for_everybody_or_due_is_marked():
    """Groups by their names, staff in words, and what somebody should read again."""
    rows = [summary(), summary(audience="internal"), summary(audience="trade,vip", review_at="2026-10-01T00:00:00Z"),
            summary(review_at="2027-10-01T00:00:00Z")]  # fmt: skip
    seen = Reader(documents_table(rows, NOW))
    marks = [attributes["class"] for tag, attributes in seen.tags if tag == "span"]

    assert marks == ["pill staff", "pill staff", "pill late"]
    assert "Returns Staff onlydocs" in seen.text and "Returns trade, vip read againdocs" in seen.text


def test_a_large_home_shows_the_first_documents():
    """With their number, and how to find the others."""
    text = Reader(documents_table([summary()] * 1234, NOW)).text

    assert text.count("docs/returns.md") == 200
    assert text.endswith("1,234 documents: the first 200 are shown, find others by title or path.")


def test_no_documents_is_an_invitation_and_for_a_day_a_fact():
    """An empty list is not an empty table; a day is named."""
    assert "No documents yet" in documents_table([], NOW) and "<table" not in documents_table([], NOW)
    assert "On 1 Mar 2020 no document applies." in documents_table([], NOW, "2020-03-01")
    assert "1 document in force on 1 Mar 2026." in documents_table([summary()], NOW, "2026-03-01")


def test_names_from_outside_stay_text_in_every_table():
    """Titles, paths, file names, messages, audiences, sources and cards are inert."""
    tables = [
        documents_table([summary(EVIL, EVIL, audience=EVIL)], NOW),
        reviews_table([summary(EVIL, EVIL, review_at=NOW.isoformat())]),
        sources_table([source(EVIL, kind=EVIL, place=EVIL, audience=EVIL, message=EVIL, status=EVIL)], NOW),
        results_table([(EVIL, EVIL, EVIL)]),
        versions_table([version(EVIL, created=EVIL, rows=EVIL)], {"champion": EVIL}),
    ]

    for table in tables:
        seen = Reader(table)
        assert seen.names <= {"div", "table", "thead", "tbody", "tr", "th", "td", "small", "span", "button", "p",
                              "strong"}  # fmt: skip
        assert {name for _, attributes in seen.tags for name in attributes} <= {"class", "role", "data-id", "data-verb"}
        assert seen.text.count(EVIL[:10]) >= 2


def test_each_upload_has_its_result_in_words():
    """Added and refused files stand side by side, each with its sentence, and are counted."""
    seen = Reader(results_table([("added", "a.md", "Passages: 3."), ("failed", "b.png", "No format we read.")]))

    assert seen.text == "ResultFileAddeda.mdPassages: 3.Not addedb.pngNo format we read.1 added, 1 not added."
    assert Reader(results_table([("added", "a.md", "Passages: 3.")])).text == "ResultFileAddeda.mdPassages: 3."


def test_of_very_many_results_those_that_failed_come_first():
    """A large ZIP does not hide what is wrong with it."""
    found = [("added", f"{number}.md", "") for number in range(500)] + [("failed", "bad.png", "No format we read.")]
    text = Reader(results_table(found)).text

    assert text.startswith("ResultFileNot addedbad.png") and text.endswith("500 added, 1 not added.")
    assert text.count(".md") == 199


def test_a_source_says_what_it_is_and_how_its_last_run_went():
    """Kind, place, schedule, counts that are not zero, age, and what can be done with it."""
    seen = Reader(sources_table([source()], NOW))

    assert "siteWebsite · https://example.orgevery 1 dok3 hours ago: 2 added, 1,200 unchanged2 days ago" in seen.text
    assert [a["data-verb"] for tag, a in seen.tags if tag == "button"] == ["sync", "drop"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"last_run_at": None, "last_ok_at": None, "status": "", "counts": {}}, "every 1 dnot read yetnever"),
        ({"every_seconds": 0}, "by handok"),
        ({"every_seconds": 7200, "status": "failed", "message": "It is down.", "counts": {}},
         "every 2 hfailed3 hours agoIt is down.2 days ago"),
        ({"last_ok_at": NOW.isoformat(), "audience": "internal"}, "just now"),
        ({"audience": "internal"}, "site Staff only"),
        ({"audience": ""}, "siteWebsite"),
        ({"status": "held", "message": "5 are gone."}, "Sync nowRemove the missingDrop the source ..."),
        ({"last_ok_at": (NOW - timedelta(minutes=1)).isoformat()}, "1 minute ago"),
    ],
)  # fmt: skip
def test_a_source_that_is_new_fails_or_waits_says_so(more, words):
    """Each state in words."""
    assert words in Reader(sources_table([source(**more)], NOW)).text


def test_no_source_names_the_command_that_adds_one():
    """And no review that is due is said."""
    assert "frontdesk docs source add" in Reader(sources_table([], NOW)).text
    assert "Nothing to read again" in reviews_table([])


def test_what_is_to_be_read_again_opens_and_names_the_answers_that_rest_on_it():
    """With the day on which it was due."""
    text = Reader(reviews_table([summary(review_at=datetime(2026, 10, 1).astimezone().isoformat())])).text

    assert text == "DocumentWas dueAnswersReturnsdocs/returns.md1 Oct 20264"


def test_versions_stand_newest_first_with_their_roles():
    """The champion is named in a sentence and marked, and so are candidate and previous."""
    found = [version("v0001", created="2026-11-24T12:30:00", rows=400, validation_loss=0.51234), version("v0002"),
             version("v0003", validation_loss=None)]  # fmt: skip
    text = Reader(versions_table(found, {"champion": "v0002", "previous": "v0001", "candidate": "v0003"})).text

    assert text.startswith("v0002 is the champion")
    assert text.endswith("v0003 candidatev0002 championv0001 previous2026-11-2412:304000.512")


def test_a_version_with_two_roles_shows_the_weightier_one():
    """After a rollback the champion of before is still the champion, whatever else points to it."""
    text = Reader(versions_table([version("v0001")], {"champion": "v0001", "previous": "v0001"})).text

    assert text.endswith("v0001 champion")


def test_no_champion_is_left_to_the_banner():
    """The table does not repeat what stands above it, and an empty one says how to begin."""
    assert "champion" not in versions_table([version("v0001")], {})
    assert "No versions yet" in versions_table([], {})
