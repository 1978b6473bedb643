"""The reader head: whether a passage answers a question, which sentences do, and whether it supports a claim."""

import json
import math
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from knowledge.embedder import DEFAULT_MODEL, first_line, has_fast_bfloat16, model_location, quiet_loading
from knowledge.errors import ReaderError

__all__ = [
    "CONTRADICTED",
    "HEAD",
    "NEITHER",
    "SUPPORTED",
    "Encoded",
    "MiniLmReader",
    "Passage",
    "PassageReader",
    "Reading",
    "Support",
    "chance",
    "claim_text",
    "collate",
    "encode",
    "make_network",
    "padded_length",
]

HEAD = Path(__file__).parent / "reader_head"
MAX_QUESTION = 64  # tokens; the end of a longer question is kept, for there it is usually asked
MAX_TOKENS = 384  # of question, headings and passage; MiniLM has positions for 512
PADDED_TO = 32
BATCH_TOKENS = 2048  # filled-up tokens of one pass
USUAL_NEAR = 0.45  # the cosine that is taken where none is known
SUPPORTED, CONTRADICTED, NEITHER = range(3)  # the order of the third output


@dataclass(frozen=True)
class Passage:
    """What is read: headings, text, and the places (start, end) of its sentences in the text.

    `near` is the cosine of its vector with that of the question by the model the head was trained with; None where
    that is not known.
    """

    heading: str
    text: str
    spans: tuple[tuple[int, int], ...]
    near: float | None = None


@dataclass(frozen=True)
class Reading:
    """What the head makes of a passage: logits that it answers, and of each sentence to be evidence.

    That of the passage counts its cosine, those of sentences count none: see `PassageReader.weigh`. A sentence that was
    cut off has minus infinity.
    """

    logit: float
    sentences: tuple[float, ...]

    @property
    def answers(self) -> float:
        """The chance from 0 to 1 that the passage answers the question."""
        return chance(self.logit)


@dataclass(frozen=True)
class Support:
    """Chances from 0 to 1, together 1, that a passage supports a claim, contradicts it, or does neither."""

    supported: float
    contradicted: float
    neither: float


@dataclass(frozen=True)
class Encoded:
    """Token ids of "[CLS] question [SEP] heading, text [SEP]", segment ids, and the token range of each sentence."""

    ids: tuple[int, ...]
    segments: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]  # empty where the sentence was cut off


class PassageReader(Protocol):
    """Reads passages for a question; `name` says which reader it was, `near` whose cosines it knows."""

    name: str
    near: str

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """One reading for each passage, in their order."""
        ...

    def weigh(self, reading: Reading, cosines: Sequence[float] | None = None) -> list[float]:
        """The chance from 0 to 1 of each sentence to be evidence, with its cosine with the question counted."""
        ...

    def check(self, claims: Sequence[tuple[str, Passage]]) -> list[Support]:
        """What each passage says about its claim."""
        ...


class MiniLmReader:
    """MiniLM as a cross-encoder with LoRA matrices and linear outputs, see benchmarks/train_reader.py."""

    def __init__(self, folder: Path = HEAD) -> None:
        self.folder = folder
        self.name = "reader-head"
        self.near = DEFAULT_MODEL
        self._loaded: tuple[Any, Any] | None = None
        self._lock = threading.Lock()

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """See `PassageReader.read`.

        Raises:
            ReaderError: the head or MiniLM is missing, damaged, or failed.
        """
        rows = self._run([(question, passage) for passage in passages])
        _, network = self._load()
        known = [USUAL_NEAR if passage.near is None else passage.near for passage in passages]
        return [
            Reading(
                logit + _linear(network.near_passage, near),
                tuple(found[n] if end > start else -math.inf for n, (start, end) in enumerate(item.ranges)),
            )
            for (item, (logit, found, _)), near in zip(rows, known, strict=True)
        ]

    def weigh(self, reading: Reading, cosines: Sequence[float] | None = None) -> list[float]:
        """See `PassageReader.weigh`."""
        _, network = self._load()
        known = [USUAL_NEAR] * len(reading.sentences) if cosines is None else cosines
        return [chance(z + _linear(network.near_sentence, n)) for z, n in zip(reading.sentences, known, strict=True)]

    def check(self, claims: Sequence[tuple[str, Passage]]) -> list[Support]:
        """See `PassageReader.check`.

        Raises:
            ReaderError: the head or MiniLM is missing, damaged, or failed.
        """
        return [Support(*support) for _, (_, _, support) in self._run([(claim_text(c), p) for c, p in claims])]

    def _run(
        self, pairs: Sequence[tuple[str, Passage]]
    ) -> list[tuple[Encoded, tuple[float, list[float], list[float]]]]:
        """Each pair as encoded, with its outputs: logit, logits, chances. Rows of one length share a pass."""
        import torch

        tokenizer, network = self._load()
        encoded = [encode(tokenizer, asked, passage) for asked, passage in pairs]
        found: dict[int, tuple[float, list[float], list[float]]] = {}
        with self._lock, torch.inference_mode():
            for rows in _batches(encoded):
                answers, sentences, support = network(*collate([encoded[row] for row in rows], tokenizer.pad_token_id))
                outputs = (answers.tolist(), sentences.tolist(), support.softmax(-1).tolist())
                found |= dict(zip(rows, zip(*outputs, strict=True), strict=True))
        return [(item, found[row]) for row, item in enumerate(encoded)]

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self.folder)
            return self._loaded


class WordReader:
    """The fake: chances are shares of the question's or claim's longer words that stand in passage and sentence."""

    name = near = "words"

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """See `PassageReader.read`."""
        asked = _long_words(question)

        def logit(text: str) -> float:
            share = len(asked & _long_words(text)) / len(asked) if asked else 0.0
            return math.log(max(share, 1e-6) / max(1 - share, 1e-6))

        return [
            Reading(logit(f"{p.heading} {p.text}"), tuple(logit(p.text[start:end]) for start, end in p.spans))
            for p in passages
        ]

    def weigh(self, reading: Reading, cosines: Sequence[float] | None = None) -> list[float]:
        """See `PassageReader.weigh`."""
        return [chance(logit) for logit in reading.sentences]

    def check(self, claims: Sequence[tuple[str, Passage]]) -> list[Support]:
        """See `PassageReader.check`; it never finds a contradiction."""
        shares = [self.read(claim, [passage])[0].answers for claim, passage in claims]
        return [Support(share, 0.0, 1.0 - share) for share in shares]


def chance(logit: float) -> float:
    """From 0 to 1, by the logistic function."""
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def _linear(layer: Any, value: float) -> float:  # noqa: ANN401 - a torch module with one weight
    return float(layer.weight.item() * value + layer.bias.item())


def _batches(encoded: Sequence[Encoded]) -> Iterator[list[int]]:
    """Rows that are filled up to the same length, at most BATCH_TOKENS of them together."""
    by_length: dict[int, list[int]] = {}
    for row, item in enumerate(encoded):
        by_length.setdefault(padded_length(len(item.ids)), []).append(row)
    for length, rows in sorted(by_length.items()):
        size = max(1, BATCH_TOKENS // length)
        yield from (rows[at : at + size] for at in range(0, len(rows), size))


def _long_words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]{4,}", text.lower()))


def claim_text(claim: str) -> str:
    """A claim as the head sees it in the place of a question."""
    return f"Claim: {claim}"


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
    """The encoder with its outputs: logits of passages (rows,), sentences (rows, sentences) and claims (rows, 3)."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            width = encoder.config.hidden_size
            self.passage = torch.nn.Linear(width, 1)
            self.sentence = torch.nn.Linear(2 * width, 1)
            self.support = torch.nn.Linear(width, 3)
            # What a cosine of MiniLM adds to a logit; outside of the pass, for the search knows it already.
            self.near_passage, self.near_sentence = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
            for layer, weight, bias in ((self.near_passage, 12.0, -6.0), (self.near_sentence, 10.0, -6.0)):
                torch.nn.init.constant_(layer.weight, weight), torch.nn.init.constant_(layer.bias, bias)

        def forward(self, ids: Any, segments: Any, means: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
            states = self.encoder(input_ids=ids, token_type_ids=segments).last_hidden_state.float()
            whole = states[:, 0]
            parts = means @ states
            spread = whole[:, None].expand(-1, parts.shape[1], -1)
            answers, sentences = self.passage(whole), self.sentence(torch.cat([parts, spread], dim=-1))
            return answers[:, 0], sentences[..., 0], self.support(whole)

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
        for name in ("passage", "sentence", "support", "near_passage", "near_sentence"):
            found = {part: outputs[f"{name}.{part}"] for part in ("weight", "bias")}
            getattr(network, name).load_state_dict(found)
    except Exception as error:  # whatever a damaged or missing folder makes the libraries raise
        raise ReaderError(
            f"The reader head in '{folder}' cannot be loaded ({first_line(error)[:160]}): "
            "reinstall Frontdesk, or go on without it."
        ) from error
    if has_fast_bfloat16():
        network.encoder.bfloat16()
    return tokenizer, network.eval()
