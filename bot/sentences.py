"""Markdown text -> sentences, list items, steps and table rows, each with its offsets."""

import re
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Sentence", "plain", "split_sentences"]

# A full stop after these does not end a sentence.
ABBREVIATIONS = ("e.g.", "i.e.", "etc.", "approx.", "no.", "incl.", "excl.", "vs.", "mr.", "mrs.", "ms.", "dr.",
                 "st.", "max.", "min.", "a.m.", "p.m.", "u.s.", "inc.", "ltd.", "tel.", "sec.", "fig.")  # fmt: skip
BOUNDARY = re.compile(r"[.!?][\"'”’)\]*_]*\s+(?=[\"'“‘(\[*_`]*[A-Z0-9])")
ITEM = re.compile(r"^[ \t]*(?:[-*+•]|(?P<number>\d{1,2})[.)])[ \t]+")
HEADING = re.compile(r"^[ \t]*#{1,6}\s")
RULE = re.compile(r"^[ \t]*(?:\|?[ \t:|-]*-{3,}[ \t:|-]*|={3,}|<!--.*-->|```.*|~~~.*|\{:?[^}]*\})[ \t]*$")


@dataclass(frozen=True)
class Sentence:
    """A piece of a text that can be quoted alone; `verbatim` is the text from `start` to `end`."""

    start: int
    end: int
    verbatim: str
    plain: str  # for the writer and the reader: no list marks, bold or link syntax
    kind: str  # "sentence", "item", "step" or "row"


def split_sentences(text: str) -> list[Sentence]:
    """Every sentence of `text` in order; headings, rules and comments are left out."""
    found: list[Sentence] = []
    paragraph: tuple[int, int] | None = None
    header: list[str] = []
    for start, end in _lines(text):
        line = text[start:end]
        kind = _line_kind(line)
        if kind == "prose":
            paragraph = (paragraph[0] if paragraph else start, end)
            continue
        if kind == "continued" and paragraph is None and found and found[-1].kind in ("item", "step"):
            last = found.pop()
            found += _cut(text, last.start, end, last.kind, whole=last.kind == "step")
            continue
        if kind == "continued":
            paragraph = (paragraph[0] if paragraph else start, end)
            continue
        found += _prose(text, paragraph)
        paragraph = None
        if kind == "row":
            row, header = _row(text, start, end, header)
            found += row
            continue
        header = [] if kind == "blank" else header
        if kind in ("item", "step"):
            found += _item(text, start, end, kind)
    return found + _prose(text, paragraph)


def plain(markdown: str) -> str:
    """`markdown` as a person would read it aloud: marks gone, link texts kept, white space folded."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", markdown)
    text = re.sub(r"\[([^\]]+)\]\([^)\s]*[^)]*\)", r"\1", text)
    text = re.sub(r"<((?:https?://|mailto:)?[^<>\s]+[.@][^<>\s]+)>", r"\1", text)
    text = re.sub(r"</?[a-zA-Z][^<>]*>", " ", text)
    text = re.sub(r"\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|`", "", text)
    text = re.sub(r"\{:[^}]*\}|\\(?=[^\w\s])", "", text)
    return re.sub(r"\s+", " ", text).strip()


def _lines(text: str) -> list[tuple[int, int]]:
    return [(m.start(), m.end()) for m in re.finditer(r"[^\n]*(?:\n|$)", text) if m.end() > m.start()]


def _line_kind(line: str) -> str:
    bare = line.strip()
    if not bare:
        return "blank"
    if HEADING.match(line) or RULE.match(line):
        return "mark"
    if bare.startswith("|") and bare.count("|") > 1:
        return "row"
    item = ITEM.match(line)
    if item:
        return "step" if item["number"] else "item"
    return "continued" if line[:1] in " \t" else "prose"


def _prose(text: str, span: tuple[int, int] | None) -> list[Sentence]:
    return [] if span is None else _cut(text, span[0], span[1], "sentence")


def _item(text: str, start: int, end: int, kind: str) -> list[Sentence]:
    mark = ITEM.match(text[start:end])
    return _cut(text, start + (mark.end() if mark else 0), end, kind, whole=kind == "step")


def _cut(text: str, start: int, end: int, kind: str, whole: bool = False) -> list[Sentence]:
    """Sentences between two offsets; `whole` keeps a step in one piece."""
    cuts = [start]
    if not whole:
        for match in BOUNDARY.finditer(text[start:end]):
            before = text[start : start + match.start() + 1].split()[-1:] or [""]
            word = before[0].lower().lstrip("(\"'")
            if word not in ABBREVIATIONS and not re.fullmatch(r"[a-z]\.", word):
                cuts.append(start + match.end())
    cuts.append(end)
    return [s for a, b in pairwise(cuts) for s in _sentence(text, a, b, kind)]


def _sentence(text: str, start: int, end: int, kind: str) -> list[Sentence]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    verbatim = piece.strip()
    readable = plain(verbatim)
    if not re.search(r"\w", readable):
        return []
    return [Sentence(start, start + len(verbatim), verbatim, readable, kind)]


def _row(text: str, start: int, end: int, header: list[str]) -> tuple[list[Sentence], list[str]]:
    """A table row with its column names in front of the values; the first row of a table names them."""
    cells = [plain(cell) for cell in text[start:end].strip().strip("|").split("|")]
    if not header:
        return [], cells
    pairs = [f"{name}: {cell}" if name else cell for name, cell in zip(header, cells, strict=False) if cell]
    bare = text[start:end].strip()
    at = start + text[start:end].index(bare)
    return [Sentence(at, at + len(bare), bare, "; ".join(pairs), "row")], header
