"""A mouth that an edit opens, over a frame and as fine as it.

A small generator draws teeth as one white block and the rest as one brown patch. What is there is known from anatomy
better: teeth are fixed to the skull, and lips that part only uncover them. Source: ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.cavity import SHADOW_HUE, draw_cavity
from stit_core.change.drawn import Drawn
from stit_core.change.opening import CORNERS, SHAPE, Opening, mean_opening, millimetre_of
from stit_core.change.own_teeth import OwnTeeth
from stit_core.faces.labels import EYES, LIPS, SKIN_LIKE, is_one_of
from stit_core.warps import mean_of_channels

SKIN_LIGHT = 0.5  # power of the skin's hue that teeth take over: what lights a mouth comes from skin
WHITE_LIGHT = 0.75  # the same of the whites of the eyes, which are a little red themselves
WHITE = 0.45, 0.65  # of the light of teeth: up to where what is lightest in an eye is a lid, from where on its white
GREYER = 0.0, 0.06  # of the logarithm of its channels' ratio, by which one hue is greyer than another: not yet, surely
TEETH_LIGHT = 1.24  # of the source's lit skin, or of the whites of its eyes where they are lighter
TONGUE = np.array([0.76, 0.44, 0.45])  # of the light of a white tooth
NEAR = 38.0, 28.0  # millimetres across and down from the middle of a mouth, within which skin is lit as its teeth are
COOLEST = 0.25  # power of the skin's hue, than which whites of eyes are no cooler: make-up beside them is no light
GRAIN_LIGHT, LEAST_GRAIN = 128.0, 0.4  # grey levels, from where on grain is as strong as on skin; what is left of it
FAINT = 0.4  # share of a mouth from which on down it fades, where it is shown in one of the source's own
RED_LIPS = 0.36  # logarithm of red to green, of lips in full colour
PALEST = 0.3  # of that, what counts at least
LIPS_HUE = 0.35  # power of the lips' hue in that of a tongue: they are of one blood, and lips may be made up


@dataclass(frozen=True)
class Seen:
    """What a mouth lays over a picture.

    Attributes
    ----------
    rows, columns: of the picture, that can show it.
    place: (h, w) there in [0, 1], where its inside is seen.
    colours: (h, w, 3), of the inside, in grey levels.
    shade: (h, w, 3) in [0, 1], of the picture's own light, on the lips around it.
    upper: (h, w) in [0, 1], where upper teeth are.
    """

    rows: slice
    columns: slice
    place: np.ndarray
    colours: np.ndarray
    shade: np.ndarray
    upper: np.ndarray

    def laid_over(
        self,
        picture: np.ndarray,
        hidden: np.ndarray,
        fresh: np.ndarray,
        stands: np.ndarray | float = 0.0,
        grain: np.ndarray | float = 0.0,
    ) -> np.ndarray:
        """Rows and columns of a picture (H, W, 3) with the mouth in them.

        `hidden` (h, w) is where it shows whatever the lips are, `fresh` (h, w) how far anything may, `stands` (h, w)
        where upper teeth are the picture's own; all in [0, 1]. `grain` (h, w, 3) is the picture's.
        """
        there = picture[self.rows, self.columns]
        fresh = fresh * (1 - self.upper * stands)
        place = (np.maximum(self.place, hidden) * fresh)[..., None]
        # There is less of it in the dark.
        grain = grain * np.clip(mean_of_channels(self.colours) / GRAIN_LIGHT, LEAST_GRAIN, 1)[..., None]
        lips = there * (1 - fresh[..., None] * (1 - self.shade))
        return lips + place * (self.colours + grain - lips)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Mouth:
    """A mouth that is drawn.

    Attributes
    ----------
    opening: where, in the source's crop.
    light: colour (3,) of a white tooth, grey levels.
    share: 0 ... 1: how far it is open; the lips hide the rest.
    flesh: colour (3,) of a tongue in that light, grey levels.
    own: somebody's own teeth; None for those of anybody.
    shut: 0 ... 1: how far the source's own mouth is.
    """

    opening: Opening
    light: np.ndarray
    share: float
    flesh: np.ndarray
    own: OwnTeeth | None = None
    shut: float = 1.0

    def carried(self, way: np.ndarray) -> Mouth:
        """The same mouth in another frame, see `Opening.carried`."""
        return dataclasses.replace(self, opening=self.opening.carried(way))

    def inside(self, size: int) -> np.ndarray:
        """1 where it is open in the crop, (size, size)."""
        return self.opening.narrowed(self.share, self.shut).inside(size)

    def over(self, matrix: np.ndarray, width: int, height: int, focus: float = 0.0) -> Seen:
        """What is seen of it over a picture (height, width), to whose pixels `matrix` (2, 3) leads from the crop's.

        `focus` is the deviation, in those pixels, by which the picture's own edges are soft.
        """
        whole = matrix[:, :2] @ self.opening.matrix
        whole[:, 2] += matrix[:, 2]
        ends = np.array([[0, 0, SHAPE[0], SHAPE[0]], [0, SHAPE[1], 0, SHAPE[1]], [1, 1, 1, 1]])
        low, high = np.floor((whole @ ends).min(axis=1)), np.ceil((whole @ ends).max(axis=1))
        left, top = (int(v) for v in np.clip(low, 0, (width, height)))
        right, bottom = (int(v) for v in np.clip(high, 0, (width, height)))
        rows, columns = slice(top, bottom), slice(left, right)
        if right <= left or bottom <= top:
            nothing = np.zeros((0, 0, 3), np.float32)
            return Seen(rows, columns, nothing[..., 0], nothing, nothing, nothing[..., 0])
        drawn = draw_cavity(self.opening.narrowed(self.share, self.shut), self.light, self.flesh, self.own, self.shut)
        planes = [each[..., None] for each in (drawn.place, drawn.shade, drawn.upper)]
        fine = np.concatenate([drawn.colours, *planes], axis=-1)
        coarse = 1 / float(np.hypot(*whole[:, 0]))  # pixels of the fine picture to one of this
        whole[:, 2] -= left, top
        fine = cv2.GaussianBlur(fine.astype(np.float32, copy=False), (0, 0), coarse * max(focus, 0.5))
        seen = _warped(fine, whole, right - left, bottom - top)
        clear = np.float32(1 - (1 - self.shut) * max(0.0, 1 - self.share / FAINT))
        shade = 1 - clear * (1 - seen[..., 4:5] ** SHADOW_HUE)
        return Seen(rows, columns, clear * seen[..., 3], seen[..., :3], shade, seen[..., 5])


def _warped(fine: np.ndarray, matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """The fine picture of a mouth (..., 6) in a picture: OpenCV warps four channels at once, and no more."""
    parts = [np.ascontiguousarray(fine[..., :4]), np.ascontiguousarray(fine[..., 4:])]
    seen = [
        cv2.warpAffine(part, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for part in parts
    ]
    return np.dstack(seen)


def mean_mouth(parts: Sequence[tuple[float, Mouth | None]], shut: float = 1.0) -> Mouth | None:
    """The mean with weights of what frames around each other show, all carried to one; None where none shows any.

    `shut` says how far, 0 ... 1, the source's own mouth is in that one.
    """
    shown = [(weight * mouth.share, mouth) for weight, mouth in parts if mouth is not None and mouth.share > 0]
    total = sum(weight for weight, _ in shown)
    if total <= 0:
        return None
    weights = [weight for weight, _ in shown]
    light = np.average([mouth.light for _, mouth in shown], axis=0, weights=weights)
    flesh = np.average([mouth.flesh for _, mouth in shown], axis=0, weights=weights)
    opening = mean_opening([(weight, mouth.opening) for weight, mouth in shown])
    return Mouth(opening, light, total / sum(weight for weight, _ in parts), flesh, shown[0][1].own, shut)


def mouth_light(source: Drawn) -> np.ndarray:
    """Colour (3,) of a white tooth in the source's light, grey levels.

    How light it is say the lit skin and the whites of the eyes, and so does its hue, whichever of the two is greyer.
    """
    levels = mean_of_channels(source.picture)
    skin, eyes = is_one_of(source.labels, SKIN_LIKE) > 0, is_one_of(source.labels, EYES) > 0
    found, hue, coolest = [], np.ones(3), np.ones(3)
    if skin.any():
        near = skin & _around_mouth(source)
        found.append(TEETH_LIGHT * float(np.percentile(levels[near if near.any() else skin], 75)))
        own = _hue(source.picture[skin])
        hue, coolest = own**SKIN_LIGHT, own**COOLEST
    if eyes.any():
        white = float(np.percentile(levels[eyes], 90))
        found.append(white)
        whites = _hue(source.picture[eyes & (levels >= white)])
        if skin.any():
            whites = np.minimum(whites, coolest * whites[0] / coolest[0])
        whites = (whites / whites.mean()) ** WHITE_LIGHT
        # Skin that is dark is warmer than its light; lids that are nearly shut show no whites.
        greyer = float(np.ptp(np.log(hue)) - np.ptp(np.log(whites)))
        hue = hue * (whites / hue) ** (np.interp(greyer, GREYER, (0, 1)) * np.interp(white / max(found), WHITE, (0, 1)))
    return float(np.clip(max(found, default=160.0), 40.0, 230.0)) * hue


def _hue(pixels: np.ndarray) -> np.ndarray:
    """Of the mean of pixels (n, 3), each channel (3,) as a share of all."""
    colour = pixels.mean(axis=0) + 1.0
    return colour / colour.mean()  # type: ignore[no-any-return]


def _around_mouth(source: Drawn) -> np.ndarray:
    """The ellipse (S, S) bool around a mouth whose skin gets the light that its teeth get."""
    rows, columns = np.ogrid[: len(source.labels), : len(source.labels)]
    x, y = source.points[list(CORNERS)].mean(axis=0)
    millimetre = max(millimetre_of(source.points), 1e-3)
    return np.hypot((columns - x) / NEAR[0], (rows - y) / NEAR[1]) < millimetre  # type: ignore[no-any-return]


def mouth_flesh(source: Drawn, light: np.ndarray) -> np.ndarray:
    """Colour (3,) of a tongue where a white tooth has the colour `light` (3,): a little of the hue of the lips."""
    flesh = TONGUE * light
    lips = is_one_of(source.labels, LIPS) > 0
    if not lips.any():
        return flesh
    own = source.picture[lips].mean(axis=0) + 1.0
    # Where lips are hardly red, as in a picture of nearly one colour, a tongue is little redder.
    red = float(np.clip(np.log(own[0] / own[1]) / RED_LIPS, PALEST, 1))
    hue = (TONGUE / TONGUE.mean()) ** red * light / light.mean()
    mixed = hue ** (1 - LIPS_HUE) * (own / own.mean()) ** LIPS_HUE
    return flesh.mean() * mixed / mixed.mean()
