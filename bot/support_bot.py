"""The whole way of one question: retrieve, choose evidence, decide, write, check, cite, log."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from bot.answer import Answer, Citation, Outcome, Retrieved, passage_link
from bot.decision import THRESHOLD, confidence, read_signals
from bot.dialogue import recent_turns, standalone_question
from bot.drafts import cut_units
from bot.errors import QuestionError
from bot.evidence import EvidenceSource, Reader
from bot.gather import Retriever, gather
from bot.grounding import GroundingGate
from bot.times import asked_day, day_of, last_day
from knowledge.audiences import CUSTOMER
from knowledge.documents import RetrievedChunk
from tone_tuning.errors import ToneTuningError
from tone_tuning.language_model import LanguageModel
from tone_tuning.prompt import Message, Source, build_messages

__all__ = ["ABSTAIN", "ScopingRetriever", "SupportBot", "make_citation", "reply_budget", "to_prompt_source"]

ABSTAIN = "I couldn't find that in our documentation. Would you like me to connect you with a member of our team?"
LONGEST_QUESTION = 2000  # characters
log = logging.getLogger(__name__)


class ScopingRetriever(Retriever, Protocol):
    """A `Retriever` for customers and the present, that can be had for others and another time."""

    def within(self, as_of: datetime | None, audiences: frozenset[str]) -> Retriever:
        """The same search for an instant (None: now) and whoever belongs to the audiences."""
        ...


class AnswerLog(Protocol):
    """Where answers are kept."""

    def add(self, answer: Answer) -> None:
        """Keep one answer."""
        ...


@dataclass
class _Course:
    """What one question has gathered so far."""

    question: str
    asked: str  # this and `standalone` are without the day whose rules the question asks for
    standalone: str
    began: float
    retriever: Retriever
    as_of: datetime | None = None
    names_day: bool = False
    passages: Sequence[RetrievedChunk] = ()
    sources: list[EvidenceSource] = field(default_factory=list)
    confidence: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    draft: str = ""
    text: str = ""
    wrote: float = 0.0
    tokens: int = 0
    model: str = ""
    adapter: str | None = None
    faults: list[str] = field(default_factory=list)

    def lap(self, stage: str, since: float) -> None:
        """Note the seconds a stage took."""
        self.seconds[stage] = round(time.perf_counter() - since, 4)


class SupportBot:
    """Answers questions. `model` is asked anew for each answer, so a promoted adapter serves the next one."""

    def __init__(
        self,
        retriever: ScopingRetriever,
        reader: Reader,
        model: Callable[[], LanguageModel],
        log: AnswerLog,
        *,
        degraded: Callable[[], Sequence[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.retriever = retriever
        self.reader = reader
        self.model = model
        self.log = log
        self.degraded = degraded
        self.clock = clock

    def faults(self) -> list[str]:
        """One sentence for every part that does not work at its best: the voice, the reader."""
        return [*self.degraded(), *([self.reader.fault] if self.reader.fault else [])]

    def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        as_of: datetime | None = None,
        audiences: frozenset[str] = CUSTOMER,
    ) -> Answer:
        """The whole answer at once; see `stream`."""
        *_, answer = self.stream(question, history, as_of, audiences)
        if not isinstance(answer, Answer):
            raise QuestionError(f"The answer to '{question}' was interrupted: ask again.")
        return answer

    def stream(
        self,
        question: str,
        history: Sequence[Message] = (),
        as_of: datetime | None = None,
        audiences: frozenset[str] = CUSTOMER,
    ) -> Iterator[str | Answer]:
        """Checked pieces of text as they become ready; the last item is the `Answer`, already logged.

        Only documents for `audiences` are read, in the versions in force `as_of` an instant: now, unless the question
        itself asks for another day ("what applied on 3 March 2026?").

        Raises:
            QuestionError: the question is empty or longer than 2,000 characters.
        """
        course = self._begin(_usable(question), history, as_of, audiences)
        self._read(course)
        if course.confidence < THRESHOLD or not course.sources:
            course.text = ABSTAIN
            course.lap("first", course.began)
            yield ABSTAIN
            yield self._finish(course, Outcome.ABSTAINED)
            return
        yield from self._write(course, history)
        yield self._finish(course, Outcome.ANSWERED)

    def _begin(
        self, question: str, history: Sequence[Message], as_of: datetime | None, audiences: frozenset[str]
    ) -> _Course:
        now = self.clock()
        asked, day = (question, None) if as_of else asked_day(question, now)
        standalone = standalone_question(asked, history)
        if standalone != asked and not as_of:  # a follow-up is about the day of the question it follows
            standalone, before = asked_day(standalone, now)
            day = day or before
        scoped: Retriever = self.retriever
        if as_of or day or audiences != CUSTOMER:
            scoped = self.retriever.within(as_of or day, audiences)
        return _Course(question, asked, standalone, time.perf_counter(), scoped, as_of or day, day is not None)

    def _read(self, course: _Course) -> None:
        choice = gather(course.asked, course.retriever, self.reader, course.standalone)
        course.passages, course.sources = choice.passages, choice.sources
        course.confidence = confidence(read_signals(course.standalone, choice))
        course.lap("read", course.began)

    def _write(self, course: _Course, history: Sequence[Message]) -> Iterator[str]:
        began = time.perf_counter()
        gate = GroundingGate(course.standalone, course.sources)
        try:
            model = self.model()
            gate = GroundingGate(course.standalone, course.sources, model.phrases, self.reader.check)
            for unit in cut_units(self._draft(course, history, model)):
                yield from self._say(course, gate.feed(unit))
        except ToneTuningError as error:
            course.faults.append(f"The language model failed, so the documents are quoted: {error}")
            log.exception("the language model failed")
        yield from self._say(course, gate.close())
        if course.names_day:
            yield from self._say(course, f"\n\n{_applied(course, day_of(self.clock()))}")
        course.text = course.text.strip()
        course.wrote = gate.verdicts.wrote
        log.debug("refused by the check: %s", gate.verdicts.reasons)
        course.lap("write", began)

    def _draft(self, course: _Course, history: Sequence[Message], model: LanguageModel) -> Iterator[str]:
        course.model, course.adapter = model.name, model.adapter
        sources = [to_prompt_source(source) for source in course.sources]
        messages = build_messages(course.asked, sources, recent_turns(history))
        for piece in model.stream(messages, max_new_tokens=reply_budget(model, sources)):
            course.seconds.setdefault("first_token", round(time.perf_counter() - course.began, 4))
            course.draft += piece
            yield piece
        course.tokens = model.count_tokens(course.draft)

    def _say(self, course: _Course, text: str) -> Iterator[str]:
        if text:
            course.seconds.setdefault("first", round(time.perf_counter() - course.began, 4))
            course.text += text
            yield text

    def _finish(self, course: _Course, outcome: Outcome) -> Answer:
        course.lap("total", course.began)
        used = [s for s in course.sources if f"[{s.number}]" in course.text] if outcome is Outcome.ANSWERED else []
        answer = Answer(
            id=uuid.uuid4().hex[:12],
            question=course.question,
            standalone=course.standalone,
            outcome=outcome,
            text=course.text,
            draft=course.draft,
            citations=tuple(make_citation(source) for source in used),
            as_of=course.as_of.isoformat(timespec="seconds") if course.as_of else None,
            retrieved=tuple(_retrieved(passage) for passage in course.passages),
            wrote=course.wrote,
            confidence=round(course.confidence, 4),
            seconds=course.seconds,
            tokens=course.tokens,
            model=course.model,
            adapter=course.adapter,
            degraded=(*self.faults(), *course.faults),
        )
        self.log.add(answer)
        return answer


def reply_budget(model: LanguageModel, sources: Sequence[Source]) -> int:
    """Tokens that a reply may have: about what its sources have, with an opening and a closing; never over 320."""
    return min(320, 70 + int(1.6 * sum(model.count_tokens(source.text) for source in sources)))


def to_prompt_source(source: EvidenceSource) -> Source:
    """Evidence as the one prompt template shows it."""
    chunk = source.chunk
    section = chunk.chunk.heading_path[-1] if chunk.chunk.heading_path else ""
    return Source(chunk.document.title, section, day_of(chunk.effective_from), source.text)


def make_citation(source: EvidenceSource) -> Citation:
    """The citation of one numbered source."""
    chunk, document = source.chunk.chunk, source.chunk.document
    return Citation(
        number=source.number,
        document=document.source,
        document_id=document.id,
        title=document.title,
        section=" > ".join(chunk.heading_path),
        version=chunk.version,
        date=day_of(source.chunk.effective_from),
        start=chunk.start,
        end=chunk.end,
        passage=chunk.text,
        sentences=tuple((chunk.start + e.sentence.start, chunk.start + e.sentence.end) for e in source.evidence),
        link=passage_link(document.id, chunk.version, chunk.start, chunk.end),
        page=chunk.page,
        until=last_day(source.chunk.effective_until) if source.chunk.effective_until else None,
    )


def _applied(course: _Course, today: str) -> str:
    """Which versions the answer to a question that names a day follows; about a day to come, today's."""
    used = {s.chunk.document.id: s.chunk for s in course.sources if f"[{s.number}]" in course.text}
    versions = " and ".join(f"{c.document.title} of {day_of(c.effective_from)}" for c in used.values())
    day = day_of(course.as_of) if course.as_of else today
    applied = f"applies today, {day}" if day == today else f"applied on {day}"
    return f"That is what {applied}, according to {versions}." if versions else f"That {applied}."


def _retrieved(passage: RetrievedChunk) -> Retrieved:
    chunk = passage.chunk
    section = " > ".join(chunk.heading_path)
    return Retrieved(
        passage.document.source, section, round(passage.score, 4), chunk.id, chunk.document_id, chunk.version
    )


def _usable(question: str) -> str:
    question = question.strip()
    if not question:
        raise QuestionError("The question is empty: type what you would like to know.")
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(f"The question has {len(question)} characters: shorten it to at most {LONGEST_QUESTION}.")
    return question
