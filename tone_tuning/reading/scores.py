"""What a reply to a practice row is worth: values kept, values invented, citations, declining; with intervals."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tone_tuning.dataset import Conversation
from tone_tuning.reading.rows import DECLINE
from tone_tuning.reading.values import citations, keeps, values_in

__all__ = ["Judged", "judge", "summary", "wilson"]

Z = 1.959964  # 97.5 % point of the normal distribution
Scores = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Judged:
    """One reply and its verdicts; a verdict that makes no sense for the row is missing."""

    kind: str
    question: str
    reply: str
    verdicts: Mapping[str, bool]
    lost: tuple[str, ...]  # values asked for that the reply does not have
    invented: tuple[str, ...]  # values that stand neither in the sources nor in what was asked


def judge(row: Mapping[str, Any], conversation: Conversation, reply: str) -> Judged:
    """The verdicts on a reply to a row.

    values_kept: every number, date, price, link, phone or e-mail asked for is there; phrases_kept: every other text
    asked for; invented: a value of the reply is in no source, question or earlier turn; citation_right: exactly the
    sources of the reference are cited; two_facts: all values of both; unwanted_left_out: no value of another row,
    version or side, and no word of a hidden instruction; declined_wrongly and declined_rightly: by the one sentence.
    """
    should_decline = conversation.reply == DECLINE
    declined = reply.strip().startswith(DECLINE[:30])
    if should_decline:
        return Judged(row["kind"], _asked(conversation), reply, {"declined_rightly": declined}, (), ())
    values = row.get("values", sorted(values_in(conversation.reply)))
    lost = tuple(value for value in values if not keeps(reply, value))
    prompt = "\n".join(turn["content"] for turn in conversation.prompt()[1:])
    invented = tuple(sorted(values_in(reply) - values_in(prompt)))
    numbers = [value for value in values if values_in(value)]
    verdicts = {"declined_wrongly": declined, "invented": bool(invented)}
    if numbers:
        verdicts["values_kept"] = not any(value in lost for value in numbers)
    if len(numbers) < len(values):
        verdicts["phrases_kept"] = not any(value in lost for value in values if value not in numbers)
    if citations(conversation.reply):
        verdicts["citation_right"] = citations(reply) == citations(conversation.reply)
    if row["kind"] == "two_facts" and values:
        verdicts["two_facts"] = not lost
    if row.get("unwanted"):
        verdicts["unwanted_left_out"] = not any(keeps(reply, value) for value in row["unwanted"])
    return Judged(row["kind"], _asked(conversation), reply, verdicts, lost, invented)


def summary(judged: Sequence[Judged]) -> Scores:
    """Each verdict's share with its 95 % interval and n, over all rows; and values_kept for each kind of row."""
    found: dict[str, list[bool]] = defaultdict(list)
    for one in judged:
        for name, verdict in one.verdicts.items():
            found[name].append(verdict)
        if "values_kept" in one.verdicts:
            found[f"values_kept in {one.kind}"].append(one.verdicts["values_kept"])
    return {name: _rated(verdicts) for name, verdicts in sorted(found.items())}


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson (1927); (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    share, z2 = hits / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _rated(verdicts: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(verdicts), len(verdicts))
    return {
        "share": round(sum(verdicts) / len(verdicts), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": len(verdicts),
    }


def _asked(conversation: Conversation) -> str:
    return conversation.messages[-2]["content"]
