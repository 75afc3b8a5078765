"""Where skin ends by the colours of the picture, past what a parser sees: soft masks. All are (S, S) float32."""

from __future__ import annotations

import cv2
import numpy as np

GUIDED_WINDOW = 17  # pixels of the crop within which an edge of the picture is looked for
GUIDED_FLAT = 2e-4  # variance of a colour, of 1, under which there is none
GUIDED_CONTRAST = 1.6  # by which the mask it finds is made clearer: the little that it finds beyond an edge shows
SPILL = 9  # pixels of the crop, twice the reach of that mask beyond the parser's edge
EDGE_WIDTH = 1.2  # pixels, deviation of the Gaussian over the edge between what changes and what does not
REACH = 17  # pixels of the crop, twice the distance to both sides of a hairline within which skin and hair mix
REACH_BLUR = 3.0  # pixels, deviation of the Gaussian over where that ends
SURELY = 9, 5  # pixels of the crop, twice the distance from it at which a colour is the skin's, and the hair's
AROUND = 12.0  # pixels of the crop, deviation of the Gaussian within which these colours are known
COARSE = 4  # times smaller, at which they are
ALIKE = 50.0  # grey levels between both colours at which half of what they say counts
SURE = (0.3, 0.7)  # of that half and more: from where on they are believed, and all is
CLEAR = 0.8  # of the way from one colour to the other over which a pixel is a mixture
BEYOND = 7, 2.0  # pixels of the crop, twice the way from skin to where hair must be surely lighter, and its softness
STRANDS = 2.0  # deviations of the hair's own colour, along that way, within which a strand is hair there


def picture_mask(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A mask drawn to the edge that the picture (S, S, 3) uint8 has near the mask's own."""
    near = cv2.GaussianBlur(cv2.dilate(mask, np.ones((SPILL, SPILL), np.uint8)), (0, 0), EDGE_WIDTH)
    return guided(mask, picture) * near  # type: ignore[no-any-return]


def hair_matte(
    skin: np.ndarray, hair: np.ndarray, picture: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How much of a pixel is skin where skin and hair meet, by where its colour lies between theirs.

    Parameters
    ----------
    skin, hair: where the parser sees them, 0 or 1.
    picture: (S, S, 3), grey levels, smooth.
    prior: what is believed elsewhere, and where both have one colour.

    Returns
    -------
    The share, which clipping to [0, 1] makes a matte, and what a grey level more in each channel adds to it,
    (S, S, 3): with that a finer picture has a finer matte.
    """
    own = _colour_near(picture, cv2.erode(skin, np.ones((SURELY[0], SURELY[0]), np.uint8)))
    sure_hair = cv2.erode(hair * (1 - skin), np.ones((SURELY[1], SURELY[1]), np.uint8))
    other = _colour_near(picture, sure_hair)
    apart = own - other
    square = cv2.transform(apart * apart, np.ones((1, 3), np.float32))
    slope = apart / ((square + 1) * CLEAR)[..., None]
    mixed = 0.5 + cv2.transform((picture - (own + other) / 2) * slope, np.ones((1, 3), np.float32))
    # Strands that shine have some of the skin's colour too, and lie where no skin is.
    hairs = 0.5 - 0.5 / CLEAR  # what is said of the hair's mean colour
    wide = np.ones((REACH, REACH), np.uint8)
    inside = cv2.erode(sure_hair, wide)
    spread = np.sqrt(_smooth(np.square(mixed - hairs) * inside, AROUND) / (_smooth(inside, AROUND) + 1e-3))
    beyond = 1 - _smooth(cv2.dilate(skin, np.ones((BEYOND[0], BEYOND[0]), np.uint8)), BEYOND[1])
    mixed -= beyond * np.maximum(STRANDS * spread + hairs, 0)
    inner, near = (_smooth(each, REACH_BLUR) for each in (cv2.erode(skin, wide), cv2.dilate(skin, wide)))
    share = np.clip((square / (square + ALIKE**2) - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)
    share *= np.clip(3 * _smooth(sure_hair, REACH / 3), 0, 1)
    share *= np.clip(2 * cv2.GaussianBlur(np.maximum(skin, hair), (0, 0), EDGE_WIDTH) - 1, 0, 1)
    matte = prior + share * (inner + (1 - inner) * near * mixed - prior)
    return matte, slope * (share * (1 - inner) * near)[..., None]


def _colour_near(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean colours (S, S, 3) of what the mask holds nearby; far from it, of all that it holds."""
    weight = _smooth(mask, AROUND)[..., None]
    held = picture * mask[..., None]
    whole = held.sum(axis=(0, 1)) / max(float(mask.sum()), 1.0)
    return (_smooth(held, AROUND) + 1e-3 * whole) / (weight + 1e-3)  # type: ignore[no-any-return]


def _smooth(values: np.ndarray, deviation: float) -> np.ndarray:
    """A wide Gaussian over values (S, S) or (S, S, C), worked out at a smaller size."""
    size = values.shape[0]
    small = cv2.resize(values, (size // COARSE, size // COARSE), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), deviation / COARSE), (size, size))


def guided(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A mask (S, S) whose edge goes where the colours of the picture (S, S, 3) uint8 have one nearby.

    Source: He, Sun and Tang, "Guided Image Filtering" (2010), equations 14 to 16.
    """
    guide = picture.astype(np.float32) / 255

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (GUIDED_WINDOW, GUIDED_WINDOW))

    mean_guide, mean_mask = mean(guide), mean(mask)
    shared = mean(guide * mask[..., None]) - mean_guide * mean_mask[..., None]

    def spread(i: int, j: int) -> np.ndarray:
        own = np.float32(GUIDED_FLAT if i == j else 0)
        return mean(guide[..., i] * guide[..., j]) - mean_guide[..., i] * mean_guide[..., j] + own

    # Cramer's rule, since LAPACK spends its time on starting 65,536 systems of three equations.
    a, b, c, d, e, f = spread(0, 0), spread(0, 1), spread(0, 2), spread(1, 1), spread(1, 2), spread(2, 2)
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    across, along, last = b * c - a * e, a * f - c * c, a * d - b * b
    x, y, z = cv2.split(shared)
    slope = cv2.merge(
        [first * x + second * y + third * z, second * x + along * y + across * z, third * x + across * y + last * z]
    )
    slope /= (a * first + b * second + c * third)[..., None]
    start = mean_mask - np.einsum("ijk,ijk->ij", slope, mean_guide)
    found = np.einsum("ijk,ijk->ij", mean(slope), guide) + mean(start)
    return np.clip(0.5 + GUIDED_CONTRAST * (found - 0.5), 0, 1)
