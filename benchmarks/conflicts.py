"""Contradictions: hits and wrong hits on labelled pages, alarms on documents as they are, and time; prints tables.

Run: .venv/bin/python benchmarks/conflicts.py --homes FOLDER [--kb FOLDER] [--half practice|held_out] [--alarms]

A home is made for the example company and for each real folder, and kept in --homes. The labelled facts
(benchmarks/conflicts.txt) are uploaded as pages of five, the way a team writes a cheat sheet: once each with another
value, which has to be found, once with the same value in other words, and pages of other facts, where nothing may be
found. --alarms runs over every document of the homes and prints what it says, to be judged by reading.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from knowledge.conflicts import Conflict, find_conflicts
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.indexing import DocumentIndex, open_knowledge

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
LABELS = ROOT / "benchmarks" / "conflicts.txt"
EXAMPLE, FOLDERS = "example", ("18f-handbook", "bank-help", "commerce-help")
HALVES = ("practice", "held_out")
TITLES = ("Quick answers", "Notes for the phone team")
FACTS_OF_PAGE = 5


@dataclass(frozen=True)
class Fact:
    """A fact of a folder in two wordings of ours: with another value, and with its own."""

    half: str
    folder: str
    sources: str
    stands: str
    heading: str
    other: str
    same: str

    def is_met_by(self, conflict: Conflict) -> bool:
        """Whether a conflict names the place where the fact stands."""
        place = any(part in conflict.document.source for part in self.sources.split(", "))
        return place and self.stands.lower() in conflict.theirs.lower() and conflict.ours == self.other


@dataclass
class Tally:
    """What came out of the pages of one half of a folder."""

    facts: int = 0
    hits: int = 0
    right: int = 0
    wrong: list[Conflict] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def labels() -> tuple[list[Fact], list[tuple[str, ...]]]:
    """The facts, and (half, folder, heading, text) of those that nothing contradicts."""
    rows = [line.split(" | ") for line in LABELS.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    facts = [Fact(*row[1:]) for row in rows if row[0] == "fact"]
    return facts, [tuple(row[1:]) for row in rows if row[0] == "own"]


def pages(items: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Markdown of (heading, text), five to a page."""
    for number, at in enumerate(range(0, len(items), FACTS_OF_PAGE)):
        body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in items[at : at + FACTS_OF_PAGE])
        yield f"# {TITLES[number % len(TITLES)]}\n\n{body}\n"


def open_home(homes: Path, folder: str, kb: Path, embedder: SentenceTransformerEmbedder) -> DocumentIndex:
    """The home of a folder, filled if it is new."""
    home = homes / folder
    is_new = not home.exists()
    documents, _ = open_knowledge(home, embedder, lambda: datetime.now(UTC))
    if is_new:
        print(f"adding {folder} ...", flush=True)
        documents.add_path(ROOT / "examples" / "documents" if folder == EXAMPLE else kb / folder)
    return documents


def upload(documents: DocumentIndex, text: str, tally: Tally) -> list[Conflict]:
    """What is found for a page, which is gone afterwards."""
    result = documents.add_bytes("cheat-sheet.md", text.encode())
    if result.document is None:
        raise SystemExit(result.message)
    begun = time.perf_counter()
    found = find_conflicts(documents, result.document.id)
    tally.seconds.append(time.perf_counter() - begun)
    documents.remove(result.document.id)
    return found


def measure(documents: DocumentIndex, facts: Sequence[Fact], own: Sequence[tuple[str, str]]) -> Tally:
    """Upload all pages of one half of one folder."""
    tally = Tally(len(facts))
    met: set[Fact] = set()
    for text in pages([(fact.heading, fact.other) for fact in facts]):
        for conflict in upload(documents, text, tally):
            fitting = {fact for fact in facts if fact.is_met_by(conflict)}
            met |= fitting
            tally.right += bool(fitting)
            tally.wrong += [] if fitting else [conflict]
    for text in [*pages([(fact.heading, fact.same) for fact in facts]), *pages(own)]:
        tally.wrong += upload(documents, text, tally)
    tally.hits, tally.missed = len(met), [fact.other for fact in facts if fact not in met]
    return tally


def show(conflict: Conflict, source: str = "") -> None:
    """One conflict on two lines."""
    print(f"  {conflict.likeness:.2f} {' '.join(conflict.our_values)} | {conflict.ours}   {source}")
    print(f"       {' '.join(conflict.their_values)} | {conflict.theirs}   {conflict.document.source}")


def alarms(documents: DocumentIndex, folder: str) -> None:
    """Look at every document as if it had just been added; a pair counts for the later one."""
    seconds, count, told = [], 0, 0
    for document in documents.catalog.all_documents(documents.clock()):
        begun = time.perf_counter()
        found = find_conflicts(documents, document.id)
        seconds.append(time.perf_counter() - begun)
        count, told = count + len(found), told + bool(found)
        for conflict in found:
            show(conflict, document.source)
    print(f"{folder}: {count} alarms for {told} of {len(seconds)} documents, {statistics.mean(seconds):.3f} s each")


def main() -> None:
    """Print hits, wrong hits, misses and times, and alarms on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--homes", type=Path, required=True)
    parser.add_argument("--kb", type=Path, default=ROOT.parent / "shared" / "kb")
    parser.add_argument("--half", choices=HALVES, action="append")
    parser.add_argument("--alarms", action="store_true")
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder()
    embedder.embed(["warm up"])
    facts, own = labels()
    for folder in (EXAMPLE, *(name for name in FOLDERS if (options.kb / name).is_dir())):
        documents = open_home(options.homes, folder, options.kb, embedder)
        for half in options.half or HALVES:
            chosen = [fact for fact in facts if (fact.half, fact.folder) == (half, folder)]
            tally = measure(documents, chosen, [(row[2], row[3]) for row in own if row[:2] == (half, folder)])
            print(
                f"{folder} {half}: {tally.hits} of {tally.facts} facts found, {tally.right} right and "
                f"{len(tally.wrong)} wrong conflicts, {statistics.median(tally.seconds):.3f} s a page"
            )
            for conflict in tally.wrong:
                show(conflict)
            print("".join(f"  missed: {text}\n" for text in tally.missed), end="")
        if options.alarms:
            alarms(documents, folder)
        documents.close()


if __name__ == "__main__":
    main()
