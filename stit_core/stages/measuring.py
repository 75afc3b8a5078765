"""Figures of a finished edit: how near the tuned generator came, the seam, identity over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, Identities, Masks, Measured, Stitched, Tuned, check_same_frames
from stit_core.images import to_model
from stit_core.metrics import identity_cosine, seam_error, temporal_identity
from stit_core.models.interfaces import Identity
from stit_core.runtime import Runtime, made_ahead

EMBED_BATCH = 4  # crops embedded at once; a stop waits for them, and dlib takes a tenth of a second for each
MOST_FRAMES = 16  # whose identity is measured; of more, so many in neighbouring pairs spread over the clip


def measured_positions(count: int) -> tuple[int, ...]:
    """Which of `count` frames' identity is measured: all, or MOST_FRAMES in pairs of neighbours."""
    if count <= MOST_FRAMES:
        return tuple(range(count))
    starts = np.linspace(0, count - 2, MOST_FRAMES // 2).round().astype(int).tolist()
    return tuple(sorted({position for start in starts for position in (start, start + 1)}))


def identify(alignment: Alignment, identity: Identity, runtime: Runtime) -> Identities:
    """Embed the source's crops. Source: STIT, section 5.2, in a sample of the frames."""
    frames = alignment.frame_indices
    positions = measured_positions(len(frames))
    found = _embed([frames[p] for p in positions], alignment.crops.read, identity, runtime, "identify")
    return Identities(alignment.clip_hash, frames, positions, found)


def measure(
    alignment: Alignment,
    stitched: Stitched,
    tuned: Tuned,
    masks: Masks,
    sources: Identities,
    finished: Callable[[int, np.ndarray], np.ndarray],
    identity: Identity,
    runtime: Runtime,
) -> Measured:
    """Measure a finished edit.

    Parameters
    ----------
    alignment, stitched, tuned, masks, sources: of the same T frames.
    finished: takes a frame and its stitched face, gives the aligned crop as it will be seen, (S, S, 3) uint8.
    identity: on the runtime's device.
    runtime: device, progress and stop, one step a frame.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames.
    """
    check_same_frames(alignment, stitched, tuned, masks, sources)
    frames = alignment.frame_indices
    chosen = {frames[position] for position in sources.positions}
    seams: list[float] = []

    def look(frame: int) -> tuple[np.ndarray, float]:
        crop = finished(frame, stitched.crops.read(frame))
        return crop, seam_error(alignment.crops.read(frame), crop, masks.full(frame))

    crops = {}
    with made_ahead(look, frames) as looked:
        for done, (frame, (crop, seam)) in enumerate(zip(frames, looked, strict=True)):
            seams.append(seam)
            if frame in chosen:
                crops[frame] = crop
            runtime.step("measure", done, len(frames) + len(chosen))
    edited = _embed(sorted(chosen), crops.__getitem__, identity, runtime, "measure", len(frames))
    cosine = identity_cosine(sources.embeddings, edited)
    tl_id, tg_id = temporal_identity(sources.embeddings, edited, sources.positions)
    return Measured(
        psnr=tuned.psnr,
        lpips=tuned.lpips,
        border_loss=float(np.mean(stitched.border_loss)),
        id_cosine=float(cosine.mean()),
        tl_id=tl_id,
        tg_id=tg_id,
        frame_indices=frames,
        identity=np.interp(np.arange(len(frames)), sources.positions, cosine.numpy()),
        seam=np.array(seams),
    )


def _embed(
    frames: Sequence[int],
    crop_of: Callable[[int], np.ndarray],
    identity: Identity,
    runtime: Runtime,
    stage: str,
    done: int = 0,
) -> Tensor:
    """Embeddings (N, D) on the CPU of the crops of some frames; `done` steps of the stage went before."""
    found = []
    for start in range(0, len(frames), EMBED_BATCH):
        batch = frames[start : start + EMBED_BATCH]
        images = to_model(np.stack([crop_of(frame) for frame in batch]))
        with torch.inference_mode():
            found.append(identity.embed(images.to(runtime.device)).float().cpu())
        runtime.step(stage, done + start + len(batch), done + len(frames))
    return torch.cat(found)
