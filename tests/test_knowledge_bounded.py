"""Conversion in a process of its own: the same results, and no file that stops or breaks the server."""

import gc
import os
import signal
import threading
import time
import zlib

import pytest

from knowledge.bounded import BoundedConverter
from knowledge.converters import convert
from knowledge.errors import ConversionError, DamagedDocument, OversizedDocument
from tests.knowledge_files import ENCRYPTED_PDF, FILES, _pdf_file, bomb, docx, pdf

ENDLESS = b"<p>x" + b"</a" * 300_000  # hours in the HTML parser of Python 3.11


@pytest.fixture(scope="module")
def bounded():
    return BoundedConverter()


@pytest.mark.parametrize("name", FILES)
def test_a_file_comes_out_as_without_a_process_of_its_own(bounded, name):
    """Text, title and all."""
    assert bounded(name, FILES[name][0]) == convert(name, FILES[name][0])


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.md", b""), ("a.exe", b"x"), ("a.pdf", ENCRYPTED_PDF), ("a.docx", docx("x")[:90]), ("\udcff.md", b"")],
)
def test_a_refusal_comes_out_the_same_too(bounded, name, data):
    """Of the same kind and with the same sentence."""
    with pytest.raises(ConversionError) as here:
        convert(name, data)
    with pytest.raises(ConversionError) as there:
        bounded(name, data)

    assert type(there.value) is type(here.value)
    assert str(there.value) == str(here.value)


def test_one_process_serves_many_files(bounded):
    """It starts once: the parsers take half a second to load."""
    bounded("a.md", b"text")
    first = bounded._child.pid
    bounded("b.md", b"text")

    assert bounded._child.pid == first


def test_a_file_that_takes_too_long_is_refused_and_the_next_one_is_read():
    """The parser of HTML can be made to run for hours inside one call."""
    bounded = BoundedConverter(seconds=1)
    started = time.monotonic()

    with pytest.raises(OversizedDocument, match=r"'endless\.html' takes longer than 1 seconds to read: split it"):
        bounded("endless.html", ENDLESS)

    assert time.monotonic() - started < 10
    assert bounded("a.md", b"# Next\n\ntext").title == "Next"


def flate_pdf(mebibytes, pages):
    """A PDF whose pages all show one stream of so many spaces."""
    packed = zlib.compress(b" " * (mebibytes * 2**20), 9).decode("latin-1")
    kids = " ".join(f"{4 + n} 0 R" for n in range(pages))
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 3 0 R >>"
    return _pdf_file([
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n{packed}\nendstream",
        *[page] * pages,
        "<< >>",
    ])  # fmt: skip


HTML_MAIL = b"Subject: x\r\nContent-Type: text/html\r\n\r\n"
NESTED_MAIL = b"Subject: x\n" + b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000)
)
BOMBS = {
    "a.md": lambda: b"# " + b"a" * 21 * 2**20,
    "a.html": lambda: ENDLESS,
    "a.csv": lambda: b",".join([b"x" * 10_000] * 100) + b"\n" + (b"1," * 100 + b"\n") * 300,
    "a.pdf": lambda: flate_pdf(100, 99),
    "a.docx": lambda: bomb(FILES["club.docx"][0], "word/document.xml", 100),
    "a.pptx": lambda: bomb(FILES["tour.pptx"][0], "ppt/slides/slide1.xml", 100),
    "a.xlsx": lambda: bomb(FILES["stock.xlsx"][0], "xl/worksheets/sheet1.xml", 100),
    "html.eml": lambda: HTML_MAIL + ENDLESS,
    "nested.eml": lambda: NESTED_MAIL,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_any_format_is_refused_in_time(name):
    """A small file that would take all memory, or hours; the process is there for the next file."""
    bounded = BoundedConverter(seconds=3, memory=2 * 2**30)
    data = BOMBS[name]()
    started = time.monotonic()

    refusal = _refused(bounded, name, data)

    assert time.monotonic() - started < 20
    assert str(refusal).startswith(f"'{name}' ") and ": " in str(refusal)
    assert bounded("a.txt", b"Next.").markdown == "Next."


def test_a_warning_comes_through():
    """It says what was not read."""
    assert BoundedConverter()("a.pdf", pdf("Text.", "")).warning.startswith("Page 2 has no text: ")


def test_the_server_goes_on_while_a_file_takes_long():
    """Other threads run, for it is another process that is busy."""
    bounded = BoundedConverter(seconds=1)
    busy = threading.Thread(target=_refused, args=(bounded, "endless.html", ENDLESS))
    busy.start()
    turns = 0
    while busy.is_alive():
        time.sleep(0.01)
        turns += 1

    assert turns > 30


def test_a_file_that_takes_too_much_memory_is_refused():
    """The process may not take the machine's last byte."""
    bounded = BoundedConverter(memory=250 * 2**20)

    assert isinstance(_refused(bounded, "a.html", b"<p>x</p>" * 100_000), DamagedDocument)
    assert bounded("a.md", b"# Next\n\ntext").title == "Next"


def test_a_file_that_breaks_its_reader_is_refused():
    """A parser that crashes takes its process with it, and no more."""
    bounded = BoundedConverter(seconds=30)
    bounded("a.md", b"text")
    crash = threading.Timer(0.5, os.kill, (bounded._child.pid, signal.SIGSEGV))
    crash.start()

    refusal = _refused(bounded, "endless.html", ENDLESS)

    assert isinstance(refusal, DamagedDocument)
    assert "'endless.html' breaks the program that reads it (exit code -11)" in str(refusal)
    assert bounded("a.md", b"# Next\n\ntext").title == "Next"


def test_a_process_that_ended_between_two_files_is_replaced(bounded):
    """No file is blamed for it."""
    bounded("a.md", b"text")
    bounded._child.kill()
    bounded._child.wait()

    assert bounded("a.md", b"# Next\n\ntext").title == "Next"


def test_threads_take_turns(bounded):
    """Each gets the answer to its own file."""
    titles = {}

    def read(number):
        titles[number] = bounded("a.md", f"# Title {number}\n\ntext".encode()).title

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert titles == {number: f"Title {number}" for number in range(8)}


def test_the_process_ends_with_its_owner():
    """No reader is left behind."""
    bounded = BoundedConverter()
    bounded("a.md", b"text")
    child = bounded._child

    del bounded
    gc.collect()

    assert child.wait(timeout=10) is not None


def _refused(bounded, name, data):
    with pytest.raises(ConversionError) as refusal:
        bounded(name, data)
    return refusal.value
