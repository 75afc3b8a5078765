"""The people of a review: balanced, alike in what is not their label, and those of the assets are the recipe's."""

from __future__ import annotations

import collections
import csv
from pathlib import Path

import numpy as np
import pytest

from recipes.heads.parameters import ATTRIBUTE_NAMES
from recipes.render_labelled import SEED as LABELLED_SEED
from recipes.render_pairs import SEED as PAIRS_SEED
from recipes.render_people import AGES, EACH, GENDERS, LABELS, LEAST_SHARE, SEED, SHAPES, TONES, Person, people

ASSETS = Path(__file__).resolve().parents[2] / "assets/people"
LARGEST = 4_000_000  # bytes of all pictures and tables


@pytest.fixture(scope="module")
def everyone() -> list[Person]:
    return list(people())


def test_every_combination_has_as_many(everyone: list[Person]) -> None:
    counts = collections.Counter(person.labels for person in everyone)
    assert len(counts) == 24
    assert set(counts.values()) == {EACH}
    assert len({person.file for person in everyone}) == 120


def test_labels_are_what_the_renderer_is_given(everyone: list[Person]) -> None:
    for person in everyone:
        shape, gender, age, tone = person.labels
        assert person.head.ethnicity[SHAPES.index(shape)] >= LEAST_SHARE
        for limits, value in (
            (GENDERS[gender], person.head.gender),
            (AGES[age], person.head.age),
            (TONES[tone], person.head.skin_tone),
        ):
            assert limits[0] - 1e-9 <= value <= limits[1] + 1e-9


def test_groups_differ_in_nothing_but_their_label(everyone: list[Person]) -> None:
    cells: dict[tuple[str, ...], list[float]] = collections.defaultdict(list)
    for person in everyone:
        cells[person.labels].append(person.head.yaw)
        assert (person.head.smile, person.head.mouth_open, person.head.roll) == (0.0, 0.0, 0.0)
    assert {tuple(np.round(sorted(yaws), 6)) for yaws in cells.values()} == {(-24.0, -12.0, 0.0, 12.0, 24.0)}
    lights = {tuple(person.head.light_direction) for person in everyone}
    assert len(lights) == 1


def test_no_head_is_there_twice_and_no_other_seed_is_used(everyone: list[Person]) -> None:
    shapes = np.stack([person.head.shape for person in everyone])
    assert len(np.unique(shapes, axis=0)) == len(everyone)
    assert SEED not in {0, 1, LABELLED_SEED, PAIRS_SEED, PAIRS_SEED + 1}


def test_the_assets_are_these_people(everyone: list[Person]) -> None:
    with (ASSETS / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], *(row[name] for name in LABELS)) for row in rows] == [
        (person.file, *person.labels) for person in everyone
    ]
    with (ASSETS / "attributes.csv").open(newline="") as file:
        truths = list(csv.DictReader(file))
    assert list(truths[0]) == ["file", *ATTRIBUTE_NAMES]
    for row, person in zip(truths, everyone, strict=True):
        assert float(row["gender"]) == pytest.approx(person.head.gender, abs=1e-3)
        assert float(row["yaw"]) == pytest.approx(person.head.yaw / 30, abs=1e-3)


def test_the_assets_are_all_there_and_small() -> None:
    files = [file for file in ASSETS.iterdir() if file.suffix == ".webp"]
    assert len(files) == 120
    assert sum(file.stat().st_size for file in ASSETS.iterdir()) < LARGEST
