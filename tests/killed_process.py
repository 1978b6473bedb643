"""What the kill tests let die: changes to a home on real Chroma, in a process that a SIGKILL ends at any point."""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import chromadb  # noqa: F401 - loaded once, before the processes are forked

from knowledge import indexing, store
from knowledge.catalog import Catalog
from knowledge.converters import convert
from knowledge.database import Database
from knowledge.documents import Terms
from knowledge.embedder import HashEmbedder
from knowledge.errors import KnowledgeError
from knowledge.indexing import DocumentIndex, open_knowledge
from knowledge.intake import Intake
from knowledge.passage_index import PassageIndex
from knowledge.retriever import Retriever
from knowledge.store import VectorStore
from tests.clock import Clock

__all__ = ["Step", "document", "ingest", "live", "open_home", "perform"]

SECTIONS = 12


@dataclass(frozen=True)
class Step:
    """One change to one document, at a moment; `days` later it shall begin, if it is not None."""

    verb: str
    source: str
    at: datetime
    text: str = ""
    number: int = 1
    days: float | None = None
    audience: str | None = None


def document(source: str, word: str, sections: int = SECTIONS) -> str:
    """A Markdown file: every sentence has the word of its version; the headings and every third section stay."""
    found = [
        f"## Section {n}\n\nSentence part{n} of {source} {'stays' if n % 3 == 0 else word}.\n" for n in range(sections)
    ]
    return f"# Document {source}\n\n" + "\n".join(found)


def open_home(home: Path, clock: Clock) -> tuple[DocumentIndex, Retriever]:
    """A home as a server opens it, but for the process that converts files."""
    documents, retriever = open_knowledge(home, HashEmbedder(), clock)
    documents.intake.convert = convert
    return documents, retriever


def perform(documents: DocumentIndex, clock: Clock, step: Step, folder: Path) -> None:
    """Do one step; one that is refused changes nothing."""
    clock.now = step.at
    begins = None if step.days is None else step.at + timedelta(days=step.days)
    with suppress(KnowledgeError):
        if step.verb == "add":
            documents.add_bytes(step.source, step.text.encode(), terms=Terms(begins, audience=step.audience))
        elif step.verb == "file":
            documents.add_path(folder / step.source)
        elif step.verb == "rollback":
            documents.rollback(step.source, step.number, begins)
        elif step.verb == "describe":
            documents.describe(step.source, step.audience)
        else:
            getattr(documents, step.verb)(step.source)


def live(home: Path, folder: Path, steps: Sequence[Step], told: Connection) -> None:
    """Do the steps and acknowledge each; the files among them come last, as one folder, each when it is written."""
    store.WRITE_BATCH, indexing.EMBED_TOGETHER = 10, 15
    clock = Clock()
    clock.now = steps[0].at
    documents, _ = open_home(home, clock)
    told.send("ready")
    for step in steps:
        if step.verb != "file":
            perform(documents, clock, step, folder)
            told.send(step.source)
    files = [step for step in steps if step.verb == "file"]
    if files:
        clock.now = files[0].at
        _after(Catalog, "add_version", lambda: told.send("written"))
        documents.add_path(folder)
    told.send("finished")
    documents.close()


def ingest(home: Path, step: Step, folder: Path, point: str, number: int) -> None:
    """Do one step, or add the folder where its verb is "folder", and die at the call of that number of a point."""
    store.WRITE_BATCH = 50
    clock = Clock()
    clock.now = step.at
    documents, _ = open_home(home, clock)
    _arm(documents, *point.split(" ", 1), number)
    if step.verb == "folder":
        documents.add_path(folder)
    else:
        perform(documents, clock, step, folder)


POINTS = {
    "file": (Intake, "prepare"),
    "version": (Catalog, "add_version"),
    "dates": (Catalog, "change_versions"),
    "audience": (Catalog, "change_document"),
    "erase": (Catalog, "erase"),
    "original": (Path, "unlink"),
    "renewal": (VectorStore, "renew"),
    "pointer": (store, "_point_to"),
    "shred": (Catalog, "shred"),
    "words": (Catalog, "index_words"),
    "vacuum": (Database, "shred"),
    "settling": (PassageIndex, "_settle"),
}


def _arm(documents: DocumentIndex, when: str, what: str, number: int) -> None:
    """Die before or after a call of POINTS or a write to Chroma, or inside: at an SQL statement that begins so."""
    seen = 0

    def die(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    if when == "inside":
        documents.catalog.database.connection.set_trace_callback(lambda sql: die() if sql.startswith(what) else None)
    elif what in POINTS:
        _around(*POINTS[what], die if when == "before" else None, die if when == "after" else None)
    else:
        real = VectorStore._do

        def watched(self: VectorStore, part: str, verb: str, **more: object) -> object:
            if when == "before" and verb == what:
                die()
            result = real(self, part, verb, **more)
            if when == "after" and verb == what:
                die()
            return result

        VectorStore._do = watched  # type: ignore[method-assign]


def _after(owner: object, name: str, then: Callable[[], None]) -> None:
    _around(owner, name, None, then)


def _around(owner: object, name: str, before: Callable[[], None] | None, after: Callable[[], None] | None) -> None:
    real = getattr(owner, name)

    def wrapped(*arguments: object, **more: object) -> object:
        if before:
            before()
        result = real(*arguments, **more)
        if after:
            after()
        return result

    setattr(owner, name, wrapped)
