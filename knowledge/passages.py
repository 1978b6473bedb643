"""A version of a document -> its passages, and the text that is embedded of each."""

import re
from collections.abc import Sequence

from knowledge.documents import Chunk, Document, DocumentVersion, chunk_id
from knowledge.embedder import Embedder
from knowledge.splitter import LONGEST_CHARACTERS, LONGEST_TOKENS, split

__all__ = ["embedded_text", "make_chunks"]

# Of title and headings in front of a passage, as `_weight` counts; 1 of 1,000 headings of three companies has more.
MOST_IN_FRONT = 120


def make_chunks(document: Document, version: DocumentVersion, embedder: Embedder) -> list[Chunk]:
    """The passages in order, each with its title and headings within what the embedder reads.

    Their ids depend on what is embedded, so an unchanged passage keeps its vector.
    """

    def room(path: tuple[str, ...]) -> int:
        return min(LONGEST_TOKENS, embedder.max_tokens - embedder.count_tokens(_in_front(document.title, path)))

    seen: dict[tuple[tuple[str, ...], str], int] = {}
    chunks = []
    for position, piece in enumerate(split(version.markdown, embedder.count_tokens, room, LONGEST_CHARACTERS)):
        key = (piece.heading_path, piece.text)
        seen[key] = seen.get(key, -1) + 1
        name = chunk_id(document.id, document.title, *key, seen[key])
        chunks.append(Chunk(name, document.id, version.version, position, piece.text, piece.heading_path,
                            piece.start, piece.end, piece.page))  # fmt: skip
    return chunks


def embedded_text(title: str, chunk: Chunk) -> str:
    """Title and headings in front of the passage: they give it its context."""
    return "\n".join([_in_front(title, chunk.heading_path), chunk.text])


def _in_front(title: str, heading_path: Sequence[str]) -> str:
    """The title and the headings; of too many the outermost headings are left out, of too long ones the last words."""
    parts = list(dict.fromkeys((title, *heading_path)))
    while len(parts) > 2 and _weight(". ".join(parts)) > MOST_IN_FRONT:
        del parts[1]
    if _weight(". ".join(parts)) <= MOST_IN_FRONT:
        return ". ".join(parts)
    return ". ".join(_shortened(part, MOST_IN_FRONT // len(parts) - 1) for part in parts)


def _shortened(text: str, most: int) -> str:
    """As many words, or of a first word that is too long as many letters, as `most` allows."""
    end = 0
    for word in re.finditer(r"\S+", text):
        if _weight(text[: word.end()]) > most:
            break
        end = word.end()
    while not end and text and _weight(text) > most:
        text = text[: len(text) * 3 // 4]
    return text[: end or len(text)]


def _weight(text: str) -> int:
    """A bound for the tokens that needs no tokenizer: about twice as many for English, never under half of them."""
    words = re.findall(r"\w+|[^\w\s]", text)
    return sum((len(word) + 1) // 2 if word.isascii() else len(word.encode("utf-8", "replace")) for word in words)
