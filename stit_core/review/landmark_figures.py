"""What dlib's 68 points tell of a face: an instrument that no pack's attributes went into.

The definitions follow those by which the renders are labelled, on the picture instead of in space: the face is turned
until its eyes are level, but yaw and pitch stay in the figures. Pose and expression, which have no such label, have the
definitions that read held-out renders best.
"""

from __future__ import annotations

import numpy as np

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the person's; the right one is on the picture's left
RATIOS = (
    "eye_distance",
    "eye_eyebrow_distance",
    "eye_ratio",
    "lip_ratio",
    "mouth_ratio",
    "nose_mouth_distance",
    "nose_ratio",
    "nose_tip",
)
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
    "smile": "corners of the mouth over the middle of its inner lips, by the distance of the eyes",
    "yaw": "place of the nose's tip between the jaw's ends",
}


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
    found = dict(zip(RATIOS, face_ratios(marks).tolist(), strict=True))
    return found | {
        "eyes_open": found["eye_ratio"],
        "mouth_open": float(gap / np.linalg.norm(marks[54] - marks[48])),
        "smile": float((y[[48, 54]].mean() - y[[62, 66]].mean()) / apart),
        "pitch": float(-y[[0, 16]].mean() / apart),
        "yaw": float((x[30] - x[0]) / (x[16] - x[0])),
        "eye_line": tilt,
    }


def face_ratios(marks: np.ndarray) -> np.ndarray:
    """Face ratios (8,), in the order of RATIOS, of landmarks (68, 3), y up, of a head that looks ahead."""
    right, left = marks[36:42].mean(0), marks[42:48].mean(0)
    apart = float(np.linalg.norm(left - right))
    lids = (marks[[37, 38, 43, 44], 1] - marks[[41, 40, 47, 46], 1]).mean()
    corners = (np.linalg.norm(marks[39] - marks[36]) + np.linalg.norm(marks[45] - marks[42])) / 2
    mouth = float(np.linalg.norm(marks[54] - marks[48]))
    lips = (marks[51, 1] - marks[62, 1]) + (marks[66, 1] - marks[57, 1])
    length = marks[27, 1] - marks[33, 1]
    return np.array(
        [
            apart / np.linalg.norm(marks[16] - marks[0]),
            (marks[17:27, 1].mean() - (left[1] + right[1]) / 2) / apart,
            lids / corners,
            lips / mouth,
            mouth / apart,
            (marks[33, 1] - marks[51, 1]) / apart,
            np.linalg.norm(marks[35] - marks[31]) / length,
            (marks[30, 1] - marks[33, 1]) / length,
        ]
    )
