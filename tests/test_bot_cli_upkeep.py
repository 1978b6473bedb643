"""`frontdesk docs`, the upkeep: verify, rebuild-index, erase, over a home folder and through a running server."""

import sqlite3
from contextlib import closing

import pytest

from tests.fake_service import RETURNS, SHIPPING

ASKED = "How many days do I have to return a kettle?"
AGREE = "Catalog, vectors and word index agree.\n"
DAMAGES = {
    "Passages of version 1 of 'returns.md' are not in its text.": "UPDATE passages SET text = 'You have 99 days.' "
    "WHERE text LIKE '%45 days%'",
    "The word index lacks 1 passages": "DELETE FROM chunk_words WHERE rowid = (SELECT min(rowid) FROM chunk_words)",
    "has 1 that are gone": "INSERT INTO chunk_words (rowid, heading, text) VALUES (999, 'Ghost', 'A ghost speaks.')",
    "The calendar of 'returns.md' does not follow": "UPDATE versions SET ends = '2020-01-01' WHERE document_id = "
    "(SELECT id FROM documents WHERE source = 'returns.md')",
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "returns.md").write_text(RETURNS)
    (folder / "shipping.md").write_text(SHIPPING)
    return folder


@pytest.fixture(params=["over the home", "through a server"])
def desk(request, frontdesk, folder):
    """The command line over a home with two documents that came as a folder."""
    if request.param == "through a server":
        request.getfixturevalue("served")
        filled = request.getfixturevalue("filled")
        for name in ("returns.md", "shipping.md"):
            filled.documents.erase(name)
    assert frontdesk("docs", "add", folder).code == 0
    return frontdesk


@pytest.fixture
def change(home):
    """Changes the catalog behind the back of whoever owns it."""

    def change(statement):
        with closing(sqlite3.connect(home / "catalog.db")) as db, db:
            assert db.execute(statement).rowcount > 0

    return change


def refused(ended):
    assert (ended.code, ended.out) == (1, "") and "Traceback" not in ended.err
    return ended.err.splitlines()[-1].removeprefix("frontdesk: ")


def lying_in(folder, text):
    """Files of a folder that have the bytes of a text anywhere."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if text.encode() in path.read_bytes())


def test_a_sound_home_is_verified(desk):
    """Also after every kind of change; exit code 0."""
    ended = desk("docs", "verify")
    assert (ended.code, ended.out, ended.err) == (0, AGREE, "")
    for command in (("audience", "returns.md", "internal"), ("expire", "returns.md", "--until", "2199-01-01"),
                    ("withdraw", "returns.md"), ("rollback", "returns.md", "--to", "1"), ("remove", "shipping.md"),
                    ("erase", "returns.md", "--yes")):  # fmt: skip
        assert desk("docs", *command).code == 0
        assert desk("docs", "verify").out == AGREE


def test_an_empty_home_is_sound(frontdesk):
    """There is nothing to disagree."""
    assert frontdesk("docs", "verify").out == AGREE


@pytest.mark.parametrize("fault", DAMAGES)
def test_damage_is_named_and_mended(desk, change, fault):
    """Exit code 1 with what is wrong and what to do; after --repair all is well and the answer is right."""
    change(DAMAGES[fault])
    said = refused(desk("docs", "verify"))
    assert fault in said and said.endswith("To mend it, run `frontdesk docs verify --repair`.")

    assert (desk("docs", "verify", "--repair").out, desk("docs", "verify").out) == (AGREE, AGREE)
    answer = desk("ask", ASKED).out
    assert "45 days" in answer and "99 days" not in answer


def test_damage_that_cannot_be_mended_is_named_with_the_log(frontdesk, folder, monkeypatch):
    """Repair promises nothing that verify does not see."""
    frontdesk("docs", "add", folder)
    monkeypatch.setattr("knowledge.indexing.DocumentIndex.verify", lambda self: ["One is wrong.", "Two is wrong."])

    assert refused(frontdesk("docs", "verify", "--repair")) == "One is wrong. Two is wrong. To mend it, see the log."


@pytest.mark.parametrize("damage", ["lost", "stray", "misplaced"])
def test_damaged_vectors_are_named_and_mended(frontdesk, served, filled, damage):
    """Missing, of no passage, or where customers would be shown what is for staff."""
    vectors = filled.documents.vectors
    (part, names), *_ = vectors.ids().items()
    name = sorted(names)[0]
    if damage == "lost":
        vectors.delete(part, [name])
    else:
        vector = vectors.get([part], [name])[name]
        vectors.upsert(
            part if damage == "stray" else "internal", ["0" * 20 if damage == "stray" else name], vector[None]
        )
    said = refused(frontdesk("docs", "verify"))
    counts = {"lost": (1, 0, 0), "stray": (0, 1, 0), "misplaced": (0, 0, 1)}[damage]
    assert said.startswith(
        "The vectors lack {} passages, have {} that are gone and {} in a wrong part.".format(*counts)
    )

    assert (frontdesk("docs", "verify", "--repair").out, frontdesk("docs", "verify").out) == (AGREE, AGREE)
    assert "45 days" in frontdesk("ask", ASKED).out


def test_an_index_is_made_anew(desk):
    """From the catalog alone; answers are the same before and after, and it can be done again."""
    before = desk("ask", ASKED).out
    ended = desk("docs", "rebuild-index")

    assert (ended.code, ended.out) == (0, "3 passages are indexed.\n")
    assert desk("docs", "rebuild-index").out == ended.out
    assert desk("ask", ASKED).out == before and desk("docs", "verify").out == AGREE


def test_an_index_without_passages_is_made_anew(frontdesk):
    """Nothing is a number too."""
    assert frontdesk("docs", "rebuild-index").out == "0 passages are indexed.\n"


def test_an_erased_document_leaves_nothing(desk, home):
    """No text in catalog, originals or past answers, whichever version it was; the others stay as they are."""
    assert "45 days" in desk("ask", ASKED).out
    assert len(lying_in(home, "within 45 days of delivery")) >= 2
    ended = desk("docs", "erase", "returns.md", "--yes")

    assert (ended.code, ended.out) == (0, "Erased 'returns.md'.\n")
    assert ended.err == "1 past answers that quoted it were redacted.\n"
    for text in ("within 45 days of delivery", "45 days", "clean and complete", "returns.md"):
        assert lying_in(home, text) == []
    assert "couldn't find that" in desk("ask", ASKED).out
    assert "returns.md" not in desk("docs", "list", "--all").out and "shipping.md" in desk("docs", "list").out
    assert "There is no document" in refused(desk("docs", "erase", "returns.md", "--yes"))
    assert "$7.50" in desk("ask", "How much does express shipping cost?").out


def test_every_version_of_an_erased_document_is_gone(desk, home, folder):
    """Past, planned and withdrawn ones, and what was answered by each."""
    (folder / "returns.md").write_text(RETURNS.replace("45 days", "60 days"))
    desk("docs", "add", folder)
    (folder / "returns.md").write_text(RETURNS.replace("45 days", "90 days"))
    desk("docs", "add", folder, "--from", "2199-01-01")
    assert "60 days" in desk("ask", ASKED).out and "90 days" in desk("ask", ASKED, "--as-of", "2199-02-01").out
    desk("docs", "remove", "returns.md")

    ended = desk("docs", "erase", "returns.md", "--yes")
    assert ended.code == 0 and ended.err == "2 past answers that quoted it were redacted.\n"
    assert [lying_in(home, f"{days} days") for days in (45, 60, 90)] == [[], [], []]
    assert desk("docs", "verify").out == AGREE


def test_a_document_that_was_erased_can_be_added_again(desk, folder):
    """As a new one, whose answers are kept as they are."""
    desk("docs", "erase", "returns.md", "--yes")
    added = desk("docs", "add", folder)

    assert added.out.startswith("1 added, 0 changed, 1 unchanged")
    assert "version 1" in desk("docs", "show", "returns.md").err and "45 days" in desk("ask", ASKED).out


def test_answers_that_did_not_rest_on_an_erased_document_stay(desk, home):
    """Their text and their citations; only what was answered on its ground is taken out."""
    asked = "How much does express shipping cost?"
    assert "$7.50" in desk("ask", asked).out
    desk("docs", "erase", "returns.md", "--yes")

    with closing(sqlite3.connect(home / "frontdesk.db")) as db:
        rows = db.execute("SELECT question, text, record FROM answers").fetchall()
    assert len(rows) == 1 and rows[0][0] == asked and "$7.50" in rows[0][1] and "shipping.md" in rows[0][2]


@pytest.mark.parametrize(
    ("typed", "is_gone"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_without_yes_somebody_has_to_agree(desk, home, typed, is_gone):
    """The title is named, and whatever is no yes leaves everything as it is."""
    ended = desk("docs", "erase", "returns.md", stdin=typed)

    assert "Erase 'Returns' with all its versions? This cannot be undone." in ended.err
    assert (ended.code, ended.out) == ((0, "Erased 'returns.md'.\n") if is_gone else (1, ""))
    assert "Traceback" not in ended.err and is_gone == (ended.err.splitlines()[-1] != "frontdesk: Nothing was erased.")
    assert ("45 days" in desk("ask", ASKED).out) == (not is_gone)


def test_an_unknown_document_is_not_asked_about(desk):
    """The sentence comes before the question."""
    assert "There is no document 'nothing.md'" in refused(desk("docs", "erase", "nothing.md"))
