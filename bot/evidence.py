"""Passages -> the few sentences that answer the question, verbatim with offsets, or none; by similarity alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from bot.sentences import Sentence, split_sentences
from knowledge.documents import RetrievedChunk
from knowledge.embedder import Embedder
from knowledge.reader import Support

__all__ = [
    "COVERAGE_WEIGHT",
    "MOST_SENTENCES",
    "Choice",
    "Evidence",
    "EvidenceSource",
    "Reader",
    "SimilarityReader",
    "content_words",
    "group_sources",
    "pick",
    "weighed",
]

MOST_SENTENCES = 6
MOST_WORDS = (
    75  # about 88 with an opening and a closing; 62 hold the answer to 5 in 100 questions fewer, see RESULTS.md
)
MOST_PROCEDURE_WORDS = 130
# A candidate this far under the best one is left out: measured on the practice questions, see RESULTS.md.
MARGIN = 0.22
STEPS_MARGIN = 0.15  # the same for a step in another passage, where a procedure is asked for
COVERAGE_WEIGHT = 0.30  # share of the question's words found beside the sentence
RANK_WEIGHT = 0.03  # each passage further down the list
CORE_WEIGHT = 0.5  # of the question alone beside the whole message
PROCEDURE = re.compile(
    r"\b(how (?:do|can|could|should|would|to)\b|steps?\b|walk me|show me how|where (?:do|can) i|"
    r"what (?:do i|should i|must i|can i) do|what do i (?:have|need) to|guide me|instructions?\b)",
    re.IGNORECASE,
)
SMALL_WORDS = (
    "a an and any are as at be been but by can could did do does for from get give go had has have how i if in into is "
    "it its just like me my need no not of on or our please pls should so some tell that the their them then there "
    "they this to us want was we were what when where which who why will with would you your am i'm im hi hello thanks "
    "thank i've let about after again also because before being between both during each few more most much only other "
    "over same such than too very still yet ever many long"
)
STOP_WORDS = frozenset(SMALL_WORDS.split())


@dataclass(frozen=True)
class Evidence:
    """One chosen sentence of one passage; `passage` is its index, `score` (0 to about 1) orders the choice."""

    sentence: Sentence
    passage: int
    score: float


@dataclass(frozen=True)
class EvidenceSource:
    """The chosen sentences of one passage, numbered as the writer sees it and the answer cites it."""

    number: int
    passage: int
    chunk: RetrievedChunk
    evidence: tuple[Evidence, ...]

    @property
    def text(self) -> str:
        """What stands under `[number]` in the prompt: steps as numbered lines, the rest as prose."""
        lines: list[str] = []
        step = 0
        for item in self.evidence:
            step = step + 1 if item.sentence.kind == "step" else 0
            lines.append(f"\n{step}. {item.sentence.plain}" if step else " " + item.sentence.plain)
        return "".join(lines).strip()


@dataclass(frozen=True)
class Choice:
    """What a reader made of the passages: `passages` as it ranks them, evidence best first.

    `answers` is its estimate, 0 to 1, that the best passage answers the question; None from a reader that has none.
    """

    passages: tuple[RetrievedChunk, ...]
    evidence: tuple[Evidence, ...]
    answers: float | None = None

    @property
    def sources(self) -> list[EvidenceSource]:
        """The evidence by passage, numbered."""
        return group_sources(self.evidence, self.passages)


class Reader(Protocol):
    """Chooses the evidence. `candidates` is how many passages it wants to see, `fault` what is wrong with it, or ""."""

    name: str
    candidates: int
    fault: str

    def choose(self, question: str, passages: Sequence[RetrievedChunk], core: str = "") -> Choice:
        """One to six pieces of evidence (or all steps of one procedure); none when there is nothing to choose from.

        `core` is the question without the story around it, where there is one.
        """
        ...

    def check(self, claims: Sequence[tuple[str, RetrievedChunk]]) -> list[Support]:
        """What each passage says about its claim; empty from a reader that cannot tell."""
        ...

    def warm_up(self) -> None:
        """Load what is needed; notes a fault where that fails."""
        ...


def content_words(text: str) -> frozenset[str]:
    """Lower-case words that carry content, cut to a crude stem of at most six letters."""
    return frozenset(w[:6].rstrip("s") for w in re.findall(r"[a-z0-9]+", text.lower()) if w not in STOP_WORDS)


def group_sources(evidence: Sequence[Evidence], passages: Sequence[RetrievedChunk]) -> list[EvidenceSource]:
    """Evidence put together by passage, best passage first, sentences in the order of the document."""
    order = list(dict.fromkeys(item.passage for item in evidence))
    return [
        EvidenceSource(
            number,
            passage,
            passages[passage],
            tuple(sorted((e for e in evidence if e.passage == passage), key=lambda e: e.sentence.start)),
        )
        for number, passage in enumerate(order, 1)
    ]


def pick(
    question: str, scored: Sequence[Evidence], sentences: Sequence[Sequence[Sentence]], margin: float
) -> tuple[Evidence, ...]:
    """The evidence out of all scored sentences: the whole procedure where one is asked for, else the best few.

    `sentences` are those of each passage. A line that only announces a list is left out, and a step chosen outside of
    its procedure is a sentence like any other.
    """
    ranked = sorted(scored, key=lambda item: -item.score)
    if not ranked:
        return ()
    best = ranked[0]
    for item in ranked if PROCEDURE.search(question) else ():
        if item.score >= best.score - (margin if item.passage == best.passage else STEPS_MARGIN):
            steps = _steps_of(item, sentences[item.passage])
            if steps:
                return tuple(Evidence(sentence, item.passage, best.score) for sentence in steps)
    close = [item for item in ranked if item.score >= best.score - margin]
    return tuple(_within_budget(close, sentences))


class SimilarityReader:
    """The reader without a trained head: similarity of the sentence in its context, word overlap, passage rank.

    score = cosine(question, headings + sentence) + 0.3 x share of the question's words in headings and sentence
    - 0.03 x passage rank. An item is read after the line that announces its list.
    """

    name = "similarity"
    fault = ""

    def __init__(self, embedder: Embedder, candidates: int = 5) -> None:
        self.embedder = embedder
        self.candidates = candidates

    def warm_up(self) -> None:
        """Nothing: the embedder is loaded already."""

    def check(self, claims: Sequence[tuple[str, RetrievedChunk]]) -> list[Support]:
        """See `Reader.check`: similarity cannot tell a claim from its opposite."""
        return []

    def choose(self, question: str, passages: Sequence[RetrievedChunk], core: str = "") -> Choice:
        """See `Reader.choose`."""
        sentences = [split_sentences(chunk.chunk.text) for chunk in passages]
        scores = self.scores(question, core, passages, sentences)
        scored = [
            Evidence(sentence, place, score - RANK_WEIGHT * place)
            for place, found in enumerate(sentences)
            for sentence, score in zip(found, scores[place], strict=True)
        ]
        return Choice(tuple(passages), pick(question, scored, sentences, MARGIN))

    def scores(
        self, question: str, core: str, passages: Sequence[RetrievedChunk], sentences: Sequence[Sequence[Sentence]]
    ) -> list[list[float]]:
        """Of each sentence of each passage: cosine plus 0.3 x shared words, for the question and its core together."""
        compared = self.compare(question, core, passages, sentences)
        return [[cosine + COVERAGE_WEIGHT * shared for cosine, shared in found] for found in compared]

    def compare(
        self, question: str, core: str, passages: Sequence[RetrievedChunk], sentences: Sequence[Sequence[Sentence]]
    ) -> list[list[tuple[float, float]]]:
        """Of each sentence of each passage its cosine and its share of the question's words; the core counts half."""
        views = weighed(question, core)
        texts = [
            [f"{passage.heading}. {_in_context(found, at)}" for at in range(len(found))]
            for passage, found in zip(passages, sentences, strict=True)
        ]
        flat = [text for found in texts for text in found]
        vectors = self.embedder.embed([*(view for view, _ in views), *flat])
        words = [content_words(text) for text in flat]
        cosines, shares = np.zeros(len(flat)), np.zeros(len(flat))
        for place, (view, weight) in enumerate(views):
            asked = content_words(view)
            cosines += weight * (vectors[len(views) :] @ vectors[place])
            shares += weight * np.array([len(asked & known) / len(asked) if asked else 0.0 for known in words])
        pairs = zip(cosines.tolist(), shares.tolist(), strict=True)
        return [[next(pairs) for _ in found] for found in texts]


def weighed(question: str, core: str) -> list[tuple[str, float]]:
    """The forms of a question with their weights, which add up to 1."""
    return [(question, 1 - CORE_WEIGHT), (core, CORE_WEIGHT)] if core else [(question, 1.0)]


def _in_context(sentences: Sequence[Sentence], at: int) -> str:
    """A sentence, after the line that announces the list it is part of."""
    intro = _intro(sentences, at)
    return f"{intro.plain} {sentences[at].plain}" if intro else sentences[at].plain


def _intro(sentences: Sequence[Sentence], at: int) -> Sentence | None:
    """The line that announces the list of an item or step; None for a sentence, or where none does."""
    if sentences[at].kind == "sentence":
        return None
    before = [s for s in sentences[:at] if s.kind == "sentence"]
    return before[-1] if before and before[-1].plain.endswith(":") else None


def _announces(sentences: Sequence[Sentence], at: int) -> bool:
    follows = at + 1 < len(sentences) and sentences[at + 1].kind != "sentence"
    return follows and sentences[at].kind == "sentence" and sentences[at].plain.endswith(":")


def _steps_of(item: Evidence, sentences: Sequence[Sentence]) -> list[Sentence]:
    """All steps of the list that `item` belongs to or announces, with the line that introduces it; else nothing."""
    at = sentences.index(item.sentence)
    if _announces(sentences, at):
        at += 1
    if sentences[at].kind != "step":
        return []
    first = last = at
    while first > 0 and sentences[first - 1].kind == "step":
        first -= 1
    while last + 1 < len(sentences) and sentences[last + 1].kind == "step":
        last += 1
    if first == last:
        return []
    if first > 0 and _announces(sentences, first - 1):
        first -= 1
    return list(_not_too_long(sentences[first : last + 1]))


def _not_too_long(sentences: Sequence[Sentence]) -> Iterator[Sentence]:
    words = 0
    for sentence in sentences:
        words += len(sentence.plain.split())
        if words > MOST_PROCEDURE_WORDS:
            return
        yield sentence


def _within_budget(ranked: Sequence[Evidence], sentences: Sequence[Sequence[Sentence]]) -> list[Evidence]:
    """The best sentences that fit: never more than six, the first one whatever its length, none twice."""
    chosen: list[Evidence] = []
    words = 0
    seen: set[str] = set()
    for item in ranked:
        at = sentences[item.passage].index(item.sentence)
        length = len(item.sentence.plain.split())
        if _announces(sentences[item.passage], at) and len(ranked) > 1:
            continue
        if item.sentence.plain.lower() in seen or (chosen and words + length > MOST_WORDS):
            continue
        seen.add(item.sentence.plain.lower())
        chosen.append(
            replace(item, sentence=replace(item.sentence, kind="item")) if item.sentence.kind == "step" else item
        )
        words += length
        if len(chosen) == MOST_SENTENCES:
            break
    return chosen or [ranked[0]]
