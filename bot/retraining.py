"""A retraining run in a process of its own: sources attached, progress passed on, stopped on request."""

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from bot.errors import RetrainError
from bot.evidence import Reader, group_sources
from bot.settings import Settings
from knowledge.documents import RetrievedChunk

__all__ = ["Retraining", "attach_sources"]


class Retriever(Protocol):
    """What attaching sources needs of `knowledge`."""

    def retrieve(self, query: str, top_k: int = 5) -> list[RetrievedChunk]:
        """Passages for a question, best first."""
        ...


class Retraining:
    """At most one training run at a time; it goes on serving while the run lasts."""

    def __init__(self, settings: Settings, retriever: Retriever | None, reader: Reader | None) -> None:
        self.settings = settings
        self.retriever = retriever
        self.reader = reader
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def run(self, data: Path, epochs: int | None = None) -> Iterator[dict[str, Any]]:
        """Progress events of one run; the last one is {"done": path, "version": "v0002"}.

        Raises:
            RetrainError: another run is under way, or this one failed or was stopped.
        """
        prepared = self.prepare(data)
        command = [sys.executable, "-m", "tone_tuning.train", "--data", str(prepared), "--json-progress"]
        command += ["--home", str(self.settings.home), "--base", self.settings.base]
        command += ["--epochs", str(epochs)] if epochs else []
        errors: deque[str] = deque(maxlen=20)
        process = self._start(command)
        watcher = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        watcher.start()
        try:
            for line in process.stdout or ():
                if line.startswith("{"):
                    yield json.loads(line)
            code = process.wait()
            watcher.join(timeout=5)
        finally:
            self.stop()
        if code != 0:
            reason = next((line.strip() for line in reversed(errors) if line.strip()), "it was stopped")
            raise RetrainError(f"Retraining ended early: {reason}")

    def stop(self) -> None:
        """End a run that is under way; it can be resumed with the same file."""
        with self._lock:
            if self._process and self._process.poll() is None:
                self._process.terminate()
                self._process.wait()
            self._process = None

    def prepare(self, data: Path) -> Path:
        """A copy of `data` in the home folder with sources in every row; the file itself where none is missing."""
        rows = _rows(data)
        if not any(_needs_sources(row) for row in rows):
            return data
        if self.retriever is None or self.reader is None:
            raise RetrainError(
                f"Rows of '{data}' have no sources and the server holds the documents: retrain from the page, or stop the server."
            )
        target = self.settings.home / "training" / f"{data.stem}-with-sources.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(attach_sources(row, self.retriever, self.reader)) for row in rows]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return target

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        with self._lock:
            if self._process and self._process.poll() is None:
                raise RetrainError("A retraining run is under way: wait for it or stop it first.")
            root = Path(__file__).parents[1]
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
            )
            return self._process


def attach_sources(row: dict[str, Any], retriever: Retriever, reader: Reader) -> dict[str, Any]:
    """`row` with the evidence that a bot would have seen for its last question, where it has no sources."""
    if not _needs_sources(row):
        return row
    asked = [m["content"] for m in row["messages"] if m["role"] == "user"]
    if not asked:
        return row
    passages = retriever.retrieve(asked[-1])
    sources = [
        {
            "title": source.chunk.document.title,
            "section": source.chunk.chunk.heading_path[-1] if source.chunk.chunk.heading_path else "",
            "date": source.chunk.added_at.date().isoformat(),
            "text": source.text,
        }
        for source in group_sources(reader.choose(asked[-1], passages), passages)
    ]
    return {**row, "sources": sources}


def _needs_sources(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("messages"), list) and not row.get("sources")


def _rows(data: Path) -> list[Any]:
    """Rows that parse; faults are left to the data set's own reader, which names all of them at once."""
    try:
        return [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError):
        return []
