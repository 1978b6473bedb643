"""Fits the score that decides between answering and abstaining, on practice questions.

Run: .venv/bin/python benchmarks/fit_decision.py [--sections FILE]
Prints the weights for bot/decision.py, the area under the ROC curve of each kind, and refusals at the threshold.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.practice import PracticeQuestion, World, bank_worlds, faq_world
from bot.decision import Signals, read_signals
from bot.evidence import SimilarityReader, content_words
from knowledge.embedder import SentenceTransformerEmbedder

__all__ = ["main"]


def measure(world: World, reader: SimilarityReader) -> list[tuple[PracticeQuestion, Signals, float]]:
    """Signals of every question, and for answerable ones the share of the gold's words that the evidence holds."""
    rows = []
    for asked in world.questions:
        passages = world.retriever.retrieve(asked.question)
        evidence = reader.choose(asked.question, passages)
        chosen = content_words(" ".join(item.sentence.plain for item in evidence))
        gold = content_words(asked.gold)
        rows.append((asked, read_signals(asked.question, passages, evidence), len(gold & chosen) / max(1, len(gold))))
    return rows


def fit(x: np.ndarray, y: np.ndarray, ridge: float = 1.0, rounds: int = 50) -> np.ndarray:
    """Logistic regression by Newton steps, classes weighted evenly; the last weight is the bias."""
    x = np.hstack([x, np.ones((len(x), 1))])
    importance = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    w = np.zeros(x.shape[1])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.T @ (importance * (p - y)) + ridge * np.append(w[:-1], 0) / len(w)
        curve = (x * (importance * p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(w)) / len(w)
        w -= np.linalg.solve(curve, slope)
    return w


def auroc(good: np.ndarray, bad: np.ndarray) -> float:
    """Chance that an answerable question scores above an unanswerable one."""
    return float((good[:, None] > bad[None]).mean() + 0.5 * (good[:, None] == bad[None]).mean())


def main() -> None:
    """Measure, fit on half of the questions, report on the other half."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sections", type=Path, help="sections.jsonl with FAQ rows")
    parser.add_argument("--companies", type=int, default=12)
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder()
    reader = SimilarityReader(embedder)
    worlds = list(bank_worlds(embedder, options.companies))
    worlds += [faq_world(embedder, options.sections)] if options.sections else []
    rows = [row for world in worlds for row in measure(world, reader)]
    x = np.array([[getattr(s, name) for name in Signals.__dataclass_fields__] for _, s, _ in rows])
    y = np.array([asked.answerable for asked, _, _ in rows], dtype=float)
    kinds = np.array([asked.kind for asked, _, _ in rows])
    half = np.arange(len(rows)) % 2 == 0
    w = fit(x[half], y[half])
    p = 1 / (1 + np.exp(-(np.hstack([x, np.ones((len(x), 1))]) @ w)))
    print("weights", dict(zip([*Signals.__dataclass_fields__, "bias"], w.round(2), strict=True)))
    test = ~half
    for kind in ("near miss", "other topic", "left out"):
        good = np.isin(kinds, ["faq"] if kind == "left out" else ["fact"])
        if (kinds == kind).any():
            print(
                f"{kind}: AUROC {auroc(p[test & good], p[test & (kinds == kind)]):.3f}, "
                f"refused {(p[test & (kinds == kind)] < 0.5).mean():.2f}, needlessly {(p[test & good] < 0.5).mean():.2f}"
            )
    for kind in ("fact", "faq"):
        kept = np.array([share for (asked, _, share) in rows if asked.kind == kind])
        if len(kept):
            print(f"{kind}: evidence holds 80 % of the gold's words for {(kept >= 0.8).mean():.3f} of {len(kept)}")


if __name__ == "__main__":
    main()
