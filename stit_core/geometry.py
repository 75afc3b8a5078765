"""Pure geometry of the alignment: landmarks to quads, quads to warps.

A quad is (4, 2), x, y in source pixels, in the order top-left, bottom-left, bottom-right, top-right; pixel (0, 0) has
its centre at (0, 0) in a quad and at (0.5, 0.5) in a warp, hence `quad + 0.5` wherever the two meet.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter1d

BELOW = 0.5  # of a quad's height, by which an edit may reach below it: a neck has the tone of its face
EYE_WIDTHS = 2.0  # half side of the quad in distances between the eyes
MOUTH_HEIGHTS = 1.8  # half side of the quad in distances from the eyes to the mouth
CENTER_DROP = 0.1  # of the way from the eyes to the mouth
STIT_CROP = 1024  # pixels, side of the crop that STIT counts dilations and feathering in
PLAIN_RATIO = 2.0  # crop pixels to a frame's pixel up to which the warp back is plainly bilinear, as in STIT
WARP_OFFSET = 0.5  # pixels from a quad's coordinates to a warp's


def to_crop_pixels(pixels: float, size: int) -> int:
    """STIT's lengths, counted at a 1024 px crop, in whole pixels of a crop of `size`; at least 1 where not 0.

    Rounds down, as STIT does when it halves them for its parser's 512 px.
    """
    return max(1, int(pixels * size / STIT_CROP)) if pixels > 0 else 0


def quad_axes(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and half axes of the square that frames each face.

    Parameters
    ----------
    landmarks: (T, 68, 2), x, y in source pixels, in the order of 300-W.

    Returns
    -------
    center, x, y: (T, 2) float64 each, in source pixels; x points to the right of the face, y down. The axes are NaN
        where the eyes and the mouth fall on one point.

    Raises
    ------
    ValueError: another shape.

    Source: FFHQ's alignment (Karras et al. 2019, appendix A) as STIT uses it.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (68, 2):
        raise ValueError(f"Landmarks must be (T, 68, 2), not {points.shape}.")
    left_eye, right_eye = points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)
    eye_middle = (left_eye + right_eye) / 2
    eye_to_eye = right_eye - left_eye
    eye_to_mouth = (points[:, 48] + points[:, 54]) / 2 - eye_middle
    x = eye_to_eye - _quarter_turn(eye_to_mouth)
    length = np.hypot(x[:, 0], x[:, 1])
    reach = np.maximum(
        np.hypot(eye_to_eye[:, 0], eye_to_eye[:, 1]) * EYE_WIDTHS,
        np.hypot(eye_to_mouth[:, 0], eye_to_mouth[:, 1]) * MOUTH_HEIGHTS,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x / length[:, None] * reach[:, None]
    return eye_middle + CENTER_DROP * eye_to_mouth, x, _quarter_turn(x)


def _quarter_turn(vectors: np.ndarray) -> np.ndarray:
    return vectors[:, ::-1] * [-1.0, 1.0]


def smooth_quads(center: np.ndarray, x: np.ndarray, y: np.ndarray, center_sigma: float, xy_sigma: float) -> np.ndarray:
    """Quads of one unbroken stretch of frames, smoothed over time.

    Parameters
    ----------
    center, x, y: (T, 2), from `quad_axes`.
    center_sigma, xy_sigma: frames, of the Gaussian over the centre and over the axes; 0 leaves them as they are.

    Returns
    -------
    (T, 4, 2) float64, source pixels.

    Source: STIT, section 4.1; Gaussian cut at four sigmas, the ends reflected.
    """
    center, x, y = _smooth(center, center_sigma), _smooth(x, xy_sigma), _smooth(y, xy_sigma)
    return np.stack([center - x - y, center - x + y, center + x + y, center + x - y], axis=1)  # (T, 4, 2)


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter1d(values, sigma, axis=0, mode="reflect", truncate=4.0) if sigma > 0 else values


def perspective_coefficients(source_points: np.ndarray, target_points: np.ndarray) -> np.ndarray:
    """The eight numbers of the perspective map target -> source, as Pillow's PERSPECTIVE transform takes them.

    cv2.getPerspectiveTransform solves the same equations, but takes points in float32 only, which changes pixels of
    every crop.

    Parameters
    ----------
    source_points, target_points: (4, 2), x, y, corresponding corners in warp coordinates.

    Returns
    -------
    (8,) float64 a ... h: target (u, v) comes from source (au + bv + c, du + ev + f) / (gu + hv + 1).

    Raises
    ------
    ValueError: three of the corners lie on one line.
    """
    rows = np.zeros((8, 8))
    for i, ((x, y), (u, v)) in enumerate(zip(source_points, target_points, strict=True)):
        rows[2 * i] = [u, v, 1, 0, 0, 0, -x * u, -x * v]
        rows[2 * i + 1] = [0, 0, 0, u, v, 1, -y * u, -y * v]
    try:
        return np.linalg.solve(rows, np.asarray(source_points, dtype=np.float64).reshape(8))
    except np.linalg.LinAlgError as error:
        raise ValueError("No perspective map: three corners lie on one line.") from error


def warp_quad_to_square(picture: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """Cut the quad out of a picture.

    The source is first shrunk by a whole number (Lanczos) where the quad's diagonal is at least four times `size`. What
    lies outside the picture is black.

    Parameters
    ----------
    picture: (H, W, 3) uint8.
    quad: (4, 2), source pixels.
    size: side of the result in pixels.

    Returns
    -------
    (size, size, 3) uint8.

    Source: FFHQ's alignment as STIT uses it.
    """
    image = Image.fromarray(picture)
    shrink = int(np.hypot(*(quad[3] - quad[1])) / size * 0.5)
    if shrink > 1:
        smaller = max(1, round(image.width / shrink)), max(1, round(image.height / shrink))
        image = image.resize(smaller, Image.Resampling.LANCZOS)
        quad = quad / shrink
    corners = tuple((quad + WARP_OFFSET).reshape(8).tolist())
    return np.asarray(image.transform((size, size), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR))


def quad_bounds(quad: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the whole pixels of a frame that a quad (4, 2) touches; the last two exclusive."""
    left, top = np.clip(np.floor(quad.min(axis=0)).astype(int) - 1, 0, [width, height]).tolist()
    right, bottom = np.clip(np.ceil(quad.max(axis=0)).astype(int) + 2, 0, [width, height]).tolist()
    return left, top, right, bottom


def patch_bounds(quad: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """The same of the part of a frame that an edit of the face along a quad may change: it reaches down the neck."""
    lower = quad[1:3] + BELOW * (quad[1:3] - quad[[0, 3]])
    return quad_bounds(np.concatenate([quad, lower]), width, height)


def frame_to_crop(quad: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The affine map from a frame's pixels to those of the crop cut along a quad, which is a parallelogram.

    Returns
    -------
    matrix (2, 2), shift (2,): crop = matrix @ frame + shift, x, y, both counted at pixels' centres.
    """
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]], axis=1) / size  # crop pixels -> frame pixels
    matrix = np.linalg.inv(axes)
    # The centre of crop pixel (0, 0) lies half a crop pixel inside the corner quad + 0.5, in a frame whose own pixels'
    # centres lie at + 0.5.
    return matrix, -matrix @ quad[0] - 0.5


def warp_square_to_frame(
    square: np.ndarray, quad: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """Lay a square crop back over its quad, the inverse of `warp_quad_to_square`.

    Only the part of the frame that the quad covers is computed. A crop over twice as wide as its quad is blurred first,
    as a plain bilinear warp would drop pixels and shimmer; the blur grows with the ratio from none, as the sharpness of
    a face that comes nearer would else change from one frame to the next.

    Parameters
    ----------
    square: (S, S, 4) uint8 RGBA.
    quad: (4, 2), frame pixels.
    width, height: of the frame in pixels.

    Returns
    -------
    patch: (h, w, 4) uint8 RGBA, alpha 0 outside the quad; (0, 0, 4) where the quad misses the frame.
    corner: x, y of the patch's top left pixel in the frame.

    Raises
    ------
    ValueError: a degenerate quad.
    """
    size = square.shape[0]
    left, top, right, bottom = quad_bounds(quad, width, height)
    patch_size = right - left, bottom - top
    if min(patch_size) <= 0:
        return np.zeros((0, 0, 4), dtype=np.uint8), (left, top)
    image = Image.fromarray(square)
    ratio = size / max(1.0, float(np.hypot(*(quad[3] - quad[0]))))
    if ratio > PLAIN_RATIO:
        image = image.filter(ImageFilter.BoxBlur(min(ratio - PLAIN_RATIO, (ratio - 1) / 2)))
    corners = np.array([[0, 0], [0, size], [size, size], [size, 0]], dtype=np.float64)
    coefficients = perspective_coefficients(corners, quad + WARP_OFFSET - [left, top])
    data = tuple(coefficients.tolist())
    warped = image.transform(patch_size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)
    return np.asarray(warped), (left, top)


def lay_patch(frame: np.ndarray, patch: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """A copy of a frame (H, W, 3) uint8 with the patch of the face along `quad` laid over it."""
    left, top, right, bottom = patch_bounds(quad, frame.shape[1], frame.shape[0])
    if right <= left or bottom <= top:
        return frame.copy()
    if patch.shape != (bottom - top, right - left, 3):
        raise ValueError(f"The patch {patch.shape} does not fit its place {(bottom - top, right - left, 3)}.")
    result = frame.copy()
    result[top:bottom, left:right] = patch
    return result
