"""Text -> unit vectors: the real MiniLM out of its package, and the fake."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.embedder import DEFAULT_MODEL, HashEmbedder, SentenceTransformerEmbedder, model_location
from knowledge.errors import EmbedderError

TEXTS = [
    "You can return a kettle within 45 days.",
    "Small appliances may be sent back for six weeks.",
    "The museum opens at nine on Sundays.",
    "short",
    "A much longer text, which goes on and on about kettles and grinders. " * 12,
]


@pytest.fixture(scope="module")
def vectors(minilm):
    return minilm.embed(TEXTS)


def test_texts_become_unit_vectors(minilm, vectors):
    """384 numbers of single precision each, of length one."""
    assert minilm.dimensions == 384
    assert vectors.shape == (5, 384) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_what_means_the_same_is_near(vectors):
    """Also where no word is shared."""
    same, other = vectors[0] @ vectors[1], vectors[0] @ vectors[2]

    assert same > 0.5 > 0.3 > other


def test_a_text_has_one_vector_whatever_is_embedded_beside_it(minilm, vectors):
    """Neither order nor padding changes it beyond the last bits of the arithmetic."""
    turned = minilm.embed(TEXTS[::-1])[::-1]
    alone = np.concatenate([minilm.embed([text]) for text in TEXTS])

    assert (vectors * turned).sum(axis=1).min() > 0.9995
    assert (vectors * alone).sum(axis=1).min() > 0.9995


def test_fast_arithmetic_gives_the_vectors_of_full_precision(vectors):
    """On machines with bfloat16 too, so that a home may move between them; equal where there is none."""
    from sentence_transformers import SentenceTransformer

    exact = SentenceTransformer(model_location(DEFAULT_MODEL), device="cpu").encode(TEXTS, normalize_embeddings=True)

    assert (vectors * exact).sum(axis=1).min() > 0.9995


def test_tokens_are_counted_without_the_special_ones(minilm):
    """The splitter adds up the counts of parts."""
    assert minilm.count_tokens("") == 0
    assert minilm.count_tokens("return policy") == 2
    assert minilm.count_tokens("return policy. return policy.") == 2 * minilm.count_tokens("return policy.")
    assert minilm.max_tokens == 254


def test_a_text_beyond_the_limit_is_cut(minilm):
    """What is too far back has no weight; the splitter keeps passages below that."""
    long, longer = "kettle " * 300, "kettle " * 300 + "museum " * 300

    assert minilm.embed([long])[0] @ minilm.embed([longer])[0] > 0.9999


@pytest.mark.parametrize("text", ["", " \n", "\0", "\ud800 half a pair", "日本語", "🫖" * 300, "x" * 5000])
def test_any_text_has_a_vector(minilm, text):
    """Whatever a customer sends; none of it is an error or not a number."""
    (vector,) = minilm.embed([text])

    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_no_texts_give_no_vectors(minilm):
    """But of the right width."""
    assert minilm.embed([]).shape == (0, 384)


def test_threads_may_embed_at_once(minilm, vectors):
    """A page answers several people."""
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: minilm.embed(TEXTS)})) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(np.allclose(found[n], vectors, atol=1e-3) for n in range(4))


def test_loading_prints_nothing(capfd):
    """No progress bar of weights on the terminal, and the setting of transformers stays as it was."""
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    SentenceTransformerEmbedder().embed(["x"])

    assert capfd.readouterr().err == ""
    assert logging.is_progress_bar_enabled() == before


def test_a_missing_model_is_a_sentence_when_it_is_first_needed(tmp_path):
    """A constructor loads nothing."""
    embedder = SentenceTransformerEmbedder(str(tmp_path / "nowhere"))

    with pytest.raises(EmbedderError, match=r"nowhere' cannot be loaded .*: set FRONTDESK_EMBEDDER to a model folder"):
        embedder.embed(["x"])
    with pytest.raises(EmbedderError):
        embedder.count_tokens("x")


def test_a_folder_without_a_model_is_a_sentence(tmp_path):
    """It is not filled from the network instead."""
    with pytest.raises(EmbedderError, match="cannot be loaded"):
        SentenceTransformerEmbedder(str(tmp_path)).embed(["x"])


def test_a_model_with_damaged_weights_is_a_sentence(tmp_path):
    """As after a download that broke off."""
    from pathlib import Path

    weights = 0
    for file in Path(model_location(DEFAULT_MODEL)).rglob("*"):
        copy = tmp_path / file.relative_to(model_location(DEFAULT_MODEL))
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file() and file.suffix in (".safetensors", ".bin"):
            weights += 1
            copy.write_bytes(file.read_bytes()[:1000])
        elif file.is_file():
            copy.symlink_to(file)

    assert weights
    with pytest.raises(EmbedderError, match=r"cannot be loaded \(.+\): set FRONTDESK_EMBEDDER"):
        SentenceTransformerEmbedder(str(tmp_path)).embed(["x"])


def test_the_fake_finds_texts_near_that_share_words(hash_embedder):
    """Deterministic and instant, with the shape of the real one."""
    kettle, same, other = hash_embedder.embed(["the red kettle", "Kettle, the RED one", "museum hours"])

    assert kettle @ same > 0.8 > 0.1 > kettle @ other
    assert (hash_embedder.embed(["the red kettle"])[0] == kettle).all()


@given(st.lists(st.text(max_size=50), max_size=5))
def test_the_fake_gives_unit_vectors_of_any_text(texts):
    """Also where there is no word in it."""
    vectors = HashEmbedder().embed(texts)

    assert vectors.shape == (len(texts), HashEmbedder.dimensions) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
