"""Upkeep: what a kill left is mended at the start, every fault is found, and all can be made anew from the catalog."""

import shutil
import sqlite3

import numpy as np
import pytest

from knowledge.documents import Terms
from knowledge.embedder import HashEmbedder
from knowledge.errors import EmbedderError
from knowledge.indexing import open_knowledge
from knowledge.store import FakeVectorStore
from tests.clock import Clock, day
from tests.knowledge_files import agree, make_index, search, vector_ids

RETURNS = b"# Returns\n\n## Time\n\nYou have 45 days.\n\n## Cost\n\nReturning is free.\n"
HOW_LONG = "how many days do I have?"


@pytest.fixture
def clock():
    return Clock(day(2))


@pytest.fixture
def index(tmp_path, clock):
    """Two versions of one document, and another one for staff."""
    index = make_index(tmp_path / "home", clock=clock)
    index.add_bytes("returns.md", RETURNS, terms=Terms(effective_from=day(0)))
    index.add_bytes("returns.md", RETURNS.replace(b"45", b"60"))
    index.add_bytes("staff.md", b"# Staff\n\nThe key is under the mat.\n", terms=Terms(audience="internal"))
    yield index
    index.close()


def answers(index):
    """What these stories ask, today, in the past and as staff."""
    staff = frozenset({"public", "internal"})
    return search(index, HOW_LONG, 1), search(index, HOW_LONG, 1, day(1)), search(index, "key mat", 1, None, staff)


RIGHT = (["You have 60 days."], ["You have 45 days."], ["The key is under the mat."])


def stray(index):
    index.vectors.upsert("public", ["stray"], index.embedder.embed(["stray"]))


def stray_part(index):
    index.vectors.upsert("press.past", ["stray"], index.embedder.embed(["stray"]))


def bare(index):
    (name,) = index.vectors.ids()["public.past"]
    index.vectors.delete("public.past", [name])


def all_bare(index):
    for part, names in index.vectors.ids().items():
        index.vectors.delete(part, sorted(names))


def misplaced(index):
    (name,) = index.vectors.ids()["internal"]
    vector = index.vectors.get(["internal"], [name])[name]
    index.vectors.delete("internal", [name])
    index.vectors.upsert("public", [name], np.array([vector]))


def doubled(index):
    (name,) = index.vectors.ids()["internal"]
    index.vectors.upsert("public", [name], np.array([index.vectors.get(["internal"], [name])[name]]))


VECTOR_DAMAGE = [stray, stray_part, bare, all_bare, misplaced, doubled]


@pytest.mark.parametrize("damage", VECTOR_DAMAGE)
def test_recovery_mends_whatever_a_kill_left(index, damage):
    """Vectors too many, too few, or in a wrong part; a second look finds nothing to do."""
    whole = {part: dict(vectors) for part, vectors in index.vectors.parts.items()}
    damage(index)
    assert not agree(index)

    assert index.recover() != (0, 0)

    assert agree(index) and index.recover() == (0, 0) and answers(index) == RIGHT
    now = {part: vectors for part, vectors in index.vectors.parts.items() if vectors}
    assert now.keys() == whole.keys()
    assert all(now[part].keys() == whole[part].keys() for part in whole)
    assert all(np.array_equal(now[part][name], whole[part][name]) for part in whole for name in whole[part])


def test_recovery_counts_what_it_did(index):
    """Vectors removed or moved, and passages embedded."""
    stray(index)
    bare(index)

    assert index.recover() == (1, 1)


def test_recovery_puts_apart_what_went_out_of_force_meanwhile(index, clock):
    """Nobody was there at that time, and until the next start no answer shows it all the same."""
    index.add_bytes("offer.md", b"# Offer\n\nTea is free.\n", terms=Terms(effective_until=day(5)))
    clock.set(6)
    assert agree(index) and "Tea is free." not in search(index, "is tea free?")

    assert index.recover() == (1, 0)

    assert agree(index) and search(index, "is tea free?", 1, day(4)) == ["Tea is free."]


def test_a_mended_home_has_nothing_to_recover(index):
    """Vectors are neither read nor written."""
    before = {part: dict(vectors) for part, vectors in index.vectors.parts.items()}

    assert index.recover() == (0, 0)
    assert all(index.vectors.parts[part][name] is before[part][name] for part in before for name in before[part])


class OtherEmbedder(HashEmbedder):
    """Another model, of another width."""

    name = "other"
    dimensions = 64


def open_real(home, clock, embedder=None):
    """The same documents in a home with Chroma on disk."""
    documents, _ = open_knowledge(home, embedder or HashEmbedder(), clock)
    documents.add_bytes("returns.md", RETURNS, terms=Terms(effective_from=day(0)))
    documents.add_bytes("returns.md", RETURNS.replace(b"45", b"60"))
    documents.add_bytes("staff.md", b"# Staff\n\nThe key is under the mat.\n", terms=Terms(audience="internal"))
    documents.close()


def no_folder(chroma):
    shutil.rmtree(chroma)


def no_database(chroma):
    (chroma / "g000001" / "chroma.sqlite3").write_bytes(b"no database" * 1000)


def no_pointer(chroma):
    (chroma / "current").unlink()


def wrong_pointer(chroma):
    (chroma / "current").write_bytes(b"\xff\xfe")


def no_vectors_in_it(chroma):
    shutil.rmtree(chroma / "g000001")


@pytest.mark.parametrize("damage", [no_folder, no_database, no_pointer, wrong_pointer, no_vectors_in_it])
def test_vectors_are_made_again_when_they_are_gone_or_unreadable(tmp_path, clock, damage):
    """The catalog is the truth, from which they can be rebuilt when the home is opened."""
    open_real(tmp_path, clock)
    damage(tmp_path / "chroma")

    documents, _ = open_knowledge(tmp_path, HashEmbedder(), clock)

    assert agree(documents) and answers(documents) == RIGHT
    documents.close()


def test_vectors_of_another_model_are_made_when_it_is_chosen(tmp_path, clock):
    """And those of the first one are there when it comes back."""
    open_real(tmp_path, clock)

    for embedder in [OtherEmbedder(), HashEmbedder()]:
        documents, _ = open_knowledge(tmp_path, embedder, clock)
        assert agree(documents) and answers(documents) == RIGHT
        assert documents.recover() == (0, 0)
        documents.close()


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("UPDATE passages SET text = 'You have 4 days.' WHERE text LIKE '%60%'", "Passages of version 2 of"),
        (
            "UPDATE places SET start = start + 1 WHERE version = 1",
            "Passages of version 1 of 'returns.md' are not in its",
        ),
        ("DELETE FROM places WHERE version = 2", "Passages of version 2 of 'returns.md' are not in its text."),
        (
            "INSERT INTO places SELECT document_id, 9, 0, number, 0, 1, NULL FROM places LIMIT 1",
            "Passages of version 9",
        ),
        ("INSERT INTO passages SELECT 99, 'x', id, '', '[]', 'x' FROM documents LIMIT 1", "1 passages belong to no"),
        (
            "UPDATE versions SET ends = '9999-12-31T00:00:00.000000+00:00'",
            "The calendar of 'returns.md' does not follow",
        ),
        ("UPDATE versions SET begins = NULL, ends = NULL", "The calendar of 'staff.md' does not follow from its dates"),
        ("DELETE FROM chunk_words", "The word index lacks 4 passages, has 0 that are gone and 0 changed ones."),
        (
            "INSERT INTO chunk_words (rowid, text) VALUES (99, 'x')",
            "lacks 0 passages, has 1 that are gone and 0 changed",
        ),
        (
            "UPDATE chunk_words SET text = 'x' WHERE rowid = 1",
            "lacks 0 passages, has 0 that are gone and 1 changed ones.",
        ),
    ],
)
def test_damage_to_the_catalog_is_found_and_repaired(index, damage, fault):
    """A sentence says what is wrong, and the indexes are made to follow from the stored texts again."""
    behind_its_back(index, damage)

    faults = index.verify()

    assert any(fault in found for found in faults) and all(found.endswith(".") for found in faults)
    index.repair()
    assert index.verify() == [] and answers(index) == RIGHT and index.recover() == (0, 0)


def behind_its_back(index, *statements):
    """Change the catalog's file as another program would."""
    db = sqlite3.connect(index.catalog.path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    index.catalog.database.changes += 1


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (stray, "The vectors lack 0 passages, have 1 that are gone and 0 in a wrong part."),
        (stray_part, "The vectors lack 0 passages, have 1 that are gone and 0 in a wrong part."),
        (bare, "The vectors lack 1 passages, have 0 that are gone and 0 in a wrong part."),
        (all_bare, "The vectors lack 4 passages, have 0 that are gone and 0 in a wrong part."),
        (misplaced, "The vectors lack 0 passages, have 0 that are gone and 1 in a wrong part."),
        (doubled, "The vectors lack 0 passages, have 0 that are gone and 1 in a wrong part."),
    ],
)
def test_damage_to_the_vectors_is_found_and_repaired(index, damage, fault):
    """One sentence for each, and nothing is left of it."""
    damage(index)

    assert index.verify() == [fault]
    index.repair()
    assert index.verify() == [] and answers(index) == RIGHT


def test_a_whole_home_has_no_faults(index, clock):
    """Neither now nor when some of it is over."""
    assert index.verify() == []
    clock.set(1000)
    assert index.verify() == []


class Forgetful(FakeVectorStore):
    """Lists and reads every vector, but a search finds none of the public ones, until it is renewed."""

    is_whole = False

    def query(self, parts, vector, top_k):
        kept = [part for part in parts if self.is_whole or part != "public"]
        return super().query(kept, vector, top_k)

    def renew(self, fill):
        super().renew(fill)
        self.is_whole = True


def test_a_search_index_that_lost_what_its_list_still_names_is_found_and_repaired(tmp_path, clock):
    """All vectors are made anew then, for only a sample was searched for."""
    index = make_index(tmp_path, Forgetful(), clock)
    for number in range(300):
        index.add_bytes(f"{number}.md", f"# N{number}\n\nThing number{number}.\n".encode())

    assert index.verify() == ["100 of 100 vectors that were searched for in 'public' were not found."]
    index.repair()
    assert index.verify() == [] and search(index, "thing number7", 1) == ["Thing number7."]
    index.close()


def test_an_index_of_chroma_that_is_gone_is_found_and_repaired(tmp_path, clock):
    """Chroma opens without it and finds only the newest vectors; verifying says so."""
    documents, _ = open_knowledge(tmp_path, HashEmbedder(), clock)
    text = "\n".join(f"# N{number}\n\nThing number{number}.\n" for number in range(1100))
    documents.add_bytes("many.md", text.encode())
    documents.close()
    folders = [path for path in (tmp_path / "chroma" / "g000001").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        shutil.rmtree(folder)

    documents, _ = open_knowledge(tmp_path, HashEmbedder(), clock)

    (fault,) = documents.verify()
    assert "vectors" in fault
    documents.repair()
    assert documents.verify() == [] and search(documents, "thing number7", 1) == ["Thing number7."]
    documents.close()


def test_both_indexes_are_rebuilt_from_the_catalog_alone(index):
    """Whatever they hold; passages of the past and of all audiences are in them again."""
    behind_its_back(index, "DELETE FROM chunk_words", "DELETE FROM places", "DELETE FROM passages")
    index.vectors.parts = {"public": {"stray": index.embedder.embed(["x"])[0]}}

    assert index.rebuild() == 4

    assert index.verify() == [] and answers(index) == RIGHT and vector_ids(index) == index.catalog.chunk_ids()


def test_the_old_indexes_answer_while_new_ones_are_made(index):
    """And somebody who waits sees how far it is."""
    seen = []

    def watch(done, total, name):
        seen.append((done, total, name))
        assert answers(index) == RIGHT

    index.rebuild(watch)

    assert seen == [
        (0, 0, "returns.md"), (0, 0, "returns.md"), (0, 0, "staff.md"), (0, 4, "embedding"), (4, 4, "embedding"),
    ]  # fmt: skip


def test_a_rebuild_on_disk_leaves_one_store(tmp_path, clock):
    """The new one, and it is used from then on."""
    open_real(tmp_path, clock)
    documents, retriever = open_knowledge(tmp_path, HashEmbedder(), clock)

    assert documents.rebuild() == 4

    assert sorted(path.name for path in (tmp_path / "chroma").iterdir()) == ["current", "g000002"]
    assert agree(documents) and answers(documents) == RIGHT
    assert retriever.retrieve(HOW_LONG)[0].chunk.text == "You have 60 days."
    documents.close()


class Breaking(HashEmbedder):
    """An embedder that can be broken."""

    is_broken = False

    def embed(self, texts):
        if self.is_broken:
            raise EmbedderError("The embedding model 'broken' failed: free memory and try again.")
        return super().embed(texts)


def test_a_rebuild_that_fails_leaves_the_old_vectors(tmp_path, clock):
    """They answer on, and a later rebuild works."""
    embedder = Breaking()
    open_real(tmp_path, clock, embedder)
    documents, _ = open_knowledge(tmp_path, embedder, clock)
    embedder.is_broken = True
    with pytest.raises(EmbedderError, match="free memory"):
        documents.rebuild()

    embedder.is_broken = False
    assert agree(documents) and answers(documents) == RIGHT
    assert documents.rebuild() == 4 and answers(documents) == RIGHT
    documents.close()
