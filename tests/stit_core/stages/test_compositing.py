from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from stit_core.artefacts import Alignment, Clip, FrameFolder, Stitched
from stit_core.config import CompositeConfig
from stit_core.errors import ArtefactMismatchError, Cancelled
from stit_core.marks import Mark
from stit_core.runtime import CancelToken, Runtime
from stit_core.stages.compositing import composite, feather_mask, feather_radius, paste
from tests.support.geometry_cases import CLIP_HASH, KEPT_EVERY, REFERENCE, clip_of, levels_apart, reference_frame

FRAME, QUAD, CROP = reference_frame(7), REFERENCE["quads_default"][7], 255 - REFERENCE["crop_7"]
MASK = REFERENCE["paste_mask_in"]
PERSON = 3  # whatever number


@pytest.mark.parametrize(
    ("name", "mask", "radius"),
    [("paste_plain", None, 0), ("paste_mask_r0", MASK, 0), ("paste_mask_r12", MASK, 12)],
)
def test_pasting_agrees_with_the_reference(name: str, mask: np.ndarray | None, radius: int) -> None:
    frame, crop = FRAME.copy(), CROP.copy()
    step = KEPT_EVERY[name]
    pasted = paste(frame, crop, QUAD, mask, radius)
    assert levels_apart(pasted[::step, ::step], REFERENCE[name]) <= 1
    np.testing.assert_array_equal(frame, FRAME)
    np.testing.assert_array_equal(crop, 255 - REFERENCE["crop_7"])


def test_outside_the_mask_the_frame_is_the_source_to_the_bit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, FRAME.shape).astype(np.uint8)
    mask = np.zeros((256, 256), dtype=np.uint8)
    mask[100:150, 60:190] = 255
    pasted = paste(noise, CROP, QUAD, mask)
    center, x, y = QUAD.mean(axis=0), (QUAD[3] - QUAD[0]) / 256, (QUAD[1] - QUAD[0]) / 256
    rows, columns = np.mgrid[:480, :640]
    offset = np.stack([columns, rows], axis=-1) - center
    across, down = offset @ x / (x @ x) + 128, offset @ y / (y @ y) + 128
    outside = (across < 58) | (across > 192) | (down < 98) | (down > 152)
    np.testing.assert_array_equal(pasted[outside], noise[outside])
    inside = (across > 62) & (across < 188) & (down > 102) & (down < 148)
    assert (pasted[inside] != noise[inside]).mean() > 0.9


def test_pasting_a_crop_back_where_it_came_from_restores_the_frame() -> None:
    pasted = paste(FRAME, REFERENCE["crop_7"], QUAD, MASK, 12)
    assert levels_apart(pasted, FRAME) <= 3


def test_a_quad_that_leaves_the_frame_is_pasted_in_part() -> None:
    pasted = paste(FRAME, np.zeros_like(CROP), REFERENCE["quad_edge"])
    assert (pasted[20, 30] == 0).all()
    np.testing.assert_array_equal(pasted[:, 400:], FRAME[:, 400:])


def test_a_quad_beside_the_frame_changes_nothing() -> None:
    np.testing.assert_array_equal(paste(FRAME, CROP, QUAD + 2000.0), FRAME)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="mask"):
        paste(FRAME, CROP, QUAD, MASK[:64, :64])


def slow_feather(mask: np.ndarray, radius: int) -> np.ndarray:
    """The same in plain loops: erosion by a square, then a sampled Gaussian with mirrored edges."""
    size = len(mask)
    padded = np.pad(mask, radius)
    eroded = np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            eroded[y, x] = padded[y : y + 2 * radius + 1, x : x + 2 * radius + 1].min()
    sigma = 0.3 * (radius - 1) + 0.8
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    mirrored = np.pad(eroded, radius, mode="reflect")
    blurred = np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            blurred[y, x] = (mirrored[y : y + 2 * radius + 1, x : x + 2 * radius + 1] * kernel).sum()
    return blurred


@pytest.mark.parametrize("radius", [1, 4, 7])
def test_feathering_equals_a_loop_and_stays_within_the_mask(radius: int) -> None:
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[3:40, 10:33] = 255
    feathered = feather_mask(mask, radius)
    assert np.abs(feathered - slow_feather(mask, radius)).max() <= 2
    assert not feathered[mask == 0].any()


People = dict[int, tuple[Alignment, Stitched]]
Case = tuple[Clip, People, Callable[[int, np.ndarray, Mapping[int, np.ndarray]], np.ndarray]]


def case(folder: Path) -> Case:
    """A clip of five frames whose face is missing in frames 0 and 3, and a plain way to paste."""
    clip = clip_of([reference_frame(t) for t in range(5)], folder / "frames")
    frames = (1, 2, 4)
    crops = FrameFolder(folder / "stitched", frames)
    for frame in frames:
        crops.write(frame, CROP)
    quads = REFERENCE["quads_default"][list(frames)]
    nothing = np.zeros(3)
    alignment = Alignment(CLIP_HASH, frames, quads, FrameFolder(folder / "crops", frames), 256)

    def paste_faces(frame: int, picture: np.ndarray, faces: Mapping[int, np.ndarray]) -> np.ndarray:
        radius = feather_radius(CompositeConfig(), 50, 256)
        return paste(picture, faces[PERSON], quads[frames.index(frame)], MASK, radius)

    stitched = Stitched(CLIP_HASH, frames, crops, nothing, nothing, nothing)
    return clip, {PERSON: (alignment, stitched)}, paste_faces


def test_every_frame_comes_out_in_order(tmp_path: Path) -> None:
    clip, people, paste_faces = case(tmp_path)
    steps: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: steps.append(step))
    results = list(composite(clip, people, paste_faces, None, runtime))
    assert len(results) == 5
    for frame in (0, 3):
        np.testing.assert_array_equal(results[frame], reference_frame(frame))
    for position, frame in enumerate((1, 2, 4)):
        # half of the outer dilation of 50, counted at 1024 px: 6 px at 256
        expected = paste(reference_frame(frame), CROP, people[PERSON][0].quads[position], MASK, 6)
        np.testing.assert_array_equal(results[frame], expected)
    assert steps == [("composite", done, 5) for done in range(1, 6)]


def test_feathering_is_a_setting() -> None:
    assert feather_radius(CompositeConfig(), 50, 256) == 6
    assert feather_radius(CompositeConfig(), 96, 256) == 12
    assert feather_radius(CompositeConfig(feather=0.0), 50, 256) == 0


def test_artefacts_that_do_not_belong_together_are_refused_before_the_first_frame(tmp_path: Path) -> None:
    clip, people, paste_faces = case(tmp_path)
    alignment, stitched = people[PERSON]
    wrong = [
        (dataclasses.replace(clip, hash="b" * 64), stitched),
        (clip, dataclasses.replace(stitched, clip_hash="b" * 64)),
        (clip, dataclasses.replace(stitched, frame_indices=(1, 2, 3))),
    ]
    for other_clip, other_stitched in wrong:
        with pytest.raises(ArtefactMismatchError):
            composite(other_clip, {PERSON: (alignment, other_stitched)}, paste_faces, None, Runtime())


def test_a_stop_ends_the_stream(tmp_path: Path) -> None:
    token = CancelToken()
    stream = composite(*case(tmp_path), None, Runtime(cancel=token))
    next(stream)
    token.set()
    with pytest.raises(Cancelled):
        next(stream)


def centred(side: float) -> np.ndarray:
    """An upright quad around the middle of a 300 px frame."""
    half = side / 2
    return np.array([[-half, -half], [-half, half], [half, half], [half, -half]]) + 150.0


def test_a_growing_face_does_not_change_in_sharpness_at_once() -> None:
    rows, columns = np.mgrid[:256, :256]
    texture = (127.5 + 90 * np.sin(columns / 2.6) * np.cos(rows / 3.1)).astype(np.uint8)
    crop, frame = texture[..., None].repeat(3, axis=2), np.full((300, 300, 3), 127, np.uint8)
    sides = np.arange(60.0, 150.0, 0.5)
    contrast = np.array([paste(frame, crop, centred(side))[125:175, 125:175].std() for side in sides])
    assert np.abs(np.diff(contrast)).max() < 1.5


def test_a_crop_pasted_small_is_averaged_not_sampled() -> None:
    rows, columns = np.mgrid[:256, :256]
    crop = ((rows + columns) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    pasted = paste(np.zeros((300, 300, 3), np.uint8), crop, centred(61.0))[130:170, 130:170]
    assert pasted.std() < 3
    assert pasted.mean() == pytest.approx(127.5, abs=1.5)


def test_every_frame_is_marked_where_that_is_wanted_and_only_in_its_corner(tmp_path: Path) -> None:
    parts = case(tmp_path)
    plain = list(composite(*parts, None, Runtime()))
    marked = list(composite(*parts, Mark(), Runtime()))
    height, width = plain[0].shape[:2]
    for before, after in zip(plain, marked, strict=True):
        changed = np.argwhere((before != after).any(axis=2))
        assert len(changed) > 50
        assert changed[:, 0].min() > 0.8 * height
        assert changed[:, 1].min() > 0.4 * width
