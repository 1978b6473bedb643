"""Where a section that is too long is cut: at places that follow from the lines around them, not from what is far."""

import hashlib
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from knowledge.blocks import ANNOUNCED, Block

__all__ = ["Ruler", "cut_section"]

SHORT = 0.15  # of a piece: a shorter one is put to a neighbour, and places nearer than this do not both count
AROUND = 8  # parts on either side that are looked at: of a longer chain of announcements, of lines that are repeated
LINE = re.compile(r"\n")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
PART, REST = 2 * ANNOUNCED, 2 * ANNOUNCED + 1  # glue of a line or sentence, and of a line that goes on with one
Rank = tuple[int, ...]


@dataclass(frozen=True)
class Ruler:
    """The limits of a piece of `markdown`. Tokens are taken as additive, so each part is counted once."""

    markdown: str
    count_tokens: Callable[[str], int]
    max_tokens: int
    max_characters: int

    def tokens(self, start: int, end: int) -> int:
        """Tokens of the text from `start` to `end`."""
        return self.count_tokens(self.markdown[start:end])

    def fits(self, start: int, end: int) -> bool:
        """Whether the text from `start` to `end` may be one piece."""
        return end - start <= self.max_characters and self.tokens(start, end) <= self.max_tokens


@dataclass(frozen=True)
class _Part:
    """A line or sentence. `glue` and `mark` rank the place before it."""

    start: int
    end: int
    tokens: int
    glue: int
    mark: int


def cut_section(blocks: Sequence[Block], ruler: Ruler) -> Iterator[tuple[int, int]]:
    """The start and end of each piece of a section, in order; one piece if it fits.

    The places between its lines and sentences are ranked: by their glue, then by a hash of what follows. A place is a
    cut if the text between the next better places on both sides is too long for one piece. So it depends on nothing
    that is further away than the length of a piece, and a line that is inserted changes the pieces around it and no
    others. Pieces that come out very short are put to a neighbour.
    """
    if ruler.fits(blocks[0].start, blocks[-1].end):
        yield blocks[0].start, blocks[-1].end
        return
    parts = [part for at in range(len(blocks)) for part in _parts(blocks, at, ruler)]
    for first, after in pairwise([0, *_cuts(parts, ruler), len(parts)]):
        yield from _fitting(parts[first].start, parts[after - 1].end, ruler)


def _parts(blocks: Sequence[Block], at: int, ruler: Ruler) -> Iterator[_Part]:
    """The lines and sentences of a block.

    The place before a block that announces others is as good as theirs would be without it. So when the announcement
    is new, the cut before them is now before it, and nothing else changes.
    """
    block, glue, after = blocks[at], blocks[at].glue, at + 1
    while block.glue < ANNOUNCED and after < len(blocks) and blocks[after].glue >= ANNOUNCED:
        glue, after = min(glue, blocks[after].glue - ANNOUNCED), after + 1
    mark = _mark(ruler.markdown[block.start : blocks[after - 1].end])
    for line in _between(block.start, block.end, LINE, ruler):
        for sentence in [line] if block.whole_lines else _between(*line, SENTENCE, ruler):
            for first, last in _fitting(*sentence, ruler):
                text = ruler.markdown[first:last].lstrip()
                if first > block.start:
                    glue, mark = REST if text[:1].islower() else PART, _mark(text)
                yield _Part(first, last, ruler.tokens(first, last), glue, mark)


def _cuts(parts: Sequence[_Part], ruler: Ruler) -> list[int]:
    """The places, as numbers of the parts after them, in order.

    Where places are equal in everything, as among lines that are repeated, each is as far from the last as it can be.
    """
    tokens = [0, *accumulate(part.tokens for part in parts)]

    def fit(first: int, after: int, share: float = 1) -> bool:
        length = parts[after - 1].end - parts[first].start
        return length <= share * ruler.max_characters and tokens[after] - tokens[first] <= share * ruler.max_tokens

    ranks = _ranks(parts, lambda first, after: fit(first, after, SHORT))
    places = sorted(range(1, len(parts)), key=lambda place: (ranks[place], -place), reverse=True)
    cuts = [0, len(parts)]
    for place, after in zip(places, [*places[1:], 0], strict=True):
        at = bisect_left(cuts, place)
        before, behind = cuts[at - 1], cuts[at]
        is_tied = place < after < behind and ranks[place] == ranks[after]
        if not fit(before, behind) and not (is_tied and fit(before, after)):
            insort(cuts, place)
    for place in reversed(places):
        at = bisect_left(cuts, place)
        if cuts[at] != place or not fit(cuts[at - 1], cuts[at + 1]):
            continue
        if fit(cuts[at - 1], place, SHORT) or fit(place, cuts[at + 1], SHORT):
            del cuts[at]
    return cuts[1:-1]


def _ranks(parts: Sequence[_Part], near: Callable[[int, int], bool]) -> list[Rank]:
    """How good it is to cut before each part: little glue, clear of places that are better, and the marks around it."""
    marks = [0] * AROUND + [part.mark for part in parts] + [0] * AROUND
    keys = [(-part.glue, part.mark, *marks[n : n + 2 * AROUND + 1]) for n, part in enumerate(parts)]

    def clear(place: int) -> bool:
        for step in (-1, 1):
            other = place + step
            while near(min(place, other), max(place, other)):
                if other in (0, len(parts)) or (keys[other], -other) > (keys[place], -place):
                    return False
                other += step
        return True

    return [(glue, place > 0 and clear(place), *key) for place, (glue, *key) in enumerate(keys)]


def _mark(text: str) -> int:
    """A number that is the same wherever the text stands. A line more makes it larger or leaves it as it is."""
    lines = (line.strip().encode("utf-8", "replace") for line in text.split("\n") if line.strip())
    return max((int.from_bytes(hashlib.blake2b(line, digest_size=8).digest()) for line in lines), default=0)


def _between(start: int, end: int, marks: re.Pattern[str], ruler: Ruler) -> Iterator[tuple[int, int]]:
    ends = [mark.end() for mark in marks.finditer(ruler.markdown, start, end)]
    yield from ((first, after) for first, after in pairwise([start, *ends, end]) if first < after)


def _fitting(start: int, end: int, ruler: Ruler) -> Iterator[tuple[int, int]]:
    """The text from `start` to `end`, cut at white space, or anywhere, only where it does not fit."""
    while not ruler.fits(start, end):
        cut = _cut_at(start, end, ruler)
        if cut >= end:
            break
        yield start, cut
        start = cut
    yield start, end


def _cut_at(start: int, end: int, ruler: Ruler) -> int:
    """The last place that still fits: after white space, else anywhere."""
    low, high = start + 1, min(end, start + ruler.max_characters)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if ruler.fits(start, middle) else (low, middle - 1)
    text = ruler.markdown[start:low]
    soon = len(text) // 3
    return start + (max((text.rfind(mark, soon) for mark in " \t\n"), default=-1) + 1 or len(text))
