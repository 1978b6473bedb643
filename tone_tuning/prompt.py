"""The one prompt template, used by training and serving; its hash stands in every adapter's card."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

__all__ = ["SYSTEM_PROMPT", "Message", "Source", "build_messages", "plain_text", "prompt_hash", "prompt_ids"]

SYSTEM_PROMPT = (
    "You are a customer support assistant. Answer only from the sources and cite them like [1]. "
    "If the sources do not contain the answer, say so."
)


class Message(TypedDict):
    """One turn: role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Source:
    """What stands under one `[n]` of a prompt; `date` is ISO 8601 and may be empty, as may `section`."""

    title: str
    section: str
    date: str
    text: str

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "Source":
        """A source of a training row; section and date may be missing."""
        return cls(row["title"], row.get("section") or "", row.get("date") or "", row["text"])

    @property
    def heading(self) -> str:
        """Title, and the section where it says something new."""
        return f"{self.title}: {self.section}" if self.section and self.section != self.title else self.title


def build_messages(question: str, sources: Sequence[Source], history: Sequence[Message] = ()) -> list[Message]:
    """System prompt, earlier turns as they were, then the numbered sources and the question in one user turn."""
    listed = "\n\n".join(f"[{n}] {source.heading}\n{source.text}" for n, source in enumerate(sources, 1))
    asked = f"Sources:\n{listed}\n\nQuestion: {question}" if sources else f"Question: {question}"
    return [
        Message(role="system", content=SYSTEM_PROMPT),
        *(Message(role=turn["role"], content=turn["content"]) for turn in history),
        Message(role="user", content=asked),
    ]


def prompt_hash() -> str:
    """12 hex digits of the template: an adapter trained with another one must not serve."""
    sources = [Source("T", "S", "2026-01-01", "x"), Source("U", "", "", "y")]
    history = [Message(role="user", content="a"), Message(role="assistant", content="b")]
    rendered = json.dumps([build_messages("q", sources, history), build_messages("q", [])])
    return hashlib.sha256(rendered.encode()).hexdigest()[:12]


def prompt_ids(messages: Sequence[Message], tokenizer: Any) -> list[int]:  # noqa: ANN401 - a transformers tokenizer
    """Token ids of a prompt by the base's chat template, up to where the reply begins; training and serving alike."""
    safe = [Message(role=turn["role"], content=plain_text(turn["content"], tokenizer)) for turn in messages]
    return list(tokenizer.apply_chat_template(safe, add_generation_prompt=True, return_dict=False))


def plain_text(text: str, tokenizer: Any) -> str:  # noqa: ANN401 - a transformers tokenizer
    """`text` with a space inside whatever spells a special token, so that no customer speaks in another's role."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.special:
            text = text.replace(token.content, f"{token.content[:1]} {token.content[1:]}")
    return text
