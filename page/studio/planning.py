"""How long a job will take, and whether it may: the others wait for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from page.studio.clips import Clips, has_clip
from page.studio.estimates import too_long
from page.studio.job import Kind
from page.studio.networks import Networks
from page.studio.people import count_of
from page.studio.runs import RunState
from stit_core.config import RunConfig
from stit_core.errors import StitError
from stit_core.media import probing

SHORTER = "Choose a quicker preset or a shorter part of the clip, or lower what was raised under Advanced."


@dataclass(frozen=True)
class Planner:
    """Plans of jobs, and their limit.

    Attributes
    ----------
    job_seconds: that a job may take, by this machine's estimate.
    configure: the settings of the stages that a run's choices make.
    is_tuned: whether the tuning of a run's choices is there.
    """

    clips: Clips
    networks: Networks
    job_seconds: float
    configure: Callable[[RunState], RunConfig]
    is_tuned: Callable[[RunState], bool]

    def plan(self, state: RunState, kind: Kind, path: Path, config: RunConfig) -> dict[str, float]:
        """Seconds expected of each stage of a job.

        Raises
        ------
        VideoError: a trim that is too long.
        StitError: what would take too long.
        """
        facts = self._probe(path, config)
        probing.check_length(path, facts, config.video)
        plan = _times(count_of(state), self.networks.estimator.plan(kind, config, _frames(facts, config)), kind)
        self.check(self._left(state, plan))
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
        frames = _frames(self._probe(path, config), config)
        plan = _times(count_of(state), self.networks.estimator.plan(kind, config, frames), kind)
        try:
            self.check(self._left(state, plan))
        except StitError as error:
            return str(error)
        return ""

    def _left(self, state: RunState, plan: Mapping[str, float]) -> float:
        """Seconds of a plan without the stages whose results are there."""
        names = list(plan)
        first = names.index("tune") + 1 if "tune" in names and self.is_tuned(state) else 0
        return sum(plan[name] for name in names[first:])

    def _probe(self, path: Path, config: RunConfig) -> probing.Probe:
        """The probe of a whole clip, whatever part of it is edited."""
        return self.clips.probe(path, dataclasses.replace(config.video, start=None, end=None))


def _times(people: int, plan: Mapping[str, float], kind: Kind) -> dict[str, float]:
    """The plan of an edit of several people, as if nothing of any of them were there but what is of the one shown."""
    return {stage: seconds * (people if kind == "edit" else 1) for stage, seconds in plan.items()}


def _frames(facts: probing.Probe, config: RunConfig) -> int:
    """Frames of the trimmed part, as far as the file says."""
    whole = facts.seconds or config.video.max_seconds
    seconds = min(config.video.end or whole, whole) - (config.video.start or 0.0)
    return max(1, min(config.video.max_frames, round(seconds * float(facts.frame_rate))))
