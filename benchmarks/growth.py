"""Growth: queries over 10,000 to 100,000 passages with dates and audiences, and adding an unchanged folder again.

`python benchmarks/growth.py [--passages 10000 50000 100000] [--kb ../shared/kb]`. A passage is three sentences drawn
from the real folders under --kb, so that words are as frequent as in real documents; its vector is generated, around
one of 500 topics. Questions are those of benchmarks/questions, embedded by the real model. Every query is filtered by
date and audience: a tenth of the documents are for staff, a tenth have a past version, a tenth one that is to come.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the server sets it, before torch is loaded

import numpy as np
from numpy.typing import NDArray

from knowledge.audiences import STAFF
from knowledge.documents import Terms
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.indexing import DocumentIndex, open_knowledge
from knowledge.retriever import Retriever

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECTIONS = 20  # of a document, one passage each
TOPICS = 500
ROOT = Path(__file__).parents[1]


class GeneratedEmbedder:
    """Vectors of passages around random topics; those of questions by the real model."""

    name = "generated"
    max_tokens = 254

    def __init__(self) -> None:
        self.real = SentenceTransformerEmbedder()
        self.draw = np.random.default_rng(7)
        self.topics = self.draw.normal(size=(TOPICS, self.dimensions)).astype(np.float32)

    @property
    def dimensions(self) -> int:
        """As those of MiniLM."""
        return 384

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The real vector of one text, generated ones of several."""
        if len(texts) == 1:
            return self.real.embed(texts)
        noise = self.draw.normal(scale=0.7, size=(len(texts), self.dimensions))
        found = self.topics[self.draw.integers(TOPICS, size=len(texts))] + noise
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)

    def count_tokens(self, text: str) -> int:
        """About as many as the real one counts."""
        return len(text) // 4


def sentences(kb: Path) -> list[str]:
    """Every sentence of the real folders, without marks of Markdown."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(kb.rglob("*.md"))]
    parts = (part.strip(" #*->|") for text in texts for part in re.split(r"(?<=[.!?])\s+|\n", text))
    return [part for part in parts if 40 < len(part) < 300]


def text_of(draw: random.Random, number: int, pool: Sequence[str]) -> bytes:
    """A document of `SECTIONS` sections with three sentences each."""
    parts = [draw.choices(pool, k=3) for _ in range(SECTIONS)]
    sections = [f"## Section {n}\n\n{' '.join(part)}\n" for n, part in enumerate(parts)]
    return f"# Document {number}\n\n{chr(10).join(sections)}".encode()


def fill(documents: DocumentIndex, upto: int, pool: Sequence[str]) -> None:
    """Add generated documents until there are `upto` passages in force."""
    draw = random.Random(upto)
    number = len(documents.documents(everything=True))
    while number * SECTIONS < upto:
        audience = "internal" if number % 10 == 0 else "public"
        days = [-90, *([-30] if number % 10 == 1 else []), *([30] if number % 10 == 2 else [])]
        for day in days:
            terms = Terms(NOW + timedelta(days=day), audience=audience)
            documents.add_item("grown", f"{number}.md", "x.md", text_of(draw, number, pool), terms)
        number += 1


def questions() -> list[str]:
    """The questions of customers of the real folders."""
    files = sorted((ROOT / "benchmarks" / "questions").glob("*.jsonl"))
    return [json.loads(line)["question"] for file in files for line in file.read_text().splitlines()]


def timed(retriever: Retriever, asked: Sequence[str], **scope: object) -> list[float]:
    """Milliseconds of each query."""
    for question in asked[:10]:
        retriever.retrieve(question, 5, **scope)
    times = []
    for question in asked:
        began = time.perf_counter()
        retriever.retrieve(question, 5, **scope)
        times.append(1000 * (time.perf_counter() - began))
    return times


def readd(place: Path, pool: Sequence[str]) -> float:
    """Seconds to add a folder of 1,000 documents again in which nothing changed."""
    folder = place / "folder"
    folder.mkdir()
    draw = random.Random(1)
    for number in range(1000):
        (folder / f"{number}.md").write_bytes(text_of(draw, number, pool))
    documents, _ = open_knowledge(place / "readd", GeneratedEmbedder(), lambda: NOW)
    documents.add_path(folder)
    began = time.perf_counter()
    results = documents.add_path(folder)
    seconds = time.perf_counter() - began
    documents.close()
    if {result.status for result in results} != {"unchanged"}:
        raise SystemExit("Something was added again: the figure means nothing.")
    return seconds


def main() -> None:
    """Print a table row for each size and kind of asker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 50_000, 100_000])
    parser.add_argument("--kb", type=Path, default=ROOT.parent / "shared" / "kb")
    arguments = parser.parse_args()
    place, pool, asked = Path(tempfile.mkdtemp(prefix="growth-")), sentences(arguments.kb), questions()
    documents, retriever = open_knowledge(place / "home", GeneratedEmbedder(), lambda: NOW)
    print("| passages | asked by | p50 ms | p95 ms | memory MiB | disk MiB |\n|---|---|---|---|---|---|")
    for size in arguments.passages:
        fill(documents, size, pool)
        past = NOW - timedelta(days=60)
        for name, scope in (
            ("customer, now", {}),
            ("staff, now", {"audiences": STAFF}),
            ("60 days ago", {"as_of": past}),
        ):
            p50, p95 = np.percentile(timed(retriever, asked, **scope), [50, 95])
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            disk = sum(path.stat().st_size for path in (place / "home").rglob("*") if path.is_file()) / 2**20
            print(f"| {size:,} | {name} | {p50:.1f} | {p95:.1f} | {memory:.0f} | {disk:.0f} |", flush=True)
    documents.close()
    print(f"\nAdding an unchanged folder of 1,000 documents again: {readd(place, pool):.2f} s")
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
