"""What dlib's 68 points, and the parser's clothes, tell of a face: instruments that no pack's attributes went into.

The definitions follow those by which the renders are labelled (`recipes.heads.parameters.measure`), on the picture
instead of in space: the face is turned until its eyes are level, but yaw and pitch stay in the figures. Pose and
expression, which that function leaves out, have the definitions that read held-out renders best.
"""

from __future__ import annotations

import numpy as np

from recipes.heads.parameters import MEASURES, measure
from stit_core.config import LandmarkConfig
from stit_core.faces.detectors import DlibDetector

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the person's; the right one is on the picture's left
# Where the detector's boxes lie about the points: centre and side in units of the points' root mean square distance
# from their own centre, medians over held-out renders. Boxes that follow the points do not jump as the detector's do.
BOX_CENTRE = np.array([-0.04, -0.12])
BOX_SIDE = 2.84
POINT_SIDES = (200.0, 600.0)  # pixels of the face when points are placed again: dlib rounds to pixels
CLOTH = 16  # class of the parser
LEAST_CLOTH = 0.0046  # of the picture's pixels, under which nothing is said of the shoulders
SIDE = 5 / 16  # of the picture's width: the columns at each side in which a shoulder is looked for

# name of an attribute -> how an independent instrument reads it
DEFINITIONS = {
    "eye_distance": "distance of the eyes by that of the jaw's ends",
    "eye_eyebrow_distance": "brows over eyes, by the distance of the eyes",
    "eye_ratio": "opening of the lids by the eye's width",
    "eyes_open": "opening of the lids by the eye's width",
    "lip_ratio": "height of both lips by the mouth's width",
    "mouth_open": "gap between the lips by the mouth's width",
    "mouth_ratio": "width of the mouth by the distance of the eyes",
    "nose_mouth_distance": "nose's base over upper lip, by the distance of the eyes",
    "nose_ratio": "width of the nose by its length",
    "nose_tip": "nose's tip over its base, by the nose's length",
    "pitch": "eyes over the jaw's ends, by the distance of the eyes",
    "roll": "shoulders: how much lower the clothes begin on the picture's left than on its right (parser)",
    "smile": "corners of the mouth over the middle of its inner lips, by the distance of the eyes",
    "yaw": "place of the nose's tip between the jaw's ends",
}
BY_PARSER = frozenset({"roll"})


def upright(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Turn a face until its eyes are level.

    Parameters
    ----------
    points: (68, 2), x to the right and y down, pixels.

    Returns
    -------
    Points (68, 3) with the origin between the eyes, y up, z 0; and the tilt that was taken out in degrees, positive
    where the head leans towards the person's left shoulder.
    """
    right, left = points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0)
    across = (left - right) / np.linalg.norm(left - right)
    down = np.array([-across[1], across[0]])
    centred = points - (right + left) / 2
    level = np.stack([centred @ across, -(centred @ down), np.zeros(len(points))], axis=1)  # (68, 3)
    return level, float(np.degrees(np.arctan2(across[1], across[0])))


def landmark_figures(points: np.ndarray) -> dict[str, float]:
    """Every figure of DEFINITIONS that points (68, 2) tell, and "eye_line", the tilt of the eyes in degrees.

    yaw grows towards the person's left and pitch upwards, as the renders' own do.
    """
    marks, tilt = upright(points)
    x, y = marks[:, 0], marks[:, 1]
    apart = x[LEFT_EYE].mean() - x[RIGHT_EYE].mean()
    gap = (y[[61, 62, 63]] - y[[67, 66, 65]]).mean()
    found = dict(zip((name for name, _, _ in MEASURES), measure(marks).tolist(), strict=True))
    return found | {
        "eyes_open": found["eye_ratio"],
        "mouth_open": float(gap / np.linalg.norm(marks[54] - marks[48])),
        "smile": float((y[[48, 54]].mean() - y[[62, 66]].mean()) / apart),
        "pitch": float(-y[[0, 16]].mean() / apart),
        "yaw": float((x[30] - x[0]) / (x[16] - x[0])),
        "eye_line": tilt,
    }


def shoulder_tilt(labels: np.ndarray) -> float:
    """How much lower the clothes begin on the picture's left than on its right.

    An aligned picture is turned until the eyes are level, so that a head that leans shows it below the chin: towards
    the person's left shoulder, that shoulder stands higher in the picture.

    Parameters
    ----------
    labels: (H, W) classes of the parser.

    Returns
    -------
    A share of the picture's height; NaN where hardly any clothes are seen.
    """
    cloth = labels == CLOTH
    if cloth.mean() < LEAST_CLOTH:
        return float("nan")
    height, width = labels.shape
    top = np.where(cloth.any(axis=0), cloth.argmax(axis=0), height)
    reach = round(SIDE * width)
    return float((np.median(top[:reach]) - np.median(top[-reach:])) / height)


class PointReader:
    """Places 68 points on aligned pictures, enlarged as the pipeline does; not to be shared between threads."""

    def __init__(self) -> None:
        self._finder = DlibDetector(LandmarkConfig())

    def find(self, picture: np.ndarray) -> np.ndarray | None:
        """Points (68, 2) on a picture (H, W, 3) uint8, x, y in its pixels; None where dlib sees no face."""
        faces = self._finder.usual(picture)
        if not faces:
            return None
        points = self._finder.points(picture, faces[0])
        for point_side in POINT_SIDES:
            centre = points.mean(axis=0)
            radius = float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean()))
            middle, half = centre + BOX_CENTRE * radius, BOX_SIDE * radius / 2
            box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
            points = self._finder.points(picture, faces[0].at(box), point_side)
        return points
