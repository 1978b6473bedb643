"""An iterator that runs in one thread, whoever takes its items."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.one_thread import in_one_thread


def test_all_items_come_in_order_from_a_single_other_thread():
    """Each item taken by a thread of its own, as a web server does, and a lock held from the first to the last."""
    lock, threads = threading.RLock(), set()

    def items():
        with lock:
            for number in range(5):
                threads.add(threading.get_ident())
                yield number

    passed, taken = in_one_thread(items), []
    for _ in range(5):
        with ThreadPoolExecutor(1) as pool:
            taken.append(pool.submit(next, passed).result())

    assert taken == [0, 1, 2, 3, 4] and list(passed) == []
    assert len(threads) == 1 and threading.get_ident() not in threads
    assert lock.acquire(timeout=1)


def test_an_error_comes_out_where_the_items_are_taken():
    """After the items before it."""

    def items():
        yield 1
        raise ValueError("broken")

    passed = in_one_thread(items)
    assert next(passed) == 1
    with pytest.raises(ValueError, match="broken"):
        next(passed)


def test_closing_ends_the_iterator_after_the_item_at_hand():
    """A visitor who leaves does not keep the model busy."""
    go_on, ended = threading.Semaphore(0), threading.Event()

    def items():
        try:
            for number in range(1000):
                go_on.acquire()
                yield number
        finally:
            ended.set()

    passed = in_one_thread(items)
    go_on.release()
    assert next(passed) == 0
    passed.close()
    go_on.release()

    assert ended.wait(5)


def test_nothing_runs_before_the_first_item_is_wanted():
    """Making the iterator costs nothing."""
    started = []
    passed = in_one_thread(lambda: iter([started.append(1)]))

    assert started == []
    assert list(passed) == [None] and started == [1]
