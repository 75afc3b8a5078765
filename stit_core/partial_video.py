"""The video of a run that was stopped: the clip up to the last frame that is stitched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from stit_core.artefacts import Clip
from stit_core.media import video
from stit_core.media.sources import check_source
from stit_core.pipeline import Pipeline
from stit_core.previews import stitched_so_far
from stit_core.provenance import UNKNOWN, Provenance, edit_text, label_video


def write_part(pipeline: Pipeline, clip: Clip, output: Path, provenance: Provenance = UNKNOWN) -> video.Written | None:
    """Write the clip up to the last frame that is stitched so far; None where there is none. Raises VideoError."""
    stitched = stitched_so_far(pipeline, clip)
    if stitched is None:
        return None
    check_source(clip.source, pipeline.run_of(clip))
    crops, frames = pipeline.align(clip), stitched.frame_indices
    count = clip.frames.indices.index(frames[-1]) + 1
    crops = dataclasses.replace(crops, frame_indices=frames, quads=crops.quads[: len(frames)])
    seconds = clip.timestamps[count] if count < len(clip.frames) else clip.seconds
    kept = dataclasses.replace(clip.frames, indices=clip.frames.indices[:count])
    part = dataclasses.replace(clip, frames=kept, timestamps=clip.timestamps[:count])
    config = dataclasses.replace(pipeline.config.video, end=float(clip.start + seconds), speed="veryfast")
    record, edit = pipeline.describe(clip, provenance.consent), f"{edit_text(pipeline.config)}, stopped half-way"
    label = label_video(record, edit, provenance.signer, partial=True, written_frames=count)
    pictures = pipeline.composited(part, crops, stitched)
    return video.write_video(pictures, part, output, config, pipeline.runtime, label)
