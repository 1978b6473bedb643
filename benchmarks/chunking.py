"""Our splitter beside fixed-size splitting: how often the right document and the expected words are among the first.

Run: .venv/bin/python benchmarks/chunking.py --kb ../shared/kb [--cache FILE] [--rows tune|held-out|all]
For each way to split, over the folders that have a question file (KB/NAME and questions/NAME.jsonl): recall at 1 and 5
(a gold document is among the first passages), and words: the share of questions with all groups of expected words,
of those that a gold document has, in the first 5 passages, and in the first 2,000 characters of all passages, since a
longer passage shows more but also costs a small model more. Embedder, word index and weights are the project's.
"""

import argparse
import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.converters import convert
from knowledge.documents import Document, DocumentVersion, document_id
from knowledge.embedder import Embedder, SentenceTransformerEmbedder, Vectors
from knowledge.errors import KnowledgeError
from knowledge.lexical import WORDS_TABLE, searched_words
from knowledge.passages import embedded_text, make_chunks
from knowledge.retriever import CANDIDATES, DENSE_WEIGHT, MIN_DENSE

__all__ = ["main"]

QUESTIONS = Path(__file__).parent / "questions"
TOP = 5
RANKED_PASSAGES = 25
BUDGET = 2000  # characters: about what five of our passages have
# The same as knowledge/lexical.py, without the scopes of a catalog.
RANKED = (
    "SELECT rowid, -bm25(chunk_words, 2.0, 1.0) AS score FROM chunk_words WHERE chunk_words MATCH ? "
    "ORDER BY score DESC, rowid LIMIT ?"
)


@dataclass(frozen=True)
class Page:
    """One document of a folder."""

    source: str
    title: str
    markdown: str


@dataclass(frozen=True)
class Passage:
    """What is ranked: `heading` and `text` go into the word index, `embedded` to the embedder."""

    source: str
    heading: str
    text: str
    embedded: str


@dataclass
class Vault:
    """The embedder with a memory of the texts it has seen, kept in a file between runs."""

    embedder: Embedder
    path: Path | None
    known: dict[str, Vectors] = field(default_factory=dict)

    def load(self) -> None:
        """Read the file, if there is one."""
        if self.path and self.path.exists():
            stored = np.load(self.path)
            self.known = dict(zip(stored["names"].tolist(), stored["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of shape (texts, dimensions)."""
        names = [hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24] for text in texts]
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in self.known}
        if missing:
            self.known |= dict(zip(missing, self.embedder.embed(list(missing.values())), strict=True))
            if self.path:
                np.savez(self.path, names=np.array(list(self.known)), vectors=np.stack(list(self.known.values())))
        return np.stack([self.known[name] for name in names])


Split = Callable[[Page, Embedder], Iterator[Passage]]


def ours(page: Page, embedder: Embedder) -> Iterator[Passage]:
    """The passages of knowledge/passages.py."""
    name, now = document_id("", page.source), datetime.now(UTC)
    document = Document(name, "", page.source, page.title)
    version = DocumentVersion(name, 1, "", now, page.markdown, "", page.title, now)
    for chunk in make_chunks(document, version, embedder):
        heading = " ".join((page.title, *chunk.heading_path))
        yield Passage(page.source, heading, chunk.text, embedded_text(page.title, chunk))


def without_headings(page: Page, embedder: Embedder) -> Iterator[Passage]:
    """The same passages with nothing in front of them."""
    for passage in ours(page, embedder):
        yield Passage(page.source, page.title, passage.text, passage.text)


def windows(page: Page, embedder: Embedder, size: int = 256, overlap: int = 32) -> Iterator[Passage]:
    """Windows of `size` tokens, cut between words, that share `overlap` tokens."""
    words = [match.span() for match in re.finditer(r"\S+", page.markdown)]
    tokens = [embedder.count_tokens(page.markdown[start:end]) for start, end in words]
    first = 0
    while first < len(words):
        after = _fill(tokens, range(first, len(words)), size - 2)  # two are special
        text = page.markdown[words[first][0] : words[after - 1][1]]
        yield Passage(page.source, page.title, text, text)
        if after == len(words):
            return
        shared = after - _fill(tokens, range(after - 1, first, -1), overlap)
        first = max(first + 1, after - max(0, shared))


def _fill(tokens: Sequence[int], places: range, size: int) -> int:
    """How far one gets along `places` with `size` tokens: an end forwards, a number of words backwards."""
    used = count = 0
    for place in places:
        used += tokens[place]
        if used > size and count:
            break
        count += 1
    return places.start + count if places.step > 0 else places.start + 1 - count


def characters(page: Page, embedder: Embedder, size: int = 900, overlap: int = 100) -> Iterator[Passage]:
    """Stretches of `size` characters that share `overlap`, wherever that cuts."""
    for start in range(0, max(1, len(page.markdown) - overlap), size - overlap):
        text = page.markdown[start : start + size]
        if text.strip():
            yield Passage(page.source, page.title, text, text)


def titled(split: Split) -> Split:
    """The same with the title in front of what is embedded."""

    def with_title(page: Page, embedder: Embedder) -> Iterator[Passage]:
        for passage in split(page, embedder):
            yield Passage(passage.source, passage.heading, passage.text, f"{page.title}\n{passage.text}")

    return with_title


WAYS: dict[str, Split] = {
    "ours": ours,
    "ours, no headings": without_headings,
    "256 tokens, 32 shared": windows,
    "256 tokens, title": titled(lambda page, embedder: windows(page, embedder, 224)),
    "900 characters, 100 shared": characters,
    "900 characters, title": titled(characters),
}


class Ranking:
    """Passages of one folder, searched like knowledge/retriever.py does."""

    def __init__(self, passages: Sequence[Passage], vault: Vault) -> None:
        self.passages = passages
        self.vectors = vault.embed([passage.embedded for passage in passages])
        self.words = sqlite3.connect(":memory:")
        self.words.execute(WORDS_TABLE)
        rows = ((n, p.heading, p.text) for n, p in enumerate(passages))
        self.words.executemany("INSERT INTO chunk_words (rowid, heading, text) VALUES (?, ?, ?)", rows)

    def first(self, query: str, vector: Vectors, count: int) -> list[Passage]:
        """The best passages, those left out that repeat a better one."""
        cosines = self.vectors @ vector
        terms = " OR ".join(f'"{word}"' for word in searched_words(query))
        hits = dict(self.words.execute(RANKED, (terms, CANDIDATES)).fetchall()) if terms else {}
        best = max(hits.values(), default=1.0)
        near = {int(row) for row in np.argsort(-cosines)[:CANDIDATES] if cosines[row] >= MIN_DENSE}
        scores = {
            row: DENSE_WEIGHT * max(0.0, float(cosines[row])) + (1 - DENSE_WEIGHT) * hits.get(row, 0.0) / best
            for row in near | hits.keys()
        }
        found: dict[tuple[str, ...], Passage] = {}
        for row in sorted(scores, key=lambda row: (-scores[row], row)):
            passage = self.passages[row]
            found.setdefault((passage.heading.lower(), *re.findall(r"\w+", passage.text.lower())), passage)
        return list(found.values())[:count]


def read_pages(folder: Path) -> list[Page]:
    """Every document of a folder that can be read."""
    pages = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            converted = convert(path.name, path.read_bytes())
        except KnowledgeError:
            continue
        pages.append(Page(path.relative_to(folder).as_posix(), converted.title, converted.markdown))
    return pages


def read_rows(path: Path, which: str) -> list[dict[str, Any]]:
    """The answerable questions; `which` of them: "tune", "held-out" or "all"."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    wanted = {"tune": (False,), "held-out": (True,), "all": (False, True)}[which]
    return [row for row in rows if row["answerable"] and row.get("held_out", False) in wanted]


def query_of(row: dict[str, Any]) -> str:
    """The question, after the user's questions before it."""
    return " ".join([*(turn["content"] for turn in row["history"] if turn["role"] == "user"), row["question"]])


@dataclass(frozen=True)
class Verdict:
    """What the ranking is worth for one question; None where no expected word can be looked for."""

    first: bool
    five: bool
    words: bool | None
    words_within: bool | None
    shown: int


def judged(row: dict[str, Any], pages: dict[str, Page], found: Sequence[Passage]) -> Verdict:
    """The verdict on passages, best first."""
    gold = set(row["gold_docs"])
    known = " ".join(pages[source].markdown.lower() for source in gold & pages.keys())
    groups = [[word.lower() for word in group] for group in row["must_contain"]]
    groups = [group for group in groups if _has(group, known)]
    texts = [passage.text.lower() for passage in found]

    def all_in(text: str) -> bool | None:
        return all(_has(group, text) for group in groups) if groups else None

    return Verdict(
        any(passage.source in gold for passage in found[:1]),
        any(passage.source in gold for passage in found[:TOP]),
        all_in(" ".join(texts[:TOP])),
        all_in(" ".join(texts)[:BUDGET]),
        sum(map(len, texts[:TOP])),
    )


def _has(group: Iterable[str], text: str) -> bool:
    return any(word in text for word in group)


def main() -> None:
    """Print a table row for each way to split."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kb", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="a .npz file to keep vectors in between runs")
    parser.add_argument("--rows", choices=["tune", "held-out", "all"], default="all")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    options = parser.parse_args()
    vault = Vault(SentenceTransformerEmbedder(), options.cache)
    vault.load()
    folders = {path.stem: read_pages(options.kb / path.stem) for path in sorted(QUESTIONS.glob("*.jsonl"))}
    asked = {name: read_rows(QUESTIONS / f"{name}.jsonl", options.rows) for name in folders}
    columns = ("way", "passages", "characters", "cut silently", "recall@1", "recall@5", "words in 5",
               "words in 2,000", "characters in 5", "questions")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for way in options.ways:
        print(measure(WAYS[way], way, folders, asked, vault), flush=True)


def measure(
    split: Split, name: str, folders: dict[str, list[Page]], asked: dict[str, list[dict[str, Any]]], vault: Vault
) -> str:
    """One row of the table."""
    verdicts: list[Verdict] = []
    passages: list[Passage] = []
    for folder, pages in folders.items():
        split_here = [passage for page in pages for passage in split(page, vault.embedder)]
        ranking, by_source = Ranking(split_here, vault), {page.source: page for page in pages}
        queries = [query_of(row) for row in asked[folder]]
        for row, query, vector in zip(asked[folder], queries, vault.embed(queries), strict=True):
            verdicts.append(judged(row, by_source, ranking.first(query, vector, RANKED_PASSAGES)))
        passages += split_here
    cut = sum(vault.embedder.count_tokens(passage.embedded) > vault.embedder.max_tokens for passage in passages)
    size = np.mean([len(passage.text) for passage in passages])
    return (
        f"| {name} | {len(passages)} | {size:.0f} | {cut / len(passages):.1%} | {_share(v.first for v in verdicts)} | "
        f"{_share(v.five for v in verdicts)} | {_share(v.words for v in verdicts)} | "
        f"{_share(v.words_within for v in verdicts)} | {np.mean([v.shown for v in verdicts]):.0f} | {len(verdicts)} |"
    )


def _share(values: Iterable[bool | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}"


if __name__ == "__main__":
    main()
