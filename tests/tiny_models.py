"""Small random models with a real tokenizer and chat template, for tests that need weights but not sense."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from pytest import WarningsRecorder
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tone_tuning import train as training
from tone_tuning.base_model import PreparedBase, prepare_base
from tone_tuning.quiet import quiet_transformers

__all__ = ["lora_model", "make_tiny_adapter", "make_tiny_base", "make_tiny_tokenizer", "prepare_tiny", "row", "warned",
           "write_rows"]  # fmt: skip

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Two threads gain nothing on a tiny model, and lose a hundredfold beside another busy process.
torch.set_num_threads(1)


def make_tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 600 entries with the three ChatML specials."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["How long do I have to return a kettle? You have 45 days. [1]"] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )


def make_tiny_base(folder: Path, architecture: str = "llama", seed: int = 0, hidden: int = 32) -> Path:
    """Save a random model ("llama", "qwen3", or "mistral" with a window of 16) and its tokenizer to `folder`."""
    torch.manual_seed(seed)
    tokenizer = make_tiny_tokenizer()
    sizes = dict(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    if architecture == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(head_dim=16, **sizes))
    elif architecture == "mistral":
        model = MistralForCausalLM(MistralConfig(sliding_window=16, **sizes))
    else:
        model = LlamaForCausalLM(LlamaConfig(**sizes))
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def prepare_tiny(folder: Path, architecture: str = "llama", seed: int = 0, hidden: int = 32) -> PreparedBase:
    """A tiny base as `prepare_base` hands it out."""
    return prepare_base(str(make_tiny_base(folder, architecture, seed, hidden)), folder)


def make_tiny_adapter(base: PreparedBase, folder: Path, r: int = 4, seed: int = 1) -> Path:
    """Save a LoRA adapter with random weights for `base`, strong enough to change what it says."""
    torch.manual_seed(seed)
    with quiet_transformers():
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base.path),
            LoraConfig(r=r, lora_alpha=2 * r, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        for name, weight in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=0.5)
        model.save_pretrained(str(folder))
    return folder


def row(number: int, words: int = 1) -> dict:
    """One row of training data; `words` lengthens its source."""
    source = f"You have {number} days to return kettle {number}. " * words
    return {
        "messages": [
            {"role": "user", "content": f"How long do I have to return kettle {number}?"},
            {"role": "assistant", "content": f"You have {number} days. [1]"},
        ],
        "sources": [{"title": "Returns", "text": source.strip()}],
    }


def write_rows(path: Path, rows: list) -> Path:
    """`rows` as JSONL."""
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def warned(caught: WarningsRecorder) -> list[str]:
    """What was warned of; a pipe that an earlier test left to the garbage collector may be closed at any time."""
    return [str(warning.message) for warning in caught.list if warning.category is not ResourceWarning]


def lora_model(base, config):
    """Tokenizer and model as a run begins with them, but with LoRA matrices that already say something."""
    torch.manual_seed(0)
    tokenizer, model = training._lora_model(base, config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return tokenizer, model
