"""Who does the heavy stages of a job: this process, or a card that a ZeroGPU Space lends for a while.

Both go through the generator of page/studio/slices.py. In this process one slice does all. On a ZeroGPU Space the
job's worker drives it slice by slice, and closes it when the job is stopped; every slice ends with its work on the
disk, so whatever ends one early costs what lies behind the last such place, and the next one goes on from there.

Whose quota a slice takes is decided by a token in the headers of the request in whose name it is asked for. It comes
with those events alone that go through gradio's queue, from a page in the frame of huggingface.co; it ages, and serves
once. A job, however, waits in our queue, outlives the event that began it, and needs several slices. So each slice
takes an event of its own: the first one that of the button, if it is young enough; the others, and a job that has
waited, ask for one: `Status.asks` grows, the visitor's tab, which looks every second, sees news and answers with an
event through gradio's queue, whose context the job takes (`Job.take_event`). If no tab answers, nobody is there to lend
the card, and the job ends in words, so that others need not wait for it. A call of the API lends its own event as long
as it waits.

What ZeroGPU refuses (no quota, no card, an old token) and a process that dies become a `CardError` in words. What is
finished is kept; the job goes on when the same button is pressed, or now on the processor, where the settings allow it
and it does not take longer there than a job may.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from page.settings import PageSettings
from page.studio.job import Job, Kind, stage_of_turn
from page.studio.networks import Networks
from page.studio.slices import SliceSettings, error_of, lent_slice, work_slice
from page.studio.stepwise import Message
from stit_core.artefacts import Clip
from stit_core.errors import Cancelled, DeviceError, StitError
from stit_core.pipeline import Pipeline
from stit_core.previews import stitched_so_far
from stit_core.stages.masks import BATCH_SIZE

LOG = logging.getLogger(__name__)

FRESH_SECONDS = 20.0  # that an event may be old in whose name a slice is asked for
PATIENCE = 75.0  # seconds for which an event is waited for: browsers let a hidden tab look once a minute
MARGIN = 1.25  # of a budget over what is expected
SHORTEST = 5.0  # seconds of a budget that is not set lower: every slice has its way to the card before it
_WAIT = re.compile(r"[Tt]ry again in ([^.]{1,40})\.")


KEPT = "What is finished is kept: press the same button later and it goes on from there."
SMALLER = "Choose a quicker preset or a shorter part of the clip."
QUOTA = "Your share of the graphics card is used up for now."
TAKEN_BACK = "The graphics card was taken back before this piece was finished."
ON_PROCESSOR = "It went on without the graphics card, which takes longer: {why}"


class CardError(DeviceError):
    """The card was not lent, or taken back; `stale` where another event of the visitor's may mend it."""

    def __init__(self, message: str, hint: str = KEPT, stale: bool = False) -> None:
        super().__init__(message, hint)
        self.stale = stale


def card_error(error: BaseException) -> CardError:
    """What a refusal of ZeroGPU means, in words; the package spaces raises gradio's errors, known by their titles."""
    title, text = str(getattr(error, "title", "")), str(getattr(error, "message", "") or error)
    if "quota" in title or "credits" in title:
        when = _WAIT.search(text)
        hint = f"It can be had again in {when[1]}. {KEPT}" if when else KEPT
        return CardError(QUOTA, hint)
    if "duration" in title:
        return CardError("The graphics card is not lent for as long as one piece of this takes.", f"{SMALLER} {KEPT}")
    if "token" in text.lower() or "401" in text:
        return CardError("Your page's permission to use the graphics card has expired.", stale=True)
    if "worker" in title:
        return CardError(TAKEN_BACK)
    if "timeout" in title or "No GPU" in text:
        return CardError("No graphics card was free just now.")
    return CardError("The graphics card could not be had.")


@dataclass(frozen=True)
class Lending:
    """How the heavy stages of jobs are done, for all jobs.

    Attributes
    ----------
    job_seconds: that a job may take.
    """

    networks: Networks
    settings: PageSettings

    @property
    def job_seconds(self) -> float:
        return 60 * self.settings.job_minutes


class HeavyWork:
    """The heavy stages of one job on their way.

    Parameters
    ----------
    pipeline: the job's own; all that a slice says is reported to its runtime, which also stops it.
    clip: opened by it, and aligned.
    made: called with each stage that is ready.
    turn: which of several people's it is, in the order of the job.
    kind: the kind of job whose stages these are, where the job's own plan does not count them.
    """

    def __init__(
        self,
        lending: Lending,
        job: Job,
        pipeline: Pipeline,
        clip: Clip,
        made: Callable[[str], None] = lambda _: None,
        turn: int = 0,
        kind: Kind | None = None,
    ) -> None:
        self.networks, self.settings, self.job_seconds = lending.networks, lending.settings, lending.job_seconds
        self.job, self.pipeline, self.clip, self.made, self.turn = job, pipeline, clip, made, turn
        self.kind = kind or job.kind
        self._worked: dict[str, float] = {}  # seconds in slices that ended before their stage did
        self._passes = 0  # of the tuning that were reported; each slice tells those before it again

    def carry_out(self, stages: Sequence[str], lent: bool = True) -> None:
        """Make what is missing of the stages, on the lent card if `lent` and there is one.

        Raises
        ------
        StitError: of the stage that cannot be made, or CardError.
        Cancelled: the job was stopped.
        """
        lent, stale = lent and self.networks.lent, 0
        while True:
            try:
                if self._slice(tuple(stages), lent):
                    return
                stale = 0
            except CardError as error:
                stale += error.stale
                if error.stale and stale == 1:
                    LOG.info("a slice is asked for again, in the name of another event")
                    continue
                if not lent or not self._can_go_on_here(stages):
                    raise
                LOG.warning("a job goes on without the card: %s", error.message)
                self.job.warn(ON_PROCESSOR.format(why=error.message))
                lent = False

    def _can_go_on_here(self, stages: Sequence[str]) -> bool:
        if not self.settings.cpu_fallback:
            return False
        plan = self.networks.without_card.plan(self.kind, self.pipeline.config, len(self.clip.frames))
        return sum(plan.get(stage, 0.0) for stage in self._missing(stages)) <= self.job_seconds

    def _missing(self, stages: Sequence[str]) -> list[str]:
        """The stages that are not in the store."""
        return [stage for stage in stages if not self.pipeline.has(self.clip, stage)]

    # --- one slice ---

    def _slice(self, stages: tuple[str, ...], lent: bool) -> bool:
        """Get on with the stages; True when all are ready."""
        missing, before = self._missing(stages), self.job.progressed
        lent = lent and bool(missing)  # to find what is there costs nobody's share
        work, settings, budget = work_slice, self._settings(missing, lent), float("inf")
        run: Callable[..., Any] = _call
        if lent:
            event = self.job.take_event(FRESH_SECONDS, PATIENCE)
            self._stop_if_asked()
            if event is None:
                raise CardError("Nobody was there in whose name the graphics card could be used.")
            work, run, budget = lent_slice, event.copy().run, self._budget(missing)
        messages = work(str(self.pipeline.store.root), settings, stages, budget)
        try:
            done = self._hear(_words(messages, run, lent))
        finally:
            messages.close()  # type: ignore[attr-defined]  # generators have it
        if lent:
            seconds = time.monotonic() - self._begun
            self.networks.estimator.learn(self.job.progressed - before, seconds)
        return done

    def _hear(self, messages: Iterator[Message]) -> bool:
        """Report what a slice says until its end; True when all is ready."""
        self._begun, self._told = 0.0, 0
        for message in messages:
            kind, facts = message[0], message[1:]
            self._begun = self._begun or time.monotonic()  # the way to the card is no work
            if kind == "done":
                return True
            if kind == "rest":
                stage, seconds = facts
                self._worked[stage] = self._worked.get(stage, 0.0) + seconds
                return False
            if kind == "failed":
                raise error_of(*facts)
            self._report(kind, *facts)
            self._stop_if_asked()
        raise CardError(TAKEN_BACK)

    def _report(self, kind: str, *facts: Any) -> None:
        runtime, results = self.pipeline.runtime, self.pipeline.results
        if kind == "progress":
            if facts[0] not in results.seconds:  # a later slice finds again what an earlier one made
                runtime.step(*facts)
        elif kind == "figures":
            if facts[0] == "tune":
                self._told += 1
                if self._told <= self._passes:
                    return
                self._passes = self._told
            runtime.tell(facts[0], **dict(facts[1]))
        elif kind == "preview":
            stage, frame, picture = facts
            runtime.show(stage, frame, self._stored(frame) if picture is None else picture)
        elif kind == "made":
            stage, seconds, found = facts
            if stage not in results.seconds:
                results.note(stage, seconds + self._worked.pop(stage, 0.0), found)
                self.made(stage)

    def _stored(self, frame: int) -> Any:
        """The picture of a frame that a slice has stored."""
        known = stitched_so_far(self.pipeline, self.clip)
        if known is None:
            raise StitError("What was made is not there any more.", "Press the same button again.")
        return known.crops.read(frame)

    def _stop_if_asked(self) -> None:
        if self.pipeline.runtime.cancel.is_set():
            raise Cancelled(self.job.kind)

    def _settings(self, stages: Sequence[str], lent: bool) -> SliceSettings:
        pipeline = self.pipeline
        return SliceSettings(
            networks=self.networks.place(lent),
            clip=str(self.clip.source),
            config=pipeline.config,
            dtype=pipeline.runtime.dtype,
            seed=pipeline.runtime.seed,
            roots=None if pipeline.roots is None else tuple(map(str, pipeline.roots)),
            unit_seconds=self._unit(stages) if lent else 0.0,
        )

    def _budget(self, stages: Sequence[str]) -> float:
        wanted = MARGIN * self.networks.estimator.pace * self._expected(stages)
        return min(self.settings.slice_seconds, max(SHORTEST, wanted))

    def _expected(self, stages: Sequence[str]) -> float:
        if self.kind == self.job.kind:
            return self.job.expected([stage_of_turn(stage, self.turn) for stage in stages])
        plan = self.networks.estimator.plan(self.kind, self.pipeline.config, len(self.clip.frames))
        return sum(plan[stage] for stage in stages)

    def _unit(self, stages: Sequence[str]) -> float:
        """Seconds of the longest piece of work after which alone a slice can end."""
        config, frames = self.pipeline.config, max(1, len(self.clip.frames))
        batches = max(1, frames // BATCH_SIZE)
        pieces = {
            "invert": max(1, frames // config.inversion.batch_size),
            "tune": config.tuning.passes + 1,  # the last being the evaluation
            "register": batches,
            "masks": batches,
            "stitch": frames if self.pipeline.transfers else max(1, frames // config.stitching.window),
        }
        whole = [self._expected([stage]) / pieces[stage] for stage in stages]
        return MARGIN * self.networks.estimator.pace * max(whole, default=0.0)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _words(messages: Iterator[Message], run: Callable[..., Any], lent: bool) -> Iterator[Message]:
    """What a slice says, each word asked for in the name of its event; what the card's lender raises as a CardError."""
    while True:
        try:
            message = run(next, messages, None)
        except Exception as error:
            if not lent:
                raise
            raise card_error(error) from error
        if message is None:
            return
        yield message
