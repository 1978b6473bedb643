"""The tables with the passages somebody may see: used while they are right, made anew when they are not."""

import threading

import pytest

from knowledge.catalog import Catalog
from knowledge.scopes import MOST_TABLES, Scope
from tests.catalog_stories import found, put, scope
from tests.clock import day


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "catalog.db")
    yield catalog
    catalog.close()


def table(catalog, number=0.0, *groups):
    """The table for a day and some groups, and the passages in it."""
    with catalog.database.lock:
        name = catalog.scopes.table(scope(number, *groups))
        rows = catalog.database.read(f"SELECT p.text FROM {name} JOIN passages p USING (number) ORDER BY p.text")
    return name, [text for (text,) in rows]


def tables(catalog):
    return catalog.database.count("SELECT 1 FROM sqlite_temp_master WHERE name LIKE 'scope_%'")


def test_a_table_holds_what_is_in_force_for_who_asks(catalog):
    """Passages of other days and other audiences are not in it."""
    put(catalog, "Now.")
    put(catalog, "Later.", begins=5)
    put(catalog, "For staff.", source="staff.md", audience="internal")
    put(catalog, "Over.", source="over.md", effective_until=day(0.5))

    assert table(catalog, 1)[1] == ["Now."]
    assert table(catalog, 1, "internal")[1] == ["For staff.", "Now."]
    assert table(catalog, 5)[1] == ["Later."]
    assert table(catalog, 0)[1] == ["Now.", "Over."]


def test_a_table_is_used_again_until_something_begins_or_ends(catalog):
    """From one boundary of the calendar up to the next, whatever instant is asked about."""
    put(catalog, "First.", effective_until=day(4))
    put(catalog, "Second.", begins=6, source="b.md")
    asked = {n: table(catalog, n)[0] for n in (0, 1, 3.9, 4, 5, 5.9, 6, 100)}

    assert asked[0] == asked[1] == asked[3.9]
    assert asked[4] == asked[5] == asked[5.9]
    assert asked[6] == asked[100]
    assert len(set(asked.values())) == 3


def test_a_question_before_anything_began_has_a_table_too(catalog):
    """An empty one."""
    put(catalog)

    assert table(catalog, -5)[1] == []
    assert table(catalog, -1)[0] == table(catalog, -5)[0] != table(catalog, 0)[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda catalog, document, version: put(catalog, "More.", source="more.md"),
        lambda catalog, document, version: catalog.change_versions([version]),
        lambda catalog, document, version: catalog.change_document(document),
        lambda catalog, document, version: catalog.erase(document.id, ("a", "b")),
        lambda catalog, document, version: catalog.place_again(version, []),
    ],
)
def test_a_table_is_made_anew_after_any_change(catalog, change):
    """Whether it mattered or not."""
    document, version, _ = put(catalog)
    before = table(catalog)[0]
    change(catalog, document, version)

    assert table(catalog)[0] != before


def test_another_audience_has_another_table(catalog):
    """Groups that see the same documents share one."""
    put(catalog)
    put(catalog, source="vip.md", audience="trade,vip")

    assert table(catalog)[0] == table(catalog, 0, "internal")[0] == table(catalog, 0, "press")[0]
    assert table(catalog, 0, "vip")[0] == table(catalog, 0, "trade")[0] != table(catalog)[0]


def test_there_are_never_more_than_a_few_tables(catalog):
    """The one unused longest goes."""
    for number in range(12):
        put(catalog, begins=number)
    first = table(catalog, 0)[0]
    for number in range(1, 12):
        table(catalog, number)
        assert table(catalog, 0)[0] == first
        assert tables(catalog) <= MOST_TABLES

    last = table(catalog, 11)[0]
    assert tables(catalog) == MOST_TABLES
    assert table(catalog, 11)[0] == last and table(catalog, 0)[0] == first


def test_tables_that_a_change_made_useless_go(catalog):
    """Before the next one is made."""
    for number in range(4):
        put(catalog, begins=number)
        table(catalog, number)

    assert tables(catalog) == 1


def test_threads_may_ask_about_different_days_while_documents_change(catalog):
    """Each gets the text of its day, never one of another."""
    for number in range(8):
        put(catalog, f"Text {number}.", begins=number)
    wrong = []

    def ask(offset):
        for turn in range(40):
            number = (turn + offset) % 8
            if found(catalog, "text", scope(number)) != [f"Text {number}."]:
                wrong.append(number)

    def change():
        for turn in range(20):
            put(catalog, source=f"{turn}.md", audience="vip")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)] + [threading.Thread(target=change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_an_empty_catalog_has_an_empty_table(catalog):
    """For whoever asks."""
    assert table(catalog)[1] == [] and table(catalog, 3, "vip")[1] == []
    assert catalog.scopes.audiences(Scope(day(0))) == ()
