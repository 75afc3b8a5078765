"""Statistics for a few people: intervals, differences of groups, and corrections for asking often.

The unit is the person. Means get bootstrap intervals, rates Wilson's, differences permutation tests. Source: Efron 1987
(BCa), Hesterberg 2015 (its widening for small numbers), Wilson 1927, Holm 1979, Benjamini and Hochberg 1995.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
FEWEST = 8  # people of a group, under which no interval is given
RESAMPLES = 1999  # of a bootstrap
PERMUTATIONS = 99_999
MOST_DRAWS = 60_000_000  # people times permutations: with many people fewer permutations do
BATCH = 4096  # permutations at once
TIE = 1e-9  # relative difference by which a permuted figure still counts as equal


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; the ends are NaN where too few people stand behind it."""

    value: float
    low: float = math.nan
    high: float = math.nan
    count: int = 0

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def widened(count: float, confidence: float = CONFIDENCE) -> float:
    """The confidence at which a bootstrap interval of `count` people covers `confidence`. Source: Hesterberg 2015."""
    quantile = stats.t.ppf(0.5 + confidence / 2, count - 1) * math.sqrt(count / (count - 1))
    return float(1 - 2 * stats.norm.cdf(-quantile))


def mean_intervals(values: np.ndarray, seed: int = 0) -> list[Interval]:
    """Means of rows (M, n), NaN left out, with BCa intervals over people where at least FEWEST are known."""
    return _by_pattern(values, lambda part: _bootstrap((part,), seed))


def difference_intervals(first: np.ndarray, second: np.ndarray, seed: int = 0) -> list[Interval]:
    """Means of rows (M, n) minus those of rows (M, m), NaN left out, with BCa intervals; `count` is the smaller n."""
    found: list[Interval] = []
    for a, b in zip(first, second, strict=True):
        pair = a[np.isfinite(a)], b[np.isfinite(b)]
        if min(map(len, pair)) == 0:
            found.append(Interval(math.nan))
            continue
        found += _bootstrap((pair[0][None], pair[1][None]), seed)
    return found


def _by_pattern(values: np.ndarray, intervals) -> list[Interval]:  # type: ignore[no-untyped-def]
    """Apply a function of rows without NaN to rows (M, n), those that miss the same people together."""
    found = [Interval(math.nan)] * len(values)
    known = np.isfinite(values)
    patterns, inverse = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(inverse.ravel() == number)
        if pattern.any():
            for row, interval in zip(rows, intervals(values[np.ix_(rows, np.flatnonzero(pattern))]), strict=True):
                found[row] = interval
    return found


def _bootstrap(samples: tuple[np.ndarray, ...], seed: int) -> list[Interval]:
    """Intervals of the mean of rows (M, n), or of the difference of two such, without NaN."""
    sizes = [sample.shape[1] for sample in samples]
    values = samples[0].mean(axis=1) - (samples[1].mean(axis=1) if len(samples) > 1 else 0.0)
    count = min(sizes)
    if count < FEWEST:
        return [Interval(float(value), count=count) for value in values]
    flat = np.all([np.ptp(sample, axis=1) == 0 for sample in samples], axis=0)
    found = [Interval(float(value), float(value), float(value), count) for value in values]
    rows = np.flatnonzero(~flat)
    if len(rows):
        confidence = widened(count if len(samples) == 1 else _welch_count(samples))
        result = stats.bootstrap(
            tuple(sample[rows] for sample in samples),
            _mean_difference if len(samples) > 1 else np.mean,
            n_resamples=RESAMPLES,
            axis=-1,
            vectorized=True,
            confidence_level=confidence,
            method="BCa",
            batch=max(1, 2_000_000 // (sum(sizes) * len(rows))),
            rng=np.random.default_rng(seed),
        ).confidence_interval
        for row, low, high in zip(rows, np.atleast_1d(result.low), np.atleast_1d(result.high), strict=True):
            found[row] = Interval(float(values[row]), float(low), float(high), count)
    return found


def _mean_difference(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(first, axis=axis) - np.mean(second, axis=axis)


def _welch_count(samples: tuple[np.ndarray, ...]) -> float:
    """People by whose number a difference of two groups is as uncertain, after Welch; the least over the rows."""
    a, b = (sample.var(axis=1, ddof=1) / sample.shape[1] for sample in samples)
    sizes = [sample.shape[1] - 1 for sample in samples]
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (a + b) ** 2 / (a**2 / sizes[0] + b**2 / sizes[1])
    freedom = freedom[np.isfinite(freedom)]
    return float(freedom.min()) + 1 if len(freedom) else min(sizes) + 1


def rate_interval(hits: int, count: int) -> Interval:
    """A share with Wilson's interval; without people NaN."""
    if count == 0:
        return Interval(math.nan)
    result = stats.binomtest(hits, count).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / count, float(result.low), float(result.high), count)


def permutation_p(values: np.ndarray, members: np.ndarray, seed: int = 0) -> np.ndarray:
    """Two-sided p-values of groups against the rest, by permuting people.

    Parameters
    ----------
    values: (M, n) one row a measure; NaN where nothing is known of a person.
    members: (G, n) bool, who belongs to each group.
    seed: of the permutations, which are the same for all rows and groups.

    Returns
    -------
    (M, G), the share of permutations in which the means of group and rest differ at least as much, the observed one
    counted in; NaN where a side has no known person.
    """
    found = np.full((len(values), len(members)), math.nan)
    known = np.isfinite(values)
    patterns, inverse = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows, people = np.flatnonzero(inverse.ravel() == number), np.flatnonzero(pattern)
        if len(people) > 1:
            found[rows] = _permuted(values[np.ix_(rows, people)], members[:, people], seed)
    return found


def _permuted(values: np.ndarray, members: np.ndarray, seed: int) -> np.ndarray:
    """`permutation_p` without NaN: by sums, since the mean of the rest follows from the group's."""
    count, sizes = values.shape[1], members.sum(axis=1)
    centred = values - values.mean(axis=1, keepdims=True)  # so that a group's sum is its whole difference from the rest
    seen = np.abs(centred @ members.T.astype(np.float64))  # (M, G)
    draws = int(min(PERMUTATIONS, max(999, MOST_DRAWS // count)))
    rng, hits = np.random.default_rng(seed), np.zeros(seen.shape)
    least = seen * (1 - TIE) - TIE * np.abs(centred).max(axis=1, initial=0.0)[:, None]
    weights = members.astype(np.float32)
    for first in range(0, draws, BATCH):
        size = min(BATCH, draws - first)
        order = rng.permuted(np.broadcast_to(np.arange(count), (size, count)), axis=1)
        for group, mask in enumerate(weights):
            sums = centred @ mask[order].T  # (M, size)
            hits[:, group] += (np.abs(sums) >= least[:, group : group + 1]).sum(axis=1)
    p: np.ndarray = (hits + 1) / (draws + 1)
    p[:, (sizes == 0) | (sizes == count)] = math.nan
    return p


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (K,) corrected for the chance that any of them is small; NaN stays and does not count."""
    return _corrected(p, lambda ordered, count: np.maximum.accumulate(ordered * np.arange(count, 0, -1)))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """p-values (K,) corrected for the share of false ones among those found; NaN stays and does not count."""

    def correct(ordered: np.ndarray, count: int) -> np.ndarray:
        scaled = ordered * count / np.arange(1, count + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]  # type: ignore[no-any-return]

    return _corrected(p, correct)


def _corrected(p: np.ndarray, correct) -> np.ndarray:  # type: ignore[no-untyped-def]
    result = np.full(np.shape(p), math.nan)
    known = np.flatnonzero(np.isfinite(p))
    if len(known):
        order = known[np.argsort(p[known], kind="stable")]
        result[order] = np.minimum(correct(p[order], len(order)), 1.0)
    return result
