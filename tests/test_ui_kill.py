"""A server that is killed in the middle of its work: the next start has the old documents and the old voice."""

import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from bot.errors import ServerError
from bot.home import claim_home, read_server
from bot.remote import RemoteDesk
from bot.service import open_service
from bot.settings import Settings
from tests.fake_service import RETURNS, write_transcripts
from tests.page_server import ask, find_chromium, open_browser, open_tab, serve_page
from tone_tuning.registry import AdapterRegistry

pytestmark = pytest.mark.slow
ASKED = "How long do I have to return a kettle?"
MANY = 400


@pytest.fixture
def home(tmp_path, prepared_base, real_adapter):
    """A home with one policy and a champion of its own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(prepared_base.path.parent)
    service = open_service(Settings(home=home))
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.promote(service.adapters.add(real_adapter).id)
    service.close()
    return home


@pytest.fixture
def many(tmp_path):
    """A folder that takes a while to add."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        parts = [f"## Part {part}\n\nGadget {number} has {part + 2} years of part {part}.\n" for part in range(6)]
        (folder / f"gadget{number:03}.md").write_text("\n".join([f"# Gadget {number}\n", *parts]))
    return folder


def kill(server):
    os.kill(server.pid, signal.SIGKILL)
    server.wait(30)


def champion(home):
    return AdapterRegistry(home / "adapters").aliases()["champion"]


def answer(home):
    """The answer and its adapter by the server that runs."""
    desk = RemoteDesk(read_server(home))
    *_, found = desk.ask(ASKED, [])
    desk.close()
    return found["text"], found["adapter"]


def test_a_kill_while_documents_are_added(home, many):
    """Nothing half-added shows: catalog and vectors agree, old answers stay, and adding again completes the folder."""
    with serve_page(home) as server:
        before = answer(home)
        reached = threading.Event()
        desk = RemoteDesk(read_server(home))

        def add():
            with pytest.raises(ServerError, match="does not answer"):
                desk.add(many, lambda done, total, name: done > MANY // 2 and reached.set())

        adding = threading.Thread(target=add)
        adding.start()
        assert reached.wait(240)
        kill(server)
        adding.join(30)
    assert not adding.is_alive() and (home / "server.json").exists() and read_server(home) is None

    with serve_page(home):
        assert answer(home) == before and "45 days" in before[0]
        desk = RemoteDesk(read_server(home))
        stored = len(desk.list())
        results = desk.add(many, lambda *_: None)
        assert len(desk.list()) == MANY + 1
        desk.close()
    statuses = [result["status"] for result in results]
    assert statuses.count("unchanged") == stored - 1 < MANY and statuses.count("added") == MANY + 1 - stored

    service = open_service(Settings(home=home))
    assert service.documents.verify() == []
    service.close()


def test_a_kill_while_a_file_is_uploaded(home):
    """Half a file is no document, and the next start throws it away."""
    with serve_page(home) as server:
        halfway = threading.Event()

        def body():
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="half.md"\r\n\r\n# Half\n\n'
            yield b"Half a policy. " * 100_000
            halfway.set()
            time.sleep(60)

        def send():
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            with pytest.raises(httpx.HTTPError):
                httpx.post(f"{server.url}/gradio_api/upload", content=body(), headers=headers, timeout=90)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        assert halfway.wait(30)
        transit = home / "uploads-in-transit"
        while not any(path.stat().st_size > 100_000 for path in transit.rglob("*")):
            time.sleep(0.1)
        kill(server)

    with serve_page(home):
        assert [path for path in transit.rglob("*") if path.is_file()] == []
        desk = RemoteDesk(read_server(home))
        assert [document["source"] for document in desk.list()] == ["returns.md"]
        desk.close()


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")
def test_a_kill_while_a_voice_is_trained(home, tmp_path):
    """The training ends with its server, the old voice speaks after the next start, and training can begin again."""
    data = write_transcripts(tmp_path / "rows.jsonl", 400)
    with open_browser() as browser:
        with serve_page(home) as server, open_tab(browser, server.url) as tab:
            begin_training(tab, data)
            trainers = children(server.pid)
            before = answer(home)
            kill(server)
        assert trainers
        deadline = time.monotonic() + 60
        while any(is_training(trainer) for trainer in trainers):
            assert time.monotonic() < deadline, "the training goes on without a server"
            time.sleep(0.2)
        assert read_server(home) is None
        claim_home(home, "the test").release()

        with serve_page(home) as server, open_tab(browser, server.url) as tab:
            assert "45 days" in ask(tab, ASKED)
            assert answer(home) == before and before[1] == champion(home)
            assert "candidate" not in AdapterRegistry(home / "adapters").aliases()
            begin_training(tab, data)
            tab.get_by_role("button", name="Stop retraining").click()
            tab.wait_for_function("() => document.querySelector('#training').innerText.includes('was stopped')")


def begin_training(tab, data):
    """Start a long run and wait for its first step."""
    tab.get_by_role("tab", name="Tone").click()
    tab.wait_for_selector("#transcripts >> visible=true")
    tab.set_input_files("#transcripts input[type=file]", data)
    tab.wait_for_selector("#chosen .notice")
    tab.get_by_role("button", name="Retrain", exact=True).click()
    tab.wait_for_function("() => /Step \\d+ of/.test(document.querySelector('#training').innerText)")


def children(process):
    """Process numbers of the training commands that `process` started."""
    threads = Path(f"/proc/{process}/task").iterdir()
    found = [int(number) for thread in threads for number in (thread / "children").read_text().split()]
    return [number for number in found if is_training(number)]


def is_training(process):
    try:
        return b"tone_tuning.train" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
