"""Trains the reader head: LoRA on MiniLM as a cross-encoder, with outputs for passages, sentences and claims.

Run: .venv/bin/python -m benchmarks.train_reader --data ../shared/data [--out knowledge/reader_head] [--rows FILE]
Checkpoints every 100 steps; the same command goes on after a kill, at once where the rows were kept in a file (making
them takes 12 minutes on 2 cores, mostly for the cosines). Prints tokens per second and held-out scores.
"""

import argparse
import json
import math
import pickle
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from benchmarks.reader_claims import Claim, bank_claims, natural_claims, reply_claims
from benchmarks.reader_rows import (
    Group,
    bank_groups,
    faq_groups,
    natural_groups,
    section_groups,
    variant_groups,
)
from benchmarks.reader_scores import score_claims, score_groups
from bot.sentences import plain
from knowledge.embedder import DEFAULT_MODEL, Embedder, SentenceTransformerEmbedder, has_fast_bfloat16, model_location
from knowledge.reader import Encoded, Passage, claim_text, collate, encode, make_network, padded_length

__all__ = ["main"]

RANK, ALPHA = 32, 64  # 1.3 M weights, 2.7 MB
LEARNING_RATE = 1e-3
WARMUP = 0.05
BATCH_TOKENS = 4096
LONGEST = 256  # tokens; rows of longer groups are left out
CHECKPOINT_STEPS = 100
SENTENCE_WEIGHT = 3.0  # few sentences are evidence; passages and sentences then pull about equally
OUTPUTS = ("passage", "sentence", "support", "near_passage", "near_sentence")


@dataclass(frozen=True)
class Item:
    """A group or a claim with its encoded rows, and MiniLM's cosines of the question with passages and sentences."""

    rows: tuple[Encoded, ...]
    source: Group | Claim
    near: tuple[float, ...] = ()
    near_sentences: tuple[tuple[float, ...], ...] = ()

    @property
    def length(self) -> int:
        """Tokens that each of its rows is filled up to."""
        return padded_length(max(len(row.ids) for row in self.rows))


def make_items(tokenizer: Any, sources: Sequence[Group | Claim], embedder: Embedder) -> list[Item]:  # noqa: ANN401
    """Encoded sources, without those that are too long."""
    claims = [source for source in sources if isinstance(source, Claim)]
    items = [Item((encode(tokenizer, claim_text(c.claim), c.passage),), c) for c in claims]
    groups = [source for source in sources if isinstance(source, Group)]
    for group, (near, near_sentences) in zip(groups, similarities(groups, embedder), strict=True):
        rows = tuple(encode(tokenizer, group.question, passage) for passage in group.passages)
        items.append(Item(rows, group, near, near_sentences))
    return [item for item in items if item.length <= LONGEST]


def similarities(
    groups: Sequence[Group], embedder: Embedder
) -> Iterator[tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]]:
    """For each group the cosines of its question with the passages and with each of their sentences."""
    asked = embedder.embed([group.question for group in groups])
    texts: dict[str, int] = {}
    for group in groups:
        for passage in group.passages:
            for text in near_texts(passage):
                texts.setdefault(text, len(texts))
    vectors = embedder.embed(list(texts))
    for question, group in zip(asked, groups, strict=True):
        found = [[float(vectors[texts[t]] @ question) for t in near_texts(p)] for p in group.passages]
        yield tuple(cosines[0] for cosines in found), tuple(tuple(cosines[1:]) for cosines in found)


def near_texts(passage: Passage) -> list[str]:
    """The passage with its headings, then each sentence with them, as the search and the bot embed them."""
    whole = f"{passage.heading}. {passage.text}"
    return [whole, *(f"{passage.heading}. {plain(passage.text[start:end])}" for start, end in passage.spans)]


def batches(items: Sequence[Item], draw: random.Random) -> list[list[Item]]:
    """Batches of items with as many rows of the same length, in random order; the last of a kind is filled up too."""
    alike: dict[tuple[bool, int, int], list[Item]] = defaultdict(list)
    for item in items:
        alike[isinstance(item.source, Group), len(item.rows), item.length].append(item)
    found = []
    for (_, rows, length), kind in alike.items():
        draw.shuffle(kind)
        size = max(1, BATCH_TOKENS // (rows * length))
        kind = kind + draw.choices(kind, k=-len(kind) % size)
        found += [kind[at : at + size] for at in range(0, len(kind), size)]
    draw.shuffle(found)
    return found


def loss_of(network: Any, batch: Sequence[Item], pad: int) -> torch.Tensor:  # noqa: ANN401
    """Of groups: which passage answers and which sentence is evidence, each alone and against the others; of claims."""
    answers, sentences, support = network(*collate([row for item in batch for row in item.rows], pad))
    if isinstance(batch[0].source, Claim):
        relations = torch.tensor([item.source.relation for item in batch if isinstance(item.source, Claim)])
        return torch.nn.functional.cross_entropy(support, relations)
    wanted = torch.tensor([float(answer) for item in batch for answer in item.source.answers])  # type: ignore[union-attr]
    flags, known = torch.zeros_like(sentences), torch.zeros_like(sentences)
    rows = [(row, found) for item in batch for row, found in zip(item.rows, item.source.flags, strict=True)]  # type: ignore[union-attr]
    for place, (row, found) in enumerate(rows):
        for number, (start, end) in enumerate(row.ranges):
            flags[place, number], known[place, number] = float(found[number]), float(end > start)
    answers, sentences = with_similarity(network, answers, sentences, batch)
    crossed = torch.nn.functional.binary_cross_entropy_with_logits
    each = (crossed(sentences, flags, reduction="none") * known).sum() / known.sum().clamp(min=1)
    size = len(batch[0].rows)
    chosen = one_of(answers.view(-1, size), wanted.view(-1, size))
    masked = sentences.masked_fill(known == 0, -1e4).view(len(batch), -1)
    picked = one_of(masked, (flags * known).view(len(batch), -1))
    return crossed(answers, wanted) + SENTENCE_WEIGHT * each + 0.5 * chosen + 0.5 * picked


def with_similarity(
    network: Any,  # noqa: ANN401 - a torch module
    answers: torch.Tensor,
    sentences: torch.Tensor,
    items: Sequence[Item],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both logits of groups with the cosines added: the head learns what these do not tell."""
    near = torch.tensor([cosine for item in items for cosine in item.near])
    beside = torch.zeros_like(sentences)
    for place, cosines in enumerate(found for item in items for found in item.near_sentences):
        beside[place, : len(cosines)] = torch.tensor(cosines)
    return answers + network.near_passage(near[:, None])[:, 0], sentences + network.near_sentence(beside[..., None])[
        ..., 0
    ]


def one_of(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of choosing any wanted column of each row, or none of them (a logit of 0) where none is wanted."""
    none = torch.zeros(len(logits), 1)
    logits = torch.cat([none, logits], dim=1)
    right = torch.cat([(wanted.sum(1, keepdim=True) == 0).float(), wanted], dim=1)
    return (logits.logsumexp(1) - logits.masked_fill(right == 0, -1e9).logsumexp(1)).mean()


def sources_of(options: argparse.Namespace, embedder: Embedder) -> dict[str, list[Group | Claim]]:
    """All groups and claims by kind."""
    draw, reading = random.Random(options.seed), options.data / "reading"
    share = options.share
    makers: dict[str, Callable[[], Iterable[Group | Claim]]] = {
        "squad": lambda: natural_groups(reading / "squad-dev.jsonl", embedder, draw, int(4000 * share)),
        "qed": lambda: natural_groups(reading / "qed.jsonl", embedder, draw, int(1200 * share)),
        "faq": lambda: faq_groups(reading / "dstc9-faq.jsonl", draw, int(2000 * share)),
        "sections": lambda: section_groups(options.data / "sections.jsonl", embedder, draw, share),
        "bank": lambda: bank_groups(draw, max(1, round(4 * share))),
        "variants": lambda: variant_groups(draw, max(1, round(5 * share))),
        "claims of the bank": lambda: bank_claims(draw, max(1, round(8 * share))),
        "claims of paragraphs": lambda: natural_claims(reading / "squad-dev.jsonl", draw, int(3000 * share)),
        "claims of replies": lambda: reply_claims(reading / "dstc9-label-replies.jsonl", draw),
    }
    return {name: list(make()) for name, make in makers.items()}


def all_items(tokenizer: Any, options: argparse.Namespace) -> dict[str, list[Item]]:  # noqa: ANN401
    """Items by kind; out of the file of kept rows where that is given and there."""
    if options.rows and options.rows.exists():
        found: dict[str, list[Item]] = pickle.loads(options.rows.read_bytes())
        return found
    embedder = SentenceTransformerEmbedder()
    kinds = {name: make_items(tokenizer, made, embedder) for name, made in sources_of(options, embedder).items()}
    if options.rows:
        partial = options.rows.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(kinds))
        partial.replace(options.rows)
    return kinds


def make_trained_network(place: str) -> Any:  # noqa: ANN401 - a torch module
    """MiniLM with fresh LoRA matrices and outputs, in the faster number format of this CPU."""
    encoder = AutoModel.from_pretrained(place, add_pooling_layer=False)
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear")
    wrapped = get_peft_model(encoder, lora, autocast_adapter_dtype=False)
    return make_network(wrapped.bfloat16() if has_fast_bfloat16() else wrapped)


def load_start(network: Any, folder: Path) -> None:  # noqa: ANN401
    """Weights of an earlier head. One that never saw cosines gets only half their weight beside its own logits."""
    outputs = load_file(folder / "outputs.safetensors")
    set_peft_model_state_dict(network.encoder, load_file(folder / "adapter_model.safetensors"))
    network.load_state_dict(outputs, strict=False)
    if "near_passage.weight" not in outputs:
        for layer in (network.near_passage, network.near_sentence):
            layer.weight.data.mul_(0.5)
            layer.bias.data.mul_(0.5)


def main() -> None:
    """Build the rows, train, evaluate on held-out groups, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with reading/ and sections.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "knowledge" / "reader_head")
    parser.add_argument("--rows", type=Path, help="keep the rows here, or take them from here; a file of your own")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows to draw")
    parser.add_argument("--start", type=Path, help="go on from this head instead of a fresh one")
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    place = model_location(DEFAULT_MODEL)
    tokenizer = AutoTokenizer.from_pretrained(place)
    kinds = all_items(tokenizer, options)
    training = [item for items in kinds.values() for item in items if not item.source.held_out]
    filled = sum(item.length * len(item.rows) for item in training)
    print({name: len(items) for name, items in kinds.items()}, f"{filled:,} tokens with the filling", flush=True)
    network = make_trained_network(place)
    if options.start:
        load_start(network, options.start)
    began = time.time()
    run(network, training, tokenizer.pad_token_id, options)
    scores = {name: evaluate(network, items, tokenizer.pad_token_id) for name, items in kinds.items()}
    print(json.dumps(scores, indent=1), round(time.time() - began), "s", flush=True)
    save(network, options, {"rows": len(training), "tokens": filled, "held_out": scores,
                            "seconds": round(time.time() - began)})  # fmt: skip


def evaluate(network: Any, items: Sequence[Item], pad: int) -> dict[str, float]:  # noqa: ANN401
    """Scores of the held-out items of one kind, see reader_scores.py."""
    kept = [item for item in items if item.source.held_out]
    found: list[tuple[Any, ...]] = []
    with torch.inference_mode():
        for item in kept:
            answers, sentences, support = network(*collate(item.rows, pad))
            if item.near:
                answers, sentences = with_similarity(network, answers, sentences, [item])
            cut = [row[: len(r.ranges)].tolist() for row, r in zip(sentences, item.rows, strict=True)]
            found.append((item.source, answers.tolist(), cut, support.tolist()))
    if kept and isinstance(kept[0].source, Claim):
        return score_claims([(claim.relation, support[0]) for claim, _, _, support in found])
    return score_groups([(group, answers, sentences) for group, answers, sentences, _ in found])


def run(network: Any, training: Sequence[Item], pad: int, options: argparse.Namespace) -> None:  # noqa: ANN401
    """AdamW on float32 copies, warm-up, then a linear fall; checkpoints."""
    steps = batches(training, random.Random(options.seed))
    weights = [p for p in network.parameters() if p.requires_grad]
    copies = [torch.nn.Parameter(p.detach().float()) for p in weights]
    optimizer = torch.optim.AdamW(copies, lr=options.learning_rate, weight_decay=0.01)
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint, first, recent = options.out / "checkpoint.pt", 0, 0.0
    if checkpoint.exists():
        first = resume(checkpoint, copies, weights, optimizer)
    network.eval()  # no dropout: no row is seen twice
    began, tokens = time.perf_counter(), 0
    with Progress() as bar:
        task = bar.add_task("reader", total=len(steps), completed=first)
        for step in range(first, len(steps)):
            share = step / len(steps)
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * min(1.0, share / WARMUP + 0.02) * (1 - share)
            loss = loss_of(network, steps[step], pad)
            loss.backward()
            for copy, weight in zip(copies, weights, strict=True):
                copy.grad = None if weight.grad is None else weight.grad.float()
                weight.grad = None
            torch.nn.utils.clip_grad_norm_(copies, 1.0)
            optimizer.step()
            for copy, weight in zip(copies, weights, strict=True):
                weight.data.copy_(copy)
            if not math.isfinite(loss.item()):
                raise SystemExit(f"The loss became {loss.item()} at step {step}: lower the learning rate.")
            recent = loss.item() if not recent else 0.98 * recent + 0.02 * loss.item()
            tokens += sum(item.length * len(item.rows) for item in steps[step])
            bar.update(task, advance=1, description=f"loss {recent:.3f}")
            if (step + 1) % CHECKPOINT_STEPS == 0:
                rate = tokens / (time.perf_counter() - began)
                print(f"step {step + 1} of {len(steps)} loss {recent:.4f}, {rate:,.0f} tokens/s", flush=True)
                state = {"step": step + 1, "copies": [c.detach() for c in copies], "optimizer": optimizer.state_dict()}
                torch.save(state, checkpoint.with_suffix(".partial"))
                checkpoint.with_suffix(".partial").replace(checkpoint)


def resume(checkpoint: Path, copies: Sequence[Any], weights: Sequence[Any], optimizer: torch.optim.Optimizer) -> int:
    """Load a checkpoint; returns the step to go on with."""
    state = torch.load(checkpoint)
    optimizer.load_state_dict(state["optimizer"])
    for copy, weight, kept in zip(copies, weights, state["copies"], strict=True):
        copy.data.copy_(kept)
        weight.data.copy_(kept)
    return int(state["step"])


def save(network: Any, options: argparse.Namespace, found: dict[str, Any]) -> None:  # noqa: ANN401
    """LoRA by PEFT, the outputs, and the card last."""
    card_text = options.out / "README.md"
    written = card_text.read_bytes() if card_text.exists() else None
    network.encoder.save_pretrained(str(options.out))
    card_text.unlink(missing_ok=True)  # PEFT's own; the one of a person stays
    if written:
        card_text.write_bytes(written)
    config = json.loads((options.out / "adapter_config.json").read_text())
    (options.out / "adapter_config.json").write_text(
        json.dumps({**config, "base_model_name_or_path": DEFAULT_MODEL}, indent=1)
    )
    outputs = {name: p.detach().contiguous() for name, p in network.named_parameters() if name.startswith(OUTPUTS)}
    save_file(outputs, options.out / "outputs.safetensors")
    card = {
        "base": DEFAULT_MODEL,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rank": RANK,
        "alpha": ALPHA,
        "learning_rate": options.learning_rate,
        "start": options.start.name if options.start else None,
        "share": options.share,
        "seed": options.seed,
        **found,
        "packages": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    (options.out / "card.json").write_text(json.dumps(card, indent=1))
    (options.out / "checkpoint.pt").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
