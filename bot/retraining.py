"""A retraining run in a process of its own: sources attached, progress passed on, stopped on request."""

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bot.dialogue import standalone_question
from bot.errors import RetrainError
from bot.evidence import Reader
from bot.gather import Retriever, gather
from bot.settings import Settings
from bot.support_bot import to_prompt_source

__all__ = ["Retraining", "attach_sources"]

STOPPED = "Retraining was stopped: with the same file it goes on from its last checkpoint."


class Retraining:
    """At most one training run at a time; it goes on serving while the run lasts."""

    def __init__(self, settings: Settings, retriever: Retriever | None, reader: Reader | None) -> None:
        self.settings = settings
        self.retriever = retriever
        self.reader = reader
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def run(self, data: Path, epochs: int | None = None) -> Iterator[dict[str, Any]]:
        """Progress events of one run; the last one is {"done": path, "version": "v0002"}.

        Raises:
            RetrainError: another run is under way, or this one failed or was stopped.
        """
        with self._alone():
            self._stopped.clear()
            command = [sys.executable, "-m", "tone_tuning.train", "--data", str(self.prepare(data)), "--json-progress"]
            command += ["--home", str(self.settings.home), "--base", self.settings.base]
            command += ["--epochs", str(epochs)] if epochs else []
            said: deque[str] = deque(maxlen=20)
            process = self._start(command)
            watcher = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
            watcher.start()
            try:
                yield from (json.loads(line) for line in process.stdout or () if line.startswith("{"))
                code = process.wait()
                watcher.join(timeout=5)
            finally:
                self._end()
            if code != 0:
                raise RetrainError(STOPPED if self._stopped.is_set() else f"Retraining failed: {_reason(said, code)}")

    def stop(self) -> None:
        """End a run that is under way; it can be resumed with the same file."""
        self._stopped.set()
        self._end()

    def prepare(self, data: Path) -> Path:
        """A copy of `data` in the home folder with sources in every row; the file itself where none is missing.

        Raises:
            RetrainError: there is nothing to take sources from, or the run was stopped meanwhile.
        """
        rows = _rows(data)
        if not any(_needs_sources(row) for row in rows):
            return data
        if self.retriever is None or self.reader is None:
            raise RetrainError(
                f"Rows of '{data}' have no sources and the server holds the documents: "
                "retrain from the page, or stop the server."
            )
        lines = []
        for row in rows:
            if self._stopped.is_set():
                raise RetrainError(STOPPED)
            lines.append(json.dumps(attach_sources(row, self.retriever, self.reader)))
        target = self.settings.home / "training" / f"{data.stem}-with-sources.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return target

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One run a home folder, whichever process it was started from."""
        lock = FileLock(self.settings.home / "training.lock", thread_local=False)
        try:
            self.settings.home.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise RetrainError("A retraining run is under way: wait for it or stop it first.") from None
        try:
            yield
        finally:
            lock.release()

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        with self._lock:
            if self._stopped.is_set():
                raise RetrainError(STOPPED)
            root = Path(__file__).parents[1]
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
            )
            return self._process

    def _end(self) -> None:
        with self._lock:
            if self._process and self._process.poll() is None:
                self._process.terminate()
                self._process.wait()
            self._process = None


def _reason(said: Iterable[str], code: int) -> str:
    """The training command's own sentence, else the last thing that was said before the process ended."""
    lines = [line.strip() for line in said if line.strip()]
    ours = [line.removeprefix("tone: ") for line in lines if line.startswith("tone: ")]
    return (ours or lines or [f"its process ended with code {code}."])[-1]


def attach_sources(row: dict[str, Any], retriever: Retriever, reader: Reader) -> dict[str, Any]:
    """`row` with the evidence that a bot would have seen for its last question, where it has no sources."""
    if not _needs_sources(row):
        return row
    asked = [m["content"] for m in row["messages"] if m["role"] == "user"]
    if not asked:
        return row
    before = [m for m in row["messages"][: _last_question(row["messages"])] if m["role"] != "system"]
    choice = gather(asked[-1], retriever, reader, standalone_question(asked[-1], before))
    sources = [asdict(to_prompt_source(source)) for source in choice.sources]
    return {**row, "sources": sources}


def _last_question(messages: Sequence[dict[str, str]]) -> int:
    return max(place for place, message in enumerate(messages) if message["role"] == "user")


def _needs_sources(row: object) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list) or row.get("sources"):
        return False
    return all(isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
               for m in row["messages"])  # fmt: skip


def _rows(data: Path) -> list[Any]:
    """Rows that parse; faults are left to the data set's own reader, which names all of them at once."""
    try:
        return [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError):
        return []
