"""The folders that visitors' files lie in: closed to other users of the machine, and without what broke off."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

LOG = logging.getLogger(__name__)

PRIVATE = 0o700


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
            except OSError as error:  # it belongs to somebody else, who decides
                LOG.warning("%s can be read by other users of this machine: %s", folder, error.strerror)


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
