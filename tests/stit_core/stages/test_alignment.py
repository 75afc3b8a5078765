from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stit_core.config import AlignmentConfig
from stit_core.errors import ArtefactMismatchError, Cancelled, FaceError
from stit_core.runtime import Runtime
from stit_core.stages.alignment import align, fit_quads, jitter_by_frame, stretches
from tests.support.geometry_cases import REFERENCE, clip_of, landmarks_of, levels_apart, reference_frame, stopping_at

POINTS = REFERENCE["landmarks"]
ALL = tuple(range(12))


def jitter(quads: np.ndarray) -> float:
    """Mean acceleration of the quads' centre inside one stretch."""
    return float(jitter_by_frame(quads, tuple(range(len(quads))))[1:-1].mean())


def test_align_gives_the_reference_crops(tmp_path: Path) -> None:
    clip = clip_of([reference_frame(t) for t in range(12)], tmp_path / "frames")
    points = POINTS.copy()
    steps: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: steps.append(step))
    alignment = align(clip, landmarks_of(ALL, points, 12), AlignmentConfig(), 256, runtime, tmp_path / "crops")
    np.testing.assert_allclose(alignment.quads, REFERENCE["quads_default"], atol=1e-6, rtol=0)
    assert levels_apart(alignment.crops.read(7), REFERENCE["crop_7"]) <= 1
    assert alignment.frame_indices == ALL
    assert (alignment.size, alignment.clip_hash) == (256, clip.hash)
    assert steps == [("align", done, 12) for done in range(1, 13)]
    np.testing.assert_array_equal(points, POINTS)


def test_smoothing_does_not_reach_across_a_gap() -> None:
    frames = (0, 1, 2, 3, 7, 8, 9, 10)
    points = np.concatenate([POINTS[:4], POINTS[4:8] + 300.0])
    together = fit_quads(landmarks_of(frames, points, 11), AlignmentConfig())
    first = fit_quads(landmarks_of(frames[:4], points[:4], 11), AlignmentConfig())
    second = fit_quads(landmarks_of(frames[4:], points[4:], 11), AlignmentConfig())
    np.testing.assert_array_equal(together, np.concatenate([first, second]))


def test_stretches_split_at_missing_frames() -> None:
    parts = [list(range(10))[part] for part in stretches((3, 4, 5, 9, 11, 12))]
    assert parts == [[0, 1, 2], [3], [4, 5]]


def test_scale_grows_the_quad_about_its_centre() -> None:
    landmarks = landmarks_of(ALL, POINTS, 12)
    plain, grown = fit_quads(landmarks, AlignmentConfig()), fit_quads(landmarks, AlignmentConfig(scale=1.5))
    middle = plain.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(grown, middle + 1.5 * (plain - middle), atol=1e-9)


def test_jitter_is_the_mean_acceleration() -> None:
    steady = np.arange(10.0)[:, None, None] * np.array([3.0, -2.0]) + np.zeros((10, 4, 2))
    assert jitter(steady) == pytest.approx(0.0, abs=1e-12)
    shaken = steady.copy()
    shaken[5] += [3.0, 4.0]
    assert jitter(shaken) == pytest.approx((5 + 10 + 5) / 8)
    assert jitter_by_frame(steady[:2], (0, 1)).tolist() == [0.0, 0.0]


def test_smoothing_lowers_the_jitter() -> None:
    noisy = landmarks_of(ALL, POINTS + np.random.default_rng(0).normal(0, 2, size=(12, 1, 2)), 12)
    rough = fit_quads(noisy, AlignmentConfig(center_sigma=0.0, xy_sigma=0.0))
    assert jitter(fit_quads(noisy, AlignmentConfig())) < 0.5 * jitter(rough)


def test_no_face_at_all_is_refused() -> None:
    with pytest.raises(FaceError, match="No frame"):
        fit_quads(landmarks_of((), np.zeros((0, 68, 2)), 3), AlignmentConfig())


@pytest.mark.parametrize("value", [np.nan, 5.0])
def test_points_that_form_no_face_are_refused_by_frame(value: float) -> None:
    points = POINTS[:3].copy()
    points[1] = value
    with pytest.raises(FaceError, match="frame 21"):
        fit_quads(landmarks_of((20, 21, 22), points, 23), AlignmentConfig())


def test_landmarks_of_another_clip_are_refused(tmp_path: Path) -> None:
    clip = clip_of([reference_frame(0)], tmp_path / "frames")
    landmarks = landmarks_of((0,), POINTS[:1], 1, clip_hash="b" * 64)
    with pytest.raises(ArtefactMismatchError):
        align(clip, landmarks, AlignmentConfig(), 64, Runtime(), tmp_path / "crops")


def test_a_stop_leaves_whole_crops_only(tmp_path: Path) -> None:
    clip = clip_of([reference_frame(t % 4) for t in range(40)], tmp_path / "frames")
    landmarks = landmarks_of(tuple(range(40)), np.concatenate([POINTS[:4]] * 10), 40)
    whole = align(clip, landmarks, AlignmentConfig(), 64, Runtime(), tmp_path / "whole")
    with pytest.raises(Cancelled):
        align(clip, landmarks, AlignmentConfig(), 64, stopping_at(2), tmp_path / "crops")
    left = sorted(file.name for file in (tmp_path / "crops").iterdir())
    assert left[:2] == ["000000.png", "000001.png"]
    assert len(left) <= 2 + 2 * torch.get_num_threads()
    for name in left:
        assert (tmp_path / "crops" / name).read_bytes() == (whole.crops.path / name).read_bytes()


def test_jitter_by_frame_is_what_its_mean_is_made_of() -> None:
    quads = np.cumsum(np.random.default_rng(0).normal(size=(9, 4, 2)), axis=0)
    found = jitter_by_frame(quads, tuple(range(9)))
    assert found.shape == (9,)
    assert (found[0], found[-1]) == (0, 0)
    centre = quads.mean(axis=1)
    slow = [np.hypot(*(centre[t + 1] - 2 * centre[t] + centre[t - 1])) for t in range(1, 8)]
    np.testing.assert_allclose(found[1:-1], slow)


def test_jitter_does_not_reach_across_a_gap() -> None:
    quads = np.zeros((7, 4, 2))
    quads[3:] = 100.0
    assert jitter_by_frame(quads, (0, 1, 2, 8, 9, 10, 11)).max() == 0
    assert jitter_by_frame(quads, tuple(range(7))).max() > 0
