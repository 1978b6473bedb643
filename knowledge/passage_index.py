"""Catalog and vectors in step: what a change of the one means for the other, also when it is cut short."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime

import numpy as np

from knowledge.audiences import part_of, parts_with
from knowledge.catalog import Catalog
from knowledge.documents import DocumentVersion
from knowledge.embedder import Embedder
from knowledge.errors import KnowledgeError, StoreError
from knowledge.intake import FileResult, Prepared
from knowledge.passages import embedded_text, make_chunks
from knowledge.store import VectorIndex, Vectors

__all__ = ["EMBED_TOGETHER", "PassageIndex", "Progress", "silent"]

EMBED_TOGETHER = 256  # chunks of several files in one call: short files would waste the batches
Counted = Callable[[int, int], None]
Progress = Callable[[int, int, str], None]  # done, in all, name
log = logging.getLogger(__name__)


def silent(done: int, total: int, name: str) -> None:
    """The progress nobody watches."""


class PassageIndex:
    """One writer at a time. Every passage of the catalog has one vector, in the part its audience and dates give it.

    New vectors are there before the transaction that lets answers use them, and the parts are put right after it.
    A kill in between leaves vectors too many or in the wrong part, which no answer shows: the catalog decides.
    """

    def __init__(
        self, catalog: Catalog, vectors: VectorIndex, embedder: Embedder, clock: Callable[[], datetime]
    ) -> None:
        self.catalog = catalog
        self.vectors = vectors
        self.embedder = embedder
        self.clock = clock
        self.changing = threading.RLock()

    def publish(self, prepared: Sequence[Prepared]) -> list[FileResult]:
        """Write versions: vectors first, then one transaction each, then the vectors that moved or are not needed."""
        with self.changing, self.in_step(p.document.id for p in prepared) as written:
            now = self.clock()
            known = self.catalog.placement(now, {p.document.id for p in prepared})
            self._write_vectors([p for p in prepared if p.version], known, now, written)
            return [self._commit(p, known) for p in prepared]

    @contextmanager
    def in_step(self, document_ids: Iterable[str]) -> Iterator[dict[str, str]]:
        """Around changes of these documents in the catalog: afterwards each vector is in the part it belongs to.

        The block notes the vectors it writes itself: passage id -> part.
        """
        names = set(document_ids)
        with self.changing:
            before = self.catalog.placement(self.clock(), names)
            written: dict[str, str] = {}
            try:
                yield written
            except BaseException:
                with suppress(KnowledgeError):
                    self._settle(before, written, names)
                raise
            self._settle(before, written, names)

    def recover(self) -> tuple[int, int]:
        """Mend what a kill left: (vectors removed or moved, passages embedded)."""
        with self.changing:
            for version in self.catalog.unplaced_versions():  # of a home with an older layout
                self.split_again(version)
            try:
                moved, bare = self._place_vectors()
            except StoreError as error:
                log.warning("%s They are made anew from the catalog.", error)
                moved, bare = 0, self.embed_all()
        if moved or bare:
            log.info("recovered: %d vectors removed or moved, %d passages embedded", moved, bare)
        return moved, bare

    def embed_all(self, on_progress: Counted = lambda done, total: None) -> int:
        """A new vector store from the catalog alone, whatever state the old one is in. Returns the passages."""
        wanted = self.catalog.placement(self.clock())
        self.vectors.renew(lambda fresh: self.embed(wanted, fresh, on_progress))
        return len(wanted)

    def embed(self, wanted: dict[str, str], into: VectorIndex, on_progress: Counted = lambda done, total: None) -> None:
        """Embed stored passages (id -> part) and write them `into` a store."""
        names = list(wanted)
        for at in range(0, len(names), EMBED_TOGETHER):
            on_progress(at, len(names))
            found = self.catalog.titled_chunks(names[at : at + EMBED_TOGETHER])
            vectors = self.embedder.embed([embedded_text(title, chunk) for title, chunk in found])
            _upsert(into, [(wanted[chunk.id], chunk.id) for _, chunk in found], vectors)
        on_progress(len(names), len(names))

    def _place_vectors(self) -> tuple[int, int]:
        """Put every vector into its part, and embed what has none: how many of both."""
        wanted = self.catalog.placement(self.clock())
        stored = self.vectors.ids()
        present = {name for names in stored.values() for name in names}
        moved = 0
        for part, names in stored.items():
            leaving = sorted(name for name in names if wanted.get(name) != part)
            self._copy(part, {name: wanted[name] for name in leaving if name in wanted})
            self.vectors.delete(part, leaving)
            moved += len(leaving)
        bare = sorted(wanted.keys() - present)
        self.embed({name: wanted[name] for name in bare}, self.vectors)
        return moved, len(bare)

    def _write_vectors(
        self, prepared: Sequence[Prepared], known: dict[str, str], now: datetime, written: dict[str, str]
    ) -> None:
        """Vectors of all passages that are not yet in their part: moved if they are in another, else embedded."""
        unseen, moving = [], dict[str, str]()
        for p in prepared:
            until = p.version.effective_until if p.version else None
            part = part_of(p.document.audience, is_past=until is not None and until <= now)
            for chunk in p.chunks:
                if chunk.id not in known:
                    unseen.append((part, chunk.id, embedded_text(p.document.title, chunk)))
                elif known[chunk.id] != part:
                    moving[chunk.id] = part
        written |= moving
        for old in {known[name] for name in moving}:
            self._copy(old, {name: part for name, part in moving.items() if known[name] == old})
        if not unseen:
            return
        vectors = self.embedder.embed([text for _, _, text in unseen])
        written |= {name: part for part, name, _ in unseen}
        _upsert(self.vectors, [(part, name) for part, name, _ in unseen], vectors)

    def _commit(self, item: Prepared, known: dict[str, str]) -> FileResult:
        document = item.document
        if item.version is None:
            self.catalog.change_document(document)
            return FileResult(document.source, item.status, document, 0, 0, item.message)
        number = self.catalog.last_number(document.id) + 1
        chunks = [replace(chunk, version=number) for chunk in item.chunks]
        self.catalog.add_version(document, replace(item.version, version=number), chunks)
        embedded = len({chunk.id for chunk in chunks} - known.keys())
        return FileResult(document.source, item.status, document, len(chunks), embedded, item.message)

    def _settle(self, before: dict[str, str], written: dict[str, str], document_ids: set[str]) -> None:
        """Copy what is wanted in a part that lacks it, and take it out of where it is no longer wanted."""
        after = self.catalog.placement(self.clock(), document_ids)
        leaving: dict[str, list[str]] = {}
        copying: dict[str, dict[str, str]] = {}
        for name in before.keys() | written.keys():
            noted = {places[name] for places in (before, written) if name in places}
            wanted = after.get(name)
            if noted == {wanted}:
                continue
            source = before.get(name) or written[name]
            if wanted and wanted != written.get(name) and parts_with(wanted) != {source}:
                copying.setdefault(source, {})[name] = wanted
            for place in set().union(*map(parts_with, noted)) - {wanted}:
                leaving.setdefault(place, []).append(name)
        for part, moves in copying.items():
            self._copy(part, moves)
        for part, names in leaving.items():
            self.vectors.delete(part, sorted(names))

    def _copy(self, part: str, moves: dict[str, str]) -> None:
        """Vectors of a part into others (id -> part)."""
        found = self.vectors.get(parts_with(part), sorted(moves))
        if found:
            _upsert(self.vectors, [(moves[name], name) for name in found], np.stack(list(found.values())))

    def split_again(self, version: DocumentVersion) -> None:
        """Give a stored version the passages that follow from its text; their vectors are another matter."""
        document = self.catalog.ever(version.document_id)
        if document:
            chunks = make_chunks(replace(document, title=version.title), version, self.embedder)
            self.catalog.place_again(version, chunks)


def _upsert(into: VectorIndex, places: Sequence[tuple[str, str]], vectors: Vectors) -> None:
    """Write vectors, one for each (part, passage id), part by part."""
    for part in sorted({part for part, _ in places}):
        rows = [row for row, (its_part, _) in enumerate(places) if its_part == part]
        into.upsert(part, [places[row][1] for row in rows], vectors[rows])
