"""Shared fixtures: the shipped fakes, the real small models, and tiny random models made on the spot."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def hash_embedder():
    from knowledge.embedder import HashEmbedder

    return HashEmbedder()


@pytest.fixture(scope="session")
def minilm():
    from knowledge.embedder import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder()


@pytest.fixture(scope="session")
def prepared_base(pytestconfig):
    """The real default base, prepared once and kept in pytest's cache folder."""
    from tone_tuning.base_model import DEFAULT_BASE, prepare_base

    models = Path(pytestconfig.cache.mkdir("frontdesk-models"))
    return prepare_base(DEFAULT_BASE, models)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A random two-layer Llama-architecture model with the default base's tokenizer and chat template."""
    from tests.tiny_models import make_tiny_base

    return make_tiny_base(tmp_path_factory.mktemp("tiny-base"))
