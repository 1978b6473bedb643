"""Documents that come as bytes: uploads, ZIPs of them, and items of live sources."""

import pytest

from knowledge.audiences import STAFF
from knowledge.documents import Terms
from knowledge.errors import DocumentNotFound
from tests.clock import Clock, day
from tests.knowledge_files import BAD, checked_index, docx, search, vector_ids, write, zipped

RETURNS = b"# Returns\n\n## Time\n\nYou have 45 days.\n\n## Cost\n\nReturning is free.\n"
LATER = RETURNS.replace(b"45", b"60")
HOW_LONG = "how many days do I have?"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def index(tmp_path, clock):
    with checked_index(tmp_path / "home", clock=clock) as index:
        yield index


def folder_with(tmp_path, *sources):
    """A folder with a file of that text at each source."""
    for source in sources:
        write(tmp_path / "docs", source, RETURNS)
    return tmp_path / "docs"


def state(index):
    versions = {d.id: index.versions(d.id) for d in index.catalog.all_documents()}
    return index.documents(), versions, index.vectors.ids(), sorted(index.originals.iterdir())


def test_an_upload_is_a_document_by_its_file_name(index, clock):
    """Without the path of the sender's machine; a second one of that name is its next version."""
    first = index.add_bytes("C:\\Users\\me\\returns.md", RETURNS)
    clock.set(1)
    second = index.add_bytes("/tmp/returns.md", LATER)

    assert (first.source, first.status, second.status, second.embedded) == ("returns.md", "added", "changed", 1)
    assert first.document.id == second.document.id
    assert index.add_bytes("returns.md", LATER).status == "unchanged"
    assert search(index, HOW_LONG, 1) == ["You have 60 days."]


def test_an_upload_carries_what_is_said_about_it(index):
    """Dates, audience, who, whence and why are kept with its version."""
    terms = Terms(day(2), day(9), "Internal", "", day(30), "ann", "mail of 24 November", "after the board met")
    document = index.add_bytes("returns.md", RETURNS, terms=terms).document

    version = index.version(document.id, 1)
    assert (document.audience, document.review_at) == ("internal", day(30))
    assert (version.effective_from, version.effective_until, version.added_at) == (day(2), day(9), day(0))
    assert (version.uploaded_by, version.origin, version.note) == ("ann", "mail of 24 November", "after the board met")
    assert search(index, HOW_LONG, 1, day(2), STAFF) == ["You have 45 days."] != search(index, HOW_LONG, 1, day(2))


def test_what_is_not_said_stays_as_it_was(index, clock):
    """The next version keeps audience and review date, but has dates of its own."""
    index.add_bytes("returns.md", RETURNS, terms=Terms(audience="vip", review_at=day(30), effective_until=day(20)))
    clock.set(1)

    result = index.add_bytes("returns.md", LATER)

    assert (result.document.audience, result.document.review_at) == ("vip", day(30))
    assert index.version(result.document.id).effective_until is None


def test_the_same_bytes_with_other_dates_are_a_version_of_their_own(index, clock):
    """Nothing is embedded for it; with the same dates again, or none, nothing is done."""
    index.add_bytes("returns.md", RETURNS)
    clock.set(1)
    result = index.add_bytes("returns.md", RETURNS, terms=Terms(effective_until=day(5)))

    assert (result.status, result.embedded) == ("changed", 0)
    assert index.version(result.document.id).effective_until == day(5)
    for terms in (Terms(), Terms(effective_until=day(5)), Terms(effective_from=day(1), effective_until=day(5))):
        assert index.add_bytes("returns.md", RETURNS, terms=terms).status == "unchanged"
    assert index.add_bytes("returns.md", RETURNS, terms=Terms(effective_from=day(9))).status == "changed"
    assert len(index.versions(result.document.id)) == 3


def test_adding_what_is_planned_already_adds_nothing(index):
    """A folder may be added again while its next texts wait for their day."""
    index.add_bytes("returns.md", RETURNS)
    index.add_bytes("returns.md", LATER, terms=Terms(effective_from=day(5)))

    assert index.add_bytes("returns.md", LATER).status == "unchanged"
    assert index.add_bytes("returns.md", LATER, terms=Terms(effective_from=day(5))).status == "unchanged"


def test_an_upload_replaces_the_document_that_is_chosen(index, tmp_path, clock):
    """Whatever its name and format; the document keeps its source."""
    document = index.add_path(folder_with(tmp_path, "policies/returns.md"))[0].document
    clock.set(1)

    result = index.add_bytes("new policy.docx", docx("# Returns", "You have 90 days."), replace=document.id[:8])

    assert (result.status, result.document.id, result.source) == ("changed", document.id, "policies/returns.md")
    assert search(index, HOW_LONG, 1) == ["You have 90 days."]


def test_an_upload_whose_name_fits_one_document_of_a_folder_replaces_it(index, tmp_path):
    """Where two have the name, the person chooses."""
    index.add_path(folder_with(tmp_path, "a/returns.md"))
    assert index.add_bytes("returns.md", b"# R\n\nNew.").source == "a/returns.md"
    index.add_path(folder_with(tmp_path, "b/returns.md"))

    refused = index.add_bytes("returns.md", b"# R\n\nNewer.")

    assert refused.message == "2 documents are called 'returns.md': choose which one it replaces."


def test_an_upload_whose_name_fits_a_file_of_a_zip_replaces_it(index, clock):
    """Otherwise two texts would be in force for one thing."""
    index.add_archive("policies.zip", zipped({"shop/returns.md": RETURNS}))
    clock.set(1)

    assert index.add_bytes("returns.md", LATER).source == "policies.zip/shop/returns.md"
    assert "You have 60 days." in search(index, HOW_LONG) and "You have 45 days." not in search(index, HOW_LONG)


def test_a_removed_document_is_not_replaced_by_its_name(index, tmp_path, clock):
    """An upload of that name is a document of its own, unless the old one is chosen by its id."""
    removed = index.add_path(folder_with(tmp_path, "a/returns.md"))[0].document
    index.remove(removed.id)
    clock.set(1)

    assert index.add_bytes("returns.md", RETURNS).source == "returns.md"
    assert index.add_bytes("returns.md", RETURNS, replace=removed.id).document.id == removed.id


def test_a_zip_is_a_document_for_each_file_in_it(index):
    """By the path in it, and a second ZIP of that name brings the next versions."""
    files = {"returns.md": RETURNS, "en/hours.txt": b"We open at nine."}
    first = index.add_archive("up/policies.zip", zipped(files), Terms(audience="internal"))
    second = index.add_archive("policies.zip", zipped(files | {"en/hours.txt": b"We open at ten."}))

    assert [(r.source, r.status) for r in first] == [
        ("policies.zip/returns.md", "added"),
        ("policies.zip/en/hours.txt", "added"),
    ]
    assert [r.status for r in second] == ["unchanged", "changed"]
    assert {d.audience for d in index.catalog.all_documents()} == {"internal"}
    assert {d.collection for d in index.catalog.all_documents()} == {"uploads"}


def test_a_file_of_a_zip_that_cannot_be_read_stops_no_other(index):
    """Each has a result with the reason, by its path in the ZIP."""
    files = {f"bad/{name}": data for name, data in BAD.items()} | {"returns.md": RETURNS, "../up.md": b"text"}

    results = {r.source: r for r in index.add_archive("all.zip", zipped(files))}

    assert [name for name, r in results.items() if r.status == "added"] == ["all.zip/returns.md"]
    assert len(results) == len(files)
    failed = [r for r in results.values() if r.status == "failed"]
    assert all(r.message.startswith(f"'{r.source}' ") and ": " in r.message for r in failed)
    assert "leads out of the ZIP" in results["all.zip/../up.md"].message


def test_a_zip_that_is_none_is_one_failure(index):
    """With its name."""
    (result,) = index.add_archive("C:\\all.zip", b"no zip")

    assert (result.source, result.status) == ("all.zip", "failed") and result.message.startswith("'all.zip' ")
    assert index.catalog.all_documents() == []


def test_an_item_of_a_live_source_is_a_document_of_that_source(index, clock):
    """Known by what the source calls it, in the format that its name says."""
    address = "https://shop.example/help?page=2"
    terms = Terms(origin=address)
    first = index.add_item("web:shop", address, "page.html", b"<h1>Help</h1><p>Call us at noon.</p>", terms)
    clock.set(1)
    again = index.add_item("web:shop", address, "page.html", b"<h1>Help</h1><p>Call us at one.</p>", terms)
    other = index.add_item("rows:prices", address, "row.md", b"# Kettle\n\nIt costs $39.")

    assert (first.status, again.status, other.status) == ("added", "changed", "added")
    assert first.document.id == again.document.id != other.document.id
    assert (first.document.collection, first.source, first.document.title) == ("web:shop", address, "Help")
    assert index.version(first.document.id).origin == address
    assert search(index, "call us at", 1) == ["Call us at one."]


def test_two_items_that_differ_in_one_letter_are_two_documents(index):
    """Sources may have capital letters, slashes and marks."""
    for source in ["a/B", "a/b", "a/b ", "é"]:
        index.add_item("web:x", source, "x.md", b"# X\n\nText.")

    assert len(index.catalog.all_documents()) == 4


@pytest.mark.parametrize("name", BAD)
def test_an_upload_that_cannot_be_read_changes_nothing(index, name):
    """Not even the document that it should have replaced."""
    index.add_bytes("returns.md", RETURNS)
    before = state(index)

    result = index.add_bytes(name, BAD[name], replace="returns.md")

    assert (result.status, result.document) == ("failed", None)
    assert result.message.startswith(f"'{name}' ")
    assert state(index) == before


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (Terms(audience="no group"), "'no group' is no audience"),
        (Terms(effective_from=day(2), effective_until=day(1)), "is not after the beginning"),
        (Terms(effective_from=day(2).replace(tzinfo=None)), "has no time zone"),
    ],
)
def test_terms_that_cannot_be_are_a_failure_with_a_sentence(index, terms, reason):
    """For an upload, a ZIP and an item alike."""
    results = [
        index.add_bytes("a.md", RETURNS, terms=terms),
        *index.add_archive("a.zip", zipped({"a.md": RETURNS}), terms),
        index.add_item("web:x", "a", "a.md", RETURNS, terms),
    ]

    assert all(r.status == "failed" and reason in r.message for r in results)
    assert index.catalog.all_documents() == [] and vector_ids(index) == set()


def test_an_upload_for_a_document_that_is_not_there_is_refused(index):
    """It does not become a new one by mistake."""
    result = index.add_bytes("a.md", b"# A\n\ntext", replace="nothing.md")

    assert "There is no document 'nothing.md'" in result.message and index.documents() == []


@pytest.mark.parametrize("reference", ["nothing.md", "", "\ud800", "abcdef0"])
def test_an_unknown_reference_is_a_sentence(index, reference):
    """It says where all of them are listed."""
    index.add_bytes("returns.md", RETURNS)

    with pytest.raises(DocumentNotFound, match="`frontdesk docs list` shows all of them"):
        index.get(reference)
