"""The training command: its sentences and exit codes, the events for a page, and a kill of the real process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.tiny_models import prepare_tiny, row, write_rows
from tone_tuning import language_model, train_command
from tone_tuning import train as training
from tone_tuning.registry import AdapterRegistry

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """On every processor the same numbers."""
    for module in (language_model, training):
        monkeypatch.setattr(module, "pick_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return prepare_tiny(tmp_path_factory.mktemp("base"))


@pytest.fixture
def data(tmp_path):
    return write_rows(tmp_path / "data.jsonl", [row(n) for n in range(40)])


def run_command(monkeypatch, capfd, *arguments):
    """`python -m tone_tuning.train` in this process: its exit code, stdout lines and stderr."""
    monkeypatch.setattr(os, "nice", lambda more: more)
    capfd.readouterr()
    try:
        train_command.main([str(a) for a in arguments])
        code = 0
    except SystemExit as ended:
        code = ended.code
    shown = capfd.readouterr()
    return code, shown.out.splitlines(), shown.err


def test_the_command_trains_and_registers_a_candidate(base, data, tmp_path, monkeypatch, capfd):
    """It says how to release it, and prints nothing that is not its own."""
    code, out, said = run_command(monkeypatch, capfd, "--data", data, "--base", base.path, "--home", tmp_path / "home")

    assert (code, out) == (0, [])
    assert "The adapter is the candidate v0001: release it with `frontdesk tone promote v0001`." in said
    assert "Loading weights" not in said
    assert "Warning" not in said
    assert AdapterRegistry(tmp_path / "home" / "adapters").aliases() == {"candidate": "v0001"}


def test_the_command_reports_to_a_page_in_json_lines(base, data, tmp_path, monkeypatch, capfd):
    """One event per step, then the validation loss, then where the adapter lies; nothing else at all."""
    given = ("--data", data, "--base", base.path, "--home", tmp_path / "home", "--epochs", 1, "--json-progress")

    code, out, said = run_command(monkeypatch, capfd, *given)

    *steps, validation, done = map(json.loads, out)
    assert (code, said) == (0, "")
    assert [event["step"] for event in steps] == [1, 2, 3, 4, 5]
    assert set(steps[0]) == {"step", "steps", "loss", "tokens_per_second"}
    assert set(validation) == {"validation_loss"}
    assert done["version"] == "v0001"
    assert (Path(done["done"]) / "card.json").is_file()


def test_the_command_yields_the_processor_to_a_page(base, data, tmp_path, monkeypatch, capfd):
    """A page that started it goes on answering customers; a person at a terminal waits for it."""
    nice = []
    given = ("--data", data, "--base", base.path, "--home", tmp_path / "home", "--epochs", "1")
    run_command(monkeypatch, capfd, *given)
    monkeypatch.setattr(os, "nice", nice.append)

    train_command.main([str(a) for a in given])
    assert nice == []
    train_command.main([*map(str, given), "--json-progress"])
    assert nice == [10]


def test_the_command_can_leave_the_adapter_unregistered(base, data, tmp_path, monkeypatch, capfd):
    """With --out it says where it lies."""
    given = ("--data", data, "--base", base.path, "--home", tmp_path / "home", "--out", tmp_path / "mine")

    code, _, said = run_command(monkeypatch, capfd, *given, "--json-progress")
    assert (code, said) == (0, "")
    code, _, said = run_command(monkeypatch, capfd, *given)

    assert code == 0
    assert f"The adapter lies in '{tmp_path / 'mine'}'." in said
    assert not (tmp_path / "home" / "adapters").exists()


def test_the_command_tells_of_rows_left_out(base, tmp_path, monkeypatch, capfd):
    """Nobody should wonder later why the voice knows nothing of them."""
    data = write_rows(tmp_path / "data.jsonl", [row(n, words=200 if n in (5, 6) else 1) for n in range(30)])

    _, _, said = run_command(monkeypatch, capfd, "--data", data, "--base", base.path, "--home", tmp_path / "home")

    assert "2 rows were longer than 1024 tokens and left out." in said


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("{", "row 1: no JSON"), ("", "has no conversations")],
)
def test_bad_data_ends_the_command_with_one_sentence(tmp_path, monkeypatch, capfd, content, said):
    """Exit code 1, no traceback, and before any model is prepared."""
    if content is not None:
        (tmp_path / "data.jsonl").write_text(content)
    given = ("--data", tmp_path / "data.jsonl", "--home", tmp_path / "home")

    code, out, shown = run_command(monkeypatch, capfd, *given)

    assert (code, out) == (1, [])
    assert shown.startswith("tone: ")
    assert said in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "home").exists()


def test_ctrl_c_ends_the_command_with_one_sentence(base, data, tmp_path, monkeypatch, capfd):
    """It says that nothing is lost."""

    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "train", stop)
    given = ("--data", data, "--base", base.path, "--home", tmp_path, "--json-progress")

    code, out, said = run_command(monkeypatch, capfd, *given)

    assert (code, out) == (130, [])
    assert said == "tone: stopped; the same command goes on from the last checkpoint.\n"


@pytest.mark.parametrize("epochs", ["0", "-1", "two", "1.5"])
def test_a_number_of_passes_is_checked(tmp_path, monkeypatch, capfd, epochs):
    """Zero would train nothing."""
    code, _, said = run_command(monkeypatch, capfd, "--data", tmp_path, "--epochs", epochs)

    assert code == 2
    assert f"argument --epochs: '{epochs}' is no whole number from 1 up" in said


def start(*arguments):
    command = [sys.executable, "-m", "tone_tuning.train", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_module_is_the_command():
    """As the page starts it, in a process of its own: a wrong path is one sentence and exit code 1."""
    process = start("--data", "/no/such/file.jsonl")
    out, said = process.communicate(timeout=120)

    assert (process.returncode, out) == (1, "")
    assert said == (
        "tone: The training data '/no/such/file.jsonl' cannot be read (No such file or directory): check the path.\n"
    )


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_losses(base, tmp_path):
    """SIGKILL after the first checkpoint: the next run starts there and ends as one that was never killed."""
    data = write_rows(tmp_path / "data.jsonl", [row(n, words=4) for n in range(400)])
    given = ("--data", data, "--base", base.path, "--json-progress", "--home", tmp_path / "home")
    start(*given, "--out", tmp_path / "whole").communicate(timeout=300)

    process = start(*given, "--out", tmp_path / "out")
    for line in process.stdout:
        if json.loads(line)["step"] == 30:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert (tmp_path / "out" / "checkpoint.pt").is_file()
    assert not (tmp_path / "out" / "card.json").exists()

    out, said = start(*given, "--out", tmp_path / "out").communicate(timeout=300)

    steps = [json.loads(line)["step"] for line in out.splitlines() if '"step"' in line]
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in ("whole", "out")]
    assert said == ""
    assert steps[0] > 20
    assert steps[0] % 20 == 1
    assert cards[0]["losses"] == cards[1]["losses"]
    assert cards[0]["validation_loss"] == cards[1]["validation_loss"]
