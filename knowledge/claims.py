"""A passage -> its claims: the sentences, list items and table cells that give a value, and what stands above them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from knowledge.blocks import FENCE
from knowledge.documents import Chunk
from knowledge.lexical import STOP_WORDS
from knowledge.quantities import Quantity, find_quantities, stem

__all__ = ["Claim", "find_claims", "stems"]

MOST_QUANTITIES = 6  # more in one sentence are a log, a list of versions or a calculation
LONGEST = 500  # characters of a sentence
ITEM = re.compile(r"^(\s*)(?:[-*+•]|\d{1,3}[.)])\s+")
RULE = re.compile(r"^\s*(?:\|?[\s:|-]*-{3,}[\s:|-]*|={3,}|<!--.*-->|#{1,6}\s.*|\{:?[^}]*\})$")
PAIR = re.compile(r"; (?=[^:;]{1,40}: )")  # between "Header: cell" and the next
PAIRS = re.compile(r"[^:;]{1,40}: [^;]*(?:; [^:;]{1,40}: [^;]*)+")
END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bapprox)(?<!\bno)(?<!\bincl)(?<!\b[a-z]\.[a-z])"
    r"[.!?][\"'”’)\]*_]*\s+(?=[\"'“‘(\[*_]*[A-Z0-9])"
)
EXAMPLE = re.compile(
    r"^(?:for example|for instance|example|e\.g\.|imagine|suppose|let.s say)\b|\bexamples?\b:?$", re.IGNORECASE
)


@dataclass(frozen=True)
class Claim:
    """One statement with values; `about` is what stands above it: title, headings, the line that announces a list."""

    document_id: str
    chunk_id: str
    section: str
    about: str
    text: str
    quantities: tuple[Quantity, ...]

    @cached_property
    def masked(self) -> str:
        """The text with blank words for the values, so that two texts can be compared but for them."""
        return self._without([f"some {q.unit}s" if q.kind != "count" else "some" for q in self.quantities])

    @cached_property
    def parted(self) -> str:
        """What stands above it and the text, with a bar in place of each value."""
        return f"{self.about} . {self._without(['|' for _ in self.quantities])}"

    @cached_property
    def words(self) -> frozenset[str]:
        """Stems of the content words of the text without its values."""
        return stems(self._without(["" for _ in self.quantities]))

    @cached_property
    def all_words(self) -> frozenset[str]:
        """The same with the words above it."""
        return self.words | stems(self.about)

    def _without(self, instead: Sequence[str]) -> str:
        out, at = [], 0
        for quantity, word in zip(self.quantities, instead, strict=True):
            out += [self.text[at : quantity.start], word]
            at = quantity.end
        return "".join([*out, self.text[at:]])


def stems(text: str) -> frozenset[str]:
    """Stems of the words that carry content."""
    return frozenset(stem(word) for word in re.findall(r"[^\W_]+", text.lower()) if word not in STOP_WORDS)


def find_claims(title: str, chunk: Chunk) -> list[Claim]:
    """The claims of a passage, in order; examples, questions and code make none."""
    heads = list(dict.fromkeys((title, *chunk.heading_path)))
    if EXAMPLE.search(heads[-1]):
        return []
    claims = []
    for above, text in _Reader(chunk.text).statements():
        if len(text) > LONGEST or text.rstrip("\"'”’) ").endswith("?") or EXAMPLE.search(text) or EXAMPLE.search(above):
            continue
        quantities = tuple(find_quantities(text))
        if 0 < len(quantities) <= MOST_QUANTITIES:
            about = ". ".join([*heads, *([above] if above else [])])
            claims.append(Claim(chunk.document_id, chunk.id, heads[-1], about, text, quantities))
    return claims


@dataclass
class _Reader:
    """Goes through the lines of a passage; what it remembers is what stands above the next line."""

    text: str
    prose: list[str] = field(default_factory=list)
    parents: list[tuple[int, str]] = field(default_factory=list)  # indent and text of the items above
    header: list[str] | None = None
    announced: str = ""
    fenced: bool = False

    def statements(self) -> Iterator[tuple[str, str]]:
        """(what announces it, or "", and a sentence, an item, or a cell with its row and column)."""
        lines = self.text.split("\n")
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            self.fenced ^= bool(FENCE.match(line))
            item, is_row = ITEM.match(line), line.strip().startswith("|") and line.count("|") > 1
            if self.fenced or not line.strip() or RULE.match(line):
                yield from self._close()
                self.header = self.header if line.strip() else None
            elif is_row:
                yield from self._close()
                yield from self._table_row(line, bool(RULE.match(following)))
            elif item:
                yield from self._close()
                yield from self._item(len(item[1].expandtabs(4)), _plain(line[item.end() :]))
            else:
                self.prose.append(line.strip())
                self.parents = self.parents if line[:1].isspace() else []
        yield from self._close()

    def _close(self) -> Iterator[tuple[str, str]]:
        """The paragraph before; its last sentence may announce what follows."""
        if self.prose:
            sentences = _sentences(_plain(" ".join(self.prose)))
            yield from (("", sentence) for sentence in sentences)
            self.announced = sentences[-1] if sentences and sentences[-1].endswith(":") else ""
            self.prose = []

    def _table_row(self, line: str, is_header: bool) -> Iterator[tuple[str, str]]:
        cells = [_plain(cell) for cell in line.strip().strip("|").split("|")]
        if self.header is None:
            self.header = cells if is_header else [""] * len(cells)
            if is_header:
                return
        yield from ((self.announced, text) for text in _cells(self.header, cells))

    def _item(self, depth: int, content: str) -> Iterator[tuple[str, str]]:
        self.parents = [(d, text) for d, text in self.parents if d < depth]
        above = " ".join([self.announced, *(text for _, text in self.parents)]).strip()
        if PAIRS.fullmatch(content):
            pairs = [pair.split(": ", 1) for pair in PAIR.split(content)]
            yield from ((above, text) for text in _cells(*zip(*pairs, strict=True)))
        else:
            yield from ((above, sentence) for sentence in _sentences(content))
        self.parents.append((depth, content))


def _cells(names: Sequence[str], cells: Sequence[str]) -> Iterator[str]:
    """Each cell with a value, after what the row is about and the name of the column."""
    for name, cell in list(zip(names, cells, strict=False))[1:]:
        if cell and find_quantities(cell):
            yield f"{cells[0]}: {name}: {cell}" if name else f"{cells[0]}: {cell}"


def _sentences(text: str) -> list[str]:
    cuts = [0, *(match.end() for match in END.finditer(text)), len(text)]
    return [text[a:b].strip() for a, b in pairwise(cuts) if text[a:b].strip()]


def _plain(markdown: str) -> str:
    """Markdown as people read it: images, tags and marks gone, link texts kept."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", markdown)
    text = re.sub(r"\[!\w+ ([^\]]+)\]", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"</?[a-zA-Z][^<>]*>", " ", text)
    text = re.sub(r"\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)", "", text)
    return re.sub(r"\s+", " ", text).strip()
