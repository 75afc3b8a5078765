"""Devices, precision, and where a run can end: here and on a ZeroGPU Space."""

from __future__ import annotations

import pytest
import torch

from stit_core.errors import BudgetSpent, Cancelled, ConfigError
from stit_core.runtime import Runtime, lends_card, pick_device, pick_dtype


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
