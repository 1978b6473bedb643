"""Markdown -> pieces that respect headings, lists, steps and tables; each knows its heading path and place."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from knowledge.blocks import Block, read_blocks

__all__ = ["MAX_CHARACTERS", "MAX_TOKENS", "Piece", "split"]

MAX_CHARACTERS = 900  # about 150 words: four passages of it fit the prompt of a small model
MAX_TOKENS = 200  # of the embedder's 256, so that title and headings fit in front
# How much a bad place to cut outweighs uneven pieces: one step of `Block.glue` costs 40 % off the even size.
GLUE_WEIGHT = 0.4


@dataclass(frozen=True)
class Piece:
    """One piece: `text` equals the Markdown from `start` to `end`; `page` counts from 1, None without page marks."""

    text: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None


@dataclass(frozen=True)
class _Ruler:
    """The limits of a piece. Token counts are taken as additive, so each block is counted once."""

    markdown: str
    count_tokens: Callable[[str], int]
    max_tokens: int
    max_characters: int

    def tokens(self, start: int, end: int) -> int:
        return self.count_tokens(self.markdown[start:end])

    def fits(self, start: int, end: int) -> bool:
        return end - start <= self.max_characters and self.tokens(start, end) <= self.max_tokens


def split(
    markdown: str,
    count_tokens: Callable[[str], int],
    max_tokens: int = MAX_TOKENS,
    max_characters: int = MAX_CHARACTERS,
) -> list[Piece]:
    """Pieces in order. Nothing but headings, page marks and white space is outside of all pieces.

    What stands under one heading on one page stays together if it fits; else it is cut into pieces of even size,
    rather before a paragraph than inside a list, and never between a line that ends with a colon and what it
    announces unless nothing else fits. A block too large alone is cut at a line or sentence, else at white space,
    else inside a word. A heading with nothing under it is a piece itself.
    """
    ruler = _Ruler(markdown, count_tokens, max(1, max_tokens), max(1, max_characters))
    pieces: list[Piece] = []
    for _, section in groupby(read_blocks(markdown), key=lambda block: (block.path, block.page, block.section)):
        blocks = [part for block in section for part in _cut_large(block, ruler)]
        pieces += [piece for group in _pack(blocks, ruler) for piece in _piece(markdown, group)]
    return pieces


def _piece(markdown: str, blocks: Sequence[Block]) -> list[Piece]:
    start, end = blocks[0].start, blocks[-1].end
    text = markdown[start:end]
    start += len(text) - len(text.lstrip())
    text = text.strip()
    return [Piece(text, blocks[0].path, start, start + len(text), blocks[0].page)] if text else []


def _pack(blocks: Sequence[Block], ruler: _Ruler) -> Iterator[Sequence[Block]]:
    """Groups of neighbouring blocks, each within the limits and all of about the same size."""
    before = [0, *accumulate(ruler.tokens(block.start, block.end) for block in blocks)]  # tokens before each block
    at = 0
    while at < len(blocks):
        most = _longest(blocks, before, at, ruler)
        size = most if at + most == len(blocks) else _best_cut(blocks, before, at, most, ruler)
        yield blocks[at : at + size]
        at += size


def _longest(blocks: Sequence[Block], before: Sequence[int], at: int, ruler: _Ruler) -> int:
    """How many blocks from `at` on fit into one piece; at least one."""
    count = 1
    while at + count < len(blocks):
        tokens = before[at + count + 1] - before[at]
        if tokens > ruler.max_tokens or blocks[at + count].end - blocks[at].start > ruler.max_characters:
            break
        count += 1
    return count


def _best_cut(blocks: Sequence[Block], before: Sequence[int], at: int, most: int, ruler: _Ruler) -> int:
    """How many of the `most` blocks to take, so that the cut is at a good place and the rest divides evenly."""
    length = blocks[-1].end - blocks[at].start
    parts = max(length / ruler.max_characters, (before[-1] - before[at]) / ruler.max_tokens)
    even = length / math.ceil(parts)

    def cost(count: int) -> float:
        size = blocks[at + count - 1].end - blocks[at].start
        return GLUE_WEIGHT * blocks[at + count].glue + abs(size - even) / even

    return min(range(1, most + 1), key=cost)


def _cut_large(block: Block, ruler: _Ruler) -> Iterator[Block]:
    """The block, or parts of it that fit; every part but the first clings to the one before."""
    start, glue = block.start, block.glue
    while not ruler.fits(start, block.end):
        end = _cut_at(start, block.end, ruler)
        if end >= block.end:
            break
        yield Block(start, end, block.path, block.page, block.section, glue)
        start, glue = end, 2
    yield Block(start, block.end, block.path, block.page, block.section, glue)


def _cut_at(start: int, end: int, ruler: _Ruler) -> int:
    """The last good place that still fits: after a line or sentence, else after white space, else anywhere."""
    low, high = start + 1, min(end, start + ruler.max_characters)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if ruler.fits(start, middle) else (low, middle - 1)
    text = ruler.markdown[start:low]
    soon = len(text) // 3
    for ends in (("\n",), (". ", "! ", "? "), (" ", "\t")):
        cut = max(text.rfind(mark, soon) + len(mark) if mark in text[soon:] else 0 for mark in ends)
        if cut:
            return start + cut
    return low
