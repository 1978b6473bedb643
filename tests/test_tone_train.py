"""Training: the loss and its padding, the recipe and its checkpoints; on tiny random models."""

import json
import resource

import pytest
import torch

from tests.tiny_models import lora_model, make_tiny_base, prepare_tiny, row, write_rows
from tone_tuning import language_model
from tone_tuning import train as training
from tone_tuning.batches import draw_batches, encode_fitting, mean_loss, reply_loss
from tone_tuning.dataset import load_conversations
from tone_tuning.errors import AdapterError, DataSetError, TrainingError
from tone_tuning.language_model import TransformersModel
from tone_tuning.prompt import Source, build_messages, prompt_hash
from tone_tuning.registry import AdapterRegistry
from tone_tuning.steps import epochs_for
from tone_tuning.train import TrainConfig, train

CONFIG = TrainConfig(epochs=3, batch_rows=4, learning_rate=5e-3, checkpoint_steps=5)


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """On every processor the same numbers."""
    for module in (language_model, training):
        monkeypatch.setattr(module, "pick_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return prepare_tiny(tmp_path_factory.mktemp("base"))


@pytest.fixture
def data(tmp_path):
    return write_rows(tmp_path / "data.jsonl", [row(n) for n in range(40)])


class Stopped:
    """Raises Ctrl-C at one step, once."""

    def __init__(self, step):
        self.step, self.seen = step, []

    def __call__(self, report):
        self.seen.append(report.step)
        if report.step == self.step:
            raise KeyboardInterrupt


def uneven_examples(tmp_path, tokenizer):
    path = write_rows(tmp_path / "uneven.jsonl", [row(n, words=1 + n % 5) for n in range(12)])
    return encode_fitting(load_conversations(path), tokenizer, 1024)[0]


def test_the_loss_falls_and_the_adapter_speaks(base, data, tmp_path):
    """A run of 27 steps learns; the folder it leaves loads, merged, and changes what the model says."""
    reports = []

    result = train(base, data, tmp_path / "out", CONFIG, reports.append)

    assert len(result.losses) == len(reports) == 27
    assert sum(result.losses[-5:]) < 0.95 * sum(result.losses[:5])
    assert result.validation_loss < result.losses[0]
    assert [(r.step, r.steps) for r in reports] == [(n, 27) for n in range(1, 28)]
    assert all(r.tokens_per_second > 0 for r in reports)
    asked = build_messages("How long?", [Source("T", "", "", "You have 45 days.")])
    plain, voiced = TransformersModel(base), TransformersModel(base, result.path)
    assert plain.generate(asked, max_new_tokens=30) != voiced.generate(asked, max_new_tokens=30)


def test_the_card_says_everything(base, data, tmp_path):
    """What was trained on what, by which numbers, with which result; and no path of this machine."""
    out = train(base, data, tmp_path / "out", CONFIG).path

    card = json.loads((out / "card.json").read_text())
    assert set(card) == {
        "created", "base", "base_hash", "prompt_hash", "data", "data_sha256", "config", "rows", "validation_rows",
        "rows_too_long", "tokens", "seconds", "losses", "validation_loss", "packages", "phrases",
    }  # fmt: skip
    assert (card["base_hash"], card["prompt_hash"], card["data"]) == (base.hash, prompt_hash(), "data.jsonl")
    assert card["rows"] + card["validation_rows"] == 40
    assert card["validation_rows"] > 0
    assert len(card["losses"]) == 27
    assert card["config"]["learning_rate"] == 5e-3
    assert set(card["packages"]) == {"torch", "transformers", "peft"}
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == base.name
    assert {path.name for path in out.iterdir()} == {"adapter_config.json", "adapter_model.safetensors", "card.json"}


def test_two_runs_are_the_same_run(base, data, tmp_path):
    """Same data and numbers, same losses and weights."""
    one, two = (train(base, data, tmp_path / name, CONFIG) for name in ("one", "two"))

    assert one.losses == two.losses
    weights = [(r.path / "adapter_model.safetensors").read_bytes() for r in (one, two)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_the_loss_is_that_of_the_model_itself(tmp_path, architecture):
    """Equal to transformers' own, with the prompt's labels left out, though logits are made at the reply only."""
    tokenizer, model = lora_model(prepare_tiny(tmp_path / "base", architecture), CONFIG)
    example = uneven_examples(tmp_path, tokenizer)[0]
    labels = torch.tensor([[-100] * example.reply_at + list(example.ids[example.reply_at :])])

    theirs = model(input_ids=torch.tensor([example.ids]), labels=labels).loss

    torch.testing.assert_close(reply_loss(model, [example]), theirs)


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_padding_does_not_leak(tmp_path, architecture):
    """A batch of rows of many lengths costs what its rows cost alone, weighed by their reply tokens."""
    tokenizer, model = lora_model(prepare_tiny(tmp_path / "base", architecture), CONFIG)
    rows = uneven_examples(tmp_path, tokenizer)
    assert len({len(r.ids) for r in rows}) > 4

    with torch.no_grad():
        together, alone = reply_loss(model, rows), [float(reply_loss(model, [r])) for r in rows]

    replies = [len(r.ids) - r.reply_at for r in rows]
    expected = sum(loss * n for loss, n in zip(alone, replies, strict=True)) / sum(replies)
    assert float(together) == pytest.approx(expected, rel=1e-5)
    assert mean_loss(model, rows, batch_rows=5) == pytest.approx(expected, rel=1e-5)


def test_batches_hold_every_row_once_an_epoch(base, tmp_path):
    """Of similar length, in another order each epoch, the same for the same seed."""
    tokenizer, _ = lora_model(base, CONFIG)
    rows = uneven_examples(tmp_path, tokenizer)

    drawn = list(draw_batches(rows, batch_rows=5, epochs=2, seed=1))

    epochs = [[r for batch in half for r in batch] for half in (drawn[:3], drawn[3:])]
    assert [sorted(epoch, key=repr) for epoch in epochs] == [sorted(rows, key=repr)] * 2
    assert epochs[0] != epochs[1]
    assert sorted(map(len, drawn)) == [2, 2, 5, 5, 5, 5]
    assert drawn == list(draw_batches(rows, batch_rows=5, epochs=2, seed=1))
    assert drawn != list(draw_batches(rows, batch_rows=5, epochs=2, seed=2))


@pytest.mark.parametrize("step", [3, 5, 13, 27])
def test_an_interrupted_run_goes_on_to_the_same_losses(base, data, tmp_path, step):
    """Before the first checkpoint, at one, between two, and at the very last step."""
    whole, stopped, rest = train(base, data, tmp_path / "whole", CONFIG), Stopped(step), []
    with pytest.raises(KeyboardInterrupt):
        train(base, data, tmp_path / "out", CONFIG, stopped)
    assert not (tmp_path / "out" / "card.json").exists()

    resumed = train(base, data, tmp_path / "out", CONFIG, lambda report: rest.append(report.step))

    assert rest == list(range((step - 1) // 5 * 5 + 1, 28))
    assert resumed.losses == whole.losses
    assert resumed.validation_loss == whole.validation_loss
    files = [(r.path / "adapter_model.safetensors").read_bytes() for r in (whole, resumed)]
    assert files[0] == files[1]


def test_without_its_card_a_folder_is_no_adapter(base, data, tmp_path, monkeypatch):
    """A stop between the weights and the card: refused by the registry, finished by the next run."""
    write = training.write_json

    def stop(path, content):
        if path.name == "card.json":
            assert (path.parent / "adapter_model.safetensors").is_file()
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_json", stop)
        with pytest.raises(KeyboardInterrupt):
            train(base, data, tmp_path / "out", CONFIG)

    adapters = AdapterRegistry(tmp_path / "adapters")
    with pytest.raises(AdapterError, match=r"card\.json is missing"):
        adapters.add(tmp_path / "out")
    train(base, data, tmp_path / "out", CONFIG)
    assert adapters.add(tmp_path / "out").id == "v0001"


def test_a_finished_run_is_not_made_again(base, data, tmp_path):
    """When registering failed after an hour of training, the same command only registers."""
    first, steps = train(base, data, tmp_path / "out", CONFIG), []

    again = train(base, data, tmp_path / "out", CONFIG, steps.append)

    assert steps == []
    assert again.losses == pytest.approx(first.losses, abs=5e-5)
    assert (again.path, again.rows_too_long) == (first.path, 0)
    (tmp_path / "out" / "adapter_model.safetensors").unlink()
    assert train(base, data, tmp_path / "out", CONFIG, steps.append).losses == first.losses
    assert len(steps) == 27


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("other", ["data", "numbers", "base"])
def test_another_run_in_the_same_folder_is_refused(base, data, tmp_path, finished, other):
    """Neither a checkpoint nor a finished adapter is overwritten."""
    if finished:
        train(base, data, tmp_path / "out", CONFIG)
    else:
        with pytest.raises(KeyboardInterrupt):
            train(base, data, tmp_path / "out", CONFIG, Stopped(7))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    given = {"base": base, "data": data, "config": CONFIG}
    given |= {
        "data": {"data": write_rows(tmp_path / "other.jsonl", [row(n) for n in range(41)])},
        "numbers": {"config": TrainConfig(epochs=1)},
        "base": {"base": prepare_tiny(tmp_path / "base", seed=9)},
    }[other]

    with pytest.raises(
        TrainingError, match=r"holds a run of other data or settings: choose another --out, or delete it"
    ):
        train(given["base"], given["data"], tmp_path / "out", given["config"])

    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_two_runs_at_once_in_a_folder_are_refused(base, data, tmp_path):
    """The first one goes on."""
    refused = []

    def meanwhile(report):
        if report.step == 2:
            with pytest.raises(TrainingError, match=r"^Another run is under way in"):
                train(base, data, tmp_path / "out", CONFIG)
            refused.append(report.step)

    result = train(base, data, tmp_path / "out", CONFIG, meanwhile)

    assert refused == [2]
    assert len(result.losses) == 27


@pytest.mark.parametrize(
    "damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"PK" + bytes(500), lambda c: b"x"]
)
def test_a_damaged_checkpoint_is_one_sentence(base, data, tmp_path, damage):
    """Truncated, emptied or overwritten by a failing disk; it says which file to delete."""
    with pytest.raises(KeyboardInterrupt):
        train(base, data, tmp_path / "out", CONFIG, Stopped(7))
    checkpoint = tmp_path / "out" / "checkpoint.pt"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))

    with pytest.raises(TrainingError, match=r"checkpoint\.pt' is damaged \(.+\): delete it to start from") as caught:
        train(base, data, tmp_path / "out", CONFIG)

    assert "\n" not in str(caught.value)
    checkpoint.unlink()
    assert len(train(base, data, tmp_path / "out", CONFIG).losses) == 27


@pytest.mark.parametrize("content", [[1], {"fingerprint": None}, {"losses": []}])
def test_a_checkpoint_of_another_shape_is_one_sentence(base, data, tmp_path, content):
    """It was written by something else."""
    (tmp_path / "out").mkdir()
    torch.save(content, tmp_path / "out" / "checkpoint.pt")

    with pytest.raises(TrainingError, match=r"is damaged|holds a run of other data"):
        train(base, data, tmp_path / "out", CONFIG)


@pytest.mark.parametrize(
    ("limit", "said"), [(20_000, "The checkpoint cannot be written"), (12_000, "cannot be written")]
)
def test_a_full_disk_is_one_sentence_and_loses_nothing(base, data, tmp_path, limit, said):
    """At a checkpoint or at the end; the run goes on where it was when there is space again."""
    config = TrainConfig(epochs=3, batch_rows=4, checkpoint_steps=5 if limit == 20_000 else 100)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(TrainingError, match=rf"{said} to .*: free space and start again\.$"):
            train(base, data, tmp_path / "out", config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert not (tmp_path / "out" / "card.json").exists()
    assert list((tmp_path / "out").glob("*partial*")) == []
    assert len(train(base, data, tmp_path / "out", config).losses) == 27


def test_a_folder_that_cannot_be_written_is_told_at_once(base, data, tmp_path):
    """Not after an hour of training."""
    (tmp_path / "out").write_text("in the way")

    with pytest.raises(TrainingError, match=r"out' cannot be written \(.+\): choose another --out or --home\.$"):
        train(base, data, tmp_path / "out", CONFIG, Stopped(1))


def test_long_rows_are_left_out_and_counted(base, tmp_path):
    """Cutting them would teach to answer from half a source."""
    data = write_rows(tmp_path / "data.jsonl", [row(n, words=200 if n < 3 else 1) for n in range(30)])

    result = train(base, data, tmp_path / "out", TrainConfig(epochs=1, validation_share=0.0))

    assert result.rows_too_long == 3
    assert json.loads((result.path / "card.json").read_text())["rows"] == 27


def test_rows_that_are_all_too_long_are_one_sentence(base, tmp_path):
    """Nothing would be trained."""
    data = write_rows(tmp_path / "data.jsonl", [row(n, words=200) for n in range(3)])

    with pytest.raises(DataSetError, match=r"^All 3 conversations are longer than 1024 tokens: shorten their sources"):
        train(base, data, tmp_path / "out", TrainConfig(validation_share=0.0))


def test_data_that_is_all_held_out_is_one_sentence(base, data, tmp_path):
    """A run without steps would leave an adapter that does nothing."""
    with pytest.raises(DataSetError, match=r"^No conversation is left to train on .*: add more\.$"):
        train(base, data, tmp_path / "out", TrainConfig(validation_share=1.0))
    assert not (tmp_path / "out" / "card.json").exists()


def test_long_rows_among_those_held_out_do_not_matter(base, tmp_path):
    """Training goes on without a validation loss."""
    probe = write_rows(tmp_path / "probe.jsonl", [row(n) for n in range(40)])
    config = TrainConfig(epochs=1)
    held_out = {
        c.messages[0]["content"] for c in training.split_conversations(load_conversations(probe), 0.08, config.seed)[1]
    }
    rows = [row(n) for n in range(40)]
    rows = [row(n, words=200) if r["messages"][0]["content"] in held_out else r for n, r in enumerate(rows)]

    result = train(base, write_rows(tmp_path / "data.jsonl", rows), tmp_path / "out", config)

    assert result.validation_loss is None
    assert held_out


def test_a_loss_that_is_no_number_ends_the_run(base, data, tmp_path):
    """A learning rate far too high."""
    with pytest.raises(TrainingError, match=r"^The loss became (nan|inf) at step \d+: lower the learning rate\.$"):
        train(base, data, tmp_path / "out", TrainConfig(epochs=3, learning_rate=1e36, clip=1e36))


def test_a_base_of_another_build_is_refused(tmp_path, data):
    """The loss needs a Llama-like body and head; GPT-2 names them otherwise."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = make_tiny_base(tmp_path / "base")
    GPT2LMHeadModel(GPT2Config(vocab_size=600, n_embd=32, n_layer=1, n_head=2)).save_pretrained(folder)

    with pytest.raises(TrainingError, match=r"^A GPT2LMHeadModel such as .* cannot be trained here"):
        train(training.PreparedBase(folder, "gpt2", "x", False), data, tmp_path / "out", CONFIG)


@pytest.mark.parametrize(("rows", "epochs"), [(1, 8), (92, 8), (200, 4), (400, 2), (5000, 2)])
def test_few_rows_are_gone_through_more_often(rows, epochs):
    """About a hundred steps teach a voice; never more than eight passes, never fewer than two."""
    assert epochs_for(rows) == epochs
