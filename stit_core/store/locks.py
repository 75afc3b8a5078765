"""Locks between processes: one makes a result, and runs that are used are not deleted."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from stit_core.errors import StoreError


class InUseError(StoreError):
    """Another process holds what is wanted, for now."""


@contextlib.contextmanager
def locked(path: Path, stage: str) -> Iterator[None]:
    """Hold the lock of a result, or raise InUseError where another process holds it."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Another process is working on the stage '{stage}' of this clip."
            raise InUseError(message, "Wait until it has finished, or stop it, and start again.") from error
        yield  # the file stays: deleting it would let two processes hold locks on different files of this name


def in_use(folder: Path) -> bool:
    """Whether some process makes a result of the run in this folder."""
    for path in folder.glob(".*.lock"):
        try:
            with path.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            continue
    return False
