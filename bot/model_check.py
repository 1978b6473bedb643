"""Tries a base: whether it can serve, whether it needs a reading adapter, and how it does with whole passages."""

import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from bot.baselines import PASSAGES
from bot.dialogue import recent_turns, standalone_question
from bot.errors import SettingsError
from bot.gather import Retriever, gather
from bot.golden import GoldenQuestion
from bot.metrics import bootstrap, has_expected, rate
from bot.service import Service
from bot.support_bot import reply_budget, to_prompt_source
from knowledge.documents import RetrievedChunk
from tone_tuning.atomic import read_json
from tone_tuning.base_model import DEFAULT_BASE, PreparedBase, prepare_base
from tone_tuning.errors import BaseModelError, reason
from tone_tuning.language_model import LanguageModel, TransformersModel
from tone_tuning.prompt import Message, Source, build_messages
from tone_tuning.reading.values import citations, values_in

__all__ = [
    "ENOUGH",
    "FEWEST",
    "WAYS",
    "Compared",
    "Tried",
    "Written",
    "advice",
    "answer_both_ways",
    "describe",
    "open_base",
    "summarise",
    "try_base",
]

WAYS = ("evidence", "whole passages")
ENOUGH = 0.75  # share of the expected words kept with evidence from which a base reads well enough by itself
FEWEST = 10  # questions whose evidence holds the expected words; fewer say nothing
PROBE = ("How long do I have to return a kettle?", "You can return a kettle within 45 days of delivery.")
PROBE_TOKENS = 24
WRITES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")  # how classes that write text are named
OPENING = 160  # characters of a reply in which declining is looked for
# How a model says that it has no answer: our own sentence, and the usual ones of models that were never taught ours.
DECLINES = re.compile(
    r"\b(?:i|we)\b[^.\n]{0,20}\b(?:can ?not|can't|could not|couldn't|unable to|do not|don't) "
    r"(?:find|know|have|see|answer)\b|"
    r"\b(?:sources?|documents?|documentation|passages?|context|text|information)\b[^.\n]{0,40}"
    r"\b(?:not|don't|doesn't)\b[^.\n]{0,12}"
    r"\b(?:contain|mention|provide|include|specif|state|say|answer|available)|"
    r"\b(?:no (?:information|mention|answer)|not (?:mentioned|provided|specified|stated|contained) in)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Tried:
    """A base that answered a prompt of ours: its loaded model, and what it said."""

    base: PreparedBase
    model: LanguageModel
    reply: str


@dataclass(frozen=True)
class Written:
    """A reply that nothing checked. `held`: its sources have all the expected words; `kept`: so has the reply."""

    reply: str
    sources: int
    held: bool
    kept: bool
    cited: bool  # with at least one mark of a source that was there
    invented: tuple[str, ...]  # values that stand neither in the sources nor in what was asked
    declined: bool
    words: int
    seconds: float  # of writing alone


@dataclass(frozen=True)
class Compared:
    """A question with the replies by way (of `WAYS`); a way that found no source has none."""

    golden: GoldenQuestion
    replies: dict[str, Written]


def try_base(name: str, models: Path, report: Callable[[str], None] = lambda sentence: None) -> Tried:
    """Load a base as the service would and have it answer one prompt; nothing is changed.

    `name` is DEFAULT_BASE, a model folder or a hub id; a hub id is kept under `models`.

    Raises:
        SettingsError: it is no causal model with a chat template that answers our prompt.
        BaseModelError: so of the default base, or there is no chat template.
    """
    base = open_base(name, models, report)
    architecture = _architecture(base.path)
    if architecture and not architecture.endswith(WRITES):
        raise SettingsError(
            f"The model '{name}' is of the kind {architecture}, which writes no text: choose a causal language model."
        )
    model = TransformersModel(base)
    question, text = PROBE
    prompt = build_messages(question, [Source("Returns", "Time limits", "", text)])
    try:
        model.load()
    except BaseModelError as error:
        if base.has_reading or error.__cause__ is None:
            raise
        raise SettingsError(
            f"The model '{name}' cannot be loaded ({_cause(error)}): choose a causal language model in safetensors."
        ) from error
    try:
        reply = model.generate(prompt, max_new_tokens=PROBE_TOKENS).strip()
    except Exception as error:  # whatever a chat template or a model that is not like others makes of our prompt
        raise SettingsError(
            f"The model '{name}' cannot answer our prompt ({reason(error)}): choose another, whose chat template "
            "takes a system turn."
        ) from error
    if not reply:
        raise SettingsError(f"The model '{name}' answered our prompt with nothing: choose another.")
    return Tried(base, model, reply)


def open_base(name: str, models: Path, report: Callable[[str], None] = lambda sentence: None) -> PreparedBase:
    """`prepare_base`, with sentences for somebody who has just named the model.

    Raises:
        SettingsError: the folder or hub id holds no model.
        BaseModelError: the default base cannot be prepared.
    """
    try:
        return prepare_base(name, models, report)
    except BaseModelError as error:
        if name == DEFAULT_BASE:
            raise
        if Path(name).expanduser().is_dir():
            said = "is no model folder: give one that has config.json and *.safetensors"
        else:
            said = f"is neither a folder nor reachable on the hub ({_cause(error)}): check its name and the network"
        raise SettingsError(f"'{name}' {said}.") from error


def describe(base: PreparedBase) -> tuple[str, int]:
    """Architecture and number of parameters, by the files alone.

    Raises:
        SettingsError: the weights cannot be read.
    """
    count = 0
    try:
        for path in _weights(base.path):
            with safe_open(path, framework="numpy") as file:
                count += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise SettingsError(
            f"The weights in '{base.path}' cannot be read ({reason(error)}): choose another model "
            "with `frontdesk model use`."
        ) from error
    return _architecture(base.path) or "unknown", count


def answer_both_ways(
    service: Service,
    model: LanguageModel,
    questions: Sequence[GoldenQuestion],
    on_answer: Callable[[int, str], None] = lambda done, name: None,
) -> list[Compared]:
    """A reply to every question from the chosen sentences, and one from the whole passages; nothing is checked.

    Raises:
        BaseModelError: the model failed at a question.
    """
    rows = []
    for done, golden in enumerate(questions, 1):
        retriever = service.bot.retriever.within(golden.as_of, golden.audiences)
        found = dict(zip(WAYS, _both_sources(service, golden, retriever), strict=True))
        rows.append(Compared(golden, {way: _write(model, golden, of) for way, of in found.items() if of}))
        on_answer(done, golden.id)
    return rows


def summarise(rows: Sequence[Compared]) -> dict[str, Any]:
    """What was measured of each way, and by how much whole passages kept more than evidence (paired, with 95 %)."""
    paired = [
        float(_kept(row, WAYS[1])) - float(_kept(row, WAYS[0]))
        for row in rows
        if any(written.held for written in row.replies.values())
    ]
    return {**{way: _summary(rows, way) for way in WAYS}, "difference": bootstrap(paired)}


def advice(summary: dict[str, Any], has_reading: bool) -> str:
    """One sentence out of the measured numbers: reading adapter or not, whole passages or not."""
    kept = {way: summary[way]["expected_words_kept"] for way in WAYS}
    counts = [f"{round((rated['value'] or 0) * rated['n'])} of {rated['n']}" for rated in kept.values()]
    said = f"With evidence it kept the expected words in {counts[0]}, with whole passages in {counts[1]}"
    if kept[WAYS[0]]["n"] < FEWEST:
        return f"{said}: too few to say more, give at least {FEWEST} questions whose words your documents hold."
    reads = (kept[WAYS[0]]["value"] or 0) >= ENOUGH
    if reads:
        first = "it reads well with its reading adapter" if has_reading else "it needs no reading adapter"
    elif has_reading:
        first = "it loses much in spite of its reading adapter, try a bigger base"
    else:
        first = "train a reading adapter for it (docs/models.md)"
    low, high = summary["difference"]["low"], summary["difference"]["high"]
    if low > 0:
        second = "it does better with whole passages"
    else:
        second = "it does better with evidence" if high < 0 else "whole passages make no difference that can be told"
    return f"{said}: {first}, and {second}."


def _both_sources(service: Service, golden: GoldenQuestion, retriever: Retriever) -> Iterator[list[Source]]:
    """What the service would show the writer; and the best passages of the same search, whole."""
    asked = standalone_question(golden.question, golden.history)
    yield [to_prompt_source(source) for source in gather(golden.question, retriever, service.bot.reader, asked).sources]
    yield [_whole(passage) for passage in retriever.retrieve(asked, PASSAGES, rerank=True)]


def _whole(passage: RetrievedChunk) -> Source:
    section = passage.chunk.heading_path[-1] if passage.chunk.heading_path else ""
    return Source(passage.document.title, section, "", passage.chunk.text)


def _write(model: LanguageModel, golden: GoldenQuestion, sources: Sequence[Source]) -> Written:
    messages = build_messages(golden.question, sources, recent_turns(golden.history))
    began = time.perf_counter()
    try:
        reply = model.generate(messages, max_new_tokens=reply_budget(model, sources)).strip()
    except Exception as error:  # out of memory, a prompt longer than the model takes, and the like
        raise BaseModelError(
            f"The model '{model.name}' failed at question '{golden.id}' ({reason(error)}): choose a smaller one."
        ) from error
    return _judged(golden, sources, messages, reply, time.perf_counter() - began)


def _judged(
    golden: GoldenQuestion, sources: Sequence[Source], messages: Sequence[Message], reply: str, seconds: float
) -> Written:
    held = golden.answerable and _has(golden, "\n".join(f"{source.heading}\n{source.text}" for source in sources))
    kept = held and _has(golden, reply)
    marks = citations(reply)
    prompt = "\n".join(turn["content"] for turn in messages[1:])
    return Written(
        reply=reply,
        sources=len(sources),
        held=held,
        kept=kept,
        cited=bool(marks & set(range(1, len(sources) + 1))),
        invented=tuple(sorted(values_in(reply) - values_in(prompt))),
        declined=not reply or (not kept and bool(DECLINES.search(reply[:OPENING]))),
        words=len(reply.split()),
        seconds=round(seconds, 4),
    )


def _has(golden: GoldenQuestion, text: str) -> bool:
    """Whether a text has one alternative of every group of expected words; never where none are expected."""
    return bool(golden.must_contain) and has_expected(golden, text)


def _kept(row: Compared, way: str) -> bool:
    return way in row.replies and row.replies[way].kept


def _summary(rows: Sequence[Compared], way: str) -> dict[str, Any]:
    written = [(row.golden.answerable, row.replies[way]) for row in rows if way in row.replies]
    replies = [reply for _, reply in written]
    answers = [reply for reply in replies if not reply.declined]
    held = [reply for reply in replies if reply.held]
    declined = {kind: [reply.declined for answerable, reply in written if answerable is kind] for kind in (True, False)}
    return {
        "expected_words_kept": rate(sum(reply.kept for reply in held), len(held)),
        "citation_marks_given": rate(sum(reply.cited for reply in answers), len(answers)),
        "invented_a_value": rate(sum(bool(reply.invented) for reply in replies), len(replies)),
        "declined_answerable": rate(sum(declined[True]), len(declined[True])),
        "declined_unanswerable": rate(sum(declined[False]), len(declined[False])),
        "median_words": statistics.median(reply.words for reply in replies) if replies else None,
        "median_seconds": statistics.median(reply.seconds for reply in replies) if replies else None,
    }


def _cause(error: Exception) -> str:
    return reason(error.__cause__) if isinstance(error.__cause__, Exception) else str(error)


def _architecture(folder: Path) -> str:
    """The class that the model was saved by; "" where its configuration names none."""
    names = (read_json(folder / "config.json") or {}).get("architectures")
    return str(names[0]) if isinstance(names, list) and names else ""


def _weights(folder: Path) -> list[Path]:
    """The files that are loaded: some models come with a second copy of the weights under another name."""
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    named = (read_json(folder / "model.safetensors.index.json") or {}).get("weight_map")
    if isinstance(named, dict):
        return [folder / name for name in sorted({str(name) for name in named.values()})]
    return sorted(folder.glob("*.safetensors"))
