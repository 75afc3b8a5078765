"""One folder a visitor, under a name that nobody can guess; deleted when it has not been used for a while."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Collection
from pathlib import Path

from page.settings import PageSettings
from stit_core.errors import StitError
from stit_core.store import Store, disk_errors

LOG = logging.getLogger(__name__)

ID_BYTES = 16  # 128 random bits
SWEEP_SECONDS = 900.0
_ID = re.compile(r"[A-Za-z0-9_-]{22}")


def new_id() -> str:
    """An id that cannot be guessed, safe as a folder's name."""
    return secrets.token_urlsafe(ID_BYTES)


def _public_name(run_id: str) -> str:
    return hashlib.sha256(run_id.encode()).hexdigest()[:32]


class Visits:
    """Folders of the visitors below the roots that the settings name."""

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings

    def store(self, run_id: str) -> Store:
        """Where a visitor's runs are kept. Raises: StitError for what is no id, StoreError for an unwritable disk."""
        return Store(self._folder(self.settings.private, run_id))

    def outputs(self, run_id: str) -> Path:
        """The folder for a visitor's finished files; its name, which links show, does not give the id away.

        Raises: as `store`.
        """
        return self._folder(self.settings.served, run_id, _public_name(run_id))

    def sample(self, clip: Path) -> Path:
        """A copy of a sample clip that the page may serve."""
        folder = self.settings.served / "samples"
        target = folder / clip.name
        with disk_errors("The sample clip"):
            folder.mkdir(parents=True, exist_ok=True)
            if not target.is_file() or target.stat().st_size != clip.stat().st_size:
                part = folder / f"{new_id()}.part"
                shutil.copyfile(clip, part)
                part.replace(target)
        return target

    def keep(self, upload: Path) -> None:
        """Note that an uploaded file is in use."""
        if upload.is_file() and upload.is_relative_to(self.settings.served):
            os.utime(upload.parent)

    def sweep(self, busy: Collection[str] = ()) -> list[Path]:
        """Delete what was not used for `keep_hours`, but no folder of an id in `busy`; returns what was deleted."""
        kept = {*busy, *(_public_name(run_id) for run_id in busy)}
        oldest = time.time() - 3600 * self.settings.keep_hours
        gone = []
        for root in (self.settings.private, self.settings.served):
            for folder in root.iterdir() if root.is_dir() else ():
                try:
                    if folder.is_dir() and folder.name not in kept and folder.stat().st_mtime < oldest:
                        shutil.rmtree(folder)
                        gone.append(folder)
                except OSError as error:
                    LOG.warning("%s could not be deleted: %s", folder, error)
        return gone

    def _folder(self, root: Path, run_id: str, name: str = "") -> Path:
        if not _ID.fullmatch(run_id):
            raise StitError("The page has not finished loading.", "Wait a moment, or load it again.")
        folder = root / (name or run_id)
        with disk_errors("The folder of this visit"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.utime(folder)
        return folder


class Sweeper(threading.Thread):
    """Sweeps in the background for as long as the page runs."""

    def __init__(self, visits: Visits, busy: Collection[str] = ()) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.visits, self.busy = visits, busy

    def run(self) -> None:
        while True:
            for folder in self.visits.sweep(self.busy):
                LOG.info("deleted %s, not used for %g hours", folder.name, self.visits.settings.keep_hours)
            time.sleep(SWEEP_SECONDS)
