"""Vectors by chunk id: Chroma on disk, or a fake in memory. The only file that knows chromadb."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import StoreError

__all__ = ["FakeVectorStore", "VectorIndex", "VectorStore", "Vectors"]

WRITE_BATCH = 250  # about 1,600 rows/s; larger batches bring nothing
READ_BATCH = 5000  # 33,000 ids in one call fail with "too many SQL variables"
Vectors = NDArray[np.float32]


class VectorIndex(Protocol):
    """Nearest neighbours by cosine."""

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Write vectors; an id that is there is replaced."""
        ...

    def query(self, vector: Vectors, top_k: int) -> list[tuple[str, float]]:
        """The nearest ids with their cosine, best first."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove ids; unknown ones are ignored."""
        ...

    def ids(self) -> set[str]:
        """Every id."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Vectors of the ids that are there."""
        ...

    def close(self) -> None:
        """Release the files; nothing works afterwards."""
        ...


class VectorStore:
    """One Chroma collection in `folder`, named by the embedder so that two models never mix."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._client: Any = None
        self._opened: Any = None
        self._closed = False
        self._lock = threading.RLock()

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """See `VectorIndex.upsert`."""
        for at in range(0, len(ids), WRITE_BATCH):
            part = slice(at, at + WRITE_BATCH)
            self._do("upsert", ids=list(ids[part]), embeddings=vectors[part])

    def query(self, vector: Vectors, top_k: int) -> list[tuple[str, float]]:
        """See `VectorIndex.query`."""
        found = self._do("query", query_embeddings=vector.reshape(1, -1), n_results=top_k, include=["distances"])
        return [(i, 1.0 - float(d)) for i, d in zip(found["ids"][0], found["distances"][0], strict=True)]

    def delete(self, ids: Sequence[str]) -> None:
        """See `VectorIndex.delete`."""
        for at in range(0, len(ids), READ_BATCH):
            self._do("delete", ids=list(ids[at : at + READ_BATCH]))

    def ids(self) -> set[str]:
        """See `VectorIndex.ids`."""
        found: set[str] = set()
        while len(page := self._do("get", limit=READ_BATCH, offset=len(found), include=[])["ids"]):
            found |= set(page)
        return found

    def get(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """See `VectorIndex.get`."""
        found: dict[str, Vectors] = {}
        for at in range(0, len(ids), READ_BATCH):
            page = self._do("get", ids=list(ids[at : at + READ_BATCH]), include=["embeddings"])
            found |= dict(zip(page["ids"], page["embeddings"], strict=True))
        return found

    def close(self) -> None:
        """See `VectorIndex.close`."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _do(self, verb: str, **arguments: Any) -> Any:  # noqa: ANN401 - chromadb's own types
        from chromadb.errors import ChromaError

        try:
            with self._lock:
                return getattr(self._collection(), verb)(**arguments)
        except (ChromaError, OSError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise StoreError(
                f"The vectors in '{self.folder}' cannot be used ({reason}): "
                "stop other processes on this home, or delete that folder and start again to rebuild it."
            ) from error

    def _collection(self) -> Any:  # noqa: ANN401
        if self._closed:
            raise StoreError(f"The vectors in '{self.folder}' are closed: open the home again.")
        if self._opened is None:
            import chromadb

            settings = chromadb.Settings(anonymized_telemetry=False)
            self._client = chromadb.PersistentClient(str(self.folder), settings=settings)
            self._opened = self._client.get_or_create_collection(
                self.name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._opened


class FakeVectorStore:
    """The fake: exact cosine over vectors in memory."""

    def __init__(self) -> None:
        self.vectors: dict[str, Vectors] = {}

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """See `VectorIndex.upsert`."""
        self.vectors |= dict(zip(ids, vectors, strict=True))

    def query(self, vector: Vectors, top_k: int) -> list[tuple[str, float]]:
        """See `VectorIndex.query`."""
        scored = [(i, float(v @ vector)) for i, v in self.vectors.items()]
        return sorted(scored, key=lambda pair: -pair[1])[:top_k]

    def delete(self, ids: Sequence[str]) -> None:
        """See `VectorIndex.delete`."""
        for i in ids:
            self.vectors.pop(i, None)

    def ids(self) -> set[str]:
        """See `VectorIndex.ids`."""
        return set(self.vectors)

    def get(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """See `VectorIndex.get`."""
        return {i: self.vectors[i] for i in ids if i in self.vectors}

    def close(self) -> None:
        """See `VectorIndex.close`."""
