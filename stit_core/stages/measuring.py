"""Figures of a finished edit: how near the tuned generator came, the seam, identity over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, Identities, Masks, Measured, Stitched, Tuned, check_same_frames
from stit_core.images import to_model
from stit_core.metrics import identity_cosine, seam_error, temporal_identity
from stit_core.models.interfaces import Identity
from stit_core.runtime import Runtime

EMBED_BATCH = 4  # crops embedded at once; a stop waits for them, and dlib takes a tenth of a second for each
MOST_FRAMES = 24  # whose identity is measured; of more, so many in neighbouring pairs spread over the clip


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
    found = []
    for start in range(0, len(positions), EMBED_BATCH):
        batch = positions[start : start + EMBED_BATCH]
        found.append(_embed([alignment.crops.read(frames[p]) for p in batch], identity, runtime))
        runtime.step("identify", start + len(batch), len(positions))
    return Identities(alignment.clip_hash, frames, positions, torch.cat(found))


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

    def look(frame: int) -> tuple[float, np.ndarray | None]:
        crop = finished(frame, stitched.crops.read(frame))
        return seam_error(alignment.crops.read(frame), crop, masks.full(frame)), crop if frame in chosen else None

    seams: list[float] = []
    found: list[Tensor] = []
    waiting: list[np.ndarray] = []
    # dlib uses one core while it embeds, and the crops to come are cut out meanwhile.
    ahead = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),))
    try:
        for done, seen in enumerate([ahead.submit(look, frame) for frame in frames], start=1):
            seam, crop = seen.result()
            seams.append(seam)
            if crop is not None:
                waiting.append(crop)
            if len(waiting) == EMBED_BATCH or (waiting and done == len(frames)):
                found.append(_embed(waiting, identity, runtime))
                waiting.clear()
            runtime.step("measure", done, len(frames))
    finally:
        ahead.shutdown(cancel_futures=True)
    edited = torch.cat(found)
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


def _embed(crops: Sequence[np.ndarray], identity: Identity, runtime: Runtime) -> Tensor:
    """Embeddings (N, D) on the CPU of N crops."""
    with torch.inference_mode():
        return identity.embed(to_model(np.stack(crops)).to(runtime.device)).float().cpu()
