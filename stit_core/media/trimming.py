"""What a chosen part of a clip holds, by the clip's pre-flight. Source: ours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from stit_core.config import VideoConfig
from stit_core.media.preflight import SMALL_FACE, Preflight, State
from stit_core.turning import tell_turn


@dataclass(frozen=True)
class TrimFacts:
    """What a chosen part of a clip holds.

    Attributes
    ----------
    seconds, frames: of the part.
    face_share: of its moments, how many have a usable face; states: the share of each state.
    too_long: it has to be shortened before it can be edited.
    best: a better part (start, end), or None where there is nothing to mend or nothing better.
    warnings: in plain words, the gravest first.
    """

    seconds: float
    frames: int
    face_share: float
    states: dict[str, float]
    too_long: bool
    best: tuple[float, float] | None
    warnings: tuple[str, ...]


def trim_facts(found: Preflight, config: VideoConfig) -> TrimFacts:
    """What the part of a clip from `config.start` to `config.end` holds, under the limits of `config`."""
    start, end = config.start or 0.0, min(config.end or math.inf, found.seconds)
    seconds = max(0.0, end - start)
    allowed = min(config.max_seconds, config.max_frames / found.frame_rate)
    too_long = (
        seconds > config.max_seconds + 0.5 or seconds * found.frame_rate > config.max_frames + 1
    )  # as probing does
    names: tuple[State, ...] = ("face", "several", "small", "none")
    states = {str(name): found.share(name, start, end) for name in names}
    share = states["face"] + states["several"]
    cuts = [cut for cut in found.cuts if start < cut < end]
    best = found.best(allowed) if too_long or share < 1 or cuts else None
    if best is not None and abs(best[0] - start) < 0.1 and abs(best[1] - end) < 0.1:
        best = None
    warnings = tuple(_warnings(found, (start, end), states, cuts, allowed if too_long else None))
    frames = max(1, round(seconds * found.frame_rate))
    return TrimFacts(seconds, frames, share, states, too_long, best, warnings)


def _warnings(
    found: Preflight, part: tuple[float, float], states: dict[str, float], cuts: list[float], allowed: float | None
) -> Iterator[str]:
    if allowed is not None:
        yield f"This part lasts {part[1] - part[0]:.1f} s; up to {allowed:g} s can be edited. Choose a shorter part."
    if states["face"] + states["several"] + states["small"] == 0:
        yield "No face was found in this part. Choose one in which a face looks towards the camera, well lit."
    elif states["none"] >= 0.02:
        yield f"In {states['none']:.0%} of this part no face was found; longer stretches without one stay untouched."
    if states["small"] >= 0.02:
        yield f"In {states['small']:.0%} of this part the face is too small to be edited."
    elif 0 < found.side(*part) < SMALL_FACE:
        yield f"The face is only about {found.side(*part):.0f} pixels wide; the edited face will look soft."
    if states["several"] >= 0.02:
        yield "There are several faces; the largest is edited unless you pick another one in the next step."
    yield from found.notes
    yield from tell_turn(found.turn)
    if cuts:
        times = ", ".join(f"{cut:.1f} s" for cut in cuts[:5]) + (" ..." if len(cuts) > 5 else "")
        yield f"The scene changes at {times}. The face is followed best within one scene."
    if found.damaged:
        yield "The file is damaged; only what can be decoded is used."
    if found.late and found.times[-1] + found.spacing < part[1]:
        yield (
            f"Only the first {found.times[-1]:.0f} s were looked through: it took too long on this machine. "
            "What comes later may hold other faces or none."
        )
