"""The verbs on documents: add, date, withdraw, roll back, remove, erase; idempotent and recoverable after a kill."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from knowledge.archives import SUFFIX, Member, unpack
from knowledge.audiences import audience_of
from knowledge.bounded import BoundedConverter
from knowledge.calendar import Window, period
from knowledge.catalog import Catalog
from knowledge.converters import Convert, check_file, convert
from knowledge.documents import LIVE, Chunk, Document, DocumentSummary, DocumentVersion, Terms
from knowledge.embedder import Embedder
from knowledge.errors import ConversionError, DocumentNotFound, KnowledgeError, TermsError
from knowledge.folders import FoundFile, find_files, is_in_archive, readable
from knowledge.intake import FileResult, Intake, Prepared
from knowledge.passage_index import EMBED_TOGETHER, PassageIndex, Progress, silent
from knowledge.retriever import Retriever
from knowledge.store import VectorIndex, VectorStore
from knowledge.upkeep import drop_strays, erase, faults, finish_erasure, rebuild, repair

__all__ = ["UPLOADS", "DocumentIndex", "FileResult", "Progress", "open_knowledge", "silent"]

UPLOADS = "uploads"
PLAIN = Terms()


class DocumentIndex:
    """All verbs on documents, from any thread. Catalog and vectors agree after every one of them.

    `clock` gives the present, aware; `convert` turns files into Markdown; a server wants `BoundedConverter`.
    """

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorIndex,
        embedder: Embedder,
        originals: Path,
        clock: Callable[[], datetime],
        convert: Convert = convert,
    ) -> None:
        self.catalog = catalog
        self.vectors = vectors
        self.embedder = embedder
        self.originals = originals
        self.clock = clock
        self.intake = Intake(catalog, embedder, originals, self._now, convert)
        self.passages = PassageIndex(catalog, vectors, embedder, self._now)

    # -- adding

    def add_path(self, path: Path, on_progress: Progress = silent, terms: Terms = PLAIN) -> list[FileResult]:
        """Add a file, or a folder with its subfolders; hidden files are skipped, a file that fails stops no other.

        Raises:
            DocumentNotFound: the path does not exist.
            TermsError: the dates or the audience cannot be.
        """
        self._check(terms)
        collections = {Path(document.collection) for document in self.catalog.all_documents(self.clock())}
        known = {folder for folder in collections if folder.is_absolute()}
        return self._add_all(find_files(path, known), on_progress, terms)

    def add_bytes(self, name: str, data: bytes, replace: str | None = None, terms: Terms = PLAIN) -> FileResult:
        """Add an upload. It replaces the document `replace`, else the one document of that file name, else is new."""
        name = name.replace("\\", "/").rsplit("/", 1)[-1]
        try:
            collection, source = self._upload_target(name, replace)
        except KnowledgeError as error:
            return FileResult(readable(name), "failed", None, 0, 0, str(error))
        return self._add_one((collection, source), name, data, terms)

    def add_archive(self, name: str, data: bytes, terms: Terms = PLAIN) -> list[FileResult]:
        """Add every file in a ZIP as a document of its own; `source` is the path in the archive after its name."""
        name = name.replace("\\", "/").rsplit("/", 1)[-1]
        try:
            members = unpack(name, data)
        except ConversionError as error:
            return [FileResult(readable(name), "failed", None, 0, 0, str(error))]
        return [self._add_member(name, member, terms) for member in members]

    def add_item(self, collection: str, source: str, name: str, data: bytes, terms: Terms = PLAIN) -> FileResult:
        """Add what a live source brought: `source` names it in the collection, the suffix of `name` its format."""
        return self._add_one((collection, source), name, data, terms)

    def has_item(self, collection: str, source: str, data: bytes, terms: Terms = PLAIN) -> bool:
        """Whether `add_item` would leave everything as it is."""
        return self.intake.has((collection, source), data, terms)

    def missing_files(self, folder: Path) -> list[Document]:
        """Documents that came from `folder` whose files are gone; a subfolder that was added alone is left out."""
        root = folder.resolve()
        current = self.catalog.all_documents(self.clock())
        places = [(d, Path(d.collection), Path(d.collection, d.source)) for d in current]
        return [
            document
            for document, collection, place in places
            if (root == collection or collection in root.parents) and root in place.parents and not _is_there(place)
        ]

    # -- the calendar

    def rollback(
        self, reference: str, number: int, effective_from: datetime | None = None, by: str = ""
    ) -> DocumentVersion:
        """Put an old text in force again, now or later, as a new version; nothing is embedded anew.

        Raises:
            DocumentNotFound: there is no such document or version.
            TermsError: that text is in force already, or the date has no time zone.
        """
        with self.passages.changing:
            document, now = self.get(reference), self.clock()
            old = self.catalog.version(document.id, number)
            begins = period(effective_from, None, now)
            current = self.catalog.in_force(document.id, begins)
            if current and current.content_hash == old.content_hash:
                raise TermsError(f"The text of version {number} of '{document.source}' is in force then already.")
            version = replace(
                old, version=0, added_at=now, effective_from=begins, effective_until=None, withdrawn_at=None,
                uploaded_by=by, note=f"version {number} again",
            )  # fmt: skip
            chunks = self.catalog.chunks(document.id, number)
            self.passages.publish([Prepared(replace(document, title=old.title), version, chunks, "changed")])
            return self.catalog.version(document.id)

    def withdraw(self, reference: str, number: int | None = None) -> DocumentVersion:
        """Take one version back: the one in force by default. One that is yet to come never will.

        Raises:
            DocumentNotFound: there is no such document or version.
            TermsError: no version is in force, or that one is over already.
        """
        with self.passages.changing:
            document, now = self.get(reference), self.clock()
            version = self._alive(document, number, now, "there is nothing to withdraw.", "")
            changed = replace(version, withdrawn_at=now)
            self._change(document, [changed])
            return changed

    def expire(self, reference: str, until: datetime | None, number: int | None = None) -> DocumentVersion:
        """Set the end of the version in force (or of `number`); None takes an end away.

        Raises:
            DocumentNotFound: there is no such document or version.
            TermsError: no version is in force, that one is over, or the end is before the beginning or before now.
        """
        with self.passages.changing:
            document, now = self.get(reference), self.clock()
            again = "roll back to it to have its text again."
            version = self._alive(document, number, now, "name one with its number.", again)
            period(version.effective_from, until, now)
            if until is not None and until < now:
                raise TermsError(f"The end {until:%Y-%m-%d %H:%M} is past: to end it now, withdraw it.")
            changed = replace(version, effective_until=until and until.astimezone(UTC))
            self._change(document, [changed])
            return changed

    def remove(self, reference: str) -> Document:
        """Take a document out of all answers from now on; what applied before can still be asked for.

        Raises:
            DocumentNotFound: none, several, or it is removed already.
        """
        with self.passages.changing:
            document, now = self.get(reference), self.clock()
            found = self.versions(document.id)
            if not any(window and window.ends > now for _, window in found):
                raise DocumentNotFound(f"'{document.source}' is removed already: add it again if it was a mistake.")
            # Also those that another version hides: without it they would come into force.
            ending = [
                version for version, window in found if version.effective_from >= now or (window and window.ends >= now)
            ]
            taken_back = [replace(v, withdrawn_at=min(v.withdrawn_at or now, now)) for v in ending]
            self._change(document, taken_back)
        return document

    def describe(
        self,
        reference: str,
        audience: str | None = None,
        review_at: datetime | None = None,
        *,
        never_review: bool = False,
    ) -> Document:
        """Change who may see a document, or when somebody should read it again; `never_review` takes that day away.

        Raises:
            DocumentNotFound: none, or several.
            TermsError: the audience cannot be.
        """
        with self.passages.changing:
            document = self.get(reference)
            kept = None if never_review else document.review_at
            changed = replace(
                document,
                audience=audience_of(audience) if audience else document.audience,
                review_at=review_at.astimezone(UTC) if review_at else kept,
            )
            with self.passages.in_step([document.id]):
                self.catalog.change_document(changed)
        return changed

    def erase(self, reference: str) -> Document:
        """Leave nothing of a document: no version, no vector, no original. This cannot be undone.

        Raises:
            DocumentNotFound: none, or several.
        """
        with self.passages.changing:
            document = self.get(reference)
            erase(self.passages, document, self.originals)
        return document

    # -- looking

    def documents(self, everything: bool = False, at: datetime | None = None) -> list[DocumentSummary]:
        """Every document that is in force or scheduled, or with `at` those in force then; all with `everything`."""
        found = self.catalog.summaries(at or self.clock())
        wanted = {"in force"} if at else {"in force", "scheduled"}
        return found if everything else [summary for summary in found if summary.state in wanted]

    def get(self, reference: str) -> Document:
        """A document by id, unique id prefix, source path or unique file name; past ones if no other fits.

        Raises:
            DocumentNotFound: none, or several.
        """
        found = self.catalog.find(reference, self.clock())
        if len(found) > 1:
            names = ", ".join(f"{d.id} ({d.source})" for d in found[:5])
            raise DocumentNotFound(f"'{reference}' stands for {len(found)} documents: use one of the ids {names}.")
        if not found:
            raise DocumentNotFound(
                f"There is no document '{readable(reference)}': `frontdesk docs list` shows all of them."
            )
        return found[0]

    def version(self, document: str, number: int | None = None) -> DocumentVersion:
        """A stored version of a document (by id): the one in force by default, else the newest."""
        current = self.catalog.in_force(document, self.clock()) if number is None else None
        return current or self.catalog.version(document, number)

    def versions(self, document: str) -> list[tuple[DocumentVersion, Window | None]]:
        """All versions of a document (by id) with the time each is in force, oldest first."""
        found = self.catalog.windows(document)
        return [(version, found[version.version]) for version in self.catalog.versions(document)]

    def chunks(self, document: str, number: int | None = None) -> list[Chunk]:
        """The passages of a version of a document (by id), as `version` chooses it."""
        return self.catalog.chunks(document, self.version(document, number).version)

    # -- upkeep

    def verify(self) -> list[str]:
        """What does not agree between catalog, vectors and word index; empty when all is well."""
        return faults(self.passages)

    def repair(self) -> None:
        """Make anew whatever `verify` found wrong."""
        repair(self.passages)

    def rebuild(self, on_progress: Progress = silent) -> int:
        """Both indexes anew from the catalog; returns how many passages there are."""
        return rebuild(self.passages, on_progress)

    def recover(self) -> tuple[int, int]:
        """Mend what a kill left, before anything is added: (vectors removed or moved, passages embedded)."""
        finish_erasure(self.passages, self.originals)
        drop_strays(self.catalog, self.originals)
        return self.passages.recover()

    def close(self) -> None:
        """Release the files."""
        self.catalog.close()
        self.vectors.close()

    def _now(self) -> datetime:
        return self.clock()

    def _alive(
        self, document: Document, number: int | None, now: datetime, if_none: str, if_over: str
    ) -> DocumentVersion:
        """A version that is in force (the default) or will be; else an error with what to do."""
        current = self.catalog.in_force(document.id, now)
        version = current if number is None else self.catalog.version(document.id, number)
        if version is None:
            raise TermsError(f"No version of '{document.source}' is in force: {if_none}")
        window = self.catalog.windows(document.id)[version.version]
        if window is None or window.ends <= now:
            said = f"Version {version.version} of '{document.source}' is not in force and will not be"
            raise TermsError(f"{said}: {if_over}" if if_over else f"{said}.")
        return version

    def _change(self, document: Document, versions: Sequence[DocumentVersion]) -> None:
        with self.passages.in_step([document.id]):
            self.catalog.change_versions(versions)

    def _check(self, terms: Terms) -> None:
        period(terms.effective_from, terms.effective_until, self.clock())
        if terms.audience:
            audience_of(terms.audience)

    def _add_one(self, target: tuple[str, str], name: str, data: bytes, terms: Terms) -> FileResult:
        try:
            prepared = self.intake.prepare(target, readable(name), data, terms)
        except KnowledgeError as error:
            return FileResult(readable(target[1]), "failed", None, 0, 0, str(error))
        return prepared if isinstance(prepared, FileResult) else self.passages.publish([prepared])[0]

    def _add_member(self, archive: str, member: Member, terms: Terms) -> FileResult:
        source = f"{archive}/{member.path}"
        if member.refusal:
            return FileResult(readable(source), "failed", None, 0, 0, member.refusal)
        return self._add_one((UPLOADS, source), source, member.data, terms)

    def _add_all(self, files: Sequence[FoundFile], on_progress: Progress, terms: Terms) -> list[FileResult]:
        results: list[FileResult | None] = []
        waiting: dict[int, Prepared] = {}

        def write() -> None:
            for place, result in zip(waiting, self.passages.publish(list(waiting.values())), strict=True):
                results[place] = result
            waiting.clear()

        for number, file in enumerate(files):
            on_progress(number, len(files), readable(file.source))
            for found in self._read_and_prepare(file, terms):
                results.append(found if isinstance(found, FileResult) else None)
                if isinstance(found, Prepared):
                    waiting[len(results) - 1] = found
            if sum(len(prepared.chunks) for prepared in waiting.values()) >= EMBED_TOGETHER:
                write()
        write()
        on_progress(len(files), len(files), "done")
        return [result for result in results if result is not None]

    def _read_and_prepare(self, file: FoundFile, terms: Terms) -> list[Prepared | FileResult]:
        source = readable(file.source)
        try:
            suffix = check_file(source, file.path.stat().st_size)
            data = file.path.read_bytes()
            if suffix != SUFFIX:
                return [self.intake.prepare((file.collection, file.source), source, data, terms)]
            members = unpack(source, data)
        except OSError as error:
            message = f"'{source}' cannot be read ({error.strerror}): check that it is there and its permissions."
            return [FileResult(source, "failed", None, 0, 0, message)]
        except ConversionError as error:
            return [FileResult(source, "failed", None, 0, 0, str(error))]
        return [self._prepare_member(file, member, terms) for member in members]

    def _prepare_member(self, file: FoundFile, member: Member, terms: Terms) -> Prepared | FileResult:
        source = f"{file.source}/{member.path}"
        if member.refusal:
            return FileResult(readable(source), "failed", None, 0, 0, member.refusal)
        try:
            return self.intake.prepare((file.collection, source), readable(source), member.data, terms)
        except ConversionError as error:
            return FileResult(readable(source), "failed", None, 0, 0, str(error))

    def _upload_target(self, name: str, replace: str | None) -> tuple[str, str]:
        if replace is not None:
            document = self.get(replace)
            return document.collection, document.source
        current = self.catalog.all_documents(self.clock())
        ours = [document for document in current if not document.collection.startswith(LIVE)]
        same = [document for document in ours if document.source.rsplit("/", 1)[-1] == name]
        if len(same) > 1:
            raise DocumentNotFound(f"{len(same)} documents are called '{name}': choose which one it replaces.")
        return (same[0].collection, same[0].source) if same else (UPLOADS, name)


def open_knowledge(home: Path, embedder: Embedder, clock: Callable[[], datetime]) -> tuple[DocumentIndex, Retriever]:
    """The documents of a home folder and the search over them, mended if the last process was killed."""
    catalog = Catalog(home / "catalog.db")
    vectors = VectorStore(home / "chroma", _collection_name(embedder.name))
    documents = DocumentIndex(catalog, vectors, embedder, home / "originals", clock, BoundedConverter())
    documents.recover()
    return documents, Retriever(catalog, vectors, embedder, clock)


def _collection_name(embedder: str) -> str:
    return "passages-" + hashlib.sha256(embedder.encode()).hexdigest()[:12]


def _is_there(place: Path) -> bool:
    """Whether a document's file exists, or the archive that it is a member of."""
    return place.is_file() or is_in_archive(place)
