"""What the reader head earns on real folders: ranks of passages, evidence in three sentences, answerability, time.

Run: .venv/bin/python -m benchmarks.reading [--kb ../shared/kb] [--head FOLDER] [--held-out] [--json OUT]
60 answerable and 6 unanswerable questions a folder (benchmarks/questions), a follow-up with the customer's turn before
it. A passage is relevant if it is of a gold document and stands under the labelled section, or holds all the expected
words; questions without a relevant passage are left out of nDCG. Differences are paired (bootstrap over questions).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import read_rows
from benchmarks.reader_scores import auroc
from benchmarks.stages import FOLDERS, ROOT
from bot.baselines import PASSAGES, SENTENCES, most_similar
from bot.evidence import Evidence, SimilarityReader
from bot.head_reader import HeadReader
from bot.metrics import bootstrap, normalise
from knowledge.documents import Chunk, Document, RetrievedChunk
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.evaluate import DEPTH, has_expected_words, ndcg
from knowledge.indexing import DocumentIndex, open_knowledge
from knowledge.reader import HEAD, MiniLmReader

__all__ = ["Asked", "ask_all", "main", "measure"]

READ = 20  # passages a question


@dataclass(frozen=True)
class Asked:
    """A labelled question with its passages as the search ranks them."""

    folder: str
    row: Mapping[str, Any]
    question: str
    passages: Sequence[RetrievedChunk]
    relevant: frozenset[str]  # ids of passages, found or not
    texts: Sequence[str]  # of the gold documents

    def words_in(self, texts: Sequence[str]) -> float | None:
        """Whether the texts hold the expected words; None where the documents have none of them."""
        return has_expected_words(texts, self.row["must_contain"], self.texts, normalise)


@dataclass
class Measured:
    """Values of each question by system; a pair of lists is over the same questions in the same order."""

    ndcg: dict[str, list[float]] = field(default_factory=dict)
    words: dict[str, list[float]] = field(default_factory=dict)
    chances: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    seconds: list[float] = field(default_factory=list)


def ask_all(kb: Path, folder: str, embedder: SentenceTransformerEmbedder) -> list[Asked]:
    """Every question of a folder, searched in a fresh index of it."""
    rows = read_rows(ROOT / "benchmarks" / "questions" / f"{folder}.jsonl")
    with tempfile.TemporaryDirectory() as place:
        documents, retriever = open_knowledge(Path(place), embedder, lambda: datetime.now(UTC))
        documents.add_path(kb / folder)
        found = [_asked(folder, row, documents, retriever.retrieve(row["asked"], READ)) for row in rows]
        documents.close()
    return found


def _asked(folder: str, row: Mapping[str, Any], documents: DocumentIndex, passages: Sequence[RetrievedChunk]) -> Asked:
    gold = [s.document for s in documents.documents() if s.document.source in row["gold_docs"]]
    texts = [documents.version(document.id).markdown for document in gold]
    relevant = [
        c.id for document in gold for c in documents.chunks(document.id) if _is_relevant(row, document, c, texts)
    ]
    return Asked(folder, row, row["asked"], passages, frozenset(relevant), texts)


def _is_relevant(row: Mapping[str, Any], document: Document, chunk: Chunk, texts: Sequence[str]) -> bool:
    sections = {normalise(name) for name in row["section"].split(" | ")}
    headings = {normalise(name) for name in (*chunk.heading_path, *([] if chunk.heading_path else [document.title]))}
    return bool(sections & headings) or has_expected_words([chunk.text], row["must_contain"], texts, normalise) == 1.0


def measure(asked: Sequence[Asked], reader: HeadReader, similar: SimilarityReader) -> Measured:
    """Read every question with the trained reader and by similarity alone."""
    found = Measured()
    for item in asked:
        began = time.perf_counter()
        read = reader.score(item.question, item.passages)
        found.seconds.append(time.perf_counter() - began)
        found.chances[bool(item.row["answerable"])].append(read.answers)
        if not item.row["answerable"]:
            continue
        if item.relevant:
            _add(found.ndcg, "search", _ndcg(item.passages, item.relevant))
            _add(found.ndcg, "reader", _ndcg(read.ranked, item.relevant))
        quoted = most_similar(item.question, item.passages[:PASSAGES], similar.embedder)
        by_reader, by_similarity = _best(read.evidence), [evidence.sentence.verbatim for evidence in quoted]
        if (held := item.words_in(by_reader)) is not None:
            _add(found.words, "reader", held)
            _add(found.words, "similarity", item.words_in(by_similarity) or 0.0)
            _add(found.words, "all passages read", item.words_in([p.chunk.text for p in item.passages]) or 0.0)
    return found


def _ndcg(ranked: Sequence[RetrievedChunk], relevant: frozenset[str]) -> float:
    return ndcg([passage.chunk.id for passage in ranked], relevant, DEPTH)


def _add(lists: dict[str, list[float]], name: str, value: float) -> None:
    lists.setdefault(name, []).append(value)


def _best(scored: Sequence[Evidence]) -> list[str]:
    return [item.sentence.verbatim for item in sorted(scored, key=lambda item: -item.score)[:SENTENCES]]


def difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Mean difference with its 95 % interval."""
    found = bootstrap([a - b for a, b in zip(ours, theirs, strict=True)])
    return f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f}, n={found['n']})"


def report(found: Measured) -> dict[str, Any]:
    """Print the figures; returns them."""
    means = {f"ndcg@10, {name}": float(np.mean(values)) for name, values in found.ndcg.items()}
    means |= {f"expected words, {name}": float(np.mean(values)) for name, values in found.words.items()}
    means["answerable, area under the curve"] = auroc(found.chances[True], found.chances[False])
    means |= {f"ms for {READ} passages, p{q}": float(np.percentile(found.seconds, q)) * 1000 for q in (50, 95)}
    for name, value in means.items():
        print(f"{name}: {value:.3f}")
    print("ndcg@10, reader minus search:", difference(found.ndcg["reader"], found.ndcg["search"]))
    print("expected words, reader minus similarity:", difference(found.words["reader"], found.words["similarity"]))
    return means


def main() -> None:
    """Measure all folders together and each alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kb", type=Path, default=ROOT.parent / "shared" / "kb")
    parser.add_argument("--head", type=Path, default=HEAD)
    parser.add_argument("--held-out", action="store_true", help="only the questions that nobody tuned on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder()
    similar = SimilarityReader(embedder)
    reader = HeadReader(MiniLmReader(options.head), similar)
    reader.warm_up()
    asked = [item for folder in FOLDERS for item in ask_all(options.kb, folder, embedder)]
    asked = [item for item in asked if not options.held_out or item.row["held_out"] or not item.row["answerable"]]
    figures = {}
    for name in ("all", *FOLDERS):
        print(f"\n{name}")
        figures[name] = report(measure([a for a in asked if name in ("all", a.folder)], reader, similar))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
