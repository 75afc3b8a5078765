"""Batches of a stage: each found once, whatever stops it, and the same to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.errors import BudgetSpent, Cancelled
from stit_core.fitting.batch_record import RECORD, find_by_batches
from stit_core.runtime import Runtime

COUNT, SIZE = 11, 4
STARTS = [0, 4, 8]


class Finder:
    """Squares of positions, and how often it was asked for which."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, rows: range) -> dict[str, np.ndarray]:
        self.asked.append(rows.start)
        return {"squares": np.array(rows, np.float64) ** 2, "rows": np.arange(rows.start, rows.stop)[:, None]}


def check(found: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(found["squares"], np.arange(COUNT) ** 2.0)
    assert found["squares"].dtype == np.float64
    np.testing.assert_array_equal(found["rows"], np.arange(COUNT)[:, None])


def test_all_batches_come_in_order_and_each_frame_is_a_step(tmp_path):
    steps, finder = [], Finder()
    check(find_by_batches(COUNT, SIZE, finder, "test", Runtime(progress=lambda *step: steps.append(step)), tmp_path))
    assert finder.asked == STARTS
    assert steps == [("test", done, COUNT) for done in range(COUNT + 1)]


def test_without_any_time_each_turn_finds_one_batch(tmp_path):
    finder, turns = Finder(), 0
    while True:
        turns += 1
        try:
            found = find_by_batches(COUNT, SIZE, finder, "test", Runtime(spent=lambda: True), tmp_path)
        except BudgetSpent:
            continue
        break
    check(found)
    assert finder.asked == STARTS
    assert turns == len(STARTS)


def test_a_stop_keeps_the_batch_that_was_found(tmp_path):
    stopped = Runtime(progress=lambda _, done, __: stopped.cancel.set() if done == SIZE + 1 else None)
    finder = Finder()
    with pytest.raises(Cancelled):
        find_by_batches(COUNT, SIZE, finder, "test", stopped, tmp_path)
    assert finder.asked == STARTS[:2]
    check(find_by_batches(COUNT, SIZE, finder, "test", Runtime(), tmp_path))
    assert finder.asked == STARTS


def test_what_is_damaged_or_of_other_batches_is_found_again(tmp_path):
    find_by_batches(COUNT, 2, Finder(), "test", Runtime(), tmp_path)
    finder = Finder()
    check(find_by_batches(COUNT, SIZE, finder, "test", Runtime(), tmp_path))
    assert finder.asked == STARTS
    (tmp_path / RECORD / "000004.safetensors").write_bytes(b"cut off")
    check(find_by_batches(COUNT, SIZE, finder, "test", Runtime(), tmp_path))
    assert finder.asked == [*STARTS, 4]
