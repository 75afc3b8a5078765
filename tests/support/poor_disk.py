"""A disk that can do less than others, as mounted object storage: see `poor_disk`."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Rename = Callable[[Path, Path], None]


@contextmanager
def poor_disk(rename: Rename | None = None) -> Iterator[list[str]]:
    """A disk without hard links, locks, times of folders, rights, and writing through of folders.

    Parameters
    ----------
    rename: renames a folder; a disk that cannot where none is given.

    Returns
    -------
    What was refused, by name, as it is.
    """
    refused: list[str] = []

    def refuse(name: str, error: int) -> None:
        refused.append(name)
        raise OSError(error, os.strerror(error))

    def is_folder(place: Any) -> bool:
        return stat.S_ISDIR(os.fstat(place).st_mode) if isinstance(place, int) else Path(place).is_dir()

    def unless_folder(name: str, real: Callable[..., Any], error: int) -> Callable[..., Any]:
        return lambda place, *more, **named: refuse(name, error) if is_folder(place) else real(place, *more, **named)

    def renamed(source: Any, target: Any, real: Callable[..., Any] = os.rename) -> None:
        if not Path(source).is_dir():
            real(source, target)
        elif rename is None:
            refuse("rename", errno.ENOSYS)
        else:
            rename(Path(source), Path(target))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "link", lambda *_, **__: refuse("link", errno.EPERM))
        patch.setattr(fcntl, "flock", lambda *_: refuse("flock", errno.ENOSYS))
        patch.setattr(os, "fsync", unless_folder("fsync", os.fsync, errno.EINVAL))
        patch.setattr(os, "utime", unless_folder("utime", os.utime, errno.EPERM))
        patch.setattr(os, "chmod", lambda *_, **__: refuse("chmod", errno.EPERM))
        patch.setattr(os, "rename", renamed)
        yield refused


def rename_slowly(look: Callable[[], None]) -> Rename:
    """A rename of a folder that takes one file after the other, between which somebody looks."""

    def rename(source: Path, target: Path) -> None:
        target.mkdir()
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            time.sleep(0.001)
            look()
        shutil.rmtree(source)

    return rename
