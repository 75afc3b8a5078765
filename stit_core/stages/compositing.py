"""Stitched crops back into the full frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np
from PIL import Image

from stit_core.artefacts import Alignment, Clip, Stitched, check_clip, position_of
from stit_core.change.detail import transfer_detail, zoom_of
from stit_core.config import CompositeConfig, RunConfig
from stit_core.geometry import lay_patch, to_crop_pixels, warp_quad_to_square, warp_square_to_frame
from stit_core.marks import Mark, add_mark
from stit_core.runtime import Runtime, made_ahead

STAGE = "composite"


def composite(
    clip: Clip,
    people: Mapping[int, tuple[Alignment, Stitched]],
    paste: Callable[[int, np.ndarray, Mapping[int, np.ndarray]], np.ndarray],
    mark: Mark | None,
    runtime: Runtime,
) -> Iterator[np.ndarray]:
    """Every frame of the clip in order, with the edited faces that there are in it.

    Parameters
    ----------
    clip: the clip, or a part of it.
    people: crops and edited faces of everyone who is edited, by number; who lacks a face in a frame is left as is.
    paste: (frame's number, frame, faces as `Stitched` has them, by number) -> frame with those faces, a new array.
    mark: laid over every frame; None for none.
    runtime: progress and stop, one step a frame.

    Yields
    ------
    (H, W, 3) uint8; a frame without a face equals the source to the bit, but for the mark where that is wanted.

    Raises
    ------
    ArtefactMismatchError: artefacts that do not belong together.
    Cancelled: the run was stopped.
    """
    for alignment, stitched in people.values():
        check_clip(alignment, clip)
        check_clip(stitched, clip)
        for frame in stitched.frame_indices:
            position_of(alignment.frame_indices, frame)
    made = {number: stitched for number, (_, stitched) in people.items()}
    pictures = _composite(clip, made, paste, runtime)
    return pictures if mark is None else (add_mark(picture, mark) for picture in pictures)


def _composite(
    clip: Clip,
    made: Mapping[int, Stitched],
    paste: Callable[[int, np.ndarray, Mapping[int, np.ndarray]], np.ndarray],
    runtime: Runtime,
) -> Iterator[np.ndarray]:
    held = {number: set(stitched.frame_indices) for number, stitched in made.items()}

    def read(frame: int) -> tuple[int, np.ndarray, dict[int, np.ndarray]]:
        faces = {number: stitched.crops.read(frame) for number, stitched in made.items() if frame in held[number]}
        return frame, clip.frames.read(frame), faces

    with made_ahead(read, clip.frames.indices) as ahead:
        for done, (frame, picture, faces) in enumerate(ahead, start=1):
            pasted = paste(frame, picture, faces) if faces else picture
            runtime.step(STAGE, done, len(clip.frames))
            yield pasted


def feather_radius(config: CompositeConfig, outer_dilation: float, size: int) -> int:
    """Feathering in pixels of a crop of `size`: what `config` says, else half of the outer dilation, as in STIT."""
    return to_crop_pixels(outer_dilation / 2 if config.feather is None else config.feather, size)


def paste_face(
    frame: np.ndarray,
    face: np.ndarray,
    quad: np.ndarray,
    config: RunConfig,
    mask: Callable[[], np.ndarray],
    pivot: Callable[[], np.ndarray],
) -> np.ndarray:
    """A frame with the finished face that was made for it, in the way that its method asks for.

    Parameters
    ----------
    frame: (H, W, 3) uint8.
    face: as `Stitched.crops` has it: a crop (S, S, 3), or with the method "transfer" a patch of the frame.
    quad: (4, 2), frame pixels.
    config: method, the stitching's target, feathering.
    mask: gives the full mask (S, S) uint8 of this frame; asked for crops only.
    pivot: gives the tuned pivot (S, S, 3) uint8 of this frame; asked where the stitching's target is the pivot.

    Returns
    -------
    (H, W, 3) uint8, a new array.
    """
    if config.method == "transfer":
        return lay_patch(frame, face, quad)
    radius = feather_radius(config.compositing, config.masks.outer_dilation, face.shape[0])
    if config.stitching.target == "pivot":
        return paste_with_detail(frame, face, quad, mask(), radius, pivot())
    return paste(frame, face, quad, mask(), radius)


def seen_crop(
    clip: Clip, alignment: Alignment, frame: int, face: np.ndarray, config: RunConfig, pivot: Callable[[], np.ndarray]
) -> np.ndarray:
    """The aligned crop (S, S, 3) uint8 of what `paste_face` shows of a face, before it is warped and feathered."""
    if config.method == "transfer":
        quad = alignment.quad(frame)
        return warp_quad_to_square(lay_patch(clip.frames.read(frame), face, quad), quad, alignment.size)
    if config.stitching.target == "pivot":
        return transfer_detail(face, pivot(), alignment.crops.read(frame))
    return face


def paste_with_detail(
    frame: np.ndarray, crop: np.ndarray, quad: np.ndarray, mask: np.ndarray, feather_radius: int, pivot: np.ndarray
) -> np.ndarray:
    """Lay an edited crop over its quad, with the source's own detail and at the frame's own resolution.

    Parameters
    ----------
    frame, crop, quad, mask, feather_radius: as in `paste`; the crop meets the pivot along the mask's border.
    pivot: (S, S, 3) uint8, the tuned pivot of this frame.

    Returns
    -------
    (H, W, 3) uint8, a new array; equal to `frame` to the bit where the mask is 0.
    """
    fine = crop.shape[0] * zoom_of(quad, crop.shape[0])
    detailed = transfer_detail(crop, pivot, warp_quad_to_square(frame, quad, fine))
    # Feathered at the crop's size, so that the seam is as wide as without detail.
    alpha = Image.fromarray(feather_mask(mask, feather_radius)).resize((fine, fine), Image.Resampling.BILINEAR)
    return paste(frame, detailed, quad, np.asarray(alpha))


def paste(
    frame: np.ndarray, crop: np.ndarray, quad: np.ndarray, mask: np.ndarray | None = None, feather_radius: int = 0
) -> np.ndarray:
    """Lay a crop over its quad in a frame.

    Parameters
    ----------
    frame: (H, W, 3) uint8.
    crop: (S, S, 3) uint8.
    quad: (4, 2), frame pixels.
    mask: (S, S) uint8, 0 leaves the frame and 255 takes the crop; None takes all of the crop.
    feather_radius: pixels of the crop by which the mask is drawn in and blurred; 0 leaves it hard.

    Returns
    -------
    (H, W, 3) uint8, a new array; equal to `frame` to the bit where the mask is 0.

    Raises
    ------
    ValueError: shapes that do not fit, or a degenerate quad.

    Source: STIT's released method (inverse perspective, bilinear, alpha = full mask).
    """
    if crop.ndim != 3 or crop.shape[0] != crop.shape[1] or (mask is not None and mask.shape != crop.shape[:2]):
        shape = None if mask is None else mask.shape
        raise ValueError(f"The crop must be (S, S, 3) and its mask (S, S), not {crop.shape} and {shape}.")
    alpha = np.full(crop.shape[:2], 255, dtype=np.uint8) if mask is None else feather_mask(mask, feather_radius)
    square = np.concatenate([crop, alpha[..., None]], axis=-1)  # (S, S, 4)
    height, width = frame.shape[:2]
    patch, (left, top) = warp_square_to_frame(square, quad, width, height)
    result = frame.copy()
    if patch.size == 0:
        return result
    part = result[top : top + patch.shape[0], left : left + patch.shape[1]]
    below = Image.fromarray(part).convert("RGBA")
    below.alpha_composite(Image.fromarray(patch))
    part[...] = np.asarray(below)[..., :3]
    return result


def feather_mask(mask: np.ndarray, radius: int) -> np.ndarray:
    """Draw a mask in by `radius` pixels and blur it by as much, so that it still ends where it ended.

    Parameters
    ----------
    mask: (S, S) uint8; outside the crop it counts as 0.
    radius: pixels of the crop, of the erosion's square and of the Gaussian's kernel.

    Returns
    -------
    (S, S) uint8; `mask` itself for radius 0.
    """
    if radius == 0:
        return mask
    side = 2 * radius + 1
    eroded = cv2.erode(mask, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    # The deviation that OpenCV takes by itself for a kernel of that size, as STIT has it.
    return cv2.GaussianBlur(eroded, (side, side), 0.3 * (radius - 1) + 0.8)
