"""PPTX -> Markdown: a section for each slide, with its title, texts, tables and the speaker's notes."""

import io
from collections.abc import Iterator
from typing import Any

from knowledge.checks import open_package, pack
from knowledge.converted import Converted, join_texts
from knowledge.errors import EmptyDocument, OversizedDocument

__all__ = ["MAX_SLIDES", "from_pptx"]

MAX_SLIDES = 1_000


def from_pptx(name: str, data: bytes) -> Converted:
    """The slides that are shown; the title is that of the first one.

    Raises:
        OversizedDocument: it has more than `MAX_SLIDES` slides.
        EmptyDocument: it has none that is shown.
        ConversionError: it holds what could do harm, see `open_package`.
    """
    from pptx import Presentation

    slides = Presentation(io.BytesIO(pack(open_package(name, data)))).slides
    if len(slides) > MAX_SLIDES:
        raise OversizedDocument(
            f"'{name}' has {len(slides):,} slides, the limit is {MAX_SLIDES:,}: split it and add the parts."
        )
    shown = [
        (number, slide) for number, slide in enumerate(slides, 1) if slide.element.get("show") not in ("0", "false")
    ]
    if not shown:
        raise EmptyDocument(f"'{name}' has no slide that is shown: add slides, or show those that are hidden.")
    title = _one_line(shown[0][1].shapes.title.text) if shown[0][1].shapes.title is not None else ""
    return Converted(join_texts(name, _sections(shown)), title, _warning(len(slides) - len(shown)))


def _warning(hidden: int) -> str:
    if not hidden:
        return ""
    what, them = (
        ("slide was", "it in the file if it is") if hidden == 1 else ("slides were", "them in the file if they are")
    )
    return f"{hidden} hidden {what} left out: show {them} meant to be read."


def _sections(slides: list[tuple[int, Any]]) -> Iterator[str]:
    for number, slide in slides:
        title = slide.shapes.title
        heading = (_one_line(title.text) if title is not None else "") or f"Slide {number}"
        yield f"<!-- page {number} -->\n\n## {heading}"
        yield from _texts(shape for shape in slide.shapes if shape != title)
        notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if notes is not None and notes.text.strip():
            yield "### Speaker notes"
            yield from (line for paragraph in notes.paragraphs if (line := _one_line(paragraph.text)))


def _texts(shapes: Any) -> Iterator[str]:  # noqa: ANN401 - shapes of python-pptx, which has no types
    """What the shapes say, from top to bottom."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif shape.has_text_frame:
            yield from _paragraphs(shape)
        elif getattr(shape, "has_table", False):
            yield _table([[_one_line(cell.text) for cell in row.cells] for row in shape.table.rows])


def _paragraphs(shape: Any) -> Iterator[str]:  # noqa: ANN401
    """Several paragraphs of a placeholder are a list, as the layouts show them; in a text box they are not."""
    found = [
        (paragraph.level, line) for paragraph in shape.text_frame.paragraphs if (line := _one_line(paragraph.text))
    ]
    if shape.is_placeholder and len(found) > 1:
        yield "\n".join(f"{'  ' * level}- {line}" for level, line in found)
    else:
        yield from (line for _, line in found)


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    rule = f"|{' --- |' * len(rows[0])}" if rows else ""
    return "\n".join([*lines[:1], rule, *lines[1:]])


def _one_line(text: str) -> str:
    return " ".join(text.split())
