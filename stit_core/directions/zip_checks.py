"""Reading zips that nobody vouches for: no traversal, no links, no bombs, nothing unpacked to disk. Source: ours."""

from __future__ import annotations

import contextlib
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from stit_core.errors import DirectionError

MAX_LIST_BYTES = 32 << 20  # of the table of contents, which is read as a whole
MAX_ENTRIES = 400_000
MAX_ZIP_BYTES = 16 << 30  # of all files of a zip, unpacked
MAX_RATIO = 200  # unpacked to packed; pictures hardly shrink, bombs do
RATIO_FROM = 1 << 20  # bytes; small files may well shrink that much
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others cannot be unpacked a bounded piece at a time
_DRIVE = re.compile(r"[A-Za-z]:")
_LOCAL_HEADER = 30  # bytes, without the name
_HINT = "Pack the folder of pictures again with an ordinary program."


@dataclass(frozen=True)
class ZipMember:
    """A file in a zip that is kept open: its path there, its unpacked size as the zip says."""

    place: PurePosixPath
    size: int
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def below(self, top: str) -> ZipMember:
        """The same file with its path below the folder `top`."""
        return replace(self, place=self.place.relative_to(top) if len(self.place.parts) > 1 else self.place)

    def read(self) -> bytes | None:
        """Its bytes, never more than `size`; None where it is damaged or is not what the zip says of it."""
        try:
            with self.archive.open(self.info) as file:
                data = file.read(self.size)
                return data if len(data) == self.size and not file.read(1) else None
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, struct.error):
            return None


def list_zip(path: Path) -> list[ZipMember]:
    """The files of a zip, each checked.

    Raises
    ------
    DirectionError: damaged, encrypted, or hostile: a path out of the zip, a link, a name with control characters, files
        that lie over one another, or more unpacked than MAX_RATIO or MAX_ZIP_BYTES allow.
    """
    try:
        _check_list(path)
        archive = zipfile.ZipFile(path)
        members = [info for info in archive.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DirectionError(
            f"{path.name} is no readable zip.", "Pack the folder again, or give the folder."
        ) from error
    with contextlib.ExitStack() as refused:
        refused.enter_context(archive)
        if len(members) > MAX_ENTRIES:
            raise DirectionError(f"{path.name} holds {len(members):,} files.", f"Pack at most {MAX_ENTRIES:,}.")
        for info in archive.infolist():
            _check_member(path, info)
        _check_overlap(path, members, archive.start_dir)
        unpacked = sum(info.file_size for info in members)
        if unpacked > MAX_ZIP_BYTES or (unpacked > 64 * RATIO_FROM and unpacked > MAX_RATIO * path.stat().st_size):
            message = f"{path.name} unpacks to {unpacked >> 20:,} MB, which no zip of pictures of its size does."
            raise DirectionError(message, "Give the unpacked folder, or fewer pictures.")
        refused.pop_all()  # the members read from it
    return [ZipMember(PurePosixPath(info.filename), info.file_size, archive, info) for info in members]


def _check_list(path: Path) -> None:
    """Refuse a table of contents that is too long to be read, by what the zip's end says of it."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - (1 << 16) - 22))
        tail = file.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22:
            raise zipfile.BadZipFile("no end record")
        sizes = [struct.unpack_from("<L", tail, end + 12)[0] % 0xFFFFFFFF]
        if end >= 20 and tail[end - 20 : end - 16] == b"PK\x06\x07":  # zip64
            file.seek(struct.unpack_from("<Q", tail, end - 12)[0])
            sizes.append(struct.unpack_from("<Q", file.read(56), 40)[0])
    if max(sizes) > MAX_LIST_BYTES:
        raise DirectionError(f"{path.name} holds far too many files.", f"Pack at most {MAX_ENTRIES:,}.")


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    """Raise DirectionError for an entry that no honest zip of pictures has."""
    name = info.orig_filename  # zipfile cuts the other off at a NUL
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\\" in name or not place.parts or _DRIVE.match(name):
        raise DirectionError(f"{path.name} holds a file outside of itself ({name!a}).", _HINT)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise DirectionError(f"{path.name} holds a name with control characters ({name!a}).", _HINT)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "something that is no file"
        raise DirectionError(f"{path.name} holds {what} ({name!a}).", _HINT)
    if info.flag_bits & 0x41:
        raise DirectionError(f"{path.name} is encrypted.", "Pack it without a password.")
    if info.compress_type not in _METHODS:
        raise DirectionError(f"{path.name} is packed by an unusual method.", "Pack it as a plain zip (deflate).")
    if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        message = f"{path.name} holds a file that unpacks to {info.file_size >> 20} MB from almost nothing."
        raise DirectionError(message, _HINT)


def _check_overlap(path: Path, members: list[zipfile.ZipInfo], end: int) -> None:
    """Refuse files that share bytes of the zip, by which a small one could unpack to anything."""
    spans = sorted((info.header_offset, info.header_offset + _LOCAL_HEADER + info.compress_size) for info in members)
    starts = [start for start, _ in spans[1:]] + [end]
    if any(stop > start for (_, stop), start in zip(spans, starts, strict=True)):
        raise DirectionError(f"{path.name} holds files that lie over one another.", _HINT)
