"""Tests of the labelled sets: what each class fixes, that nothing else changes, and what the pictures are called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recipes.heads.parameters import SHAPE_LIMIT, SHAPE_NAMES, SHAPE_SD, HeadParameters, from_latent
from recipes.labels import BEARD, ETHNICITY, EXTREME, SETS, LabelledSet, fixed
from recipes.make_directions import texts_of
from recipes.render_dataset import latent_of
from recipes.render_labelled import ALL_SETS, SEED, head_of, picture_file
from stit_core.directions.labelled_pictures import person_of
from stit_core.directions.training import name_pairs

STIT = {
    "age eye_distance eye_eyebrow_distance eye_ratio eyes_open gender lip_ratio mouth_open mouth_ratio",
    "nose_mouth_distance nose_ratio nose_tip pitch roll smile yaw",
}


@pytest.fixture
def head() -> HeadParameters:
    return from_latent(latent_of(5, 0))


def differing(a: HeadParameters, b: HeadParameters) -> set[str]:
    """Fields in which two heads differ, shapes by their own names."""
    names = {f.name for f in dataclasses.fields(a) if not np.array_equal(getattr(a, f.name), getattr(b, f.name))}
    shapes = {name for name, x, y in zip(SHAPE_NAMES, a.shape, b.shape, strict=True) if x != y}
    return names - {"shape"} | shapes


def test_the_sets_make_the_directions_that_are_wanted() -> None:
    made = {pair.name for labelled in SETS for pair in pairs_of(labelled)}
    ethnicity = {"asian_african", "caucasian_african", "caucasian_asian"}
    assert made == {name for line in STIT for name in line.split()} | ethnicity | {"skin_tone"}


def pairs_of(labelled: LabelledSet) -> list:
    name = "-" if labelled is ETHNICITY else labelled.name
    return name_pairs([label for label, _ in labelled.classes], name)


def test_from_and_to_of_the_ethnicity_pairs() -> None:
    pairs = {(pair.name, pair.first, pair.second) for pair in pairs_of(ETHNICITY)}
    assert ("asian_african", "asian", "african") in pairs
    assert ("caucasian_african", "caucasian", "african") in pairs
    values = dict(ETHNICITY.classes)
    assert np.array_equal(values["african"]["ethnicity"], [1, 0, 0])  # the order of HeadParameters.ethnicity
    assert np.array_equal(values["asian"]["ethnicity"], [0, 1, 0])
    assert np.array_equal(values["caucasian"]["ethnicity"], [0, 0, 1])


@pytest.mark.parametrize("labelled", [*SETS, BEARD], ids=lambda labelled: labelled.name)
def test_classes_differ_in_what_they_name_and_in_nothing_else(labelled: LabelledSet, head: HeadParameters) -> None:
    classes = [fixed(head, values) for _, values in labelled.classes]
    named = {name for _, values in labelled.classes for name in values}
    assert len({label for label, _ in labelled.classes}) == len(labelled.classes)
    for other in classes[1:]:
        assert differing(classes[0], other) <= named
        assert differing(classes[0], other)
    assert all(differing(head, other) <= named for other in classes)


def test_shapes_are_in_deviations_from_their_mean_and_never_beyond_the_limit(head: HeadParameters) -> None:
    place = SHAPE_NAMES.index("cheek_bones")
    assert fixed(head, {"cheek_bones": 1.5}).shape[place] == pytest.approx(1.5 * SHAPE_SD)
    assert fixed(head, {"cheek_bones": 99.0}).shape[place] == SHAPE_LIMIT
    wide = dict(ALL_SETS["nose_ratio"].classes)["wider_nose"]
    assert wide == {"nose_width": EXTREME, "nose_flare": EXTREME, "nose_length": -EXTREME}
    assert np.array_equal(fixed(head, {"eye_close": 0.9}).eye_close, [0.9, 0.9])


def test_a_head_is_one_person_in_all_classes_and_unknown_to_the_pack() -> None:
    labelled = ALL_SETS["smile"]
    files = [picture_file(Path("x"), labelled, 7, place) for place in (0, 1)]
    assert [file.name for file in files] == ["head00007_0.png", "head00007_1.png"]
    assert len({file.parent.name for file in files}) == 2
    assert len({person_of(file.name) for file in files}) == 1
    assert SEED not in (0, 1)  # the seeds of training and held-out renders
    assert differing(head_of(labelled, SEED, 7), head_of(ALL_SETS["age"], SEED, 7))
    assert head_of(BEARD, SEED, 3).gender == 0.9


def test_cards_say_that_ethnicity_names_are_those_of_shapes() -> None:
    text = texts_of(ETHNICITY)
    assert "synthetic shapes" in text.description
    assert "nothing is inferred about a person" in text.description
    assert "older" in texts_of(ALL_SETS["age"]).description
