"""The reranker: passages in the order of what the reader head and the search make of them together."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from knowledge.documents import RetrievedChunk
from knowledge.errors import ReaderError
from knowledge.reader import Passage, PassageReader, chance

__all__ = ["RERANKED", "Reranker", "as_read", "in_order"]

RERANKED = 20  # passages read for one query
# Of the fused score (0 to 1) beside the head's logit: on the tuning half of the labelled questions, see RESULTS.md.
RETRIEVAL_WEIGHT = 50.0
log = logging.getLogger(__name__)


def as_read(passage: RetrievedChunk, spans: Sequence[tuple[int, int]] = (), knows_near: bool = False) -> Passage:
    """A passage as the head is shown it, with the places of its sentences, and with its cosine if the head knows it."""
    return Passage(passage.heading, passage.chunk.text, tuple(spans), passage.dense if knows_near else None)


def in_order(passages: Sequence[RetrievedChunk], logits: Sequence[float]) -> list[RetrievedChunk]:
    """The passages best first, by logit + 50 x score, each with its chance; ties in the order of the ids."""
    scored = [
        (-logit - RETRIEVAL_WEIGHT * passage.score, passage.chunk.id, replace(passage, reader=chance(logit)))
        for passage, logit in zip(passages, logits, strict=True)
    ]
    return [passage for _, _, passage in sorted(scored, key=lambda item: item[:2])]


class Reranker:
    """Reads the first passages of a search and orders them anew; `fault` says why it does not, or is empty.

    `knows_near` tells that the search's cosines are of the model that the head was trained with.
    """

    def __init__(self, head: PassageReader, knows_near: bool = True) -> None:
        self.head = head
        self.knows_near = knows_near
        self.fault = ""

    def __call__(self, query: str, passages: Sequence[RetrievedChunk]) -> list[RetrievedChunk]:
        """The first RERANKED passages in their new order, then the others; all as they were where the head fails."""
        first = passages[:RERANKED]
        try:
            readings = self.head.read(query, [as_read(p, (), self.knows_near) for p in first])
        except ReaderError as error:
            if not self.fault:
                log.warning("%s", error)
            self.fault = f"Passages are in the order of the search: {error}"
            return list(passages)
        return [*in_order(first, [reading.logit for reading in readings]), *passages[RERANKED:]]
