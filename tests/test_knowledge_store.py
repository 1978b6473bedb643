"""Nearest neighbours by cosine: one contract for Chroma on disk and for the fake."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import StoreError
from knowledge.store import FakeVectorStore, VectorStore


def unit(*numbers):
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def many(count):
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(params=["chroma", "fake"])
def store(request, tmp_path):
    store = FakeVectorStore() if request.param == "fake" else VectorStore(tmp_path / "chroma", "passages-test")
    yield store
    store.close()


def test_the_nearest_come_first_with_their_cosine(store):
    """From 1 for the same direction to -1 for the opposite."""
    store.upsert(["same", "right", "back", "near"], np.array([unit(1, 0), unit(0, 1), unit(-1, 0), unit(1, 1)]))

    found = store.query(unit(1, 0), 10)

    assert [name for name, _ in found] == ["same", "near", "right", "back"]
    assert np.allclose([cosine for _, cosine in found], [1, 0.7071, 0, -1], atol=1e-3)


def test_at_most_top_k_are_found(store):
    """Fewer where there are fewer."""
    store.upsert(["a", "b", "c"], np.array([unit(1, 0), unit(1, 1), unit(0, 1)]))

    assert [name for name, _ in store.query(unit(1, 0), 2)] == ["a", "b"]
    assert len(store.query(unit(1, 0), 50)) == 3


def test_an_empty_store_answers_with_nothing(store):
    """Before the first document is added."""
    assert store.query(unit(1, 0), 5) == []
    assert store.ids() == set()
    assert store.get(["a"]) == {}


def test_vectors_come_back_as_they_were_written(store):
    """Unknown ids are left out."""
    vectors = np.array([unit(1, 2, 3), unit(3, 2, 1)])
    store.upsert(["a", "b"], vectors)

    found = store.get(["b", "nothing", "a"])

    assert found.keys() == {"a", "b"}
    assert np.allclose(found["a"], vectors[0]) and np.allclose(found["b"], vectors[1])


def test_an_id_that_is_there_is_replaced(store):
    """Writing twice adds nothing."""
    store.upsert(["a", "b"], np.array([unit(1, 0), unit(0, 1)]))
    store.upsert(["a"], np.array([unit(-1, 0)]))

    assert store.ids() == {"a", "b"}
    assert np.allclose(store.get(["a"])["a"], unit(-1, 0))


def test_a_deleted_id_is_found_no_more(store):
    """Deleting what is not there changes nothing."""
    store.upsert(["a", "b"], np.array([unit(1, 0), unit(1, 1)]))
    store.delete(["a", "nothing"])
    store.delete(["a"])

    assert store.ids() == {"b"}
    assert [name for name, _ in store.query(unit(1, 0), 5)] == ["b"]


def test_no_ids_are_no_work(store):
    """Every verb takes an empty list."""
    store.upsert([], many(0))
    store.delete([])

    assert store.get([]) == {}


def test_more_than_one_batch_is_written_read_and_deleted(store):
    """Chroma takes 250 in a call here, and not even 33,000 ids in one."""
    names = [f"{number:04d}" for number in range(601)]
    vectors = many(601)
    store.upsert(names, vectors)

    assert store.ids() == set(names)
    found = store.get(names)
    assert np.allclose([found[name] for name in names], vectors)
    assert store.query(vectors[600], 1)[0][0] == "0600"
    store.delete(names[:600])
    assert store.ids() == {"0600"}


def test_chroma_keeps_everything_after_it_is_opened_again(tmp_path):
    """A second store on the folder sees what the first one wrote, and what it deleted."""
    first = VectorStore(tmp_path / "chroma", "passages-test")
    first.upsert([f"{n}" for n in range(300)], many(300))
    first.delete(["7"])
    first.close()

    second = VectorStore(tmp_path / "chroma", "passages-test")

    assert second.ids() == {f"{n}" for n in range(300)} - {"7"}
    assert np.allclose(second.get(["8"])["8"], many(300)[8])
    assert second.query(many(300)[9], 1)[0][0] == "9"
    second.close()


def test_two_embedders_never_mix(tmp_path):
    """Each has a collection of its own in the folder, and may have its own width."""
    one, two = VectorStore(tmp_path, "passages-one"), VectorStore(tmp_path, "passages-two")
    one.upsert(["a"], np.array([unit(1, 0)]))
    two.upsert(["b"], np.array([unit(1, 0, 0)]))

    assert one.ids() == {"a"} and two.ids() == {"b"}
    one.close()
    two.close()


@pytest.mark.parametrize("damage", ["a file in its place", "a database that is none"])
def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path, damage):
    """With the folder and the next step in it."""
    folder = tmp_path / "chroma"
    if damage == "a file in its place":
        folder.write_text("x")
    else:
        folder.mkdir()
        (folder / "chroma.sqlite3").write_bytes(b"no database" * 1000)

    with pytest.raises(StoreError, match=r"chroma' cannot be used \(.+\): .* delete that folder"):
        VectorStore(folder, "passages-test").ids()


def test_a_vector_of_another_width_is_a_sentence(tmp_path):
    """It is refused, not written beside the others."""
    store = VectorStore(tmp_path, "passages-test")
    store.upsert(["a"], np.array([unit(1, 0)]))

    with pytest.raises(StoreError, match="dimension of 2, got 3"):
        store.upsert(["b"], np.array([unit(1, 0, 0)]))
    assert store.ids() == {"a"}
    store.close()


def test_a_closed_store_does_not_open_by_itself(tmp_path):
    """Another process may own the folder by then."""
    store = VectorStore(tmp_path, "passages-test")
    store.upsert(["a"], np.array([unit(1, 0)]))
    store.close()

    with pytest.raises(StoreError, match="are closed: open the home again"):
        store.upsert(["b"], np.array([unit(0, 1)]))


steps = st.lists(
    st.tuples(st.sampled_from(["upsert", "delete"]), st.lists(st.integers(0, 9), min_size=1, unique=True)), max_size=12
)


@settings(deadline=None, max_examples=8)
@given(steps)
def test_chroma_and_the_fake_do_the_same(tmp_path_factory, steps):
    """Any sequence of writes and deletions leaves the same ids, vectors and nearest neighbours."""
    real, fake = VectorStore(tmp_path_factory.mktemp("chroma"), "passages-test"), FakeVectorStore()
    for turn, (verb, numbers) in enumerate(steps):
        names = [f"id{number}" for number in numbers]
        vectors = np.array([unit(number + 1, turn + 1, 1) for number in numbers])
        for store in (real, fake):
            store.upsert(names, vectors) if verb == "upsert" else store.delete(names)

    assert real.ids() == fake.ids()
    assert all(np.allclose(real.get([name])[name], vector) for name, vector in fake.vectors.items())
    near = [[cosine for _, cosine in store.query(unit(3, 2, 1), 5)] for store in (real, fake)]
    assert np.allclose(near[0], near[1], atol=1e-3)
    real.close()
