"""Small builders that the stories of the tests share."""

from datetime import UTC, datetime

from knowledge.documents import Chunk, Document, RetrievedChunk

__all__ = ["NOON", "retrieved"]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def retrieved(text, title="Returns", source="returns.md", section="", start=0, score=0.8):
    """A passage as the retriever would give it."""
    document = Document(id=f"doc-{source}", collection="c", source=source, title=title)
    heading = (section,) if section else ()
    chunk = Chunk(f"chunk-{source}-{start}", document.id, 1, 0, text, heading, start, start + len(text), None)
    return RetrievedChunk(chunk, document, NOON, None, score, score, score)
