"""What hides faces on photographs and never occurs on renders: painted over renders with known landmarks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recipes.occluders.canvas import Canvas
from recipes.occluders.glasses import wear_glasses
from recipes.occluders.hands import hold_hands
from recipes.occluders.headwear import wear_earrings, wear_fringe, wear_hat
from recipes.occluders.objects import hold_object, write_text
from recipes.occluders.surroundings import fill_background

Painter = Callable[[Canvas, np.random.Generator], None]
# In the order of painting, with the share of pictures that each is painted on.
OCCLUDERS: tuple[tuple[Painter, float], ...] = (
    (fill_background, 0.55),
    (wear_fringe, 0.22),
    (wear_earrings, 0.20),
    (wear_glasses, 0.32),
    (wear_hat, 0.13),
    (hold_object, 0.12),
    (hold_hands, 0.22),
    (write_text, 0.04),
)


def occlude(canvas: Canvas, seed: int, share: float = 1.0) -> tuple[str, ...]:
    """Paint what `seed` chooses, each with `share` of its usual chance; returns the painters' names.

    Two pictures of one head with the same seed get the same things, each where its landmarks ask for them.
    """
    rng = np.random.default_rng([seed, 71])
    worn = []
    for number, (painter, chance) in enumerate(OCCLUDERS):
        if rng.random() < share * chance:
            painter(canvas, np.random.default_rng([seed, 72, number]))
            worn.append(painter.__name__)
    return tuple(worn)
