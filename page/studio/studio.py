"""All that the page and its API ask for, by a run's id: one object for the process, for any thread."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from page.settings import PageSettings
from page.studio import previews
from page.studio.clips import Clips
from page.studio.direction_roots import roots_of
from page.studio.estimates import Estimator, too_long
from page.studio.feed import Feeds
from page.studio.lru import Lru
from page.studio.previews import ClipPreviews, EditPreview, FitPreview, FoundFace, Smoothing
from page.studio.queue import Job, JobQueue, Kind, Status
from page.studio.runs import Output, RunState, with_choices
from page.studio.sweeper import sweep
from page.studio.tasks import Task, check_edit
from page.studio.torch_threads import compute_heavily
from stit_core.config import AlignmentConfig, RunConfig
from stit_core.directions.library import load_direction
from stit_core.errors import StitError
from stit_core.media import probing
from stit_core.memory import give_back_memory
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.runtime import Runtime, pick_device, pick_dtype

LOG = logging.getLogger(__name__)

OPENED = 4  # runs that are kept open for previews
TIMINGS, TIMING_PAUSE = 10, 60.0  # times that a disturbed timing is repeated at most, seconds between them
SHORTER = "Choose a quicker preset or a shorter part of the clip, or lower what was raised under Advanced."
WARMED = ("generator", "encoder", "parser", "perceptual", "identity")


@dataclass(frozen=True)
class Limits:
    """What may be uploaded and edited, and how long a job may take, for the page to say before anybody uploads."""

    megabytes: float
    seconds: float
    frames: int
    megapixels: float
    keep_hours: float
    job_seconds: float


class Studio(Clips):
    """Runs, their clips, their heavy jobs and the previews beside them.

    Parameters
    ----------
    settings: what the environment decided.
    samples: clips that come with the program, by name.
    feeds: of the player.
    """

    def __init__(self, settings: PageSettings, samples: Mapping[str, Path], feeds: Feeds) -> None:
        super().__init__(settings, samples)
        self.feeds = feeds
        self.jobs = JobQueue(settings.queue_length, 60 * settings.unwatched_minutes, self._ended)
        self.ready = False
        self._models: Models | None = None
        self._estimator: Estimator | None = None
        self._opened: Lru[str, tuple[Any, ClipPreviews]] = Lru(OPENED)
        self._fits: Lru[str, tuple[str, np.ndarray]] = Lru(OPENED)  # with the name of their settings

    # --- The machine --------------------------------------------------------------------------------------------

    @property
    def models(self) -> Models:
        """The pack's networks, shared by all; each is read when it is first needed. Raises: PackError."""
        with self._lock:
            if self._models is None:
                self._models = load_models(find_pack(self.settings.pack), pick_device(self.settings.device))
            return self._models

    @property
    def estimator(self) -> Estimator:
        """How long things take here."""
        with self._lock:
            if self._estimator is None:
                self._estimator = Estimator(self.models)
            return self._estimator

    def warm_up(self) -> threading.Thread:
        """Load the networks and time the machine in the background; `ready` says when that is done."""
        threads = torch.get_num_threads()

        def load() -> None:
            try:
                for part in WARMED:
                    getattr(self.models, part)
            except StitError as error:  # the first run says so too
                LOG.warning("%s", error)
            else:
                self.estimator.measure()

        def warm() -> None:
            _apart(load, threads)
            self.ready = True
            for _ in range(TIMINGS):  # anew, where something disturbed it, as soon as no job is at work
                time.sleep(TIMING_PAUSE)
                if self.estimator.calm:
                    return
                if not len(self.jobs):
                    _apart(self.estimator.measure, threads)

        thread = threading.Thread(target=warm, name="warm-up", daemon=True)
        thread.start()
        return thread

    @property
    def limits(self) -> Limits:
        s = self.settings
        return Limits(s.max_mb, s.max_seconds, s.max_frames, s.max_megapixels, s.keep_hours, 60 * s.job_minutes)

    # --- Runs ---------------------------------------------------------------------------------------------------

    def arrive(self, asked: object = None) -> RunState:
        """The run of an address, or a new one; an id that is not known here is never taken over. Raises: StoreError."""
        known = self.runs.load(asked)
        return self.state(known.id) if known is not None else self.runs.begin()

    def state(self, run_id: str) -> RunState:
        """All that a page needs to show a run. Raises: StitError where there is none."""
        state = self.runs.get(run_id)
        self.folders.touch(run_id)
        status = self.jobs.status(run_id)
        outputs = tuple(self._with_feed(output) for output in state.outputs)
        aligned, tuned = self._done(state)
        return dataclasses.replace(state, outputs=outputs, aligned=aligned, tuned=tuned, last=status or state.last)

    def change(self, run_id: str, **choices: Any) -> RunState:
        """Store choices of the visitor. Raises: ConfigError, StitError."""
        self.runs.change(run_id, **choices)
        return self.state(run_id)

    def delete(self, run_id: str) -> None:
        """Delete everything of a run now, after its job was stopped. Raises: StoreError."""
        state = self.runs.load(run_id)
        if state is not None and state.clip is not None and Path(state.clip).is_file():
            self._preflights.drop(self._preflight_key(Path(state.clip)))  # it holds pictures
        self.jobs.forget(run_id)
        self.forget_previews(run_id)
        self.holdings.delete(run_id)
        self.feeds.forget_deleted()

    def sweep(self) -> list[Path]:
        """Delete what nobody has used for a while; gives the folders."""
        gone = sweep(self.settings, self.jobs)
        for folder in gone:
            self.forget_previews(folder.name)
        self.feeds.forget_deleted()
        return gone

    def forget_previews(self, run_id: str) -> None:
        """Keep nothing in memory of what was shown of a run."""
        self._opened.drop(run_id)
        self._fits.drop(run_id)

    def bring(self, run_id: str, uploads: Sequence[Path]) -> None:
        """Note what the visitor uploaded, whatever comes of it: it is deleted with the run. Raises: StitError."""
        self.runs.get(run_id)
        self.holdings.note(run_id, uploads)

    def _done(self, state: RunState) -> tuple[bool, bool]:
        if state.clip is None:
            return False, False
        try:
            opened = self._clip_previews(state)
            return opened.is_aligned(), opened.is_tuned()
        except StitError:
            return False, False

    def _with_feed(self, output: Output) -> Output:
        if output.feed is None:
            return output
        try:
            return dataclasses.replace(output, feed_id=self.feeds.open(Path(output.feed)).id)
        except (StitError, OSError, ValueError, KeyError):  # its frames were deleted; the video is there
            return dataclasses.replace(output, feed=None, feed_id=None)

    # --- Heavy jobs ---------------------------------------------------------------------------------------------

    def start(self, run_id: str, kind: Kind, **choices: Any) -> Status:
        """Put the run's next piece of heavy work into the queue, under its stored choices.

        `choices` change them, if it can begin: else they would throw away what the job at work makes.

        An edit is put behind the run's own alignment or tuning, if that is at work; the status then is still of that.

        Raises: StitError while one is there already, when the queue is full, without a clip, for what would take too
        long, or for an edit that cannot be made; VideoError for a trim that is too long.
        """
        state = with_choices(self.runs.get(run_id), **choices)
        path, config = self._clip(state), self.config(state)
        if kind == "edit":
            check_edit(config)
            for name, _ in config.edit.directions:
                load_direction(self.pack, name, roots_of(self.folders, run_id))
        facts = self._facts(path, config)
        probing.check_length(path, facts, config.video)
        plan = self.estimator.plan(kind, config, _frames(facts, config))
        self.check_planned(self._left(state, plan))
        self.holdings.make_room(state)

        fit = previews.fit_key(config, path)

        def fitted(picture: np.ndarray) -> None:
            self._fits.put(run_id, (fit, picture))

        task = Task(self.models, self.folders, self.feeds, state, config, fitted)
        job = self.jobs.submit(run_id, kind, task.work(kind), plan)
        begun: dict[str, Any] = {"fitted": fit} if kind == "tune" else {}
        status = self.jobs.status(run_id) or job.status()
        self.runs.update(run_id, lambda now: dataclasses.replace(with_choices(now, **choices), last=status, **begun))
        return status

    def check_planned(self, seconds: float, hint: str = SHORTER) -> None:
        """Raise StitError for a job that would take longer than one may: the others wait for it."""
        if seconds > self.limits.job_seconds:
            raise StitError(too_long(seconds, self.limits.job_seconds), hint)

    def too_long(self, state: RunState, kind: Kind) -> str:
        """What `start` would say of the time that a run's job takes, before anybody starts it; "" where it fits."""
        if state.clip is None or not Path(state.clip).is_file():
            return ""
        config = self.config(state)
        plan = self.estimator.plan(kind, config, _frames(self._facts(Path(state.clip), config), config))
        try:
            self.check_planned(self._left(state, plan))
        except StitError as error:
            return str(error)
        return ""

    def _left(self, state: RunState, plan: Mapping[str, float]) -> float:
        """Seconds of a plan without the stages whose results are there."""
        names = list(plan)
        first = names.index("tune") + 1 if "tune" in names and self._done(state)[1] else 0
        return sum(plan[name] for name in names[first:])

    def _facts(self, path: Path, config: RunConfig) -> probing.Probe:
        """The probe of a whole clip, whatever part of it is edited."""
        return self._probed(path, path.stat().st_mtime_ns, dataclasses.replace(config.video, start=None, end=None))

    def stop(self, run_id: str) -> bool:
        """Ask the run's job to stop; False where none waits or runs."""
        return self.jobs.stop(run_id)

    def status(self, run_id: str) -> Status | None:
        """How the run's job is, or was; None where none was started since the server was."""
        return self.jobs.status(run_id)

    def config(self, state: RunState) -> RunConfig:
        """The settings of the stages that a run's choices make. Raises: ConfigError."""
        return state.config(self.settings.video(), self.models.pack.schedules)

    def _ended(self, job: Job, facts: Mapping[str, Any]) -> None:
        """Note in the run how its job ended."""
        if job.discarded:  # it may have written something after the run was deleted
            self.holdings.delete(job.run_id)
            return
        if isinstance(job.result, Output):
            self.runs.add_output(job.run_id, job.result)
        status = dataclasses.replace(job.status(), **facts)
        reached = {"align": 2, "tune": 3, "edit": 5}.get(job.kind, 1) if status.state == "done" else 1
        self.runs.update(
            job.run_id, lambda state: dataclasses.replace(state, last=status, step=max(state.step, reached))
        )
        if job.kind == "edit":
            self.holdings.keep_only(self.runs.get(job.run_id))
            self.feeds.forget_deleted()

    # --- Previews -----------------------------------------------------------------------------------------------

    def _clip_previews(self, state: RunState) -> ClipPreviews:
        config, path = self.config(state), self._clip(state)
        key = previews.clip_previews_key(config, path)
        with self._lock:
            known = self._opened.get(state.id)
            if known is not None and known[0] == key:
                return known[1]
            runtime = Runtime(self.models.device, pick_dtype(config.preset, self.models.device))
            roots = roots_of(self.folders, state.id)
            opened = ClipPreviews(Pipeline(self.models, self.folders.store(state.id), config, runtime, roots), path)
            return self._opened.put(state.id, (key, opened))[1]

    def clip_previews(self, run_id: str) -> ClipPreviews:
        """The run's clip, opened for previews. Raises: StitError."""
        return self._clip_previews(self.runs.get(run_id))

    def crops(self, run_id: str, count: int = 12, size: int = 192) -> list[tuple[np.ndarray, str]]:
        """Aligned crops along the clip, with captions. Raises: StitError before the alignment."""
        return self.clip_previews(run_id).crops(count, size)

    def faces(self, run_id: str) -> list[FoundFace]:
        """The faces of the clip to pick from. Raises: StitError before the alignment."""
        return self.clip_previews(run_id).faces()

    def smoothing(
        self, run_id: str, center_sigma: float, xy_sigma: float, scale: float, count: int = 6, size: int = 160
    ) -> Smoothing:
        """Crops and jitter under other settings; nothing is stored. Raises: StitError, ConfigError."""
        return self.clip_previews(run_id).smoothing(AlignmentConfig(center_sigma, xy_sigma, scale), count, size)

    def fit_preview(self, run_id: str) -> FitPreview | None:
        """Source, pivot and tuned picture of one frame under the run's settings; None before the alignment."""
        state = self.runs.get(run_id)
        try:
            fit, picture = self._fits.get(run_id) or ("", None)
            return self._clip_previews(state).fit(picture if fit == self._fit_key(state) else None)
        except StitError:
            return None

    def tuning(self, run_id: str) -> Status | None:
        """How the last tuning is, or was; None where it was under other settings than the run has now."""
        state = self.state(run_id)
        known = state.last is not None and state.last.kind == "tune" and state.clip is not None
        return state.last if known and state.fitted == self._fit_key(state) else None

    def _fit_key(self, state: RunState) -> str:
        return previews.fit_key(self.config(state), self._clip(state))

    def edit_preview(self, run_id: str, edits: Sequence[tuple[str, float]], count: int = 2) -> EditPreview | None:
        """Key frames under an edit; None if a newer request came meanwhile. Raises: StitError, DirectionError."""
        state = self.runs.get(run_id)
        config = self.config(dataclasses.replace(state, edits=tuple(edits)))
        return self._clip_previews(state).edit(config, count)


def _frames(facts: probing.Probe, config: RunConfig) -> int:
    """Frames of the trimmed part, as far as the file tells."""
    whole = facts.seconds or config.video.max_seconds
    seconds = min(config.video.end or whole, whole) - (config.video.start or 0.0)
    return max(1, min(config.video.max_frames, round(seconds * float(facts.frame_rate))))


def _apart(work: Callable[[], None], threads: int) -> None:
    """Do heavy work in a thread that ends with it, for as long as one lives its team slows those of others."""

    def carry_out() -> None:
        compute_heavily(threads)
        work()
        give_back_memory()  # it took more than previews need

    thread = threading.Thread(target=carry_out, name="apart", daemon=True)
    thread.start()
    thread.join()
