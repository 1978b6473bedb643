"""A retraining run that any page can watch: it goes on when the page that started it is closed."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

from bot.api import OUR_ERRORS
from bot.errors import RetrainError

__all__ = ["TrainingRun"]

log = logging.getLogger(__name__)


class TrainingRun:
    """The one run of a server, as far as it has come: `losses` by step, a `status` sentence, and `failed`."""

    def __init__(self) -> None:
        self.losses: list[tuple[int, float]] = []
        self.status = "No retraining is under way."
        self.failed = False
        self._thread: threading.Thread | None = None

    @property
    def begun(self) -> bool:
        """Whether there was a run since the server started."""
        return self._thread is not None

    @property
    def alive(self) -> bool:
        """Whether the run is under way."""
        return self._thread is not None and self._thread.is_alive()

    def plot(self) -> dict[str, Any]:
        """The losses so far, as the page's line plot takes them."""
        return {
            "columns": ["step", "loss"],
            "data": [list(point) for point in self.losses],
            "datatypes": {"step": "quantitative", "loss": "quantitative"},
            "mark": "line",
        }

    def start(self, events: Iterator[dict[str, Any]]) -> None:
        """Follow the progress events of a run from a thread of its own.

        Raises:
            RetrainError: the run before is still under way.
        """
        if self.alive:
            raise RetrainError("A retraining run is under way: wait for it or stop it first.")
        self.losses, self.failed = [], False
        self.status = "Reading the conversations and loading the model ..."
        self._thread = threading.Thread(target=self._follow, args=(events,), daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Until the run has ended, or `seconds` are over."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _follow(self, events: Iterator[dict[str, Any]]) -> None:
        try:
            for event in events:
                self._take(event)
        except OUR_ERRORS as error:
            self.status, self.failed = str(error), True
        except Exception:  # a thread has nobody above it who would hear of this
            log.exception("the retraining run failed")
            self.status, self.failed = "Retraining failed in a way nobody foresaw: see the server's log.", True

    def _take(self, event: dict[str, Any]) -> None:
        if "loss" in event:
            self.losses.append((event["step"], event["loss"]))
            speed = f" · {event['tokens_per_second']:,.0f} tokens/s" if event.get("tokens_per_second") else ""
            self.status = f"Step {event['step']} of {event['steps']} · loss {event['loss']:.3f}{speed}"
        elif "validation_loss" in event:
            self.status = f"Validation loss {event['validation_loss']:.3f}"
        elif "done" in event:
            self.status = f"{event.get('version', 'The adapter')} is ready as candidate: promote it to let it speak."
