"""Whether a direction does what its name says: rank correlation of factor and reading, size of the effect, identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from stit_core.review.attributes import is_ethnicity_pair

RANK_WANTED = 0.9  # median rank correlation of factor and reading
IDENTITY_WANTED = 0.6  # median identity cosine at the outer factors
READABLE = 0.5  # correlation with the truth of real renders under which an instrument is called weak
LEAST_KNOWN = 4  # readings of a head without which nothing is said of it


@dataclass(frozen=True)
class Efficacy:
    """What one instrument says of a direction.

    Attributes
    ----------
    rank: median over heads of the rank correlation of factor and reading; NaN where nothing was read.
    good: share of heads whose rank correlation is at least RANK_WANTED.
    effect: mean change of the reading for a factor of 1, in units of its spread over held-out renders.
    heads: how many were read.
    """

    rank: float
    good: float
    effect: float
    heads: int

    @property
    def falls_short(self) -> bool:
        """Whether it misses what is wanted; what was not read does."""
        return not self.rank >= RANK_WANTED


@dataclass(frozen=True)
class Kept:
    """Identity cosine between a head at the outer factors and at 0: median, worst, share above that of strangers."""

    median: float
    worst: float
    nearer: float


def may_change_identity(name: str) -> bool:
    """Whether a direction is excepted from keeping the identity."""
    return name in ("age", "gender") or is_ethnicity_pair(name)


def rank_correlations(factors: np.ndarray, readings: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of factors (F,) and each head's readings (N, F), over what is not NaN.

    Returns: (N,); 0 for a reading that never changes, NaN with fewer than LEAST_KNOWN readings.
    """
    found = np.full(len(readings), np.nan)
    for head, row in enumerate(readings):
        known = ~np.isnan(row)
        if known.sum() >= LEAST_KNOWN:
            found[head] = correlation(rankdata(factors[known]), rankdata(row[known]))
    return found


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of (N,) and (N,) over what is NaN in neither; 0 where one of them never changes."""
    known = ~(np.isnan(a) | np.isnan(b))
    if not known.any():
        return 0.0
    first, second = a[known] - a[known].mean(), b[known] - b[known].mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 0 else 0.0


def unit_effects(factors: np.ndarray, readings: np.ndarray) -> np.ndarray:
    """Half the change of readings (N, F) from factor -1 to 1, (N,); between factors they are taken as straight."""
    found = np.full(len(readings), np.nan)
    for head, row in enumerate(readings):
        known = ~np.isnan(row)
        if known.sum() >= LEAST_KNOWN:
            before, after = np.interp([-1.0, 1.0], factors[known], row[known])
            found[head] = (after - before) / 2
    return found


def slopes(factors: np.ndarray, readings: np.ndarray) -> np.ndarray:
    """Least-squares slope over factors (F,) of readings (N, F) or (N, F, A): (N,) or (N, A)."""
    centred = factors - factors.mean()
    found: np.ndarray = np.tensordot(readings, centred, axes=(1, 0)) / (centred**2).sum()
    return found


def efficacy(factors: np.ndarray, readings: np.ndarray, spread: float) -> Efficacy:
    """Sum up readings (N, F) of N heads at ascending factors (F,); NaN where the instrument saw nothing."""
    ranks = rank_correlations(factors, readings)
    known = ~np.isnan(ranks)
    if not known.any():
        return Efficacy(float("nan"), 0.0, float("nan"), 0)
    effects = unit_effects(factors, readings)[known] / spread
    good = float((ranks[known] >= RANK_WANTED - 1e-9).mean())  # 0.9 itself, which rounding may miss
    return Efficacy(round(float(np.median(ranks[known])), 6), good, float(effects.mean()), int(known.sum()))


def identity_kept(cosines: np.ndarray, strangers: float) -> Kept:
    """Sum up identity cosines (N,); `strangers` is a cosine that different heads seldom reach."""
    return Kept(float(np.median(cosines)), float(cosines.min()), float((cosines > strangers).mean()))
