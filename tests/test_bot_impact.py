"""What a new version changes for customers: their questions asked again under both, with nothing kept of it."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import QuestionError
from bot.impact import compared_versions, reask, without_log
from knowledge.documents import Terms
from tests.fake_service import RETURNS, SHIPPING, make_service
from tests.test_bot_cli_documents import refused

ASKED = "How many days do I have to return a kettle?"
BOX = "Should I keep the box?"
SOON = timedelta(days=3)


@pytest.fixture
def service(home):
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.documents.add_bytes("shipping.md", SHIPPING.encode())
    yield service
    service.close()


def change(service, terms=None):
    service.documents.add_bytes("returns.md", RETURNS.replace("45 days", "60 days").encode(), terms=terms or Terms())


def asked_again(service, **versions):
    compared = compared_versions(service.documents, "returns.md", **versions)
    return list(reask(service.bot, service.log, compared, 20))


def test_an_answer_that_changes_is_shown_before_and_after(service):
    """And one that does not is known to be the same."""
    service.bot.ask(BOX)
    service.bot.ask(ASKED)
    service.bot.ask("What does express shipping cost?")
    change(service)
    first, second = asked_again(service)

    assert (first.question, first.changed) == (ASKED, True)
    assert "45 days" in first.before.text and "60 days" in first.after.text
    assert (second.question, second.changed) == (BOX, False)


def test_a_version_that_is_yet_to_come_is_compared_before_it_holds(service):
    """So that a support lead knows on the day before."""
    service.bot.ask(ASKED)
    change(service, Terms(effective_from=datetime.now(UTC) + SOON))
    (found,) = asked_again(service)

    assert "45 days" in found.before.text and "60 days" in found.after.text
    assert "45 days" in service.bot.ask(ASKED).text


def test_nothing_of_it_is_logged(service):
    """The bot of the customers keeps its log."""
    service.bot.ask(ASKED)
    change(service)
    asked_again(service)

    assert len(service.log.recent()) == 1
    without_log(service.bot).ask(BOX)
    assert len(service.log.recent()) == 1
    service.bot.ask(BOX)
    assert len(service.log.recent()) == 2


def test_each_question_is_asked_once_and_not_one_about_another_day(service):
    """What applied on a day long ago follows no new version."""
    for _ in range(2):
        service.bot.ask(ASKED)
    service.bot.ask(BOX, as_of=datetime.now(UTC))
    document = service.documents.get("returns.md")

    assert service.log.asked_about(document.id, 20) == [ASKED]
    assert service.log.asked_about(document.id, 0) == service.log.asked_about("nothing", 20) == []


def test_any_two_versions_can_be_compared(service):
    """Also the older one with itself, which changes nothing."""
    service.bot.ask(ASKED)
    change(service)
    service.documents.add_bytes("returns.md", RETURNS.replace("45 days", "90 days").encode())

    (found,) = asked_again(service, old=1, new=3)
    assert "45 days" in found.before.text and "90 days" in found.after.text
    assert not asked_again(service, old=2, new=2)[0].changed


def test_a_staff_document_is_asked_about_as_staff(service):
    """Whose answers would not read it otherwise."""
    service.documents.describe("returns.md", "internal")
    service.bot.ask(ASKED, audiences=frozenset({"public", "internal"}))
    change(service)

    assert "60 days" in asked_again(service)[0].after.text


@pytest.mark.parametrize(("versions", "told"), [({}, "a version before"), ({"new": 7}, "version 7 that is ever")])
def test_versions_that_are_not_there_are_one_sentence(service, versions, told):
    """It names the command that shows them."""
    with pytest.raises(QuestionError, match=rf"^'returns\.md' has not {told}.*: `frontdesk docs versions returns\.md`"):
        compared_versions(service.documents, "returns.md", **versions)


# -- the story through the command line


def test_a_changed_policy_shows_in_the_policy_diff(frontdesk, home):
    """Old and new answer under each other, then how many change; a document nobody asked about says so."""
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.documents.add_bytes("shipping.md", SHIPPING.encode())
    service.bot.ask(ASKED)
    change(service)
    service.documents.add_bytes("shipping.md", SHIPPING.replace("$7.50", "$8").encode())
    service.close()
    told = frontdesk("docs", "impact", "returns.md")

    assert told.code == 0 and told.out.startswith(f"{ASKED}\n- version 1: ")
    assert "45 days" in told.out.split("+ version 2: ")[0] and "60 days" in told.out.split("+ version 2: ")[1]
    assert "1 of 1 answers change from version 1 to 2." in told.err
    assert "Nobody has asked about 'shipping.md' so far." in frontdesk("docs", "impact", "shipping.md").err


def test_an_unknown_document_has_no_impact(frontdesk):
    """One sentence."""
    assert "frontdesk docs list" in refused(frontdesk("docs", "impact", "nothing.md"))
