"""What a new version of a document changes for customers: what they asked about it before is asked again, both ways."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.answer import Answer
from bot.conversation_log import ConversationLog
from bot.errors import QuestionError
from bot.support_bot import SupportBot
from knowledge.audiences import CUSTOMER, PUBLIC, who_asks
from knowledge.calendar import Window
from knowledge.documents import Document, DocumentVersion
from knowledge.indexing import DocumentIndex, Progress, silent

__all__ = ["Compared", "Reasked", "compared_versions", "reask", "without_log"]

INSTANT = timedelta(microseconds=1)
Dated = tuple[DocumentVersion, Window]


@dataclass(frozen=True)
class Compared:
    """Two versions of a document, and instants at which the one and the other is in force."""

    document: Document
    old: DocumentVersion
    new: DocumentVersion
    before: datetime
    after: datetime


@dataclass(frozen=True)
class Reasked:
    """A question that was asked, with its answer under the old version and under the new one."""

    question: str
    before: Answer
    after: Answer

    @property
    def changed(self) -> bool:
        """Whether a customer reads something else."""
        return (self.before.outcome, self.before.text) != (self.after.outcome, self.after.text)


def compared_versions(
    documents: DocumentIndex, reference: str, old: int | None = None, new: int | None = None
) -> Compared:
    """The versions to compare: by default the last that is or will be in force, and the one before it.

    Raises:
        DocumentNotFound: none, or several.
        QuestionError: the document has no such versions that are ever in force.
    """
    document = documents.get(reference)
    dated = [(version, window) for version, window in documents.versions(document.id) if window]
    dated.sort(key=lambda item: item[1].begins)
    after = _chosen(dated, new, document)
    earlier = [item for item in dated if item[1].begins < after[1].begins]
    before = _chosen(earlier if old is None else dated, old, document)
    now = documents.clock()
    return Compared(document, before[0], after[0], _inside(before[1], now), _inside(after[1], now))


def _chosen(dated: Sequence[Dated], number: int | None, document: Document) -> Dated:
    found = [item for item in dated if number is None or item[0].version == number]
    if not found:
        wanted = "a version before" if number is None else f"version {number} that is ever in force"
        raise QuestionError(
            f"'{document.source}' has not {wanted}: `frontdesk docs versions {document.source}` shows what it has."
        )
    return found[-1]


def _inside(window: Window, now: datetime) -> datetime:
    """An instant at which a version is in force: now, else its first or its last."""
    return now if window.covers(now) else window.begins if window.begins > now else window.ends - INSTANT


def reask(
    bot: SupportBot, log: ConversationLog, compared: Compared, limit: int, on_progress: Progress = silent
) -> Iterator[Reasked]:
    """Answers to the questions whose answers cited the document, newest first; nothing of it is logged."""
    audience = compared.document.audience
    audiences = CUSTOMER if audience == PUBLIC else who_asks(audience)
    quiet = without_log(bot)
    questions = log.asked_about(compared.document.id, limit)
    for done, question in enumerate(questions):
        on_progress(done, len(questions), question)
        before, after = (quiet.ask(question, (), at, audiences) for at in (compared.before, compared.after))
        yield Reasked(question, before, after)
    on_progress(len(questions), len(questions), "")


def without_log(bot: SupportBot) -> SupportBot:
    """The same bot, whose answers are kept nowhere."""
    quiet = copy.copy(bot)
    quiet.log = _Nowhere()
    return quiet


class _Nowhere:
    """See `AnswerLog`."""

    def add(self, answer: Answer) -> None:
        """Forget it."""
