"""Expression: figures of landmarks, the fit in a linear world, frames between key frames, its part in tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stit_core.config import TuningConfig
from stit_core.errors import BudgetSpent, Cancelled
from stit_core.fitting import expression
from stit_core.fitting.expression import expression_figures, fit_expression, predict
from stit_core.fitting.key_frames import key_rows, steady
from stit_core.runtime import Runtime
from stit_core.stages.tuning import tune
from tests.support.stage_cases import alignment_of, pivots_of, tiny_generator

FRAMES = 9


def drawn_points() -> np.ndarray:
    """Points whose figures are known: eyes 100 apart, lips 20, lids 12, corners 5 over the middle, brows 40 over."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (100, 100), (200, 100)
    for upper, lower in expression.LIDS:
        points[upper, 1], points[lower, 1] = 94, 106
    points[17:27] = (150, 60)
    points[48], points[54] = (110, 195), (190, 195)
    points[51], points[57] = (150, 180), (150, 220)
    for upper, lower in expression.LIPS:
        points[upper], points[lower] = (150, 190), (150, 210)
    return points


def test_figures_are_those_that_were_drawn():
    np.testing.assert_allclose(expression_figures(drawn_points()), [0.2, 0.05, 0.8, 0.12, 0.4], atol=1e-12)


def test_figures_do_not_depend_on_place_size_and_tilt_of_the_face():
    points = drawn_points()
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    found = expression_figures(0.37 * points @ turn.T + [31, -12])
    np.testing.assert_allclose(found, expression_figures(points), atol=1e-12)


def test_predict_finds_a_linear_rule_and_keeps_to_the_mean_where_nothing_is_known():
    rng = np.random.default_rng(0)
    rule = rng.normal(size=(5, 2))
    known, other = 30 * rng.normal(size=(12, 5)), 30 * rng.normal(size=(4, 5))
    np.testing.assert_allclose(predict(known, known @ rule + 1, other), other @ rule + 1, atol=0.3)
    still = np.tile(known[:1], (12, 1))
    np.testing.assert_allclose(predict(still, np.full((12, 2), 0.7), other), np.full((4, 2), 0.7))


@pytest.fixture
def linear(monkeypatch, tmp_path):
    """A world in which figure i of a picture is 0.1 times coordinate i of w's first row, and crops have a blink."""
    wanted = np.tile([0.2, 0.1, 0.8, 0.3, 0.4], (FRAMES, 1))
    wanted[1::3, 0] = 0.4  # lips that open and shut
    wanted[::4, 3] = 0.1  # lids at key frames
    wanted[5, 3] = 0.1  # a blink between two of them
    pictures = iter(wanted)
    monkeypatch.setattr(expression, "draw_faces", lambda _, w_plus, __: 0.1 * w_plus[:, 0, :5].numpy())
    monkeypatch.setattr(expression, "landmark_finder", lambda: lambda x: next(pictures) if x.ndim == 3 else x)
    monkeypatch.setattr(expression, "expression_figures", lambda x: x.astype(np.float64))
    alignment = alignment_of(torch.zeros(FRAMES, 3, 16, 16), tmp_path / "crops")
    vectors = torch.zeros(5, 6, 512)
    vectors[range(5), 0, range(5)] = 1.0
    pivots = torch.zeros(FRAMES, 6, 512)
    pivots[:, 0, :5] = torch.tensor([3.0, 1.0, 8.0, 2.5, 4.0])  # an encoder that sees none of it
    return alignment, pivots, vectors, wanted


def test_key_frames_take_the_expression_of_their_crops_and_so_do_the_others(linear):
    alignment, pivots, vectors, wanted = linear
    before = pivots.clone()
    rows = key_rows(FRAMES, 5)
    assert 5 not in rows
    found = fit_expression(alignment, pivots, rows, None, vectors, 2.0, Runtime())
    reached = 0.1 * found[:, 0, :5].numpy()
    assert torch.equal(pivots, before)
    assert torch.equal(found[:, 1:], before[:, 1:])
    assert torch.equal(found[..., 5:], before[..., 5:])
    for figure in (0, 3):
        gap = np.abs(reached[:, figure] - wanted[:, figure])
        start = np.abs(0.1 * before[:, 0, figure].numpy() - wanted[:, figure])
        assert (gap < 0.4 * start).all()


def test_no_factor_goes_beyond_three_times_the_reach(linear):
    alignment, pivots, vectors, _ = linear
    found = fit_expression(alignment, pivots, key_rows(FRAMES, 5), None, vectors, 0.2, Runtime())
    assert 0.3 < float((found - pivots).abs().max()) <= 0.6001


def test_a_stop_is_heard(linear):
    alignment, pivots, vectors, _ = linear
    runtime = Runtime()
    runtime.cancel.set()
    with pytest.raises(Cancelled):
        fit_expression(alignment, pivots, key_rows(FRAMES, 5), None, vectors, 1.0, runtime)


def test_tuning_begins_with_the_expression_where_settings_and_directions_ask_for_it(monkeypatch, tmp_path):
    class Nothing:
        def features(self, images):
            return [images]

        def distance(self, features_a, _):
            return features_a[0].mean(dim=(1, 2, 3)) * 0

    net = tiny_generator()
    w_plus = torch.randn(FRAMES, net.num_ws, 512)
    alignment = alignment_of(torch.zeros(FRAMES, 3, 16, 16), tmp_path / "crops")
    asked = []

    def fit(crops, pivots, rows, generator, vectors, reach, runtime):
        asked.append((crops, rows.tolist(), generator, reach, runtime.seed))
        return pivots + vectors.sum(dim=0)

    monkeypatch.setattr("stit_core.stages.tuning.fit_expression", fit)
    vectors = torch.ones(2, net.num_ws, 512)
    for name, reach, given, shift in (("off", 0.0, vectors, 0.0), ("none", 0.5, None, 0.0), ("on", 0.5, vectors, 2.0)):
        (tmp_path / name).mkdir()
        config = TuningConfig(passes=0, key_frames=3, smoothing=1.0, expression=reach)
        found = tune(alignment, pivots_of(alignment, w_plus), net, Nothing(), config, Runtime(), tmp_path / name, given)
        torch.testing.assert_close(found.w_plus, steady(w_plus + shift, alignment.frame_indices, 1.0))
    assert asked == [(alignment, key_rows(FRAMES, 3).tolist(), net, 0.5, 0)]
    (tmp_path / "hurried").mkdir()
    arguments = (alignment, pivots_of(alignment, w_plus), net, Nothing(), config, Runtime(spent=lambda: True))
    with pytest.raises(BudgetSpent):
        tune(*arguments, tmp_path / "hurried", vectors)
    assert torch.equal(tune(*arguments, tmp_path / "hurried", vectors).w_plus, found.w_plus)
    assert len(asked) == 2, "it is fitted once, however often the tuning is resumed"
