"""The home folder: one owner at a time, named to whoever comes second; and the address of a server."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import HomeError
from bot.home import ServerAddress, claim_home, forget_server, read_server, write_server

ADDRESS = ServerAddress("http://127.0.0.1:7860", "secret", os.getpid())
HOLD = """
import sys, time
from pathlib import Path
from bot.home import claim_home
lock = claim_home(Path(sys.argv[1]), "the page")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(home):
    """Another process that owns the home folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_owns_the_folder(holder, home):
    """One sentence with the number of the process, what it does, and what to do."""
    with pytest.raises(HomeError) as refused:
        claim_home(home, "frontdesk ask")

    assert f"in use by process {holder.pid} (the page)" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_killed_owner_leaves_the_folder_free(holder, home):
    """The lock ends with the process, and its files are no obstacle."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    lock = claim_home(home, "frontdesk ask")
    assert json.loads((home / "owner.json").read_text())["pid"] == os.getpid()
    lock.release()


def test_a_released_folder_can_be_taken_again(home):
    """The next owner writes its own name."""
    claim_home(home, "first").release()
    lock = claim_home(home, "second")

    assert json.loads((home / "owner.json").read_text()) == {"pid": os.getpid(), "purpose": "second"}
    lock.release()
    assert not (home / "owner.json").exists()


def test_an_owner_that_left_no_name_is_still_an_owner(home):
    """The lock decides, not the file beside it."""
    lock = claim_home(home, "first")
    (home / "owner.json").write_text("{")

    with pytest.raises(HomeError, match="in use by another process"):
        claim_home(home, "second")
    lock.release()


@pytest.mark.parametrize("place", ["file/home", "/proc/frontdesk"])
def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path, place):
    """A path under a file, and a file system that takes nothing, whoever asks."""
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(HomeError, match=r"cannot be written \(.+\): choose another with --home") as refused:
        claim_home(tmp_path / place, "test")
    assert str(Path(tmp_path / place)) in str(refused.value)


def test_the_address_is_for_the_owner_only_and_can_be_read_back(home):
    """The token of the loopback endpoint is nobody else's business."""
    home.mkdir()
    write_server(home, ADDRESS)

    assert stat.S_IMODE((home / "server.json").stat().st_mode) == 0o600
    assert read_server(home) == ADDRESS


def test_a_stopped_server_has_no_address(home):
    """Forgetting it twice does no harm."""
    home.mkdir()
    write_server(home, ADDRESS)
    forget_server(home)
    forget_server(home)

    assert read_server(home) is None


def test_the_address_of_a_killed_server_counts_as_none(holder, home):
    """Its file is left over, its process is gone."""
    write_server(home, ServerAddress(ADDRESS.url, ADDRESS.token, holder.pid))
    assert read_server(home) is not None
    holder.kill()
    holder.wait()

    assert read_server(home) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}', '{"url": "u", "token": "t", "pid": "x"}'])
def test_a_damaged_address_counts_as_none(home, content):
    """Half a file, and a file of another version."""
    home.mkdir()
    (home / "server.json").write_text(content)

    assert read_server(home) is None


def test_a_new_server_takes_the_place_of_a_half_written_address(home):
    """A kill between writing and moving leaves a partial file."""
    home.mkdir()
    (home / "server.json.partial").write_text("half")
    write_server(home, ADDRESS)

    assert read_server(home) == ADDRESS
    assert sorted(path.name for path in home.iterdir()) == ["server.json"]
