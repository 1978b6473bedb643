"""Nearest neighbours by cosine, in parts: one contract for Chroma on disk and for the fake."""

import contextlib
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from knowledge import store as store_file
from knowledge.errors import StoreError
from knowledge.store import FakeVectorStore, VectorStore


def unit(*numbers):
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def many(count):
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def one(store, name, *numbers, part="public"):
    store.upsert(part, [name], np.array([unit(*numbers)]))


@pytest.fixture
def home(tmp_path):
    return tmp_path / "chroma"


@pytest.fixture(params=["chroma", "fake"])
def store(request, home):
    store = FakeVectorStore() if request.param == "fake" else VectorStore(home, "passages-test")
    yield store
    store.close()


def test_the_nearest_come_first_with_their_cosine(store):
    """From 1 for the same direction to -1 for the opposite."""
    vectors = np.array([unit(1, 0), unit(0, 1), unit(-1, 0), unit(1, 1)])
    store.upsert("public", ["same", "right", "back", "near"], vectors)

    found = store.query(["public"], unit(1, 0), 10)

    assert [name for name, _ in found] == ["same", "near", "right", "back"]
    assert np.allclose([cosine for _, cosine in found], [1, 0.7071, 0, -1], atol=1e-3)


def test_only_the_parts_that_are_asked_for_are_searched(store):
    """What is for others cannot push anything out."""
    one(store, "a", 1, 0)
    one(store, "b", 1, 0.1, part="internal")
    one(store, "c", 0, 1, part="public.past")

    assert [name for name, _ in store.query(["public"], unit(1, 0), 5)] == ["a"]
    assert [name for name, _ in store.query(["internal", "public.past"], unit(1, 0), 5)] == ["b", "c"]
    assert [name for name, _ in store.query(["internal", "public", "public.past"], unit(1, 0), 2)] == ["a", "b"]
    assert store.ids() == {"public": {"a"}, "internal": {"b"}, "public.past": {"c"}}
    assert store.get(["internal"], ["a", "b"]).keys() == {"b"}


def test_an_id_in_two_parts_is_found_once(store):
    """On its way from one to the other it is in both."""
    one(store, "a", 1, 0)
    one(store, "a", 1, 0, part="internal")

    assert [name for name, _ in store.query(["public", "internal"], unit(1, 0), 5)] == ["a"]
    assert store.get(["public", "internal"], ["a"]).keys() == {"a"}
    store.delete("public", ["a"])
    assert store.get(["public", "internal"], ["a"]).keys() == {"a"}


def test_at_most_top_k_are_found(store):
    """Fewer where there are fewer."""
    store.upsert("public", ["a", "b", "c"], np.array([unit(1, 0), unit(1, 1), unit(0, 1)]))

    assert [name for name, _ in store.query(["public"], unit(1, 0), 2)] == ["a", "b"]
    assert len(store.query(["public"], unit(1, 0), 50)) == 3


def test_an_empty_store_answers_with_nothing(store):
    """Before the first document is added, and reading makes no part."""
    assert store.query(["public", "public.past"], unit(1, 0), 5) == []
    assert store.get(["public"], ["a"]) == {}
    store.delete("public", ["a"])
    assert store.ids() == {}


def test_vectors_come_back_as_they_were_written(store):
    """Unknown ids are left out."""
    vectors = np.array([unit(1, 2, 3), unit(3, 2, 1)])
    store.upsert("public", ["a", "b"], vectors)

    found = store.get(["public"], ["b", "nothing", "a"])

    assert found.keys() == {"a", "b"}
    assert np.allclose(found["a"], vectors[0]) and np.allclose(found["b"], vectors[1])


def test_an_id_that_is_there_is_replaced(store):
    """Writing twice adds nothing."""
    store.upsert("public", ["a", "b"], np.array([unit(1, 0), unit(0, 1)]))
    one(store, "a", -1, 0)

    assert store.ids() == {"public": {"a", "b"}}
    assert np.allclose(store.get(["public"], ["a"])["a"], unit(-1, 0))


def test_a_deleted_id_is_found_no_more(store):
    """Deleting what is not there, or is in another part, changes nothing."""
    store.upsert("public", ["a", "b"], np.array([unit(1, 0), unit(1, 1)]))
    store.delete("internal", ["b"])
    store.delete("public", ["a", "nothing"])
    store.delete("public", ["a"])

    assert store.ids() == {"public": {"b"}}
    assert [name for name, _ in store.query(["public"], unit(1, 0), 5)] == ["b"]
    store.delete("public", ["b"])
    assert store.query(["public"], unit(1, 0), 5) == []


def test_no_ids_are_no_work(store):
    """Every verb takes an empty list, and no part is made for it."""
    store.upsert("public", [], many(0))
    store.delete("public", [])

    assert store.get(["public"], []) == store.get([], ["a"]) == store.ids() == {}
    assert store.query([], unit(1, 0), 5) == []


def test_more_than_one_batch_is_written_read_and_deleted(store):
    """Chroma takes 250 in a call here, and not even 33,000 ids in one."""
    names = [f"{number:04d}" for number in range(601)]
    vectors = many(601)
    store.upsert("public", names, vectors)

    assert store.ids() == {"public": set(names)}
    found = store.get(["public"], names)
    assert np.allclose([found[name] for name in names], vectors)
    assert store.query(["public"], vectors[600], 1)[0][0] == "0600"
    assert len(store.query(["public"], vectors[600], 600)) == 600
    store.delete("public", names[:600])
    assert store.ids() == {"public": {"0600"}}


def test_a_renewed_store_has_what_was_written_into_the_new_one_and_nothing_else(store):
    """The old one can be read until then."""
    store.upsert("public", ["a", "b"], np.array([unit(1, 0), unit(0, 1)]))

    def fill(fresh):
        assert fresh.ids() == {}
        fresh.upsert("internal", ["a"], np.array([store.get(["public"], ["a"])["a"]]))
        assert store.ids() == {"public": {"a", "b"}}

    store.renew(fill)

    assert store.ids() == {"internal": {"a"}}
    assert [name for name, _ in store.query(["public", "internal"], unit(0, 1), 5)] == ["a"]
    one(store, "c", 1, 1)
    assert store.ids() == {"internal": {"a"}, "public": {"c"}}


def test_a_renewal_that_fails_leaves_the_old_store(store):
    """It answers on, and the next renewal works."""
    one(store, "a", 1, 0)

    def fail(fresh):
        one(fresh, "b", 1, 0)
        raise StoreError("The disk is full.")

    with pytest.raises(StoreError, match="disk is full"):
        store.renew(fail)

    assert store.ids() == {"public": {"a"}}
    store.renew(lambda fresh: one(fresh, "c", 1, 0))
    assert store.ids() == {"public": {"c"}}


def test_questions_are_answered_while_the_store_is_renewed(store):
    """Out of the old one or the new one."""
    one(store, "old", 1, 0)
    wrong, done = [], threading.Event()

    def ask():
        while not done.is_set():
            found = [name for name, _ in store.query(["public"], unit(1, 0), 5)]
            wrong.extend([] if found in (["old"], ["new"]) else [found])

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(3):
        store.renew(lambda fresh: one(fresh, "new", 1, 0))
    done.set()
    asking.join()

    assert not wrong


def test_chroma_keeps_everything_after_it_is_opened_again(home):
    """A second store on the folder sees what the first one wrote, and what it deleted."""
    first = VectorStore(home, "passages-test")
    first.upsert("public", [f"{n}" for n in range(300)], many(300))
    one(first, "x", *many(1)[0], part="trade_vip.past")
    first.delete("public", ["7"])
    first.close()

    second = VectorStore(home, "passages-test")

    assert second.ids() == {"public": {f"{n}" for n in range(300)} - {"7"}, "trade_vip.past": {"x"}}
    assert np.allclose(second.get(["public"], ["8"])["8"], many(300)[8])
    assert second.query(["public"], many(300)[9], 1)[0][0] == "9"
    second.close()


def test_a_renewed_store_is_the_one_that_is_opened_again(home):
    """And not a byte of the old one is left on disk, neither ids nor vectors."""
    store = VectorStore(home, "passages-test")
    store.upsert("public", [f"secret-{n}" for n in range(300)], many(300))
    store.delete("public", ["secret-7"])
    kept = store.get(["public"], ["secret-8"])["secret-8"]
    assert _on_disk(home, b"secret-7") and _on_disk(home, many(300)[7].tobytes())
    store.renew(lambda fresh: fresh.upsert("public", ["kept"], np.array([kept])))
    store.close()

    assert not _on_disk(home, b"secret") and not _on_disk(home, many(300)[7].tobytes())
    again = VectorStore(home, "passages-test")
    assert again.ids() == {"public": {"kept"}}
    assert sorted(path.name for path in home.iterdir()) == ["current", "g000002"]
    again.close()


def _on_disk(folder, wanted):
    return any(wanted in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_of_the_memory_of_the_process_is_written_to_disk(home):
    """Chroma makes the files of a search index larger than it is, and does not clear them."""
    for _ in range(2):
        store = VectorStore(home, "passages-test")
        for part in ("public", "internal", "vip"):
            store.query(["public", part], many(1)[0], 3)
            store.upsert(part, ["a"], many(1))
        unused = [path.read_bytes() for path in home.rglob("data_level0.bin")]
        assert len(unused) == 3 and not any(map(any, unused))
        store.close()


@pytest.mark.parametrize("step", ["while it is filled", "before the pointer", "after the pointer"])
def test_a_renewal_cut_short_leaves_one_store_and_no_rest(home, monkeypatch, step):
    """Wherever it stops, the next open finds the old store or the new one, and removes the other."""
    store = VectorStore(home, "passages-test")
    one(store, "old", 1, 0)

    point_to = store_file._point_to

    def fill(fresh):
        one(fresh, "new", 1, 0)
        if step == "while it is filled":
            raise KeyboardInterrupt

    def point(*names):
        if step == "after the pointer":
            point_to(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(store_file, "_point_to", point)
    with pytest.raises(KeyboardInterrupt):
        store.renew(fill)
    monkeypatch.undo()
    (home / "current.partial").write_text("g0000")
    (home / "g000009").mkdir()

    again = VectorStore(home, "passages-test")

    name, folder = ("new", "g000002") if step == "after the pointer" else ("old", "g000001")
    assert again.ids() == {"public": {name}}
    assert sorted(path.name for path in home.iterdir()) == ["current", folder]
    again.close()


def test_two_embedders_never_mix(home):
    """Each has collections of its own in the folder, and may have its own width."""
    first, second = VectorStore(home, "passages-one"), VectorStore(home, "passages-two")
    one(first, "a", 1, 0)
    one(second, "b", 1, 0, 0)

    assert first.ids() == {"public": {"a"}} and second.ids() == {"public": {"b"}}
    first.close()
    second.close()


def damage(home, kind):
    """Make a file of the store unreadable, or put one in its way."""
    if kind == "a file in its place":
        home.write_text("x")
    elif kind == "a database that is none":
        (home / "g000001").mkdir(parents=True)
        (home / "current").write_text("g000001")
        (home / "g000001" / "chroma.sqlite3").write_bytes(b"no database" * 1000)
    else:
        home.mkdir()
        (home / "current").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("kind", ["a file in its place", "a database that is none", "a pointer that is no text"])
def test_a_folder_that_cannot_be_used_is_a_sentence(home, kind):
    """With the folder and the next step in it, at every try."""
    damage(home, kind)
    store = VectorStore(home, "passages-test")

    for _ in range(2):
        with pytest.raises(StoreError, match=r"chroma' cannot be used \(.+\): .* `frontdesk docs rebuild-index`"):
            store.ids()


@pytest.mark.parametrize("kind", ["a database that is none", "a pointer that is no text"])
def test_a_store_that_cannot_be_opened_can_be_renewed(home, kind):
    """That is the next step which the sentence names."""
    damage(home, kind)
    store = VectorStore(home, "passages-test")
    with contextlib.suppress(StoreError):
        store.ids()

    store.renew(lambda fresh: one(fresh, "a", 1, 0))

    assert store.ids() == {"public": {"a"}}
    store.close()


def test_a_vector_of_another_width_is_a_sentence(home):
    """It is refused, not written beside the others."""
    store = VectorStore(home, "passages-test")
    one(store, "a", 1, 0)

    with pytest.raises(StoreError, match="dimension of 2, got 3"):
        one(store, "b", 1, 0, 0)
    assert store.ids() == {"public": {"a"}}
    store.close()


def test_a_closed_store_does_not_open_by_itself(home):
    """Another process may own the folder by then."""
    store = VectorStore(home, "passages-test")
    one(store, "a", 1, 0)
    store.close()

    with pytest.raises(StoreError, match="are closed: open the home again"):
        one(store, "b", 0, 1)
    with pytest.raises(StoreError, match="are closed: open the home again"):
        store.renew(lambda fresh: None)


PARTS = ["public", "public.past", "vip"]
steps = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "upsert", "delete", "renew"]),
        st.sampled_from(PARTS),
        st.lists(st.integers(0, 9), min_size=1, unique=True),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=12)
@example([("upsert", "public.past", [0, 1, 2]), ("upsert", "public", [0, 1, 2])], ["public", "public.past"], 1)
@given(steps, st.lists(st.sampled_from(PARTS), unique=True), st.integers(1, 30))
def test_chroma_and_the_fake_do_the_same(tmp_path_factory, steps, parts, top_k):
    """Any sequence of writes, deletions and renewals leaves the same ids, vectors and nearest neighbours."""
    real, fake = VectorStore(tmp_path_factory.mktemp("chroma"), "passages-test"), FakeVectorStore()
    for turn, (verb, part, numbers) in enumerate(steps):
        names = [f"id{number}" for number in numbers]
        vectors = np.array([unit(number + 1, turn + 1, 1) for number in numbers])
        for store in (real, fake):
            _do(store, verb, part, names, vectors)

    assert {p: names for p, names in real.ids().items() if names} == {p: n for p, n in fake.ids().items() if n}
    names = [f"id{number}" for number in range(10)]
    for part in PARTS:
        one, other = real.get([part], names), fake.get([part], names)
        assert one.keys() == other.keys() and all(np.allclose(one[name], other[name], atol=1e-5) for name in one)
    near = [[cosine for _, cosine in store.query(parts, unit(3, 2, 1), top_k)] for store in (real, fake)]
    assert len(near[0]) == len(near[1]) and np.allclose(near[0], near[1], atol=1e-3)
    real.close()


def _do(store, verb, part, names, vectors):
    if verb == "delete":
        store.delete(part, names)
    elif verb == "upsert":
        store.upsert(part, names, vectors)
    else:
        kept = store.get([part], names)
        store.renew(lambda fresh: fresh.upsert(part, list(kept), np.array(list(kept.values()))))
