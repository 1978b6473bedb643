"""Catalog, words and vectors agree after every change, also one that failed, and say what was done to them."""

import contextlib
import sqlite3
import threading
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.calendar import Dates, governing
from knowledge.documents import Terms
from knowledge.embedder import HashEmbedder
from knowledge.errors import DocumentNotFound, EmbedderError, KnowledgeError, StoreError, TermsError
from knowledge.indexing import DocumentIndex
from knowledge.store import FakeVectorStore
from tests.clock import Clock, day
from tests.knowledge_files import agree, make_index, search

RETURNS = "# Returns\n\n## Time\n\nYou have 45 days.\n\n## Cost\n\nReturning is free.\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


class BrokenEmbedder(HashEmbedder):
    """Fails like a machine without memory when a text has the word "boom" in it."""

    def embed(self, texts):
        if any("boom" in text for text in texts):
            raise EmbedderError("The embedding model 'broken' failed: free memory and try again.")
        return super().embed(texts)


def test_an_embedder_that_fails_leaves_the_old_version(tmp_path, folder):
    """Nothing of the new one is written."""
    index = make_index(tmp_path / "home", embedder=BrokenEmbedder())
    (folder / "returns.md").write_text(RETURNS)
    index.add_path(folder)
    (folder / "returns.md").write_text(RETURNS.replace("45", "boom"))

    with pytest.raises(EmbedderError):
        index.add_path(folder)

    assert agree(index)
    assert search(index, "how many days do I have?", 1) == ["You have 45 days."]
    index.close()


class FullStore(FakeVectorStore):
    """A vector store that can be written to a number of times."""

    writes = 10**9

    def upsert(self, part, ids, vectors):
        self.writes -= 1
        if self.writes < 0:
            raise StoreError("The vectors cannot be used (disk full): free space.")
        super().upsert(part, ids, vectors)


@pytest.mark.parametrize("writes", [0, 1])
def test_a_vector_store_that_fails_leaves_the_old_version(tmp_path, writes):
    """Neither a version nor a vector of the new one stays, whichever write it was."""
    index = make_index(tmp_path, FullStore(), Clock())
    index.add_bytes("returns.md", RETURNS.encode())
    before = {part: set(names) for part, names in index.vectors.ids().items()}
    index.vectors.writes = writes

    with pytest.raises(StoreError, match="disk full"):
        index.add_bytes("returns.md", RETURNS.replace("45", "60").encode(), terms=Terms(audience="internal"))

    assert {part: names for part, names in index.vectors.ids().items() if names} == before
    assert agree(index) and search(index, "how many days do I have?", 1) == ["You have 45 days."]
    index.close()


def test_a_catalog_that_fails_in_the_middle_leaves_whole_documents_and_no_stray_vector(tmp_path, folder):
    """Files before the fault are in, those after it are not."""
    index = make_index(tmp_path / "home")
    for name in ["a.md", "b.md", "c.md"]:
        (folder / name).write_text(f"# {name}\n\nText of {name}.\n")
    db = sqlite3.connect(index.catalog.path)
    db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON documents WHEN new.source = 'b.md' "
        "BEGIN SELECT raise(ABORT, 'disk is full'); END"
    )
    db.commit()

    with pytest.raises(StoreError, match=r"failed \(disk is full\): check disk space"):
        index.add_path(folder)

    assert agree(index)
    assert [s.document.source for s in index.documents()] == ["a.md"]
    db.execute("DROP TRIGGER full")
    db.commit()
    db.close()
    results = {result.source: result.status for result in index.add_path(folder)}
    assert results == {"a.md": "unchanged", "b.md": "added", "c.md": "added"}
    index.close()


def test_threads_may_change_the_same_documents(tmp_path):
    """Every version has a number of its own, and no half of one is left."""
    index = make_index(tmp_path)

    def change(worker):
        for turn in range(6):
            index.add_bytes("a.md", f"# A\n\n## One\n\nText {worker}.\n\n## Two\n\nText {turn}.\n".encode())
            if turn == 3:
                with contextlib.suppress(KnowledgeError):
                    index.remove("a.md")

    threads = [threading.Thread(target=change, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert agree(index)
    (summary,) = index.documents()
    assert summary.chunks == 2
    numbers = [version.version for version, _ in index.versions(summary.document.id)]
    assert numbers == list(range(1, len(numbers) + 1))
    index.close()


@dataclass
class Told:
    """What a document was told to be: its texts with their dates, and who may see it."""

    audience: str = "public"
    texts: list[str] = field(default_factory=list)
    dates: list[Dates] = field(default_factory=list)

    def add(self, text, begins, until):
        self.texts.append(text)
        self.dates.append(Dates(len(self.dates) + 1, begins, until))

    def text_at(self, number):
        version = governing(self.dates, day(number))
        return None if version is None else self.texts[version - 1]


class Story:
    """Does each step to an index and to plain lists, which then say what the index must answer."""

    def __init__(self, home):
        self.home, self.clock, self.today = home, Clock(), 0
        self.index = make_index(home, clock=self.clock)
        self.told: dict[str, Told] = {}

    def step(self, verb, source, number, days, audience):
        with contextlib.suppress(KnowledgeError):
            getattr(self, verb)(source, number, days, audience)

    def passes(self, source, number, days, audience):
        self.today += abs(days or 0)
        self.clock.set(self.today)

    def reopens(self, *_):
        self.index.catalog.close()
        self.index = make_index(self.home, self.index.vectors, self.clock)
        self.index.recover()

    def adds(self, source, number, days, audience):
        begins = None if days is None else day(self.today + days)
        until = day(self.today + 4) if number == 3 else None
        text = f"# {source}\n\n## Number\n\nThe number is{number}.\n\n## Rest\n\nIt stays.\n"
        result = self.index.add_bytes(source, text.encode(), terms=Terms(begins, until, audience))
        told = self.told.setdefault(source, Told())
        if result.status != "failed":
            told.audience = audience or told.audience
        if result.status in ("added", "changed") and not result.message:
            told.add(text, begins or day(self.today), until)

    def rolls_back(self, source, number, days, audience):
        begins = None if days is None else day(self.today + days)
        self.index.rollback(source, number, begins)
        told = self.told[source]
        told.add(told.texts[number - 1], begins or day(self.today), None)

    def withdraws(self, source, number, days, audience):
        version = self.index.withdraw(source, number if days is None else None).version
        dates = self.told[source].dates
        dates[version - 1] = replace(dates[version - 1], withdrawn_at=day(self.today))

    def expires(self, source, number, days, audience):
        until = None if days is None else day(self.today + days)
        version = self.index.expire(source, until).version
        dates = self.told[source].dates
        dates[version - 1] = replace(dates[version - 1], effective_until=until)

    def removes(self, source, number, days, audience):
        self.index.remove(source)
        for later in range(60):  # nothing from today on
            assert self.index.catalog.in_force(self.index.get(source).id, day(self.today + later / 2)) is None
        now, told = day(self.today), self.told[source]
        told.dates = [replace(date, withdrawn_at=min(date.withdrawn_at or now, now)) for date in told.dates]

    def describes(self, source, number, days, audience):
        self.index.describe(source, audience)
        self.told[source].audience = audience or self.told[source].audience

    def erases(self, source, number, days, audience):
        self.index.erase(source)
        del self.told[source]

    def check(self):
        """For every document, today, in the past and in the future, for customers and for staff."""
        assert self.index.verify() == []
        for number in (self.today, self.today - 1, self.today - 3.5, self.today + 1, self.today + 3.5):
            for groups in ({"public"}, {"public", "internal"}):
                right = {t.text_at(number) for t in self.told.values() if t.audience in groups} - {None}
                found = search(self.index, "the number", 50, day(number), frozenset(groups))
                sought = {text.split("\n\n")[2] for text in right}
                assert {text for text in found if "number" in text} == sought


steps = st.lists(
    st.tuples(
        st.sampled_from([
            "adds", "adds", "adds", "passes", "passes", "rolls_back", "withdraws", "expires", "removes", "describes",
            "erases", "reopens",
        ]),
        st.sampled_from(["a.md", "b.md"]),
        st.integers(1, 4),
        st.none() | st.integers(-2, 4),
        st.sampled_from([None, None, "public", "internal"]),
    ),
    max_size=14,
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(steps)
def test_any_story_is_answered_as_it_was_told(tmp_path_factory, steps):
    """Whatever is added, dated, taken back, moved or erased, in any order, on any day."""
    story = Story(tmp_path_factory.mktemp("home"))
    for step in steps:
        story.step(*step)
        story.check()
    assert isinstance(story.index, DocumentIndex)
    story.index.close()


def test_a_change_that_is_refused_changes_nothing(tmp_path):
    """Of whatever kind it is."""
    index = make_index(tmp_path, clock=Clock())
    index.add_bytes("a.md", RETURNS.encode())
    before = (index.versions(index.get("a.md").id), index.vectors.ids(), index.get("a.md"))

    for call, error in [
        (lambda: index.rollback("a.md", 1), TermsError),
        (lambda: index.rollback("a.md", 2), DocumentNotFound),
        (lambda: index.withdraw("a.md", 2), DocumentNotFound),
        (lambda: index.expire("a.md", day(-1)), TermsError),
        (lambda: index.describe("a.md", "no group"), TermsError),
        (lambda: index.remove("b.md"), DocumentNotFound),
        (lambda: index.erase("b.md"), DocumentNotFound),
    ]:
        with pytest.raises(error):
            call()
    assert (index.versions(index.get("a.md").id), index.vectors.ids(), index.get("a.md")) == before and agree(index)
    index.close()
