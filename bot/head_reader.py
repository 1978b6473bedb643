"""The trained reader: the reader head ranks the passages and scores each of their sentences."""

import logging
import math
from collections.abc import Sequence

from bot.evidence import Choice, Evidence, Reader, heading_of, pick
from bot.sentences import split_sentences
from knowledge.documents import RetrievedChunk
from knowledge.errors import ReaderError
from knowledge.reader import Passage, PassageReader, Reading

__all__ = ["HeadReader"]

log = logging.getLogger(__name__)
# Weights of the ranking, measured on held-out practice questions, see benchmarks/RESULTS.md.
RETRIEVAL_WEIGHT = 0.5  # of the fused retrieval score beside the head's chance
MARGIN = 0.45  # a sentence this far under the best one is left out


class HeadReader:
    """See `Reader`. A sentence's score is the geometric mean of its own chance and that of its passage.

    It sees twice the passages that it keeps. Where the head cannot be used, `fallback` reads, and `fault` says so.
    """

    name = "reader-head"

    def __init__(self, head: PassageReader, fallback: Reader, kept: int = 5) -> None:
        self.head = head
        self.fallback = fallback
        self.kept = kept
        self.candidates = 2 * kept
        self.fault = ""

    def warm_up(self) -> None:
        """See `Reader.warm_up`."""
        try:
            self.head.read("warm up", [Passage("", "warm up", ())])
        except ReaderError as error:
            self._note(error)

    def choose(self, question: str, passages: Sequence[RetrievedChunk]) -> Choice:
        """See `Reader.choose`."""
        try:
            return self._read(question, passages)
        except ReaderError as error:
            self._note(error)
            return self.fallback.choose(question, passages[: self.kept])

    def _note(self, error: ReaderError) -> None:
        if not self.fault:
            log.warning("%s", error)
        self.fault = f"Evidence is chosen by similarity: {error}"

    def _read(self, question: str, passages: Sequence[RetrievedChunk]) -> Choice:
        sentences = {p.chunk.id: split_sentences(p.chunk.text) for p in passages}
        readable = [
            Passage(heading_of(p), p.chunk.text, tuple((s.start, s.end) for s in sentences[p.chunk.id]))
            for p in passages
        ]
        readings = dict(zip(sentences, self.head.read(question, readable), strict=True))
        ranked = sorted(passages, key=lambda p: -_rank(p, readings[p.chunk.id]))[: self.kept]
        scored = [
            Evidence(sentence, place, math.sqrt(chance * readings[passage.chunk.id].answers))
            for place, passage in enumerate(ranked)
            for sentence, chance in zip(sentences[passage.chunk.id], readings[passage.chunk.id].sentences, strict=True)
        ]
        evidence = pick(question, scored, [sentences[p.chunk.id] for p in ranked], MARGIN)
        answers = max((readings[p.chunk.id].answers for p in ranked), default=0.0)
        return Choice(tuple(ranked), evidence, answers)


def _rank(passage: RetrievedChunk, reading: Reading) -> float:
    return reading.answers + RETRIEVAL_WEIGHT * passage.score
