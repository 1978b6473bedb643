"""ZIP -> its members with safe paths, counted while they unpack; what cannot be read is refused alone, by name."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.archives import Member, unpack
from knowledge.errors import ConversionError, DamagedDocument, EmptyDocument, OversizedDocument
from tests.knowledge_files import FILES, bomb, docx, pdf, zipped


def refusals(members):
    """Path and sentence of those that are refused."""
    return {member.path: member.refusal for member in members if member.refusal}


def with_flag(data, flag, name):
    """The ZIP with a flag set for a member in its directory."""
    packed = bytearray(data)
    at = data.rindex(name) - 46
    packed[at + 8 : at + 10] = (int.from_bytes(packed[at + 8 : at + 10], "little") | flag).to_bytes(2, "little")
    return bytes(packed)


def test_members_come_with_their_paths_in_order():
    """Also those of formats we do not read: the converter refuses each by its name."""
    files = {"returns.md": b"# Returns", "hr/leave.pdf": b"%PDF", "photo.png": b"\x89PNG", "empty.txt": b""}

    assert unpack("a.zip", zipped(files)) == [Member(path, data) for path, data in files.items()]


def test_stored_and_deflated_members_are_read():
    """Those are the two ways that Office and every system's own ZIP use."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            archive.writestr(f"{kind}.txt", b"text " * 50_000, kind)

    assert [member.data for member in unpack("a.zip", packed.getvalue())] == [b"text " * 50_000] * 2


def test_folders_hidden_files_and_what_macos_adds_are_left_out():
    """Nobody put them there on purpose."""
    files = ["docs/", "docs/a.md", ".DS_Store", "__MACOSX/docs/._a.md", "docs/~$a.docx", ".git/config", "old\\"]

    assert [member.path for member in unpack("a.zip", zipped(dict.fromkeys(files, b"x")))] == ["docs/a.md"]


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/etc/a.md", "etc/a.md"),
        ("C:\\docs\\a.md", "docs/a.md"),
        ("./docs//a.md", "docs/a.md"),
        ("\\\\server\\a.md", "server/a.md"),
        ("a\nb.md", "a?b.md"),
        ("Füße.md", "Füße.md"),
    ],
)
def test_a_path_becomes_relative(path, safe):
    """It names a document; nothing is ever written there."""
    assert [member.path for member in unpack("a.zip", zipped({path: b"x"}))] == [safe]


def test_names_in_utf8_are_understood_also_where_nothing_says_so():
    """The archives of macOS do not."""
    packed = zipped({"Füße.md": b"x"})
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = packed.index(mark) + (6 if mark[2] == 3 else 8)
        packed = packed[: at + 1] + b"\0" + packed[at + 2 :]

    assert [member.path for member in unpack("a.zip", packed)] == ["Füße.md"]


def test_a_member_that_cannot_be_read_is_refused_alone():
    """In one sentence with its path, a colon, and what to do; the others come through."""
    good, link = {"good.md": b"text"}, zipfile.ZipInfo("link.md")
    link.external_attr = 0o120777 << 16
    packed = io.BytesIO(zipped({**good, "x/../../up.md": b"x", "in.ZIP": zipped(good), "locked.md": b"secret"}))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(link, "good.md")
        archive.writestr("/good.md", "twice")
        archive.writestr("broken.md", "text", zipfile.ZIP_BZIP2)

    members = unpack("a.zip", with_flag(packed.getvalue(), 1, b"locked.md"))

    assert members[0] == Member("good.md", b"text")
    assert [(member.path, member.refusal) for member in members[1:]] == [
        ("x/../../up.md", "'a.zip/x/../../up.md' leads out of the ZIP: pack it again without '..' in its path."),
        ("in.ZIP", "'a.zip/in.ZIP' is a ZIP inside a ZIP: unpack it and add what it holds."),
        ("locked.md", "'a.zip/locked.md' wants a password: save a copy without one and add that."),
        ("link.md", "'a.zip/link.md' is a link and no file: put the file itself into the ZIP."),
        ("good.md", "'a.zip/good.md' is in the ZIP twice and only the first is read: give each file its own name."),
        ("broken.md", "'a.zip/broken.md' is damaged (BadZipFile): open it, save it again, and add it once more."),
    ]  # fmt: skip
    assert not any(member.data for member in members[1:])


def test_a_damaged_member_is_refused_alone():
    """Its checksum tells."""
    packed = bytearray(zipped({"a.md": b"text one", "b.md": b"text two"}))
    packed[packed.index(b"a.md") + 4 + 3] ^= 1

    assert list(refusals(unpack("a.zip", bytes(packed)))) == ["a.md"]


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"no zip", DamagedDocument, "'a.zip' is damaged (BadZipFile): open it, save it again"),
        (zipped({"a.md": b"x"})[:-30], DamagedDocument, "'a.zip' is damaged (BadZipFile)"),
        (docx("Text."), DamagedDocument, "'a.zip' is a Word file by its content: rename it to .docx."),
        (pdf("Text."), DamagedDocument, "'a.zip' is a PDF by its content: rename it to .pdf."),
        (zipped({}), EmptyDocument, "'a.zip' has no files in it: "),
        (zipped({"a/": b"", ".b": b""}), EmptyDocument, "'a.zip' has no files in it: "),
        (
            zipped({f"{n}.md": b"" for n in range(2001)}),
            OversizedDocument,
            "2,001 files in it, the limit is 2,000: split",
        ),
        (zipped({f".{n}": b"" for n in range(20_001)}), OversizedDocument, "has more than 20,000 files in it: split"),
        (bomb(zipped({"a.md": b"x"}), "b.md", 60), OversizedDocument, "MiB and unpacks to more than 12 MiB: split it"),
    ],
)
def test_a_whole_archive_is_refused(data, kind, words):
    """One that is no ZIP, empty, or too large in any way; what its headers say about sizes is not believed."""
    with pytest.raises(kind) as refusal:
        unpack("a.zip", data)

    assert words in str(refusal.value)


def test_an_archive_that_packs_well_has_an_end_too(monkeypatch):
    """The limit for all members together does not grow with the file."""
    monkeypatch.setattr("knowledge.zips.MAX_UNPACKED", 20 * 2**20)
    files = {f"{n}.bin": bytes(range(256)) * 4096 * 5 for n in range(5)}

    with pytest.raises(OversizedDocument, match="unpacks to more than 20 MiB"):
        unpack("a.zip", zipped(files))


def test_members_that_overlap_are_counted_each():
    """A directory may name the same bytes a thousand times."""
    one = zipped({"a.md": b"x" * 2**20})
    at, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    entries = b"".join(one[at : at + 46] + f"{n:04}".encode() for n in range(100))
    tail = bytearray(one[end:])
    tail[8:12] = (100).to_bytes(2, "little") * 2
    tail[12:16] = len(entries).to_bytes(4, "little")

    with pytest.raises(OversizedDocument, match="unpacks to more than 10 MiB"):
        unpack("a.zip", one[:at] + entries + bytes(tail))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_archive_is_unpacked_or_refused(draw):
    """Cut short or with wrong bytes in it; nothing but members and ConversionError comes out."""
    data = bytearray(zipped({name: FILES[name][0] for name in ("returns.md", "price_list.csv", "page.htm")}))
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw.draw(st.integers(0, 255))
    data = bytes(data[: draw.draw(st.sampled_from([len(data), len(data) // 2, len(data) - 5]))])
    try:
        members = unpack("a.zip", data)
    except ConversionError:
        return
    for member in members:
        assert member.path and not member.path.startswith("/") and (not member.data or not member.refusal)
