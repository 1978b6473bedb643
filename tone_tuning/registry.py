"""Adapter versions with cards and checksums; aliases champion, candidate and previous move by one replace."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tone_tuning.base_model import file_sha256
from tone_tuning.errors import AdapterError

__all__ = ["WEIGHTS", "AdapterRegistry", "AdapterVersion"]

WEIGHTS = ("adapter_model.safetensors", "adapter_config.json")


@dataclass(frozen=True)
class AdapterVersion:
    """One registered adapter: `id` is fixed-width ("v0001"), for peft confuses names that begin alike."""

    id: str
    path: Path
    card: Mapping[str, Any]


class AdapterRegistry:
    """A folder of versions. A version is complete when its card is there; an alias is one file's content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> list[AdapterVersion]:
        """Complete versions, oldest first."""
        found = []
        for path in sorted(self.folder.glob("v[0-9][0-9][0-9][0-9]")):
            card = _read_json(path / "card.json")
            if card is not None:
                found.append(AdapterVersion(path.name, path, card))
        return found

    def get(self, version: str) -> AdapterVersion:
        """One version.

        Raises:
            AdapterError: there is none of that id.
        """
        for found in self.versions():
            if found.id == version:
                return found
        known = ", ".join(v.id for v in self.versions()) or "none yet"
        raise AdapterError(f"There is no adapter '{version}': known are {known}.")

    def add(self, trained: Path) -> AdapterVersion:
        """Copy a trained adapter in as the next version and make it the candidate.

        Raises:
            AdapterError: the folder lacks a card or weights, or the copy cannot be written.
        """
        card = _read_json(trained / "card.json")
        missing = [name for name in WEIGHTS if not (trained / name).is_file()]
        if card is None or missing:
            lacking = ", ".join(missing or ["card.json"])
            raise AdapterError(f"'{trained}' is no trained adapter ({lacking} is missing): train it again.")
        try:
            version = self._copy(trained, dict(card))
        except OSError as error:
            raise AdapterError(f"The adapter cannot be kept in '{self.folder}' ({error.strerror}): free space or check permissions.") from error  # fmt: skip
        self._point("add", candidate=version.id)
        return version

    def aliases(self) -> dict[str, str]:
        """champion, candidate and previous, where they are set."""
        return dict(_read_json(self.folder / "aliases.json") or {})

    def champion(self) -> AdapterVersion | None:
        """The version that speaks, or None.

        Raises:
            AdapterError: the alias names a version that is gone.
        """
        version = self.aliases().get("champion")
        return self.get(version) if version else None

    def promote(self, version: str, base_hash: str | None = None, prompt_hash: str | None = None) -> AdapterVersion:
        """Make a version the champion; the one before becomes `previous`.

        Raises:
            AdapterError: it is unknown, damaged, or made for another base or prompt than those given.
        """
        found = self.verify(version)
        for name, wanted in (("base", base_hash), ("prompt", prompt_hash)):
            has = found.card.get(f"{name}_hash")
            if wanted is not None and has != wanted:
                raise AdapterError(
                    f"Adapter {version} was trained for {name} {has}, in service is {wanted}: retrain it and promote that."
                )
        aliases = self.aliases()
        before = aliases.get("champion")
        candidate = None if aliases.get("candidate") == version else aliases.get("candidate")
        previous = before if before and before != version else aliases.get("previous")
        self._point("promote", champion=version, previous=previous, candidate=candidate)
        return found

    def rollback(self) -> AdapterVersion:
        """Champion and previous change places.

        Raises:
            AdapterError: there is no previous version, or it is damaged.
        """
        aliases = self.aliases()
        if not aliases.get("previous"):
            raise AdapterError(
                "There is no earlier champion to go back to: promote a version with `frontdesk tone promote`."
            )
        found = self.verify(aliases["previous"])
        self._point("rollback", champion=found.id, previous=aliases.get("champion"))
        return found

    def verify(self, version: str) -> AdapterVersion:
        """Compare a version's files with the checksums in its card.

        Raises:
            AdapterError: it is unknown, or a file is missing or differs.
        """
        found = self.get(version)
        for name, digest in found.card.get("sha256", {}).items():
            path = found.path / name
            if not path.is_file() or file_sha256(path) != digest:
                raise AdapterError(f"Adapter {version} is damaged ({name}): roll back or promote another version.")
        return found

    def history(self) -> list[dict[str, Any]]:
        """Every move of an alias, oldest first."""
        path = self.folder / "aliases.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _copy(self, trained: Path, card: dict[str, Any]) -> AdapterVersion:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"partial-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name in WEIGHTS:
            shutil.copyfile(trained / name, partial / name)
        card["sha256"] = {name: file_sha256(partial / name) for name in WEIGHTS}
        (partial / "card.json").write_text(json.dumps(card, indent=1))
        numbers = [int(path.name[1:]) for path in self.folder.glob("v[0-9][0-9][0-9][0-9]")]
        target = self.folder / f"v{max(numbers, default=0) + 1:04d}"
        os.replace(partial, target)
        return AdapterVersion(target.name, target, card)

    def _point(self, action: str, **changes: str | None) -> None:
        aliases = {name: v for name, v in {**self.aliases(), **changes}.items() if v}
        row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "action": action, **aliases}
        partial = self.folder / f"aliases.json.partial-{os.getpid()}"
        partial.write_text(json.dumps(aliases))
        os.replace(partial, self.folder / "aliases.json")
        with (self.folder / "aliases.log").open("a") as log:
            log.write(json.dumps(row) + "\n")


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
