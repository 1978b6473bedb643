"""The trained reader: the reader head ranks the passages and scores each of their sentences."""

import logging
from collections.abc import Mapping, Sequence

from bot.evidence import Choice, Evidence, SimilarityReader, heading_of, pick, weighed
from bot.sentences import Sentence, split_sentences
from knowledge.documents import RetrievedChunk
from knowledge.errors import ReaderError
from knowledge.reader import Passage, PassageReader, Reading

__all__ = ["HeadReader"]

log = logging.getLogger(__name__)
# Measured on held-out practice questions, see benchmarks/RESULTS.md.
RETRIEVAL_WEIGHT = 0.5  # of the fused retrieval score beside the head's chance, in the rank of a passage
SENTENCE_WEIGHT = 0.1  # of the head's chance of a sentence, and of its passage, beside similarity
PASSAGE_WEIGHT = 0.1
RANK_WEIGHT = 0.03  # each passage further down the list
MARGIN = 0.4  # a sentence this far under the best one is left out


class HeadReader:
    """See `Reader`. The head ranks twice the passages that are kept; it and similarity score their sentences.

    Where the head cannot be used, similarity alone reads, and `fault` says so.
    """

    name = "reader-head"

    def __init__(self, head: PassageReader, similar: SimilarityReader, kept: int = 5) -> None:
        self.head = head
        self.similar = similar
        self.kept = kept
        self.candidates = 2 * kept
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
            return self._read(question, passages, core)
        except ReaderError as error:
            self._note(error)
            return self.similar.choose(question, passages[: self.kept], core)

    def _note(self, error: ReaderError) -> None:
        if not self.fault:
            log.warning("%s", error)
        self.fault = f"Evidence is chosen by similarity: {error}"

    def _read(self, question: str, passages: Sequence[RetrievedChunk], core: str) -> Choice:
        sentences = {p.chunk.id: split_sentences(p.chunk.text) for p in passages}
        readings = dict(zip(sentences, self._readings(question, core, passages, sentences), strict=True))
        ranked = sorted(passages, key=lambda p: -(readings[p.chunk.id].answers + RETRIEVAL_WEIGHT * p.score))[
            : self.kept
        ]
        found = [sentences[p.chunk.id] for p in ranked]
        similarity = self.similar.scores(question, core, ranked, found)
        scored = []
        for place, passage in enumerate(ranked):
            reading = readings[passage.chunk.id]
            standing = PASSAGE_WEIGHT * reading.answers - RANK_WEIGHT * place
            scored += [
                Evidence(sentence, place, SENTENCE_WEIGHT * chance + similar + standing)
                for sentence, chance, similar in zip(found[place], reading.sentences, similarity[place], strict=True)
            ]
        answers = max((readings[p.chunk.id].answers for p in ranked), default=0.0)
        return Choice(tuple(ranked), pick(question, scored, found, MARGIN), answers)

    def _readings(
        self, question: str, core: str, passages: Sequence[RetrievedChunk], sentences: Mapping[str, Sequence[Sentence]]
    ) -> list[Reading]:
        """Readings of the passages for the question and its core, averaged by weight."""
        readable = [
            Passage(heading_of(p), p.chunk.text, tuple((s.start, s.end) for s in sentences[p.chunk.id]))
            for p in passages
        ]
        views = [(self.head.read(view, readable), weight) for view, weight in weighed(question, core)]
        return [
            Reading(
                sum(weight * found[place].answers for found, weight in views),
                tuple(
                    sum(weight * found[place].sentences[n] for found, weight in views)
                    for n in range(len(readable[place].spans))
                ),
            )
            for place in range(len(readable))
        ]
