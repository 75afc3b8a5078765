"""Devices, precision, and where a run can end: here and on a ZeroGPU Space."""

from __future__ import annotations

import threading

import pytest
import torch

from stit_core.errors import BudgetSpent, Cancelled, ConfigError
from stit_core.runtime import Runtime, lends_card, made_ahead, pick_device, pick_dtype, torch_threads


@pytest.fixture
def zero_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a ZeroGPU Space, where torch says in every thread that there is a card."""
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.parametrize(("value", "lends"), [("true", True), ("1", True), ("T", True), ("", False), ("0", False)])
def test_a_zerogpu_space_is_known_by_its_environment(monkeypatch: pytest.MonkeyPatch, value: str, lends: bool) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert lends_card() == lends


@pytest.mark.usefixtures("zero_gpu")
@pytest.mark.parametrize("name", ["auto", "cpu", "cuda"])
def test_where_a_card_is_lent_this_process_computes_on_the_processor(name: str) -> None:
    assert pick_device(name) == torch.device("cpu")


@pytest.mark.usefixtures("zero_gpu")
def test_where_a_card_is_lent_all_results_have_its_precision() -> None:
    for device in (torch.device("cpu"), torch.device("cuda")):
        assert pick_dtype("balanced", device) == torch.bfloat16
        assert pick_dtype("paper", device) == torch.float32


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        pick_device("nonsense")


def test_a_run_ends_where_its_work_is_kept_and_its_time_is_over() -> None:
    over: list[bool] = []
    runtime = Runtime(spent=lambda: bool(over))
    runtime.kept("tune")
    over.append(True)
    runtime.step("tune", 1, 2)
    with pytest.raises(BudgetSpent) as stopped:
        runtime.kept("tune")
    assert isinstance(stopped.value, Cancelled), "whatever a stop leaves whole, this does"


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_made_ahead_comes_in_order_and_no_further_ahead_than_there_are_threads(threads: int) -> None:
    begun: list[int] = []

    def make(item: int) -> int:
        begun.append(item)
        return 10 * item

    with torch_threads(threads), made_ahead(make, range(20)) as made:
        for position, value in enumerate(made):
            assert value == 10 * position
            assert len(begun) <= position + 1 + threads
    assert sorted(begun) == list(range(20))


def test_after_the_block_nothing_is_being_made_ahead_any_more() -> None:
    begun, go_on = threading.Event(), threading.Event()
    finished: list[int] = []

    def make(item: int) -> int:
        if item:
            begun.set()
            assert go_on.wait(60)
        finished.append(item)
        return item

    def leave() -> None:
        with made_ahead(make, range(50)) as made:
            next(made)
            assert begun.wait(60)
            threading.Timer(0.2, go_on.set).start()
            raise KeyError

    with torch_threads(2), pytest.raises(KeyError):
        leave()
    assert 0 < len(finished) <= 4, "what was begun is finished, the rest is not begun"
    assert not any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate())


def test_what_fails_ahead_is_raised_in_its_turn() -> None:
    with made_ahead(lambda item: 1 // item, [1, 0, 2]) as made:
        assert next(made) == 1
        with pytest.raises(ZeroDivisionError):
            next(made)
