"""SIGKILL in the middle of a change: no half document, nothing acknowledged is lost, all is mended at the start."""

import hashlib
import multiprocessing
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from knowledge.embedder import HashEmbedder
from knowledge.passages import make_chunks
from tests.clock import Clock, day
from tests.killed_process import SECTIONS, Step, document, ingest, live, open_home, perform
from tests.knowledge_files import agree, make_index

pytestmark = pytest.mark.slow

DOCUMENTS = 40  # 480 passages: two batches of what is embedded together
KILLS = int(os.environ.get("FRONTDESK_KILLS", "24"))
ROUNDS_OF_A_HOME = 40

forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload(["tests.killed_process"])


def write_all(folder, word):
    folder.mkdir(exist_ok=True)
    for number in range(DOCUMENTS):
        (folder / f"{number:02d}.md").write_text(document(f"file{number}", word))


def die_at(home, step, folder, point, number):
    """Run one step in a process that dies at that point."""
    process = forked.Process(target=ingest, args=(home, step, folder, point, number))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture
def places(tmp_path):
    """A home that holds the old version of every document, and the folder with the new ones."""
    home, folder = tmp_path / "home", tmp_path / "docs"
    write_all(folder, "old")
    documents, _ = open_home(home, Clock())
    documents.add_path(folder)
    documents.close()
    write_all(folder, "new")
    return home, folder


def check_folder(home, folder):
    """Each document is old or new as a whole and answers; adding again finishes. Returns how many were new."""
    documents, retriever = open_home(home, Clock(day(2)))
    assert agree(documents) and documents.recover() == (0, 0)
    new = set()
    for summary in documents.documents():
        number = int(summary.document.source[:2])
        text = documents.version(summary.document.id).markdown
        assert text in (document(f"file{number}", "old"), document(f"file{number}", "new"))
        word = "new" if text == document(f"file{number}", "new") else "old"
        chunks = documents.chunks(summary.document.id)
        assert len(chunks) == SECTIONS and {chunk.version for chunk in chunks} == {summary.version}
        assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        new |= {number} if word == "new" else set()
        best = retriever.retrieve(f"Sentence part1 of file{number} {word}", 3)[0]
        assert best.chunk.text == f"Sentence part1 of file{number} {word}."
    assert len(documents.documents()) == DOCUMENTS
    results = documents.add_path(folder)
    assert {int(r.source[:2]) for r in results if r.status == "unchanged"} == new
    assert all(r.embedded == 8 for r in results if r.status == "changed")
    assert all(documents.version(s.document.id).markdown.count("new") == 8 for s in documents.documents())
    parts = documents.vectors.ids()
    assert (
        agree(documents) and len(parts["public"]) == DOCUMENTS * SECTIONS and len(parts["public.past"]) == DOCUMENTS * 8
    )
    documents.close()
    return len(new)


@pytest.mark.parametrize(
    ("point", "number", "new"),
    [
        ("before file", 1, 0),  # nothing is done
        ("after file", 15, 0),  # converted, not embedded
        ("before upsert", 1, 0),  # embedded, not written
        ("after upsert", 1, 0),  # the first part of a batch is in Chroma
        ("after upsert", 3, 0),  # almost all of a batch is
        ("before version", 1, 0),  # all vectors of the batch are, no document is
        ("inside INSERT OR REPLACE INTO chunk_words", 6, 0),  # half of a document's words are in the transaction
        ("inside INSERT OR REPLACE INTO chunk_words", 20, 2),  # the same in the third document
        ("inside UPDATE versions SET begins", 1, 0),  # all passages are, but not when they are in force
        ("after version", 1, 1),  # the first is new, its old vectors are among those in force
        ("after version", 22, 22),  # all of the batch are
        ("after upsert", 5, 22),  # some old vectors lie in both parts
        ("before delete", 1, 22),  # all of them do
        ("after delete", 1, 22),  # the second batch has not begun
        ("after version", 23, 23),  # the first of the second batch is new
        ("before version", 40, 39),  # all but the last
    ],
)
def test_a_kill_at_a_chosen_point_leaves_whole_documents(places, point, number, new):
    """Before, between and inside of every kind of write."""
    home, folder = places
    die_at(home, Step("folder", "", day(1)), folder, point, number)

    assert check_folder(home, folder) == new


@pytest.fixture
def small(tmp_path):
    """A home with two versions of one document, and another one."""
    documents, _ = open_home(tmp_path / "home", clock := Clock())
    for number, word in enumerate(("zanzibar", "timbuktu")):
        perform(documents, clock, Step("add", "a.md", day(number), document("a.md", word)), tmp_path)
    perform(documents, clock, Step("add", "b.md", day(1), document("b.md", "stays")), tmp_path)
    documents.close()
    return tmp_path / "home"


def state(documents):
    """Everything that is stored about every document."""
    return {
        document.source: (
            document,
            documents.versions(document.id),
            [documents.chunks(document.id, version.version) for version, _ in documents.versions(document.id)],
        )
        for document in documents.catalog.all_documents()
    }


@pytest.mark.parametrize(
    ("verb", "point", "is_done"),
    [
        ("withdraw", "before dates", False),
        ("withdraw", "inside UPDATE versions SET begins", False),
        ("withdraw", "after dates", True),  # the vectors are still among those in force
        ("withdraw", "after upsert", True),  # they are in both parts
        ("withdraw", "after delete", True),
        ("remove", "inside UPDATE versions SET effective_from", False),
        ("remove", "after dates", True),
        ("rollback", "after upsert", False),  # the old vectors are back, their version is not
        ("rollback", "before version", False),
        ("rollback", "inside INSERT INTO places", False),
        ("rollback", "after version", True),
        ("rollback", "before delete", True),
        ("describe", "before audience", False),
        ("describe", "after audience", True),  # the vectors are among those of everybody, and no answer shows them
        ("describe", "after upsert", True),
        ("describe", "before delete", True),
    ],
)
def test_a_kill_inside_of_a_verb_leaves_it_done_or_not_begun(small, tmp_path, verb, point, is_done):
    """Withdrawing, removing, rolling back, another audience: what is stored is all of it or nothing."""
    step = Step(verb, "a.md", day(2), audience="internal")
    documents, _ = open_home(small, Clock(day(3)))
    before = state(documents)
    documents.close()
    die_at(small, step, tmp_path, point, 1)

    documents, retriever = open_home(small, clock := Clock(day(3)))

    assert agree(documents) and (state(documents) != before) is is_done
    if not is_done:
        perform(documents, clock, step, tmp_path)
    clock.set(3)
    seen = {
        word
        for p in retriever.retrieve("part1 of a.md", 50)
        for word in ("zanzibar", "timbuktu")
        if word in p.chunk.text
    }
    assert seen == ({"zanzibar"} if verb == "rollback" else set()) and agree(documents)
    documents.close()


@pytest.mark.parametrize(
    ("point", "is_done"),
    [
        ("before erase", False),
        ("inside DELETE FROM versions", False),
        ("after erase", True),
        ("after original", True),
        ("before renewal", True),
        ("after upsert", True),
        ("before pointer", True),
        ("after pointer", True),
        ("after renewal", True),
        ("after words", True),
        ("inside VACUUM", True),
        ("after vacuum", True),
        ("after shred", True),
    ],
)
def test_a_kill_inside_of_an_erasure_leaves_all_of_it_or_nothing(small, tmp_path, point, is_done):
    """Once it has begun the next start ends it, and no file has a word of it."""
    die_at(small, Step("erase", "a.md", day(2)), tmp_path, point, 1)

    documents, retriever = open_home(small, Clock(day(3)))

    assert agree(documents) and ("a.md" not in state(documents)) is is_done
    assert on_disk(small, ["zanzibar", "timbuktu"]) == (set() if is_done else {"zanzibar", "timbuktu"})
    assert retriever.retrieve("part1 of b.md stays", 1)[0].document.source == "b.md"
    documents.close()


def on_disk(home, words):
    """Those of the words that any file under the home holds."""
    texts = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    return {word for word in words if any(word.encode() in text for text in texts)}


def make_plan(draw, turn):
    """Changes to some of a dozen documents, last of them a folder of files; every text has a word of its own."""
    steps = []
    for number in range(draw.randrange(2, 7)):
        at = day(turn) + timedelta(seconds=len(steps))
        verb = draw.choice(["add", "add", "add", "rollback", "withdraw", "remove", "describe", "erase"])
        source = f"{draw.choice(['up', 'file'] if verb != 'add' else ['up'])}{draw.randrange(6)}.md"
        text = document(source, f"w{turn}x{number}", 6)
        days, audience = draw.choice([None, None, 0.5, 3]), draw.choice([None, None, "internal", "public"])
        steps.append(
            Step(
                verb, source, at, text, draw.randrange(1, 4), days, audience or ("vip" if verb == "describe" else None)
            )
        )
    at = day(turn) + timedelta(seconds=len(steps))
    files = sorted(draw.sample(range(6), draw.randrange(1, 6)))
    return steps + [Step("file", f"file{n}.md", at, document(f"file{n}.md", f"w{turn}y{n}", 6)) for n in files]


def run_and_kill(home, folder, steps, draw):
    """Start the changes, kill the process after a random number of acknowledgements and a little later; count them."""
    for path in folder.iterdir():
        path.unlink()
    for step in steps:
        if step.verb == "file":
            (folder / step.source).write_text(step.text)
    told, telling = forked.Pipe(duplex=False)
    process = forked.Process(target=live, args=(home, folder, steps, telling))
    process.start()
    telling.close()
    heard = []
    with suppress(EOFError):
        for _ in range(draw.randrange(len(steps) + 2)):
            heard.append(told.recv())
    time.sleep(draw.choice([0.0, draw.uniform(0, 0.02), draw.uniform(0, 0.2)]))
    process.kill()
    with suppress(EOFError):
        while True:
            heard.append(told.recv())
    process.join()
    told.close()
    return len([line for line in heard if line not in ("ready", "finished")])


def check_home(documents, retriever, now):
    """All indexes agree, and each version has the passages that follow from its text, and its original."""
    assert documents.verify() == [] and documents.recover() == (0, 0)
    home = documents.catalog.path.parent
    assert len(list((home / "chroma").iterdir())) == 2
    for stored, versions, chunks in state(documents).values():
        for (version, _), passages in zip(versions, chunks, strict=True):
            assert make_chunks(replace(stored, title=version.title), version, HashEmbedder()) == passages
            original = (home / "originals" / version.original_hash).read_bytes()
            assert hashlib.sha256(original).hexdigest() == version.original_hash
            word = version.markdown.split("part1 of ")[1].split(".\n")[0]
            found = retriever.retrieve(f"part1 of {word}", 3, now, frozenset({"public", "internal", "vip"}))
            is_found = any(p.chunk.text == f"Sentence part1 of {word}." for p in found)
            assert is_found == any(w and w.covers(now) and v.markdown == version.markdown for v, w in versions)


def test_random_kills_lose_nothing_acknowledged(tmp_path):
    """After each kill the home is what the acknowledged changes made of it, or they and the one that was under way."""
    draw = random.Random(2026)
    for turn in range(KILLS):
        if turn % ROUNDS_OF_A_HOME == 0:
            home, folder, forgotten = tmp_path / f"home{turn}", tmp_path / f"docs{turn}", set()
            folder.mkdir()
            clock = Clock()
            reference = make_index(tmp_path / f"reference{turn}", clock=clock)
        steps = make_plan(draw, turn % ROUNDS_OF_A_HOME)
        acknowledged = run_and_kill(home, folder, steps, draw)

        now = steps[-1].at + timedelta(seconds=1)
        documents, retriever = open_home(home, Clock(now))
        for number, step in enumerate(steps):
            if number >= acknowledged and state(documents) == state(reference):
                break
            assert number <= acknowledged, (turn, step)  # at most the one under way is more than was said
            if step.verb == "erase":
                erased = state(reference).get(step.source, (None, [], []))[1]
                forgotten |= {
                    version.markdown.split("part1 of ")[1].split(" ")[1].split(".")[0] for version, _ in erased
                }
            perform(reference, clock, step, folder)
        assert state(documents) == state(reference), (turn, acknowledged)
        check_home(documents, retriever, now)
        assert on_disk(home, forgotten) == set()
        documents.close()
