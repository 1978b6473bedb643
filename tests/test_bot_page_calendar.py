"""The fragments of one document and of the test search: right in words and places, and nothing in them runs."""

import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.page_calendar import (
    changes,
    dated_versions,
    document_address,
    document_head,
    passages,
    period,
    search_hits,
    standing,
    timeline,
)
from knowledge.calendar import FOREVER, Dates, windows
from tests.test_bot_page import EVIL, Reader

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
INERT = {"div", "span", "p", "i", "b", "em", "table", "thead", "tbody", "tr", "th", "td", "small", "a", "h2", "del",
         "ins", "mark", "article", "header", "strong", "u", "details", "summary"}  # fmt: skip
HARMLESS = {"class", "style", "title", "role", "aria-label", "href", "target", "rel"}


def day(text):
    return datetime.fromisoformat(text).astimezone()


def version(number, begins, ends=None, state="in force", **more):
    """A row of `versions`; days are days of this machine."""
    begins, ends = (day(text).isoformat() if text else None for text in (begins, ends))
    row = {"version": number, "begins": begins, "ends": ends, "state": state, "effective_from": begins, "note": "",
           "added_at": NOW.isoformat(), "uploaded_by": "page", "origin": "", "withdrawn_at": None, "title": "Returns",
           "effective_until": None}  # fmt: skip
    return row | more


def never(number, meant):
    return version(number, None, None, "never", effective_from=day(meant).isoformat())


def document(**more):
    return {"id": "abc123", "source": "docs/returns.md", "title": "Returns", "audience": "public", "review_at": None,
            "version": 2} | more  # fmt: skip


THREE = [version(1, "2024-03-01", "2025-09-01", "over"), version(2, "2025-09-01", "2027-02-01"),
         version(3, "2027-02-01", None, "scheduled")]  # fmt: skip


def places(fragment):
    """(class, left, width) of each bar in percent; width is None for marks."""
    found = re.findall(r'<(?:i|span) (?:class="([\w ]*)" )?style="left:([\d.]+)%(?:;width:([\d.]+)%)?"', fragment)
    return [(kind, float(left), float(width) if width else None) for kind, left, width in found]


def test_the_timeline_has_a_bar_for_each_version_where_it_is_in_force():
    """One follows the other, today stands in the one in force, and what has no end runs to the edge."""
    fragment = timeline(THREE, NOW)
    bars = [place for place in places(fragment) if place[2] is not None]
    today = next(left for kind, left, _ in places(fragment) if kind == "today")

    assert [kind for kind, _, _ in bars] == ["over", "force", "coming open"]
    for (_, left, width), (_, following, _) in pairwise(bars):
        assert left + width == pytest.approx(following, abs=0.02)
    assert bars[1][1] < today < bars[1][1] + bars[1][2]
    assert bars[2][1] + bars[2][2] == pytest.approx(100, abs=0.02)
    assert "Version 2: 1 Sep 2025 to 31 Jan 2027" in fragment and "Jan 2026" in Reader(fragment).text


def test_a_version_that_never_was_in_force_is_only_a_mark():
    """It stands where it was meant to begin."""
    fragment = timeline([version(1, "2026-01-01"), never(2, "2026-06-01")], NOW)

    assert [(kind, width) for kind, _, width in places(fragment) if kind == "never"] == [("never", 0.0)]
    assert "Version 2: never in force" in fragment


def test_a_timeline_of_many_versions_shows_the_newest():
    """The table has the rest, and the sentence says so."""
    fragment = timeline([version(n, f"2026-01-{n:02}", f"2026-01-{n + 1:02}", "over") for n in range(1, 20)], NOW)

    assert fragment.count('class="lane"') == 12 and "Version 19" in fragment and ">Version 7<" not in fragment
    assert "7 earlier versions are in the table." in fragment


@pytest.mark.parametrize(
    ("begins", "ends", "mark"),
    [
        ("2026-11-24", None, "29 Nov"),
        ("2026-06-01", None, "Sep 2026"),
        ("2019-06-01", None, "2024"),
        ("0001-01-05", "9999-12-20", "5000"),
    ],
)
def test_the_axis_is_marked_with_round_dates(begins, ends, mark):
    """Days, months or years, as long as it is."""
    assert mark in Reader(timeline([version(1, begins, ends)], NOW)).text


moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 20), timezones=st.just(UTC))


@given(st.lists(st.tuples(moments, st.none() | moments, st.none() | moments), min_size=1, max_size=15), moments)
def test_whatever_the_dates_are_everything_stands_on_the_axis(dates, now):
    """No bar leaves it, there are a few marks at most, and nothing fails."""
    dated = [Dates(number, *dates_of_one) for number, dates_of_one in enumerate(dates, 1)]
    rows = []
    for number, window in windows(dated).items():
        row = version(number, None, state="never", effective_from=dated[number - 1].effective_from.isoformat())
        if window:
            state = "in force" if window.covers(now) else "scheduled" if window.begins > now else "over"
            ends = None if window.ends == FOREVER else window.ends.isoformat()
            row |= {"begins": window.begins.isoformat(), "ends": ends, "state": state}
        rows.append(row)
    fragment = timeline(rows, now)

    assert all(0 <= left <= 100 and left + (width or 0) <= 100.02 for _, left, width in places(fragment))
    assert fragment.count('<span style="left') <= 7
    dated_versions(rows)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (version(1, "2026-01-01"), "since 1 Jan 2026"),
        (version(1, "2027-01-01", state="scheduled"), "from 1 Jan 2027"),
        (version(1, "2026-01-01", "2026-03-01", "over"), "1 Jan 2026 to 28 Feb 2026"),
        (version(1, "2026-01-01", "2026-01-02", "over"), "1 Jan 2026"),
        (version(1, "2026-01-01T09:30", "2026-01-01T14:05", "over"), "1 Jan 2026, 09:30 to 14:05"),
        (never(1, "2026-01-01"), "never"),
    ],
)
def test_a_period_is_said_in_days_and_in_hours_where_it_is_short(row, words):
    """The last day is the last on which it holds."""
    assert period(row) == words


def row_of_list(state, begins="2026-01-01", ends=None, following=None):
    begins, ends, following = (day(text).isoformat() if text else None for text in (begins, ends, following))
    return {"state": state, "effective_from": begins, "effective_until": ends, "next_from": following}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (row_of_list("in force"), "since 1 Jan 2026"),
        (row_of_list("in force", ends="2027-01-01"), "since 1 Jan 2026until 31 Dec 2026"),
        (row_of_list("in force", ends="2027-01-01", following="2027-01-01"),
         "since 1 Jan 2026next version on 1 Jan 2027"),
        (row_of_list("scheduled", "2027-01-01"), "from 1 Jan 2027"),
        (row_of_list("past", ends="2026-03-01"), "ended 28 Feb 2026"),
        (row_of_list("past"), "never in force"),
    ],
)  # fmt: skip
def test_the_list_says_how_a_document_stands(row, words):
    """In force since when and until when, scheduled, or over."""
    assert Reader(standing(row)).text == words


def test_versions_stand_newest_first_with_who_added_them_and_why():
    """State, dates, person, origin, note and withdrawal, each in words."""
    rows = [version(1, "2024-03-01", "2025-09-01", "over", origin="laptop/returns.md", withdrawn_at=NOW.isoformat()),
            version(2, "2025-09-01", note="Legal review"), never(3, "2027-01-01")]  # fmt: skip
    text = Reader(dated_versions(rows)).text

    assert text.index("3never") < text.index("2since 1 Sep 2025in force") < text.index("11 Mar 2024 to 31 Aug 2025over")
    assert "page · laptop/returns.md" in text and "Legal review" in text and "withdrawn 24 Nov 2026" in text


def test_the_head_says_what_a_document_is_and_where_its_text_opens():
    """State, audience and a review that is due as marks; the key is in the link only where it is needed."""
    late = document(audience="internal", review_at=day("2026-10-01").isoformat())
    fragment = document_head(late, THREE, NOW, "k3y")
    assert Reader(fragment).text == (
        "ReturnsIn forceStaff onlyto be read again since 1 Oct 2026docs/returns.md · 3 versions · Open the text"
    )
    assert 'href="/documents/abc123?version=2&amp;key=k3y"' in fragment

    later = document_head(document(review_at=day("2027-10-01").isoformat()), THREE[2:], NOW, "k3y")
    assert "Scheduleddocs/returns.md · 1 version · to be read again on 1 Oct 2027" in Reader(later).text
    assert 'href="/documents/abc123"' in later
    assert "Out of force" in document_head(document(), THREE[:1], NOW)


def test_an_address_opens_a_passage():
    """With the key in front of the anchor."""
    staff = document(audience="vip")

    assert document_address(staff, "k", 2, 10, 30) == "/documents/abc123?version=2&start=10&end=30&key=k#passage"
    assert document_address(document(), "k", 2, 0, 30) == "/documents/abc123?version=2&end=30#passage"


def line(kind, text):
    return {"kind": kind, "text": text}


def test_a_change_shows_the_lines_and_marks_the_words_that_differ():
    """What went, what came, and what stands around it."""
    fragment = changes([line("gap", "@@ -3 +3 @@"), line("same", "## Time limits"),
                        line("removed", "Return it within 45 days."), line("added", "Return it within 60 days."),
                        line("gap", "@@ -9 +9 @@"), line("same", "")], 1, 2)  # fmt: skip

    assert "<del>Return it within <mark>45</mark> days.</del>" in fragment
    assert "<ins>Return it within <mark>60</mark> days.</ins>" in fragment
    assert fragment.startswith('<div class="diff"><p class="same"><span>## Time limits') and fragment.count("⋯") == 1


def test_lines_without_a_counterpart_are_not_compared_word_by_word():
    """Neither are lines that have nothing in common, or endless ones."""
    alone = changes([line("removed", "One."), line("added", "One."), line("added", "Two.")], 1, 2)
    others = changes([line("removed", "Ask the store."), line("added", "45 days, 30 for toasters!")], 1, 2)
    endless = changes([line("removed", "a " * 5000), line("added", "a " * 4999 + "b")], 1, 2)

    assert "<mark>" not in alone + others + endless


def test_equal_texts_and_very_long_changes_are_said():
    """The first is a sentence, the second is cut with one."""
    assert Reader(changes([], 1, 2)).text == "Versions 1 and 2 have the same text."
    assert "200 more lines." in changes([line("same", "x")] * 1200, 1, 2)


@given(st.text(alphabet="ab 1<&.", max_size=30), st.text(alphabet="ab 1<&.", max_size=30))
def test_the_marks_of_a_change_lose_no_character(before, after):
    """Without them the lines are what they were."""
    fragment = changes([line("removed", before), line("added", after)], 1, 2)

    for tag, text in (("del", before), ("ins", after)):
        shown = re.search(rf"<{tag}>(.*)</{tag}>", fragment)[1]
        assert Reader(shown).text.replace("\xa0", "") == text


def passage(text="You have 45 days.", section="Returns > Time limits", start=120, page=None):
    return {"section": section, "text": text, "start": start, "page": page}


def test_a_passage_says_where_it_stands():
    """Section without the title, page, and the characters as a link to the place."""
    fragment = passages(document(audience="internal", passages=[passage(page=3), passage(section="", start=0)]), "k")
    text = Reader(fragment).text

    assert "1 Time limitscharacters 120 to 137 · page 3You have 45 days." in text
    assert "2 Returnscharacters 0 to 17You" in text
    assert 'href="/documents/abc123?version=2&amp;start=120&amp;end=137&amp;key=k#passage"' in fragment


def test_a_long_document_shows_its_first_passages():
    """And says how many more there are."""
    assert "100 more passages." in passages(document(passages=[passage()] * 300))


def hit(**more):
    row = {"document": "docs/returns.md", "title": "Returns", "audience": "public", "version": 2, "text": "45 days.",
           "effective_from": day("2026-01-01").isoformat(), "effective_until": None, "section": "Returns > Time limits",
           "score": 0.7, "dense": 0.5, "lexical": 1.0, "reader": None}  # fmt: skip
    return row | more


def test_a_hit_shows_rank_place_dates_and_the_score_of_each_stage():
    """As numbers, and as bars that never leave their place."""
    fragment = search_hits([hit(), hit(dense=-0.2, lexical=1.2, audience="vip,trade", section="",
                                       effective_until=day("2027-01-01").isoformat())])  # fmt: skip
    text = Reader(fragment).text

    assert "1 ReturnsTime limits · version 2 · since 1 Jan 2026Meaning0.50Words1.00Together0.7045 days." in text
    assert "2 Returns vip, tradedocs/returns.md · version 2 · since 1 Jan 2026, until 31 Dec 2026" in text
    assert re.findall(r"width:(\d+)%", fragment) == ["50", "100", "70", "0", "100", "70"]


def test_a_hit_that_was_reranked_shows_what_the_reader_thinks_of_it():
    """A stage that did not run has no bar."""
    assert "Together0.70Reader0.91" in Reader(search_hits([hit(reader=0.91)])).text
    assert "Reader" not in Reader(search_hits([hit()])).text


def test_a_long_hit_is_cut_and_can_be_unfolded():
    """The excerpt ends at a word."""
    text = "\n".join(["Forty-five days are given."] * 30)
    fragment = search_hits([hit(text=text)])

    assert "Whole passage" in fragment and text in Reader(fragment).text
    assert re.search(r" (Forty-five|days|are|given\.) …", Reader(fragment).text)


def test_no_hit_is_said():
    """An empty result is no empty list."""
    assert "Nothing found" in search_hits([])


def test_nothing_that_comes_from_outside_runs():
    """Titles, paths, notes, texts and names of groups stay text in every fragment."""
    hostile = version(1, "2026-01-01", note=EVIL, origin=EVIL, uploaded_by=EVIL)
    found = document(title=EVIL, source=EVIL, audience=EVIL, passages=[passage(EVIL, EVIL)])
    fragments = [
        document_head(found, [hostile], NOW, "k"), dated_versions([hostile]), timeline([hostile], NOW),
        changes([line("removed", EVIL), line("added", f"{EVIL}!"), line("same", EVIL)], 1, 2), passages(found, "k"),
        search_hits([hit(title=EVIL, text=EVIL * 9, document=EVIL, audience=EVIL, section=EVIL)]),
    ]  # fmt: skip

    for fragment in fragments:
        seen = Reader(fragment)
        assert seen.names <= INERT
        assert {name for _, attributes in seen.tags for name in attributes} <= HARMLESS
        assert all(a["href"].startswith("/documents/abc123") for tag, a in seen.tags if tag == "a")
