"""What the commands of the recipe share: one sentence for what goes wrong, and where models are prepared."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs
from rich.console import Console

from tone_tuning.errors import DataSetError, ToneTuningError, reason

__all__ = ["default_models", "positive", "public_name", "run_command", "say", "write_text"]

said = Console(stderr=True, soft_wrap=True)


def run_command(work: Callable[[], None]) -> None:
    """Do the work of a command; exit code 1 and one sentence where it fails, 130 where it is stopped."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave their core to who has work
    try:
        work()
    except ToneTuningError as error:
        say(f"reading: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("reading: stopped; a training run goes on from its last checkpoint by the same command.")
        sys.exit(130)


def say(sentence: str) -> None:
    """One line for the person at the terminal, on stderr."""
    said.print(sentence, markup=False, highlight=False)


def default_models() -> Path:
    """Where prepared bases lie when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("frontdesk")) / "models"


def positive(text: str) -> int:
    """A whole number from 1 up, as argparse wants it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 up")
    return int(text)


def public_name(base: str) -> str:
    """The name of a base without where it lies on this machine; a hub id stays as it is."""
    local = base.startswith((".", "~", "/")) or Path(base).is_dir()
    return Path(base).name if local else base


def write_text(path: Path, text: str) -> None:
    """Write a result.

    Raises:
        DataSetError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataSetError(f"'{path}' cannot be written ({reason(error)}): choose another --out.") from error
