"""What each stage of the search earns: the same questions with one of them changed or left out at a time.

`python benchmarks/stages.py [--kb ../shared/kb]` prints a table over the questions of the three real folders.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.metrics import normalise
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.evaluate import Label, Scores, score
from knowledge.indexing import open_knowledge
from knowledge.retriever import Retriever, Stages
from knowledge.windows import WINDOW

ROOT = Path(__file__).parents[1]
FOLDERS = ("bank-help", "commerce-help", "18f-handbook")
METRICS = ("recall_at_1", "recall_at_5", "mrr", "ndcg_at_10", "expected_words")
VARIANTS: dict[str, tuple[Stages, int]] = {
    "everything": (Stages(), WINDOW),
    "single passages": (Stages(), 0),
    "windows of 1,000": (Stages(), 1000),
    "without folding": (Stages(fold=False), 0),
    "reciprocal rank fusion": (Stages(fusion="rrf"), 0),
    "vectors alone": (Stages(lexical=False), 0),
    "BM25 alone": (Stages(dense=False), 0),
}


def labels(questions: Path) -> list[Label]:
    """The answerable questions, a follow-up with the customer's turn before it."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in questions.read_text().splitlines()]
    found = []
    for row in rows:
        earlier = [turn["content"] for turn in row["history"] if turn["role"] == "user"][-1:]
        words = tuple(tuple(group) for group in row["must_contain"])
        if row["answerable"]:
            found.append(Label(row["id"], " ".join([*earlier, row["question"]]), frozenset(row["gold_docs"]), words))
    return found


def measured(retriever: Retriever, asked: Sequence[Label], window: int, texts: Mapping[str, str]) -> list[Scores]:
    """The scores of every question."""
    scores = []
    for label in asked:
        passages = retriever.retrieve(label.question, 10, window=window)
        scores.append(score(label, [(p.document.source, p.chunk.text) for p in passages], texts, normalise))
    return scores


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kb", type=Path, default=ROOT.parent / "shared" / "kb")
    kb = parser.parse_args().kb
    embedder = SentenceTransformerEmbedder()
    found: dict[str, list[Scores]] = {name: [] for name in VARIANTS}
    for folder in FOLDERS:
        with tempfile.TemporaryDirectory() as place:
            documents, _ = open_knowledge(Path(place), embedder, lambda: datetime.now(UTC))
            documents.add_path(kb / folder)
            asked = labels(ROOT / "benchmarks" / "questions" / f"{folder}.jsonl")
            texts = {s.document.source: documents.version(s.document.id).markdown for s in documents.documents()}
            for name, (stages, window) in VARIANTS.items():
                retriever = Retriever(documents.catalog, documents.vectors, embedder, documents.clock, stages)
                found[name] += measured(retriever, asked, window, texts)
            documents.close()
    print(f"| | {' | '.join(METRICS)} |\n|---|{'---|' * len(METRICS)}")
    for name, scores in found.items():
        means = []
        for metric in METRICS:
            values = [value for s in scores if (value := getattr(s, metric)) is not None]
            means.append(f"{sum(values) / len(values):.3f}")
        print(f"| {name} | {' | '.join(means)} |")


if __name__ == "__main__":
    main()
