"""`frontdesk docs`: add, list, show, remove, search, for whom and from when, and how each of them refuses."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from knowledge.reader import MiniLmReader
from knowledge.reranker import Reranker
from tests.fake_service import RETURNS, SHIPPING, make_service


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "policies"
    (folder / "sub").mkdir(parents=True)
    (folder / "returns.md").write_text(RETURNS)
    (folder / "sub" / "shipping.md").write_text(SHIPPING)
    return folder


@pytest.fixture
def added(frontdesk, folder):
    assert frontdesk("docs", "add", folder).code == 0
    return folder


def test_a_folder_is_added_with_all_its_subfolders(frontdesk, folder):
    """Sources keep their relative path; adding it again does nothing."""
    first, second = frontdesk("docs", "add", folder), frontdesk("docs", "add", folder)

    assert (first.code, first.out) == (0, "2 added, 0 changed, 0 unchanged, 0 failed; 3 passages embedded.\n")
    assert (second.code, second.out) == (0, "0 added, 0 changed, 2 unchanged, 0 failed; 0 passages embedded.\n")
    assert "sub/shipping.md" in frontdesk("docs", "list").out


def test_only_what_changed_is_embedded_again(frontdesk, added):
    """One passage of three."""
    (added / "returns.md").write_text(RETURNS.replace("45 days", "60 days"))

    assert frontdesk("docs", "add", added).out == "0 added, 1 changed, 1 unchanged, 0 failed; 1 passages embedded.\n"
    assert "60 days" in frontdesk("ask", "How many days do I have to return a kettle?").out


def test_files_that_fail_are_degraded_and_stop_no_other(frontdesk, folder):
    """Front matter without a text, and a format we do not read: exit code 3 and a line for each on stderr."""
    (folder / "empty.md").write_text("---\ntitle: Nothing but a title\n---\n")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    ended = frontdesk("docs", "add", folder)

    assert ended.code == 3 and ended.out.startswith("2 added, 0 changed, 0 unchanged, 2 failed;")
    lines = [line for line in ended.err.splitlines() if line.startswith("degraded: ")]
    assert len(lines) == 2 and "'empty.md' has no text" in lines[0] and "'photo.png' is no format we read" in lines[1]


def refused(ended):
    assert ended.code == 1 and "Traceback" not in ended.err
    *_, last = ended.err.splitlines()
    assert last.startswith("frontdesk: ")
    return last


def test_a_folder_of_which_every_file_fails_is_an_error(frontdesk, tmp_path):
    """One sentence with the reasons, exit code 1."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.md").write_text("---\ntitle: A\n---\n")
    (folder / "b.md").write_text(" ")

    said = refused(frontdesk("docs", "add", folder))
    assert f"None of the 2 files in '{folder}' could be added: " in said and "'a.md'" in said and "'b.md'" in said


def test_a_single_file_that_fails_is_its_own_sentence(frontdesk, tmp_path):
    """Nothing to count there."""
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")

    assert refused(frontdesk("docs", "add", tmp_path / "photo.png")).startswith(
        "frontdesk: 'photo.png' is no format we read"
    )


def test_an_empty_folder_and_a_missing_path_are_errors(frontdesk, tmp_path):
    """Most likely a typing error: nothing was added, so it is not a success."""
    (tmp_path / "empty").mkdir()

    assert "There are no files in" in refused(frontdesk("docs", "add", tmp_path / "empty"))
    assert "does not exist" in refused(frontdesk("docs", "add", tmp_path / "nowhere"))


def test_files_that_are_gone_are_told_and_pruned_on_request(frontdesk, added):
    """They answer until somebody says that they should not."""
    (added / "returns.md").unlink()
    told = frontdesk("docs", "add", added)
    assert told.code == 0 and "'returns.md' is no longer in the folder but still answers" in told.err
    assert "2 documents" in frontdesk("docs", "list").out

    pruned = frontdesk("docs", "add", added, "--prune")
    assert "Removed 'returns.md': its file is gone." in pruned.err
    assert "1 documents" in frontdesk("docs", "list").out


def test_a_folder_that_was_emptied_can_be_pruned(frontdesk, added):
    """No file is left to add, and that is not an error here."""
    (added / "returns.md").unlink()
    (added / "sub" / "shipping.md").unlink()

    assert frontdesk("docs", "add", added, "--prune").code == 0
    assert "0 documents" in frontdesk("docs", "list").out


def test_the_list_has_a_row_for_each_document(frontdesk, added):
    """Id, source, title, version, date, passages."""
    ended = frontdesk("docs", "list")
    row = next(line for line in ended.out.splitlines() if "returns.md" in line).split()

    assert ended.code == 0 and ended.out.endswith("2 documents\n")
    assert len(row[0]) == 12 and row[1:4] == ["returns.md", "Returns", "1"] and row[-1] == "2"


def test_the_stored_text_can_be_shown_whole_and_from_an_offset(frontdesk, added):
    """The text alone on stdout; what it is on stderr."""
    whole, part = (
        frontdesk("docs", "show", "returns.md"),
        frontdesk("docs", "show", "returns.md", "--at", RETURNS.index("Gift")),
    )

    assert (whole.code, whole.out.strip()) == (0, RETURNS.strip())
    assert "Returns · returns.md · version 1 · 20" in whole.err
    assert part.out.startswith("Gift cards cannot be returned.")


def test_a_long_text_is_cut_and_says_how_much_is_left(frontdesk, tmp_path):
    """From the offset on, 1,200 characters."""
    (tmp_path / "long.md").write_text("# Long\n\n" + "Word after word. " * 200)
    frontdesk("docs", "add", tmp_path / "long.md")

    assert "more characters" in frontdesk("docs", "show", "long.md", "--at", "8").err


def test_an_earlier_version_can_be_shown(frontdesk, added):
    """The newest is the default."""
    (added / "returns.md").write_text(RETURNS.replace("45 days", "60 days"))
    frontdesk("docs", "add", added)

    assert "60 days" in frontdesk("docs", "show", "returns.md").out
    assert "45 days" in frontdesk("docs", "show", "returns.md", "--version", "1").out
    assert "9" in refused(frontdesk("docs", "show", "returns.md", "--version", "9"))


def test_a_removed_document_answers_no_more(frontdesk, added):
    """By its file name, its path or its id; a second time there is nothing to take away."""
    assert frontdesk("docs", "remove", "sub/shipping.md").out == "Removed 'sub/shipping.md'.\n"
    assert "shipping" not in frontdesk("docs", "search", "express shipping").out
    assert "'sub/shipping.md' is removed already" in refused(frontdesk("docs", "remove", "sub/shipping.md"))
    assert "sub/shipping.md" not in frontdesk("docs", "list").out
    assert "past: 20" in frontdesk("docs", "list", "--all").out


@pytest.mark.parametrize("verb", ["show", "remove"])
def test_an_unknown_document_is_one_sentence(frontdesk, verb):
    """It names the command that lists them."""
    assert "frontdesk docs list" in refused(frontdesk("docs", verb, "nothing.md"))


def test_a_search_shows_passages_with_their_scores(frontdesk, added):
    """Best first, at most as many as were asked for."""
    ended = frontdesk("docs", "search", "how many days to return a kettle", "--top-k", "1")

    assert ended.code == 0 and ended.out.startswith("1. returns.md > Returns > Time limits  score 0.")
    assert "within 45 days" in ended.out and "\n2. " not in ended.out


def test_a_search_whose_reader_is_broken_keeps_its_order_and_ends_as_degraded(frontdesk, added, monkeypatch, tmp_path):
    """The passages are still shown; stderr says why they stand as they do."""

    def open_broken(settings, purpose="test", *_):
        service = make_service(settings.home, settings, purpose)
        service.bot.retriever.rerank = reranker = Reranker(MiniLmReader(tmp_path / "no head"))
        return replace(service, reranker=reranker)

    monkeypatch.setattr("bot.service.open_service", open_broken)
    ended = frontdesk("docs", "search", "return a kettle", "--rerank")

    assert ended.code == 3 and ended.out.startswith("1. returns.md")
    assert "degraded: Passages are in the order of the search: The reader head in" in ended.err


def test_a_search_that_finds_nothing_says_so(frontdesk):
    """No output is not a failure."""
    ended = frontdesk("docs", "search", "anything")

    assert (ended.code, ended.out, ended.err) == (0, "", "Nothing relevant was found.\n")


def test_brackets_in_a_document_are_text_in_the_terminal_too(frontdesk, tmp_path):
    """The terminal's own markup must not eat them."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "[.md").write_text(
        "# A [bold]b[/bold]\n\nPress [red]stop[/red] and [/] to return a kettle.\n"
    )
    (tmp_path / "documents" / "[x] end [").mkdir()
    (tmp_path / "documents" / "[x] end [" / "] a.md").write_text("# Other\n\nSomething else.\n")
    assert frontdesk("docs", "add", tmp_path / "documents").code == 0

    assert "[red]stop[/red] and [/]" in frontdesk("docs", "show", "[.md").out
    assert "[red]stop[/red] and [/]" in frontdesk("docs", "search", "return a kettle").out
    assert "[red]stop[/red]" in frontdesk("ask", "How to return a kettle?").out
    listed = frontdesk("docs", "list").out
    assert "A [bold]b[/bold]" in listed and "[x] end [/] a.md" in listed


def test_a_running_server_keeps_the_documents(frontdesk, served, filled, folder):
    """Every verb goes to it, and its own next answer follows."""
    assert frontdesk("docs", "add", folder).code == 0
    (folder / "returns.md").unlink()
    assert "no longer in the folder" in frontdesk("docs", "add", folder).err
    assert len(filled.documents.documents()) == 4
    assert "4 documents" in frontdesk("docs", "list").out
    assert frontdesk("docs", "remove", "sub/shipping.md").code == 0
    assert len(filled.documents.documents()) == 3
    assert "does not exist" in refused(frontdesk("docs", "add", folder / "nowhere"))


INTERNAL = """# Internal: Goodwill

Staff may give $40 back for a kettle that was returned late.
"""


@pytest.fixture
def mixed(folder):
    """Two documents for everybody, one whose title and one whose path says that it is for staff."""
    (folder / "goodwill.md").write_text(INTERNAL)
    (folder / "staff").mkdir()
    (folder / "staff" / "rota.md").write_text("# Rota\n\nTea breaks for the kettle desk begin at ten.\n")
    return folder


def audiences(frontdesk):
    """Source -> audience, of the list."""
    rows = [line.split() for line in frontdesk("docs", "list").out.splitlines()[1:-1]]
    return {row[1]: row[-2] for row in rows}


def found(frontdesk, query, audience=""):
    """Sources that a search finds."""
    ended = frontdesk("docs", "search", query, "--top-k", 20, "--audience", audience)
    return {line.split(". ", 1)[1].split(" > ")[0] for line in ended.out.splitlines() if "  score " in line}


@pytest.mark.parametrize(
    ("pattern", "internal"),
    [
        ("Internal:*", {"goodwill.md"}),
        ("staff/*", {"staff/rota.md"}),
        ("rota.md", {"staff/rota.md"}),
        ("*", {"goodwill.md", "staff/rota.md", "returns.md", "sub/shipping.md"}),
        ("internal:*", set()),
    ],
)
def test_only_documents_that_match_get_the_audience(frontdesk, mixed, pattern, internal):
    """A pattern for the title, the path or the file name; the rest stays public."""
    ended = frontdesk("docs", "add", mixed, "--audience", "internal", "--match", pattern)

    assert ended.code == 0 and ended.out.startswith("4 added")
    assert {source for source, audience in audiences(frontdesk).items() if audience == "internal"} == internal
    assert found(frontdesk, "kettle").isdisjoint(internal)
    assert found(frontdesk, "late kettle tea breaks", "internal") >= internal - {"returns.md", "sub/shipping.md"}


def test_a_folder_added_again_without_options_keeps_its_audiences(frontdesk, mixed):
    """Unchanged files and changed ones; a new one is public until somebody says otherwise."""
    frontdesk("docs", "add", mixed, "--audience", "internal", "--match", "Internal:*")
    (mixed / "goodwill.md").write_text(INTERNAL.replace("$40", "$60").replace("Internal: ", ""))
    (mixed / "new.md").write_text("# Internal: new\n\nNew.\n")
    ended = frontdesk("docs", "add", mixed)

    assert ended.out.startswith("1 added, 1 changed, 3 unchanged")
    assert audiences(frontdesk) == {"goodwill.md": "internal", "new.md": "public", "returns.md": "public",
                                    "staff/rota.md": "public", "sub/shipping.md": "public"}  # fmt: skip
    assert "goodwill.md" not in found(frontdesk, "late kettle") and "goodwill.md" in found(
        frontdesk, "late kettle", "internal"
    )


def test_an_unchanged_file_whose_audience_changes_is_moved_at_once(frontdesk, mixed):
    """Nothing is embedded anew, and the next question is answered by what it may see; and back."""
    asked = "What may staff give back for a late kettle?"
    frontdesk("docs", "add", mixed)
    assert "$40" in frontdesk("ask", asked).out

    hidden = frontdesk("docs", "add", mixed, "--audience", "internal", "--match", "Internal:*")
    assert hidden.out == "0 added, 1 changed, 3 unchanged, 0 failed; 0 passages embedded.\n"
    assert "'goodwill.md': It is for internal now; its text is the same." in hidden.err
    assert "$40" not in frontdesk("ask", asked).out and "$40" in frontdesk("ask", asked, "--audience", "internal").out

    shown = frontdesk("docs", "add", mixed, "--audience", "public", "--match", "Internal:*")
    assert shown.out.startswith("0 added, 1 changed, 3 unchanged") and "$40" in frontdesk("ask", asked).out


def test_groups_see_what_is_theirs_and_what_is_public(frontdesk, mixed):
    """In any order and spelling; staff do not see what is a group's, nor a group what is the staff's."""
    frontdesk("docs", "add", mixed, "--audience", "internal", "--match", "Internal:*")
    frontdesk("docs", "add", mixed / "staff" / "rota.md", "--audience", "VIP, trade")

    assert audiences(frontdesk)["staff/rota.md"] == "trade,vip"
    for audience, sees in (("", set()), ("vip", {"staff/rota.md"}), ("trade", {"staff/rota.md"}),
                           ("internal", {"goodwill.md"}), ("internal,vip", {"goodwill.md", "staff/rota.md"}),
                           ("other", set())):  # fmt: skip
        private = found(frontdesk, "tea breaks kettle returned late", audience) - {"returns.md", "sub/shipping.md"}
        assert private == sees


def test_a_pattern_without_an_audience_is_an_error(frontdesk, mixed):
    """It would do nothing, which is not what was meant."""
    said = refused(frontdesk("docs", "add", mixed, "--match", "Internal:*"))

    assert "--match 'Internal:*' says which documents get an audience: add --audience." in said
    assert "0 documents" in frontdesk("docs", "list").out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--audience", "staff only"), "'staff only' is no audience"),
        (("--audience", "public,vip"), "names public beside others"),
        (("--from", "soon"), "'soon' is no day or time"),
        (("--until", "31.12.2026"), "'31.12.2026' is no day or time"),
        (("--review", "never"), "'never' is no day or time"),
        (("--until", "2020-01-01"), "is not after the beginning"),
        (("--from", "2030-01-02", "--until", "2030-01-01"), "is not after the beginning"),
    ],
)
def test_terms_that_cannot_be_are_one_sentence(frontdesk, folder, options, said):
    """Before any file is read."""
    assert said in refused(frontdesk("docs", "add", folder, *options))
    assert "0 documents" in frontdesk("docs", "list", "--all").out


def test_dates_review_and_note_are_kept(frontdesk, folder, monkeypatch):
    """With who added it and from where; the list and the timeline show them."""
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    frontdesk("docs", "add", folder, "--from", "2020-03-01", "--until", "2199-05-31", "--note", "Spring")

    listed = frontdesk("docs", "list").out
    assert "2020-03-01 to 2199-05-31" in listed
    timeline = frontdesk("docs", "versions", "returns.md").out.splitlines()[1].split()
    assert timeline[:6] == ["1", "2020-03-01", "to", "2199-05-31", "in", "force"]
    assert timeline[-3:] == ["ann", str(folder), "Spring"]


def test_a_machine_that_has_no_name_for_its_user_is_no_obstacle(frontdesk, folder, monkeypatch):
    """As in a container that runs under any number."""

    def unknown():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert frontdesk("docs", "add", folder).code == 0
    assert frontdesk("docs", "rollback", "returns.md", "--to", "1", "--from", "2199-01-01").code == 1  # same text
    (folder / "returns.md").write_text("# Returns\n\nNone.\n")
    frontdesk("docs", "add", folder)
    assert frontdesk("docs", "rollback", "returns.md", "--to", "1").code == 0


def test_the_list_shows_what_is_planned_past_or_of_another_day(frontdesk, added):
    """In force and scheduled by default, all there ever were with --all, one day's with --as-of."""
    tomorrow, week = (str(date.today() + timedelta(days)) for days in (1, 7))
    (added / "returns.md").write_text(RETURNS.replace("45 days", "60 days"))
    frontdesk("docs", "add", added / "returns.md", "--from", week)
    (added / "soon.md").write_text("# Soon\n\nComing soon.\n")
    frontdesk("docs", "add", added / "soon.md", "--from", week)
    frontdesk("docs", "remove", "sub/shipping.md")

    listed, everything = frontdesk("docs", "list").out, frontdesk("docs", "list", "--all").out
    assert f"the next one from {week}" in listed and f"from {week}" in listed.split("soon.md")[1].split("\n")[0]
    assert "2 documents" in listed and "3 documents" in everything and "past: " in everything
    then = frontdesk("docs", "list", "--as-of", week).out
    assert "2 documents" in then and "soon.md" in then
    assert "1 documents" in frontdesk("docs", "list", "--as-of", tomorrow).out
    assert "0 documents" in frontdesk("docs", "list", "--as-of", "2020-01-01").out
    assert "'never' is no day" in refused(frontdesk("docs", "list", "--as-of", "never"))


def test_the_passages_of_a_document_can_be_shown(frontdesk, added):
    """With their offsets and headings, of any version; the text alone is not repeated."""
    (added / "returns.md").write_text("# Returns\n\nNone.\n")
    frontdesk("docs", "add", added)
    old = frontdesk("docs", "show", "returns.md", "--version", "1", "--chunks").out

    assert old.startswith(f"[{RETURNS.index('You can')}] Returns > Time limits\nYou can return")
    assert old.count("\n[") == 1 and "# Returns" not in old
    assert "None." in frontdesk("docs", "show", "returns.md", "--chunks").out


def test_a_search_says_for_which_time_a_passage_holds(frontdesk, folder):
    """Its version and its dates stand behind the scores."""
    frontdesk("docs", "add", folder, "--from", "2020-03-01", "--until", "2199-05-31")
    said = frontdesk("docs", "search", "return a kettle", "--top-k", "1").out

    assert "· version 1, 2020-03-01 to 2199-05-31\n" in said
    assert frontdesk("docs", "search", "return a kettle", "--as-of", "2020-02-29").out == ""


def test_a_reference_that_is_no_text_is_one_sentence(frontdesk, added):
    """A shell passes on any bytes."""
    assert "There is no document 'ret" in refused(frontdesk("docs", "show", "ret\udcffurns.md"))
