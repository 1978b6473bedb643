"""The trained reader: the reader head ranks the passages and scores each of their sentences."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.evidence import COVERAGE_WEIGHT, Choice, Evidence, SimilarityReader, pick, weighed
from bot.sentences import Sentence, split_sentences
from knowledge.documents import RetrievedChunk
from knowledge.errors import ReaderError
from knowledge.reader import Passage, PassageReader, Reading, Support, chance
from knowledge.reranker import RERANKED, as_read, in_order

__all__ = ["HeadReader", "Scored"]

log = logging.getLogger(__name__)
# Chosen on the tuning half of the questions about real folders and on practice questions, see benchmarks/RESULTS.md.
SENTENCE_WEIGHT = 0.3  # of the head's chance of a sentence, beside similarity
MARGIN = 0.4  # a sentence this far under the best one is left out


@dataclass(frozen=True)
class Scored:
    """Every passage in the reader's order, and every sentence of the first few with its score."""

    ranked: tuple[RetrievedChunk, ...]
    sentences: tuple[list[Sentence], ...]  # of the first few passages
    evidence: tuple[Evidence, ...]
    answers: float  # chance that the passages answer


class HeadReader:
    """See `Reader`. The head ranks more passages than are kept; it and similarity score the sentences of the kept ones.

    Where the head cannot be used, similarity alone reads, and `fault` says so.
    """

    name = "reader-head"

    def __init__(
        self, head: PassageReader, similar: SimilarityReader, kept: int = 5, candidates: int = RERANKED
    ) -> None:
        self.head = head
        self.similar = similar
        self.kept = kept
        self.candidates = candidates
        self.fault = ""

    def warm_up(self) -> None:
        """See `Reader.warm_up`."""
        try:
            self.head.read("warm up", [Passage("", "warm up", ())])
        except ReaderError as error:
            self._note(error)

    def choose(self, question: str, passages: Sequence[RetrievedChunk], core: str = "") -> Choice:
        """See `Reader.choose`."""
        try:
            found = self.score(question, passages, core)
        except ReaderError as error:
            self._note(error)
            return self.similar.choose(question, passages[: self.kept], core)
        return Choice(found.ranked[: self.kept], pick(question, found.evidence, found.sentences, MARGIN), found.answers)

    def check(self, claims: Sequence[tuple[str, RetrievedChunk]]) -> list[Support]:
        """See `Reader.check`; empty where the head cannot be used."""
        try:
            return self.head.check([(claim, as_read(passage)) for claim, passage in claims])
        except ReaderError as error:
            self._note(error)
            return []

    def score(self, question: str, passages: Sequence[RetrievedChunk], core: str = "") -> Scored:
        """Rank the passages and score the sentences of the first few.

        Raises:
            ReaderError: the head cannot be used.
        """
        sentences = {p.chunk.id: split_sentences(p.chunk.text) for p in passages}
        views = weighed(question, core)
        readings = [self._read(view, passages, sentences) for view, _ in views]
        logits = {
            p.chunk.id: sum(weight * found[n].logit for (_, weight), found in zip(views, readings, strict=True))
            for n, p in enumerate(passages)
        }
        ranked = in_order(passages, [logits[p.chunk.id] for p in passages])
        kept = ranked[: self.kept]
        places = {p.chunk.id: n for n, p in enumerate(passages)}
        compared = self.similar.compare(question, core, kept, [sentences[p.chunk.id] for p in kept])
        evidence = []
        for place, passage in enumerate(kept):
            cosines = [cosine for cosine, _ in compared[place]] if self._knows_near() else None
            chances = [self.head.weigh(found[places[passage.chunk.id]], cosines) for found in readings]
            for n, (sentence, (cosine, shared)) in enumerate(
                zip(sentences[passage.chunk.id], compared[place], strict=True)
            ):
                likely = sum(weight * found[n] for (_, weight), found in zip(views, chances, strict=True))
                score = SENTENCE_WEIGHT * likely + cosine + COVERAGE_WEIGHT * shared
                evidence.append(Evidence(sentence, place, score))
        answers = max((chance(logits[p.chunk.id]) for p in kept), default=0.0)
        return Scored(tuple(ranked), tuple(sentences[p.chunk.id] for p in kept), tuple(evidence), answers)

    def _knows_near(self) -> bool:
        """Whether the search's cosines are of the kind that the head was trained with."""
        return self.head.near == self.similar.embedder.name

    def _note(self, error: ReaderError) -> None:
        if not self.fault:
            log.warning("%s", error)
        self.fault = f"Evidence is chosen by similarity: {error}"

    def _read(
        self, view: str, passages: Sequence[RetrievedChunk], sentences: Mapping[str, Sequence[Sentence]]
    ) -> list[Reading]:
        known = self._knows_near()
        spans = [[(s.start, s.end) for s in sentences[p.chunk.id]] for p in passages]
        return self.head.read(view, [as_read(p, of, known) for p, of in zip(passages, spans, strict=True)])
