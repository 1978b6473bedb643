"""Transcripts -> validated conversations -> token ids with the loss on the last reply only."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tone_tuning.errors import DataSetError, reason
from tone_tuning.prompt import Message, Source, build_messages, plain_text, prompt_ids

__all__ = [
    "Conversation",
    "Example",
    "data_bytes",
    "data_hash",
    "encode",
    "house_phrases",
    "load_conversations",
    "split_conversations",
]

FAULTS_SHOWN = 20
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Conversation:
    """One row: turns that end with the reply to learn, and the sources the bot had for it."""

    messages: tuple[Message, ...]
    sources: tuple[Source, ...]
    id: str  # hash of the first question: all turns of one conversation stay on one side of a split
    held_out: bool | None = None  # what the row says itself; None leaves it to the split

    def prompt(self) -> list[Message]:
        """What the bot would have been given, by the template it serves with."""
        *earlier, asked, _ = [turn for turn in self.messages if turn["role"] != "system"]
        return build_messages(asked["content"], self.sources, earlier)

    @property
    def reply(self) -> str:
        """The reply to learn."""
        return self.messages[-1]["content"].strip()


@dataclass(frozen=True)
class Example:
    """Token ids of prompt and reply; the loss is on `ids[reply_at:]`, the end token included."""

    ids: tuple[int, ...]
    reply_at: int


def load_conversations(path: Path) -> list[Conversation]:
    """The conversations of a JSONL file.

    Raises:
        DataSetError: the file cannot be read, is empty, or has faulty rows; all are named at once.
    """
    try:
        text = data_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataSetError(f"The training data '{path}' is no UTF-8 text: save it as UTF-8 JSONL.") from error
    found, faults = [], []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: JSON may hold other line separators
        if not line.strip():
            continue
        conversation, fault = _parse(line)
        if conversation is None:
            faults.append(f"row {number}: {fault}")
        else:
            found.append(conversation)
    if faults:
        shown = "; ".join(faults[:FAULTS_SHOWN])
        more = f" and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise DataSetError(f"'{path.name}' has {len(faults)} faulty rows, correct them: {shown}{more}")
    if not found:
        raise DataSetError(
            f'\'{path.name}\' has no conversations: add rows like {{"messages": [...], "sources": [...]}}.'
        )
    return found


def split_conversations(
    conversations: Sequence[Conversation], validation_share: float, seed: int
) -> tuple[list[Conversation], list[Conversation]]:
    """(training, validation), by a hash of the conversation, so the same row always lands on the same side.

    A row that says itself whether it is held out is taken at its word.
    """

    def held_out(conversation: Conversation) -> bool:
        if conversation.held_out is not None:
            return conversation.held_out
        digest = hashlib.sha256(f"{seed}:{conversation.id}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32 < validation_share

    return [c for c in conversations if not held_out(c)], [c for c in conversations if held_out(c)]


def encode(conversation: Conversation, tokenizer: Any) -> Example:  # noqa: ANN401 - a transformers tokenizer
    """Ids of the prompt exactly as served, then of the reply and the token that ends it."""
    prompt = prompt_ids(conversation.prompt(), tokenizer)
    reply = tokenizer.encode(plain_text(conversation.reply, tokenizer), add_special_tokens=False)
    return Example((*prompt, *reply, tokenizer.eos_token_id), len(prompt))


def house_phrases(conversations: Sequence[Conversation]) -> list[str]:
    """Openings and closings of the voice: first and last paragraphs of replies that at least three of them share.

    Only lines without a citation or a digit: what claims something is no phrase. The most frequent first, at most 50.
    """
    lines: Counter[str] = Counter()
    for conversation in conversations:
        paragraphs = [part.strip() for part in conversation.reply.split("\n\n")]
        lines.update({paragraphs[0], paragraphs[-1]} if len(paragraphs) > 1 else ())
    return [line for line, count in lines.most_common(50) if count >= 3 and not re.search(r"\d", line)]


def data_hash(path: Path) -> str:
    """Hex digest of a data file; raises as `data_bytes`."""
    return hashlib.sha256(data_bytes(path)).hexdigest()


def data_bytes(path: Path) -> bytes:
    """What a data file holds.

    Raises:
        DataSetError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataSetError(f"The training data '{path}' cannot be read ({reason(error)}): check the path.") from error


def _parse(line: str) -> tuple[Conversation | None, str]:
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return None, "it holds half a character (a lone surrogate such as \\ud83d)"
    except (ValueError, RecursionError) as error:
        return None, f"no JSON ({error})"
    fault = _fault(row)
    if fault:
        return None, fault
    messages = tuple(Message(role=turn["role"], content=turn["content"]) for turn in row["messages"])
    first = next(turn["content"] for turn in messages if turn["role"] == "user")
    sources = tuple(Source.from_dict(source) for source in row.get("sources") or ())
    return Conversation(messages, sources, hashlib.sha256(first.encode()).hexdigest()[:12], row.get("held_out")), ""


def _fault(row: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list) or not row["messages"]:
        return "'messages' must be a list of turns"
    for turn in row["messages"]:
        if not isinstance(turn, dict) or turn.get("role") not in ROLES or not isinstance(turn.get("content"), str):
            return f"a turn needs a role ({', '.join(ROLES)}) and a text content"
    roles = [turn["role"] for turn in row["messages"] if turn["role"] != "system"]
    if "assistant" not in roles:
        return "there is no assistant turn to learn from"
    if roles[-1] != "assistant" or len(roles) < 2 or roles[-2] != "user":
        return "the last two turns must be the customer's question and the reply to it"
    if not row["messages"][-1]["content"].strip():
        return "the reply is empty"
    if not isinstance(row.get("held_out"), bool | None):
        return "'held_out' must be true or false"
    return _source_fault(row.get("sources") or [])


def _source_fault(sources: Any) -> str:  # noqa: ANN401
    if not isinstance(sources, list):
        return "'sources' must be a list"
    for source in sources:
        if not isinstance(source, dict) or not all(isinstance(source.get(k), str) for k in ("title", "text")):
            return "a source needs a title and a text"
        if not all(isinstance(source.get(k) or "", str) for k in ("section", "date")):
            return "the section and the date of a source must be text"
    return ""
