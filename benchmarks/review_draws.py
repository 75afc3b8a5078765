"""How often a review finds differences in sets that have none, and how often it finds one that is there.

    python -m benchmarks.review_draws [--draws 200] [--people 60]

Sets are drawn by hand-made rules (`stit_core.review.results`), no network is asked: the first kind without any
difference between groups, the second with an effect halved in one of three groups, the third with skin lightened by
2 L* in one. A review may find something in at most 5 of 100 sets of the first kind.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from tqdm import tqdm

from stit_core.review.comparing import Contrast, contrasts
from stit_core.review.instruments import InstrumentTable
from stit_core.review.people import People, Person, Source
from stit_core.review.plan import Plan
from stit_core.review.reading import FIGURES
from stit_core.review.results import EDIT_VALUES, SOURCE_VALUES, Results
from stit_core.review.statistics import rate_interval

COLUMNS = ("age", "gender", "skin_tone", "smile", "hair_grey", "beard", "african", "asian")
EDITS = (("age", (-2.0, 2.0)), ("smile", (1.0, 2.0)))
EFFECT, NOISE = 0.8, 0.3  # SD a factor of 1, and of a person's reading
KINDS = ("nothing differs", "an effect halved in one group", "skin lightened by 2 L* in one group")


def draw(seed: int, people: int, kind: str) -> Results:
    """A set of people in two label columns, of three and of two groups."""
    rng = np.random.default_rng(seed)
    labels = [{"group": "abc"[k % 3], "half": ("left", "right")[2 * k // people]} for k in range(people)]
    persons = tuple(Person(str(k), label, (Source(str(k)),)) for k, label in enumerate(labels))
    plan = Plan(EDITS, ("group", "half"))
    shape = people, len(plan.pairs)
    moved = NOISE * (rng.normal(size=(people, 1, 1)) + rng.normal(size=(*shape, len(COLUMNS))))
    second = np.array([label["group"] == "b" for label in labels])
    for edit, (name, factor) in enumerate(plan.pairs):
        strength = np.where(second & (name == "smile") & (kind == KINDS[1]), 0.5, 1.0)
        moved[:, edit, COLUMNS.index(name)] += EFFECT * factor * strength
    values = {name: np.full(shape, math.nan) for name in EDIT_VALUES}
    values |= {"identity": 0.95 + 0.01 * rng.normal(size=shape), "hue_turn": rng.normal(size=shape)}
    values["lighter"] = rng.normal(size=shape) + 2.0 * (second & (kind == KINDS[2]))[:, None]
    entry = {"spread": 1.0, "slope": 1.0, "intercept": 0.0, "truth_spread": 1.0, "fit": 0.9, "groups": {}}
    unknown = np.full((people, len(COLUMNS)), math.nan)
    return Results(
        plan=plan,
        people=People("drawn", ("group", "half"), persons),
        columns=COLUMNS,
        failures=("",) * people,
        edit_failures=(("",) * shape[1],) * people,
        source={name: 1.0 + 0.1 * rng.gamma(2.0, size=people) for name in SOURCE_VALUES},
        values=values,
        attributes=rng.normal(size=(people, len(COLUMNS))),
        mirrored=unknown,
        truth=unknown,
        figures=rng.normal(size=(people, len(FIGURES))),
        embeddings=rng.normal(size=(people, 8)),
        moved=moved,
        moved_figures=rng.normal(size=(*shape, len(FIGURES))),
        table=InstrumentTable(100, {name: {**entry} for name in COLUMNS}, {}),
    )


def is_hit(contrast: Contrast, kind: str) -> bool:
    """Whether a contrast beyond chance is what was put into a set of this kind."""
    wanted = {KINDS[0]: contrast.measure, KINDS[1]: "effect", KINDS[2]: "lighter"}[kind]
    return contrast.is_found and contrast.measure == wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--people", type=int, default=60)
    arguments = parser.parse_args()
    print("| set | draws | with such a finding | 95 % interval |\n| --- | --- | --- | --- |")
    for kind in KINDS:
        hits = 0
        for seed in tqdm(range(arguments.draws), desc=kind):
            hits += any(is_hit(contrast, kind) for contrast in contrasts(draw(seed, arguments.people, kind)))
        rate = rate_interval(hits, arguments.draws)
        print(
            f"| {kind} | {arguments.draws} | {hits} | {100 * rate.low:.1f} % to {100 * rate.high:.1f} % |", flush=True
        )


if __name__ == "__main__":
    main()
