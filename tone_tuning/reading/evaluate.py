"""Scores greedy replies to held-out rows: `python -m tone_tuning.reading.evaluate --data FILE --adapter FOLDER`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tone_tuning.base_model import DEFAULT_BASE, PreparedBase, prepare_base
from tone_tuning.dataset import Conversation, data_bytes, data_hash, load_conversations
from tone_tuning.errors import DataSetError
from tone_tuning.language_model import load_base, merge_adapter, pick_device
from tone_tuning.prompt import prompt_ids
from tone_tuning.quiet import quiet_transformers
from tone_tuning.reading.command import default_models, positive, public_name, run_command, say, write_text
from tone_tuning.reading.copying import CopyNumbers, digit_pieces
from tone_tuning.reading.scores import Judged, judge, summary
from tone_tuning.reading.values import without_marks

__all__ = ["Writer", "evaluate", "held_out_rows", "main"]

MOST_TOKENS = 320  # of a reply, as in service
FAILURES_KEPT = 40

Pair = tuple[dict[str, Any], Conversation]


class Writer:
    """A base with an adapter merged, or without; writes many replies at once, greedily, on the GPU if there is one."""

    def __init__(self, base: PreparedBase, adapter: Path | None = None, copy: bool = False) -> None:
        self.tokenizer, model = load_base(base)
        self.model = (merge_adapter(model, adapter) if adapter else model).to(pick_device()).eval()
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.pieces = digit_pieces(self.tokenizer) if copy else None

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """A reply to each conversation, all in one batch padded on the left."""
        import torch
        from transformers import GenerationConfig

        prompts = [prompt_ids(conversation.prompt(), self.tokenizer) for conversation in conversations]
        batch = self.tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(self.model.device)
        start = batch["input_ids"].shape[1]
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=min(MOST_TOKENS, 70 + int(1.6 * max(map(len, prompts)))),
            eos_token_id=self.tokenizer.eos_token_id,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        processors = [self._copying(conversations, start)] if self.pieces else None
        with torch.inference_mode(), quiet_transformers():
            said = self.model.generate(**batch, generation_config=settings, logits_processor=processors)
        return [text.strip() for text in self.tokenizer.batch_decode(said[:, start:], skip_special_tokens=True)]

    def _copying(self, conversations: Sequence[Conversation], start: int) -> CopyNumbers:
        texts = [without_marks("\n".join(turn["content"] for turn in c.prompt()[1:])) for c in conversations]
        counts = [len(conversation.sources) for conversation in conversations]
        return CopyNumbers(self.tokenizer, self.pieces or {}, list(zip(counts, texts, strict=True)), start)


def held_out_rows(data: Path, limit: int | None = None, kinds: Sequence[str] = ()) -> list[Pair]:
    """The first `limit` held-out rows of a practice file, of some kinds or of all, with their conversations.

    Raises:
        DataSetError: the file has faults, or no such row.
    """
    conversations = load_conversations(data)
    rows = [json.loads(line) for line in data_bytes(data).decode("utf-8-sig").split("\n") if line.strip()]
    pairs = [
        (row, conversation)
        for row, conversation in zip(rows, conversations, strict=True)
        if conversation.held_out and "kind" in row and (not kinds or row["kind"] in kinds)
    ]
    if not pairs:
        raise DataSetError(f"'{data}' has no held-out rows of that kind: make it with tone_tuning.reading.practice.")
    return pairs[:limit]


def evaluate(writer: Writer, pairs: Sequence[Pair], batch_rows: int = 8) -> list[Judged]:
    """A verdict on the reply to each row, in the order of the rows; similar lengths are written together."""
    order = sorted(range(len(pairs)), key=lambda n: sum(len(s.text) for s in pairs[n][1].sources))
    judged: dict[int, Judged] = {}
    began = time.perf_counter()
    for at in range(0, len(order), batch_rows):
        chosen = order[at : at + batch_rows]
        replies = writer.write([pairs[n][1] for n in chosen])
        judged |= {n: judge(*pairs[n], reply) for n, reply in zip(chosen, replies, strict=True)}
        say(f"{len(judged)} of {len(pairs)} rows, {time.perf_counter() - began:.0f} s")
    return [judged[n] for n in range(len(pairs))]


def main(arguments: list[str] | None = None) -> None:
    """Print the scores, and write them with the rows that failed."""
    parser = argparse.ArgumentParser(prog="python -m tone_tuning.reading.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSONL of tone_tuning.reading.practice")
    parser.add_argument("--adapter", type=Path, help="folder of the adapter (default: the bare base)")
    parser.add_argument("--base", default=DEFAULT_BASE, help="bare base, or a merged model folder")
    parser.add_argument("--models", type=Path, default=default_models(), help="where prepared bases lie")
    parser.add_argument("--limit", type=positive, help="only the first held-out rows")
    parser.add_argument("--kinds", default="", help="only these kinds, with commas between")
    parser.add_argument("--batch-rows", type=positive, default=8)
    parser.add_argument("--copy", action="store_true", help="numbers may only be taken from the prompt")
    parser.add_argument("--json", type=Path, help="write scores and failures here")
    options = parser.parse_args(arguments)
    run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    pairs = held_out_rows(options.data, options.limit, [kind for kind in options.kinds.split(",") if kind])
    base = prepare_base(options.base, options.models, say, reading=False)
    judged = evaluate(Writer(base, options.adapter, options.copy), pairs, options.batch_rows)
    scores = summary(judged)
    for name, score in scores.items():
        sys.stdout.write(
            f"{name:40} {score['share']:.3f} ({score['low']:.3f} to {score['high']:.3f}), n {score['n']}\n"
        )
    if options.json:
        failed = [asdict(one) for one in judged if one.lost or one.invented or one.verdicts.get("declined_wrongly")]
        report = {
            "base": public_name(base.name),
            "adapter": options.adapter.name if options.adapter else None,
            "data_sha256": data_hash(options.data),
            "rows": len(pairs),
            "copy": options.copy,
            "scores": scores,
            "failures": failed[:FAILURES_KEPT],
        }
        write_text(options.json, json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
