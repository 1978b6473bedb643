"""The check: what passes, what is replaced by the evidence, what is dropped."""

import pytest

from bot.drafts import cut_units
from bot.evidence import Evidence, EvidenceSource
from bot.grounding import GroundingGate
from bot.sentences import split_sentences
from knowledge.reader import Support
from tests.stories import retrieved

RETURNS = "Small appliances can be returned within 45 days of delivery. Opened items carry a fee of $5."
STEPS = "To return an item:\n1. Sign in to your account.\n2. Open Orders and choose Return.\n3. Print the label."


def sources(*texts, title="Returns"):
    """Every sentence of each text as evidence of its own source, the first text best."""
    found = []
    for number, text in enumerate(texts, 1):
        evidence = tuple(Evidence(s, number - 1, 1.0 - 0.01 * number) for s in split_sentences(text))
        found.append(EvidenceSource(number, number - 1, retrieved(text, title=title), evidence))
    return found


def shown(draft, *texts, question="How long can I return a kettle?"):
    """The text a customer sees of `draft`, and the verdicts."""
    gate = GroundingGate(question, sources(*texts))
    text = "".join(gate.feed(unit) for unit in cut_units([draft])) + gate.close()
    return text.strip(), gate.verdicts


def test_a_faithful_draft_passes_as_it_was_written():
    """Greeting, both facts with their values, and the closing line reach the customer unchanged."""
    draft = (
        "Happy to help.\n\nYou can return small appliances within 45 days of delivery. [1] "
        "Opened items carry a $5 fee. [1]\n\nAnything else?"
    )
    text, verdicts = shown(draft, RETURNS)

    assert text == draft
    assert (verdicts.passed, verdicts.quoted, verdicts.wrote) == (2, 0, 1.0)


def test_a_part_that_its_passage_contradicts_is_replaced_by_the_evidence():
    """The reader head is asked about each part with the passage it cites; without one, words and values decide."""
    asked = []

    def check(claims):
        asked.extend(claims)
        return [Support(0.1, 0.8, 0.1)]

    draft = "Opened items carry a fee of $5. [1]"
    gate = GroundingGate("What does it cost?", sources(RETURNS), check=check)
    text = "".join(gate.feed(unit) for unit in cut_units([draft])) + gate.close()

    assert asked[0][0] == "Opened items carry a fee of $5." and asked[0][1].chunk.text == RETURNS
    assert gate.verdicts.passed == 0 and "otherwise" in gate.verdicts.reasons[0]
    assert "Opened items carry a fee of $5. [1]" in text
    assert shown(draft, RETURNS)[1].passed == 1


def test_an_opening_that_claims_something_is_dropped():
    """Courtesy may stand without evidence, a guess about the case may not; the question's own words are no guess."""
    body = "Opened items carry a $5 fee. [1]"
    evidence = "Opened items carry a fee of $5."

    assert shown(f"Sorry the parcel was lost.\n\n{body}", evidence)[0] == body
    assert (
        shown(f"Happy to help with your kettle.\n\n{body}", evidence)[0] == f"Happy to help with your kettle.\n\n{body}"
    )


def test_the_phrases_of_the_voice_may_say_what_they_like():
    """A company's own opening and closing pass word for word, whatever they mention."""
    draft = "Wrenfield says hello.\n\nOpened items carry a $5 fee. [1]\n\nYour team in Port Ellery."
    evidence = sources("Opened items carry a fee of $5.")

    def said(*phrases):
        gate = GroundingGate("What does it cost?", evidence, phrases)
        return "".join(gate.feed(unit) for unit in cut_units([draft])) + gate.close()

    assert said("Wrenfield says hello.", "Your team in Port Ellery.") == draft
    assert said() == "Opened items carry a $5 fee. [1]"


def test_steps_of_two_sentences_are_numbered_on():
    """A procedure that rests on two evidence sentences is still one list."""
    text, _ = shown("1. Open the lid. [1]\n2. Press the red button. [1]", "Open the lid. Press the red button.")

    assert text == "1. Open the lid. [1]\n2. Press the red button. [1]"


def test_a_sentence_that_contradicts_the_evidence_is_caught_beside_a_true_one():
    """Two sentences about the same evidence, one with a "not" too few."""
    text, _ = shown(
        "You cannot use a code with a price match. You can use a code with a price match. [1]",
        "A code cannot be used with a price match.",
    )

    assert text == "A code cannot be used with a price match. [1]"


def test_a_wrong_value_is_replaced_by_the_evidence_sentence():
    """An invented number never shows; the sentence of the document stands in its place."""
    text, verdicts = shown("Small appliances can be returned within 60 days of delivery. [1]", RETURNS)

    assert "60" not in text
    assert "within 45 days of delivery. [1]" in text
    assert verdicts.wrote == 0.0


def test_a_value_of_the_title_alone_is_invented():
    """What no cited passage holds does not reach the customer, not even the model number in the heading."""
    gate = GroundingGate("How much water?", sources("It holds 1.7 litres.", title="Heron kettle WK-170"))
    units = cut_units(["The Heron kettle WK-170 holds 1.7 litres. [1]"])

    assert ("".join(gate.feed(unit) for unit in units) + gate.close()).strip() == "It holds 1.7 litres. [1]"


def test_an_opening_said_twice_is_no_closing():
    """The same courtesy at both ends would sound like a machine."""
    text, _ = shown(
        "Good question.\n\nOpened items carry a $5 fee. [1]\n\nGood question.", "Opened items carry a fee of $5."
    )

    assert text == "Good question.\n\nOpened items carry a $5 fee. [1]"


def test_a_lost_value_brings_the_evidence_back():
    """A draft that drops the number it should answer with is replaced."""
    text, _ = shown("You can return small appliances after delivery. [1]", RETURNS)

    assert "45 days" in text


def test_a_missing_or_wrong_mark_is_repaired():
    """The citation is that of the source the sentence rests on."""
    text, _ = shown(
        "Repairs take 12 working days in our workshop. [1]", RETURNS, "Repairs take 12 working days in our workshop."
    )

    assert "Repairs take 12 working days in our workshop. [2]" in text


@pytest.mark.parametrize(
    "draft", ["Opened items do not carry a fee of $5. [1]", "Opened items carry no fee of $5. [1]"]
)
def test_a_not_that_was_added_is_caught(draft):
    """Values alone do not make a sentence true."""
    text, _ = shown(draft, "Opened items carry a fee of $5.")

    assert text == "Opened items carry a fee of $5. [1]"


def test_steps_are_judged_together_and_keep_their_lines():
    """A procedure passes as numbered lines with one citation."""
    text, verdicts = shown(
        "To return an item:\n1. Sign in to your account.\n2. Open Orders and choose Return.\n3. Print the label. [1]",
        STEPS,
    )

    assert text.splitlines()[-1] == "3. Print the label. [1]"
    assert verdicts.passed == 1


def test_a_step_left_out_brings_the_whole_procedure():
    """Half a procedure is worse than the quoted one."""
    text, _ = shown("1. Print the label. [1]", STEPS)

    assert "1. Sign in to your account." in text


def test_a_repeated_sentence_shows_once():
    """Saying it twice does not make it truer."""
    sentence = "Repairs take 12 working days in our workshop. [1]"
    text, _ = shown(f"{sentence} {sentence} {sentence}", "Repairs take 12 working days in our workshop.")

    assert text.count("12 working days") == 1


def test_evidence_that_already_stands_in_the_answer_is_not_quoted_again():
    """A sentence of the draft may have been taken for part of the one before it."""
    text = "Take the kettle off its base and fill it between the marks. Fill the kettle with water only."
    gate = GroundingGate("How do I boil water?", sources(text, title="Boiling water in the kettle"))
    said = "".join(gate.feed(unit) for unit in cut_units([f"{text} [1]"])) + gate.close()

    assert said.count("Fill the kettle with water only.") == 1


def test_a_claim_that_rests_on_nothing_is_dropped():
    """An invented extra disappears; its refusal has a reason."""
    text, verdicts = shown(
        "Opened items carry a fee of $5. [1] Our founder Bob loves 3 purple elephants. [1]",
        "Opened items carry a fee of $5.",
    )

    assert "elephants" not in text
    assert verdicts.reasons


def test_an_empty_draft_gives_the_quotation():
    """A writer that says nothing leaves the reader's choice."""
    text, _ = shown("", "Opened items carry a fee of $5.")

    assert text == "Opened items carry a fee of $5. [1]"
