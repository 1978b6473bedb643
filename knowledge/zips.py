"""A ZIP in memory, inflated piece by piece: what comes out is counted, whatever its headers say."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from knowledge.errors import DamagedDocument, EncryptedDocument, OversizedDocument

__all__ = ["MAX_UNPACKED", "ZipReader"]

MAX_UNPACKED = 200 * 2**20  # bytes of all members together
MAX_RATIO = 200  # unpacked to packed; text has 3 to 30, a bomb up to 1000
ALWAYS_ALLOWED = 10 * 2**20  # bytes; below it no ratio does harm
MAX_ENTRIES = 20_000  # also hidden ones; Python keeps half a kilobyte for each
PIECE = 64 * 2**10
LOCAL_HEADER = b"PK\x03\x04"
CENTRAL_HEADER = b"PK\x01\x02"


class ZipReader:
    """The members of one ZIP, which may unpack to `limit` bytes in all.

    `zipfile` alone will not do: for a member that is larger than its header says it may inflate 2 GiB at once.
    """

    def __init__(self, name: str, data: bytes) -> None:
        """Read the directory of the ZIP `name`.

        Raises:
            DamagedDocument: it has none that can be read.
            OversizedDocument: it has too many entries.
        """
        self.name = name
        self.data = data
        self.limit = min(MAX_UNPACKED, max(ALWAYS_ALLOWED, MAX_RATIO * len(data)))
        self.unpacked = 0
        if data.count(CENTRAL_HEADER) > MAX_ENTRIES:
            raise OversizedDocument(f"'{name}' has more than {MAX_ENTRIES:,} files in it: split it and add the parts.")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                self.entries = archive.infolist()
        except Exception as error:  # it raises a dozen kinds, from BadZipFile to struct.error
            raise DamagedDocument(_damaged(name, type(error).__name__)) from error

    def read(self, entry: zipfile.ZipInfo, label: str, keep: bool = True) -> bytes:
        """The bytes of a member; only counted and checked, and b"" returned, without `keep`.

        Raises:
            EncryptedDocument: it wants a password; `label` names it in the sentence.
            DamagedDocument: it is not what was packed.
            OversizedDocument: together with what was read before it unpacks to more than `limit`.
        """
        if entry.flag_bits & 1:
            raise EncryptedDocument(f"'{label}' wants a password: save a copy without one and add that.")
        kept: list[bytes] = []
        checksum = 0
        try:
            for piece in self._pieces(entry):
                self._count(len(piece))
                checksum = zlib.crc32(piece, checksum)
                if keep:
                    kept.append(piece)
        except (struct.error, zlib.error, zipfile.BadZipFile) as error:
            raise DamagedDocument(_damaged(label, type(error).__name__)) from error
        if checksum != entry.CRC:
            raise DamagedDocument(_damaged(label, "wrong checksum"))
        return b"".join(kept)

    def _count(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > self.limit:
            raise OversizedDocument(
                f"'{self.name}' has {len(self.data) / 2**20:.1f} MiB and unpacks to more than "
                f"{self.limit / 2**20:.0f} MiB: split it and add the parts, unless it is a bomb."
            )

    def _pieces(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        at = entry.header_offset
        if at < 0 or self.data[at : at + 4] != LOCAL_HEADER:
            raise zipfile.BadZipFile
        name_length, extra_length = struct.unpack_from("<HH", self.data, at + 26)
        start = at + 30 + name_length + extra_length
        end = start + entry.compress_size
        packed = (self.data[place : min(place + PIECE, end)] for place in range(start, min(end, len(self.data)), PIECE))
        if entry.compress_type == zipfile.ZIP_STORED:
            yield from packed
        elif entry.compress_type == zipfile.ZIP_DEFLATED:
            yield from _inflate(packed)
        else:  # what Office and every system's own ZIP writes are the two above
            raise zipfile.BadZipFile


def _inflate(packed: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for chunk in packed:
        rest = chunk
        while rest:
            yield inflater.decompress(rest, PIECE)
            rest = inflater.unconsumed_tail
        if inflater.eof:
            return
    yield inflater.flush()
    if not inflater.eof:
        raise zlib.error


def _damaged(label: str, why: str) -> str:
    return f"'{label}' is damaged ({why}): open it, save it again, and add it once more."
