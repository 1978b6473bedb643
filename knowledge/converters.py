"""File bytes -> Markdown with a title, for every format we read; refused by name when they cannot be read."""

import re
from pathlib import PurePosixPath

from knowledge.archives import MAX_PACKED, SUFFIX
from knowledge.blocks import first_title
from knowledge.checks import check_content, refuse_suffix
from knowledge.converted import Convert, Converted, has_text, join_texts, named_after, unix_lines
from knowledge.errors import ConversionError, DamagedDocument, EmptyDocument, OversizedDocument, UnsupportedFormat
from knowledge.mail import from_eml
from knowledge.markup import from_docx, from_html
from knowledge.pdf import from_pdf
from knowledge.sheets import from_xlsx
from knowledge.slides import from_pptx
from knowledge.tables import list_rows, read_csv, unfold_large_tables

__all__ = ["FORMATS", "MAX_BYTES", "Convert", "Converted", "check_file", "convert"]

MAX_BYTES = 20 * 1024 * 1024
LONGEST_TITLE = 300  # characters
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?=[\w\"']+[^\n:]*:|#)(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
# Neither SQLite nor a page can hold these; a text has none of them on purpose.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def convert(name: str, data: bytes, max_bytes: int = MAX_BYTES) -> Converted:
    """The Markdown of one file; `name` decides the format and is named in every refusal.

    Tables too large for one passage come as lists, so that each row names its columns.

    Raises:
        ConversionError: one of its kinds, see knowledge/errors.py.
    """
    suffix = check_file(name, len(data), max_bytes)
    if not data.strip():
        raise EmptyDocument(f"'{name}' is empty: add a file with text.")
    if suffix == SUFFIX:
        raise UnsupportedFormat(
            f"'{name}' is a ZIP and no document: add it by itself, and each file in it becomes one."
        )
    try:
        check_content(name, suffix, data)
        converted = FORMATS[suffix](name, data)
    except ConversionError:
        raise
    except Exception as error:
        raise DamagedDocument(
            f"'{name}' cannot be read as {suffix} ({type(error).__name__}): "
            "open it, save it again, and add it once more."
        ) from error
    markdown = unfold_large_tables(UNPRINTABLE.sub("", join_texts(name, [converted.markdown])))
    if not has_text(markdown):
        raise EmptyDocument(f"'{name}' has no text beside its markup: write some into it, or leave it out.")
    title = UNPRINTABLE.sub("", converted.title)[:LONGEST_TITLE].strip() or named_after(name)
    return Converted(markdown, title, converted.warning)


def check_file(name: str, size: int, max_bytes: int = MAX_BYTES) -> str:
    """What can be told without reading the file; returns its suffix, which may also be the one of a ZIP.

    Raises:
        UnsupportedFormat: its suffix is none of `FORMATS`, and not that of a ZIP.
        OversizedDocument: it has more than `max_bytes`, or a ZIP more than `MAX_PACKED`.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in FORMATS and suffix != SUFFIX:
        raise refuse_suffix(name, suffix, ", ".join(sorted([*FORMATS, SUFFIX])))
    limit = MAX_PACKED if suffix == SUFFIX else max_bytes
    if size > limit:
        raise OversizedDocument(
            f"'{name}' has {size / 2**20:.1f} MiB, the limit is {limit / 2**20:.0f}: split it and add the parts."
        )
    return suffix


def _decode(name: str, data: bytes) -> str:
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in data[:4096] and not is_utf16:
        raise DamagedDocument(f"'{name}' is no text file: give it the ending that fits its content, and add it again.")
    if is_utf16:
        return unix_lines(data.decode("utf-16"))
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return unix_lines(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return unix_lines(data.decode("latin-1"))


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
    return from_html(text)


def _from_csv(name: str, data: bytes) -> Converted:
    """A list of the rows under the file's name; the first row names the columns."""
    header, *rows = read_csv(_decode(name, data)) or [[]]
    if not rows:
        raise EmptyDocument(f"'{name}' has no rows under its header: add a file with data.")
    title = named_after(name)
    return Converted("\n".join([f"# {title}", "", *list_rows(header, rows), ""]), title)


FORMATS: dict[str, Convert] = {
    ".md": _from_markdown,
    ".markdown": _from_markdown,
    ".txt": _from_text,
    ".html": _from_html,
    ".htm": _from_html,
    ".pdf": from_pdf,
    ".docx": from_docx,
    ".pptx": from_pptx,
    ".xlsx": from_xlsx,
    ".csv": _from_csv,
    ".eml": from_eml,
}
