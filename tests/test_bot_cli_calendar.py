"""`frontdesk docs`, the calendar: each story told by commands alone, over a home folder and through a running server.

Nobody waits for a date: `--as-of` asks what will hold, or held, on another day.
"""

from datetime import date, timedelta

import pytest

from tests.fake_service import RETURNS

ASKED = "How many days do I have to return a kettle?"


def day(number):
    """The day so many days from today."""
    return str(date.today() + timedelta(days=number))


def returns(days):
    """The policy with another time limit."""
    return RETURNS.replace("45 days", f"{days} days")


@pytest.fixture(params=["over the home", "through a server"])
def desk(request, frontdesk):
    """The command line over a home without documents."""
    if request.param == "through a server":
        request.getfixturevalue("served")
        filled = request.getfixturevalue("filled")
        for name in ("returns.md", "shipping.md"):
            filled.documents.erase(name)
    return frontdesk


@pytest.fixture
def put(desk, tmp_path):
    """Adds a text as the next version of returns.md."""

    def put(text, *options):
        (tmp_path / "policies").mkdir(exist_ok=True)
        (tmp_path / "policies" / "returns.md").write_text(text)
        ended = desk("docs", "add", tmp_path / "policies", *options)
        assert ended.code == 0, ended
        return ended.out.split(", 0 failed")[0]

    return put


def limits(desk, as_of="", audience=""):
    """The time limits that the answer and the search name; they have to agree. None where there is no answer."""
    answer = desk("ask", ASKED, "--as-of", as_of, "--audience", audience)
    search = desk("docs", "search", "days to return a kettle", "--as-of", as_of, "--audience", audience)
    said = [{n for n in ("30", "45", "60", "90") if f"{n} days" in ended.out} for ended in (answer, search)]
    assert answer.code == search.code == 0 and said[0] == said[1] and len(said[0]) <= 1
    assert said[0] or "couldn't find that" in answer.out
    return said[0].pop() if said[0] else None


def timeline(desk):
    """Rows of `docs versions` in words: number, when in force, what that means now, when added."""
    return [line.split() for line in desk("docs", "versions", "returns.md").out.splitlines()[1:]]


def refused(ended):
    assert ended.code == 1 and "Traceback" not in ended.err
    return ended.err.splitlines()[-1].removeprefix("frontdesk: ")


def test_a_new_text_answers_at_once(desk, put):
    """Version 2 from now on; what held before can still be asked for, and the timeline has both."""
    put(returns(45), "--from", day(-30))
    assert limits(desk) == "45"

    assert put(returns(60)) == "0 added, 1 changed, 0 unchanged"
    assert limits(desk) == "60"
    assert limits(desk, as_of=day(-1)) == "45" and limits(desk, as_of=day(-31)) is None
    rows = timeline(desk)
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[0][1:5] == [day(-30), "to", day(0), "over"] and rows[1][1:5] == ["from", day(0), "in", "force"]


def test_a_change_with_a_future_date_waits_for_it(desk, put):
    """Until the day before answers follow version 1, from its first moment on version 2; nothing is done then."""
    put(returns(45), "--from", day(-30))
    put(returns(60), "--from", day(10))

    assert (limits(desk), limits(desk, as_of=day(9)), limits(desk, as_of=day(10))) == ("45", "45", "60")
    assert limits(desk, as_of=f"{day(9)}T23:59:59") == "45" and limits(desk, as_of=f"{day(10)}T00:00") == "60"
    first, second = timeline(desk)
    assert first[1:6] == [day(-30), "to", day(9), "in", "force"]
    assert second[1:5] == ["from", day(10), "scheduled", day(0)]
    assert f"the next one from {day(10)}" in desk("docs", "list").out


def test_a_version_between_two_others_ends_with_the_next(desk, put):
    """A campaign: put in last, in force in the middle, and what stands behind it is not touched."""
    put(returns(45), "--from", day(-30))
    put(returns(60), "--from", day(20))
    put(returns(90), "--from", day(10))

    assert [limits(desk, as_of=day(n)) for n in (0, 9, 10, 19, 20, 99)] == ["45", "45", "90", "90", "60", "60"]


def test_a_text_expires(desk, put):
    """It holds with its last day; then nothing does, and no older text comes back by itself."""
    put(returns(45), "--from", day(-30))
    put(returns(60), "--until", day(5))

    assert (limits(desk), limits(desk, as_of=day(5)), limits(desk, as_of=day(6))) == ("60", "60", None)
    assert f"{day(0)} to {day(5)}" in desk("docs", "list").out


def test_an_end_can_be_set_moved_and_taken_away(desk, put):
    """Each time what is said is what holds."""
    put(returns(45))
    said = desk("docs", "expire", "returns.md", "--until", day(5)).out
    assert said == f"Version 1 holds up to and with {day(5)}.\n"
    assert (limits(desk, as_of=day(5)), limits(desk, as_of=day(6))) == ("45", None)

    desk("docs", "expire", "returns.md", "--until", day(9))
    assert (limits(desk, as_of=day(9)), limits(desk, as_of=day(10))) == ("45", None)
    assert desk("docs", "expire", "returns.md", "--until", "").out == "Version 1 has no end.\n"
    assert limits(desk, as_of=day(3000)) == "45"


def test_the_end_of_a_version_to_come_can_be_set(desk, put):
    """By its number."""
    put(returns(45), "--from", day(-1))
    put(returns(60), "--from", day(10))
    desk("docs", "expire", "returns.md", "--version", "2", "--until", day(12))

    assert [limits(desk, as_of=day(n)) for n in (0, 9, 12, 13)] == ["45", "45", "60", None]


def test_a_rollback_brings_an_earlier_text_back(desk, put):
    """As a new version: the mistake stays in the timeline, and answers of its days can be told."""
    put(returns(45), "--from", day(-30))
    put(returns(90), "--from", day(-10))
    assert limits(desk) == "90"

    assert desk("docs", "rollback", "returns.md", "--to", "1").out == (
        f"Version 3 has the text of version 1, from {day(0)} on.\n"
    )
    assert (limits(desk), limits(desk, as_of=day(-5)), limits(desk, as_of=day(-20))) == ("45", "90", "45")
    assert "version 1 again" in desk("docs", "versions", "returns.md").out
    assert "is in force then already" in refused(desk("docs", "rollback", "returns.md", "--to", "1"))


def test_a_rollback_can_wait_for_a_day(desk, put):
    """The old text returns then."""
    put(returns(45), "--from", day(-30))
    put(returns(90), "--from", day(-10))
    desk("docs", "rollback", "returns.md", "--to", "1", "--from", day(10))

    assert (limits(desk), limits(desk, as_of=day(9)), limits(desk, as_of=day(10))) == ("90", "90", "45")


def test_a_withdrawn_text_answers_no_more(desk, put):
    """At once, and no older one comes back by itself: the command names the one that brings it back."""
    put(returns(45), "--from", day(-30))
    put(returns(90), "--from", day(-10))
    ended = desk("docs", "withdraw", "returns.md")

    assert ended.out == "Version 2 is withdrawn.\n"
    assert "No version is in force now: `frontdesk docs rollback returns.md --to N`" in ended.err
    assert (limits(desk), limits(desk, as_of=day(-5)), limits(desk, as_of=day(-20))) == (None, "90", "45")
    assert "there is nothing to withdraw" in refused(desk("docs", "withdraw", "returns.md"))
    desk("docs", "rollback", "returns.md", "--to", "1")
    assert limits(desk) == "45"


def test_a_planned_text_that_is_withdrawn_never_begins(desk, put):
    """The one in force goes on as if the plan had never been."""
    put(returns(45), "--from", day(-30))
    put(returns(60), "--from", day(10))
    ended = desk("docs", "withdraw", "returns.md", "--version", "2")

    assert (ended.out, ended.err) == ("Version 2 is withdrawn.\n", "")
    assert limits(desk, as_of=day(10)) == "45" and timeline(desk)[1][:3] == ["2", "never", "never"]
    assert "will not be" in refused(desk("docs", "withdraw", "returns.md", "--version", "2"))


def test_an_audience_changes_at_once(desk, put):
    """For the past as well: who may not see a document may not ask what it said."""
    put(returns(45), "--from", day(-30))
    said = desk("docs", "audience", "returns.md", "internal").out
    assert said == "'returns.md' is for internal now.\n"
    assert (limits(desk), limits(desk, as_of=day(-1)), limits(desk, audience="vip")) == (None, None, None)
    assert limits(desk, audience="internal") == limits(desk, as_of=day(-1), audience="internal") == "45"

    assert "is for trade,vip now" in desk("docs", "audience", "returns.md", "VIP,trade").out
    assert (limits(desk), limits(desk, audience="internal"), limits(desk, audience="vip")) == (None, None, "45")
    desk("docs", "audience", "returns.md", "public")
    assert limits(desk) == limits(desk, audience="internal") == "45"


def test_versions_of_every_day_follow_the_audience(desk, put):
    """A planned text of an internal document is internal, and so is one that is put in later."""
    put(returns(45), "--audience", "internal")
    put(returns(60), "--from", day(10))
    put(returns(90), "--from", day(20))

    assert [limits(desk, as_of=day(n)) for n in (0, 10, 20)] == [None] * 3
    assert [limits(desk, as_of=day(n), audience="internal") for n in (0, 10, 20)] == ["45", "60", "90"]


def test_documents_past_their_review_date_are_stale(desk, put):
    """With how many answers rest on them; a new date takes them off the list, and answers do not change."""
    put(returns(45), "--review", day(-1))
    assert limits(desk) == "45"
    row = desk("docs", "stale").out.splitlines()[1].split()
    assert row == ["returns.md", "Returns", day(-1), "1"]

    said = desk("docs", "review", "returns.md", "--on", day(30)).out
    assert said == f"'returns.md' is to be read again on {day(30)}.\n"
    assert desk("docs", "stale").out == "No document is past its review date.\n"
    assert limits(desk) == "45"


def test_a_review_date_can_be_taken_away(desk, put):
    """Then the document is listed no more."""
    put(returns(45), "--review", day(-1))

    assert desk("docs", "review", "returns.md", "--on", "never").out == (
        "'returns.md' is to be read again only when somebody wants to.\n"
    )
    assert desk("docs", "stale").out == "No document is past its review date.\n"


def test_a_new_text_keeps_the_review_date(desk, put):
    """Until somebody says that it was read."""
    put(returns(45), "--review", day(-1))
    put(returns(60))

    assert limits(desk) == "60" and day(-1) in desk("docs", "stale").out


def test_a_difference_shows_what_changed(desk, put):
    """Between any two versions, either way; equal ones have none, and nothing is changed by looking."""
    put(returns(45), "--from", day(-30))
    put(returns(60))
    lines = desk("docs", "diff", "returns.md", 1, 2).out.splitlines()

    assert [line for line in lines if line[0] in "+-"] == [
        "-You can return a kettle within 45 days of delivery. Gift cards cannot be returned.",
        "+You can return a kettle within 60 days of delivery. Gift cards cannot be returned.",
    ]
    assert "+You can return a kettle within 45 days" in desk("docs", "diff", "returns.md", 2, 1).out
    same = desk("docs", "diff", "returns.md", 2, 2)
    assert (same.code, same.out, same.err) == (0, "", "Versions 2 and 2 have the same text.\n")
    assert limits(desk) == "60"


def test_the_timeline_shows_brackets_as_they_are(desk, put):
    """A note is no markup of the terminal."""
    put(returns(45), "--note", "[red]Spring[/red] [/]")

    assert "[red]Spring[/red] [/]" in desk("docs", "versions", "returns.md").out


def test_a_removed_document_is_out_of_all_answers_of_today(desk, put):
    """And of those to come; what held before can still be asked for, and adding it again brings it back."""
    put(returns(45), "--from", day(-30))
    put(returns(60), "--from", day(10))
    desk("docs", "remove", "returns.md")
    assert (limits(desk), limits(desk, as_of=day(10)), limits(desk, as_of=day(-1))) == (None, None, "45")

    put(returns(90))
    assert (limits(desk), limits(desk, as_of=day(10)), limits(desk, as_of=day(-1))) == ("90", "90", "45")


def test_the_command_under_an_old_answer_opens_its_own_version(desk, put):
    """The text of that day at that place, not today's."""
    put(returns(45), "--from", day(-30))
    put("# Returns\n\nA short text.\n")
    said = desk("ask", ASKED, "--as-of", day(-1))
    assert f"(returns.md, {day(-30)})" in said.out
    opened = desk(*said.out.rsplit("frontdesk ", 1)[1].split())

    assert opened.code == 0 and opened.out.startswith("You can return a kettle within 45 days")


def test_a_question_may_name_the_day_itself(desk, put):
    """The answer follows the version of that day and says so; about a day to come it says what applies today."""
    put(returns(45), "--from", day(-30))
    put(returns(60), "--from", day(-3))
    put(returns(90), "--from", day(10))

    said = desk("ask", f"How many days did I have to return a kettle as of {day(-10)}?").out
    assert "45 days" in said and f"That is what applied on {day(-10)}, according to Returns of {day(-30)}." in said
    planned = desk("ask", f"How many days do I have to return a kettle as of {day(20)}?").out
    assert "60 days" in planned and "90 days" not in planned
    assert f"That is what applies today, {day(0)}, according to Returns of {day(-3)}." in planned


REFUSED = (
    (("versions", "nothing.md"), "There is no document 'nothing.md'"),
    (("diff", "returns.md", "1", "9"), "has no version 9"),
    (("rollback", "returns.md", "--to", "9"), "has no version 9"),
    (("rollback", "returns.md", "--to", "1"), "is in force then already"),
    (("rollback", "returns.md", "--to", "1", "--from", "soon"), "'soon' is no day or time"),
    (("withdraw", "returns.md", "--version", "9"), "has no version 9"),
    (("expire", "returns.md", "--until", "2020-01-01"), "is not after the beginning"),
    (("expire", "returns.md", "--until", "soon"), "'soon' is no day or time"),
    (("audience", "returns.md", "staff only"), "'staff only' is no audience"),
    (("audience", "returns.md", ""), "name an audience or a review date"),
    (("audience", "returns.md", "public,internal"), "names public beside others"),
    (("review", "returns.md", "--on", "later"), "'later' is no day or time"),
    (("review", "returns.md", "--on", ""), "name an audience or a review date"),
    (("search", "kettle", "--as-of", "never"), "'never' is no day or time"),
    (("search", "kettle", "--audience", "a b"), "'a b' is no audience"),
)


def test_what_cannot_be_is_one_sentence_and_changes_nothing(desk, put):
    """Exit code 1, the value named, and the same answer before and after."""
    put(returns(45), "--from", day(-30))
    before = desk("docs", "versions", "returns.md").out
    for command, said in REFUSED:
        ended = desk("docs", *command)
        assert said in refused(ended) and ended.out == "" and ended.err.count("\n") == 1
    for option, value in (("--as-of", "never"), ("--audience", "a b")):
        ended = desk("ask", ASKED, option, value)
        assert f"'{value}' is no " in refused(ended) and ended.out == ""

    assert limits(desk) == "45" and desk("docs", "versions", "returns.md").out == before


def test_a_command_that_lacks_something_is_wrong_usage(frontdesk):
    """Exit code 2."""
    for command in (("rollback", "a"), ("expire", "a"), ("review", "a"), ("diff", "a", "1"), ("audience", "a"),
                    ("rollback", "a", "--to", "0"), ("withdraw", "a", "--version", "x")):  # fmt: skip
        assert frontdesk("docs", *command).code == 2
