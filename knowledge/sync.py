"""One run over a live source: what it adds, changes or takes away, dry or done, item by item."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from knowledge.documents import Document, DocumentSummary, Terms
from knowledge.errors import AddressRefused, ConversionError, DocumentNotFound, PageGone, SourceError
from knowledge.folders import readable
from knowledge.indexing import FileResult, Progress
from knowledge.source_readers import Found, Reader
from knowledge.source_registry import ItemState, Source, SourceRegistry

__all__ = ["Documents", "Stop", "SyncResult", "SyncRun", "current_items", "take_out"]

STOP_AFTER = 10  # calls in a row that fail: a server that is down is not asked for every page
FEW = 3  # pages that may say at once that they are gone, however few there are
MOST_NAMED = 3  # faults in a message
COUNTED = ("added", "changed", "removed", "unchanged", "failed", "held", "skipped")
Stop = Callable[[], bool]
log = logging.getLogger(__name__)


class Documents(Protocol):
    """What is needed of `DocumentIndex`."""

    def add_item(self, collection: str, source: str, name: str, data: bytes, terms: Terms) -> FileResult:
        """Add an item, or its next version."""

    def has_item(self, collection: str, source: str, data: bytes, terms: Terms) -> bool:
        """Whether `add_item` would leave everything as it is."""

    def remove(self, reference: str) -> Document:
        """Take a document out of all answers."""

    def documents(self) -> list[DocumentSummary]:
        """Every current document."""


@dataclass(frozen=True)
class SyncResult:
    """What a run did, or a plan would do: items by name, `failed` as sentences.

    `fault` says why the source as a whole failed; what was read before it stays, and nothing is removed. `held` are
    items that would be removed, but are suspiciously many: only a run with `force` removes them. `skipped` are of no
    format that is read.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    fault: str = ""
    interrupted: bool = False

    @property
    def status(self) -> str:
        """As in `Run`; a source of which nothing at all could be read has failed as a whole."""
        others = (self.added, self.changed, self.removed, self.unchanged, self.held, self.interrupted)
        is_lost = self.fault or (self.failed and not any(others))
        states = {"failed": is_lost, "interrupted": self.interrupted, "held": self.held, "partial": self.failed}
        return next((name for name, is_so in states.items() if is_so), "ok")

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(getattr(self, name)) for name in COUNTED}

    @property
    def faults(self) -> list[str]:
        """A sentence for each thing that did not go well."""
        held = (
            f"{len(self.held)} items are not there any more, most of this source: none of them was removed. "
            "Check the source, and force it if they are really gone."
        )
        broke = "It was interrupted: what is left is read next time."
        whole = ((self.fault, self.fault), (self.held, held), (self.interrupted, broke))
        return [sentence for is_so, sentence in whole if is_so] + list(self.failed)

    @property
    def message(self) -> str:
        """What a person should know beside the numbers, cut to a few sentences; "" if all went well."""
        whole = len(self.faults) - len(self.failed)
        parts = self.faults[: whole + MOST_NAMED]
        if len(self.failed) > MOST_NAMED:
            parts.append(f"And {len(self.failed) - MOST_NAMED} more failed.")
        return " ".join(parts)


class SyncRun:
    """One run over one source. What it writes it writes item by item: a kill loses the work on one at most."""

    def __init__(
        self,
        source: Source,
        registry: SourceRegistry,
        documents: Documents,
        clock: Callable[[], datetime],
        on_progress: Progress,
        stop: Stop,
        writes: bool = True,
        force: bool = False,
    ) -> None:
        self.source = source
        self.registry = registry
        self.documents = documents
        self.clock = clock
        self.on_progress = on_progress
        self.stop = stop
        self.writes = writes
        self.force = force
        self.current = current_items(documents, source)
        self.known = registry.items(source.name)
        self.is_as_read = writes or any(record.source == source for record in registry.sources())
        self.lists: dict[str, list[str]] = {name: [] for name in COUNTED}
        self.gone: list[str] = []
        self.interrupted = False

    def run(self, open_source: Callable[[], Reader]) -> SyncResult:
        """Read everything, then remove what is gone; see `SyncResult`."""
        fault = ""
        try:
            reader = open_source()
            keys = reader.keys()
            self.lists["skipped"] += reader.skipped
            self._take_all(reader, keys)
            if not self.interrupted:
                self._remove_all(reader, keys)
        except SourceError as error:
            fault = str(error)
        lists = {name: tuple(map(readable, items)) for name, items in self.lists.items()}
        return SyncResult(**lists, fault=fault, interrupted=self.interrupted)

    def _take_all(self, reader: Reader, keys: Sequence[str]) -> None:
        misses = 0
        for number, key in enumerate(keys):
            if self._is_stopped():
                return
            self.on_progress(number, len(keys), readable(key))
            try:
                self._take(key, reader.read(key, self._state(key)))
                misses = 0
            except PageGone as error:
                misses = 0
                if key in self.current:
                    self.gone.append(key)
                else:
                    self.lists["failed"].append(str(error))
            except (SourceError, ConversionError) as error:
                self.lists["failed"].append(str(error))
                misses += reader.is_remote and not isinstance(error, AddressRefused)
                if misses == STOP_AFTER:
                    raise SourceError(f"{misses} pages in a row failed: the rest was not asked for.") from error
        self.on_progress(len(keys), len(keys), "done")

    def _take(self, key: str, found: Found) -> None:
        state = self._state(key)
        if found.data is None:
            self.lists["unchanged"].append(key)
            return
        given = found.validators
        new = ItemState(hashlib.sha256(found.data).hexdigest(), given.etag, given.last_modified, given.url)
        since = self._effective_from(found, state)
        terms = Terms(effective_from=since, audience=self.source.audience or None, origin=found.origin)
        if new.content_hash == state.content_hash:
            self.lists["unchanged"].append(key)
            new = replace(new, effective_from=state.effective_from)
        elif not self.writes:
            is_there = self.documents.has_item(self.source.collection, key, found.data, terms)
            self.lists["unchanged" if is_there else "changed" if key in self.current else "added"].append(key)
        else:
            result = self.documents.add_item(self.source.collection, key, found.name, found.data, terms)
            if result.status == "failed":
                self.lists["failed"].append(result.message)
                return
            self.lists[result.status].append(key)
            new = replace(new, effective_from=since or self.clock())
        if self.writes and new != state:
            self.registry.keep_item(self.source.name, key, new)

    def _state(self, key: str) -> ItemState:
        """What is known of an item; of one that is no document now only how far its past reaches.

        A plan for other settings than those of the last run is made as if all were read anew.
        """
        state = self.known.get(key, ItemState())
        return state if key in self.current and self.is_as_read else ItemState(effective_from=state.effective_from)

    def _effective_from(self, found: Found, state: ItemState) -> datetime | None:
        """The item's own date if the newest text wins by it; else from now on, which is None.

        A date before that of the last version would leave the old text in force, one to come would hide what the
        source says already.
        """
        date = found.effective_from
        if date is None or date > self.clock() or (state.effective_from is not None and date <= state.effective_from):
            return None
        return date

    def _remove_all(self, reader: Reader, keys: Sequence[str]) -> None:
        unlisted = []
        for key in self.current.keys() - set(keys):
            try:
                if reader.is_gone(key):
                    unlisted.append(key)
            except SourceError as error:
                self.lists["failed"].append(str(error))
        going = sorted([*self.gone, *unlisted])
        if not self.force and self._is_suspicious(reader, len(unlisted)):
            self.lists["held"] += going
            return
        for key in going:
            if self._is_stopped():
                return
            if self.writes:
                take_out(self.documents, self.current[key])
                self.registry.forget_item(self.source.name, key)
            self.lists["removed"].append(key)

    def _is_suspicious(self, reader: Reader, unlisted: int) -> bool:
        """A list that lost more than half, or a site where most pages are "gone", is rather broken than up to date."""
        half = len(self.current) / 2
        return (reader.is_found and unlisted > half) or (len(self.gone) > max(FEW, half))

    def _is_stopped(self) -> bool:
        self.interrupted = self.interrupted or self.stop()
        return self.interrupted


def current_items(documents: Documents, source: Source) -> Mapping[str, Document]:
    """The documents of a source by item."""
    return {s.document.source: s.document for s in documents.documents() if s.document.collection == source.collection}


def take_out(documents: Documents, document: Document) -> None:
    """Remove a document, unless somebody else was faster."""
    try:
        documents.remove(document.id)
    except DocumentNotFound:
        log.info("%s was removed already", document.id)
