"""Files on disk: found with the collection and source that tell them apart, and originals kept by content."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge.errors import DocumentNotFound, StoreError

__all__ = ["FoundFile", "find_files", "is_in_archive", "keep_original", "readable"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundFile:
    """A file on disk: `source` is its POSIX path relative to the folder `collection`."""

    path: Path
    collection: str
    source: str


def find_files(path: Path, known: Iterable[Path]) -> list[FoundFile]:
    """The file `path`, or all files of that folder and its subfolders, in order; hidden ones are left out.

    A file belongs to the deepest of the `known` folders it lies in, else to the folder that was asked for; so a folder
    added after one of its subfolders, or before, brings no document twice.

    Raises:
        DocumentNotFound: the path does not exist.
    """
    if not path.exists():
        raise DocumentNotFound(f"'{readable(str(path.absolute()))}' does not exist: check the path.")
    known = set(known)
    place = path.resolve() if path.is_dir() else path.absolute().parent.resolve() / path.name
    files = sorted(_walk(place)) if path.is_dir() else [place]
    asked = place if path.is_dir() else place.parent
    return [_identified(file, known, asked) for file in files]


def keep_original(folder: Path, data: bytes) -> None:
    """Keep `data` in `folder` under its hash, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    path = folder / hashlib.sha256(data).hexdigest()
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            partial.write_bytes(data)
            os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise StoreError(
            f"The original cannot be kept in '{folder}' ({error.strerror}): free space or check permissions."
        ) from error


def is_in_archive(path: Path) -> bool:
    """Whether one of the folders above `path` is really a ZIP that is there."""
    return any(parent.suffix.lower() == ".zip" and parent.is_file() for parent in path.parents)


def readable(name: str) -> str:
    """`name` with the bytes escaped that are no text, so that it can be printed, stored and sent."""
    return name.encode("utf-8", "backslashreplace").decode()


def _identified(file: Path, known: set[Path], asked: Path) -> FoundFile:
    folder = next((parent for parent in file.parents if parent in known), asked)
    return FoundFile(file, str(folder), file.relative_to(folder).as_posix())


def _walk(folder: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(folder, onerror=lambda error: log.warning("folder left out: %s", error)):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (Path(at, name) for name in files if not _is_hidden(name) and _may_be_read(Path(at, name)))


def _is_hidden(name: str) -> bool:
    """Dot files, and the lock files that Office puts beside an open document."""
    return name.startswith((".", "~$"))


def _may_be_read(path: Path) -> bool:
    """Whether it is a file, not a pipe or socket that would never end; what cannot be told is tried."""
    try:
        return path.is_file()
    except OSError:
        return True
