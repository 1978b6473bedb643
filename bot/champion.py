"""The language model in service: the prepared base with the champion adapter, swapped when the champion changes."""

import logging
import threading
from collections.abc import Callable

from bot.settings import Settings
from tone_tuning.base_model import PreparedBase, prepare_base
from tone_tuning.errors import AdapterError
from tone_tuning.language_model import LanguageModel, TransformersModel
from tone_tuning.prompt import prompt_hash
from tone_tuning.registry import AdapterRegistry, AdapterVersion

__all__ = ["ChampionModel"]

UNREADABLE = "aliases"  # under this name stands the fault of a registry that cannot say who speaks
log = logging.getLogger(__name__)


class ChampionModel:
    """Called before each answer; loads on the first call and again only when another version is champion."""

    def __init__(self, settings: Settings, adapters: AdapterRegistry, report: Callable[[str], None]) -> None:
        self.settings = settings
        self.adapters = adapters
        self.report = report
        self._base: PreparedBase | None = None
        self._model: TransformersModel | None = None
        self._wanted: str | None = None
        self._faults: dict[str, str] = {}  # of versions that cannot speak
        self._lock = threading.Lock()

    def __call__(self) -> LanguageModel:
        """The model that should write the next answer.

        Raises:
            BaseModelError: the base is missing or damaged and cannot be prepared.
        """
        with self._lock:
            wanted = self._champion() if self.settings.use_adapter else None
            if self._model is None or wanted != self._wanted:
                self._model, self._wanted = self._load(), wanted
            return self._model

    def base(self) -> PreparedBase:
        """The prepared base; about 20 s of work the first time a home folder sees it."""
        if self._base is None:
            self._base = prepare_base(self.settings.base, self.settings.home / "models", self.report)
        return self._base

    def degraded(self) -> list[str]:
        """One sentence for each way in which the voice is not the house voice."""
        if not self.settings.use_adapter:
            return ["The tone adapter is switched off: answers are plain."]
        champion = self._champion()
        if UNREADABLE in self._faults:
            return [self._faults[UNREADABLE]]
        if champion is None:
            return ["No tone adapter is released: answers are plain. Train one and promote it."]
        return [self._faults[champion]] if champion in self._faults else []

    def usable_champion(self) -> AdapterVersion | None:
        """The champion, or None with the reason kept: a damaged voice must not stop the answers."""
        version = self._champion()
        if version is None:
            return None
        try:
            champion = self.adapters.verify(version)
            if champion.card.get("base_hash") != self.base().hash or champion.card.get("prompt_hash") != prompt_hash():
                raise AdapterError(
                    f"Adapter {version} was trained for another base model or prompt: "
                    "retrain it on this base and promote the result."
                )
        except AdapterError as error:
            self._note(version, error)
            return None
        self._faults.pop(version, None)
        return champion

    def _champion(self) -> str | None:
        try:
            version = self.adapters.aliases().get("champion")
        except AdapterError as error:
            self._note(UNREADABLE, error)
            return None
        self._faults.pop(UNREADABLE, None)
        return version

    def _load(self) -> TransformersModel:
        base = self.base()
        champion = self.usable_champion() if self.settings.use_adapter else None
        if champion is not None:
            try:
                return _loaded(TransformersModel(base, champion.path, champion.id))
            except AdapterError as error:
                self._note(champion.id, error)
        return _loaded(TransformersModel(base))

    def _note(self, version: str, error: AdapterError) -> None:
        self._faults[version] = f"Answers are plain. {error}"
        log.warning("%s", self._faults[version])


def _loaded(model: TransformersModel) -> TransformersModel:
    model.load()
    return model
