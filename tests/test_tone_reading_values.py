"""Values, verdicts and constrained copying: what a reply keeps, invents and may say."""

import pytest
import torch

from tests.tiny_models import make_tiny_tokenizer
from tone_tuning.dataset import Conversation
from tone_tuning.prompt import Source
from tone_tuning.reading.copying import CopyNumbers, digit_pieces
from tone_tuning.reading.rows import DECLINE
from tone_tuning.reading.scores import judge, summary, wilson
from tone_tuning.reading.values import citations, keeps, values_in


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("It costs $10.00, or 10.", {"10"}),
        ("1,000.50 euros", {"1000.5"}),
        ("sixty days and twenty-four hours", {"60", "24"}),
        ("from 9:00 to 3:30 pm", {"9", "3:30"}),
        ("on 2026-03-01, that is 1 March 2026", {"1", "mar", "2026"}),
        ("a 45-day window, 230V, 10%", {"45", "230", "10"}),
        ("Write to Help@shop.example or see shop.example/help.", {"help@shop.example", "shop.example/help"}),
        ("Call +44 20 7946 0958.", {"442079460958"}),
        ("1. Open it.\n2. Wait 5 days. [2]", {"5"}),
        ("You may call one of us.", set()),
        ("", set()),
    ],
)
def test_values_have_one_form_each(text, values):
    """Prices, spelled numbers, times, dates, links and phones; marks and list numbers are none."""
    assert values_in(text) == values


@pytest.mark.parametrize(
    ("reply", "value", "kept"),
    [
        ("You have sixty days. [1]", "60", True),
        ("It is $10. [1]", "$10.00", True),
        ("Within 6 days. [1]", "60", False),
        ("Bring it to a partner kiosk. [1]", "a partner kiosk", True),
        ("Bring it to a kiosk. [1]", "a partner kiosk", False),
        ("Open Billing > Payment method. [1]", "Billing > Payment method", True),
        ("It is on page 2 [1]", "1", False),
    ],
)
def test_a_value_is_kept_in_any_form_and_a_phrase_word_by_word(reply, value, kept):
    """A citation mark does not count as the number."""
    assert keeps(reply, value) is kept


def test_citations_are_the_numbers_in_brackets():
    """Each once."""
    assert citations("A. [1] B. [2] [1]") == {1, 2}
    assert citations("Nothing.") == frozenset()


def conversation(reply, question="How long?"):
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": reply})
    sources = (Source("Returns", "", "", "You have 45 days and pay $3."), Source("Post", "", "", "It takes 4 days."))
    return Conversation(turns, sources, "x", True)


def verdicts(reply, kind="evidence", values=("45", "$3"), unwanted=(), reference="You have 45 days and pay $3. [1]"):
    row = {"kind": kind, "values": list(values), "unwanted": list(unwanted)}
    return judge(row, conversation(reference), reply)


def test_a_faithful_reply_passes_every_verdict():
    """Values kept, none invented, the right source cited."""
    judged = verdicts("You have 45 days; the cost is $3.00. [1]", unwanted=("4",))

    assert judged.verdicts == {
        "declined_wrongly": False,
        "invented": False,
        "values_kept": True,
        "citation_right": True,
        "unwanted_left_out": True,
    }
    assert (judged.lost, judged.invented) == ((), ())


def test_each_fault_has_its_verdict():
    """A lost value, an invented one, a wrong source, a value that was not asked for, and declining for no reason."""
    assert verdicts("You have 45 days. [1]").lost == ("$3",)
    assert verdicts("You have 45 days, $3, 17 kg. [1]").invented == ("17",)
    assert verdicts("You have 45 days and pay $3. [2]").verdicts["citation_right"] is False
    assert verdicts("45 days, $3, it takes 4 days. [1]", unwanted=("4",)).verdicts["unwanted_left_out"] is False
    assert verdicts(DECLINE).verdicts["declined_wrongly"] is True
    assert verdicts("45 days. [1]", kind="two_facts").verdicts["two_facts"] is False
    assert verdicts("45 days. [1]", values=("45", "by post")).verdicts["phrases_kept"] is False


def test_declining_is_judged_alone_where_nothing_answers():
    """A reply to a question without an answer has no values to keep."""
    assert verdicts(DECLINE, reference=DECLINE).verdicts == {"declined_rightly": True}
    assert verdicts("It takes 4 days. [2]", reference=DECLINE).verdicts == {"declined_rightly": False}


def test_the_summary_gives_shares_with_intervals():
    """By verdict, and values_kept for each kind."""
    scores = summary([verdicts("45 days, $3. [1]"), verdicts("45 days. [1]")])

    assert scores["values_kept"] == {"share": 0.5, "low": 0.0945, "high": 0.9055, "n": 2}
    assert scores["values_kept in evidence"]["n"] == 2
    assert summary([]) == {}


def test_wilson_intervals_are_those_of_the_textbook():
    """9 of 10: Newcombe (1998) gives 0.596 to 0.982; of nothing, everything is possible."""
    assert wilson(9, 10) == pytest.approx((0.596, 0.982), abs=5e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tiny_tokenizer()


def allowed_after(tokenizer, said, source="You have 45 days, or 120.", sources=2):
    """The single digits, and whether anything else, that may follow `said`."""
    prompt = [5, 6, 7]
    ids = torch.tensor([[*prompt, *tokenizer.encode(said, add_special_tokens=False)]])
    processor = CopyNumbers(tokenizer, digit_pieces(tokenizer), [(sources, source)], len(prompt))
    scores = processor(ids, torch.zeros(1, len(tokenizer)))[0]
    free = {tokenizer.decode([n]) for n in torch.nonzero(scores == 0).flatten().tolist()}
    return {piece for piece in free if piece in set("0123456789")}, " " in free


def test_a_number_can_only_be_copied(tokenizer):
    """Only digits that go on a number of the prompt, until it is whole."""
    assert allowed_after(tokenizer, "You have ") == ({"4", "1"}, True)
    assert allowed_after(tokenizer, "You have 4") == ({"5"}, False)
    assert allowed_after(tokenizer, "You have 45") == (set(), True)
    assert allowed_after(tokenizer, "You have 12") == ({"0"}, False)


def test_marks_and_list_numbers_stay_possible(tokenizer):
    """`[n]` up to the number of sources; steps at the start of a line."""
    assert allowed_after(tokenizer, "You have 45 days. [") == ({"1", "2"}, True)
    assert allowed_after(tokenizer, "To return it:\n")[0] == set("123456789")
    assert allowed_after(tokenizer, "") == (set("123456789"), True)


def test_without_numbers_in_the_prompt_none_can_be_said(tokenizer):
    """Everything else stays free."""
    assert allowed_after(tokenizer, "You have ", source="Ask us.") == (set(), True)
