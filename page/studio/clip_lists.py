"""The list of clips of a run: which there are, the run of its own that each has, and what is done to all of them.

It lies in the run's private folder as LIST, so that a reload shows it again. Each clip that was taken has a run of its
own, which can be opened by its address; LISTED in that run's folder names the run that holds the list. Both go with
the runs.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from page.studio.folders import RunFolders
from page.studio.holdings import remove
from stit_core.store.disk import disk_errors, read_json, write_json

LIST, LISTED = "clips.json", "listed.json"
ARCHIVES = "clips-"  # begins the names of the folders of archives, among the finished files
FIRST_PRESET = "balanced"


@dataclass(frozen=True)
class ListedClip:
    """A clip of a list.

    Attributes
    ----------
    id: of its card.
    name: as the visitor called it, without what could be taken for a path.
    digest: of its content.
    run: the clip's own run; "" where it was not taken.
    reason: why it was not taken, could not be begun, or has to wait; "" for no reason.
    same: id of the clip before it that has the same content; "" for none.
    wanted: whether it waits for its job to be begun.
    """

    id: str
    name: str
    digest: str = ""
    run: str = ""
    reason: str = ""
    same: str = ""
    wanted: bool = False


@dataclass(frozen=True)
class ClipList:
    """The clips of a run.

    Attributes
    ----------
    clips: in the order in which they came.
    choices: of the form: what the next start does to all of them, as choices of a run.
    begun: the choices under which those that are wanted are begun.
    """

    clips: tuple[ListedClip, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=lambda: {"edits": [], "preset": FIRST_PRESET})
    begun: Mapping[str, Any] = field(default_factory=dict)

    def find(self, clip_id: object) -> ListedClip | None:
        """The clip of a card."""
        return next((clip for clip in self.clips if clip.id == clip_id), None)


class ClipLists:
    """The lists on the disk; for several threads."""

    def __init__(self, folders: RunFolders) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._held: dict[str, threading.RLock] = {}

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """Let nobody else change a run's list meanwhile."""
        with self._lock:
            lock = self._held.setdefault(run_id, threading.RLock())
        with lock:
            yield

    def load(self, run_id: object) -> ClipList:
        """The list of a run; an empty one where there is none."""
        if not isinstance(run_id, str) or not self._folders.known(run_id):
            return ClipList()
        record = read_json(self._folders.settings.private / run_id / LIST)
        try:
            return ClipList() if record is None else _from_record(record)
        except (KeyError, TypeError, ValueError):
            return ClipList()

    def update(self, run_id: str, make: Callable[[ClipList], ClipList]) -> ClipList:
        """Replace a run's list by what `make` makes of it.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        with self.hold(run_id), disk_errors("The list of clips"):
            listed = make(self.load(run_id))
            write_json(self._folders.settings.private / run_id / LIST, dataclasses.asdict(listed))
            return listed

    def add(self, run_id: str, clip: ListedClip) -> None:
        """Put a clip behind the others; raises as `update`."""
        self.update(run_id, lambda listed: dataclasses.replace(listed, clips=(*listed.clips, clip)))

    def replace(self, run_id: str, clip: ListedClip) -> None:
        """Put another record of a clip into its place; raises as `update`."""

        def replaced(listed: ClipList) -> ClipList:
            clips = tuple(clip if known.id == clip.id else known for known in listed.clips)
            return dataclasses.replace(listed, clips=clips)

        self.update(run_id, replaced)

    def runs(self, run_id: object) -> tuple[str, ...]:
        """The runs of the clips of a run's list."""
        return tuple(clip.run for clip in self.load(run_id).clips if clip.run)

    def drop_direction(self, run_id: str, name: str) -> None:
        """Choose a direction no longer for the next start of a run's list; raises as `update`."""

        def dropped(listed: ClipList) -> ClipList:
            edits = [pair for pair in listed.choices.get("edits", ()) if pair[0] != name]
            return dataclasses.replace(listed, choices={**listed.choices, "edits": edits})

        if self.load(run_id) != ClipList():
            self.update(run_id, dropped)

    def adopt(self, run_id: str, clip_run: str) -> None:
        """Note of a clip's run in whose list it is.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        with disk_errors("The list of clips"):
            write_json(self._folders.private(clip_run) / LISTED, {"list": run_id})

    def empty(self, run_id: str) -> tuple[str, ...]:
        """Forget the clips of a run that is about to be deleted; gives the runs that they had, the newest first.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        self._drop_archive_of(run_id)
        with self.hold(run_id):
            runs = self.runs(run_id)
            if runs:
                self.update(run_id, lambda listed: dataclasses.replace(listed, clips=()))
        with self._lock:
            self._held.pop(run_id, None)
        return runs[::-1]

    def drop_archives(self, run_id: str) -> None:
        """Delete the archives of a list: they may hold videos that are to be deleted.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        with disk_errors("An archive of videos"):
            for folder in self._folders.outputs(run_id).glob(f"{ARCHIVES}*"):
                remove(folder)

    def _drop_archive_of(self, clip_run: str) -> None:
        """Delete the archives that may hold a video of this run, whose list belongs to another."""
        holder = holder_of(self._folders, clip_run)
        if holder is not None:
            self.drop_archives(holder)


def holder_of(folders: RunFolders, clip_run: str) -> str | None:
    """The run in whose list another one's clip is; None for a run of no list."""
    if not folders.known(clip_run):
        return None
    holder = (read_json(folders.settings.private / clip_run / LISTED) or {}).get("list")
    return holder if isinstance(holder, str) and folders.known(holder) else None


def _from_record(record: Mapping[str, Any]) -> ClipList:
    clips = tuple(ListedClip(**clip) for clip in record["clips"])
    return ClipList(clips, dict(record["choices"]), dict(record["begun"]))
