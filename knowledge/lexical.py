"""BM25 over the FTS5 table of the catalog: which words are searched and how hits are ranked."""

import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["WORDS_TABLE", "search_words", "searched_words"]

MOST_WORDS = 64
# Where there are many passages, a word that over a tenth of them have costs most of the time and hardly changes the
# order: over 60,000 passages 0.99 of the ten best stayed, and the slowest searches took 18 instead of 28 ms.
MANY_PASSAGES = 20_000
FREQUENT = 0.1
# Words in the title or a heading count as those of the text: to count them double cost 1 to 3 points of recall.
# The plus keeps SQLite from looking up the words once for each passage of the scope.
RANKED = (
    "SELECT p.id, hits.score FROM (SELECT rowid AS number, -bm25(chunk_words) AS score FROM chunk_words "
    "WHERE chunk_words MATCH ? AND +rowid IN (SELECT number FROM {scope}) ORDER BY score DESC LIMIT ?) AS hits "
    "JOIN passages p USING (number) ORDER BY hits.score DESC, p.id"
)
WORDS_TABLE = "CREATE VIRTUAL TABLE chunk_words USING fts5(heading, text, tokenize='porter unicode61')"
# Words of questions, not of answers: with them BM25 ranks by politeness.
STOP_WORDS = frozenset([
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did",
    "didn", "do", "does", "doesn", "don", "for", "from", "get", "had", "has", "have", "hello", "hi", "how", "i",
    "if", "in", "into", "is", "isn", "it", "its", "just", "me", "my", "no", "of", "on", "or", "our", "please",
    "should", "so", "some", "thanks", "that", "the", "their", "them", "then", "there", "they", "this", "to", "us",
    "wants", "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "won", "would",
    "you", "your", "s", "t", "m", "ve", "d", "ll", "re"
])  # fmt: skip


def searched_words(query: str) -> list[str]:
    """The different words of a query that carry content, at most 64, in order."""
    words = re.findall(r"[^\W_]+", query.lower())
    return [word for word in dict.fromkeys(words) if word not in STOP_WORDS][:MOST_WORDS]


def search_words(
    read: Callable[[str, Sequence[object]], list[tuple[Any, ...]]], scope: str, query: str, top_k: int
) -> list[tuple[str, float]]:
    """Ids of passages with any of the words, by BM25 (positive, larger is better); ties by id.

    `read` runs one SQL query on the catalog, `scope` is the table with the passages that count. Each word is quoted,
    so nothing a customer types is FTS5 syntax.
    """
    words = _telling(read, searched_words(query))
    if not words or top_k < 1:
        return []
    values = (" OR ".join(f'"{word}"' for word in words), top_k)
    return [(row[0], float(row[1])) for row in read(RANKED.format(scope=scope), values)]


def _telling(read: Callable[..., list[tuple[Any, ...]]], words: list[str]) -> list[str]:
    """The words without the frequent ones, where there are many passages and a rarer word stands in some."""
    passages = read("SELECT max(number) FROM passages")[0][0] or 0
    if passages < MANY_PASSAGES:
        return words
    counted = "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH ?"
    counts = {word: read(counted, [f'"{word}"'])[0][0] for word in words}
    rare = [word for word in words if counts[word] <= FREQUENT * passages]
    return rare if any(counts[word] for word in rare) else words
