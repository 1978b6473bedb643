"""The writer: a base with its tone adapter merged, streaming greedily; and its scripted fake."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from tone_tuning.atomic import read_json
from tone_tuning.base_model import PreparedBase
from tone_tuning.errors import AdapterError, BaseModelError, reason
from tone_tuning.prompt import Message, prompt_ids
from tone_tuning.quiet import quiet_transformers

__all__ = [
    "LanguageModel",
    "ScriptedModel",
    "TransformersModel",
    "load_base",
    "merge_adapter",
    "pick_device",
    "pick_dtype",
]

Stop = Callable[[], bool]
DRAFT = 8  # tokens copied from the prompt and checked in one pass
MATCH = 2  # tokens that must agree before a copy is tried


class LanguageModel(Protocol):
    """Anything that continues a conversation.

    `adapter` is the version in use, None for the plain base; `phrases` are the openings and closings of its voice.
    """

    name: str
    adapter: str | None
    phrases: tuple[str, ...]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int = 256, stop: Stop | None = None
    ) -> Iterator[str]:
        """Pieces of the reply, the most likely token each time; `stop` is asked between pieces."""
        ...

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int = 256) -> str:
        """The whole reply."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`."""
        ...


class TransformersModel:
    """A causal model by transformers. The adapter is merged at load: unmerged it costs 23 % of the speed."""

    def __init__(self, base: PreparedBase, adapter: Path | None = None, adapter_name: str | None = None) -> None:
        self.base = base
        self.name = base.name
        self.adapter = (adapter_name or adapter.name) if adapter else None
        self.phrases: tuple[str, ...] = ()
        self._adapter_path = adapter
        self._model: Any = None
        self._tokenizer: Any = None
        self._lock = threading.RLock()

    def load(self) -> None:
        """Read the weights; done by the first use where nobody called it.

        Raises:
            BaseModelError: the base cannot be read.
            AdapterError: the adapter cannot be read or does not fit the base.
        """
        with self._lock:
            if self._model is None:
                self._tokenizer, model = load_base(self.base)
                self._model = merge_adapter(model, self._adapter_path).eval() if self._adapter_path else model.eval()
                card = read_json(self._adapter_path / "card.json") if self._adapter_path else None
                self.phrases = tuple(map(str, (card or {}).get("phrases") or ()))

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int = 256, stop: Stop | None = None
    ) -> Iterator[str]:
        """See `LanguageModel.stream`. Replies side by side take turns; each may be taken by any thread, or left."""
        self.load()
        steps = _greedy(self._model, prompt_ids(messages, self._tokenizer), self._ends(), max_new_tokens)
        said: list[int] = []
        shown = text = ""
        while tokens := self._next(steps):
            if stop is not None and stop():
                return
            said += tokens
            text = self._tokenizer.decode(said, skip_special_tokens=True).rstrip("\ufffd")  # a character half said
            if text != shown:
                yield text[len(shown) :]
                shown = text

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int = 256) -> str:
        """See `LanguageModel.generate`."""
        return "".join(self.stream(messages, max_new_tokens=max_new_tokens))

    def count_tokens(self, text: str) -> int:
        """See `LanguageModel.count_tokens`."""
        self.load()
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def _next(self, steps: Iterator[list[int]]) -> list[int]:
        with self._lock:
            return next(steps, [])

    def _ends(self) -> frozenset[int]:
        configured = self._model.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        return frozenset(t for t in (*listed, self._tokenizer.eos_token_id) if t is not None)


class ScriptedModel:
    """The fake: says what it was given, word by word, and records what it was asked in `asked`."""

    def __init__(self, replies: Sequence[str] | Callable[[list[Message]], str], adapter: str | None = None) -> None:
        self.name = "scripted"
        self.adapter = adapter
        self.phrases: tuple[str, ...] = ()
        self.asked: list[list[Message]] = []
        self._replies = replies

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int = 256, stop: Stop | None = None
    ) -> Iterator[str]:
        """See `LanguageModel.stream`; a list of replies is gone through in a circle."""
        self.asked.append(list(messages))
        replies = self._replies
        reply = replies(list(messages)) if callable(replies) else replies[(len(self.asked) - 1) % len(replies)]
        for number, word in enumerate(reply.split(" ")[:max_new_tokens]):
            if stop is not None and stop():
                return
            yield word if number == 0 else f" {word}"

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int = 256) -> str:
        """See `LanguageModel.generate`."""
        return "".join(self.stream(messages, max_new_tokens=max_new_tokens))

    def count_tokens(self, text: str) -> int:
        """Words of `text`."""
        return len(text.split())


def pick_dtype() -> Any:  # noqa: ANN401 - a torch.dtype
    """bfloat16 where the CPU multiplies it in hardware (AVX512-BF16 or AMX), else float32."""
    import torch

    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def pick_device() -> str:
    """Where a long run of the reading adapter is worth it: "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_base(base: PreparedBase) -> tuple[Any, Any]:
    """Tokenizer and model of a prepared base, in the faster number format of this CPU.

    Raises:
        BaseModelError: the folder cannot be read, or the model has no chat template.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": base.path, "local_files_only": True}
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(**source)
            model, found = AutoModelForCausalLM.from_pretrained(**source, dtype=pick_dtype(), output_loading_info=True)
        if found["missing_keys"]:
            raise ValueError(f"{len(found['missing_keys'])} weights are missing")
    except Exception as error:  # whatever their readers make of a damaged file
        advice = "delete that folder to prepare it anew" if base.has_reading else "check it with `frontdesk model show`"
        raise BaseModelError(f"The model in '{base.path}' cannot be loaded ({reason(error)}): {advice}.") from error
    if tokenizer.chat_template is None:
        raise BaseModelError(f"The model '{base.name}' has no chat template: choose an instruction-tuned one.")
    return tokenizer, model


def merge_adapter(model: Any, adapter: Path) -> Any:  # noqa: ANN401
    """The model with an adapter's weights added to its own.

    Raises:
        AdapterError: the adapter cannot be read or does not fit the model.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    try:
        with safe_open(adapter / "adapter_model.safetensors", framework="pt") as file:
            stored = set(file.keys())
        with quiet_transformers():
            wrapped = PeftModel.from_pretrained(model, str(adapter))
        # Asked for embeddings, peft would look on the hub whether the base has other ones.
        if stored != get_peft_model_state_dict(wrapped, save_embedding_layers=False).keys():
            raise ValueError("its weights belong to other layers")
        return wrapped.merge_and_unload()
    except Exception as error:  # whatever their readers make of a damaged file
        raise AdapterError(
            f"The adapter '{adapter.name}' cannot be used with this base ({reason(error)}): roll back or retrain."
        ) from error


def _greedy(model: Any, prompt: list[int], ends: frozenset[int], max_new_tokens: int) -> Iterator[list[int]]:  # noqa: ANN401
    """Greedy tokens, several at a time where the reply copies its prompt.

    The tokens that followed the last two once before are taken as a draft and checked in one forward pass; those
    that the model would have said itself are kept, so the reply is the greedy one (up to rounding in bfloat16).
    """
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    known, pending = list(prompt), list(prompt)
    made = 0
    while made < max_new_tokens:
        draft = _copied(known, max_new_tokens - made - 1) if made and cache.is_croppable else []
        with torch.inference_mode():
            out = model(
                torch.tensor([pending + draft]), past_key_values=cache, use_cache=True, logits_to_keep=len(draft) + 1
            )
        best = out.logits[0].argmax(-1).tolist()
        agreed = next((i for i, token in enumerate(draft) if token != best[i]), len(draft))
        new = best[: agreed + 1]
        if cache.is_croppable:
            cache.activate_past_recording()  # a sliding window must be able to take a draft back
            cache.crop(agreed - len(draft))
        end = next((i for i, token in enumerate(new) if token in ends), None)
        if end is not None:
            if new[:end]:
                yield new[:end]
            return
        known += new
        pending = new[-1:]
        made += len(new)
        yield new


def _copied(known: list[int], room: int) -> list[int]:
    """What followed the last tokens where they stood before, the latest such place; empty if nowhere."""
    tail = known[-MATCH:]
    for at in range(len(known) - MATCH - 1, -1, -1):
        if known[at : at + MATCH] == tail:
            return known[at + MATCH : at + MATCH + min(DRAFT, room)]
    return []
