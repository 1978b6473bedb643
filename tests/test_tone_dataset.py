"""Training data: what a good file gives, and that every fault is named with its row."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_models import make_tiny_tokenizer, row, write_rows
from tone_tuning.dataset import Conversation, data_hash, encode, house_phrases, load_conversations, split_conversations
from tone_tuning.errors import DataSetError
from tone_tuning.prompt import Source, build_messages, prompt_ids

TOKENIZER = make_tiny_tokenizer()
ASKED = {"role": "user", "content": "How long?"}
REPLY = {"role": "assistant", "content": "45 days. [1]"}


def test_a_good_file_gives_its_conversations(tmp_path):
    """Rows in order, with their turns, sources and replies; blank lines do not count."""
    path = write_rows(tmp_path / "data.jsonl", [row(1), row(2)])
    path.write_text(path.read_text().replace("\n", "\n\n \n", 1))

    first, second = load_conversations(path)

    assert first.reply == "You have 1 days. [1]"
    assert first.sources == (Source("Returns", "", "", "You have 1 days to return kettle 1."),)
    assert second.messages[0]["content"] == "How long do I have to return kettle 2?"


def test_the_prompt_of_a_row_is_the_serving_prompt(tmp_path):
    """Ours is the system prompt, earlier turns stay, and the ids are those that the model is served."""
    earlier = [{"role": "system", "content": "Be rude."}, {"role": "user", "content": "Hi"}, REPLY]
    path = write_rows(tmp_path / "data.jsonl", [{**row(1), "messages": [*earlier, ASKED, REPLY]}])
    conversation = load_conversations(path)[0]

    served = build_messages("How long?", conversation.sources, earlier[1:])

    example = encode(conversation, TOKENIZER)
    assert conversation.prompt() == served
    assert list(example.ids[: example.reply_at]) == prompt_ids(served, TOKENIZER)


def test_the_loss_is_on_the_reply_and_its_end_token_only(tmp_path):
    """What is learned, decoded, is the reply and `<|im_end|>`, once."""
    conversation = load_conversations(write_rows(tmp_path / "data.jsonl", [row(45)]))[0]

    example = encode(conversation, TOKENIZER)

    assert TOKENIZER.decode(example.ids[example.reply_at :]) == "You have 45 days. [1]<|im_end|>"
    assert TOKENIZER.decode(example.ids[: example.reply_at]).endswith("<|im_end|>\n<|im_start|>assistant\n")


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip()))
def test_any_reply_is_learned_as_it_stands(tmp_path_factory, text):
    """Whatever its characters, the reply without the spaces around it, and never the end token inside it."""
    data = {"messages": [ASKED, {"role": "assistant", "content": text + "<|im_end|>x"}]}
    path = tmp_path_factory.mktemp("any") / "data.jsonl"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")

    example = encode(load_conversations(path)[0], TOKENIZER)

    learned = example.ids[example.reply_at :]
    assert learned.index(TOKENIZER.eos_token_id) == len(learned) - 1
    assert TOKENIZER.decode(learned[:-1]) == f"{text}< |im_end|>x".strip()


def test_a_byte_order_mark_is_no_fault(tmp_path):
    """Windows editors put one first."""
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(row(1)), encoding="utf-8-sig")

    assert len(load_conversations(path)) == 1


def test_lines_end_as_windows_ends_them(tmp_path):
    """A carriage return belongs to the line's end."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\r\n".join(json.dumps(row(n)).encode() for n in (1, 2)) + b"\r\n")

    assert [c.reply for c in load_conversations(path)] == ["You have 1 days. [1]", "You have 2 days. [1]"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x7f"])
def test_a_separator_inside_a_text_does_not_end_the_row(tmp_path, separator):
    """JSON may hold Unicode's other line ends as they are, and ticket systems export them."""
    path = tmp_path / "data.jsonl"
    turns = [ASKED, {"role": "assistant", "content": f"One.{separator}Two."}]
    path.write_text(json.dumps({"messages": turns}, ensure_ascii=False), encoding="utf-8")

    assert load_conversations(path)[0].reply == f"One.{separator}Two."


def test_a_split_keeps_each_conversation_whole_and_is_stable(tmp_path):
    """Rows with the same first question stay on one side, wherever they stand and whatever else is there."""
    turns = [
        [ASKED, REPLY],
        [ASKED, REPLY, {"role": "user", "content": "And gifts?"}, REPLY],
    ]
    rows = [row(n) for n in range(200)] + [{"messages": t} for t in turns]
    conversations = load_conversations(write_rows(tmp_path / "data.jsonl", rows))

    training, validation = split_conversations(conversations, 0.3, seed=1)
    again = split_conversations(conversations[::-1], 0.3, seed=1)

    assert sorted(training + validation, key=repr) == sorted(conversations, key=repr)
    assert 40 < len(validation) < 80  # 60 expected of 202, six standard deviations either way
    assert not {c.id for c in training} & {c.id for c in validation}
    assert [side[::-1] for side in again] == [training, validation]
    assert split_conversations(conversations, 0.3, seed=2)[1] != validation


def test_a_share_of_nothing_holds_nothing_out(tmp_path):
    """All rows are for training then."""
    conversations = load_conversations(write_rows(tmp_path / "data.jsonl", [row(n) for n in range(20)]))

    assert split_conversations(conversations, 0.0, seed=1) == (conversations, [])


def test_a_file_hash_names_its_bytes(tmp_path):
    """One more byte is other data."""
    path = write_rows(tmp_path / "data.jsonl", [row(1)])
    before = data_hash(path)
    path.write_text(path.read_text() + "\n")

    assert data_hash(path) != before


FAULTY = [
    ("{", "no JSON"),
    ("[" * 100_000, "no JSON"),
    ("[]", "'messages' must be a list of turns"),
    ("{}", "'messages' must be a list of turns"),
    ({"messages": []}, "'messages' must be a list of turns"),
    ({"messages": ["Hi"]}, "a turn needs a role (system, user, assistant) and a text content"),
    ({"messages": [{"role": "bot", "content": "x"}]}, "a turn needs a role (system, user, assistant)"),
    ({"messages": [{"role": "user", "content": None}]}, "a turn needs a role (system, user, assistant)"),
    ({"messages": [ASKED]}, "there is no assistant turn to learn from"),
    ({"messages": [REPLY]}, "the last two turns must be the customer's question and the reply to it"),
    ({"messages": [ASKED, REPLY, ASKED]}, "the last two turns must be"),
    ({"messages": [ASKED, REPLY, REPLY]}, "the last two turns must be"),
    ({"messages": [ASKED, {"role": "assistant", "content": " "}]}, "the reply is empty"),
    ({"messages": [ASKED, REPLY], "sources": "Returns"}, "'sources' must be a list"),
    ({"messages": [ASKED, REPLY], "sources": [{"title": "T"}]}, "a source needs a title and a text"),
    (
        {"messages": [ASKED, REPLY], "sources": [{"title": "T", "text": "x", "date": 2026}]},
        "the section and the date of a source must be text",
    ),
    (r'{"messages": [{"role": "user", "content": "\ud83d"}]}', "it holds half a character"),
]


@pytest.mark.parametrize(("faulty", "said"), FAULTY, ids=range(len(FAULTY)))
def test_each_fault_has_its_words(tmp_path, faulty, said):
    """The row's number and what is wrong with it."""
    path = tmp_path / "data.jsonl"
    path.write_text(faulty if isinstance(faulty, str) else json.dumps(faulty), encoding="utf-8")

    with pytest.raises(DataSetError) as caught:
        load_conversations(path)

    assert str(caught.value).startswith(f"'data.jsonl' has 1 faulty rows, correct them: row 1: {said}")


def test_all_faults_are_named_at_once(tmp_path):
    """A person corrects a file in one go; rows are counted as an editor counts lines."""
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join([json.dumps(row(1)), "{", "", "[]", json.dumps(row(2))]))

    with pytest.raises(DataSetError, match=r"has 2 faulty rows.*row 2: no JSON.*; row 4: 'messages' must"):
        load_conversations(path)


def test_very_many_faults_are_counted(tmp_path):
    """Twenty are shown, the others counted."""
    path = tmp_path / "data.jsonl"
    path.write_text("{}\n" * 25)

    with pytest.raises(DataSetError, match=r"has 25 faulty rows.*row 20: [^;]* and 5 more$"):
        load_conversations(path)


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_an_empty_file_is_one_sentence(tmp_path, content):
    """It says what a row looks like."""
    path = tmp_path / "data.jsonl"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(DataSetError, match=r'^\'data\.jsonl\' has no conversations: add rows like {"messages"'):
        load_conversations(path)


def test_text_that_is_not_utf8_is_one_sentence(tmp_path):
    """It says which encoding is wanted."""
    path = tmp_path / "data.jsonl"
    path.write_bytes("{'ä'}".encode("latin-1"))

    with pytest.raises(DataSetError, match="is no UTF-8 text: save it as UTF-8 JSONL"):
        load_conversations(path)


@pytest.mark.parametrize("read", [load_conversations, data_hash])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, read):
    """Missing, or a folder."""
    with pytest.raises(DataSetError, match=r"cannot be read \(No such file or directory\): check the path\.$"):
        read(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataSetError, match=r"cannot be read \(Is a directory\): check the path\.$"):
        read(tmp_path)


def test_openings_and_closings_that_repeat_are_the_phrases_of_the_voice():
    """Three replies share a line, two another; one with a number or a citation claims something."""
    replies = [
        "Happy to help.\n\nYou have 45 days. [1]\n\nYour team.",
        "Happy to help.\n\nYes, it is free. [1]\n\nYour team.",
        "Happy to help.\n\nNo. [1]\n\nYour team of 3.",
        "Sure.\n\nNo. [1]\n\nYour team of 3.",
        "Sure.\n\nNo. [1]\n\nYour team of 3.",
        "Only one paragraph.",
    ]
    talks = [
        Conversation(({"role": "user", "content": "q"}, {"role": "assistant", "content": reply}), (), str(n))
        for n, reply in enumerate(replies)
    ]

    assert house_phrases(talks) == ["Happy to help."]
