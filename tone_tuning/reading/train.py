"""Trains the reading adapter: `python -m tone_tuning.reading.train --data FILE --out FOLDER`; goes on after a kill."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from tone_tuning.base_model import DEFAULT_BASE, prepare_base
from tone_tuning.dataset import load_conversations
from tone_tuning.reading.command import default_models, positive, run_command, say
from tone_tuning.train import PackedConfig, StepReport, train

__all__ = ["main"]

TOLD_EVERY = 10  # steps


def main(arguments: list[str] | None = None) -> None:
    """Train into a folder, telling loss, tokens per second and the time left."""
    usual = PackedConfig()
    parser = argparse.ArgumentParser(prog="python -m tone_tuning.reading.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSONL of tone_tuning.reading.practice")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; the same one to go on")
    parser.add_argument("--base", default=DEFAULT_BASE, help="bare base, model folder or hub id")
    parser.add_argument("--models", type=Path, default=default_models(), help="where prepared bases lie")
    parser.add_argument("--start", type=Path, help="folder of an adapter whose weights are the first ones")
    parser.add_argument("--compile", action="store_true", help="torch.compile the step: faster after a slow first one")
    parser.add_argument("--rank", type=positive, default=usual.r)
    parser.add_argument("--alpha", type=positive, default=usual.alpha)
    parser.add_argument("--learning-rate", type=float, default=usual.learning_rate)
    parser.add_argument("--epochs", type=positive, default=usual.epochs)
    parser.add_argument("--batch-rows", type=positive, default=usual.batch_rows, help="packed rows a step")
    parser.add_argument("--row-tokens", type=positive, default=usual.max_tokens, help="length of a packed row")
    parser.add_argument("--checkpoint-steps", type=positive, default=usual.checkpoint_steps)
    options = parser.parse_args(arguments)
    run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    load_conversations(options.data)  # faults are told before the model is prepared
    config = PackedConfig(
        r=options.rank,
        alpha=options.alpha,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        batch_rows=options.batch_rows,
        max_tokens=options.row_tokens,
        checkpoint_steps=options.checkpoint_steps,
        compile=options.compile,
    )
    base = prepare_base(options.base, options.models, say, reading=False)
    result = train(base, options.data, options.out, config, _teller(), start=options.start, say=say)
    if result.rows_too_long:
        say(f"{result.rows_too_long} rows were longer than {config.max_tokens} tokens and left out.")
    loss = "none" if result.validation_loss is None else f"{result.validation_loss:.3f}"
    say(f"Loss on held-out rows {loss}. The adapter lies in '{result.path}'.")


def _teller() -> Callable[[StepReport], None]:
    """Tells every tenth step, the first and the last; the time left is that of the steps seen so far."""
    began = time.perf_counter()
    first: list[int] = []

    def tell(report: StepReport) -> None:
        first[:1] = first[:1] or [report.step]
        if report.step % TOLD_EVERY and report.step not in (first[0], report.steps):
            return
        each = (time.perf_counter() - began) / (report.step - first[0] + 1)
        left = each * (report.steps - report.step) / 60
        say(
            f"step {report.step} of {report.steps}: loss {report.loss:.3f}, "
            f"{report.tokens_per_second:.0f} tokens/s, {left:.0f} min left"
        )

    return tell


if __name__ == "__main__":
    main()
