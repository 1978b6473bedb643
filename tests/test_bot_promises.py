"""The bot never says that something was done, or that it will do it, when nobody did."""

import pytest

from bot.drafts import cut_units
from bot.grounding import GroundingGate
from bot.promises import promise_in
from tests.test_bot_grounding import RETURNS, shown, sources


@pytest.mark.parametrize(
    "text",
    [
        "I have refunded your order.", "I've just cancelled it for you.", "We have already shipped a new one.",
        "I’m transferring you to a colleague.", "I will send you a label.", "I'll personally take care of it.",
        "Your refund has been issued.", "The whole order has now been cancelled.", "We've gone ahead and upgraded you.",
        "I am now connecting you.", "I cancelled it.", "Good news: that parcel has been sent.",
    ],
)  # fmt: skip
def test_what_nobody_did_is_a_promise(text):
    """Done, being done, or about to be done, by the bot or in the passive."""
    assert promise_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "We send refunds within 5 working days.", "You can cancel until packing.", "We will send you a free label.",
        "Have you cancelled it?", "Orders are refunded in full.", "Is there anything else I can help you with?",
        "I couldn't find that in our documentation.", "Once it has been opened, it cannot be returned.",
        "Would you like me to connect you with a member of our team?", "Happy to help with that.", "",
    ],
)  # fmt: skip
def test_rules_offers_and_courtesy_are_none(text):
    """A company may say what it does."""
    assert promise_in(text) == ""


def test_a_part_of_a_draft_that_promises_is_replaced_by_the_evidence():
    """Its values may be right all the same."""
    text, verdicts = shown("I have returned your small appliances within 45 days of delivery. [1]", RETURNS)

    assert "I have" not in text and "can be returned within 45 days" in text
    assert any(reason.startswith("promises what nobody did: I have returned") for reason in verdicts.reasons)


def test_a_phrase_of_the_voice_that_promises_is_dropped():
    """However often its transcripts had it, for there a person had done it."""
    phrase = "I've transferred you to my colleague."
    gate = GroundingGate("How long?", sources(RETURNS), [phrase])
    draft = f"{phrase}\n\nSmall appliances can be returned within 45 days of delivery. [1]\n\n{phrase}"
    text = "".join(gate.feed(unit) for unit in cut_units([draft])) + gate.close()

    assert "transferred" not in text and "45 days" in text


def test_what_the_document_itself_says_may_be_said():
    """A rule about what the company has sent is no promise."""
    rule = "You pay nothing for the label if we sent the wrong one."
    text, verdicts = shown(f"{rule} [1]", rule)

    assert text == f"{rule} [1]" and verdicts.passed == 1
