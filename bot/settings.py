"""Every setting, read from flags and FRONTDESK_* variables in this one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from bot.errors import SettingsError
from tone_tuning.base_model import DEFAULT_BASE

__all__ = ["DEFAULT_EMBEDDER", "Settings", "read_settings", "read_variables"]

DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Settings:
    """What an operator can set. Example: `Settings(home=Path("/srv/frontdesk"), base="Qwen/Qwen3-0.6B")`."""

    home: Path
    base: str = DEFAULT_BASE  # the shipped model, a local folder, or a hub id
    embedder: str = DEFAULT_EMBEDDER  # the shipped model, a local folder, or a hub id
    top_k: int = 5  # passages handed to the evidence step, 1 to 20
    use_adapter: bool = True  # off: the base answers plainly

    def without_adapter(self) -> "Settings":
        """The same settings with the tone adapter switched off."""
        return replace(self, use_adapter=False)


def read_settings(home: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from FRONTDESK_HOME, _BASE, _EMBEDDER and _TOP_K; `home` (the flag) wins over the variable.

    Raises:
        SettingsError: FRONTDESK_TOP_K is no whole number from 1 to 20.
    """
    folder = home or Path(environ.get("FRONTDESK_HOME") or platformdirs.user_data_dir("frontdesk"))
    top_k = environ.get("FRONTDESK_TOP_K", "5")
    if not top_k.isdecimal() or not 1 <= int(top_k) <= 20:
        raise SettingsError(f"FRONTDESK_TOP_K is '{top_k}': set it to a whole number from 1 to 20.")
    return Settings(
        home=Path(folder).expanduser().absolute(),
        base=environ.get("FRONTDESK_BASE") or DEFAULT_BASE,
        embedder=environ.get("FRONTDESK_EMBEDDER") or DEFAULT_EMBEDDER,
        top_k=int(top_k),
    )


def read_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What ${NAME} may stand for in the address of a database, so that no password is written down."""
    return dict(environ)
