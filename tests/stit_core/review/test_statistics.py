"""Statistics against oracles: scipy's exact permutation test, figures from the literature, simulated cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stit_core.review import statistics
from stit_core.review.statistics import (
    FEWEST,
    benjamini_hochberg,
    difference_intervals,
    holm,
    mean_intervals,
    permutation_p,
    rate_interval,
    widened,
)


def test_intervals_cover_what_they_claim() -> None:
    rng = np.random.default_rng(5)
    for count, least in ((FEWEST, 0.91), (15, 0.93), (40, 0.93)):
        samples = rng.normal(2.0, 3.0, (1500, count))
        covered = np.mean([interval.low <= 2.0 <= interval.high for interval in mean_intervals(samples)])
        assert least <= covered <= 0.975


def test_intervals_of_skewed_figures_hardly_cover_less() -> None:
    samples = np.random.default_rng(6).gamma(2.0, 1.0, (1500, 20))
    covered = np.mean([interval.low <= 2.0 <= interval.high for interval in mean_intervals(samples)])
    assert 0.92 <= covered <= 0.97


def test_differences_cover_what_they_claim() -> None:
    rng = np.random.default_rng(7)
    first, second = rng.normal(1.0, 2.0, (400, 12)), rng.normal(0.0, 1.0, (400, 40))
    covered = np.mean([interval.low <= 1.0 <= interval.high for interval in difference_intervals(first, second)])
    assert 0.92 <= covered <= 0.98


def test_without_widening_small_groups_would_be_too_sure() -> None:
    assert widened(FEWEST) > 0.985
    assert widened(10_000) == pytest.approx(0.95, abs=1e-3)


def test_few_people_have_no_interval() -> None:
    few, many = mean_intervals(np.stack([np.r_[np.arange(FEWEST - 1.0), np.full(3, np.nan)], np.arange(10.0)]))
    assert (few.value, few.known, few.count) == (3.0, False, FEWEST - 1)
    assert many.known
    assert math.isnan(mean_intervals(np.full((1, 9), np.nan))[0].value)


def test_figures_that_never_change_have_an_interval_of_one_point() -> None:
    interval = mean_intervals(np.full((1, 12), 4.0))[0]
    assert (interval.value, interval.low, interval.high) == (4.0, 4.0, 4.0)


def test_rates_are_wilsons() -> None:
    found = rate_interval(1, 10)  # Newcombe 1998, Statistics in Medicine 17, method 3
    assert (found.low, found.high) == pytest.approx((0.0179, 0.4042), abs=1e-4)
    none = rate_interval(0, 5)
    assert none.low == 0.0
    assert none.high == pytest.approx(0.4345, abs=1e-4)
    assert math.isnan(rate_interval(0, 0).value)


def test_permutations_agree_with_scipys(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(3, 14))
    values[0, :5] += 1.5
    members = np.zeros((1, 14), bool)
    members[0, :5] = True
    exact = [
        stats.permutation_test(
            (row[:5], row[5:]),
            lambda a, b, axis: np.abs(np.mean(a, axis=axis) - np.mean(b, axis=axis)),
            permutation_type="independent",
            alternative="greater",
            vectorized=True,
            n_resamples=np.inf,
        ).pvalue
        for row in values
    ]
    monkeypatch.setattr(statistics, "PERMUTATIONS", 40_000)
    assert permutation_p(values, members)[:, 0] == pytest.approx(exact, abs=0.01)


def test_permutations_leave_out_whom_nobody_knows() -> None:
    values = np.array([[1.0, 2.0, 3.0, np.nan, 5.0, 6.0]])
    members = np.array([[True, True, False, True, False, False], [False, False, False, True, False, False]])
    p = permutation_p(values, members)
    assert 0 < p[0, 0] <= 1
    assert math.isnan(p[0, 1])  # its only member is unknown


def test_p_values_are_even_where_nothing_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "PERMUTATIONS", 999)
    values = np.random.default_rng(2).normal(size=(400, 24))
    members = np.zeros((1, 24), bool)
    members[0, ::2] = True
    p = permutation_p(values, members)[:, 0]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_corrections_are_those_of_the_books() -> None:
    p = np.array([0.01, 0.04, 0.03, math.nan, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, math.nan, 0.02], nan_ok=True)
    known = p[np.isfinite(p)]
    assert benjamini_hochberg(p)[np.isfinite(p)] == pytest.approx(stats.false_discovery_control(known))
    assert math.isnan(benjamini_hochberg(p)[3])


def test_the_same_seed_gives_the_same() -> None:
    values = np.random.default_rng(3).normal(size=(2, 20))
    members = np.arange(20)[None] < 9
    assert mean_intervals(values, 4) == mean_intervals(values, 4)
    assert (permutation_p(values, members, 4) == permutation_p(values, members, 4)).all()
