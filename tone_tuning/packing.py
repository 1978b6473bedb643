"""Several examples in one row of fixed length, none of which sees another, and the loss of their replies."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tone_tuning.dataset import Example
from tone_tuning.errors import reason

__all__ = ["PackedRow", "compiled_body", "draw_packed", "pack", "packed_loss"]

OPEN_ROWS = 64  # rows that wait for examples that fit: three tokens in a hundred of the practice data become padding


@dataclass(frozen=True)
class PackedRow:
    """Examples that lie one after the other in a row."""

    examples: tuple[Example, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """All their token ids."""
        return tuple(chain.from_iterable(example.ids for example in self.examples))


def pack(rows: Sequence[Example], width: int, draw: random.Random) -> list[PackedRow]:
    """Every example once, in rows of at most `width` tokens, in shuffled order; no example may be longer."""
    order = list(rows)
    draw.shuffle(order)
    full: list[list[Example]] = []
    waiting: list[list[Example]] = []
    room: dict[int, int] = {}  # of each waiting row, by its identity
    for example in order:
        fitting = [row for row in waiting if room[id(row)] >= len(example.ids)]
        if fitting:
            row = min(fitting, key=lambda r: room[id(r)])
        else:
            row = []
            waiting.append(row)
            room[id(row)] = width
        row.append(example)
        room[id(row)] -= len(example.ids)
        if len(waiting) > OPEN_ROWS:
            fullest = min(range(len(waiting)), key=lambda n: room[id(waiting[n])])
            full.append(waiting.pop(fullest))
    packed = [PackedRow(tuple(row)) for row in (*full, *waiting)]
    draw.shuffle(packed)
    return packed


def draw_packed(
    rows: Sequence[Example], width: int, batch_rows: int, epochs: int, seed: int
) -> Iterator[list[PackedRow]]:
    """Batches of packed rows, every example once an epoch, packed anew each time; the same for the same seed."""
    draw = random.Random(seed)
    for _ in range(epochs):
        packed = pack(rows, width, draw)
        yield from (packed[at : at + batch_rows] for at in range(0, len(packed), batch_rows))


def packed_loss(
    model: Any,  # noqa: ANN401
    batch: Sequence[PackedRow],
    width: int,
    batch_rows: int,
    body: Callable[..., Any] | None = None,
) -> Any:  # noqa: ANN401 - a scalar tensor
    """Mean cross-entropy of the reply tokens, equal to that of the same examples apart.

    The body always sees `batch_rows` x `width` tokens, so a compiled one is made once; a short last batch is filled
    with padding. Positions begin anew with each example, and no mask is passed: from such positions transformers
    makes the mask that keeps the examples apart. `body` is a compiled form of the model's own.
    """
    import torch

    causal = model.get_base_model()
    ids = torch.zeros(batch_rows, width, dtype=torch.long)
    positions = torch.arange(width).repeat(batch_rows, 1)
    rows: list[int] = []
    places: list[int] = []
    for number, packed in enumerate(batch):
        at = 0
        for example in packed.examples:
            end = at + len(example.ids)
            ids[number, at:end] = torch.tensor(example.ids)
            positions[number, at:] = torch.arange(width - at)
            rows += [number] * (len(example.ids) - example.reply_at)
            places += range(at + example.reply_at, end)
            at = end
        positions[number, at:] = torch.arange(width - at)  # the padding is a block of its own
    ids, positions = ids.to(causal.device), positions.to(causal.device)
    run = causal.model if body is None else body
    hidden = run(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
    row_at, place_at = (torch.tensor(found, device=causal.device) for found in (rows, places))
    logits = causal.lm_head(hidden[row_at, place_at - 1]).float()
    return torch.nn.functional.cross_entropy(logits, ids[row_at, place_at])


def compiled_body(model: Any, say: Callable[[str], None]) -> Callable[..., Any] | None:  # noqa: ANN401
    """The model's body compiled for one shape; None, and a sentence, where this machine has no compiler for it."""
    import torch

    causal = model.get_base_model()
    try:
        torch.compile(lambda x: x * 2 + 1, dynamic=False)(torch.ones(8, device=causal.device))
    except Exception as error:  # whatever the compiler's own tools raise
        say(
            f"The training step cannot be compiled here ({reason(error)}): it goes on without, at about half the speed."
        )
        return None
    say("Compiling the training step: the first step takes a minute or two ...")
    body: Callable[..., Any] = torch.compile(causal.model, dynamic=False)
    return body
