"""Markdown -> pieces that respect headings, lists, steps and tables; each knows its heading path and place."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from knowledge.blocks import Block, read_blocks
from knowledge.cuts import Ruler, cut_section

__all__ = ["LONGEST_CHARACTERS", "LONGEST_TOKENS", "MAX_CHARACTERS", "MAX_TOKENS", "Piece", "split"]

MAX_CHARACTERS = 900  # about 150 words
MAX_TOKENS = 200  # of the embedder's 256: title and headings always have room in front of it
# Where title and headings leave room, a piece may be longer. Measured (benchmarks/chunking.py): finds a little more.
LONGEST_CHARACTERS = 1100
LONGEST_TOKENS = 230


@dataclass(frozen=True)
class Piece:
    """One piece: `text` equals the Markdown from `start` to `end`; `page` counts from 1, None without page marks."""

    text: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None


def split(
    markdown: str,
    count_tokens: Callable[[str], int],
    max_tokens: int | Callable[[tuple[str, ...]], int] = MAX_TOKENS,
    max_characters: int = MAX_CHARACTERS,
) -> list[Piece]:
    """Pieces in order. Nothing but headings, page marks and white space is outside of all pieces.

    What stands under one heading on one page stays together if it fits; else it is cut, see knowledge/cuts.py: rather
    before a paragraph than inside a list, rather there than inside a procedure, and never between a line that ends
    with a colon and what it announces, or a question and its answer, unless nothing else fits. A block too large alone
    is cut at a line or sentence, else at white space, else inside a word. A heading with nothing under it is a piece
    itself. `max_tokens` may depend on the headings above.

    One inserted line changes at most three pieces in all but about one edit of 1,500, unless it is a heading, a page
    mark or a fence.
    """
    pieces: list[Piece] = []
    for (path, _, _), section in groupby(
        read_blocks(markdown), key=lambda block: (block.path, block.page, block.section)
    ):
        most = max_tokens if isinstance(max_tokens, int) else max_tokens(path)
        ruler = Ruler(markdown, count_tokens, max(1, most), max(1, max_characters))
        blocks = list(section)
        pieces += [piece for place in cut_section(blocks, ruler) for piece in _piece(markdown, *place, blocks[0])]
    return pieces


def _piece(markdown: str, start: int, end: int, block: Block) -> list[Piece]:
    text = markdown[start:end]
    start += len(text) - len(text.lstrip())
    text = text.strip()
    return [Piece(text, block.path, start, start + len(text), block.page)] if text else []
