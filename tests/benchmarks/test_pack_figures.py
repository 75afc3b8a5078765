"""The figures of a pack: groups and their distance, IoU from pixels, landmark errors; the curves of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.groups import FIGURES, choose_evenly, compare_groups, group_indices, group_table, shortfall
from benchmarks.pack import CLASSES, class_iou, landmark_error
from recipes.training.plots import draw_curves, read_curves, read_training, ticks, write_plots

NAMES = ("african", "asian", "caucasian", "gender", "age", "skin_tone")


def heads(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, len(NAMES)))


def test_heads_fall_into_the_groups_of_their_attributes() -> None:
    rows = np.array([[0.5, 0.2, 0.3, 0.49, 0.0, 1.0], [0.1, 0.2, 0.7, 0.5, 0.34, 0.3], [0, 1, 0, 1, 1, 0.5]])
    found = {name: member.tolist() for name, (_, member) in group_indices(rows, NAMES).items()}
    assert found == {
        "ethnicity shape": [0, 2, 1],
        "gender": [0, 1, 1],
        "age": [0, 1, 2],
        "skin tone": [2, 0, 1],
    }


def test_shortfall_is_a_share_of_the_best() -> None:
    assert shortfall([20.0, 25.0, 22.0], more_is_better=True) == pytest.approx(20.0)
    assert shortfall([4.0, 5.0, float("nan")], more_is_better=False) == pytest.approx(25.0)
    assert np.isnan(shortfall([4.0], more_is_better=False))


def test_comparison_leaves_out_what_was_not_found() -> None:
    groupings = {"gender": (("a", "b"), np.array([0, 0, 1, 1]))}
    found = {figure.key: np.array([1.0, 3.0, 2.0, np.nan]) for figure in FIGURES}
    result = compare_groups(found, groupings)["gender"]
    assert result["groups"]["a"]["psnr"] == result["groups"]["b"]["psnr"] == 2.0
    assert result["within_15_percent"] == {"psnr": True, "landmark_error": True, "id_cosine": True}
    assert group_table({"gender": result}).count("\n") == 4


def test_pictures_of_the_sheet_are_spread_over_all_groups() -> None:
    groupings = group_indices(heads(500), NAMES)
    chosen = choose_evenly(groupings, 12)
    assert len(set(chosen)) == 12
    for names, member in groupings.values():
        counts = np.bincount(member[chosen], minlength=len(names))
        assert counts.max() - counts.min() <= 2
    assert len(choose_evenly(group_indices(heads(5), NAMES), 12)) == 5


def test_iou_counts_classes_that_occur() -> None:
    pixels = np.zeros((19, 19), np.int64)
    pixels[0, 0], pixels[0, 1], pixels[1, 1], pixels[1, 18] = 6, 2, 3, 1
    assert class_iou(pixels) == {CLASSES[0]: 6 / 8, CLASSES[1]: 3 / 6}


def test_landmark_error_is_in_per_cent_of_the_eyes_distance() -> None:
    points = np.zeros((68, 2))
    points[36:42, 0], points[42:48, 0] = -25, 25
    assert landmark_error(points, points + np.array([3, 4])) == pytest.approx(10.0)
    assert np.isnan(landmark_error(points, None))


def test_curves_go_on_where_the_phase_before_ended(tmp_path: Path) -> None:
    (tmp_path / "late.csv").write_text("step,minutes,psnr\n1,1,20\n2,2,21\n")
    (tmp_path / "early.csv").write_text("step,minutes,psnr\n5,3,10\n9,5,12\n")
    (tmp_path / "early_loss.csv").write_text("step,minutes,loss\n5,3,0.5\n9,6,0.4\n")
    curves = read_training(tmp_path, ["early", "late"])
    assert [(c.phase, c.figure, c.minutes.tolist()) for c in curves] == [
        ("early", "psnr", [3, 5]),
        ("early", "loss", [3, 6]),
        ("late", "psnr", [7, 8]),
    ]
    assert write_plots(tmp_path, tmp_path / "made" / "sheet.png", ["early", "late"])
    assert (tmp_path / "made" / "sheet.png").stat().st_size > 1000


def test_rows_that_a_stopped_run_repeats_count_once(tmp_path: Path) -> None:
    file = tmp_path / "phase.csv"
    file.write_text("step,minutes,psnr\n1,1,20\n2,2,21\n2,1.9,22\n3,2.8,\n4,bro")
    (curve,) = read_curves(file, "phase")
    assert curve.minutes.tolist() == [1, 1.9]
    assert curve.values.tolist() == [20, 22]


def test_no_curve_is_refused_and_ticks_are_round(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no curve"):
        draw_curves([])
    assert not write_plots(tmp_path, tmp_path / "sheet.png", [])
    np.testing.assert_allclose(ticks(0.11, 1.02), [0.2, 0.4, 0.6, 0.8, 1.0])
