"""A version of a document -> its passages, and the text that is embedded of each."""

from knowledge.documents import Chunk, Document, DocumentVersion, chunk_id
from knowledge.embedder import Embedder
from knowledge.splitter import MAX_TOKENS, split

__all__ = ["embedded_text", "make_chunks"]

HEADING_TOKENS = 40  # of the embedder's limit, kept free for title and headings


def make_chunks(document: Document, version: DocumentVersion, embedder: Embedder) -> list[Chunk]:
    """The passages in order. Their ids depend on what is embedded, so an unchanged passage keeps its vector."""
    limit = min(MAX_TOKENS, embedder.max_tokens - HEADING_TOKENS)
    seen: dict[tuple[tuple[str, ...], str], int] = {}
    chunks = []
    for position, piece in enumerate(split(version.markdown, embedder.count_tokens, limit)):
        key = (piece.heading_path, piece.text)
        seen[key] = seen.get(key, -1) + 1
        name = chunk_id(document.id, document.title, *key, seen[key])
        chunks.append(Chunk(name, document.id, version.version, position, piece.text, piece.heading_path,
                            piece.start, piece.end, piece.page))  # fmt: skip
    return chunks


def embedded_text(title: str, chunk: Chunk) -> str:
    """Title and headings in front of the passage: they give it its context."""
    return "\n".join([". ".join(dict.fromkeys((title, *chunk.heading_path))), chunk.text])
