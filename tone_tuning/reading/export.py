"""Turns a run into what ships: weights, shape and a model card; `python -m tone_tuning.reading.export --help`."""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tone_tuning.atomic import read_json, replace_file, write_json
from tone_tuning.errors import TrainingError, reason
from tone_tuning.reading.command import public_name, run_command, say
from tone_tuning.train import WEIGHTS

__all__ = ["export", "main", "model_card"]

RECIPE = Path(__file__).with_name("README.md")  # its last section tells how to make the adapter again
RECIPE_HEADING = "## How to make it again"
MOST_BYTES = 40_000_000
FAILURES_SHOWN = 6
SOURCES = (
    "The fact bank and the tables of this project (Apache-2.0), how-to and FAQ sections of product documentation "
    "(CC BY 4.0 and MIT), SQuAD 1.1 and 2.0 development sets (CC BY-SA 4.0), QED (CC BY-SA 3.0), DSTC9 track 1 "
    "(Apache-2.0), DSTC11 track 5 (CDLA-Sharing-1.0)."
)


def export(run: Path, out: Path, scores: Path | None = None, before: str = "") -> Path:
    """Write `adapter_model.safetensors`, `adapter_config.json` and `README.md` of a finished run to `out`.

    `scores` is what `evaluate --json` wrote, `before` how the adapter that the run started from was made. The shape
    names the base and no path of this machine.

    Raises:
        TrainingError: the run is not finished, its weights are over 40 MB, or `out` cannot be written.
    """
    card, shape = read_json(run / "card.json"), read_json(run / "adapter_config.json")
    if card is None or shape is None or not (run / WEIGHTS).is_file():
        raise TrainingError(f"'{run}' is no finished run: train into it first, or check --adapter.")
    if (run / WEIGHTS).stat().st_size > MOST_BYTES:
        raise TrainingError(f"The weights in '{run}' are over 40 MB: train with a smaller --rank.")
    measured = read_json(scores) if scores else None
    if scores and measured is None:
        raise TrainingError(f"'{scores}' holds no scores: write it with tone_tuning.reading.evaluate --json.")
    text = model_card(card, measured, before)
    try:
        out.mkdir(parents=True, exist_ok=True)
        replace_file(out / WEIGHTS, lambda partial: shutil.copyfile(run / WEIGHTS, partial))
        write_json(out / "adapter_config.json", shape | {"base_model_name_or_path": public_name(card["base"])})
        replace_file(out / "README.md", lambda partial: partial.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"'{out}' cannot be written ({reason(error)}): choose another --out.") from error
    return out


def model_card(card: Mapping[str, Any], measured: Mapping[str, Any] | None, before: str = "") -> str:
    """The card of a run in Markdown: data, licences, compute, scores, known failures, and the recipe."""
    config = card["config"]
    base, loss = public_name(card["base"]), card["validation_loss"]
    parts = [
        "# Model card: reading adapter",
        f"A LoRA (r={config['r']}, alpha={config['alpha']}, every linear layer) that teaches {base} to phrase an "
        f"answer from given sources with `[n]`. Made on {card['created']}.",
        "**Prompt.** That of `tone_tuning/prompt.py` (hash "
        f"{card['prompt_hash']}): a system line, earlier turns, then numbered sources and the question in one turn.",
        f"**Data.** {card['rows']} conversations by `tone_tuning.reading.practice` (SHA-256 of the file "
        f"{card['data_sha256'][:16]}); {card['validation_rows']} of held-out topics were kept from training. Sources "
        f"and licences: {SOURCES}",
        f"**Compute.** {card['tokens']:,} tokens in {card['seconds'] / 60:.0f} minutes, {len(card['losses'])} steps of "
        f"{config['batch_rows']} rows of {config['max_tokens']} packed tokens, AdamW, learning rate "
        f"{config['learning_rate']}, loss on the last reply only. "
        + ("No loss on held-out rows was measured." if loss is None else f"Loss on held-out rows {loss}."),
        *_start(card, before),
        _scores(measured),
        _failures(measured),
        "**Licence.** Apache-2.0 for the weights; the data under the licences named above.",
    ]
    return "\n\n".join(parts) + "\n\n" + _recipe()


def _start(card: Mapping[str, Any], before: str) -> list[str]:
    """What the run went on from, where it did not begin with fresh weights."""
    if "start_sha256" not in card:
        return []
    return [f"**Before that.** It went on from an adapter (SHA-256 {card['start_sha256'][:16]}). {before}".strip()]


def _scores(measured: Mapping[str, Any] | None) -> str:
    if measured is None:
        return "**Scores.** Not measured."
    copying = ", numbers only copied" if measured["copy"] else ""
    lines = [f"**Scores** (greedy, no checks{copying}, {measured['rows']} held-out rows, 95 % intervals)", ""]
    lines += ["| measure | share | interval | n |", "|---|---|---|---|"]
    for name, score in measured["scores"].items():
        lines.append(f"| {name} | {score['share']:.3f} | {score['low']:.3f} to {score['high']:.3f} | {score['n']} |")
    return "\n".join(lines)


def _failures(measured: Mapping[str, Any] | None) -> str:
    failures = measured["failures"] if measured else []
    if not failures:
        return (
            "**Known failures.** None were recorded: every reply that is shown is still checked by `bot/grounding.py`."
        )
    lines = ["**Known failures**, as measured; hence the check in `bot/grounding.py`", ""]
    for one in failures[:FAILURES_SHOWN]:
        fault = ", ".join([*(f"lost {v}" for v in one["lost"]), *(f"invented {v}" for v in one["invented"])])
        reply = " ".join(one["reply"].split())
        lines.append(f'- {one["kind"]}: "{one["question"]}" -> "{reply}" ({fault or "declined"})')
    return "\n".join(lines)


def _recipe() -> str:
    text = RECIPE.read_text(encoding="utf-8") if RECIPE.is_file() else ""
    return text[text.index(RECIPE_HEADING) :] if RECIPE_HEADING in text else ""


def main(arguments: list[str] | None = None) -> None:
    """Export, and say where."""
    parser = argparse.ArgumentParser(prog="python -m tone_tuning.reading.export", description=__doc__)
    parser.add_argument("--adapter", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="e.g. tone_tuning/reading")
    parser.add_argument("--scores", type=Path, help="what evaluate --json wrote")
    parser.add_argument("--before", default="", help="for the card: how the adapter it started from was made")
    options = parser.parse_args(arguments)
    run_command(lambda: say(f"Exported to '{export(options.adapter, options.out, options.scores, options.before)}'."))


if __name__ == "__main__":
    main()
