"""XLSX -> Markdown: a section for each sheet, a list item for each row, which names its columns."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from knowledge.cells import shown
from knowledge.checks import open_package, pack
from knowledge.converted import MAX_TEXT, Converted, join_texts, named_after
from knowledge.errors import EmptyDocument, OversizedDocument
from knowledge.tables import list_rows

__all__ = ["MAX_CELLS", "from_xlsx"]

MAX_CELLS = 200_000  # that say something
MAX_COLUMN = 16_384
MAX_SPREAD = 4_000_000  # places up to the last such cell of each row: one in column XFD has 16,384 of them
# No pattern may look at a place more than a few times: a part may have 200 MiB.
ROW_OR_COLUMN = re.compile(rb"<(?:\w+:)?(row|col)\s([^<>]*)>")
HIDDEN = re.compile(rb'\bhidden="(?:1|true)"')
NUMBER = re.compile(rb'\b(r|min|max)="(\d{1,7})"')
NO_RESULT = re.compile(rb"</(?:\w+:)?f>\s*(?:<(?:\w+:)?v\s*/>\s*|<(?:\w+:)?v></(?:\w+:)?v>\s*)?</(?:\w+:)?c>")


def from_xlsx(name: str, data: bytes) -> Converted:
    """The rows of all sheets that are shown, formulas by their stored results; hidden rows and columns are left out.

    Raises:
        OversizedDocument: it has more than `MAX_CELLS` cells with something in them.
        EmptyDocument: no sheet that is shown has anything in it.
        ConversionError: it holds what could do harm, see `open_package`.
    """
    from openpyxl import load_workbook

    parts = open_package(name, data)
    book = load_workbook(io.BytesIO(pack(parts)), read_only=True, data_only=True, keep_links=False)
    reader = _Reader(name, parts)
    try:
        sections = [_section(sheet.title, reader.rows(sheet)) for sheet in book.worksheets if reader.is_shown(sheet)]
    finally:
        book.close()
    if not any(sections):
        raise EmptyDocument(f"'{name}' has no sheet with anything to see in it: add a file with data.")
    title = named_after(name)
    return Converted(join_texts(name, [f"# {title}", *filter(None, sections)]) + "\n", title, reader.warning())


@dataclass
class _Reader:
    """Reads sheet after sheet; what it counts and what it left out holds for the whole workbook."""

    name: str
    parts: dict[str, bytes]
    cells: int = 0
    spread: int = 0
    characters: int = 0
    left_out: set[str] = field(default_factory=set)
    no_result: bool = False

    def is_shown(self, sheet: Any) -> bool:  # noqa: ANN401 - a sheet of openpyxl, which has no types
        if sheet.sheet_state != "visible":
            self.left_out.add("sheets")
        return bool(sheet.sheet_state == "visible")

    def rows(self, sheet: Any) -> list[list[str]]:  # noqa: ANN401
        """The rows with something in them, all cells at their places; what is hidden is empty."""
        content = self.parts[sheet._worksheet_path]  # openpyxl gives no other way to what is hidden
        self.no_result = self.no_result or NO_RESULT.search(content) is not None
        hidden_rows, hidden_columns = _hidden(content)
        sheet.reset_dimensions()  # they are written by the program that made the file, and may be wrong
        found = []
        for number, cells in enumerate(sheet.iter_rows(), 1):
            whole = [shown(cell) for cell in cells]
            self._count(whole)
            row = (
                ["" if at in hidden_columns else text for at, text in enumerate(whole, 1)] if hidden_columns else whole
            )
            if row != whole:
                self.left_out.add("columns")
            if any(row) and number in hidden_rows:
                self.left_out.add("rows")
            elif any(row):
                found.append(row)
        return found

    def _count(self, row: Sequence[str]) -> None:
        self.spread += max(1, len(row))
        self.cells += sum(map(bool, row))
        self.characters += sum(map(len, row))
        limit = ""
        if self.spread > MAX_SPREAD:
            limit = f"{MAX_SPREAD:,} cells, most of them empty"
        elif self.cells > MAX_CELLS:
            limit = f"{MAX_CELLS:,} cells"
        elif self.characters > MAX_TEXT:
            limit = f"{MAX_TEXT // 10**6} million characters of text"
        if limit:
            raise OversizedDocument(f"'{self.name}' has more than {limit}: split it and add the parts.")

    def warning(self) -> str:
        """What was left out, in one sentence or two."""
        sentences = []
        if self.left_out:
            kinds = " and ".join(", ".join(sorted(self.left_out)).rsplit(", ", 1))
            sentences.append(f"Hidden {kinds} were left out: show them in the file if they are meant to be read.")
        if self.no_result:
            sentences.append("Some formulas have no stored result: open the file in a spreadsheet program and save it.")
        return " ".join(sentences)


def _hidden(content: bytes) -> tuple[set[int], set[int]]:
    """Numbers of the hidden rows and of the hidden columns of a sheet."""
    rows: set[int] = set()
    columns: set[int] = set()
    for mark in ROW_OR_COLUMN.finditer(content):
        if not HIDDEN.search(mark[2]):
            continue
        numbers = {kind: int(number) for kind, number in NUMBER.findall(mark[2])}
        if mark[1] == b"row" and b"r" in numbers:
            rows.add(numbers[b"r"])
        elif mark[1] == b"col" and {b"min", b"max"} <= numbers.keys():
            columns |= set(range(numbers[b"min"], min(numbers[b"max"], MAX_COLUMN) + 1))
    return rows, columns


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Lines above the header are text; the header is the first row with more than one cell, if any row has so many."""
    if not rows:
        return ""
    filled = [sum(map(bool, row)) for row in rows]
    at = next((at for at, count in enumerate(filled) if count > 1), 0)
    above = ["; ".join(filter(None, row)) for row in rows[: at if at + 1 < len(rows) else at + 1]]
    items = list_rows(rows[at], rows[at + 1 :])
    blocks = [f"## {' '.join(title.split())}", *above, "\n".join(items)]
    return "\n\n".join(filter(None, blocks))
