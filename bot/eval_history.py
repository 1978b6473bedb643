"""Evaluation runs kept in the home: what each scored, under which configuration, and what fell since the one before."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.errors import HomeError
from bot.metrics import bootstrap
from tone_tuning.atomic import file_sha256, read_json, write_json

__all__ = ["FEWEST", "Fall", "Run", "draw", "falls", "keep_run", "previous_run", "read_runs", "table_rows"]

FOLDER = Path("reports", "eval")
FEWEST = 10  # questions that both runs have in common; of fewer, one answer more or less would look like a trend
# What is compared question by question, and whether more of it is better.
COMPARED = {"correctness": True, "citation_recall": True, "refusal_recall": True, "unsupported_rate": False}
CAUSES = ("base_model", "adapter", "embedder", "reader", "prompt_hash", "documents_sha256", "settings", "packages")


@dataclass(frozen=True)
class Run:
    """One evaluation run as it was kept; `answers` has the outcome of each question by its id."""

    path: Path
    questions: str  # name of the file
    questions_sha256: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    answers: Mapping[str, Mapping[str, Any]]

    @property
    def at(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.config["date"])

    def is_like(self, other: "Run") -> bool:
        """Whether the same questions were asked in the same way."""
        same_file = self.questions_sha256 == other.questions_sha256 and self.config["mode"] == other.config["mode"]
        return same_file and self.answers.keys() == other.answers.keys()


@dataclass(frozen=True)
class Fall:
    """A metric that is worse than in the run before, beyond the 95 % interval of the paired difference."""

    metric: str
    before: float
    now: float
    difference: Mapping[str, Any]  # value, low, high and n of now minus before
    since: datetime
    causes: tuple[str, ...]  # names in the configuration that changed

    def __str__(self) -> str:
        changed = f"changed since: {', '.join(self.causes)}" if self.causes else "nothing in its configuration changed"
        return (
            f"{self.metric} is {self.now:.2f} and was {self.before:.2f} on {self.since:%Y-%m-%d %H:%M} UTC "
            f"({self.difference['value']:+.2f}, {self.difference['low']:+.2f} to {self.difference['high']:+.2f}, "
            f"{self.difference['n']} questions); {changed}."
        )


def keep_run(home: Path, questions: Path, report: Mapping[str, Any]) -> Run:
    """Write a report of `bot.evaluate` into the home, without the texts of its answers.

    Raises:
        HomeError: the folder cannot be written.
    """
    answers = {row["id"]: {name: row[name] for name in ("answerable", "outcome", "correct", "cited_right")}
               | {"unsupported": len(row["unsupported"])} for row in report["answers"]}  # fmt: skip
    content = {
        "questions": questions.name,
        "questions_sha256": file_sha256(questions),
        "config": report["config"],
        "summary": report["summary"],
        "answers": answers,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    at = datetime.fromisoformat(report["config"]["date"]).astimezone(UTC)
    path = home / FOLDER / f"{at:%Y%m%dT%H%M%S%f}-{digest}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
    except OSError as error:
        raise HomeError(
            f"The run cannot be kept in '{path.parent}' ({error.strerror or error}): check the disk and permissions."
        ) from error
    return Run(path, **content)


def read_runs(home: Path) -> tuple[list[Run], list[Path]]:
    """All runs that were kept, oldest first, and the files among them that cannot be read."""
    runs, damaged = [], []
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            run = Run(path, **(read_json(path) or {}))
            run.at  # noqa: B018 - a file without a date is none of ours
            runs.append(run)
        except (TypeError, KeyError, ValueError):
            damaged.append(path)
    return sorted(runs, key=lambda run: (run.at, run.path.name)), damaged


def previous_run(runs: Iterable[Run], run: Run) -> Run | None:
    """The last one before `run` of the same questions, asked in the same way."""
    before = [other for other in runs if other.path != run.path and other.at <= run.at and other.is_like(run)]
    return before[-1] if before else None


def falls(before: Run, now: Run) -> list[Fall]:
    """What is worse now; nothing where the runs have too few questions to tell."""
    causes = tuple(name for name in CAUSES if before.config.get(name) != now.config.get(name))
    found = []
    for metric, more_is_better in COMPARED.items():
        pairs = list(_pairs(metric, before, now))
        difference = bootstrap([new - old for old, new in pairs])
        bound = difference["high" if more_is_better else "low"]
        if len(pairs) < FEWEST or bound is None or (bound >= 0 if more_is_better else bound <= 0):
            continue
        old, new = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
        found.append(Fall(metric, old, new, difference, before.at, causes))
    return found


def _pairs(metric: str, before: Run, now: Run) -> Iterator[tuple[float, float]]:
    """The values of a metric for every question that counts for it in both runs."""
    for name, answer in now.answers.items():
        values = [_value(metric, found) for found in (before.answers[name], answer)]
        if None not in values:
            yield values[0] or 0.0, values[1] or 0.0


def _value(metric: str, answer: Mapping[str, Any]) -> float | None:
    declined = answer["outcome"] != "answered"
    if metric == "correctness":
        return float(answer["correct"]) if answer["answerable"] else None
    if metric == "refusal_recall":
        return None if answer["answerable"] else float(declined)
    if metric == "citation_recall":
        return float(answer["cited_right"]) if answer["answerable"] and not declined else None
    return None if declined else float(answer["unsupported"] > 0)


def table_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """For each run: when, questions, mode, adapter, the three rates with their intervals, and what fell."""
    rows = []
    for place, run in enumerate(runs):
        before = previous_run(runs[:place], run)
        worse = ", ".join(fall.metric for fall in falls(before, run)) if before else ""
        rates = [_rate(run.summary[name]) for name in ("correctness", "refusal_recall", "unsupported_rate")]
        at = f"{run.at.astimezone():%Y-%m-%d %H:%M}"
        rows.append((at, run.questions, run.config["mode"], run.config.get("adapter") or "none", *rates, worse))
    return rows


def _rate(found: Mapping[str, Any]) -> str:
    return "-" if found["value"] is None else f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def draw(runs: Sequence[Run], out: Path) -> None:
    """A plot of correctness and right refusals over the runs of each question file, with 95 % intervals.

    Raises:
        HomeError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import date2num
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name in dict.fromkeys(run.questions for run in runs):
        for metric, line in (("correctness", "-"), ("refusal_recall", ":")):
            kept = [run for run in runs if run.questions == name and run.summary[metric]["value"] is not None]
            values = [run.summary[metric]["value"] for run in kept]
            below = [max(0.0, value - run.summary[metric]["low"]) for value, run in zip(values, kept, strict=True)]
            above = [max(0.0, run.summary[metric]["high"] - value) for value, run in zip(values, kept, strict=True)]
            label = f"{name}, {metric.replace('_', ' ')}"
            days = [float(date2num(run.at)) for run in kept]
            axes.errorbar(days, values, [below, above], fmt=f"o{line}", capsize=3, label=label)
    axes.xaxis_date()
    axes.set(ylim=(0, 1.05), ylabel="share of the questions, 95 % interval", title="Golden questions over time")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize="small")
    figure.autofmt_xdate()
    try:
        figure.savefig(out, dpi=120)
    except (OSError, ValueError) as error:
        raise HomeError(f"The plot '{out}' cannot be written ({error}): choose a .png, .svg or .pdf file.") from error
