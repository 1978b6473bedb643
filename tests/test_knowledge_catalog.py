"""The truth in SQLite: documents, dated versions and passages, changed one transaction at a time."""

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.calendar import FOREVER, Window, governing, windows
from knowledge.catalog import Catalog
from knowledge.documents import Document
from knowledge.errors import DocumentNotFound, StoreError
from knowledge.schema import MIGRATIONS
from knowledge.upkeep import catalog_faults
from tests.catalog_stories import found, put, scope
from tests.clock import day


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "home" / "catalog.db")
    yield catalog
    catalog.close()


def test_what_is_added_comes_back(catalog):
    """Document, version and passage, with every field."""
    document, version, chunk = put(
        catalog, audience="trade,vip", effective_until=day(9), uploaded_by="ann", origin="mail", note="by hand"
    )
    reviewed = replace(document, review_at=day(30))
    catalog.change_document(reviewed)

    assert catalog.all_documents() == [reviewed] and catalog.ever(document.id) == reviewed
    assert catalog.in_force(document.id, day(0)) == catalog.version(document.id) == version
    assert catalog.versions(document.id) == [version]
    assert catalog.chunks(document.id, 1) == [chunk]
    assert catalog.load([chunk.id], scope(0, "vip")) == {chunk.id: (chunk, reviewed, day(0), day(9))}
    assert catalog.chunk_ids() == catalog.chunk_ids(document.id) == {chunk.id}
    assert catalog.titled_chunks([chunk.id, "nothing"]) == [("Returns", chunk)]
    assert catalog.has_original("original You have 45 days.") and not catalog.has_original("other")


def test_the_next_version_takes_over_on_its_day(catalog):
    """Its passage is found from then on and the old one until then, each with the title of its time."""
    put(catalog)
    document, version, chunk = put(catalog, "You have 60 days.", begins=5, title="Sending back")

    assert found(catalog, "days", scope(4)) == ["You have 45 days."]
    assert found(catalog, "days", scope(5)) == ["You have 60 days."]
    assert found(catalog, "45", scope(5)) == [] == found(catalog, "days", scope(-1))
    assert catalog.load([chunk.id], scope(5)) == {chunk.id: (chunk, document, day(5), None)}
    (old,) = catalog.chunks(document.id, 1)
    assert catalog.load([old.id, chunk.id], scope(4)) == {
        old.id: (old, replace(document, title="Returns"), day(0), None)
    }
    assert catalog.in_force(document.id, day(5)) == version
    assert catalog.upcoming(document.id, day(4)) == [version] and catalog.upcoming(document.id, day(5)) == []
    assert catalog.windows(document.id) == {1: Window(day(0), day(5)), 2: Window(day(5), FOREVER)}
    assert catalog.last_number(document.id) == 2
    assert catalog_faults(catalog) == []


def test_a_passage_that_two_versions_have_is_kept_once(catalog):
    """And is found in whichever is in force, with its dates."""
    document, _, chunk = put(catalog)
    put(catalog, "You have 60 days.", begins=3)
    put(catalog, "You have 45 days.", begins=6)

    assert catalog.chunk_ids() == {chunk.id, catalog.chunks(document.id, 2)[0].id}
    assert [catalog.load([chunk.id], scope(n))[chunk.id][2] for n in (0, 6)] == [day(0), day(6)]
    assert catalog.load([chunk.id], scope(3)) == {}
    assert catalog.load([chunk.id], scope(6))[chunk.id][0].version == 3


def test_changed_dates_change_what_is_in_force(catalog):
    """At once, in the same transaction."""
    document, version, _ = put(catalog)
    later = put(catalog, "You have 60 days.", begins=5)[1]
    catalog.change_versions([replace(version, withdrawn_at=day(2)), replace(later, effective_until=day(7), note="n")])

    assert catalog.windows(document.id) == {1: Window(day(0), day(2)), 2: Window(day(5), day(7))}
    assert [catalog.in_force(document.id, day(n)) is not None for n in (1, 2, 5, 7)] == [True, False, True, False]
    assert catalog.version(document.id).note == "n" and catalog.version(document.id).effective_until == day(7)


def test_only_who_may_see_a_document_finds_it(catalog):
    """By words and by id."""
    _, _, chunk = put(catalog, audience="trade,vip")

    assert found(catalog, "days", scope(0, "vip")) == found(catalog, "days", scope(0, "trade", "press")) != []
    assert found(catalog, "days", scope()) == found(catalog, "days", scope(0, "internal")) == []
    assert catalog.load([chunk.id], scope()) == {}


def test_a_passage_belongs_to_the_part_of_its_audience_and_time(catalog):
    """Apart when no version with it is in force or will be."""
    document, _, kept = put(catalog, "Returning is free.")
    _, _, old = put(catalog, "You have 45 days.", begins=1)
    put(catalog, "Returning is free.", begins=4)
    _, _, vip = put(catalog, source="vip.md", audience="vip")

    assert catalog.placement(day(2)) == {kept.id: "public", old.id: "public", vip.id: "vip"}
    assert catalog.placement(day(4), [document.id]) == {kept.id: "public", old.id: "public.past"}
    catalog.change_document(replace(document, audience="internal"))
    assert catalog.placement(day(4), [document.id]) == {kept.id: "internal", old.id: "internal.past"}
    assert catalog.placement(day(4), []) == {}


def test_a_list_shows_each_document_with_the_version_that_counts(catalog):
    """The one in force, else the next to come, else the last there was."""
    put(catalog, source="now.md")
    put(catalog, source="now.md", begins=5)
    put(catalog, source="soon.md", begins=3)
    put(catalog, source="soon.md", begins=6)
    put(catalog, source="over.md", effective_until=day(1))
    put(catalog, source="never.md", begins=4, withdrawn_at=day(0))

    shown = {s.document.source: s for s in catalog.summaries(day(2))}

    assert {name: (s.state, s.version, s.versions) for name, s in shown.items()} == {
        "now.md": ("in force", 1, 2),
        "soon.md": ("scheduled", 1, 2),
        "over.md": ("past", 1, 1),
        "never.md": ("past", 1, 1),
    }
    assert (shown["now.md"].effective_from, shown["now.md"].effective_until) == (day(0), day(5))
    assert shown["now.md"].next_from == day(5) and shown["over.md"].next_from is None
    assert (shown["now.md"].chunks, shown["now.md"].characters) == (1, 20)
    assert [d.source for d in catalog.all_documents(day(2))] == ["now.md", "soon.md"]


def test_documents_are_found_by_id_prefix_path_and_file_name(catalog):
    """A prefix of six digits at least; all that fit are given, past ones only if no other does."""
    one, _, _ = put(catalog, source="help/returns.md")
    two, _, _ = put(catalog, source="old/returns.md")
    over, _, _ = put(catalog, source="over/returns.md", effective_until=day(0.5))

    assert catalog.find(one.id, day(1)) == catalog.find(one.id[:6], day(1)) == catalog.find("help/returns.md", day(1))
    assert catalog.find(one.id, day(1)) == [one]
    assert catalog.find("returns.md", day(1)) == [one, two]
    assert catalog.find("over/returns.md", day(1)) == catalog.find(over.id[:8], day(1)) == [over]
    assert catalog.find(one.id[:5], day(1)) == catalog.find("return", day(1)) == catalog.find("", day(1)) == []


def test_documents_are_listed_by_collection_and_path(catalog):
    """In the same order every time."""
    for collection, source in [("/b", "a.md"), ("/a", "z.md"), ("/a", "b/c.md")]:
        put(catalog, source=source, collection=collection)

    listed = [(document.collection, document.source) for document in catalog.all_documents()]

    assert listed == [("/a", "b/c.md"), ("/a", "z.md"), ("/b", "a.md")]


def test_other_passages_take_the_place_of_those_of_a_version(catalog):
    """What no version has any more is forgotten, and is not found by its words."""
    document, version, chunk = put(catalog)
    other = replace(chunk, id="other", text="45 days", start=11, end=18)
    catalog.place_again(version, [other])

    assert catalog.chunks(document.id, 1) == [other] and catalog.chunk_ids() == {"other"}
    assert catalog.unplaced_versions() == [] == catalog_faults(catalog)
    catalog.place_again(version, [])
    assert catalog.unplaced_versions() == [version] and found(catalog, "days", scope()) == []


def test_an_erased_document_is_as_if_it_had_never_been(catalog):
    """The others stay, and what is still to do is noted in the same transaction."""
    document, _, _ = put(catalog)
    put(catalog, "You have 60 days.", begins=1)
    other, _, chunk = put(catalog, source="other.md")
    catalog.erase(document.id, ("to do", "all of it"))

    assert catalog.all_documents() == [other] and catalog.ever(document.id) is None
    assert catalog.versions(document.id) == [] and catalog.last_number(document.id) == 0
    assert catalog.chunk_ids() == {chunk.id} and catalog_faults(catalog) == []
    assert catalog.setting("to do") == "all of it"


def test_shredding_leaves_no_byte_of_what_was_erased(catalog):
    """In the file or its log; what is left answers on."""
    document, _, _ = put(catalog, "Zanzibar expedition.")
    put(catalog, source="other.md")
    catalog.erase(document.id, ("to do", ""))
    assert any(b"Zanzibar" in path.read_bytes() for path in catalog.path.parent.iterdir())

    catalog.shred()

    files = list(catalog.path.parent.iterdir())
    assert not any(word in path.read_bytes().lower() for path in files for word in (b"zanzibar", b"expedit"))
    assert found(catalog, "days", scope()) == ["You have 45 days."]


def test_facts_about_the_home_are_kept_and_forgotten(catalog):
    """One value for a name."""
    catalog.set_setting("a", "1")
    catalog.set_setting("a", "2")
    catalog.set_setting("b", "3")

    assert (catalog.setting("a"), catalog.setting("b"), catalog.setting("c")) == ("2", "3", None)
    catalog.set_setting("a", None)
    assert catalog.setting("a") is None


@pytest.mark.parametrize("number", [0, -1, 2, 10**30, -(10**30)])
def test_a_version_that_never_was_is_a_sentence(catalog, number):
    """Whatever number somebody types into an address."""
    document, _, _ = put(catalog)

    with pytest.raises(DocumentNotFound, match=f"has no version {number}: see `frontdesk docs versions {document.id}`"):
        catalog.version(document.id, number)


def test_a_document_that_never_was_has_nothing(catalog):
    """No version, no passages, and changing it changes nothing."""
    catalog.change_document(Document("nothing", "c", "s", "t"))

    assert catalog.ever("nothing") is None and catalog.in_force("nothing", day(0)) is None
    assert catalog.last_number("nothing") == 0 and catalog.chunks("nothing", 1) == catalog.versions("nothing") == []
    with pytest.raises(DocumentNotFound, match="has no version stored"):
        catalog.version("nothing")


def test_offsets_count_characters_as_python_does(catalog):
    """Characters of one to four bytes in UTF-8, and a quotation mark for SQL to trip over."""
    document, version, chunk = put(catalog, 'Ä, € and 🫖: it\'s "fine".')

    assert catalog.chunks(document.id, 1) == [chunk]
    assert version.markdown[chunk.start : chunk.end] == chunk.text
    assert catalog_faults(catalog) == []


def test_a_change_that_fails_changes_nothing(catalog):
    """The old version answers on, in all tables."""
    document, version, chunk = put(catalog)

    with pytest.raises(StoreError, match=r"failed \(.+\): check disk space"):
        catalog.add_version(replace(document, title="Other"), version, [chunk])  # version 1 is there

    assert catalog.all_documents() == [document] and catalog.chunks(document.id, 1) == [chunk]
    assert found(catalog, "45", scope()) == [chunk.text]
    assert catalog_faults(catalog) == []


def test_an_error_inside_a_change_changes_nothing(catalog):
    """Also one that is not the database's."""
    document, version, chunk = put(catalog)

    with pytest.raises(AttributeError):
        catalog.add_version(document, replace(version, version=2), [object()])

    assert catalog.chunks(document.id, 1) == [chunk] and catalog.last_number(document.id) == 1
    assert catalog.windows(document.id) == {1: Window(day(0), FOREVER)}


dates = st.tuples(st.integers(0, 6), st.none() | st.integers(1, 9), st.none() | st.integers(0, 9))


@settings(deadline=None, max_examples=60)
@given(st.lists(dates, min_size=1, max_size=5), st.integers(-1, 10))
def test_the_catalog_keeps_what_the_calendar_says(tmp_path_factory, plan, today):
    """For any dates: the windows, the version in force, its passage, and the part for each passage."""
    catalog = Catalog(tmp_path_factory.mktemp("home") / "catalog.db")
    for number, (begins, until, withdrawn) in enumerate(plan):
        ends = {"effective_until": until, "withdrawn_at": withdrawn}
        put(catalog, f"Text {number}.", begins, **{k: day(v) for k, v in ends.items() if v is not None})
    (document,) = catalog.all_documents()
    versions = catalog.versions(document.id)

    right = windows(versions)
    number = governing(versions, day(today))
    assert catalog.windows(document.id) == right
    current = catalog.in_force(document.id, day(today))
    assert (current.version if current else None) == number
    assert found(catalog, "text", scope(today)) == ([] if number is None else [f"Text {number - 1}."])
    parts = catalog.placement(day(today))
    for version in versions:
        (chunk,) = catalog.chunks(document.id, version.version)
        window = right[version.version]
        assert parts[chunk.id] == ("public" if window and window.ends > day(today) else "public.past")
    catalog.close()


def test_everything_is_there_after_it_is_opened_again(catalog):
    """The file holds it all, and no migration runs twice."""
    document, version, chunk = put(catalog)
    catalog.close()

    again = Catalog(catalog.path)

    assert again.version(document.id) == version and again.chunks(document.id, 1) == [chunk]
    assert again.database.read("PRAGMA user_version") == [(len(MIGRATIONS),)]
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
