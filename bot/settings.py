"""Every setting, read from flags, FRONTDESK_* variables and the home's model.json in this one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from bot.errors import HomeError, SettingsError
from tone_tuning.atomic import read_json, write_json
from tone_tuning.base_model import DEFAULT_BASE

__all__ = ["DEFAULT_EMBEDDER", "Settings", "read_settings", "read_variables", "store_base"]

DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"
MODEL_FILE = "model.json"  # in the home folder: {"base": the model that `frontdesk model use` chose}


@dataclass(frozen=True)
class Settings:
    """What an operator can set. Example: `Settings(home=Path("/srv/frontdesk"), base="Qwen/Qwen3-0.6B")`."""

    home: Path
    base: str = DEFAULT_BASE  # the shipped model, a local folder, or a hub id
    embedder: str = DEFAULT_EMBEDDER  # the shipped model, a local folder, or a hub id
    top_k: int = 5  # passages handed to the evidence step, 1 to 20
    use_adapter: bool = True  # off: the base answers plainly
    base_from: str = "default"  # who chose `base`: "command", "variable", "home" or "default"

    def without_adapter(self) -> "Settings":
        """The same settings with the tone adapter switched off."""
        return replace(self, use_adapter=False)


def read_settings(
    home: Path | None = None, environ: Mapping[str, str] = os.environ, *, base: str | None = None
) -> Settings:
    """Settings from FRONTDESK_HOME, _BASE, _EMBEDDER and _TOP_K; `home` (the flag) wins over the variable.

    The base is the one that a command tries (`base`), else FRONTDESK_BASE, else what the home's model.json names, else
    the default. The file is read only where nothing before it decides, so that a damaged one can be replaced.

    Raises:
        SettingsError: FRONTDESK_TOP_K is no whole number from 1 to 20, or model.json is damaged.
    """
    folder = Path(home or environ.get("FRONTDESK_HOME") or platformdirs.user_data_dir("frontdesk"))
    folder = folder.expanduser().absolute()
    top_k = environ.get("FRONTDESK_TOP_K", "5")
    if not top_k.isdecimal() or not 1 <= int(top_k) <= 20:
        raise SettingsError(f"FRONTDESK_TOP_K is '{top_k}': set it to a whole number from 1 to 20.")
    chosen, chosen_by = _chosen_base(folder, environ, base)
    return Settings(
        home=folder,
        base=chosen,
        embedder=environ.get("FRONTDESK_EMBEDDER") or DEFAULT_EMBEDDER,
        top_k=int(top_k),
        base_from=chosen_by,
    )


def store_base(home: Path, base: str) -> None:
    """Make `base` the one that this home answers with, by one replace of its model.json.

    Raises:
        HomeError: the folder cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_json(home / MODEL_FILE, {"base": base})
    except OSError as error:
        raise HomeError(
            f"The home folder '{home}' cannot be written ({error.strerror or error}): "
            "choose another with --home or FRONTDESK_HOME."
        ) from error


def read_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What ${NAME} may stand for in the address of a database, so that no password is written down."""
    return dict(environ)


def _chosen_base(home: Path, environ: Mapping[str, str], base: str | None) -> tuple[str, str]:
    """The base, and who chose it."""
    if base:
        return base, "command"
    if environ.get("FRONTDESK_BASE"):
        return environ["FRONTDESK_BASE"], "variable"
    path = home / MODEL_FILE
    if not os.path.lexists(path):
        return DEFAULT_BASE, "default"
    stored = (read_json(path) or {}).get("base")
    if not isinstance(stored, str) or not stored.strip():
        raise SettingsError(
            f"'{path}' does not name a model: choose one with `frontdesk model use default` (or another), or delete it."
        )
    return stored, "home"
