"""The command around a training run: arguments, progress for a person or a page, registration as candidate."""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tone_tuning.base_model import DEFAULT_BASE, PreparedBase, prepare_base
from tone_tuning.dataset import data_bytes, load_conversations
from tone_tuning.errors import ToneTuningError
from tone_tuning.registry import AdapterRegistry
from tone_tuning.steps import epochs_for
from tone_tuning.train import StepReport, TrainConfig, TrainResult, train

__all__ = ["main"]

said = Console(stderr=True, soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    """Train, register, and say so; exit code 1 with one sentence where that fails."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave their core to who has work
    options = _parse(arguments)
    try:
        _run(options)
    except ToneTuningError as error:
        said.print(f"tone: {error}", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        said.print("tone: stopped; the same command goes on from the last checkpoint.", markup=False)
        sys.exit(130)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    home = os.environ.get("FRONTDESK_HOME") or platformdirs.user_data_dir("frontdesk")
    parser = argparse.ArgumentParser(prog="python -m tone_tuning.train", description="Train a tone adapter.")
    parser.add_argument("--data", type=Path, required=True, help="JSONL of conversations")
    parser.add_argument("--home", type=Path, default=Path(home), help="state folder (or FRONTDESK_HOME)")
    parser.add_argument("--base", default=os.environ.get("FRONTDESK_BASE") or DEFAULT_BASE, help="base model")
    parser.add_argument("--out", type=Path, help="keep the adapter in this folder and do not register it")
    parser.add_argument("--epochs", type=_positive, help="passes over the data (default: 2 to 8, by their number)")
    parser.add_argument("--json-progress", action="store_true", help="one JSON line per step on stdout")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 up")
    return int(text)


def _run(options: argparse.Namespace) -> None:
    if options.json_progress and hasattr(os, "nice"):
        os.nice(10)  # a page started this and goes on answering: customers first
    rows = len(load_conversations(options.data))  # faults are told before the model is prepared
    config = TrainConfig(epochs=options.epochs or epochs_for(rows))
    say = _quiet if options.json_progress else lambda sentence: said.print(sentence, markup=False)
    base = prepare_base(options.base, options.home / "models", say)
    out = options.out or options.home / "training" / _run_id(options.data, config, base)
    if options.json_progress:
        result = train(base, options.data, out, config, lambda report: _emit(vars(report)))
    else:
        result = _with_bar(lambda on_step: train(base, options.data, out, config, on_step))
    if options.json_progress and result.validation_loss is not None:
        _emit({"validation_loss": result.validation_loss})
    version = None if options.out else AdapterRegistry(options.home / "adapters").add(out).id
    if options.json_progress:
        _emit({"done": str(out), "version": version})
    else:
        _tell(result, version, config)


def _run_id(data: Path, config: TrainConfig, base: PreparedBase) -> str:
    return hashlib.sha256(data_bytes(data) + repr(config).encode() + base.hash.encode()).hexdigest()[:12]


def _tell(result: TrainResult, version: str | None, config: TrainConfig) -> None:
    if result.rows_too_long:
        left = f"{result.rows_too_long} rows were longer than {config.max_tokens} tokens and left out."
        said.print(left, markup=False, highlight=False)
    loss = "none" if result.validation_loss is None else f"{result.validation_loss:.3f}"
    where = (
        f"is the candidate {version}: release it with `frontdesk tone promote {version}`"
        if version
        else f"lies in '{result.path}'"
    )
    said.print(f"Validation loss {loss}. The adapter {where}.", markup=False, highlight=False)


def _with_bar(work: Callable[[Callable[[StepReport], None]], Any]) -> Any:  # noqa: ANN401
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=said) as bar:
        task = bar.add_task("loading", total=None)
        return work(
            lambda r: bar.update(
                task,
                completed=r.step,
                total=r.steps,
                description=f"loss {r.loss:.3f}, {r.tokens_per_second:.0f} tokens/s",
            )
        )


def _emit(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _quiet(sentence: str) -> None:
    """Nothing: the page shows its own lines."""
