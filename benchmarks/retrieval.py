"""Retrieval of ours against four frameworks: same files, questions, machine and embedder; prints tables, writes JSON.

Run: .venv/bin/python benchmarks/retrieval.py --peers-python /tmp/peers/bin/python [--sets NAME ...] [--json OUT]
                                              [--only NAME ...] [--kb FOLDER]
Every system runs alone in a process of its own. On the three real folders all read the same .md files. The example
company also has PDF, DOCX, HTML and CSV: ours reads those, and the peers get the Markdown that ours made of them, so
that all search the same text (and ours alone pays for the conversion). A follow-up is asked with the customer's turn
before it, for all alike. Documents count once, by their best passage; `held_out` rows are those nobody tuned on.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peers import OFFLINE, PEERS, TOP, measure, read_questions

from bot.metrics import bootstrap, normalise, rate
from knowledge.evaluate import BUDGET, METRICS, WORDS_DEPTH, Label, Scores, score

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
FOLDERS = ("bank-help", "commerce-help", "18f-handbook")
EXAMPLE = "example"
QUESTIONS = ROOT / "benchmarks" / "questions"
OURS = "ours"
RATES = {"recall_at_1", "recall_at_5", "expected_words", "expected_words_in_budget"}
HEADINGS = ("recall@1", "recall@5", "MRR", "nDCG@10", "expected words in the top 5", f"in the first {BUDGET} words")
Figures = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """One question with the scores of every system, and the words each hands to a reader in its first passages."""

    folder: str
    row: dict[str, Any]
    scores: dict[str, Scores]
    words: dict[str, int]

    @property
    def held_out(self) -> bool:
        """Whether nobody tuned on it."""
        return bool(self.row.get("held_out"))


def ours(folder: Path, questions: Path, out: Path) -> None:
    """Measure this project's own retrieval the way peers.py measures the others."""
    from knowledge.embedder import SentenceTransformerEmbedder
    from knowledge.indexing import open_knowledge
    from knowledge.windows import WINDOW

    embedder = SentenceTransformerEmbedder()
    embedder.embed(["warm up"])
    with tempfile.TemporaryDirectory() as place:
        documents, retriever = open_knowledge(Path(place), embedder, lambda: datetime.now(UTC))
        failed: list[str] = []

        def ingest() -> int:
            results = documents.add_path(folder)
            failed.extend(result.source for result in results if result.status == "failed")
            return sum(result.chunks for result in results)

        def ask(question: str) -> list[tuple[str, str]]:
            return [
                (found.document.source, found.chunk.text) for found in retriever.retrieve(question, TOP, window=WINDOW)
            ]

        figures = measure(ingest, ask, read_questions(questions), Path(place))
        known = [summary.document for summary in documents.documents()]
        figures["texts"] = {document.source: documents.version(document.id).markdown for document in known}
        figures["failed"] = failed
        documents.close()
    figures["versions"] = {name: version(name) for name in ("frontdesk", "chromadb", "torch", "sentence-transformers")}
    out.write_text(json.dumps(figures), encoding="utf-8")


def run_system(name: str, python: str, folder: Path, questions: Path) -> Figures:
    """The figures of one system on one folder, from a process of its own."""
    print(f"{questions.stem}: {name} ...", file=sys.stderr, flush=True)
    script = [__file__, "--stage", OURS] if name == OURS else [str(Path(__file__).with_name("peers.py")), name]
    environment = {**os.environ, **OFFLINE, "OMP_WAIT_POLICY": "PASSIVE"}
    if name != OURS:
        environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place, "out.json")
        command = [python, *script, str(folder), str(questions), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise SystemExit(f"{name} failed on '{folder}':\n{done.stderr[-2000:]}")
        return dict(json.loads(out.read_text(encoding="utf-8")))


def run_set(name: str, folder: Path, systems: Sequence[str], python: str) -> tuple[dict[str, Figures], list[Answered]]:
    """The figures of every system on one set, and its questions with the scores of every system."""
    source_of_questions = ROOT / "examples/golden.jsonl" if name == EXAMPLE else QUESTIONS / f"{name}.jsonl"
    with tempfile.TemporaryDirectory() as place:
        questions = Path(place, f"{name}.jsonl")  # a copy, so that all systems get the same while someone edits it
        questions.write_bytes(source_of_questions.read_bytes())
        figures = {OURS: run_system(OURS, sys.executable, folder, questions)}
        texts = figures[OURS].pop("texts")
        names = {source: source for source in texts}
        if name == EXAMPLE:
            folder = Path(place, "documents")
            names = write_markdown(texts, folder)
        else:
            texts = {file.relative_to(folder).as_posix(): file.read_text("utf-8") for file in folder.rglob("*.md")}
        for system in systems:
            if system != OURS:
                found = run_system(system, python, folder, questions)
                found["found"] = {
                    key: [(names.get(source, source), text) for source, text in passages]
                    for key, passages in found["found"].items()
                }
                figures[system] = found
        return figures, judge(name, read_questions(questions), figures, texts)


def write_markdown(texts: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Write texts as .md files; the source of each by the name of its file."""
    names = {source if source.endswith(".md") else f"{source}.md": source for source in texts}
    for name, source in names.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts[source], encoding="utf-8")
    return names


def judge(
    name: str, rows: Sequence[dict[str, Any]], figures: Mapping[str, Figures], texts: Mapping[str, str]
) -> list[Answered]:
    """Every question of a set with the scores of every system."""
    judged = []
    for row in rows:
        groups = tuple(tuple(group) for group in row.get("must_contain") or ())
        label = Label(row["id"], row["asked"], frozenset(row["gold_docs"]), groups)
        found = {system: figures[system]["found"][row["id"]] for system in figures}
        scores = {system: score(label, passages, texts, normalise) for system, passages in found.items()}
        words = {
            system: sum(len(text.split()) for _, text in passages[:WORDS_DEPTH]) for system, passages in found.items()
        }
        judged.append(Answered(name, row, scores, words))
    return judged


def summary(rows: Sequence[Answered], system: str) -> dict[str, Any]:
    """Every metric of a system with its interval, and the mean number of words in the first five passages."""
    found: dict[str, Any] = {}
    for metric in METRICS:
        values = [value for row in rows if (value := getattr(row.scores[system], metric)) is not None]
        found[metric] = rate(int(sum(values)), len(values)) if metric in RATES else bootstrap(values)
    return {**found, "words": statistics.fmean(row.words[system] for row in rows)}


def difference(rows: Sequence[Answered], system: str) -> dict[str, Any]:
    """Ours minus a peer on the same questions, each metric with its paired bootstrap interval."""
    found = {}
    for metric in METRICS:
        pairs = [(getattr(row.scores[OURS], metric), getattr(row.scores[system], metric)) for row in rows]
        found[metric] = bootstrap([mine - other for mine, other in pairs if mine is not None], rounds=4000)
    return found


def show(interval: Mapping[str, Any], sign: str = "") -> str:
    """0.53 (0.37 to 0.67)."""
    if interval["value"] is None:
        return "-"
    return f"{interval['value']:{sign}.2f} ({interval['low']:{sign}.2f} to {interval['high']:{sign}.2f})"


def table(heading: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print one Markdown table."""
    print(f"\n{heading}\n\n| {' | '.join(['', *columns])} |".replace("|  |", "| |"))
    print("|---" * (len(columns) + 1) + "|")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def print_quality(title: str, rows: Sequence[Answered], systems: Sequence[str]) -> dict[str, Any]:
    """A table of one selection of questions; its figures."""
    figures = {system: summary(rows, system) for system in systems}
    lines = [[s, *(show(figures[s][m]) for m in METRICS), f"{figures[s]['words']:.0f}"] for s in systems]
    table(f"{title} ({len(rows)} questions)", [*HEADINGS, "words in the top 5"], lines)
    return figures


def print_differences(title: str, rows: Sequence[Answered], systems: Sequence[str]) -> dict[str, Any]:
    """A table of ours minus each peer; its figures."""
    figures = {system: difference(rows, system) for system in systems if system != OURS}
    lines = [[f"ours - {s}", *(show(found[m], "+") for m in METRICS)] for s, found in figures.items()]
    if lines:
        table(f"{title}, paired ({len(rows)} questions)", HEADINGS, lines)
    return figures


def print_costs(figures: Mapping[str, Mapping[str, Figures]]) -> None:
    """A table of seconds, chunks, memory and disk."""
    columns = ["system", "ingest s", "chunks", "query p50 ms", "p95 ms", "peak MiB", "disk MiB"]
    lines = [
        [name, system, f"{f['ingest_seconds']:.1f}", str(f["chunks"]), f"{f['query_p50_ms']:.1f}",
         f"{f['query_p95_ms']:.1f}", f"{f['peak_MiB']:.0f}", f"{f['disk_MiB']:.1f}"]
        for name, systems in figures.items()
        for system, f in systems.items()
    ]  # fmt: skip
    table("Time, memory and disk", columns, lines)


def print_all(
    rows: Sequence[Answered], figures: Mapping[str, Mapping[str, Figures]], systems: Sequence[str]
) -> Figures:
    """All tables; their figures by selection of questions."""
    selections: dict[str, Callable[[Answered], bool]] = {"all": lambda row: True, "held out": lambda row: row.held_out}
    found: Figures = {"quality": {}, "differences": {}}
    for title, wanted in selections.items():
        chosen = [row for row in rows if wanted(row)]
        if not chosen:
            continue
        found["quality"][title] = print_quality(f"All sets, {title}", chosen, systems)
        found["differences"][title] = print_differences(f"All sets, {title}", chosen, systems)
        for name in figures:
            of_set = [row for row in chosen if row.folder == name]
            if of_set:
                found["quality"][f"{name}, {title}"] = print_quality(f"{name}, {title}", of_set, systems)
    print_costs(figures)
    return found


def as_json(rows: Sequence[Answered], figures: Mapping[str, Mapping[str, Figures]], tables: Figures) -> Figures:
    """Everything that was measured; passages by their source only."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    config = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit, "cores": os.cpu_count(),
              "machine": platform.platform(), "python": platform.python_version()}  # fmt: skip
    costs = {
        name: {
            system: {key: value for key, value in found.items() if key != "found"} for system, found in systems.items()
        }
        for name, systems in figures.items()
    }
    questions = [
        {
            "set": row.folder, "id": row.row["id"], "type": row.row["type"], "asked": row.row["asked"],
            "held_out": row.held_out, "gold_docs": row.row["gold_docs"],
            "systems": {
                system: {
                    **asdict(scores),
                    "sources": [source for source, _ in figures[row.folder][system]["found"][row.row["id"]]],
                }
                for system, scores in row.scores.items()
            },
        }
        for row in rows
    ]  # fmt: skip
    return {"config": config, "costs": costs, **tables, "questions": questions}


def main() -> None:
    """Run everything, or with --stage ours alone in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers-python", default=sys.executable, help="Python with benchmarks/peers-requirements.txt")
    parser.add_argument("--sets", nargs="+", choices=[*FOLDERS, EXAMPLE], default=[*FOLDERS, EXAMPLE])
    parser.add_argument("--only", nargs="+", choices=[OURS, *PEERS], default=[OURS, *PEERS], help="ours always runs")
    parser.add_argument("--kb", type=Path, default=ROOT.parent / "shared" / "kb", help="where the real folders lie")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--stage", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        ours(*(Path(path).resolve() for path in options.stage[1:]))
        return
    systems = [OURS, *(name for name in PEERS if name in options.only)]
    figures, rows = {}, []
    for name in options.sets:
        folder = ROOT / "examples" / "documents" if name == EXAMPLE else options.kb.resolve() / name
        figures[name], answered = run_set(name, folder, systems, options.peers_python)
        rows += answered
    tables = print_all(rows, figures, systems)
    if options.json:
        options.json.write_text(json.dumps(as_json(rows, figures, tables), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
