"""The video of a run that was stopped: the clip up to the last frame that is stitched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from stit_core.artefacts import Clip
from stit_core.config import VideoConfig
from stit_core.media import video
from stit_core.media.sources import check_source
from stit_core.pipeline import Pipeline
from stit_core.previews import stitched_so_far
from stit_core.provenance import UNKNOWN, Provenance, edit_text, label_video

STOPPED = "stopped half-way"


def write_part(pipeline: Pipeline, clip: Clip, output: Path, provenance: Provenance = UNKNOWN) -> video.Written | None:
    """Write the clip up to the last frame that is stitched so far; None where there is none. Raises VideoError."""
    stitched = stitched_so_far(pipeline, clip)
    if stitched is None:
        return None
    check_source(clip.source, pipeline.run_of(clip))
    crops, frames = pipeline.align(clip), stitched.frame_indices
    crops = dataclasses.replace(crops, frame_indices=frames, quads=crops.quads[: len(frames)])
    part, config = clip_up_to(clip, frames[-1], pipeline.config.video)
    record, edit = pipeline.describe(clip, provenance.consent), f"{edit_text(pipeline.config)}, {STOPPED}"
    label = label_video(record, edit, provenance.signer, partial=True, written_frames=len(part.frames))
    pictures = pipeline.composited(part, crops, stitched)
    return video.write_video(pictures, part, output, config, pipeline.runtime, label)


def clip_up_to(clip: Clip, frame: int, config: VideoConfig) -> tuple[Clip, VideoConfig]:
    """The clip up to a frame, and how its video is written: soon, for somebody waits."""
    count = clip.frames.indices.index(frame) + 1
    seconds = clip.timestamps[count] if count < len(clip.frames) else clip.seconds
    kept = dataclasses.replace(clip.frames, indices=clip.frames.indices[:count])
    part = dataclasses.replace(clip, frames=kept, timestamps=clip.timestamps[:count])
    return part, dataclasses.replace(config, end=float(clip.start + seconds), speed="veryfast")
