"""Groups of held-out heads, and how the worst of them fares beside the best.

The names of the ethnicity shapes are those of MakeHuman's targets; skin tones are thirds of the Monk-like scale on
which the renderer draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ETHNICITIES = ("african", "asian", "caucasian")
AGES = ("18-37", "37-56", "56-75")  # years, thirds of the range
TONES = ("lightest third", "middle third", "darkest third")
GENDERS = ("feminine half", "masculine half")
TOLERANCE = 15.0  # per cent that the worst group may lie behind the best


@dataclass(frozen=True)
class Figure:
    """A figure that is compared: its key, title with unit, whether more is better, decimals to print."""

    key: str
    title: str
    more_is_better: bool
    decimals: int


FIGURES = (
    Figure("psnr", "face PSNR, dB", True, 2),
    Figure("landmark_error", "landmark error, % of eye distance", False, 2),
    Figure("id_cosine", "identity cosine", True, 3),
)


def group_indices(attributes: np.ndarray, names: Sequence[str]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Sort heads into groups.

    Arguments: attributes (N, A) of the renders and the names (A,) of their columns.
    Returns: for each grouping the groups' names (G,) and each head's group (N,) int64.
    """
    column = {name: attributes[:, position] for position, name in enumerate(names)}
    shapes = np.stack([column[name] for name in ETHNICITIES], axis=1)  # (N, 3)
    return {
        "ethnicity shape": (ETHNICITIES, shapes.argmax(1)),
        "gender": (GENDERS, (column["gender"] >= 0.5).astype(np.int64)),
        "age": (AGES, third(column["age"])),
        "skin tone": (TONES, third(column["skin_tone"])),
    }


def third(values: np.ndarray) -> np.ndarray:
    """0, 1 or 2 for values (N,) in [0, 1]."""
    return np.clip((values * 3).astype(np.int64), 0, 2)


def mean(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN where nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def shortfall(values: Sequence[float], more_is_better: bool) -> float:
    """How far the worst of some groups lies behind the best, in per cent of the best; NaN with fewer than two."""
    known = [value for value in values if not np.isnan(value)]
    if len(known) < 2:
        return float("nan")
    best, worst = (max(known), min(known)) if more_is_better else (min(known), max(known))
    return 100 * abs(best - worst) / abs(best)


def compare_groups(
    found: Mapping[str, np.ndarray], groupings: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
) -> dict[str, Any]:
    """Means of each figure by group, and for each grouping the worst group's distance from the best.

    Arguments: found, values (N,) of each of FIGURES; groupings, from `group_indices`.
    """
    result: dict[str, Any] = {}
    for grouping, (names, member) in groupings.items():
        rows = {
            name: {"count": int((member == k).sum())} | {f.key: mean(found[f.key][member == k]) for f in FIGURES}
            for k, name in enumerate(names)
        }
        gaps = {f.key: shortfall([row[f.key] for row in rows.values()], f.more_is_better) for f in FIGURES}
        result[grouping] = {
            "groups": rows,
            "worst_behind_best_percent": gaps,
            "within_15_percent": {name: bool(gap <= TOLERANCE) for name, gap in gaps.items()},
        }
    return result


def group_table(compared: Mapping[str, Any]) -> str:
    """`compare_groups`' result as a Markdown table."""
    lines = ["| group | renders | " + " | ".join(f.title for f in FIGURES) + " |", "| --- |" + " --- |" * 4]
    for grouping, result in compared.items():
        for name, row in result["groups"].items():
            cells = [f"{row[f.key]:.{f.decimals}f}" for f in FIGURES]
            lines.append(f"| {grouping}: {name} | {row['count']} | " + " | ".join(cells) + " |")
        gaps, within = result["worst_behind_best_percent"], result["within_15_percent"]
        cells = [f"{gaps[f.key]:.1f} %{'' if within[f.key] else ' (over 15)'}" for f in FIGURES]
        lines.append(f"| {grouping}: worst behind best | | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def choose_evenly(groupings: Mapping[str, tuple[tuple[str, ...], np.ndarray]], count: int) -> list[int]:
    """Positions of `count` heads spread over all groups and pairs of groups as evenly as can be, ascending order."""
    members = np.stack([member for _, member in groupings.values()], axis=1)  # (N, groupings)
    chosen: list[int] = []
    while len(chosen) < min(count, len(members)):
        shared = members[:, None] == members[chosen][None]  # (N, chosen, groupings)
        # Squared, so that a second head that shares two groups with another costs more than two that share one.
        cost = (shared.sum(2) ** 2).sum(1).astype(np.float64)
        cost[chosen] = np.inf
        chosen.append(int(cost.argmin()))
    return sorted(chosen)
