"""Locks: one makes a result, and runs that are used are not deleted; between processes, where the disk has locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from stit_core.errors import StoreError

LOG = logging.getLogger(__name__)

# Said by file systems that have no locks, such as mounted object storage; or no writing at the end of a file.
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EBADF, errno.EINVAL)
_HINT = "Wait until it has finished, or stop it, and start again."


class _Held:
    """The locks that this process holds, which keep its own threads apart whatever the disk can do."""

    def __init__(self) -> None:
        self._begin()
        self._warned = False
        os.register_at_fork(after_in_child=self._begin)  # a fork holds none, whatever its parent's threads were doing

    def _begin(self) -> None:
        self._paths: set[Path] = set()
        self._lock = threading.Lock()

    def take(self, path: Path) -> bool:
        """Whether the lock was free in this process; it is held from now on."""
        with self._lock:
            free = path not in self._paths
            self._paths.add(path)
        return free

    def leave(self, path: Path) -> None:
        with self._lock:
            self._paths.discard(path)

    def __contains__(self, path: Path) -> bool:
        with self._lock:
            return path in self._paths

    def warn(self, path: Path) -> None:
        """Say once that other processes are not kept out."""
        if not self._warned:
            self._warned = True
            LOG.warning("%s lies on a disk without locks: let one process at a time use it.", path.parent)


_HELD = _Held()


class InUseError(StoreError):
    """Another process holds what is wanted, for now."""


@contextlib.contextmanager
def locked(path: Path, stage: str) -> Iterator[None]:
    """Hold the lock of a result, or raise InUseError where another process, or thread, holds it."""
    with alone(path, f"Another process is working on the stage '{stage}' of this clip."):
        yield


@contextlib.contextmanager
def alone(path: Path, otherwise: str) -> Iterator[None]:
    """Hold the lock in this file, or raise InUseError with the message `otherwise` where somebody else holds it.

    Raises
    ------
    InUseError: the lock is held.
    OSError: the file cannot be made, as the file system says it.
    """
    name = path.absolute()
    if not _HELD.take(name):
        raise InUseError(otherwise, _HINT)
    try:
        with _opened(path) as file:
            if not _lock(file, path):
                raise InUseError(otherwise, _HINT)
            try:
                yield  # the file stays: deleting it would let two processes hold locks on different files of this name
            finally:
                _unlock(file)
    finally:
        _HELD.leave(name)


def in_use(folder: Path) -> bool:
    """Whether some process makes a result of the run in this folder."""
    for path in folder.glob(".*.lock"):
        if path.absolute() in _HELD:
            return True
        try:
            with _opened(path) as file:
                if not _lock(file, path):
                    return True
        except OSError:
            continue
    return False


def _opened(path: Path) -> IO[str]:
    """The file of a lock; for reading where it is there and the disk does not add to what it holds."""
    try:
        return path.open("a")
    except OSError as error:
        if error.errno in (*_NO_LOCKS, errno.EPERM) and path.is_file():
            return path.open()
        raise


def _lock(file: IO[str], path: Path) -> bool:
    """Whether no other process holds the lock in an open file, as far as the disk says so."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _HELD.warn(path)
    return True


def _unlock(file: IO[str]) -> None:
    """Give the lock back. To close the file is not enough: forks that live on have it open too."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)
