"""Pages of the web, fetched with limits on address, size, time and kind; asked again, only what changed comes."""

import codecs
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from knowledge.addresses import AddressPolicy, CheckedNetwork, Resolve
from knowledge.errors import AddressRefused, PageGone, SourceError
from knowledge.folders import readable

__all__ = ["PAGE_TYPES", "FetchLimits", "Fetcher", "Page", "Validators"]

PAGE_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "application/pdf": ".pdf",
}
REDIRECTS = {301, 302, 303, 307, 308}
GONE = {404, 410}
MAX_REDIRECTS = 5
LONGEST_VALIDATOR = 1000  # characters of an ETag that are worth keeping
# Encodings of pages beside UTF-8, which needs no change; some others that Python knows can be made to take hours.
ENCODINGS = re.compile(
    r"utf-16(-[bl]e)?|ascii|iso8859-\d+|cp(125\d|874|932|949)|koi8-[ru]|shift_jis|euc_(jp|kr)|gb\w+|big5|mac-roman"
)
META_CHARSET = re.compile(rb"<meta[^<>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True)
class FetchLimits:
    """Bytes of a page as it is sent and as it is unpacked; seconds to connect, between two signs of life, in all."""

    max_bytes: int = 10 * 2**20
    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0


@dataclass(frozen=True)
class Validators:
    """What a server gave along with a page to ask later whether it changed; `url` is where it was in the end."""

    etag: str = ""
    last_modified: str = ""
    url: str = ""


@dataclass(frozen=True)
class Page:
    """A page: `name` ends as its format is called; `data` is None if nothing changed since `validators`."""

    name: str
    data: bytes | None
    validators: Validators


class Fetcher:
    """Fetches pages one at a time, under one policy. No proxy or setting of the environment has a say."""

    def __init__(
        self,
        policy: AddressPolicy,
        limits: FetchLimits | None = None,
        resolve: Resolve = socket.getaddrinfo,
        now: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        self.policy = policy
        self.limits = limits or FetchLimits()
        self.resolve = resolve
        self.now = now
        self.tls = tls or httpcore.default_ssl_context()
        self.network = network

    def fetch(self, address: str, known: Validators | None = None, types: Mapping[str, str] = PAGE_TYPES) -> Page:
        """The page at `address`, at most five redirects on; `types` maps the content types wanted to endings.

        Raises:
            AddressRefused: it, or an address that it leads on to, may not be called.
            PageGone: it is answered with 404 or 410.
            SourceError: it cannot be had, is too large, takes too long or is of another kind.
        """
        url, known = self.policy.check(address), known or Validators()
        deadline = self.now() + self.limits.total_seconds
        for _ in range(MAX_REDIRECTS + 1):
            with self._ask(address, url, known, deadline) as response:
                if response.status not in REDIRECTS:
                    return self._page(address, url, known, response, types)
                location = _headers(response).get("location", "")
            url = self._follow(address, url, location)
        raise SourceError(f"'{address}' leads on more than {MAX_REDIRECTS} times: use the address where it ends.")

    def _follow(self, address: str, url: httpx.URL, location: str) -> httpx.URL:
        try:
            return self.policy.check(str(url.join(location)))
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise AddressRefused(f"'{address}' leads on to no web address: use the one where it should end.") from error
        except AddressRefused as error:
            raise AddressRefused(f"'{address}' leads elsewhere. {error}") from error

    @contextmanager
    def _ask(self, address: str, url: httpx.URL, known: Validators, deadline: float) -> Iterator[httpcore.Response]:
        """One call, on a connection of its own; foreign exceptions become sentences."""
        network = CheckedNetwork(self.policy, deadline, self.now, self.resolve, self.network)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        seconds = {"connect": self.limits.connect_seconds, "read": self.limits.read_seconds}
        times = {"timeout": seconds | {"write": self.limits.read_seconds, "pool": self.limits.read_seconds}}
        try:
            with (
                httpcore.ConnectionPool(self.tls, network_backend=network, max_keepalive_connections=0) as pool,
                pool.stream("GET", target, headers=_questions(url, known), extensions=times) as response,
            ):
                yield response
        except httpcore.TimeoutException as error:
            raise SourceError(
                f"'{address}' takes too long (the limit is {self.limits.total_seconds:g} seconds in all): "
                "what was read before stays, and it is tried again next time."
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise SourceError(f"'{address}' cannot be reached ({_reason(error)}): check it in a browser.") from error

    def _page(
        self,
        address: str,
        url: httpx.URL,
        known: Validators,
        response: httpcore.Response,
        types: Mapping[str, str],
    ) -> Page:
        headers = _headers(response)
        if response.status == 304 and known.url == str(url) and (known.etag or known.last_modified):
            return Page("", None, known)
        if response.status in GONE:
            raise PageGone(f"'{address}' is gone (status {response.status}).")
        if response.status != 200:
            raise SourceError(f"'{address}' answers with status {response.status}: check it in a browser.")
        suffix = _suffix(address, url, headers, types)
        data = self._body(address, headers, response)
        if suffix in (".html", ".txt", ".md"):
            data = _as_utf8(data, headers.get("content-type", ""), suffix)
        etag, modified = (headers.get(name, "")[:LONGEST_VALIDATOR] for name in ("etag", "last-modified"))
        return Page(_name(url, suffix), data, Validators(etag, modified, str(url)))

    def _body(self, address: str, headers: Mapping[str, str], response: httpcore.Response) -> bytes:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "x-gzip"):
            raise SourceError(f"'{address}' comes packed as '{encoding}', which was not asked for: see to its server.")
        limit = self.limits.max_bytes
        parts = _counted(address, response.iter_stream(), limit)
        if int(headers.get("content-length", "0") or "0") > limit:
            raise _too_large(address, limit)
        return b"".join(_counted(address, _unpacked(address, parts), limit) if "gzip" in encoding else parts)


def _questions(url: httpx.URL, known: Validators) -> list[tuple[bytes, bytes]]:
    """The headers of a call; a server is asked for changes only where it gave the page before."""
    headers = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", "Frontdesk"),
        ("Accept", ", ".join(PAGE_TYPES) + ", application/xml, text/xml, */*;q=0.1"),
        ("Accept-Encoding", "gzip"),
        ("Connection", "close"),
    ]
    if known.url == str(url):
        headers += [("If-None-Match", known.etag)] if known.etag else []
        headers += [("If-Modified-Since", known.last_modified)] if known.last_modified else []
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]


def _headers(response: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _counted(address: str, parts: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise _too_large(address, limit)
        yield part


def _unpacked(address: str, parts: Iterator[bytes]) -> Iterator[bytes]:
    """The content of gzip, in pieces of at most 64 KiB however much a few bytes unpack to."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for part in parts:
            while part:
                if unpack.eof:
                    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
                yield unpack.decompress(part, 2**16)
                part = unpack.unconsumed_tail or unpack.unused_data
    except zlib.error as error:
        raise SourceError(f"'{address}' is packed as gzip and damaged: see to its server.") from error
    yield unpack.flush()
    if not unpack.eof:
        raise SourceError(f"'{address}' broke off before its end: it is tried again next time.")


def _too_large(address: str, limit: int) -> SourceError:
    return SourceError(f"'{address}' has more than {limit / 2**20:g} MiB, the limit: leave it out or split it.")


def _suffix(address: str, url: httpx.URL, headers: Mapping[str, str], types: Mapping[str, str]) -> str:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in types:
        wanted = ", ".join(sorted(types))
        raise SourceError(f"'{address}' is of the type '{readable(kind)}', which is not read: use {wanted}.")
    is_markdown = kind == "text/plain" and url.path.lower().endswith((".md", ".markdown"))
    return ".md" if is_markdown and ".md" in types.values() else types[kind]


def _name(url: httpx.URL, suffix: str) -> str:
    """A file name for a page: the last part of its path, or its host; the title of a page that has no other."""
    parts = [part for part in url.path.split("/") if part] or [url.host]
    stem = re.sub(r"\.(html?|php|aspx?|txt|md|markdown|pdf)$", "", parts[-1], flags=re.IGNORECASE)
    stem = re.sub(r"[^\w .-]+", "-", stem)[:100].strip(" .-")
    return f"{stem or 'page'}{suffix}"


def _as_utf8(data: bytes, content_type: str, suffix: str) -> bytes:
    """The same text in UTF-8, if the server or the page says what it is in; a page's word on UTF-16 is never true."""
    told = re.search(r"charset\s*=\s*[\"']?([\w-]{1,40})", content_type, re.IGNORECASE)
    meta = META_CHARSET.search(data[:4096]) if suffix == ".html" and not told else None
    charset = told[1] if told else meta[1].decode("ascii") if meta else ""
    try:
        encoding = codecs.lookup(charset).name
    except LookupError:
        return data
    is_marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    if is_marked or not ENCODINGS.fullmatch(encoding) or (meta and "16" in encoding):
        return data
    # Browsers read Latin-1 as the encoding of Windows that contains it.
    return data.decode("cp1252" if encoding in ("iso8859-1", "ascii") else encoding, "replace").encode()


def _reason(error: Exception) -> str:
    return readable(str(error)).strip()[:200] or type(error).__name__
