"""Labelled pictures to learn a direction from: a folder or a zip with one subfolder a class. Source: ours.

Both may be hostile: nothing is unpacked to disk, no link is followed out of the folder, and what is read is bounded.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from stit_core.directions.zip_checks import ZipMember, list_zip
from stit_core.errors import DirectionError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
OTHER_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".cr2", ".nef", ".arw", ".dng"})
ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".tgz", ".gz"})
MAX_PICTURES = 200_000
MAX_PICTURE_BYTES = 64 << 20
MAX_PIXELS = 64_000_000
MIN_SIDE = 64  # pixels


class UnusablePicture(Exception):
    """Why a picture is left out, in words."""


@dataclass(frozen=True)
class PictureEntry:
    """One picture: its class, its path below the top (with /, as it may be shown), and how to read its bytes.

    `read` raises UnusablePicture.
    """

    label: str
    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class LeftOut:
    """What is not even tried: its class (empty where it is in none), its path below the top, and why."""

    label: str
    name: str
    reason: str


@dataclass(frozen=True)
class PictureSet:
    """Pictures in the order of their paths; a direction runs from an earlier class to a later one."""

    name: str
    classes: tuple[str, ...]
    entries: tuple[PictureEntry, ...]
    left_out: tuple[LeftOut, ...] = ()


def open_pictures(path: Path, classes: Sequence[str] = ()) -> PictureSet:
    """List the pictures of a folder or a zip; nothing is unpacked to disk.

    `classes` names those that are wanted, in order; without it all are, in alphabetical order.

    Raises
    ------
    DirectionError: no such folder or zip, fewer than two classes, a class that is not there, or a zip that is damaged,
        encrypted or hostile.
    """
    if path.is_dir():
        entries, left_out = _folder_entries(path)
    elif path.is_file():
        entries, left_out = _zip_entries(path)
    else:
        message = f"There is no folder or zip '{shown(path.name)}'."
        raise DirectionError(message, "Give a folder with one subfolder a class.")
    name = shown(path.absolute().name)
    if len(entries) > MAX_PICTURES:
        raise DirectionError(f"{name} holds {len(entries):,} pictures.", f"Use at most {MAX_PICTURES:,}.")
    order = _choose_classes(name, entries, left_out, classes)
    entries = sorted((entry for entry in entries if entry.label in order), key=lambda entry: (entry.label, entry.name))
    left_out = sorted((out for out in left_out if out.label in (*order, "")), key=lambda out: out.name)
    return PictureSet(name, order, tuple(entries), tuple(left_out))


def _choose_classes(
    name: str, entries: Sequence[PictureEntry], left_out: Sequence[LeftOut], wanted: Sequence[str]
) -> tuple[str, ...]:
    there = sorted({entry.label for entry in entries})
    hint = "Put the pictures of each class into a subfolder of its own, such as hat and no_hat."
    if left_out and len(there) < 2:
        hint += f" Left out: {len(left_out)}, such as {left_out[0].name}: {left_out[0].reason}."
    if not there:
        raise DirectionError(f"{name} holds no pictures in subfolders.", hint)
    if len(there) == 1:
        inner = {entry.name.split("/")[1] for entry in entries if entry.name.count("/") > 1}
        if len(inner) > 1:
            hint = f"If {', '.join(sorted(inner)[:4])} are the classes, give the folder '{there[0]}' that holds them."
        raise DirectionError(f"{name} holds pictures of one class only, '{there[0]}'.", hint)
    unknown = [label for label in wanted if label not in there]
    if unknown or (wanted and (len(set(wanted)) < len(wanted) or len(wanted) < 2)):
        message = f"{name} cannot be taken as the classes {', '.join(wanted)}."
        raise DirectionError(message, f"Name two or more of its own, each once: {', '.join(there)}.")
    return tuple(wanted) or tuple(there)


def shown(text: str) -> str:
    """A file's name as it may be printed: what is no plain character is written out."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in plain)


def person_of(name: str) -> str:
    """Whom a file shows, by its name: the stem before the last underscore (`anna_02.jpg` -> `anna`), or the stem."""
    stem = PurePosixPath(name).stem
    return stem.rpartition("_")[0] or stem


def decode(data: bytes) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB in a file's bytes, upright as its EXIF says; of several the first.

    16 bits a colour become 8, what is transparent becomes white.

    Raises
    ------
    UnusablePicture: no picture, damaged, too small or too large.
    """
    if not data:
        raise UnusablePicture("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UnusablePicture(f"{image.width} x {image.height} pixels are too many")
                if min(image.size) < MIN_SIDE:
                    raise UnusablePicture(f"{image.width} x {image.height} pixels are too few")
                return np.array(_as_rgb(ImageOps.exif_transpose(image)))
    except UnusablePicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePicture("it has too many pixels") from error
    except Exception as error:  # a decoder raises whatever a damaged file makes it stumble over
        raise UnusablePicture("it cannot be read as a picture") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnusablePicture("its pixels are no whole numbers")
    if image.mode.startswith("I"):  # 16 bits, also where Pillow holds them in 32
        levels = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray((levels >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def _judge(place: PurePosixPath) -> str | None:
    """Why a file is left out and listed; empty for a picture that is wanted; None for what is silently passed over."""
    if any(part.startswith(".") or part == "__MACOSX" for part in place.parts):
        return None  # hidden, or what macOS packs beside each file
    suffix = place.suffix.lower()
    if suffix in OTHER_SUFFIXES:
        return f"pictures of the kind {suffix} cannot be read"
    if suffix in ARCHIVES:
        return "it is an archive, which is not opened"
    if suffix not in SUFFIXES:
        return None
    return "" if len(place.parts) > 1 else "it lies in no class's folder"


def _label(place: PurePosixPath) -> str:
    return shown(place.parts[0]) if len(place.parts) > 1 else ""


def _folder_entries(folder: Path) -> tuple[list[PictureEntry], list[LeftOut]]:
    entries: list[PictureEntry] = []
    left_out: list[LeftOut] = []
    top = folder.resolve()

    def place_of(path: str | Path) -> PurePosixPath:
        return PurePosixPath(Path(path).relative_to(folder).as_posix())

    def leave_out(place: PurePosixPath, reason: str) -> None:
        left_out.append(LeftOut(_label(place), shown(str(place)), reason))

    def unreadable(error: OSError) -> None:
        leave_out(place_of(error.filename), "the folder cannot be read")

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in folders:
            if os.path.islink(os.path.join(parent, name)) and not name.startswith("."):
                leave_out(place_of(os.path.join(parent, name)), "a link to a folder is not followed")
        for name in sorted(files):
            file = Path(parent, name)
            place = place_of(file)
            reason = _judge(place) or (why_not(file, top) if _judge(place) == "" else None)
            if reason:
                leave_out(place, reason)
            elif reason == "":
                entries.append(PictureEntry(_label(place), shown(str(place)), lambda file=file: _read_file(file)))  # type: ignore[misc]
    return entries, left_out


def why_not(file: Path, top: Path) -> str:
    """Why a file of the folder `top` is not to be opened; empty where it may be."""
    try:
        if file.is_symlink() and not file.resolve(strict=True).is_relative_to(top):
            return "a link that leads out of the folder is not followed"
        return "" if stat.S_ISREG(file.stat().st_mode) else "it is no ordinary file"
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return "it is a link to nothing" if file.is_symlink() else "the file cannot be read"


def _read_file(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_PICTURE_BYTES:
            raise UnusablePicture(f"it is larger than {MAX_PICTURE_BYTES >> 20} MB")
        return file.read_bytes()
    except OSError as error:
        raise UnusablePicture("the file cannot be read") from error


def _zip_entries(path: Path) -> tuple[list[PictureEntry], list[LeftOut]]:
    members = list_zip(path)
    wanted = [member.place for member in members if _judge(member.place) == ""]
    if len({place.parts[0] for place in wanted}) == 1 and any(len(place.parts) > 2 for place in wanted):
        # The folder itself was packed, not what is in it.
        top = wanted[0].parts[0]
        members = [member.below(top) for member in members if member.place.parts[0] == top]
    entries: list[PictureEntry] = []
    left_out: list[LeftOut] = []
    for member in members:
        reason, name = _judge(member.place), shown(str(member.place))
        if reason == "":
            entries.append(PictureEntry(_label(member.place), name, lambda member=member: _read_member(member)))  # type: ignore[misc]
        elif reason:
            left_out.append(LeftOut(_label(member.place), name, reason))
    return entries, left_out


def _read_member(member: ZipMember) -> bytes:
    if member.size > MAX_PICTURE_BYTES:
        raise UnusablePicture(f"it is larger than {MAX_PICTURE_BYTES >> 20} MB")
    data = member.read()
    if data is None:
        raise UnusablePicture("it is damaged in the zip")
    return data
