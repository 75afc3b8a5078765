"""What pixels show of the head: places and true motion of a small mesh, against what can be said by hand."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from recipes.heads.raster import EMPTY, raster_triangles
from recipes.heads.renderer import FACTOR, Camera
from recipes.heads.tracing import Trace, resolve_places, to_places, true_motion

MAKEHUMAN = os.environ.get("STIT_MAKEHUMAN")
SIZE = 32
CAMERA = Camera(10.0, 0.0, np.array([[0.25, 0, 0.5], [0, 0.25, 0.5]]))
# A large square that faces the camera, and a small one that hides its middle from nearer.
SQUARE = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
CORNERS = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
NO_STRANDS = np.zeros((0, 3))


def trace_of(points: np.ndarray, faces: np.ndarray = CORNERS) -> Trace:
    side = SIZE * FACTOR
    depth, owner = np.zeros((side, side), np.float32), np.full((side, side), EMPTY, np.int32)
    bary = np.zeros((side, side, 2), np.float32)
    trace = Trace(owner, bary, faces, np.zeros(len(faces), bool), points, NO_STRANDS, CAMERA)
    raster_triangles(trace.projected()[0], faces, 0, depth, owner, bary, True)
    return trace


def test_places_agree_with_projected_vertices() -> None:
    tilted = SQUARE + np.array([[0, 0, 0.0], [0, 0, 1.5], [0, 0, 1.5], [0, 0, 0]])  # perspective counts
    trace = trace_of(tilted)
    labels = np.where(trace.owner == EMPTY, 0, 1).astype(np.uint8)
    small = np.zeros((SIZE, SIZE, 3), np.float32)
    near = trace.projected()[0][:, 2]
    few = labels[::FACTOR, ::FACTOR]
    resolve_places(trace.owner, trace.bary, near, CORNERS, tilted, NO_STRANDS, labels, FACTOR, few, small)
    y, x = np.argwhere(few == 1)[::7].T
    back = CAMERA.project(small[y, x].astype(float))[:, :2] * SIZE - 0.5
    whole = np.array(
        [
            (labels[FACTOR * j : FACTOR * j + 2, FACTOR * i : FACTOR * i + 2] == 1).all()
            for j, i in zip(y, x, strict=True)
        ]
    )
    np.testing.assert_allclose(back[whole], np.stack([x, y], 1)[whole], atol=0.02)
    assert (small[few == 0] == 0).all()


def test_a_shift_moves_every_pixel_alike() -> None:
    motion = true_motion(trace_of(SQUARE), trace_of(SQUARE + np.array([0.4, 0.2, 0.0])), FACTOR)
    known = ~np.isnan(motion[..., 0])
    assert 200 < known.sum() < 320  # the square is 16 x 16
    # Of a picture 4 decimetres wide, y up: 0.4 to the right are 3.2 pixels of 32, 0.2 up are 1.6.
    np.testing.assert_allclose(motion[known], np.broadcast_to([3.2, -1.6], (known.sum(), 2)), atol=1e-3)


def test_hidden_and_frozen_points_have_no_motion() -> None:
    faces = np.concatenate([CORNERS, CORNERS + 4]).astype(np.int32)
    far, near = np.concatenate([SQUARE, 0.3 * SQUARE + [5.0, 0, 2]]), np.concatenate([SQUARE, 0.3 * SQUARE + [0, 0, 2]])
    free, hiding = trace_of(far, faces), trace_of(near, faces)
    motion = true_motion(free, hiding, FACTOR)
    assert np.isnan(motion[14:18, 14:18]).all()
    assert not np.isnan(motion[10, 10:22]).any()
    frozen = dataclasses.replace(free, frozen=np.ones(4, bool))
    assert np.isnan(true_motion(frozen, hiding, FACTOR)).all()


def test_other_strands_are_refused() -> None:
    other = dataclasses.replace(trace_of(SQUARE), strand_position=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="family of hair"):
        true_motion(trace_of(SQUARE), other, FACTOR)


def test_places_are_about_one() -> None:
    np.testing.assert_allclose(to_places(np.array([[1.25, 0.2, -1.25]])), [[1, 0, -1]])


@pytest.mark.skipif(MAKEHUMAN is None, reason="STIT_MAKEHUMAN does not name the MakeHuman data folder")
def test_rendered_places_are_the_same_where_motion_leads() -> None:
    import cv2

    from recipes.heads.parameters import from_latent
    from recipes.heads.renderer import Renderer
    from recipes.heads.surface import L_SKIN
    from recipes.labels import fixed
    from recipes.render_dataset import latent_of
    from recipes.render_pairs import render_pair

    head = from_latent(latent_of(3, 0))
    heads = fixed(head, {"smile": 0.0}), fixed(head, {"smile": 0.85})
    one, two, motion = render_pair(Renderer(Path(str(MAKEHUMAN))), *heads, 128, False)
    y, x = np.mgrid[:128, :128].astype(np.float32)
    known = ~np.isnan(motion[..., 0]) & (one.labels == L_SKIN)
    moved = np.nan_to_num(motion)
    there = cv2.remap(two.coordinates, x + moved[..., 0], y + moved[..., 1], cv2.INTER_LINEAR)
    assert np.median(np.abs(there - one.coordinates)[known]) < 0.001
    assert np.linalg.norm(motion[known], axis=1).max() > 1
