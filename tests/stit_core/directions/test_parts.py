"""Tests of what is measured on pairs of pictures and on the generator's own heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.directions.labelled_pictures import PictureEntry, open_pictures
from stit_core.directions.parts import (
    HEADS,
    PAIRS,
    STAGE,
    drawn_changes,
    drawn_pairs,
    measure_changes,
    pair_entries,
    pictured_changes,
)
from stit_core.errors import Cancelled
from stit_core.faces.changed_parts import changed_parts
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.regions import PARTS
from stit_core.runtime import CancelToken, Runtime
from tests.support.labelled_heads import draw_head, tinted
from tests.support.tiny_pack import RESOLUTION, make_direction

pytest_plugins = ["tests.support.fixtures_pack"]


@pytest.fixture
def models(home: Path) -> Models:  # noqa: ARG001 (home says where to look)
    return load_models(find_pack("tiny"), torch.device("cpu"))


class KnownParser:
    """Looks the classes of a drawn head up by the picture's number, which its first pixel holds."""

    def __init__(self, heads: list[np.ndarray]) -> None:
        self.heads = heads

    def parse(self, images: torch.Tensor) -> torch.Tensor:
        numbers = [round(float((image[0, 0, 0] + 1) * 127.5)) for image in images]
        labels = torch.from_numpy(np.stack([self.heads[number] for number in numbers])).long()
        return torch.nn.functional.one_hot(labels, 19).permute(0, 3, 1, 2).float()


class Known:
    """Models with that parser."""

    device = torch.device("cpu")

    def __init__(self, heads: list[np.ndarray]) -> None:
        self.parser = KnownParser(heads)


def numbered(picture: np.ndarray, number: int) -> np.ndarray:
    picture = picture.copy()
    picture[0, 0] = number
    return picture


def entry(label: str, name: str) -> PictureEntry:
    return PictureEntry(label, f"{label}/{name}", lambda: b"")


def test_each_person_gives_one_pair_drawn_by_the_seed() -> None:
    entries = [entry("a", f"p{k:03d}_{m}.png") for k in range(60) for m in range(2)]
    entries += [entry("b", f"p{k:03d}_0.png") for k in range(10, 100)]
    found = pair_entries(entries, ("a", "b"), 0)
    assert len(found) == PAIRS
    assert all(one.name[2:6] == other.name[2:6] and one.label == "a" for one, other in found)
    assert len({one.name for one, _ in found}) == PAIRS
    names = [(one.name, other.name) for one, other in found]
    assert names == [(one.name, other.name) for one, other in pair_entries(entries, ("a", "b"), 0)]
    assert names != [(one.name, other.name) for one, other in pair_entries(entries, ("a", "b"), 1)]
    assert pair_entries(entries[:5], ("a", "b"), 0) == []


def test_the_median_of_the_pairs_counts_and_broken_pairs_do_not() -> None:
    heads = [draw_head(seed) for seed in range(5)]
    pairs: list[tuple[np.ndarray, np.ndarray] | None] = [None]
    for number, (picture, labels) in enumerate(heads):
        odd = number == 0
        where = np.isin(labels, PARTS["hair" if odd else "nose"])  # one pair in five differs in something else
        pairs.append((numbered(picture, number), numbered(tinted(picture, where), number)))
    told: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: told.append(step))
    known = Known([labels for _, labels in heads])
    found = measure_changes(pairs, len(pairs), known, runtime)  # type: ignore[arg-type]
    assert changed_parts(found) == ("nose",)
    assert told == [(STAGE, done, 6) for done in range(7)]
    assert measure_changes([None], 1, known, runtime) == {}  # type: ignore[arg-type]


def test_pictures_that_cannot_be_read_are_passed_over(tmp_path: Path, models: Models) -> None:
    for label, light in (("dark", 90), ("light", 150)):
        (tmp_path / label).mkdir()
        for number in range(2):
            Image.new("RGB", (80, 80), (light,) * 3).save(tmp_path / label / f"p{number}_0.png")
    (tmp_path / "light" / "p1_0.png").write_bytes(b"no picture")
    entries = pair_entries(open_pictures(tmp_path).entries, ("dark", "light"), 0)
    assert len(entries) == 2
    found = pictured_changes(entries, models, True, Runtime())
    assert found == {"skin": pytest.approx(24, abs=3)}  # this pack's parser calls all of it skin


def test_drawn_heads_are_the_same_for_a_seed_and_differ_by_the_direction(models: Models) -> None:
    pairs = list(drawn_pairs(make_direction(), models, 3))
    again = list(drawn_pairs(make_direction(), models, 3))
    assert len(pairs) == HEADS
    assert pairs[0][0].shape == (RESOLUTION, RESOLUTION, 3)
    assert all(
        np.array_equal(a, b) for one, other in zip(pairs, again, strict=True) for a, b in zip(one, other, strict=True)
    )
    assert not np.array_equal(pairs[0][0], pairs[0][1])
    still = next(drawn_pairs(0 * make_direction(), models, 3))
    assert np.array_equal(*still)
    assert drawn_changes(0 * make_direction(), models, 3, Runtime()) == {"skin": 0.0}
    assert drawn_changes(10 * make_direction(), models, 3, Runtime())["skin"] > 1


@pytest.mark.parametrize("step", [0, 2])
def test_a_stop_is_heard(models: Models, step: int) -> None:
    cancel = CancelToken()

    def progress(stage: str, done: int, total: int) -> None:  # noqa: ARG001
        if done == step:
            cancel.set()

    with pytest.raises(Cancelled):
        drawn_changes(make_direction(), models, 0, Runtime(progress=progress, cancel=cancel))
