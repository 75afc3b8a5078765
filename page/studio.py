"""All that the page and its API ask for, by a run's id: one object for the process, for any thread."""

from __future__ import annotations

import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from page import previews
from page.feeds import Feeds
from page.holdings import Holdings
from page.jobs import Job, Jobs, Kind, Status
from page.library import Library
from page.machine import Machine
from page.previews import Bench, EditPreview, FitPreview, FoundFace, Smoothing
from page.recent import Recent
from page.runs import Output, Runs, RunState, with_choices
from page.settings import PageSettings
from page.shelves import roots_of
from page.threads import compute_heavily
from page.visits import Visits
from page.works import Task, check_edit
from stit_core import preflight, probing, trimming
from stit_core.config import PRESETS, AlignmentConfig, LandmarkConfig, RunConfig, VideoConfig
from stit_core.directions import load_direction
from stit_core.errors import StitError
from stit_core.memory import give_back_memory
from stit_core.packs import Models, find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.preflight import Preflight
from stit_core.runtime import CancelToken, Progress, Runtime, pick_device, pick_dtype
from stit_core.store import file_digest

LOG = logging.getLogger(__name__)

BENCHES = 4  # runs that are kept open for previews
PREFLIGHTS = 32  # clips whose pre-flight is remembered
POSTERS = 16  # samples whose picture is remembered
POSTER_HEIGHT = 240
TIMINGS, TIMING_PAUSE = 10, 60.0  # times that a disturbed timing is repeated at most, seconds between them
WARMED = ("generator", "encoder", "parser", "perceptual", "identity")


@dataclass(frozen=True)
class Limits:
    """What may be uploaded and edited, for the page to say before anybody uploads."""

    megabytes: float
    seconds: float
    frames: int
    megapixels: float
    keep_hours: float


@dataclass(frozen=True)
class TrimFacts(trimming.TrimFacts):
    """What a trim holds, and seconds for each preset, None while the machine has not been timed."""

    estimates: Mapping[str, float] | None


class Studio(Library):
    """Runs, their clips, their heavy jobs and the previews beside them.

    Parameters
    ----------
    settings: what the environment decided.
    samples: clips that come with the program, by name.
    feeds: of the player.
    """

    def __init__(self, settings: PageSettings, samples: Mapping[str, Path], feeds: Feeds) -> None:
        super().__init__(Visits(settings))
        self.settings, self.feeds = settings, feeds
        self.runs, self.holdings = Runs(self.visits), Holdings(self.visits)
        self.jobs = Jobs(settings.queue_length, 60 * settings.unwatched_minutes, self._ended)
        self.ready = False
        self._samples = dict(samples)
        self._models: Models | None = None
        self._machine: Machine | None = None
        self._lock = threading.RLock()
        self._benches: Recent[str, tuple[Any, Bench]] = Recent(BENCHES)
        self._preflights: Recent[tuple[str, VideoConfig], Preflight] = Recent(PREFLIGHTS)
        self._fits: Recent[str, tuple[str, np.ndarray]] = Recent(BENCHES)  # with the name of their settings
        self._posters: Recent[str, np.ndarray] = Recent(POSTERS)
        self._looking: dict[str, tuple[Path, CancelToken]] = {}

    # --- The machine --------------------------------------------------------------------------------------------

    @property
    def models(self) -> Models:
        """The pack's networks, shared by all; each is read when it is first needed. Raises: PackError."""
        with self._lock:
            if self._models is None:
                self._models = load_models(find_pack(self.settings.pack), pick_device(self.settings.device))
            return self._models

    @property
    def machine(self) -> Machine:
        """How long things take here."""
        with self._lock:
            if self._machine is None:
                self._machine = Machine(self.models)
            return self._machine

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
                self.machine.measure()

        def warm() -> None:
            _apart(load, threads)
            self.ready = True
            for _ in range(TIMINGS):  # anew, where something disturbed it, as soon as no job is at work
                time.sleep(TIMING_PAUSE)
                if self.machine.calm:
                    return
                if not len(self.jobs):
                    _apart(self.machine.measure, threads)

        thread = threading.Thread(target=warm, name="warm-up", daemon=True)
        thread.start()
        return thread

    @property
    def limits(self) -> Limits:
        s = self.settings
        return Limits(s.max_mb, s.max_seconds, s.max_frames, s.max_megapixels, s.keep_hours)

    # --- Runs ---------------------------------------------------------------------------------------------------

    def arrive(self, asked: object = None) -> RunState:
        """The run of an address, or a new one; an id that is not known here is never taken over. Raises: StoreError."""
        known = self.runs.load(asked)
        return self.state(known.id) if known is not None else self.runs.begin()

    def state(self, run_id: str) -> RunState:
        """All that a page needs to show a run. Raises: StitError where there is none."""
        state = self.runs.get(run_id)
        self.visits.touch(run_id)
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
        self._benches.drop(run_id)
        self._fits.drop(run_id)
        self.holdings.delete(run_id)
        self.feeds.forget_deleted()

    def sweep(self) -> list[Path]:
        """Delete what nobody has used for a while; gives the folders."""
        gone = self.visits.sweep(self.jobs)
        for folder in gone:
            self._benches.drop(folder.name)
            self._fits.drop(folder.name)
        self.feeds.forget_deleted()
        return gone

    def bring(self, run_id: str, uploads: Sequence[Path]) -> None:
        """Note what the visitor uploaded, whatever comes of it: it is deleted with the run. Raises: StitError."""
        self.runs.get(run_id)
        self.holdings.note(run_id, uploads)

    def _done(self, state: RunState) -> tuple[bool, bool]:
        if state.clip is None:
            return False, False
        try:
            bench = self._bench(state)
            return bench.is_aligned(), bench.is_tuned()
        except StitError:
            return False, False

    def _with_feed(self, output: Output) -> Output:
        if output.feed is None:
            return output
        try:
            return dataclasses.replace(output, feed_id=self.feeds.open(Path(output.feed)).id)
        except (StitError, OSError, ValueError, KeyError):  # its frames were deleted; the video is there
            return dataclasses.replace(output, feed=None, feed_id=None)

    # --- The clip -----------------------------------------------------------------------------------------------

    @property
    def samples(self) -> dict[str, Path]:
        """Copies of the sample clips that the page may serve, by name."""
        return {name: self.visits.sample(path) for name, path in self._samples.items()}

    def poster(self, sample: str) -> np.ndarray:
        """A small picture (h, w, 3) uint8 of a sample. Raises: StitError for an unknown name."""
        path = self._sample(sample)
        known = self._posters.get(sample)
        return self._posters.put(sample, self._still(path, 0.5)) if known is None else known

    def set_clip(self, run_id: str, upload: str | Path) -> RunState:
        """Take an uploaded clip into the run. Raises: VideoError for what is no video or over a limit, StitError."""
        return self._set_clip(run_id, Path(upload), None)

    def set_sample(self, run_id: str, name: str) -> RunState:
        """Take a sample clip into the run. Raises: StitError for an unknown name."""
        self._sample(name)
        return self._set_clip(run_id, self.samples[name], name)

    def _set_clip(self, run_id: str, path: Path, sample: str | None) -> RunState:
        before, upload = self.runs.get(run_id).upload, None if sample else str(path)
        self.holdings.note(run_id, [path])
        self.runs.update(run_id, lambda state: dataclasses.replace(state, upload=upload))
        if before not in (None, upload):  # the run has a copy of what it took, and what was refused is of no use
            self.holdings.drop(run_id, [Path(str(before))])
        if run_id in self.jobs:
            raise StitError("The page is still at work for you.", "Wait until it has finished, or press Stop.")
        probing.probe(path, VideoConfig(**self.settings.video()))
        clip = self.visits.take(run_id, path)
        facts: dict[str, Any] = {
            "clip": str(clip),
            "clip_name": path.name,
            "sample": sample,
            "step": 1,
        }
        facts |= dict.fromkeys(("start", "end", "face", "point", "point_frame"))
        self.runs.update(run_id, lambda state: dataclasses.replace(state, **facts))
        self._fits.drop(run_id)
        return self.state(run_id)

    def _sample(self, name: str) -> Path:
        if name not in self._samples:
            raise StitError("There is no such sample.", "Pick one of those that are shown.")
        return self._samples[name]

    def preflight(self, run_id: str, cancel: CancelToken | None = None, progress: Progress | None = None) -> Preflight:
        """Look into the run's clip; a request for another clip of the same run ends this one.

        Raises: VideoError, Cancelled.
        """
        clip, token = self._clip(self.runs.get(run_id)), cancel or CancelToken()
        with self._lock:
            before, self._looking[run_id] = self._looking.get(run_id), (clip, token)
        if before is not None and before[0] != clip:  # else whoever asked first would be told nothing
            before[1].set()
        try:
            return self.look_into(clip, token, progress)
        finally:
            with self._lock:
                if self._looking.get(run_id) == (clip, token):
                    del self._looking[run_id]

    def look_into(self, path: Path, cancel: CancelToken | None = None, progress: Progress | None = None) -> Preflight:
        """The pre-flight of a file, remembered by its content. Raises: VideoError, Cancelled."""
        _, config = key = self._preflight_key(path)
        known = self._preflights.get(key)
        if known is not None:
            return known
        told: dict[str, Any] = {"progress": progress} if progress is not None else {}
        runtime = Runtime(cancel=cancel or CancelToken(), **told)
        return self._preflights.put(key, preflight.look_into(path, config, LandmarkConfig(), runtime))

    def _preflight_key(self, path: Path) -> tuple[str, VideoConfig]:
        return file_digest(path), VideoConfig(**self.settings.video())

    def trim_facts(self, run_id: str, start: float | None, end: float | None) -> TrimFacts:
        """What a trim of the run's clip holds. Raises: StitError; ConfigError for an end not after the start."""
        return self.facts_of(self.preflight(run_id), start, end, self.runs.get(run_id))

    def estimates(self, run_id: str) -> Mapping[str, float] | None:
        """Seconds for each preset; None while the clip was not looked through or the machine not timed."""
        state = self.runs.get(run_id)
        if state.clip is None:
            return None
        found = self._preflights.get(self._preflight_key(self._clip(state)))
        return None if found is None else self.facts_of(found, state.start, state.end, state).estimates

    def facts_of(
        self,
        found: Preflight,
        start: float | None = None,
        end: float | None = None,
        state: RunState | None = None,
    ) -> TrimFacts:
        """What a trim of a looked-into clip holds; how long it takes is that of a run's method. Raises: ConfigError."""
        config = VideoConfig(**self.settings.video(), start=start or None, end=end or None)
        facts = trimming.trim_facts(found, config)
        frames = max(1, round(facts.frames * max(facts.face_share, facts.states["small"])))
        chosen = state or RunState("")
        schedules = {name: chosen.schedule(self.models.pack.schedules, name) for name in PRESETS}
        seconds = {name: self.machine.seconds(schedule, frames) for name, schedule in schedules.items()}
        known = {str(name): value for name, value in seconds.items() if value is not None}
        return TrimFacts(**vars(facts), estimates=known if len(known) == len(seconds) else None)

    def frame_at(self, run_id: str, seconds: float, height: int = 360) -> np.ndarray:
        """The picture that the run's clip shows at a moment, at most `height` high. Raises: VideoError, StitError."""
        return self._still(self._clip(self.runs.get(run_id)), seconds, height)

    def _still(self, path: Path, seconds: float, height: int = POSTER_HEIGHT) -> np.ndarray:
        config = VideoConfig(**self.settings.video())
        return preflight.still(path, self._probed(path, path.stat().st_mtime_ns, config), seconds, config, height)

    @functools.lru_cache(maxsize=64)  # noqa: B019 (there is one studio for the process)
    def _probed(self, path: Path, changed: int, config: VideoConfig) -> probing.Probe:  # noqa: ARG002 (of the key)
        return probing.probe(path, config)

    def _clip(self, state: RunState) -> Path:
        if state.clip is None or not Path(state.clip).is_file():
            raise StitError("There is no clip yet.", "Upload one or pick a sample.")
        return Path(state.clip)

    # --- Heavy jobs ---------------------------------------------------------------------------------------------

    def start(self, run_id: str, kind: Kind, **choices: Any) -> Status:
        """Put the run's next piece of heavy work into the queue, under its stored choices.

        `choices` change them, if it can begin: else they would throw away what the job at work makes.

        An edit is put behind the run's own alignment or tuning, if that is at work; the status then is still of that.

        Raises: StitError while one is there already, when the queue is full, without a clip, or for an edit that cannot
        be made; VideoError for a trim that is too long.
        """
        state = with_choices(self.runs.get(run_id), **choices)
        path, config = self._clip(state), self.config(state)
        if kind == "edit":
            check_edit(config)
            for name, _ in config.edit.directions:
                load_direction(self.pack, name, roots_of(self.visits, run_id))
        facts = self._probed(path, path.stat().st_mtime_ns, dataclasses.replace(config.video, start=None, end=None))
        probing.check_length(path, facts, config.video)
        self.holdings.make_room(state)

        fit = previews.fit_key(config, path)

        def fitted(picture: np.ndarray) -> None:
            self._fits.put(run_id, (fit, picture))

        task = Task(self.models, self.visits, self.feeds, state, config, fitted)
        frames = _frames(facts, config)
        job = self.jobs.submit(run_id, kind, task.work(kind), self.machine.plan(kind, config, frames))
        begun: dict[str, Any] = {"fitted": fit} if kind in ("tune", "edit") else {}
        status = self.jobs.status(run_id) or job.status()
        self.runs.update(run_id, lambda now: dataclasses.replace(with_choices(now, **choices), last=status, **begun))
        return status

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

    def _bench(self, state: RunState) -> Bench:
        config, path = self.config(state), self._clip(state)
        key = previews.bench_key(config, path)
        with self._lock:
            known = self._benches.get(state.id)
            if known is not None and known[0] == key:
                return known[1]
            runtime = Runtime(self.models.device, pick_dtype(config.preset, self.models.device))
            roots = roots_of(self.visits, state.id)
            bench = Bench(Pipeline(self.models, self.visits.store(state.id), config, runtime, roots), path)
            return self._benches.put(state.id, (key, bench))[1]

    def bench(self, run_id: str) -> Bench:
        """The run's clip, opened for previews. Raises: StitError."""
        return self._bench(self.runs.get(run_id))

    def crops(self, run_id: str, count: int = 12, size: int = 192) -> list[tuple[np.ndarray, str]]:
        """Aligned crops along the clip, with captions. Raises: StitError before the alignment."""
        return self.bench(run_id).crops(count, size)

    def faces(self, run_id: str) -> list[FoundFace]:
        """The faces of the clip to pick from. Raises: StitError before the alignment."""
        return self.bench(run_id).faces()

    def smoothing(
        self, run_id: str, center_sigma: float, xy_sigma: float, scale: float, count: int = 6, size: int = 160
    ) -> Smoothing:
        """Crops and jitter under other settings; nothing is stored. Raises: StitError, ConfigError."""
        return self.bench(run_id).smoothing(AlignmentConfig(center_sigma, xy_sigma, scale), count, size)

    def fit_preview(self, run_id: str) -> FitPreview | None:
        """Source, pivot and tuned picture of one frame under the run's settings; None before the alignment."""
        state = self.runs.get(run_id)
        try:
            fit, picture = self._fits.get(run_id) or ("", None)
            return self._bench(state).fit(picture if fit == self._fit_key(state) else None)
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
        return self._bench(state).edit(config, count)


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
