"""Golden questions: one JSON object a line, read with all faults at once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.errors import QuestionError
from bot.times import read_as_of, when_given
from knowledge.audiences import CUSTOMER, who_asks
from knowledge.errors import TermsError
from tone_tuning.prompt import Message

__all__ = ["TYPES", "GoldenQuestion", "read_golden"]

TYPES = ("lookup", "yesno", "procedure", "multi", "followup", "false_premise", "underspecified", "unanswerable",
         "out_of_scope", "injection")  # fmt: skip
ROLES = ("user", "assistant")
FAULTS_SHOWN = 20


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
    as_of: datetime | None = None
    audiences: frozenset[str] = CUSTOMER


def read_golden(path: Path, limit: int | None = None) -> list[GoldenQuestion]:
    """The questions of a file, at most `limit`.

    Raises:
        QuestionError: the file cannot be read, is empty, or has faults; all of them are named with their lines.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise QuestionError(f"The question file '{path}' cannot be read ({reason}): check its path.") from error
    questions: dict[str, GoldenQuestion] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row, fault = _parse(line)
        if row is None:
            faults.append(f"line {number}: {fault}")
        elif row.id in questions:
            faults.append(f"line {number}: the id '{row.id}' is used twice")
        else:
            questions[row.id] = row
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        shown = "; ".join(faults[:FAULTS_SHOWN])
        raise QuestionError(f"'{path}' has faults in {len(faults)} lines, correct them: {shown}{more}")
    if not questions:
        raise QuestionError(f"'{path}' has no questions: add one JSON object a line.")
    return list(questions.values())[:limit]


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
            as_of=when_given(read_as_of, row.get("as_of") or ""),
            audiences=who_asks(_audience(row)),
        ),
        "",
    )


def _audience(row: Mapping[str, Any]) -> str:
    found = row.get("audience") or ""
    return ",".join(map(str, found)) if isinstance(found, list) else str(found)


def _problem(read: Callable[[str], object], text: str) -> str:
    """What our own reader says against a text; "" if nothing."""
    try:
        read(text)
    except (QuestionError, TermsError) as error:
        return str(error)
    return ""


def _fault(row: Mapping[str, Any]) -> str:
    """Everything that is wrong with one row, in one line; empty when nothing is."""
    missing = [name for name in ("id", "type", "question", "answerable") if name not in row]
    if missing:
        return f"lacks {', '.join(missing)}"
    question, groups = row["question"], row.get("must_contain") or []
    checks = (
        (row["type"] in TYPES, f"the type '{row['type']}' is none of {', '.join(TYPES)}"),
        (isinstance(row["answerable"], bool), "'answerable' must be true or false"),
        (isinstance(question, str) and question.strip(), "'question' must be a text that is not empty"),
        (_is_list(groups, _is_texts), "'must_contain' must be a list of lists of texts"),
        (_is_texts(row.get("must_not_contain") or []), "'must_not_contain' must be a list of texts"),
        (_is_texts(row.get("gold_docs") or []), "'gold_docs' must be a list of texts"),
        (_is_list(row.get("history") or [], _is_turn), "'history' must be a list of turns with role and content"),
    )
    faults = [sentence for good, sentence in checks if not good]
    faults += filter(None, (_problem(read_as_of, str(row["as_of"])) if row.get("as_of") else "",
                            _problem(who_asks, _audience(row))))  # fmt: skip
    return ", ".join(faults)


def _is_list(value: object, of: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(of, value))


def _is_texts(value: object) -> bool:
    return _is_list(value, lambda item: isinstance(item, str))


def _is_turn(value: object) -> bool:
    return isinstance(value, dict) and value.get("role") in ROLES and isinstance(value.get("content"), str)
