"""Stories of the policy calendar: what a question finds, with its dates, on a clock that moves."""

import pytest

from knowledge.audiences import STAFF
from knowledge.calendar import FOREVER
from knowledge.documents import Terms
from knowledge.errors import DocumentNotFound, TermsError
from knowledge.retriever import Retriever
from tests.clock import Clock, day
from tests.knowledge_files import agree, checked_index, vector_ids

NAME = "returns.md"


def policy(days):
    return f"# Returns\n\n## Time\n\nYou have {days} days.\n\n## Cost\n\nReturning is free.\n".encode()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def index(tmp_path, clock):
    with checked_index(tmp_path / "home", clock=clock) as index:
        yield index


@pytest.fixture
def answer(index):
    """The best passage for the one question of these stories: its text, version and dates; None without one."""

    def ask(as_of=None, audiences=STAFF):
        retriever = Retriever(index.catalog, index.vectors, index.embedder, index.clock)
        found = retriever.retrieve("how many days do I have?", 5, None if as_of is None else day(as_of), audiences)
        assert all("days" not in passage.chunk.text for passage in found[1:])  # never two texts at once
        if not found or "days" not in found[0].chunk.text:
            return None
        best = found[0]
        return best.chunk.text, best.chunk.version, best.effective_from, best.effective_until

    return ask


def test_a_new_version_takes_over_at_once(index, clock, answer):
    """The old text is what was in force before, and is asked for by its day."""
    index.add_bytes(NAME, policy(45))
    clock.set(3)
    index.add_bytes(NAME, policy(60))

    assert answer() == answer(3) == answer(100) == ("You have 60 days.", 2, day(3), None)
    assert answer(0) == answer(2.9) == ("You have 45 days.", 1, day(0), None)
    assert answer(-1) is None


def test_a_text_for_the_future_waits_for_its_day(index, clock, answer):
    """Until then it can be asked for by its day, and on its day nothing has to be done."""
    index.add_bytes(NAME, policy(45))
    clock.set(1)
    result = index.add_bytes(NAME, policy(60), terms=Terms(effective_from=day(7)))
    assert (result.status, result.embedded) == ("changed", 1)

    assert answer() == answer(6.9) == ("You have 45 days.", 1, day(0), None)
    assert answer(7) == ("You have 60 days.", 2, day(7), None)
    (summary,) = index.documents()
    assert (summary.version, summary.state, summary.next_from, summary.effective_until) == (
        1,
        "in force",
        day(7),
        day(7),
    )
    clock.set(7)
    assert answer() == ("You have 60 days.", 2, day(7), None)
    assert answer(6.9) == ("You have 45 days.", 1, day(0), None)


def test_a_new_document_for_the_future_is_not_there_before(index, clock, answer):
    """It is listed as scheduled."""
    index.add_bytes(NAME, policy(45), terms=Terms(effective_from=day(2)))

    assert answer() is None and answer(2) == ("You have 45 days.", 1, day(2), None)
    assert [(s.state, s.effective_from) for s in index.documents()] == [("scheduled", day(2))]
    clock.set(2)
    assert answer() == ("You have 45 days.", 1, day(2), None)
    assert [s.state for s in index.documents()] == ["in force"]


def test_an_offer_expires_by_itself(index, clock, answer):
    """The text before it does not come back, and what held then can still be asked for."""
    index.add_bytes(NAME, policy(45))
    clock.set(1)
    index.add_bytes(NAME, policy(90), terms=Terms(effective_until=day(5)))

    assert answer() == ("You have 90 days.", 2, day(1), day(5))
    clock.set(5)
    assert answer() is None and answer(9) is None
    assert answer(4.9) == ("You have 90 days.", 2, day(1), day(5))
    assert answer(0.5) == ("You have 45 days.", 1, day(0), None)
    assert index.documents() == [] and [s.state for s in index.documents(everything=True)] == ["past"]


def test_an_end_can_be_set_moved_and_taken_away(index, clock, answer):
    """As long as the version is not over."""
    index.add_bytes(NAME, policy(45))
    index.expire(NAME, day(4))
    assert answer() == answer(3.9) == ("You have 45 days.", 1, day(0), day(4)) and answer(4) is None
    clock.set(1)
    index.expire(NAME, day(6))
    assert answer(5) == ("You have 45 days.", 1, day(0), day(6)) and answer(6) is None

    changed = index.expire(NAME, None)

    assert changed.effective_until is None and answer(100) == ("You have 45 days.", 1, day(0), None)


def test_an_end_can_be_set_for_a_planned_version(index, answer):
    """By its number."""
    index.add_bytes(NAME, policy(45))
    index.add_bytes(NAME, policy(60), terms=Terms(effective_from=day(3)))
    index.expire(NAME, day(5), number=2)

    assert answer(2) == ("You have 45 days.", 1, day(0), None)
    assert answer(4) == ("You have 60 days.", 2, day(3), day(5)) and answer(5) is None


def test_rolling_back_puts_the_old_text_in_force_as_a_new_version(index, clock, answer):
    """At once, with nothing embedded; the days of the mistake stay as they were."""
    document = index.add_bytes(NAME, policy(45)).document
    clock.set(2)
    index.add_bytes(NAME, policy(4))
    vectors = vector_ids(index)
    clock.set(3)

    version = index.rollback(NAME, 1, by="ann")

    assert (version.version, version.uploaded_by, version.note) == (3, "ann", "version 1 again")
    assert answer() == ("You have 45 days.", 3, day(3), None)
    assert answer(2.5) == ("You have 4 days.", 2, day(2), None)
    assert answer(1) == ("You have 45 days.", 1, day(0), None)
    assert vector_ids(index) == vectors
    assert [w.ends for _, w in index.versions(document.id)] == [day(2), day(3), FOREVER]


def test_a_roll_back_can_be_planned(index, clock, answer):
    """After a sale the ordinary text is to come back."""
    index.add_bytes(NAME, policy(45))
    clock.set(1)
    index.add_bytes(NAME, policy(90))
    index.rollback(NAME, 1, effective_from=day(8))

    assert answer() == answer(7.9) == ("You have 90 days.", 2, day(1), None)
    assert answer(8) == ("You have 45 days.", 3, day(8), None)
    clock.set(9)
    assert answer() == ("You have 45 days.", 3, day(8), None)


def test_a_withdrawn_version_leaves_no_answer(index, clock, answer):
    """A customer is told nothing rather than what was taken back; the past stays."""
    index.add_bytes(NAME, policy(45))
    clock.set(1)
    index.add_bytes(NAME, policy(4))
    clock.set(2)

    assert index.withdraw(NAME).version == 2

    assert answer() is None and answer(50) is None
    assert answer(1.5) == ("You have 4 days.", 2, day(1), None)
    index.rollback(NAME, 1)
    assert answer() == ("You have 45 days.", 3, day(2), None)


def test_a_planned_version_that_is_withdrawn_never_comes(index, clock, answer):
    """What was in force goes on."""
    index.add_bytes(NAME, policy(45))
    index.add_bytes(NAME, policy(60), terms=Terms(effective_from=day(5)))
    clock.set(1)
    index.withdraw(NAME, 2)

    assert answer() == answer(5) == answer(50) == ("You have 45 days.", 1, day(0), None)
    with pytest.raises(TermsError, match=r"Version 2 of 'returns\.md' is not in force and will not be"):
        index.withdraw(NAME, 2)


def test_a_removed_document_is_in_no_answer_from_then_on(index, clock, answer):
    """Neither are the texts that were planned for it; what applied before can still be asked for."""
    document = index.add_bytes(NAME, policy(45)).document
    index.add_bytes(NAME, policy(60), terms=Terms(effective_from=day(5)))
    clock.set(2)
    assert index.remove(NAME) == document

    assert answer() is None and answer(5) is None and answer(100) is None
    assert answer(1) == ("You have 45 days.", 1, day(0), None)
    assert index.documents() == [] and index.version(document.id, 1).markdown == policy(45).decode()
    clock.set(3)
    index.add_bytes(NAME, policy(30))
    assert answer() == ("You have 30 days.", 3, day(3), None) and answer(2.5) is None


def test_no_hidden_plan_comes_into_force_when_a_document_is_removed(index, clock, answer):
    """A planned text and its correction for the same day both go."""
    index.add_bytes(NAME, policy(45))
    for days in (60, 61):
        index.add_bytes(NAME, policy(days), terms=Terms(effective_from=day(5)))
    assert answer(5) == ("You have 61 days.", 3, day(5), None)
    clock.set(2)
    index.remove(NAME)

    assert answer() is None and answer(5) is None and answer(50) is None


def test_a_document_removed_at_the_instant_it_was_added_is_gone(index, answer):
    """Also when an older version ended at that very instant."""
    index.add_bytes(NAME, policy(45))
    index.add_bytes(NAME, policy(60))
    index.remove(NAME)

    assert answer() is None and answer(5) is None and index.documents() == []


def test_a_backdated_text_is_what_was_in_force(index, clock, answer):
    """It was forgotten to be added on its day; a text that begins later keeps its time."""
    clock.set(10)
    index.add_bytes(NAME, policy(45))
    index.add_bytes(NAME, policy(30), terms=Terms(effective_from=day(4)))

    assert answer(4) == answer(9) == ("You have 30 days.", 2, day(4), None)
    assert answer() == ("You have 45 days.", 1, day(10), None) and answer(3) is None


def test_a_text_that_is_over_before_it_is_added_answers_for_its_time(index, clock, answer):
    """For the record only."""
    clock.set(10)
    index.add_bytes(NAME, policy(45), terms=Terms(effective_from=day(1), effective_until=day(3)))

    assert answer() is None and answer(2) == ("You have 45 days.", 1, day(1), day(3))
    assert {part for part, names in index.vectors.ids().items() if names} == {"public.past"}


def test_an_untouched_passage_has_the_dates_of_the_version_it_stands_in(index, clock):
    """It is kept once and belongs to both."""
    index.add_bytes(NAME, policy(45))
    clock.set(3)
    index.add_bytes(NAME, policy(60))
    retriever = Retriever(index.catalog, index.vectors, index.embedder, clock)

    def free(as_of):
        (found,) = [p for p in retriever.retrieve("is returning free?", as_of=day(as_of)) if "free" in p.chunk.text]
        return found.chunk.version, found.effective_from

    assert free(1) == (1, day(0)) and free(3) == (2, day(3))


def test_a_title_that_changes_is_the_title_of_its_time(index, clock, answer):
    """Also in a citation of a past answer."""
    index.add_bytes(NAME, policy(45))
    clock.set(3)
    index.add_bytes(NAME, policy(60).replace(b"# Returns", b"# Sending back"))
    retriever = Retriever(index.catalog, index.vectors, index.embedder, clock)

    titles = [retriever.retrieve("how many days?", 1, day(n))[0].document.title for n in (1, 3)]

    assert titles == ["Returns", "Sending back"]
    index.rollback(NAME, 1)
    assert retriever.retrieve("how many days?", 1)[0].document.title == "Returns"
    assert answer() == ("You have 45 days.", 3, day(3), None)


def test_the_audience_of_a_document_can_change_at_any_time(index, clock, answer):
    """For all its versions, those of the past too, wherever the calendar left their vectors."""
    index.add_bytes(NAME, policy(45), terms=Terms(effective_until=day(2)))
    clock.set(3)  # over by the calendar alone: nobody has moved the vectors
    index.describe(NAME, audience="internal", review_at=day(60))

    assert agree(index) and {part for part, names in index.vectors.ids().items() if names} == {"internal.past"}
    assert answer(1) == ("You have 45 days.", 1, day(0), day(2)) and answer(1, frozenset({"public"})) is None
    index.add_bytes(NAME, policy(45), terms=Terms(audience="vip"))
    assert agree(index) and index.get(NAME).review_at == day(60)
    assert answer(audiences=frozenset({"public", "vip"})) == ("You have 45 days.", 2, day(3), None)
    assert answer() is None


def test_a_text_that_comes_back_after_it_was_over_keeps_its_vectors(index, clock, answer):
    """Whether the calendar alone ended it or a person did."""
    index.add_bytes(NAME, policy(45), terms=Terms(effective_until=day(2)))
    clock.set(3)

    result = index.add_bytes(NAME, policy(45))

    assert result.embedded == 0 and agree(index) and index.recover() == (0, 0)
    assert answer() == ("You have 45 days.", 2, day(3), None)


def test_removing_twice_is_a_sentence(index, clock):
    """The first removal keeps its date."""
    document = index.add_bytes(NAME, policy(45)).document
    clock.set(1)
    index.remove(document.id)
    clock.set(2)

    with pytest.raises(DocumentNotFound, match=r"'returns\.md' is removed already: add it again"):
        index.remove(document.id)
    assert index.version(document.id).withdrawn_at == day(1)


def test_a_date_that_changes_nothing_is_a_sentence(index, clock):
    """With the version that it is about."""
    index.add_bytes(NAME, policy(45), terms=Terms(effective_until=day(2)))
    with pytest.raises(TermsError, match=r"The text of version 1 of .+ is in force then already"):
        index.rollback(NAME, 1)
    with pytest.raises(TermsError, match="is not after the beginning"):
        index.expire(NAME, day(0))
    clock.set(1)
    with pytest.raises(TermsError, match="The end 2026-11-24 18:00 is past: to end it now, withdraw it"):
        index.expire(NAME, day(0.25))
    clock.set(3)
    with pytest.raises(TermsError, match=r"No version of 'returns\.md' is in force: there is nothing to withdraw"):
        index.withdraw(NAME)
    with pytest.raises(TermsError, match=r"No version of 'returns\.md' is in force: name one with its number"):
        index.expire(NAME, day(9))
    with pytest.raises(
        TermsError, match=r"Version 1 of 'returns\.md' is not in force and will not be: roll back to it"
    ):
        index.expire(NAME, day(9), number=1)
    with pytest.raises(DocumentNotFound, match="has no version 7"):
        index.rollback(NAME, 7)
    with pytest.raises(TermsError, match="'v ip' is no audience"):
        index.describe(NAME, audience="v ip")
