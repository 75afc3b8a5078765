"""Stitching tuning: the reference curve and pictures, windows, resuming, thresholds and refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stit_core.artefacts import Edit
from stit_core.config import StitchConfig
from stit_core.errors import ArtefactMismatchError, Cancelled, ConfigError, StitError, StoreError
from stit_core.fitting import frame_record
from stit_core.images import to_picture
from stit_core.runtime import Runtime
from stit_core.stages import stitching
from stit_core.stages.stitching import stitch
from tests.support.stage_cases import (
    REFERENCE,
    alignment_of,
    draw,
    masks_of,
    plain_edit,
    rule_generator,
    rule_latent,
    tiny_generator,
    untuned,
)

FRAMES = 7
WINDOWS = StitchConfig(steps=4, lr=2e-3, window=3, window_steps=8, batch_size=2, window_lr=3e-3)

NOISE = dataclasses.replace(WINDOWS, steps=20, lr=0, noise_lr=0.1)


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture
def case(generator, tmp_path):
    """Seven smoothly changing crops, their edit, masks with a border frame, and the generator as it is."""
    torch.manual_seed(4)
    ends = torch.randn(2, generator.num_ws, 512) * 0.3
    w_plus = torch.stack([torch.lerp(ends[0], ends[1], t / (FRAMES - 1)) for t in range(FRAMES)])
    edited = w_plus + 0.3 * torch.randn(generator.num_ws, 512)
    with torch.no_grad():
        images = 0.3 * generator.synthesis(w_plus)
    content = np.zeros((16, 16))
    content[5:11, 5:11] = 1
    border = np.zeros((16, 16))
    border[3:13, 3:13] = 1
    alignment = alignment_of(images, tmp_path / "crops", first=20)
    masks = masks_of(content, border - content, alignment.frame_indices, tmp_path / "masks")
    return alignment, plain_edit(alignment, edited), masks, untuned(generator, alignment, w_plus)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "result"
    path.mkdir()
    return path


def pictures(found) -> np.ndarray:
    return np.stack(list(found.crops))


@pytest.mark.parametrize("row", [1, 2, 3])
def test_the_paper_schedule_follows_the_reference_curve(tmp_path, folder, row):
    reference = np.load(REFERENCE)
    steps, border, content = reference["stitch_curve"][row]
    net = rule_generator()
    w_plus = rule_latent(net)
    with torch.no_grad():
        alignment = alignment_of(torch.tanh(net.synthesis(w_plus)), tmp_path / "crops")
    edit = plain_edit(alignment, w_plus + 0.5 * torch.from_numpy(draw("input:direction", (1, 10, 512))))
    inner, outer = reference["stitch_content_mask"] > 0, reference["stitch_border_mask"] > 0
    masks = masks_of(inner, outer, (0,), tmp_path / "masks")
    tuned = untuned(net, alignment, w_plus)
    found = stitch(alignment, edit, masks, tuned, net, StitchConfig(steps=int(steps)), Runtime(), folder)
    np.testing.assert_allclose([found.border_loss[0], found.content_loss[0]], [border, content], rtol=2e-3)
    expected = np.clip(reference[f"stitch_image_{int(steps)}"][0].transpose(1, 2, 0), -1, 1)
    np.testing.assert_allclose(found.crops[0][::4, ::4] / 127.5 - 1, expected, atol=0.02)
    assert found.steps.tolist() == [steps]


def test_in_the_paper_every_frame_starts_from_the_tuned_weights(case, generator, tmp_path, folder):
    alignment, edit, masks, tuned = case
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    config = StitchConfig(steps=5, lr=2e-3)
    found = stitch(alignment, edit, masks, tuned, generator, config, Runtime(), folder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    last = alignment.frame_indices[-1]
    single = alignment_of(torch.zeros(1, 3, 16, 16), tmp_path / "single", first=last)
    single.crops.write(last, alignment.crops.read(last))
    (tmp_path / "alone").mkdir()
    parts = (
        plain_edit(single, edit.w_plus[-1:]),
        dataclasses.replace(masks, frame_indices=(last,)),
        untuned(generator, single, tuned.w_plus[-1:]),
    )
    alone = stitch(single, *parts, generator, config, Runtime(), tmp_path / "alone")
    np.testing.assert_array_equal(alone.crops[0], found.crops[-1])
    assert alone.border_loss[0] == found.border_loss[-1]


@pytest.mark.parametrize(
    "config", [StitchConfig(steps=25, lr=2e-3), WINDOWS, NOISE, StitchConfig(steps=25, lr=1e-3, freeze_below=8)]
)
def test_the_border_meets_the_source(case, generator, tmp_path, folder, config):
    alignment, edit, masks, tuned = case
    (tmp_path / "untouched").mkdir()
    none = StitchConfig(steps=0)
    before = stitch(alignment, edit, masks, tuned, generator, none, Runtime(), tmp_path / "untouched")
    found = stitch(alignment, edit, masks, tuned, generator, config, Runtime(), folder)
    np.testing.assert_allclose(before.content_loss, 0, atol=1e-8)
    assert (found.border_loss < 0.6 * before.border_loss).all()
    inside = masks.pictures[0][..., 1] > 0
    crops = np.stack(list(alignment.crops)).astype(float)
    errors = [np.square(pictures(result) - crops)[:, inside].mean() for result in (before, found)]
    assert errors[1] < 0.75 * errors[0]  # the written files show what the losses say


def test_the_border_meets_the_pivot_where_that_is_the_target(case, generator, tmp_path, folder):
    alignment, edit, masks, tuned = case
    with torch.no_grad():
        pivots = to_picture(generator.synthesis(tuned.w_plus)).astype(float)
    (tmp_path / "untouched").mkdir()
    none = StitchConfig(steps=0, target="pivot")
    before = stitch(alignment, edit, masks, tuned, generator, none, Runtime(), tmp_path / "untouched")
    config = StitchConfig(steps=25, lr=2e-3, target="pivot")
    found = stitch(alignment, edit, masks, tuned, generator, config, Runtime(), folder)
    inside = masks.pictures[0][..., 1] > 0
    errors = [np.square(pictures(result) - pivots)[:, inside].mean() for result in (before, found)]
    assert errors[1] < 0.5 * errors[0]


def test_an_edit_of_nothing_meets_the_pivot_at_once(case, generator, folder):
    alignment, _, masks, tuned = case
    config = StitchConfig(steps=5, target="pivot", threshold=1e-6)
    found = stitch(alignment, plain_edit(alignment, tuned.w_plus), masks, tuned, generator, config, Runtime(), folder)
    assert found.steps.tolist() == [0] * FRAMES
    np.testing.assert_allclose(found.border_loss, 0, atol=1e-9)


@pytest.mark.parametrize("config", [StitchConfig(steps=4, lr=2e-3), WINDOWS, NOISE])
@pytest.mark.parametrize("stop_at", [0, 2, 3, 5])
def test_a_stopped_run_ends_as_one_that_was_not_stopped(case, generator, tmp_path, config, stop_at):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    expected = stitch(*case, generator, config, Runtime(seed=3), whole)
    calls = []
    stopped = Runtime(seed=3, progress=lambda _, done, __: calls.append(done))

    def stop(*_):
        if len(list((halves / frame_record.PICTURES).glob("*.png"))) > stop_at:
            stopped.cancel.set()

    stopped = dataclasses.replace(stopped, preview=stop)
    with pytest.raises(Cancelled):
        stitch(*case, generator, config, stopped, halves)
    assert calls[-1] == stop_at + 1
    shown = []
    again = Runtime(seed=3, preview=lambda stage, frame, _: shown.append((stage, frame)))
    found = stitch(*case, generator, config, again, halves)
    assert shown == [("stitch", 20 + position) for position in range(stop_at + 1, FRAMES)]
    np.testing.assert_array_equal(pictures(found), pictures(expected))
    np.testing.assert_array_equal(found.border_loss, expected.border_loss)
    np.testing.assert_array_equal(found.steps, expected.steps)


def test_noise_planes_reach_what_a_few_steps_on_the_weights_do_not(case, generator, tmp_path, folder):
    (tmp_path / "weights").mkdir()
    weights = dataclasses.replace(NOISE, lr=3e-4, noise_lr=0.0)
    before = stitch(*case, generator, weights, Runtime(), tmp_path / "weights")
    found = stitch(*case, generator, NOISE, Runtime(), folder)
    assert found.border_loss.mean() < 0.9 * before.border_loss.mean()
    assert found.content_loss.mean() < 1.2 * before.content_loss.mean()


def test_a_stop_acts_within_one_optimiser_step(case, generator, folder):
    """Also while a window is fitted, when no frame is finished yet."""
    calls = []
    runtime = Runtime(progress=lambda _, done, __: (calls.append(done), len(calls) == 6 and runtime.cancel.set()))
    with pytest.raises(Cancelled):
        stitch(*case, generator, WINDOWS, runtime, folder)
    assert calls == [0] * 6
    assert not list((folder / frame_record.PICTURES).iterdir())


def test_frames_of_other_work_are_made_again(case, generator, folder, tmp_path):
    alignment, edit, masks, tuned = case
    config = StitchConfig(steps=2, lr=2e-3)
    stitch(alignment, edit, masks, tuned, generator, config, Runtime(), folder)
    moved = dataclasses.replace(edit, w_plus=edit.w_plus + 0.1)
    (tmp_path / "fresh").mkdir()
    expected = stitch(alignment, moved, masks, tuned, generator, config, Runtime(), tmp_path / "fresh")
    found = stitch(alignment, moved, masks, tuned, generator, config, Runtime(), folder)
    np.testing.assert_array_equal(pictures(found), pictures(expected))


def test_a_line_cut_off_half_way_costs_that_frame_only(case, generator, folder):
    config = StitchConfig(steps=2, lr=2e-3)
    expected = stitch(*case, generator, config, Runtime(), folder)
    file = folder / frame_record.RECORD
    file.write_text(file.read_text()[:-20])
    shown = []
    found = stitch(*case, generator, config, Runtime(preview=lambda _, frame, __: shown.append(frame)), folder)
    assert shown == [26]
    np.testing.assert_array_equal(found.border_loss, expected.border_loss)


def test_a_frame_under_the_threshold_is_finished_early(case, generator, tmp_path, folder):
    config = StitchConfig(steps=25, lr=2e-3)
    (tmp_path / "all").mkdir()
    full = stitch(*case, generator, config, Runtime(), tmp_path / "all")
    threshold = float(full.border_loss.max() * 1.5)
    found = stitch(*case, generator, dataclasses.replace(config, threshold=threshold), Runtime(), folder)
    assert full.steps.tolist() == [25] * FRAMES
    assert (found.steps < 25).all()
    assert (found.steps > 0).all()
    assert (found.border_loss < threshold).all()


def test_edits_in_style_space_start_from_the_same_picture(case, generator, tmp_path, folder):
    alignment, edit, masks, tuned = case
    with torch.no_grad():
        styles = tuple(style.clone() for style in generator.styles(edit.w_plus))
    in_styles = Edit(edit.clip_hash, edit.frame_indices, edit.w_plus, styles, ())
    none = StitchConfig(steps=0)
    (tmp_path / "w").mkdir()
    expected = stitch(alignment, edit, masks, tuned, generator, none, Runtime(), tmp_path / "w")
    found = stitch(alignment, in_styles, masks, tuned, generator, none, Runtime(), folder)
    np.testing.assert_array_equal(pictures(found), pictures(expected))


def test_held_blocks_change_nothing_while_nothing_is_fitted(case, generator, tmp_path, folder):
    none = StitchConfig(steps=0)
    (tmp_path / "all").mkdir()
    expected = stitch(*case, generator, none, Runtime(), tmp_path / "all")
    found = stitch(*case, generator, dataclasses.replace(none, freeze_below=16), Runtime(), folder)
    np.testing.assert_array_equal(pictures(found), pictures(expected))


def test_every_frame_is_shown_once_as_it_is_written(case, generator, folder):
    shown = {}
    runtime = Runtime(preview=lambda _, frame, picture: shown.__setitem__(frame, picture))
    found = stitch(*case, generator, WINDOWS, runtime, folder)
    assert list(shown) == list(case[0].frame_indices)
    np.testing.assert_array_equal(np.stack(list(shown.values())), pictures(found))


def test_what_does_not_fit_is_refused(case, generator, folder):
    alignment, edit, masks, tuned = case
    small = dataclasses.replace(masks, size=8)
    with pytest.raises(ArtefactMismatchError, match="8 px wide"):
        stitch(alignment, edit, small, tuned, generator, StitchConfig(), Runtime(), folder)
    with pytest.raises(ConfigError, match="16 px wide"):
        stitch(alignment, edit, masks, tuned, rule_generator(), StitchConfig(), Runtime(), folder)
    other = dataclasses.replace(edit, clip_hash="d" * 64)
    with pytest.raises(ArtefactMismatchError):
        stitch(alignment, other, masks, tuned, generator, StitchConfig(), Runtime(), folder)
    wrong = dataclasses.replace(tuned, state={"blocks.b4.const": torch.zeros(1)})
    with pytest.raises(StoreError, match="do not fit"):
        stitch(alignment, edit, masks, wrong, generator, StitchConfig(), Runtime(), folder)


def test_a_loss_that_explodes_says_so(case, generator, folder):
    alignment, edit, masks, tuned = case
    broken = dataclasses.replace(edit, w_plus=torch.full_like(edit.w_plus, float("nan")))
    with pytest.raises(StitError, match="stitching loss became nan"):
        stitch(alignment, broken, masks, tuned, generator, StitchConfig(), Runtime(), folder)


def test_windows_cut_a_clip_into_like_parts():
    assert stitching.window_ranges(7, 3) == [range(0, 2), range(2, 4), range(4, 7)]
    assert stitching.window_ranges(17, 16) == [range(0, 8), range(8, 17)]
    assert stitching.window_ranges(5, 16) == [range(5)]


def test_a_frame_stands_between_the_middles_of_two_windows():
    windows = [range(0, 4), range(4, 8), range(8, 11)]  # middles 1.5, 5.5, 9
    found = [stitching.between_windows(position, windows) for position in (0, 1, 2, 5, 6, 9, 10)]
    assert [pair[:2] for pair in found] == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 2), (1, 2), (2, 2)]
    assert [pair[2] for pair in found] == pytest.approx([0, 0, 1 / 8, 7 / 8, 1 / 7, 1, 0])
    assert stitching.between_windows(3, [range(6)]) == (0, 0, 0.0)


def test_the_picture_does_not_jump_where_a_window_ends(case, generator, tmp_path, folder):
    """What stitching adds to the edit changes from frame to frame no more at the windows' ends than within them."""
    alignment, edit, masks, tuned = case
    config = dataclasses.replace(WINDOWS, steps=0, window=4, window_steps=20)
    found = stitch(alignment, edit, masks, tuned, generator, config, Runtime(), folder)
    none = StitchConfig(steps=0)
    (tmp_path / "untouched").mkdir()
    before = stitch(alignment, edit, masks, tuned, generator, none, Runtime(), tmp_path / "untouched")
    added = pictures(found).astype(float) - pictures(before)
    change = np.abs(np.diff(added, axis=0)).mean(axis=(1, 2, 3))
    assert change.argmax() != 2, change  # the windows are 0 ... 2 and 3 ... 6
    assert change[2] < 1.5 * np.median(change)


def test_a_lost_fit_of_a_window_is_made_again_from_the_windows_before(case, generator, folder):
    expected = stitch(*case, generator, WINDOWS, Runtime(), folder)
    for file in folder.glob("window*"):
        file.unlink()
    file = folder / frame_record.RECORD
    file.write_text("\n".join(file.read_text().splitlines()[:-2]) + "\n")
    found = stitch(*case, generator, WINDOWS, Runtime(), folder)
    np.testing.assert_array_equal(pictures(found), pictures(expected))
    np.testing.assert_array_equal(found.border_loss, expected.border_loss)


def test_what_a_stopped_run_finished_can_be_read(case, generator, tmp_path, folder):
    assert frame_record.read_finished(folder, case[0]) is None
    told = []
    runtime = Runtime(figures=lambda stage, found: (told.append((stage, found)), runtime.cancel.set()))
    with pytest.raises(Cancelled):
        stitch(*case, generator, StitchConfig(steps=2, lr=2e-3), runtime, folder)
    part = frame_record.read_finished(folder, case[0])
    assert part is not None
    assert part.frame_indices == case[0].frame_indices[:1]
    (tmp_path / "whole").mkdir()
    whole = stitch(*case, generator, StitchConfig(steps=2, lr=2e-3), Runtime(), tmp_path / "whole")
    np.testing.assert_array_equal(part.crops.read(part.frame_indices[0]), whole.crops.read(whole.frame_indices[0]))
    assert part.border_loss[0] == whole.border_loss[0]
    stage, figures = told[0]
    assert stage == "stitch"
    assert (figures["frame"], figures["border"]) == (whole.frame_indices[0], whole.border_loss[0])


def test_a_missing_frame_ends_what_can_be_read(case, generator, folder):
    found = stitch(*case, generator, StitchConfig(steps=1, lr=2e-3), Runtime(), folder)
    found.crops.file(found.frame_indices[1]).unlink()
    part = frame_record.read_finished(folder, case[0])
    assert part is not None
    assert part.frame_indices == found.frame_indices[:1]
