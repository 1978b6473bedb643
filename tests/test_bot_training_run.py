"""The retraining run as every page sees it."""

import threading

import pytest

from bot.errors import RetrainError
from bot.training_run import TrainingRun

STEPS = [{"step": n, "steps": 2, "loss": 2.0 / n, "tokens_per_second": 1234.5} for n in (1, 2)]


def followed(events):
    run = TrainingRun()
    run.start(iter(events))
    run.wait(5)
    return run


def test_before_the_first_run_there_is_nothing_to_plot():
    """A fresh server says so."""
    run = TrainingRun()

    assert (run.begun, run.alive, run.failed, run.plot()["data"]) == (False, False, False, [])
    assert run.status == "No retraining is under way."


def test_losses_are_kept_and_the_last_event_is_said():
    """Steps with loss and speed, then the candidate and what to do with it."""
    assert followed(STEPS).status == "Step 2 of 2 · loss 1.000 · 1,234 tokens/s"
    run = followed([*STEPS, {"validation_loss": 0.5}, {"done": "somewhere", "version": "v0002"}])

    assert run.plot()["data"] == [[1, 2.0], [2, 1.0]]
    assert run.status == "v0002 is ready as candidate: promote it to let it speak."
    assert (run.begun, run.alive, run.failed) == (True, False, False)


def test_a_validation_loss_is_said():
    """Until the version is registered."""
    assert followed([*STEPS, {"validation_loss": 0.5}]).status == "Validation loss 0.500"


def failing(error):
    yield STEPS[0]
    raise error


def test_a_failure_is_a_sentence_and_the_losses_stay():
    """Ours as it is, anything else without its traceback, which goes to the log."""
    run = followed(failing(RetrainError("The data has 2 faulty rows.")))

    assert (run.failed, run.status, len(run.losses)) == (True, "The data has 2 faulty rows.", 1)
    assert "nobody foresaw" in followed(failing(ZeroDivisionError("x"))).status


def test_a_second_run_is_refused_while_the_first_goes_on():
    """And the first is not disturbed; afterwards a new one begins from nothing."""
    go_on = threading.Event()

    def slow():
        yield STEPS[0]
        go_on.wait(5)

    run = TrainingRun()
    run.start(slow())
    with pytest.raises(RetrainError, match="under way"):
        run.start(iter([]))
    assert run.alive
    go_on.set()
    run.wait(5)
    run.start(iter([]))
    run.wait(5)
    assert run.losses == []
