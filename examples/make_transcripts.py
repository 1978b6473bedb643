"""Writes examples/transcripts.jsonl: conversations in the house tone, with the sources that the bot would have had.

Run: .venv/bin/python -m examples.make_transcripts [--rows 480] [--out examples/transcripts.jsonl]
Companies, prices and limits come out of the fact bank and none is the example shop's: only the tone can be learned.
"""

import argparse
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.practice import PracticeQuestion, World, bank_worlds
from bot.dialogue import standalone_question
from bot.drafts import cut_units
from bot.evidence import EvidenceSource, Reader, SimilarityReader, content_words
from bot.gather import gather
from bot.grounding import GroundingGate, close_enough, find_targets, is_courtesy
from bot.head_reader import HeadReader
from bot.support_bot import to_prompt_source
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.reader import MiniLmReader
from tone_tuning.fact_bank import Fact, fill, has_steps
from tone_tuning.prompt import Message
from tone_tuning.voice import check_voice, read_voice

__all__ = ["conversations", "main"]

HERE = Path(__file__).parent
CLOSING = "Is there anything else I can help you with?"
# Where the bank has no opening that claims nothing: a small model would mix up what claims something.
OPENINGS = ("Happy to help with that.", "Good question.", "Thanks for asking.", "Sure, let me look that up for you.")
STEPS_OPENING = "Sure, let me walk you through it."
KEPT = 0.9  # share of the gold's words that the evidence must hold, or the reply would answer from memory
REWORDED = 0.5  # share of replies in a wording of the bank; the others keep that of the evidence


def conversations(worlds: Iterable[World], reader: Reader, seed: int) -> Iterator[dict[str, Any]]:
    """One row for each answerable question whose evidence holds the answer."""
    draw = random.Random(seed)
    for world in worlds:
        for asked in world.questions:
            row = _row(world, asked, asked.fact, reader, draw) if asked.fact else None
            if row is not None:
                yield row


def _row(
    world: World, asked: PracticeQuestion, fact: Fact, reader: Reader, draw: random.Random
) -> dict[str, Any] | None:
    history = _history(asked)
    standalone = standalone_question(asked.question, history)
    sources = gather(asked.question, world.retriever, reader, standalone).sources
    gold = content_words(asked.gold)
    held = content_words(" ".join(source.text for source in sources))
    if len(gold & held) < KEPT * len(gold):
        return None
    body = _reworded(standalone, sources, asked, fact, draw) if draw.random() < REWORDED else ""
    body = body or _restated(sources)
    reply = f"{_opening(body, fact, dict(asked.values), draw)}\n\n{body}\n\n{CLOSING}"
    turn: list[Message] = [{"role": "user", "content": asked.question}, {"role": "assistant", "content": reply}]
    return {"messages": [*history, *turn], "sources": [asdict(to_prompt_source(source)) for source in sources]}


def _opening(body: str, fact: Fact, values: dict[str, str], draw: random.Random) -> str:
    """An acknowledgement that claims nothing about the case."""
    fitting = [line for line in (fill(text, values) for text in fact.acknowledge) if is_courtesy(line)]
    if fitting:
        return draw.choice(fitting).replace("!", ".")
    return STEPS_OPENING if has_steps(body) else draw.choice(OPENINGS)


def _history(asked: PracticeQuestion) -> list[Message]:
    """The turn before an elliptical question; what was answered then does not matter to the reply."""
    if not asked.earlier:
        return []
    answer = f"Happy to look that up.\n\nYou will find that in our help pages. [1]\n\n{CLOSING}"
    return [{"role": "user", "content": asked.earlier}, {"role": "assistant", "content": answer}]


def _reworded(
    question: str, sources: Sequence[EvidenceSource], asked: PracticeQuestion, fact: Fact, draw: random.Random
) -> str:
    """The answer in a wording of the bank that the check would pass as it stands; empty where none passes."""
    gold = content_words(asked.gold)
    home = max(sources, key=lambda source: len(gold & content_words(source.text)))
    wordings = [fill(text, dict(asked.values)) for text in fact.answers]
    draw.shuffle(wordings)
    for wording in wordings:
        body = _marked(wording, home.number)
        gate = GroundingGate(question, sources)
        shown = "".join(gate.feed(unit) for unit in cut_units([body])) + gate.close()
        if not gate.verdicts.quoted and not gate.verdicts.reasons and shown.strip() == body:
            return body
    return ""


def _restated(sources: Sequence[EvidenceSource]) -> str:
    """The evidence that the check wants to see, in its own words, in the order of the sources."""
    parts = [target.quote for target in find_targets(sources) if target in close_enough(find_targets(sources))]
    return re.sub(r"\] (?=\S[^\n]*\n1\. )", "]\n", " ".join(parts))


def _marked(wording: str, number: int) -> str:
    """A wording with its citation: after the last step, or after each sentence."""
    if has_steps(wording):
        return f"{wording.strip()} [{number}]"
    return " ".join(f"{part} [{number}]" for part in re.split(r"(?<=[.!?])\s+(?=[A-Z])", wording.strip()))


def main() -> None:
    """Write the file and say what is in it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=480)
    parser.add_argument("--out", type=Path, default=HERE / "transcripts.jsonl")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder()
    reader = HeadReader(MiniLmReader(), SimilarityReader(embedder))
    guide = read_voice(HERE / "voice.yaml")
    rows: list[dict[str, Any]] = []
    for row in conversations(bank_worlds(embedder, 10_000, options.seed), reader, options.seed):
        reply = row["messages"][-1]["content"]
        if all(check_voice(guide, reply, has_steps(reply)).values()):
            rows.append(row)
        if len(rows) == options.rows:
            break
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    steps = sum(has_steps(row["messages"][-1]["content"]) for row in rows)
    print(f"{len(rows)} conversations, {steps} with numbered steps, in {options.out}; {reader.fault or reader.name}")


if __name__ == "__main__":
    main()
