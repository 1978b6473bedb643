"""File bytes -> Markdown with a title: .md .txt .html .pdf .docx .csv, refused by name when they cannot be read."""

import html
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from knowledge.blocks import first_title
from knowledge.errors import (
    ConversionError,
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    OversizedDocument,
    UnsupportedFormat,
)
from knowledge.tables import list_rows, name_columns, read_csv, unfold_large_tables

__all__ = ["FORMATS", "MAX_BYTES", "Convert", "Converted", "check_file", "convert"]

MAX_BYTES = 20 * 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024  # a DOCX is a ZIP; one that unpacks to more is a bomb or no letter
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?=[\w\"']+[^\n:]*:|#)(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)
DATA_IMAGE = re.compile(r"!\[[^\[\]]*\]\(data:[^()]*\)")
# Neither SQLite nor a page can hold these; a text has none of them on purpose.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
CFB_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of password-protected Office files
# How PDF, ZIP (and so DOCX), old Office, PNG, JPEG, GIF and gzip files begin, none of which is text.
NO_TEXT = (b"%PDF-", b"PK\x03\x04", CFB_MAGIC, b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b")


LIST_MARK = re.compile(r"(?:[-*•]|\d{1,2}[.)])\s")


@dataclass(frozen=True)
class Converted:
    """What the catalog stores: Markdown and a title."""

    markdown: str
    title: str


Convert = Callable[[str, bytes], Converted]


def convert(name: str, data: bytes, max_bytes: int = MAX_BYTES) -> Converted:
    """The Markdown of one file; `name` decides the format and is named in every refusal.

    Tables too large for one passage come as lists, so that each row names its columns.

    Raises:
        ConversionError: one of its kinds, see knowledge/errors.py.
    """
    suffix = check_file(name, len(data), max_bytes)
    if not data.strip():
        raise EmptyDocument(f"'{name}' is empty: add a file with text.")
    try:
        converted = FORMATS[suffix](name, data)
    except ConversionError:
        raise
    except Exception as error:
        raise DamagedDocument(
            f"'{name}' cannot be read as {suffix} ({type(error).__name__}): "
            "open it, save it again, and add it once more."
        ) from error
    markdown = unfold_large_tables(UNPRINTABLE.sub("", converted.markdown))
    if not re.search(r"[^\W_]", COMMENT.sub("", markdown)):
        raise EmptyDocument(_why_empty(name, suffix))
    return Converted(markdown, UNPRINTABLE.sub("", converted.title).strip() or _stem(name))


def check_file(name: str, size: int, max_bytes: int = MAX_BYTES) -> str:
    """What can be told without reading the file; returns its suffix.

    Raises:
        UnsupportedFormat: its suffix is none of `FORMATS`.
        OversizedDocument: it has more than `max_bytes`.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in FORMATS:
        raise UnsupportedFormat(f"'{name}' is no format we read: use {', '.join(sorted(FORMATS))}.")
    if size > max_bytes:
        raise OversizedDocument(
            f"'{name}' has {size / 2**20:.1f} MiB, the limit is {max_bytes / 2**20:.0f}: split it and add the parts."
        )
    return suffix


def _why_empty(name: str, suffix: str) -> str:
    if suffix == ".pdf":
        return f"'{name}' has no text (a scan, perhaps): add a version with a text layer."
    return f"'{name}' has no text beside its markup: write some into it, or leave it out."


def _decode(name: str, data: bytes) -> str:
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if data.startswith(NO_TEXT) or (b"\0" in data[:4096] and not is_utf16):
        raise DamagedDocument(f"'{name}' is no text file: give it the ending that fits its content, and add it again.")
    if is_utf16:
        return _unix(data.decode("utf-16"))
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return _unix(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return _unix(data.decode("latin-1"))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _from_markdown(name: str, data: bytes) -> Converted:
    text = _decode(name, data)
    title = ""
    if matter := FRONT_MATTER.match(text):
        found = re.search(r"^title:[ \t]*([^>|\s].*)$", matter[1], re.MULTILINE)
        title = found[1].strip().strip("\"'") if found else ""
        text = text[matter.end() :]
    return Converted(text, title or first_title(text))


def _from_text(name: str, data: bytes) -> Converted:
    text = _decode(name, data)
    return Converted(text, first_title(text))


def _from_html(name: str, data: bytes) -> Converted:
    text = _decode(name, data)
    if not re.search(r"<[a-zA-Z!]", text):
        raise DamagedDocument(f"'{name}' has no HTML in it: rename it to .txt or save it again as HTML.")
    title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
    markdown = _markitdown(text.encode("utf-8", "replace"), ".html")
    return Converted(markdown, first_title(markdown) or (" ".join(html.unescape(title[1]).split()) if title else ""))


def _from_docx(name: str, data: bytes) -> Converted:
    if data.startswith(CFB_MAGIC):
        raise EncryptedDocument(f"'{name}' wants a password: save a copy without one and add that.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
            raise OversizedDocument(f"'{name}' unpacks to more than {MAX_UNPACKED // 2**20} MiB: split it.")
    markdown = _markitdown(data, ".docx")
    return Converted(markdown, first_title(markdown))


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
        title = document.get_metadata_dict().get("Title") or ""
    finally:
        document.close()
    # Many programs write a file name or nothing of use where the title belongs.
    title = re.sub(r"^Microsoft \w+ - ", "", title.strip())
    is_title = title and not re.search(r"\.\w{2,4}$|^(untitled|document)\s*\d*$", title, re.IGNORECASE)
    return Converted("\n\n".join(pages), title if is_title else "")


def _pdf_page(page: Any, number: int) -> str:  # noqa: ANN401 - a PdfPage, imported when needed
    """Text of one page, lines of a paragraph joined, after a marker that keeps the page number."""
    text = _unix(page.get_textpage().get_text_bounded()).replace("\ufffe", "-")
    return f"<!-- page {number} -->\n\n{_mark_headings(text)}"


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


def _from_csv(name: str, data: bytes) -> Converted:
    """A list of the rows under the file's name; the first row names the columns."""
    header, *rows = read_csv(_decode(name, data)) or [[]]
    if not rows:
        raise EmptyDocument(f"'{name}' has no rows under its header: add a file with data.")
    title = _stem(name)
    return Converted("\n".join([f"# {title}", "", *list_rows(header, rows), ""]), title)


def _markitdown(data: bytes, suffix: str) -> str:
    from markitdown import MarkItDown, StreamInfo

    converter = MarkItDown(enable_plugins=False)
    result = converter.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=suffix, charset="utf-8"))
    return name_columns(DATA_IMAGE.sub("", _unix(str(result.markdown))))


def _stem(name: str) -> str:
    words = re.sub(r"[-_]+", " ", PurePosixPath(name).stem).strip()
    return words[:1].upper() + words[1:] if words else name


FORMATS: dict[str, Convert] = {
    ".md": _from_markdown,
    ".markdown": _from_markdown,
    ".txt": _from_text,
    ".html": _from_html,
    ".htm": _from_html,
    ".pdf": _from_pdf,
    ".docx": _from_docx,
    ".csv": _from_csv,
}
