"""How often a source is read: "15m", "6h", "1d" or "never" <-> seconds, and the thread that reads what is due."""

import logging
import re
import threading
from collections.abc import Callable

from bot.errors import QuestionError
from knowledge.errors import KnowledgeError
from knowledge.live_sources import LiveSources

__all__ = ["Scheduler", "read_every", "show_every"]

UNITS = {"m": 60, "h": 3600, "d": 86_400}
SHOWN = (("d", 86_400), ("h", 3600), ("min", 60))
LOOK = 30.0  # seconds between two looks at what is due
log = logging.getLogger(__name__)


def read_every(text: str) -> int:
    """The seconds between two runs; 0 for "never".

    Raises:
        QuestionError: it is no number with m, h or d behind it.
    """
    if text.strip().lower() == "never":
        return 0
    found = re.fullmatch(r"\s*([1-9][0-9]{0,4})\s*([mhd])\s*", text.lower())
    if found is None:
        raise QuestionError(f"'{text}' is no schedule: write it like 15m, 6h, 1d or never.")
    return int(found[1]) * UNITS[found[2]]


def show_every(seconds: int) -> str:
    """What a person reads: "every 6 h"."""
    if not seconds:
        return "by hand"
    unit, size = next(((unit, size) for unit, size in SHOWN if seconds % size == 0), ("s", 1))
    return f"every {seconds // size} {unit}"


class Scheduler:
    """Reads due sources in a thread of its own until it is stopped; a fault is kept with its source and logged."""

    def __init__(self, sources: LiveSources, look: float = LOOK) -> None:
        self.sources = sources
        self.look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Callable[[], None]:
        """Begin; returns what ends it, after the item at hand."""
        self._thread.start()
        return self.stop

    def stop(self) -> None:
        """End it after the item at hand."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(60)

    def _run(self) -> None:
        while not self._over.wait(self.look):
            try:
                for name, result in self.sources.run_due(stop=self._over.is_set).items():
                    if result.message and not result.interrupted:
                        log.warning("source '%s': %s", name, result.message)
            except KnowledgeError as error:
                log.warning("sources: %s", error)
            except Exception:  # a thread has nobody above it who would hear of this
                log.exception("the sources that are due could not be read")
