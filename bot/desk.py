"""What a client may ask of a frontdesk, as plain dictionaries: the same verbs here and through a running server."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from bot.answer import Answer
from bot.service import Service
from tone_tuning.prompt import Message

__all__ = ["Desk", "LocalDesk", "Progress", "Rows"]

Progress = Callable[[int, int, str], None]
Rows = list[dict[str, Any]]  # named here, for the verb `list` hides the type in the classes below


class Desk(Protocol):
    """The document and question verbs of the command line."""

    def add(self, path: Path, on_progress: Progress) -> Rows:
        """Add a file or folder; one result for each file."""
        ...

    def missing(self, folder: Path) -> Rows:
        """Documents that came from `folder` whose files are gone."""
        ...

    def list(self) -> Rows:
        """All documents."""
        ...

    def show(self, reference: str, version: int | None) -> dict[str, Any]:
        """One document with the Markdown of a version (the current one by default)."""
        ...

    def remove(self, reference: str) -> dict[str, Any]:
        """Take a document out of all answers."""
        ...

    def search(self, query: str, top_k: int) -> Rows:
        """Passages for a query with their scores."""
        ...

    def ask(self, question: str, history: Sequence[Message]) -> Iterator[str | dict[str, Any]]:
        """Pieces of the answer, then the whole answer as a dictionary."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class LocalDesk:
    """The verbs on a service of this process."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def add(self, path: Path, on_progress: Progress = lambda done, total, name: None) -> Rows:
        """See `Desk.add`."""
        results = self.service.documents.add_path(path, on_progress)
        return [asdict(result) for result in results]

    def missing(self, folder: Path) -> Rows:
        """See `Desk.missing`."""
        return [asdict(document) for document in self.service.documents.missing_files(folder)]

    def list(self) -> Rows:
        """See `Desk.list`."""
        return [
            {
                **asdict(item.document),
                "version": item.version,
                "added_at": item.added_at.isoformat(timespec="seconds"),
                "chunks": item.chunks,
                "characters": item.characters,
            }
            for item in self.service.documents.documents()
        ]

    def show(self, reference: str, version: int | None = None) -> dict[str, Any]:
        """See `Desk.show`."""
        document = self.service.documents.get(reference)
        found = self.service.documents.version(document.id, version)
        return {
            **asdict(document),
            "version": found.version,
            "added_at": found.added_at.isoformat(timespec="seconds"),
            "markdown": found.markdown,
        }

    def remove(self, reference: str) -> dict[str, Any]:
        """See `Desk.remove`."""
        return asdict(self.service.documents.remove(reference))

    def search(self, query: str, top_k: int = 5) -> Rows:
        """See `Desk.search`."""
        return [
            {
                "document": found.document.source,
                "section": " > ".join(found.chunk.heading_path),
                "text": found.chunk.text,
                "score": round(found.score, 4),
                "dense": round(found.dense, 4),
                "lexical": round(found.lexical, 4),
            }
            for found in self.service.bot.retriever.retrieve(query, top_k=top_k)
        ]

    def ask(self, question: str, history: Sequence[Message] = ()) -> Iterator[str | dict[str, Any]]:
        """See `Desk.ask`."""
        for piece in self.service.bot.stream(question, history):
            yield json.loads(json.dumps(piece.to_dict())) if isinstance(piece, Answer) else piece

    def close(self) -> None:
        """See `Desk.close`."""
        self.service.close()
