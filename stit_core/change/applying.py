"""A change laid over a frame at the frame's own resolution."""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.carrying import carry, settle, unfold
from stit_core.change.drawn import OFFSET
from stit_core.change.folds import change_folds
from stit_core.change.matte import EDGE_WIDTH
from stit_core.change.neck import skin_below
from stit_core.change.opening import Opening
from stit_core.change.placing import Weights
from stit_core.change.reading import Change
from stit_core.change.tint import RELIEF, below_sheen, strength
from stit_core.geometry import frame_to_crop, patch_bounds, quad_bounds
from stit_core.warps import mean_of_channels, warp

LARGEST_RELIEF = 0.1  # of the light around, that counts so: what stands out further is a hair
RELIEF_POWER = 0.1  # of the ratio by which light is shaded: the one for relief
SHOULDER = np.float32(190)  # grey levels, from where on film bends what is brighter towards white
ROOM = np.float32(255) - SHOULDER  # grey levels that it has for all of that
LARGEST_BEND = np.float32(0.97)  # of that room: beyond, nothing is known of how bright it was
SMALLEST_SHADE = 0.01  # logarithm of a ratio, under which nothing is bent
LOWER = 0.82, 0.95  # of the crop's side from its top: between them a shade fades, or is that of the neck below
LEAST_MOTION = 0.5  # pixels of the frame, of which half is left
FREE, STRETCHED = 0.35, 0.6  # of the way to the frame's edge: up to where motion is as it is, and where all ends
SMALLEST_WAY = 1 / 64  # pixels: OpenCV's steps are of 1/32, so that a shorter way is none
FOCUS_BLURS = 0.7, 1.4  # pixels, deviations of two Gaussians by which it is told how sharp a picture is
DIFFERENCE = 1 / 3  # square pixels, variance of the box that a difference across two pixels is
FEATURE = 0.14  # of the crop's side, width of the window by which gaps in the skin count as eyes and mouth
EDGES = 99.5  # percentile of the slopes in a face that are its edges
SHARPEST, SOFTEST = 0.3, 3.0  # pixels
GRAIN_FROM = 12.0, 20.0  # millimetres outwards and up from the corners of a mouth, where its grain is taken
GRAIN_SIDE = 12.0  # millimetres, side of a piece of skin whose grain is taken
LEAST_SKIN = 0.5  # share of skin in it, from which on it counts
GRAIN_BEYOND = 4.0  # medians of its size, beyond which it is something else


def apply_change(frame: np.ndarray, quad: np.ndarray, change: Change, weights: Weights) -> np.ndarray:
    """Give a change to the source's own pixels.

    Parameters
    ----------
    frame: (H, W, 3) uint8.
    quad: (4, 2), frame pixels.
    change, weights: over the crop of that quad, (S, S).

    Returns
    -------
    (h, w, 3) uint8: the part of the frame that geometry.patch_bounds names, changed; equal to it where all weights
    are 0, empty where it misses the frame.
    """
    height, width = frame.shape[:2]
    left, top, right, bottom = whole = patch_bounds(quad, width, height)
    if right <= left or bottom <= top:
        return np.zeros((0, 0, 3), np.uint8)
    patch = frame[top:bottom, left:right].copy()
    # Below the crop there is nothing to change but the tone of the skin.
    inner = whole if weights.tint is not None else quad_bounds(quad, width, height)
    if inner[2] > inner[0] and inner[3] > inner[1]:
        made = _changed(frame, inner, frame_to_crop(quad, change.novelty.shape[0]), change, weights)
        patch[inner[1] - top : inner[3] - top, inner[0] - left : inner[2] - left] = made
    return patch


def _changed(
    frame: np.ndarray,
    bounds: tuple[int, int, int, int],
    to_crop: tuple[np.ndarray, np.ndarray],
    change: Change,
    weights: Weights,
) -> np.ndarray:
    """The part (h, w, 3) uint8 of a frame within bounds, changed; `to_crop` as geometry.frame_to_crop has it."""
    (left, top, right, bottom), (matrix, shift), size = bounds, to_crop, change.novelty.shape[0]
    rows, columns = np.indices((bottom - top, right - left), dtype=np.float32)
    columns, rows = columns + np.float32(left), rows + np.float32(top)
    x = np.float32(matrix[0, 0]) * columns + np.float32(matrix[0, 1]) * rows + np.float32(shift[0])
    y = np.float32(matrix[1, 0]) * columns + np.float32(matrix[1, 1]) * rows + np.float32(shift[1])

    def over_frame(values: np.ndarray, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
        return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=border)

    zoom = 1 / np.sqrt(abs(np.linalg.det(matrix)))  # pixels of the frame in one of the crop
    carried = settle(carry(change.motion, weights.motion, weights.still), LEAST_MOTION / zoom)
    # Lips that part tear what lies between them, where a mouth is drawn.
    drawn = [change.novelty, change.hidden] + ([] if change.mouth is None else [change.mouth.inside(size)])
    motion = unfold(carried, np.max(drawn, axis=0))
    # What is shaded is what has come here, so its weights come along with it.
    skin = warp(weights.skin, motion)[..., None]
    shade = skin * change.skin + (1 - skin) * change.features
    believed, slope = weights.shade, None
    if weights.tint is not None:
        strong = strength(change)
        shade = below_sheen(shade, strong, weights.tint, motion)
        believed = believed + strong * (weights.tint.share - believed)
        slope = over_frame(warp(strong[..., None] * weights.tint.slope, motion))
        darkens = np.float32(change.skin.mean() < 0)
        neck = cv2.GaussianBlur(warp(weights.tint.neck, motion), (0, 0), EDGE_WIDTH)
        shade = shade + (darkens * strong * neck)[..., None] * weights.tint.redder
        shade = shade + (darkens * strong)[..., None] * skin * warp(weights.tint.flush, motion)
        reflected = over_frame(warp(darkens * strong * weights.tint.reflected, motion))
    # A shade fades before the crop's lower edge, or goes on down the neck.
    edge = np.clip((y / size - LOWER[0]) / (LOWER[1] - LOWER[0]), 0, 1)
    believed = over_frame(warp(believed, motion)) * (1 - edge)
    if weights.tint is not None:
        below = skin_below(frame, matrix, shift, weights.tint.neck)
        believed += edge * over_frame(below) * over_frame(strong, cv2.BORDER_REPLICATE)
    novelty = change.novelty * warp(weights.fresh, motion)
    way = cv2.transform(over_frame(motion), np.linalg.inv(matrix).astype(np.float32))
    way = _kept_inside(way, columns, rows, frame.shape)
    moved = _moved(frame, columns, rows, way)
    if weights.ageing is not None:
        moved = change_folds(moved, over_frame(warp(weights.ageing, motion)), zoom)
    base = cv2.GaussianBlur(moved, (0, 0), RELIEF * zoom)
    relief = moved - base
    if slope is not None:
        believed = np.clip(believed + cv2.transform(slope * relief, np.ones((1, 3), np.float32)), 0, 1)
        believed += (1 - believed) * (1 - edge) * reflected
    shade = over_frame(shade, cv2.BORDER_REPLICATE) * believed[..., None]
    # What is shaded keeps more of its relief than of its light, as dark skin does.
    largest = np.float32(LARGEST_RELIEF) * (base + np.float32(OFFSET))
    fine = cv2.min(cv2.max(relief, -largest), largest)
    base = moved - fine
    result = (base + np.float32(OFFSET)) * np.exp(_below_white(base, shade)) - np.float32(OFFSET)
    result += fine * np.exp(shade * np.float32(RELIEF_POWER))
    share = over_frame(novelty)[..., None]
    result = result + share * (over_frame(change.fresh) - result)
    if change.mouth is not None:
        to_patch = np.linalg.inv(matrix)
        placed = np.column_stack([to_patch, -to_patch @ shift - (left, top)])
        # With eyes and mouth, whose edges are sharp.
        window = np.ones((round(FEATURE * size) | 1,) * 2, np.uint8)
        face = cv2.morphologyEx(weights.skin, cv2.MORPH_CLOSE, window)
        focus = _focus(frame[top:bottom, left:right], over_frame(face) > 0.5)
        seen = change.mouth.over(placed, right - left, bottom - top, focus)
        there = seen.rows, seen.columns

        def there_over(values: np.ndarray) -> np.ndarray:
            return cv2.remap(values, x[there], y[there], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

        if seen.place.size:
            # What is left of the source's own beside it, teeth in a corner, goes too.
            hidden, fresh, stands = (
                there_over(each) for each in (change.hidden, warp(weights.fresh, motion), change.stands)
            )
            grain = _grain_of(relief, weights.skin, change.mouth.opening, placed, seen.place.shape)
            result[there] = seen.laid_over(result, hidden, fresh, stands, grain)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _kept_inside(way: np.ndarray, columns: np.ndarray, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A way (h, w, 2) from places (h, w) of a frame of a shape that ends in it: beyond, nothing is known.

    What would come from there is made of what lies before its edge, which is stretched but stays whole.
    """
    reach = float(np.abs(way).max()) / FREE
    ends = (shape[1] - 1 - columns[0, -1], shape[0] - 1 - rows[-1, 0])
    if min(float(columns[0, 0]), float(rows[0, 0]), *map(float, ends)) >= reach:
        return way
    rooms = (columns, shape[1] - 1 - columns), (rows, shape[0] - 1 - rows)
    parts = [np.where(part < 0, *room) for part, room in zip(np.moveaxis(way, -1, 0), rooms, strict=True)]
    room = np.maximum(np.stack(parts, axis=-1), np.float32(1e-3))
    size, start, bend = np.abs(way), np.float32(FREE) * room, np.float32(STRETCHED - FREE) * room
    return np.where(size <= start, way, np.sign(way) * (start + bend * np.tanh((size - start) / bend)))


def _moved(frame: np.ndarray, columns: np.ndarray, rows: np.ndarray, way: np.ndarray) -> np.ndarray:
    """The pixels (h, w, 3) float32 that a frame has at these places (h, w) moved by a way (h, w, 2)."""
    far = np.abs(way) > SMALLEST_WAY
    far = far[..., 0] | far[..., 1]
    top, left = int(rows[0, 0]), int(columns[0, 0])
    result = frame[top : top + rows.shape[0], left : left + rows.shape[1]].astype(np.float32)
    down, across = np.flatnonzero(far.any(axis=1)), np.flatnonzero(far.any(axis=0))
    if len(down):
        box = np.s_[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
        x, y = columns[box] + way[box][..., 0], rows[box] + way[box][..., 1]
        result[box] = cv2.remap(frame, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return result


def _focus(picture: np.ndarray, face: np.ndarray) -> float:
    """Deviation of the Gaussian, in pixels, by which the sharper edges of a face are soft.

    An edge that is blurred by s has a slope of 1 / sqrt(s^2 + b^2) after a Gaussian of b, so that two of them tell s.

    Parameters
    ----------
    picture: (h, w, 3) uint8.
    face: (h, w), where it is.
    """
    if not face.any():
        return SHARPEST
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    near = (
        cv2.erode(face.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    )  # its outline may lie before something blurred
    slopes = []
    for blur in FOCUS_BLURS:
        smooth = cv2.GaussianBlur(grey, (0, 0), blur)
        steep = np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1))
        slopes.append(float(np.percentile(steep[near if near.any() else face], EDGES)))
    fine, coarse = (blur**2 + DIFFERENCE for blur in FOCUS_BLURS)
    square = (slopes[0] / max(slopes[1], 1e-3)) ** 2
    if square <= 1:
        return SOFTEST
    return float(np.clip(np.sqrt(max((coarse - fine * square) / (square - 1), 0)), SHARPEST, SOFTEST))


def _grain_of(
    relief: np.ndarray, skin: np.ndarray, opening: Opening, matrix: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """The grain of a frame over a mouth of a shape (h, w), (h, w, 3): that of pieces of both cheeks, side by side.

    They lie in the same places of the face, so that pores do not jump about.

    Parameters
    ----------
    relief: (H, W, 3), what is fine in a part of the frame.
    skin: (S, S), how much of the crop is skin.
    matrix: (2, 3), from the crop's pixels to those of that part.
    """
    zoom = float(np.hypot(*matrix[:, 0]))
    sides = [max(round(GRAIN_SIDE * opening.millimetre * scale), 1) for scale in (1, zoom)]
    found, shares = np.zeros((sides[1], sides[1], 3), np.float32), [1e-6]
    for place in opening.beside(*GRAIN_FROM):
        cheek = _piece(skin, place, sides[0])
        piece = _piece(relief, matrix[:, :2] @ place + matrix[:, 2], sides[1])
        if cheek is not None and piece is not None:
            shares.append(float(np.clip((cheek.mean() - LEAST_SKIN) / (1 - LEAST_SKIN), 0, 1)))
            found += shares[-1] * piece
    # Two pieces are not alike, so that their sum is as strong as the root of the sum of squares.
    found *= max(shares) / np.float32(np.sqrt(np.square(shares).sum()))
    deviation = np.float32(GRAIN_BEYOND * max(float(np.median(np.abs(found))), 1e-6))
    found = np.clip(found, -deviation, deviation)  # a mole is no grain
    wider = [(0, max(whole - sides[1], 0)) for whole in shape]
    return np.pad(found, (*wider, (0, 0)), mode="symmetric")[: shape[0], : shape[1]]


def _piece(picture: np.ndarray, middle: np.ndarray, side: int) -> np.ndarray | None:
    """The square of a picture around a place (2,), x and y; None where it is not all in it."""
    x, y = np.rint(middle - side / 2).astype(int)
    whole = 0 <= x <= picture.shape[1] - side and 0 <= y <= picture.shape[0] - side
    return picture[y : y + side, x : x + side] if whole else None


def _below_white(base: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """A shade (h, w, 3) that changes grey levels less the nearer they are to white.

    What gets brighter is bent towards white as on film; what gets darker was bent so before and comes from beyond it.
    """

    def bent(levels: np.ndarray) -> np.ndarray:
        over = np.maximum(levels - SHOULDER, 0)
        return levels - over + ROOM * np.tanh(over / ROOM)

    light = mean_of_channels(base) + np.float32(OFFSET)
    change = mean_of_channels(shade)
    bright = (light * np.exp(np.maximum(change, 0)) > SHOULDER) & (np.abs(change) > SMALLEST_SHADE)
    light, change = light[bright], change[bright]
    over = np.maximum(light - SHOULDER, 0)
    before = light - over + ROOM * np.arctanh(np.minimum(over / ROOM, LARGEST_BEND))
    start = np.where(change < 0, before, light)
    less = np.ones(bright.shape, np.float32)
    less[bright] = np.log(bent(start * np.exp(change)) / bent(start)) / change
    return shade * less[..., None]  # type: ignore[no-any-return]
