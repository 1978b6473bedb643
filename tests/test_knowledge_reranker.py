"""The reranker: what the reader head makes of the passages of a search."""

import pytest

from knowledge.errors import ReaderError
from knowledge.reader import Reading
from knowledge.reranker import RERANKED, Reranker, in_order
from knowledge.retriever import Retriever
from tests.knowledge_files import make_index
from tests.stories import retrieved


class Head:
    """Thinks that passages with a word answer; remembers what it was shown."""

    name = near = "fake"

    def __init__(self, word):
        self.word, self.seen = word, []

    def read(self, question, passages):
        self.seen += passages
        return [Reading(20.0 if self.word in passage.text else -20.0, ()) for passage in passages]


class BrokenHead(Head):
    def read(self, question, passages):
        raise ReaderError("The reader head is damaged: reinstall Frontdesk.")


def shelf(count):
    return [retrieved(f"Text {n}.", source=f"{n}.md", score=0.8 - 0.001 * n) for n in range(count)]


def test_the_passage_that_answers_comes_first_with_its_chance():
    """The others keep the order of the search behind it."""
    found = Reranker(Head("Text 3"))("Which?", shelf(5))

    assert [passage.document.source for passage in found] == ["3.md", "0.md", "1.md", "2.md", "4.md"]
    assert found[0].reader > 0.9 > 0.1 > found[1].reader


def test_a_search_is_reranked_where_that_is_asked_for(tmp_path):
    """Through the retriever, also for one instant and audience."""
    index = make_index(tmp_path / "home")
    index.add_bytes("a.md", b"# Kettles\n\nA kettle boils, a kettle cooks, a kettle sings.\n")
    index.add_bytes("b.md", b"# Kettles\n\nA kettle costs nine pounds.\n")
    retriever = Retriever(index.catalog, index.vectors, index.embedder, index.clock, rerank=Reranker(Head("pounds")))
    plain, scoped = retriever.retrieve("kettle"), retriever.within().retrieve("kettle", rerank=True)
    index.close()

    assert [passage.document.source for passage in scoped] == ["b.md", "a.md"]
    assert plain[0].reader is None


def test_equal_passages_are_in_the_order_of_their_ids():
    """So that an answer can be repeated."""
    passages = [retrieved("Same.", source=name) for name in ("c.md", "a.md", "b.md")]

    assert [p.document.source for p in in_order(passages, [0.0] * 3)] == ["a.md", "b.md", "c.md"]


def test_only_the_first_passages_are_read():
    """The rest stays behind them as it was."""
    head = Head("Text 24")
    found = Reranker(head)("Which?", shelf(25))

    assert len(head.seen) == RERANKED
    assert [passage.document.source for passage in found[RERANKED:]] == [f"{n}.md" for n in range(RERANKED, 25)]


@pytest.mark.parametrize(("knows_near", "near"), [(True, 0.8), (False, None)])
def test_cosines_of_another_model_are_kept_from_the_head(knows_near, near):
    """It was trained with those of one model, and others have another scale."""
    head = Head("x")
    Reranker(head, knows_near)("Which?", shelf(1))

    assert head.seen[0].near == near


def test_a_head_that_fails_leaves_the_order_and_says_so():
    """Search goes on without it."""
    reranker = Reranker(BrokenHead("x"))
    passages = shelf(3)

    assert reranker("Which?", passages) == passages
    assert reranker.fault == (
        "Passages are in the order of the search: The reader head is damaged: reinstall Frontdesk."
    )
