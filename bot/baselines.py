"""What ours has to beat: sentences quoted without a model, passages into the model without checks, no retrieval."""

import re
import time
import uuid
from collections.abc import Callable, Sequence

from bot.answer import Answer, Outcome, Retrieved
from bot.evidence import Evidence, EvidenceSource, group_sources
from bot.golden import GoldenQuestion
from bot.sentences import split_sentences
from bot.support_bot import Retriever, make_citation
from knowledge.documents import RetrievedChunk
from knowledge.embedder import Embedder
from tone_tuning.language_model import LanguageModel
from tone_tuning.prompt import Source, build_messages

__all__ = ["PASSAGES", "SENTENCES", "closed_book", "extractive", "most_similar", "plain_rag"]

PASSAGES = 4
SENTENCES = 3


def extractive(golden: GoldenQuestion, retriever: Retriever, embedder: Embedder) -> Answer:
    """Of the top four passages the three sentences most similar to the question, quoted in document order."""
    began = time.perf_counter()
    passages = retriever.retrieve(_asked(golden), top_k=PASSAGES)
    sources = group_sources(most_similar(_asked(golden), passages, embedder), passages)
    text = " ".join(f"{e.sentence.plain} [{source.number}]" for source in sources for e in source.evidence)
    return _answer(golden, text, sources, passages, began)


def most_similar(question: str, passages: Sequence[RetrievedChunk], embedder: Embedder) -> list[Evidence]:
    """The three sentences nearest to the question, each read after its heading, in the order of the passages."""
    places = [(p, s) for p, passage in enumerate(passages) for s in split_sentences(passage.chunk.text)]
    if not places:
        return []
    vectors = embedder.embed([question, *(f"{_heading(passages[p])} {s.plain}" for p, s in places)])
    similarity = vectors[1:] @ vectors[0]
    best = sorted(range(len(places)), key=lambda i: -similarity[i])[:SENTENCES]
    return [Evidence(places[i][1], places[i][0], float(similarity[i])) for i in sorted(best)]


def plain_rag(golden: GoldenQuestion, retriever: Retriever, model: Callable[[], LanguageModel]) -> Answer:
    """The top four passages and the question into the language model, nothing checked."""
    began = time.perf_counter()
    passages = retriever.retrieve(_asked(golden), top_k=PASSAGES)
    whole = [Evidence(s, p, 0.0) for p, found in enumerate(passages) for s in split_sentences(found.chunk.text)]
    sources = group_sources(whole, passages)
    prompt = [Source(source.chunk.document.title, "", "", source.chunk.chunk.text) for source in sources]
    text = model().generate(build_messages(golden.question, prompt, golden.history), max_new_tokens=256)
    marked = {int(number) for number in re.findall(r"\[(\d{1,2})\]", text)}
    return _answer(golden, text, [s for s in sources if s.number in marked], passages, began, model())


def closed_book(golden: GoldenQuestion, model: Callable[[], LanguageModel]) -> Answer:
    """The question alone into the language model: what it says here it knows by heart."""
    began = time.perf_counter()
    text = model().generate(build_messages(golden.question, [], golden.history), max_new_tokens=160)
    return _answer(golden, text, (), (), began, model())


def _asked(golden: GoldenQuestion) -> str:
    earlier = [turn["content"] for turn in golden.history if turn["role"] == "user"]
    return " ".join([*earlier[-1:], golden.question])


def _heading(passage: RetrievedChunk) -> str:
    return passage.chunk.heading_path[-1] if passage.chunk.heading_path else passage.document.title


def _answer(
    golden: GoldenQuestion,
    text: str,
    sources: Sequence[EvidenceSource],
    passages: Sequence[RetrievedChunk],
    began: float,
    model: LanguageModel | None = None,
) -> Answer:
    declined = not text or "couldn't find that in our documentation" in text
    seconds = round(time.perf_counter() - began, 4)
    return Answer(
        id=uuid.uuid4().hex[:12],
        question=golden.question,
        standalone=_asked(golden),
        outcome=Outcome.ABSTAINED if declined else Outcome.ANSWERED,
        text=text,
        draft=text,
        citations=tuple(make_citation(source) for source in sources),
        retrieved=tuple(
            Retrieved(
                p.document.source, " > ".join(p.chunk.heading_path), p.score, p.chunk.id, p.document.id, p.chunk.version
            )
            for p in passages
        ),
        wrote=1.0 if model else 0.0,
        confidence=1.0,
        seconds={"first": seconds, "total": seconds},
        tokens=model.count_tokens(text) if model else 0,
        model=model.name if model else "none",
        adapter=model.adapter if model else None,
    )
