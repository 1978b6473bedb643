"""Question -> passages, best first: cosine and BM25 fused, only what is in force for who asks and when."""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from knowledge.audiences import CUSTOMER, parts_of
from knowledge.catalog import Catalog
from knowledge.documents import RetrievedChunk
from knowledge.embedder import Embedder
from knowledge.records import Found
from knowledge.scopes import Scope
from knowledge.store import VectorIndex, Vectors
from knowledge.windows import REACH, widened

__all__ = ["Retriever", "ScopedRetriever", "Stages"]

CANDIDATES = 50  # of each kind: measured p95 of BM25 over 50,000 chunks is 11 ms with it
MOST_CANDIDATES = 800  # of vectors, where most of the nearest are out of force
# Both by 90 labelled questions on three real folders, benchmarks/RESULTS.md: recall@5 0.81 with 0.6 and BM25 over the
# best hit's, 0.91 with these two.
DENSE_WEIGHT = 0.8  # against 0.2 for BM25
HALF_BM25 = 20.0  # the BM25 that counts half: a share of the best hit would make a poor best hit look perfect
RRF_OFFSET = 60  # of reciprocal rank fusion (Cormack, Clarke, Buettcher 2009)
MIN_DENSE = 0.15  # cosine under which, with no word in common, a passage is about something else
MIN_BEST_DENSE = 0.10  # when not even the best passage reaches this, nothing is relevant


@dataclass(frozen=True)
class Stages:
    """Which stages of the search run; each can be left out to see what it earns."""

    dense: bool = True
    lexical: bool = True
    fusion: str = "convex"  # or "rrf"
    fold: bool = True  # passages that repeat a better one word for word are left out


Rerank = Callable[[str, Sequence[RetrievedChunk]], list[RetrievedChunk]]


class Retriever:
    """Searches what is in force; what the catalog does not show for a scope is dropped, whatever the indexes say."""

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorIndex,
        embedder: Embedder,
        clock: Callable[[], datetime],
        stages: Stages = Stages(),
        rerank: Rerank | None = None,
    ) -> None:
        self.catalog = catalog
        self.vectors = vectors
        self.embedder = embedder
        self.clock = clock
        self.stages = stages
        self.rerank = rerank

    def within(self, as_of: datetime | None = None, audiences: frozenset[str] = CUSTOMER) -> "ScopedRetriever":
        """The same search for one instant (now at each question by default) and one kind of asker."""
        return ScopedRetriever(self, as_of, audiences)

    def retrieve(
        self,
        query: str,
        top_k: int = 5,
        as_of: datetime | None = None,
        audiences: frozenset[str] = CUSTOMER,
        *,
        window: int = 0,
        rerank: bool = False,
    ) -> list[RetrievedChunk]:
        """At most `top_k` passages, best first; ties in the order of the ids; empty when nothing is relevant.

        With a `window` each comes with its neighbours, as many as that many characters hold, and none twice. With
        `rerank` the reranker, where there is one, orders the best ones anew.

        score = 0.8 x cosine (not below 0) + 0.2 x BM25 / (BM25 + 20), so 0 to 1.

        Raises:
            KnowledgeError: the embedder or a store failed.
        """
        if not any(letter.isalnum() for letter in query) or top_k < 1:
            return []
        now = self.clock()
        scope = Scope(as_of or now, audiences)
        with ThreadPoolExecutor(max_workers=1) as beside:  # BM25 on the second core while the query is embedded
            found = beside.submit(self._by_words, query, scope)
            dense, records = self._nearest(query, scope, found.result, is_past=scope.as_of < now)
            words = found.result()
        records |= self.catalog.load(sorted(words.keys() - records.keys()), scope)
        passages = [
            _passage(record, dense.get(name, 0.0), _saturated(words.get(name, 0.0)))
            for name, record in records.items()
            if name in words or dense[name] >= MIN_DENSE
        ]
        if self.stages.dense and max((passage.dense for passage in passages), default=0.0) < MIN_BEST_DENSE:
            return []
        ranked = sorted(self._scored(passages), key=lambda passage: (-passage.score, passage.chunk.id))
        ranked = _folded(ranked) if self.stages.fold else ranked
        ranked = self.rerank(query, ranked) if rerank and self.rerank else ranked
        if not window:
            return ranked[:top_k]
        return widened(ranked, top_k, window, partial(self.catalog.extents, reach=REACH), self.catalog.text_between)

    def _by_words(self, query: str, scope: Scope) -> dict[str, float]:
        """BM25 of the passages that have words of the query."""
        return dict(self.catalog.search_words(query, CANDIDATES, scope)) if self.stages.lexical else {}

    def _nearest(
        self, query: str, scope: Scope, by_words: Callable[[], Iterable[str]], is_past: bool
    ) -> tuple[dict[str, float], dict[str, Found]]:
        """Cosines of the nearest passages that the scope may see and of those found by words, and the former."""
        if not self.stages.dense:
            return {}, {}
        vector, parts = self.embedder.embed([query])[0], self._parts(scope, is_past)
        count = CANDIDATES
        while True:
            dense = dict(self.vectors.query(parts, vector, count))
            records = self.catalog.load(sorted(dense), scope)
            if len(records) >= CANDIDATES or len(dense) < count or count >= MOST_CANDIDATES:
                break
            count *= 2
        seen = {name: dense[name] for name in records}
        return seen | self._cosines(parts, vector, set(by_words()) - seen.keys()), records

    def _cosines(self, parts: Sequence[str], vector: Vectors, names: Iterable[str]) -> dict[str, float]:
        """Cosines of passages that only BM25 found, so that they are not counted as unrelated."""
        return {name: float(found @ vector) for name, found in self.vectors.get(parts, sorted(names)).items()}

    def _parts(self, scope: Scope, is_past: bool) -> list[str]:
        """The parts of the vector store to search; the one with retired passages only if the past is asked for."""
        return parts_of(self.catalog.scopes.audiences(scope), with_past=is_past)

    def _scored(self, passages: Sequence[RetrievedChunk]) -> list[RetrievedChunk]:
        if self.stages.fusion == "convex":
            return list(passages)
        by_dense = sorted(passages, key=lambda p: (-p.dense, p.chunk.id))
        by_words = sorted((p for p in passages if p.lexical), key=lambda p: (-p.lexical, p.chunk.id))
        scores = {p.chunk.id: 0.0 for p in passages}
        for order in (by_dense, by_words):
            for rank, passage in enumerate(order, 1):
                scores[passage.chunk.id] += 1 / (RRF_OFFSET + rank)
        return [replace(p, score=scores[p.chunk.id]) for p in passages]


@dataclass(frozen=True)
class ScopedRetriever:
    """A `Retriever` that answers for one instant and one kind of asker only."""

    retriever: Retriever
    as_of: datetime | None
    audiences: frozenset[str]

    def retrieve(self, query: str, top_k: int = 5, *, window: int = 0, rerank: bool = False) -> list[RetrievedChunk]:
        """See `Retriever.retrieve`."""
        return self.retriever.retrieve(query, top_k, self.as_of, self.audiences, window=window, rerank=rerank)


def _passage(found: Found, dense: float, lexical: float) -> RetrievedChunk:
    score = min(1.0, DENSE_WEIGHT * max(0.0, dense) + (1 - DENSE_WEIGHT) * lexical)
    return RetrievedChunk(*found, score, dense, lexical)


def _saturated(bm25: float) -> float:
    return bm25 / (bm25 + HALF_BM25)


def _folded(ranked: Sequence[RetrievedChunk]) -> list[RetrievedChunk]:
    """Without passages that repeat a better one word for word under the same title."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for passage in ranked:
        key = (passage.document.title.lower(), *re.findall(r"\w+", passage.chunk.text.lower()))
        if key not in seen:
            kept.append(passage)
        seen.add(key)
    return kept
