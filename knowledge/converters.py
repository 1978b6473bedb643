"""File bytes -> Markdown with a title: .md .txt .html .pdf .docx .csv, refused by name when they cannot be read."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from knowledge.errors import (
    ConversionError,
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    OversizedDocument,
    UnsupportedFormat,
)

__all__ = ["FORMATS", "MAX_BYTES", "Converted", "convert"]

MAX_BYTES = 20 * 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024  # a DOCX is a ZIP; one that unpacks to more is a bomb or no letter
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
CFB_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of password-protected Office files


@dataclass(frozen=True)
class Converted:
    """What the catalog stores: Markdown and a title."""

    markdown: str
    title: str


def convert(name: str, data: bytes, max_bytes: int = MAX_BYTES) -> Converted:
    """The Markdown of one file; `name` decides the format and is named in every refusal.

    Raises:
        ConversionError: one of its kinds, see knowledge/errors.py.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in FORMATS:
        raise UnsupportedFormat(f"'{name}' is no format we read: use {', '.join(sorted(FORMATS))}.")
    if len(data) > max_bytes:
        raise OversizedDocument(
            f"'{name}' has {len(data) / 2**20:.1f} MiB, the limit is {max_bytes / 2**20:.0f}: split it and add the parts."
        )
    if not data.strip():
        raise EmptyDocument(f"'{name}' is empty: add a file with text.")
    try:
        converted = FORMATS[suffix](name, data)
    except ConversionError:
        raise
    except Exception as error:
        raise DamagedDocument(
            f"'{name}' cannot be read as {suffix} ({type(error).__name__}): open it, save it again, and add it once more."
        ) from error
    if not re.search(r"\w", re.sub(r"<!--.*?-->", "", converted.markdown)):
        raise EmptyDocument(f"'{name}' has no text (a scan, perhaps): add a version with a text layer.")
    return converted


def _decode(name: str, data: bytes) -> str:
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DamagedDocument(f"'{name}' is no text file: its name does not fit what is in it.")
    for encoding in ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _from_markdown(name: str, data: bytes) -> Converted:
    text = _decode(name, data)
    title = ""
    if matter := FRONT_MATTER.match(text):
        found = re.search(r"^title:\s*(.+)$", matter[1], re.MULTILINE)
        title = found[1].strip().strip("\"'") if found else ""
        text = text[matter.end() :]
    return Converted(text, title or _first_heading(text) or _stem(name))


def _from_text(name: str, data: bytes) -> Converted:
    text = _decode(name, data)
    return Converted(text, _first_heading(text) or _stem(name))


def _from_html(name: str, data: bytes) -> Converted:
    text = _decode(name, data)
    if not re.search(r"<[a-zA-Z!]", text):
        raise DamagedDocument(f"'{name}' has no HTML in it: rename it to .txt or save it again as HTML.")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
    markdown = _markitdown(data, ".html")
    heading = _first_heading(markdown)
    return Converted(markdown, heading or (re.sub(r"\s+", " ", title[1]).strip() if title else "") or _stem(name))


def _from_docx(name: str, data: bytes) -> Converted:
    if data.startswith(CFB_MAGIC):
        raise EncryptedDocument(f"'{name}' wants a password: save a copy without one and add that.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
            raise OversizedDocument(f"'{name}' unpacks to more than {MAX_UNPACKED // 2**20} MiB: split it.")
    markdown = _markitdown(data, ".docx")
    return Converted(markdown, _first_heading(markdown) or _stem(name))


def _from_pdf(name: str, data: bytes) -> Converted:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedDocument(f"'{name}' wants a password: save a copy without one and add that.") from error
        raise
    try:
        pages = [_pdf_page(document[number], number + 1) for number in range(len(document))]
        title = (document.get_metadata_dict().get("Title") or "").strip()
    finally:
        document.close()
    return Converted("\n\n".join(pages), title or _stem(name))


def _pdf_page(page: "pdfium.PdfPage", number: int) -> str:  # type: ignore[name-defined]  # noqa: F821
    """Text of one page, lines of a paragraph joined, after a marker that keeps the page number."""
    text = page.get_textpage().get_text_bounded().replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-")
    return f"<!-- page {number} -->\n\n{_mark_headings(text)}"


def _mark_headings(text: str) -> str:
    """Short lines without a final stop, before a longer one, are headings: a PDF has no other sign of them."""
    lines = [line.strip() for line in text.split("\n")]
    out = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        short = 0 < len(line) <= 60 and line[:1].isupper() and not re.search(r"[.:;,!?]$|\d$", line)
        is_heading = short and len(line.split()) <= 8 and (len(after) > len(line) + 15)
        previous_open = out and out[-1] and not re.search(r"[.:!?]$", out[-1]) and not out[-1].startswith("#")
        out.append(f"\n## {line}\n" if is_heading and not previous_open else line)
    return "\n".join(out)


def _from_csv(name: str, data: bytes) -> Converted:
    """A table whose header stands on top; the splitter repeats it where the table is cut."""
    text = _decode(name, data)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise EmptyDocument(f"'{name}' has no rows under its header: add a file with data.")
    title = _stem(name)
    width = len(rows[0])
    lines = ["| " + " | ".join(_cell(cell) for cell in [*row, *[""] * width][:width]) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * width)
    return Converted(f"# {title}\n\n" + "\n".join(lines) + "\n", title)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("|", "/")).strip()


def _markitdown(data: bytes, suffix: str) -> str:
    from markitdown import MarkItDown, StreamInfo

    converter = MarkItDown(enable_plugins=False)
    result = converter.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=suffix, charset="utf-8"))
    return str(result.markdown).replace("\r\n", "\n")


def _first_heading(markdown: str) -> str:
    found = re.search(r"^#\s+(.+?)\s*#*$", markdown, re.MULTILINE)
    return re.sub(r"[*_`]", "", found[1]).strip() if found else ""


def _stem(name: str) -> str:
    words = re.sub(r"[-_]+", " ", PurePosixPath(name).stem).strip()
    return words[:1].upper() + words[1:] if words else name


FORMATS: dict[str, Callable[[str, bytes], Converted]] = {
    ".md": _from_markdown,
    ".markdown": _from_markdown,
    ".txt": _from_text,
    ".html": _from_html,
    ".htm": _from_html,
    ".pdf": _from_pdf,
    ".docx": _from_docx,
    ".csv": _from_csv,
}
