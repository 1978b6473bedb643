"""The steps of one training run, and the checkpoint that a kill must not lose."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tone_tuning.atomic import replace_file
from tone_tuning.batches import draw_batches, reply_loss
from tone_tuning.dataset import Example
from tone_tuning.errors import TrainingError, reason
from tone_tuning.packing import compiled_body, draw_packed, packed_loss

__all__ = ["CHECKPOINT", "PackedConfig", "StepReport", "Steps", "TrainConfig", "epochs_for", "other_run"]

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class TrainConfig:
    """Every number of a run and what it buys."""

    r: int = 8  # 2.4 M weights, 5 MB: enough for a voice, too little to hold a handbook
    alpha: int = 16  # 2 r, the usual scale
    learning_rate: float = 5e-4  # at 135 M; 2e-4 from 0.6 B on
    warmup_share: float = 0.05  # of all steps, then a linear fall to zero
    epochs: int = 2  # of 400 rows on; fewer rows want more, see `epochs_for`
    batch_rows: int = 8  # rows of similar length, padded on the right without a mask
    max_tokens: int = 1024  # longer rows are left out and counted
    clip: float = 1.0
    validation_share: float = 0.08  # of conversations, by hash
    seed: int = 20261124
    checkpoint_steps: int = 20  # about a minute of work is lost to a kill


@dataclass(frozen=True)
class PackedConfig(TrainConfig):
    """The numbers of a long run: `max_tokens` is the length of a row, and examples are packed into it.

    A class of its own, so that the card and the identity of a tone run stay what they were.
    """

    r: int = 32  # 9.8 M weights, 20 MB: half of what an adapter that ships may weigh
    alpha: int = 64
    learning_rate: float = 6e-4
    epochs: int = 1  # nothing is seen twice: more companies can always be made up
    batch_rows: int = 4  # x 1,024 tokens a step
    compile: bool = False  # about 1.7 times the speed on a CPU, after a first step of 100 s


def epochs_for(rows: int) -> int:
    """Passes that give about 100 steps, from 2 to 8: after 24 steps on 100 rows no opening or closing was learned."""
    return min(8, max(2, round(100 * TrainConfig.batch_rows / max(1, rows))))


@dataclass(frozen=True)
class StepReport:
    """One optimizer step: `loss` is the mean over the reply tokens of its rows."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float


class Steps:
    """The steps of one run, and the state that a kill must not lose."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        rows: Sequence[Example],
        out: Path,
        config: TrainConfig,
        fingerprint: str,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        import torch

        self.model, self.rows, self.out, self.config, self.fingerprint = model, rows, out, config, fingerprint
        self.weights = [p for p in model.parameters() if p.requires_grad]
        # The optimizer works on float32 copies: a bfloat16 weight would swallow its small steps.
        self.copies = [torch.nn.Parameter(p.detach().float()) for p in self.weights]
        self.optimizer = torch.optim.AdamW(self.copies, lr=config.learning_rate, weight_decay=0.0)
        self.losses: list[float] = []
        wanted = isinstance(config, PackedConfig) and config.compile
        self._body = compiled_body(model, say) if wanted else None

    def go(self, on_step: Callable[[StepReport], None]) -> list[float]:
        """All steps from the checkpoint on; returns the loss of each."""
        self._resume()
        batches = self._batches()
        for step in range(len(self.losses), len(batches)):
            began = time.perf_counter()
            self.losses.append(self._step(batches[step], step, len(batches)))
            tokens = sum(len(row.ids) for row in batches[step])
            on_step(StepReport(step + 1, len(batches), self.losses[-1], tokens / (time.perf_counter() - began)))
            if (step + 1) % self.config.checkpoint_steps == 0:
                self._checkpoint()
        return self.losses

    def _batches(self) -> list[list[Any]]:
        config = self.config
        if isinstance(config, PackedConfig):
            return list(draw_packed(self.rows, config.max_tokens, config.batch_rows, config.epochs, config.seed))
        return list(draw_batches(self.rows, config.batch_rows, config.epochs, config.seed))

    def _loss(self, batch: Sequence[Any]) -> Any:  # noqa: ANN401
        if isinstance(self.config, PackedConfig):
            return packed_loss(self.model, batch, self.config.max_tokens, self.config.batch_rows, self._body)
        return reply_loss(self.model, batch)

    def _step(self, batch: Sequence[Any], step: int, steps: int) -> float:
        import torch

        warmup = max(1, int(self.config.warmup_share * steps))
        scale = min(1.0, (step + 1) / warmup) * (1 - step / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * scale
        loss = self._loss(batch)
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

        state = {
            "fingerprint": self.fingerprint,
            "losses": self.losses,
            "copies": [copy.detach() for copy in self.copies],
            "optimizer": self.optimizer.state_dict(),
        }
        try:
            replace_file(self.out / CHECKPOINT, lambda partial: torch.save(state, partial))
        except (OSError, RuntimeError) as error:  # torch's own for a full disk
            raise TrainingError(
                f"The checkpoint cannot be written to '{self.out}' ({reason(error)}): free space and start again."
            ) from error

    def _resume(self) -> None:
        import torch

        path = self.out / CHECKPOINT
        if not path.exists():
            return
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            ours = state["fingerprint"] == self.fingerprint
            if ours:
                self._restore(state)
        except Exception as error:  # whatever torch makes of a damaged file
            raise TrainingError(
                f"The checkpoint '{path}' is damaged ({reason(error)}): delete it to start from the beginning."
            ) from error
        if not ours:
            raise other_run(self.out)

    def _restore(self, state: dict[str, Any]) -> None:
        for copy, saved in zip(self.copies, state["copies"], strict=True):
            copy.data.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.losses = list(state["losses"])
        self._load_copies()


def other_run(out: Path) -> TrainingError:
    """The error for a folder that belongs to another run."""
    return TrainingError(f"'{out}' holds a run of other data or settings: choose another --out, or delete it.")
