"""Passages -> the few sentences that answer the question, verbatim with offsets, or none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bot.sentences import Sentence, split_sentences
from knowledge.documents import RetrievedChunk
from knowledge.embedder import Embedder

__all__ = ["Evidence", "EvidenceSource", "Reader", "SimilarityReader", "content_words", "group_sources"]

MOST_SENTENCES = 4
MOST_WORDS = 62  # leaves room for greeting and closing in an answer of 80 words
MOST_PROCEDURE_WORDS = 130
# A candidate this far under the best one is left out: measured on the practice questions, see RESULTS.md.
MARGIN = 0.22
COVERAGE_WEIGHT = 0.30  # share of the question's words found beside the sentence
RANK_WEIGHT = 0.03  # each passage further down the list
PROCEDURE = re.compile(
    r"\b(how (?:do|can|could|should|would|to)\b|steps?\b|walk me|show me how|where (?:do|can) i|"
    r"what (?:do i|should i|must i|can i) do|guide me|instructions?\b)",
    re.IGNORECASE,
)
STOP_WORDS = frozenset(
    ["a", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "does", "for", "from", "get", "give", "go", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "just", "like", "me", "my", "need", "no", "not", "of", "on", "or", "our", "please", "pls", "should", "so", "some", "tell", "that", "the", "their", "them", "then", "there", "they", "this", "to", "us", "want", "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your", "am", "i'm", "im", "hi", "hello", "thanks", "thank", "i've", "let", "about", "after", "again", "also", "because", "before", "being", "between", "both", "during", "each", "few", "more", "most", "much", "only", "other", "over", "same", "such", "than", "too", "very", "still", "yet", "ever", "many", "long"]
)


@dataclass(frozen=True)
class Evidence:
    """One chosen sentence of one retrieved passage; `passage` is its index, `score` orders the choice."""

    sentence: Sentence
    passage: int
    score: float


@dataclass(frozen=True)
class EvidenceSource:
    """The chosen sentences of one passage, numbered as the writer sees it and the answer cites it."""

    number: int
    passage: int
    chunk: RetrievedChunk
    evidence: tuple[Evidence, ...]

    @property
    def text(self) -> str:
        """What stands under `[number]` in the prompt: steps as numbered lines, the rest as prose."""
        lines: list[str] = []
        step = 0
        for item in self.evidence:
            step = step + 1 if item.sentence.kind == "step" else 0
            lines.append(f"\n{step}. {item.sentence.plain}" if step else " " + item.sentence.plain)
        return "".join(lines).strip()


class Reader(Protocol):
    """Chooses the evidence; `name` says which reader it was."""

    name: str

    def choose(self, question: str, passages: Sequence[RetrievedChunk]) -> list[Evidence]:
        """One to four pieces of evidence, best first; empty when there is nothing to choose from."""
        ...


def content_words(text: str) -> frozenset[str]:
    """Lower-case words that carry content, cut to a crude stem of at most six letters."""
    return frozenset(w[:6].rstrip("s") for w in re.findall(r"[a-z0-9]+", text.lower()) if w not in STOP_WORDS)


def group_sources(evidence: Sequence[Evidence], passages: Sequence[RetrievedChunk]) -> list[EvidenceSource]:
    """Evidence put together by passage, best passage first, sentences in the order of the document."""
    order = list(dict.fromkeys(item.passage for item in evidence))
    return [
        EvidenceSource(
            number,
            passage,
            passages[passage],
            tuple(sorted((e for e in evidence if e.passage == passage), key=lambda e: e.sentence.start)),
        )
        for number, passage in enumerate(order, 1)
    ]


class SimilarityReader:
    """The reader without a trained head: similarity of the sentence in its context, word overlap, passage rank.

    score = cosine(question, headings + sentence) + 0.3 x share of the question's words in headings, neighbour and
    sentence - 0.03 x passage rank.
    """

    name = "similarity"

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def choose(self, question: str, passages: Sequence[RetrievedChunk]) -> list[Evidence]:
        """See `Reader.choose`; a chosen step of a procedure brings the whole procedure when one is asked for."""
        sentences = [split_sentences(chunk.chunk.text) for chunk in passages]
        ranked = sorted(self._scored(question, passages, sentences), key=lambda item: -item.score)
        if not ranked:
            return []
        if ranked[0].sentence.kind == "step" and PROCEDURE.search(question):
            return _procedure(ranked[0], sentences[ranked[0].passage])
        return _within_budget([item for item in ranked if item.score >= ranked[0].score - MARGIN])

    def _scored(
        self, question: str, passages: Sequence[RetrievedChunk], sentences: Sequence[Sequence[Sentence]]
    ) -> list[Evidence]:
        places = [(p, s) for p, found in enumerate(sentences) for s in range(len(found))]
        if not places:
            return []
        contexts = [_heading(passages[p]) for p in range(len(passages))]
        texts = [f"{contexts[p]}. {sentences[p][s].plain}" for p, s in places]
        vectors = self.embedder.embed([question, *texts])
        similarity = vectors[1:] @ vectors[0]
        asked = content_words(question)
        return [
            Evidence(sentences[p][s], p, float(cosine) + COVERAGE_WEIGHT * _share(asked, text) - RANK_WEIGHT * p)
            for (p, s), text, cosine in zip(places, texts, np.asarray(similarity), strict=True)
        ]


def _heading(passage: RetrievedChunk) -> str:
    return ". ".join(dict.fromkeys((passage.document.title, *passage.chunk.heading_path)))


def _share(asked: frozenset[str], text: str) -> float:
    return len(asked & content_words(text)) / len(asked) if asked else 0.0


def _procedure(best: Evidence, sentences: Sequence[Sentence]) -> list[Evidence]:
    """All steps of the list that `best` belongs to, with the line that introduces it."""
    at = sentences.index(best.sentence)
    first = last = at
    while first > 0 and sentences[first - 1].kind == "step":
        first -= 1
    while last + 1 < len(sentences) and sentences[last + 1].kind == "step":
        last += 1
    if first > 0 and sentences[first - 1].plain.endswith(":"):
        first -= 1
    chosen, words = [], 0
    for sentence in sentences[first : last + 1]:
        words += len(sentence.plain.split())
        if words > MOST_PROCEDURE_WORDS:
            break
        chosen.append(Evidence(sentence, best.passage, best.score))
    return chosen or [best]


def _within_budget(ranked: Sequence[Evidence]) -> list[Evidence]:
    """The best sentences that fit: never more than four, the first one whatever its length, none twice."""
    chosen: list[Evidence] = []
    words = 0
    seen: set[str] = set()
    for item in ranked:
        length = len(item.sentence.plain.split())
        if item.sentence.plain.lower() in seen or (chosen and words + length > MOST_WORDS):
            continue
        seen.add(item.sentence.plain.lower())
        chosen.append(item)
        words += length
        if len(chosen) == MOST_SENTENCES:
            break
    return chosen
