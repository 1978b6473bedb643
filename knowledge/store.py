"""Vectors by chunk id: Chroma on disk, or a fake in memory. The only file that knows chromadb."""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import StoreError

__all__ = ["FakeVectorStore", "VectorIndex", "VectorStore", "Vectors"]

WRITE_BATCH = 250  # about 1,600 rows/s; larger batches bring nothing
READ_BATCH = 5000  # 33,000 ids in one call fail with "too many SQL variables"
FOLDERS = "g" + "[0-9]" * 6
ELEMENTS = slice(20, 28)  # of the header of a search index: how many it has
Vectors = NDArray[np.float32]


class VectorIndex(Protocol):
    """Nearest neighbours by cosine, in parts that never mix: what is not asked for is not searched."""

    def upsert(self, part: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Write vectors into a part; an id that is there is replaced."""
        ...

    def query(self, parts: Iterable[str], vector: Vectors, top_k: int) -> list[tuple[str, float]]:
        """The nearest ids of the parts with their best cosine, best first; parts that do not exist have none."""
        ...

    def delete(self, part: str, ids: Sequence[str]) -> None:
        """Remove ids from a part; unknown ones are ignored."""
        ...

    def ids(self) -> dict[str, set[str]]:
        """Every id, by part."""
        ...

    def get(self, parts: Iterable[str], ids: Sequence[str]) -> dict[str, Vectors]:
        """Vectors of the ids that are in one of the parts."""
        ...

    def renew(self, fill: Callable[["VectorIndex"], None]) -> None:
        """Let `fill` write a new store, which then takes the place of this one; nothing of the old one is left."""
        ...

    def close(self) -> None:
        """Release the files; nothing works afterwards."""
        ...


class VectorStore:
    """Chroma collections in a folder of `home`, one a part, named by the embedder so that two models never mix.

    Chroma keeps deleted vectors readable on disk, so a store that has to forget is written anew: `home` holds one
    folder for each writing ("g000001"), and the file `current` names the one in use.
    """

    def __init__(self, home: Path, name: str) -> None:
        self.home = home
        self.name = name
        self._client: Any = None
        self._parts: dict[str, Any] = {}
        self._used: set[str] = set()
        self._closed = False
        self._lock = threading.RLock()

    def upsert(self, part: str, ids: Sequence[str], vectors: Vectors) -> None:
        """See `VectorIndex.upsert`."""
        for at in range(0, len(ids), WRITE_BATCH):
            rows = slice(at, at + WRITE_BATCH)
            self._do(part, "upsert", ids=list(ids[rows]), embeddings=vectors[rows])

    def query(self, parts: Iterable[str], vector: Vectors, top_k: int) -> list[tuple[str, float]]:
        """See `VectorIndex.query`."""
        best: dict[str, float] = {}
        for part in self._existing(parts):
            found = self._do(
                part, "query", query_embeddings=vector.reshape(1, -1), n_results=top_k, include=["distances"]
            )
            for name, distance in zip(found["ids"][0], found["distances"][0], strict=True):
                best[name] = max(best.get(name, -1.0), 1.0 - float(distance))
        return sorted(best.items(), key=lambda pair: -pair[1])[:top_k]

    def delete(self, part: str, ids: Sequence[str]) -> None:
        """See `VectorIndex.delete`."""
        for at in range(0, len(ids) if self._existing([part]) else 0, READ_BATCH):
            self._do(part, "delete", ids=list(ids[at : at + READ_BATCH]))

    def ids(self) -> dict[str, set[str]]:
        """See `VectorIndex.ids`."""
        return {part: self._ids_of(part) for part in self._existing()}

    def get(self, parts: Iterable[str], ids: Sequence[str]) -> dict[str, Vectors]:
        """See `VectorIndex.get`."""
        found: dict[str, Vectors] = {}
        for part in self._existing(parts):
            for at in range(0, len(ids), READ_BATCH):
                page = self._do(part, "get", ids=list(ids[at : at + READ_BATCH]), include=["embeddings"])
                found |= dict(zip(page["ids"], page["embeddings"], strict=True))
        return found

    def renew(self, fill: Callable[[VectorIndex], None]) -> None:
        """See `VectorIndex.renew`. A kill on the way leaves the old store in use, or the new one.

        An old one that cannot be opened is replaced all the same.
        """
        try:
            self._existing()
        except StoreError:
            if self._closed:
                raise
        number = 1 + max((int(path.name[1:]) for path in self.home.glob(FOLDERS)), default=0)
        fresh = VectorStore(self.home, self.name)
        with self._translated():
            fresh._connect(self.home / f"g{number:06d}")
            try:
                fill(fresh)
            finally:
                fresh.close()
        with self._lock, self._translated():
            _point_to(self.home, f"g{number:06d}")
            if self._client is not None:
                self._client.close()
            self._client, self._parts, self._used = None, {}, set()
            self._open()

    def close(self) -> None:
        """See `VectorIndex.close`."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _ids_of(self, part: str) -> set[str]:
        found: set[str] = set()
        while len(page := self._do(part, "get", limit=READ_BATCH, offset=len(found), include=[])["ids"]):
            found |= set(page)
        return found

    def _existing(self, parts: Iterable[str] | None = None) -> list[str]:
        """Those of the parts that have a collection; all of them by default."""
        with self._lock, self._translated():
            self._open()
            return sorted(self._parts if parts is None else self._parts.keys() & set(parts))

    def _do(self, part: str, verb: str, **arguments: Any) -> Any:  # noqa: ANN401 - chromadb's own types
        with self._lock, self._translated():
            self._open()
            if part not in self._parts:
                self._parts[part] = self._client.get_or_create_collection(
                    f"{self.name}.{part}", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
                )
            result = getattr(self._parts[part], verb)(**arguments)
            if verb == "upsert" or part not in self._used:  # which is when Chroma makes the files of an index
                self._used.add(part)
                _blank_empty_indexes(self.home)
            return result

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from chromadb.errors import ChromaError

        try:
            yield
        except (ChromaError, OSError, ValueError, RuntimeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise StoreError(
                f"The vectors in '{self.home}' cannot be used ({reason}): "
                "stop other processes on this home, or run `frontdesk docs rebuild-index`."
            ) from error

    def _open(self) -> None:
        if self._closed:
            raise StoreError(f"The vectors in '{self.home}' are closed: open the home again.")
        if self._client is None:
            self._connect(_current_folder(self.home))

    def _connect(self, folder: Path) -> None:
        import chromadb

        client = chromadb.PersistentClient(str(folder), settings=chromadb.Settings(anonymized_telemetry=False))
        prefix = f"{self.name}."
        for found in client.list_collections():
            if found.name.startswith(prefix):
                opened = client.get_collection(found.name, embedding_function=None)
                self._parts[found.name.removeprefix(prefix)] = opened
        self._client = client


def _current_folder(home: Path) -> Path:
    """The folder in use, made if there is none; whatever else lies beside it is gone afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    pointer = home / "current"
    name = pointer.read_text().strip() if pointer.exists() else ""
    if not name:
        name = "g000001"
        _point_to(home, name)
    (home / name).mkdir(exist_ok=True)
    for path in home.iterdir():
        if path.is_dir() and path.name != name:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file() and path != pointer:
            path.unlink()
    return home / name


def _blank_empty_indexes(home: Path) -> None:
    """Zero the search indexes without an element: Chroma writes them with whatever is in memory, also a secret."""
    for header in home.glob(f"{FOLDERS}/*/header.bin"):
        if int.from_bytes(header.read_bytes()[ELEMENTS], "little") == 0:
            for path in (header.with_name("data_level0.bin"), header.with_name("length.bin")):
                with path.open("r+b") as file:
                    if any(data := file.read()):
                        file.seek(0)
                        file.write(bytes(len(data)))


def _point_to(home: Path, name: str) -> None:
    partial = home / "current.partial"
    partial.write_text(name)
    os.replace(partial, home / "current")


class FakeVectorStore:
    """The fake: exact cosine over vectors in memory."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, Vectors]] = {}

    def upsert(self, part: str, ids: Sequence[str], vectors: Vectors) -> None:
        """See `VectorIndex.upsert`."""
        if len(ids):
            self.parts.setdefault(part, {}).update(zip(ids, vectors, strict=True))

    def query(self, parts: Iterable[str], vector: Vectors, top_k: int) -> list[tuple[str, float]]:
        """See `VectorIndex.query`."""
        best: dict[str, float] = {}
        for part in parts:
            for name, stored in self.parts.get(part, {}).items():
                best[name] = max(best.get(name, -1.0), float(stored @ vector))
        return sorted(best.items(), key=lambda pair: -pair[1])[:top_k]

    def delete(self, part: str, ids: Sequence[str]) -> None:
        """See `VectorIndex.delete`."""
        for i in ids:
            self.parts.get(part, {}).pop(i, None)

    def ids(self) -> dict[str, set[str]]:
        """See `VectorIndex.ids`."""
        return {part: set(vectors) for part, vectors in self.parts.items()}

    def get(self, parts: Iterable[str], ids: Sequence[str]) -> dict[str, Vectors]:
        """See `VectorIndex.get`."""
        stored = {i: v for part in parts for i, v in self.parts.get(part, {}).items()}
        return {i: stored[i] for i in ids if i in stored}

    def renew(self, fill: Callable[[VectorIndex], None]) -> None:
        """See `VectorIndex.renew`."""
        fresh = FakeVectorStore()
        fill(fresh)
        self.parts = fresh.parts

    def close(self) -> None:
        """See `VectorIndex.close`."""
