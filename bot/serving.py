"""The process behind the page: its arguments, its port, its home folder, its models, and a clean end."""

import argparse
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from rich.console import Console

from bot.api import OUR_ERRORS
from bot.examples import fill_empty_home
from bot.home import ServerAddress, forget_server, write_server
from bot.loopback import LOCAL_HOSTS, open_port
from bot.schedules import Scheduler
from bot.service import Service, open_service
from bot.settings import read_settings

__all__ = ["BuildApp", "run"]

BuildApp = Callable[[Service, str], FastAPI]  # of a service and the token of its loopback endpoint
GRACE = 2  # seconds that answers under way are given when the page stops
console = Console(stderr=True, soft_wrap=True, highlight=False)


def run(build_app: BuildApp, argv: Sequence[str] | None = None) -> int:
    """Serve until stopped: 0 then, 1 with one sentence when the page cannot start."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else uvicorn would die without closing the files
    try:
        with open_port(arguments.host, arguments.port) as listening:
            _serve(build_app, arguments.home, listening, arguments.example)
    except OUR_ERRORS as error:
        console.print(f"frontdesk: {error}", markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        _say("Frontdesk stopped.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ui", description="Serve the Frontdesk page on this machine.")
    parser.add_argument("--home", type=Path, help="the folder that holds all state (or FRONTDESK_HOME)")
    parser.add_argument("--host", default=LOCAL_HOSTS[0], help="127.0.0.1; any other is refused until sign-in exists")
    parser.add_argument("--port", type=int, default=7860, help="port of the page; 0 takes a free one")
    parser.add_argument("--example", action="store_true", help="fill an empty home with the example company")
    return parser


def _serve(build_app: BuildApp, home: Path | None, listening: socket.socket, example: bool) -> None:
    """Open the home folder, load the models, and answer until stopped."""
    service = open_service(read_settings(home), "the page", _say)
    folder = service.settings.home
    try:
        if example:
            fill_empty_home(service, _say)
        _say("Loading the models ...")
        service.warm_up()
        token = secrets.token_urlsafe(32)
        url = f"http://{LOCAL_HOSTS[0]}:{listening.getsockname()[1]}"
        app = build_app(service, token)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE))
        write_server(folder, ServerAddress(url, token, os.getpid()))
        console.print(f"Frontdesk is at {url}", style="bold")
        stop_reading = Scheduler(service.sources).start()
        try:
            server.run(sockets=[listening])
        finally:
            stop_reading()
    finally:
        forget_server(folder)
        service.close()


def _say(sentence: str) -> None:
    """A line of progress for whoever started the page."""
    console.print(sentence, markup=False, style="dim")
