"""A whole service on the shipped fakes: real catalog and registry, and a model that reads aloud."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from bot.conversation_log import ConversationLog
from bot.evidence import SimilarityReader
from bot.home import claim_home
from bot.service import Service
from bot.settings import Settings, read_variables
from bot.support_bot import SupportBot
from knowledge.catalog import Catalog
from knowledge.embedder import HashEmbedder
from knowledge.indexing import DocumentIndex
from knowledge.live_sources import LiveSources
from knowledge.retriever import Retriever
from knowledge.source_registry import SourceRegistry
from knowledge.store import FakeVectorStore
from tone_tuning.base_model import PreparedBase
from tone_tuning.language_model import ScriptedModel
from tone_tuning.prompt import prompt_hash
from tone_tuning.registry import WEIGHTS, AdapterRegistry

__all__ = ["RETURNS", "SHIPPING", "FakeRetraining", "add_adapter", "make_service", "write_transcripts"]

RETURNS = """# Returns

## Time limits

You can return a kettle within 45 days of delivery. Gift cards cannot be returned.

## Condition

The item must be clean and complete. Keep the box if you can.
"""
SHIPPING = """# Shipping

## Express

Express shipping costs $7.50 and takes 2 days.
"""


class FakeModel:
    """Stands for `ChampionModel`: reads the first source aloud, in the voice of the champion's name."""

    def __init__(self, adapters: AdapterRegistry) -> None:
        self.adapters = adapters
        self.faults: list[str] = []

    def __call__(self) -> ScriptedModel:
        return ScriptedModel(_read_aloud, adapter=self.adapters.aliases().get("champion"))

    def base(self) -> PreparedBase:
        return PreparedBase(Path("nowhere"), "scripted", "fake-base", has_reading=False)

    def degraded(self) -> list[str]:
        return self.faults


class FakeRetraining:
    """Stands for `Retraining`: plays events, and ends by registering one more adapter."""

    def __init__(self, adapters: AdapterRegistry, home: Path) -> None:
        self.adapters = adapters
        self.home = home
        self.asked: list[tuple[Path, int | None]] = []
        self.fault: Exception | None = None

    def run(self, data: Path, epochs: int | None = None):
        self.asked.append((data, epochs))
        if self.fault:
            raise self.fault
        for step in range(1, 21):
            yield {"step": step, "steps": 20, "loss": 2.0 / step, "tokens_per_second": 300.0}
        yield {"validation_loss": 0.5}
        yield {"done": "somewhere", "version": add_adapter(self.adapters, self.home)}

    def stop(self) -> None:
        pass


def add_adapter(adapters: AdapterRegistry, home: Path) -> str:
    """Register an adapter of arbitrary bytes that fits the fake base."""
    folder = home / "trained"
    folder.mkdir(parents=True, exist_ok=True)
    for name in WEIGHTS:
        (folder / name).write_text(name)
    card = {"base_hash": "fake-base", "prompt_hash": prompt_hash(), "created": "2026-11-24T12:00:00+00:00", "rows": 400,
            "validation_loss": 0.512}  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card))
    return adapters.add(folder).id


def make_service(home: Path, settings: Settings | None = None, purpose: str = "test") -> Service:
    """A service over `home` with no documents and one champion; what another one left there is still there."""
    settings = settings or Settings(home=home)
    lock = claim_home(home, purpose)
    embedder = HashEmbedder()
    catalog, vectors = Catalog(home / "catalog.db"), FakeVectorStore()
    documents = DocumentIndex(catalog, vectors, embedder, home / "originals", lambda: datetime.now(UTC))
    documents.recover()  # the vectors of the fake live as long as it does
    retriever = Retriever(catalog, vectors, embedder, documents.clock)
    adapters = AdapterRegistry(home / "adapters")
    if not adapters.versions():
        adapters.promote(add_adapter(adapters, home))
    model = FakeModel(adapters)
    log = ConversationLog(home / "frontdesk.db")
    bot = SupportBot(retriever, SimilarityReader(embedder), model, log, degraded=model.degraded)
    sources = LiveSources(SourceRegistry(home / "sources.db"), documents, documents.clock, read_variables())
    retraining = FakeRetraining(adapters, home)
    return Service(settings, documents, adapters, bot, log, model, retraining, embedder, sources, lock)


def write_transcripts(path, count):
    """A data set of `count` conversations, each with its source and a reply in a tone of its own."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"How long may I keep item {number}?"},
                {"role": "assistant", "content": f"Good question.\n\nYou have {number} days. [1]\n\nAnything else?"},
            ],
            "sources": [{"title": "Loans", "text": f"Item {number} may be kept for {number} days."}],
        }
        for number in range(10, 10 + count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


def _read_aloud(messages: list[dict[str, str]]) -> str:
    source = re.search(r"\[1\] [^\n]*\n(.+?)\n\n", messages[-1]["content"], re.DOTALL)
    return f"Happy to help! {source[1] if source else 'Nothing to read.'} [1]"
