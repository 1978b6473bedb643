"""Rows of similar length in batches, and the loss of their reply tokens."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from tone_tuning.dataset import Conversation, Example, encode

__all__ = ["draw_batches", "encode_fitting", "mean_loss", "reply_loss"]


def encode_fitting(
    conversations: Sequence[Conversation],
    tokenizer: Any,  # noqa: ANN401 - a transformers tokenizer
    max_tokens: int,
) -> tuple[list[Example], int]:
    """Examples of at most `max_tokens`, and how many were longer."""
    rows = [encode(conversation, tokenizer) for conversation in conversations]
    kept = [row for row in rows if len(row.ids) <= max_tokens]
    return kept, len(rows) - len(kept)


def draw_batches(rows: Sequence[Example], batch_rows: int, epochs: int, seed: int) -> Iterator[list[Example]]:
    """Batches of similar length in shuffled order, every row once an epoch; the same for the same seed."""
    draw = random.Random(seed)
    for _ in range(epochs):
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids) + draw.random() * 48)
        batches = [order[at : at + batch_rows] for at in range(0, len(order), batch_rows)]
        draw.shuffle(batches)
        yield from ([rows[i] for i in batch] for batch in batches)


def reply_loss(model: Any, batch: Sequence[Example]) -> Any:  # noqa: ANN401
    """Mean cross-entropy of the reply tokens; logits are made at those positions only.

    Rows are padded on the right and no mask is passed: attention is causal, so no real token sees the padding.
    """
    import torch

    causal = model.get_base_model()
    width = max(len(row.ids) for row in batch)
    ids = torch.tensor([[*row.ids, *[0] * (width - len(row.ids))] for row in batch], device=causal.device)
    hidden = causal.model(input_ids=ids, use_cache=False).last_hidden_state
    at = [(n, t) for n, row in enumerate(batch) for t in range(row.reply_at, len(row.ids))]
    rows, places = torch.tensor([n for n, _ in at]), torch.tensor([t for _, t in at])
    logits = causal.lm_head(hidden[rows, places - 1]).float()
    return torch.nn.functional.cross_entropy(logits, ids[rows, places])


def mean_loss(model: Any, rows: Sequence[Example], batch_rows: int) -> float:  # noqa: ANN401
    """The loss per reply token over all rows, without training."""
    import torch

    total, count = 0.0, 0
    model.eval()
    with torch.no_grad():
        for at in range(0, len(rows), batch_rows):
            batch = rows[at : at + batch_rows]
            replies = sum(len(row.ids) - row.reply_at for row in batch)
            total, count = total + float(reply_loss(model, batch)) * replies, count + replies
    return total / count
