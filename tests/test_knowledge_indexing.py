"""Folders and files of every format: added, changed, moved, gone, refused, and never twice."""

import os
from pathlib import Path

import pytest

from knowledge.bounded import BoundedConverter
from knowledge.documents import Terms
from knowledge.embedder import HashEmbedder
from knowledge.errors import DocumentNotFound
from knowledge.indexing import open_knowledge
from tests.clock import Clock, day
from tests.knowledge_files import FILES, RETURNS, agree, checked_index, pdf, search, statuses, vector_ids, write, zipped


@pytest.fixture
def index(tmp_path):
    with checked_index(tmp_path / "home") as index:
        yield index


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def state(index):
    """All that adding can change."""
    versions = {d.id: index.versions(d.id) for d in index.catalog.all_documents()}
    return index.documents(), versions, index.vectors.ids(), sorted(index.originals.iterdir())


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
    index.clock = Clock()

    (result,) = index.add_path(path)

    assert (result.source, result.status, result.chunks, result.embedded, result.message) == (
        "returns.md",
        "added",
        2,
        2,
        "",
    )
    version = index.version(result.document.id)
    assert (version.version, version.added_at, version.markdown) == (1, day(0), RETURNS)
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
    before = state(index)

    (result,) = index.add_path(folder)

    assert (result.status, result.chunks, result.embedded) == ("unchanged", 2, 0)
    assert state(index) == before


def test_a_changed_file_replaces_only_the_passages_that_changed(index, folder):
    """The old sentence is found no more; the untouched passage keeps its vector."""
    path = write(folder, "returns.md")
    index.add_path(folder)
    (before,) = index.vectors.ids().values()
    path.write_text(RETURNS.replace("45", "60"))

    (result,) = index.add_path(folder)

    assert (result.status, result.chunks, result.embedded) == ("changed", 2, 1)
    after = index.vectors.ids()
    assert len(after["public"] & before) == len(after["public.past"] & before) == 1
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

    assert (result.chunks, len(vector_ids(index))) == (3, 3)


def test_a_removed_file_that_is_added_again_is_the_next_version(index, folder):
    """Nothing is embedded for it."""
    write(folder, "returns.md")
    document = index.add_path(folder)[0].document
    index.remove("returns.md")
    assert search(index, "how many days do I have?") == [] and index.documents() == []

    (result,) = index.add_path(folder)

    assert (result.status, result.embedded, result.document) == ("added", 0, document)
    assert [s.version for s in index.documents()] == [2]
    assert search(index, "how many days do I have?", 1) == ["You have 45 days."]


def test_files_may_be_added_for_later_and_for_some(index, folder):
    """The terms hold for all files of the folder, or with a pattern their audience for some."""
    for source in ["handbook/a.md", "handbook/b.md"]:
        write(folder, source)
    clock = index.clock = Clock()

    index.add_path(folder, terms=Terms(effective_from=day(3), audience="internal", match="handbook/b*"))

    assert {s.document.source: (s.state, s.document.audience) for s in index.documents()} == {
        "handbook/a.md": ("scheduled", "public"),
        "handbook/b.md": ("scheduled", "internal"),
    }
    assert search(index, "how many days do I have?") == []
    clock.set(3)
    assert search(index, "how many days do I have?", 1) == ["You have 45 days."]


def test_adding_a_folder_again_with_an_audience_changes_that_alone(index, folder):
    """No version and no vector is made, and the message says what changed."""
    write(folder, "returns.md")
    index.add_path(folder)

    (result,) = index.add_path(folder, terms=Terms(audience="internal"))

    assert (result.status, result.embedded) == ("changed", 0)
    assert result.message == "It is for internal now; its text is the same."
    assert len(index.versions(result.document.id)) == 1 and search(index, "how many days do I have?") == []
    assert statuses(index.add_path(folder)) == {"returns.md": "unchanged"}


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

    assert sum(result.embedded for result in results) == len(vector_ids(index)) == 660 + 12


def test_pages_of_a_pdf_are_kept_in_its_passages(index, folder):
    """A citation can name the page."""
    write(folder, "guide.pdf", pdf("Orders start at 250 dollars.", "Quotes stay valid for 21 days."))

    (result,) = index.add_path(folder)

    assert [(c.page, c.text) for c in index.chunks(result.document.id)] == [
        (1, "Orders start at 250 dollars."),
        (2, "Quotes stay valid for 21 days."),
    ]


def test_a_zip_in_a_folder_is_a_folder_of_its_own(index, folder):
    """Each file in it is a document, whose source goes on after the name of the ZIP."""
    write(
        folder, "faq/all.zip", zipped({"returns.md": RETURNS.encode(), "old/hours.md": b"# Hours\n\nWe open at nine."})
    )

    results = index.add_path(folder)

    assert statuses(results) == {"faq/all.zip/returns.md": "added", "faq/all.zip/old/hours.md": "added"}
    assert search(index, "when do you open?", 1) == ["We open at nine."]
    assert set(statuses(index.add_path(folder)).values()) == {"unchanged"}
    assert index.missing_files(folder) == []


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


def test_a_home_is_the_same_after_it_is_opened_again(tmp_path, folder):
    """With Chroma on disk and conversion in a process of its own, as in service."""
    write(folder, "returns.md")
    write(folder, "help.html", b"<title>Help</title><p>Call us at noon.</p>")
    documents, retriever = open_knowledge(tmp_path / "home", HashEmbedder(), Clock())
    assert isinstance(documents.intake.convert, BoundedConverter)
    documents.add_path(folder)
    found = retriever.retrieve("how many days do I have?")
    documents.close()

    again, retriever = open_knowledge(tmp_path / "home", HashEmbedder(), Clock())

    assert [passage.chunk for passage in retriever.retrieve("how many days do I have?")] == [p.chunk for p in found]
    assert statuses(again.add_path(folder)) == {"returns.md": "unchanged", "help.html": "unchanged"}
    assert agree(again)
    again.close()
