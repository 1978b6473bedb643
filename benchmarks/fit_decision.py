"""Fits the score that decides between answering and abstaining, on practice questions that the reader never saw.

Run: .venv/bin/python -m benchmarks.fit_decision [--sections FILE] [--similarity]
Prints the weights for bot/decision.py, the area under the ROC curve of each kind, and refusals at the threshold.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.practice import PracticeQuestion, World, bank_worlds, faq_world
from benchmarks.reader_scores import auroc
from bot.decision import Signals, read_signals
from bot.dialogue import standalone_question
from bot.evidence import Reader, SimilarityReader, content_words
from bot.gather import gather
from bot.head_reader import HeadReader
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.reader import MiniLmReader

__all__ = ["main"]

NAMES = ("answers", "evidence", "passage", "words")
THRESHOLDS = (0.5, 0.6, 0.65, 0.7)


@dataclass(frozen=True)
class Measured:
    """One practice question with its signals and the share of the gold's words that the evidence holds."""

    asked: PracticeQuestion
    signals: Signals
    kept: float
    words: int


def measure(world: World, reader: Reader) -> list[Measured]:
    """Signals and evidence of every question of a company."""
    rows = []
    for asked in world.questions:
        history = [{"role": "user", "content": asked.earlier}] if asked.earlier else []
        question = standalone_question(asked.question, history)  # type: ignore[arg-type]
        choice = gather(asked.question, world.retriever, reader, question)
        text = " ".join(item.sentence.plain for item in choice.evidence)
        gold = content_words(asked.gold)
        kept = len(gold & content_words(text)) / max(1, len(gold))
        rows.append(Measured(asked, read_signals(question, choice), kept, len(text.split())))
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


def report(rows: list[Measured]) -> None:
    """Fit on every other question and print what holds on the rest."""
    x = np.array([[getattr(row.signals, name) for name in NAMES] for row in rows])
    y = np.array([row.asked.answerable for row in rows], dtype=float)
    kinds = np.array([row.asked.kind for row in rows])
    half = np.arange(len(rows)) % 2 == 0
    w = fit(x[half], y[half])
    p = 1 / (1 + np.exp(-(np.hstack([x, np.ones((len(x), 1))]) @ w)))
    print("weights", dict(zip([*NAMES, "bias"], w.round(2).tolist(), strict=True)))
    test = ~half
    for kind in ("near miss", "other topic", "left out"):
        good, bad = p[test & np.isin(kinds, ["faq"] if kind == "left out" else ["fact"])], p[test & (kinds == kind)]
        if len(bad):
            at = ", ".join(f"{(bad < t).mean():.2f} (needlessly {(good < t).mean():.2f}) under {t}" for t in THRESHOLDS)
            print(f"{kind}: AUROC {auroc(good, bad):.3f}, refused {at}")
    for kind in ("fact", "faq"):
        found = [row for row in rows if row.asked.kind == kind]
        if found:
            kept = np.mean([row.kept >= 0.8 for row in found])
            print(f"{kind}: evidence holds 80 % of the gold's words for {kept:.3f} of {len(found)}, "
                  f"in {np.median([row.words for row in found]):.0f} words")  # fmt: skip


def main() -> None:
    """Build the companies, read every question, fit and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sections", type=Path, help="sections.jsonl with FAQ rows")
    parser.add_argument("--companies", type=int, default=12)
    parser.add_argument("--similarity", action="store_true", help="the reader without the trained head")
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder()
    similar = SimilarityReader(embedder)
    reader: Reader = similar if options.similarity else HeadReader(MiniLmReader(), similar)
    worlds = list(bank_worlds(embedder, options.companies, unseen=True))
    worlds += [faq_world(embedder, options.sections, unseen=True)] if options.sections else []
    report([row for world in worlds for row in measure(world, reader)])


if __name__ == "__main__":
    main()
