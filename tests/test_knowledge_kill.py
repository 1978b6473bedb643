"""SIGKILL in the middle of ingesting a changed folder: no half document, and all is mended at the next start."""

import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from knowledge.embedder import HashEmbedder
from knowledge.indexing import open_knowledge
from tests.knowledge_files import agree

pytestmark = pytest.mark.slow

DOCUMENTS, SECTIONS = 40, 12  # 480 passages: two batches of what is embedded together
# Ingests the folder as a server would, on real Chroma. `point` names the call of that number before or after which the
# process kills itself, inside of a statement where the name is that of a table; "none" lets the parent do it.
INGEST = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from knowledge import store
from knowledge.catalog import Catalog
from knowledge.embedder import HashEmbedder
from knowledge.indexing import DocumentIndex, open_knowledge

home, folder, point, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
seen = 0

def die():
    global seen
    seen += 1
    if seen == number:
        os.kill(os.getpid(), signal.SIGKILL)

def kill_around(owner, name, before):
    real = getattr(owner, name)
    def wrapped(*args, **kwargs):
        if before:
            die()
        result = real(*args, **kwargs)
        if not before:
            die()
        return result
    setattr(owner, name, wrapped)

documents, _ = open_knowledge(home, HashEmbedder(), lambda: datetime.now(UTC))
when, _, what = point.partition(" ")
if what == "vectors":
    store.WRITE_BATCH = 50
    kill_around(store.VectorStore, "_do", when == "before")
elif what == "transaction":
    kill_around(Catalog, "make_current", when == "before")
elif what == "statement":
    documents.catalog._db.set_trace_callback(lambda sql: die() if "INSERT INTO chunk_words" in sql else None)
elif what == "file":
    kill_around(DocumentIndex, "_prepare", when == "before")
print("ready", flush=True)
documents.add_path(folder, lambda done, total, name: print(done, flush=True))
print("finished", flush=True)
"""


def document(number, word):
    """Every sentence has the word of its version; the headings and every third section stay the same."""
    sections = [
        f"## Section {n}\n\nSentence part{n} of file{number} {'stays' if n % 3 == 0 else word}.\n"
        for n in range(SECTIONS)
    ]
    return f"# Document file{number}\n\n" + "\n".join(sections)


def write_all(folder, word):
    folder.mkdir(exist_ok=True)
    for number in range(DOCUMENTS):
        (folder / f"{number:02d}.md").write_text(document(number, word))


@pytest.fixture
def places(tmp_path):
    """A home that holds the old version of every document, and the folder with the new ones."""
    home, folder = tmp_path / "home", tmp_path / "docs"
    write_all(folder, "old")
    documents, _ = open_knowledge(home, HashEmbedder(), lambda: datetime.now(UTC))
    documents.add_path(folder)
    documents.close()
    write_all(folder, "new")
    return home, folder


def start(home, folder, point="none", number=0):
    return subprocess.Popen(
        [sys.executable, "-c", INGEST, str(home), str(folder), point, str(number)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )


def check_home(home, folder):
    """Each document is old or new as a whole and answers; adding again finishes. Returns how many were new."""
    documents, retriever = open_knowledge(home, HashEmbedder(), lambda: datetime.now(UTC))
    assert agree(documents)
    new = set()
    for summary in documents.documents():
        number = int(summary.document.source[:2])
        text = documents.version(summary.document.id).markdown
        assert text in (document(number, "old"), document(number, "new"))
        word = "new" if text == document(number, "new") else "old"
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
    assert agree(documents) and len(documents.vectors.ids()) == DOCUMENTS * SECTIONS
    documents.close()
    return len(new)


@pytest.mark.parametrize(
    ("point", "number", "new"),
    [
        ("before file", 1, 0),  # nothing is done
        ("after file", 15, 0),  # converted, not embedded
        ("before vectors", 1, 0),  # embedded, not written
        ("after vectors", 1, 0),  # the first part of a batch is in Chroma
        ("after vectors", 3, 0),  # almost all of a batch is
        ("before transaction", 1, 0),  # all vectors of the batch are, no document is
        ("inside statement", 6, 0),  # half of a document's words are in the transaction
        ("inside statement", 30, 2),  # the same in the third document
        ("after transaction", 1, 1),  # the first is new, its old vectors are still there
        ("after transaction", 23, 23),  # the second batch has not begun
        ("before transaction", 40, 39),  # but for the last
    ],
)
def test_a_kill_at_a_chosen_point_leaves_whole_documents(places, point, number, new):
    """Before, between and inside of every kind of write."""
    with start(*places, point, number) as process:
        process.communicate(timeout=60)

    assert process.returncode == -signal.SIGKILL
    assert check_home(*places) == new


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_any_moment_leaves_whole_documents(places, seed):
    """After a random number of files; a little later, when whatever comes next is under way."""
    draw = random.Random(seed)
    with start(*places) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(draw.randrange(DOCUMENTS)):
            process.stdout.readline()
        time.sleep(draw.uniform(0, 0.02))
        process.kill()

    assert process.returncode in (-signal.SIGKILL, 0)  # it may have been done by then
    check_home(*places)
