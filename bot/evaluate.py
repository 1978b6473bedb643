"""The evaluation run: golden questions through the bot or a baseline -> table and JSON report."""

import errno
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from bot.answer import Answer
from bot.baselines import closed_book, extractive, plain_rag
from bot.errors import SettingsError
from bot.golden import GoldenQuestion
from bot.impact import without_log
from bot.metrics import Judged, judge, summarise
from bot.service import Service
from tone_tuning.prompt import prompt_hash
from tone_tuning.voice import VoiceGuide, tone_rates

__all__ = ["Mode", "evaluate", "report", "report_file"]

PACKAGES = ("frontdesk", "torch", "transformers", "peft", "sentence-transformers", "chromadb")


@dataclass(frozen=True)
class Mode:
    """What is evaluated: the bot, or one of the things it has to beat."""

    baseline: str | None = None  # None (ours), "extractive" or "plain"
    retrieval: bool = True

    @property
    def name(self) -> str:
        """How the table calls it."""
        return self.baseline or ("ours" if self.retrieval else "no retrieval")


def evaluate(
    service: Service,
    questions: Sequence[GoldenQuestion],
    mode: Mode,
    on_answer: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Answer and judge every question; answers of an evaluation are not written to the conversation log."""
    rows = []
    for golden, answer in _answers(service, questions, mode):
        rows.append(judge(golden, answer))
        on_answer(rows[-1])
    return rows


def report(service: Service, rows: Sequence[Judged], mode: Mode, voice: VoiceGuide | None) -> dict[str, Any]:
    """The report of `evaluation`: config, summary and answers, ready for JSON."""
    summary = summarise(rows)
    if voice is not None:
        answered = [row for row in rows if not row.declined]
        procedures = [row.golden.type == "procedure" for row in answered]
        summary["tone"] = tone_rates(voice, [row.answer.text for row in answered], procedures)
    return {"config": _config(service, rows, mode), "summary": summary, "answers": [_row(row) for row in rows]}


@contextmanager
def report_file(path: Path) -> Iterator[TextIO]:
    """A file that takes the place of `path` when the block ends well; opened first, so that no answer is lost.

    Raises:
        SettingsError: it cannot be written there.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with partial.open("w", encoding="utf-8") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        raise SettingsError(f"The report '{path}' cannot be written ({error.strerror}): choose another.") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _answers(
    service: Service, questions: Sequence[GoldenQuestion], mode: Mode
) -> Iterator[tuple[GoldenQuestion, Answer]]:
    bot = without_log(service.bot)  # the answers are kept in the report, not among the customers' conversations
    for golden in questions:
        retriever = bot.retriever.within(golden.as_of, golden.audiences)
        if mode.baseline == "extractive":
            yield golden, extractive(golden, retriever, service.embedder)
        elif mode.baseline == "plain":
            yield golden, plain_rag(golden, retriever, service.model)
        elif not mode.retrieval:
            yield golden, closed_book(golden, service.model)
        else:
            yield golden, bot.ask(golden.question, golden.history, golden.as_of, golden.audiences)


def _config(service: Service, rows: Sequence[Judged], mode: Mode) -> dict[str, Any]:
    settings = service.settings
    uses_model = mode.baseline != "extractive"
    return {
        "mode": mode.name,
        "packages": {name: version(name) for name in PACKAGES},
        "base_model": service.model.base().name if uses_model else None,
        "adapter": next((row.answer.adapter for row in rows if row.answer.adapter), None),
        "embedder": service.embedder.name,
        "reader": service.bot.reader.name,
        "prompt_hash": prompt_hash(),
        "settings": {name: str(value) for name, value in asdict(settings).items()},
        "documents": len(service.documents.documents()),
        "documents_sha256": _documents_sha256(service),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "degraded": service.degraded() if uses_model else [],
    }


def _documents_sha256(service: Service) -> str:
    """Of which version of which document is in force, and for whom: another one answers from other documents."""
    documents = service.documents
    held = sorted((d.document.id, d.version, d.document.audience) for d in documents.documents(at=documents.clock()))
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()


def _row(row: Judged) -> dict[str, Any]:
    answer = row.answer
    return {
        "id": row.golden.id,
        "type": row.golden.type,
        "question": row.golden.question,
        "answerable": row.golden.answerable,
        "as_of": row.golden.as_of.isoformat(timespec="seconds") if row.golden.as_of else answer.as_of,
        "audience": sorted(row.golden.audiences),
        "outcome": answer.outcome.value,
        "draft": answer.draft,
        "text": answer.text,
        "wrote": answer.wrote,
        "confidence": answer.confidence,
        "citations": [asdict(citation) for citation in answer.citations],
        "retrieved": [asdict(found) for found in answer.retrieved],
        "correct": row.correct,
        "cited_right": row.cited_right,
        "unsupported": list(row.unsupported),
        "draft_unsupported": list(row.draft_unsupported),
        "words": row.words,
        "seconds": answer.seconds,
        "tokens": answer.tokens,
    }
