"""HTML and Word files -> Markdown, by markitdown."""

import html
import io
import re

from knowledge.blocks import first_title
from knowledge.checks import open_package, pack
from knowledge.converted import Converted, unix_lines
from knowledge.tables import name_columns

__all__ = ["from_docx", "from_html", "html_to_markdown"]

DATA_IMAGE = re.compile(r"!\[[^\[\]]*\]\(data:[^()]*\)")


def from_html(text: str) -> Converted:
    """A page; its title is its first heading, else the one in its head."""
    title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
    markdown = html_to_markdown(text)
    return Converted(markdown, first_title(markdown) or (" ".join(html.unescape(title[1]).split()) if title else ""))


def html_to_markdown(text: str) -> str:
    """The Markdown of a page or a part of one."""
    return _markitdown(text.encode("utf-8", "replace"), ".html")


def from_docx(name: str, data: bytes) -> Converted:
    """A Word file; what it links to outside of itself is never fetched."""
    markdown = _markitdown(pack(open_package(name, data)), ".docx")
    return Converted(markdown, first_title(markdown))


def _markitdown(data: bytes, suffix: str) -> str:
    from markitdown import MarkItDown, StreamInfo

    converter = MarkItDown(enable_plugins=False)
    result = converter.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=suffix, charset="utf-8"))
    return name_columns(DATA_IMAGE.sub("", unix_lines(str(result.markdown))))
