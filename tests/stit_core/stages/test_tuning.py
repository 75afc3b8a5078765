"""Pivotal tuning: the reference curve, resuming, pivots, batches, locality and refusals."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch

from stit_core.config import TuningConfig
from stit_core.errors import ArtefactMismatchError, Cancelled, ConfigError, StitError
from stit_core.fitting.key_frames import key_rows, steady
from stit_core.fitting.optimising import RowAdam, cosine_rate
from stit_core.models.perceptual import Lpips
from stit_core.packs.loading import find_pack, load_models
from stit_core.runtime import Runtime
from stit_core.stages import tuning
from stit_core.stages.tuning import tune
from tests.support.stage_cases import (
    REFERENCE,
    alignment_of,
    draw,
    pivots_of,
    rule_generator,
    rule_latent,
    rule_perceptual,
    tiny_generator,
)

FRAMES = 5


class Pixels:
    """A perceptual distance that is easy to follow: squared differences of 4 x 4 means."""

    def __init__(self) -> None:
        self.targets = 0

    def features(self, images):
        self.targets += 0 if torch.is_grad_enabled() else len(images)
        return [torch.nn.functional.avg_pool2d(images, 4)]

    def distance(self, features_a, features_b):
        return (features_a[0] - features_b[0]).square().mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture
def case(generator, tmp_path):
    """Five crops that a perturbed twin of the generator makes, and their pivots."""
    torch.manual_seed(3)
    w_plus = torch.randn(FRAMES, generator.num_ws, 512) * 0.5
    with torch.no_grad():
        images = torch.tanh(0.5 * generator.synthesis(w_plus) + 0.2)
    alignment = alignment_of(images, tmp_path / "crops", first=10)
    return alignment, pivots_of(alignment, w_plus)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "result"
    path.mkdir()
    return path


def same_state(a, b) -> bool:
    return all(torch.equal(tensor, b.state[name]) for name, tensor in a.state.items()) and len(a.state) == len(b.state)


def test_the_paper_schedule_follows_the_reference_curve(tmp_path, folder):
    reference = np.load(REFERENCE)["pti_history"]  # before each of 4 x 3 updates: MSE, LPIPS, loss
    net = rule_generator()
    offsets = [torch.from_numpy(draw(f"input:pivot{i}", (1, 10, 512))) for i in range(3)]
    pivots = rule_latent(net) + 0.05 * torch.cat(offsets)
    with torch.no_grad():
        alignment = alignment_of(torch.tanh(0.7 * net.synthesis(pivots)), tmp_path / "crops")
    config = TuningConfig(passes=4, lr=3e-4)
    found = tune(alignment, pivots_of(alignment, pivots), net, rule_perceptual(), config, Runtime(), folder)
    np.testing.assert_allclose(found.history[:, :3], reference.reshape(4, 3, 3).mean(axis=1), rtol=2e-3)
    assert torch.equal(found.w_plus, pivots)


def test_defaults_are_those_of_the_paper():
    config = TuningConfig()
    assert (config.passes, config.batch_size, config.lr, config.beta1, config.beta2) == (80, 1, 3e-5, 0.9, 0.999)
    assert (config.l2_weight, config.lpips_weight, config.final_lr, config.pivot_lr) == (10.0, 1.0, 1.0, 0.0)


def test_tuning_improves_the_picture_and_leaves_the_generator_alone(case, generator, folder):
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    config = TuningConfig(passes=12, batch_size=2, lr=3e-3, final_lr=0.1)
    found = tune(*case, generator, Pixels(), config, Runtime(), folder)
    assert found.history.shape == (12, 4)
    assert found.psnr > found.history[0, 3] + 3
    assert found.history[-1, 2] < 0.5 * found.history[0, 2]
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    mapping = [name for name in found.state if name.startswith("mapping_network")]
    assert mapping
    assert all(torch.equal(found.state[name], before[name]) for name in mapping)
    assert any(not torch.equal(found.state[name], before[name]) for name in found.state)


def test_history_and_measures_speak_of_the_pictures_they_are_named_after(case, generator, folder):
    alignment, inversion = case
    config = TuningConfig(passes=1, batch_size=2, lr=1e-8, l2_weight=3.0, lpips_weight=0.5)
    found = tune(alignment, inversion, generator, Pixels(), config, Runtime(), folder)
    with torch.no_grad():
        made = generator.synthesis(inversion.w_plus).double()
    crops = torch.from_numpy(np.stack(list(alignment.crops))).permute(0, 3, 1, 2).double() / 127.5 - 1
    mse = (made - crops).square().mean(dim=(1, 2, 3))
    lpips = (torch.nn.functional.avg_pool2d(made - crops, 4)).square().mean(dim=(1, 2, 3))
    psnr = 20 * torch.log10(2 / mse.sqrt())
    # The mean over a pass weighs every frame alike, also those of the short last batch.
    expected = [mse.mean(), lpips.mean(), 3 * mse.mean() + 0.5 * lpips.mean(), psnr.mean()]
    np.testing.assert_allclose(found.history[0], expected, rtol=1e-4)
    np.testing.assert_allclose([found.psnr, found.lpips], [psnr.mean(), lpips.mean()], rtol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pivot_lr": 0.01},
        {"batch_size": 1},
        {"locality_weight": 5.0},
        {"pivot_lr": 0.01, "key_frames": 3, "smoothing": 1.0},
        {"pivot_lr": 0.01, "lr": 0.0, "resolution": 8},
        {"freeze_below": 8},
    ],
)
def test_a_stopped_run_ends_as_one_that_was_not_stopped(case, generator, tmp_path, changes):
    config = dataclasses.replace(TuningConfig(passes=4, batch_size=2, lr=2e-3, final_lr=0.2), **changes)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    expected = tune(*case, generator, Pixels(), config, Runtime(seed=7), whole)
    per_pass = -(-(config.key_frames or FRAMES) // config.batch_size)
    stopped = Runtime(seed=7, progress=lambda _, done, __: stopped.cancel.set() if done == 2 * per_pass + 1 else None)
    with pytest.raises(Cancelled):
        tune(*case, generator, Pixels(), config, stopped, halves)
    told = []
    again = Runtime(seed=7, progress=lambda _, done, __: told.append(done))
    found = tune(*case, generator, Pixels(), config, again, halves)
    assert told[0] == 2 * per_pass  # the two finished passes are not repeated
    assert same_state(found, expected)
    assert torch.equal(found.w_plus, expected.w_plus)
    np.testing.assert_array_equal(found.history, expected.history)
    assert not list(halves.glob("*.part"))


def test_a_checkpoint_of_other_work_or_a_damaged_one_is_not_used(case, generator, tmp_path, folder):
    config = TuningConfig(passes=2, batch_size=2, lr=2e-3)
    expected = tune(*case, generator, Pixels(), config, Runtime(), folder)
    other = dataclasses.replace(config, lr=1e-3)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert same_state(
        tune(*case, generator, Pixels(), other, Runtime(), folder),
        tune(*case, generator, Pixels(), other, Runtime(), fresh),
    )
    file = folder / tuning.CHECKPOINT
    file.write_bytes(file.read_bytes()[:1000])
    assert same_state(tune(*case, generator, Pixels(), config, Runtime(), folder), expected)


def test_pivots_move_only_where_asked(case, generator, folder):
    alignment, inversion = case
    config = TuningConfig(passes=1, batch_size=2, lr=1e-8, pivot_lr=0.01)
    found = tune(alignment, inversion, generator, Pixels(), config, Runtime(), folder)
    moved = (found.w_plus - inversion.w_plus).abs()
    assert (moved.amax(dim=(1, 2)) > 0.005).all()
    assert moved.max() <= 0.0101  # Adam's first step is its rate; each frame came once


def test_row_adam_equals_torch_adam_when_every_row_moves():
    torch.manual_seed(0)
    start = torch.randn(3, 2, 4)
    ours, theirs = RowAdam(start.clone()), start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([theirs], lr=0.02)
    for step in range(5):
        gradient = torch.randn(3, 2, 4)
        order = torch.tensor([[0, 1, 2], [2, 0, 1]][step % 2])
        ours.step(order, gradient[order], 0.02)
        theirs.grad = gradient
        optimiser.step()
    torch.testing.assert_close(ours.table, theirs.detach())


def test_cosine_rate_runs_from_one_to_final():
    rates = [cosine_rate(step, 10, 0.1) for step in range(11)]
    assert rates[0] == 1.0
    assert rates[5] == pytest.approx(0.55)
    assert rates[10] == pytest.approx(0.1)
    assert cosine_rate(7, 10, 1.0) == 1.0


def test_target_psnr_ends_the_tuning_after_the_pass_that_reaches_it(case, generator, tmp_path):
    config = TuningConfig(passes=12, batch_size=2, lr=3e-3)
    for name in ("long", "short"):
        (tmp_path / name).mkdir()
    full = tune(*case, generator, Pixels(), config, Runtime(), tmp_path / "long").history[:, 3]
    target = float(full[0] + 2)
    config = dataclasses.replace(config, target_psnr=target)
    short = tune(*case, generator, Pixels(), config, Runtime(), tmp_path / "short").history[:, 3]
    assert 1 < len(short) < 12
    assert short[-1] >= target > short[-2]


def test_features_of_the_targets_are_computed_once_and_only_while_memory_allows(case, generator, tmp_path, monkeypatch):
    config = TuningConfig(passes=3, batch_size=2, lr=1e-3)
    counts, states = [], []
    for name, memory in (("kept", 2**20), ("none", 0)):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tuning, "TARGET_MEMORY", memory)
        perceptual = Pixels()
        states.append(tune(*case, generator, perceptual, config, Runtime(), tmp_path / name))
        counts.append(perceptual.targets - FRAMES)  # less the evaluation's own pictures
    assert counts == [FRAMES, 4 * FRAMES]
    assert same_state(*states)


def test_memory_does_not_grow_with_the_clip(case):
    """What is kept of the targets of heads-256 has reached its bound after 60 frames, and no bytes are copied."""
    perceptual = load_models(find_pack("heads-256"), torch.device("cpu")).perceptual
    with torch.no_grad():
        maps = perceptual.features(torch.zeros(1, 3, 256, 256))
    assert 60 * sum(part.numel() * part.element_size() for part in maps) > tuning.TARGET_MEMORY
    latents = torch.zeros(100, 14, 512)
    inversion = dataclasses.replace(case[1], w_plus=latents)
    tracemalloc.start()
    try:
        tuning._fingerprint(case[0], inversion, tiny_generator(), TuningConfig(), Runtime())
        assert tracemalloc.get_traced_memory()[1] < latents.numel()
    finally:
        tracemalloc.stop()


def test_locality_holds_other_faces_still(case, generator, tmp_path):
    config = TuningConfig(passes=8, batch_size=5, lr=3e-3)
    drift = []
    for weight in (0.0, 5.0):
        out = tmp_path / f"locality-{weight}"
        out.mkdir()
        settings = dataclasses.replace(config, locality_weight=weight, locality_l2_weight=20.0)
        state = tune(*case, generator, Pixels(), settings, Runtime(), out).state
        own = tiny_generator()
        own.load_state_dict(state)
        torch.manual_seed(9)
        with torch.no_grad():
            other = case[1].w_plus + 0.2 * torch.randn_like(case[1].w_plus)
            drift.append(float((own.synthesis(other, "none") - generator.synthesis(other, "none")).square().mean()))
    assert drift[1] < 0.7 * drift[0]


def test_locality_latents_lie_at_the_asked_distance(case, generator):
    config = TuningConfig(locality_weight=30.0)
    near, before = tuning._Original(generator, Runtime()).near(case[1].w_plus, config, [0, 1])
    distance = (near - case[1].w_plus).flatten(1).norm(dim=1)
    torch.testing.assert_close(distance, torch.full((FRAMES,), 30.0))
    with torch.no_grad():
        torch.testing.assert_close(before, generator.synthesis(near, noise="none"))


def test_one_preview_a_pass_of_the_middle_frame(case, generator, folder):
    shown = []
    runtime = Runtime(preview=lambda stage, frame, picture: shown.append((stage, frame, picture.shape, picture.dtype)))
    tune(*case, generator, Pixels(), TuningConfig(passes=3, batch_size=2), runtime, folder)
    assert shown == [("tune", 12, (16, 16, 3), np.uint8)] * 3


def test_a_loss_that_explodes_says_so(case, generator, folder):
    class Broken(Pixels):
        def distance(self, features_a, features_b):
            return super().distance(features_a, features_b) * float("inf")

    with pytest.raises(StitError, match=r"tuning loss became (inf|nan)") as caught:
        tune(*case, generator, Broken(), TuningConfig(passes=1), Runtime(), folder)
    assert "learning rate" in caught.value.hint


def test_crops_of_another_size_or_clip_are_refused(case, generator, folder, tmp_path):
    alignment, inversion = case
    large = alignment_of(torch.zeros(FRAMES, 3, 32, 32), tmp_path / "large", first=10)
    with pytest.raises(ConfigError, match=r"32 px wide .* 16 px"):
        tune(large, inversion, generator, Pixels(), TuningConfig(), Runtime(), folder)
    other = dataclasses.replace(inversion, clip_hash="d" * 64)
    with pytest.raises(ArtefactMismatchError):
        tune(alignment, other, generator, Pixels(), TuningConfig(), Runtime(), folder)


def test_half_precision_tunes_about_as_well(tmp_path):
    """bf16 on the 64 px generator: the reconstruction stays within 0.5 dB of float32's."""
    net, found = rule_generator(), []
    pivots = rule_latent(net) + 0.05 * torch.from_numpy(draw("input:pivot0", (2, 10, 512)))
    with torch.no_grad():
        alignment = alignment_of(torch.tanh(0.2 * net.synthesis(pivots)), tmp_path / "crops")
    perceptual: Lpips = rule_perceptual()
    for dtype in (torch.float32, torch.bfloat16):
        out = tmp_path / str(dtype)
        out.mkdir()
        config = TuningConfig(passes=25, batch_size=2, lr=1e-3, final_lr=0.1)
        found.append(tune(alignment, pivots_of(alignment, pivots), net, perceptual, config, Runtime(dtype=dtype), out))
    assert found[0].psnr > found[0].history[0, 3] + 5
    assert abs(found[0].psnr - found[1].psnr) < 0.5


def test_the_figures_of_each_pass_are_told_also_those_before_a_stop(case, generator, folder):
    config = TuningConfig(passes=3, batch_size=2, lr=2e-3)
    before, after = [], []
    stopped = Runtime(figures=lambda stage, found: (before.append((stage, found)), stopped.cancel.set()))
    with pytest.raises(Cancelled):
        tune(*case, generator, Pixels(), config, stopped, folder)
    assert len(before) == 1
    found = tune(*case, generator, Pixels(), config, Runtime(figures=lambda *told: after.append(told)), folder)
    assert [list(figures.values()) for _, figures in after] == found.history.tolist()
    assert [list(figures) for _, figures in after] == [["l2", "lpips", "loss", "psnr"]] * 3
    assert {stage for stage, _ in before + after} == {"tune"}


# --- Key frames, smoothing, few weights ------------------------------------------------------------------------------


def test_other_frames_take_the_shift_of_the_key_frames_around_them(case, generator, folder):
    alignment, inversion = case
    config = TuningConfig(passes=3, batch_size=2, lr=1e-3, pivot_lr=0.02, key_frames=3)
    found = tune(alignment, inversion, generator, Pixels(), config, Runtime(), folder)
    shift = found.w_plus - inversion.w_plus
    assert key_rows(FRAMES, 3).tolist() == [0, 2, 4]
    assert (shift[[0, 2, 4]].abs().amax(dim=(1, 2)) > 0.01).all()
    for middle in (1, 3):
        torch.testing.assert_close(shift[middle], (shift[middle - 1] + shift[middle + 1]) / 2, rtol=0, atol=1e-6)


def test_key_frames_are_fitted_as_a_clip_of_them_alone_would_be(case, generator, tmp_path):
    alignment, inversion = case
    config = TuningConfig(passes=2, batch_size=2, lr=1e-3, pivot_lr=0.02, key_frames=3)
    rows = [0, 2, 4]
    frames = tuple(alignment.frame_indices[row] for row in rows)
    part = dataclasses.replace(alignment, frame_indices=frames, quads=alignment.quads[rows])
    alone = dataclasses.replace(inversion, frame_indices=frames, w_plus=inversion.w_plus[rows])
    results = []
    for name, pair in (("whole", case), ("alone", (part, alone))):
        (tmp_path / name).mkdir()
        results.append(tune(*pair, generator, Pixels(), config, Runtime(), tmp_path / name))
    assert same_state(*results)
    assert (results[0].psnr, results[0].lpips) == (results[1].psnr, results[1].lpips)
    torch.testing.assert_close(results[0].w_plus[rows], results[1].w_plus, rtol=0, atol=1e-6)


def test_settings_that_are_off_change_nothing(case, generator, tmp_path):
    results = []
    for name, changes in (("plain", {}), ("named", {"key_frames": FRAMES, "resolution": 16, "freeze_below": 4})):
        (tmp_path / name).mkdir()
        config = TuningConfig(passes=2, lr=1e-3, pivot_lr=0.01, **changes)
        results.append(tune(*case, generator, Pixels(), config, Runtime(), tmp_path / name))
    assert same_state(*results)
    assert torch.equal(results[0].w_plus, results[1].w_plus)
    assert results[0].psnr == results[1].psnr


def test_smoothing_steadies_the_pivots_that_are_given_back(case, generator, folder):
    alignment, inversion = case
    config = TuningConfig(passes=0, smoothing=1.5)
    found = tune(alignment, inversion, generator, Pixels(), config, Runtime(), folder).w_plus
    assert torch.equal(found, steady(inversion.w_plus, alignment.frame_indices, 1.5))
    assert found.diff(n=2, dim=0).abs().mean() < 0.3 * inversion.w_plus.diff(n=2, dim=0).abs().mean()


def test_rate_0_leaves_the_weights_and_moves_the_pivots(case, generator, folder):
    config = TuningConfig(passes=8, batch_size=2, lr=0.0, pivot_lr=0.02)
    found = tune(*case, generator, Pixels(), config, Runtime(), folder)
    assert all(torch.equal(tensor, generator.state_dict()[name]) for name, tensor in found.state.items())
    assert found.psnr > found.history[0, 3] + 0.1
    with pytest.raises(ConfigError, match="lr"):
        TuningConfig(lr=0.0)


@pytest.mark.parametrize(("changes", "moving"), [({"freeze_below": 16}, {16}), ({"resolution": 8}, {4, 8})])
def test_blocks_that_are_held_keep_their_weights(case, generator, folder, changes, moving):
    config = TuningConfig(passes=2, batch_size=2, lr=1e-3, **changes)
    found = tune(*case, generator, Pixels(), config, Runtime(), folder).state
    before = generator.state_dict()
    changed = {name.split(".")[1] for name, tensor in found.items() if not torch.equal(tensor, before[name])}
    assert changed == {f"b{size}" for size in moving}


def test_a_lower_resolution_still_measures_and_shows_whole_pictures(case, generator, folder):
    alignment, inversion = case
    shown = []
    runtime = Runtime(preview=lambda _, frame, picture: shown.append((frame, picture.shape)))
    config = TuningConfig(passes=1, batch_size=2, lr=1e-8, resolution=8)
    found = tune(alignment, inversion, generator, Pixels(), config, runtime, folder)
    assert shown == [(12, (16, 16, 3))]
    with torch.no_grad():
        made = generator.synthesis(inversion.w_plus)
    crops = torch.from_numpy(np.stack(list(alignment.crops))).permute(0, 3, 1, 2).double() / 127.5 - 1
    mse = (made - crops).square().mean(dim=(1, 2, 3))
    assert found.psnr == pytest.approx(float((20 * torch.log10(2 / mse.sqrt())).mean()), rel=1e-4)


def test_blocks_that_do_not_exist_are_refused(case, generator, folder):
    with pytest.raises(ConfigError, match="no block of 32 px"):
        tune(*case, generator, Pixels(), TuningConfig(resolution=32), Runtime(), folder)
    with pytest.raises(ConfigError, match="no weights left"):
        tune(*case, generator, Pixels(), TuningConfig(freeze_below=32), Runtime(), folder)
