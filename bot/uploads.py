"""Files out of the page's upload cache: into the documents, or kept for a retraining run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.api import OUR_ERRORS
from bot.service import Service

__all__ = ["add_upload", "take", "training_events"]


def take(file: Path) -> bytes:
    """The content of an upload, which is deleted: whoever knows a path in the cache could open it."""
    data = file.read_bytes()
    file.unlink()
    with contextlib.suppress(OSError):
        file.parent.rmdir()
    return data


def add_upload(service: Service, file: Path, replaces: str | None) -> tuple[str, str, str]:
    """Add one upload to the documents: (status, file name, sentence)."""
    try:
        result = service.documents.add_bytes(file.name, take(file), replaces)
    except OUR_ERRORS as error:
        return "failed", file.name, str(error)
    sentences = {
        "added": f"{result.chunks} passages, in use from the next answer on.",
        "changed": f"{result.embedded} of {result.chunks} passages are new, in use from the next answer on.",
        "unchanged": "The stored document is the same already.",
    }
    return result.status, file.name, result.message or sentences.get(result.status, "")


def training_events(service: Service, file: Path, epochs: int) -> Iterator[dict[str, Any]]:
    """Retrain on an upload, kept in the home folder so that a stopped run can be resumed."""
    kept = service.settings.home / "training" / file.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(take(file))
    yield from service.retraining.run(kept, epochs)
