"""The truth in SQLite: documents, versions and passages, changed one transaction at a time."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from knowledge.catalog import MIGRATIONS, Catalog
from knowledge.documents import Chunk, Document, DocumentVersion, chunk_id, document_id
from knowledge.errors import DocumentNotFound, StoreError

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "home" / "catalog.db")
    yield catalog
    catalog.close()


def put(catalog, source="returns.md", text="You have 45 days.", version=1, collection="/docs", title="Returns"):
    """Make a version current whose only passage is its text."""
    document = Document(document_id(collection, source), collection, source, title)
    name = chunk_id(document.id, title, ("Time",), text, 0)
    chunk = Chunk(name, document.id, version, 0, text, ("Time",), 2, 2 + len(text), 3)
    added = NOON + timedelta(days=version)
    stored = DocumentVersion(document.id, version, f"content {text}", added, f"> {text}\n", f"original {text}")
    catalog.make_current(document, stored, [chunk])
    return document, stored, chunk


def test_what_is_made_current_comes_back(catalog):
    """Document, version and passage, with every field."""
    document, version, chunk = put(catalog)

    assert catalog.all_documents() == [document]
    assert catalog.latest(document.id) == catalog.version(document.id) == version
    assert catalog.chunks(document.id) == [chunk]
    assert catalog.load([chunk.id]) == {chunk.id: (chunk, document, version.added_at)}
    assert catalog.chunk_ids() == catalog.chunk_ids(document.id) == {chunk.id}
    (summary,) = catalog.summaries()
    assert (summary.document, summary.version, summary.chunks, summary.characters) == (document, 1, 1, 20)


def test_a_new_version_takes_the_place_of_the_old_one(catalog):
    """Its passages are searched, the old text stays for citations, and the title follows."""
    put(catalog)
    document, version, chunk = put(catalog, text="You have 60 days.", version=2, title="Sending back")

    assert catalog.all_documents() == [document]
    assert catalog.chunks(document.id) == [chunk]
    assert catalog.latest(document.id) == version
    assert catalog.version(document.id, 1).markdown == "> You have 45 days.\n"
    assert catalog.last_number(document.id) == 2
    assert catalog.search_words("45", 5) == []
    assert [name for name, _ in catalog.search_words("60", 5)] == [chunk.id]
    assert catalog.faults() == []


def test_a_removed_document_is_searched_no_more_and_still_cited(catalog):
    """Its number goes on when it comes back."""
    document, version, chunk = put(catalog)
    catalog.remove(document.id, NOON)

    assert catalog.all_documents() == catalog.summaries() == catalog.chunks(document.id) == []
    assert catalog.latest(document.id) is None
    assert catalog.load([chunk.id]) == {} and catalog.search_words("days", 5) == []
    assert catalog.version(document.id) == version
    assert catalog.ever(document.id) == document
    assert catalog.faults() == []
    put(catalog, version=catalog.last_number(document.id) + 1)
    assert [summary.version for summary in catalog.summaries()] == [2]


def test_documents_are_found_by_id_prefix_path_and_file_name(catalog):
    """A prefix of six digits at least; all that fit are given."""
    one, _, _ = put(catalog, "help/returns.md")
    two, _, _ = put(catalog, "old/returns.md")

    assert catalog.find(one.id) == catalog.find(one.id[:6]) == catalog.find("help/returns.md") == [one]
    assert catalog.find("returns.md") == [one, two]
    assert catalog.find(one.id[:5]) == catalog.find("return") == catalog.find("") == []


def test_documents_are_listed_by_collection_and_path(catalog):
    """In the same order every time."""
    for collection, source in [("/b", "a.md"), ("/a", "z.md"), ("/a", "b/c.md")]:
        put(catalog, source, collection=collection)

    listed = [(document.collection, document.source) for document in catalog.all_documents()]

    assert listed == [("/a", "b/c.md"), ("/a", "z.md"), ("/b", "a.md")]


@pytest.mark.parametrize("number", [0, -1, 2, 10**30, -(10**30)])
def test_a_version_that_never_was_is_a_sentence(catalog, number):
    """Whatever number somebody types into an address."""
    document, _, _ = put(catalog)

    with pytest.raises(DocumentNotFound, match=f"has no version {number}: see `frontdesk docs list`"):
        catalog.version(document.id, number)


def test_a_document_that_never_was_has_nothing(catalog):
    """No version, no passages, and removing it changes nothing."""
    catalog.remove("nothing", NOON)

    assert catalog.latest("nothing") is None and catalog.ever("nothing") is None
    assert catalog.last_number("nothing") == 0 and catalog.chunks("nothing") == []
    with pytest.raises(DocumentNotFound, match="has no version stored"):
        catalog.version("nothing")


def test_offsets_count_characters_as_python_does(catalog):
    """Characters of one to four bytes in UTF-8, and a quotation mark for SQL to trip over."""
    document, version, chunk = put(catalog, text='Ä, € and 🫖: it\'s "fine".')

    assert catalog.chunks(document.id) == [chunk]
    assert version.markdown[chunk.start : chunk.end] == chunk.text
    assert catalog.faults() == []


def test_a_change_that_fails_changes_nothing(catalog):
    """The old version answers on, in both tables."""
    document, _, chunk = put(catalog)

    with pytest.raises(StoreError, match=r"failed \(.+\): check disk space"):
        put(catalog, text="You have 60 days.", version=1)  # version 1 is there

    assert catalog.chunks(document.id) == [chunk]
    assert [name for name, _ in catalog.search_words("45", 5)] == [chunk.id]
    assert catalog.faults() == []


def test_an_error_inside_a_change_changes_nothing(catalog):
    """Also one that is not the database's."""
    document, _, chunk = put(catalog)
    version = DocumentVersion(document.id, 2, "", NOON, "text", "")

    with pytest.raises(AttributeError):
        catalog.make_current(document, version, [object()])

    assert catalog.chunks(document.id) == [chunk] and catalog.last_number(document.id) == 1


def test_faults_are_found(catalog):
    """A passage that is not in its text, and an index that lacks or has too much."""
    document, _, _ = put(catalog)
    db = sqlite3.connect(catalog.path)
    db.execute("UPDATE chunks SET start = start + 1")
    db.execute("DELETE FROM chunk_words")
    db.executemany("INSERT INTO chunk_words (rowid, heading, text) VALUES (?, '', 'stray')", [(98,), (99,)])
    db.commit()

    assert catalog.faults() == [
        f"1 passages of '{document.source}' are not in its current text.",
        "The word index lacks 1 passages and has 2 that are gone.",
    ]
    db.close()


def test_everything_is_there_after_it_is_opened_again(catalog):
    """The file holds it all, and no migration runs twice."""
    document, version, chunk = put(catalog)
    catalog.close()

    again = Catalog(catalog.path)

    assert again.latest(document.id) == version and again.chunks(document.id) == [chunk]
    assert again._read("PRAGMA user_version") == [(len(MIGRATIONS),)]
    again.close()


def test_a_catalog_of_a_newer_version_is_not_touched(catalog):
    """A sentence, for an older program could damage it."""
    catalog.close()
    db = sqlite3.connect(catalog.path)
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(StoreError, match="written by a newer version: update Frontdesk"):
        Catalog(catalog.path)


@pytest.mark.parametrize("damage", ["no database", "a folder"])
def test_a_file_that_is_no_catalog_is_a_sentence(tmp_path, damage):
    """With its path and the next step, and the file is left as it is."""
    path = tmp_path / "catalog.db"
    path.mkdir() if damage == "a folder" else path.write_text(damage * 1000)

    with pytest.raises(StoreError, match=r"catalog\.db' cannot be opened \(.+\): check its permissions"):
        Catalog(path)
    assert path.is_dir() or path.read_text() == damage * 1000


def test_a_closed_catalog_is_a_sentence(catalog):
    """For a request that comes too late."""
    catalog.close()

    with pytest.raises(StoreError, match="closed database"):
        catalog.all_documents()
    with pytest.raises(StoreError, match="closed database"):
        put(catalog)
