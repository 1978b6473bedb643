"""The writer: its greedy stream, its adapters, its threads; and that the fake keeps the same promise."""

import dataclasses
import json
import queue
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.tiny_models import make_tiny_adapter, prepare_tiny, warned
from tone_tuning import language_model
from tone_tuning.errors import AdapterError, BaseModelError
from tone_tuning.language_model import ScriptedModel, TransformersModel, _greedy
from tone_tuning.prompt import Source, build_messages, prompt_ids
from tone_tuning.quiet import quiet_transformers

ASKED = build_messages("How long do I have to return a kettle?", [Source("Returns", "", "", "You have 45 days.")])


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """On every processor the same numbers."""
    monkeypatch.setattr(language_model, "pick_dtype", lambda: torch.float32)


@pytest.fixture(scope="module", params=["llama", "qwen3", "mistral"])
def tiny(request, tmp_path_factory):
    """A loaded tiny model of each architecture; the last one's attention sees 16 tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language_model, "pick_dtype", lambda: torch.float32)
        model = TransformersModel(prepare_tiny(tmp_path_factory.mktemp("base"), request.param))
        model.load()
    # It says whole characters and no special token, so it never ends by itself.
    mute = [t for t in range(len(model._tokenizer)) if t < 3 or "\ufffd" in model._tokenizer.decode([t])]
    model._model.lm_head.weight.data[mute] = 0
    return model


@pytest.fixture
def base(tmp_path):
    return prepare_tiny(tmp_path / "base")


def plain_greedy(model, prompt, tokens, end):
    """What transformers' own `generate` says up to the token `end`."""
    made = model._model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt)),
        do_sample=False,
        max_new_tokens=tokens,
        eos_token_id=end,
    )
    return [t for t in made[0, len(prompt) :].tolist() if t != end]


def copied_greedy(model, prompt, tokens, ends=()):
    return [t for step in _greedy(model._model, prompt, frozenset(ends), tokens) for t in step]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(question=st.text(max_size=40), source=st.text(max_size=80), tokens=st.integers(1, 60), end=st.integers(0, 300))
def test_drafting_by_copy_says_what_plain_greedy_says(tiny, question, source, tokens, end):
    """Token for token, for any prompt and length, also past a sliding window."""
    prompt = prompt_ids(build_messages(question, [Source("T", "", "", source)]), tiny._tokenizer)

    assert copied_greedy(tiny, prompt, tokens, [end]) == plain_greedy(tiny, prompt, tokens, end)


def test_copying_costs_fewer_passes_than_tokens(tiny, monkeypatch):
    """A tiny random model repeats itself, so some drafts are accepted; others are refused, and no token is lost."""
    widths, steps, forward = [], [], tiny._model.forward

    def counted(ids, **named):
        widths.append(ids.shape[1])
        return forward(ids, **named)

    for question in ("How long?", "Who pays?", "Why?", "A kettle?", "45 days?"):
        prompt = prompt_ids(build_messages(question, []), tiny._tokenizer)
        with monkeypatch.context() as patch:
            patch.setattr(tiny._model, "forward", counted)
            taken = list(_greedy(tiny._model, prompt, frozenset(), 40))
        assert [t for step in taken for t in step] == slow_greedy(tiny, prompt, 40)
        steps += taken

    drafted = [(width - 1, len(step) - 1) for width, step in zip(widths, steps, strict=True) if 1 < width < 10]
    assert len(steps) < 5 * 40
    assert any(accepted > 0 for _, accepted in drafted)
    assert any(accepted < asked for asked, accepted in drafted)


def slow_greedy(model, prompt, tokens):
    """One full pass per token, without a cache: the slowest and surest way."""
    known = list(prompt)
    with torch.inference_mode():
        for _ in range(tokens):
            known.append(int(model._model(torch.tensor([known]), use_cache=False).logits[0, -1].argmax()))
    return known[len(prompt) :]


def test_a_reply_ends_before_its_end_token(tiny):
    """Also where that stands in the middle of an accepted draft, and it is never said."""
    prompt = prompt_ids(ASKED, tiny._tokenizer)
    free = copied_greedy(tiny, prompt, 40)
    for end in set(free):
        assert copied_greedy(tiny, prompt, 40, [end]) == free[: free.index(end)]


def test_the_pieces_of_a_stream_are_the_reply(tiny):
    """Joined they are what `generate` returns, and what the tokens decode to."""
    pieces = list(tiny.stream(ASKED, max_new_tokens=50))

    said = copied_greedy(tiny, prompt_ids(ASKED, tiny._tokenizer), 50, tiny._ends())
    assert "".join(pieces) == tiny.generate(ASKED, max_new_tokens=50) == tiny._tokenizer.decode(said).rstrip("\ufffd")
    assert all(pieces)
    assert len(pieces) > 1


@pytest.mark.parametrize("steps", [[["é"[:1]]], [["a"], ["é€😀"], ["b"]], [["a", "é"]], [["\ufffd", "x"], ["y"]]])
@pytest.mark.parametrize("cut", [0, 1])
def test_characters_of_several_tokens_are_said_whole_or_not_at_all(base, monkeypatch, steps, cut):
    """A byte-level token may be a third of a character; text that came in the same step is not lost with it."""
    model = TransformersModel(base)
    model.load()
    wanted = "".join("".join(step) for step in steps)
    ids = [[t for text in step for t in model._tokenizer.encode(text)] for step in steps]
    ids[-1] = ids[-1][: len(ids[-1]) - cut]
    alone = [[token] for step in ids for token in step]

    def scripted(script):
        monkeypatch.setattr(language_model, "_greedy", lambda *given: iter(script))
        return "".join(model.stream(ASKED))

    whole = model._tokenizer.decode([t for step in ids for t in step])
    assert scripted([step for step in ids if step]) == scripted(alone) == whole.rstrip("\ufffd")
    assert wanted.startswith(scripted(alone))


def test_a_stream_stops_when_asked(tiny):
    """Between pieces; what was said stays said."""
    whole = list(tiny.stream(ASKED, max_new_tokens=50))
    answers = iter([False, False, True])

    assert list(tiny.stream(ASKED, max_new_tokens=50, stop=lambda: next(answers))) == whole[:2]
    assert list(tiny.stream(ASKED, max_new_tokens=50, stop=lambda: True)) == []


def test_a_reply_of_no_tokens_is_empty(tiny):
    """The limit counts."""
    assert tiny.generate(ASKED, max_new_tokens=0) == ""


def test_tokens_are_counted_without_specials(tiny):
    """As the budget of an answer needs them."""
    assert tiny.count_tokens("How long?") == len(tiny._tokenizer.tokenize("How long?")) > 0
    assert tiny.count_tokens("") == 0


def test_a_stream_may_be_taken_by_many_threads(tiny):
    """A web server takes each piece with whichever thread is free."""
    whole = tiny.generate(ASKED, max_new_tokens=30)
    stream, pieces, said = tiny.stream(ASKED, max_new_tokens=30), queue.SimpleQueue(), ""

    for _ in range(60):
        threading.Thread(target=lambda: pieces.put(next(stream, "")), daemon=True).start()
        said += pieces.get(timeout=20)

    assert said == whole


def test_an_abandoned_stream_does_not_block_the_next_reply(tiny):
    """A customer closes the page in mid-answer; another one, in another thread, is answered all the same."""
    whole = tiny.generate(ASKED, max_new_tokens=20)
    abandoned = tiny.stream(ASKED, max_new_tokens=20)
    next(abandoned)
    said = queue.SimpleQueue()

    threading.Thread(target=lambda: said.put(tiny.generate(ASKED, max_new_tokens=20)), daemon=True).start()

    assert said.get(timeout=20) == whole
    assert "".join(abandoned)


def test_replies_side_by_side_do_not_mix(tiny):
    """Each has its own memory of what was said."""
    questions = [build_messages(q, []) for q in ("How long?", "Who pays?", "Why?")]
    alone = [tiny.generate(q, max_new_tokens=24) for q in questions]
    said = [""] * 3

    def answer(n):
        said[n] = tiny.generate(questions[n], max_new_tokens=24)

    threads = [threading.Thread(target=answer, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == alone


def test_an_adapter_changes_what_is_said(base, tmp_path):
    """Merged at load: other logits, by the amount that the unmerged adapter gives, and its name is told."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = make_tiny_adapter(base, tmp_path / "v0001")
    plain, voiced = TransformersModel(base), TransformersModel(base, folder)
    plain.load()
    voiced.load()
    prompt = torch.tensor([prompt_ids(ASKED, plain._tokenizer)])

    with quiet_transformers():
        unmerged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.path), str(folder)).eval()

    with torch.inference_mode():
        logits = [model(prompt).logits for model in (plain._model, voiced._model, unmerged)]
    assert (plain.adapter, voiced.adapter) == (None, "v0001")
    assert TransformersModel(base, folder, "v0007").adapter == "v0007"
    assert (logits[0] - logits[1]).abs().max() > 0.1
    torch.testing.assert_close(logits[1], logits[2], rtol=1e-3, atol=1e-3)


def test_loading_an_adapter_prints_nothing(base, tmp_path, capfd, recwarn):
    """No bars, no warnings, and no look at the hub for the base that its card names."""
    folder = make_tiny_adapter(base, tmp_path / "v0001")
    with_config(base_model_name_or_path="smollm2-135m-instruct")(folder)
    capfd.readouterr()
    recwarn.clear()

    TransformersModel(base, folder).load()

    assert capfd.readouterr() == ("", "")
    assert warned(recwarn) == []


def damage(name, change):
    """A way to spoil one file of an adapter folder."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def with_config(**fields):
    return damage("adapter_config.json", lambda content: json.dumps({**json.loads(content), **fields}).encode())


DAMAGE = {
    "no weights": lambda folder: (folder / "adapter_model.safetensors").unlink(),
    "no config": lambda folder: (folder / "adapter_config.json").unlink(),
    "truncated weights": damage("adapter_model.safetensors", lambda content: content[:-100]),
    "empty weights": damage("adapter_model.safetensors", lambda content: b""),
    "weights of zeros": damage("adapter_model.safetensors", lambda content: bytes(len(content))),
    "torn config": damage("adapter_config.json", lambda content: content[:40]),
    "config of another shape": damage("adapter_config.json", lambda content: b"[1]"),
    "unknown method": with_config(peft_type="NO_SUCH"),
    "other layers": with_config(target_modules=["no_such_layer"]),
    "rank of text": with_config(r="many"),
}


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_adapter_is_refused_by_name(base, tmp_path, spoil):
    """Whatever the readers make of it, one sentence that says which adapter and what to do."""
    folder = make_tiny_adapter(base, tmp_path / "v0003")
    spoil(folder)

    with pytest.raises(
        AdapterError, match=r"^The adapter 'v0003' cannot be used .*: roll back or retrain\.$"
    ) as caught:
        TransformersModel(base, folder).load()

    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_size_is_refused(base, tmp_path):
    """Its matrices do not fit the base's layers."""
    wider = prepare_tiny(tmp_path / "wider", hidden=64)
    folder = make_tiny_adapter(wider, tmp_path / "v0004")

    with pytest.raises(AdapterError, match=r"'v0004' cannot be used .*size mismatch"):
        TransformersModel(base, folder).load()


@pytest.mark.parametrize("change", ["fewer layers", "other names"])
def test_an_adapter_whose_weights_find_no_layer_is_refused(base, tmp_path, change):
    """Peft only warns of it, and the bot would speak without its voice and not know."""
    folder = make_tiny_adapter(base, tmp_path / "v0005")
    weights = load_file(folder / "adapter_model.safetensors")
    if change == "fewer layers":
        weights = {name: w for name, w in weights.items() if ".layers.1." not in name}
    else:
        weights = {name.replace(".layers.1.", ".layers.9."): w for name, w in weights.items()}
    save_file(weights, folder / "adapter_model.safetensors")

    with pytest.raises(AdapterError, match=r"'v0005' cannot be used .*other layers"):
        TransformersModel(base, folder).load()


def test_a_base_that_is_gone_is_one_sentence(base, tmp_path):
    """Somebody deleted the folder while the bot ran."""
    model = TransformersModel(dataclasses.replace(base, path=tmp_path / "gone"))

    with pytest.raises(BaseModelError, match=r"cannot be loaded"):
        model.generate(ASKED)


def test_the_real_base_reads_its_sources(prepared_base):
    """The default base with its reading adapter says a number that stands only in the source, and cites it."""
    sources = [Source("Returns", "Kettles", "", "You can return a kettle within 45 days of delivery.")]

    reply = TransformersModel(prepared_base).generate(
        build_messages("How long do I have to return a kettle?", sources), max_new_tokens=40
    )

    assert "45 days" in reply
    assert "[1]" in reply


def test_the_fake_keeps_the_promises_of_the_real_one():
    """Pieces that join to the reply, in a circle; stop and limit; what was asked is kept; words are counted."""
    model = ScriptedModel(["Two days. [1]", "Yes."], adapter="v0002")

    assert list(model.stream(ASKED)) == ["Two", " days.", " [1]"]
    assert [model.generate(ASKED), model.generate(ASKED)] == ["Yes.", "Two days. [1]"]
    assert model.asked == [ASKED] * 3
    assert (model.name, model.adapter, model.count_tokens("a b c")) == ("scripted", "v0002", 3)


def test_the_fake_stops_and_counts_as_the_real_one_does():
    """Both limits of a stream."""
    model = ScriptedModel(lambda messages: messages[-1]["content"])
    answers = iter([False, True])

    assert model.generate([{"role": "user", "content": "a b c"}], max_new_tokens=2) == "a b"
    assert list(model.stream([{"role": "user", "content": "a b c"}], stop=lambda: next(answers))) == ["a"]
