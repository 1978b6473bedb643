"""The recipe: one readable LoRA run with checkpoints and a card; `python -m tone_tuning.train --data FILE`."""

import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tone_tuning.base_model import PreparedBase
from tone_tuning.dataset import Conversation, Example, data_hash, encode, load_conversations, split_conversations
from tone_tuning.errors import DataSetError, TrainingError
from tone_tuning.language_model import pick_dtype
from tone_tuning.prompt import prompt_hash

__all__ = ["StepReport", "TrainConfig", "TrainResult", "train"]


@dataclass(frozen=True)
class TrainConfig:
    """Every number of a run and what it buys."""

    r: int = 8  # 2.4 M weights, 5 MB: enough for a voice, too little to hold a handbook
    alpha: int = 16  # 2 r, the usual scale
    learning_rate: float = 5e-4  # at 135 M; 2e-4 from 0.6 B on
    warmup_share: float = 0.05  # of all steps, then a linear fall to zero
    epochs: int = 2  # a third one lowered the training loss and not the validation loss
    batch_rows: int = 8  # rows of similar length, padded on the right without a mask
    max_tokens: int = 1024  # longer rows are left out and counted
    clip: float = 1.0
    validation_share: float = 0.08  # of conversations, by hash
    seed: int = 20261124
    checkpoint_steps: int = 20  # about a minute of work is lost to a kill


@dataclass(frozen=True)
class StepReport:
    """One optimizer step: `loss` is the mean over the reply tokens of its rows."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float


@dataclass(frozen=True)
class TrainResult:
    """Where the adapter lies and how it went."""

    path: Path
    losses: tuple[float, ...]
    validation_loss: float | None


def train(
    base: PreparedBase,
    data: Path,
    out: Path,
    config: TrainConfig | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
) -> TrainResult:
    """Train a tone adapter into `out`; a run that was killed goes on at its checkpoint, to the same losses.

    The loss is on the reply only. `card.json` is written last: without it the folder is no adapter.

    Raises:
        DataSetError: the data has faults, or too little is left to train and validate on.
        TrainingError: `out` holds a run of other data or settings, or cannot be written.
    """
    import torch

    config = config or TrainConfig()
    torch.manual_seed(config.seed)
    training, validation = split_conversations(load_conversations(data), config.validation_share, config.seed)
    tokenizer, model = _lora_model(base, config)
    rows, left_out = _encoded(training, tokenizer, config)
    held_out, _ = _encoded(validation, tokenizer, config)
    run = _Run(model, rows, out, config, _fingerprint(base, data, config))
    began = time.time()
    losses = run.go(on_step)
    validation_loss = _evaluate(model, held_out, config) if held_out else None
    card = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base.name,
        "base_hash": base.hash,
        "prompt_hash": prompt_hash(),
        "data": data.name,
        "data_sha256": data_hash(data),
        "config": asdict(config),
        "rows": len(rows),
        "validation_rows": len(held_out),
        "rows_too_long": left_out,
        "tokens": sum(len(row.ids) for row in rows) * config.epochs,
        "seconds": round(time.time() - began, 1),
        "losses": [round(loss, 4) for loss in losses],
        "validation_loss": None if validation_loss is None else round(validation_loss, 4),
        "packages": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    _save(model, out, card)
    (out / "checkpoint.pt").unlink(missing_ok=True)
    return TrainResult(out, tuple(losses), validation_loss)


class _Run:
    """The steps of one run, and the state that a kill must not lose."""

    def __init__(self, model: Any, rows: Sequence[Example], out: Path, config: TrainConfig, fingerprint: str) -> None:  # noqa: ANN401
        import torch

        self.model, self.rows, self.out, self.config, self.fingerprint = model, rows, out, config, fingerprint
        self.weights = [p for p in model.parameters() if p.requires_grad]
        # The optimizer works on float32 copies: a bfloat16 weight would swallow its small steps.
        self.copies = [torch.nn.Parameter(p.detach().float()) for p in self.weights]
        self.optimizer = torch.optim.AdamW(self.copies, lr=config.learning_rate, weight_decay=0.0)
        self.losses: list[float] = []

    def go(self, on_step: Callable[[StepReport], None]) -> list[float]:
        """All steps from the checkpoint on; returns the loss of each."""
        self._resume()
        batches = list(_batches(self.rows, self.config))
        for step in range(len(self.losses), len(batches)):
            began = time.perf_counter()
            self.losses.append(self._step(batches[step], step, len(batches)))
            tokens = sum(len(row.ids) for row in batches[step])
            on_step(StepReport(step + 1, len(batches), self.losses[-1], tokens / (time.perf_counter() - began)))
            if (step + 1) % self.config.checkpoint_steps == 0:
                self._checkpoint()
        return self.losses

    def _step(self, batch: Sequence[Example], step: int, steps: int) -> float:
        import torch

        warmup = max(1, int(self.config.warmup_share * steps))
        scale = min(1.0, (step + 1) / warmup) * (1 - step / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * scale
        loss = _loss(self.model, batch)
        loss.backward()
        for copy, weight in zip(self.copies, self.weights, strict=True):
            copy.grad, weight.grad = weight.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self.copies, self.config.clip)
        self.optimizer.step()
        self._load_copies()
        if not math.isfinite(loss.item()):
            raise TrainingError(f"The loss became {loss.item()} at step {step + 1}: lower the learning rate.")
        return float(loss.item())

    def _load_copies(self) -> None:
        import torch

        with torch.no_grad():
            for copy, weight in zip(self.copies, self.weights, strict=True):
                weight.copy_(copy)

    def _checkpoint(self) -> None:
        import torch

        state = {"fingerprint": self.fingerprint, "losses": self.losses,
                 "copies": [c.detach() for c in self.copies], "optimizer": self.optimizer.state_dict()}  # fmt: skip
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            torch.save(state, self.out / "checkpoint.partial")
            os.replace(self.out / "checkpoint.partial", self.out / "checkpoint.pt")
        except OSError as error:
            raise TrainingError(
                f"The checkpoint cannot be written to '{self.out}' ({error.strerror}): free space."
            ) from error

    def _resume(self) -> None:
        import torch

        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["fingerprint"] != self.fingerprint:
            raise TrainingError(
                f"'{self.out}' holds a run of other data or settings: choose another --out, or delete it."
            )
        self.losses = list(state["losses"])
        for copy, saved in zip(self.copies, state["copies"], strict=True):
            copy.data.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self._load_copies()


def _lora_model(base: PreparedBase, config: TrainConfig) -> tuple[Any, Any]:
    """Tokenizer, and the base with LoRA matrices on every linear layer but the output."""
    from peft import LoraConfig, get_peft_model

    from tone_tuning.language_model import load_base

    tokenizer, model = load_base(base)
    lora = LoraConfig(r=config.r, lora_alpha=config.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    wrapped = get_peft_model(model, lora, autocast_adapter_dtype=False)
    return tokenizer, wrapped.to(pick_dtype()).train()


def _encoded(conversations: Sequence[Conversation], tokenizer: Any, config: TrainConfig) -> tuple[list[Example], int]:  # noqa: ANN401
    rows = [encode(conversation, tokenizer) for conversation in conversations]
    kept = [row for row in rows if len(row.ids) <= config.max_tokens]
    if conversations and not kept:
        raise DataSetError(
            f"All {len(rows)} conversations are longer than {config.max_tokens} tokens: shorten their sources."
        )
    return kept, len(rows) - len(kept)


def _batches(rows: Sequence[Example], config: TrainConfig) -> Iterator[list[Example]]:
    """Batches of similar length in shuffled order, every row once an epoch; the same for the same seed."""
    draw = random.Random(config.seed)
    for _ in range(config.epochs):
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids) + draw.random() * 48)
        batches = [order[at : at + config.batch_rows] for at in range(0, len(order), config.batch_rows)]
        draw.shuffle(batches)
        yield from ([rows[i] for i in batch] for batch in batches)


def _loss(model: Any, batch: Sequence[Example]) -> Any:  # noqa: ANN401
    """Mean cross-entropy of the reply tokens; logits are made at those positions only.

    Rows are padded on the right and no mask is passed: attention is causal, so no real token sees the padding.
    """
    import torch

    width = max(len(row.ids) for row in batch)
    ids = torch.tensor([[*row.ids, *[0] * (width - len(row.ids))] for row in batch])
    causal = model.get_base_model()
    hidden = causal.model(input_ids=ids, use_cache=False).last_hidden_state
    at = [(n, t) for n, row in enumerate(batch) for t in range(row.reply_at, len(row.ids))]
    rows, places = torch.tensor([n for n, _ in at]), torch.tensor([t for _, t in at])
    logits = causal.lm_head(hidden[rows, places - 1]).float()
    return torch.nn.functional.cross_entropy(logits, ids[rows, places])


def _evaluate(model: Any, rows: Sequence[Example], config: TrainConfig) -> float:  # noqa: ANN401
    import torch

    total, count = 0.0, 0
    model.eval()
    with torch.no_grad():
        for at in range(0, len(rows), config.batch_rows):
            batch = rows[at : at + config.batch_rows]
            replies = sum(len(row.ids) - row.reply_at for row in batch)
            total, count = total + float(_loss(model, batch)) * replies, count + replies
    return total / count


def _fingerprint(base: PreparedBase, data: Path, config: TrainConfig) -> str:
    return json.dumps([base.hash, prompt_hash(), data_hash(data), asdict(config)])


def _save(model: Any, out: Path, card: dict[str, Any]) -> None:  # noqa: ANN401
    try:
        model.save_pretrained(str(out))
        # Where the base lay on this machine is nobody else's business.
        config = json.loads((out / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = card["base"]
        (out / "adapter_config.json").write_text(json.dumps(config, indent=1))
        (out / "README.md").unlink(missing_ok=True)
        (out / "card.partial").write_text(json.dumps(card, indent=1))
        os.replace(out / "card.partial", out / "card.json")
    except OSError as error:
        raise TrainingError(f"The adapter cannot be written to '{out}' ({error.strerror}): free space.") from error


if __name__ == "__main__":
    from tone_tuning.train_command import main

    main()
