"""What an edit shows and the source does not have: the inside of a mouth that opens, lids that close."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cv2
import numpy as np

from stit_core.change.drawn import LARGEST_SHADE, OFFSET, Drawn, agreed
from stit_core.change.opening import millimetre_of
from stit_core.faces.labels import EYES, LIPS, MOUTH, SKIN_LIKE, is_one_of
from stit_core.warps import blurred, fill, mean_of_channels, warp, warp_labels

LEAST_LID = 0.25  # of an eye's area: what less of a lid comes or goes is where two parsers disagree
TONE_BLUR = 8.0  # pixels, deviation of the blur within which the colours of source and pivot are compared
OPENS = (0.03, 0.10)  # of the mouth's area, lips and all: how much more or less of its inside is another mouth
MEANT = (0.5, 0.2)  # of the area of the pivot's mouth, how much more or less of its inside; of its width, how much more
WIDENS = (1.15, 1.22)  # times the inside of the pivot's mouth, that of one which opens
EXCEEDS = (1.15, 1.3)  # times the inside of the source's own open mouth, that of one which has to be drawn instead
SMILES = 0.4  # by which such a one has to be larger where no jaw drops
MEANS = (0.8, 1.0)  # sum of the shares of those that an edit changes: up to where it does not mean the mouth, and does
SHUT = (0.065, 0.13)  # of the mouth's area, its inside: up to where it is shut, and from where on it is open
THIN = (0.052, 0.075)  # of a mouth's width, its inside's mean height: up to where it is the line between lips, and not
THIN_SHARE = (0.12, 0.15)  # of the mouth's area, that such a line has, where lips are thin or pressed
SMALLEST_MOUTH = 20  # pixels of the inside of the source's own mouth that count
TEETH_EDGE = 1.5  # pixels, deviation of the Gaussian between teeth that move as one piece and lips
LIPS_LIE, LIPS_BEND = 5.0, 1.2  # millimetres from teeth that lips lie on, and by which they move over them at most
LIP_STAYS = 15.0, 45.0  # millimetres from teeth that stay, within which a lip below does; from where on a jaw may drop
WIDE = 10.0, 13.0  # millimetres, mean height of a mouth's inside: up to where it is open a little, from where on widely
MOUTH_EDGE = 0.8  # pixels, deviation of the Gaussian over the edge of a mouth that is another one
BRIGHT_SHARE = 90  # percentile of the source's skin that teeth may outshine by TEETH_OVER
TEETH_OVER = 1.35
TOOTH = (0.45, 0.75)  # of the skin's mean level: up to where what a mouth shows is its dark, and from where on a tooth
HARDLY = -0.03  # of green as a share of red, least difference to that of skin, of what is a tooth
SHOWN = 8.0, 20.0  # square millimetres of teeth: what is less may be none, and from where on they are some
LIGHTER_INSIDE = 0.15  # of the logarithm of a ratio, by which the inside of a mouth gets lighter at most


def read_novelty(
    source: Drawn,
    pivot: Drawn,
    edited: Drawn,
    wanted: np.ndarray,
    before: np.ndarray,
    offset: np.ndarray,
    motion: np.ndarray,
    classes: Collection[int],
    drawn: bool,
    share: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the edit shows what the source does not have, and its colours in the source's light.

    Parameters
    ----------
    source, pivot, edited: of one frame and one size.
    wanted: (S, S) uint8, the edit's classes over the source's crop.
    before: the same of the pivot, moved to where the edit has them.
    offset: (S, S, 2), from each pixel of the source to its place in the pivot.
    motion: (S, S, 2), where in the source a pixel of the result comes from.
    classes: the parser's classes that may change.
    drawn: whether the mouth's inside is drawn by what is known of mouths, and not shown here.
    share: how far the mouth is another one, see `mouth_share`.

    Returns
    -------
    novelty (S, S) in [0, 1], colours (S, S, 3) in grey levels; both float32 and over the source's crop.
    """
    there = warp_labels(source.labels, motion)
    inside = cv2.GaussianBlur(is_one_of(wanted, (MOUTH,)), (0, 0), MOUTH_EDGE)
    tone = _tone(source, pivot, offset)
    # The mouth's own colours are not the skin's: of the difference in tone it takes over how light it is,
    # and little of that where the source is lighter: a mouth stays dark inside.
    light = np.minimum(mean_of_channels(tone)[..., None], LIGHTER_INSIDE)
    tone = tone + inside[..., None] * (light - tone)
    colours = np.clip((warp(edited.picture, offset) + OFFSET) * np.exp(tone) - OFFSET, 0, 255)
    colours += inside[..., None] * (_dimmed(colours, source) - colours)
    # Lips are the source's own, which the motion brings along, but for where it has none.
    lips = cv2.GaussianBlur(is_one_of(wanted, LIPS) * is_one_of(there, (MOUTH,)), (0, 0), MOUTH_EDGE)
    novelty = share * (lips if drawn else np.maximum(inside, lips))
    if any(eye in classes for eye in EYES):
        novelty = np.maximum(novelty, _new_lids(wanted, before, there))
    return novelty, colours


def hold_teeth(motion: np.ndarray, source: Drawn, opens: float = 0.0) -> np.ndarray:
    """A motion (S, S, 2) under which what is seen in the source's own mouth moves as one piece: teeth do not bend.

    `opens` is how far, 0 ... 1, the motion drops the jaw: a lower lip that went with it would only get thick.
    """
    inside = is_one_of(warp_labels(source.labels, motion), (MOUTH,))
    if inside.sum() < SMALLEST_MOUTH:
        return motion
    teeth = motion[inside > 0].mean(axis=0)
    millimetre = max(millimetre_of(source.points), 1e-3)
    # Lips lie on them, and bend over them a little only.
    lips = np.clip(2 * cv2.GaussianBlur(inside, (0, 0), LIPS_LIE * millimetre), 0, 1)[..., None]
    if opens > 0:
        away = cv2.distanceTransform((inside == 0).astype(np.uint8), cv2.DIST_L2, 5) / np.float32(millimetre)
        middle = float(np.flatnonzero(inside.any(axis=1)).mean())
        below = np.clip((np.arange(len(inside)) - middle) / max(millimetre, 1.0), 0, 1)[:, None]
        stays = opens * below * np.interp(away, LIP_STAYS, (1, 0))
        lips = np.maximum(lips, stays.astype(np.float32)[..., None])
    by, most = motion - teeth, np.float32(LIPS_BEND * millimetre)
    motion = motion + lips * (most * np.tanh(by / most) - by)
    near = cv2.GaussianBlur(cv2.dilate(inside, np.ones((3, 3), np.uint8)), (0, 0), TEETH_EDGE)
    share = np.clip(1.5 * near, 0, 1)[..., None]
    return motion + share * (teeth - motion)


def own_mouth(source: Drawn, motion: np.ndarray) -> np.ndarray:
    """Where the inside of the source's own mouth comes to lie under a motion (S, S, 2): (S, S) in [0, 1]."""
    return cv2.GaussianBlur(is_one_of(warp_labels(source.labels, motion), (MOUTH,)), (0, 0), MOUTH_EDGE)


def own_teeth(source: Drawn, motion: np.ndarray) -> np.ndarray:
    """`own_mouth` where it shows teeth, which are nearly as light as skin: (S, S) in [0, 1], without its dark."""
    return np.minimum(own_mouth(source, motion), warp(shown_teeth(source), motion))


def shown_teeth(source: Drawn) -> np.ndarray:
    """Where the inside of a source's mouth is as light as teeth and not as red as lips, (S, S) in [0, 1]."""
    skin = source.picture[is_one_of(source.labels, SKIN_LIKE) > 0]
    colour = skin.mean(axis=0) if len(skin) else np.full(3, 128.0)
    light = mean_of_channels(source.picture) / max(float(colour.mean()), 1.0)
    seen = np.interp(light, TOOTH, (0, 1)) * is_one_of(source.labels, (MOUTH,))
    return (seen * (less_red(source.picture, colour) > HARDLY)).astype(np.float32)  # type: ignore[no-any-return]


def less_red(picture: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """By how much more green is in a picture (h, w, 3) than in skin of a colour (3,), as a share of red."""
    green, red = (picture[..., channel].astype(np.float32) for channel in (1, 0))
    return green / np.maximum(red, 1.0) - np.float32(skin[1] / max(float(skin[0]), 1.0))


def is_wide(source: Drawn) -> float:
    """How far, 0 ... 1, a source's own mouth is open widely."""
    return float(np.interp(_height(source.labels) / max(millimetre_of(source.points), 1e-3), WIDE, (0, 1)))


def is_shut(source: Drawn) -> float:
    """How far, 0 ... 1, a mouth counts as shut: parsers see a little of the line between lips as its inside.

    One that shows teeth, be it between lips that hardly part, does not.
    """
    shut = _is_shut(source.labels)
    if shut == 0:
        return shut
    teeth = float(shown_teeth(source).sum()) / max(millimetre_of(source.points), 1e-3) ** 2
    return shut * float(np.interp(teeth, SHOWN, (1, 0)))


def is_open(source: Drawn) -> bool:
    """Whether a mouth is rather open than shut."""
    return is_shut(source) < 0.5


def looks_open(labels: np.ndarray) -> bool | None:
    """What the classes (S, S) of a picture alone say of `is_open`; None where its teeth have to be looked for."""
    if _is_shut(labels) < 0.5:
        return True
    return None if _inside(labels) >= SMALLEST_MOUTH else False


def _is_shut(labels: np.ndarray) -> float:
    share = _inside(labels) / max(_area(labels), 1.0)
    width = max(float(is_one_of(labels, (MOUTH, *LIPS)).any(axis=0).sum()), 1.0)
    thin = min(np.interp(_height(labels) / width, THIN, (1, 0)), np.interp(share, THIN_SHARE, (1, 0)))
    return float(max(np.interp(share, SHUT, (1, 0)), thin))


def _height(labels: np.ndarray) -> float:
    """Pixels by which the inside of a mouth is high on the average over its width."""
    return _inside(labels) / max(float(is_one_of(labels, (MOUTH,)).any(axis=0).sum()), 1.0)


def mouth_share(
    source: Drawn,
    pivot: Drawn,
    edited: Drawn,
    wanted: np.ndarray,
    before: np.ndarray,
    motion: np.ndarray,
    opens: float | None,
) -> float:
    """How far, 0 ... 1, the mouth of an edit is another one than the source's, and has to be drawn.

    Parameters are those of `read_novelty`, and how far, 0 ... 1, the edit drops the jaw; None where the mouth's inside
    is the generator's. Otherwise one that is open already is drawn only by edits that mean it and open it well beyond.
    """
    there = warp_labels(source.labels, motion)
    meant = _means_mouth(pivot, edited)
    share = _another_mouth(wanted, before, there, source.labels, meant)
    if opens is not None and is_open(source):
        # A lower lip that goes down would take teeth along. In a face that gets longer it goes down, and nothing opens.
        wider = _beyond(_inside(edited.labels) / max(_inside(pivot.labels), 1.0), WIDENS)
        # One that laughs or calls out is open as wide as any edit would have it.
        own = max(_inside(source.labels), 1.0) * (1 + SMILES * (1 - opens))
        exceeds = _beyond(_inside(wanted) / own, EXCEEDS)
        return exceeds * max(meant * share, opens * wider)
    return share


def _another_mouth(
    wanted: np.ndarray, before: np.ndarray, there: np.ndarray, source: np.ndarray, meant: float
) -> float:
    """How far, 0 ... 1, a mouth has to be drawn: it is open where the pivot's and the source's are not, or the
    other way round, or an edit that means the mouth draws the source's own, teeth and all, out to more than it is.

    Parameters
    ----------
    wanted, before, there, source: (S, S) uint8, the classes of the edit, of the pivot moved to it, of the source
        moved, and of the source as it is.
    meant: how far, 0 ... 1, the edit means the mouth.
    """

    def share(labels: np.ndarray) -> float:
        return _inside(labels) / max(_area(labels), 1.0)

    differs = min(abs(share(wanted) - share(before)), abs(share(wanted) - share(source)))
    drawn_out = (_inside(there) - _inside(source)) / max(_area(wanted), 1.0)
    return max(_beyond(differs, OPENS), meant * _beyond(drawn_out, OPENS))


def _means_mouth(pivot: Drawn, edited: Drawn) -> float:
    """How far, 0 ... 1, an edit opens, shuts or widens the mouth that the pivot has."""
    before, after = pivot.labels, edited.labels
    opens = abs(_inside(after) - _inside(before)) / max(_area(before), 1.0)
    widths = [max(float(is_one_of(labels, (MOUTH, *LIPS)).any(axis=0).sum()), 1.0) for labels in (before, after)]
    return _beyond(opens / MEANT[0] + max(widths[1] / widths[0] - 1, 0) / MEANT[1], MEANS)


def _inside(labels: np.ndarray) -> float:
    """Pixels of the inside of a mouth."""
    return float(is_one_of(labels, (MOUTH,)).sum())


def _area(labels: np.ndarray) -> float:
    """Pixels of a mouth, lips and all."""
    return float(is_one_of(labels, (MOUTH, *LIPS)).sum())


def _beyond(value: float, limits: tuple[float, float]) -> float:
    """0 under the first of two limits, 1 over the second."""
    return float(np.clip((value - limits[0]) / (limits[1] - limits[0]), 0, 1))


def _new_lids(wanted: np.ndarray, before: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Where the edit itself opens or closes an eye; eyes are often drawn wider or narrower than they are."""

    def turns(old: Sequence[int], new: Sequence[int]) -> np.ndarray:
        return is_one_of(before, old) * is_one_of(there, old) * is_one_of(wanted, new)

    lids = np.maximum(turns(EYES, SKIN_LIKE), turns(SKIN_LIKE, EYES))
    lids = cv2.morphologyEx(lids, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    _, parts, facts, _ = cv2.connectedComponentsWithStats(lids.astype(np.uint8))
    eye = max(float(is_one_of(each, EYES).sum()) for each in (wanted, before)) / 2
    lids *= facts[parts, cv2.CC_STAT_AREA] >= LEAST_LID * eye
    return np.clip(1.5 * cv2.GaussianBlur(cv2.dilate(lids, np.ones((3, 3), np.uint8)), (0, 0), 0.8), 0, 1)


def _dimmed(colours: np.ndarray, source: Drawn) -> np.ndarray:
    """Colours (S, S, 3) of which none outshines the source's lit skin by much, and bright ones are not blue."""
    skin = source.picture[is_one_of(source.labels, SKIN_LIKE) > 0]
    if not len(skin):
        return colours
    limit = TEETH_OVER * float(np.percentile(skin.mean(axis=-1), BRIGHT_SHARE))
    light = mean_of_channels(colours)[..., None]
    colours = colours * np.minimum(1.0, limit / np.maximum(light, 1.0))
    warm = colours * np.array([1.0, 0.98, 0.93], np.float32)
    bright = np.clip(light / limit - 0.5, 0, 0.5) * 2
    return colours + bright * (np.minimum(colours, warm) - colours)


def _tone(source: Drawn, pivot: Drawn, offset: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio (S, S, 3) of the source's skin and lips to the pivot's, smooth and known all over."""
    drawn, labels = warp(pivot.picture, offset), warp_labels(pivot.labels, offset)
    ratio = np.log((source.picture.astype(np.float32) + OFFSET) / (drawn + OFFSET))
    known = agreed(labels, source.labels, SKIN_LIKE)
    weight = blurred(known, TONE_BLUR)
    mean = blurred(ratio * known[..., None], TONE_BLUR) / np.maximum(weight, 1e-3)[..., None]
    tone = fill(np.clip(mean, -LARGEST_SHADE, LARGEST_SHADE), (weight > 0.1).astype(np.float32))
    lips = agreed(labels, source.labels, LIPS, 1) > 0
    if lips.any():
        own = np.clip(ratio[lips].mean(axis=0), -LARGEST_SHADE, LARGEST_SHADE)
        share = cv2.GaussianBlur(is_one_of(labels, LIPS), (0, 0), MOUTH_EDGE)[..., None]
        tone = tone + share * (own - tone)
    return tone
