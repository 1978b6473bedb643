"""All verbs on live sources: add, change, plan, sync, drop, and run those that are due."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from knowledge.documents import Document
from knowledge.errors import KnowledgeError, SourceError
from knowledge.folders import readable
from knowledge.indexing import Progress, silent
from knowledge.source_readers import NewFetcher, Reader, check_source, open_reader
from knowledge.source_registry import Run, Source, SourceRecord, SourceRegistry
from knowledge.sync import Documents, Stop, SyncResult, SyncRun, current_items, take_out
from knowledge.web import Fetcher

__all__ = ["LiveSources"]

log = logging.getLogger(__name__)


def _never() -> bool:
    return False


def _overlap(folder: str, other: str) -> bool:
    return f"{folder}/".startswith(f"{other}/") or f"{other}/".startswith(f"{folder}/")


class LiveSources:
    """All verbs on live sources, from any thread; one source is read at a time.

    `clock` gives aware UTC times; `variables` fill ${NAME} in the addresses of databases.
    """

    def __init__(
        self,
        registry: SourceRegistry,
        documents: Documents,
        clock: Callable[[], datetime],
        variables: Mapping[str, str] | None = None,
        new_fetcher: NewFetcher = Fetcher,
    ) -> None:
        self.registry = registry
        self.documents = documents
        self.clock = clock
        self.variables = variables or {}
        self.new_fetcher = new_fetcher
        self._reading = threading.Lock()

    def add(self, source: Source) -> SourceRecord:
        """Take in a source after a look at its settings; it is due at once, nobody is called yet.

        Raises:
            SourceError: a setting, the name or the schedule cannot be, or the name or its folder is taken.
        """
        check_source(source)
        self._check_place(source)
        return self.registry.add(source, self.clock())

    def change(self, source: Source) -> SourceRecord:
        """Give the source of that name other settings.

        Raises:
            SourceNotFound: there is none of that name.
            SourceError: a setting or the schedule cannot be, or its kind would change.
        """
        check_source(source)
        return self.registry.change(source)

    def plan(
        self, source: Source, on_progress: Progress = silent, stop: Stop = _never, force: bool = False
    ) -> SyncResult:
        """What a run would do; writes nothing. The source may be one that is not added yet.

        Raises:
            SourceError: another source is being read.
        """
        with self._alone():
            run = SyncRun(
                source, self.registry, self.documents, self.clock, on_progress, stop, writes=False, force=force
            )
            return run.run(self._opening(source))

    def sync(self, name: str, force: bool = False, on_progress: Progress = silent, stop: Stop = _never) -> SyncResult:
        """Read a source, bring its documents up to it, and keep how that ended; `stop` is asked between items.

        Raises:
            SourceNotFound: there is none of that name.
            SourceError: another source is being read.
            KnowledgeError: the fault is on our side (store, embedder); it is kept as well.
        """
        with self._alone():
            source, began = self.registry.get(name).source, self.clock()
            try:
                run = SyncRun(source, self.registry, self.documents, self.clock, on_progress, stop, force=force)
                result = run.run(self._opening(source))
            except KnowledgeError as error:
                self.registry.record(name, began, Run("failed", str(error)))
                raise
            self.registry.record(name, began, Run(result.status, result.message, result.counts))
            return result

    def run_due(self, on_progress: Progress = silent, stop: Stop = _never) -> dict[str, SyncResult]:
        """Read the sources whose time has come, one after another; no fault of one keeps the others waiting."""
        results = {}
        for record in self.registry.due(self.clock()):
            if stop():
                break
            name = record.source.name
            try:
                results[name] = self.sync(name, on_progress=on_progress, stop=stop)
            except KnowledgeError as error:
                results[name] = SyncResult(fault=str(error))
            except Exception as error:
                log.exception("source %s", name)
                fault = f"Reading '{name}' broke off ({type(error).__name__}): the log has more."
                self.registry.record(name, self.clock(), Run("failed", fault))
                results[name] = SyncResult(fault=fault)
        return results

    def drop(self, name: str) -> list[Document]:
        """Take a source's documents out of all answers, then forget it; after a kill between, do it again.

        Raises:
            SourceNotFound: there is none of that name.
            SourceError: another source is being read.
        """
        with self._alone():
            source = self.registry.get(name).source
            removed = list(current_items(self.documents, source).values())
            for document in removed:
                take_out(self.documents, document)
            self.registry.remove(name)
            return removed

    def _opening(self, source: Source) -> Callable[[], Reader]:
        def open_source() -> Reader:
            reader = open_reader(source, self.variables, self.new_fetcher)
            self._check_place(source)
            return reader

        return open_source

    def _check_place(self, source: Source) -> None:
        """A folder that lies in another one, or has one in it, would bring each of their documents twice."""
        if source.kind != "folder":
            return
        place = source.collection
        for other in (record.source for record in self.registry.sources() if record.source.kind == "folder"):
            if other.name != source.name and _overlap(place, other.collection):
                raise SourceError(
                    f"The source '{other.name}' reads '{readable(other.collection)}' already: "
                    "sync that one, or remove it first."
                )
        for document in (summary.document for summary in self.documents.documents()):
            path = f"{document.collection}/{document.source}"
            if document.collection != place and path.startswith(f"{place}/"):
                raise SourceError(
                    f"'{document.source}' came by the folder '{document.collection}' already: "
                    "sync that one, or remove its documents first."
                )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One reader at a time; who comes second is told at once, as a read may take minutes."""
        if not self._reading.acquire(blocking=False):
            raise SourceError("A source is being read right now: try again when it is done.")
        try:
            yield
        finally:
            self._reading.release()
