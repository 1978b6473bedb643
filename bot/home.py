"""The home folder: made, locked by one process, and where a running server says how to reach it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bot.errors import HomeError

__all__ = ["HomeLock", "ServerAddress", "claim_home", "forget_server", "read_server", "write_server"]


@dataclass(frozen=True)
class ServerAddress:
    """Where the running server listens and the token that its loopback endpoint wants."""

    url: str
    token: str
    pid: int


@dataclass(frozen=True)
class HomeLock:
    """The right to change one home folder, held until `release` or the end of the process."""

    home: Path
    lock: FileLock

    def release(self) -> None:
        """Let another process have the folder."""
        (self.home / "owner.json").unlink(missing_ok=True)
        self.lock.release()


def claim_home(home: Path, purpose: str) -> HomeLock:
    """Make `home` if it is missing and take its lock; `purpose` is shown to whoever finds it taken.

    Raises:
        HomeError: the folder cannot be written, or another process owns it.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "lock")
        lock.acquire(timeout=0)
        (home / "owner.json").write_text(json.dumps({"pid": os.getpid(), "purpose": purpose}))
    except Timeout:
        raise HomeError(
            f"The home folder '{home}' is in use by {_owner(home)}: "
            "wait for it, stop it, or choose another with --home."
        ) from None
    except OSError as error:
        raise HomeError(
            f"The home folder '{home}' cannot be written ({error.strerror or error}): "
            "choose another with --home or FRONTDESK_HOME."
        ) from error
    return HomeLock(home, lock)


def _owner(home: Path) -> str:
    try:
        owner = json.loads((home / "owner.json").read_text())
        return f"process {owner['pid']} ({owner['purpose']})"
    except (OSError, ValueError, KeyError):
        return "another process"


def write_server(home: Path, address: ServerAddress) -> None:
    """Publish the address, readable by the owner of the folder only."""
    path, partial = home / "server.json", home / "server.json.partial"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(address), file)
    os.replace(partial, path)


def read_server(home: Path) -> ServerAddress | None:
    """The address of the server of this home, or None; a file left by a killed server counts as none."""
    try:
        address = ServerAddress(**json.loads((home / "server.json").read_text()))
        os.kill(address.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return address


def forget_server(home: Path) -> None:
    """Take the address away when the server stops."""
    (home / "server.json").unlink(missing_ok=True)
