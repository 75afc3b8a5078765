"""The video of a run that was stopped: the clip up to the last frame that is stitched."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stit_core.artefacts import Clip, Stitched
from stit_core.config import VideoConfig
from stit_core.media import video
from stit_core.media.credentials import Signer
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.previews import stitched_so_far
from stit_core.provenance import UNKNOWN, Provenance, edit_text, label_video

STOPPED = "stopped half-way"


def write_part(pipeline: Pipeline, clip: Clip, output: Path, provenance: Provenance = UNKNOWN) -> video.Written | None:
    """Write the clip up to the last frame that is stitched so far; None where there is none. Raises VideoError."""
    stitched = stitched_so_far(pipeline, clip)
    if stitched is None:
        return None
    record, made = pipeline.describe(clip, provenance.consent), {pipeline.landmarks(clip).index: stitched}
    return write_made(Pasting(pipeline, clip), made, output, record, edit_text(pipeline.config), provenance.signer)


def write_made(
    pasting: Pasting,
    made: Mapping[int, Stitched],
    output: Path,
    record: Mapping[str, Any],
    edit: str,
    signer: Signer | None,
) -> video.Written:
    """Write the clip up to the last frame in which anybody's face is made, with what is made. Raises VideoError.

    Parameters
    ----------
    made: of each person who is begun, by number.
    record, edit, signer: as `label_video` has them.
    """
    clip, last = pasting.clip, max(stitched.frame_indices[-1] for stitched in made.values())
    part, config = clip_up_to(clip, last, pasting.pipeline.config.video)
    text, count = f"{edit}, {STOPPED}", len(part.frames)
    label = label_video(record, text, signer, partial=True, written_frames=count)
    return pasting.write(made, output, label, part, config)


def clip_up_to(clip: Clip, frame: int, config: VideoConfig) -> tuple[Clip, VideoConfig]:
    """The clip up to a frame, and how its video is written: soon, for somebody waits."""
    count = clip.frames.indices.index(frame) + 1
    seconds = clip.timestamps[count] if count < len(clip.frames) else clip.seconds
    kept = dataclasses.replace(clip.frames, indices=clip.frames.indices[:count])
    part = dataclasses.replace(clip, frames=kept, timestamps=clip.timestamps[:count])
    return part, dataclasses.replace(config, end=float(clip.start + seconds), speed="veryfast")
