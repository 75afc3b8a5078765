"""The tables and drawings of a report, as plain rows that its page lays out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.review.attributes import is_ethnicity_pair
from stit_core.review.charts import ChartRow, interval_chart, scale_of
from stit_core.review.colour import ita_name
from stit_core.review.comparing import AT_CHANGE, AT_FACTOR, Contrast, group_means, mask_unreadable
from stit_core.review.findings import LIGHTENED
from stit_core.review.instruments import Verdict
from stit_core.review.reading import FIGURES
from stit_core.review.results import Group, Results
from stit_core.review.statistics import FEWEST, Interval, mean_intervals, rate_interval
from stit_core.review.words import (
    UNITS,
    attribute_title,
    between,
    edit_title,
    measure_title,
    number,
    percent,
    probability,
)

CHARTED = ("effect", "lighter", "identity")
NOTES = {
    "effect": "How far each edit went its way, by the attribute network, in standard deviations of that attribute over "
    "held-out heads. Further right is stronger.",
    "lighter": "What each edit did to the skin, in L* on the same skin before and after. Right of the line is lighter; "
    "a change of 1 is just seen.",
    "identity": "Cosine between the identity of source and edit. 1 is the same.",
}
SHADES = ((2.0, 4), (1.0, 3), (0.5, 2), (0.2, 1))  # size of a cell of the matrix in SD -> its shade
TABLE_MEASURES = ("effect", "lighter", "hue_turn", "identity")


@dataclass(frozen=True)
class Table:
    """A heading, column titles and rows of text; `marks` gives classes of single cells by row and column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ChartSet:
    """Small multiples of one measure: heading, what they show, and SVG texts."""

    title: str
    note: str
    drawings: tuple[str, ...]


def compared_groups(results: Results) -> list[Group]:
    """The groups of all compared columns."""
    return [group for column in results.plan.columns for group in results.groups(column)]


def people_table(results: Results) -> Table:
    """How many of each group were looked at, and failed, with Wilson's interval."""
    rows = []
    for group in compared_groups(results) or [results.everybody]:
        seen = group.members & results.looked_at
        failed = int((seen & ~results.usable).sum())
        rate = rate_interval(failed, int(seen.sum()))
        spread = f"{percent(rate.low)} to {percent(rate.high)}"
        column = group.columns[0] if group.columns else ""
        counts = [str(int(group.members.sum())), str(int(seen.sum())), str(failed)]
        rows.append((column, group.name, *counts, spread, *_skin_cells(results, seen)))
    skin = ("skin L*", "hue", "ITA")
    columns = ("labelled by", "group", "people", "looked at", "failed", "share that fails, 95 % interval", *skin)
    return Table("Who was looked at", columns, tuple(rows))


def _skin_cells(results: Results, who: np.ndarray) -> list[str]:
    """Mean lightness, hue and ITA of the skin of some people (P,) before any edit."""
    lightness, hue, ita = (_known_mean(results.source[name][who]) for name in ("lightness", "hue", "ita"))
    if not math.isfinite(ita):
        return ["–", "–", "–"]
    return [number(lightness, 1), f"{number(hue, 0)}°", f"{number(ita, 0)}° ({ita_name(ita)})"]


def _known_mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def instrument_table(results: Results) -> Table:
    """What each instrument can read, and for which groups it is not used."""
    groups = compared_groups(results)
    rows = []
    for place, name in enumerate(results.columns):
        verdicts = [(group, results.verdict(place, group)) for group in groups]
        rows.append(("network", *_instrument_row(name, results.verdict(place, results.everybody), verdicts)))
    named = {name for name, _ in results.plan.edits}
    for name in FIGURES:
        if name in named or not results.columns:
            whole = results.landmark_verdict(name, results.everybody)
            verdicts = [(group, results.landmark_verdict(name, group)) for group in groups]
            rows.append(("landmarks", *_instrument_row(name, whole, verdicts)))
    columns = ("instrument", "reads", "fit to the truth", "judged on", "mirror image differs by", "not used for")
    return Table("Instruments", columns, tuple(rows))


def _instrument_row(name: str, everybody: Verdict, groups: list[tuple[Group, Verdict]]) -> tuple[str, ...]:
    known = everybody.fit is not None
    judged = ("these people" if everybody.own else "held-out renders") if known else "nothing: its truth is not known"
    if not everybody.usable:
        unused = f"anybody: {everybody.reason}"
    else:
        unused = "; ".join(f"{g.columns[0]} {g.name}: {v.reason}" for g, v in groups if not v.usable) or "–"
    return (
        attribute_title(name),
        number(everybody.fit) if everybody.fit is not None else "–",
        judged,
        f"{number(everybody.retest)} SD" if everybody.retest is not None else "–",
        unused,
    )


def chart_sets(results: Results, contrasts: Sequence[Contrast]) -> list[ChartSet]:
    """Small multiples of CHARTED: an edit a drawing, a group a row; the edits of one direction share a scale."""
    found = []
    for measure in CHARTED:
        unit, drawings = UNITS[measure][1], []
        for name, _ in results.plan.edits:
            edits = [edit for edit, pair in enumerate(results.plan.pairs) if pair[0] == name]
            charts = {edit: _chart_rows(results, contrasts, measure, edit) for edit in edits}
            charts = {edit: rows for edit, rows in charts.items() if any(math.isfinite(r.mean.value) for r in rows)}
            if charts:
                scale = scale_of(list(charts.values()), 1.0 if measure == "identity" else 0.0)
                titles = {edit: edit_title(*results.plan.pairs[edit]) for edit in charts}
                drawings += [interval_chart(rows, titles[edit], unit, scale) for edit, rows in charts.items()]
        if drawings:
            found.append(ChartSet(measure_title(measure).capitalize(), NOTES[measure], tuple(drawings)))
    return found


def _chart_rows(results: Results, contrasts: Sequence[Contrast], measure: str, edit: int) -> list[ChartRow]:
    values = _values(results, measure, edit)
    here = {c.group.label: c for c in contrasts if (c.measure, c.edit, c.compared) == (measure, edit, AT_FACTOR)}
    groups = compared_groups(results)
    rows = [_chart_row("everybody", mean_intervals(values[None], results.plan.seed)[0], values)]
    for group in groups:
        name = f"{group.columns[0]}: {group.name}" if len(results.plan.columns) > 1 else group.name
        mean = here[group.label].mean if group.label in here else Interval(math.nan)
        rows.append(_chart_row(name, mean, values[group.members]))
    return rows


def _chart_row(name: str, mean: Interval, values: np.ndarray) -> ChartRow:
    """A row with its single people where they are too few for an interval."""
    known = values[np.isfinite(values)]
    return ChartRow(name, mean, tuple(known.tolist()) if len(known) < FEWEST else ())


def _values(results: Results, measure: str, edit: int) -> np.ndarray:
    """A measure of an edit (P,), unreadable effects left out."""
    if measure != "effect":
        return results.values[measure][:, edit]
    place = results.own_column(results.plan.pairs[edit][0])
    effect = results.effect(edit)
    return effect if place is None else mask_unreadable(results, compared_groups(results), place, effect)


def edit_tables(results: Results, contrasts: Sequence[Contrast]) -> list[Table]:
    """For each edit the figures of every group, and how they differ from the rest."""
    found = []
    high = results.strangers[1]
    for edit, (name, factor) in enumerate(results.plan.pairs):
        rows = []
        by_group: dict[tuple[str, str] | None, dict[str, Contrast]] = {}
        for c in contrasts:
            if c.edit == edit and c.compared == AT_FACTOR and c.measure in TABLE_MEASURES:
                by_group.setdefault(c.group.label, {})[c.measure] = c
        for group in compared_groups(results):
            cells = [f"{group.columns[0]}: {group.name}", str(int((group.members & results.usable).sum()))]
            for measure in TABLE_MEASURES:
                cells += _cells(by_group.get(group.label, {}).get(measure), measure)
            cells += [_share(results.values["lighter"][group.members, edit], LIGHTENED)]
            cells += [_share(results.values["identity"][group.members, edit], high)]
            rows.append(tuple(cells))
        means = [f"{measure_title(measure)} {UNITS[measure][1]}".strip() for measure in TABLE_MEASURES]
        titles = [title for mean in means for title in (mean, "against the rest")]
        columns = ("group", "n", *titles, "lightened by over 1 L*", "identity above strangers")
        found.append(Table(edit_title(name, factor), columns, tuple(rows)))
    return found


def finding_table(results: Results, contrasts: Sequence[Contrast]) -> Table:
    """Every contrast that is beyond chance, large or small."""
    rows = []
    for c in sorted((c for c in contrasts if c.is_found), key=lambda c: (c.family, c.edit or -1, c.corrected)):
        signed = c.measure in ("leak", "lighter", "hue_turn")
        rows.append(
            (
                "before any edit" if c.edit is None else edit_title(*results.plan.pairs[c.edit]),
                measure_title(c.measure, c.attribute),
                c.compared,
                f"{c.group.columns[0]}: {c.group.name}",
                _mean_cell(c.mean, c.measure, signed),
                number(c.rest.value, UNITS[c.measure][2], signed),
                _mean_cell(c.difference, c.measure, True),
                probability(c.corrected),
            )
        )
    columns = ("edit", "figure", "compared at", "group", "mean", "rest", "difference", "p, corrected")
    return Table("Every difference beyond chance", columns, tuple(rows))


def _cells(contrast: Contrast | None, measure: str) -> list[str]:
    """Mean with interval; difference from the rest with interval and p."""
    if contrast is None or not math.isfinite(contrast.mean.value):
        return ["–", "–"]
    decimals, signed = UNITS[measure][2], measure in ("lighter", "hue_turn")
    mean = number(contrast.mean.value, decimals, signed)
    mean += f" ({between(contrast.mean, measure, signed)})" if contrast.mean.known else " (too few)"
    if not math.isfinite(contrast.difference.value):
        return [mean, "–"]
    p = contrast.corrected if math.isfinite(contrast.corrected) else contrast.p
    difference = number(contrast.difference.value, decimals, True)
    if contrast.difference.known:
        difference += f" ({between(contrast.difference, measure, True)})"
    corrected = "" if contrast.family else " uncorrected"
    return [mean, f"{difference}; {probability(p)}{corrected}{' ●' if contrast.is_found else ''}"]


def _share(values: np.ndarray, limit: float) -> str:
    """The share of known values over a limit, with Wilson's interval."""
    known = values[np.isfinite(values)]
    rate = rate_interval(int((known > limit).sum()), len(known)) if math.isfinite(limit) else Interval(math.nan)
    return f"{percent(rate.value)} ({percent(rate.low)} to {percent(rate.high)})" if len(known) else "–"


def leakage_table(results: Results, group: Group) -> Table:
    """Edit x attribute: mean change in SD of one group; an edit's own attribute in brackets."""
    names = [k for k, name in enumerate(results.columns) if not is_ethnicity_pair(name)]
    readable = {k for k in names if results.verdict(k, group).usable and results.verdict(k, results.everybody).usable}
    rows, marks = [], []
    for edit, (name, factor) in enumerate(results.plan.pairs):
        means = _means(results, edit, group)
        leaks = readable & set(results.leak_columns(name))
        texts = {k: number(means[k], 2, True) for k in readable}
        cells = ["–" if k not in readable else texts[k] if k in leaks else f"({texts[k]})" for k in names]
        rows.append((edit_title(name, factor), *cells))
        marks.append(("", *(_shade(means[k]) if k in leaks else "" for k in names)))
    columns = ("edit", *(attribute_title(results.columns[k]) for k in names))
    title = f"{group.columns[0]}: {group.name}" if group.columns else group.name
    return Table(title, columns, tuple(rows), tuple(marks))


def _means(results: Results, edit: int, group: Group) -> np.ndarray:
    values = results.changes[group.members, edit]
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), math.nan)  # type: ignore[no-any-return]


def _shade(value: float) -> str:
    """The class of a cell of the matrix: up or down, and how strongly."""
    size = next((shade for limit, shade in SHADES if abs(value) >= limit), 0)
    return f"{'up' if value > 0 else 'down'}-{size}" if size and math.isfinite(value) else ""


def change_table(contrasts: Sequence[Contrast], results: Results) -> Table:
    """The factor that groups need for the same change, and what is dragged along by then beyond chance."""
    rows = []
    for c in contrasts:
        if c.compared != AT_CHANGE or c.edit is None or not (c.measure == "factor" or c.is_found):
            continue
        signed = c.measure != "factor"
        p = c.corrected if math.isfinite(c.corrected) else c.p
        rows.append(
            (
                edit_title(*results.plan.pairs[c.edit]),
                measure_title(c.measure, c.attribute),
                f"{c.group.columns[0]}: {c.group.name}",
                str(c.mean.count),
                _mean_cell(c.mean, c.measure, signed),
                number(c.rest.value, UNITS[c.measure][2], signed),
                probability(p) + ("" if c.family else " uncorrected"),
            )
        )
    return Table("At equal achieved change", ("edit", "figure", "group", "n", "mean", "rest", "p"), tuple(rows))


def _mean_cell(mean: Interval, measure: str, signed: bool = False) -> str:
    """A mean with its interval where it has one."""
    text = number(mean.value, UNITS[measure][2], signed)
    return f"{text} ({between(mean, measure, signed)})" if mean.known else text


def reconstruction_table(results: Results) -> Table:
    """How near encoder and tuning come to each group, before any edit."""
    names = [f"{who}_{what}" for who in ("encoder", "tuned") for what in ("psnr", "lpips", "landmark_error")]
    rows = []
    for group in [results.everybody, *compared_groups(results)]:
        means = [group_means(results, [group], results.source[name])[0] for name in names]
        who = f"{group.columns[0]}: {group.name}" if group.columns else group.name
        cells = [_mean_cell(mean, name) for mean, name in zip(means, names, strict=True)]
        rows.append((who, str(int((group.members & results.usable).sum())), *cells))
    return Table("Reconstruction", ("group", "n", *(measure_title(name) for name in names)), tuple(rows))


def crossing_tables(results: Results) -> list[Table]:
    """Effect and lightness of skin for combinations of two columns, at each direction's outermost factors."""
    found = []
    for pair in results.plan.crossings:
        rows = []
        for group in results.groups(*pair):
            cells = [group.name, str(int((group.members & results.usable).sum()))]
            for edit in results.plan.outermost:
                for measure in ("effect", "lighter"):
                    mean = group_means(results, [group], _values(results, measure, edit))[0]
                    cells.append(_mean_cell(mean, measure, measure == "lighter"))
            rows.append(tuple(cells))
        edits = [edit_title(*results.plan.pairs[edit]) for edit in results.plan.outermost]
        titles = [f"{edit} {what}" for edit in edits for what in ("effect, SD", "skin, L*")]
        found.append(Table(" x ".join(pair), ("group", "n", *titles), tuple(rows)))
    return found


def quality_table(results: Results) -> Table:
    """Seam, sharpness, steadiness and the other measures that every edit has, over everybody."""
    names = ("identity", "colour_difference", "ita_change", "seam", "sharpness", "change", "tl_id")
    rows = []
    for edit, (name, factor) in enumerate(results.plan.pairs):
        means = mean_intervals(np.stack([results.values[n][:, edit] for n in names]), results.plan.seed)
        cells = [_mean_cell(mean, measure) for mean, measure in zip(means, names, strict=True)]
        rows.append((edit_title(name, factor), *cells))
    return Table("What every edit is measured by", ("edit", *(measure_title(name) for name in names)), tuple(rows))
