"""Packed rows: every example once, none sees another, the loss is that of the examples apart; compiling, resuming."""

import random

import pytest
import torch

from tests.tiny_models import lora_model, prepare_tiny, row, write_rows
from tone_tuning import language_model
from tone_tuning import train as training
from tone_tuning.batches import encode_fitting, reply_loss
from tone_tuning.dataset import Example, load_conversations
from tone_tuning.errors import TrainingError
from tone_tuning.packing import PackedRow, draw_packed, pack, packed_loss
from tone_tuning.train import PackedConfig, train

WIDTH = 700  # about four of the rows below
CONFIG = PackedConfig(r=4, alpha=8, max_tokens=WIDTH, batch_rows=2, learning_rate=5e-3, checkpoint_steps=2)


@pytest.fixture(autouse=True)
def float32_on_the_cpu(monkeypatch):
    """On every machine the same numbers."""
    for module in (language_model, training):
        monkeypatch.setattr(module, "pick_dtype", lambda: torch.float32)
    monkeypatch.setattr(training, "pick_device", lambda: "cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return prepare_tiny(tmp_path_factory.mktemp("base"))


@pytest.fixture
def data(tmp_path):
    return write_rows(tmp_path / "data.jsonl", [row(n, words=1 + n % 3) | {"held_out": n < 3} for n in range(24)])


def lengths(*counts):
    return [Example(tuple(range(3, 3 + count)), 1) for count in counts]


def test_every_example_is_packed_once():
    """In rows no longer than asked for, nearly full, in an order that the seed decides."""
    draw = random.Random(1)
    rows = lengths(*(draw.randint(40, 400) for _ in range(400)))

    packed = pack(rows, 1024, random.Random(3))

    assert sorted((e for row in packed for e in row.examples), key=repr) == sorted(rows, key=repr)
    assert all(len(row.ids) <= 1024 for row in packed)
    assert sum(len(row.ids) for row in packed) > 0.95 * 1024 * len(packed)
    assert packed == pack(rows, 1024, random.Random(3)) != pack(rows, 1024, random.Random(4))


def test_each_epoch_is_packed_anew():
    """Batches of packed rows; the last one may be short."""
    rows = lengths(*range(20, 60))

    batches = list(draw_packed(rows, 100, batch_rows=4, epochs=2, seed=1))

    seen = [example for batch in batches for packed in batch for example in packed.examples]
    assert len(seen) == 2 * len(rows)
    assert sorted(seen[: len(rows)], key=repr) == sorted(rows, key=repr)
    assert seen[: len(rows)] != seen[len(rows) :]
    assert list(draw_packed([], 100, 4, 2, seed=1)) == []


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "mistral"])
def test_a_packed_row_costs_what_its_examples_cost_apart(tmp_path, architecture):
    """Loss and gradients, weighed by reply tokens: no example sees the one before it, and positions begin anew."""
    tokenizer, model = lora_model(prepare_tiny(tmp_path / "base", architecture), CONFIG)
    path = write_rows(tmp_path / "rows.jsonl", [row(n, words=1 + n % 3) for n in range(7)])
    rows, _ = encode_fitting(load_conversations(path), tokenizer, 1024)
    assert len({len(r.ids) for r in rows}) > 2
    batch = [PackedRow(tuple(rows[:3])), PackedRow(tuple(rows[3:5])), PackedRow(tuple(rows[5:]))]
    width = max(len(packed.ids) for packed in batch) + 5
    weight = next(p for name, p in model.named_parameters() if "lora_B" in name)

    together = packed_loss(model, batch, width, batch_rows=4)
    together.backward()
    gradient = weight.grad.clone()
    weight.grad = None
    replies = sum(len(r.ids) - r.reply_at for r in rows)
    apart = sum(reply_loss(model, [r]) * (len(r.ids) - r.reply_at) for r in rows) / replies
    apart.backward()

    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient, weight.grad, rtol=1e-3, atol=1e-6)


def test_a_leak_would_be_seen(base, tmp_path):
    """The test above is worth something: with running positions the loss is another one."""
    tokenizer, model = lora_model(base, CONFIG)
    path = write_rows(tmp_path / "rows.jsonl", [row(n) for n in range(2)])
    rows, _ = encode_fitting(load_conversations(path), tokenizer, 1024)
    joined = Example((*rows[0].ids, *rows[1].ids), len(rows[0].ids) + rows[1].reply_at)

    with torch.no_grad():
        leaking, alone = reply_loss(model, [joined]), reply_loss(model, [rows[1]])

    assert abs(float(leaking) - float(alone)) > 1e-4


def test_a_packed_run_learns_and_goes_on_after_a_stop(base, data, tmp_path):
    """Rows that say they are held out are, the loss falls, and a stopped run ends with the same losses."""
    whole = train(base, data, tmp_path / "whole", CONFIG)

    def stop(report):
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(base, data, tmp_path / "out", CONFIG, stop)
    steps = []
    resumed = train(base, data, tmp_path / "out", CONFIG, lambda report: steps.append(report.step))

    assert steps[0] == 3
    assert resumed.losses == whole.losses
    assert whole.losses[-1] < whole.losses[0]
    card = training.read_json(whole.path / "card.json")
    assert (card["rows"], card["validation_rows"]) == (21, 3)
    assert card["config"]["compile"] is False


def test_a_run_can_start_from_another_adapter(base, data, tmp_path):
    """Its weights are the first ones, and the card says which they were."""
    first = train(base, data, tmp_path / "first", CONFIG)

    second = train(base, data, tmp_path / "second", CONFIG, start=first.path)

    assert second.losses[0] < first.losses[0]
    assert len(training.read_json(second.path / "card.json")["start_sha256"]) == 64
    with pytest.raises(TrainingError, match=r"holds a run of other data or settings"):
        train(base, data, tmp_path / "second", CONFIG)


def test_a_start_that_does_not_fit_is_one_sentence(base, data, tmp_path):
    """None there, or of another shape."""
    with pytest.raises(TrainingError, match=r"holds no adapter to start from \(.+\): check --start\.$"):
        train(base, data, tmp_path / "out", CONFIG, start=tmp_path)
    first = train(base, data, tmp_path / "first", PackedConfig(r=2, alpha=4, max_tokens=WIDTH))
    with pytest.raises(TrainingError, match=r"has r=2 and alpha=4, the run r=4 and alpha=8: start from one of the"):
        train(base, data, tmp_path / "out", CONFIG, start=first.path)


def test_without_a_compiler_the_run_goes_on(base, data, tmp_path, monkeypatch):
    """One sentence says so; the losses are those of a run that was not to be compiled."""

    def no_compiler(*given, **options):
        raise RuntimeError("no working C++ compiler")

    monkeypatch.setattr(torch, "compile", no_compiler)
    said = []
    config = PackedConfig(**(vars(CONFIG) | {"compile": True}))

    losses = train(base, data, tmp_path / "out", config, say=said.append).losses

    assert losses == train(base, data, tmp_path / "plain", CONFIG).losses
    assert said == [
        "The training step cannot be compiled here (no working C++ compiler): "
        "it goes on without, at about half the speed."
    ]


@pytest.mark.slow
def test_a_compiled_run_has_the_same_losses(base, data, tmp_path):
    """Up to rounding; every step has one shape, so it is compiled once."""
    config = PackedConfig(**(vars(CONFIG) | {"compile": True}))

    compiled = train(base, data, tmp_path / "out", config).losses

    assert compiled == pytest.approx(train(base, data, tmp_path / "plain", CONFIG).losses, rel=1e-3)
