"""Run folders: every stage's result under a key made of its content, written atomically, resumable after a stop.

Layout: `<root>/<run>/run.json` names the clip; `<root>/<run>/<stage>-<key>/` is a finished result, made of result.json,
tensors.safetensors and folders of pictures; `.<stage>-<key>.part` is one that was begun. A run is one source file.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stit_core.errors import StoreError
from stit_core.store.artefact_files import RESULT_FILE, load_artefact
from stit_core.store.disk import disk_errors, keep_json, move_folder, sync_folder, sync_tree
from stit_core.store.keys import STAGE_VERSIONS
from stit_core.store.locks import in_use, locked
from stit_core.store.paths import default_root

LOG = logging.getLogger(__name__)

RUN_DIGITS = 16
RUN_FILE = "run.json"

T = TypeVar("T")


@dataclass(frozen=True)
class RunInfo:
    """One run as `runs list` shows it: stages finished, bytes on disk, seconds since it was last used."""

    name: str
    clip: str
    stages: tuple[str, ...]
    size: int
    age: float


class Run:
    """The results that belong to one source file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_of(self, source_hash: str) -> bool:
        """Whether this is the run of the file with this sha256."""
        return self.folder.name == source_hash[:RUN_DIGITS]

    def find(self, stage: str, key: str) -> Path | None:
        """The folder of a finished result, or None."""
        folder = self.folder / f"{stage}-{key}"
        return folder if (folder / RESULT_FILE).is_file() else None

    def part(self, stage: str, key: str) -> Path:
        """The folder of a result that is being made or was begun; it may not be there."""
        return self.folder / f".{stage}-{key}.part"

    def discard(self, stage: str, key: str) -> None:
        """Throw a finished result away."""
        shutil.rmtree(self.folder / f"{stage}-{key}", ignore_errors=True)

    @contextlib.contextmanager
    def make(self, stage: str, key: str) -> Iterator[Path]:
        """A folder to make a result in. It outlives a stop or crash; on success it takes its final name.

        What goes wrong elsewhere while the result is made is raised as it is.

        Raises
        ------
        StoreError: another process is making the same result, or the disk is full or not writable.
        """
        final, part = self.folder / f"{stage}-{key}", self.part(stage, key)
        refused = disk_errors(f"the result of '{stage}'", inside=self.folder)
        with refused, locked(self.folder / f".{stage}-{key}.lock", stage):
            part.mkdir(parents=True, exist_ok=True)
            try:
                yield part
            finally:
                with contextlib.suppress(OSError):
                    part.rmdir()  # succeeds where nothing was made
            sync_tree(part)
            if final.exists():
                shutil.rmtree(final)
            move_folder(part, final, last=RESULT_FILE)
            sync_folder(self.folder)

    def load(self, stage: str, key: str, kind: type[T]) -> T | None:
        """The finished result, or None where there is none; a damaged one is thrown away with a warning.

        One that is incomplete while it is being made is not there yet: not every disk moves a folder at once.
        """
        folder = self.find(stage, key)
        if folder is None:
            return None
        try:
            return load_artefact(kind, folder)
        except StoreError as error:
            if self.part(stage, key).exists():
                return None
            LOG.warning("%s It is made again.", error.message)
            self.discard(stage, key)
            return None


class Store:
    """All runs below one folder, $STIT_RUNS by default."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()

    def run(self, source_hash: str, clip: str) -> Run:
        """Open or begin the run of the file with this sha256; `clip` is its name, for `runs list`.

        Raises
        ------
        StoreError: the folder cannot be written.
        """
        folder = self.root / source_hash[:RUN_DIGITS]
        with disk_errors(f"The folder of runs ({self.root})"):
            folder.mkdir(parents=True, exist_ok=True)
            keep_json(folder / RUN_FILE, {"clip": clip, "source": source_hash})
        return Run(folder)

    def list_runs(self) -> list[RunInfo]:
        """Every run, the last used first."""
        found = []
        for record in self.root.glob(f"*/{RUN_FILE}"):
            try:
                clip = str(json.loads(record.read_bytes())["clip"])
                used = record.stat().st_mtime
            except (OSError, ValueError, KeyError, TypeError):
                clip, used = "(damaged)", 0.0
            folder = record.parent
            stages = {entry.parent.name.rsplit("-", 1)[0] for entry in folder.glob(f"*/{RESULT_FILE}")}
            ordered = tuple(stage for stage in STAGE_VERSIONS if stage in stages)
            found.append(RunInfo(folder.name, clip, ordered, _tree_bytes(folder), max(0.0, time.time() - used)))
        return sorted(found, key=lambda info: info.age)

    def clean(self, older_than: float = 0.0, names: tuple[str, ...] = ()) -> list[RunInfo]:
        """Delete runs not used for `older_than` seconds (only those in `names` if given); returns what was deleted.

        Runs on which some process is working are left alone.

        Raises
        ------
        StoreError: a name that does not exist.
        """
        runs = self.list_runs()
        unknown = sorted(set(names) - {info.name for info in runs})
        if unknown:
            raise StoreError(f"There is no run '{unknown[0]}'.", "`runs list` shows the names.")
        gone = []
        for info in runs:
            folder = self.root / info.name
            chosen = info.name in names if names else True
            if chosen and info.age >= older_than and not in_use(folder):
                with disk_errors(f"The run {info.name}"):
                    shutil.rmtree(folder)
                gone.append(info)
        return gone


def _tree_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total
