"""One look at a live source of each kind: which items it lists now, and what one of them holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from knowledge.addresses import AddressPolicy, host_entry, list_hosts, read_address
from knowledge.converters import FORMATS, check_file
from knowledge.errors import AddressRefused, SourceError
from knowledge.folders import find_files, is_in_archive, readable
from knowledge.rows import Row, TableQuery, check_query, read_rows, shown_url
from knowledge.sitemaps import MAX_PAGES, list_pages
from knowledge.source_registry import ItemState, Source
from knowledge.web import Fetcher, Validators

__all__ = ["Found", "NewFetcher", "Reader", "check_source", "open_reader", "place_of"]

NewFetcher = Callable[[AddressPolicy], Fetcher]
MOST_PAGES = 10_000
# The settings of each kind, and the type of each. Needed are `path`; `urls` or `sitemap`; `url`, `key`, and `query` or
# `table`. `hosts` are those of the addresses by default.
SETTINGS: dict[str, dict[str, type]] = {
    "folder": {"path": str},
    "web": {"urls": list, "sitemap": str, "hosts": list, "allow_private": bool, "max_pages": int},
    "database": {"url": str, "query": str, "table": str, "key": str, "title": str, "updated_at": str},
}
TYPES = {str: "a text", list: "a list of texts", bool: "true or false", int: "a number"}


@dataclass(frozen=True)
class Found:
    """What an item holds: `data` is None if it is as it was; `name` ends as its format is called."""

    name: str
    data: bytes | None
    validators: Validators
    effective_from: datetime | None = None
    origin: str = ""


class Reader(Protocol):
    """One look at a source.

    `is_found` tells whether the list was found (and may be cut short by a fault) or written by a person; `is_remote`
    whether a call that fails may take long.
    """

    is_found: bool
    is_remote: bool

    @property
    def skipped(self) -> Sequence[str]:
        """Items that are left out, as they are of no format that is read."""

    def keys(self) -> list[str]:
        """Every item that is there now; raises SourceError if the source cannot be read."""

    def read(self, key: str, known: ItemState) -> Found:
        """An item as it is now; raises PageGone if it is no more, KnowledgeError if it cannot be read."""

    def is_gone(self, key: str) -> bool:
        """Whether an item that is not listed any more is gone; raises SourceError if that cannot be told."""


def open_reader(source: Source, variables: Mapping[str, str], new_fetcher: NewFetcher) -> Reader:
    """The reader for a source; `variables` fill ${NAME} in a database's address.

    Raises:
        SourceError: a setting is missing, unknown or of the wrong kind.
    """
    check_source(source)
    settings = source.settings
    if source.kind == "folder":
        return _FolderReader(Path(settings["path"]))
    if source.kind == "web":
        return _WebReader(settings, new_fetcher)
    return _DatabaseReader(TableQuery(**settings), variables)


def check_source(source: Source) -> None:
    """Whether the settings can be, without calling anybody.

    Raises:
        SourceError: one is missing, unknown or of the wrong kind.
    """
    known, settings = SETTINGS.get(source.kind), source.settings
    if known is None:
        raise SourceError(f"'{source.kind}' is no kind of source: use one of {', '.join(SETTINGS)}.")
    for name, value in settings.items():
        if name not in known:
            raise SourceError(f"A {source.kind} source has no setting '{name}': use {', '.join(known)}.")
        if type(value) is not known[name] or not _is_text_list(value):
            raise SourceError(f"The setting '{name}' of the source '{source.name}' must be {TYPES[known[name]]}.")
        if any(readable(text) != text or "\0" in text for text in _texts(value)):
            raise SourceError(f"The setting '{name}' of the source '{source.name}' is no text: rename what it names.")
    _NEEDS[source.kind](source)


def _is_text_list(value: object) -> bool:
    """Also True for what is no list."""
    return not isinstance(value, list) or all(isinstance(part, str) for part in value)


def _texts(value: object) -> list[str]:
    return [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]


def _check_folder(source: Source) -> None:
    _need(source, "path")
    if not Path(source.settings["path"]).is_absolute():
        raise SourceError(f"The folder '{source.settings['path']}' is not a whole path: begin it with '/'.")


def _check_web(source: Source) -> None:
    _need(source, "urls", "sitemap")
    if not 0 < source.settings.get("max_pages", MAX_PAGES) <= MOST_PAGES:
        raise SourceError(f"{source.settings['max_pages']} pages are too many or none: use 1 to {MOST_PAGES}.")
    policy = _policy(source.settings)
    for address in _addresses(source.settings):
        policy.check(address)


def _check_database(source: Source) -> None:
    _need(source, "url")
    _need(source, "key")
    _need(source, "query", "table")
    if source.settings.get("query"):
        check_query(source.settings["query"])


_NEEDS = {"folder": _check_folder, "web": _check_web, "database": _check_database}


def _need(source: Source, *names: str) -> None:
    """Exactly one of them."""
    if sum(bool(source.settings.get(name)) for name in names) != 1:
        raise SourceError(f"The {source.kind} source '{source.name}' needs {' or '.join(names)}: give exactly one.")


def _addresses(settings: Mapping[str, Any]) -> list[str]:
    return settings.get("urls") or [settings["sitemap"]]


def _policy(settings: Mapping[str, Any]) -> AddressPolicy:
    own = frozenset(host_entry(read_address(address)) for address in _addresses(settings))
    hosts = list_hosts(settings["hosts"]) if settings.get("hosts") else own
    return AddressPolicy(hosts, settings.get("allow_private", False))


def _plain(address: str) -> str:
    """An address as it is called, so that one page is one item; what is none is told when it is read."""
    try:
        return str(read_address(address))
    except AddressRefused:
        return address


def place_of(source: Source) -> str:
    """Where a source is, for people; without passwords."""
    settings = source.settings
    if source.kind == "folder":
        return str(settings.get("path", ""))
    if source.kind == "web":
        urls = settings.get("urls") or [settings.get("sitemap", "")]
        return f"{urls[0]} and {len(urls) - 1} more" if len(urls) > 1 else str(urls[0])
    what = settings.get("table") or "a query"
    return f"{what} in {shown_url(settings.get('url', ''))}"


class _FolderReader:
    """Files by their path in the folder; those of other formats, and links that lead out of it, are skipped."""

    is_found = True
    is_remote = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.skipped: list[str] = []
        self._files: dict[str, Path] = {}

    def keys(self) -> list[str]:
        try:
            if not self.folder.is_dir():
                raise SourceError(f"The folder '{self.folder}' is not there: is its drive connected?")
            root = self.folder.resolve()
            for file in find_files(self.folder, ()):
                is_inside = file.path.resolve().is_relative_to(root)
                if is_inside and PurePosixPath(file.source).suffix.lower() in FORMATS:
                    self._files[file.source] = file.path
                else:
                    self.skipped.append(readable(file.source))
        except OSError as error:
            raise SourceError(f"The folder '{self.folder}' cannot be read ({error.strerror}): check it.") from error
        return list(self._files)

    def read(self, key: str, known: ItemState) -> Found:
        path, shown = self._files[key], readable(key)
        try:
            check_file(shown, path.stat().st_size)
            return Found(shown, path.read_bytes(), Validators(), origin=str(path))
        except OSError as error:
            raise SourceError(f"'{shown}' cannot be read ({error.strerror}): check its permissions.") from error

    def is_gone(self, key: str) -> bool:
        """A folder that may not be listed hides files that are there: ask for the file itself.

        What was added from a ZIP stays as long as the ZIP is there, though ZIPs are not followed.
        """
        path = self.folder / key
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return not is_in_archive(path)
        except OSError as error:
            raise SourceError(f"'{readable(key)}' cannot be looked for ({error.strerror}): it is kept.") from error
        if key in self.skipped:
            return True
        raise SourceError(f"'{readable(key)}' is there, but its folder cannot be listed: check its permissions.")


class _WebReader:
    """Pages by their address."""

    is_remote = True
    skipped = ()

    def __init__(self, settings: Mapping[str, Any], new_fetcher: NewFetcher) -> None:
        self.settings = settings
        self.fetcher = new_fetcher(_policy(settings))
        self.is_found = not settings.get("urls")

    def keys(self) -> list[str]:
        most = self.settings.get("max_pages", MAX_PAGES)
        listed = self.settings.get("urls") or list_pages(self.fetcher, self.settings["sitemap"], most)
        return list(dict.fromkeys(map(_plain, listed)))

    def read(self, key: str, known: ItemState) -> Found:
        page = self.fetcher.fetch(key, Validators(known.etag, known.last_modified, known.url))
        return Found(page.name, page.data, page.validators, origin=page.validators.url)

    def is_gone(self, key: str) -> bool:
        return True


class _DatabaseReader:
    """Rows as "<key>.md"."""

    is_found = True
    is_remote = False
    skipped = ()

    def __init__(self, wanted: TableQuery, variables: Mapping[str, str]) -> None:
        self.wanted = wanted
        self.variables = variables
        self._rows: dict[str, Row] = {}

    def keys(self) -> list[str]:
        rows = read_rows(self.wanted, self.variables)
        self._rows = {f"{row.key}.md": row for row in rows if row.key}
        nameless = {f"row {number}": row for number, row in enumerate(rows, 1) if not row.key}
        self._rows |= nameless
        return list(self._rows)

    def read(self, key: str, known: ItemState) -> Found:
        row = self._rows[key]
        if row.fault:
            raise SourceError(row.fault)
        return Found(key, row.markdown.encode(), Validators(), row.updated_at, shown_url(self.wanted.url))

    def is_gone(self, key: str) -> bool:
        return True
