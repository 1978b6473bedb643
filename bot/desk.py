"""What a client may ask of a frontdesk, in plain values: the same verbs here and through a running server."""

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.answer import Answer
from bot.contradictions import contradictions
from bot.errors import QuestionError
from bot.gaps import find_gaps
from bot.impact import compared_versions, reask
from bot.service import Service
from bot.times import read_as_of, read_begin, read_end, when_given
from knowledge.audiences import audience_of, who_asks
from knowledge.calendar import FOREVER, Window
from knowledge.documents import DocumentVersion, Terms
from knowledge.indexing import Progress, silent
from knowledge.source_readers import place_of
from knowledge.source_registry import Source
from knowledge.sync import SyncResult
from tone_tuning.prompt import Message

__all__ = ["ASK", "NEVER", "VERBS", "WORKS", "LocalDesk", "Progress", "Rows", "read_terms"]

Rows = list[dict[str, Any]]  # named here, for the verb `list` hides the type in the class below
# What a running server answers at once, and what it answers with progress first.
VERBS = frozenset({
    "list", "show", "remove", "search", "missing", "versions", "diff", "rollback", "withdraw", "expire", "describe",
    "erase", "verify", "stale", "sources", "add_source", "drop", "conflicts", "degraded", "gaps",
})  # fmt: skip
WORKS = frozenset({"add", "rebuild", "sync", "plan_folder", "sync_folder", "impact"})
ASK = "ask"  # and what it says piece by piece
NEVER = "never"  # instead of a review date


class LocalDesk:
    """The verbs on a service of this process. Times are texts as people write them, see bot/times.py."""

    def __init__(self, service: Service) -> None:
        self.service = service

    # -- documents

    def add(
        self,
        path: Path | str,
        on_progress: Progress = silent,
        begins: str = "",
        until: str = "",
        audience: str = "",
        match: str = "",
        review: str = "",
        note: str = "",
        by: str = "",
    ) -> Rows:
        """Add a file or folder; one result for each file."""
        terms = read_terms(begins, until, audience, review, note, match, by, str(Path(path).absolute()))
        return [_plain(result) for result in self.service.documents.add_path(Path(path), on_progress, terms)]

    def conflicts(self, reference: str, version: int | None = None) -> Sequence[str]:
        """Passages of other documents that contradict a version (the newest by default), a sentence each."""
        documents = self.service.documents
        return contradictions(documents, documents.get(reference).id, version)

    def missing(self, folder: Path | str) -> Rows:
        """Documents that came from `folder` whose files are gone."""
        return [_plain(document) for document in self.service.documents.missing_files(Path(folder))]

    def list(self, everything: bool = False, as_of: str = "") -> Rows:
        """All documents in force or scheduled, or those in force on a day; all there ever were if `everything`."""
        return [
            {
                **_plain(item.document),
                "version": item.version,
                "versions": item.versions,
                "added_at": _text(item.added_at),
                "effective_from": _text(item.effective_from),
                "effective_until": _text(item.effective_until),
                "state": item.state,
                "next_from": _text(item.next_from),
                "chunks": item.chunks,
                "characters": item.characters,
            }
            for item in self.service.documents.documents(everything, when_given(read_as_of, as_of))
        ]

    def show(self, reference: str, version: int | None = None, chunks: bool = False) -> dict[str, Any]:
        """One document with the Markdown of a version (the one in force by default), and its passages if asked for."""
        documents = self.service.documents
        document = documents.get(reference)
        found = documents.version(document.id, version)
        shown = {**_plain(document), **_dates(found), "markdown": found.markdown}
        if chunks:
            shown["passages"] = [
                {"section": " > ".join(c.heading_path), "text": c.text, "start": c.start, "page": c.page}
                for c in documents.chunks(document.id, found.version)
            ]
        return shown

    def remove(self, reference: str) -> dict[str, Any]:
        """Take a document out of all answers."""
        return _plain(self.service.documents.remove(reference))

    def search(
        self, query: str, top_k: int = 5, as_of: str = "", audience: str = "", window: int = 0, rerank: bool = False
    ) -> Rows:
        """Passages for a query with their scores, for an instant and an audience; see `Retriever.retrieve`."""
        retriever = self.service.bot.retriever.within(when_given(read_as_of, as_of), who_asks(audience))
        return [
            {
                "document": found.document.source,
                "title": found.document.title,
                "audience": found.document.audience,
                "version": found.chunk.version,
                "effective_from": _text(found.effective_from),
                "effective_until": _text(found.effective_until),
                "section": " > ".join(found.chunk.heading_path),
                "text": found.chunk.text,
                "score": round(found.score, 4),
                "dense": round(found.dense, 4),
                "lexical": round(found.lexical, 4),
                "reader": None if found.reader is None else round(found.reader, 4),
            }
            for found in retriever.retrieve(query, top_k, window=window, rerank=rerank)
        ]

    def degraded(self) -> Sequence[str]:
        """One sentence for every part that does not work at its best."""
        return self.service.degraded()

    # -- the calendar

    def versions(self, reference: str) -> Rows:
        """All versions of a document with their dates and when each is in force."""
        documents = self.service.documents
        document, now = documents.get(reference), documents.clock()
        return [
            {**_dates(version), "characters": len(version.markdown), **_force(window, now)}
            for version, window in documents.versions(document.id)
        ]

    def diff(self, reference: str, old: int, new: int) -> Rows:
        """What changed between two versions: lines of kind "same", "added", "removed" or "gap"."""
        documents = self.service.documents
        document = documents.get(reference)
        before, after = (documents.version(document.id, number).markdown.splitlines() for number in (old, new))
        kinds = {" ": "same", "+": "added", "-": "removed", "@": "gap"}
        changes = difflib.unified_diff(before, after, lineterm="", n=2)
        return [{"kind": kinds[line[0]], "text": line[1:]} for line in list(changes)[2:]]

    def impact(
        self,
        reference: str,
        on_progress: Progress = silent,
        old: int | None = None,
        new: int | None = None,
        limit: int = 20,
    ) -> dict[str, Any]:
        """What customers asked about a document, answered under two versions of it; by default the last two."""
        service = self.service
        compared = compared_versions(service.documents, reference, old, new)
        found = reask(service.bot, service.log, compared, limit, on_progress)
        return {
            "source": compared.document.source,
            "old": compared.old.version,
            "new": compared.new.version,
            "questions": [
                {"question": one.question, "changed": one.changed, "before": one.before.text, "after": one.after.text}
                for one in found
            ],
        }

    def rollback(self, reference: str, number: int, begins: str = "", by: str = "") -> dict[str, Any]:
        """Put an old text in force again, now or from a day on."""
        return _dates(self.service.documents.rollback(reference, number, when_given(read_begin, begins), by))

    def withdraw(self, reference: str, number: int | None = None) -> dict[str, Any]:
        """Take a version back: the one in force by default."""
        return _dates(self.service.documents.withdraw(reference, number))

    def expire(self, reference: str, until: str, number: int | None = None) -> dict[str, Any]:
        """Set the end of a version; "" takes it away."""
        return _dates(self.service.documents.expire(reference, when_given(read_end, until), number))

    def describe(self, reference: str, audience: str = "", review: str = "") -> dict[str, Any]:
        """Change who may see a document, or when somebody should read it again: a day, or "never".

        Raises:
            QuestionError: neither is given.
        """
        if not audience.strip() and not review.strip():
            raise QuestionError(f"Nothing is to change about '{reference}': name an audience or a review date.")
        never = review.strip().lower() == NEVER
        day = None if never else when_given(read_begin, review)
        return _plain(self.service.documents.describe(reference, audience or None, day, never_review=never))

    def stale(self) -> Rows:
        """Documents past their review date, those first that most answers rest on."""
        documents, grounded = self.service.documents, self.service.log.grounded()
        now = documents.clock()
        rows: Rows = [
            {**_plain(item.document), "answers": grounded.get(item.document.id, 0)}
            for item in documents.documents()
            if item.document.review_at and item.document.review_at <= now
        ]
        return sorted(rows, key=lambda row: (-row["answers"], row["review_at"]))

    # -- live sources

    def sources(self) -> Rows:
        """All live sources with their last result."""
        return [
            {
                "name": record.source.name,
                "kind": record.source.kind,
                "place": place_of(record.source),
                "every_seconds": record.source.every_seconds,
                "audience": record.source.audience,
                "last_run_at": _text(record.last_run_at),
                "last_ok_at": _text(record.last_ok_at),
                "status": record.last.status,
                "message": record.last.message,
                "counts": dict(record.last.counts),
            }
            for record in self.service.sources.registry.sources()
        ]

    def add_source(
        self, name: str, kind: str, settings: dict[str, Any], every_seconds: int, audience: str = ""
    ) -> dict[str, Any]:
        """Take in a source; it is read when it is due. With no audience documents keep theirs, new ones are public."""
        source = Source(name, kind, settings, every_seconds, audience_of(audience) if audience else "")
        return {"name": self.service.sources.add(source).source.name}

    def sync(self, name: str, on_progress: Progress = silent, force: bool = False) -> dict[str, Any]:
        """Read a source now; what was added, changed, removed and left, by name, and a sentence for each fault."""
        return _synced(self.service.sources.sync(name, force, on_progress))

    def drop(self, name: str) -> Rows:
        """Forget a source and take its documents out of all answers."""
        return [_plain(document) for document in self.service.sources.drop(name)]

    def plan_folder(
        self, folder: Path | str, on_progress: Progress = silent, audience: str = "", force: bool = False
    ) -> dict[str, Any]:
        """What `sync_folder` would do."""
        source = self._folder_source(folder, audience)
        return _synced(self.service.sources.plan(source, on_progress, force=force))

    def sync_folder(
        self, folder: Path | str, on_progress: Progress = silent, audience: str = "", force: bool = False
    ) -> dict[str, Any]:
        """Bring the documents of a folder up to its files; it is listed as a source that is read by hand."""
        source = self._folder_source(folder, audience)
        known = {record.source.name for record in self.service.sources.registry.sources()}
        if source.name not in known:
            self.service.sources.add(source)
        elif audience:
            self.service.sources.change(source)
        return _synced(self.service.sources.sync(source.name, force, on_progress))

    def _folder_source(self, folder: Path | str, audience: str) -> Source:
        """The source that reads this folder already, else one named after it."""
        path, wanted = str(Path(folder).resolve()), audience_of(audience) if audience else ""
        for record in self.service.sources.registry.sources():
            if record.source.kind == "folder" and record.source.collection == path:
                return replace(record.source, audience=wanted or record.source.audience)
        stem = re.sub(r"[^a-z0-9]+", "-", Path(path).name.lower()).strip("-")[:30].strip("-") or "folder"
        name = f"{stem}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:6]}"
        return Source(name, "folder", {"path": path}, 0, wanted)

    # -- upkeep

    def erase(self, reference: str) -> dict[str, Any]:
        """Leave nothing of a document anywhere; `redacted` counts the past answers that quoted it."""
        documents, log = self.service.documents, self.service.log
        document = documents.get(reference)
        redacted = log.redact(document.id)  # first: a kill leaves a document that can be erased again
        erased = documents.erase(document.id)
        return {**_plain(erased), "redacted": redacted + log.redact(document.id)}  # what was answered meanwhile

    def verify(self, repair: bool = False) -> Sequence[str]:
        """What does not agree between catalog, vectors and word index, after a repair if asked for."""
        if repair:
            self.service.documents.repair()
        return self.service.documents.verify()

    def rebuild(self, on_progress: Progress = silent) -> int:
        """Both indexes anew from the catalog; how many passages there are."""
        return self.service.documents.rebuild(on_progress)

    # -- answers

    def ask(
        self, question: str, history: Sequence[Message] = (), as_of: str = "", audience: str = ""
    ) -> Iterator[str | dict[str, Any]]:
        """Pieces of the answer, then the whole answer as a dictionary."""
        moment = when_given(read_as_of, as_of)
        for piece in self.service.bot.stream(question, history, moment, who_asks(audience)):
            yield json.loads(json.dumps(piece.to_dict())) if isinstance(piece, Answer) else piece

    def gaps(self, days: int = 90) -> Rows:
        """What was declined or rejected in the last days, alike questions together; see bot/gaps.py."""
        since = self.service.documents.clock() - timedelta(days=days)
        return [asdict(gap) for gap in find_gaps(self.service.log.unhelpful(since), self.service.embedder)]

    def close(self) -> None:
        """Give back what is held."""
        self.service.close()


def read_terms(
    begins: str, until: str, audience: str, review: str, note: str, match: str = "", by: str = "", origin: str = ""
) -> Terms:
    """What a person says about documents to add; a text that is empty leaves what is there, or the default.

    Raises:
        QuestionError: a date is none.
    """
    return Terms(
        effective_from=when_given(read_begin, begins),
        effective_until=when_given(read_end, until),
        audience=audience or None,
        match=match,
        review_at=when_given(read_begin, review),
        uploaded_by=by,
        origin=origin,
        note=note,
    )


def _synced(result: SyncResult) -> dict[str, Any]:
    kinds = ("added", "changed", "removed", "unchanged", "held", "skipped")
    return {kind: list(getattr(result, kind)) for kind in kinds} | {
        "status": result.status,
        "message": result.message,
        "faults": result.faults,
    }


def _plain(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any of our dataclasses
    return {name: _value(value) for name, value in asdict(record).items()}


def _value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _value(inner) for name, inner in value.items()}
    return _text(value) if isinstance(value, datetime) else value


def _dates(version: DocumentVersion) -> dict[str, Any]:
    found = _plain(version)
    del found["markdown"]
    return found


def _force(window: Window | None, now: datetime) -> dict[str, Any]:
    """When a version is in force, and what that means now: "in force", "scheduled", "over" or "never"."""
    if window is None:
        return {"begins": None, "ends": None, "state": "never"}
    state = "in force" if window.covers(now) else "scheduled" if window.begins > now else "over"
    ends = None if window.ends == FOREVER else window.ends
    return {"begins": _text(window.begins), "ends": _text(ends), "state": state}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
