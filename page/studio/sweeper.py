"""What nobody has used for a while is deleted, in the background for as long as the page runs."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from page.settings import PageSettings
from page.studio.disk import last_used, remove_strays
from page.studio.folders import public_name

LOG = logging.getLogger(__name__)

SWEEP_SECONDS = 900.0
STRAY_SECONDS = 900.0  # after which nobody writes on what was uploaded in part


def sweep(settings: PageSettings, busy: Collection[str] = ()) -> list[Path]:
    """Delete what was not used for `keep_hours`, and what is left of broken uploads.

    Parameters
    ----------
    busy: ids of runs whose folders are kept whatever their age.

    Returns
    -------
    What was deleted.
    """
    kept = {*busy, *(public_name(run_id) for run_id in busy)}
    oldest = time.time() - 3600 * settings.keep_hours
    gone = remove_strays(settings.served, STRAY_SECONDS)
    for root in (settings.private, settings.served):
        for folder in root.iterdir() if root.is_dir() else ():
            try:
                if folder.is_dir() and folder.name not in kept and last_used(folder) < oldest:
                    shutil.rmtree(folder)
                    gone.append(folder)
                elif root == settings.private:
                    kept.add(public_name(folder.name))  # what a run shows goes with it, and not before
            except OSError as error:
                LOG.warning("a folder that nobody uses could not be deleted: %s", error.strerror)
    return gone


class Sweeper(threading.Thread):
    """Sweeps again and again; `sweep` returns what it deleted."""

    def __init__(self, sweep: Callable[[], list[Path]]) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.sweep = sweep

    def run(self) -> None:
        while True:
            if gone := self.sweep():
                LOG.info("deleted %d folders and files that nobody used any more", len(gone))
            time.sleep(SWEEP_SECONDS)
