"""Markdown -> blocks that should not be cut: paragraphs, list items, tables, code, under their headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["ANNOUNCED", "FENCE", "INSIDE", "LIST", "ROW", "STEP", "Block", "first_title", "read_blocks"]

# No pattern here may look at a place more than a few times: a file of one long line would stop everything.
HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
LONGEST_HEADING = 300  # characters; a longer line is text, whatever it looks like
UNDERLINE = re.compile(r"^ {0,3}(={3,}|-{3,})[ \t]*$")
PAGE = re.compile(r"^\s*<!--\s*page\s+(\d{1,6})\s*-->\s*$")
FENCE = re.compile(r"^\s*(`{3,}(?=[^`]*$)|~{3,})")
ITEM = re.compile(r"^(\s*)(?:[-*+•]|(?P<number>\d{1,3})[.)])(?:\s|$)")
ROW = re.compile(r"^\s*\|.*\|")
LONE_BOLD = re.compile(r"^\s*(\*\*|__)[^*_]{1,80}\1:?\s*$")
ANSWER = re.compile(r"^\s*(?:[-*+•]\s+)?[*_]{0,3}(?:A|[Aa]nswer|ANSWER)[*_]{0,3}:")  # "a: 1" is a row of a table
LONGEST_QUESTION = 300  # characters; a longer line is text that happens to end with a question
FREE, LIST, STEP, INSIDE, ANNOUNCED = 0, 1, 2, 3, 4  # glue: how much a block clings to the one before


@dataclass(frozen=True)
class Block:
    """Lines that belong together, from `start` to `end` in the Markdown.

    `path` are the headings above, `page` the page it is on; `section` counts headings and page marks, so that equal
    headings do not run together; `glue` (0 to 7) tells how bad a cut before this block would be. From 4 on the block
    before announces it; what is over 4 is the glue it has apart from that. `whole_lines` is true of tables and code: a
    full stop in a row ends no sentence.
    """

    start: int
    end: int
    path: tuple[str, ...]
    page: int | None
    section: int
    glue: int
    whole_lines: bool = False


def read_blocks(markdown: str) -> list[Block]:
    """Every block in order: all of the text but headings with something under them, page marks and white space."""
    reader = _Reader()
    for start, line in _lines(markdown):
        reader.feed(start, line)
    reader.finish()
    return reader.blocks


def first_title(markdown: str) -> str:
    """The first heading of the first level, as people read it; "" if there is none."""
    reader = _Reader()
    for start, line in _lines(markdown):
        reader.feed(start, line)
        if reader.headings and reader.headings[-1][0] == 1 and reader.headings[-1][1]:
            return reader.headings[-1][1]
    return ""


def _lines(markdown: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in markdown.split("\n"):
        yield at, line
        at += len(line) + 1


@dataclass
class _Open:
    """The block that is being read."""

    start: int
    end: int
    kind: str
    glue: int
    lines: int
    last: str
    fence: str = ""


@dataclass
class _Reader:
    """Reads line by line; what it remembers is what decides where a block ends and how it clings."""

    blocks: list[Block] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    bare_heading: tuple[int, int] | None = None  # place of a heading that has nothing under it so far
    page: int | None = None
    section: int = 0
    open: _Open | None = None
    blank: bool = True
    before: str = ""  # kind of the block before, or "announcement" or "question"
    number: int | None = None  # of the last step, while its list goes on

    def feed(self, start: int, line: str) -> None:
        """Take the next line, which begins at `start`."""
        if self.open and self.open.kind == "code":
            self._code(start, line)
        elif not line.strip():
            self._close()
            self.blank = True
        elif self.open and self._is_underlined(line):
            self._underline(start, line)
        elif heading := _heading_in(line):
            self._close()
            self._heading(*heading, start, start + len(line))
        elif mark := PAGE.match(line):
            self._close()
            self.page, self.section, self.before, self.number = int(mark[1]), self.section + 1, "", None
        else:
            self._text(start, line)

    def finish(self) -> None:
        """Take the end of the text."""
        self._close()
        self._keep_bare_heading()

    def _code(self, start: int, line: str) -> None:
        if self.open is None:
            return
        self.open.end = start + len(line)
        if line.strip().startswith(self.open.fence) and not line.strip().strip(self.open.fence[0]):
            self._close()

    def _is_underlined(self, line: str) -> bool:
        titled = self.open and self.open.kind == "text" and self.open.lines == 1
        return bool(titled and self.open and len(self.open.last) <= LONGEST_HEADING and UNDERLINE.match(line))

    def _underline(self, start: int, line: str) -> None:
        if self.open is None:
            return
        title, begin, self.open = self.open.last.strip(), self.open.start, None
        self._heading(1 if "=" in line else 2, title, begin, start + len(line))

    def _heading(self, depth: int, text: str, start: int, end: int) -> None:
        deepest = self.headings[-1][0] if self.headings else 0
        if self.bare_heading and depth <= deepest:
            self._keep_bare_heading()
        self.headings = [(level, title) for level, title in self.headings if level < depth]
        self.headings.append((depth, _clean(text)))
        self.section, self.before, self.blank, self.number = self.section + 1, "", True, None
        self.bare_heading = (start, end)

    def _keep_bare_heading(self) -> None:
        if self.bare_heading:
            self._add(*self.bare_heading, FREE)

    def _text(self, start: int, line: str) -> None:
        kind = _kind(line)
        if self.open and _continues(self.open.kind, kind):
            self.open.end, self.open.last = start + len(line), line
            self.open.lines += 1
            return
        self._close()
        glue = self._glue(kind, line)
        self._count_step(kind, line)
        if kind == "more" and not (self.blank and self.before in ("item", "step", "more")):
            kind = "text"
        mark = FENCE.match(line)
        self.open = _Open(start, start + len(line), kind, glue, 1, line, mark[1] if mark else "")
        self.blank = False

    def _glue(self, kind: str, line: str) -> int:
        own = self._own_glue(kind, line)
        if self.before == "announcement" or ANSWER.match(line):
            return ANNOUNCED + own
        answers = self.before == "question" and kind not in ("item", "step") and not _asks(line)
        return ANNOUNCED + own if answers else own

    def _own_glue(self, kind: str, line: str) -> int:
        if kind == "more" or (kind != "text" and line[:1] in " \t"):
            return INSIDE
        if kind == "step" and (_number(line) != 1 or self.number == 1):
            return STEP
        return LIST if kind in ("item", "step", "row") or not self.blank else FREE

    def _count_step(self, kind: str, line: str) -> None:
        if kind == "step" and line[:1] not in " \t":
            self.number = _number(line)
        elif kind in ("text", "code", "row") and line[:1] not in " \t":
            self.number = None

    def _close(self) -> None:
        if self.open is None:
            return
        self._add(self.open.start, self.open.end, self.open.glue, self.open.kind in ("row", "code"))
        self.before = self.open.kind
        if self.open.last.rstrip().rstrip("*_").endswith(":") or LONE_BOLD.match(self.open.last):
            self.before = "announcement"
        elif self.open.lines == 1 and _asks(self.open.last):
            self.before = "question"
        self.open = None

    def _add(self, start: int, end: int, glue: int, whole_lines: bool = False) -> None:
        path = tuple(title for _, title in self.headings if title)
        self.blocks.append(Block(start, end, path, self.page, self.section, glue, whole_lines))
        self.bare_heading = None


def _kind(line: str) -> str:
    if FENCE.match(line):
        return "code"
    if ROW.match(line):
        return "row"
    if mark := ITEM.match(line):
        return "step" if mark["number"] else "item"
    return "more" if line[:1] == "\t" or line.startswith("  ") else "text"


def _continues(before: str, kind: str) -> bool:
    """Whether a line of `kind` belongs to the block of the line before it: text to text, a table row to its table."""
    if kind == "row":
        return before == "row"
    return kind in ("text", "more") and before in ("text", "item", "step", "more")


def _asks(line: str) -> bool:
    """Whether a line is a question, so that the block after it is its answer."""
    return len(line) <= LONGEST_QUESTION and line.rstrip().rstrip("*_").endswith("?")


def _number(line: str) -> int | None:
    mark = ITEM.match(line)
    return int(mark["number"]) if mark and mark["number"] else None


def _heading_in(line: str) -> tuple[int, str] | None:
    """Depth and text of a heading that starts with #; None if the line is none."""
    mark = HEADING.match(line)
    if mark is None or len(line) > LONGEST_HEADING:
        return None
    text = line[mark.end() :].strip(" \t")
    bare = text.rstrip("#")
    closed = bare != text and (not bare or bare[-1] in " \t")
    return len(mark[1]), bare.rstrip(" \t") if closed else text


def _clean(heading: str) -> str:
    """A heading as people read it: anchors, emphasis and link addresses gone."""
    heading = re.sub(r" ?\{[#:][^{}]*\}", "", " ".join(heading.split()))
    heading = re.sub(r"!?\[([^\[\]]*)\]\([^)]*\)", r"\1", heading)
    return " ".join(re.sub(r"\*\*|__|[*`]", "", heading).split())
