"""Erasing a document: no byte of its text or its vectors is left under the home, also when it was cut short."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from knowledge import store as store_file
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.documents import Terms
from knowledge.embedder import HashEmbedder
from knowledge.errors import DocumentNotFound, StoreError
from knowledge.indexing import open_knowledge
from knowledge.passages import embedded_text
from knowledge.store import VectorStore
from tests.clock import Clock, day
from tests.knowledge_files import agree, search

SECRET = b"# Zanzibar\n\n## Time\n\nThe caravan leaves at dawn.\n\n## Way\n\nIt follows the coast.\n"
LATER = SECRET.replace(b"dawn", b"noontide")
OTHER = b"# Returns\n\nYou have 45 days.\n"
WORDS = [b"zanzibar", b"caravan", b"dawn", b"noontid", b"coast"]  # also as stems


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def documents(home, clock):
    """Two versions of a document to be erased, one that was removed, and two others; one has vectors that moved."""
    documents, _ = open_knowledge(home, HashEmbedder(), clock)
    documents.add_bytes("zanzibar.md", SECRET)
    documents.add_bytes("returns.md", OTHER)
    documents.add_bytes("offer.md", b"# Offer\n\nTea is free.\n", terms=Terms(effective_until=day(2)))
    clock.set(1)
    documents.add_bytes("zanzibar.md", LATER)
    documents.describe("zanzibar.md", audience="vip")
    yield documents
    documents.close()


def vectors_of(documents, reference):
    """The bytes of the vectors of a document, as they were embedded and as they are kept."""
    document = documents.get(reference)
    found = []
    for version, _ in documents.versions(document.id):
        chunks = documents.chunks(document.id, version.version)
        found += list(documents.embedder.embed([embedded_text(version.title, chunk) for chunk in chunks]))
    parts = documents.vectors.ids()
    found += list(documents.vectors.get(parts, sorted(documents.catalog.chunk_ids(document.id))).values())
    return [np.asarray(vector, dtype="<f4").tobytes() for vector in found]


def traces(home, wanted):
    """The files under the home that hold any of the bytes, whatever their case."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return {
        (path.name, sought[:16])
        for path in files
        for sought in wanted
        if sought in path.read_bytes() or sought in path.read_bytes().lower()
    }


def test_nothing_is_left_of_an_erased_document(documents, home, clock):
    """Not in the catalog, its log, the word index, the vectors, or the originals."""
    wanted = [*WORDS, *vectors_of(documents, "zanzibar.md")]
    assert {sought[:16] for _, sought in traces(home, wanted)} == {sought[:16] for sought in wanted}

    erased = documents.erase("zanzibar.md")

    assert traces(home, wanted) == set()
    assert documents.catalog.ever(erased.id) is None and documents.versions(erased.id) == []
    with pytest.raises(DocumentNotFound):
        documents.get("zanzibar.md")
    documents.close()
    assert traces(home, wanted) == set()


def test_all_other_documents_answer_as_before(documents, clock):
    """Now and in the past, with the vectors they had, also where the calendar alone had ended them."""
    clock.set(3)
    documents.erase("zanzibar.md")

    assert agree(documents) and documents.recover() == (0, 0)
    assert search(documents, "how many days?", 1) == ["You have 45 days."]
    assert search(documents, "is tea free?", 1, day(1)) == ["Tea is free."]
    documents.add_bytes("zanzibar.md", SECRET)
    assert search(documents, "when does the caravan leave?", 1) == ["The caravan leaves at dawn."]


def test_a_removed_document_can_be_erased(documents, home):
    """By its id or source; removing alone keeps the text."""
    wanted = [*WORDS, *vectors_of(documents, "zanzibar.md")]
    documents.remove("zanzibar.md")
    assert traces(home, wanted) != set()

    documents.erase("zanzibar.md")

    assert traces(home, wanted) == set() and agree(documents)


def test_an_original_that_another_document_came_from_stays(documents, home, clock):
    """Two uploads of the same bytes share one file."""
    twin = documents.add_item("web:x", "twin", "twin.md", LATER).document
    documents.erase("zanzibar.md")

    version = documents.version(twin.id)
    assert (home / "originals" / version.original_hash).read_bytes() == LATER
    documents.erase("twin")
    assert traces(home, WORDS) == set()


def test_vectors_that_chroma_had_put_into_its_search_index_are_gone_too(documents, home, clock):
    """It writes one beside its database from the thousandth vector on."""
    text = "\n".join(f"# N{number}\n\nThe caravan passes place{number}.\n" for number in range(1050))
    documents.add_bytes("places.md", text.encode())
    wanted = [b"caravan passes", *vectors_of(documents, "places.md")[-1050::300]]
    assert any(path.name == "data_level0.bin" for path in home.rglob("*"))

    documents.erase("places.md")

    assert traces(home, wanted) == set() and agree(documents)


class OtherEmbedder(HashEmbedder):
    """Another model."""

    name = "other"


def test_vectors_of_an_earlier_model_are_gone_too(documents, home, clock):
    """They were of the same text."""
    wanted = vectors_of(documents, "zanzibar.md")
    documents.close()
    again, _ = open_knowledge(home, OtherEmbedder(), clock)
    again.erase("zanzibar.md")
    again.close()

    assert traces(home, [*WORDS, *wanted]) == set()


def broken(*_, **__):
    raise KeyboardInterrupt


def after(real):
    def wrapped(*arguments, **more):
        real(*arguments, **more)
        raise KeyboardInterrupt

    return wrapped


STEPS = {
    "the document is out of the catalog": (Catalog, "erase", after(Catalog.erase)),
    "its originals are not yet gone": (Path, "unlink", broken),
    "one of its originals is gone": (Path, "unlink", after(Path.unlink)),
    "its originals are gone": (VectorStore, "renew", broken),
    "new vectors are being written": (VectorStore, "upsert", after(VectorStore.upsert)),
    "new vectors are written": (store_file, "_point_to", broken),
    "new vectors are in use and the old ones there": (store_file, "_point_to", after(store_file._point_to)),
    "the old vectors are gone": (VectorStore, "renew", after(VectorStore.renew)),
    "the word index is new": (Catalog, "index_words", after(Catalog.index_words)),
    "the catalog is written anew": (Database, "shred", after(Database.shred)),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_was_cut_short_is_finished_at_the_next_start(documents, home, clock, monkeypatch, step):
    """From the first step on there is no way back, and nothing to remember."""
    wanted = [*WORDS, *vectors_of(documents, "zanzibar.md")]
    owner, name, fault = STEPS[step]
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(KeyboardInterrupt):
        documents.erase("zanzibar.md")
    monkeypatch.undo()
    documents.close()

    again, _ = open_knowledge(home, HashEmbedder(), clock)

    assert traces(home, wanted) == set()
    assert agree(again) and again.recover() == (0, 0) and again.catalog.setting("erasing") is None
    assert search(again, "how many days?", 1) == ["You have 45 days."]
    again.close()


def test_the_original_of_an_upload_that_was_killed_is_gone_at_the_next_start(documents, home, clock, monkeypatch):
    """Nothing would ever point to it, so no erasure would find it; a half-written one goes too."""
    monkeypatch.setattr(Catalog, "add_version", broken)
    with pytest.raises(KeyboardInterrupt):
        documents.add_bytes("late.md", b"# Late\n\nA marzipan pig.\n")
    monkeypatch.undo()
    (documents.originals / "abc.partial").write_bytes(b"half a marzipan pig")
    documents.close()
    assert traces(home, [b"marzipan"])

    again, _ = open_knowledge(home, HashEmbedder(), clock)

    assert traces(home, [b"marzipan"]) == set()
    assert len(list(again.originals.iterdir())) == 4
    again.close()


def test_an_erasure_that_did_not_begin_changes_nothing(documents, monkeypatch):
    """The transaction that takes the document out of the catalog also notes what is left to do."""
    monkeypatch.setattr(Catalog, "erase", broken)
    with pytest.raises(KeyboardInterrupt):
        documents.erase("zanzibar.md")
    monkeypatch.undo()

    assert agree(documents) and documents.get("zanzibar.md") and documents.catalog.setting("erasing") is None


def test_an_erasure_that_failed_is_finished_with_the_next_one(documents, home, monkeypatch):
    """The originals of both go."""
    wanted = [*WORDS, *vectors_of(documents, "zanzibar.md"), b"tea is free"]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", broken)
        with pytest.raises(KeyboardInterrupt):
            documents.erase("zanzibar.md")

    documents.erase("offer.md")

    assert traces(home, wanted) == set() and agree(documents)


def test_a_damaged_store_does_not_stand_in_the_way(documents, home, clock):
    """Vectors that cannot be read are made anew instead of copied."""
    text = "\n".join(f"# N{number}\n\nThing number{number}.\n" for number in range(1050))
    documents.add_bytes("many.md", text.encode())
    documents.close()
    for path in list((home / "chroma").rglob("data_level0.bin")):
        shutil.rmtree(path.parent)
    again, _ = open_knowledge(home, HashEmbedder(), clock)
    assert not agree(again)

    again.erase("zanzibar.md")

    assert traces(home, WORDS) == set() and agree(again)
    again.close()


def test_a_disk_that_is_full_is_a_sentence_and_no_half_answer(documents, home, monkeypatch):
    """The document is in no answer from then on; the rest is done at the next start."""

    def full(*_):
        raise StoreError("The vectors cannot be used (disk full): free space.")

    with monkeypatch.context() as patched:
        patched.setattr(VectorStore, "renew", full)
        with pytest.raises(StoreError, match="disk full"):
            documents.erase("zanzibar.md")

    assert "zanzibar" not in str(search(documents, "caravan")).lower()
    documents.recover()
    assert traces(home, WORDS) == set() and agree(documents)
