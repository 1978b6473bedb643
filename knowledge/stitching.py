"""A passage at whose edge a procedure, list or table was cut -> the same passage with the rest of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from knowledge.blocks import FENCE, INSIDE, ITEM, LIST, ROW, STEP, Block, read_blocks
from knowledge.documents import Chunk

__all__ = ["MOST_CHARACTERS", "stitched"]

MOST_CHARACTERS = 2000


def stitched(
    chunk: Chunk, before: Sequence[Chunk], after: Sequence[Chunk], markdown: str, most: int = MOST_CHARACTERS
) -> Chunk:
    """The chunk, longer where the cut at its start or end goes through a procedure, list, table or block of code.

    `before` and `after` are its neighbours in the same version, in the order of their positions; those that do not
    touch it or stand under other headings are passed over. `markdown` is the text of that version. Only what belongs
    to the same list is added, the earlier part first, while the whole has no more than `most` characters. Text and
    offsets are the version's; everything else stays the chunk's own.
    """
    around = [*_touching(chunk, reversed(before), -1)[::-1], chunk, *_touching(chunk, after, 1)]
    offset = around[0].start
    text = markdown[offset : around[-1].end]
    blocks = read_blocks(text)
    start, end = chunk.start - offset, chunk.end - offset
    for earlier in _earlier(blocks, start, text):
        if end - earlier > most:
            break
        start = earlier
    for later in _later(blocks, end, text):
        if later - start > most:
            break
        end = later
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return replace(chunk, text=text[start:end], start=offset + start, end=offset + end)


def _touching(chunk: Chunk, neighbours: Iterator[Chunk] | Sequence[Chunk], step: int) -> list[Chunk]:
    """The neighbours in one direction, nearest first, up to the first that is no next passage of the same section."""
    found = [chunk]
    for neighbour in neighbours:
        if neighbour.position != found[-1].position + step or neighbour.heading_path != chunk.heading_path:
            break
        found.append(neighbour)
    return found[1:]


def _earlier(blocks: Sequence[Block], start: int, text: str) -> Iterator[int]:
    """Where the passage could start instead, nearest first."""
    at = next((n for n, block in enumerate(blocks) if block.start <= start < block.end), None)
    if at is None:
        return
    if text[blocks[at].start : start].strip():
        if not _is_listed(blocks[at], text):
            return
        yield blocks[at].start
    while at > 0 and _goes_on(blocks[at - 1], blocks[at], text):
        at -= 1
        yield blocks[at].start


def _later(blocks: Sequence[Block], end: int, text: str) -> Iterator[int]:
    """Where it could end instead, nearest first."""
    at = next((n for n, block in enumerate(blocks) if block.start < end <= block.end), None)
    if at is None:
        return
    if text[end : blocks[at].end].strip():
        if not _is_listed(blocks[at], text):
            return
        yield blocks[at].end
    while at + 1 < len(blocks) and _goes_on(blocks[at], blocks[at + 1], text):
        at += 1
        yield blocks[at].end


def _goes_on(block: Block, following: Block, text: str) -> bool:
    """Whether the second block goes on with the list of the first; over a page break, only by its number."""
    if following.glue == LIST:
        return ITEM.match(text, following.start) is not None and _is_listed(block, text)
    return following.glue == STEP or (following.glue > STEP and following.section == block.section)


def _is_listed(block: Block, text: str) -> bool:
    """Whether a block is an item or inside of one, a table or code: a cut through it leaves less than half of it."""
    is_marked = any(mark.match(text, block.start) for mark in (ITEM, ROW, FENCE))
    return is_marked or block.glue == INSIDE
