"""The process behind the page: it starts, says where it is, stops cleanly, or refuses in one sentence."""

import os
import signal
import subprocess
import sys

import httpx
import pytest

from bot import serving
from bot.home import claim_home, read_server
from bot.loopback import open_port
from tests.conftest import ROOT
from tests.fake_service import make_service

SERVE = """
import sys
from pathlib import Path
from fastapi import FastAPI
import bot.serving as serving
from bot.api import add_routes
from bot.service import Service
from tests.fake_service import make_service

def build_app(service, token):
    app = FastAPI()
    add_routes(app, service, token)
    return app

serving.open_service = lambda settings, purpose, report: make_service(settings.home, settings, purpose)
Service.warm_up = lambda self: None
sys.exit(serving.run(build_app))
"""


@pytest.fixture
def server(home):
    """A server on the fakes in a process of its own, once it has said where it is."""
    command = [sys.executable, "-c", SERVE, "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    said = ""
    while "Frontdesk is at" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.url = said.split("Frontdesk is at ")[1].strip()
    assert httpx.get(f"{process.url}/health").json()["status"] == "ok"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def refused(home, monkeypatch, capsys):
    """What `python -m ui` says when it ends with 1 before it serves."""
    monkeypatch.setattr(
        serving, "open_service", lambda settings, purpose, report: make_service(settings.home, settings, purpose)
    )
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def refused(*arguments):
        assert serving.run(lambda *_: pytest.fail("it was built"), ["--home", str(home), *arguments]) == 1
        said = capsys.readouterr()
        assert said.out == "" and said.err.splitlines()[-1].startswith("frontdesk: ")
        return said.err

    return refused


def test_a_running_server_is_published_for_the_command_line(server, home):
    """Its address is in the home folder, and its token opens the endpoint."""
    address = read_server(home)

    assert (address.url, address.pid) == (server.url, server.pid)
    bearer = {"Authorization": f"Bearer {address.token}"}
    answer = httpx.post(f"{server.url}/internal/list", json={}, headers=bearer)
    assert answer.json() == [] and len(address.token) >= 32


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_control_c_and_a_polite_kill_end_it_cleanly(server, home, number):
    """Exit code 0, one line, no address left, and the folder is free."""
    server.send_signal(number)
    _, said = server.communicate(timeout=20)

    assert (server.returncode, said) == (0, "Frontdesk stopped.\n")
    assert read_server(home) is None and not (home / "server.json").exists()
    claim_home(home, "next").release()


def test_a_killed_server_is_no_obstacle(server, home):
    """Its address and its lock are worth nothing without it."""
    server.kill()
    server.wait()

    assert (home / "server.json").exists() and read_server(home) is None
    claim_home(home, "next").release()


def test_a_second_server_on_the_same_home_is_refused(server, home, refused):
    """It says who is there, and the first one goes on."""
    said = refused("--port", "0")

    assert f"in use by process {server.pid} (the page)" in said
    assert httpx.get(f"{server.url}/health").json()["status"] == "ok"


def test_a_port_in_use_is_one_sentence_before_anything_is_opened(refused, home):
    """Not after the models have been loaded."""
    with open_port("127.0.0.1", 0) as taken:
        said = refused("--port", str(taken.getsockname()[1]))

    assert "choose another with --port" in said and said.count("\n") == 1
    assert not home.exists()


@pytest.mark.parametrize(
    ("flags", "said"), [(("--host", "0.0.0.0"), "no sign-in"), (("--port", "99999"), "Port 99999")]
)
def test_an_address_that_cannot_be_used_is_one_sentence(refused, flags, said):
    """Other machines cannot reach the page yet."""
    assert said in refused(*flags)


def test_without_the_examples_example_is_one_sentence(refused, home, monkeypatch, tmp_path):
    """And the home folder is given back."""
    monkeypatch.setattr("bot.examples.EXAMPLES", tmp_path / "nowhere")

    assert "nowhere/documents' does not exist" in refused("--port", "0", "--example")
    claim_home(home, "next").release()


def test_wrong_flags_are_exit_code_2(capsys):
    """With the usage."""
    with pytest.raises(SystemExit) as ended:
        serving.run(lambda *_: None, ["--port", "many"])
    assert ended.value.code == 2 and "usage: python -m ui" in capsys.readouterr().err


def test_serve_hands_its_flags_to_the_page(frontdesk, home, monkeypatch):
    """`frontdesk serve` becomes the process of the page, so that Ctrl-C and kill reach it."""
    started = []
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command))
    assert frontdesk("serve", "--port", "7999", "--example").code == 0
    assert frontdesk("serve").code == 0

    assert started[0][1:] == ["-m", "ui", "--home", str(home), "--host", "127.0.0.1", "--port", "7999", "--example"]
    assert started[1][-2:] == ["--port", "7860"]
