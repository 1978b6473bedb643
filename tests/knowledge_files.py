"""Small documents of every format, made by hand, and an index over the shipped fakes."""

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from xml.sax.saxutils import escape

from openpyxl import Workbook
from pptx import Presentation

from knowledge.audiences import CUSTOMER
from knowledge.catalog import Catalog
from knowledge.embedder import Embedder, HashEmbedder
from knowledge.indexing import DocumentIndex
from knowledge.retriever import Retriever
from knowledge.store import FakeVectorStore, VectorIndex

__all__ = [
    "BAD",
    "ENCRYPTED_DOCX",
    "ENCRYPTED_PDF",
    "FILES",
    "RETURNS",
    "agree",
    "bomb",
    "checked_index",
    "docx",
    "eml",
    "make_index",
    "parts_of",
    "pdf",
    "pptx",
    "search",
    "statuses",
    "vector_ids",
    "with_parts",
    "write",
    "xlsx",
    "zipped",
]  # fmt: skip

# One blank page with the user password "secret", by pypdf 5 with RC4-40, zlib and base64 around it.
ENCRYPTED_PDF = zlib.decompress(base64.b64decode(
    "eNqNUstuFDEQvPsr+rJH4rfHlkZ7IMlKCFBWk8AF5eBHe1m0molmvVLCT3LgD+BH8AwQRiwHLFuyqquq291eba82L/iFJKtv3798"
    "JRwYDOETaVtCt+OQThFHaJ0MWWTrUa3Jek2wTxNHLLh3Tw8IdOt3eCT0cjj1BTihr/fpCB9AVWIH9wupPJNe+uIPw4789IDJu1sI"
    "1D9zEdrhcTiNsSpqpNLpW0x7/3J4rGnZBZtPI6Z9P1mPWAv721svvN9PZXcgCH2D/a58BMWqDpRwyplGuBrY7A+lNoXeFt8nPyZC"
    "b6BF7W0SxjYhucRizk6Z0PioddacWZ5iZolzo7WKKuQYmNeolMnGoVfW18rfQRuljxatC1YIpjFlHjDazAQay63LnkUpZJYhBZ6N"
    "ETIoYYTW6GtWy9lyOo8jZsLAEPa8oKaXGjI8Y7y+fY70fzDtzjDO7TlmmjNMLLVl9PsDjnNbb/efsZZCu2EoIOf+01d9HoD/ul/V"
    "ebVCGhUMai5sdtJmxZn2WTVRGMxGu/X/UOqcr/s4Pj0U0L8HfSx+LHNDVFN/+ur6ZkN+AHI4w2k="
))  # fmt: skip
# Office puts an encrypted file into an OLE container, which begins like this.
ENCRYPTED_DOCX = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)


def docx(*paragraphs: str | Sequence[Sequence[str]]) -> bytes:
    """A Word file: "# text" becomes a heading, other text a paragraph, a list of rows a table."""
    body = "".join(map(_word_block, paragraphs))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
    return packed.getvalue()


def pdf(*pages: str, title: str = "") -> bytes:
    """A PDF with a page for each text, in Helvetica, one line of it below the other."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, page in enumerate(pages):
        lines = "".join(f"({line}) Tj T* " for line in page.split("\n"))
        content = f"BT /F1 12 Tf 14 TL 50 700 Td {lines}ET"
        objects += [
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * number} 0 R >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    objects.append(f"<< /Title ({title}) >>")
    return _pdf_file(objects)


def pptx(*slides: tuple[str, Sequence[str | Sequence[Sequence[str]]], str]) -> bytes:
    """A PowerPoint file: title, list items or tables, and notes of each slide; "" for none of them."""
    show = Presentation()
    for title, contents, notes in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(text for text in contents if isinstance(text, str))
        for rows in (block for block in contents if not isinstance(block, str)):
            table = slide.shapes.add_table(len(rows), len(rows[0]), 0, 6_000_000, 900_000, 900_000).table
            for y, row in enumerate(rows):
                for x, text in enumerate(row):
                    table.cell(y, x).text = text
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    packed = io.BytesIO()
    show.save(packed)
    return packed.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: Collection[str] = ()) -> bytes:
    """An Excel workbook of the rows of each sheet."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def eml(text: str, subject: str = "", html: str = "", attached: Sequence[str] = ()) -> bytes:
    """A mail from Ann: plain text, or HTML, or both, and attachments of those names."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ann Lee <ann@example.com>", "desk@example.com"
    mail["Date"] = "Mon, 02 Mar 2026 10:15:00 +0100"
    if subject:
        mail["Subject"] = subject
    if text:
        mail.set_content(text)
    if html:
        (mail.add_alternative if text else mail.set_content)(html, subtype="html")
    for name in attached:
        mail.add_attachment(b"not read", maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A ZIP of the members, by path."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(path, data)
    return packed.getvalue()


def parts_of(data: bytes) -> dict[str, bytes]:
    """The members of a ZIP or the parts of an Office file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_parts(data: bytes, changes: Mapping[str, bytes]) -> bytes:
    """An Office file with some parts changed or added."""
    return zipped({**parts_of(data), **changes})


def bomb(data: bytes, part: str, mebibytes: int) -> bytes:
    """The ZIP or Office file with a part of so many spaces, whose headers both say that it has 100 bytes."""
    packed = bytearray(with_parts(data, {part: b" " * (mebibytes * 2**20)}))
    for mark, size, name in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        at = packed.find(mark)
        while at >= 0:
            if packed[at + name : at + name + len(part)] == part.encode():
                struct.pack_into("<I", packed, at + size, 100)
            at = packed.find(mark, at + 4)
    return bytes(packed)


def make_index(
    home: Path,
    vectors: VectorIndex | None = None,
    clock: Callable[[], datetime] | None = None,
    embedder: Embedder | None = None,
) -> DocumentIndex:
    """An index over `home` with the fake embedder, the fake vectors and the time of day unless others are given."""
    catalog = Catalog(home / "catalog.db")
    vectors = FakeVectorStore() if vectors is None else vectors
    clock = clock or (lambda: datetime.now(UTC))
    return DocumentIndex(catalog, vectors, embedder or HashEmbedder(), home / "originals", clock)


def search(
    index: DocumentIndex,
    query: str,
    top_k: int = 5,
    as_of: datetime | None = None,
    audiences: frozenset[str] = CUSTOMER,
) -> list[str]:
    """Texts of the passages that a question finds."""
    retriever = Retriever(index.catalog, index.vectors, index.embedder, index.clock)
    return [passage.chunk.text for passage in retriever.retrieve(query, top_k, as_of, audiences)]


def vector_ids(index: DocumentIndex) -> set[str]:
    """The passages that have a vector, in whatever part."""
    return {name for names in index.vectors.ids().values() for name in names}


def agree(index: DocumentIndex) -> bool:
    """Whether catalog, word index and vectors know the same passages, each of them in the stored text."""
    return index.verify() == []


def _word_block(block: str | Sequence[Sequence[str]]) -> str:
    if not isinstance(block, str):
        rows = "".join(f"<w:tr>{''.join(f'<w:tc>{_word_block(cell)}</w:tc>' for cell in row)}</w:tr>" for row in block)
        return f"<w:tbl>{rows}</w:tbl>"
    style = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' if block.startswith("# ") else ""
    return f"<w:p>{style}<w:r><w:t>{escape(block.removeprefix('# '))}</w:t></w:r></w:p>"


def _pdf_file(objects: Sequence[str]) -> bytes:
    """Numbered objects, the last of which is the information dictionary, with their table of places."""
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    return (
        data
        + (
            f"xref\n0 {size}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {size} /Root 1 0 R /Info {size - 1} 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
        ).encode()
    )


# A file of every format, with the title that it shall get and a sentence that it holds.
FILES = {
    "returns.md": (b"# Returns\n\nYou have 45 days.\n", "Returns", "You have 45 days."),
    "notes.markdown": (b"Ask at the desk.\n", "Notes", "Ask at the desk."),
    "opening-hours.txt": (b"We open at nine.\r\nWe close at six.\r\n", "Opening hours", "We open at nine."),
    "help.html": (
        b"<html><head><title>Help &amp; advice</title></head><body><p>Call us at noon.</p></body></html>",
        "Help & advice", "Call us at noon.",
    ),
    "page.htm": (b"<h1>Gift cards</h1><p>They never expire.</p>", "Gift cards", "They never expire."),
    "guide.pdf": (pdf("Trade orders start at 250 dollars.", title="Trade guide"), "Trade guide", "Trade orders start"),
    "club.docx": (docx("# Filter Club", "A box comes every month."), "Filter Club", "A box comes every month."),
    "tour.pptx": (
        pptx(("Shop tour", ["Start at the door."], "Greet them."), ("Coffee bar", ["Tasting at ten."], "")),
        "Shop tour", "Tasting at ten.",
    ),
    "stock.xlsx": (
        xlsx({"Shop": [["Product", "Price"], ["Kettle", 39.0]], "Costs": [["Kettle", 12]]}, hidden=["Costs"]),
        "Stock", "Product: Kettle; Price: 39",
    ),
    "reply.eml": (eml("We can bend the rule.\n", "Late returns"), "Late returns", "We can bend the rule."),
    "price_list.csv": (b"Product,Price\nKettle,$39\nGrinder,$89\n", "Price list", "Product: Kettle; Price: $39"),
}  # fmt: skip
# Files that are refused, each for another reason.
BAD = {
    "damaged.pdf": b"%PDF-1.4 and then nothing",
    "empty.md": b"",
    "encrypted.docx": ENCRYPTED_DOCX,
    "encrypted.pdf": ENCRYPTED_PDF,
    "movie.mp4": b"moving pictures",
    "redirect.md": b"---\nredirect_to: /elsewhere/\n---\n",
    "scan.pdf": pdf(""),
    "wrong.docx": b"<p>no docx</p>",
    "wrong.txt": docx("A letter."),
}

RETURNS = "# Returns\n\n## Time\n\nYou have 45 days.\n\n## Cost\n\nReturning is free.\n"


@contextmanager
def checked_index(home, **others):
    """An index whose catalog, vectors and word index still agree when the test is over; see `make_index`."""
    index = make_index(home, **others)
    yield index
    assert agree(index)
    index.close()


def write(folder, source, content=RETURNS):
    """A file in a folder or one of its subfolders; returns its path."""
    path = folder / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def statuses(results):
    """What became of each file, by its source."""
    return {result.source: result.status for result in results}
