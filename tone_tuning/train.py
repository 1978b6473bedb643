"""The recipe: one readable LoRA run with checkpoints and a card; `python -m tone_tuning.train --data FILE`."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from tone_tuning.atomic import file_sha256, read_json, write_json
from tone_tuning.base_model import PreparedBase
from tone_tuning.batches import encode_fitting, mean_loss
from tone_tuning.dataset import data_hash, house_phrases, load_conversations, split_conversations
from tone_tuning.errors import DataSetError, TrainingError, reason
from tone_tuning.language_model import load_base, pick_device, pick_dtype
from tone_tuning.prompt import prompt_hash
from tone_tuning.quiet import quiet_transformers
from tone_tuning.steps import CHECKPOINT, PackedConfig, StepReport, Steps, TrainConfig, other_run

__all__ = ["WEIGHTS", "PackedConfig", "StepReport", "TrainConfig", "TrainResult", "train"]

WEIGHTS = "adapter_model.safetensors"
IDENTITY = ("base_hash", "prompt_hash", "data_sha256", "config", "start_sha256")  # what makes two runs the same one


@dataclass(frozen=True)
class TrainResult:
    """Where the adapter lies and how it went."""

    path: Path
    losses: tuple[float, ...]
    validation_loss: float | None
    rows_too_long: int  # left out


def train(
    base: PreparedBase,
    data: Path,
    out: Path,
    config: TrainConfig | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    *,
    start: Path | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> TrainResult:
    """Train an adapter into `out`; a run that was killed goes on at its checkpoint, to the same losses.

    The loss is on the reply only. `card.json` is written last: without it the folder is no adapter. A run that has
    finished is not made again. `start` is the folder of an adapter of the same shape whose weights are the first ones;
    `say` is told what a person should know. A `PackedConfig` uses the GPU where there is one.

    Raises:
        DataSetError: the data has faults, or too little is left to train on.
        TrainingError: `out` holds a run of other data or settings, is in use, or cannot be written; or `start` does
            not fit.
    """
    config = config or TrainConfig()
    identity = {
        "base": base.name,
        "base_hash": base.hash,
        "prompt_hash": prompt_hash(),
        "data": data.name,
        "data_sha256": data_hash(data),
        "config": asdict(config),
        **_start_identity(start),
    }
    with _alone_in(out):
        result = _finished(out, identity) or _train(base, data, out, config, identity, on_step, start, say)
        (out / CHECKPOINT).unlink(missing_ok=True)
    return result


def _train(
    base: PreparedBase,
    data: Path,
    out: Path,
    config: TrainConfig,
    identity: dict[str, Any],
    on_step: Callable[[StepReport], None],
    start: Path | None,
    say: Callable[[str], None],
) -> TrainResult:
    """The recipe, from conversations to a saved adapter."""
    import torch

    torch.manual_seed(config.seed)
    training, validation = split_conversations(load_conversations(data), config.validation_share, config.seed)
    tokenizer, model = _lora_model(base, config, start)
    rows, left_out = encode_fitting(training, tokenizer, config.max_tokens)
    held_out, _ = encode_fitting(validation, tokenizer, config.max_tokens)
    if not rows:
        raise DataSetError(_nothing_left(left_out, config.max_tokens))
    began = time.time()
    losses = Steps(model, rows, out, config, _fingerprint(identity), say).go(on_step)
    validation_loss = mean_loss(model, held_out, config.batch_rows) if held_out else None
    card = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **identity,
        "rows": len(rows),
        "validation_rows": len(held_out),
        "rows_too_long": left_out,
        "phrases": house_phrases(training),
        "tokens": sum(len(row.ids) for row in rows) * config.epochs,
        "seconds": round(time.time() - began, 1),
        "losses": [round(loss, 4) for loss in losses],
        "validation_loss": None if validation_loss is None else round(validation_loss, 4),
        "packages": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    _save(model, out, card)
    return TrainResult(out, tuple(losses), validation_loss, left_out)


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Make `out` and keep other runs off it."""
    lock = FileLock(out / ".lock", timeout=0)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise TrainingError(f"Another run is under way in '{out}': wait for it, or choose another --out.") from error
    except OSError as error:
        raise TrainingError(f"'{out}' cannot be written ({reason(error)}): choose another --out or --home.") from error
    try:
        yield
    finally:
        (out / ".lock").unlink(missing_ok=True)
        lock.release()


def _finished(out: Path, identity: dict[str, Any]) -> TrainResult | None:
    """What an earlier and equal run left in `out`; losses are rounded as in its card."""
    card = read_json(out / "card.json")
    if card is None or not (out / WEIGHTS).is_file():
        return None
    if any(card.get(key) != identity.get(key) for key in IDENTITY):
        raise other_run(out)
    return TrainResult(out, tuple(card["losses"]), card["validation_loss"], card["rows_too_long"])


def _fingerprint(identity: dict[str, Any]) -> str:
    return json.dumps([identity[key] for key in IDENTITY if key in identity])


def _start_identity(start: Path | None) -> dict[str, str]:
    if start is None:
        return {}
    try:
        return {"start_sha256": file_sha256(start / WEIGHTS)}
    except OSError as error:
        raise TrainingError(f"'{start}' holds no adapter to start from ({reason(error)}): check --start.") from error


def _nothing_left(too_long: int, max_tokens: int) -> str:
    if too_long:
        return f"All {too_long} conversations are longer than {max_tokens} tokens: shorten their sources."
    return "No conversation is left to train on after some were set aside for validation: add more."


def _lora_model(base: PreparedBase, config: TrainConfig, start: Path | None = None) -> tuple[Any, Any]:
    """Tokenizer, and the base with LoRA matrices on every linear layer but the output."""
    import torch
    from peft import LoraConfig, get_peft_model

    tokenizer, model = load_base(base)
    if not (hasattr(model, "model") and hasattr(model, "lm_head")):
        raise TrainingError(
            f"A {type(model).__name__} such as '{base.name}' cannot be trained here: choose a Llama, Qwen or Mistral."
        )
    lora = LoraConfig(r=config.r, lora_alpha=config.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    with quiet_transformers():
        wrapped = get_peft_model(model, lora, autocast_adapter_dtype=False)
    if start is not None:
        _copy_weights(start, wrapped, config)
    device = pick_device() if isinstance(config, PackedConfig) else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else pick_dtype()
    return tokenizer, wrapped.to(device=device, dtype=dtype).train()


def _copy_weights(start: Path, model: Any, config: TrainConfig) -> None:  # noqa: ANN401
    """Put the weights of a saved adapter in the place of the fresh ones."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    shape = read_json(start / "adapter_config.json") or {}
    if (shape.get("r"), shape.get("lora_alpha")) != (config.r, config.alpha):
        raise TrainingError(
            f"The adapter '{start}' has r={shape.get('r')} and alpha={shape.get('lora_alpha')}, the run r={config.r} "
            f"and alpha={config.alpha}: start from one of the same shape."
        )
    try:
        loaded = set_peft_model_state_dict(model, load_file(start / WEIGHTS))
        if loaded.unexpected_keys or any("lora_" in key for key in loaded.missing_keys):
            raise ValueError("its weights belong to other layers")
    except Exception as error:  # whatever their readers make of a damaged file
        raise TrainingError(
            f"The adapter '{start}' does not fit this base ({reason(error)}): check --start."
        ) from error


def _save(model: Any, out: Path, card: dict[str, Any]) -> None:  # noqa: ANN401
    try:
        with quiet_transformers():
            model.save_pretrained(str(out))
        # Where the base lay on this machine is nobody else's business.
        config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
        write_json(out / "adapter_config.json", config | {"base_model_name_or_path": card["base"]})
        (out / "README.md").unlink(missing_ok=True)
        write_json(out / "card.json", card)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"The adapter cannot be written to '{out}' ({reason(error)}): free space and start again."
        ) from error


if __name__ == "__main__":
    from tone_tuning.train_command import main

    main()
