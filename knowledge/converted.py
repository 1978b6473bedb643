"""What every format becomes: Markdown with a title, and what a person should know about it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from knowledge.errors import OversizedDocument

__all__ = ["COMMENT", "MAX_TEXT", "Convert", "Converted", "has_text", "join_texts", "named_after", "unix_lines"]

MAX_TEXT = 60_000_000  # characters; a list of rows names its columns in each, so it is longer than its file
COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)


@dataclass(frozen=True)
class Converted:
    """What the catalog stores: Markdown and a title; `warning` says what was not read, "" if nothing."""

    markdown: str
    title: str
    warning: str = ""


Convert = Callable[[str, bytes], Converted]


def join_texts(name: str, texts: Iterable[str], between: str = "\n\n") -> str:
    """All texts in one; they are counted as they come, for a small file may name one text many times.

    Raises:
        OversizedDocument: they have more than `MAX_TEXT` characters.
    """
    found: list[str] = []
    length = 0
    for text in texts:
        length += len(text) + len(between)
        if length > MAX_TEXT:
            raise OversizedDocument(
                f"'{name}' holds more than {MAX_TEXT // 10**6} million characters of text: split it and add the parts."
            )
        found.append(text)
    return between.join(found)


def has_text(markdown: str) -> bool:
    """Whether a letter or digit is left without the comments."""
    return re.search(r"[^\W_]", COMMENT.sub("", markdown)) is not None


def named_after(name: str) -> str:
    """A title made of the file's name."""
    words = re.sub(r"[-_]+", " ", PurePosixPath(name).stem).strip()
    return words[:1].upper() + words[1:] if words else name


def unix_lines(text: str) -> str:
    """The text with one kind of line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
