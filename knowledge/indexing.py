"""convert -> split -> embed -> write: idempotent, one transaction a version, recoverable after a kill."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from knowledge.catalog import Catalog
from knowledge.converters import FORMATS, convert
from knowledge.documents import (
    Chunk,
    Document,
    DocumentSummary,
    DocumentVersion,
    chunk_id,
    document_id,
)
from knowledge.embedder import Embedder
from knowledge.errors import ConversionError, DocumentNotFound, KnowledgeError, StoreError, UnsupportedFormat
from knowledge.retriever import Retriever
from knowledge.splitter import MAX_TOKENS, split
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
    """A version that is split and waits for its vectors."""

    document: Document
    version: DocumentVersion
    chunks: list[Chunk]
    status: str


class DocumentIndex:
    """All verbs on documents. Catalog and vectors agree after every one of them."""

    def __init__(
        self, catalog: Catalog, vectors: VectorIndex, embedder: Embedder, originals: Path, clock: Callable[[], datetime]
    ) -> None:
        self.catalog = catalog
        self.vectors = vectors
        self.embedder = embedder
        self.originals = originals
        self.clock = clock

    def add_path(self, path: Path, on_progress: Progress = lambda done, total, name: None) -> list[FileResult]:
        """Add a file, or a folder with its subfolders; hidden files are skipped, a file that fails stops no other.

        Raises:
            DocumentNotFound: the path does not exist.
        """
        path = path.absolute()
        if not path.exists():
            raise DocumentNotFound(f"'{path}' does not exist: check the path.")
        files = [path] if path.is_file() else sorted(_files(path))
        root = path.resolve() if path.is_dir() else self._folder_of(path.resolve())
        items = [(file, str(root), (file.resolve() if path.is_file() else root / file.relative_to(path)).relative_to(root).as_posix()) for file in files]  # fmt: skip
        return self._add_all(items, on_progress)

    def add_bytes(self, name: str, data: bytes, replace: str | None = None) -> FileResult:
        """Add an upload. It replaces the document `replace`, else the one document of that file name, else is new."""
        name = name.replace("\\", "/").rsplit("/", 1)[-1]
        try:
            target = self._upload_target(name, replace)
            prepared = self._prepare(target, name, data)
        except KnowledgeError as error:
            return FileResult(name, "failed", None, 0, 0, str(error))
        if isinstance(prepared, FileResult):
            return prepared
        return self._write([prepared])[0]

    def missing_files(self, folder: Path) -> list[Document]:
        """Documents that came from `folder` whose files are no longer there."""
        root = folder.resolve()
        return [
            d for d in self.catalog.all_documents() if d.collection == str(root) and not (root / d.source).is_file()
        ]

    def remove(self, reference: str) -> Document:
        """Take a document out of all answers at once; its text stays stored for the citations of past answers."""
        document = self.get(reference)
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

    def _add_all(self, items: Sequence[tuple[Path, str, str]], on_progress: Progress) -> list[FileResult]:
        results: dict[str, FileResult] = {}
        waiting: list[_Prepared] = []
        for done, (file, collection, source) in enumerate(items):
            on_progress(done, len(items), source)
            found = self._read_and_prepare(file, collection, source)
            if isinstance(found, FileResult):
                results[source] = found
                continue
            waiting.append(found)
            if sum(len(p.chunks) for p in waiting) >= EMBED_TOGETHER:
                results |= {result.source: result for result in self._write(waiting)}
                waiting = []
        results |= {result.source: result for result in self._write(waiting)}
        on_progress(len(items), len(items), "done")
        return [results[source] for _, _, source in items]

    def _read_and_prepare(self, file: Path, collection: str, source: str) -> _Prepared | FileResult:
        try:
            if file.suffix.lower() not in FORMATS:
                raise UnsupportedFormat(f"'{source}' is no format we read: use {', '.join(sorted(FORMATS))}.")
            return self._prepare((collection, source), source, file.read_bytes())
        except OSError as error:
            return FileResult(
                source, "failed", None, 0, 0, f"'{source}' cannot be read ({error.strerror}): check its permissions."
            )
        except ConversionError as error:
            return FileResult(source, "failed", None, 0, 0, str(error))

    def _prepare(self, target: tuple[str, str], name: str, data: bytes) -> _Prepared | FileResult:
        """Convert and split, or say that nothing changed; the original is kept before anything points to it."""
        identity = document_id(*target)
        original = hashlib.sha256(data).hexdigest()
        latest = self.catalog.latest(identity)
        if latest and latest.original_hash == original:
            document = self.catalog.ever(identity)
            return FileResult(target[1], "unchanged", document, len(self.catalog.chunk_ids(identity)), 0)
        converted = convert(name, data)
        document = Document(identity, *target, converted.title)
        content = hashlib.sha256(converted.markdown.encode()).hexdigest()
        number = self.catalog.last_number(identity) + 1
        version = DocumentVersion(identity, number, content, self.clock(), converted.markdown, original)
        self._keep_original(original, data)
        return _Prepared(document, version, self._chunks(document, version), "changed" if latest else "added")

    def _chunks(self, document: Document, version: DocumentVersion) -> list[Chunk]:
        limit = min(MAX_TOKENS, self.embedder.max_tokens - 40)
        seen: dict[tuple[tuple[str, ...], str], int] = {}
        chunks = []
        for position, piece in enumerate(split(version.markdown, self.embedder.count_tokens, limit)):
            key = (piece.heading_path, piece.text)
            seen[key] = seen.get(key, -1) + 1
            name = chunk_id(document.id, document.title, *key, seen[key])
            chunks.append(Chunk(name, document.id, version.version, position, piece.text, piece.heading_path,
                                piece.start, piece.end, piece.page))  # fmt: skip
        return chunks

    def _write(self, prepared: Sequence[_Prepared]) -> list[FileResult]:
        """Vectors first, then one transaction a file, then the vectors that no version needs any more."""
        current = {p.document.id: self.catalog.chunk_ids(p.document.id) for p in prepared}
        unseen = [(p, c) for p in prepared for c in p.chunks if c.id not in current[p.document.id]]
        if unseen:
            vectors = self.embedder.embed([embedded_text(p.document.title, c) for p, c in unseen])
            self.vectors.upsert([c.id for _, c in unseen], vectors)
        results = []
        for item in prepared:
            self.catalog.make_current(item.document, item.version, item.chunks)
            old, new = current[item.document.id], {c.id for c in item.chunks}
            self.vectors.delete(sorted(old - new))
            results.append(FileResult(item.document.source, item.status, item.document, len(new), len(new - old)))
        return results

    def _keep_original(self, digest: str, data: bytes) -> None:
        path = self.originals / digest
        try:
            self.originals.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                partial = path.with_suffix(".partial")
                partial.write_bytes(data)
                os.replace(partial, path)
        except OSError as error:
            raise StoreError(f"The upload cannot be kept in '{self.originals}' ({error.strerror}): free space or check permissions.") from error  # fmt: skip

    def _folder_of(self, file: Path) -> Path:
        """The known folder that `file` lies in, the deepest one; its own folder if none is known."""
        known = {Path(d.collection) for d in self.catalog.all_documents() if d.collection != UPLOADS}
        return max((f for f in known if f in file.parents), key=lambda f: len(f.parts), default=file.parent)

    def _upload_target(self, name: str, replace: str | None) -> tuple[str, str]:
        if replace is not None:
            document = self.get(replace)
            return document.collection, document.source
        same = [d for d in self.catalog.all_documents() if d.source.rsplit("/", 1)[-1] == name]
        if len(same) > 1:
            raise DocumentNotFound(f"{len(same)} documents are called '{name}': choose which one it replaces.")
        return (same[0].collection, same[0].source) if same else (UPLOADS, name)


def embedded_text(title: str, chunk: Chunk) -> str:
    """What is embedded of a passage: title and headings give it its context."""
    return "\n".join([". ".join(dict.fromkeys((title, *chunk.heading_path))), chunk.text])


def open_knowledge(home: Path, embedder: Embedder, clock: Callable[[], datetime]) -> tuple[DocumentIndex, Retriever]:
    """The documents of a home folder and the search over them, mended if the last process was killed."""
    catalog = Catalog(home / "catalog.db")
    vectors = VectorStore(home / "chroma", _collection_name(embedder.name))
    documents = DocumentIndex(catalog, vectors, embedder, home / "originals", clock)
    documents.recover()
    return documents, Retriever(catalog, vectors, embedder)


def _collection_name(embedder: str) -> str:
    return "passages-" + hashlib.sha256(embedder.encode()).hexdigest()[:12]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts):
            yield path
