"""EML -> subject, sender, date and text; attachments are named."""

import pytest

from knowledge.converters import convert
from knowledge.errors import DamagedDocument
from tests.knowledge_files import eml

FROM = "From: Ann Lee <ann@example.com>; Date: 2026-03-02 10:15 +0100"


def test_a_mail_is_its_subject_its_origin_and_its_text():
    """As plain text, even where there is HTML too."""
    converted = convert("a.eml", eml("You may bend the rule.\n", "Late returns", html="<p>Not this.</p>"))

    assert converted.markdown == f"# Late returns\n\n{FROM}\n\nYou may bend the rule.\n"
    assert converted.title == "Late returns"


def test_html_is_read_where_there_is_nothing_else():
    """As Markdown."""
    assert convert("a.eml", eml("", "Hi", html="<p>Bring <b>both</b>.</p>")).markdown.endswith("\n\nBring **both**.\n")


def test_attachments_are_named_and_not_read():
    """In one line, so that nobody takes them for a part of the documents."""
    markdown = convert("a.eml", eml("See the files.", "Files", attached=["Prices 2026.pdf", "b.png"])).markdown

    assert markdown.endswith("See the files.\n\nAttachments, not read: Prices 2026.pdf, b.png\n")
    assert "bm90IHJlYWQ" not in markdown


def test_a_mail_without_a_subject_is_named_after_its_file():
    """And has no empty heading."""
    converted = convert("late-returns.eml", eml("Text."))

    assert converted.title == "Late returns" and converted.markdown.startswith("From: Ann")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Subject: =?utf-8?q?F=C3=BC=C3=9Fe?=\r\n\r\nText.", "# Füße\n"),
        (b"Subject: a\r\n b\r\n\r\nText.", "# a b\n"),
        (b"Subject: a\r\nDate: yesterday\r\n\r\nText.", "# a\n\nText."),
        (b"Subject: a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nF\xfc\xdfe", "Füße"),
        (b"Subject: a\r\nContent-Type: text/plain; charset=unheard-of\r\n\r\nF\xc3\xbc\xc3\x9fe", "Füße"),
        (b"Subject: a\r\nContent-Transfer-Encoding: base64\r\n\r\nVGV4dC4=", "Text."),
        (b"Subject: a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nText.\n", "Text."),
    ],
)
def test_mails_of_all_kinds_of_programs_are_understood(data, words):
    """Encoded headers, folded ones, dates that are none, other and unknown character sets, parts without an end."""
    assert words in convert("a.eml", data).markdown


def test_a_mail_inside_a_mail_is_an_attachment():
    """It is named by its kind, for it has no file name."""
    inner = b"Content-Type: message/rfc822\n\nSubject: inner\n\nInner text.\n"
    data = b"Subject: a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nText.\n--b\n" + inner + b"--b--\n"

    assert convert("a.eml", data).markdown.endswith("Text.\n\nAttachments, not read: a part of message/rfc822\n")


def test_parts_nested_without_end_are_refused():
    """The parser goes down into each of them."""
    boundaries = range(3000)
    nested = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in boundaries)

    with pytest.raises(DamagedDocument, match=r"'a.eml' cannot be read as \.eml"):
        convert("a.eml", b"Subject: x\r\n" + nested.encode())
