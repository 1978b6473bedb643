"""Uploads: out of the cache at once, into the documents or the training folder, one sentence each."""

import json

import pytest

from bot.errors import HomeError
from bot.uploads import add_uploads, empty_transit, keep_transcripts, take
from tests.fake_service import RETURNS, SHIPPING, write_transcripts
from tone_tuning.errors import DataSetError


def left(tmp_path):
    return list((tmp_path / "cache").rglob("*"))


def test_taking_an_upload_leaves_nothing_behind(cache, tmp_path):
    """Neither the file nor its folder stays where another visitor could open it."""
    assert take(cache("a.md", "text")) == b"text"
    assert left(tmp_path) == []


def test_a_new_start_empties_the_cache(home):
    """An upload that a kill cut short waits for nobody."""
    left = empty_transit(home) / "0a1b"
    left.mkdir(parents=True)
    (left / "secret.md").write_text("text")

    assert empty_transit(home) == left.parent and not left.exists()


def test_a_bad_file_stops_no_other_and_all_are_gone_from_the_cache(service, cache, tmp_path):
    """Each file has its result, in the order of the upload."""
    files = [cache("photo.png", b"\x89PNG"), cache("returns.md", RETURNS), cache("empty.md", " ")]
    seen = []
    results = add_uploads(service, files, None, lambda done, name: seen.append((done, name)))

    assert [(status, name) for status, name, _ in results] == [
        ("failed", "photo.png"), ("added", "returns.md"), ("failed", "empty.md")]  # fmt: skip
    assert "no format we read" in results[0][2] and "empty" in results[2][2]
    assert seen == [(0, "photo.png"), (1, "returns.md"), (2, "empty.md")]
    assert left(tmp_path) == []


def test_the_same_name_is_the_next_version(service, cache):
    """Added, then unchanged, then changed with the number of passages that are new."""
    texts = [RETURNS, RETURNS, RETURNS.replace("45 days", "60 days")]
    results = [add_uploads(service, [cache("returns.md", text)], None, lambda *_: None)[0] for text in texts]

    assert [status for status, _, _ in results] == ["added", "unchanged", "changed"]
    assert "same already" in results[1][2]
    assert "New passages: 1 of 2." in results[2][2]
    assert service.documents.documents()[0].version == 2


def test_a_chosen_document_is_replaced_under_its_own_name(filled, cache):
    """An upload of another name becomes the next version of the document that was chosen."""
    chosen = next(item.document for item in filled.documents.documents() if item.document.source == "returns.md")
    results = add_uploads(
        filled, [cache("new rules.md", "# Rules\n\nReturns within 9 days.\n")], chosen.id, lambda *_: None
    )

    assert results[0][0] == "changed"
    assert filled.documents.documents()[0].document.source == "returns.md"
    assert "9 days" in filled.documents.version(chosen.id).markdown


def test_several_files_cannot_replace_one_document(filled, cache, tmp_path):
    """They are refused, and are gone from the cache all the same."""
    chosen = filled.documents.documents()[0].document
    files = [cache("a.md", RETURNS), cache("b.md", SHIPPING)]

    assert {status for status, _, _ in add_uploads(filled, files, chosen.id, lambda *_: None)} == {"failed"}
    assert left(tmp_path) == []
    assert filled.documents.documents()[0].version == 1


def test_a_document_that_is_gone_cannot_be_replaced(service, cache):
    """The sentence names it."""
    (result,) = add_uploads(service, [cache("a.md", RETURNS)], "000000000000", lambda *_: None)

    assert result[0] == "failed" and "000000000000" in result[2]


def test_transcripts_are_kept_in_the_home_folder_and_counted(home, cache, tmp_path):
    """A stopped run can go on from there after the page is closed."""
    rows = write_transcripts(tmp_path / "rows.jsonl", 5).read_bytes()
    kept, count = keep_transcripts(home, cache("rows.jsonl", rows))

    assert (kept, count) == (home / "training" / "rows.jsonl", 5)
    assert kept.read_bytes() == rows
    assert left(tmp_path) == []


def test_faulty_transcripts_are_refused_at_once_and_leave_the_good_ones(home, cache, tmp_path):
    """All faulty rows are named; a file of the same name that a run may still read is not touched."""
    good = write_transcripts(tmp_path / "rows.jsonl", 5).read_bytes()
    kept, _ = keep_transcripts(home, cache("rows.jsonl", good))
    bad = json.dumps({"messages": [{"role": "user", "content": "Hello"}]}) + "\nno json\n"

    with pytest.raises(DataSetError, match=r"2 faulty rows.*row 1.*row 2"):
        keep_transcripts(home, cache("rows.jsonl", bad))
    assert kept.read_bytes() == good
    assert sorted(path.name for path in (home / "training").rglob("*")) == ["incoming", "rows.jsonl"]
    assert left(tmp_path) == []


def test_a_home_without_room_says_so(home, cache, tmp_path):
    """A file where the folder should be stands for any refusal of the disk."""
    home.mkdir()
    (home / "training").write_text("in the way")

    with pytest.raises(HomeError, match="cannot be kept"):
        keep_transcripts(home, cache("rows.jsonl", write_transcripts(tmp_path / "r.jsonl", 2).read_bytes()))
