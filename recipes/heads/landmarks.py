"""The 68 iBUG landmarks on the mesh, and the quad that the alignment stage cuts out of them."""

from __future__ import annotations

import numpy as np

# Landmark positions on the neutral head (x, y, z in decimetres from the head joint), found with dlib on its pictures.
NEUTRAL = np.array((
    (-0.703, 0.398, 0.126), (-0.690, 0.209, -0.036), (-0.643, 0.033, 0.284), (-0.580, -0.144, 0.475),
    (-0.533, -0.304, 0.512), (-0.459, -0.478, 0.220), (-0.326, -0.582, 0.665), (-0.170, -0.665, 0.781),
    (0.000, -0.687, 0.825), (0.170, -0.665, 0.781), (0.326, -0.582, 0.665), (0.459, -0.478, 0.220),
    (0.533, -0.304, 0.512), (0.580, -0.144, 0.475), (0.643, 0.033, 0.284), (0.690, 0.209, -0.036),
    (0.703, 0.398, 0.126), (-0.547, 0.516, 0.732), (-0.462, 0.565, 0.861), (-0.320, 0.583, 0.956),
    (-0.209, 0.560, 0.980), (-0.102, 0.525, 0.983), (0.102, 0.525, 0.983), (0.209, 0.560, 0.980),
    (0.320, 0.583, 0.956), (0.462, 0.565, 0.861), (0.547, 0.516, 0.732), (0.000, 0.365, 0.974),
    (0.000, 0.260, 1.017), (0.000, 0.155, 1.087), (0.000, 0.042, 1.153), (-0.125, -0.030, 1.005),
    (-0.066, -0.054, 1.034), (0.000, -0.071, 1.061), (0.066, -0.054, 1.034), (0.125, -0.030, 1.005),
    (-0.419, 0.364, 0.828), (-0.344, 0.421, 0.903), (-0.254, 0.419, 0.909), (-0.175, 0.343, 0.875),
    (-0.256, 0.313, 0.890), (-0.354, 0.315, 0.876), (0.175, 0.343, 0.875), (0.254, 0.419, 0.909),
    (0.344, 0.421, 0.903), (0.419, 0.364, 0.828), (0.354, 0.315, 0.876), (0.256, 0.313, 0.890),
    (-0.229, -0.280, 0.947), (-0.150, -0.208, 1.031), (-0.063, -0.182, 1.075), (0.000, -0.197, 1.087),
    (0.063, -0.182, 1.075), (0.150, -0.208, 1.031), (0.229, -0.280, 0.947), (0.148, -0.354, 1.000),
    (0.059, -0.399, 1.012), (0.000, -0.403, 1.017), (-0.059, -0.399, 1.012), (-0.148, -0.354, 1.000),
    (-0.198, -0.282, 0.957), (-0.067, -0.261, 1.028), (0.000, -0.263, 1.036), (0.067, -0.261, 1.028),
    (0.198, -0.282, 0.957), (0.054, -0.286, 1.022), (0.000, -0.295, 1.038), (-0.054, -0.286, 1.022),
))  # fmt: skip


def calibrate(fine: np.ndarray) -> np.ndarray:
    """Vertex ids (68,) of the subdivided neutral head nearest to the landmarks."""
    return np.argmin(((fine[None] - NEUTRAL[:, None]) ** 2).sum(-1), axis=1)


def place_landmarks(vertices: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Landmarks (68, 3) of a deformed head."""
    return vertices[ids]


def contour_choices(fine: np.ndarray, ids: np.ndarray) -> list[np.ndarray]:
    """For every landmark of the jaw's sides (0-5, 11-16) the vertices in front of it at its height, itself first.

    `fine` (N, 3) is the subdivided neutral head, `ids` (68,) its landmarks. A turned head shows one of them as outline.
    """
    choices = []
    for place in (*range(6), *range(11, 17)):
        x, y, z = fine[ids[place]]
        side = np.sign(x)
        band = (np.abs(fine[:, 1] - y) < 0.02) & (side * fine[:, 0] > 0.25) & (side * fine[:, 0] < abs(x) + 0.02)
        ahead = np.flatnonzero(band & (fine[:, 2] > z + 0.02))
        choices.append(np.concatenate([[ids[place]], ahead]))
    return choices


def follow_outline(marks: np.ndarray, vertices: np.ndarray, choices: list[np.ndarray]) -> np.ndarray:
    """Move the jaw's landmarks (68, 3) to the outline that a camera on the z axis sees of the posed `vertices`.

    A soft maximum over `choices`, so that the landmarks move smoothly with the head. Source: ours.
    """
    moved = marks.copy()
    for place, choice in zip((*range(6), *range(11, 17)), choices, strict=True):
        points = vertices[choice]
        reach = (1.0 if place > 8 else -1.0) * points[:, 0]
        reach[0] += 0.02  # stay unless another one stands out clearly
        weight = np.exp((reach - reach.max()) / 0.006)
        moved[place] = weight @ points / weight.sum()
    return moved


def align_quad(points: np.ndarray) -> np.ndarray:
    """STIT's quad (4, 2: top left, bottom left, bottom right, top right) of landmarks (68, 2), y down.

    Source: Karras et al. 2018, appendix C, as STIT uses it.
    """
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    eyes, mouth = (left + right) / 2, (points[48] + points[54]) / 2
    eye_to_eye, eye_to_mouth = right - left, mouth - eyes
    x = eye_to_eye - eye_to_mouth[::-1] * [-1, 1]
    x = x / np.hypot(*x) * max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = x[::-1] * [-1, 1]
    c = eyes + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])
