"""Golden questions: one JSON object a line, read with all faults at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import QuestionError
from tone_tuning.prompt import Message

__all__ = ["TYPES", "GoldenQuestion", "read_golden"]

TYPES = ("lookup", "yesno", "procedure", "multi", "followup", "false_premise", "underspecified", "unanswerable",
         "out_of_scope", "injection")  # fmt: skip


@dataclass(frozen=True)
class GoldenQuestion:
    """A question with what a right answer must and must not contain.

    `must_contain` is a tuple of groups; one alternative of every group has to stand in the answer.
    """

    id: str
    type: str
    question: str
    answerable: bool
    history: tuple[Message, ...] = ()
    gold_docs: tuple[str, ...] = ()
    must_contain: tuple[tuple[str, ...], ...] = ()
    must_not_contain: tuple[str, ...] = ()
    reference: str = ""


def read_golden(path: Path, limit: int | None = None) -> list[GoldenQuestion]:
    """The questions of a file, at most `limit`.

    Raises:
        QuestionError: the file cannot be read, is empty, or has faults; all of them are named with their lines.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError(f"The question file '{path}' cannot be read ({error}): check its path.") from error
    questions, faults, seen = [], [], set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row, fault = _parse(line)
        if row is not None and row.id in seen:
            fault = f"the id '{row.id}' is used twice"
        if row is None or fault:
            faults.append(f"line {number}: {fault}")
            continue
        seen.add(row.id)
        questions.append(row)
    if faults:
        raise QuestionError(f"'{path}' has {len(faults)} faulty lines, correct them: " + "; ".join(faults[:20]))
    if not questions:
        raise QuestionError(f"'{path}' has no questions: add one JSON object a line.")
    return questions[:limit]


def _parse(line: str) -> tuple[GoldenQuestion | None, str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        return None, f"no JSON ({error})"
    if not isinstance(row, dict):
        return None, "no JSON object"
    fault = _fault(row)
    if fault:
        return None, fault
    return (
        GoldenQuestion(
            id=str(row["id"]),
            type=row["type"],
            question=row["question"],
            answerable=row["answerable"],
            history=tuple(row.get("history") or ()),
            gold_docs=tuple(row.get("gold_docs") or ()),
            must_contain=tuple(tuple(group) for group in row.get("must_contain") or ()),
            must_not_contain=tuple(row.get("must_not_contain") or ()),
            reference=row.get("reference", ""),
        ),
        "",
    )


def _fault(row: Mapping[str, Any]) -> str:
    missing = [name for name in ("id", "type", "question", "answerable") if name not in row]
    if missing:
        return f"lacks {', '.join(missing)}"
    if row["type"] not in TYPES:
        return f"the type '{row['type']}' is none of {', '.join(TYPES)}"
    if not isinstance(row["answerable"], bool) or not str(row["question"]).strip():
        return "'answerable' must be true or false and 'question' must not be empty"
    if not all(isinstance(group, list) for group in row.get("must_contain") or ()):
        return "'must_contain' must be a list of lists"
    return ""
