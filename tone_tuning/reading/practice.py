"""Builds the practice data: `python -m tone_tuning.reading.practice --out FILE` writes one JSONL of conversations."""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tone_tuning.errors import DataSetError, reason
from tone_tuning.fact_bank import BANK, Topic, held_out, read_topics
from tone_tuning.reading import companies, traps
from tone_tuning.reading.command import positive, run_command, say, write_text
from tone_tuning.reading.companies import Scene, open_scene
from tone_tuning.reading.natural import SOURCES, read_rows
from tone_tuning.reading.rows import DECLINE, PracticeRow
from tone_tuning.reading.tables import table_row

__all__ = ["BANK_MIX", "NATURAL_MIX", "Practice", "bank_rows", "build", "main", "natural_rows"]

# How often each kind is made. Declining stays rare: a model that sees it often declines what is only worded otherwise.
BANK_MIX: dict[Callable[[Scene], PracticeRow | None], int] = {
    companies.evidence: 26,
    companies.passage: 9,
    companies.two_facts: 18,
    companies.follow_up: 8,
    companies.steps: 7,
    companies.yes_no: 4,
    traps.one_of_many: 8,
    traps.false_premise: 5,
    traps.near_miss: 6,
    traps.version: 3,
    traps.injection: 3,
    traps.specified: 2,
    traps.underspecified: 2,
}
TABLES = 6  # rows of tables to 101 of the above
NATURAL_MIX = {"squad": 30, "qed": 8, "faq": 16, "clerk": 18, "reviews": 3, "procedures": 16, "documentation": 9}
TRIES = 50  # topics looked at for one that has what a kind needs


@dataclass(frozen=True)
class Practice:
    """How much to make. Sizes are rows; the share of natural rows is of all."""

    rows: int = 20_000
    held_out_rows: int = 1_000
    natural_share: float = 0.38
    seed: int = 20261125


def build(
    practice: Practice,
    topics: Sequence[Topic],
    data: Path | None,
    report: Callable[[str], None] = lambda sentence: None,
) -> list[PracticeRow]:
    """Training rows, then held-out ones; the same for the same seed. Without `data` nothing natural is mixed in.

    Raises:
        DataSetError: the bank is too small, or the data cannot be read.
    """
    made: list[PracticeRow] = []
    for kept_out, wanted in ((False, practice.rows), (True, practice.held_out_rows)):
        draw = random.Random(f"{practice.seed}:{kept_out}")
        natural = round(wanted * practice.natural_share) if data else 0
        found = natural_rows(data, natural, kept_out, draw) if data else []
        if len(found) < natural:
            report(f"{natural - len(found)} of {natural} natural rows were not there: made-up ones take their place.")
        pool = [topic for topic in topics if held_out(topic.id) is kept_out]
        rows = found + bank_rows(pool, wanted - len(found), kept_out, draw)
        draw.shuffle(rows)
        made += rows
    return made


def bank_rows(pool: Sequence[Topic], count: int, kept_out: bool, draw: random.Random) -> list[PracticeRow]:
    """Conversations about the topics of `pool`, in the shares of BANK_MIX.

    Raises:
        DataSetError: a topic has fewer than two facts, or there are fewer than two topics.
    """
    if count and (len(pool) < 2 or any(len(topic.facts) < 2 for topic in pool)):
        side = "held out" if kept_out else "to train on"
        raise DataSetError(
            f"The fact bank has {len(pool)} topics {side}: at least two are needed, of two facts or more."
        )
    kinds = [*BANK_MIX, None]
    weights = [*BANK_MIX.values(), TABLES]
    return [_bank_row(kind, pool, kept_out, draw) for kind in draw.choices(kinds, weights, k=count)]


def natural_rows(data: Path, count: int, kept_out: bool, draw: random.Random) -> list[PracticeRow]:
    """Natural conversations in the shares of NATURAL_MIX, each at most once; fewer where a file has fewer."""
    wanted = {name: round(count * share / sum(NATURAL_MIX.values())) for name, share in NATURAL_MIX.items()}
    streams = {name: read_rows(data, name, random.Random(draw.random())) for name in SOURCES}
    found: list[PracticeRow] = []
    for name, stream in streams.items():
        found += _first(stream, wanted[name], kept_out)
    for stream in streams.values():  # what one file lacks, the others give
        found += _first(stream, count - len(found), kept_out)
    return found[:count]


def _first(stream: Iterator[PracticeRow], count: int, kept_out: bool) -> list[PracticeRow]:
    found: list[PracticeRow] = []
    while len(found) < count and (row := next(stream, None)) is not None:
        if row.held_out is kept_out and not row.invents:
            found.append(row)
    return found


def _bank_row(
    kind: Callable[[Scene], PracticeRow | None] | None, pool: Sequence[Topic], kept_out: bool, draw: random.Random
) -> PracticeRow:
    if kind is None:
        return table_row(draw, kept_out)
    for _ in range(TRIES):
        row = kind(open_scene(pool, draw))
        if row is not None and not row.invents:
            return row
    return _bank_row(companies.evidence, pool, kept_out, draw)  # which every topic has


def main(arguments: list[str] | None = None) -> None:
    """Write the practice data and say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m tone_tuning.reading.practice", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSONL to write")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="sections.jsonl and reading/")
    parser.add_argument("--bank", type=Path, default=BANK, help="folder of the fact bank")
    parser.add_argument("--rows", type=positive, default=Practice.rows)
    parser.add_argument("--held-out-rows", type=positive, default=Practice.held_out_rows)
    parser.add_argument("--natural-share", type=float, default=Practice.natural_share)
    parser.add_argument("--seed", type=int, default=Practice.seed)
    options = parser.parse_args(arguments)
    run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    try:
        topics = read_topics(options.bank)
    except (OSError, ValueError, KeyError) as error:
        raise DataSetError(f"The fact bank '{options.bank}' cannot be read ({reason(error)}): check --bank.") from error
    practice = Practice(options.rows, options.held_out_rows, options.natural_share, options.seed)
    rows = build(practice, topics, options.data if practice.natural_share else None, say)
    write_text(options.out, "".join(json.dumps(row.to_dict(), ensure_ascii=False) + "\n" for row in rows))
    training = [row for row in rows if not row.held_out]
    kinds = Counter(row.kind for row in training)
    declined = sum(row.reply == DECLINE for row in training)
    say(f"{len(training)} rows to train on, {len(rows) - len(training)} held out, in '{options.out}'.")
    say(", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    say(f"Declined: {declined / max(1, len(training)):.1%}.")


if __name__ == "__main__":
    main()
