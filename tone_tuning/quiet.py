"""Silence while transformers loads and saves: our own progress lines say enough."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_transformers"]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars of transformers, no warning about names of its own, none about what we check ourselves."""
    from transformers import modeling_gguf_pytorch_utils as unpacking
    from transformers.utils import logging

    shown, own_bar = logging.is_progress_bar_enabled(), unpacking.tqdm
    logging.disable_progress_bar()
    unpacking.tqdm = logging.tqdm  # its own bar is not among those that can be switched off
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)
            yield
    finally:
        unpacking.tqdm = own_bar
        if shown:
            logging.enable_progress_bar()
