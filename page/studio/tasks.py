"""What the jobs do: settings of a run -> stages of the pipeline -> files of the run."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from page.studio.direction_roots import roots_of
from page.studio.feed import ClipFacts, Feeds, Finished
from page.studio.feed_writer import FeedWriter
from page.studio.folders import RunFolders, new_id
from page.studio.holdings import FEEDS
from page.studio.job import Job, Kind, stage_of_turn
from page.studio.lending import HeavyWork, Lending
from page.studio.people import edits_of
from page.studio.runs import Output, RunState
from page.studio.slices import HEAVY
from stit_core.artefacts import Clip
from stit_core.config import RunConfig
from stit_core.errors import Cancelled, ConfigError, StitError
from stit_core.media.credentials import Signer
from stit_core.media.video import Written
from stit_core.partial_video import write_part
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.provenance import Provenance
from stit_core.report import Report
from stit_core.runtime import CancelToken, Runtime, pick_dtype
from stit_core.several_people import GroupEdit, PersonEdit, finish_people, write_group_part
from stit_core.whole_run import finish, prepare

Offer = Callable[[int, np.ndarray, float | None], None]  # (frame, stitched crop, its loss at the border)


@dataclass(frozen=True)
class Task:
    """What a run's job has to do.

    Attributes
    ----------
    lending: who does the heavy stages.
    state: the run as it was when the job was put into the queue; its clip is there.
    config: the settings of the stages.
    fitted: called with the tuning's picture of its frame, (S, S, 3), whenever there is a new one.
    signer: of the finished video's content credentials; None for none.
    """

    lending: Lending
    folders: RunFolders
    feeds: Feeds
    state: RunState
    config: RunConfig
    fitted: Callable[[np.ndarray], None]
    signer: Signer | None = None

    @property
    def provenance(self) -> Provenance:
        return self.state.provenance(self.signer)

    @property
    def clip(self) -> Path:
        if self.state.clip is None or not Path(self.state.clip).is_file():
            raise StitError("There is no clip yet.", "Upload one or pick a sample.")
        return Path(self.state.clip)

    def work(self, kind: Kind) -> Callable[[Job], Any]:
        """The function for a job of a kind."""
        return {"align": self.align, "tune": self.tune, "edit": self.edit}[kind]

    def align(self, job: Job) -> None:
        """Up to the pivots."""
        pipeline = self.pipeline(job)
        pipeline.models.verify()
        clip = pipeline.open(self.clip)
        pipeline.align(clip)
        # Not on a lent card: it takes seconds, and a call for the card of its own would cost the visitor more.
        HeavyWork(self.lending, job, pipeline, clip).carry_out(("invert",), lent=False)

    def tune(self, job: Job) -> None:
        """Up to the tuned generator; for the transfer, up to all that an edit needs, so that it is seen at once."""
        pipeline = self.pipeline(job)
        pipeline.models.verify()
        clip = pipeline.open(self.clip)
        pipeline.align(clip)
        HeavyWork(self.lending, job, pipeline, clip).carry_out(stages_of_tuning(pipeline))

    def edit(self, job: Job) -> Output:
        """Up to the finished video, or where that is stopped, a video of what there is by then."""
        started = time.monotonic()
        name = new_id()
        target = self.folders.outputs(self.state.id) / f"{_title(self.state, self.config)}_{name[:6]}.mp4"
        editing = _Editing(self, job, name, target)
        try:
            report = editing.carry_out()
        except (Cancelled, StitError):
            if not job.token.is_set() or job.discarded:
                raise
            partial = editing.save_part(started)
            if partial is not None:
                job.set_status(output=partial)
                job.result = partial
            raise Cancelled("edit") from None
        warnings = (*job.status().warnings, *report.warnings)
        job.set_status(warnings=warnings)
        output = Output(
            id=name,
            video=str(report.output),
            manifest=str(report.manifest),
            preset=self.config.preset,
            method=self.config.method,
            region=self.config.transfer.region,
            partial=False,
            frames=report.frames,
            of=report.frames,
            seconds_taken=sum(report.seconds.values()),
            measures=report.measures.figures,
            people_measures=editing.people_measures,
            warnings=warnings,
            created=time.time(),
            **editing.edits,
            **editing.feed_facts,
        )
        job.set_status(output=output)
        return output

    def pipeline(self, job: Job, offer: Offer | None = None) -> Pipeline:
        """The stages for a job, reporting to it, and stitched frames to `offer`."""
        models = self.lending.networks.models
        dtype = pick_dtype(self.config.preset, models.device)
        runtime = self.reporting(job, Runtime(models.device, dtype, 0, cancel=job.token), offer)
        roots = roots_of(self.folders, self.state.id)
        return Pipeline(models, self.folders.store(self.state.id), self.config, runtime, roots)

    def reporting(self, job: Job, runtime: Runtime, offer: Offer | None = None, turn: int = 0) -> Runtime:
        """A runtime that reports to a job, and stitched frames to `offer`.

        Parameters
        ----------
        turn: which of several people it is for, in the order of the job; the first is the one who is shown.
        """
        history: list[tuple[float, ...]] = []
        borders: dict[int, float] = {}

        def progress(stage: str, done: int, total: int) -> None:
            job.progress(stage_of_turn(stage, turn), done, total)

        def figures(stage: str, found: Mapping[str, float]) -> None:
            if stage == "tune" and turn == 0:
                history.append(tuple(found.values()))
                job.set_status(history=tuple(history))
            elif stage == "stitch":
                borders[int(found["frame"])] = found["border"]

        def preview(stage: str, frame: int, picture: np.ndarray) -> None:
            if stage == "tune" and turn == 0:
                self.fitted(picture)
                job.count("pictures")
            elif stage == "stitch" and offer is not None:
                offer(frame, picture, borders.get(frame))

        return dataclasses.replace(runtime, progress=progress, preview=preview, figures=figures)


class _Editing:
    """One edit on its way to its video."""

    def __init__(self, task: Task, job: Job, name: str, target: Path) -> None:
        self.task, self.job, self.target = task, job, target
        self.folder = task.folders.private(task.state.id) / FEEDS / name
        self.name = name
        self.pipeline = task.pipeline(job, self.offer)  # of the one who is shown
        self.pipelines: dict[int, Pipeline] = {}  # of everybody who is edited, the one who is shown first
        self.group: GroupEdit | None = None  # of several people
        self.people_measures: tuple[tuple[int, dict[str, float]], ...] = ()  # of them, once they are known
        self.writer: FeedWriter | None = None
        self.clip: Clip | None = None

    @property
    def feed_facts(self) -> dict[str, Any]:
        """The feed as an output knows it."""
        if self.writer is None:
            return {"feed": None, "feed_id": None}
        return {"feed": str(self.folder), "feed_id": self.writer.feed.id}

    @property
    def edits(self) -> dict[str, Any]:
        """What was changed of whom, as an output knows it."""
        assert self.clip is not None
        (number, edits), *others = ((n, own.config.edit.directions) for n, own in self.pipelines.items())
        alone = len(self.pipeline.people(self.clip).persons) < 2
        return {"edits": edits, "others": tuple(others), "face": None if alone else number}

    def carry_out(self) -> Report:
        """Make the video; raises what the stages raise."""
        try:
            clip = self.clip = prepare(self.pipeline, self.task.clip, [self.target], self.task.provenance)
            self.find_people(clip)
            for own in self.pipelines.values():
                own.align(clip)
            for turn, own in enumerate(self.pipelines.values()):
                work = HeavyWork(self.task.lending, self.job, own, clip, self.note_made, turn)
                work.carry_out(heavy_stages(own))
            report = self.finish(clip)
        except BaseException:
            if self.writer is not None:
                self.writer.close(drop=True)
                self.writer.feed.set_phase("stopped")
            raise
        assert self.writer is not None
        self.writer.close()
        feed = self.writer.feed
        for frame, (border, identity) in worst_figures(self.writer.pipelines.values(), clip).items():
            feed.measure(frame, border, identity)
        feed.finish(Finished(report.output, clip.source, float(clip.start), report.audio is not None))
        return report

    def find_people(self, clip: Clip) -> None:
        """Settle who is edited."""
        shown, edits = self.pipeline.landmarks(clip).index, edits_of(self.task.state)
        if edits is None:
            self.pipelines = {shown: self.pipeline}
            return
        group = GroupEdit(self.pipeline, clip, edits)
        order = sorted(group.pipelines, key=lambda number: (number != shown, number))
        shared = dataclasses.replace(self.pipeline.runtime, preview=None, figures=None)
        own = {
            number: self.task.reporting(self.job, shared, functools.partial(self.offer, number=number), turn)
            for turn, number in enumerate(order)
        }
        self.group = group.reporting(lambda number: shared if number is None else own[number])
        self.pipelines = {number: self.group.pipelines[number] for number in order}

    def offer(self, frame: int, picture: np.ndarray, border: float | None, number: int | None = None) -> None:
        """Have the player show a stitched crop, of the one who is shown where no number is given."""
        if self.writer is not None:
            self.writer.offer(next(iter(self.pipelines)) if number is None else number, frame, picture, border)

    def note_made(self, stage: str) -> None:
        """Begin the player's feed as soon as frames can come."""
        if stage == "masks" and self.writer is None:
            assert self.clip is not None
            self.begin_feed(self.clip)

    def finish(self, clip: Clip) -> Report:
        """The video and its report; of several people that of the one who is shown, with everybody's warnings."""
        if self.group is None:
            return finish(self.pipeline, clip, self.target, self.task.provenance)
        made = finish_people(self.group, self.target, self.task.provenance)
        self.people_measures = tuple((number, report.measures.figures) for number, report in made.people.items())
        seconds = Counter(self.pipeline.results.seconds) + Counter(made.seconds)
        for own in self.pipelines.values():
            seconds.update({stage: spent for stage, spent in own.results.seconds.items() if stage not in made.seconds})
        return dataclasses.replace(
            made.people[next(iter(self.pipelines))], seconds=dict(seconds), warnings=made.all_warnings
        )

    def begin_feed(self, clip: Clip) -> None:
        """Open the player's feed and give it what there is already."""
        facts = ClipFacts(float(clip.frame_rate), len(clip.frames), clip.width, clip.height)
        feed = self.task.feeds.create(self.folder, facts)
        silent = self.silent()
        if self.group is None:
            pasting = Pasting(self.pipeline.with_config(self.pipeline.config, silent), clip)
        else:
            pasting = self.group.reporting(lambda _: silent).pasting
        pipelines = {number: pasting.pipelines[number] for number in self.pipelines}
        self.writer = FeedWriter(pipelines, pasting.preview, clip, feed, self.job)
        self.job.set_status(feed_id=feed.id, frames=len(clip.frames))
        self.writer.start()
        self.writer.offer_all()

    def silent(self, cancel: CancelToken | None = None) -> Runtime:
        """The job's runtime without its reports; `cancel` stops it in place of the job's own token."""
        runtime = self.pipeline.runtime
        progress = {} if cancel is None else {"progress": self.job.progress, "cancel": cancel}
        return Runtime(runtime.device, runtime.dtype, runtime.seed, **progress)  # type: ignore[arg-type]

    def save_part(self, started: float) -> Output | None:
        """Write the frames that are stitched as a video; None where there is none, or the visitor does not want it."""
        if self.writer is None or self.clip is None:
            return None
        self.job.set_status(state="saving")
        try:
            written, warnings = self.write_part(self.clip)
        except (Cancelled, StitError):
            return None
        if written is None:
            return None
        config = self.pipeline.config
        return Output(
            id=self.name,
            video=str(written.path),
            manifest=None,
            preset=config.preset,
            method=config.method,
            region=config.transfer.region,
            partial=True,
            frames=written.frames,
            of=len(self.clip.frames),
            seconds_taken=time.monotonic() - started,
            warnings=warnings,
            created=time.time(),
            **self.edits,
            **self.feed_facts,
        )

    def write_part(self, clip: Clip) -> tuple[Written | None, tuple[str, ...]]:
        """The video of what is stitched so far, and what to know of it. Raises as `video.write_video`."""
        silent = self.silent(self.job.saving_token)
        if self.group is None:
            own = self.pipeline.with_config(self.pipeline.config, silent)
            return write_part(own, clip, self.target, self.task.provenance), ()
        made = write_group_part(self.group.reporting(lambda _: silent), self.target, self.task.provenance)
        return made or (None, ())


def worst_figures(pipelines: Iterable[Pipeline], clip: Clip) -> dict[int, tuple[float, float]]:
    """Loss at the border and identity's cosine of each frame, of several people the worst of each."""
    worst: dict[int, tuple[float, float]] = {}
    for own in pipelines:  # which report nothing of what they find again
        measured, borders = own.measure(clip), own.stitch(clip).border_loss
        for frame, border, identity in zip(measured.frame_indices, borders, measured.identity, strict=True):
            seam, likeness = worst.get(frame, (float(border), float(identity)))
            worst[frame] = max(seam, float(border)), min(likeness, float(identity))
    return worst


def stages_of_tuning(pipeline: Pipeline) -> tuple[str, ...]:
    """Up to the tuned generator; for the transfer, also up to the registered pivots and the masks."""
    last = "masks" if pipeline.transfers else "tune"
    stages = heavy_stages(pipeline)
    return stages[: stages.index(last) + 1]


def heavy_stages(pipeline: Pipeline) -> tuple[str, ...]:
    """All heavy stages of an edit."""
    return tuple(stage for stage in HEAVY if stage != "register" or pipeline.transfers)


def check_edit(config: RunConfig) -> None:
    """Raise ConfigError for an edit that changes nothing."""
    if not config.edit.directions:
        raise ConfigError("Nothing to change was chosen.", "Choose a direction and a factor other than 0.")


def _title(state: RunState, config: RunConfig) -> str:
    """How the name of a video's file begins: `smile+2`, and of several people `0_smile+2_1_age-2`."""
    people = sorted(edits_of(state) or [PersonEdit("", config.edit.directions)], key=lambda each: str(each.face))
    parts = [part for each in people for part in (str(each.face), *(f"{n}{f:+.3g}" for n, f in each.directions))]
    return "_".join(filter(None, parts))[:80]
