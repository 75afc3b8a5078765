"""How frequent each combination of ethnicity shape, gender, age and skin tone is among heads, without a render."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import stats

from recipes.heads.parameters import AGE_RANGE, HeadParameters

ETHNICITIES = ("african", "asian", "caucasian")  # whose share of the shape is the largest
GENDERS = ("feminine", "masculine")  # halves of MakeHuman's gender axis
AGES = tuple(f"{low:.0f}-{low + 19:.0f}" for low in np.linspace(*AGE_RANGE, 4)[:3])
TONES = ("light", "middle", "dark")  # thirds of the skin-tone axis
SHAPE = (len(ETHNICITIES), len(GENDERS), len(AGES), len(TONES))
SUSPICIOUS = 1e-3  # below this p-value the heads are not evenly spread


def cell_of(p: HeadParameters) -> tuple[int, int, int, int]:
    """The combination that a head belongs to: places in ETHNICITIES, GENDERS, AGES and TONES."""
    age = (p.age - AGE_RANGE[0]) / (AGE_RANGE[1] - AGE_RANGE[0])
    return int(p.ethnicity.argmax()), int(p.gender >= 0.5), min(int(3 * age), 2), min(int(3 * p.skin_tone), 2)


def count_cells(heads: Iterable[HeadParameters]) -> np.ndarray:
    """How many heads (3, 2, 3, 3) each combination has."""
    counts = np.zeros(SHAPE, np.int64)
    for p in heads:
        counts[cell_of(p)] += 1
    return counts


def evenness(counts: np.ndarray) -> float:
    """The chi-square p-value of counts (3, 2, 3, 3) against equal frequencies; small if some are favoured."""
    return float(stats.chisquare(counts.ravel()).pvalue)


def summary(counts: np.ndarray) -> str:
    """One line on counts (3, 2, 3, 3): the expected one, the smallest, the largest, the p-value, a verdict."""
    p = evenness(counts)
    verdict = "evenly spread" if p >= SUSPICIOUS else "NOT evenly spread"
    return (
        f"balance of {counts.sum()} heads over {counts.size} combinations: {counts.mean():.1f} expected, "
        f"{name_of(counts.argmin())} {counts.min()} the fewest, {name_of(counts.argmax())} {counts.max()} the most, "
        f"chi-square p = {p:.3g}, {verdict}"
    )


def name_of(cell: int | np.integer) -> str:
    """The name of a combination by its place in the flattened counts."""
    e, g, a, t = np.unravel_index(int(cell), SHAPE)
    return f"{ETHNICITIES[e]}/{GENDERS[g]}/{AGES[a]}/{TONES[t]}"


def table(counts: np.ndarray) -> str:
    """Markdown table of counts (3, 2, 3, 3) with the sums of each row and column, and the summary below."""
    columns = [f"{age} {tone}" for age in AGES for tone in TONES]
    lines = ["| ethnicity shape, gender | " + " | ".join(columns) + " | sum |"]
    lines.append("| --- |" + " ---: |" * (len(columns) + 1))
    for e, ethnicity in enumerate(ETHNICITIES):
        for g, gender in enumerate(GENDERS):
            row = counts[e, g].ravel()
            lines.append(f"| {ethnicity}, {gender} | " + " | ".join(str(n) for n in (*row, row.sum())) + " |")
    total = counts.sum((0, 1)).ravel()
    lines.append("| sum | " + " | ".join(str(n) for n in (*total, total.sum())) + " |")
    return "\n".join(lines) + "\n\n" + summary(counts)
