"""Files -> Markdown and a title, and the sentence that refuses what cannot be read."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.archives import MAX_PACKED
from knowledge.converters import FORMATS, MAX_BYTES, check_file, convert
from knowledge.errors import (
    ConversionError,
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    OversizedDocument,
    UnsupportedFormat,
)
from tests.knowledge_files import (
    ENCRYPTED_DOCX,
    ENCRYPTED_PDF,
    FILES,
    docx,
    eml,
    parts_of,
    pdf,
    pptx,
    with_parts,
    xlsx,
    zipped,
)

SECRET_MAIL = b"From: ann@example.com\r\nContent-Type: application/pkcs7-mime\r\n\r\nAAAA"


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_its_text_and_a_title(name):
    """A title comes from the file's own heading or properties, else from its name."""
    data, title, sentence = FILES[name]

    converted = convert(name, data)

    assert converted.title == title
    assert sentence in converted.markdown


def test_every_format_has_an_example_here():
    """So that a format added later is tried as well."""
    assert {Path(name).suffix for name in FILES} == set(FORMATS)


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.md", '---\ntitle: "Sick leave"\n---\n# Other\n\nText.', "Sick leave"),
        ("a.md", "---\ntitle:\nlayout: page\n---\n# From the heading\n\nText.", "From the heading"),
        ("a.md", "---\ntitle: >\n  folded\n---\nText.", "A"),
        ("a.md", "# [Returns](x.md) **policy** {#returns}\n\nText.", "Returns policy"),
        ("a.md", "Returns policy\n==============\n\nText.", "Returns policy"),
        ("a.md", "```\n# install it\n```\n\n# Setup\n\nText.", "Setup"),
        ("a.md", "#\n\nText that is no title.", "A"),
        ("sub/our-gift_cards.md", "## Only a second level\n\nText.", "Our gift cards"),
        ("a.html", "<title>\n A  &lt;B&gt;\n</title><p>Text.</p>", "A <B>"),
        ("a.html", "<title>Page</title><h1>Heading</h1><p>Text.</p>", "Heading"),
        ("a.txt", "# Heading\n\nText.", "Heading"),
        ("stock-list.csv", "a,b\n1,2\n", "Stock list"),
    ],
)
def test_a_title_is_found_where_a_person_would_look(name, text, title):
    """Front matter, first-level heading outside of code, HTML title, file name, in this order."""
    assert convert(name, text.encode()).title == title


@pytest.mark.parametrize("junk", ["", "untitled", "Document1", "scan_0001.pdf", "Microsoft Word - letter.docx"])
def test_a_pdf_title_that_says_nothing_gives_way_to_the_file_name(junk):
    """Many programs write a file name where the title belongs."""
    assert convert("trade-guide.pdf", pdf("Some text.", title=junk)).title == "Trade guide"


def test_a_useful_pdf_title_loses_only_the_program_that_wrote_it():
    """Word puts its own name in front."""
    assert convert("a.pdf", pdf("Some text.", title="Microsoft Word - Trade guide")).title == "Trade guide"


def test_front_matter_goes_and_a_rule_on_top_stays():
    """Only lines of keys are front matter; a text between two rules is text."""
    assert convert("a.md", b"---\ntags: [a, b]\nlayout: x\n---\nText.\n").markdown == "Text.\n"
    assert "Notice to all." in convert("a.md", b"---\nNotice to all.\n---\nText.\n").markdown


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    ("name", "text"), [("a.md", "Füße – 5 €"), ("a.txt", "Füße – 5 €"), ("a.html", "<p>Füße – 5 €")]
)
def test_the_usual_encodings_are_understood(name, text, encoding):
    """Windows files are as common as UTF-8."""
    assert convert(name, text.encode(encoding)).markdown == "Füße – 5 €"


def test_line_ends_of_all_systems_become_one():
    """Offsets count the characters of the stored text."""
    assert convert("a.txt", b"one\r\ntwo\rthree\n").markdown == "one\ntwo\nthree\n"


def test_pages_of_a_pdf_are_marked():
    """The marks let a citation name the page."""
    markdown = convert("a.pdf", pdf("First text.", "Second text.")).markdown

    assert markdown == "<!-- page 1 -->\n\nFirst text.\n\n<!-- page 2 -->\n\nSecond text."


def test_a_wrapped_line_of_a_pdf_is_joined_to_the_one_before():
    """A step that runs over two lines stays one step."""
    lines = "To open an account:\n1. Fill in the form with your company name and\naddress.\n2. Wait for our email."
    markdown = convert("a.pdf", pdf(lines)).markdown

    assert "1. Fill in the form with your company name and address.\n2. Wait for our email." in markdown


def test_a_short_line_over_a_long_one_is_a_heading_in_a_pdf():
    """A PDF has no other sign of a heading."""
    markdown = convert("a.pdf", pdf("Opening hours\nWe are open from Monday to Saturday until six.")).markdown

    assert "\n## Opening hours\n" in markdown


@pytest.mark.parametrize(
    ("pages", "warning"),
    [
        (["Text.", "Text."], ""),
        (
            ["Text.", ""],
            "Page 2 has no text: if it is a scan, run OCR on it, e.g. with ocrmypdf, or add a text export.",
        ),
        (["Text.", "", ""], "Pages 2, 3 have no text: if they are scans, run OCR"),
        (["", "", "", "Text.", ""], "Pages 1-3, 5 have no text: "),
        (["", "Text."] * 20, "Pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, and others, 20 in all have no text: "),
    ],
)
def test_pages_without_text_are_named_in_a_warning(pages, warning):
    """A scan between other pages would be missed by nobody else."""
    found = convert("a.pdf", pdf(*pages)).warning

    assert found.startswith(warning) and bool(found) == bool(warning)


def test_a_word_table_names_its_columns():
    """Word rarely marks the header row; two columns are more often names and values."""
    rows = [["Box", "Inside", "Price"], ["Small", "Filter", "$11"], ["Large", "Two filters", "$20"]]

    three, two = convert("a.docx", docx(rows)).markdown, convert("a.docx", docx([row[:2] for row in rows])).markdown

    assert three.startswith("| Box | Inside | Price |\n| --- | --- | --- |\n| Small |")
    assert two.startswith("|  |  |\n| --- | --- |\n| Box | Inside |")


def test_scripts_and_pictures_leave_no_text():
    """What a reader of the page does not see is not quoted."""
    page = b'<p>Seen.</p><script>alert("no")</script><style>p{}</style><img src="data:image/png;base64,AAAA" alt="x">'

    assert convert("a.html", page).markdown.strip() == "Seen."


def test_characters_that_no_store_can_hold_are_dropped():
    """NUL ends a string in SQLite, and half a surrogate pair cannot be written at all."""
    assert convert("a.html", b"<p>a&#xD800;b&#0;c\x07d</p>").markdown.replace("\ufffd", "") == "abcd"
    assert convert("a.txt", b"x" * 5000 + b"\0y").markdown == "x" * 5000 + "y"


@pytest.mark.parametrize(
    ("name", "data", "kind", "words"),
    [
        ("a.md", b"", EmptyDocument, "is empty"),
        ("a.pdf", b" \n ", EmptyDocument, "is empty"),
        ("a.md", b"---\nredirect_to: /b/\n---\n", EmptyDocument, "beside its markup"),
        ("a.md", b"<!-- nothing\nto see -->\n", EmptyDocument, "beside its markup"),
        ("a.html", b"<html><body></body></html>", EmptyDocument, "beside its markup"),
        ("a.docx", docx(""), EmptyDocument, "beside its markup"),
        ("a.pdf", pdf(""), EmptyDocument, "no text on its page 1 (a scan, perhaps): run OCR on it, e.g. with ocrmypdf"),
        ("a.pdf", pdf("", "", ""), EmptyDocument, "no text on its pages 1-3"),
        ("a.pptx", pptx(), EmptyDocument, "no slide that is shown"),
        ("a.xlsx", xlsx({"Empty": []}), EmptyDocument, "no sheet with anything to see"),
        ("a.eml", eml("", "Files", attached=["a.pdf"]), EmptyDocument, "no text of its own"),
        ("a.csv", b"Product,Price\n", EmptyDocument, "no rows under its header"),
        ("a.csv", b",,\n;;\n", EmptyDocument, "no rows under its header"),
        ("a.pdf", ENCRYPTED_PDF, EncryptedDocument, "wants a password"),
        ("a.docx", ENCRYPTED_DOCX, EncryptedDocument, "wants a password"),
        ("a.pptx", ENCRYPTED_DOCX, EncryptedDocument, "wants a password"),
        ("a.xlsx", ENCRYPTED_DOCX, EncryptedDocument, "wants a password"),
        ("a.eml", SECRET_MAIL, EncryptedDocument, "is an encrypted mail"),
        ("a.exe", b"MZ", UnsupportedFormat, "use .csv, .docx, .eml,"),
        ("README", b"text", UnsupportedFormat, "use .csv, .docx, .eml,"),
        ("a.zip", zipped({"a.md": b"text"}), UnsupportedFormat, "each file in it becomes one"),
        ("a.pdf", b"no pdf at all", DamagedDocument, "save it again"),
        ("a.pdf", pdf("Text.")[:200], DamagedDocument, "save it again"),
        ("a.docx", docx("Text.")[:-60], DamagedDocument, "save it again"),
        ("a.pptx", pptx()[:-60], DamagedDocument, "save it again"),
        ("a.xlsx", xlsx({"A": [["x"]]})[:-60], DamagedDocument, "save it again"),
        ("a.docx", b"<p>HTML under a wrong name</p>", DamagedDocument, "save it again"),
        ("a.eml", b"Just a text.\n", DamagedDocument, "no header of a mail"),
        ("a.csv", b'a,b\n"' + b"x,y\n" * 40_000, DamagedDocument, "save it again"),
        ("a.html", b"plain words", DamagedDocument, "rename it to .txt"),
        ("a.txt", b"bin\0ary", DamagedDocument, "the ending that fits"),
        ("a.md", b"x" * (MAX_BYTES + 1), OversizedDocument, "20.0 MiB, the limit is 20"),
        ("a.pdf", pdf(*["Text."] * 2001), OversizedDocument, "has 2,001 pages, the limit is 2,000"),
    ],
)
def test_a_refusal_names_the_file_and_the_next_step(name, data, kind, words):
    """One sentence: what is wrong with which file, a colon, and what to do."""
    with pytest.raises(kind) as refusal:
        convert(name, data)

    sentence = str(refusal.value)
    assert words in sentence
    assert sentence.startswith(f"'{name}' ") and ": " in sentence and sentence.endswith(".")
    assert "\n" not in sentence


def test_a_text_that_grows_beyond_all_bounds_is_refused(monkeypatch):
    """A short row may repeat the long names of its columns a million times."""
    monkeypatch.setattr("knowledge.converted.MAX_TEXT", 10_000_000)
    header = ",".join(f"column {number} {'x' * 100}" for number in range(100))

    with pytest.raises(OversizedDocument, match="more than 10 million characters of text: split it"):
        convert("a.csv", (header + "\n" + ("1," * 100 + "\n") * 1000).encode())


def test_a_file_can_be_refused_by_name_and_size_alone():
    """A file of gigabytes is not read to find out that it is too large."""
    assert check_file("A.MD", 10) == ".md"
    with pytest.raises(OversizedDocument):
        check_file("a.md", MAX_BYTES + 1)
    with pytest.raises(UnsupportedFormat):
        check_file("a.mp4", 10)


def test_a_zip_may_be_larger_than_a_document():
    """It is checked with them before it is read, and unpacked elsewhere."""
    assert check_file("a.zip", MAX_PACKED) == ".zip"
    with pytest.raises(OversizedDocument, match="the limit is 100"):
        check_file("a.zip", MAX_PACKED + 2**20)


names = st.one_of(st.text(max_size=20), st.builds("{}{}".format, st.text(max_size=8), st.sampled_from(sorted(FORMATS))))
whole_files = st.sampled_from([data for data, _, _ in FILES.values()] + [ENCRYPTED_PDF])


@settings(deadline=None, max_examples=150)
@given(names, st.binary(max_size=300))
def test_arbitrary_bytes_are_converted_or_refused(name, data):
    """Nothing but text and ConversionError comes out, whatever goes in."""
    _convert_or_refuse(name, data)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=200))
def test_arbitrary_text_is_converted_or_refused(suffix, text):
    """Also where it is full of marks, as a table or a broken page."""
    _convert_or_refuse(f"a{suffix}", text.encode("utf-8", "replace"))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(list(FILES)), st.data())
def test_a_damaged_file_is_converted_or_refused(name, draw):
    """One that was cut short or has wrong bytes in it."""
    data = bytearray(FILES[name][0])
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw.draw(st.integers(0, 255))
    _convert_or_refuse(name, bytes(data[: draw.draw(st.integers(0, len(data)))]))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["club.docx", "tour.pptx", "stock.xlsx"]), st.data())
def test_a_damaged_part_of_an_office_file_is_converted_or_refused(name, draw):
    """In a ZIP that is intact, so that nothing stops it on the way to its parser."""
    parts = parts_of(FILES[name][0])
    part = draw.draw(st.sampled_from([part for part in parts if part.endswith((".xml", ".rels"))]))
    content = bytearray(parts[part])
    for place in draw.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = draw.draw(st.sampled_from(b'<>/"=&;:x09 \n\xff'))
    content = bytes(content[: draw.draw(st.integers(len(content) // 2, len(content)))])
    _convert_or_refuse(name, with_parts(FILES[name][0], {part: content}))


def _convert_or_refuse(name, data):
    try:
        converted = convert(name, data)
    except ConversionError:
        return
    assert converted.title
    assert any(letter.isalnum() for letter in converted.markdown)
    (converted.markdown + converted.title).encode()
    assert not {"\0", "\r"} & set(converted.markdown)


# Each took minutes to years for a megabyte in some earlier form of our own patterns.
NASTY = """
from knowledge.converters import convert
from knowledge.embedder import HashEmbedder
from knowledge.errors import ConversionError
from knowledge.splitter import split

many = 100_000
cases = {
    "comments.md": "x<!--" * many,
    "spaces.md": "# a" + " " * many + "b",
    "marks.md": "# " + "#" * many + "b",
    "rule.md": "| a |\\n|" + "-" * many + "x|\\n| b |",
    "brackets.md": "# a" + "[" * many + "\\n\\ntext",
    "anchors.md": "# a" + "{#" * many,
    "matter.md": "---\\n" + "a: b\\n" * many,
    "newlines.md": "#" + "\\n" * many + "x",
    "underline.md": "a" * many + "\\n===",
    "line.md": "word " * many,
    "rows.md": "| a | b |\\n" * 20_000,
    "images.html": "<p>x" + "![" * many,
    "titles.html": "<p>x</p>" + "<title>" * 10_000,
    "items.txt": "- a b c\\n" * 20_000,
    "rows.csv": "a,b\\n" + "1,2\\n" * 50_000,
    "quotes.csv": "a,b\\n" + 'x,"y\\n' * many,
}
for name, text in cases.items():
    try:
        split(convert(name, text.encode()).markdown, HashEmbedder().count_tokens)
    except ConversionError:
        pass
print(len(cases), "done")
"""


def test_a_long_or_nasty_file_takes_seconds_at_most():
    """Our own patterns look at each place a few times only; with one that does not, this ends by its timeout."""
    run = subprocess.run([sys.executable, "-c", NASTY], cwd=Path(__file__).parents[1], capture_output=True, timeout=60)

    assert run.stdout == b"16 done\n", run.stderr
