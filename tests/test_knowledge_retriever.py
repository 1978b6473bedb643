"""Question -> passages, best first: cosine and BM25 fused, nothing under a minimum relevance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.retriever import MIN_DENSE, Retriever
from knowledge.store import FakeVectorStore
from tests.knowledge_files import make_index

RETURNS = (
    b"# Returns\n\n## Time\n\nA kettle can be sent back for 45 days.\n\n## Cost\n\nSending back is free of charge.\n"
)
HOURS = b"# Opening hours\n\nThe shop opens at nine and closes at six.\n"


@pytest.fixture
def index(tmp_path):
    index = make_index(tmp_path)
    index.add_bytes("returns.md", RETURNS)
    index.add_bytes("hours.md", HOURS)
    yield index
    index.close()


@pytest.fixture
def retriever(index):
    return Retriever(index.catalog, index.vectors, index.embedder)


@pytest.fixture(scope="module")
def reading(tmp_path_factory, minilm):
    """The same documents under the real embedder."""
    index = make_index(tmp_path_factory.mktemp("home"))
    index.embedder = minilm
    index.add_bytes("returns.md", RETURNS)
    index.add_bytes("hours.md", HOURS)
    yield Retriever(index.catalog, index.vectors, minilm)
    index.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One search for all examples of a property."""
    index = make_index(tmp_path_factory.mktemp("home"))
    index.add_bytes("returns.md", RETURNS)
    index.add_bytes("hours.md", HOURS)
    yield Retriever(index.catalog, index.vectors, index.embedder)
    index.close()


def test_the_best_passage_comes_first_with_all_that_a_citation_needs(retriever, index):
    """Document, section, place in the text, date, and the scores it was chosen by."""
    best = retriever.retrieve("how many days for a kettle?")[0]

    assert best.chunk.text == "A kettle can be sent back for 45 days."
    assert best.document.source == "returns.md" and best.chunk.heading_path == ("Returns", "Time")
    version = index.version(best.document.id)
    assert version.markdown[best.chunk.start : best.chunk.end] == best.chunk.text
    assert best.added_at == version.added_at
    assert best.lexical == 1.0 and best.score == pytest.approx(0.6 * best.dense + 0.4)


def test_what_is_meant_is_found_without_a_word_in_common(reading):
    """By the real embedder."""
    assert reading.retrieve("until when may I bring it in again?", 1)[0].document.source == "returns.md"
    assert reading.retrieve("at what o'clock can I come by?", 1)[0].document.source == "hours.md"


@pytest.mark.parametrize(
    "query", ["Who won the football world cup in 1998?", "quantum chromodynamics lattice", "zxqv wvut"]
)
def test_nothing_relevant_gives_nothing(reading, query):
    """Rather than the least unfit passage."""
    assert reading.retrieve(query) == []


@pytest.mark.parametrize("query", ["", "  \n", "?!", "🫖", "__"])
def test_a_query_without_words_gives_nothing(retriever, query):
    """There is nothing to look for."""
    assert retriever.retrieve(query) == []


def test_an_empty_home_has_no_answer(tmp_path):
    """Before the first document."""
    index = make_index(tmp_path)

    assert Retriever(index.catalog, index.vectors, index.embedder).retrieve("kettle") == []
    index.close()


def test_at_most_top_k_passages_come(retriever):
    """None for a senseless number."""
    assert len(retriever.retrieve("sent sending back kettle", 1)) == 1
    assert retriever.retrieve("kettle", 0) == retriever.retrieve("kettle", -1) == []


def test_equal_passages_come_in_the_order_of_their_ids(index, retriever):
    """The same question has the same answer tomorrow."""
    for number in range(5):
        index.add_bytes(f"{number}.md", b"# Same\n\nThe museum is blue.\n")

    found = [passage.chunk.id for passage in retriever.retrieve("museum")]

    assert len(found) == 5 and found == sorted(found)


def test_a_text_that_the_catalog_does_not_know_never_shows(index, retriever):
    """A vector that a kill left behind is no passage."""
    index.vectors.upsert(["stray"], index.embedder.embed(["how many days for a kettle?"]))

    assert retriever.retrieve("how many days for a kettle?")[0].chunk.text == "A kettle can be sent back for 45 days."


def test_a_removed_document_never_shows(index, retriever):
    """From the next question on, even if its vectors were still there."""
    vectors = dict(index.vectors.vectors)
    index.remove("returns.md")
    index.vectors.vectors |= vectors

    assert all(passage.document.source == "hours.md" for passage in retriever.retrieve("kettle sent back days"))


def test_a_passage_that_only_its_words_found_has_its_true_cosine(tmp_path):
    """With more than 50 nearer vectors it is not among the dense candidates, but counted as near as it is."""
    index = make_index(tmp_path)
    near = "".join(f"## N{n}\n\nkettle kettle kettle\n\n" for n in range(60))
    index.add_bytes("near.md", near.encode())
    index.add_bytes("far.md", b"# Far\n\nzanzibar " + b"is a kettle of many other different words here now " * 2)
    query = "kettle zanzibar"

    far = next(
        p
        for p in Retriever(index.catalog, index.vectors, index.embedder).retrieve(query, 100)
        if "zanz" in p.chunk.text
    )

    vector = index.vectors.get([far.chunk.id])[far.chunk.id]
    assert far.chunk.id not in dict(index.vectors.query(index.embedder.embed([query])[0], 50))
    assert far.dense == pytest.approx(float(vector @ index.embedder.embed([query])[0])) and far.dense > 0
    index.close()


class Backwards(FakeVectorStore):
    """Every passage lies in the opposite direction of every question."""

    def query(self, vector, top_k):
        return [(name, -cosine) for name, cosine in super().query(vector, top_k)]


def test_words_alone_do_not_make_a_passage_relevant(tmp_path):
    """When nothing is near the question, a shared word is an accident."""
    index = make_index(tmp_path, Backwards())
    index.add_bytes("returns.md", RETURNS)

    assert index.catalog.search_words("kettle", 5)
    assert Retriever(index.catalog, index.vectors, index.embedder).retrieve("kettle") == []
    index.close()


@settings(deadline=None, max_examples=150)
@given(
    query=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(["kettle", "days", "free", "the"])).map(" ".join)),
    top_k=st.integers(-2, 8),
)
def test_any_question_gets_an_ordered_answer(shared, query, top_k):
    """At most `top_k`, best first, scores from 0 to 1, nothing that is neither near nor shares a word."""
    found = shared.retrieve(query, top_k)

    assert len(found) <= max(0, top_k)
    assert found == sorted(found, key=lambda passage: (-passage.score, passage.chunk.id))
    assert len({passage.chunk.id for passage in found}) == len(found)
    for passage in found:
        assert 0 <= passage.score <= 1 and 0 <= passage.lexical <= 1 and -1.001 <= passage.dense <= 1.001
        assert passage.lexical > 0 or passage.dense >= MIN_DENSE
        assert np.isfinite([passage.score, passage.dense, passage.lexical]).all()
