"""PDF -> Markdown with page marks; says which pages have no text."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from knowledge.converted import Converted, has_text, join_texts, unix_lines
from knowledge.errors import EmptyDocument, EncryptedDocument, OversizedDocument

__all__ = ["MAX_PAGES", "from_pdf"]

MAX_PAGES = 2_000
MOST_NAMED = 12  # ranges of pages in a warning
OCR = "run OCR on it, e.g. with ocrmypdf, or add a text export"
LIST_MARK = re.compile(r"(?:[-*•]|\d{1,2}[.)])\s")


def from_pdf(name: str, data: bytes) -> Converted:
    """The text of all pages; the title is the one in its properties, if that says anything.

    Raises:
        EncryptedDocument: it wants a password.
        OversizedDocument: it has more than `MAX_PAGES` pages.
        EmptyDocument: no page has text.
    """
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedDocument(f"'{name}' wants a password: save a copy without one and add that.") from error
        raise
    try:
        if (count := len(document)) > MAX_PAGES:
            raise OversizedDocument(
                f"'{name}' has {count:,} pages, the limit is {MAX_PAGES:,}: split it and add the parts."
            )
        bare: list[int] = []
        markdown = join_texts(name, _pages(document, count, bare))
        title = document.get_metadata_dict().get("Title") or ""
    finally:
        document.close()
    if len(bare) == count:
        raise EmptyDocument(f"'{name}' has no text on its {_pages_named(bare)} (a scan, perhaps): {OCR}.")
    return Converted(markdown, _useful(title), _warning(bare))


def _pages(document: Any, count: int, bare: list[int]) -> Iterator[str]:  # noqa: ANN401 - imported when needed
    for number in range(1, count + 1):
        page = _page(document[number - 1], number)
        if not has_text(page):
            bare.append(number)
        yield page


def _page(page: Any, number: int) -> str:  # noqa: ANN401 - a PdfPage, imported when needed
    """Text of one page, lines of a paragraph joined, after a marker that keeps the page number."""
    text = unix_lines(page.get_textpage().get_text_bounded()).replace("\ufffe", "-")
    return f"<!-- page {number} -->\n\n{_mark_headings(text)}"


def _useful(title: str) -> str:
    """Many programs write a file name or nothing of use where the title belongs."""
    title = re.sub(r"^Microsoft \w+ - ", "", title.strip())
    return "" if re.search(r"\.\w{2,4}$|^(untitled|document)\s*\d*$", title, re.IGNORECASE) else title


def _warning(bare: Sequence[int]) -> str:
    if not bare:
        return ""
    verb, them = ("has", "it is a scan") if len(bare) == 1 else ("have", "they are scans")
    named = _pages_named(bare)
    return f"{named[:1].upper()}{named[1:]} {verb} no text: if {them}, {OCR}."


def _pages_named(numbers: Sequence[int]) -> str:
    """As in "page 3" or "pages 1, 4-7, 9"."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    named = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    rest = [f"and others, {len(numbers)} in all"] if len(named) > MOST_NAMED else []
    return f"page{'s' if len(numbers) > 1 else ''} {', '.join(named[:MOST_NAMED] + rest)}"


def _mark_headings(text: str) -> str:
    """Short lines without a final stop, before a longer one, are headings: a PDF has no other sign of them.

    A line that goes on where the one before had no room left, or in small letters, is joined to it.
    """
    lines = [line.strip() for line in text.split("\n")]
    full = 0.75 * max(map(len, lines))
    out: list[str] = []
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        short = 0 < len(line) <= 60 and line[:1].isupper() and not re.search(r"[.:;,!?]$|\d$", line)
        is_heading = short and len(line.split()) <= 8 and (len(after) > len(line) + 15)
        previous_open = out and out[-1] and not re.search(r"[.:!?]$", out[-1]) and not out[-1].startswith("#")
        goes_on = previous_open and (len(before) >= full or line[:1].islower())
        if is_heading and not previous_open:
            out.append(f"\n## {line}\n")
        elif out and line and (goes_on or line[:1].islower()) and not LIST_MARK.match(line) and out[-1]:
            out[-1] += f" {line}"
        else:
            out.append(line)
    return "\n".join(out)
