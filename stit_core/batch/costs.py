"""What a batch will take: time and disk, by the sizes of its clips and the speed of this machine. Source: ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stit_core.batch.rows import Row
from stit_core.checks import stage_bytes
from stit_core.config import RunConfig
from stit_core.errors import StitError
from stit_core.estimates import StepTimes, estimate
from stit_core.media import probing
from stit_core.several_people import EVERYBODY, PersonEdit

VIDEO_BITS = 0.35  # of the finished video, a pixel, at the default crf of 16: generous for a face before a calm ground
START = 6.0  # seconds in which a worker is ready


@dataclass(frozen=True)
class Cost:
    """What one row will take: seconds of one worker, bytes of its video, bytes of its stages; or why it cannot be."""

    row: Row
    frames: int = 0
    seconds: float = 0.0
    video_bytes: int = 0
    stage_bytes: int = 0
    failure: str = ""


def costs(rows: Sequence[Row], times: StepTimes, size: int, cancelled: Callable[[], None]) -> Iterator[Cost]:
    """The cost of each row, nothing of it being there.

    Parameters
    ----------
    times: of one worker's steps.
    size: resolution of the pack, in pixels.
    cancelled: called before each row; raises Cancelled where it was stopped.
    """
    for row in rows:
        cancelled()
        config = row.treatment.config
        try:
            facts = probing.probe(row.path, config.video)
            probing.check_length(row.path, facts, config.video)
        except StitError as error:
            yield Cost(row, failure=error.message)
            continue
        frames = frames_of(facts, config)
        video = video_bytes(facts, frames)
        people = count_of(row.treatment.people)
        seconds = people * estimate(config, frames, times)
        yield Cost(row, frames, seconds, video, people * stage_bytes(facts, config.video, size))


def video_bytes(facts: probing.Probe, frames: int) -> int:
    """Bytes of a finished video, generously."""
    return int(frames * facts.width * facts.height * VIDEO_BITS / 8)


def count_of(people: Sequence[PersonEdit]) -> int:
    """How many are edited; everybody counts as two, for nobody has looked yet."""
    return max(1, *(2 if each.face == EVERYBODY else len(people) for each in people)) if people else 1


def frames_of(facts: probing.Probe, config: RunConfig) -> int:
    """How many frames will be edited, about; as many as are allowed where nobody knows."""
    part = probing.trimmed_frames(facts, config.video)
    return min(config.video.max_frames, config.video.max_frames if part is None else math.ceil(part))


def together(found: Sequence[Cost], jobs: int) -> float:
    """Seconds for all of them with `jobs` workers: no less than the longest takes."""
    seconds = [cost.seconds for cost in found if not cost.failure]
    return START + max(sum(seconds) / jobs, max(seconds, default=0.0))
