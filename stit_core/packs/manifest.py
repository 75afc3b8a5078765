"""The manifest of a model pack (pack.json): reading it, finding its files and checking that they are unaltered.

Source: ours.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.config import METHODS, PRESETS, preset
from stit_core.errors import ConfigError, PackError
from stit_core.store.keys import file_digest
from stit_core.store.paths import cache_folder

MANIFEST = "pack.json"
PART_NAMES = ("generator", "encoder", "parser", "perceptual", "identity", "attributes")
LARGEST_MANIFEST = 1 << 20  # bytes
ASSETS = Path(__file__).resolve().parents[2] / "assets" / "packs"
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class PackFile:
    """One file of a part.

    Attributes
    ----------
    name: plain file name.
    size: bytes, None where unknown.
    sha256: hexadecimal, or its first digits (8 at least) where no more is known.
    urls: addresses to fetch it from, the first that answers is taken.
    package: name of the installed distribution that holds it, instead of a folder.
    manual: what to do by hand where no plain address exists.
    """

    name: str
    size: int | None
    sha256: str
    urls: tuple[str, ...] = ()
    package: str | None = None
    manual: str = ""


@dataclass(frozen=True)
class Part:
    """One network: architecture, constructor arguments, files and their licence."""

    name: str
    architecture: str
    arguments: Mapping[str, Any]
    files: tuple[PackFile, ...]
    licence: str

    @property
    def official(self) -> bool:
        """Whether the files are checkpoints as their authors published them, not safetensors of ours."""
        return not all(file.name.endswith(".safetensors") for file in self.files)

    @property
    def hash(self) -> str:
        """sha256 of what decides the network's behaviour: architecture, arguments and file hashes."""
        record = [self.architecture, dict(self.arguments), [file.sha256 for file in self.files]]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Pack:
    """A model pack as its manifest describes it; `folders` are searched for its files in order."""

    name: str
    resolution: int
    licence: str
    description: str
    schedules: Mapping[str, Any]
    parts: Mapping[str, Part]
    folders: tuple[Path, ...]

    @property
    def hash(self) -> str:
        """sha256 over the hashes of all parts."""
        record = {name: part.hash for name, part in self.parts.items()}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    @property
    def num_ws(self) -> int:
        """Style inputs of the generator: two for every resolution from 4 px up."""
        return 2 * (self.resolution.bit_length() - 2)

    def part(self, name: str) -> Part:
        """Raises PackError where the pack has no such part."""
        if name not in self.parts:
            has = ", ".join(self.parts)
            raise PackError(f"The pack '{self.name}' has no {name}.", f"It has: {has}. Choose another pack.")
        return self.parts[name]


def user_folder(name: str) -> Path:
    """Where fetched files of the pack `name` are kept: $STIT_PACKS/name or packs/name in the user's cache folder."""
    return _user_root() / name


def _user_root() -> Path:
    named = os.environ.get("STIT_PACKS")
    return Path(named).expanduser().absolute() if named else cache_folder() / "packs"


def pack_roots() -> tuple[Path, ...]:
    return tuple(dict.fromkeys((_user_root(), cache_folder() / "packs", ASSETS)))


def read_manifest(path: Path) -> Pack:
    """Read and check a pack.json. Raises PackError naming what is wrong in it."""
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise ValueError(f"it is larger than {LARGEST_MANIFEST:,} bytes")
        record = json.loads(path.read_bytes())
        name = _plain_name(record["name"])
        parts = {part: _read_part(part, values) for part, values in record["parts"].items()}
        schedules = record.get("schedules", {})
        for known, method in itertools.product(PRESETS[1:], METHODS):
            preset(known, schedules, method)
        resolution = record["resolution"]
        if not isinstance(resolution, int) or resolution < 8 or resolution & (resolution - 1):
            raise ValueError(f"the resolution {resolution!r} is no power of two from 8 up")
        folders = tuple(dict.fromkeys((path.parent.absolute(), *(root / name for root in pack_roots()))))
        return Pack(
            name, resolution, str(record["licence"]), str(record.get("description", "")), schedules, parts, folders
        )
    except KeyError as error:
        raise PackError(f"{path} lacks {error}.", "See CONTRIBUTING.md for the layout of a pack.") from error
    except (OSError, ValueError, TypeError, AttributeError, ConfigError) as error:
        raise PackError(f"{path} is malformed: {error}.", "See CONTRIBUTING.md for the layout of a pack.") from error


def _read_part(name: str, values: Mapping[str, Any]) -> Part:
    if name not in PART_NAMES:
        raise ValueError(f"'{name}' is no part; parts are {', '.join(PART_NAMES)}")
    files = tuple(
        PackFile(
            _plain_name(entry["file"]),
            entry.get("size"),
            _hex_digits(entry["sha256"]),
            tuple(entry.get("urls", ())),
            entry.get("package"),
            entry.get("manual", ""),
        )
        for entry in values["files"]
    )
    arguments = values.get("arguments", {})
    if not files or not isinstance(arguments, dict):
        raise ValueError(f"the {name} has no files, or arguments that are no table")
    for file in files:
        if file.size is not None and type(file.size) is not int:
            raise ValueError(f"the size of {file.name} is {file.size!r}")
    return Part(name, str(values["architecture"]), arguments, files, str(values.get("licence", "")))


def _plain_name(name: str) -> str:
    if not PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no plain file name")
    return name


def _hex_digits(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{8,64}", text):
        raise ValueError(f"{text!r} is no sha256")
    return text


def locate(pack: Pack, file: PackFile) -> Path:
    """Where a file of the pack lies. Raises PackError naming the file and how to get it."""
    if file.package is not None:
        return _locate_in_package(pack, file, file.package)
    for folder in pack.folders:
        if (folder / file.name).is_file():
            return folder / file.name
    if file.manual:
        hint = f"{file.manual} Put it into {user_folder(pack.name)}."
    elif file.urls:
        hint = f"Run `packs fetch {pack.name}`, or put the file into {user_folder(pack.name)}."
    else:
        hint = f"Restore it in {pack.folders[0]}; it belongs to the pack."
    raise PackError(f"The pack '{pack.name}' lacks the file {file.name}.", hint)


def _locate_in_package(pack: Pack, file: PackFile, package: str) -> Path:
    hint = f"Install it: pip install {package}"
    try:
        listed = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        message = f"The pack '{pack.name}' needs {file.name} from the package {package}."
        raise PackError(message, hint) from error
    candidates = [Path(str(entry.locate())) for entry in listed if entry.name == file.name]
    present = [path for path in candidates if path.is_file()]
    sized = [path for path in present if file.size is None or path.stat().st_size == file.size]
    if not present:
        raise PackError(f"The package {package} holds no {file.name}.", hint)
    return (sized or present)[0]


def verify_pack(pack: Pack, parts: Collection[str] | None = None) -> None:
    """Check that every file of the pack (of `parts` only, if given) is there and unaltered.

    A file is hashed once as long as its time and size stay the same.

    Raises
    ------
    PackError: names the first bad file.
    """
    for part in pack.parts.values():
        if parts is None or part.name in parts:
            for file in part.files:
                _verify_file(pack, file)


def _verify_file(pack: Pack, file: PackFile) -> Path:
    path = locate(pack, file)
    hint = f"Restore it, or fetch the pack again; {path} should be deleted first."
    try:
        status = path.stat()
        if file.size is not None and status.st_size != file.size:
            message = f"{path.name} of the pack '{pack.name}' has {status.st_size:,} bytes instead of {file.size:,}."
            raise PackError(message, hint)
        if not file_digest(path).startswith(file.sha256):
            raise PackError(f"{path.name} of the pack '{pack.name}' was altered (its sha256 is another).", hint)
    except OSError as error:
        raise PackError(f"{path.name} of the pack '{pack.name}' cannot be read: {error.strerror}.", hint) from error
    return path


def verified_paths(pack: Pack, part: str) -> list[Path]:
    """Paths of the files of one part, checked. Raises PackError as `verify_pack`."""
    return [_verify_file(pack, file) for file in pack.part(part).files]
