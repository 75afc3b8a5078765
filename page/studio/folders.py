"""One folder a visitor, under a name that nobody can guess; deleted when it has not been used for a while."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path

from page.settings import PageSettings
from page.studio.disk import make_private
from stit_core.errors import StitError
from stit_core.store.disk import disk_errors, mark_used, move_folder
from stit_core.store.runs import Store

LONGEST_NAME = 80  # characters of a clip's name that are kept
ID_BYTES = 16  # 128 random bits
DELETE_ATTEMPTS = 3
SAMPLES = "samples"  # folder of the samples' copies, among the served ones
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_PUBLIC = re.compile(r"[0-9a-f]{32}")  # of `public_name`; an upload's folder has another length
_UNSAFE = re.compile(r"[^\w .()+-]+")


def new_id() -> str:
    """An id that cannot be guessed, safe as a folder's name."""
    return secrets.token_urlsafe(ID_BYTES)


def is_id(text: object) -> bool:
    """Whether a text has the form of an id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def safe_name(name: str) -> str:
    """A visitor's file name without what could be taken for a path or markup; it keeps its suffix."""
    cleaned = _UNSAFE.sub("_", Path(name).name).strip(" .") or "clip"
    stem, suffix = Path(cleaned).stem, Path(cleaned).suffix[:8]
    return stem[: LONGEST_NAME - len(suffix)] + suffix


def link_or_copy(source: Path, target: Path) -> None:
    """Let `target` hold what `source` holds, without another copy where the disk allows that."""
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or no links there
        shutil.copyfile(source, target)


def public_name(run_id: str) -> str:
    return hashlib.sha256(run_id.encode()).hexdigest()[:32]


class RunFolders:
    """Folders of the visitors below the roots that the settings name."""

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings

    def store(self, run_id: str) -> Store:
        """Where a visitor's runs are kept.

        Raises
        ------
        StitError: what is no id.
        StoreError: an unwritable disk.
        """
        return Store(self._folder(self.settings.private, run_id))

    def outputs(self, run_id: str) -> Path:
        """The folder for a visitor's finished files; its name, which links show, does not give the id away.

        Raises
        ------
        StitError: what is no id.
        StoreError: the disk is full, or cannot be written or read.
        """
        return self._folder(self.settings.served, run_id, public_name(run_id))

    def known(self, run_id: str) -> bool:
        """Whether this is the id of a run that exists; makes no folder."""
        return is_id(run_id) and (self.settings.private / run_id).is_dir()

    def private(self, run_id: str) -> Path:
        """The folder of what is never served.

        Raises
        ------
        StitError: what is no id.
        StoreError: the disk is full, or cannot be written or read.
        """
        return self._folder(self.settings.private, run_id)

    def check_served(self, upload: Path) -> Path:
        """The file, if it was uploaded here.

        Raises
        ------
        StitError: it was not uploaded here, or is not there any more.
        """
        if not upload.is_file() or not upload.resolve().is_relative_to(self.settings.served.resolve()):
            raise StitError("The uploaded file is not there any more.", "Upload it again.")
        return upload

    def is_upload(self, path: Path) -> bool:
        """Whether a path is that of an upload as gradio received it, and no sample or file that a run made."""
        served, resolved = self.settings.served.resolve(), path.resolve()
        if not resolved.is_relative_to(served):
            return False
        folder, *names = resolved.relative_to(served).parts or ("",)
        return len(names) == 1 and folder != SAMPLES and _PUBLIC.fullmatch(folder) is None

    def take(self, run_id: str, upload: Path, name: str = "") -> Path:
        """A visitor's own copy of an uploaded clip, in the folder of its outputs; an older clip is deleted.

        Raises
        ------
        StitError: a file that was not uploaded here.
        StoreError: the disk is full, or cannot be written or read.
        """
        self.check_served(upload)
        folder = self.outputs(run_id) / "clip"
        with disk_errors("The clip"):
            fresh = folder.with_name(f"clip-{new_id()}")
            fresh.mkdir()
            target = fresh / safe_name(name or upload.name)
            link_or_copy(upload, target)
            shutil.rmtree(folder, ignore_errors=True)
            move_folder(fresh, folder)
        return folder / target.name

    def delete(self, run_id: str) -> None:
        """Delete the two folders of a run.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        if not is_id(run_id):
            return
        for folder in (self.settings.served / public_name(run_id), self.settings.private / run_id):
            with disk_errors("The folder of this visit"):
                for left in reversed(range(DELETE_ATTEMPTS)):  # a page that is open may write a preview meanwhile
                    shutil.rmtree(folder, ignore_errors=bool(left) or not folder.exists())

    def sample(self, clip: Path) -> Path:
        """A copy of a sample clip that the page may serve."""
        folder = self.settings.served / SAMPLES
        target = folder / clip.name
        with disk_errors("The sample clip"):
            make_private(self.settings.root, self.settings.served, folder)
            mark_used(folder)
            if not target.is_file() or target.stat().st_size != clip.stat().st_size:
                part = folder / f"{new_id()}.part"
                shutil.copyfile(clip, part)
                part.replace(target)
        return target

    def touch(self, run_id: str) -> None:
        """Note that a run is in use; makes nothing, as the run may just have been deleted.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        if is_id(run_id):
            for folder in (self.settings.private / run_id, self.settings.served / public_name(run_id)):
                with contextlib.suppress(FileNotFoundError), disk_errors("The folder of this visit", writing=False):
                    mark_used(folder)

    def _folder(self, root: Path, run_id: str, name: str = "") -> Path:
        if not _ID.fullmatch(run_id):
            raise StitError("The page has not finished loading.", "Wait a moment, or load it again.")
        folder = root / (name or run_id)
        with disk_errors("The folder of this visit"):
            make_private(self.settings.root, root, folder)
            mark_used(folder)
        return folder
