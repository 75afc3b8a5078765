"""Folds and wrinkles of skin, laid out over the surface of the head so that those of several faces can be compared.

A map of relief is a cylinder around the head, unrolled: columns go around it from ear to ear, rows from the neck to
the crown. What a small generator does not draw, a wrinkle, is learned on it from pictures and laid over other faces.
Source: ours; the parser's places stand for the texture coordinates of a mesh.
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.faces.labels import SKIN, is_one_of
from stit_core.warps import fill, mean_of_channels

SHAPE = (192, 224)  # rows and columns of a map; a row is about a pixel of an aligned crop of 256
AXIS = 0.1  # of places, how far the cylinder's axis lies before the middle of the head
AROUND = 3.0  # radians from the first column to the last
TOP, HEIGHT = 0.95, 1.8  # of places, of the first row and from it to the last
FINE, COARSE = 0.6, 3.5  # pixels of a crop of 256: deviations of the Gaussians between which relief lies
DARKNESS = 10.0  # grey levels added before a logarithm is taken
RIM = 5  # pixels along what is no skin that are not looked at
SOFT = 0.7  # pixels of a map over which it is smoothed
SEEN = 0.3  # pixels of a crop in a pixel of the map, under which it was not seen


def read_relief(picture: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The relief of skin in a picture: logarithms of brightness between two blurs, and where it is known.

    A nose is left out: its shading is shape.

    Parameters
    ----------
    picture: (S, S, 3) uint8. labels: (S, S), the parser's classes.

    Returns
    -------
    relief (S, S) float32, and 1 or 0 (S, S) float32: whether it is known there.
    """
    known = cv2.erode(is_one_of(labels, (SKIN,)), np.ones((RIM, RIM), np.uint8))
    light = np.log(mean_of_channels(picture)[..., None] + np.float32(DARKNESS))
    light = fill(light, known)[..., 0] if known.any() else light[..., 0]
    scale = picture.shape[0] / 256
    fine, coarse = (cv2.GaussianBlur(light, (0, 0), blur * scale) for blur in (FINE, COARSE))
    return fine - coarse, known


def unroll(values: np.ndarray, known: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of a picture (S, S) laid out over the head: map float32 and whether it was seen, bool, both SHAPE.

    Parameters
    ----------
    known: (S, S), above 0 where the values count. places: (h, h, 3), see faces.Reading.
    """
    columns, rows = _place_on_map(places, values.shape[0])
    inside = (known > 0) & (rows >= 0) & (rows < SHAPE[0]) & (columns >= 0) & (columns < SHAPE[1])
    where = rows[inside].astype(int), columns[inside].astype(int)
    total, weight = np.zeros(SHAPE), np.zeros(SHAPE)
    np.add.at(total, where, values[inside])
    np.add.at(weight, where, 1.0)
    mean, share = (cv2.GaussianBlur(part, (0, 0), SOFT) for part in (total, weight))
    return (mean / np.maximum(share, 1e-6)).astype(np.float32), share > SEEN


def lay_over(relief: np.ndarray, places: np.ndarray | None, head: np.ndarray | None, size: int) -> np.ndarray:
    """A map laid over a face whose places are read, see faces.Reading: (size, size) float32, 0 off the head.

    The map's shape is SHAPE or so many times that.
    """
    if places is None or head is None:
        return np.zeros((size, size), np.float32)
    columns, rows = _place_on_map(places, size)
    finer = np.float32(relief.shape[0] / SHAPE[0])
    laid = cv2.remap(relief.astype(np.float32), columns * finer - 0.5, rows * finer - 0.5, cv2.INTER_LINEAR)
    return laid * cv2.resize(head.astype(np.float32), (size, size))


def _place_on_map(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows (size, size) float32 of a map that each pixel of a picture shows."""
    x, y, z = cv2.split(cv2.resize(places.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR))
    columns = (np.arctan2(x, z - AXIS) / AROUND + 0.5) * SHAPE[1]
    return columns, (TOP - y) / HEIGHT * SHAPE[0]
