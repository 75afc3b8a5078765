"""Run folders: every stage's result under a key made of its content, written atomically, resumable after a stop.

Layout: `<root>/<run>/run.json` names the clip; `<root>/<run>/<stage>-<key>/` is a finished result, made of result.json,
tensors.safetensors and folders of pictures; `.<stage>-<key>.part` is one that was begun. A run is one source file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import functools
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.torch
import torch

from stit_core.artefacts import FrameFolder
from stit_core.errors import StoreError

LOG = logging.getLogger(__name__)

# Raise a stage's number when its result changes meaning: results of older versions are then made anew.
STAGE_VERSIONS: Mapping[str, int] = {
    "clip": 1,
    "landmarks": 3,
    "align": 1,
    "invert": 1,
    "tune": 1,
    "register": 1,
    "masks": 1,
    "stitch": 1,
    "identify": 1,
    "measure": 3,
}
KEY_DIGITS = 24
RUN_DIGITS = 16
RESULT_FILE = "result.json"
TENSOR_FILE = "tensors.safetensors"
RUN_FILE = "run.json"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
    errno.ELOOP, errno.EIO,
)  # fmt: skip
_CLEAN_HINT = "Delete this run with `runs clean` and start it again."

T = TypeVar("T")


def default_root() -> Path:
    """Where runs are kept: $STIT_RUNS, or stit-studio/runs in the user's cache folder."""
    named = os.environ.get("STIT_RUNS")
    return Path(named).expanduser() if named else cache_folder() / "runs"


def cache_folder() -> Path:
    """The user's cache folder of this program ($XDG_CACHE_HOME or ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stit-studio"


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal; read once as long as its time and size stay the same.

    Raises: OSError as the file system does.
    """
    status = path.stat()
    return _digest(path.absolute(), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=512)
def _digest(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001 (time and size are the cache's key)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(stage: str, *parts: object) -> str:
    """Name of the result that `stage` makes from `parts`: the same parts give the same name on any machine.

    parts: strings, numbers, None, arrays, tensors, dataclasses, mappings and sequences of these.
    Raises: TypeError for anything else, KeyError for an unknown stage.
    """
    text = json.dumps([stage, STAGE_VERSIONS[stage], *map(_canonical, parts)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def _canonical(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return [str(value.dtype), list(value.shape), digest]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _canonical(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, Mapping):
        return {str(name): _canonical(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_canonical(part) for part in value]
    raise TypeError(f"a {type(value).__name__} cannot be part of a key")


# --- One result in a folder ---------------------------------------------------------------------------------------


def save_artefact(artefact: object, folder: Path) -> None:
    """Write a frozen dataclass into `folder` and drop every other file there (checkpoints of the work in progress).

    Arrays and tensors go to tensors.safetensors, a FrameFolder stays as the folder that it is (it must lie inside
    `folder`), the rest goes to result.json, which is written last. Raises: OSError as the file system does.
    """
    tensors: dict[str, torch.Tensor] = {}
    pictures: dict[str, int] = {}
    values = {
        field.name: _encode(getattr(artefact, field.name), field.name, tensors, pictures, folder)
        for field in dataclasses.fields(artefact)  # type: ignore[arg-type]
    }
    record: dict[str, object] = {"kind": type(artefact).__name__, "values": values, "pictures": pictures}
    if tensors:
        data = safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
        _write_synced(folder / TENSOR_FILE, data)
        record["tensors"] = hashlib.sha256(data).hexdigest()
    for entry in folder.iterdir():
        if entry.name in pictures or (entry.name == TENSOR_FILE and tensors):
            continue
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    _write_synced(folder / RESULT_FILE, json.dumps(record).encode())


def load_artefact(kind: type[T], folder: Path) -> T:
    """Read what `save_artefact` wrote.

    Raises: StoreError when anything is missing, cut off, altered, or of another kind.
    """
    try:
        record = json.loads((folder / RESULT_FILE).read_bytes())
        if record["kind"] != kind.__name__:
            raise ValueError(f"it holds a {record['kind']}, not a {kind.__name__}")
        tensors: dict[str, torch.Tensor] = {}
        if "tensors" in record:
            data = (folder / TENSOR_FILE).read_bytes()
            if hashlib.sha256(data).hexdigest() != record["tensors"]:
                raise ValueError(f"{TENSOR_FILE} was cut off or altered")
            tensors = safetensors.torch.load(data)
        for name, size in record["pictures"].items():
            if _picture_bytes(folder / name) != size:
                raise ValueError(f"pictures in {name} are missing or altered")
        values = {name: _decode(value, tensors, folder) for name, value in record["values"].items()}
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            wanted = _FIELD_TYPES.get(str(field.type), object)
            if not isinstance(values[field.name], wanted):
                raise TypeError(f"'{field.name}' is no {field.type}")
        return kind(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise StoreError(f"The stored result {folder.name} is damaged: {error}.", _CLEAN_HINT) from error


_FIELD_TYPES: Mapping[str, Any] = {  # of a dataclass whose annotations are strings
    "FrameFolder": FrameFolder, "np.ndarray": np.ndarray, "torch.Tensor": torch.Tensor, "Fraction": Fraction,
    "Path": Path, "str": str, "int": int, "float": (int, float),
}  # fmt: skip


def _encode(
    value: object, name: str, tensors: dict[str, torch.Tensor], pictures: dict[str, int], folder: Path
) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if isinstance(value, Fraction):
        return {"$fraction": f"{value.numerator}/{value.denominator}"}
    if isinstance(value, Path):
        return {"$path": str(value)}
    if isinstance(value, torch.Tensor):
        tensors[name] = value
        return {"$tensor": name}
    if isinstance(value, np.ndarray):
        tensors[name] = torch.from_numpy(np.ascontiguousarray(value))
        return {"$array": name}
    if isinstance(value, FrameFolder):
        relative = value.path.relative_to(folder)
        if len(relative.parts) != 1:
            raise ValueError(f"the pictures of '{name}' must lie in a folder of their own inside {folder.name}")
        pictures[relative.name] = _picture_bytes(value.path)
        return {"$frames": relative.name, "indices": list(value.indices)}
    if isinstance(value, Mapping):
        return {"$map": {k: _encode(v, f"{name}/{k}", tensors, pictures, folder) for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        return [_encode(part, f"{name}/{i}", tensors, pictures, folder) for i, part in enumerate(value)]
    raise TypeError(f"a {type(value).__name__} cannot be stored ('{name}')")


def _decode(value: Any, tensors: Mapping[str, torch.Tensor], folder: Path) -> object:
    if isinstance(value, list):
        return tuple(_decode(part, tensors, folder) for part in value)
    if not isinstance(value, dict):
        return value
    if "$fraction" in value:
        return Fraction(value["$fraction"])
    if "$path" in value:
        return Path(value["$path"])
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$array" in value:
        return tensors[value["$array"]].numpy()
    if "$frames" in value:
        return FrameFolder(folder / Path(value["$frames"]).name, tuple(value["indices"]))
    return {name: _decode(part, tensors, folder) for name, part in value["$map"].items()}


def _picture_bytes(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.iterdir())


def _write_synced(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")  # its own: another thread may write the same
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, record: object) -> None:
    """Write `record` atomically as indented JSON. Raises: OSError as the file system does."""
    _write_synced(path, (json.dumps(record, indent=2) + "\n").encode())


def _keep_json(path: Path, record: object) -> None:
    """As `write_json`, but a file that says so already is only marked as used now, which is much faster."""
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        known = None
    if known == record:
        os.utime(path)
    else:
        write_json(path, record)


# --- Folders of runs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunInfo:
    """One run as `runs list` shows it: stages finished, bytes on disk, seconds since it was last used."""

    name: str
    clip: str
    stages: tuple[str, ...]
    size: int
    age: float


@contextlib.contextmanager
def disk_errors(what: str, writing: bool = True, inside: Path | None = None) -> Iterator[None]:
    """Turn a full, unwritable or vanished place on disk into a StoreError that says so; other errors pass.

    inside: a folder; errors that name a file elsewhere, such as a program that cannot be found, pass too.
    """
    try:
        yield
    except OSError as error:
        if inside is not None and not _speaks_of(error, inside):
            raise
        subject = what[:1].upper() + what[1:]
        if error.errno in _NO_ROOM:
            hint = "Free some space or delete old runs with `runs clean`; finished work is kept, start again then."
            raise StoreError(f"The disk is full: {what} could not be written.", hint) from error
        if error.errno in _NOT_WRITABLE:
            hint = "Choose a folder that you may write to; STIT_RUNS names the one for runs."
            raise StoreError(f"{subject} cannot be written: {error.strerror}.", hint) from error
        if error.errno == errno.ENOENT and writing:
            hint = "Start again: what was deleted is made again. If that does not help, choose another folder."
            raise StoreError(f"{subject} cannot be written: its folder is gone or cannot be made.", hint) from error
        raise


def _speaks_of(error: OSError, folder: Path) -> bool:
    """Whether an error is about a file in `folder`, or names none: that of a write to an open file does not."""
    if error.filename is None:
        return True
    named = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    return Path(named).absolute().is_relative_to(folder.absolute())


class Run:
    """The results that belong to one source file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_of(self, source_hash: str) -> bool:
        """Whether this is the run of the file with this sha256."""
        return self.folder.name == source_hash[:RUN_DIGITS]

    def find(self, stage: str, key: str) -> Path | None:
        """The folder of a finished result, or None."""
        folder = self.folder / f"{stage}-{key}"
        return folder if (folder / RESULT_FILE).is_file() else None

    def part(self, stage: str, key: str) -> Path:
        """The folder of a result that is being made or was begun; it may not be there."""
        return self.folder / f".{stage}-{key}.part"

    def discard(self, stage: str, key: str) -> None:
        """Throw a finished result away."""
        shutil.rmtree(self.folder / f"{stage}-{key}", ignore_errors=True)

    @contextlib.contextmanager
    def make(self, stage: str, key: str) -> Iterator[Path]:
        """A folder to make a result in. It outlives a stop or crash; on success it takes its final name.

        Raises: StoreError when another process is making the same result, or the disk is full or not writable. What
        goes wrong elsewhere while the result is made is raised as it is.
        """
        final, part = self.folder / f"{stage}-{key}", self.part(stage, key)
        told = disk_errors(f"the result of '{stage}'", inside=self.folder)
        with told, _locked(self.folder / f".{stage}-{key}.lock", stage):
            part.mkdir(parents=True, exist_ok=True)
            try:
                yield part
            finally:
                with contextlib.suppress(OSError):
                    part.rmdir()  # succeeds where nothing was made
            _sync_tree(part)
            if final.exists():
                shutil.rmtree(final)
            part.rename(final)
            _sync_folder(self.folder)

    def load(self, stage: str, key: str, kind: type[T]) -> T | None:
        """The finished result, or None where there is none; a damaged one is thrown away with a warning."""
        folder = self.find(stage, key)
        if folder is None:
            return None
        try:
            return load_artefact(kind, folder)
        except StoreError as error:
            LOG.warning("%s It is made again.", error.message)
            self.discard(stage, key)
            return None


class Store:
    """All runs below one folder, $STIT_RUNS by default."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()

    def run(self, source_hash: str, clip: str) -> Run:
        """Open or begin the run of the file with this sha256; `clip` is its name, for `runs list`.

        Raises: StoreError when the folder cannot be written.
        """
        folder = self.root / source_hash[:RUN_DIGITS]
        with disk_errors(f"The folder of runs ({self.root})"):
            folder.mkdir(parents=True, exist_ok=True)
            _keep_json(folder / RUN_FILE, {"clip": clip, "source": source_hash})
        return Run(folder)

    def list_runs(self) -> list[RunInfo]:
        """Every run, the last used first."""
        found = []
        for record in self.root.glob(f"*/{RUN_FILE}"):
            try:
                clip = str(json.loads(record.read_bytes())["clip"])
                used = record.stat().st_mtime
            except (OSError, ValueError, KeyError, TypeError):
                clip, used = "(damaged)", 0.0
            folder = record.parent
            stages = {entry.parent.name.rsplit("-", 1)[0] for entry in folder.glob(f"*/{RESULT_FILE}")}
            ordered = tuple(stage for stage in STAGE_VERSIONS if stage in stages)
            found.append(RunInfo(folder.name, clip, ordered, _tree_bytes(folder), max(0.0, time.time() - used)))
        return sorted(found, key=lambda info: info.age)

    def clean(self, older_than: float = 0.0, names: tuple[str, ...] = ()) -> list[RunInfo]:
        """Delete runs not used for `older_than` seconds (only those in `names` if given); returns what was deleted.

        Runs on which some process is working are left alone. Raises: StoreError for a name that does not exist.
        """
        runs = self.list_runs()
        unknown = sorted(set(names) - {info.name for info in runs})
        if unknown:
            raise StoreError(f"There is no run '{unknown[0]}'.", "`runs list` shows the names.")
        gone = []
        for info in runs:
            folder = self.root / info.name
            chosen = info.name in names if names else True
            if chosen and info.age >= older_than and not _in_use(folder):
                with disk_errors(f"The run {info.name}"):
                    shutil.rmtree(folder)
                gone.append(info)
        return gone


@contextlib.contextmanager
def _locked(path: Path, stage: str) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Another process is working on the stage '{stage}' of this clip."
            raise StoreError(message, "Wait until it has finished, or stop it, and start again.") from error
        yield  # the file stays: deleting it would let two processes hold locks on different files of this name


def _in_use(folder: Path) -> bool:
    for path in folder.glob(".*.lock"):
        try:
            with path.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            continue
    return False


def _tree_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
