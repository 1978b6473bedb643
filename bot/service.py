"""The composition root: documents, adapters and bot made from settings, in this one place."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.champion import ChampionModel
from bot.conversation_log import ConversationLog
from bot.evidence import SimilarityReader
from bot.head_reader import HeadReader
from bot.home import HomeLock, claim_home
from bot.retraining import Retraining
from bot.settings import Settings, read_variables
from bot.support_bot import SupportBot
from knowledge.embedder import Embedder, SentenceTransformerEmbedder
from knowledge.indexing import DocumentIndex, open_knowledge
from knowledge.live_sources import LiveSources
from knowledge.reader import MiniLmReader
from knowledge.reranker import Reranker
from knowledge.source_registry import SourceRegistry
from tone_tuning.base_model import DEFAULT_BASE
from tone_tuning.prompt import prompt_hash
from tone_tuning.registry import AdapterRegistry

__all__ = ["EXAMPLES", "HOUSE_ADAPTER", "Service", "open_adapters", "open_service", "promote"]

HOUSE_ADAPTER = Path(__file__).parents[1] / "tone_tuning" / "house"
EXAMPLES = Path(__file__).parents[1] / "examples"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The objects behind the page, the command line and the HTTP endpoints."""

    settings: Settings
    documents: DocumentIndex
    adapters: AdapterRegistry
    bot: SupportBot
    log: ConversationLog
    model: ChampionModel
    retraining: Retraining
    embedder: Embedder
    sources: LiveSources
    lock: HomeLock
    reranker: Reranker | None = None

    def degraded(self) -> list[str]:
        """One sentence for every part that does not work at its best, the order of a test search included."""
        return [*self.bot.faults(), *([self.reranker.fault] if self.reranker and self.reranker.fault else [])]

    def warm_up(self) -> None:
        """Load all models, so that the first customer does not wait for them."""
        self.embedder.embed(["warm up"])
        self.bot.reader.warm_up()
        self.model()

    def promote(self, version: str) -> None:
        """Make an adapter the champion; the next answer uses it.

        Raises:
            AdapterError: the version is missing, damaged, or was trained for another base or prompt.
        """
        promote(self.adapters, self.model, version)

    def close(self) -> None:
        """Stop a training run, close the files and give the home folder back."""
        self.retraining.stop()
        self.sources.registry.close()
        self.documents.close()
        self.log.close()
        self.lock.release()


def promote(adapters: AdapterRegistry, model: ChampionModel, version: str) -> None:
    """`adapters.promote` with the base and prompt that are in service."""
    adapters.get(version)  # before the base, which takes a while to prepare in a new home
    adapters.promote(version, base_hash=model.base().hash, prompt_hash=prompt_hash())


def open_adapters(settings: Settings) -> AdapterRegistry:
    """The registry of a home folder; a new one gets the shipped house voice as its first champion."""
    adapters = AdapterRegistry(settings.home / "adapters")
    shipped = (HOUSE_ADAPTER / "card.json").exists() and settings.base == DEFAULT_BASE
    if shipped and not adapters.versions() and not adapters.aliases():
        first = adapters.add(HOUSE_ADAPTER)
        adapters.promote(first.id, base_hash=first.card.get("base_hash"), prompt_hash=first.card.get("prompt_hash"))
    return adapters


def open_service(
    settings: Settings,
    purpose: str = "frontdesk",
    report: Callable[[str], None] = log.info,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Service:
    """Everything, over one home folder that this process then owns; models load when first needed.

    Raises:
        HomeError: the folder cannot be written or another process owns it.
    """
    lock = claim_home(settings.home, purpose)
    try:
        embedder = SentenceTransformerEmbedder(settings.embedder)
        documents, retriever = open_knowledge(settings.home, embedder, clock)
        adapters = open_adapters(settings)
        model = ChampionModel(settings, adapters, report)
        conversations = ConversationLog(settings.home / "frontdesk.db")
        head = MiniLmReader()
        reader = HeadReader(head, SimilarityReader(embedder, settings.top_k), settings.top_k)
        retriever.rerank = reranker = Reranker(head, knows_near=embedder.name == head.near)
        bot = SupportBot(retriever, reader, model, conversations, degraded=model.degraded, clock=clock)
        retraining = Retraining(settings, retriever, reader)
        sources = LiveSources(SourceRegistry(settings.home / "sources.db"), documents, clock, read_variables())
    except BaseException:
        lock.release()
        raise
    return Service(
        settings, documents, adapters, bot, conversations, model, retraining, embedder, sources, lock, reranker
    )
