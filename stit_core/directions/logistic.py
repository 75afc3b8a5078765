"""Grouped, cross-validated logistic regression on latents: the statistics behind a trained direction.

With an L2 penalty the solution lies in the span of the data, and turning the data changes nothing. As long as there are
fewer pictures than numbers in a latent, everything is therefore fitted in the coordinates of the data's own span, which
gives the same direction in a small fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

STRENGTHS = tuple(10.0**power for power in range(-6, 1))  # C of scikit-learn, on latents of unit mean square
INNER_FOLDS = 3  # of the search for C inside each outer fold
TURNED_UP_TO = 3000  # pictures; with more the data is fitted as it is
CHUNK = 512  # columns or rows that are in memory at a time
RESAMPLES = 1000  # of the bootstrap
MAX_ITERATIONS = 2000
EQUAL_AUC = 0.005  # a difference that no edit shows; near 1 the folds agree too well to tell a standard error
SEARCH_TOLERANCE = 1e-4  # of the fits that are only compared, in single precision


@dataclass(frozen=True)
class Fit:
    """A direction and what it is worth on people it has not seen.

    Attributes
    ----------
    direction: (D,) float64, coef_ in the units of the latents.
    strength: C, chosen by grouped cross-validation among STRENGTHS.
    scores: (N,) decision values of each picture by a fit that had not seen its person.
    fold_directions, fold_of: the outer fits' directions (K, D) and which of them scored each picture (N,).
    """

    direction: np.ndarray
    strength: float
    scores: np.ndarray
    fold_directions: np.ndarray
    fold_of: np.ndarray


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Design:
    """Latents (N, D), centred and scaled to a mean square of 1, in the coordinates in which they are fitted.

    `latents` may be a memory map; it is centred in place, a chunk at a time. With `people` (N,) each person's own mean
    is taken off instead of the mean of all, the within transformation of panel data: what sets people apart can then
    not be taken for what sets the classes apart. That wants people with pictures in both classes.
    """

    def __init__(self, latents: np.ndarray, people: Sequence[str] | None = None) -> None:
        count = len(latents)
        if people is not None:
            _centre_people(latents, people)
        mean = _mean(latents)
        total = 0.0
        for first in range(0, count, CHUNK):
            part = latents[first : first + CHUNK]
            part -= mean
            total += float(np.square(part, dtype=np.float64).sum())
        self.scale = max(float(np.sqrt(total / latents.size)), 1e-12)
        self.latents = latents
        self.turn: np.ndarray | None = None
        self.rows: np.ndarray = latents
        if count <= min(TURNED_UP_TO, latents.shape[1]):
            gram = np.zeros((count, count))
            for first in range(0, latents.shape[1], CHUNK):
                part = np.asarray(latents[:, first : first + CHUNK], np.float64) / self.scale
                gram += part @ part.T
            values, vectors = np.linalg.eigh(gram)
            kept = values > values[-1] * 1e-10
            roots = np.sqrt(values[kept])
            self.rows = vectors[:, kept] * roots  # (N, r)
            self.turn = vectors[:, kept] / roots

    def back(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients of `rows` -> (D,) in the units of the latents."""
        if self.turn is None:
            return np.asarray(coefficients, np.float64) / self.scale
        mix = self.turn @ coefficients  # (N,)
        found = np.concatenate(
            [
                np.asarray(self.latents[:, first : first + CHUNK], np.float64).T @ mix
                for first in range(0, self.latents.shape[1], CHUNK)
            ]
        )
        return found / self.scale**2

    def along(self, direction: np.ndarray) -> np.ndarray:
        """The centred latents' coordinates (N,) along a vector (D,)."""
        return np.concatenate(
            [
                np.asarray(self.latents[first : first + CHUNK], np.float64) @ direction
                for first in range(0, len(self.latents), CHUNK)
            ]
        )


def spread_along(latents: np.ndarray, rows: np.ndarray, unit: np.ndarray) -> float:
    """Standard deviation of the latents (N, D) of `rows` along a unit vector (D,), of all people together."""
    parts = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    return float(np.concatenate([np.asarray(latents[part], np.float64) @ unit for part in parts]).std())


def _centre_people(latents: np.ndarray, people: Sequence[str]) -> None:
    order = np.argsort(np.asarray(people), kind="stable")
    _, starts = np.unique(np.asarray(people)[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        parts = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
        total = np.zeros(latents.shape[1])
        for part in parts:
            total += latents[part].sum(0, dtype=np.float64)
        for part in parts:
            latents[part] -= total / len(rows)


def in_both_classes(labels: np.ndarray, people: Sequence[str]) -> np.ndarray:
    """Whether the person of each row (N,) has rows of both classes."""
    names = np.asarray(people)
    return np.isin(names, np.intersect1d(names[labels == 0], names[labels == 1]))


def _mean(latents: np.ndarray) -> np.ndarray:
    total = np.zeros(latents.shape[1])
    for first in range(0, len(latents), CHUNK):
        total += latents[first : first + CHUNK].sum(0, dtype=np.float64)
    return (total / len(latents)).astype(latents.dtype)


def balanced_weights(labels: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Weights (N,) that make both classes count alike, as class_weight="balanced" does, 0 where not `used` (N,)."""
    weights = np.zeros(len(labels))
    for label in (0, 1):
        members = used & (labels == label)
        weights[members] = used.sum() / (2 * members.sum())
    return weights


def fit_rows(rows: np.ndarray, labels: np.ndarray, used: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Coefficients and intercept on the `used` rows; the others are left in place with a weight of 0, not copied."""
    model = _model(strength).fit(rows, labels, sample_weight=balanced_weights(labels, used))
    return np.asarray(model.coef_[0], np.float64), float(model.intercept_[0])


def _model(strength: float, tolerance: float = 1e-6, warm_start: bool = False) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, tol=tolerance, warm_start=warm_start)


def folds_of(labels: np.ndarray, people: Sequence[str], used: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """The used rows cut into at most `folds` parts, no person in two of them; each an array of row numbers."""
    rows = np.flatnonzero(used)
    names = np.asarray(people)[rows]
    fewest = min(len(set(names[labels[rows] == label])) for label in (0, 1))
    count = min(folds, fewest)
    if count < 2:
        return []
    for folds_left in range(count, 1, -1):
        splitter = StratifiedGroupKFold(folds_left, shuffle=True, random_state=seed)
        split = list(splitter.split(rows, labels[rows], names))
        # With few people of very different numbers of pictures, a part may hold all of a class.
        if all(len(np.unique(labels[rows[rest]])) == 2 and len(part) for rest, part in split):
            return [rows[part] for _, part in split]
    return []


def choose_strength(rows: np.ndarray, labels: np.ndarray, people: Sequence[str], used: np.ndarray, seed: int) -> float:
    """The smallest C whose held-out AUC over grouped folds is within one standard error, or EQUAL_AUC, of the best.

    The scale of a direction is set apart, so only the order of pictures along it counts. Among directions that order
    people alike, the most regularised one lies nearest to the difference of the class means and moves the least that is
    not the class. Source of the rule: Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", 7.10.
    """
    parts = folds_of(labels, people, used, INNER_FOLDS, seed)
    if not parts:
        return STRENGTHS[len(STRENGTHS) // 2]
    models, weights = [], []
    for part in parts:
        rest = used.copy()
        rest[part] = False
        models.append(_model(STRENGTHS[0], SEARCH_TOLERANCE, warm_start=True))
        weights.append(balanced_weights(labels, rest))
    best, means = 0, list[float]()
    errors: list[float] = []
    for strength in STRENGTHS:
        found = []
        for part, model, weight in zip(parts, models, weights, strict=True):
            model.set_params(C=strength).fit(rows, labels, sample_weight=weight)
            found.append(auc(labels[part], model.decision_function(rows[part])))
        means.append(float(np.mean(found)))
        errors.append(float(np.std(found, ddof=1) / len(found) ** 0.5))
        best = int(np.argmax(means))
        if means[-1] == 1.0 or (len(means) > best + 2 and max(means[best + 1 :]) < means[best] - errors[best]):
            break  # nothing better comes, and the least regularised fits take longest
    enough = means[best] - max(errors[best], EQUAL_AUC)
    return next(c for c, mean in zip(STRENGTHS, means, strict=False) if mean >= enough)


def fit_direction(
    design: Design,
    labels: np.ndarray,
    people: Sequence[str],
    folds: int,
    seed: int,
    tell: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit labels (N,) 0 or 1; the score of each picture comes from an outer fold without its person.

    C is searched anew inside each outer fold, so that no held-out figure has seen its own pictures; `tell` is called
    after each of them.

    Raises
    ------
    ValueError: fewer than two people a class leave nothing to hold out.
    """
    with threadpool_limits(1):  # many small fits: waiting for other threads takes longer than the work that they do
        return _fit(design, labels, people, folds, seed, tell)


def _fit(
    design: Design, labels: np.ndarray, people: Sequence[str], folds: int, seed: int, tell: Callable[[], None]
) -> Fit:
    rows, everybody = design.rows, np.ones(len(labels), bool)
    searched = rows.astype(np.float32, copy=False)
    parts = folds_of(labels, people, everybody, folds, seed)
    if not parts:
        raise ValueError("fewer than two people in a class")
    scores, fold_of, directions = np.zeros(len(labels)), np.zeros(len(labels), int), []
    for number, part in enumerate(parts):
        rest = everybody.copy()
        rest[part] = False
        strength = choose_strength(searched, labels, people, rest, seed + 1)
        coefficients, intercept = fit_rows(rows, labels, rest, strength)
        scores[part] = rows[part] @ coefficients + intercept
        fold_of[part] = number
        directions.append(design.back(coefficients))
        tell()
    strength = choose_strength(searched, labels, people, everybody, seed + 1)
    coefficients, _ = fit_rows(rows, labels, everybody, strength)
    return Fit(design.back(coefficients), strength, scores, np.stack(directions), fold_of)


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, 0.5 where one class is missing."""
    return float(roc_auc_score(labels, scores)) if 0 < labels.sum() < len(labels) else 0.5


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of pictures on the right side of 0."""
    return float(((scores > 0) == labels.astype(bool)).mean())


def intervals(labels: np.ndarray, scores: np.ndarray, people: Sequence[str], seed: int) -> dict[str, Interval]:
    """Accuracy and AUC with 95 % intervals of a bootstrap that draws people, not pictures."""
    names, groups = np.unique(np.asarray(people), return_inverse=True)
    random = np.random.default_rng(seed)
    order = np.argsort(scores, kind="stable")
    positive, first_of_ties = labels[order] == 1, np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    right = ((scores > 0) == (labels == 1)).astype(np.float64)
    drawn: dict[str, list[float]] = {"accuracy": [], "auc": []}
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))[groups]  # (N,)
        drawn["accuracy"].append(float((right * times).sum() / times.sum()))
        drawn["auc"].append(_weighted_auc(times[order], positive, first_of_ties))
    values = {"accuracy": accuracy(labels, scores), "auc": auc(labels, scores)}
    return {name: Interval(values[name], *np.quantile(drawn[name], [0.025, 0.975]).tolist()) for name in values}


def _weighted_auc(times: np.ndarray, positive: np.ndarray, first_of_ties: np.ndarray) -> float:
    """AUC of rows in the order of their scores, each counted `times` (N,); ties begin at `first_of_ties`."""
    ups = np.add.reduceat(times * positive, first_of_ties).astype(np.float64)
    downs = np.add.reduceat(times * ~positive, first_of_ties).astype(np.float64)
    pairs = ups.sum() * downs.sum()
    below = np.cumsum(downs) - downs / 2
    return float((ups * below).sum() / pairs) if pairs else 0.5


def held_figures(
    fit: Fit, design: Design, labels: np.ndarray, names: Sequence[str], held: np.ndarray
) -> dict[str, Any]:
    """AUC along the direction, and its cosine with each of the `held` rows (H, D), before and after they are taken out.

    The AUC of a picture's place is that along the fold's direction that had not seen it.
    """

    def overlaps(vector: np.ndarray) -> dict[str, float]:
        return {name: round(cosine(vector, other), 4) for name, other in zip(names, held, strict=True)}

    return {
        "overlap_before": overlaps(fit.direction),
        "overlap_after": overlaps(project_out(fit.direction, held)),
        "auc_before": round(_auc_along(fit.fold_directions, fit, design, labels), 4),
        "auc_after": round(_auc_along(project_out(fit.fold_directions, held), fit, design, labels), 4),
    }


def _auc_along(directions: np.ndarray, fit: Fit, design: Design, labels: np.ndarray) -> float:
    places = np.zeros(len(labels))
    for number, direction in enumerate(directions):
        part = fit.fold_of == number
        places[part] = design.along(direction / max(float(np.linalg.norm(direction)), 1e-30))[part]
    return auc(labels, places)


def project_out(vector: np.ndarray, held: np.ndarray) -> np.ndarray:
    """`vector` (..., D) without its part in the span of the rows of `held` (H, D), by QR."""
    if not len(held):
        return vector
    basis, _ = np.linalg.qr(held.T)  # (D, H)
    return vector - (vector @ basis) @ basis.T  # type: ignore[no-any-return]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two vectors of any equal shape."""
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / scale if scale > 0 else 0.0
