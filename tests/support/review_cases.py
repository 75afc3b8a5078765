"""Reviews made by hand: results whose effects, leaks and skin are known, and people on a disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from stit_core.review.instruments import InstrumentTable
from stit_core.review.people import People, Person, Source
from stit_core.review.plan import Plan
from stit_core.review.reading import FIGURES
from stit_core.review.results import EDIT_VALUES, SOURCE_VALUES, Results

COLUMNS = ("age", "gender", "skin_tone", "smile", "hair_grey")
EDITS = (("age", (-2.0, 2.0)), ("smile", (1.0, 2.0)))


def make_people(labels: Mapping[str, Sequence[str]]) -> People:
    """People by label columns, each with one file that nobody reads."""
    count = len(next(iter(labels.values())))
    persons = [
        Person(f"person {k}", {c: values[k] for c, values in labels.items()}, (Source(f"{k}.png"),))
        for k in range(count)
    ]
    return People("a set made by hand", tuple(labels), tuple(persons), labels_from="perceived")


def make_results(labels: Mapping[str, Sequence[str]], seed: int = 0, noise: float = 0.3) -> Results:
    """Results in which nobody differs from anybody but by chance: every edit's effect is its factor times 0.8 SD."""
    people = make_people(labels)
    plan = Plan(EDITS, tuple(labels))
    rng, count, edits = np.random.default_rng(seed), len(people.persons), len(plan.pairs)
    own_noise = noise * rng.normal(size=(count, 1, 1))  # a person's edits are alike
    moved = own_noise + noise * rng.normal(size=(count, edits, len(COLUMNS)))
    for edit, (name, factor) in enumerate(plan.pairs):
        moved[:, edit, COLUMNS.index(name)] += 0.8 * factor
    values = {name: np.full((count, edits), math.nan) for name in EDIT_VALUES}
    for name, middle, spread in (("identity", 0.95, 0.01), ("lighter", 0.0, 0.8), ("hue_turn", 0.0, 1.0)):
        values[name] = middle + spread * rng.normal(size=(count, edits))
    source = {name: 1.0 + 0.1 * rng.normal(size=count) for name in SOURCE_VALUES}
    embeddings = rng.normal(size=(count, 8)) + 1.0
    return Results(
        plan=plan,
        people=people,
        columns=COLUMNS,
        failures=("",) * count,
        edit_failures=(("",) * edits,) * count,
        source=source,
        values=values,
        attributes=rng.normal(size=(count, len(COLUMNS))),
        mirrored=np.full((count, len(COLUMNS)), math.nan),
        truth=np.full((count, len(COLUMNS)), math.nan),
        figures=rng.normal(size=(count, len(FIGURES))),
        embeddings=embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
        moved=moved,
        moved_figures=rng.normal(size=(count, edits, len(FIGURES))),
        table=known_table(),
    )


def known_table(**fits: float) -> InstrumentTable:
    """A table in which every attribute has the spread 1 and fits by 0.9, or as told."""
    entry = {"mean": 0.0, "spread": 1.0, "slope": 1.0, "intercept": 0.0, "truth_spread": 1.0, "groups": {}}
    return InstrumentTable(100, {name: {**entry, "fit": fits.get(name, 0.9)} for name in COLUMNS}, {})


def alternating(count: int, *names: str) -> list[str]:
    """Labels (count,) in turn."""
    return [names[k % len(names)] for k in range(count)]
