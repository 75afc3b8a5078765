"""The charts of a report: small multiples of one measure, an edit a drawing, a group a row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.review.charts import ChartRow, interval_chart, scale_of
from stit_core.review.comparing import AT_FACTOR, Contrast, readable_values
from stit_core.review.results import Results
from stit_core.review.statistics import FEWEST, Interval, mean_intervals
from stit_core.review.tables import compared_groups
from stit_core.review.words import UNITS, edit_meaning, edit_title, group_title


@dataclass(frozen=True)
class ChartSet:
    """Small multiples of one measure: heading, what they show, and SVG texts."""

    title: str
    note: str
    drawings: tuple[str, ...]


EFFECT = (
    "How far each edit went its way, by the attribute network. Further right is stronger. All have one scale. 1 SD is "
    "how much that attribute varies over held-out heads."
)
SKIN = (
    "What each edit did to the lightness of the same skin, in L*: right of the line is lighter, and 1 is just seen. "
    "All have one scale."
)
MEANT = "The same of the edits that are meant to change the skin, on a scale of their own."
IDENTITY = "Cosine between original and edit, over everybody: 1 is the same. The scale begins at {start}."


def chart_sets(results: Results, contrasts: Sequence[Contrast]) -> list[ChartSet]:
    """Effect and skin lightness by group, on one scale each; identity by edit."""
    edits = range(len(results.plan.pairs))
    meant = [edit for edit in edits if results.plan.pairs[edit][0] == "skin_tone"]
    others = [edit for edit in edits if edit not in meant]
    found = [
        ChartSet("Effect", EFFECT, _drawings(results, contrasts, "effect", edits)),
        ChartSet("Skin lightness", SKIN, _drawings(results, contrasts, "lighter", others)),
        ChartSet("Skin lightness, where it is meant to change", MEANT, _drawings(results, contrasts, "lighter", meant)),
        _identity(results),
    ]
    return [each for each in found if each.drawings]


def _drawings(results: Results, contrasts: Sequence[Contrast], measure: str, edits: Sequence[int]) -> tuple[str, ...]:
    """A drawing of each edit that anything is known of, all on one scale."""
    charts: Mapping[int, list[ChartRow]] = {edit: _rows(results, contrasts, measure, edit) for edit in edits}
    charts = {edit: rows for edit, rows in charts.items() if any(math.isfinite(r.mean.value) for r in rows)}
    if not charts:
        return ()
    scale, unit = scale_of(list(charts.values())), UNITS[measure][1]
    return tuple(interval_chart(rows, _title(results, edit), unit, scale) for edit, rows in charts.items())


def _title(results: Results, edit: int) -> str:
    pair = results.plan.pairs[edit]
    return f"{edit_title(*pair)} ({edit_meaning(*pair)})"


def _rows(results: Results, contrasts: Sequence[Contrast], measure: str, edit: int) -> list[ChartRow]:
    values = readable_values(results, measure, edit)
    here = {c.group.label: c for c in contrasts if (c.measure, c.edit, c.compared) == (measure, edit, AT_FACTOR)}
    rows = [_row("everybody", mean_intervals(values[None], results.plan.seed)[0], values)]
    for group in compared_groups(results):
        contrast = here.get(group.label)
        mean = contrast.mean if contrast else Interval(math.nan)
        rows.append(_row(group_title(group), mean, values[group.members], bool(contrast and contrast.is_found)))
    return rows


def _row(name: str, mean: Interval, values: np.ndarray, is_found: bool = False) -> ChartRow:
    """A row with its single people where they are too few for an interval."""
    known = values[np.isfinite(values)]
    return ChartRow(name, mean, tuple(known.tolist()) if len(known) < FEWEST else (), is_found)


def _identity(results: Results) -> ChartSet:
    """One drawing, an edit a row, from what strangers have in common to 1."""
    values = results.values["identity"]
    means = [mean_intervals(values[:, edit][None], results.plan.seed)[0] for edit in range(values.shape[1])]
    rows = [_row(_title(results, edit), mean, values[:, edit]) for edit, mean in enumerate(means)]
    if not any(math.isfinite(mean.value) for mean in means):
        return ChartSet("Identity cosine", "", ())
    middle = results.strangers[0]
    start = middle if math.isfinite(middle) else 0.0
    where = f"{middle:.2f}, the median of two different people of this set" if start else "0"
    drawing = interval_chart(rows, "Identity cosine", "", scale_of([rows, [ChartRow("", Interval(start))]], 1.0))
    return ChartSet("Identity cosine", IDENTITY.format(start=where), (drawing,))
