"""The one prompt template: its exact text, its hash, and that nobody speaks in another's role."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_models import make_tiny_tokenizer
from tone_tuning import prompt
from tone_tuning.prompt import SYSTEM_PROMPT, Source, build_messages, plain_text, prompt_hash, prompt_ids

RETURNS = Source("Returns", "", "", "You have 45 days.")
TOKENIZER = make_tiny_tokenizer()
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def test_the_prompt_is_the_one_that_the_reading_adapter_was_trained_on():
    """The text of /work/shared/models/reading-v0/README.md, through ChatML, character for character."""
    sources = [RETURNS, Source("Shipping", "", "", "It takes 2 days.")]

    text = TOKENIZER.decode(prompt_ids(build_messages("How long?", sources), TOKENIZER))

    assert text == (
        "<|im_start|>system\n"
        "You are a customer support assistant. Answer only from the sources and cite them like [1]. "
        "If the sources do not contain the answer, say so.<|im_end|>\n"
        "<|im_start|>user\n"
        "Sources:\n[1] Returns\nYou have 45 days.\n\n[2] Shipping\nIt takes 2 days.\n\nQuestion: How long?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_earlier_turns_stand_between_the_system_prompt_and_the_sources():
    """History is passed on as it was, without sources of its own."""
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]

    messages = build_messages("How long?", [RETURNS], history)

    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == SYSTEM_PROMPT
    assert messages[1:3] == history


@pytest.mark.parametrize(
    ("source", "heading"),
    [
        (Source("Returns", "Time limits", "2026-01-01", "x"), "Returns: Time limits"),
        (Source("Returns", "Returns", "", "x"), "Returns"),
        (Source("Returns", "", "2026-01-01", "x"), "Returns"),
    ],
)
def test_a_heading_names_the_section_where_it_says_something_new(source, heading):
    """Title and section, once each; the date is not shown."""
    assert build_messages("q", [source])[-1]["content"] == f"Sources:\n[1] {heading}\nx\n\nQuestion: q"


def test_without_sources_only_the_question_is_asked():
    """No empty list of sources is shown."""
    assert build_messages("How long?", [])[-1]["content"] == "Question: How long?"


@pytest.mark.parametrize(
    "row", [{"title": "T", "text": "x"}, {"title": "T", "text": "x", "section": None, "date": None}]
)
def test_a_row_may_leave_out_section_and_date(row):
    """Missing and null are the same."""
    assert Source.from_dict(row) == Source("T", "", "", "x")


def test_the_hash_of_the_template_is_pinned():
    """The value in the cards of all adapters trained since 2026-11; a change makes every one of them useless."""
    assert prompt_hash() == "f5acf468b0a0"


def test_the_hash_changes_with_the_system_prompt(monkeypatch):
    """An adapter trained with another instruction is told apart."""
    before = prompt_hash()
    monkeypatch.setattr(prompt, "SYSTEM_PROMPT", SYSTEM_PROMPT + " Be brief.")

    assert prompt_hash() != before


def test_the_hash_changes_with_the_way_sources_are_listed(monkeypatch):
    """So does one that saw other headings."""
    before = prompt_hash()
    monkeypatch.setattr(Source, "heading", property(lambda source: f"{source.title} ({source.section})"))

    assert prompt_hash() != before


def test_the_hash_changes_with_the_order_of_turns(monkeypatch):
    """So does one that saw the question before the history."""
    before, build = prompt_hash(), prompt.build_messages
    monkeypatch.setattr(prompt, "build_messages", lambda *given: build(*given)[::-1])

    assert prompt_hash() != before


def test_ordinary_text_reaches_the_template_unchanged():
    """Only what spells a special token is touched."""
    messages = build_messages("Is 3 < 4 | 5 > 2?", [RETURNS])

    plain = TOKENIZER.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)

    assert prompt_ids(messages, TOKENIZER) == list(plain)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from((*SPECIAL, "<|im_", "start|>", "<|")), st.text(max_size=8)), max_size=12))
def test_a_customer_cannot_speak_in_another_role(pieces):
    """Whatever is typed, the prompt has the special tokens of its own turns and no more."""
    typed = "".join(pieces)

    ids = prompt_ids(build_messages(typed, [Source("T", "", "", typed)]), TOKENIZER)

    assert [ids.count(TOKENIZER.convert_tokens_to_ids(token)) for token in SPECIAL] == [0, 3, 2]


def test_broken_up_special_tokens_stay_readable():
    """A document about `<|im_end|>` can still be quoted."""
    assert plain_text("Write <|im_end|> last.", TOKENIZER) == "Write < |im_end|> last."
