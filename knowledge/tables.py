"""Table rows -> list items that name their columns, so that a row still says what it means where a table is cut."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, zip_longest

from knowledge.blocks import FENCE, ROW
from knowledge.splitter import MAX_CHARACTERS, MAX_TOKENS

__all__ = ["list_rows", "name_columns", "read_csv", "unfold_large_tables"]

ENDS_SENTENCE = re.compile(r"[a-z]{3}\.$|[!?]$")  # but not "U.S." or "Inc."
LEAD = 0.25  # of a passage: a longer first cell is not repeated
DELIMITERS = ";\t|,"  # on a tie the comma loses: "3,50" has one where it separates nothing


def read_csv(text: str) -> list[list[str]]:
    """The rows that are not blank; of the usual delimiters the one that cuts the first rows most evenly.

    Raises:
        csv.Error: a quotation never ends.
    """
    delimiter = max(DELIMITERS, key=lambda mark: _evenness(text[:100_000], mark))
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]


def list_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line "- Product: Kettle; Price: $39" for each row; empty cells are left out.

    A row too long for one passage becomes several items, which all begin with its first cell.
    """
    names = [" ".join(name.split()).rstrip(":") for name in header]
    return [f"- {item}" for row in rows for item in _items(names, row)]


def name_columns(markdown: str) -> str:
    """The text with the first row of a table as its header where that is empty: Word and HTML rarely mark one.

    A table of two columns is left alone; it is more often a list of names and values.
    """
    return _with_tables(markdown, _named)


def unfold_large_tables(markdown: str) -> str:
    """The text with each Markdown table that would not fit into one passage as a list; all else stays as it is."""
    return _with_tables(markdown, _unfolded)


def _with_tables(markdown: str, change: Callable[[list[str]], list[str]]) -> str:
    """The text with the lines of each table outside of code as `change` gives them."""
    lines: list[str] = []
    table: list[str] = []
    fence = ""
    for line in markdown.split("\n"):
        if not fence and ROW.match(line):
            table.append(line)
            continue
        lines += change(table)
        table = []
        fence = _fence_after(fence, line)
        lines.append(line)
    return "\n".join(lines + change(table))


def _evenness(text: str, delimiter: str) -> tuple[int, int]:
    """How many of the first 20 rows are as wide as the first, and how wide that is."""
    try:
        widths = [len(row) for row in islice(csv.reader(io.StringIO(text), delimiter=delimiter), 20) if row]
    except csv.Error:
        return 0, 0
    return sum(width == widths[0] > 1 for width in widths), widths[0] if widths else 0


def _items(names: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    cells = (" ".join(cell.split()) for cell in row)
    pairs = [f"{name}: {cell}" if name else cell for name, cell in zip_longest(names, cells, fillvalue="") if cell]
    lead = [pair for pair in pairs[:1] if _share(pair) <= LEAD]
    item: list[str] = []
    share = 0.0
    for pair in pairs:
        if len(item) > len(lead) and share + _share(pair) > 1:
            yield _joined(item)
            item, share = lead.copy(), sum(map(_share, lead))
        item.append(pair)
        share += _share(pair)
    if item:
        yield _joined(item)


def _joined(pairs: Sequence[str]) -> str:
    """Semicolons between the pairs, but none after a full sentence: each is to be quoted alone."""
    return "".join(pair + (" " if ENDS_SENTENCE.search(pair) else "; ") for pair in pairs[:-1]) + pairs[-1]


def _share(text: str) -> float:
    """How much of a passage it takes; beyond 1 it does not fit.

    Tokens are estimated: of 141 tables of three real companies 5 were unfolded without need, and none was missed.
    """
    tokens = len(re.findall(r"\w{1,6}|[^\w\s]", text)) + 1
    return max(tokens / MAX_TOKENS, (len(text) + 2) / MAX_CHARACTERS)


def _named(table: list[str]) -> list[str]:
    if len(table) < 4 or not _is_rule(table[1]) or len(_cells(table[0])) < 3 or table[0].strip(" |"):
        return table
    return [table[2], table[1], *table[3:]]


def _unfolded(table: list[str]) -> list[str]:
    if len(table) < 3 or not _is_rule(table[1]) or _share("\n".join(table)) <= 1:
        return table
    header, _, *rows = [_cells(line) for line in table]
    filled = {place for row in rows for place, cell in enumerate(row) if cell.strip()}
    empty = [name.strip() for place, name in enumerate(header) if name.strip() and place not in filled]
    items = [*([f"- {'; '.join(empty)}"] if empty else []), *list_rows(header, rows)]
    return [*items, ""]  # the blank line keeps a text right under the table out of the last item


def _is_rule(line: str) -> bool:
    return "-" in line and set(line) <= set("|:- \t")


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _fence_after(fence: str, line: str) -> str:
    """The mark of the code block that is open after `line`; "" if none is."""
    if not fence:
        mark = FENCE.match(line)
        return mark[1] if mark else ""
    bare = line.strip()
    return "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
