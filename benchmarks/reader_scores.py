"""Held-out scores of the reader head: ranks, areas under the ROC curve, best sentences, and F1 of claims."""

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.reader_rows import Group

__all__ = ["auroc", "score_claims", "score_groups"]


def auroc(good: Sequence[float], bad: Sequence[float]) -> float:
    """Chance that a good one scores above a bad one, a tie counting half (Hanley and McNeil 1982); NaN without both."""
    if not len(good) or not len(bad):
        return math.nan
    a, b = np.asarray(good)[:, None], np.asarray(bad)[None]
    return float((a > b).mean() + 0.5 * (a == b).mean())


def score_groups(rows: Sequence[tuple[Group, Sequence[float], Sequence[Sequence[float]]]]) -> dict[str, float]:
    """Of groups with the logits of their passages and of the sentences of each.

    `first` and `sentence` are shares of the answerable groups whose best passage or best sentence is right;
    `answerable` and `passage` are areas under the curve of the group's best passage and of single passages.
    """
    best: dict[bool, list[float]] = {True: [], False: []}
    single: dict[bool, list[float]] = {True: [], False: []}
    first, sentence = [], []
    for group, answers, sentences in rows:
        best[any(group.answers)].append(max(answers))
        for answer, right in zip(answers, group.answers, strict=True):
            single[right].append(answer)
        if any(group.answers):
            first.append(group.answers[int(np.argmax(answers))])
            flat = [
                (score, flag)
                for found, flags in zip(sentences, group.flags, strict=True)
                for score, flag in zip(found, flags, strict=True)
            ]
            sentence.append(max(flat)[1])
    return {
        "groups": len(rows),
        "first": float(np.mean(first)) if first else math.nan,
        "sentence": float(np.mean(sentence)) if sentence else math.nan,
        "answerable": auroc(best[True], best[False]),
        "passage": auroc(single[True], single[False]),
    }


def score_claims(rows: Sequence[tuple[int, Sequence[float]]]) -> dict[str, float]:
    """Of claims with their relation and its three logits: accuracy, F1 of "supported", and the mean F1 of all three."""
    said = np.array([int(np.argmax(logits)) for _, logits in rows])
    true = np.array([relation for relation, _ in rows])

    def f1(kind: int) -> float:
        hits = ((said == kind) & (true == kind)).sum()
        return float(2 * hits / max(1, (said == kind).sum() + (true == kind).sum()))

    return {
        "claims": len(rows),
        "accuracy": float((said == true).mean()) if len(rows) else math.nan,
        "f1_supported": f1(0),
        "f1_mean": float(np.mean([f1(kind) for kind in range(3)])),
    }
