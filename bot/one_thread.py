"""An iterator run in one thread from end to end, however many threads take its items."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

__all__ = ["in_one_thread"]


def in_one_thread(start: Callable[[], Iterator[Any]]) -> Generator[Any, None, None]:
    """Items of `start()`, passed on from a thread of its own.

    A web server takes each item with whichever thread is free; the work itself stays in one, and goes on while nobody
    takes an item. Closing this ends the iterator after the item at hand.
    """
    passed: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    over = threading.Event()

    def work() -> None:
        try:
            for item in start():
                passed.put((True, item))
                if over.is_set():
                    return
            passed.put((False, None))
        except Exception as error:
            passed.put((False, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while (got := passed.get())[0]:
            yield got[1]
        if got[1] is not None:
            raise got[1]
    finally:
        over.set()
