"""`frontdesk ask`, `chat`, `doctor` and what all commands share, by the entry point that people call."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bot.home import ServerAddress, claim_home, write_server
from tests.fake_service import RETURNS, make_service

ASKED = "How many days do I have to return a kettle?"


@pytest.fixture
def shipped(tmp_path, monkeypatch, tiny_base):
    """An installation that lacks nothing: its base is tiny."""
    (tmp_path / "card.json").write_text("{}")
    monkeypatch.setattr("bot.doctor.HEAD", tmp_path)
    monkeypatch.setenv("FRONTDESK_BASE", str(tiny_base))


@pytest.fixture
def documents(home):
    """A home with one document that no process holds."""
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.close()


def sentence(ended):
    """The one line of a refusal."""
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("frontdesk: ") and ended.err.count("\n") == 1
    return ended.err


def test_an_answer_comes_with_its_sources(frontdesk, documents):
    """Text on stdout, then each citation with the command that opens it; nothing on stderr, exit code 0."""
    ended = frontdesk("ask", ASKED)

    assert (ended.code, ended.err) == (0, "")
    assert "within 45 days of delivery" in ended.out
    assert "[1] Returns > Returns > Time limits (returns.md, 20" in ended.out
    assert "frontdesk docs show " in ended.out


def test_the_command_under_a_citation_opens_the_passage(frontdesk, documents):
    """Copied as it stands, it prints the text from the passage on."""
    command = frontdesk("ask", ASKED).out.rsplit("frontdesk ", 1)[1].split()
    ended = frontdesk(*command)

    assert ended.code == 0 and ended.out.startswith("You can return a kettle within 45 days")


def test_a_degraded_answer_is_still_an_answer(frontdesk, documents, monkeypatch):
    """Exit code 3, the answer on stdout, and one line on stderr for each degraded part."""
    monkeypatch.setattr("tests.fake_service.FakeModel.degraded", lambda self: ["Answers are plain.", "And slow."])
    ended = frontdesk("ask", ASKED)

    assert ended.code == 3 and "45 days" in ended.out
    assert ended.err == "degraded: Answers are plain.\ndegraded: And slow.\n"


def test_what_is_not_in_the_documents_is_declined(frontdesk, documents):
    """An answer all the same, with exit code 0 and without a source."""
    ended = frontdesk("ask", "Zebra quantum xylophone?")

    assert ended.code == 0 and "couldn't find that" in ended.out and "docs show" not in ended.out


@pytest.mark.parametrize(
    ("question", "said"), [("", "question is empty"), ("  ", "question is empty"), ("x" * 2001, "2001 characters")]
)
def test_a_question_that_cannot_be_used_is_one_sentence(frontdesk, question, said):
    """Exit code 1."""
    assert said in sentence(frontdesk("ask", question))


def test_a_chat_keeps_what_was_said_before(frontdesk, documents, home):
    """A follow-up is understood by the question before it; an empty line ends the chat."""
    ended = frontdesk("chat", stdin=f"{ASKED}\nAnd is it the same for gift cards?\n\n")

    assert ended.code == 0 and ended.out.count("docs show") >= 2
    service = make_service(home)
    standalone = [service.log.get(row["id"])["standalone"] for row in service.log.recent()]
    service.close()
    assert standalone[0].startswith(ASKED)


def test_a_chat_survives_a_question_that_cannot_be_used(frontdesk, documents):
    """It is told and the chat goes on; the end of the input ends it."""
    ended = frontdesk("chat", stdin=f"{'x' * 2001}\n{ASKED}\n")

    assert ended.code == 0 and "2001 characters" in ended.err and "45 days" in ended.out


def test_a_degraded_chat_says_so_at_the_end(frontdesk, documents, monkeypatch):
    """The same exit code as for one question; a chat without a question was not degraded."""
    monkeypatch.setattr("tests.fake_service.FakeModel.degraded", lambda self: ["Answers are plain."])

    assert frontdesk("chat", stdin=f"{ASKED}\n").code == 3
    assert frontdesk("chat", stdin="").code == 0


def test_a_running_server_answers_for_the_command_line(frontdesk, served, filled):
    """It holds the documents, so it is asked; its log has the row."""
    ended = frontdesk("ask", ASKED)

    assert ended.code == 0 and "45 days" in ended.out and "docs show" in ended.out
    assert filled.log.recent()[0]["question"] == ASKED


def test_a_degraded_server_is_exit_code_3_too(frontdesk, served, filled):
    """What is degraded comes along with its answer."""
    filled.model.faults.append("Answers are plain.")
    ended = frontdesk("ask", ASKED)

    assert (ended.code, ended.err) == (3, "degraded: Answers are plain.\n")


def test_a_leftover_server_file_is_no_obstacle(frontdesk, documents, home):
    """The process of that number lives, but it is no server: the command works on the folder itself."""
    write_server(home, ServerAddress("http://127.0.0.1:9", "old", os.getppid()))

    assert frontdesk("ask", ASKED).code == 0


@pytest.mark.parametrize(
    "command", [("ask", "x"), ("chat",), ("docs", "list"), ("docs", "add", "tests"), ("docs", "search", "x")]
)
def test_a_home_owned_by_another_process_is_one_sentence(frontdesk, home, command):
    """Which process, and what to do."""
    lock = claim_home(home, "frontdesk eval")
    said = sentence(frontdesk(*command))
    lock.release()

    assert f"in use by process {os.getpid()} (frontdesk eval)" in said


def test_the_doctor_ends_with_3_and_names_what_is_degraded(frontdesk, shipped, tiny_base):
    """Facts on stdout, degraded parts on stderr."""
    ended = frontdesk("doctor")

    assert ended.code == 3 and "base model" in ended.out and str(tiny_base) in ended.out
    assert ended.err.splitlines()[0].startswith("degraded: No tone adapter") and ended.err.count("degraded: ") == 2


def test_a_healthy_installation_ends_with_0(frontdesk, documents, shipped, home, tiny_adapter):
    """And says so."""
    from tone_tuning.registry import AdapterRegistry

    registry = AdapterRegistry(home / "adapters")
    registry.promote(registry.add(tiny_adapter).id)
    ended = frontdesk("doctor")

    assert (ended.code, ended.err) == (0, "") and "Nothing is degraded." in ended.out


@pytest.mark.parametrize(
    "arguments",
    [("bogus",), ("ask",), ("docs", "list", "--bogus"), ("serve", "--port", "0"), ("docs",), ("eval", "golden")],
)
def test_wrong_usage_is_exit_code_2(frontdesk, arguments):
    """Unknown commands and options, and missing arguments."""
    assert frontdesk(*arguments).code == 2


def test_a_setting_that_cannot_be_used_is_one_sentence(frontdesk, monkeypatch):
    """Before anything is opened."""
    monkeypatch.setenv("FRONTDESK_TOP_K", "many")

    assert "FRONTDESK_TOP_K is 'many'" in sentence(frontdesk("ask", "x"))


def run(*arguments, **options):
    environ = {**os.environ, **options.pop("environ", {})}
    return subprocess.run([sys.executable, "-c", "from bot.cli import main; main()", *map(str, arguments)],
                          capture_output=True, text=True, env=environ, timeout=120, **options)  # fmt: skip


@pytest.mark.parametrize("home", ["/proc/frontdesk", "/dev/null/home"])
def test_a_home_that_cannot_be_written_is_one_sentence_without_a_traceback(home):
    """In a process of its own, as people see it."""
    ended = run("--home", home, "ask", "How long?")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"frontdesk: The home folder '{home}' cannot be written")
    assert ended.stderr.count("\n") == 1


def test_help_comes_without_loading_a_model():
    """In about a second, so that nobody waits to read about a flag."""
    began = time.monotonic()
    ended = run("--help")

    assert ended.returncode == 0 and "docs" in ended.stdout
    assert time.monotonic() - began < 15
    loaded = run("docs", "--help", environ={"PYTHONPROFILEIMPORTTIME": "1"}).stderr
    assert "typer" in loaded and not any(name in loaded for name in ("torch", "chromadb", "gradio", "transformers"))


WAITS = """
import time
import bot.cli, bot.service
from tests.fake_service import make_service

def wait():
    print("waiting", flush=True)
    time.sleep(60)

bot.cli._next_line = wait
bot.service.open_service = lambda settings, *_: make_service(settings.home)
bot.cli.main()
"""
FLOODS = """
from bot.cli import console, docs, main
docs.command("flood")(lambda: [console.print("x" * 99) for _ in range(9999)])
main()
"""


def begin(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_control_c_ends_a_command_without_a_traceback(home):
    """Exit code 130, as shells expect, and the home folder is free again."""
    process = begin(WAITS, "--home", home, "chat")
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert process.returncode == 130 and "Traceback" not in said
    claim_home(home, "next").release()


def test_a_closed_pipe_is_no_traceback():
    """`frontdesk docs list | head` and the like."""
    process = begin(FLOODS, "docs", "flood")
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()

    assert process.wait(60) == 1 and said == ""
