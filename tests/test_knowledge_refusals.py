"""Files and folders that cannot be read: each refused with a sentence, and nothing else stopped."""

import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from knowledge.converters import MAX_BYTES
from knowledge.documents import Terms
from knowledge.errors import DocumentNotFound, StoreError, TermsError
from tests.knowledge_files import BAD, checked_index, search, statuses, vector_ids, write, zipped


@pytest.fixture
def index(tmp_path):
    with checked_index(tmp_path / "home") as index:
        yield index


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def test_terms_that_cannot_be_stop_the_folder_before_the_first_file(index, folder):
    """Rather than to fail at each of them."""
    write(folder, "returns.md")

    with pytest.raises(TermsError, match="'v i p' is no audience"):
        index.add_path(folder, terms=Terms(audience="v i p"))
    with pytest.raises(TermsError, match="has no time zone"):
        index.add_path(folder, terms=Terms(effective_from=datetime(2026, 12, 1)))
    assert index.catalog.all_documents() == []


def test_files_that_cannot_be_read_stop_no_other_and_leave_nothing_behind(index, folder):
    """Each is refused with a sentence that names it; neither passage nor vector nor original is kept."""
    for name, data in BAD.items():
        write(folder, f"bad/{name}", data)
    write(folder, "bad/huge.md").open("r+b").truncate(MAX_BYTES + 1)

    results = index.add_path(folder)

    assert [result.status for result in results] == ["failed"] * (len(BAD) + 1)
    assert all(result.message.startswith(f"'{result.source}' ") and ": " in result.message for result in results)
    assert index.documents() == [] and vector_ids(index) == set() and not index.originals.exists()
    write(folder, "good.md")
    assert statuses(index.add_path(folder))["good.md"] == "added"


def test_a_file_that_became_unreadable_leaves_its_old_version_in_force(index, folder):
    """A customer is better served by last week's text than by none."""
    path = write(folder, "returns.md")
    index.add_path(folder)
    path.write_bytes(b"")

    assert statuses(index.add_path(folder)) == {"returns.md": "failed"}
    assert search(index, "how many days do I have?", 1) == ["You have 45 days."]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that not even root can read")
def test_a_file_that_may_not_be_read_is_named(index, folder):
    """With the reason of the system, and the others are added."""
    (folder / "locked.md").symlink_to("/proc/self/mem")
    write(folder, "open.md")

    locked, opened = index.add_path(folder)

    assert (
        locked.message == "'locked.md' cannot be read (Input/output error): check that it is there and its permissions."
    )
    assert opened.status == "added"


def test_a_file_that_vanishes_after_it_was_listed_is_named(index, folder):
    """Somebody tidies up while the folder is read."""
    vanishing = write(folder, "a.md")
    write(folder, "b.md")

    def tidy(done, total, name):
        if name == "a.md":
            vanishing.unlink()

    gone, there = index.add_path(folder, tidy)

    assert (
        gone.message == "'a.md' cannot be read (No such file or directory): check that it is there and its permissions."
    )
    assert there.status == "added"


def test_a_file_name_that_is_no_text_is_refused(index, folder):
    """Neither the catalog nor a page can hold it; the message can be printed and sent."""
    write(folder, os.fsdecode(b"caf\xe9.md"))
    write(folder, "tea.md")
    seen = []

    refused, added = index.add_path(folder, lambda done, total, name: seen.append(name.encode()))

    assert refused.message.encode() == b"'caf\\udce9.md' or its folder has a name that is no text: rename it."
    assert added.status == "added" and seen[0] == b"caf\\udce9.md"
    assert index.add_bytes("\ud800.md", b"text").status == "failed"


def test_a_path_that_does_not_exist_is_a_sentence(index, tmp_path):
    """While an empty folder is no error."""
    (tmp_path / "empty").mkdir()

    assert index.add_path(tmp_path / "empty") == []
    with pytest.raises(DocumentNotFound, match="nowhere' does not exist: check the path"):
        index.add_path(tmp_path / "nowhere")


def test_what_cannot_be_read_in_a_zip_stops_nothing_else(index, folder):
    """Neither in it nor beside it; each is named with the reason."""
    inner = zipped({"x.md": b"text"})
    write(
        folder, "a.zip", zipped({"movie.mp4": b"x", "../out.md": b"text", "b.zip": inner, "good.md": b"# G\n\nGood."})
    )
    write(folder, "broken.zip", b"PK\x03\x04 and then nothing")
    write(folder, "huge.zip").open("r+b").truncate(200 * 2**20)
    write(folder, "z.md")

    started = time.monotonic()
    results = {result.source: result for result in index.add_path(folder)}

    assert {name for name, result in results.items() if result.status == "added"} == {"a.zip/good.md", "z.md"}
    assert "leads out of the ZIP" in results["a.zip/../out.md"].message
    assert "is a ZIP inside a ZIP" in results["a.zip/b.zip"].message
    assert all(f"'{name}'" in result.message for name, result in results.items() if result.status == "failed")
    assert "the limit is 100" in results["huge.zip"].message and time.monotonic() - started < 5


def test_an_original_that_cannot_be_kept_is_a_sentence(index, folder):
    """And no document is added that could not be shown again."""
    write(folder, "a.md")
    index.originals.parent.mkdir(exist_ok=True)
    index.originals.write_text("a file in the way")

    with pytest.raises(StoreError, match=r"The original cannot be kept in '.+originals' \(.+\): free space"):
        index.add_path(folder)
    assert index.documents() == []
