"""Follow-up question -> standalone question, by rules over the earlier turns."""

import re
from collections.abc import Sequence

from bot.evidence import content_words
from tone_tuning.prompt import Message

__all__ = ["recent_turns", "standalone_question"]

FOLLOW_UP = re.compile(
    r"^\s*(?:and|or|but|also|so|ok|okay|what about|how about|then|in that case|same)\b", re.IGNORECASE
)
# "Is there parking" points at nothing.
POINTING = re.compile(
    r"\b(?:it|its|that|this|they|them|those|these|(?<!is )(?<!are )(?<!was )there|one|ones|he|she)\b", re.IGNORECASE
)
FEW_WORDS = 3  # a question with so few content words of its own leans on the turn before it
TURNS_KEPT = 4  # messages of history the writer sees


def standalone_question(question: str, history: Sequence[Message]) -> str:
    """`question` with the customer's last question put before it where it cannot be understood alone."""
    earlier = [message["content"] for message in history if message["role"] == "user"]
    if not earlier:
        return question
    few = len(content_words(question)) <= FEW_WORDS
    if FOLLOW_UP.search(question) or (few and POINTING.search(question)) or len(content_words(question)) <= 1:
        return f"{earlier[-1].strip()} {question.strip()}"
    return question


def recent_turns(history: Sequence[Message]) -> list[Message]:
    """The last turns the writer sees, beginning with one of the customer's."""
    kept = list(history[-TURNS_KEPT:])
    while kept and kept[0]["role"] != "user":
        kept.pop(0)
    return kept
