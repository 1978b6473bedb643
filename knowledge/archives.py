"""ZIP files of documents: their members, each with the path it shall have or the sentence that refuses it."""

import contextlib
import re
import stat
import zipfile
from dataclasses import dataclass

from knowledge.checks import check_content
from knowledge.errors import DamagedDocument, EmptyDocument, EncryptedDocument, OversizedDocument
from knowledge.zips import ZipReader

__all__ = ["MAX_MEMBERS", "MAX_PACKED", "SUFFIX", "Member", "unpack"]

SUFFIX = ".zip"
MAX_PACKED = 100 * 2**20  # bytes
MAX_MEMBERS = 2_000
UTF8_NAME = 0x800


@dataclass(frozen=True)
class Member:
    """A file in a ZIP: its path there, with slashes; `refusal` is the sentence why it has no data, else ""."""

    path: str
    data: bytes
    refusal: str = ""


def unpack(name: str, data: bytes) -> list[Member]:
    """The files of the ZIP `name` in their order, of any format; folders and hidden files are left out.

    One that is encrypted, damaged, a link, a ZIP itself, outside of the ZIP or there twice is refused alone.

    Raises:
        OversizedDocument: it has too many files, or they unpack to too much.
        DamagedDocument: it is no ZIP, or one that cannot be opened.
        EmptyDocument: there is no file in it.
    """
    if len(data) > MAX_PACKED:
        size, limit = len(data) / 2**20, MAX_PACKED // 2**20
        raise OversizedDocument(f"'{name}' has {size:.0f} MiB, the limit is {limit}: split it and add the parts.")
    check_content(name, SUFFIX, data)
    reader = ZipReader(name, data)
    found = [(path, entry) for entry in reader.entries if (path := _path(entry)) and not _is_hidden(path)]
    if len(found) > MAX_MEMBERS:
        raise OversizedDocument(
            f"'{name}' has {len(found):,} files in it, the limit is {MAX_MEMBERS:,}: split it and add the parts."
        )
    if not found:
        raise EmptyDocument(f"'{name}' has no files in it: pack some documents, or leave it out.")
    taken: set[str] = set()
    return [_member(reader, path, entry, taken) for path, entry in found]


def _member(reader: ZipReader, path: str, entry: zipfile.ZipInfo, taken: set[str]) -> Member:
    path = re.sub(r"[\x00-\x1f\x7f]", "?", path)
    label = f"{reader.name}/{path}"
    if refusal := _refusal(label, path, entry, taken):
        return Member(path, b"", refusal)
    taken.add(path)
    try:
        return Member(path, reader.read(entry, label))
    except (DamagedDocument, EncryptedDocument) as error:
        return Member(path, b"", str(error))


def _refusal(label: str, path: str, entry: zipfile.ZipInfo, taken: set[str]) -> str:
    if ".." in path.split("/"):
        return f"'{label}' leads out of the ZIP: pack it again without '..' in its path."
    if path in taken:
        return f"'{label}' is in the ZIP twice and only the first is read: give each file its own name."
    if path.lower().endswith(SUFFIX):
        return f"'{label}' is a ZIP inside a ZIP: unpack it and add what it holds."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return f"'{label}' is a link and no file: put the file itself into the ZIP."
    return ""


def _path(entry: zipfile.ZipInfo) -> str:
    """With slashes and without what would make it absolute; "" for a folder."""
    name = entry.filename
    if not entry.flag_bits & UTF8_NAME:  # macOS writes UTF-8 and does not say so
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    if name.endswith("/"):
        return ""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if parts and re.fullmatch(r"[A-Za-z]:", parts[0]):
        parts = parts[1:]
    return "/".join(parts)


def _is_hidden(path: str) -> bool:
    """Dot files, the lock files of Office, and what macOS adds for itself."""
    return any(part == "__MACOSX" or (part.startswith(("~$", ".")) and part != "..") for part in path.split("/"))
