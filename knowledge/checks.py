"""What a file is by its content, and an Office file without what could do harm: bombs, macros, DTDs."""

import io
import re
import zipfile
from dataclasses import dataclass

from knowledge.errors import DamagedDocument, EncryptedDocument, UnsupportedFormat
from knowledge.zips import ZipReader

__all__ = ["check_content", "open_package", "pack", "refuse_suffix"]

# Formats that are close to one we read: what they are, and what to do.
NEARBY = {
    ".doc": "an old Word file: save it as .docx",
    ".xls": "an old Excel workbook: save it as .xlsx",
    ".ppt": "an old PowerPoint file: save it as .pptx",
    ".rtf": "an RTF document: save it as .docx",
    ".odt": "an OpenDocument text: save it as .docx",
    ".ods": "an OpenDocument spreadsheet: save it as .xlsx",
    ".odp": "an OpenDocument presentation: save it as .pptx",
    ".xlsb": "a binary Excel workbook: save it as .xlsx",
    ".ppsx": "a PowerPoint show: save it as .pptx",
    ".msg": "an Outlook message: save it as .eml",
    **dict.fromkeys((".docm", ".dotm"), "a Word file that may hold macros: save it as .docx"),
    **dict.fromkeys((".xlsm", ".xltm", ".xlam"), "an Excel workbook that may hold macros: save it as .xlsx"),
    **dict.fromkeys((".pptm", ".potm", ".ppsm", ".ppam"), "a PowerPoint file that may hold macros: save it as .pptx"),
    **dict.fromkeys((".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "a packed file: pack it as .zip"),
}
HTML_WELCOME = (".html", ".htm", ".md", ".markdown", ".txt")  # Markdown may begin with HTML, a text quote it
UTF16 = (b"\xff\xfe", b"\xfe\xff")
DECLARED = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
CFB_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # of old Office files, and of new ones with a password


@dataclass(frozen=True)
class Kind:
    """What a file is: in words, with the suffix it should have if we read it, and what to do."""

    words: str
    suffix: str
    advice: str


def _read(words: str, suffix: str) -> Kind:
    return Kind(words, suffix, f"rename it to {suffix}")


def _picture(words: str) -> Kind:
    return Kind(words, "", "add a document with text in its place")


PACKED = "unpack it, and add the files or a .zip of them"
LOCKED = Kind("an Office file with a password", "", "save a copy without one and add that")
PDF, HTML, ZIP = _read("a PDF", ".pdf"), _read("an HTML page", ".html"), _read("a ZIP", ".zip")
PACKAGES = {
    "word/": _read("a Word file", ".docx"),
    "ppt/": _read("a PowerPoint file", ".pptx"),
    "xl/": _read("an Excel workbook", ".xlsx"),
}
OFFICE_PARTS = {"[Content_Types].xml", "word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"}
OLD_OFFICE = {  # streams in it, by name
    "__substg1.0_": Kind("an Outlook message (.msg)", "", "open it and save it as .eml"),
    "WordDocument": Kind("an old Word file (.doc)", "", "open it and save it as .docx"),
    "PowerPoint Document": Kind("an old PowerPoint file (.ppt)", "", "open it and save it as .pptx"),
    "Workbook": Kind("an old Excel workbook (.xls)", "", "open it and save it as .xlsx"),
}
BEGINNINGS = {
    b"%PDF-": PDF,
    b"\x89PNG": _picture("a PNG picture"),
    b"\xff\xd8\xff": _picture("a JPEG picture"),
    b"GIF8": _picture("a GIF picture"),
    b"II*\0": _picture("a TIFF picture"),
    b"MM\0*": _picture("a TIFF picture"),
    b"\x1f\x8b": Kind("a gzip file", "", PACKED),
    b"7z\xbc\xaf\x27\x1c": Kind("a 7z file", "", PACKED),
    b"Rar!\x1a\x07": Kind("a RAR file", "", PACKED),
    b"{\\rtf": Kind("an RTF document", "", "open it and save it as .docx"),
}


def refuse_suffix(name: str, suffix: str, readable: str) -> UnsupportedFormat:
    """The refusal of a file by its `suffix` alone; `readable` lists the suffixes we read."""
    if suffix in NEARBY:
        return UnsupportedFormat(f"'{name}' is {NEARBY[suffix]} and add that.")
    return UnsupportedFormat(f"'{name}' is no format we read: use {readable}.")


def check_content(name: str, suffix: str, data: bytes) -> None:
    """Nothing, if the content may be what the `suffix` says: only what is known to be another format is refused.

    Raises:
        DamagedDocument: it is another format, or a ZIP that cannot be opened.
        EncryptedDocument: it is an Office file with a password.
    """
    kind = _kind(name, data)
    if kind is None or kind.suffix == suffix or (kind is HTML and suffix in HTML_WELCOME):
        return
    if kind is LOCKED and suffix in (package.suffix for package in PACKAGES.values()):
        raise EncryptedDocument(f"'{name}' wants a password: save a copy without one and add that.")
    raise DamagedDocument(f"'{name}' is {kind.words} by its content: {kind.advice}.")


def open_package(name: str, data: bytes) -> dict[str, bytes]:
    """The parts of an Office file by name: XML in UTF-8; pictures and other binary parts are empty, none is read.

    Raises:
        UnsupportedFormat: it holds macros.
        DamagedDocument: a part is damaged, has a DTD, or is in an encoding that hides what it says.
        EncryptedDocument: a part wants a password.
        OversizedDocument: it unpacks to too much.
    """
    reader = ZipReader(name, data)
    parts: dict[str, bytes] = {}
    for entry in reader.entries:
        part = entry.filename
        if part.lower().endswith("vbaproject.bin"):
            raise UnsupportedFormat(f"'{name}' holds macros ({part}): save a copy without macros and add that.")
        is_xml = part.lower().endswith((".xml", ".rels"))
        content = reader.read(entry, name, keep=is_xml)
        parts[part] = _harmless(name, part, content) if is_xml else b""
    return parts


def pack(parts: dict[str, bytes]) -> bytes:
    """A ZIP of the parts, for the libraries that read Office files: they see only what was checked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return packed.getvalue()


def _kind(name: str, data: bytes) -> Kind | None:
    """None for text and for what is not known."""
    for beginning, kind in BEGINNINGS.items():
        if data.startswith(beginning):
            return kind
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _packed_kind(name, data)
    if data.startswith(CFB_MAGIC):
        return next((kind for stream, kind in OLD_OFFICE.items() if stream.encode("utf-16-le") in data), LOCKED)
    head = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return HTML if head.startswith((b"<!doctype html", b"<html")) else None


def _packed_kind(name: str, data: bytes) -> Kind:
    if data[30:38] == b"mimetype":
        words = "an e-book (.epub)" if b"epub+zip" in data[38:100] else "an OpenDocument file"
        return Kind(words, "", "open it and save it as .docx, .xlsx, .pptx or .pdf")
    names = [entry.filename for entry in ZipReader(name, data).entries]
    is_office = not OFFICE_PARTS.isdisjoint(names)
    found = (kind for folder, kind in PACKAGES.items() if any(part.startswith(folder) for part in names))
    return next(found, ZIP) if is_office else ZIP


def _harmless(name: str, part: str, content: bytes) -> bytes:
    """One XML part in UTF-8, in which nothing hides from a search for its DTD."""
    if content.startswith(UTF16):
        content = re.sub(r"\A\s*<\?xml[^>]*\?>", "", content.decode("utf-16")).encode()
    declared = DECLARED.match(content)
    if (declared and declared[1].lower() not in (b"utf-8", b"us-ascii")) or b"\0" in content or not _is_utf8(content):
        raise DamagedDocument(f"'{name}' has a part in an unusual encoding ({part}): open it and save it again.")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DamagedDocument(
            f"'{name}' has a part with a DTD ({part}), which no Office program writes: save it again."
        )
    if part == "[Content_Types].xml" and b"macroEnabled" in content:
        raise UnsupportedFormat(f"'{name}' is marked as one with macros: save a copy without macros and add that.")
    return content


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
