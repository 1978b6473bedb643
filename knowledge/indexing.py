"""convert -> split -> embed -> write: idempotent, one transaction a version, recoverable after a kill."""

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from knowledge.bounded import BoundedConverter
from knowledge.catalog import Catalog
from knowledge.converters import Convert, check_file, convert
from knowledge.documents import Chunk, Document, DocumentSummary, DocumentVersion, document_id
from knowledge.embedder import Embedder
from knowledge.errors import ConversionError, DocumentNotFound, KnowledgeError, UnsupportedFormat
from knowledge.folders import FoundFile, find_files, keep_original, readable
from knowledge.passages import embedded_text, make_chunks
from knowledge.retriever import Retriever
from knowledge.store import VectorIndex, VectorStore

__all__ = ["UPLOADS", "DocumentIndex", "FileResult", "open_knowledge"]

UPLOADS = "uploads"
EMBED_TOGETHER = 256  # chunks of several files in one call: short files would waste the batches
Progress = Callable[[int, int, str], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileResult:
    """What became of one file: status is added, changed, unchanged or failed; `message` says why it failed."""

    source: str
    status: str
    document: Document | None
    chunks: int
    embedded: int
    message: str = ""


@dataclass(frozen=True)
class _Prepared:
    """A version that is split and waits for its vectors; it gets its number when it is written."""

    document: Document
    version: DocumentVersion
    chunks: list[Chunk]
    status: str


class DocumentIndex:
    """All verbs on documents, from any thread. Catalog and vectors agree after every one of them.

    `convert` turns files into Markdown; a server wants `BoundedConverter`.
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
        self.convert = convert
        self._changing = threading.RLock()

    def add_path(self, path: Path, on_progress: Progress = lambda done, total, name: None) -> list[FileResult]:
        """Add a file, or a folder with its subfolders; hidden files are skipped, a file that fails stops no other.

        Raises:
            DocumentNotFound: the path does not exist.
        """
        known = {Path(d.collection) for d in self.catalog.all_documents() if d.collection != UPLOADS}
        return self._add_all(find_files(path, known), on_progress)

    def add_bytes(self, name: str, data: bytes, replace: str | None = None) -> FileResult:
        """Add an upload. It replaces the document `replace`, else the one document of that file name, else is new."""
        name = name.replace("\\", "/").rsplit("/", 1)[-1]
        try:
            target = self._upload_target(name, replace)
            prepared = self._prepare(target, name, data)
        except KnowledgeError as error:
            return FileResult(readable(name), "failed", None, 0, 0, str(error))
        if isinstance(prepared, FileResult):
            return prepared
        return self._write([prepared])[0]

    def missing_files(self, folder: Path) -> list[Document]:
        """Documents that came from `folder` whose files are gone; a subfolder that was added alone is left out."""
        root = folder.resolve()
        places = [(d, Path(d.collection), Path(d.collection, d.source)) for d in self.catalog.all_documents()]
        return [
            document
            for document, collection, place in places
            if (root == collection or collection in root.parents) and root in place.parents and not place.is_file()
        ]

    def remove(self, reference: str) -> Document:
        """Take a document out of all answers at once; its text stays stored for the citations of past answers.

        Raises:
            DocumentNotFound: none, several, or it is removed already.
        """
        with self._changing:
            document = self.get(reference)
            if self.catalog.latest(document.id) is None:
                raise DocumentNotFound(f"'{document.source}' is removed already: add it again if it was a mistake.")
            retired = self.catalog.chunk_ids(document.id)
            self.catalog.remove(document.id, self.clock())
            self.vectors.delete(sorted(retired))
        return document

    def documents(self) -> list[DocumentSummary]:
        """Every current document."""
        return self.catalog.summaries()

    def get(self, reference: str) -> Document:
        """A document by id, unique id prefix, source path or unique file name; removed ones by full id only.

        Raises:
            DocumentNotFound: none, or several.
        """
        found = self.catalog.find(reference)
        if len(found) > 1:
            names = ", ".join(f"{d.id} ({d.source})" for d in found[:5])
            raise DocumentNotFound(f"'{reference}' stands for {len(found)} documents: use one of the ids {names}.")
        reference = readable(reference)
        document = found[0] if found else self.catalog.ever(reference)
        if document is None:
            raise DocumentNotFound(f"There is no document '{reference}': `frontdesk docs list` shows all of them.")
        return document

    def version(self, document: str, number: int | None = None) -> DocumentVersion:
        """A stored version of a document (by id), the newest by default."""
        return self.catalog.version(document, number)

    def chunks(self, document: str) -> list[Chunk]:
        """The current passages of a document (by id)."""
        return self.catalog.chunks(document)

    def recover(self) -> tuple[int, int]:
        """Mend what a kill left: (vectors without a passage removed, passages without a vector embedded)."""
        with self._changing:
            known, stored = self.catalog.chunk_ids(), self.vectors.ids()
            orphans, bare = sorted(stored - known), sorted(known - stored)
            self.vectors.delete(orphans)
            for at in range(0, len(bare), EMBED_TOGETHER):
                found = self.catalog.load(bare[at : at + EMBED_TOGETHER])
                texts = [embedded_text(document.title, chunk) for chunk, document, _ in found.values()]
                self.vectors.upsert(list(found), self.embedder.embed(texts))
        if orphans or bare:
            log.info("recovered: %d stray vectors removed, %d passages embedded", len(orphans), len(bare))
        return len(orphans), len(bare)

    def close(self) -> None:
        """Release the files."""
        self.catalog.close()
        self.vectors.close()

    def _add_all(self, files: Sequence[FoundFile], on_progress: Progress) -> list[FileResult]:
        results: dict[int, FileResult] = {}
        waiting: dict[int, _Prepared] = {}
        for number, file in enumerate(files):
            on_progress(number, len(files), readable(file.source))
            found = self._read_and_prepare(file)
            if isinstance(found, FileResult):
                results[number] = found
                continue
            waiting[number] = found
            if sum(len(prepared.chunks) for prepared in waiting.values()) >= EMBED_TOGETHER:
                results |= zip(waiting, self._write(list(waiting.values())), strict=True)
                waiting = {}
        results |= zip(waiting, self._write(list(waiting.values())), strict=True)
        on_progress(len(files), len(files), "done")
        return [results[number] for number in range(len(files))]

    def _read_and_prepare(self, file: FoundFile) -> _Prepared | FileResult:
        source = readable(file.source)
        try:
            check_file(source, file.path.stat().st_size)
            return self._prepare((file.collection, file.source), source, file.path.read_bytes())
        except OSError as error:
            message = f"'{source}' cannot be read ({error.strerror}): check that it is there and its permissions."
            return FileResult(source, "failed", None, 0, 0, message)
        except ConversionError as error:
            return FileResult(source, "failed", None, 0, 0, str(error))

    def _prepare(self, target: tuple[str, str], name: str, data: bytes) -> _Prepared | FileResult:
        """Convert and split, or say that nothing changed; the original is kept before anything points to it."""
        if any(readable(part) != part for part in target):
            raise UnsupportedFormat(f"'{readable(name)}' or its folder has a name that is no text: rename it.")
        identity = document_id(*target)
        original = hashlib.sha256(data).hexdigest()
        latest = self.catalog.latest(identity)
        if latest and latest.original_hash == original:
            document = self.catalog.ever(identity)
            return FileResult(target[1], "unchanged", document, len(self.catalog.chunk_ids(identity)), 0)
        converted = self.convert(name, data)
        document = Document(identity, *target, converted.title)
        content = hashlib.sha256(converted.markdown.encode()).hexdigest()
        version = DocumentVersion(identity, 0, content, self.clock(), converted.markdown, original)
        keep_original(self.originals, data)
        chunks = make_chunks(document, version, self.embedder)
        return _Prepared(document, version, chunks, "changed" if latest else "added")

    def _write(self, prepared: Sequence[_Prepared]) -> list[FileResult]:
        """Vectors first, then one transaction a file, then the vectors that no version needs any more."""
        with self._changing:
            current = {p.document.id: self.catalog.chunk_ids(p.document.id) for p in prepared}
            unseen = [(p, c) for p in prepared for c in p.chunks if c.id not in current[p.document.id]]
            try:
                if unseen:
                    vectors = self.embedder.embed([embedded_text(p.document.title, c) for p, c in unseen])
                    self.vectors.upsert([c.id for _, c in unseen], vectors)
                return [self._make_current(item, current[item.document.id]) for item in prepared]
            except BaseException:
                with contextlib.suppress(KnowledgeError):
                    self.vectors.delete(sorted({c.id for _, c in unseen} - self.catalog.chunk_ids()))
                raise

    def _make_current(self, item: _Prepared, old: set[str]) -> FileResult:
        number = self.catalog.last_number(item.document.id) + 1
        chunks = [replace(chunk, version=number) for chunk in item.chunks]
        self.catalog.make_current(item.document, replace(item.version, version=number), chunks)
        new = {chunk.id for chunk in chunks}
        self.vectors.delete(sorted(old - new))
        return FileResult(item.document.source, item.status, item.document, len(new), len(new - old))

    def _upload_target(self, name: str, replace: str | None) -> tuple[str, str]:
        if replace is not None:
            document = self.get(replace)
            return document.collection, document.source
        same = [d for d in self.catalog.all_documents() if d.source.rsplit("/", 1)[-1] == name]
        if len(same) > 1:
            raise DocumentNotFound(f"{len(same)} documents are called '{name}': choose which one it replaces.")
        return (same[0].collection, same[0].source) if same else (UPLOADS, name)


def open_knowledge(home: Path, embedder: Embedder, clock: Callable[[], datetime]) -> tuple[DocumentIndex, Retriever]:
    """The documents of a home folder and the search over them, mended if the last process was killed."""
    catalog = Catalog(home / "catalog.db")
    vectors = VectorStore(home / "chroma", _collection_name(embedder.name))
    documents = DocumentIndex(catalog, vectors, embedder, home / "originals", clock, BoundedConverter())
    documents.recover()
    return documents, Retriever(catalog, vectors, embedder)


def _collection_name(embedder: str) -> str:
    return "passages-" + hashlib.sha256(embedder.encode()).hexdigest()[:12]
