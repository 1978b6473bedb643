"""Sitemaps -> the pages that they list: XML, an index of sitemaps, or one address a line; bounded, without entities."""

import zlib
from collections.abc import Iterable
from xml.parsers import expat

from knowledge.errors import SourceError
from knowledge.web import Fetcher

__all__ = ["MAX_PAGES", "list_pages", "read_sitemap"]

MAX_PAGES = 2000
MAX_SITEMAPS = 50
LONGEST_ADDRESS = 2048  # characters, as the sitemap protocol has it
MAX_UNPACKED = 10 * 2**20  # bytes; of 2,000 pages hardly one
SITEMAP_TYPES = {
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/rss+xml": ".xml",
    "text/plain": ".txt",
    "application/gzip": ".gz",
    "application/x-gzip": ".gz",
    "application/octet-stream": ".gz",
}


def list_pages(fetcher: Fetcher, address: str, max_pages: int = MAX_PAGES) -> list[str]:
    """Every page of a sitemap, or of the sitemaps that it lists, once and in order.

    Raises:
        SourceError: one of them cannot be had or read, lists more than the limit, or lists none: what is left out
            by mistake would be taken for gone.
    """
    is_index, listed = _read(fetcher, address)
    if not is_index:
        return _limited(address, listed, max_pages)
    if len(listed) > MAX_SITEMAPS:
        raise SourceError(f"'{address}' lists {len(listed)} sitemaps, the limit is {MAX_SITEMAPS}: name one of them.")
    pages: dict[str, None] = {}
    for sitemap in listed:
        is_deeper, found = _read(fetcher, sitemap)
        if is_deeper:
            raise SourceError(f"'{sitemap}' is an index inside of an index: name it as the sitemap of a source itself.")
        pages |= dict.fromkeys(found)
        _limited(address, list(pages), max_pages)
    return _limited(address, list(pages), max_pages)


def read_sitemap(address: str, data: bytes, suffix: str) -> tuple[bool, list[str]]:
    """Whether the sitemap is an index, and the addresses it lists, each once.

    Raises:
        SourceError: it is no sitemap, or declares a document type: entities can be made to fill the memory.
    """
    if suffix == ".gz":
        data = _gunzipped(address, data)
    if suffix == ".txt" or (suffix == ".gz" and not data.lstrip().startswith(b"<")):
        lines = data.decode("utf-8-sig", "replace").split("\n")
        return False, _kept(line.strip() for line in lines if line.strip().startswith(("http://", "https://")))
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise SourceError(f"'{address}' is no sitemap ({error}): check it in a browser.") from error
    if reader.root not in ("urlset", "sitemapindex"):
        raise SourceError(f"'{address}' is no sitemap (it begins with <{reader.root[:40]}>): check the address.")
    return reader.root == "sitemapindex", _kept(reader.found)


class _Reader:
    """Gathers the root's name and the text of each <loc> right inside of its children."""

    def __init__(self) -> None:
        self.root = ""
        self.found: list[str] = []
        self._path: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self.root = self.root or self._path[0]
        if self._is_address():
            self.found.append("")

    def _end(self, name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._is_address() and len(self.found[-1]) <= LONGEST_ADDRESS:
            self.found[-1] += text

    def _is_address(self) -> bool:
        return len(self._path) == 3 and self._path[-1] == "loc"

    def _refuse(self, name: str, *_: object) -> None:
        raise SourceError(f"The sitemap declares a document type ('{name[:40]}'), which is not read: leave it out.")


def _read(fetcher: Fetcher, address: str) -> tuple[bool, list[str]]:
    page = fetcher.fetch(address, types=SITEMAP_TYPES)
    is_index, found = read_sitemap(address, page.data or b"", page.name[page.name.rfind(".") :])
    if not found:
        raise SourceError(f"'{address}' lists no page: check it in a browser.")
    return is_index, found


def _kept(addresses: Iterable[str]) -> list[str]:
    stripped = (address.strip() for address in addresses)
    return [address for address in dict.fromkeys(stripped) if 0 < len(address) <= LONGEST_ADDRESS]


def _limited(address: str, pages: list[str], most: int) -> list[str]:
    if len(pages) > most:
        raise SourceError(f"'{address}' lists more than {most} pages: name a smaller sitemap, or one part of it.")
    return pages


def _gunzipped(address: str, data: bytes) -> bytes:
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = unpack.decompress(data, MAX_UNPACKED)
    except zlib.error as error:
        raise SourceError(f"'{address}' is packed as gzip and damaged: see to its server.") from error
    if not unpack.eof:
        raise SourceError(f"'{address}' unpacks to more than {MAX_UNPACKED // 2**20} MiB, or broke off: split it.")
    return text
