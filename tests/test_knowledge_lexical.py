"""BM25 over SQLite FTS5: which words are searched and how hits are ranked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.documents import Terms
from knowledge.lexical import searched_words
from knowledge.scopes import Scope
from tests.clock import Clock, day
from tests.knowledge_files import make_index

TODAY = Scope(day(0))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = make_index(tmp_path_factory.mktemp("home"), clock=Clock())
    index.add_bytes("a.md", b"# Kettles\n\nThe warranty of a kettle lasts two years.\n")
    index.add_bytes("b.md", b"# Grinders\n\nA grinder grinds; no kettle does. It has a warranty.\n")
    index.add_bytes("c.md", b"# Museum\n\nOpen on Sundays. Model WK-170B, 39.90 dollars, Caf\xc3\xa9 M\xc3\xbcller.\n")
    index.add_bytes("d.md", b"# Wholesale kettles\n\nKettles by the crate.\n", terms=Terms(audience="trade"))
    index.add_bytes("e.md", b"# Kettles\n\nKettles cost less.\n", terms=Terms(effective_from=day(5)))
    yield index
    index.close()


def found(index, query, top_k=10, scope=TODAY):
    """File names of the hits, best first."""
    names = [name for name, _ in index.catalog.search_words(query, top_k, scope)]
    records = index.catalog.load(names, scope)
    return [records[name][1].source for name in names]


def test_the_best_hit_has_the_word_in_its_heading_too(index):
    """Headings are searched as the text is, and a better hit has a larger score."""
    scores = [score for _, score in index.catalog.search_words("kettles", 10, TODAY)]

    assert found(index, "kettles") == ["a.md", "b.md"]
    assert scores == sorted(scores, reverse=True) and min(scores) > 0


def test_among_many_passages_a_word_that_most_have_counts_only_where_no_other_is_found(index, monkeypatch):
    """It would cost most of the time and tell the least."""
    monkeypatch.setattr("knowledge.lexical.MANY_PASSAGES", 1)
    monkeypatch.setattr("knowledge.lexical.FREQUENT", 0.5)  # three of the five have a kettle

    assert found(index, "a kettle for the museum") == ["c.md"]
    assert found(index, "a kettle for the unheard") == ["a.md", "b.md"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("grinding", ["b.md"]),
        ("SUNDAY", ["c.md"]),
        ("wk-170b", ["c.md"]),
        ("39.90", ["c.md"]),
        ("cafe muller", ["c.md"]),
        ("café", ["c.md"]),
        ("nothing of it here but a museum", ["c.md"]),
        ("unheard", []),
    ],
)
def test_words_are_found_in_any_form(index, query, names):
    """Stems, case, accents, part numbers; one word that fits is enough."""
    assert found(index, query) == names


def test_only_what_is_in_force_for_who_asks_is_ranked(index):
    """A better hit of another day or audience takes no place, not even of the one hit asked for."""
    assert found(index, "kettles", 1) == ["a.md"]
    assert found(index, "kettles", 10, Scope(day(0), frozenset({"public", "trade"}))) == ["d.md", "a.md", "b.md"]
    assert found(index, "kettles", 10, Scope(day(5))) == ["e.md", "a.md", "b.md"]
    assert found(index, "kettles", 10, Scope(day(-1))) == []


def test_words_of_politeness_are_not_searched(index):
    """With them the best hit would be the politest."""
    assert searched_words("Hello, could you please tell me about the Kettle, the kettle's warranty?") == [
        "tell",
        "kettle",
        "warranty",
    ]
    assert found(index, "hello, how are you?") == []


def test_a_long_question_is_cut_at_64_words():
    """Each word costs time."""
    assert searched_words(" ".join(f"w{n}" for n in range(100))) == [f"w{n}" for n in range(64)]


def test_at_most_top_k_are_found(index):
    """And none for a senseless number."""
    assert len(found(index, "warranty", 1)) == 1
    assert found(index, "warranty", 0) == found(index, "warranty", -3) == []


def test_equal_hits_come_in_the_order_of_their_ids(tmp_path):
    """The same question has the same answer tomorrow."""
    index = make_index(tmp_path, clock=Clock())
    for number in range(6):
        index.add_bytes(f"{number}.md", b"# Same\n\nThe very same words.\n")
    names = [name for name, _ in index.catalog.search_words("words", 10, TODAY)]

    assert len(names) == 6 and names == sorted(names)
    index.close()


@pytest.mark.parametrize(
    "query", ['"', 'kettle" OR "', "NEAR(a b)", "a* ^b", "col:x", "(", "-", "AND OR NOT", "'; --", "²", "\0"]
)
def test_nothing_a_customer_types_is_query_syntax(index, query):
    """Marks and operators are words or nothing."""
    assert isinstance(index.catalog.search_words(query, 5, TODAY), list)


@settings(deadline=None, max_examples=300)
@given(query=st.text(max_size=80))
def test_arbitrary_text_never_raises(index, query):
    """Also in scripts nobody thought of, half surrogate pairs included."""
    for name, score in index.catalog.search_words(query, 5, TODAY):
        assert name in index.catalog.chunk_ids() and score > 0
