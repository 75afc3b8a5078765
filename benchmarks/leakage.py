"""What else a direction moves, before and after the other directions are projected out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.directions.logistic import project_out
from stit_core.review.attributes import same_thing

REASONS = {
    "eyes_open": "the ratio of an eye's height to its width is what lids change",
    "eye_ratio": "the same, the other way round",
    "smile": "a smile widens the mouth; a wide mouth does not smile, so mouth_ratio does hold smile",
}
LEAST_OWN = 0.05  # of the attribute's spread for a factor of 1: under it nothing can be divided by the own effect


@dataclass(frozen=True)
class Leaks:
    """What a direction does to every attribute for the same step.

    Attributes
    ----------
    relative: (C,) mean change by the direction's own effect; NaN where it has hardly any.
    counted: (C,) bool, the attributes that are neither its own nor the same thing.
    own: mean change of its own attribute for a factor of 1, in units of its spread.
    """

    relative: np.ndarray
    counted: np.ndarray
    own: float

    @property
    def mean(self) -> float:
        """Mean absolute leak over the attributes that count."""
        return float(np.abs(self.relative[self.counted]).mean())

    @property
    def worst(self) -> int:
        """Column of the largest leak; -1 where none is known."""
        values = np.where(self.counted, np.abs(self.relative), -1.0)
        return int(values.argmax()) if not np.isnan(self.relative).any() else -1


def held_for(direction: str, names: Sequence[str]) -> list[str]:
    """The directions among `names` that are projected out of `direction`."""
    return [name for name in names if not same_thing(direction, name)]


def orthogonalised(direction: str, vectors: dict[str, np.ndarray]) -> np.ndarray:
    """A direction (L, 512) of `vectors` without its part in the span of those that `held_for` names."""
    vector = vectors[direction].astype(np.float64)
    held = [vectors[name].astype(np.float64).ravel() for name in held_for(direction, list(vectors))]
    flat = project_out(vector.ravel(), np.stack(held)) if held else vector.ravel()
    return flat.reshape(vector.shape).astype(np.float32)  # (L, 512)


def leaks(direction: str, columns: Sequence[str], change: np.ndarray) -> Leaks:
    """Divide the mean changes (C,) of the attributes `columns`, in units of their spreads, by that of its own."""
    own = float(change[list(columns).index(direction)])
    relative = change / own if abs(own) >= LEAST_OWN else np.full(len(columns), np.nan)
    counted = np.array([not same_thing(direction, name) for name in columns])
    return Leaks(relative, counted, own)
