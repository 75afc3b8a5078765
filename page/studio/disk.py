"""The folders that visitors' files lie in: closed to other users of the machine, and without what broke off."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import time
from pathlib import Path

from stit_core.errors import StoreError

LOG = logging.getLogger(__name__)

PRIVATE = 0o700
EARLIEST = 1e9  # seconds since 1970; a folder that is older has no time, as on a disk that keeps none of folders


def make_private(*folders: Path) -> None:
    """Make folders and those above them that are missing, for this user alone; one that is there is closed too.

    The names of the folders below are the visitors' secrets, so nobody else may list them.

    Raises
    ------
    OSError: a folder that cannot be made.
    """
    for folder in folders:
        for above in reversed(folder.parents):
            if not above.exists():
                above.mkdir(mode=PRIVATE, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            try:
                folder.chmod(PRIVATE)
            except OSError as error:  # it belongs to somebody else, who decides, or to a disk without such rights
                _warn_open(folder.parent, str(error.strerror))


def remove_strays(served: Path, seconds: float = 0.0) -> list[Path]:
    """Delete files that lie in the folder itself and were not written for `seconds`; gives what was deleted.

    Gradio writes an upload there and moves it into a folder when it is whole: what stays is what broke off.
    """
    oldest, gone = time.time() - seconds, []
    try:
        entries = list(os.scandir(served))
    except FileNotFoundError:
        return []
    for entry in entries:
        try:
            if not entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime <= oldest:
                os.unlink(entry.path)
                gone.append(Path(entry.path))
        except OSError as error:
            LOG.warning("%s could not be deleted: %s", entry.name, error.strerror)
    return gone


def last_used(folder: Path) -> float:
    """When a folder was used last, in seconds since 1970; where the disk does not say, when a file below was written.

    Raises
    ------
    OSError: it cannot be read.
    """
    used = folder.stat().st_mtime
    if used < EARLIEST:
        used = max([used, *(path.stat().st_mtime for path in folder.rglob("*") if path.is_file())])
    return used


def check_disk(root: Path) -> None:
    """See that a disk can do what the runs need of it: files are written, renamed, added to and changed in the middle.

    Mounted object storage may do no more than write a file once.

    Raises
    ------
    StoreError: it cannot.
    """
    trial = root / f"trial-{secrets.token_hex(4)}"
    written = trial.with_suffix(".part")
    try:
        make_private(root)
        written.write_bytes(b"abc")
        written.replace(trial)
        with trial.open("ab") as file:
            file.write(b"d")
        with trial.open("r+b") as file:
            file.seek(1)
            file.write(b"B")
        if trial.read_bytes() != b"aBcd":
            raise OSError("what was written is not what is read")
    except OSError as error:
        hint = "STIT_RUNS names another folder. Object storage has to be mounted so that files can be changed."
        raise StoreError(f"{root} cannot hold runs: {error.strerror or error}.", hint) from error
    finally:
        for path in (trial, written):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                LOG.warning("%s could not be deleted: %s", path.name, error.strerror)


@functools.lru_cache(maxsize=64)  # once for each
def _warn_open(above: Path, why: str) -> None:
    LOG.warning("folders in %s can be read by other users of this machine: %s", above, why)
