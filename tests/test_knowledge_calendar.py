"""The policy calendar: which version is in force at an instant, for any set of versions."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.calendar import FOREVER, Dates, Window, governing, period, windows
from knowledge.errors import TermsError
from tests.clock import day

LATER = 10_000


def in_force(*versions):
    """The version in force on each of days 0 to 9, as text: "." where none is."""
    return "".join(str(governing(versions, day(n)) or ".") for n in range(10))


def test_one_version_is_in_force_from_its_beginning_on():
    """Not before, from the very instant on, and for ever after."""
    version = Dates(1, day(3))

    assert in_force(version) == "...1111111"
    assert windows([version]) == {1: Window(day(3), FOREVER)}
    assert governing([version], day(3) - timedelta(microseconds=1)) is None
    assert governing([version], day(LATER)) == 1


def test_the_next_version_takes_over_at_its_beginning():
    """At noon of day 4 the new text holds, a microsecond before it the old one."""
    versions = [Dates(1, day(0)), Dates(2, day(4))]

    assert in_force(*versions) == "1111222222"
    assert governing(versions, day(4) - timedelta(microseconds=1)) == 1
    assert windows(versions) == {1: Window(day(0), day(4)), 2: Window(day(4), FOREVER)}


def test_a_version_that_expires_leaves_nothing_in_force():
    """The text before it does not come back by itself."""
    assert in_force(Dates(1, day(0)), Dates(2, day(2), effective_until=day(5))) == "11222....."


def test_a_version_that_has_begun_leaves_nothing_in_force_when_it_is_withdrawn():
    """Withdrawing is an end, at once, and not a roll back."""
    assert in_force(Dates(1, day(0)), Dates(2, day(2), withdrawn_at=day(5))) == "11222....."


@pytest.mark.parametrize("at", [1, 5])
def test_a_version_withdrawn_before_or_as_it_begins_has_never_been(at):
    """What was in force goes on as if it had not been planned."""
    assert in_force(Dates(1, day(0)), Dates(2, day(5), withdrawn_at=day(at))) == "1111111111"


def test_whatever_ends_a_version_first_ends_it():
    """Its own end, its withdrawal or the next version."""
    assert in_force(Dates(1, day(0), effective_until=day(3), withdrawn_at=day(6))) == "111......."
    assert in_force(Dates(1, day(0), effective_until=day(6), withdrawn_at=day(3))) == "111......."
    assert in_force(Dates(1, day(0), effective_until=day(6)), Dates(2, day(3), effective_until=day(4))) == "1112......"


def test_an_end_beyond_the_next_version_never_matters():
    """A text that would run to day 8 is over when the next one begins, also after that one is over."""
    assert in_force(Dates(1, day(0), effective_until=day(8)), Dates(2, day(2), effective_until=day(4))) == "1122......"


def test_a_backdated_version_holds_where_no_later_one_began():
    """Added last, but meant for the days before version 1."""
    assert in_force(Dates(1, day(5)), Dates(2, day(2))) == "..22211111"


def test_of_versions_that_begin_together_the_highest_number_counts():
    """A correction of a planned text replaces it; the other is never in force."""
    versions = [Dates(1, day(0)), Dates(2, day(4)), Dates(3, day(4))]

    assert in_force(*versions) == "1111333333"
    assert windows(versions)[2] is None


def test_a_withdrawn_correction_gives_way_to_the_plan_it_corrected():
    """If it is taken back before it began, the earlier plan holds."""
    assert in_force(Dates(1, day(0)), Dates(2, day(4)), Dates(3, day(4), withdrawn_at=day(1))) == "1111222222"


def test_the_order_in_which_versions_are_given_does_not_matter():
    """Nor do gaps between their numbers."""
    versions = [Dates(7, day(6)), Dates(2, day(0), effective_until=day(3)), Dates(4, day(4))]

    assert in_force(*versions) == in_force(*reversed(versions)) == "222.447777"


def test_no_versions_have_no_windows():
    """A document without any is never in force."""
    assert windows([]) == {} and governing([], day(0)) is None


def test_a_window_has_its_first_instant_and_not_its_last():
    """So that two that meet never both hold."""
    window = Window(day(1), day(2))

    assert window.covers(day(1)) and window.covers(day(1.5))
    assert not window.covers(day(2)) and not window.covers(day(0.9))


moments = st.integers(0, 8).map(day)
ends = st.none() | moments


@st.composite
def calendars(draw):
    """Versions with numbers from 1 on and dates on nine days, so that many of them meet."""
    dates = draw(st.lists(st.tuples(moments, ends, ends), max_size=7))
    return [Dates(number, *times) for number, times in enumerate(dates, 1)]


def oracle(versions, at):
    """The rule word by word, without windows."""
    begun = [
        v
        for v in versions
        if v.effective_from <= at
        and not (v.withdrawn_at is not None and v.withdrawn_at <= v.effective_from)
        and not (v.effective_until is not None and v.effective_until <= v.effective_from)
    ]
    if not begun:
        return None
    last = max(begun, key=lambda v: (v.effective_from, v.version))
    is_over = any(end is not None and at >= end for end in (last.effective_until, last.withdrawn_at))
    return None if is_over else last.version


instants = st.integers(-2, 18).map(lambda half: day(half / 2))


@given(calendars(), instants)
def test_the_calendar_says_what_the_rule_says(versions, at):
    """For any versions at any instant, as worked out from the words of the rule."""
    assert governing(versions, at) == oracle(versions, at)


@given(calendars())
def test_at_any_instant_one_version_is_in_force_or_none(versions):
    """Windows never overlap and never are empty; each version has at most one."""
    found = windows(versions)
    placed = sorted((w for w in found.values() if w), key=lambda w: w.begins)

    assert found.keys() == {v.version for v in versions}
    assert all(window.begins < window.ends for window in placed)
    assert all(one.ends <= other.begins for one, other in pairwise(placed))


@given(calendars(), instants)
def test_windows_and_governing_agree(versions, at):
    """Two ways to ask the same question."""
    covering = [number for number, window in windows(versions).items() if window and window.covers(at)]

    assert covering == ([] if governing(versions, at) is None else [governing(versions, at)])


@given(calendars(), moments, ends, instants)
def test_another_version_changes_nothing_before_it_begins(versions, begins, until, at):
    """What a customer was told yesterday stays what was in force yesterday."""
    more = [*versions, Dates(len(versions) + 1, begins, until)]

    if at < begins:
        assert governing(more, at) == governing(versions, at)


@given(calendars(), st.randoms(use_true_random=False))
def test_the_calendar_does_not_depend_on_the_order(versions, chance):
    """Rows may come out of a database in any."""
    shuffled = versions.copy()
    chance.shuffle(shuffled)

    assert windows(shuffled) == windows(versions)


def test_a_version_begins_now_unless_it_says_when():
    """In UTC, whatever zone the date was given in."""
    berlin = timezone(timedelta(hours=1))

    assert period(None, None, day(1)) == day(1)
    assert period(day(3), day(4), day(1)) == day(3)
    begins = period(datetime(2026, 12, 1, tzinfo=berlin), None, day(1))
    assert begins == datetime(2026, 11, 30, 23, tzinfo=UTC) and begins.tzinfo is UTC


def test_a_date_without_a_time_zone_is_a_sentence():
    """It says how to add one."""
    with pytest.raises(TermsError, match=r"'2026-12-01 00:00:00' has no time zone: add one, for instance '2026-12-01T"):
        period(datetime(2026, 12, 1), None, day(1))
    with pytest.raises(TermsError, match="has no time zone"):
        period(None, datetime(2026, 12, 1), day(1))


@pytest.mark.parametrize(("begins", "until"), [(day(3), day(3)), (day(3), day(2)), (None, day(1)), (None, day(0))])
def test_an_end_that_is_not_after_the_beginning_is_a_sentence(begins, until):
    """Such a version could never be in force."""
    with pytest.raises(TermsError, match=r"The end 2026-11-\d\d 12:00 is not after the beginning .+: give a later end"):
        period(begins, until, day(1))


@pytest.mark.parametrize("year", [1, 1800, 9999])
def test_a_year_out_of_all_reason_is_a_sentence(year):
    """No time zone can move it off the calendar."""
    date = datetime(year, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))

    with pytest.raises(TermsError, match="is too far away: give a year from 1900 to 9999"):
        period(date, None, day(1))
    with pytest.raises(TermsError, match="is too far away"):
        period(None, date, day(1))
