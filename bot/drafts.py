"""A draft, as it streams from the model, cut into units: one sentence or one step each, with its [n] marks."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.sentences import ABBREVIATIONS

__all__ = ["Unit", "cut_units"]

MARK = re.compile(r"\s*\[(\d{1,2})\]")
STEP = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")
# A sentence ends where the next one begins: marks belong to the sentence before them.
END = re.compile(r"[.!?][\"'”’)]*(?:\s*\[\d{1,2}\])*[ \t]+(?=[^\s\[])|(?:\[\d{1,2}\])?[ \t]*\n\s*(?=[^\s\[])")


@dataclass(frozen=True)
class Unit:
    """One sentence or step of a draft; `tail` is the white space that followed it."""

    body: str  # without marks and list number
    marks: tuple[int, ...]
    step: bool
    tail: str

    @property
    def ends_paragraph(self) -> bool:
        """Whether a blank line or the end of the draft follows."""
        return "\n\n" in self.tail or not self.tail


def cut_units(pieces: Iterable[str]) -> Iterator[Unit]:
    """Units of a streamed draft, each as soon as the start of the next one shows that it is complete."""
    buffer = ""
    for piece in pieces:
        buffer += piece
        while (cut := _first_end(buffer)) is not None:
            yield from _unit(buffer[:cut])
            buffer = buffer[cut:]
    yield from _unit(buffer.rstrip())


def _first_end(buffer: str) -> int | None:
    for match in END.finditer(buffer):
        before = buffer[: match.start() + 1].strip()
        word = before.split()[-1].lower() if before else ""
        if "\n" not in match[0] and (word in ABBREVIATIONS or re.fullmatch(r"\d{1,2}\.|[a-z]\.", word)):
            continue
        if before:
            return match.end()
    return None


def _unit(text: str) -> Iterator[Unit]:
    bare = text.strip()
    body = MARK.sub("", STEP.sub("", bare)).strip()
    if re.search(r"\w", body):
        marks = tuple(dict.fromkeys(int(n) for n in MARK.findall(bare)))
        yield Unit(body, marks, bool(STEP.match(bare)), text[len(text.rstrip()) :])
