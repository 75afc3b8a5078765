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
BOOTSTRAP_NUMBERS = 2_000_000  # drawn at once
TIE = 1e-5  # relative difference by which a permuted figure, in single precision, still counts as equal


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
    return _by_pattern([values], seed)


def difference_intervals(first: np.ndarray, second: np.ndarray, seed: int = 0) -> list[Interval]:
    """Means of rows (M, n) minus those of rows (M, m), NaN left out, with BCa intervals; `count` is the smaller n."""
    return _by_pattern([first, second], seed)


def _by_pattern(sides: list[np.ndarray], seed: int) -> list[Interval]:
    """Intervals of rows (M, n) of one or two sides; those that miss the same people go together."""
    found = [Interval(math.nan)] * len(sides[0])
    known = np.isfinite(np.concatenate(sides, axis=1))
    patterns, inverse = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows, width = np.flatnonzero(inverse.ravel() == number), sides[0].shape[1]
        columns = [np.flatnonzero(part) for part in (pattern[:width], pattern[width:])][: len(sides)]
        if all(len(part) for part in columns):
            samples = [side[np.ix_(rows, part)] for side, part in zip(sides, columns, strict=True)]
            for row, interval in zip(rows, _intervals(samples, seed), strict=True):
                found[row] = interval
    return found


def _intervals(samples: list[np.ndarray], seed: int) -> list[Interval]:
    """Intervals of the mean of rows (M, n), or of the difference of two such, without NaN."""
    values = samples[0].mean(axis=1) - (samples[1].mean(axis=1) if len(samples) > 1 else 0.0)
    count = min(sample.shape[1] for sample in samples)
    found = [Interval(float(value), count=count) for value in values]
    if count < FEWEST:
        return found
    flat = np.all([np.ptp(sample, axis=1) == 0 for sample in samples], axis=0)
    for row in np.flatnonzero(flat):
        found[row] = Interval(float(values[row]), float(values[row]), float(values[row]), count)
    # How far an interval has to be widened is the same for all rows of one sample; of two it depends on the variances.
    freedom = np.full(len(values), count - 1) if len(samples) == 1 else _welch_freedom(samples)
    for degrees in np.unique(freedom[~flat]):
        rows = np.flatnonzero((freedom == degrees) & ~flat)
        low, high = _bootstrap([sample[rows] for sample in samples], widened(degrees + 1), seed)
        for row, *ends in zip(rows, low, high, strict=True):
            found[row] = Interval(float(values[row]), float(ends[0]), float(ends[1]), count)
    return found


def _bootstrap(samples: list[np.ndarray], confidence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both ends (M,) of BCa intervals."""
    size = sum(sample.size for sample in samples)
    ends = stats.bootstrap(
        tuple(samples),
        np.mean if len(samples) == 1 else _mean_difference,
        n_resamples=RESAMPLES,
        axis=-1,
        vectorized=True,
        confidence_level=confidence,
        method="BCa",
        batch=max(1, BOOTSTRAP_NUMBERS // size),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return np.atleast_1d(ends.low), np.atleast_1d(ends.high)


def _mean_difference(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(first, axis=axis) - np.mean(second, axis=axis)


def _welch_freedom(samples: list[np.ndarray]) -> np.ndarray:
    """Whole degrees of freedom (M,) of the difference of two means, after Welch, at least the smaller sample's."""
    a, b = (sample.var(axis=1, ddof=1) / sample.shape[1] for sample in samples)
    sizes = [sample.shape[1] - 1 for sample in samples]
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (a + b) ** 2 / (a**2 / sizes[0] + b**2 / sizes[1])
    return np.maximum(np.floor(np.nan_to_num(freedom)), min(sizes)).astype(np.int64)  # type: ignore[no-any-return]


def rate_interval(hits: int, count: int) -> Interval:
    """A share with Wilson's interval; without people NaN."""
    if count == 0:
        return Interval(math.nan)
    result = stats.binomtest(hits, count).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / count, float(result.low), float(result.high), count)


def permutations_of(count: int) -> int:
    """How many permutations of `count` people are drawn."""
    return int(min(PERMUTATIONS, max(999, MOST_DRAWS // max(count, 1))))


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
    draws = permutations_of(count)
    rng, hits = np.random.default_rng(seed), np.zeros(seen.shape)
    least = seen * (1 - TIE) - TIE * np.abs(centred).max(axis=1, initial=0.0)[:, None]
    codes, single = members.astype(np.float32), centred.astype(np.float32)
    for first in range(0, draws, BATCH):
        size = min(BATCH, draws - first)
        order = rng.permuted(np.broadcast_to(np.arange(count), (size, count)), axis=1)
        for group, mask in enumerate(codes):
            sums = single @ mask[order].T  # (M, size)
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
