"""A home of the first layout, with current passages only and one Chroma folder, becomes one with a calendar."""

import json
import sqlite3
from datetime import timedelta

import chromadb
import pytest

from knowledge.audiences import STAFF
from knowledge.calendar import FOREVER, Window
from knowledge.catalog import Catalog
from knowledge.documents import Document, DocumentVersion, document_id
from knowledge.embedder import HashEmbedder
from knowledge.indexing import open_knowledge
from knowledge.passages import make_chunks
from knowledge.schema import MIGRATIONS
from knowledge.upkeep import catalog_faults
from tests.clock import Clock, day

OLD, NEW, GONE = "# Returns\n\nYou have 45 days.\n", "# Returns\n\nYou have 60 days.\n", "# Club\n\nA box a month.\n"
RETURNS, CLUB = document_id("/docs", "returns.md"), document_id("/docs", "club.md")


def write_old(path, versions, removed_at=None):
    """A catalog as the first migration alone made it: (source, title, text, day) of each version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    db.executescript(f"BEGIN; {MIGRATIONS[0]} PRAGMA user_version = 1; COMMIT;")
    latest = {}
    for source, title, text, added in versions:
        name, number = document_id("/docs", source), latest.get(source, (0,))[0] + 1
        latest[source] = (number, title, text)
        values = (name, number, f"content {text}", added.isoformat(), text, f"original {text}")
        db.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)", values)
    for source, (number, title, text) in latest.items():
        document = Document(document_id("/docs", source), "/docs", source, title)
        gone = (removed_at or {}).get(source)
        row = (document.id, "/docs", source, title, number, gone and gone.isoformat())
        db.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)", row)
        if not gone:
            _write_chunks(db, document, number, text)
    db.commit()
    db.close()


def _write_chunks(db, document, number, text):
    version = DocumentVersion(document.id, number, "", day(0), text, "", document.title, day(0))
    for c in make_chunks(document, version, HashEmbedder()):
        path = json.dumps(c.heading_path)
        values = (c.id, c.document_id, number, c.position, c.text, path, c.start, c.end, c.page)
        (row,) = db.execute(
            'INSERT INTO chunks (id, document_id, version, position, text, heading_path, start, "end", page) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            values,
        ).fetchone()
        heading = " ".join((document.title, *c.heading_path))
        db.execute("INSERT INTO chunk_words (rowid, heading, text) VALUES (?, ?, ?)", (row, heading, c.text))


@pytest.fixture
def old(home):
    """Two versions of one document, and another one that was removed on day 4."""
    versions = [
        ("returns.md", "Returns", OLD, day(0)),
        ("returns.md", "Returns", NEW, day(2) + timedelta(microseconds=5)),
        ("club.md", "Club", GONE, day(1)),
    ]
    write_old(home / "catalog.db", versions, {"club.md": day(4)})
    return home


def test_versions_of_an_old_catalog_get_the_dates_they_had(old):
    """Each from the day it was added to the next one, or to the removal; everything is public."""
    catalog = Catalog(old / "catalog.db")
    changed = day(2) + timedelta(microseconds=5)

    assert catalog.windows(RETURNS) == {1: Window(day(0), changed), 2: Window(changed, FOREVER)}
    assert catalog.windows(CLUB) == {1: Window(day(1), day(4))}
    assert [v.markdown for v in catalog.versions(RETURNS)] == [OLD, NEW]
    assert [(d.source, d.title, d.audience) for d in catalog.all_documents()] == [
        ("club.md", "Club", "public"),
        ("returns.md", "Returns", "public"),
    ]
    assert [v.title for v in catalog.versions(RETURNS)] == ["Returns", "Returns"]
    assert catalog.version(CLUB).withdrawn_at == day(4)
    assert [c.text for c in catalog.chunks(RETURNS, 2)] == ["You have 60 days."]
    assert catalog.database.read("PRAGMA user_version") == [(len(MIGRATIONS),)]
    catalog.close()


def test_an_old_home_answers_for_the_past_once_it_is_opened(old):
    """Old versions get their passages and vectors, and all indexes agree."""
    clock = Clock(day(6))
    documents, retriever = open_knowledge(old, HashEmbedder(), clock)

    def texts(query, number):
        return [p.chunk.text for p in retriever.retrieve(query, as_of=day(number), audiences=STAFF)]

    assert texts("how many days do I have?", 6) == texts("how many days do I have?", 3) == ["You have 60 days."]
    assert texts("how many days do I have?", 1) == ["You have 45 days."]
    assert texts("a box", 3) == ["A box a month."] and texts("a box", 6) == []
    assert documents.verify() == [] and documents.recover() == (0, 0)
    assert [s.document.source for s in documents.documents()] == ["returns.md"]
    documents.close()


def test_an_old_chroma_folder_is_replaced(old):
    """Its files are gone, with every vector in them; the new one lies in a folder of its own."""
    client = chromadb.PersistentClient(str(old / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False))
    client.create_collection("passages-old", embedding_function=None).add(ids=["a"], embeddings=[[1.0, 0.0]])
    client.close()
    assert (old / "chroma" / "chroma.sqlite3").exists()

    documents, _ = open_knowledge(old, HashEmbedder(), Clock(day(6)))

    assert sorted(path.name for path in (old / "chroma").iterdir()) == ["current", "g000001"]
    assert {name for names in documents.vectors.ids().values() for name in names} == documents.catalog.chunk_ids()
    documents.close()


def test_an_old_home_can_be_changed_and_opened_again(old):
    """The next version of a migrated document ends the last one; a removed one can be added anew."""
    clock = Clock(day(6))
    documents, _ = open_knowledge(old, HashEmbedder(), clock)
    documents.add_bytes("returns.md", NEW.replace("60", "90").encode())
    documents.add_bytes("club.md", GONE.encode(), replace=CLUB)
    documents.close()

    documents, _ = open_knowledge(old, HashEmbedder(), clock)

    assert documents.verify() == []
    assert [(v.version, w.ends == FOREVER) for v, w in documents.versions(RETURNS)] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert documents.version(CLUB).version == 2
    documents.close()


def test_a_clock_that_went_back_does_not_bring_an_old_text_back(home):
    """In the first layout the last version was in force, whatever the time it was added at."""
    versions = [("returns.md", "Returns", OLD, day(5)), ("returns.md", "Returns", NEW, day(1))]
    write_old(home / "catalog.db", versions)
    catalog = Catalog(home / "catalog.db")

    assert catalog.windows(RETURNS) == {1: None, 2: Window(day(5), FOREVER)}
    catalog.date_again()
    assert catalog.windows(RETURNS) == {1: None, 2: Window(day(5), FOREVER)}
    catalog.close()


def test_an_empty_old_catalog_is_an_empty_new_one(home):
    """Somebody installed it and never added a document."""
    write_old(home / "catalog.db", [])
    catalog = Catalog(home / "catalog.db")

    assert catalog.all_documents() == [] and catalog_faults(catalog) == []
    catalog.close()
