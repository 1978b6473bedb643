"""What every command shares: the settings, the console, the desk here or in a running server, errors as sentences."""

import getpass
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bot.errors import BotError

if TYPE_CHECKING:
    from bot.desk import LocalDesk
    from bot.remote import RemoteDesk
    from bot.retraining import Retraining
    from bot.service import Service
    from bot.settings import Settings

__all__ = [
    "Session",
    "agreed",
    "console",
    "degraded_exit",
    "errors",
    "open_desk",
    "open_own_service",
    "progress_bar",
    "running_desk",
    "said_progress",
    "say",
    "training_desk",
    "user_name",
]

console = Console(soft_wrap=True)
said = Console(stderr=True, soft_wrap=True)
said_progress = Console(stderr=True)


class Session:
    """The state folder of one command, resolved when it is first needed."""

    def __init__(self, home: Path | None) -> None:
        self.home = home

    def settings(self) -> "Settings":
        """Settings of this command."""
        from bot.settings import read_settings

        return read_settings(self.home)


def say(sentence: str) -> None:
    """A line for the person at the terminal, apart from the output."""
    said.print(sentence, markup=False, highlight=False, style="dim")


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes; silence is none. The output stays free of the question."""
    said.print(f"{question} [y/N] ", end="", markup=False, highlight=False)
    typed = sys.stdin.readline()
    if not typed or not sys.stdin.isatty():
        said.print()  # nobody's Enter key has ended the line
    return typed.strip().lower() in ("y", "yes")


def degraded_exit(sentences: Iterable[str]) -> None:
    """Name what is degraded on stderr and end with exit code 3; nothing when all is well."""
    found = list(sentences)
    for sentence in found:
        said.print(f"degraded: {sentence}", markup=False, highlight=False, style="yellow")
    if found:
        raise typer.Exit(3)


def user_name() -> str:
    """Who types, for the record; "" where the machine has no name for them, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@contextmanager
def errors() -> Iterator[None]:
    """Turn our errors into one sentence on stderr and exit code 1."""
    from knowledge.errors import KnowledgeError
    from tone_tuning.errors import ToneTuningError

    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries about each other
    try:
        yield
    except (BotError, KnowledgeError, ToneTuningError) as error:
        said.print(f"frontdesk: {error}", markup=False, highlight=False, style="red")
        sys.exit(1)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr, and what to call with (done, total, name)."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=said_progress) as bar:
        task = bar.add_task(label, total=None)

        def advance(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total or None, description=name[-40:] or label)

        yield advance


@contextmanager
def open_desk(context: typer.Context, purpose: str) -> "Iterator[LocalDesk]":
    """The desk of the running server of this home, else one of our own under the lock; both have the same verbs."""
    settings = context.obj.settings()
    desk: Any = running_desk(settings)
    if desk is None:
        from bot.desk import LocalDesk
        from bot.service import open_service

        desk = LocalDesk(open_service(settings, purpose, say))
    try:
        yield desk
    finally:
        desk.close()


def running_desk(settings: "Settings") -> "RemoteDesk | None":
    """The desk of the server of this home; None where none answers, whatever file the last one left."""
    from bot.home import read_server

    address = read_server(settings.home)
    if address is None:
        return None
    from bot.remote import RemoteDesk

    desk = RemoteDesk(address)
    if desk.answers():
        return desk
    desk.close()
    return None


@contextmanager
def open_own_service(context: typer.Context, purpose: str, adapter: bool = True) -> "Iterator[Service]":
    """A service of this process; a running server of the same home is in the way and is named."""
    from bot.service import open_service

    settings = context.obj.settings()
    service = open_service(settings if adapter else settings.without_adapter(), purpose, say)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def training_desk(context: typer.Context) -> "Iterator[Retraining]":
    """What trains an adapter: through our own service, or beside a running server, which keeps its documents."""
    settings = context.obj.settings()
    server = running_desk(settings)
    if server is None:
        with open_own_service(context, "frontdesk tone train") as service:
            yield service.retraining
        return
    server.close()
    from bot.retraining import Retraining

    retraining = Retraining(settings, None, None)
    try:
        yield retraining
    finally:
        retraining.stop()
