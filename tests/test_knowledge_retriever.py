"""Question -> passages, best first: cosine and BM25 fused, only what is in force for who asks, nothing unrelated."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.documents import Terms
from knowledge.retriever import MIN_DENSE, MOST_CANDIDATES, Retriever, Stages
from knowledge.scopes import Scope
from knowledge.store import FakeVectorStore, VectorStore
from tests.clock import Clock, day
from tests.knowledge_files import make_index

RETURNS = (
    b"# Returns\n\n## Time\n\nA kettle can be sent back for 45 days.\n\n## Cost\n\nSending back is free of charge.\n"
)
HOURS = b"# Opening hours\n\nThe shop opens at nine and closes at six.\n"


def over(index, **more):
    return Retriever(index.catalog, index.vectors, index.embedder, index.clock, **more)


def filled(home, vectors=None, embedder=None):
    index = make_index(home, vectors, Clock(), embedder)
    index.add_bytes("returns.md", RETURNS)
    index.add_bytes("hours.md", HOURS)
    return index


@pytest.fixture
def index(tmp_path):
    index = filled(tmp_path)
    yield index
    index.close()


@pytest.fixture
def retriever(index):
    return over(index)


@pytest.fixture(scope="module")
def reading(tmp_path_factory, minilm):
    """The same documents under the real embedder."""
    index = filled(tmp_path_factory.mktemp("home"), embedder=minilm)
    yield over(index)
    index.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One search for all examples of a property, over documents of several days and audiences."""
    index = filled(tmp_path_factory.mktemp("home"))
    index.add_bytes("later.md", RETURNS, terms=Terms(effective_from=day(3)))
    index.add_bytes("staff.md", RETURNS, terms=Terms(audience="internal"))
    index.add_bytes("over.md", HOURS, terms=Terms(effective_from=day(-5), effective_until=day(-1)))
    yield over(index)
    index.close()


def texts(passages):
    return [passage.chunk.text for passage in passages]


def sources(passages):
    return [passage.document.source for passage in passages]


def test_the_best_passage_comes_first_with_all_that_a_citation_needs(retriever, index):
    """Document, section, place in the text, dates, and the scores it was chosen by."""
    best = retriever.retrieve("how many days for a kettle?")[0]

    assert best.chunk.text == "A kettle can be sent back for 45 days."
    assert best.document.source == "returns.md" and best.chunk.heading_path == ("Returns", "Time")
    version = index.version(best.document.id)
    assert version.markdown[best.chunk.start : best.chunk.end] == best.chunk.text
    assert (best.effective_from, best.effective_until) == (version.effective_from, None) == (day(0), None)
    ((_, bm25),) = index.catalog.search_words("days", 1, Scope(day(0)))
    (alone,) = [p for p in retriever.retrieve("days") if p.chunk == best.chunk]
    assert alone.lexical == pytest.approx(bm25 / (bm25 + 20))
    assert best.score == pytest.approx(0.8 * best.dense + 0.2 * best.lexical)


def test_what_is_meant_is_found_without_a_word_in_common(reading):
    """By the real embedder."""
    assert sources(reading.retrieve("until when may I bring it in again?", 1)) == ["returns.md"]
    assert sources(reading.retrieve("at what o'clock can I come by?", 1)) == ["hours.md"]


@pytest.mark.parametrize(
    "query", ["Who won the football world cup in 1998?", "quantum chromodynamics lattice", "zxqv wvut"]
)
def test_nothing_relevant_gives_nothing(reading, query):
    """Rather than the least unfit passage."""
    assert reading.retrieve(query) == []


def test_only_the_text_in_force_at_the_instant_is_found(index, retriever):
    """Now by default, else on the day that is asked about."""
    index.add_bytes("returns.md", RETURNS.replace(b"45", b"60"), terms=Terms(effective_from=day(4)))
    query = "how many days for a kettle?"

    assert "45" in texts(retriever.retrieve(query, 1))[0] and "60" in texts(retriever.retrieve(query, 1, day(4)))[0]
    assert not any("60" in text for text in texts(retriever.retrieve(query, 10)))
    assert retriever.retrieve(query, 10, day(-1)) == []
    index.clock.set(4)
    assert "60" in texts(retriever.retrieve(query, 1))[0] and "45" in texts(retriever.retrieve(query, 1, day(3)))[0]


@pytest.mark.parametrize("kind", ["dense", "lexical", "both"])
def test_a_customer_never_sees_what_is_not_for_them(index, kind):
    """By neither of the two indexes; staff and groups see theirs beside what is public."""
    index.add_bytes("staff.md", b"# Kettle\n\nA kettle kettle costs us 9 dollars.\n", terms=Terms(audience="internal"))
    index.add_bytes("trade.md", b"# Kettle\n\nA kettle kettle by the crate.\n", terms=Terms(audience="trade,vip"))
    retriever = over(index, stages=Stages(dense=kind != "lexical", lexical=kind != "dense"))

    def seen(*groups):
        return set(sources(retriever.retrieve("kettle", 50, None, frozenset({"public", *groups}))))

    assert seen() == seen("press") == {"returns.md"}
    assert seen("internal") == {"returns.md", "staff.md"}
    assert seen("vip") == seen("trade") == {"returns.md", "trade.md"}
    assert seen("internal", "vip") == {"returns.md", "trade.md", "staff.md"}


@pytest.mark.parametrize("name", ["stray", "secret"])
def test_a_vector_in_the_wrong_part_shows_nothing(index, retriever, name):
    """One that a kill left behind is no passage, and one of an internal passage among the public ones stays unseen."""
    document = index.add_bytes("staff.md", b"# S\n\nThe kettle days key.\n", terms=Terms(audience="internal")).document
    (secret,) = index.chunks(document.id)
    query = "how many days for a kettle?"
    index.vectors.upsert("public", [name if name == "stray" else secret.id], index.embedder.embed([query]))

    assert texts(retriever.retrieve(query))[0] == "A kettle can be sent back for 45 days."
    assert "staff.md" not in sources(retriever.retrieve(query, 50))


def test_a_removed_document_never_shows(index, retriever):
    """From the next question on, even if its vectors were still where they were."""
    vectors = {part: dict(found) for part, found in index.vectors.parts.items()}
    index.clock.set(1)
    index.remove("returns.md")
    index.vectors.parts = vectors

    assert all(source == "hours.md" for source in sources(retriever.retrieve("kettle sent back days")))


def test_a_scoped_search_asks_for_its_day_and_audience_every_time(index, retriever):
    """Without a day, for now at each question."""
    index.add_bytes("staff.md", b"# Kettle\n\nKettle key.\n", terms=Terms(audience="internal", effective_from=day(2)))
    staff = frozenset({"public", "internal"})

    assert "staff.md" in sources(retriever.within(day(2), staff).retrieve("kettle key"))
    assert "staff.md" not in sources(retriever.within(day(2)).retrieve("kettle key"))
    always = retriever.within(audiences=staff)
    assert "staff.md" not in sources(always.retrieve("kettle key"))
    index.clock.set(2)
    assert "staff.md" in sources(always.retrieve("kettle key")) and len(always.retrieve("kettle", 1)) == 1


class Watched(FakeVectorStore):
    """Writes down which parts are searched, and for how many passages."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def query(self, parts, vector, top_k):
        parts = list(parts)
        self.asked.append((sorted(parts), top_k))
        return super().query(parts, vector, top_k)


def test_what_is_over_is_searched_only_for_the_past(tmp_path):
    """An ordinary question does not pay for old versions, on a clock that never stands still."""
    index = filled(tmp_path, Watched())
    index.clock = lambda: datetime.now(UTC)
    retriever = over(index)
    retriever.retrieve("kettle")
    retriever.retrieve("kettle", 5, day(1000 * 365))
    retriever.retrieve("kettle", 5, day(0))

    assert [parts for parts, _ in index.vectors.asked] == [["public"], ["public"], ["public", "public.past"]]
    index.close()


def test_more_vectors_are_asked_for_when_most_of_the_nearest_are_out_of_force(tmp_path):
    """The calendar alone ended a whole price list; the one passage in force lies behind all of them."""
    index = make_index(tmp_path, Watched(), Clock())
    rows = "".join(f"## N{number}\n\nkettle kettle kettle\n\n" for number in range(300))
    index.add_bytes("old.md", rows.encode(), terms=Terms(effective_until=day(1)))
    index.add_bytes("new.md", b"# New\n\nkettle of many other different words here\n")
    index.clock.set(2)

    found = over(index, stages=Stages(lexical=False)).retrieve("kettle")

    assert sources(found) == ["new.md"] and found[0].dense > 0
    assert [top_k for _, top_k in index.vectors.asked] == [50, 100, 200, 400]
    index.close()


def test_asking_for_more_vectors_has_an_end(tmp_path):
    """Beyond it the words alone find what is in force, with its true cosine."""
    index = make_index(tmp_path, Watched(), Clock())
    rows = "".join(f"## N{number}\n\nkettle kettle kettle\n\n" for number in range(MOST_CANDIDATES + 100))
    index.add_bytes("old.md", rows.encode(), terms=Terms(effective_until=day(1)))
    index.add_bytes("new.md", b"# New\n\nkettle of many other different words here\n")
    index.clock.set(2)

    assert over(index, stages=Stages(lexical=False)).retrieve("kettle") == []
    assert index.vectors.asked[-1][1] == MOST_CANDIDATES
    (found,) = over(index).retrieve("kettle")
    assert found.document.source == "new.md" and found.dense > MIN_DENSE
    index.close()


def test_chroma_answers_when_many_vectors_are_out_of_force(tmp_path):
    """The same on disk."""
    index = make_index(tmp_path, VectorStore(tmp_path / "chroma", "passages-test"), Clock())
    rows = "".join(f"## N{number}\n\nkettle kettle word{number}\n\n" for number in range(300))
    index.add_bytes("old.md", rows.encode(), terms=Terms(effective_until=day(1)))
    index.add_bytes("new.md", b"# New\n\nkettle of many other different words here\n")
    index.clock.set(2)

    assert sources(over(index, stages=Stages(lexical=False)).retrieve("kettle")) == ["new.md"]
    assert len(over(index).retrieve("kettle", 400, day(0))) > 50
    index.close()


def test_each_stage_can_be_left_out(index):
    """Then its score is nothing, and what it alone finds is not found."""
    query = "free kettle"
    words, dense = over(index, stages=Stages(dense=False)), over(index, stages=Stages(lexical=False))

    assert len(words.retrieve(query)) == 2 and all(p.dense == 0 and p.lexical > 0 for p in words.retrieve(query))
    assert dense.retrieve(query) and all(p.lexical == 0 and p.dense >= MIN_DENSE for p in dense.retrieve(query))
    assert words.retrieve("sold") == [] and over(index, stages=Stages(dense=False, lexical=False)).retrieve(query) == []


def test_ranks_can_be_fused_instead_of_scores(index):
    """The passage that both put first has both first ranks."""
    found = over(index, stages=Stages(fusion="rrf")).retrieve("how many days for a kettle?")

    assert found[0].chunk.text == "A kettle can be sent back for 45 days."
    assert found[0].score == pytest.approx(2 / 61)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_a_passage_that_repeats_a_better_one_is_left_out(index, retriever):
    """Word for word under the same title, so that another one has its place; marks and case do not count."""
    index.add_bytes("copy.md", RETURNS.replace(b"A kettle", b"a KETTLE").replace(b"days.", b"days!"))
    index.add_bytes("other.md", RETURNS.replace(b"# Returns", b"# Sending back"))
    query = "a kettle sent back 45 days"

    found = [p for p in retriever.retrieve(query, 10) if "45" in p.chunk.text]
    assert sorted(p.document.title for p in found) == ["Returns", "Sending back"]
    unfolded = over(index, stages=Stages(fold=False)).retrieve(query, 10)
    assert len([p for p in unfolded if "45" in p.chunk.text]) == 3
    assert len(retriever.retrieve(query, 3)) == 3


@pytest.mark.parametrize("query", ["", "  \n", "?!", "🫖", "__"])
def test_a_query_without_words_gives_nothing(retriever, query):
    """There is nothing to look for."""
    assert retriever.retrieve(query) == []


def test_an_empty_home_has_no_answer(tmp_path):
    """Before the first document."""
    index = make_index(tmp_path)

    assert over(index).retrieve("kettle") == over(index).retrieve("kettle", 5, day(0)) == []
    index.close()


def test_at_most_top_k_passages_come(retriever):
    """None for a senseless number."""
    assert len(retriever.retrieve("sent sending back kettle", 1)) == 1
    assert retriever.retrieve("kettle", 0) == retriever.retrieve("kettle", -1) == []


def test_equal_passages_come_in_the_order_of_their_ids(index, retriever):
    """The same question has the same answer tomorrow."""
    for number in range(5):
        index.add_bytes(f"{number}.md", b"# Same\n\nThe museum is blue.\n")

    for stages in (Stages(fold=False), Stages(dense=False, fold=False), Stages(lexical=False, fold=False)):
        found = [passage.chunk.id for passage in over(index, stages=stages).retrieve("museum")]
        assert len(found) == 5 and found == sorted(found)
    assert [passage.chunk.id for passage in retriever.retrieve("museum")] == found[:1]


def test_a_passage_comes_with_its_neighbours_where_a_window_is_asked_for(index, retriever):
    """Verbatim, of its own version, and no passage twice."""
    index.clock.set(1)
    index.add_bytes("returns.md", RETURNS.replace(b"45", b"60"))
    query = "how many days for a kettle, and is sending back free?"

    for number, days in [(0, "45"), (1, "60")]:
        windows = retriever.retrieve(query, 5, day(number), window=500)
        assert texts(windows)[0] == RETURNS.decode().strip().split("\n\n", 2)[2].replace("45", days)
        assert len([text for text in texts(windows) if "free of charge" in text]) == 1
    narrow = retriever.within(day(0)).retrieve(query, 5, window=40)
    assert texts(narrow) == texts(retriever.retrieve(query, 5, day(0)))


def test_a_passage_that_only_its_words_found_has_its_true_cosine(tmp_path):
    """With more than 50 nearer vectors it is not among the dense candidates, but counted as near as it is."""
    index = make_index(tmp_path, clock=Clock())
    near = "".join(f"## N{n}\n\nkettle kettle kettle\n\n" for n in range(60))
    index.add_bytes("near.md", near.encode())
    index.add_bytes("far.md", b"# Far\n\nzanzibar " + b"is a kettle of many other different words here now " * 2)
    query = "kettle zanzibar"

    far = next(p for p in over(index).retrieve(query, 100) if "zanz" in p.chunk.text)

    vector = index.vectors.get(["public"], [far.chunk.id])[far.chunk.id]
    assert far.chunk.id not in dict(index.vectors.query(["public"], index.embedder.embed([query])[0], 50))
    assert far.dense == pytest.approx(float(vector @ index.embedder.embed([query])[0])) and far.dense > 0
    index.close()


class Backwards(FakeVectorStore):
    """Every passage lies in the opposite direction of every question."""

    def query(self, parts, vector, top_k):
        return [(name, -cosine) for name, cosine in super().query(parts, vector, top_k)]


def test_words_alone_do_not_make_a_passage_relevant(tmp_path):
    """When nothing is near the question, a shared word is an accident."""
    index = filled(tmp_path, Backwards())

    assert index.catalog.search_words("kettle", 5, Scope(day(0)))
    assert over(index).retrieve("kettle") == []
    index.close()


@settings(deadline=None, max_examples=150)
@given(
    query=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(["kettle", "days", "free", "the"])).map(" ".join)),
    top_k=st.integers(-2, 8),
    as_of=st.none() | st.integers(-6, 6).map(day),
    groups=st.sampled_from([{"public"}, {"public", "internal"}]),
)
def test_any_question_gets_an_ordered_answer(shared, query, top_k, as_of, groups):
    """At most `top_k`, best first, scores from 0 to 1, in force for who asks, nothing that is quite unrelated."""
    found = shared.retrieve(query, top_k, as_of, frozenset(groups))

    assert len(found) <= max(0, top_k)
    assert found == sorted(found, key=lambda passage: (-passage.score, passage.chunk.id))
    assert len({passage.chunk.id for passage in found}) == len(found)
    at = as_of or day(0)
    for passage in found:
        assert 0 <= passage.score <= 1 and 0 <= passage.lexical <= 1 and -1.001 <= passage.dense <= 1.001
        assert passage.lexical > 0 or passage.dense >= MIN_DENSE
        assert np.isfinite([passage.score, passage.dense, passage.lexical]).all()
        assert passage.document.audience in groups
        assert passage.effective_from <= at and (passage.effective_until is None or at < passage.effective_until)
