"""What the shaders share: columns, materials, labels, the colours and lights of one picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

# Columns of the static vertex attributes.
UPPER_LIP, LOWER_LIP, CHEEK, NOSE, EAR, SOCKET, BEARD, SCALP, OCCLUSION, INTERIOR, NECK, CLOTH = range(12)
REST_X, REST_Y, REST_Z = 12, 13, 14
JACKET = 15
LASHES = 16  # the roots of the lashes
NUM_ATTRIBUTES = 17
SKIN_FACE, LEFT_EYE, RIGHT_EYE, TEETH, TONGUE = range(5)
(
    L_BACKGROUND,
    L_SKIN,
    L_LEFT_BROW,
    L_RIGHT_BROW,
    L_LEFT_EYE,
    L_RIGHT_EYE,
    L_GLASSES,
    L_LEFT_EAR,
    L_RIGHT_EAR,
    L_EARRING,
    L_NOSE,
    L_MOUTH,
    L_UPPER_LIP,
    L_LOWER_LIP,
    L_NECK,
    L_NECKLACE,
    L_CLOTH,
    L_HAIR,
    L_HAT,
) = range(19)
# Channels of the detail texture over the rest head's front (x, y).
BROW, FRECKLE, GRAIN, WRINKLE_X, WRINKLE_Y, STUBBLE, FLUSH, LIPS, LID, CREASE, FOLD, SHADE = range(12)
NUM_DETAILS = 12
TEXTURE_BOX = (-1.0, 1.0, -1.0, 1.6)  # x0, x1, y0, y1 in decimetres


class Look(NamedTuple):
    """Colours and amounts of one picture, linear RGB."""

    skin: np.ndarray  # (3,)
    dark: float
    redness: float
    oil: float
    freckles: float
    age: float
    makeup: float
    lip_colour: np.ndarray
    hair: np.ndarray
    scalp: float  # how much the scalp is painted with hair
    recede: float  # hair grows where the SCALP attribute is over this, fully at 1 more
    brow: np.ndarray
    brow_thickness: float
    mouth: float  # how much light gets into the mouth
    beard: float
    shaven: float  # the shade of a shaven beard
    fold: float  # depth of the folds beside the mouth
    beard_colour: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray
    jacket: np.ndarray  # (3,) colour of what is worn over it
    light: np.ndarray  # (3,) towards the key light
    key: np.ndarray
    fill_direction: np.ndarray
    fill: np.ndarray
    rim_direction: np.ndarray
    rim: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    shadow_softness: float
    backdrop: np.ndarray  # (GRID, GRID, 3), a small picture of what is behind


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def ramp(low, high, value):  # type: ignore[no-untyped-def]
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)
