"""The tables of a report, as plain rows that its page lays out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats.contingency import association

from stit_core.review.attributes import is_ethnicity_pair
from stit_core.review.colour import ita_name
from stit_core.review.comparing import AT_CHANGE, AT_FACTOR, Contrast, group_means, readable_values
from stit_core.review.everybody import LIGHTENED
from stit_core.review.findings import is_other_side
from stit_core.review.instruments import Verdict
from stit_core.review.reading import FIGURES
from stit_core.review.results import Group, Results
from stit_core.review.statistics import Interval, mean_intervals, rate_interval
from stit_core.review.words import (
    UNITS,
    attribute_title,
    between,
    column_title,
    edit_meaning,
    edit_title,
    group_title,
    measure_title,
    number,
    percent,
    probability,
    unit_title,
)

MOST_ACROSS = 8  # edits beside one another in a table, so that it fits a page
LEAKS_ACROSS = 4  # the same of the leakage, whose tables stand beside one another where there is room
SHADES = ((2.0, 4), (1.0, 3), (0.5, 2), (0.2, 1))  # size of a cell of the matrix in SD -> its shade
TABLE_MEASURES = ("effect", "lighter", "hue_turn", "identity")


@dataclass(frozen=True)
class Table:
    """A heading, column titles and rows of text; `marks` gives classes of single cells by row and column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[tuple[str, ...], ...] = ()


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
        column = column_title(group.columns[0]) if group.columns else ""
        counts = [str(int(group.members.sum())), str(int(seen.sum())), str(failed)]
        rows.append((column, group.name, *counts, spread, *_skin_cells(results, seen)))
    skin = ("skin lightness, L*", "skin hue", "skin ITA (name)")
    columns = ("labelled by", "group", "people", "looked at", "failed", "share that may fail, 95 % interval", *skin)
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
        unused = "; ".join(f"{group_title(g)}: {v.reason}" for g, v in groups if not v.usable) or "–"
    return (
        attribute_title(name),
        number(everybody.fit) if everybody.fit is not None else "–",
        judged,
        f"{number(everybody.retest)} SD" if everybody.retest is not None else "–",
        unused,
    )


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
            cells = [group_title(group), str(int((group.members & results.usable).sum()))]
            for measure in TABLE_MEASURES:
                cells += _cells(by_group.get(group.label, {}).get(measure), measure)
            cells += [_share(results.values["lighter"][group.members, edit], LIGHTENED)]
            cells += [_share(results.values["identity"][group.members, edit], high)]
            rows.append(tuple(cells))
        means = [f"{measure_title(measure)} {UNITS[measure][1]}".strip() for measure in TABLE_MEASURES]
        titles = [title for mean in means for title in (mean, "against the rest")]
        columns = ("group", "n", *titles, "lightened by over 1 L*", "identity above strangers")
        title = f"{edit_title(name, factor)} ({edit_meaning(name, factor)})"
        found.append(Table(title, columns, tuple(rows)))
    return found


def finding_table(results: Results, contrasts: Sequence[Contrast]) -> Table:
    """Every contrast that is beyond chance, large or small, of two mirror images one."""
    rows = []
    found = [c for c in contrasts if c.is_found and not is_other_side(c, contrasts)]
    for c in sorted(found, key=lambda c: (-1 if c.edit is None else c.edit, c.family, c.corrected)):
        signed = c.measure in ("leak", "lighter", "hue_turn")
        rows.append(
            (
                "before any edit" if c.edit is None else edit_title(*results.plan.pairs[c.edit]),
                unit_title(c.measure, c.attribute),
                c.compared,
                group_title(c.group),
                _mean_cell(c.mean, c.measure, signed),
                number(c.rest.value, UNITS[c.measure][2], signed),
                _mean_cell(c.difference, c.measure, True),
                probability(c.corrected),
            )
        )
    columns = ("edit", "figure, unit", "compared at", "group", "mean", "rest", "difference", "p, corrected")
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


def leakage_tables(results: Results, group: Group) -> list[Table]:
    """Attribute x edit, LEAKS_ACROSS edits a table: mean change of a group in SD, an edit's own in brackets."""
    names = [k for k, name in enumerate(results.columns) if not is_ethnicity_pair(name)]
    readable = {k for k in names if results.verdict(k, group).usable and results.verdict(k, results.everybody).usable}
    edits = range(len(results.plan.pairs))
    tables = []
    for first in range(0, len(edits), LEAKS_ACROSS):
        here = edits[first : first + LEAKS_ACROSS]
        means = {edit: _means(results, edit, group) for edit in here}
        leaks = {edit: readable & set(results.leak_columns(results.plan.pairs[edit][0])) for edit in here}
        rows, marks = [], []
        for k in names:
            texts = {edit: number(means[edit][k], 2, True) for edit in here}
            cells = ["–" if k not in readable else texts[e] if k in leaks[e] else f"({texts[e]})" for e in here]
            rows.append((attribute_title(results.columns[k]), *cells))
            marks.append(("", *(_shade(means[edit][k]) if k in leaks[edit] else "" for edit in here)))
        titles = [edit_title(*results.plan.pairs[edit]) for edit in here]
        tables.append(Table(group_title(group), ("attribute", *titles), tuple(rows), tuple(marks)))
    return tables


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
                group_title(c.group),
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
        who = group_title(group)
        cells = [_mean_cell(mean, name) for mean, name in zip(means, names, strict=True)]
        rows.append((who, str(int((group.members & results.usable).sum())), *cells))
    return Table(
        "Reconstruction",
        ("group", "n", *(unit_title(name) for name in names)),
        tuple(rows),
    )


def crossing_tables(results: Results) -> list[Table]:
    """Effect, and lightness of skin, of combinations of two columns, at each direction's outermost factors."""
    found = []
    for pair in results.plan.crossings:
        groups, name = results.groups(*pair), " x ".join(column_title(column) for column in pair)
        for measure, what in (("effect", "effect in SD"), ("lighter", "change of the skin's lightness in L*")):
            for first in range(0, len(results.plan.outermost), MOST_ACROSS):
                edits = results.plan.outermost[first : first + MOST_ACROSS]
                values = [readable_values(results, measure, edit) for edit in edits]
                rows = []
                for group in groups:
                    means = [group_means(results, [group], one)[0] for one in values]
                    cells = [_mean_cell(mean, measure, measure == "lighter") for mean in means]
                    rows.append((group.name, str(int((group.members & results.usable).sum())), *cells))
                titles = [edit_title(*results.plan.pairs[edit]) for edit in edits]
                found.append(Table(f"{name}: {what}", ("group", "n", *titles), tuple(rows)))
    return found


def label_tables(results: Results) -> list[Table]:
    """For each crossing how many people have which two labels, and how far one label follows from the other."""
    found = []
    for first, second in results.plan.crossings:
        rows, columns = results.groups(first), results.groups(second)
        counts = np.array([[int((r.members & c.members).sum()) for c in columns] for r in rows])
        cells = tuple((r.name, *map(str, line)) for r, line in zip(rows, counts.tolist(), strict=True))
        some = counts.sum(axis=0).all() and counts.sum(axis=1).all() and min(counts.shape) > 1
        tie = number(float(association(counts, method="cramer"))) if some else "–"
        title = f"{column_title(first)} x {column_title(second)}: Cramér's V {tie}"
        found.append(Table(title, (column_title(first), *(c.name for c in columns)), cells))
    return found


def quality_table(results: Results) -> Table:
    """Seam, sharpness, steadiness and the other measures that every edit has, over everybody; empty ones left out."""
    wanted = ("identity", "colour_difference", "ita_change", "seam", "sharpness", "change", "tl_id")
    names = tuple(name for name in wanted if np.isfinite(results.values[name]).any())
    rows = []
    for edit, (name, factor) in enumerate(results.plan.pairs):
        means = [mean_intervals(results.values[n][:, edit][None], results.plan.seed)[0] for n in names]
        cells = [_mean_cell(mean, measure) for mean, measure in zip(means, names, strict=True)]
        rows.append((edit_title(name, factor), *cells))
    titles = (unit_title(name) for name in names)
    return Table("What every edit is measured by", ("edit", *titles), tuple(rows))
