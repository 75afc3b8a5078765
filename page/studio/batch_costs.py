"""What a list of clips will take, as `python -m stit_core batch --dry-run` says it: by the sizes of its clips and the
speed of this machine, nothing of it being there yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from page.studio.batches import cards, lacking
from page.studio.clips import clip_of, has_clip
from page.studio.runs import with_choices
from page.studio.studio import Studio
from stit_core.batch.costs import frames_of, video_bytes
from stit_core.checks import stage_bytes
from stit_core.errors import StitError


@dataclass(frozen=True)
class ListCost:
    """What the next start of a list takes.

    Attributes
    ----------
    clips: that it edits.
    seconds: for all of them, one after the other; None before this machine was timed.
    stored: bytes of their videos and stages.
    refused: of the clips, how many take longer than a job may.
    """

    clips: int = 0
    seconds: float | None = 0.0
    stored: int = 0
    refused: int = 0


def cost_of_list(studio: Studio, run_id: str) -> ListCost:
    """What it takes to edit all clips of a run's list that have not got the chosen edit.

    Raises
    ------
    StoreError: the disk cannot be read.
    """
    choices = studio.lists.load(run_id).choices
    times: list[float | None] = []
    stored = refused = 0
    for card in lacking(studio, cards(studio, run_id), choices):
        state = studio.runs.load(card.clip.run)
        if state is None or not has_clip(state):
            continue
        config = studio.config(with_choices(state, **choices))
        try:
            facts = studio.clips.probe(clip_of(state), config.video)
        except (StitError, OSError):  # deleted meanwhile
            continue
        frames, estimator = frames_of(facts, config), studio.networks.estimator
        if sum(estimator.plan("edit", config, frames).values()) > studio.limits.job_seconds:
            refused += 1
            continue
        times.append(estimator.seconds(config, frames))
        stored += video_bytes(facts, frames) + stage_bytes(facts, config.video, studio.networks.pack.resolution)
    known = [seconds for seconds in times if seconds is not None]
    return ListCost(len(times), sum(known) if len(known) == len(times) else None, stored, refused)
