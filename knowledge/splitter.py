"""Markdown -> pieces that respect headings, paragraphs, lists and tables; each knows its heading path and place."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["MAX_CHARACTERS", "Piece", "split"]

MAX_CHARACTERS = 900  # measured best of several on 81 hard questions, see benchmarks/RESULTS.md
MAX_TOKENS = 200  # of the embedder's 256, so that title and headings fit in front
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
PAGE = re.compile(r"^\s*<!--\s*page\s+(\d+)\s*-->\s*$")
FENCE = re.compile(r"^\s*(?:```|~~~)")


@dataclass(frozen=True)
class Piece:
    """One piece: `text` equals the Markdown from `start` to `end`."""

    text: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None


@dataclass(frozen=True)
class _Block:
    """Lines that belong together: a paragraph, a list item, a table row, a fenced block."""

    start: int
    end: int
    path: tuple[str, ...]
    page: int | None


def split(
    markdown: str,
    count_tokens: Callable[[str], int],
    max_tokens: int = MAX_TOKENS,
    max_characters: int = MAX_CHARACTERS,
) -> list[Piece]:
    """Pieces in order. Nothing but headings, page marks and white space is outside of all pieces.

    Blocks under the same heading and page are packed until one more would pass a limit; a block that is too large
    alone is cut at sentences, and where there are none, at white space or in the middle of a word.
    """

    def fits(start: int, end: int) -> bool:
        return end - start <= max_characters and count_tokens(markdown[start:end]) <= max_tokens

    pieces: list[Piece] = []
    open_block: _Block | None = None
    for block in _cut_large(markdown, _blocks(markdown), fits):
        if open_block and (open_block.path, open_block.page) == (block.path, block.page) and fits(open_block.start, block.end):
            open_block = _Block(open_block.start, block.end, block.path, block.page)
            continue
        pieces += _piece(markdown, open_block)
        open_block = block
    return pieces + _piece(markdown, open_block)


def _piece(markdown: str, block: _Block | None) -> list[Piece]:
    if block is None:
        return []
    text = markdown[block.start : block.end]
    start = block.start + len(text) - len(text.lstrip())
    text = text.strip()
    return [Piece(text, block.path, start, start + len(text), block.page)] if text else []


def _blocks(markdown: str) -> Iterator[_Block]:
    path: list[tuple[int, str]] = []
    page: int | None = None
    start: int | None = None
    fenced = False
    at = 0

    def block(end: int) -> Iterator[_Block]:
        if start is not None and markdown[start:end].strip():
            yield _Block(start, end, tuple(title for _, title in path), page)

    for line in markdown.splitlines(keepends=True):
        fenced ^= bool(FENCE.match(line))
        bare = line.rstrip("\n")
        heading, mark = (None, None) if fenced else (HEADING.match(bare), PAGE.match(bare))
        begins_row = not fenced and bool(re.match(r"\s*(?:[-*+•|]|\d{1,2}[.)])\s?", bare))
        if heading or mark or (not bare.strip() and not fenced) or begins_row:
            yield from block(at)
            start = None
        if heading:
            depth = len(heading[1])
            path = [(level, title) for level, title in path if level < depth]
            path.append((depth, re.sub(r"[*_`]|\{#[^}]*\}", "", heading[2]).strip()))
        elif mark:
            page = int(mark[1])
        elif start is None and bare.strip():
            start = at
        at += len(line)
    yield from block(at)


def _cut_large(markdown: str, blocks: Iterator[_Block], fits: Callable[[int, int], bool]) -> Iterator[_Block]:
    for block in blocks:
        start = block.start
        while not fits(start, block.end):
            end = _cut_at(markdown, start, block.end, fits)
            yield _Block(start, end, block.path, block.page)
            start = end
        if start < block.end:
            yield _Block(start, block.end, block.path, block.page)


def _cut_at(markdown: str, start: int, end: int, fits: Callable[[int, int], bool]) -> int:
    """The last good place to cut that still fits: end of a sentence or line, else white space, else anywhere."""
    low, high = start + 1, end
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(start, middle) else (low, middle - 1)
    text = markdown[start:low]
    for pattern in (r"[.!?]\s+(?=\S)|\n", r"\s+"):
        cuts = [match.end() for match in re.finditer(pattern, text) if match.end() > len(text) // 3]
        if cuts:
            return start + cuts[-1]
    return low
