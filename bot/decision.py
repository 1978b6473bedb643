"""Answer or abstain: a score from what was retrieved and read, never left to the model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bot.evidence import Choice, content_words

__all__ = ["THRESHOLD", "Signals", "confidence", "read_signals"]

# Logistic regression on practice questions that the head never saw; benchmarks/fit_decision.py prints them.
WITH_HEAD: Mapping[str, float] = {"answers": 2.23, "evidence": 2.22, "passage": 1.19, "words": 0.75, "bias": -2.69}
BY_SIMILARITY: Mapping[str, float] = {"answers": 0.0, "evidence": 6.0, "passage": 4.0, "words": 2.0, "bias": -5.0}
THRESHOLD = 0.5  # declines 98 % of the near misses in practice; benchmarks/RESULTS.md has the real folders


@dataclass(frozen=True)
class Signals:
    """What the decision rests on, each about 0 to 1."""

    answers: float  # the reader's own chance that the best passage answers; 0 from a reader that has none
    evidence: float  # best score of a chosen sentence
    passage: float  # best cosine of a passage
    words: float  # share of the question's content words that the best passage has
    has_head: bool = True


def read_signals(question: str, choice: Choice) -> Signals:
    """The signals of one question; all zero when nothing was retrieved."""
    if not choice.passages or not choice.evidence:
        return Signals(0.0, 0.0, 0.0, 0.0)
    best = choice.passages[choice.evidence[0].passage]
    asked = content_words(question)
    known = content_words(f"{best.heading} {best.chunk.text}")
    return Signals(
        answers=choice.answers or 0.0,
        evidence=max(item.score for item in choice.evidence),
        passage=max(passage.dense for passage in choice.passages),
        words=len(asked & known) / len(asked) if asked else 0.0,
        has_head=choice.answers is not None,
    )


def confidence(signals: Signals) -> float:
    """Estimated chance, 0 to 1, that the passages answer the question."""
    if not signals.evidence:
        return 0.0
    weights = WITH_HEAD if signals.has_head else BY_SIMILARITY
    z = weights["bias"] + sum(
        weights[name] * getattr(signals, name) for name in ("answers", "evidence", "passage", "words")
    )
    return 1.0 / (1.0 + math.exp(-z))
