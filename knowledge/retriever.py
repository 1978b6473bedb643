"""Question -> passages, best first: cosine and BM25 fused, nothing under a minimum relevance."""

from knowledge.catalog import Catalog
from knowledge.documents import RetrievedChunk
from knowledge.embedder import Embedder
from knowledge.store import VectorIndex

__all__ = ["Retriever"]

CANDIDATES = 50
DENSE_WEIGHT = 0.6  # against 0.4 for BM25: measured on 81 hard questions, see benchmarks/RESULTS.md
MIN_DENSE = 0.15  # cosine under which, with no word in common, a passage is about something else
MIN_BEST_DENSE = 0.10  # when not even the best passage reaches this, nothing is relevant


class Retriever:
    """Searches the current passages. Ids that the catalog does not know are dropped, so a deleted text never shows."""

    def __init__(self, catalog: Catalog, vectors: VectorIndex, embedder: Embedder) -> None:
        self.catalog = catalog
        self.vectors = vectors
        self.embedder = embedder

    def retrieve(self, query: str, top_k: int = 5) -> list[RetrievedChunk]:
        """At most `top_k` passages, best first; ties in the order of the ids; empty when nothing is relevant."""
        vector = self.embedder.embed([query])[0]
        dense = dict(self.vectors.query(vector, CANDIDATES))
        words = dict(self.catalog.search_words(query, CANDIDATES))
        dense |= self._missing_cosines(vector, words.keys() - dense.keys())
        best = max(words.values(), default=1.0)
        found = self.catalog.load(sorted(dense.keys() | words.keys()))
        passages = [
            _passage(*record, dense.get(name, 0.0), words.get(name, 0.0) / best)
            for name, record in found.items()
            if words.get(name) or dense.get(name, 0.0) >= MIN_DENSE
        ]
        if max((p.dense for p in passages), default=0.0) < MIN_BEST_DENSE:
            return []
        return sorted(passages, key=lambda p: (-p.score, p.chunk.id))[:top_k]

    def _missing_cosines(self, vector, names) -> dict[str, float]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Cosines of passages that only BM25 found, so that they are not counted as unrelated."""
        return {name: float(found @ vector) for name, found in self.vectors.get(sorted(names)).items()}


def _passage(chunk, document, added_at, dense: float, lexical: float) -> RetrievedChunk:  # type: ignore[no-untyped-def]  # noqa: ANN001
    score = DENSE_WEIGHT * max(0.0, dense) + (1 - DENSE_WEIGHT) * lexical
    return RetrievedChunk(chunk, document, added_at, score, dense, lexical)
