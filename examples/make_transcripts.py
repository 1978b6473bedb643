"""Writes examples/transcripts.jsonl: conversations in the house tone, with the sources that the bot would have had.

Run: .venv/bin/python -m examples.make_transcripts [--rows 480] [--out examples/transcripts.jsonl]
Companies, prices and limits are invented by the fact bank, none is the example shop's: the adapter can learn only tone.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.practice import PracticeQuestion, World, bank_worlds
from bot.dialogue import standalone_question
from bot.drafts import cut_units
from bot.evidence import EvidenceSource, SimilarityReader, content_words, group_sources
from bot.grounding import GroundingGate, close_enough, find_targets
from bot.support_bot import to_prompt_source
from knowledge.embedder import SentenceTransformerEmbedder
from tone_tuning.fact_bank import Fact, fill, has_steps
from tone_tuning.prompt import Message
from tone_tuning.voice import check_voice, read_voice

__all__ = ["conversations", "main"]

HERE = Path(__file__).parent
CLOSING = "Is there anything else I can help you with?"
OPENING_WORDS = 9  # longer ones promise things, and a small model mixes them up
KEPT = 0.9  # share of the gold's words that the evidence must hold, or the reply would answer from memory


def conversations(worlds: Iterator[World], reader: SimilarityReader, seed: int) -> Iterator[dict[str, object]]:
    """One row for each answerable question whose evidence holds the answer and whose reply passes the check."""
    draw = random.Random(seed)
    for world in worlds:
        for asked in world.questions:
            if asked.fact is None or (row := _row(world, asked, asked.fact, reader, draw)) is None:
                continue
            yield row


def _row(
    world: World, asked: PracticeQuestion, fact: Fact, reader: SimilarityReader, draw: random.Random
) -> dict[str, object] | None:
    values = dict(asked.values)
    history = _history(asked)
    standalone = standalone_question(asked.question, history)
    passages = world.retriever.retrieve(standalone)
    sources = group_sources(reader.choose(standalone, passages), passages)
    gold = content_words(asked.gold)
    if len(gold & content_words(" ".join(source.text for source in sources))) < KEPT * len(gold):
        return None
    openings = [fill(text, values) for text in fact.acknowledge if len(text.split()) <= OPENING_WORDS]
    body = _body(standalone, sources, asked, fact, values, draw)
    if not openings or not body:
        return None
    reply = f"{_calm(draw.choice(openings))}\n\n{body}\n\n{CLOSING}"
    turn: list[Message] = [{"role": "user", "content": asked.question}, {"role": "assistant", "content": reply}]
    return {"messages": [*history, *turn], "sources": [asdict(to_prompt_source(source)) for source in sources]}


def _history(asked: PracticeQuestion) -> list[Message]:
    """The turn before an elliptical question; what was answered then does not matter to the reply."""
    if not asked.earlier:
        return []
    answer = f"Happy to look that up.\n\nYou will find that in our help pages. [1]\n\n{CLOSING}"
    return [{"role": "user", "content": asked.earlier}, {"role": "assistant", "content": answer}]


def _body(
    question: str,
    sources: Sequence[EvidenceSource],
    asked: PracticeQuestion,
    fact: Fact,
    values: dict[str, str],
    draw: random.Random,
) -> str:
    """The answer: a wording of the bank where it passes the check, else the evidence that is close to the best."""
    gold = content_words(asked.gold)
    wordings = [fill(text, values) for text in fact.answers]
    draw.shuffle(wordings)
    if has_steps(asked.gold):
        wordings = [text for text in wordings if has_steps(text)]
    for wording in wordings if draw.random() < 0.6 else ():
        home = max(sources, key=lambda source: len(gold & content_words(source.text)))
        marked = _marked(wording, home.number)
        if _passes(question, sources, marked):
            return marked
    return _restated(sources)


def _restated(sources: Sequence[EvidenceSource]) -> str:
    """The evidence that the check would want to see, in its own words and order."""
    return "\n".join(
        _marked(target.text, target.source) if has_steps(target.text) else target.quote
        for target in close_enough(find_targets(sources))
    ).replace("]\n", "] ") if not any(has_steps(source.text) for source in sources) else _with_steps(sources)


def _with_steps(sources: Sequence[EvidenceSource]) -> str:
    procedure = next(target for target in find_targets(sources) if has_steps(target.text))
    return procedure.quote


def _marked(wording: str, number: int) -> str:
    """A wording with its citation: after the last step, or after each sentence."""
    if has_steps(wording):
        return f"{wording.strip()} [{number}]"
    return " ".join(f"{part} [{number}]" for part in re.split(r"(?<=[.!?])\s+(?=[A-Z])", wording.strip()))


def _passes(question: str, sources: Sequence[EvidenceSource], body: str) -> bool:
    """Whether the check would show the draft as it stands, but for evidence that it puts in."""
    gate = GroundingGate(question, sources)
    shown = "".join(gate.feed(unit) for unit in cut_units([body])) + gate.close()
    return gate.verdicts.quoted == 0 and not gate.verdicts.reasons and bool(shown.strip())


def _calm(line: str) -> str:
    return line.replace("!", ".")


def main() -> None:
    """Write the file and say what is in it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=480)
    parser.add_argument("--out", type=Path, default=HERE / "transcripts.jsonl")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder()
    guide = read_voice(HERE / "voice.yaml")
    rows: list[dict[str, object]] = []
    for row in conversations(bank_worlds(embedder, 10_000, options.seed), SimilarityReader(embedder), options.seed):
        reply = row["messages"][-1]["content"]  # type: ignore[index]
        if all(check_voice(guide, reply, has_steps(reply)).values()):
            rows.append(row)
        if len(rows) == options.rows:
            break
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    steps = sum(has_steps(row["messages"][-1]["content"]) for row in rows)  # type: ignore[index]
    print(f"{len(rows)} conversations, {steps} with numbered steps, in {options.out}")


if __name__ == "__main__":
    main()
