"""What a worker does with one clip of a batch: the whole run, its record, its pair of pictures. Source: ours."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from stit_core.artefacts import Clip
from stit_core.batch.records import Records, video_name
from stit_core.batch.rows import Row
from stit_core.errors import Cancelled, PackError, StitError, StoreError, VideoError
from stit_core.media.credentials import read_signer
from stit_core.media.preflight import frame_at
from stit_core.media.sources import source_changed
from stit_core.memory import give_back_memory, keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.provenance import Provenance
from stit_core.report import Report
from stit_core.runtime import CancelToken, Progress, Runtime, pick_device, pick_dtype
from stit_core.several_people import GroupReport, edit_people, of_person
from stit_core.store.disk import disk_errors
from stit_core.store.locks import InUseError, in_use
from stit_core.store.runs import Store
from stit_core.whole_run import edit_video
from stit_core.workers.tasks import CannotGoOn

PATIENCE = 60.0  # seconds for which a clip waits for another process that works on the same, such as one that is dying
PAIR_HEIGHT = 160  # pixels of the pictures before and after
PAIR_QUALITY = 80  # of JPEG
TRIAL_BYTES = 1 << 16  # that a folder must take for its disk not to be full
T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """What all clips of a batch share.

    Attributes
    ----------
    pack: name or folder of the model pack.
    folder: of the batch; store: where stages are kept. All workers see both.
    roots: folders of directions, those of the library where None.
    keep_stages: whether a finished clip's stages stay, for another edit of it.
    """

    pack: str
    folder: Path
    store: Path
    roots: tuple[Path, ...] | None = None
    keep_stages: bool = True


@dataclass(frozen=True)
class Work:
    """One job: a row, the sha256 of its clip, and the job's key."""

    row: Row
    digest: str
    key: str


class ClipEditor:
    """Edits clip after clip with networks that are loaded once."""

    def __init__(self, setup: Setup, device: str) -> None:
        keep_freed_memory()
        self._setup, self._records = setup, Records(setup.folder)
        self._models = load_models(find_pack(setup.pack), pick_device(device))
        self._provenance = Provenance(signer=read_signer(os.environ))

    def __call__(self, work: Work, progress: Progress, cancel: CancelToken) -> dict[str, Any]:
        """Make a job's video, its picture and its record; gives the record.

        Raises
        ------
        StitError: of the stage that cannot be finished. CannotGoOn: no other clip can be finished either.
        Cancelled: it was stopped.
        """
        started = time.perf_counter()
        treatment = work.row.treatment
        device = self._models.device
        dtype = pick_dtype(treatment.config.preset, device)
        runtime = Runtime(device=device, dtype=dtype, seed=treatment.seed, progress=progress, cancel=cancel)
        pipeline = Pipeline(self._models, Store(self._setup.store), treatment.config, runtime, self._setup.roots)
        output = self._setup.folder / video_name(work.row.path, work.key)
        try:
            with disk_errors(f"The video of {work.row.name}", writing=False):
                report = _patiently(lambda: self._edit(pipeline, work, output), cancel)
                clip = pipeline.open(work.row.path)
                if not pipeline.run_of(clip).is_of(work.digest):
                    raise source_changed(work.row.path)
                seconds = time.perf_counter() - started
                record = _record(work, report, seconds)
                seen = of_person(pipeline, min(report.people), ()) if isinstance(report, GroupReport) else pipeline
                self._records.write(work.key, record, _pair(seen, clip, output))
        except Cancelled:
            raise
        except PackError as error:
            raise CannotGoOn(error.message, error.hint) from error
        except (StoreError, VideoError) as error:
            self._check_room(error)
            raise
        finally:
            give_back_memory()
        if not self._setup.keep_stages and not in_use(folder := pipeline.run_of(clip).folder):
            shutil.rmtree(folder, ignore_errors=True)
        return record

    def _edit(self, pipeline: Pipeline, work: Work, output: Path) -> Report | GroupReport:
        people, path = work.row.treatment.people, work.row.path
        if people:
            return edit_people(pipeline, path, output, people, self._provenance)
        return edit_video(pipeline, path, output, self._provenance)

    def _check_room(self, error: StitError) -> None:
        """Raise CannotGoOn where it is the disk, and not the clip, that is at fault."""
        for folder in (self._setup.folder, self._setup.store):
            if not takes_bytes(folder):
                hint = "Free some space, then start the same command again: finished clips are kept."
                raise CannotGoOn(f"The disk of {folder} is full, or cannot be written.", hint) from error


def takes_bytes(folder: Path) -> bool:
    """Whether a folder's disk still takes a small file."""
    path = folder / f".trial-{os.getpid()}"
    try:
        with path.open("wb") as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno == errno.ENOENT
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return True


def _patiently(do: Callable[[], T], cancel: CancelToken) -> T:
    """Do it, waiting for a while where another process has hold of a stage. Raises as `do`."""
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            return do()
        except InUseError:
            if time.monotonic() > limit or cancel.is_set():
                raise
            time.sleep(0.5)


def _record(work: Work, report: Report | GroupReport, seconds: float) -> dict[str, Any]:
    told = report.as_json()
    if isinstance(report, GroupReport):  # a row a clip: the worst of its people, whose own figures stand behind
        faces = min(each.faces for each in report.people.values())
        told |= {"faces": faces, **{name: round(value, 6) for name, value in report.worst_figures.items()}}
    return {
        "clip": work.row.path.name,
        "digest": work.digest,
        "edit": work.row.treatment.text,
        "output": report.output.name,
        "bytes": report.output.stat().st_size,
        "worker_seconds": round(seconds, 3),
        "machine": platform.node(),
        **{name: value for name, value in told.items() if name not in ("output", "manifest", "audio")},
    }


def _pair(pipeline: Pipeline, clip: Clip, output: Path) -> bytes:
    """A frame with a face, before and after, side by side, as a JPEG; of the files themselves, as they will be seen."""
    faces = pipeline.align(clip).frame_indices
    moment = float(clip.timestamps[clip.frames.indices.index(faces[len(faces) // 2])])
    after = frame_at(output, moment, pipeline.config.video, PAIR_HEIGHT)
    before = Image.fromarray(clip.frames.read(faces[len(faces) // 2]))
    before = before.resize((after.shape[1], after.shape[0]), Image.Resampling.LANCZOS)
    both = Image.fromarray(np.concatenate([np.asarray(before), after], axis=1))
    file = io.BytesIO()
    both.save(file, "JPEG", quality=PAIR_QUALITY)
    return file.getvalue()
