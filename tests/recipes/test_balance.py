"""The balance of the heads: the sampler is even, and a biased one is caught."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recipes.balance import SUSPICIOUS, cell_of, count_cells, evenness, name_of, summary, table
from recipes.heads.parameters import HeadParameters, from_latent
from recipes.render_dataset import latent_of, main

COUNT = 3000


@pytest.fixture(scope="module")
def heads() -> list[HeadParameters]:
    return [from_latent(latent_of(0, k)) for k in range(COUNT)]


def test_a_head_is_put_into_its_combination(heads: list[HeadParameters]) -> None:
    head = dataclasses.replace(heads[0], ethnicity=np.array([0.3, 0.5, 0.2]), gender=0.5, age=36.9, skin_tone=1.0)
    assert cell_of(head) == (1, 1, 0, 2)
    assert cell_of(dataclasses.replace(head, age=75.0, gender=0.49, skin_tone=0.4)) == (1, 0, 2, 1)
    assert name_of(count_cells([head]).argmax()) == "asian/masculine/18-37/dark"


def test_heads_are_evenly_spread(heads: list[HeadParameters]) -> None:
    counts = count_cells(heads)
    assert counts.sum() == COUNT
    assert counts.min() > 0.5 * counts.mean()
    assert evenness(counts) > SUSPICIOUS
    assert summary(counts).endswith(", evenly spread")


def test_a_biased_sampler_is_caught(heads: list[HeadParameters]) -> None:
    # Light heads of one shape trade their tone with dark ones of the others: shapes and tones by themselves stay even.
    tied = list(heads)
    light = [k for k, p in enumerate(heads) if cell_of(p)[0] == 0 and cell_of(p)[3] == 0]
    dark = [k for k, p in enumerate(heads) if cell_of(p)[0] != 0 and cell_of(p)[3] == 2]
    for i, j in list(zip(light, dark, strict=False))[:120]:
        tied[i] = dataclasses.replace(heads[i], skin_tone=heads[j].skin_tone)
        tied[j] = dataclasses.replace(heads[j], skin_tone=heads[i].skin_tone)
    even, biased = count_cells(heads), count_cells(tied)
    for axes in ((0, 1, 2), (1, 2, 3)):
        np.testing.assert_array_equal(even.sum(axes), biased.sum(axes))
    assert evenness(biased) < SUSPICIOUS
    older = [dataclasses.replace(p, age=min(p.age * 1.1, 75.0)) for p in heads]
    assert summary(count_cells(older)).endswith("NOT evenly spread")


def test_the_table_adds_up(heads: list[HeadParameters]) -> None:
    rows = [line.split("|")[1:-1] for line in table(count_cells(heads)).splitlines() if line.startswith("|")]
    assert len(rows) == 9
    numbers = np.array([[int(cell) for cell in row[1:]] for row in rows[2:]])
    np.testing.assert_array_equal(numbers[:, :-1].sum(1), numbers[:, -1])
    np.testing.assert_array_equal(numbers[:-1].sum(0), numbers[-1])


def test_the_recipe_prints_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["render_dataset", "--balance", "--count", "200", "--seed", "3"])
    main()
    assert "balance of 200 heads over 54 combinations" in capsys.readouterr().out
