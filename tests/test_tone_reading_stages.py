"""The recipe of the reading adapter from end to end at toy size, each stage by its own command."""

import json
import random
import re

import pytest
import torch

from tests.tiny_models import make_tiny_adapter
from tone_tuning import base_model, language_model
from tone_tuning import train as training
from tone_tuning.atomic import read_json
from tone_tuning.base_model import DEFAULT_BASE, prepare_base
from tone_tuning.errors import TrainingError
from tone_tuning.fact_bank import held_out
from tone_tuning.language_model import TransformersModel
from tone_tuning.prompt import Source, build_messages
from tone_tuning.reading import evaluate, export, merge, practice, train
from tone_tuning.reading.command import public_name
from tone_tuning.steps import Steps

SIZES = ("--rank", "4", "--alpha", "8", "--row-tokens", "2048", "--batch-rows", "2", "--checkpoint-steps", "1")


@pytest.fixture(autouse=True, scope="module")
def float32_on_the_cpu():
    """On every machine the same numbers."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (language_model, training):
            patch.setattr(module, "pick_dtype", lambda: torch.float32)
        for module in (evaluate, training):
            patch.setattr(module, "pick_device", lambda: "cpu")
        yield


def names(kept_out, count, prefix):
    """Names of groups on one side of the split."""
    found = (f"{prefix}{n}" for n in range(1000))
    return [name for name in found if held_out(name) is kept_out][:count]


def topic(name):
    """A topic of two facts."""

    def fact(number):
        return {
            "id": f"fact_{number}",
            "doc": [
                f"The {name} takes {{days}} days and costs {{fee}}.",
                f"Pay {{fee}} for the {name}, wait {{days}} days.",
            ],
            "questions": ["When is it there?", "How much?", "what do i owe"],
            "elliptical": ["And the price?", "and when?"],
            "answers": [f"The {name} costs {{fee}} and takes {{days}} days."],
            "acknowledge": ["Sure.", "Of course."],
        }

    slots = {"days": {"type": "int", "min": 2, "max": 90}, "fee": {"type": "money", "min": 2, "max": 90}}
    return {
        "id": name, "titles": [name], "slots": slots, "facts": [fact(1), fact(2)],
        "near_misses": ["Is it blue?", "Why?"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A small bank, and reading data of the real shape with a few rows on either side of the split."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "reading").mkdir()
    (folder / "bank").mkdir()
    both = [*names(False, 6, "g"), *names(True, 3, "g")]
    (folder / "bank" / "bank.json").write_text(json.dumps({"topics": [topic(name) for name in both]}))
    entry = {"title": "Inn", "question": "Is parking possible?", "answerable": True, "history": []}
    said = "Parking is possible for $10 a day."
    rows = [entry | {"group": group, "context": said, "answer": said, "answer_sentence": said} for group in both]
    for file in ("squad-dev", "qed", "dstc9-faq", "dstc9-label-replies", "dstc11-track5"):
        (folder / "reading" / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    steps = {"k": "steps", "h": "Pay", "verb": "pay", "steps": ["Open Pay.", "Press Send."]}
    faq = {"k": "faq", "q": "What is there to pay?", "a": "You pay $4 for every day.", "b": "You pay $4 for every day."}
    sections = [section | {"t": group} for group in both for section in (steps, faq)]
    (folder / "sections.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sections))
    return folder


@pytest.fixture(scope="module")
def data(shared):
    """40 rows to train on and 8 held out, by the command."""
    out = shared / "practice.jsonl"
    practice.main(["--out", str(out), "--data", str(shared), "--bank", str(shared / "bank"),
                   "--rows", "40", "--held-out-rows", "8"])  # fmt: skip
    return out


@pytest.fixture(scope="module")
def trained(tiny_base, data, tmp_path_factory):
    """A finished toy run."""
    out = tmp_path_factory.mktemp("trained") / "run"
    train.main(["--data", str(data), "--out", str(out), "--base", str(tiny_base), *SIZES])
    return out


def test_practice_mixes_made_up_and_natural_rows(data):
    """Both sides of the split; a second call writes the same bytes."""
    rows = [json.loads(line) for line in data.read_text().splitlines()]

    assert [sum(not row["held_out"] for row in rows), sum(row["held_out"] for row in rows)] == [40, 8]
    natural = [row for row in rows if row["kind"].startswith("natural")]
    assert 10 <= len(natural) <= 20
    assert all(held_out(row["group"]) is row["held_out"] for row in rows)


def test_practice_is_the_same_for_the_same_seed(shared, data, tmp_path):
    """Byte by byte."""
    given = ["--data", str(shared), "--bank", str(shared / "bank"), "--rows", "40", "--held-out-rows", "8"]
    practice.main(["--out", str(tmp_path / "again.jsonl"), *given])
    practice.main(["--out", str(tmp_path / "other.jsonl"), *given, "--seed", "5"])

    assert (tmp_path / "again.jsonl").read_bytes() == data.read_bytes()
    assert (tmp_path / "other.jsonl").read_bytes() != data.read_bytes()


def test_training_tells_its_speed_and_leaves_an_adapter(tiny_base, data, tmp_path, capsys):
    """A few packed steps, a card with the numbers, and a loss on the held-out rows."""
    train.main(["--data", str(data), "--out", str(tmp_path / "run"), "--base", str(tiny_base), *SIZES])

    card = json.loads((tmp_path / "run" / "card.json").read_text())

    assert (card["rows"], card["validation_rows"], card["rows_too_long"]) == (40, 8, 0)
    assert card["config"]["max_tokens"] == 2048
    assert 2 <= len(card["losses"]) <= 6
    assert card["validation_loss"] > 0
    said = capsys.readouterr().err
    assert f"step 1 of {len(card['losses'])}: loss " in said
    assert " tokens/s, " in said
    assert "The adapter lies in" in said


def test_a_stopped_run_goes_on_by_the_same_command(trained, tiny_base, data, tmp_path, monkeypatch, capsys):
    """Exit code 130, then the same losses as the run that was not stopped."""
    step, calls = Steps._step, []

    def stop_at_the_third(self, *given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(self, *given)

    command = ["--data", str(data), "--out", str(tmp_path / "stopped"), "--base", str(tiny_base), *SIZES]
    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_step", stop_at_the_third)
        with pytest.raises(SystemExit) as ended:
            train.main(command)
    assert ended.value.code == 130
    assert "goes on from its last checkpoint by the same command" in capsys.readouterr().err

    train.main(command)

    assert "step 3 of " in capsys.readouterr().err
    cards = [json.loads((folder / "card.json").read_text()) for folder in (trained, tmp_path / "stopped")]
    assert cards[0]["losses"] == cards[1]["losses"]


@pytest.mark.parametrize("copy", [False, True])
def test_evaluation_scores_the_held_out_rows(trained, tiny_base, data, tmp_path, capsys, copy):
    """Printed and as JSON, with intervals and the rows that failed; with numbers free or only copied."""
    command = ["--data", str(data), "--adapter", str(trained), "--base", str(tiny_base), "--limit", "6"]
    evaluate.main([*command, "--json", str(tmp_path / "scores.json"), *(["--copy"] if copy else [])])

    report = json.loads((tmp_path / "scores.json").read_text())
    assert report["rows"] == 6
    assert report["copy"] is copy
    assert report["base"] == tiny_base.name
    assert {"values_kept", "invented"} <= set(report["scores"])
    assert set(report["scores"]["values_kept"]) == {"share", "low", "high", "n"}
    assert "values_kept" in capsys.readouterr().out


def test_replies_in_a_batch_are_those_of_one_at_a_time(trained, tiny_base, data, tmp_path):
    """Padding on the left changes nothing, and a reply is what serving would have said."""
    base = prepare_base(str(tiny_base), tmp_path)
    conversations = [conversation for _, conversation in evaluate.held_out_rows(data)][:4]
    writer = evaluate.Writer(base, trained)

    together = writer.write(conversations)

    assert together == [writer.write([conversation])[0] for conversation in conversations]
    served = TransformersModel(base, trained)
    apart = [served.generate(c.prompt(), max_new_tokens=evaluate.MOST_TOKENS) for c in conversations]
    # A random model also says halves of characters, which streaming holds back.
    assert [re.findall("[!-~]", said) for said in together] == [re.findall("[!-~]", said) for said in apart]


def test_only_some_kinds_can_be_evaluated(data):
    """A kind that is not there is one sentence."""
    kinds = {row["kind"] for row, _ in evaluate.held_out_rows(data)}
    one = sorted(kinds)[0]

    assert {row["kind"] for row, _ in evaluate.held_out_rows(data, kinds=[one])} == {one}
    with pytest.raises(Exception, match=r"has no held-out rows of that kind: make it with"):
        evaluate.held_out_rows(data, kinds=["no such kind"])


def test_merging_makes_a_model_that_says_the_same(tiny_base, tmp_path, monkeypatch):
    """The folder serves as a base of its own."""
    base = prepare_base(str(tiny_base), tmp_path)
    adapter = make_tiny_adapter(base, tmp_path / "adapter")

    merge.main(["--adapter", str(adapter), "--out", str(tmp_path / "merged"), "--base", str(tiny_base)])

    asked = build_messages("How long?", [Source("T", "", "", "You have 45 days.")])
    merged, apart = (
        TransformersModel(prepare_base(str(tmp_path / "merged"), tmp_path)),
        TransformersModel(base, adapter),
    )
    assert merged.generate(asked, max_new_tokens=5) == apart.generate(asked, max_new_tokens=5)
    with pytest.raises(TrainingError, match=r"merged' is there already: choose another --out, or delete it\.$"):
        merge.merge(base, adapter, tmp_path / "merged")


def test_export_writes_what_ships(trained, tiny_base, data, tmp_path):
    """Weights, shape without a path of this machine, and a card with data, licences, compute, scores and failures."""
    scores = tmp_path / "scores.json"
    evaluate.main(["--data", str(data), "--adapter", str(trained), "--base", str(tiny_base), "--limit", "4",
                   "--json", str(scores)])  # fmt: skip

    export.main(["--adapter", str(trained), "--out", str(tmp_path / "out"), "--scores", str(scores)])

    written = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert set(written) == {"adapter_model.safetensors", "adapter_config.json", "README.md"}
    assert str(tmp_path) not in written["adapter_config.json"].read_text()
    card = written["README.md"].read_text()
    assert str(tiny_base.parent) not in card
    for part in ("**Data.** 40 conversations", "CC BY-SA 4.0", "**Compute.**", "| values_kept |", "**Known failures**",
                 "**Licence.** Apache-2.0", "## How to make it again"):  # fmt: skip
        assert part in card


def test_a_card_without_scores_says_so(trained, tmp_path):
    """Nothing is claimed that was not measured."""
    export.export(trained, tmp_path / "out")

    assert "**Scores.** Not measured." in (tmp_path / "out" / "README.md").read_text()


def test_a_card_tells_what_the_run_went_on_from(trained, tmp_path):
    """By the hash of its weights, and in the words of whoever exports."""
    card = read_json(trained / "card.json") or {}
    alone = export.model_card(card, None)
    after = export.model_card(card | {"start_sha256": "0123456789abcdef00"}, None, "Version 0 of this adapter.")

    assert "Before that" not in alone
    assert (
        "**Before that.** It went on from an adapter (SHA-256 0123456789abcdef). Version 0 of this adapter.\n" in after
    )


def test_what_is_no_finished_run_is_not_exported(trained, tmp_path, monkeypatch):
    """Nor weights over 40 MB, nor scores that are none."""
    with pytest.raises(TrainingError, match=r"is no finished run: train into it first, or check --adapter\.$"):
        export.export(tmp_path, tmp_path / "out")
    with pytest.raises(TrainingError, match=r"holds no scores: write it with"):
        export.export(trained, tmp_path / "out", tmp_path / "none.json")
    monkeypatch.setattr(export, "MOST_BYTES", 10)
    with pytest.raises(TrainingError, match=r"over 40 MB: train with a smaller --rank\.$"):
        export.export(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_base_is_prepared_without_the_reading_adapter(tmp_path, monkeypatch):
    """In a folder of its own beside the one that serves."""
    made = []
    monkeypatch.setattr(base_model, "_packaged_weights", lambda: tmp_path / "weights.gguf")
    monkeypatch.setattr(base_model, "_input_hash", lambda weights: "with-reading")

    def unpack(weights, target, adapter):
        made.append(adapter)
        (target / "model.safetensors").write_bytes(bytes(random.Random(len(made)).randbytes(64)))

    monkeypatch.setattr(base_model, "_unpack", unpack)
    (tmp_path / "weights.gguf").write_bytes(b"weights")

    bare = prepare_base(DEFAULT_BASE, tmp_path / "models", reading=False)
    read = prepare_base(DEFAULT_BASE, tmp_path / "models")

    assert (bare.has_reading, read.has_reading) == (False, True)
    assert bare.path != read.path
    assert made == [None, base_model.READING]


def test_names_of_bases_tell_no_path(tmp_path):
    """A hub id stays whole."""
    assert public_name(str(tmp_path / "mine")) == "mine"
    assert public_name("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"
    assert public_name(DEFAULT_BASE) == DEFAULT_BASE


@pytest.mark.parametrize("stage", [practice, train, evaluate, merge, export])
def test_every_stage_has_help(stage, capsys):
    """Of one screen."""
    with pytest.raises(SystemExit) as ended:
        stage.main(["--help"])

    assert ended.value.code == 0
    assert f"usage: python -m {stage.__name__}" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_a_number_that_is_none_is_wrong_usage(number, capsys):
    """Exit code 2, as for every command."""
    with pytest.raises(SystemExit) as ended:
        practice.main(["--out", "x", "--rows", number])

    assert ended.value.code == 2
    assert "is no whole number from 1 up" in capsys.readouterr().err


def test_a_missing_file_is_one_sentence(tmp_path, capsys):
    """Told before any model is loaded."""
    with pytest.raises(SystemExit) as ended:
        train.main(["--data", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out")])

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("reading: The training data '")
