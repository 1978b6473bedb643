"""Versions put straight into a catalog, each with one passage."""

from dataclasses import replace
from datetime import datetime

from knowledge.catalog import Catalog
from knowledge.documents import Chunk, Document, DocumentVersion, chunk_id, document_id
from knowledge.scopes import Scope
from tests.clock import day

__all__ = ["found", "put", "scope"]


def put(
    catalog: Catalog,
    text: str = "You have 45 days.",
    begins: float = 0,
    source: str = "returns.md",
    collection: str = "/docs",
    title: str = "Returns",
    audience: str = "public",
    **dates: datetime,
) -> tuple[Document, DocumentVersion, Chunk]:
    """Add the next version of a document, from a day of the story on; its only passage is its text."""
    document = Document(document_id(collection, source), collection, source, title, audience)
    number = catalog.last_number(document.id) + 1
    name = chunk_id(document.id, title, ("Time",), text, 0)
    chunk = Chunk(name, document.id, number, 0, text, ("Time",), 2, 2 + len(text), 3)
    version = DocumentVersion(
        document.id, number, f"content {text}", day(begins), f"> {text}\n", f"original {text}", title, day(begins)
    )
    catalog.add_version(document, replace(version, **dates), [chunk])
    return document, replace(version, **dates), chunk


def scope(number: float = 0, *groups: str) -> Scope:
    """A day of the story, asked about by somebody of these groups besides the public."""
    return Scope(day(number), frozenset({"public", *groups}))


def found(catalog: Catalog, query: str, asked: Scope) -> list[str]:
    """The texts of the passages that the words of a question find."""
    names = [name for name, _ in catalog.search_words(query, 10, asked)]
    records = catalog.load(names, asked)
    return [records[name][0].text for name in names]
