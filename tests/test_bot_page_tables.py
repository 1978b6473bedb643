"""The tables of the page."""

from datetime import UTC, datetime
from pathlib import Path

from bot.page_tables import documents_table, results_table, versions_table
from knowledge.documents import Document, DocumentSummary
from tests.test_bot_page import EVIL, Reader
from tone_tuning.registry import AdapterVersion


def summary(title="Returns", source="docs/returns.md"):
    return DocumentSummary(Document("abc", "c", source, title), 2, datetime(2026, 11, 24, tzinfo=UTC), 3, 900)


def version(name, **card):
    return AdapterVersion(name, Path(name), card)


def test_a_document_is_a_link_with_its_file_version_date_and_passages():
    """Everything a person needs to know whether the document is the right one."""
    seen = Reader(documents_table([summary()]))

    assert [a["href"] for tag, a in seen.tags if tag == "a"] == ["/documents/abc"]
    assert seen.text.endswith("Returnsdocs/returns.md22026-11-243")


def test_no_documents_is_an_invitation():
    """An empty list is not an empty table."""
    assert "No documents yet" in documents_table([]) and "<table" not in documents_table([])


def test_names_from_outside_stay_text_in_every_table():
    """Titles, paths, file names, messages and cards are inert."""
    tables = [
        documents_table([summary(EVIL, EVIL)]),
        results_table([(EVIL, EVIL, EVIL)]),
        versions_table([version(EVIL, created=EVIL, rows=EVIL)], {"champion": EVIL}),
    ]

    for table in tables:
        seen = Reader(table)
        assert seen.names <= {"div", "table", "thead", "tbody", "tr", "th", "td", "a", "small", "span"}
        assert {name for _, attributes in seen.tags for name in attributes} <= {
            "class",
            "role",
            "href",
            "target",
            "rel",
        }
        assert seen.text.count(EVIL[:10]) >= 2


def test_each_upload_has_its_result_in_words():
    """Added and refused files stand side by side, each with its sentence."""
    seen = Reader(results_table([("added", "a.md", "Passages: 3."), ("failed", "b.png", "No format we read.")]))

    assert seen.text == "ResultFileAddeda.mdPassages: 3.Not addedb.pngNo format we read."


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
