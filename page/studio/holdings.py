"""What a run holds on the disk, from the upload to the video: one place that knows all of it, bounds it and deletes it.

served/<upload>/     an upload as gradio received it; two visitors who bring the same file share the folder
served/<public>/     the clip, the finished videos and their manifests, the report of a review in a folder of its own
private/<id>/        page.json, uploads.json, feeds, results of the stages, previews; of a training the pictures,
                     their latents and the directions; of a review the people, records and rows of the sheet
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

from page.settings import PageSettings
from page.studio.folders import RunFolders
from page.studio.job import JobEnded
from page.studio.runs import Runs, RunState
from stit_core.errors import StoreError
from stit_core.store.disk import disk_errors, write_json
from stit_core.store.keys import file_digest
from stit_core.store.runs import RUN_DIGITS

LOG = logging.getLogger(__name__)

UPLOADS = "uploads.json"  # what the run brought, as paths below the served folder
FEEDS = "feeds"  # folder of the frames for the player
LATENTS = "latents"  # folder of the latents of training pictures: from a latent the face can be drawn again
TRAININGS = "lessons"  # folder of the pictures of a training that waits or runs
REVIEW, KEPT = "review", "kept"  # folder of a review, and in it of what was found of each picture or clip
STAGES_OF_CLIPS = ("runs", "clips")  # in KEPT: they only spare time, for what was found lies beside them
VIDEOS = ("*.mp4", "*.json")  # what an output leaves in the folder of outputs
GIGABYTE = 1e9


class Holdings:
    """What the runs hold; for several threads."""

    def __init__(self, folders: RunFolders, runs: Runs) -> None:
        self.folders, self.runs = folders, runs
        self._lock = threading.Lock()

    def note(self, run_id: str, uploads: Iterable[Path]) -> None:
        """Remember that the run brought these uploads, so that they are deleted with it.

        Raises
        ------
        StitError: a file that was not uploaded here.
        StoreError: the disk is full, or cannot be written or read.
        """
        brought = [self.folders.check_served(path) for path in uploads]
        served = self.folders.settings.served.resolve()
        names = [str(path.resolve().relative_to(served)) for path in brought if self.folders.is_upload(path)]
        with self._lock, disk_errors("The list of this run's uploads"):
            known = self._noted(run_id)
            fresh = sorted({*known, *names})
            if fresh != known:
                write_json(self.folders.private(run_id) / UPLOADS, fresh)

    def clear_after(self, event: JobEnded) -> None:
        """Delete what the end of a job leaves over.

        Raises
        ------
        StitError: there is no such run.
        StoreError: the disk is full, or cannot be written or read.
        """
        if event.discarded:  # it may have written something after the run was deleted
            self.delete(event.run_id)
        elif event.kind == "edit":
            self.keep_only(self.runs.get(event.run_id))

    def keep_only(self, state: RunState) -> None:
        """Delete videos and feeds that belong to none of the run's outputs: what is too old, or was never finished."""
        named = [name for output in state.outputs for name in (output.video, output.manifest, output.feed)]
        kept = {Path(name).resolve() for name in named if name is not None}
        made = [path for pattern in VIDEOS for path in self.folders.outputs(state.id).glob(pattern)]
        made += _entries(self.folders.private(state.id) / FEEDS)
        left = [path for path in made if path.resolve() not in kept]
        with disk_errors("What this run made earlier"):
            for path in left:
                remove(path)

    def make_room(self, state: RunState) -> None:
        """Bring a run below its quota before it makes more: results of its earlier clips go, the longest unused first.

        Then those of the clips of a review; what was found of them stays.

        Raises
        ------
        StoreError: what it needs itself is over the quota.
        """
        limit = self.folders.settings.run_gb * GIGABYTE
        if (size := self.size(state.id)) <= limit:
            return
        store = self.folders.store(state.id)
        current = file_digest(Path(state.clip))[:RUN_DIGITS] if state.clip and Path(state.clip).is_file() else ""
        for found in reversed(store.list_runs()):
            if found.name != current and size > limit:
                store.clean(names=(found.name,))
                size = self.size(state.id)
        if size > limit:
            for name in STAGES_OF_CLIPS:
                with disk_errors("What a review made of clips"):
                    remove(self.folders.private(state.id) / REVIEW / KEPT / name)
            size = self.size(state.id)
        if size > limit:
            message = f"This run holds {size / GIGABYTE:.2g} GB, and {limit / GIGABYTE:.2g} GB is the limit."
            raise StoreError(message, "Keep your videos, press 'Delete my data now', and begin again.")

    def size(self, run_id: str) -> int:
        """Bytes that a run holds; what is linked twice counts once."""
        served = self.folders.settings.served
        roots = [self.folders.private(run_id), self.folders.outputs(run_id)]
        files = [path for root in roots for path in root.rglob("*")]
        files += [served / name for name in self._noted(run_id)]
        bytes_of: dict[tuple[int, int], int] = {}
        for path in files:
            with contextlib.suppress(OSError):  # deleted meanwhile
                facts = path.lstat()
                bytes_of[facts.st_dev, facts.st_ino] = facts.st_size
        return sum(bytes_of.values())

    def drop(self, run_id: str, uploads: Iterable[Path]) -> None:
        """Delete uploads that the run brought and needs no more.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        served = self.folders.settings.served.resolve()
        with self._lock:
            known = set(self._noted(run_id))
            gone = {name for path in uploads if (name := _below(path, served)) in known}
            self._delete_uploads(gone)
            if gone:
                with disk_errors("The list of this run's uploads"):
                    write_json(self.folders.private(run_id) / UPLOADS, sorted(known - gone))

    def delete(self, run_id: str) -> None:
        """Delete everything that a run holds.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        if not self.folders.known(run_id):
            return
        with self._lock:
            self._delete_uploads(self._noted(run_id))
            self.folders.delete(run_id)

    def _noted(self, run_id: str) -> list[str]:
        return noted_uploads(self.folders.settings, run_id)

    def _delete_uploads(self, names: Iterable[str]) -> None:
        """Delete files below the served folder, and their folders where nobody else's file is left in them."""
        served = self.folders.settings.served.resolve()
        for name in names:
            path = served / name
            if self.folders.is_upload(path):
                with disk_errors("An upload of this run"):
                    path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()


def noted_uploads(settings: PageSettings, run_id: str) -> list[str]:
    """What a run brought, as paths below the served folder."""
    try:
        found = json.loads((settings.private / run_id / UPLOADS).read_bytes())
        return [str(name) for name in found]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        LOG.warning("the list of a run's uploads could not be read: %s", error)
        return []


def remove(path: Path) -> None:
    """Delete a file or a folder, whether or not it is still there.

    Raises
    ------
    OSError: what cannot be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_unless_gone)
    else:
        path.unlink(missing_ok=True)


def _unless_gone(function: object, path: str, failure: tuple[type, BaseException, object]) -> None:  # noqa: ARG001
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _below(path: Path, folder: Path) -> str:
    """A path as it lies below a folder; empty where it does not."""
    resolved = path.resolve()
    return str(resolved.relative_to(folder)) if resolved.is_relative_to(folder) else ""
