"""Files that are not what their name says, or hold what could do harm: each is refused in one sentence."""

import io
import socket
import threading
import zipfile

import pytest

from knowledge.converters import convert
from knowledge.errors import DamagedDocument, EncryptedDocument, OversizedDocument, UnsupportedFormat
from tests.knowledge_files import FILES, bomb, docx, eml, parts_of, pdf, pptx, with_parts, xlsx, zipped

CFB = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(1, 200))
WORD, SHOW, BOOK = docx("Text."), FILES["tour.pptx"][0], FILES["stock.xlsx"][0]
OFFICE = {"a.docx": (WORD, "word/document.xml"), "a.pptx": (SHOW, "ppt/presentation.xml"),
          "a.xlsx": (BOOK, "xl/worksheets/sheet1.xml")}  # fmt: skip


def old(stream):
    """The beginning of an old Office file with a stream of that name."""
    return CFB + stream.encode("utf-16-le")


def typed(kind):
    """A ZIP that begins with its media type, as OpenDocument files and e-books do."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mimetype", f"application/{kind}")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.docx", pdf("Text."), "'a.docx' is a PDF by its content: rename it to .pdf."),
        ("a.txt", pdf("Text."), "'a.txt' is a PDF by its content: rename it to .pdf."),
        ("a.pdf", WORD, "'a.pdf' is a Word file by its content: rename it to .docx."),
        ("a.md", SHOW, "'a.md' is a PowerPoint file by its content: rename it to .pptx."),
        ("a.docx", BOOK, "'a.docx' is an Excel workbook by its content: rename it to .xlsx."),
        ("a.docx", zipped({"a.md": b"x"}), "'a.docx' is a ZIP by its content: rename it to .zip."),
        ("a.csv", zipped({}), "'a.csv' is a ZIP by its content: rename it to .zip."),
        ("a.pdf", PNG, "'a.pdf' is a PNG picture by its content: add a document with text in its place."),
        ("a.html", b"\xff\xd8\xff\xe0", "'a.html' is a JPEG picture by its content: add a document with text"),
        ("a.eml", FILES["help.html"][0], "'a.eml' is an HTML page by its content: rename it to .html."),
        ("a.xlsx", b"\n<!DOCTYPE html><p>Log in", "'a.xlsx' is an HTML page by its content: rename it to .html."),
        ("a.docx", b"{\\rtf1 Text.}", "'a.docx' is an RTF document by its content: open it and save it as .docx."),
        ("a.docx", old("WordDocument"), "'a.docx' is an old Word file (.doc) by its content: open it and save it"),
        ("a.xlsx", old("Workbook"), "'a.xlsx' is an old Excel workbook (.xls) by its content: open it and save it"),
        ("a.eml", old("__substg1.0_0037"), "'a.eml' is an Outlook message (.msg) by its content: open it and save"),
        ("a.pdf", CFB, "'a.pdf' is an Office file with a password by its content: save a copy without one"),
        ("a.txt", b"\x1f\x8b\x08", "'a.txt' is a gzip file by its content: unpack it, and add the files"),
        ("a.docx", typed("vnd.oasis.opendocument.text"), "'a.docx' is an OpenDocument file by its content: open it"),
        ("a.pdf", typed("epub+zip"), "'a.pdf' is an e-book (.epub) by its content: open it and save it as .docx"),
    ],
)  # fmt: skip
def test_a_wrong_ending_is_named_with_the_right_one(name, data, sentence):
    """Whoever renamed the file can name it back."""
    with pytest.raises(DamagedDocument) as refusal:
        convert(name, data)

    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.htm"])
def test_html_in_a_text_is_no_lie(name):
    """Markdown may begin with it, and a text may quote it."""
    assert "Text." in convert(name, b"<html><p>Text.</p></html>").markdown


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.doc", "'a.doc' is an old Word file: save it as .docx and add that."),
        ("a.XLS", "'a.XLS' is an old Excel workbook: save it as .xlsx and add that."),
        ("a.ppt", "'a.ppt' is an old PowerPoint file: save it as .pptx and add that."),
        ("a.docm", "'a.docm' is a Word file that may hold macros: save it as .docx and add that."),
        ("a.xlsm", "'a.xlsm' is an Excel workbook that may hold macros: save it as .xlsx and add that."),
        ("a.pptm", "'a.pptm' is a PowerPoint file that may hold macros: save it as .pptx and add that."),
        ("a.msg", "'a.msg' is an Outlook message: save it as .eml and add that."),
        ("a.tar.gz", "'a.tar.gz' is a packed file: pack it as .zip and add that."),
    ],
)
def test_a_format_close_to_ours_is_told_what_to_become(name, sentence):
    """By its name alone."""
    with pytest.raises(UnsupportedFormat) as refusal:
        convert(name, b"anything")

    assert str(refusal.value) == sentence


@pytest.mark.parametrize("name", OFFICE)
def test_macros_are_refused_whatever_the_file_is_called(name):
    """They would not be run here, but the next person who opens the original would run them."""
    data, part = OFFICE[name]
    folder = part.split("/")[0]
    types = parts_of(data)["[Content_Types].xml"]
    marked = types.replace(b"</Types>", b'<Default Extension="x" ContentType="application/x.macroEnabled"/></Types>')

    for changes in ({f"{folder}/vbaProject.bin": b"\0"}, {"[Content_Types].xml": marked}):
        with pytest.raises(UnsupportedFormat, match=rf"'{name}' (holds|is marked as one with) macros.*: save a copy"):
            convert(name, with_parts(data, changes))


@pytest.mark.parametrize("name", OFFICE)
@pytest.mark.parametrize(
    "dtd",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><x/>'.encode("utf-16"),
    ],
)
def test_a_dtd_in_any_part_is_refused(name, dtd):
    """It can name files of this computer, or swell to gigabytes; no Office program writes one."""
    for part in (OFFICE[name][1], "docProps/custom.xml", "_rels/.rels"):
        with pytest.raises(DamagedDocument, match=rf"'{name}' has a part with a DTD \({part}\)"):
            convert(name, with_parts(OFFICE[name][0], {part: dtd}))


@pytest.mark.parametrize(
    "content",
    [
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-<x/>',
        b'<?xml version="1.0" ' + b" " * 999 + b"encoding = 'cp037'?><x/>",
        "<!DOCTYPE x><x/>".encode("utf-16-le"),
        "<!DOCTYPE x><x/>".encode("utf-32"),
        b"\x4c\x6f\xa7\x94\x93",
    ],
)
def test_an_encoding_that_could_hide_a_dtd_is_refused(content):
    """A search for its letters finds nothing in these."""
    with pytest.raises(DamagedDocument, match=r"unusual encoding|with a DTD|cannot be read"):
        convert("a.docx", with_parts(WORD, {"word/document.xml": content}))


def test_utf16_without_harm_is_read():
    """The format allows it."""
    part = '<?xml version="1.0" encoding="UTF-16"?>' + parts_of(WORD)["word/document.xml"].decode()

    assert convert("a.docx", with_parts(WORD, {"word/document.xml": part.encode("utf-16")})).markdown == "Text."


@pytest.mark.parametrize("name", OFFICE)
@pytest.mark.parametrize("part", ["", "media/picture.png"])
def test_a_bomb_is_refused_whatever_its_header_says(name, part):
    """In the text or in a picture; its headers claim 100 bytes."""
    data, main = OFFICE[name]
    data = bomb(data, part or main, 70)

    with pytest.raises(OversizedDocument, match=rf"'{name}' has 0.1 MiB and unpacks to more than \d\d MiB: split it"):
        convert(name, data)


def test_what_unpacks_to_little_is_no_bomb_however_well_it_packs():
    """A long list of equal rows does."""
    data = with_parts(WORD, {"word/media/picture.bmp": bytes(9 * 2**20)})

    assert len(data) < 2**14 and convert("a.docx", data).markdown == "Text."


def test_a_part_with_a_password_or_a_wrong_checksum_is_refused():
    """By the sentence for the file."""
    part = b"word/document.xml"
    locked, broken = bytearray(WORD), bytearray(WORD)
    at = WORD.rindex(part) - 46
    locked[at + 8] |= 1
    broken[at + 16] ^= 1

    with pytest.raises(EncryptedDocument, match="wants a password"):
        convert("a.docx", bytes(locked))
    with pytest.raises(DamagedDocument, match=r"'a.docx' is damaged \(wrong checksum\)"):
        convert("a.docx", bytes(broken))


def test_pictures_are_left_out_of_what_the_libraries_see():
    """A file with one is read all the same."""
    assert convert("a.docx", docx_with_picture('r:embed="p1"', "media/a.png", "Internal")).markdown.strip() == "Text."


def docx_with_picture(reference, target, mode):
    """A Word file with a picture and a template, both found at `target`."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    drawing = "http://schemas.openxmlformats.org/drawingml/2006"
    picture = (
        f'<w:p><w:r><w:drawing><wp:inline xmlns:wp="{drawing}/wordprocessingDrawing">'
        f'<a:graphic xmlns:a="{drawing}/main"><a:graphicData>'
        f'<pic:pic xmlns:pic="{drawing}/picture"><pic:blipFill><a:blip xmlns:r="{office}" {reference}/>'
        "</pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p></w:body>"
    )
    relations = "".join(
        f'<Relationship Id="{number}" Type="{office}/{kind}" Target="{target}" TargetMode="{mode}"/>'
        for number, kind in (("p1", "image"), ("p2", "attachedTemplate"), ("p3", "aFChunk"))
    )
    return with_parts(
        WORD,
        {
            "word/document.xml": parts_of(WORD)["word/document.xml"].replace(b"</w:body>", picture.encode()),
            "word/_rels/document.xml.rels": (
                f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}'
                "</Relationships>"
            ).encode(),
            "word/media/a.png": PNG,
        },
    )


def with_relation(data, part, kind, target):
    """The Office file with a relation from a part to a place outside of it."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relation = f'<Relationship Id="x9" Type="{office}/{kind}" Target="{target}" TargetMode="External"/></Relationships>'
    return with_parts(data, {part: parts_of(data)[part].replace(b"</Relationships>", relation.encode())})


def test_nothing_outside_of_a_file_is_ever_fetched(tmp_path):
    """Templates, pictures, links and style sheets of other computers, or of files of this one, stay unread."""
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    calls, done = [], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = threading.Thread(target=_listen, args=(server, calls, done))
        listener.start()
        for target in (f"http://127.0.0.1:{server.getsockname()[1]}/a.png", secret.as_uri(), str(secret)):
            page = f'<link rel="stylesheet" href="{target}"><img src="{target}"><iframe src="{target}"></iframe>Text.'
            found = [
                convert("a.docx", docx_with_picture('r:link="p1"', target, "External")),
                convert("a.pptx", with_relation(SHOW, "ppt/slides/_rels/slide1.xml.rels", "image", target)),
                convert("a.xlsx", with_relation(BOOK, "xl/_rels/workbook.xml.rels", "externalLink", target)),
                convert("a.html", page.encode()),
                convert("a.eml", eml("", "Hi", html=page)),
            ]
            assert not any("SECRET" in converted.markdown for converted in found)
        done.set()
        listener.join()

    assert not calls


def _listen(server, calls, done):
    """Keep the address of whoever calls, and hang up."""
    server.settimeout(0.1)
    while not done.is_set():
        try:
            connection, address = server.accept()
        except TimeoutError:
            continue
        connection.close()
        calls.append(address)


def test_files_of_all_formats_pass():
    """Nothing here is in the way of what Office programs write."""
    for name in FILES:
        assert convert(name, FILES[name][0]).markdown
    assert convert("a.pptx", pptx(("T", ["x"], ""))).markdown and convert("a.xlsx", xlsx({"S": [["x"]]})).markdown
