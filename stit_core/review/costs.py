"""How long a review will take, before it starts: arithmetic from one person, measured. Source: ours."""

from __future__ import annotations

from stit_core.errors import VideoError
from stit_core.media import probing
from stit_core.review.people import Source
from stit_core.review.running import Review

# Seconds of one modern CPU core, of a picture with heads-256 at `balanced`: what is done once (landmarks, alignment,
# inversion, tuning, reading), of which tuning; and what every edit takes (transfer, reading).
ONCE, TUNING, EDIT = 3.7, 2.2, 0.29
# The same of a clip's frame: what is done once, and what every edit takes.
FRAME_ONCE, FRAME_EDIT = 0.35, 0.32
REPORT = 20.0  # statistics, drawings and pictures of sixty people
USUAL_FRAMES = 150  # of a clip in a zip, which nobody has looked into yet


def expected_seconds(review: Review) -> float:
    """Seconds that the whole review takes on one core, nothing of it being there; a GPU does better."""
    sources = [source for person in review.people.persons for source in person.sources if not source.missing]
    return REPORT + sum(_source_seconds(review, source) for source in sources)


def _source_seconds(review: Review, source: Source) -> float:
    edits = len(review.plan.pairs)
    once = ONCE if review.plan.tuning else ONCE - TUNING
    if not source.is_clip:
        return once + EDIT * edits
    return once + _frames(review, source) * (FRAME_ONCE + FRAME_EDIT * edits)


def _frames(review: Review, source: Source) -> int:
    """How many frames a clip has, about; 0 for one that cannot be read."""
    if source.path is None:
        return USUAL_FRAMES
    try:
        return probing.probe(source.path, review.clip_settings.video).frames or USUAL_FRAMES
    except VideoError:
        return 0
