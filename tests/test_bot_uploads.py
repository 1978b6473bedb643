"""Uploads: out of the cache at once, into the documents or the training folder, one sentence each."""

import json
from datetime import date, timedelta

import pytest

from bot.errors import HomeError
from bot.page import day_text
from bot.uploads import UNSET, add_uploads, empty_transit, keep_transcripts, read_terms, take
from knowledge.indexing import FileResult
from tests.fake_service import RETURNS, SHIPPING, write_transcripts
from tests.knowledge_files import zipped
from tone_tuning.errors import DataSetError

NEXT_WEEK, LAST_WEEK, YESTERDAY = ((date.today() + timedelta(days=n)).isoformat() for n in (7, -7, -1))


def add(service, file, replaces=None, terms=UNSET):
    return add_uploads(service, [file], replaces, lambda *_: None, terms)


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


def test_an_upload_has_the_terms_that_were_set(service, cache):
    """Dates of this machine, audience, review, note, and that it came by the page."""
    (result,) = add(service, cache("returns.md", RETURNS), terms=(NEXT_WEEK, "", "vip, Trade", NEXT_WEEK, " Why "))
    document = service.documents.documents()[0].document
    (version, _), *_ = service.documents.versions(document.id)

    assert result[2] == f"Passages: 2. In force from {day_text(NEXT_WEEK)} on."
    assert day_text(version.effective_from) == day_text(document.review_at) == day_text(NEXT_WEEK)
    assert (document.audience, version.note, version.uploaded_by) == ("trade,vip", "Why", "page")


def test_what_holds_for_the_past_only_is_said(service, cache):
    """An upload that is over already does not answer anybody now."""
    (result,) = add(service, cache("returns.md", RETURNS), terms=(LAST_WEEK, YESTERDAY, "", "", ""))

    assert result[0] == "added" and result[2].endswith("In force only for questions about the past.")
    assert service.documents.documents() == []


def test_terms_that_cannot_be_refuse_the_file_which_is_gone_all_the_same(service, cache, tmp_path):
    """An end before the beginning, a day that is none, an audience that is none."""
    for terms in ((NEXT_WEEK, YESTERDAY, "", "", ""), ("soon", "", "", "", ""), ("", "", "All & sundry", "", "")):
        (result,) = add(service, cache("returns.md", RETURNS), terms=terms)
        assert result[0] == "failed" and any(part in result[2] for part in ("not after", "'soon'", "no audience"))
    assert left(tmp_path) == [] and service.documents.documents(True) == []


def test_empty_terms_leave_what_is_there():
    """None of them is a date or an audience."""
    terms = read_terms(*UNSET)

    assert (terms.effective_from, terms.effective_until, terms.audience, terms.review_at) == (None,) * 4


def test_only_the_audience_may_change(filled, cache):
    """The same text with another audience is no new version, and the sentence says what changed."""
    (result,) = add(filled, cache("returns.md", RETURNS), terms=("", "", "internal", "", ""))

    assert result[0] == "changed" and "for internal now" in result[2] and "Passages" not in result[2]
    assert filled.documents.documents()[0].versions == 1


def test_each_file_of_a_zip_is_a_document_with_a_result_of_its_own(service, cache, tmp_path):
    """One that cannot be read stops no other."""
    packed = zipped({"returns.md": RETURNS.encode(), "shipping.md": SHIPPING.encode(), "photo.png": b"\x89PNG"})
    results = add(service, cache("all.ZIP", packed), terms=("", "", "internal", "", ""))

    assert [(status, name) for status, name, _ in results] == [
        ("added", "all.ZIP/returns.md"), ("added", "all.ZIP/shipping.md"), ("failed", "all.ZIP/photo.png")]  # fmt: skip
    assert {item.document.audience for item in service.documents.documents()} == {"internal"}
    assert left(tmp_path) == []


def test_a_zip_that_is_none_or_should_replace_a_document_is_refused(filled, cache):
    """In one sentence each."""
    chosen = filled.documents.documents()[0].document.id

    assert add(filled, cache("all.zip", b"PK nonsense"))[0][0] == "failed"
    assert "cannot replace" in add(filled, cache("all.zip", zipped({"a.md": RETURNS.encode()})), chosen)[0][2]


def test_what_is_worth_knowing_about_a_file_is_said_beside_its_passages(filled, cache, monkeypatch):
    """A PDF with a page without text, for instance."""
    document = filled.documents.documents()[0].document
    found = FileResult("a.pdf", "changed", document, 5, 2, "Page 3 has no text.")
    monkeypatch.setattr(filled.documents, "add_bytes", lambda *_: found)

    sentence = add(filled, cache("a.pdf", b"%PDF"))[0][2]
    assert sentence == "New passages: 2 of 5. In use from the next answer on. Page 3 has no text."


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
