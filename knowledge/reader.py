"""The reader head: one forward pass over question and passage says whether it answers, and which sentences do."""

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from knowledge.embedder import first_line, has_fast_bfloat16, model_location, quiet_loading
from knowledge.errors import ReaderError

__all__ = [
    "HEAD",
    "Encoded",
    "MiniLmReader",
    "Passage",
    "PassageReader",
    "Reading",
    "collate",
    "encode",
    "make_network",
    "padded_length",
]

HEAD = Path(__file__).parent / "reader_head"
MAX_QUESTION = 64  # tokens; the end of a longer question is kept, for there it is usually asked
MAX_TOKENS = 384  # of question, headings and passage; MiniLM has positions for 512
PADDED_TO = 32


@dataclass(frozen=True)
class Passage:
    """What is read: headings, text, and the places (start, end) of its sentences in the text."""

    heading: str
    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Reading:
    """Chances from 0 to 1: that the passage answers the question, and of each sentence to be part of the answer."""

    answers: float
    sentences: tuple[float, ...]


@dataclass(frozen=True)
class Encoded:
    """Token ids of "[CLS] question [SEP] heading, text [SEP]", segment ids, and the token range of each sentence."""

    ids: tuple[int, ...]
    segments: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]  # empty where the sentence was cut off


class PassageReader(Protocol):
    """Reads passages for a question; `name` says which reader it was."""

    name: str

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """One reading for each passage, in their order."""
        ...


class MiniLmReader:
    """MiniLM as a cross-encoder with LoRA matrices and two linear outputs, see benchmarks/train_reader.py."""

    def __init__(self, folder: Path = HEAD) -> None:
        self.folder = folder
        self.name = "reader-head"
        self._loaded: tuple[Any, Any] | None = None
        self._lock = threading.Lock()

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """See `PassageReader.read`.

        Raises:
            ReaderError: the head or MiniLM is missing, damaged, or failed.
        """
        import torch

        tokenizer, network = self._load()
        encoded = [encode(tokenizer, question, passage) for passage in passages]
        readings: list[Reading] = []
        with self._lock, torch.inference_mode():
            for item in encoded:
                answers, sentences = network(*collate([item], tokenizer.pad_token_id))
                chances = sentences[0].sigmoid().tolist()
                found = [chances[n] if end > start else 0.0 for n, (start, end) in enumerate(item.ranges)]
                readings.append(Reading(float(answers[0].sigmoid()), tuple(found)))
        return readings

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self.folder)
            return self._loaded


class WordReader:
    """The fake: chances are shares of the question's longer words that stand in passage and sentence."""

    name = "words"

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """See `PassageReader.read`."""
        asked = _long_words(question)

        def chance(text: str) -> float:
            return len(asked & _long_words(text)) / len(asked) if asked else 0.0

        return [
            Reading(chance(f"{p.heading} {p.text}"), tuple(chance(p.text[start:end]) for start, end in p.spans))
            for p in passages
        ]


def _long_words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]{4,}", text.lower()))


def encode(tokenizer: Any, question: str, passage: Passage) -> Encoded:  # noqa: ANN401 - a transformers tokenizer
    """Tokens of one pair, cut at the end of the passage where they are too many."""
    asked = tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"][-MAX_QUESTION:]
    lead = f"{passage.heading}\n"
    room = MAX_TOKENS - len(asked) - 3
    found = tokenizer(lead + passage.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    tokens, offsets = found["input_ids"][:room], found["offset_mapping"][:room]
    first = len(asked) + 2
    ranges = []
    for start, end in passage.spans:
        inside = [first + n for n, (a, b) in enumerate(offsets) if a >= start + len(lead) and b <= end + len(lead)]
        ranges.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    ids = [tokenizer.cls_token_id, *asked, tokenizer.sep_token_id, *tokens, tokenizer.sep_token_id]
    segments = [0] * first + [1] * (len(tokens) + 1)
    return Encoded(tuple(ids), tuple(segments), tuple(ranges))


def collate(batch: Sequence[Encoded], pad: int) -> tuple[Any, Any, Any]:
    """Tensors (rows, tokens) of ids and segments, and (rows, sentences, tokens) of means over each sentence.

    Rows are filled up to a multiple of 32 tokens and no mask is passed, in training as in service: the head learned to
    overlook the filling. Few different shapes make oneDNN three times as fast, and a mask halves it again.
    """
    import torch

    width = padded_length(max(len(item.ids) for item in batch))
    most = -(-max(1, *(len(item.ranges) for item in batch)) // 8) * 8
    ids, segments = torch.full((len(batch), width), pad), torch.ones(len(batch), width, dtype=torch.long)
    means = torch.zeros(len(batch), most, width)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        segments[row, : len(item.ids)] = torch.tensor(item.segments)
        for number, (start, end) in enumerate(item.ranges):
            means[row, number, start:end] = 1.0 / max(1, end - start)
    return ids, segments, means


def padded_length(tokens: int) -> int:
    """The length that rows of so many tokens are filled up to."""
    return -(-tokens // PADDED_TO) * PADDED_TO


def make_network(encoder: Any) -> Any:  # noqa: ANN401 - torch modules
    """The encoder with its two outputs: (rows,) logits of passages and (rows, sentences) logits of sentences."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            width = encoder.config.hidden_size
            self.passage = torch.nn.Linear(width, 1)
            self.sentence = torch.nn.Linear(2 * width, 1)

        def forward(self, ids: Any, segments: Any, means: Any) -> tuple[Any, Any]:  # noqa: ANN401
            states = self.encoder(input_ids=ids, token_type_ids=segments).last_hidden_state.float()
            whole = states[:, 0]
            parts = means @ states
            spread = whole[:, None].expand(-1, parts.shape[1], -1)
            return self.passage(whole)[:, 0], self.sentence(torch.cat([parts, spread], dim=-1))[..., 0]

    return Network()


def _load(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and network, LoRA merged, encoder in the faster number format of this CPU."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    try:
        card = json.loads((folder / "card.json").read_text())
        place = model_location(card["base"])
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(place)
            encoder = AutoModel.from_pretrained(place, local_files_only=True, add_pooling_layer=False)
            network = make_network(PeftModel.from_pretrained(encoder, str(folder)).merge_and_unload())
        outputs = load_file(folder / "outputs.safetensors")
        network.passage.load_state_dict({"weight": outputs["passage.weight"], "bias": outputs["passage.bias"]})
        network.sentence.load_state_dict({"weight": outputs["sentence.weight"], "bias": outputs["sentence.bias"]})
    except Exception as error:  # whatever a damaged or missing folder makes the libraries raise
        raise ReaderError(
            f"The reader head in '{folder}' cannot be loaded ({first_line(error)[:160]}): "
            "reinstall Frontdesk, or go on without it."
        ) from error
    if has_fast_bfloat16():
        network.encoder.bfloat16()
    return tokenizer, network.eval()
