"""Trains the reader head: LoRA on MiniLM as a cross-encoder, with a passage and a sentence output.

Run: .venv/bin/python -m benchmarks.train_reader --reading DIR --sections FILE [--out knowledge/reader_head]
Checkpoints every 200 steps; the same command goes on after a kill.
"""

import argparse
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from benchmarks.reader_rows import Row, bank_rows, faq_rows, natural_rows, section_rows
from knowledge.embedder import DEFAULT_MODEL, has_fast_bfloat16, model_location
from knowledge.reader import Encoded, collate, encode, make_network, padded_length

__all__ = ["main"]

RANK, ALPHA = 32, 64  # 1.3 M weights, 2.7 MB
LEARNING_RATE = 1e-3
WARMUP = 0.05
BATCH_TOKENS = 3072
SENTENCE_WEIGHT = 3.0  # few sentences are evidence; passages and sentences then pull about equally
Item = tuple[Encoded, Row]


def batches(items: Sequence[Item], draw: random.Random) -> list[list[Item]]:
    """Batches of rows that are filled up to the same length, in random order; the last of a length is filled up too."""
    by_length: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        by_length[padded_length(len(item[0].ids))].append(item)
    found = []
    for length, rows in by_length.items():
        draw.shuffle(rows)
        size = max(1, BATCH_TOKENS // length)
        rows = rows + draw.choices(rows, k=-len(rows) % size)
        found += [rows[at : at + size] for at in range(0, len(rows), size)]
    draw.shuffle(found)
    return found


def loss_of(network: Any, batch: Sequence[Item], pad: int) -> torch.Tensor:  # noqa: ANN401
    """Cross-entropy of the passages, and of the sentences that were not cut off."""
    answers, sentences = network(*collate([item for item, _ in batch], pad))
    wanted = torch.tensor([float(row.answers) for _, row in batch])
    flags, known = torch.zeros_like(sentences), torch.zeros_like(sentences)
    for place, (item, row) in enumerate(batch):
        for number, (start, end) in enumerate(item.ranges):
            flags[place, number], known[place, number] = float(row.flags[number]), float(end > start)
    crossed = torch.nn.functional.binary_cross_entropy_with_logits
    each = crossed(sentences, flags, reduction="none") * known
    return crossed(answers, wanted) + SENTENCE_WEIGHT * each.sum() / known.sum().clamp(min=1)


def evaluate(network: Any, items: Sequence[Item], pad: int) -> dict[str, float]:  # noqa: ANN401
    """Held-out figures: area under the curve of the passages, and how often the best sentence is evidence."""
    network.eval()
    good, bad, hits, answerable = [], [], 0, 0
    with torch.inference_mode():
        for batch in batches(items, random.Random(0)):
            answers, sentences = network(*collate([item for item, _ in batch], pad))
            for place, (item, row) in enumerate(batch):
                (good if row.answers else bad).append(float(answers[place]))
                if row.answers and len(item.ranges) > 1:
                    answerable += 1
                    hits += row.flags[int(sentences[place, : len(item.ranges)].argmax())]
    network.train()
    a, b = torch.tensor(good), torch.tensor(bad)
    return {"passage_auc": float((a[:, None] > b[None]).float().mean()), "best_sentence": hits / max(1, answerable)}


def rows_of(options: argparse.Namespace) -> dict[str, list[Row]]:
    """All rows by kind."""
    draw = random.Random(options.seed)
    natural = [
        *natural_rows(options.reading / "squad-dev.jsonl", draw),
        *natural_rows(options.reading / "qed.jsonl", draw),
    ]
    found = {
        "natural": natural,
        "faq": list(faq_rows(options.reading / "dstc9-faq.jsonl", draw)),
        "sections": list(section_rows(options.sections, draw)),
    }
    kept = {name: draw.sample(rows, int(options.share * len(rows))) for name, rows in found.items()}
    return {**kept, "bank": list(bank_rows(draw, options.bank_rounds))}


def main() -> None:
    """Build the rows, train, evaluate on held-out groups, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--sections", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "knowledge" / "reader_head")
    parser.add_argument("--bank-rounds", type=int, default=16)
    parser.add_argument("--share", type=float, default=1.0, help="share of the other rows to use, drawn by the seed")
    parser.add_argument("--start", type=Path, help="go on from this head instead of a fresh one")
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    place = model_location(DEFAULT_MODEL)
    tokenizer = AutoTokenizer.from_pretrained(place)
    kinds = {
        name: [(encode(tokenizer, row.question, row.passage), row) for row in rows]
        for name, rows in rows_of(options).items()
    }
    training = [item for items in kinds.values() for item in items if not item[1].held_out]
    print(
        {name: len(items) for name, items in kinds.items()},
        sum(len(item.ids) for item, _ in training),
        "tokens",
        flush=True,
    )
    encoder = AutoModel.from_pretrained(place, add_pooling_layer=False)
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear")
    wrapped = get_peft_model(encoder, lora, autocast_adapter_dtype=False)
    network = make_network(wrapped.bfloat16() if has_fast_bfloat16() else wrapped)
    if options.start:
        load_start(network, options.start)
    began = time.time()
    run(network, training, tokenizer.pad_token_id, options)
    scores = {
        name: evaluate(network, [item for item in items if item[1].held_out], tokenizer.pad_token_id)
        for name, items in kinds.items()
    }
    print(json.dumps(scores, indent=1), round(time.time() - began), "s", flush=True)
    save(
        network,
        options,
        {
            "rows": {name: len(items) for name, items in kinds.items()},
            "held_out": scores,
            "seconds": round(time.time() - began),
        },
    )


def load_start(network: Any, folder: Path) -> None:  # noqa: ANN401
    """Weights of a head that was trained before; its rows are those of another seed and share."""
    set_peft_model_state_dict(network.encoder, load_file(folder / "adapter_model.safetensors"))
    network.load_state_dict(load_file(folder / "outputs.safetensors"), strict=False)


def run(network: Any, training: Sequence[Item], pad: int, options: argparse.Namespace) -> None:  # noqa: ANN401
    """AdamW on float32 copies, warm-up, then a linear fall; a checkpoint every 200 steps."""
    draw = random.Random(options.seed)
    steps = [batch for _ in range(options.epochs) for batch in batches(training, draw)]
    weights = [p for p in network.parameters() if p.requires_grad]
    copies = [torch.nn.Parameter(p.detach().float()) for p in weights]
    optimizer = torch.optim.AdamW(copies, lr=options.learning_rate, weight_decay=0.01)
    checkpoint, first, recent = options.out / "checkpoint.pt", 0, 0.0
    options.out.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        state = torch.load(checkpoint)
        first = state["step"]
        optimizer.load_state_dict(state["optimizer"])
        for copy, weight, kept in zip(copies, weights, state["copies"], strict=True):
            copy.data.copy_(kept)
            weight.data.copy_(kept)
    network.train()
    with Progress() as bar:
        task = bar.add_task("reader", total=len(steps), completed=first)
        for step in range(first, len(steps)):
            share = step / len(steps)
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * min(1.0, share / WARMUP + 0.02) * (1 - share)
            loss = loss_of(network, steps[step], pad)
            loss.backward()
            for copy, weight in zip(copies, weights, strict=True):
                copy.grad, weight.grad = weight.grad.float(), None
            torch.nn.utils.clip_grad_norm_(copies, 1.0)
            optimizer.step()
            for copy, weight in zip(copies, weights, strict=True):
                weight.data.copy_(copy)
            if not math.isfinite(loss.item()):
                raise SystemExit(f"The loss became {loss.item()} at step {step}: lower the learning rate.")
            recent = loss.item() if not recent else 0.98 * recent + 0.02 * loss.item()
            bar.update(task, advance=1, description=f"loss {recent:.3f}")
            if (step + 1) % 200 == 0:
                print(f"step {step + 1} of {len(steps)} loss {recent:.4f}", flush=True)
                state = {"step": step + 1, "copies": [c.detach() for c in copies], "optimizer": optimizer.state_dict()}
                torch.save(state, checkpoint.with_suffix(".partial"))
                checkpoint.with_suffix(".partial").replace(checkpoint)


def save(network: Any, options: argparse.Namespace, found: dict[str, Any]) -> None:  # noqa: ANN401
    """LoRA by PEFT, the two outputs, and the card last."""
    network.encoder.save_pretrained(str(options.out))
    (options.out / "README.md").unlink(missing_ok=True)
    config = json.loads((options.out / "adapter_config.json").read_text())
    (options.out / "adapter_config.json").write_text(
        json.dumps({**config, "base_model_name_or_path": DEFAULT_MODEL}, indent=1)
    )
    outputs = {
        name: p.detach().contiguous() for name, p in network.named_parameters() if not name.startswith("encoder.")
    }
    save_file(outputs, options.out / "outputs.safetensors")
    card = {
        "base": DEFAULT_MODEL,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rank": RANK,
        "alpha": ALPHA,
        "learning_rate": options.learning_rate,
        "start": str(options.start or ""),
        "share": options.share,
        "bank_rounds": options.bank_rounds,
        "epochs": options.epochs,
        "seed": options.seed,
        **found,
        "packages": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    (options.out / "card.json").write_text(json.dumps(card, indent=1))
    (options.out / "checkpoint.pt").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
