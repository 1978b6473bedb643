"""Answer or abstain: a score from what was retrieved, never left to the model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.evidence import Evidence, content_words
from knowledge.documents import RetrievedChunk

__all__ = ["THRESHOLD", "Signals", "confidence", "read_signals"]

# Logistic regression on practice questions (answerable against near misses); benchmarks/fit_decision.py makes them.
WEIGHT_EVIDENCE = 6.0
WEIGHT_PASSAGE = 4.0
WEIGHT_WORDS = 2.0
BIAS = -5.0
THRESHOLD = 0.5


@dataclass(frozen=True)
class Signals:
    """What the decision rests on, each about 0 to 1."""

    evidence: float  # best score of a chosen sentence
    passage: float  # best cosine of a retrieved passage
    words: float  # share of the question's content words that the best passage has


def read_signals(question: str, passages: Sequence[RetrievedChunk], evidence: Sequence[Evidence]) -> Signals:
    """The signals of one question; all zero when nothing was retrieved."""
    if not passages or not evidence:
        return Signals(0.0, 0.0, 0.0)
    best = passages[evidence[0].passage]
    asked = content_words(question)
    known = content_words(" ".join((best.document.title, *best.chunk.heading_path, best.chunk.text)))
    return Signals(
        evidence=max(item.score for item in evidence),
        passage=max(item.dense for item in passages),
        words=len(asked & known) / len(asked) if asked else 0.0,
    )


def confidence(signals: Signals) -> float:
    """Estimated chance, 0 to 1, that the passages answer the question."""
    if not signals.evidence:
        return 0.0
    z = BIAS + WEIGHT_EVIDENCE * signals.evidence + WEIGHT_PASSAGE * signals.passage + WEIGHT_WORDS * signals.words
    return 1.0 / (1.0 + math.exp(-z))
