"""Conversion in a process of its own, bounded in time and memory: no file can stop or crash the server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from knowledge.converters import Converted, convert
from knowledge.errors import ConversionError, DamagedDocument, OversizedDocument

__all__ = ["BoundedConverter"]

SECONDS = 60.0  # HTML is the slowest: 0.15 to 4 seconds a MiB here, by how many tags it has
MEMORY = 4 * 2**30  # of address space: 1.3 GiB for 4 MiB of HTML that is mostly tags
REFUSALS = {kind.__name__: kind for kind in ConversionError.__subclasses__()}


class BoundedConverter:
    """`convert` of knowledge/converters.py in a child process, which starts at the first file and serves many.

    Parsers for HTML, DOCX and PDF can be made to run for hours inside one C call, which holds every thread of a
    process. The child ends itself by an alarm of the operating system, and a new one is started for the next file.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds = seconds
        self.memory = memory
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __call__(self, name: str, data: bytes) -> Converted:
        """See `convert`.

        Raises:
            ConversionError: as `convert`; also when the child took too long or broke down over the file.
        """
        with self._lock:
            child = self._running()
            answer = _exchange(child, name, data)
            if not answer:
                self._child = None
                raise self._broken(name, child.wait())
        found = json.loads(answer)
        if "refusal" in found:
            raise REFUSALS[found["refusal"]](found["message"])
        return Converted(**found)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            command = [sys.executable, "-m", "knowledge.bounded", str(self.seconds), str(self.memory)]
            self._child = subprocess.Popen(
                command,
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            weakref.finalize(self, _end, self._child)
        return self._child

    def _broken(self, name: str, code: int) -> ConversionError:
        if code == -signal.SIGALRM:
            return OversizedDocument(
                f"'{name}' takes longer than {self.seconds:g} seconds to read: "
                "split it, or save it in a simpler format."
            )
        return DamagedDocument(
            f"'{name}' breaks the program that reads it (exit code {code}): "
            "open it, save it again, and add it once more."
        )


def _exchange(child: subprocess.Popen[bytes], name: str, data: bytes) -> bytes:
    """The child's answer; empty if it ended instead."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(json.dumps([name, len(data)]).encode() + b"\n" + data)
        child.stdin.flush()
    except OSError:
        return b""
    return child.stdout.readline()


def _end(child: subprocess.Popen[bytes]) -> None:
    """A child ends when its input does; one that is busy is stopped."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    child.kill()
    child.wait()


def _serve(seconds: float, memory: int, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request with one line, or die of the alarm that is set over it."""
    import resource

    with contextlib.suppress(OSError, ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while header := requests.readline():
        name, size = json.loads(header)
        data = requests.read(size)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = _answer(name, data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _answer(name: str, data: bytes) -> dict[str, str]:
    try:
        return asdict(convert(name, data))
    except ConversionError as refusal:
        return {"refusal": type(refusal).__name__, "message": str(refusal)}


if __name__ == "__main__":
    # Whatever a parser prints must not run into the answers.
    with os.fdopen(os.dup(1), "wb") as _answers:
        os.dup2(2, 1)
        _serve(float(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer, _answers)
