"""Instruments examined: a good one passes, a blind one and an unsteady one do not."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from stit_core.errors import PackError
from stit_core.packs.loading import find_pack
from stit_core.review.instruments import TABLE_FILE, fit_of, judge, read_table

ENTRY = {"mean": 0.0, "spread": 1.0, "slope": 1.0, "intercept": 0.0, "truth_spread": 1.0, "fit": 0.9}


def test_fit_is_the_correlation_over_all_heads() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5000)
    reading = truth + 0.7 * rng.normal(size=5000)
    slope, intercept = np.polyfit(reading, truth, 1)
    entry = {"slope": slope, "intercept": intercept, "truth_spread": truth.std()}
    assert fit_of(truth, reading, entry) == pytest.approx(np.corrcoef(truth, reading)[0, 1], abs=1e-6)


def test_a_group_in_which_the_truth_hardly_varies_is_not_blamed() -> None:
    rng = np.random.default_rng(1)
    truth = 0.01 * rng.normal(size=200)
    reading = truth + 0.3 * rng.normal(size=200)
    assert abs(np.corrcoef(truth, reading)[0, 1]) < 0.2
    assert fit_of(truth, reading, ENTRY) == pytest.approx(math.sqrt(1 - 0.09), abs=0.02)
    assert fit_of(truth, reading + 5.0, ENTRY) == pytest.approx(fit_of(truth, reading, ENTRY))  # changes are read


def test_an_instrument_is_judged_on_these_people_where_their_truth_is_known() -> None:
    truth = np.random.default_rng(2).normal(size=30)
    noise = np.random.default_rng(3).normal(size=30)
    good, blind = judge(ENTRY, "age", truth, None, truth, 1.0), judge(ENTRY, "age", noise, None, truth, 1.0)
    assert (good.own, good.usable) == (True, True)
    assert (blind.own, blind.usable) == (True, False)
    assert "fits the truth by" in blind.reason


def test_without_truth_it_is_judged_on_held_out_renders_of_that_group() -> None:
    entry = ENTRY | {"groups": {"tone": {"dark": 0.2}}}
    readings = np.zeros(20)
    assert judge(entry, "age", readings, None, None, 1.0).fit == 0.9
    assert not judge(entry, "age", readings, None, None, 1.0, ("tone", "dark")).usable
    assert judge(entry, "age", readings, None, None, 1.0, ("tone", "light")).usable


def test_an_instrument_has_to_repeat_itself() -> None:
    readings = np.random.default_rng(4).normal(size=20)
    assert judge(None, "age", readings, readings + 0.1, None, 1.0).usable
    unsteady = judge(None, "age", readings, readings + 1.0, None, 1.0)
    assert not unsteady.usable
    assert "mirror image" in unsteady.reason
    assert judge(None, "yaw", readings, -readings, None, 1.0).usable  # a mirror image turns the other way


def test_the_packs_table_is_read_and_a_broken_one_is_told_of(tmp_path: Path) -> None:
    pack = find_pack("heads-256")
    table = read_table(pack)
    assert table.renders == 500
    assert table.attributes["age"]["fit"] > 0.8
    assert set(table.attributes["age"]["groups"]["skin_tone_band"]) == {"lighter", "darker"}
    broken = dataclasses.replace(pack, folders=(tmp_path,))
    assert read_table(broken).renders == 0
    (tmp_path / TABLE_FILE).write_text("[1]")
    with pytest.raises(PackError, match=TABLE_FILE):
        read_table(broken)
