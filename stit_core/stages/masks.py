"""Face parsing to the three masks of stitching: what to keep of the edit, where to meet the source, what to paste."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import label, maximum_filter
from torch import Tensor

from stit_core.artefacts import Alignment, FaceRegions, FrameFolder, Masks
from stit_core.config import MaskConfig
from stit_core.errors import FaceError
from stit_core.geometry import to_crop_pixels
from stit_core.images import to_model
from stit_core.models.interfaces import Parser
from stit_core.runtime import Runtime

STAGE = "masks"
BATCH_SIZE = 4  # frames a call of the parser; a stop waits for one call


def make_masks(
    alignment: Alignment,
    config: MaskConfig,
    parser: Parser,
    runtime: Runtime,
    folder: Path,
    known: Callable[[int], np.ndarray] | None = None,
) -> Masks:
    """Parse every crop and make its content, border and full mask.

    Every frame is written when it is finished: a run that was stopped goes on from there.

    Parameters
    ----------
    alignment: the crops.
    config: background classes and dilations.
    parser: on the runtime's device.
    runtime: device, progress and stop, one step a frame.
    folder: where the masks go, one PNG a frame with the three masks as its channels; private to this result.
    known: gives the parser's classes (S, S) uint8 of a frame's crop, where they have been read before.

    Returns
    -------
    Masks at the crops' size.

    Raises
    ------
    FaceError: the parser finds no face in a frame.
    StoreError: the folder cannot be written.
    Cancelled: the run was stopped; masks written so far are whole.

    Source: STIT, section 4.4; the choice of the face's component is ours.
    """
    frames, size = alignment.frame_indices, alignment.size
    outer, inner = to_crop_pixels(config.outer_dilation, size), to_crop_pixels(config.inner_dilation, size)
    pictures = FrameFolder(folder, frames)
    finished = next((k for k, frame in enumerate(frames) if not pictures.file(frame).is_file()), len(frames))
    voting = bisect_left(frames, frames[min(finished, len(frames) - 1)] - config.smoothing)

    def in_front(batch: tuple[int, ...]) -> np.ndarray:
        if known is not None:
            return np.isin(np.stack([known(frame) for frame in batch]), config.background, invert=True).astype(np.uint8)
        crops = np.stack([alignment.crops.read(frame) for frame in batch])
        return foreground(crops, config.background, parser, runtime)

    def faces() -> Iterator[tuple[int, np.ndarray]]:
        for start in range(voting // BATCH_SIZE * BATCH_SIZE, len(frames), BATCH_SIZE):
            batch = frames[start : start + BATCH_SIZE]
            for frame, mask in zip(batch, in_front(batch), strict=True):
                face = keep_face(mask, outer)
                if not face.any():
                    raise FaceError(
                        f"The face parser finds no face in frame {frame}.",
                        "Trim that frame away, or check in the aligned crops that the right face was chosen.",
                    )
                yield frame, face

    missing = set(frames[finished:])
    for frame, face in steady(faces(), config.smoothing) if missing else ():
        if frame not in missing:
            continue
        regions = mask_regions(face, outer, inner, outer, config.whole_image_border)
        pictures.write(frame, np.stack(regions, axis=-1) * np.uint8(255))
        missing.discard(frame)
        runtime.step(STAGE, len(frames) - len(missing), len(frames))
        if missing:
            runtime.kept(STAGE)
    return Masks(alignment.clip_hash, frames, pictures, size)


def full_masks(crops: np.ndarray, config: MaskConfig, parser: Parser, runtime: Runtime) -> np.ndarray:
    """The full masks (B, S, S) uint8, 0 or 255, of single crops (B, S, S, 3) uint8, not steadied over time."""
    outer, inner = (to_crop_pixels(d, crops.shape[1]) for d in (config.outer_dilation, config.inner_dilation))
    faces = (keep_face(mask, outer) for mask in foreground(crops, config.background, parser, runtime))
    return np.stack([mask_regions(face, outer, inner, outer).full * np.uint8(255) for face in faces])


@torch.inference_mode()
def foreground(crops: np.ndarray, background: tuple[int, ...], parser: Parser, runtime: Runtime) -> np.ndarray:
    """Where the parser sees anything but `background`: (B, S, S, 3) uint8 -> (B, S, S) uint8, 0 or 1."""
    logits = parser.parse(to_model(crops).to(runtime.device))  # in float32: masks do not depend on the run's precision
    behind_classes = torch.tensor(background, device=logits.device)
    masks = []
    for one in logits.split(1):  # 80 MB each at 1024 px
        if one.shape[-2:] != crops.shape[1:3]:
            one = F.interpolate(one, size=crops.shape[1:3], mode="bilinear", align_corners=False)
        masks.append(~torch.isin(one.argmax(dim=1), behind_classes))
    return torch.cat(masks).to(torch.uint8).cpu().numpy()  # (B, S, S)


def steady(masks: Iterable[tuple[int, np.ndarray]], reach: int) -> Iterator[tuple[int, np.ndarray]]:
    """Replace each mask by what most of the masks around it say, so that loose hair does not flicker in and out.

    Parameters
    ----------
    masks: (frame, (H, W) uint8 0 or 1), frames ascending.
    reach: frames before and after that have a say; a tie leaves the frame's own pixel. 0 changes nothing.

    Yields
    ------
    (frame, (H, W) uint8), in order; at most 2 reach + 1 masks are held at a time.

    Source: ours, a temporal median.
    """
    held: deque[tuple[int, np.ndarray]] = deque()

    def voted(frame: int, own: np.ndarray) -> np.ndarray:
        near = [mask for other, mask in held if abs(other - frame) <= reach]
        votes = 2 * np.sum(near, axis=0, dtype=np.int32)
        return np.where(votes == len(near), own, votes > len(near)).astype(np.uint8)

    due: deque[tuple[int, np.ndarray]] = deque()
    for frame, mask in masks:
        while due and due[0][0] < frame - reach:
            ready = due.popleft()
            yield ready[0], voted(*ready)
        held.append((frame, mask))
        due.append((frame, mask))
        while held[0][0] < due[0][0] - reach:
            held.popleft()
    for ready in due:
        yield ready[0], voted(*ready)


def keep_face(mask: np.ndarray, reach: int) -> np.ndarray:
    """Drop the specks that a parser finds in the background, which stitching would take for content.

    Parameters
    ----------
    mask: (H, W) uint8, 0 or 1.
    reach: pixels; components this near to the largest one belong to the face (an ear behind glasses, say).

    Returns
    -------
    (H, W) uint8: the largest connected component and those in reach of it.
    """
    labels, count = label(mask, structure=np.ones((3, 3)))
    if count <= 1:
        return mask.copy()
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    near = _dilate((labels == largest).astype(np.uint8), reach)
    kept = np.zeros(count + 1, dtype=np.uint8)
    kept[np.unique(labels[near > 0])] = 1
    kept[0] = 0
    return kept[labels]


def mask_regions(
    mask: np.ndarray | Tensor,
    border_pixels: int,
    inner_dilation: int = 0,
    outer_dilation: int = 0,
    whole_image_border: bool = False,
) -> FaceRegions:
    """Content, border and full mask of a face.

    The full mask is the face dilated by inner + outer; the border is what that adds to the face dilated by inner, or
    all of the crop outside that with `whole_image_border`. A face cut off by the crop's edge meets the source there
    too, so the full mask within `border_pixels` of the edge is border; the content is the face less the border.

    Parameters
    ----------
    mask: (H, W), 0 or 1.
    border_pixels: width of the strip along the crop's edge.
    inner_dilation, outer_dilation: pixels d; dilation is by a (2d + 1) square.
    whole_image_border: the border reaches to the edge of the crop.

    Returns
    -------
    Content, border, full: (H, W) uint8, 0 or 1. With an inner dilation a ring is neither content nor border.

    Raises
    ------
    ValueError: another shape.

    Source: STIT, section 4.4.
    """
    face = np.asarray(mask.cpu() if isinstance(mask, Tensor) else mask)
    if face.ndim != 2:
        raise ValueError(f"A mask must be (H, W), not {face.shape}.")
    face = (face > 0.5).astype(np.uint8)
    inner = _dilate(face, inner_dilation)
    full = _dilate(inner, outer_dilation)
    border = (1 - inner) if whole_image_border else full - inner
    strip = np.ones_like(face)
    strip[border_pixels : face.shape[0] - border_pixels, border_pixels : face.shape[1] - border_pixels] = 0
    border = border | (strip & full)
    return FaceRegions(face & (1 - border), border, full)


def _dilate(mask: np.ndarray, pixels: int) -> np.ndarray:
    """(2d + 1)-square dilation of an (H, W) uint8 mask; the outside counts as empty."""
    return maximum_filter(mask, 2 * pixels + 1, mode="constant", cval=0)
