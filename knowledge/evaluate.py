"""Retrieval metrics on labelled questions: recall@k, MRR, nDCG@k and expected words.

A label names the documents that hold the answer and the words an answer needs. Documents count once, in the order of
their first passage. A report keeps the value of every question, so that whoever reads it can add intervals or pair two
systems on the same questions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "BUDGET",
    "DEPTH",
    "METRICS",
    "WORDS_DEPTH",
    "Label",
    "RetrievalReport",
    "Scores",
    "distinct_documents",
    "has_expected_words",
    "ndcg",
    "reciprocal_rank",
    "report",
    "score",
]

DEPTH = 10  # passages looked at; the expected words have to stand in the first WORDS_DEPTH of them
WORDS_DEPTH = 5
BUDGET = 400  # words; systems cut passages of different sizes, and five long ones hold more than five short ones
METRICS = ("recall_at_1", "recall_at_5", "mrr", "ndcg_at_10", "expected_words", "expected_words_in_budget")
Found = Sequence[tuple[str, str]]  # (source, text) of the passages, best first


@dataclass(frozen=True)
class Label:
    """What a question should find: any of `documents`, and of each group of `words` one alternative."""

    id: str
    question: str
    documents: frozenset[str]
    words: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Scores:
    """The values of one question, 0 to 1.

    `expected_words` is about the first five passages, the one in budget about the first 400 words of all ten; both are
    None where no gold document has any of the words.
    """

    id: str
    recall_at_1: float
    recall_at_5: float
    mrr: float
    ndcg_at_10: float
    expected_words: float | None
    expected_words_in_budget: float | None


@dataclass(frozen=True)
class RetrievalReport:
    """The scores of one system on labelled questions."""

    scores: tuple[Scores, ...]

    def values(self, metric: str) -> list[float]:
        """One value a question in their order, without those that the metric does not apply to.

        Raises:
            AttributeError: `metric` is none of METRICS.
        """
        found = (getattr(row, metric) for row in self.scores)
        return [float(value) for value in found if value is not None]

    def mean(self, metric: str) -> float | None:
        """The metric over all questions; None when it applies to none."""
        values = self.values(metric)
        return sum(values) / len(values) if values else None


def report(
    labels: Sequence[Label],
    retrieve: Callable[[str], Found],
    texts: Mapping[str, str],
    normalise: Callable[[str], str] = str.lower,
) -> RetrievalReport:
    """Ask every question and score what comes back; `texts` are the whole documents by source."""
    return RetrievalReport(tuple(score(label, retrieve(label.question), texts, normalise) for label in labels))


def score(label: Label, found: Found, texts: Mapping[str, str], normalise: Callable[[str], str] = str.lower) -> Scores:
    """Score the passages found for one question; those beyond the first DEPTH do not count.

    `normalise` brings words and texts into one form before they are compared.
    """
    found = found[:DEPTH]
    ranked = distinct_documents(found)
    reciprocal = reciprocal_rank(ranked, label.documents)
    whole = [texts[source] for source in sorted(label.documents) if source in texts]
    passages = [text for _, text in found]
    in_budget = " ".join(" ".join(passages).split()[:BUDGET])
    return Scores(
        label.id,
        recall_at_1=float(reciprocal == 1),
        recall_at_5=float(reciprocal >= 1 / 5),
        mrr=reciprocal,
        ndcg_at_10=ndcg(ranked, label.documents, DEPTH),
        expected_words=has_expected_words(passages[:WORDS_DEPTH], label.words, whole, normalise),
        expected_words_in_budget=has_expected_words([in_budget], label.words, whole, normalise),
    )


def distinct_documents(found: Found) -> list[str]:
    """The sources of the passages, each once, in the order of their best passage."""
    return list(dict.fromkeys(source for source, _ in found))


def reciprocal_rank(ranked: Sequence[str], gold: frozenset[str]) -> float:
    """1 over the rank of the first gold document, 0 when there is none (so 1/5 or more is a hit in the first five)."""
    return next((1 / rank for rank, source in enumerate(ranked, 1) if source in gold), 0.0)


def ndcg(ranked: Sequence[str], gold: frozenset[str], k: int) -> float:
    """Discounted gain of the gold documents among the first `k`, over that of all gold documents on top.

    Gains are 0 or 1, the discount is log2(1 + rank) (Järvelin and Kekäläinen 2002); 0 without gold documents.
    """
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(len(gold), k) + 1))
    gain = sum(1 / math.log2(1 + rank) for rank, source in enumerate(ranked[:k], 1) if source in gold)
    return gain / ideal if ideal else 0.0


def has_expected_words(
    passages: Sequence[str],
    groups: Sequence[Sequence[str]],
    documents: Sequence[str],
    normalise: Callable[[str], str] = str.lower,
) -> float | None:
    """1 when the passages together have an alternative of every group that some gold document has, else 0.

    A group that no gold document has ("no," for a yes-or-no question) asks for words of the answer's writer, not of
    the documents, and is left out; None when that leaves none.
    """
    whole = [normalise(text) for text in documents]
    read = normalise("\n".join(passages))
    forms = [[normalise(word) for word in group] for group in groups]
    wanted = [group for group in forms if any(word in text for word in group for text in whole)]
    if not wanted:
        return None
    return float(all(any(word in read for word in group) for group in wanted))
