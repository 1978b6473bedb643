"""Adapter versions with cards and checksums; aliases champion, candidate and previous move by one replace."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tone_tuning.atomic import file_sha256, only_writer, read_json, whole_folder, write_json
from tone_tuning.errors import AdapterError, reason

__all__ = ["WEIGHTS", "AdapterRegistry", "AdapterVersion"]

WEIGHTS = ("adapter_model.safetensors", "adapter_config.json")
LAST = 9999
ALIASES = ("champion", "candidate", "previous")


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
        cards = ((path, read_json(path / "card.json")) for path in self._folders())
        return [AdapterVersion(path.name, path, card) for path, card in cards if card is not None]

    def get(self, version: str) -> AdapterVersion:
        """One version.

        Raises:
            AdapterError: there is none of that id, or its card is damaged.
        """
        path = self.folder / version
        if not re.fullmatch(r"v\d{4}", version) or not path.is_dir():
            known = ", ".join(path.name for path in self._folders()) or "none yet"
            raise AdapterError(f"There is no adapter '{version}': known are {known}.")
        card = read_json(path / "card.json")
        if card is None:
            raise AdapterError(f"Adapter {version} is damaged (card.json): roll back or promote another version.")
        return AdapterVersion(version, path, card)

    def add(self, trained: Path) -> AdapterVersion:
        """Copy a trained adapter in as the next version and make it the candidate.

        Raises:
            AdapterError: the folder lacks a card or weights, or the copy cannot be written.
        """
        card = read_json(trained / "card.json")
        missing = [name for name in WEIGHTS if not (trained / name).is_file()]
        if card is None or missing:
            lacking = ", ".join(missing or ["card.json"])
            raise AdapterError(f"'{trained}' is no trained adapter ({lacking} is missing): train it again.")
        with self._writing():
            version = self._copy(trained, card)
            self._point("add", self.aliases() | {"candidate": version.id})
        return version

    def aliases(self) -> dict[str, str]:
        """champion, candidate and previous, where they are set.

        Raises:
            AdapterError: their file is damaged and the history does not say either.
        """
        path = self.folder / "aliases.json"
        if not path.exists():
            return {}
        found = read_json(path)
        if found is None:
            moves = self.history()
            if not moves:
                raise AdapterError(f"'{path}' is damaged: delete it, then promote a version.")
            found = moves[-1]
        return {name: found[name] for name in ALIASES if isinstance(found.get(name), str)}

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
                    f"Adapter {version} was trained for {name} {has}, in service is {wanted}: "
                    "retrain it and promote the result."
                )
        with self._writing():
            aliases = self.aliases()
            if aliases.get("candidate") == version:
                del aliases["candidate"]
            if aliases.get("champion", version) != version:
                aliases["previous"] = aliases["champion"]
            self._point("promote", aliases | {"champion": version})
        return found

    def rollback(self) -> AdapterVersion:
        """Champion and previous change places.

        Raises:
            AdapterError: there is no previous version, or it is damaged.
        """
        with self._writing():
            aliases = self.aliases()
            champion, previous = aliases.pop("champion", None), aliases.pop("previous", None)
            if previous is None:
                raise AdapterError(
                    "There is no earlier champion to go back to: promote a version with `frontdesk tone promote`."
                )
            found = self.verify(previous)
            swapped = {"champion": previous} | ({"previous": champion} if champion else {})
            self._point("rollback", aliases | swapped)
        return found

    def verify(self, version: str) -> AdapterVersion:
        """Compare a version's files with the checksums in its card.

        Raises:
            AdapterError: it is unknown, or a file is missing or differs.
        """
        found = self.get(version)
        digests = found.card.get("sha256")
        for name in WEIGHTS:
            try:
                same = isinstance(digests, dict) and file_sha256(found.path / name) == digests.get(name)
            except OSError:
                same = False
            if not same:
                raise AdapterError(f"Adapter {version} is damaged ({name}): roll back or promote another version.")
        return found

    def history(self) -> list[dict[str, Any]]:
        """Every move of an alias, oldest first; a row that a kill cut short is left out."""
        try:
            lines = (self.folder / "aliases.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [row for row in map(_parsed, lines) if row is not None]

    def _folders(self) -> list[Path]:
        return sorted(self.folder.glob("v[0-9][0-9][0-9][0-9]"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Alone in writing: a training process adds while the server promotes."""
        try:
            with only_writer(self.folder):
                yield
        except OSError as error:
            raise AdapterError(
                f"The adapters cannot be kept in '{self.folder}' ({reason(error)}): free space or check permissions."
            ) from error

    def _copy(self, trained: Path, card: dict[str, Any]) -> AdapterVersion:
        number = max((int(path.name[1:]) for path in self._folders()), default=0) + 1
        if number > LAST:
            raise AdapterError(f"'{self.folder}' is full: delete old versions other than the newest one.")
        target = self.folder / f"v{number:04d}"
        with whole_folder(target) as partial:
            for name in WEIGHTS:
                shutil.copyfile(trained / name, partial / name)
            card["sha256"] = {name: file_sha256(partial / name) for name in WEIGHTS}
            write_json(partial / "card.json", card)
        return AdapterVersion(target.name, target, card)

    def _point(self, action: str, aliases: dict[str, str]) -> None:
        row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "action": action, **aliases}
        write_json(self.folder / "aliases.json", aliases)
        with (self.folder / "aliases.log").open("a", encoding="utf-8") as log:
            log.write("\n" * bool(log.tell()) + json.dumps(row))  # a line break first: the last row may be cut short


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
