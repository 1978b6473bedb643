"""The way of a document: added, changed, replaced, removed, refused, and catalog and vectors always in agreement."""

import contextlib
import os
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.bounded import BoundedConverter
from knowledge.converters import MAX_BYTES
from knowledge.embedder import HashEmbedder
from knowledge.errors import DocumentNotFound, EmbedderError, KnowledgeError, StoreError
from knowledge.indexing import open_knowledge
from tests.knowledge_files import ENCRYPTED_DOCX, ENCRYPTED_PDF, FILES, agree, docx, make_index, pdf, search

RETURNS = "# Returns\n\n## Time\n\nYou have 45 days.\n\n## Cost\n\nReturning is free.\n"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def index(tmp_path):
    index = make_index(tmp_path / "home")
    yield index
    assert agree(index)
    index.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def write(folder, source, content=RETURNS):
    path = folder / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def statuses(results):
    return {result.source: result.status for result in results}


def test_a_folder_of_all_formats_is_added_and_answers(index, folder):
    """Every file becomes a document whose text is found, whatever its format."""
    for name, (data, _, _) in FILES.items():
        write(folder, name, data)

    results = index.add_path(folder)

    assert statuses(results) == dict.fromkeys(sorted(FILES), "added")
    assert {(s.document.source, s.document.title) for s in index.documents()} == {
        (n, t) for n, (_, t, _) in FILES.items()
    }
    for _, _, sentence in FILES.values():
        assert any(sentence in text for text in search(index, sentence))


def test_a_result_counts_passages_and_what_was_embedded(index, folder):
    """And the version has the clock's date and the file's bytes kept beside."""
    path = write(folder, "returns.md")
    index.clock = lambda: NOON

    (result,) = index.add_path(path)

    assert (result.source, result.status, result.chunks, result.embedded, result.message) == (
        "returns.md",
        "added",
        2,
        2,
        "",
    )
    version = index.version(result.document.id)
    assert (version.version, version.added_at, version.markdown) == (1, NOON, RETURNS)
    assert (index.originals / version.original_hash).read_bytes() == RETURNS.encode()


def test_subfolders_are_read_and_hidden_files_are_not(index, folder):
    """Nor Office's lock files, pipes and links to nowhere."""
    for source in ["b.md", "a/deep/c.md", ".hidden.md", ".git/x.md", "~$b.docx"]:
        write(folder, source)
    os.mkfifo(folder / "pipe.md")
    (folder / "broken.md").symlink_to(folder / "nowhere.md")
    seen = []

    results = index.add_path(folder, lambda done, total, name: seen.append((done, total, name)))

    assert [result.source for result in results] == ["a/deep/c.md", "b.md"]
    assert seen == [(0, 2, "a/deep/c.md"), (1, 2, "b.md"), (2, 2, "done")]


def test_adding_twice_adds_nothing(index, folder):
    """No version, no vector, no file."""
    write(folder, "returns.md")
    index.add_path(folder)
    before = (index.documents(), index.vectors.ids(), sorted(index.originals.iterdir()))

    (result,) = index.add_path(folder)

    assert (result.status, result.chunks, result.embedded) == ("unchanged", 2, 0)
    assert (index.documents(), index.vectors.ids(), sorted(index.originals.iterdir())) == before


def test_a_changed_file_replaces_only_the_passages_that_changed(index, folder):
    """The old sentence is found no more; the untouched passage keeps its vector."""
    path = write(folder, "returns.md")
    index.add_path(folder)
    before = index.vectors.ids()
    path.write_text(RETURNS.replace("45", "60"))

    (result,) = index.add_path(folder)

    assert (result.status, result.chunks, result.embedded) == ("changed", 2, 1)
    assert len(index.vectors.ids() & before) == 1
    assert search(index, "how many days do I have?", 1) == ["You have 60 days."]
    assert not any("45" in text for text in search(index, "45 days"))
    assert [s.version for s in index.documents()] == [2]
    assert index.version(result.document.id, 1).markdown == RETURNS


def test_a_section_that_moves_is_not_embedded_again(index, folder):
    """A passage is known by what it says and the headings it stands under."""
    path = write(folder, "returns.md")
    index.add_path(folder)
    path.write_text("# Returns\n\n## Cost\n\nReturning is free.\n\n## Time\n\nYou have 45 days.\n")

    (result,) = index.add_path(folder)

    assert (result.status, result.embedded) == ("changed", 0)
    assert [chunk.text for chunk in index.chunks(result.document.id)] == ["Returning is free.", "You have 45 days."]


def test_equal_passages_of_one_document_stay_apart(index, folder):
    """Three times the same words are three passages at three places."""
    write(folder, "a.md", "# A\n\n## N\n\nSame.\n\n## N\n\nSame.\n\n## N\n\nSame.\n")

    (result,) = index.add_path(folder)

    assert (result.chunks, len(index.vectors.ids())) == (3, 3)


def test_a_removed_document_disappears_at_once_and_stays_cited(index, folder):
    """Its text is kept for past answers; added again it is the next version."""
    write(folder, "returns.md")
    document = index.add_path(folder)[0].document

    assert index.remove("returns.md") == document

    assert search(index, "how many days do I have?") == [] and index.documents() == []
    assert index.vectors.ids() == set()
    assert index.version(document.id).markdown == RETURNS
    assert statuses(index.add_path(folder)) == {"returns.md": "added"}
    assert [s.version for s in index.documents()] == [2]


def test_removing_twice_is_a_sentence(index, folder):
    """The first removal keeps its date."""
    write(folder, "returns.md")
    document = index.add_path(folder)[0].document
    index.remove(document.id)

    with pytest.raises(DocumentNotFound, match=r"'returns\.md' is removed already: add it again"):
        index.remove(document.id)


def test_one_file_name_in_two_folders_is_two_documents(index, folder, tmp_path):
    """In subfolders and in folders added apart; removing one leaves the others."""
    for source in ["a/index.md", "b/index.md"]:
        write(folder, source, f"# Title\n\nWords of {source[0]}.\n")
    write(tmp_path / "other", "index.md", "# Title\n\nWords of other.\n")
    index.add_path(folder)
    index.add_path(tmp_path / "other")

    assert len({s.document.id for s in index.documents()}) == 3
    with pytest.raises(DocumentNotFound, match="stands for 3 documents: use one of the ids"):
        index.remove("index.md")
    index.remove("a/index.md")
    assert sorted(search(index, "words of")) == ["Words of b.", "Words of other."]


def test_a_folder_and_its_subfolder_bring_no_document_twice(index, folder):
    """In whatever order they are added, and one file of them as well."""
    write(folder, "sub/a.md", "# A\n\nAlpha.\n")
    write(folder, "b.md", "# B\n\nBeta.\n")

    assert statuses(index.add_path(folder / "sub")) == {"a.md": "added"}
    assert statuses(index.add_path(folder)) == {"b.md": "added", "a.md": "unchanged"}
    assert statuses(index.add_path(folder / "sub")) == {"a.md": "unchanged"}
    assert statuses(index.add_path(folder / "sub" / "a.md")) == {"a.md": "unchanged"}
    assert statuses(index.add_path(folder / "b.md")) == {"b.md": "unchanged"}


def test_two_files_of_one_source_in_one_run_have_a_result_each(index, folder):
    """A subfolder added earlier and the folder above may both have an index.md."""
    write(folder, "sub/index.md", "# Sub\n\nAlpha.\n")
    write(folder, "index.md", "# Top\n\nBeta.\n")
    index.add_path(folder / "sub")

    results = index.add_path(folder)

    assert sorted((r.source, r.status) for r in results) == [("index.md", "added"), ("index.md", "unchanged")]


def test_a_file_reached_through_a_link_is_the_same_document(index, folder, tmp_path):
    """The folder it lies in counts, under whatever name it was reached."""
    write(folder, "real.md")
    (folder / "link.md").symlink_to(folder / "real.md")
    (tmp_path / "door").symlink_to(folder)
    index.add_path(folder)

    assert statuses(index.add_path(tmp_path / "door")) == {"link.md": "unchanged", "real.md": "unchanged"}
    assert statuses(index.add_path(folder / "link.md")) == {"link.md": "unchanged"}


def test_a_relative_path_is_the_same_as_an_absolute_one(index, folder, monkeypatch):
    """Wherever the command line stands."""
    write(folder, "a.md")
    index.add_path(folder)
    monkeypatch.chdir(folder)

    assert statuses(index.add_path(Path("."))) == statuses(index.add_path(Path("a.md"))) == {"a.md": "unchanged"}


def test_many_passages_are_written_in_several_batches(index, folder):
    """More than are embedded together, spread over files of all sizes."""
    for number in range(12):
        write(
            folder,
            f"{number}.md",
            "".join(f"# Title {n}\n\nText {n} of {number}.\n\n" for n in range(number * 10)) + "# End\n\nEnd.",
        )

    results = index.add_path(folder)

    assert sum(result.embedded for result in results) == len(index.vectors.ids()) == 660 + 12


def test_pages_of_a_pdf_are_kept_in_its_passages(index, folder):
    """A citation can name the page."""
    write(folder, "guide.pdf", pdf("Orders start at 250 dollars.", "Quotes stay valid for 21 days."))

    (result,) = index.add_path(folder)

    assert [(c.page, c.text) for c in index.chunks(result.document.id)] == [
        (1, "Orders start at 250 dollars."),
        (2, "Quotes stay valid for 21 days."),
    ]


BAD = {
    "damaged.pdf": b"%PDF-1.4 and then nothing",
    "empty.md": b"",
    "encrypted.docx": ENCRYPTED_DOCX,
    "encrypted.pdf": ENCRYPTED_PDF,
    "movie.mp4": b"moving pictures",
    "redirect.md": b"---\nredirect_to: /elsewhere/\n---\n",
    "scan.pdf": pdf(""),
    "wrong.docx": b"<p>no docx</p>",
    "wrong.txt": docx("A letter."),
}


def test_files_that_cannot_be_read_stop_no_other_and_leave_nothing_behind(index, folder):
    """Each is refused with a sentence that names it; neither passage nor vector nor original is kept."""
    for name, data in BAD.items():
        write(folder, f"bad/{name}", data)
    write(folder, "bad/huge.md").open("r+b").truncate(MAX_BYTES + 1)

    results = index.add_path(folder)

    assert [result.status for result in results] == ["failed"] * 10
    assert all(result.message.startswith(f"'{result.source}' ") and ": " in result.message for result in results)
    assert index.documents() == [] and index.vectors.ids() == set() and not index.originals.exists()
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


def test_files_that_are_gone_are_told_from_those_that_are_there(index, folder, tmp_path):
    """For the folder that was asked for, or a subfolder of it; uploads have no file to miss."""
    for source in ["a.md", "sub/b.md", "sub/c.md"]:
        write(folder, source)
    index.add_path(folder)
    index.add_bytes("upload.md", b"# U\n\ntext")
    (folder / "a.md").unlink()
    (folder / "sub/b.md").unlink()

    assert [d.source for d in index.missing_files(folder)] == ["a.md", "sub/b.md"]
    assert [d.source for d in index.missing_files(folder / "sub")] == ["sub/b.md"]
    assert index.missing_files(tmp_path) == []


def test_an_upload_is_a_document_by_its_file_name(index):
    """Without the path of the sender's machine; a second one of that name is its next version."""
    first = index.add_bytes("C:\\Users\\me\\returns.md", RETURNS.encode())
    second = index.add_bytes("/tmp/returns.md", RETURNS.replace("45", "60").encode())

    assert (first.source, first.status, second.status, second.embedded) == ("returns.md", "added", "changed", 1)
    assert first.document.id == second.document.id
    assert index.add_bytes("returns.md", RETURNS.replace("45", "60").encode()).status == "unchanged"


def test_an_upload_replaces_the_document_that_is_chosen(index, folder):
    """Whatever its name and format; the document keeps its source."""
    write(folder, "policies/returns.md")
    document = index.add_path(folder)[0].document

    result = index.add_bytes("new policy.docx", docx("# Returns", "You have 90 days."), replace=document.id[:8])

    assert (result.status, result.document.id, result.source) == ("changed", document.id, "policies/returns.md")
    assert search(index, "how many days do I have?", 1) == ["You have 90 days."]


def test_an_upload_whose_name_fits_one_document_of_a_folder_replaces_it(index, folder):
    """Where two have the name, the person chooses."""
    write(folder, "a/returns.md")
    index.add_path(folder)
    assert index.add_bytes("returns.md", b"# R\n\nNew.").source == "a/returns.md"
    write(folder, "b/returns.md")
    index.add_path(folder)

    refused = index.add_bytes("returns.md", b"# R\n\nNewer.")

    assert refused.message == "2 documents are called 'returns.md': choose which one it replaces."


@pytest.mark.parametrize("name", BAD)
def test_an_upload_that_cannot_be_read_changes_nothing(index, name):
    """Not even the document that it should have replaced."""
    index.add_bytes("returns.md", RETURNS.encode())
    before = (index.documents(), index.vectors.ids(), sorted(index.originals.iterdir()))

    result = index.add_bytes(name, BAD[name], replace="returns.md")

    assert (result.status, result.document) == ("failed", None)
    assert result.message.startswith(f"'{name}' ")
    assert (index.documents(), index.vectors.ids(), sorted(index.originals.iterdir())) == before


def test_an_upload_for_a_document_that_is_not_there_is_refused(index):
    """It does not become a new one by mistake."""
    result = index.add_bytes("a.md", b"# A\n\ntext", replace="nothing.md")

    assert "There is no document 'nothing.md'" in result.message and index.documents() == []


@pytest.mark.parametrize("reference", ["nothing.md", "", "\ud800", "abcdef0"])
def test_an_unknown_reference_is_a_sentence(index, reference):
    """It says where all of them are listed."""
    index.add_bytes("returns.md", RETURNS.encode())

    with pytest.raises(DocumentNotFound, match="`frontdesk docs list` shows all of them"):
        index.get(reference)


class BrokenEmbedder(HashEmbedder):
    """Fails like a machine without memory when a text has the word "boom" in it."""

    def embed(self, texts):
        if any("boom" in text for text in texts):
            raise EmbedderError("The embedding model 'broken' failed: free memory and try again.")
        return super().embed(texts)


def test_an_embedder_that_fails_leaves_the_old_version(index, folder):
    """Nothing of the new one is written."""
    index.embedder = BrokenEmbedder()
    path = write(folder, "returns.md")
    index.add_path(folder)
    path.write_text(RETURNS.replace("45", "boom"))

    with pytest.raises(EmbedderError):
        index.add_path(folder)

    assert agree(index)
    assert search(index, "how many days do I have?", 1) == ["You have 45 days."]


def test_a_catalog_that_fails_in_the_middle_leaves_whole_documents_and_no_stray_vector(index, folder):
    """Files before the fault are in, those after it are not."""
    for name in ["a.md", "b.md", "c.md"]:
        write(folder, name, f"# {name}\n\nText of {name}.\n")
    db = sqlite3.connect(index.catalog.path)
    db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON documents WHEN new.source = 'b.md' "
        "BEGIN SELECT raise(ABORT, 'disk is full'); END"
    )
    db.commit()

    with pytest.raises(StoreError, match=r"failed \(disk is full\): check disk space"):
        index.add_path(folder)

    assert agree(index)
    assert [s.document.source for s in index.documents()] == ["a.md"]
    db.execute("DROP TRIGGER full")
    db.commit()
    db.close()
    assert statuses(index.add_path(folder)) == {"a.md": "unchanged", "b.md": "added", "c.md": "added"}


def test_an_original_that_cannot_be_kept_is_a_sentence(index, folder):
    """And no document is added that could not be shown again."""
    write(folder, "a.md")
    index.originals.parent.mkdir(exist_ok=True)
    index.originals.write_text("a file in the way")

    with pytest.raises(StoreError, match=r"The original cannot be kept in '.+originals' \(.+\): free space"):
        index.add_path(folder)
    assert index.documents() == []


def test_recovery_removes_stray_vectors_and_embeds_bare_passages(index):
    """Whatever a kill left; a second look finds nothing to do."""
    index.add_bytes("returns.md", RETURNS.encode())
    whole = dict(index.vectors.vectors)
    index.vectors.delete([next(iter(whole))])
    index.vectors.upsert(["stray"], index.embedder.embed(["stray"]))

    assert index.recover() == (1, 1)

    assert index.vectors.ids() == whole.keys()
    assert all((index.vectors.vectors[name] == vector).all() for name, vector in whole.items())
    assert index.recover() == (0, 0)


def test_threads_may_change_the_same_documents(index):
    """Every version has a number of its own, and no half of one is left."""

    def change(worker):
        for turn in range(6):
            index.add_bytes("a.md", f"# A\n\n## One\n\nText {worker}.\n\n## Two\n\nText {turn}.\n".encode())
            if turn == 3:
                with contextlib.suppress(KnowledgeError):
                    index.remove("a.md")

    threads = [threading.Thread(target=change, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert agree(index)
    (summary,) = index.documents()
    assert summary.chunks == 2
    assert index.catalog.last_number(summary.document.id) == summary.version


def test_a_home_is_the_same_after_it_is_opened_again(tmp_path, folder):
    """With Chroma on disk and conversion in a process of its own, as in service."""
    write(folder, "returns.md")
    write(folder, "help.html", b"<title>Help</title><p>Call us at noon.</p>")
    documents, retriever = open_knowledge(tmp_path / "home", HashEmbedder(), lambda: NOON)
    assert isinstance(documents.convert, BoundedConverter)
    documents.add_path(folder)
    found = retriever.retrieve("how many days do I have?")
    documents.close()

    again, retriever = open_knowledge(tmp_path / "home", HashEmbedder(), lambda: NOON)

    assert [passage.chunk for passage in retriever.retrieve("how many days do I have?")] == [p.chunk for p in found]
    assert statuses(again.add_path(folder)) == {"returns.md": "unchanged", "help.html": "unchanged"}
    assert agree(again)
    again.close()


class OtherEmbedder(HashEmbedder):
    """Another model, of another width."""

    name = "other"
    dimensions = 64


def test_vectors_are_made_again_when_they_are_gone_or_of_another_model(tmp_path):
    """The catalog is the truth, from which they can be rebuilt."""
    import shutil

    documents, _ = open_knowledge(tmp_path, HashEmbedder(), lambda: NOON)
    documents.add_bytes("returns.md", RETURNS.encode())
    documents.close()
    shutil.rmtree(tmp_path / "chroma")

    for embedder in [HashEmbedder(), OtherEmbedder()]:
        documents, retriever = open_knowledge(tmp_path, embedder, lambda: NOON)
        assert agree(documents)
        assert retriever.retrieve("how many days do I have?")[0].chunk.text == "You have 45 days."
        documents.close()


bodies = st.lists(
    st.sampled_from(["# A\n\nAlpha.", "# B\n\nBeta.", "Gamma, 5 €.", "- one\n- two", "| a | b |"]), max_size=5
)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["write", "upload"]), st.integers(0, 3), bodies),
        st.tuples(st.sampled_from(["add", "add one", "remove", "unlink", "reopen"]), st.integers(0, 3), st.none()),
    ),
    max_size=15,
)
SOURCES = ["a.md", "b.md", "sub/a.md", "sub/c.txt"]


@settings(deadline=None, max_examples=60)
@given(steps)
def test_any_sequence_of_changes_keeps_catalog_words_and_vectors_in_agreement(tmp_path_factory, steps):
    """What is stored is always the last text that could be read of each document, and nothing else."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("docs")
    index = make_index(home)
    truth: dict[Path, str] = {}
    for verb, number, body in steps:
        if verb == "reopen":
            index.catalog.close()
            index = make_index(home, index.vectors)
        else:
            _step(index, truth, verb, folder / SOURCES[number], "\n\n".join(body or []))
        assert {_place(d): index.version(d.id).markdown for d in index.catalog.all_documents()} == truth
        assert agree(index)
        assert index.recover() == (0, 0)
    index.close()


def _step(index, truth, verb, file, text):
    """Do one step on the index and the same to `truth`, which maps the places of documents to their texts."""
    if verb == "write":
        write(file.parent, file.name, text)
    elif verb == "unlink":
        file.unlink(missing_ok=True)
    elif verb == "remove" and file in truth:
        index.remove(next(d.id for d in index.catalog.all_documents() if _place(d) == file))
        del truth[file]
    elif verb == "upload":
        result = index.add_bytes(f"up-{file.name}", text.encode())
        if result.document:
            truth[_place(result.document)] = text
    elif verb == "add" or (verb == "add one" and file.exists()):
        top = file.parent.parent if file.parent.name == "sub" else file.parent
        for result in index.add_path(top if verb == "add" else file):
            if result.document:
                truth[_place(result.document)] = _place(result.document).read_text()


def _place(document):
    return Path(document.collection, document.source)
