"""Files out of the page's upload cache: into the documents, or kept for a retraining run."""

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bot import desk
from bot.api import OUR_ERRORS
from bot.contradictions import contradictions
from bot.errors import HomeError
from bot.page import day_text
from bot.service import Service
from knowledge.archives import SUFFIX
from knowledge.documents import Terms
from knowledge.indexing import FileResult
from tone_tuning.dataset import load_conversations

__all__ = ["BY", "UNSET", "add_uploads", "empty_transit", "keep_transcripts", "read_terms", "take"]

BY = "page"  # who added it, as long as nobody signs in
ONE_ONLY = "Choose one file when it replaces a chosen document."
NO_ARCHIVE = "A ZIP cannot replace a document: choose the one file that does, or add the ZIP to all documents."
UNSET = ("", "", "", "", "")  # the values for `read_terms` that say nothing
MOST_DOUBTS = 3  # contradictions told beside a file; `frontdesk docs conflicts` has all
Result = tuple[str, str, str]  # status, file name, sentence


def empty_transit(home: Path) -> Path:
    """The page's upload cache, without what a killed server left in it."""
    folder = home / "uploads-in-transit"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def take(file: Path) -> bytes:
    """The content of an upload, which is deleted: whoever knows a path in the cache could open it."""
    data = file.read_bytes()
    file.unlink()
    with contextlib.suppress(OSError):
        file.parent.rmdir()
    return data


def read_terms(begins: str, until: str, audience: str, review: str, note: str) -> Terms:
    """What the page's fields say about an upload; one that is empty leaves what is there, or the default.

    Raises:
        QuestionError: a date is none.
    """
    return desk.read_terms(begins, until, audience, review, note.strip(), by=BY)


def add_uploads(
    service: Service,
    files: Sequence[Path],
    replaces: str | None,
    on_file: Callable[[int, str], None],
    terms: Sequence[str] = UNSET,
) -> list[Result]:
    """Add uploads one by one, each gone from the cache as soon as it is read; one that fails stops no other.

    `terms` are the values for `read_terms`. Each file in a ZIP is a document, and has a result, of its own.
    """
    refusal = ONE_ONLY if replaces and len(files) > 1 else ""
    try:
        read = read_terms(*terms)
    except OUR_ERRORS as error:
        refusal, read = str(error), Terms()
    results = []
    for done, file in enumerate(files):
        on_file(done, file.name)
        data = take(file)
        if refusal:
            results.append(("failed", file.name, refusal))
        else:
            results += _add_upload(service, file.name, data, replaces, read)
    return results


def keep_transcripts(home: Path, file: Path) -> tuple[Path, int]:
    """Move an upload into the home folder, so that a stopped run can go on: (path there, its conversations).

    Raises:
        DataSetError: it cannot be used; all faulty rows are named, and it is not kept.
        HomeError: there is no room for it.
    """
    incoming, kept = home / "training" / "incoming" / file.name, home / "training" / file.name
    try:
        data = take(file)
        incoming.parent.mkdir(parents=True, exist_ok=True)
        incoming.write_bytes(data)
        count = len(load_conversations(incoming))
        os.replace(incoming, kept)  # only now: a run under way may still read the file of that name
    except OSError as error:
        raise HomeError(f"The upload cannot be kept in '{kept.parent}' ({error.strerror}): free space.") from error
    finally:
        with contextlib.suppress(OSError):
            incoming.unlink()
    return kept, count


def _add_upload(service: Service, name: str, data: bytes, replaces: str | None, terms: Terms) -> list[Result]:
    is_archive = name.lower().endswith(SUFFIX)
    if is_archive and replaces:
        return [("failed", name, NO_ARCHIVE)]
    try:
        if not is_archive:
            found = service.documents.add_bytes(name, data, replaces, terms)
            return [(found.status, name, _sentence(service, found))]
        results = service.documents.add_archive(name, data, terms)
        return [(found.status, found.source, _sentence(service, found)) for found in results]
    except OUR_ERRORS as error:
        return [("failed", name, str(error))]


def _sentence(service: Service, found: FileResult) -> str:
    """How many passages there are and from when on they count, and what else is worth knowing."""
    if found.status == "unchanged":
        return found.message or "The stored document is the same already."
    if found.document is None or not found.chunks:
        return found.message
    count = f"New passages: {found.embedded} of {found.chunks}." if found.status == "changed" else ""
    said = (count or f"Passages: {found.chunks}.", _counts_when(service, found.document.id), found.message)
    doubts = contradictions(service.documents, found.document.id)[:MOST_DOUBTS]
    warned = ["It may contradict another document.", *doubts] if doubts else []
    return " ".join(part for part in (*said, *warned) if part)


def _counts_when(service: Service, document: str) -> str:
    """From when on the newest version of a document is used."""
    _, window = service.documents.versions(document)[-1]
    now = service.documents.clock()
    if window and window.begins > now:
        return f"In force from {day_text(window.begins)} on."
    is_now = window and window.covers(now)
    return "In use from the next answer on." if is_now else "In force only for questions about the past."
