"""Labelled pictures to learn a direction from: a folder or a zip with one subfolder a class."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from stit_core.errors import DirectionError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
MAX_PICTURES = 200_000
MAX_PICTURE_BYTES = 64 << 20
MAX_ZIP_BYTES = 16 << 30  # of all pictures of a zip, unpacked
MAX_RATIO = 200  # unpacked to packed; pictures hardly shrink, bombs do
RATIO_FROM = 1 << 20  # bytes; small files may well shrink that much
MAX_PIXELS = 64_000_000
MIN_SIDE = 64  # pixels


class UnusablePicture(Exception):
    """Why a picture is left out, in words."""


@dataclass(frozen=True)
class PictureEntry:
    """One picture: its class, its path below the top (with /), and how to read its bytes."""

    label: str
    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class PictureSet:
    """Pictures in the order of their paths; a direction runs from an earlier class to a later one."""

    name: str
    classes: tuple[str, ...]
    entries: tuple[PictureEntry, ...]

    def of(self, label: str) -> list[PictureEntry]:
        """The pictures of a class."""
        return [entry for entry in self.entries if entry.label == label]


def open_pictures(path: Path, classes: Sequence[str] = ()) -> PictureSet:
    """List the pictures of a folder or a zip; nothing is unpacked to disk.

    `classes` names those that are wanted, in order; without it all are, in alphabetical order.

    Raises
    ------
    DirectionError: no such folder or zip, fewer than two classes, or a zip that is damaged, encrypted or hostile.
    """
    if path.is_dir():
        entries = _folder_entries(path)
    elif path.is_file():
        entries = _zip_entries(path)
    else:
        raise DirectionError(f"There is no folder or zip '{path.name}'.", "Give a folder with one subfolder a class.")
    found_classes = sorted({entry.label for entry in entries})
    unknown = [label for label in classes if label not in found_classes]
    if unknown or len(set(classes)) < len(classes) or len(classes) == 1:
        message = f"{path.name} cannot be taken as the classes {', '.join(classes)}."
        raise DirectionError(message, f"Name two or more of its own, each once: {', '.join(found_classes)}.")
    order = tuple(classes) or tuple(found_classes)
    entries = [entry for entry in entries if entry.label in order]
    if len(order) < 2:
        found = f"only '{order[0]}'" if order else "none"
        message = f"{path.name} holds no two classes of pictures ({found})."
        raise DirectionError(
            message, "Put the pictures of each class into a subfolder of its own, such as hat and no_hat."
        )
    if len(entries) > MAX_PICTURES:
        raise DirectionError(f"{path.name} holds {len(entries):,} pictures.", f"Use at most {MAX_PICTURES:,}.")
    return PictureSet(path.absolute().name, order, tuple(sorted(entries, key=lambda entry: (entry.label, entry.name))))


def decode(data: bytes) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB in a file's bytes, turned upright as its EXIF says.

    Raises
    ------
    UnusablePicture: no picture, damaged, too small or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusablePicture(f"{image.width} x {image.height} pixels are too many")
            if min(image.size) < MIN_SIDE:
                raise UnusablePicture(f"{image.width} x {image.height} pixels are too few")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnusablePicture("it cannot be read as a picture") from error


def person_of(name: str) -> str:
    """Whom a file shows, by its name: the stem before the last underscore (`anna_02.jpg` -> `anna`), or the stem."""
    stem = PurePosixPath(name).stem
    return stem.rpartition("_")[0] or stem


def _wanted(path: PurePosixPath) -> bool:
    """A picture inside a class, no hidden file and none that macOS packs beside each."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return len(path.parts) > 1 and path.suffix.lower() in SUFFIXES and not hidden


def _folder_entries(folder: Path) -> list[PictureEntry]:
    entries = []
    for file in folder.rglob("*"):
        place = PurePosixPath(file.relative_to(folder).as_posix())
        if _wanted(place) and file.is_file():
            entries.append(PictureEntry(place.parts[0], str(place), lambda file=file: _read_file(file)))  # type: ignore[misc]
    return entries


def _read_file(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_PICTURE_BYTES:
            raise UnusablePicture(f"it is larger than {MAX_PICTURE_BYTES >> 20} MB")
        return file.read_bytes()
    except OSError as error:
        raise UnusablePicture("the file cannot be read") from error


def _zip_entries(path: Path) -> list[PictureEntry]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DirectionError(
            f"{path.name} is no readable zip.", "Pack the folder again, or give the folder."
        ) from error
    for info in members:
        _check_member(path, info)
    if sum(info.file_size for info in members) > MAX_ZIP_BYTES:
        message = f"{path.name} unpacks to more than {MAX_ZIP_BYTES >> 30} GB."
        raise DirectionError(message, "Give the unpacked folder, or fewer pictures.")
    places = {info: PurePosixPath(info.filename) for info in members}
    tops = {place.parts[0] for place in places.values() if _wanted(place)}
    if len(tops) == 1 and all(len(place.parts) > 2 for place in places.values() if _wanted(place)):
        # The folder itself was packed, not what is in it.
        places = {info: PurePosixPath(*place.parts[1:]) for info, place in places.items() if len(place.parts) > 1}
    return [
        PictureEntry(place.parts[0], str(place), lambda info=info: _read_member(path, info))  # type: ignore[misc]
        for info, place in places.items()
        if _wanted(place)
    ]


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    """Raise DirectionError for an entry that no honest zip of pictures has."""
    place = PurePosixPath(info.filename)
    hint = "Pack the folder of pictures again with an ordinary program."
    if place.is_absolute() or ".." in place.parts or "\\" in info.filename or ":" in info.filename:
        raise DirectionError(f"{path.name} holds a file outside of itself ({info.filename!r}).", hint)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DirectionError(f"{path.name} holds a link ({info.filename!r}).", hint)
    if info.flag_bits & 1:
        raise DirectionError(f"{path.name} is encrypted.", "Pack it without a password.")
    if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise DirectionError(f"{path.name} holds a file that unpacks to {info.file_size >> 20} MB.", hint)


def _read_member(path: Path, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_PICTURE_BYTES:
        raise UnusablePicture(f"it is larger than {MAX_PICTURE_BYTES >> 20} MB")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as file:
            data = file.read(info.file_size + 1)  # what the entry says of itself need not be true
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise UnusablePicture("it is damaged in the zip") from error
    if len(data) > info.file_size:
        raise UnusablePicture("it is larger than the zip says")
    return data
