"""The base model: prepared once, whole or not at all; other folders and hub ids; every fault one sentence."""

import json
import os
import resource
import shutil
import threading
import time

import numpy
import pytest
from safetensors.numpy import save_file
from transformers import modeling_gguf_pytorch_utils
from transformers.utils import logging

from tests.tiny_models import make_tiny_base, prepare_tiny, warned
from tone_tuning import base_model
from tone_tuning.base_model import DEFAULT_BASE, PreparedBase, prepare_base, verify_base
from tone_tuning.errors import BaseModelError
from tone_tuning.language_model import load_base
from tone_tuning.prompt import Source, build_messages, prompt_ids
from tone_tuning.quiet import quiet_transformers


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Stands for the 20 s of unpacking: writes small weights, and counts how often it was asked."""
    made = []

    def unpack(weights, target):
        made.append(target)
        save_file({"w": numpy.arange(9000, dtype="float32")}, target / "model.safetensors")

    monkeypatch.setattr(base_model, "_dequantise", unpack)
    monkeypatch.setattr(base_model, "_input_hash", lambda weights: "0123456789ab")
    return made


def test_the_default_base_is_prepared_and_whole(prepared_base):
    """Weights, tokenizer and card are there, the checksum is right, and the reading adapter is in."""
    verify_base(prepared_base)

    card = json.loads((prepared_base.path / "card.json").read_text())
    assert prepared_base.has_reading
    assert prepared_base.path.name == prepared_base.hash == card["hash"]
    assert card["name"] == DEFAULT_BASE
    assert (prepared_base.path / "tokenizer.json").is_file()


def test_the_default_base_is_not_prepared_twice(prepared_base):
    """A second start finds it and says nothing."""
    said = []
    before = (prepared_base.path / "model.safetensors").stat().st_mtime_ns

    again = prepare_base(DEFAULT_BASE, prepared_base.path.parent, said.append)

    assert again == prepared_base
    assert said == []
    assert (again.path / "model.safetensors").stat().st_mtime_ns == before


def test_the_default_base_speaks_the_documented_prompt(prepared_base):
    """Its own chat template gives the ChatML that the reading adapter learned, with one token per special."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(prepared_base.path)
    messages = build_messages("How long?", [Source("Returns", "", "", "You have 45 days.")])

    ids = prompt_ids(messages, tokenizer)

    asked = "Sources:\n[1] Returns\nYou have 45 days.\n\nQuestion: How long?"
    system = f"<|im_start|>system\n{messages[0]['content']}<|im_end|>\n"
    assert tokenizer.decode(ids) == f"{system}<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"
    assert (ids.count(1), ids.count(2)) == (3, 2)


def test_preparing_reports_and_leaves_only_the_whole_folder(quick, tmp_path):
    """Two sentences of progress, then the folder by the hash of its inputs and nothing half made."""
    said = []

    base = prepare_base(DEFAULT_BASE, tmp_path / "models", said.append)

    verify_base(base)
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == ["0123456789ab"]
    assert len(said) == 2


def test_what_a_kill_left_is_ignored_and_swept(quick, tmp_path):
    """Partial folders, of this hash or an older one, hold 270 MB each and are no model."""
    for name in ("0123456789ab.partial", "fedcba987654.partial", "0123456789ab.partial-4711"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"half")

    base = prepare_base(DEFAULT_BASE, tmp_path)

    verify_base(base)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["0123456789ab"]


@pytest.mark.parametrize("moment", ["unpacking", "card", "move"])
def test_a_stop_at_any_moment_leaves_no_model_and_can_be_repeated(quick, tmp_path, monkeypatch, moment):
    """Ctrl-C while unpacking, before the card, or before the move: nothing there, and the next start succeeds."""

    def stop(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        target = {
            "unpacking": (base_model, "_dequantise"),
            "card": (base_model, "write_json"),
            "move": (os, "replace"),
        }
        patch.setattr(*target[moment], stop)
        with pytest.raises(KeyboardInterrupt):
            prepare_base(DEFAULT_BASE, tmp_path)

    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    verify_base(prepare_base(DEFAULT_BASE, tmp_path))


@pytest.mark.parametrize("card", [None, "", "[1]", "{}", '{"bytes": 1}', '{"bytes": null}'])
def test_a_folder_without_a_right_card_is_made_anew(quick, tmp_path, card):
    """The card is the mark of completeness: missing, torn, of another shape, or naming another size."""
    base = prepare_base(DEFAULT_BASE, tmp_path)
    (base.path / "card.json").unlink()
    if card is not None:
        (base.path / "card.json").write_text(card)

    verify_base(prepare_base(DEFAULT_BASE, tmp_path))

    assert len(quick) == 2


def test_two_processes_at_once_prepare_once(quick, tmp_path, monkeypatch):
    """The second waits for the first and uses what it made."""
    unpack = base_model._dequantise
    monkeypatch.setattr(base_model, "_dequantise", lambda *given: (time.sleep(0.3), unpack(*given)))
    threads = [threading.Thread(target=prepare_base, args=(DEFAULT_BASE, tmp_path)) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(quick) == 1
    verify_base(prepare_base(DEFAULT_BASE, tmp_path))


@pytest.mark.parametrize("damage", ["flipped byte", "no card", "card without checksum", "no weights"])
def test_damage_to_a_prepared_base_is_one_sentence(quick, tmp_path, damage):
    """The full checksum finds a byte that the size does not show."""
    base = prepare_base(DEFAULT_BASE, tmp_path)
    weights = base.path / "model.safetensors"
    if damage == "flipped byte":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif damage == "no card":
        (base.path / "card.json").unlink()
    elif damage == "card without checksum":
        (base.path / "card.json").write_text("{}")
    else:
        weights.unlink()

    with pytest.raises(BaseModelError, match=r"is damaged: delete that folder and start again\.$"):
        verify_base(base)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(quick, tmp_path):
    """Safetensors has an error of its own for it; the half-written folder goes at once, for it takes the space."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(BaseModelError, match=r"cannot be written to .* free about 300 MB .*\.$"):
            prepare_base(DEFAULT_BASE, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_folder_that_cannot_be_made_is_one_sentence(quick, tmp_path):
    """A file stands where the models should lie."""
    (tmp_path / "models").write_text("in the way")

    with pytest.raises(BaseModelError, match=r"cannot be written to"):
        prepare_base(DEFAULT_BASE, tmp_path / "models")


def test_a_missing_package_of_weights_says_what_to_run(monkeypatch, tmp_path):
    """`make setup` brings it."""
    monkeypatch.setattr(base_model, "GGUF_NAME", "no-such.gguf")

    with pytest.raises(BaseModelError, match=r"'no-such\.gguf' is not installed: run `make setup`"):
        prepare_base(DEFAULT_BASE, tmp_path)


def test_a_missing_reading_adapter_is_one_sentence(monkeypatch, tmp_path):
    """It ships with the project; where it was deleted, the project is to be installed again."""
    monkeypatch.setattr(base_model, "READING", tmp_path)

    with pytest.raises(BaseModelError, match=r"cannot be read \(No such file or directory\): reinstall"):
        prepare_base(DEFAULT_BASE, tmp_path / "models")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\x03\x00\x00\x00" + b"\xff" * 64, b"no weights at all"])
def test_damaged_packaged_weights_are_one_sentence(monkeypatch, tmp_path, content):
    """Whatever the GGUF reader makes of a truncated download."""
    (tmp_path / "weights.gguf").write_bytes(content)
    monkeypatch.setattr(base_model, "_packaged_weights", lambda: tmp_path / "weights.gguf")

    with pytest.raises(BaseModelError, match=r"is damaged .*: reinstall with `make clean` and `make setup`\.$"):
        prepare_base(DEFAULT_BASE, tmp_path / "models")

    assert list((tmp_path / "models").glob("*partial*")) == []


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "mistral"])
def test_a_local_folder_serves_as_it_is(tmp_path, architecture):
    """No copy, no reading adapter, nothing written beside it, and it loads."""
    folder = make_tiny_base(tmp_path / "own", architecture)
    before = sorted(path.name for path in folder.iterdir())

    base = prepare_base(str(folder), tmp_path / "models")
    tokenizer, model = load_base(base)

    verify_base(base)
    assert (base.path, base.name, base.has_reading) == (folder, str(folder), False)
    assert model.config.model_type == architecture
    assert tokenizer.chat_template
    assert sorted(path.name for path in folder.iterdir()) == before
    assert not (tmp_path / "models").exists()


def test_the_hash_of_a_folder_names_its_content(tmp_path):
    """A copy elsewhere is the same base, also with a file beside it; retrained weights of equal size are another."""
    base = prepare_tiny(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text("Mine.")

    copy, retrained = prepare_base(str(tmp_path / "copy"), tmp_path), prepare_tiny(tmp_path / "two", seed=5)

    sizes = {(b.path / "model.safetensors").stat().st_size for b in (base, copy, retrained)}
    assert len(sizes) == 1
    assert base.hash == copy.hash != retrained.hash


def test_loading_prints_nothing(tmp_path, capfd, recwarn):
    """The progress bars and warnings of transformers stay out of the terminal, and come back afterwards."""
    base = prepare_tiny(tmp_path / "own")
    logging.enable_progress_bar()
    capfd.readouterr()
    recwarn.clear()

    load_base(base)

    assert capfd.readouterr() == ("", "")
    assert warned(recwarn) == []
    assert logging.is_progress_bar_enabled()


def test_unpacking_has_a_bar_of_its_own_that_is_silenced_too(capfd):
    """It is not among those that transformers can switch off."""
    with quiet_transformers():
        assert list(modeling_gguf_pytorch_utils.tqdm([1, 2], desc="Converting")) == [1, 2]
    assert capfd.readouterr() == ("", "")

    assert list(modeling_gguf_pytorch_utils.tqdm([1, 2], desc="Converting")) == [1, 2]
    assert "Converting" in capfd.readouterr().err


@pytest.mark.slow
def test_preparing_the_default_base_prints_nothing(tmp_path, capfd, recwarn):
    """20 s of work with two sentences of our own."""
    said = []

    base = prepare_base(DEFAULT_BASE, tmp_path, said.append)

    verify_base(base)
    assert len(said) == 2
    assert capfd.readouterr() == ("", "")
    assert warned(recwarn) == []


@pytest.mark.parametrize("lacks", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model_is_one_sentence(tmp_path, lacks):
    """Both the configuration and weights must be there."""
    folder = make_tiny_base(tmp_path / "own")
    (folder / lacks).unlink()

    with pytest.raises(BaseModelError, match=r"is no model folder .* check it with `frontdesk model show`\.$"):
        prepare_base(str(folder), tmp_path)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "/no/such/folder", "what is this?"])
def test_a_base_that_is_nowhere_is_one_sentence(tmp_path, name):
    """Offline, a hub id that is not in the cache; a path that does not exist; a name that is neither."""
    with pytest.raises(BaseModelError, match=r"is neither a folder nor reachable on the hub .*\.$") as caught:
        prepare_base(name, tmp_path)

    assert "\n" not in str(caught.value)


def test_a_broken_connection_is_one_sentence(tmp_path, monkeypatch):
    """Whatever the hub's HTTP library raises in mid-download."""
    import huggingface_hub

    def fail(*given, **named):
        raise type("ReadTimeout", (Exception,), {})("The read operation timed out")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)

    with pytest.raises(BaseModelError, match=r"\(The read operation timed out\): check it with `frontdesk model show`"):
        prepare_base("nobody/no-such-model", tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x00" * 100),
        ("model.safetensors", None),
        ("tokenizer.json", b"{"),
        ("config.json", b'{"model_type": "no-such"}'),
        ("config.json", b"\xff"),
    ],
)
def test_damaged_files_are_one_sentence_when_loaded(tmp_path, name, content):
    """Torn weights, a torn tokenizer, a configuration of nothing known: never the readers' own errors."""
    base = prepare_tiny(tmp_path / "own")
    path = base.path / name
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)

    told = r"cannot be loaded \(.+\): check it with `frontdesk model show`\.$"
    with pytest.raises(BaseModelError, match=told) as caught:
        load_base(base)

    assert "\n" not in str(caught.value)


def test_nobody_is_told_to_delete_a_model_of_his_own(tmp_path):
    """Only a base that was prepared here can be made again."""
    folder = make_tiny_base(tmp_path / "own")
    (folder / "model.safetensors").write_bytes(b"\x00")

    with pytest.raises(BaseModelError, match=r"check it with `frontdesk model show`\.$"):
        load_base(PreparedBase(folder, "own", "x", has_reading=False))
    with pytest.raises(BaseModelError, match=r"delete that folder to prepare it anew\.$"):
        load_base(PreparedBase(folder, DEFAULT_BASE, "x", has_reading=True))


def test_missing_weights_are_not_made_up(tmp_path):
    """Transformers fills what is missing with random numbers and only warns."""
    from safetensors.torch import load_file
    from safetensors.torch import save_file as save

    base = prepare_tiny(tmp_path / "own")
    weights = load_file(base.path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save(weights, base.path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(BaseModelError, match=r"1 weights are missing"):
        load_base(base)


def test_a_base_without_a_chat_template_is_refused(tmp_path):
    """A model that was never taught to converse has none."""
    base = prepare_tiny(tmp_path / "own")
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (base.path / name).unlink(missing_ok=True)

    with pytest.raises(BaseModelError, match="has no chat template: choose an instruction-tuned one"):
        load_base(base)
