"""Files out of the page's upload cache: into the documents, or kept for a retraining run."""

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bot.api import OUR_ERRORS
from bot.errors import HomeError
from bot.service import Service
from tone_tuning.dataset import load_conversations

__all__ = ["add_uploads", "empty_transit", "keep_transcripts", "take"]

ONE_ONLY = "Choose one file when it replaces a chosen document."
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


def add_uploads(
    service: Service, files: Sequence[Path], replaces: str | None, on_file: Callable[[int, str], None]
) -> list[Result]:
    """Add uploads one by one, each gone from the cache as soon as it is read; one that fails stops no other."""
    results = []
    for done, file in enumerate(files):
        on_file(done, file.name)
        if replaces and len(files) > 1:
            take(file)
            results.append(("failed", file.name, ONE_ONLY))
        else:
            results.append(_add_upload(service, file, replaces))
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


def _add_upload(service: Service, file: Path, replaces: str | None) -> Result:
    try:
        result = service.documents.add_bytes(file.name, take(file), replaces)
    except OUR_ERRORS as error:
        return "failed", file.name, str(error)
    sentences = {
        "added": f"Passages: {result.chunks}. In use from the next answer on.",
        "changed": f"New passages: {result.embedded} of {result.chunks}. In use from the next answer on.",
        "unchanged": "The stored document is the same already.",
    }
    return result.status, file.name, result.message or sentences.get(result.status, "")
