"""Estimates: the arithmetic of schedules against hand-computed seconds, and what the timed steps do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stit_core import estimates
from stit_core.config import RunConfig, StitchConfig, TuningConfig
from stit_core.estimates import FIXED_SECONDS, REGISTER_SECONDS, TRANSFER_SECONDS, StepTimes, estimate, time_steps
from stit_core.fitting.optimising import own_copy
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models, find_pack
from stit_core.runtime import Runtime
from tests.support.tiny_pack import make_networks

pytest_plugins = ["tests.support.fixtures_pack"]

# A step has a price of 8 for itself and 2 a picture: 10 for one picture, 4 each for four.
TIMES = StepTimes(draw=1.0, noise=3.0, fit_one=10.0, fit=4.0, tune=5.0)
STILL = TuningConfig(passes=0)


def seconds(frames: int, tuning: TuningConfig = STILL, **stitching: Any) -> float:
    """The estimate without its fixed part."""
    config = RunConfig(tuning=tuning, stitching=StitchConfig(**stitching))
    return estimate(config, frames, TIMES) - frames * FIXED_SECONDS


def test_a_small_batch_makes_a_picture_cost_more() -> None:
    assert [round(TIMES.fit + TIMES.added_cost(batch), 6) for batch in (1, 2, 4, 8)] == [10.0, 6.0, 4.0, 3.0]


def test_the_published_schedule() -> None:
    # Each frame: the edited crop, 100 steps on it alone, the last picture; 20 passes of the whole clip, one by one.
    assert seconds(3, steps=100) == pytest.approx(3 * (1 + 100 * 10 + 1))
    assert seconds(3, TuningConfig(passes=20), steps=0) == pytest.approx(3 * (20 * (5 + 6) + 2))


def test_polishing_noise_planes_costs_what_their_steps_cost() -> None:
    weights = seconds(3, steps=30)
    noise = seconds(3, steps=30, lr=0.0, noise_lr=0.1)
    assert weights - noise == pytest.approx(3 * 30 * (10 - 3))
    assert seconds(3, steps=30, noise_lr=0.1) == weights, "where both move, the weights are what costs"


def test_windows_are_counted_whole_and_load_their_frames_again() -> None:
    # 17 frames are two windows of 8 and 9; each takes 5 steps of 4 pictures.
    found = seconds(17, steps=0, window=16, window_steps=5, batch_size=4)
    assert found == pytest.approx(2 * 5 * 4 * 4 + 17 * (1 + 1 + 1))
    # A window of two frames cannot fill a batch of four.
    found = seconds(2, steps=0, window=16, window_steps=5, batch_size=4)
    assert found == pytest.approx(5 * 2 * 6 + 2 * 3)


def test_a_pivot_as_target_is_drawn_and_a_threshold_ends_early() -> None:
    still = seconds(4, steps=10)
    assert seconds(4, steps=10, target="pivot") == pytest.approx(still + 4 * (1 + 2))
    assert seconds(4, steps=10, threshold=0.01) == pytest.approx(still - 4 * 5 * 10)


def test_a_transfer_tunes_to_its_key_frames_and_stitches_nothing() -> None:
    config = RunConfig(method="transfer", tuning=TuningConfig(passes=2, batch_size=4, key_frames=8))
    each = FIXED_SECONDS + REGISTER_SECONDS + 1 + TRANSFER_SECONDS + 1
    assert estimate(config, 100, TIMES) == pytest.approx(100 * each + 8 * 2 * 5)
    assert estimate(config, 5, TIMES) == pytest.approx(5 * each + 5 * 2 * 5), "a clip shorter than that"


@pytest.mark.usefixtures("home")
def test_the_steps_are_timed_and_leave_the_networks_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models(find_pack("tiny"), torch.device("cpu"))
    before = {name: value.clone() for name, value in models.generator.state_dict().items()}
    rows: list[int] = []
    synthesis = Generator.synthesis
    monkeypatch.setattr(Generator, "synthesis", lambda self, w: rows.append(len(w)) or synthesis(self, w))
    times = time_steps(models, Runtime())
    assert all(value > 0 for value in (times.draw, times.noise, times.fit_one, times.fit, times.tune))
    assert sorted(set(rows)) == [1, 4]
    after = models.generator.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in models.generator.parameters())


def test_a_noise_step_asks_for_the_gradients_that_stitching_asks_for() -> None:
    generator = make_networks()["generator"]
    net = own_copy(generator, torch.device("cpu"))
    asked: list[torch.Tensor] = []
    planes_of = net.noise_planes
    net.noise_planes = lambda: asked.extend(planes_of()) or asked  # type: ignore[method-assign]
    estimates._noise_step(net, torch.zeros(1, net.num_ws, 512))()
    moved = [plane.shape[-1] for plane in asked if plane.grad is not None]
    assert moved == [32, 32, 64, 64], "of a generator of 64 px, the planes above 16 px"
    assert all(parameter.grad is None for parameter in net.parameters())
