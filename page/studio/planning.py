"""How long a job will take, and whether it may: the others wait for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from page.studio.clips import Clips, has_clip
from page.studio.estimates import too_long
from page.studio.job import Kind, stage_of_turn
from page.studio.networks import Networks
from page.studio.people import plan_of_people
from page.studio.runs import RunState
from stit_core.config import RunConfig
from stit_core.errors import StitError
from stit_core.media import probing

CLIPS = ("frames", "landmarks")  # stages that are done once a clip
UP_TO_TUNED = ("align", "invert", "tune", "register")  # once a person
SHORTER = "Choose a quicker preset or a shorter part of the clip, or lower what was raised under Advanced."


@dataclass(frozen=True)
class Planner:
    """Plans of jobs, and their limit.

    Attributes
    ----------
    job_seconds: that a job may take, by this machine's estimate.
    configure: the settings of the stages that a run's choices make.
    tuned: of everybody whom a run edits, the one who is shown first, whether the tuning is there.
    """

    clips: Clips
    networks: Networks
    job_seconds: float
    configure: Callable[[RunState], RunConfig]
    tuned: Callable[[RunState], Sequence[bool]]

    def plan(self, state: RunState, kind: Kind, path: Path, config: RunConfig) -> dict[str, float]:
        """Seconds expected of each stage of a job.

        Raises
        ------
        VideoError: a trim that is too long.
        StitError: what would take too long.
        """
        facts = self._probe(path, config)
        probing.check_length(path, facts, config.video)
        plan, left = self._times(state, kind, config, _frames(facts, config))
        self.check(left)
        return plan

    def check(self, seconds: float, hint: str = SHORTER) -> None:
        """Raise StitError for a job that would take longer than one may: the others wait for it."""
        if seconds > self.job_seconds:
            raise StitError(too_long(seconds, self.job_seconds), hint)

    def too_long(self, state: RunState, kind: Kind) -> str:
        """What `plan` would say of the time that a run's job takes, before anybody starts it; "" where it fits."""
        if not has_clip(state):
            return ""
        config, path = self.configure(state), Path(str(state.clip))
        _, left = self._times(state, kind, config, _frames(self._probe(path, config), config))
        try:
            self.check(left)
        except StitError as error:
            return str(error)
        return ""

    def _times(self, state: RunState, kind: Kind, config: RunConfig, frames: int) -> tuple[dict[str, float], float]:
        """Seconds of each stage, and of all but those whose results are there."""
        plan, tuned = self.networks.estimator.plan(kind, config, frames), self.tuned(state)
        if kind != "edit":
            return plan, seconds_left(plan, tuned[:1])
        plan = plan_of_people(plan, len(tuned))
        return plan, seconds_left(plan, tuned)

    def _probe(self, path: Path, config: RunConfig) -> probing.Probe:
        """The probe of a whole clip, whatever part of it is edited."""
        return self.clips.probe(path, dataclasses.replace(config.video, start=None, end=None))


def seconds_left(plan: Mapping[str, float], tuned: Sequence[bool]) -> float:
    """Seconds of a plan without the stages whose results are there: of each person, whether he or she is tuned."""
    ready: set[str] = set()
    for turn, done in enumerate(tuned):
        if done:
            ready |= {stage_of_turn(stage, turn) for stage in UP_TO_TUNED} | {*CLIPS}
    return sum(seconds for stage, seconds in plan.items() if stage not in ready)


def _frames(facts: probing.Probe, config: RunConfig) -> int:
    """Frames of the trimmed part, as far as the file says."""
    whole = facts.seconds or config.video.max_seconds
    seconds = min(config.video.end or whole, whole) - (config.video.start or 0.0)
    return max(1, min(config.video.max_frames, round(seconds * float(facts.frame_rate))))
