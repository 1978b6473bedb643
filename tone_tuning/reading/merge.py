"""Merges a reading adapter into its base: `python -m tone_tuning.reading.merge --adapter FOLDER --out FOLDER`."""

import argparse
from pathlib import Path

from safetensors import SafetensorError

from tone_tuning.atomic import whole_folder
from tone_tuning.base_model import DEFAULT_BASE, PreparedBase, prepare_base
from tone_tuning.errors import TrainingError, reason
from tone_tuning.language_model import load_base, merge_adapter
from tone_tuning.quiet import quiet_transformers
from tone_tuning.reading.command import default_models, run_command, say

__all__ = ["main", "merge"]


def merge(base: PreparedBase, adapter: Path, out: Path) -> Path:
    """Write base plus adapter as one model folder in bfloat16; whole, or not at all.

    Raises:
        AdapterError: the adapter does not fit the base.
        TrainingError: the folder is there already, or cannot be written.
    """
    import torch

    if out.exists():
        raise TrainingError(f"'{out}' is there already: choose another --out, or delete it.")
    tokenizer, model = load_base(base)
    merged = merge_adapter(model, adapter).to(torch.bfloat16)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(out) as partial, quiet_transformers():
            merged.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"The model cannot be written to '{out}' ({reason(error)}): choose another --out."
        ) from error
    return out


def main(arguments: list[str] | None = None) -> None:
    """Merge, and say where the model lies."""
    parser = argparse.ArgumentParser(prog="python -m tone_tuning.reading.merge", description=__doc__)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="new model folder, for FRONTDESK_BASE or --base")
    parser.add_argument("--base", default=DEFAULT_BASE, help="the base that the adapter was trained on")
    parser.add_argument("--models", type=Path, default=default_models(), help="where prepared bases lie")
    options = parser.parse_args(arguments)
    run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    base = prepare_base(options.base, options.models, say, reading=False)
    say(f"The merged model lies in '{merge(base, options.adapter, options.out)}'.")


if __name__ == "__main__":
    main()
