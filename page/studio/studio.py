"""All that the page and its API ask for, by a run's id: one object for the process, for any thread."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from page.settings import PageSettings
from page.studio.allowances import JobAllowance
from page.studio.clip_lists import ClipLists
from page.studio.clips import Clips, clip_of
from page.studio.direction_library import DirectionLibrary
from page.studio.direction_roots import roots_of
from page.studio.feed import Feeds
from page.studio.folders import RunFolders
from page.studio.holdings import Holdings
from page.studio.job import Kind, Status
from page.studio.lending import Lending
from page.studio.networks import Networks
from page.studio.people import edits_of, shown_first
from page.studio.planning import Planner
from page.studio.previews import fit_key
from page.studio.queue import JobQueue
from page.studio.quota import Quota
from page.studio.run_previews import RunPreviews
from page.studio.runs import Output, Runs, RunState, with_choices, without_direction
from page.studio.sweeper import sweep
from page.studio.tasks import Task, check_edit
from page.studio.watching import Watched
from stit_core.config import RunConfig
from stit_core.directions.library import load_direction
from stit_core.errors import StitError, StoreError
from stit_core.provenance import Consent

Choose = Callable[[RunState], Mapping[str, Any]]


class ConsentError(StitError):
    """Nobody has said that what was uploaded may be edited."""


@dataclass(frozen=True)
class Limits:
    """What may be uploaded and edited, and how long a job may take, for the page to say before anybody uploads."""

    megabytes: float
    seconds: float
    frames: int
    megapixels: float
    keep_hours: float
    job_seconds: float


class Studio:
    """Runs and their jobs, and the parts that know the rest.

    Parameters
    ----------
    settings: what the environment decided.
    samples: clips that come with the program, by name.
    feeds: of the player.

    Attributes
    ----------
    networks: the pack, its networks, and how long they take here.
    folders, runs, holdings: where runs lie, what is noted of them, what they hold on the disk.
    clips: samples and the runs' clips, looked through and trimmed.
    lists: the runs' lists of clips, each of which has a run of its own; see page.studio.batches.
    directions: the library, with the runs' own.
    previews: what is shown beside the jobs.
    planner: how long jobs take, and whether they may.
    lending: who does their heavy stages.
    watched: the runs that are on somebody's screen.
    quota: what all runs may hold together.
    jobs: the queue.
    """

    def __init__(self, settings: PageSettings, samples: Mapping[str, Path], feeds: Feeds) -> None:
        self.settings, self.feeds = settings, feeds
        self.networks = Networks(settings.pack, settings.device)
        self.folders = RunFolders(settings)
        self.runs = Runs(self.folders)
        self.holdings = Holdings(self.folders, self.runs)
        self.clips = Clips(settings, samples, self.folders, self.runs, self.networks)
        self.lists = ClipLists(self.folders)
        self.directions = DirectionLibrary(self.folders, self.networks)
        self.previews = RunPreviews(self.folders, self.runs, self.networks, self.config)
        seconds = self.limits.job_seconds
        self.planner = Planner(self.clips, self.networks, seconds, self.config, self.previews.tuned_people)
        self.lending = Lending(self.networks, settings)
        self.watched = Watched()
        self.quota = Quota(settings, self.holdings.size, self.delete)
        allowance = JobAllowance(settings.visitor_jobs, settings.visitor_jobs_hour, settings.address_visitors)
        self.jobs = JobQueue(settings.queue_length, 60 * settings.unwatched_minutes, allowance)
        self.jobs.subscribe(self.runs.note_end, self.holdings.clear_after, feeds.clear_after)

    @property
    def limits(self) -> Limits:
        """What the settings allow a visitor."""
        s = self.settings
        return Limits(s.max_mb, s.max_seconds, s.max_frames, s.max_megapixels, s.keep_hours, 60 * s.job_minutes)

    def warm_up(self) -> threading.Thread:
        """Load the networks and time the machine in the background."""
        return self.networks.warm_up(lambda: not len(self.jobs))

    # --- Runs ---------------------------------------------------------------------------------------------------

    def arrive(self, asked: object = None) -> RunState:
        """The run of an address, or a new one; an id that is not known here is never taken over.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        known = self.runs.load(asked)
        return self.state(known.id) if known is not None else self.runs.begin(self.settings.mark != "off")

    def state(self, run_id: str) -> RunState:
        """All that a page needs to show a run.

        Raises
        ------
        StitError: there is no such run.
        """
        state = self.runs.get(run_id)
        self.look_at(run_id)
        status = self.jobs.status(run_id)
        outputs = tuple(self._with_feed(output) for output in state.outputs)
        aligned, tuned = self.previews.what_is_done(state)
        return dataclasses.replace(state, outputs=outputs, aligned=aligned, tuned=tuned, last=status or state.last)

    def look_at(self, run_id: str) -> None:
        """Note that somebody looks at a run, and so at the clips of its list: they are in use, and stay.

        Raises
        ------
        StoreError: the disk cannot be read.
        """
        for known in (run_id, *self.lists.runs(run_id)):
            self.watched.note(known)
            self.folders.touch(known)
            if known != run_id:
                self.jobs.status(known)  # whoever asks watches it

    def make_room(self, run_id: str) -> None:
        """Bring the run, then all runs together, below what they may hold, before another thing is made.

        Raises
        ------
        StoreError: what is needed is more than there is room for.
        StitError: there is no such run.
        """
        self.holdings.make_room(self.runs.get(run_id))
        self.quota.make_room({*self._in_use(), run_id})

    def _in_use(self) -> set[str]:
        return {*self.jobs, *self.watched}

    def config(self, state: RunState) -> RunConfig:
        """The settings of the stages that a run's choices make.

        Raises
        ------
        ConfigError: a choice that is not possible.
        """
        if self.settings.mark == "always":
            state = dataclasses.replace(state, mark=True)
        return state.config(self.settings.video(), self.networks.pack.schedules)

    def change(self, run_id: str, choose: Choose | None = None, **choices: Any) -> RunState:
        """Store choices of the visitor.

        Parameters
        ----------
        choose: further choices, made of those that are stored by then, which no other thread changes meanwhile.

        Raises
        ------
        ConfigError: a choice that is not possible.
        StitError: there is no such run.
        """
        self.runs.update(run_id, lambda now: _chosen(now, choose, choices))
        return self.state(run_id)

    def agree(self, run_id: str, wording: str) -> RunState:
        """Note that what the visitor uploads may be edited, in the words that were agreed to; "" takes that back.

        Raises
        ------
        StitError: there is no such run.
        """
        given = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        consent = Consent(wording, given) if wording else None
        self.runs.update(run_id, lambda state: dataclasses.replace(state, consent=consent))
        return self.state(run_id)

    def _check_consent(self, run_id: str, uploads: Sequence[Path]) -> None:
        """Refuse, and delete, what a stranger uploads without a word of whether it may be edited.

        Raises
        ------
        ConsentError: nobody said so.
        """
        brought = any(self.folders.is_upload(path) for path in uploads)
        if brought and self.settings.public and self.runs.get(run_id).consent is None:
            self.holdings.drop(run_id, uploads)
            message = "You have not said yet that you may edit this, so it was not kept."
            raise ConsentError(message, "Tick the line above the upload, then upload again.")

    def bring(self, run_id: str, uploads: Sequence[Path]) -> None:
        """Note what the visitor uploaded, whatever comes of it: it is deleted with the run.

        Raises
        ------
        StitError: there is no such run, a file was not uploaded here, or nobody said that it may be edited.
        """
        self.runs.get(run_id)
        self.holdings.note(run_id, uploads)
        self._check_consent(run_id, uploads)

    def delete_direction(self, run_id: str, name: str) -> RunState:
        """Delete a direction that the run trained, which then is no longer chosen either.

        Raises
        ------
        DirectionError: one that came with the program.
        StitError: a job of the run or of a clip of its list, which may need it, is not ended.
        """
        listed = self.lists.load(run_id).clips
        self._check_idle(run_id, *(clip.run for clip in listed), waits=any(clip.wanted for clip in listed))
        self.directions.delete(run_id, name)
        self.lists.drop_direction(run_id, name)
        for known in self.lists.runs(run_id):
            if self.runs.load(known) is not None:
                self.runs.update(known, lambda now: without_direction(now, name))
        self.runs.update(run_id, lambda now: without_direction(now, name))
        return self.state(run_id)

    def set_clip(self, run_id: str, upload: str | Path) -> RunState:
        """Take an uploaded clip into the run.

        Raises
        ------
        VideoError: no video, or one over a limit.
        StitError: the file was not uploaded here, nobody said that it may be edited, or a job of the run is not ended.
        """
        return self._set_clip(run_id, Path(upload), None)

    def set_sample(self, run_id: str, name: str) -> RunState:
        """Take a sample clip into the run.

        Raises
        ------
        StitError: an unknown name.
        """
        return self._set_clip(run_id, self.clips.sample(name), name)

    def _set_clip(self, run_id: str, path: Path, sample: str | None) -> RunState:
        before, upload = self.runs.get(run_id).upload, None if sample else str(path)
        self.quota.make_room({*self._in_use(), run_id})
        self.holdings.note(run_id, [path])
        self._check_consent(run_id, [path])
        self.runs.update(run_id, lambda state: dataclasses.replace(state, upload=upload))
        if before not in (None, upload):  # the run has a copy of what it took, and what was refused is of no use
            self.holdings.drop(run_id, [Path(str(before))])
        self._check_idle(run_id)
        self.clips.check(path)
        clip = self.folders.take(run_id, path)
        facts: dict[str, Any] = {"clip": str(clip), "clip_name": path.name, "sample": sample}
        facts |= dict.fromkeys(("start", "end", "face", "point", "point_frame")) | {"others": (), "corrections": ()}
        self.runs.update(run_id, lambda state: dataclasses.replace(state, **facts))
        self.previews.forget(run_id)
        return self.state(run_id)

    def delete(self, run_id: str) -> None:
        """Delete everything of a run now, after its job was stopped; the clips of its list have runs that go first.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        for clip_run in self.lists.empty(run_id):
            self.delete(clip_run)
        state = self.runs.load(run_id)
        if state is not None:
            self.clips.forget(state)
        self.watched.forget(run_id)
        self.jobs.forget(run_id)
        self.previews.forget(run_id)
        self.holdings.delete(run_id)
        self.feeds.forget_deleted()

    def sweep(self) -> list[Path]:
        """Delete what nobody has used for a while; gives the folders."""
        gone = sweep(self.settings, self._in_use())
        for folder in gone:
            self.previews.forget(folder.name)
        with contextlib.suppress(StoreError):  # all that is left is in use; whoever brings more hears of it
            self.quota.make_room(self._in_use())
        self.feeds.forget_deleted()
        return gone

    def _with_feed(self, output: Output) -> Output:
        if output.feed is None:
            return output
        try:
            return dataclasses.replace(output, feed_id=self.feeds.open(Path(output.feed)).id)
        except (StitError, OSError, ValueError, KeyError):  # its frames were deleted; the video is there
            return dataclasses.replace(output, feed=None, feed_id=None)

    def _check_idle(self, *run_ids: str, waits: bool = False) -> None:
        if waits or any(run_id in self.jobs for run_id in run_ids):
            raise StitError("The page is still at work for you.", "Wait until it has finished, or press Stop.")

    # --- Jobs ---------------------------------------------------------------------------------------------------

    def start(self, run_id: str, kind: Kind, choose: Choose | None = None, **choices: Any) -> Status:
        """Put the run's next job into the queue, under its stored choices.

        `choices` change them, and `choose` as for `change`, if it can begin: else they would throw away what the
        running job makes.

        An edit is put behind the run's own alignment or tuning, if that is running; the status then is still of that.

        Raises
        ------
        StitError: a job is there already, the queue is full, there is no clip, it would take too long, or the edit
            cannot be made.
        VideoError: a trim that is too long.
        """
        state = _chosen(self.runs.get(run_id), choose, choices)
        if kind == "edit":
            state = shown_first(state)
        path, config = clip_of(state), self.config(state)
        if kind == "edit":
            check_edit(config)
            chosen = [*config.edit.directions, *(pair for each in edits_of(state) or () for pair in each.directions)]
            for name in dict.fromkeys(name for name, _ in chosen):
                load_direction(self.networks.pack, name, roots_of(self.folders, run_id))
        plan = self.planner.plan(state, kind, path, config)
        self.make_room(run_id)
        fit = fit_key(config, path)

        def fitted(picture: np.ndarray) -> None:
            self.previews.put_fit(run_id, fit, picture)

        task = Task(self.lending, self.folders, self.feeds, state, config, fitted, self.settings.signer)
        job = self.jobs.submit(run_id, kind, task.work(kind), plan)
        begun: dict[str, Any] = {"fitted": fit} if kind == "tune" else {}
        status = self.jobs.status(run_id) or job.status()
        self.runs.update(run_id, lambda now: dataclasses.replace(_chosen(now, choose, choices), last=status, **begun))
        return status

    def stop(self, run_id: str) -> bool:
        """Ask the run's job to stop; False where none waits or runs."""
        return self.jobs.stop(run_id)

    def lend_event(self, run_id: str) -> None:
        """Let the run's job act in the name of the event that calls this, for what a ZeroGPU Space lends."""
        self.jobs.lend_event(run_id)

    def status(self, run_id: str) -> Status | None:
        """How the run's job is, or was; None where none was started since the server was."""
        return self.jobs.status(run_id)

    def tuning(self, run_id: str) -> Status | None:
        """How the last tuning is, or was; None where it was under other settings than the run has now."""
        state = self.state(run_id)
        known = state.last is not None and state.last.kind == "tune" and state.clip is not None
        return state.last if known and state.fitted == self.previews.fit_name(state) else None


def _chosen(state: RunState, choose: Choose | None, choices: Mapping[str, Any]) -> RunState:
    """A run under other choices; raises as `with_choices`."""
    return with_choices(state, **choices, **(choose(state) if choose is not None else {}))
