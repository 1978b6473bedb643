"""Days and times as people write them, read and shown; the day a question asks about."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import QuestionError
from bot.times import asked_day, day_of, last_day, minute_of, read_as_of, read_begin, read_end

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
# East and west of Greenwich, with half hours, and where the clocks change at midnight.
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "America/Sao_Paulo", "America/Havana")
DAYS = st.dates(date(1971, 1, 2), date(2037, 12, 30))


@pytest.fixture
def zone(monkeypatch):
    """Puts the machine into a time zone."""

    def be_in(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield be_in
    monkeypatch.undo()
    time.tzset()


def test_a_day_begins_in_the_morning_and_ends_in_the_evening(zone):
    """From a day on, up to and with a day, and as of a day."""
    zone("UTC")

    assert read_begin("2026-12-01") == datetime(2026, 12, 1, tzinfo=UTC)
    assert read_end("2026-12-01") == datetime(2026, 12, 2, tzinfo=UTC)
    assert read_as_of("2026-12-01") == datetime(2026, 12, 1, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize("read", [read_begin, read_end, read_as_of])
def test_a_time_is_meant_as_it_is_written(zone, read):
    """On this machine's clock, or that of the zone it names; with a T or a space, and spaces around it."""
    zone("Europe/Berlin")

    assert read("2026-12-01T09:00") == read(" 2026-12-01 09:00 ") == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert read("2026-07-01 09:00:30") == datetime(2026, 7, 1, 7, 0, 30, tzinfo=UTC)
    assert read("2026-12-01T09:00+05:30") == datetime(2026, 12, 1, 3, 30, tzinfo=UTC)
    assert read("2026-12-01T09:00Z") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert read("2026-12-01T09:00").tzinfo is UTC


def test_a_day_is_a_day_in_every_spelling(zone):
    """ISO 8601 knows three, and none of them is a time at midnight."""
    zone("UTC")

    assert read_end("20261201") == read_end("2026-W49-2") == read_end("2026-12-01")
    assert read_as_of("20261201") == read_as_of("2026-12-01")


def test_a_day_on_which_the_clocks_change_is_whole(zone):
    """23 hours in spring and 25 in autumn: the end is midnight all the same."""
    zone("Europe/Berlin")

    assert read_end("2026-03-29") - read_begin("2026-03-29") == timedelta(hours=23)
    assert read_end("2026-10-25") - read_begin("2026-10-25") == timedelta(hours=25)
    assert last_day(read_end("2026-03-29")) == "2026-03-29" and last_day(read_end("2026-10-25")) == "2026-10-25"


def test_a_moment_is_shown_as_the_day_it_is_here(zone):
    """Moments are stored in UTC; people read their own clock, of records as of texts."""
    evening = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    zone("Europe/Berlin")
    assert day_of(evening) == day_of(evening.isoformat()) == "2026-12-01"
    assert minute_of(evening) == minute_of("2026-11-30T23:30:00+00:00") == "2026-12-01 00:30"
    zone("America/Los_Angeles")
    assert day_of(evening) == "2026-11-30" and minute_of(evening) == "2026-11-30 15:30"


@pytest.mark.parametrize("name", ZONES)
def test_what_is_read_is_shown_again(zone, name):
    """Every day of every zone, as a first day, a last day, and a day looked at."""
    zone(name)

    @given(DAYS)
    @example(date(2026, 3, 29))
    @example(date(2018, 11, 4))  # began at one o'clock in São Paulo
    @example(date(2026, 11, 1))  # had two midnights in Havana
    def round_trip(day):
        text = day.isoformat()
        assert day_of(read_begin(text)) == last_day(read_end(text)) == day_of(read_as_of(text)) == text
        assert read_begin(text) < read_as_of(text) < read_end(text)
        assert read_end(text) - read_as_of(text) == timedelta(microseconds=1)
        assert read_end(text) == read_begin((day + timedelta(1)).isoformat())

    round_trip()


@given(st.datetimes(datetime(1971, 1, 2), datetime(2037, 12, 30), timezones=st.just(UTC)))
def test_a_moment_is_read_as_it_was_written(moment):
    """To the microsecond, by each of the readers."""
    assert read_begin(moment.isoformat()) == read_end(moment.isoformat()) == read_as_of(moment.isoformat()) == moment


@pytest.mark.parametrize("read", [read_begin, read_end, read_as_of])
@pytest.mark.parametrize("text", ["", " ", "soon", "31.12.2026", "2026-13-01", "2026-02-30", "2026-12-01T25:00",
                                  "12/1/2026", "2026", "0000-01-01", "2026-12-01 to 2027", "-2026-12-01"])  # fmt: skip
def test_what_is_no_day_and_no_time_is_refused(read, text):
    """With what was written, and how it is written."""
    with pytest.raises(QuestionError) as refused:
        read(text)
    assert str(refused.value) == f"'{text}' is no day or time: write it like 2026-12-01 or 2026-12-01T09:00."


@pytest.mark.parametrize("name", ZONES)
def test_days_at_the_ends_of_time_are_refused_or_read(zone, name):
    """The calendar of the machine ends in the year 9999, and nothing but a sentence comes of it."""
    zone(name)
    for read in (read_begin, read_end, read_as_of):
        for text in ("0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999", "0001-01-01T00:00+14:00"):
            try:
                assert read(text).tzinfo is UTC
            except QuestionError as error:
                assert text in str(error)
    with pytest.raises(QuestionError):
        read_end("9999-12-31")


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]?[0-9:.+Z-]{0,20}", fullmatch=True))
@example("２０２６-１２-０１")
@example("2026-12-01T09:00+99:99")
@example("\ud800")
def test_any_text_is_read_or_refused(text):
    """Nothing but our own error, and never a moment without a zone."""
    for read in (read_begin, read_end, read_as_of):
        try:
            assert read(text).tzinfo is UTC
        except QuestionError as error:
            assert text in str(error)


DAY = "2026-03-03"
WRITTEN = ("3 March 2026", "March 3, 2026", "March 3 2026", "2026-03-03", "2026-3-3", "3rd March 2026",
           "Mar. 3rd, 2026", "3 Mar 2026", "the 3rd of March 2026", "3 MARCH 2026", "03 march, 2026")  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("What applied on {}?", "What applied?"),
        ("As of {}, how long may I return a kettle?", "how long may I return a kettle?"),
        ("How long may I return a kettle as of {}?", "How long may I return a kettle?"),
    ],
)
def test_the_day_whose_rules_are_asked_for_is_found_and_taken_out(question, rest, written):
    """In the ways people write days; the last instant of it, so that a change of that day counts."""
    assert asked_day(question.format(written), NOW) == (rest, read_as_of(DAY))


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("Which rules were in force on {}?", "Which rules were in force?"),
        ("What applied to gift cards on {}?", "What applied to gift cards?"),
        ("What was the time limit for returns back on {}?", "What was the time limit for returns?"),
        ("How much was express shipping on {}, and how fast?", "How much was express shipping and how fast?"),
        ("Did the 45 day limit apply on {}?", "Did the 45 day limit apply?"),
        ("Was the loyalty scheme in effect on {}?", "Was the loyalty scheme in effect?"),
        ("Which price list was valid on {}?", "Which price list was valid?"),
        ("I have a kettle. What applied on {}?", "I have a kettle. What applied?"),
        ("And as of {}?", "And?"),
        ("Tell me what shipping cost as of {}.", "Tell me what shipping cost."),
        ("Can I return it (as of {})?", "Can I return it?"),
    ],
)
def test_a_question_about_rules_may_be_worded_otherwise(question, rest):
    """What was, what applied, what was in force."""
    assert asked_day(question.format("3 March 2026"), NOW) == (rest, read_as_of(DAY))


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(
    "question",
    [
        "I ordered on {}.",
        "I ordered on {}. How long may I return it?",
        "I ordered a kettle back on {}, may I still return it?",
        "How long may I return a kettle that was delivered on {}?",
        "What can I do if it was ordered on {}?",
        "Which rules apply to what I bought on {}?",
        "What did I order on {}?",
        "What was the order that I placed on {}?",
        "Was my order sent on {}?",
        "I applied on {} for a trade account. How long does it take?",
        "My account is blocked as of {}, what can I do?",
        "As of {} my order has not come.",
        "Is my voucher valid on {}?",
        "Can you deliver on {}?",
        "My order of {} is late.",
        "{}",
    ],
)
def test_the_day_of_an_order_is_none_of_the_rules(question, written):
    """Today's rules answer, and the question stays as it is."""
    asked = question.format(written)

    assert asked_day(asked, NOW) == (asked, None)


@pytest.mark.parametrize("day", ["1 January 2027", "2026-11-25", "9999-12-31", "2026-11-24"])
def test_a_day_to_come_is_asked_about_as_of_now(zone, day):
    """What is planned is not for everybody who asks: the answer is that of today, also where today ends later."""
    zone("UTC")

    assert asked_day(f"What did it cost as of {day}?", NOW) == ("What did it cost?", NOW)


@pytest.mark.parametrize("day", ["31 February 2026", "2026-13-01", "0000-01-01", "2026-03-033", "40 March 2026",
                                 "March 2026", "3 March"])  # fmt: skip
def test_a_day_that_is_none_does_not_count(day):
    """The question stays as it is."""
    asked = f"How long may I return a kettle as of {day}?"

    assert asked_day(asked, NOW) == (asked, None)


def test_of_two_days_the_last_one_counts_and_the_present_counts_most():
    """A follow-up stands behind the question that it follows, each with its day."""
    both = "How long may it be returned as of 3 March 2026? And as of 4 May 2026?"

    assert asked_day(both, NOW) == ("How long may it be returned? And?", read_as_of("2026-05-04"))
    for now in ("And today?", "What is it now?", "And currently?"):
        rest, moment = asked_day(f"What was the limit as of 3 March 2026? {now}", NOW)
        assert moment is None and "March" not in rest and rest.endswith(now)


@pytest.mark.parametrize("name", ZONES)
def test_a_day_is_asked_about_in_the_time_zone_of_the_machine(zone, name):
    """As `read_as_of` reads it."""
    zone(name)

    assert asked_day("What applied on 3 March 2026?", NOW)[1] == read_as_of(DAY)
    assert asked_day("What applied on 0001-01-01?", NOW)[1] in (None, *_first_day())


def _first_day():
    try:
        return [read_as_of("0001-01-01")]
    except QuestionError:
        return []


WORDS = ("as of", "as at", "on", "back on", "applied", "What", "how", "was", "I ordered", "now", "3 March 2026",
         "2026-3-3", "March 3, 2026", "?", ".", ",", "\n", "31 June 2026", "2099-01-01", "0001-1-1", "  ")  # fmt: skip


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12))
def test_any_question_is_taken(parts):
    """Whatever is said, nothing is raised or put in, and a moment is never later than now."""
    question = " ".join(parts)
    rest, moment = asked_day(question, NOW)

    assert moment is None or moment <= NOW
    assert rest == question or len(rest) < len(question)
    letters = iter(question)
    assert all(letter in letters for letter in rest if not letter.isspace())  # what is left stands in its order
