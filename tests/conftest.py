"""Shared fixtures: the shipped fakes, the real small models, tiny random models, a server and the command line."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def hash_embedder():
    from knowledge.embedder import HashEmbedder

    return HashEmbedder()


@pytest.fixture(scope="session")
def minilm():
    from knowledge.embedder import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder()


@pytest.fixture(scope="session")
def prepared_base(pytestconfig):
    """The real default base, prepared once and kept in pytest's cache folder."""
    from tone_tuning.base_model import DEFAULT_BASE, prepare_base

    models = Path(pytestconfig.cache.mkdir("frontdesk-models"))
    return prepare_base(DEFAULT_BASE, models)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium for all tests of a file."""
    from tests.page_server import open_browser

    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A random two-layer Llama-architecture model with the default base's tokenizer and chat template."""
    from tests.tiny_models import make_tiny_base

    return make_tiny_base(tmp_path_factory.mktemp("tiny-base"))


@pytest.fixture(scope="session")
def tiny_adapter(tiny_base, tmp_path_factory):
    """An adapter folder that fits `tiny_base`, trained for one step."""
    return _train(str(tiny_base), tmp_path_factory.mktemp("tiny-adapter"))


@pytest.fixture(scope="session")
def real_adapter(prepared_base, tmp_path_factory):
    """An adapter folder that fits the real base, trained for one step."""
    from tone_tuning.base_model import DEFAULT_BASE

    folder = tmp_path_factory.mktemp("real-adapter")
    (folder / "models").symlink_to(prepared_base.path.parent)
    return _train(DEFAULT_BASE, folder)


@pytest.fixture
def home(tmp_path):
    """An empty home folder."""
    return tmp_path / "home"


@pytest.fixture
def service(home):
    """A service on the shipped fakes."""
    from tests.fake_service import make_service

    service = make_service(home)
    yield service
    service.close()


@pytest.fixture
def filled(service):
    """The same with two documents."""
    from tests.fake_service import RETURNS, SHIPPING

    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.documents.add_bytes("shipping.md", SHIPPING.encode())
    return service


@pytest.fixture
def cache(tmp_path):
    """The page's upload cache: each file in a folder named by its hash."""

    def upload(name, data):
        folder = tmp_path / "cache" / str(len(list(tmp_path.glob("cache/*"))))
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return folder / name

    return upload


@pytest.fixture
def served(filled):
    """The routes over a service of fakes on a port of this machine, published as a server's address."""
    import uvicorn
    from fastapi import FastAPI

    from bot.api import add_routes
    from bot.home import ServerAddress, forget_server, write_server
    from bot.loopback import OnlyFromHere, open_port

    app = FastAPI()
    app.add_middleware(OnlyFromHere)
    add_routes(app, filled, "secret")
    with open_port("127.0.0.1", 0) as listening:
        address = ServerAddress(f"http://127.0.0.1:{listening.getsockname()[1]}", "secret", os.getpid())
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        write_server(filled.settings.home, address)
        yield address
        forget_server(filled.settings.home)
        server.should_exit = True
        thread.join(10)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def frontdesk(home, monkeypatch, capsys):
    """`frontdesk --home HOME ...` in this process, by its own entry point, on a service of fakes."""
    import bot.cli
    from tests.fake_service import make_service

    def open_fake(settings, purpose="test", *_):
        return make_service(settings.home, settings, purpose)

    monkeypatch.setattr("bot.service.open_service", open_fake)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments, stdin=""):
        from io import StringIO

        monkeypatch.setattr(sys, "argv", ["frontdesk", "--home", str(home), *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            bot.cli.main()
        said = capsys.readouterr()
        return Ended(ended.value.code or 0, said.out, said.err)

    return call


def _train(base, folder):
    from tests.fake_service import write_transcripts
    from tone_tuning.base_model import prepare_base
    from tone_tuning.train import TrainConfig, train

    data = write_transcripts(folder / "rows.jsonl", 8)
    train(prepare_base(base, folder / "models"), data, folder / "out", TrainConfig(epochs=1))
    return folder / "out"
