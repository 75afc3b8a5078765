"""A review's figures for other programs: a CSV with one row a person, edit and factor, and everything as JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stit_core.review.comparing import Contrast
from stit_core.review.findings import Sentence
from stit_core.review.reading import FIGURES
from stit_core.review.results import EDIT_VALUES, SOURCE_VALUES, Results
from stit_core.review.statistics import Interval
from stit_core.store.spreadsheets import safe_cell


def rows_csv(results: Results) -> str:
    """The table: person, files, labels, edit, factor, failure, effects, values, source's values, then all changes."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = list(results.people.columns)
    head = ["person", "files", *map(safe_cell, columns), "direction", "factor", "failure"]
    head += ["effect_sd", "landmark_effect_sd", *EDIT_VALUES, *(f"source_{name}" for name in SOURCE_VALUES)]
    writer.writerow(head + [f"change_sd_{name}" for name in results.columns])
    effects = [(results.effect(edit), results.landmark_effect(edit)) for edit in range(len(results.plan.pairs))]
    for place, person in enumerate(results.people.persons):
        files = " ".join(source.name for source in person.sources)
        who = [person.name, files, *(person.labels.get(column, "") for column in columns)]
        source = [_number(results.source[name][place]) for name in SOURCE_VALUES]
        for edit, (name, factor) in enumerate(results.plan.pairs):
            failure = results.failures[place] or results.edit_failures[place][edit]
            values = [_number(results.values[value][place, edit]) for value in EDIT_VALUES]
            effect = [_number(each[place]) for each in effects[edit]]
            changes = [_number(value) for value in results.changes[place, edit]]
            row = [*map(safe_cell, who), name, f"{factor:g}", safe_cell(failure), *effect, *values, *source, *changes]
            writer.writerow(row)
    return file.getvalue()


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def as_json(
    results: Results, contrasts: Sequence[Contrast], sentences: Sequence[Sentence], made: dict[str, Any]
) -> dict[str, Any]:
    """The whole review as one object; `made` says by what it was made."""
    return {
        "format": 1,
        "made": made,
        "question": results.plan.question,
        "people": {
            "title": results.people.title,
            "labels_from": results.people.labels_from,
            "columns": list(results.people.columns),
            "left_out": [list(pair) for pair in results.people.left_out],
            "persons": [
                {
                    "name": person.name,
                    "files": [source.name for source in person.sources],
                    "labels": dict(person.labels),
                    "failure": failure,
                    "source": {name: _plain(results.source[name][place]) for name in SOURCE_VALUES},
                }
                for place, (person, failure) in enumerate(zip(results.people.persons, results.failures, strict=True))
            ],
        },
        "edits": [{"direction": name, "factor": factor} for name, factor in results.plan.pairs],
        "compared": list(results.plan.columns),
        "instruments": instruments_json(results),
        "strangers": dict(zip(("median", "95th percentile"), map(_plain, results.strangers), strict=True)),
        "findings": [{"kind": s.kind, "text": s.text, "is_finding": s.is_finding} for s in sentences],
        "contrasts": [contrast_json(results, contrast) for contrast in contrasts],
    }


def instruments_json(results: Results) -> list[dict[str, Any]]:
    """Verdicts of both instruments, for everybody and for each group of the compared columns."""
    groups = [results.everybody, *(group for column in results.plan.columns for group in results.groups(column))]
    found = []
    for kind, names in (("attribute network", results.columns), ("landmarks", FIGURES)):
        for place, name in enumerate(names):
            for group in groups:
                network = kind == "attribute network"
                verdict = results.verdict(place, group) if network else results.landmark_verdict(name, group)
                found.append(
                    {
                        "instrument": kind,
                        "attribute": name,
                        "group": dict(zip(group.columns, group.labels, strict=True)),
                        "fit": _plain(verdict.fit),
                        "on_these_people": verdict.own,
                        "mirror_sd": _plain(verdict.retest),
                        "used": verdict.usable,
                    }
                )
    return found


def contrast_json(results: Results, contrast: Contrast) -> dict[str, Any]:
    """One contrast as a flat object."""
    edit = None if contrast.edit is None else results.plan.pairs[contrast.edit]
    return {
        "family": contrast.family or None,
        "measure": contrast.measure,
        "attribute": contrast.attribute or None,
        "direction": edit and edit[0],
        "factor": edit and edit[1],
        "compared_at": contrast.compared,
        "group": dict(zip(contrast.group.columns, contrast.group.labels, strict=True)),
        "mean": _interval(contrast.mean),
        "rest": _interval(contrast.rest),
        "difference": _interval(contrast.difference),
        "p": _plain(contrast.p),
        "p_corrected": _plain(contrast.corrected),
        "beyond_chance": contrast.is_found,
        "mirror_image": contrast.mirror,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    names = ("value", "low", "high")
    return {name: _plain(getattr(interval, name)) for name in names} | {"people": interval.count}


def _plain(value: float | None) -> float | None:
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.6g}")
