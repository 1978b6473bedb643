"""Trying a base: which models may serve, what is measured of their replies, and the advice that follows."""

import json
import shutil

import pytest
from transformers import AutoModelForCausalLM, BertConfig, BertForMaskedLM

from bot.errors import SettingsError
from bot.golden import GoldenQuestion
from bot.model_check import (
    ENOUGH,
    FEWEST,
    WAYS,
    Compared,
    Written,
    advice,
    answer_both_ways,
    describe,
    summarise,
    try_base,
)
from bot.times import read_as_of
from knowledge.documents import Terms
from tests.tiny_models import make_tiny_base, make_tiny_tokenizer
from tone_tuning.base_model import DEFAULT_BASE, prepare_base
from tone_tuning.errors import BaseModelError
from tone_tuning.language_model import ScriptedModel

EVIDENCE, WHOLE = WAYS
ASKED = "How many days do I have to return a kettle?"
KETTLE = GoldenQuestion("q1", "lookup", ASKED, True, must_contain=(("45 days", "forty-five days"),))
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"


def written(service, golden, reply):
    """Both replies to one question, from a model that says the same to everything."""
    (row,) = answer_both_ways(service, ScriptedModel([reply]), [golden])
    return row.replies


def rows(evidence, whole, count=20):
    """`count` questions whose sources hold the words, which the first so many replies of each way keep."""

    def reply(kept):
        return Written("r", 1, True, kept, True, (), False, 5, 1.0)

    return [Compared(KETTLE, {EVIDENCE: reply(n < evidence), WHOLE: reply(n < whole)}) for n in range(count)]


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "mistral"])
def test_a_causal_model_of_any_architecture_answers(tmp_path, architecture):
    """The same code loads it, and its random weights say something."""
    folder = make_tiny_base(tmp_path / "own", architecture)
    tried = try_base(str(folder), tmp_path / "models")

    assert tried.reply and tried.model.name == str(folder)
    assert describe(tried.base)[0].lower().startswith(architecture)
    assert not (tmp_path / "models").exists()


def test_the_parameters_are_those_that_transformers_counts(tiny_base, tmp_path):
    """By the headers of the files, so that a large model need not be loaded to be named."""
    counted = AutoModelForCausalLM.from_pretrained(tiny_base).num_parameters()

    assert describe(prepare_base(str(tiny_base), tmp_path)) == ("LlamaForCausalLM", counted)


def test_only_the_weights_that_are_loaded_are_counted(tiny_base, tmp_path):
    """Some models come with all weights twice, some in parts that an index names."""
    base = prepare_base(str(shutil.copytree(tiny_base, tmp_path / "own")), tmp_path)
    before = describe(base)
    shutil.copy(base.path / "model.safetensors", base.path / "consolidated.safetensors")
    assert describe(base) == before

    (base.path / "model.safetensors").rename(base.path / "model-1.safetensors")
    (base.path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "model-1.safetensors"}}))
    assert describe(base) == before


def test_a_question_is_answered_from_chosen_sentences_and_from_whole_passages(filled):
    """As in service, the second time with everything that the best passages say."""
    model = ScriptedModel(["You have 45 days. [1]"])
    told = []
    (row,) = answer_both_ways(filled, model, [KETTLE], lambda done, name: told.append((done, name)))
    sentences, passages = (messages[-1]["content"] for messages in model.asked)

    assert "within 45 days" in sentences and "clean and complete" not in sentences
    assert "within 45 days" in passages and "clean and complete" in passages
    assert all(reply.held and reply.kept and reply.cited and not reply.invented for reply in row.replies.values())
    assert told == [(1, "q1")]


def test_values_from_nowhere_and_marks_of_no_source_are_found(filled):
    """What the check of the service would refuse is counted here."""
    reply = written(filled, KETTLE, "You have 90 days and pay $7. [9]")[EVIDENCE]

    assert (reply.invented, reply.cited, reply.held, reply.kept) == (("7", "90"), False, True, False)
    assert not reply.declined and reply.words == 8


@pytest.mark.parametrize(
    "reply",
    [
        "I couldn't find that in our documentation. Would you like me to connect you with a member of our team?",
        "The sources do not contain the answer to this question. [1]",
        "Sorry, I don't have that information.",
        "This is not mentioned in the sources.",
        "",
    ],
)
def test_a_reply_that_declines_is_told_from_an_answer(filled, reply):
    """In the words of other models too; saying nothing counts."""
    assert written(filled, KETTLE, reply)[EVIDENCE].declined


@pytest.mark.parametrize(
    "reply",
    ["Gift cards cannot be returned. [1]", "You do not pay for it. [1]", "You have 45 days, I don't know more. [1]"],
)
def test_an_answer_with_a_not_in_it_is_no_declining(filled, reply):
    """Nor is one that has what was asked for."""
    assert not written(filled, KETTLE, reply)[EVIDENCE].declined


def test_words_are_asked_for_only_where_the_sources_hold_them(filled):
    """What the search did not find is no fault of the writer; nor is an unanswerable question."""
    elsewhere = GoldenQuestion("q2", "lookup", ASKED, True, must_contain=(("90 days",),))
    without = GoldenQuestion("q3", "unanswerable", ASKED, False, must_contain=(("45 days",),))
    none = GoldenQuestion("q4", "lookup", ASKED, True)
    found = [written(filled, golden, "90 days, or 45 days")[EVIDENCE] for golden in (elsewhere, without, none)]

    assert [(reply.held, reply.kept) for reply in found] == [(False, False)] * 3


def test_a_question_is_asked_as_of_its_day_and_for_its_audience(filled):
    """Where nothing is found, nothing is written, and nothing is counted."""
    terms = Terms(audience="internal")
    filled.documents.add_bytes("goodwill.md", b"# Goodwill\n\nStaff may give $40 back for a kettle.\n", terms=terms)
    before = GoldenQuestion("q2", "lookup", ASKED, True, as_of=read_as_of("2019-06-01"))
    (row,) = answer_both_ways(filled, ScriptedModel(["x"]), [before])
    model = ScriptedModel(["x"])
    answer_both_ways(filled, model, [GoldenQuestion("q3", "lookup", "What may staff give back for a kettle?", True)])

    assert row.replies == {}
    assert "$40" not in str(model.asked)


def test_a_follow_up_is_asked_with_its_turns(filled):
    """The search gets the question before it, the writer both turns."""
    turns = ({"role": "user", "content": ASKED}, {"role": "assistant", "content": "45 days. [1]"})
    model = ScriptedModel(["No."])
    answer_both_ways(filled, model, [GoldenQuestion("q5", "followup", "And gift cards?", True, history=turns)])

    assert [turn["content"] for turn in model.asked[0][1:3]] == [ASKED, "45 days. [1]"]
    assert "Gift cards cannot be returned" in model.asked[0][-1]["content"]


def test_the_numbers_are_those_of_the_replies():
    """Shares with their intervals, medians, and the paired difference of the two ways."""
    summary = summarise(rows(12, 7))

    assert summary[EVIDENCE]["expected_words_kept"]["value"] == 0.6
    assert (summary[WHOLE]["expected_words_kept"]["n"], summary[WHOLE]["median_words"]) == (20, 5)
    assert summary["difference"]["value"] == -0.25


@pytest.mark.parametrize(
    ("evidence", "whole", "has_reading", "said"),
    [
        (12, 3, False, "train a reading adapter for it (docs/models.md), and it does better with evidence"),
        (15, 15, False, "it needs no reading adapter, and whole passages make no difference that can be told"),
        (16, 4, True, "it reads well with its reading adapter, and it does better with evidence"),
        (4, 16, True, "in spite of its reading adapter, try a bigger base, and it does better with whole passages"),
    ],
)
def test_the_advice_follows_from_the_numbers(evidence, whole, has_reading, said):
    """One sentence that names them; three of four is enough."""
    sentence = advice(summarise(rows(evidence, whole)), has_reading)

    assert ENOUGH == 0.75 and sentence.endswith(f"{said}.")
    counts = f"in {evidence} of 20, with whole passages in {whole} of 20: "
    assert sentence.startswith(f"With evidence it kept the expected words {counts}")


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_too_few_questions_give_no_advice(count):
    """Nothing is divided by zero, and nothing is read out of three questions."""
    assert "too few to say more" in advice(summarise(rows(count, 0, count)), has_reading=False)
    assert "too few" not in advice(summarise(rows(0, 0, FEWEST)), has_reading=False)


def test_trying_a_base_changes_nothing(tiny_base, home):
    """Neither its folder nor the home."""
    before = {path.name: path.stat().st_mtime_ns for path in tiny_base.iterdir()}
    try_base(str(tiny_base), home / "models")

    assert {path.name: path.stat().st_mtime_ns for path in tiny_base.iterdir()} == before and not home.exists()


@pytest.fixture
def copy(tiny_base, tmp_path):
    """A model folder to damage."""
    return shutil.copytree(tiny_base, tmp_path / "own")


def refused(base, tmp_path, kind=SettingsError):
    """The one sentence, which names the model."""
    with pytest.raises(kind) as caught:
        try_base(str(base), tmp_path / "models")
    assert str(base) in str(caught.value) and "\n" not in str(caught.value)
    assert "FRONTDESK_BASE" not in str(caught.value)
    return str(caught.value)


def test_a_model_without_a_chat_template_is_refused(copy, tmp_path):
    """It was never taught to converse."""
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (copy / name).unlink(missing_ok=True)

    assert "has no chat template: choose an instruction-tuned one" in refused(copy, tmp_path, BaseModelError)


def test_a_chat_template_that_does_not_take_our_prompt_is_refused(copy, tmp_path):
    """Such as one of a model that knows no system turn."""
    (copy / "chat_template.jinja").write_text(NO_SYSTEM)

    assert "(System role not supported): choose another" in refused(copy, tmp_path)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    """It says what a model folder has."""
    (tmp_path / "empty").mkdir()

    assert "is no model folder: give one that has config.json" in refused(tmp_path / "empty", tmp_path)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "/no/such/folder"])
def test_a_hub_id_without_network_is_refused(name, tmp_path):
    """The tests run offline; the same for a folder that is not there."""
    assert "is neither a folder nor reachable on the hub" in refused(name, tmp_path)


def test_a_model_that_is_not_causal_is_refused(tmp_path):
    """Transformers would load it as one, and it would write nonsense."""
    tokenizer = make_tiny_tokenizer()
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=1,
                        intermediate_size=16)  # fmt: skip
    BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")

    assert "of the kind BertForMaskedLM, which writes no text" in refused(tmp_path / "bert", tmp_path)


def test_a_damaged_model_is_refused(copy, tmp_path):
    """With what is wrong; its size cannot be told either."""
    (copy / "model.safetensors").write_bytes(b"\x00" * 100)

    assert "cannot be loaded (" in refused(copy, tmp_path)
    with pytest.raises(SettingsError, match="cannot be read"):
        describe(prepare_base(str(copy), tmp_path))


def test_a_model_that_says_nothing_is_refused(tiny_base, tmp_path, monkeypatch):
    """It ends its turn at once."""
    monkeypatch.setattr("bot.model_check.TransformersModel.generate", lambda *given, **named: " \n")

    assert "answered our prompt with nothing: choose another" in refused(tiny_base, tmp_path)


def test_faults_of_the_default_base_keep_their_own_sentence(tmp_path, monkeypatch):
    """Its remedy is another one: to install the project again."""

    def fail(*given):
        raise BaseModelError("The default model is not installed: run `make setup`.")

    monkeypatch.setattr("bot.model_check.prepare_base", fail)
    with pytest.raises(BaseModelError, match="run `make setup`"):
        try_base(DEFAULT_BASE, tmp_path)


def test_a_model_that_fails_at_a_question_is_one_sentence(filled):
    """Such as one that runs out of memory; the question is named."""

    def fail(messages):
        raise RuntimeError("not enough memory:\n 9 GB")

    with pytest.raises(BaseModelError, match=r"failed at question 'q1' \(not enough memory: 9 GB\)"):
        answer_both_ways(filled, ScriptedModel(fail), [KETTLE])
