"""Writes that are whole or not there, and a full, unwritable or vanished disk in words."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stit_core.errors import NO_ROOM, NoRoomError, StoreError

_NOT_WRITABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
    errno.ELOOP, errno.EIO,
)  # fmt: skip
# Said of what a file system does not have, as that of mounted object storage.
_UNKNOWN = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.EXDEV)


@contextlib.contextmanager
def disk_errors(what: str, writing: bool = True, inside: Path | None = None) -> Iterator[None]:
    """Turn a full, unwritable or vanished place on disk into a StoreError that says so; other errors pass.

    Parameters
    ----------
    what: is written or read, in the words of the error.
    writing: whether a folder that is gone is such an error too.
    inside: a folder; errors that name a file elsewhere, such as a program that cannot be found, pass too.
    """
    try:
        yield
    except OSError as error:
        if inside is not None and not _speaks_of(error, inside):
            raise
        subject = what[:1].upper() + what[1:]
        if error.errno in NO_ROOM:
            hint = "Free some space or delete old runs with `runs clean`; finished work is kept, start again then."
            raise NoRoomError(f"The disk is full: {what} could not be written.", hint) from error
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


def write_synced(path: Path, data: bytes) -> None:
    """Write a file atomically: a temporary file, fsync, rename. Raises OSError as the file system does."""
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
    """Write `record` atomically as indented JSON. Raises OSError as the file system does."""
    write_synced(path, (json.dumps(record, indent=2) + "\n").encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The table in a JSON file; None where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def keep_json(path: Path, record: dict[str, Any]) -> None:
    """As `write_json`, but a file that says so already is only marked as used now, which is much faster."""
    if read_json(path) == record:
        mark_used(path)
    else:
        write_json(path, record)


def mark_used(path: Path) -> None:
    """Set the time of a file or folder to now, where the disk keeps times. Raises OSError as the file system does."""
    try:
        os.utime(path)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise


def move_folder(source: Path, target: Path, last: str = "") -> None:
    """Give a folder another name, under which nothing is yet. Raises OSError as the file system does.

    Where the disk cannot do that, the files are copied one by one, and what was there is deleted when all are.

    Parameters
    ----------
    last: name of a file in it without which the folder is not taken for whole.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in _UNKNOWN or not source.is_dir():
            raise
        files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
        target.mkdir()
        for name in sorted(files, key=lambda name: str(name) == last):  # False comes first
            (target / name.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)  # without rights and times, which such a disk may not have
        sync_tree(target)
        shutil.rmtree(source)


def sync_tree(folder: Path) -> None:
    """Have all files below a folder, and the folder itself, reach the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


def sync_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk, where that is a thing of its own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
    finally:
        os.close(descriptor)
