"""The room that all visitors' files may take together: what goes first where it is used up.

Uploads that no run took, then the runs that were used longest ago and are finished: never one whose job waits or runs,
and never one that is on somebody's screen.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from page.settings import PageSettings
from page.studio.estimates import duration
from page.studio.folders import SAMPLES, public_name
from page.studio.holdings import GIGABYTE, noted_uploads
from stit_core.errors import StoreError

LOG = logging.getLogger(__name__)

MEASURED_SECONDS = 60.0  # for which a measurement holds, unless little room is left
FULL_SHARE = 0.9  # of the room, from which on it is measured each time
UNCLAIMED_SECONDS = 900.0  # after which an upload that no run took is nobody's


class Quota:
    """Keeps what all runs hold below the setting; for several threads.

    Parameters
    ----------
    size: bytes of a run by its id, its uploads with it.
    delete: deletes a run.
    """

    def __init__(self, settings: PageSettings, size: Callable[[str], int], delete: Callable[[str], None]) -> None:
        self._settings, self._size, self._delete = settings, size, delete
        self._lock = threading.Lock()
        self._known, self._measured = 0, -MEASURED_SECONDS

    @property
    def limit(self) -> float:
        """Bytes that all may hold together."""
        return self._settings.total_gb * GIGABYTE

    def make_room(self, kept: Collection[str]) -> list[str]:
        """Delete what is oldest until the rest fits; gives the ids of the runs that went.

        Parameters
        ----------
        kept: ids of the runs that are worked on or looked at.

        Raises
        ------
        StoreError: what is kept is more than there is room for.
        """
        with self._lock:
            fresh = time.monotonic() - self._measured < MEASURED_SECONDS
            if fresh and self._known < FULL_SHARE * self.limit:
                return []
            total = self._measure()
            gone: list[str] = []
            if total > self.limit:
                self._delete_unclaimed()
                total = self._measure()
            for run_id in self._oldest():
                if total <= self.limit:
                    break
                if run_id not in kept:
                    unused = duration(time.time() - _used(self._settings.private / run_id))
                    held = f"{total / GIGABYTE:.3g} GB of {self._settings.total_gb:g}"
                    size = self._size(run_id)
                    LOG.warning("visitors' files take %s: a run that nobody used for %s is deleted", held, unused)
                    self._delete(run_id)
                    gone.append(run_id)
                    total -= size
            if gone:
                total = self._measure()
        if total > self.limit:
            message = f"The room for visitors' files is used up, {self._settings.total_gb:g} GB on this server."
            raise StoreError(message, "Try again later: others' runs go when they have finished.")
        return gone

    def _measure(self) -> int:
        """Bytes of all files; what is linked twice counts once."""
        bytes_of: dict[tuple[int, int], int] = {}
        for root in (self._settings.private, self._settings.served):
            for entry in _files(root):
                try:
                    facts = entry.stat(follow_symlinks=False)
                except OSError:  # deleted meanwhile
                    continue
                bytes_of[facts.st_dev, entry.inode()] = facts.st_size
        self._known, self._measured = sum(bytes_of.values()), time.monotonic()
        return self._known

    def _oldest(self) -> list[str]:
        """The runs, the longest unused first."""
        root = self._settings.private
        folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
        return [path.name for path in sorted(folders, key=_used)]

    def _delete_unclaimed(self) -> None:
        """Delete the uploads whose links to a run are none, and which are too old to be on their way to one."""
        served, oldest = self._settings.served, time.time() - UNCLAIMED_SECONDS
        runs = {public_name(run_id) for run_id in self._oldest()} | {SAMPLES}
        claimed = self._claimed()
        for folder in served.iterdir() if served.is_dir() else ():
            if not folder.is_dir() or folder.name in runs or folder.name in claimed or _used(folder) > oldest:
                continue
            LOG.warning("an upload that no run took is deleted: the room for visitors' files is used up")
            shutil.rmtree(folder, ignore_errors=True)

    def _claimed(self) -> set[str]:
        """Folders of uploads that a run has noted."""
        return {Path(name).parts[0] for run_id in self._oldest() for name in noted_uploads(self._settings, run_id)}


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files below a folder, as far as they are there."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield entry
