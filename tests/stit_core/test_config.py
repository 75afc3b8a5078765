"""The presets, the paper's above all, and what the settings refuse."""

from __future__ import annotations

import dataclasses

import pytest

from stit_core.config import (
    PRESETS,
    CompositeConfig,
    DirectionTrainingConfig,
    EditConfig,
    InversionConfig,
    LandmarkConfig,
    MaskConfig,
    RunConfig,
    StitchConfig,
    TransferConfig,
    TuningConfig,
    VideoConfig,
    preset,
)
from stit_core.errors import ConfigError

# STIT's published schedule, stage by stage; what it does not name (frames a window, a pivot's rate) stands at "off".
PAPER = {
    "alignment": {"center_sigma": 1.0, "xy_sigma": 3.0, "scale": 1.0},
    "inversion": {"batch_size": 1},
    "tuning": {
        "passes": 80,
        "batch_size": 1,
        "lr": 3e-5,
        "pivot_lr": 0.0,
        "final_lr": 1.0,
        "beta1": 0.9,
        "beta2": 0.999,
        "l2_weight": 10.0,
        "lpips_weight": 1.0,
        "target_psnr": None,
        "key_frames": None,
        "expression": 0.0,
        "smoothing": 0.0,
        "freeze_below": 0,
        "resolution": None,
        "locality_weight": 0.0,
        "locality_l2_weight": 0.1,
        "locality_lpips_weight": 0.1,
        "locality_truncation": 0.5,
    },
    "edit": {"directions": (), "freeze_from": None, "styles": False},
    "masks": {
        "background": (0, 18, 16),
        "outer_dilation": 50,
        "inner_dilation": 0,
        "whole_image_border": False,
        "smoothing": 0,
    },
    "stitching": {
        "steps": 100,
        "lr": 3e-4,
        "window": 1,
        "window_steps": 0,
        "batch_size": 1,
        "noise_lr": 0.0,
        "freeze_below": 0,
        "content_weight": 0.01,
        "target": "source",
        "loss": "l2",
        "threshold": None,
    },
    "compositing": {"feather": None, "mark": False},  # half of the outer dilation
}


@pytest.mark.parametrize("stage", PAPER)
def test_the_paper_preset_is_the_published_schedule(stage):
    found = dataclasses.asdict(getattr(preset("paper"), stage))
    found.pop("window_lr", None)  # has no part in windows of one frame
    assert found == PAPER[stage]


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "paper"])
def test_the_other_presets_do_less_work_a_frame(name):
    config, paper = preset(name), preset("paper")
    assert config.preset == name
    assert config.tuning.passes < paper.tuning.passes
    fits = config.stitching.window_steps * config.stitching.batch_size / config.stitching.window
    assert fits + config.stitching.steps < 0.5 * paper.stitching.steps
    assert (config.alignment, config.compositing) == (paper.alignment, paper.compositing)
    assert config.masks == dataclasses.replace(paper.masks, smoothing=config.masks.smoothing)


def test_a_pack_may_suit_the_presets_to_its_generator_but_not_the_paper():
    suited = preset("balanced", {"balanced": {"tuning": {"passes": 7}}})
    assert suited.tuning == dataclasses.replace(preset("balanced").tuning, passes=7)
    assert preset("draft", {"balanced": {"tuning": {"passes": 7}}}) == preset("draft")
    with pytest.raises(ConfigError, match="paper"):
        preset("paper", {"paper": {"tuning": {"passes": 7}}})
    with pytest.raises(ConfigError, match="no preset 'fast'"):
        preset("fast")


def test_changes_leave_the_rest_and_the_original_as_they_are():
    before = RunConfig()
    after = before.with_changes({"stitching": {"steps": 5}})
    assert (before.stitching.steps, after.stitching.steps) == (100, 5)
    assert dataclasses.replace(after, stitching=before.stitching) == before
    with pytest.raises(ConfigError, match="no stage 'preset'"):
        before.with_changes({"preset": {"steps": 5}})
    with pytest.raises(ConfigError, match="no setting 'step'"):
        before.with_changes({"stitching": {"step": 5}})


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (TuningConfig, "passes", 2.5),
        (TuningConfig, "passes", 80.0),
        (TuningConfig, "passes", True),
        (TuningConfig, "lr", None),
        (TuningConfig, "lr", float("nan")),
        (TuningConfig, "lr", "3e-5"),
        (TuningConfig, "lr", 0),
        (InversionConfig, "batch_size", 0),
        (StitchConfig, "window", None),
        (StitchConfig, "loss", "huber"),
        (VideoConfig, "start", float("inf")),
        (EditConfig, "freeze_from", 1.5),
        (EditConfig, "styles", "false"),
        (EditConfig, "styles", 0),
        (EditConfig, "styles", None),
        (EditConfig, "directions", "smile"),
        (MaskConfig, "whole_image_border", "false"),
        (MaskConfig, "background", [0, 18]),
        (CompositeConfig, "mark", 1),
        (LandmarkConfig, "second_detector", "no"),
        (LandmarkConfig, "point", 12.0),
        (VideoConfig, "speed", ["medium"]),
        (TransferConfig, "region", ("face",)),
        (DirectionTrainingConfig, "aligned", "false"),
        (DirectionTrainingConfig, "hold", "age"),
        (RunConfig, "method", None),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(kind, name, value):
    with pytest.raises(ConfigError, match=name if name != "loss" else "huber"):
        kind(**{name: value})


@pytest.mark.parametrize("pairs", [(("smile",),), (("smile", "2"),), (("smile", True),), ((2, "smile"),), ("smile",)])
def test_directions_that_are_no_pairs_of_name_and_factor_are_refused(pairs):
    with pytest.raises(ConfigError, match="smile"):
        EditConfig(directions=pairs)


def test_an_endless_value_is_not_repeated_in_full():
    with pytest.raises(ConfigError) as caught:
        TuningConfig(passes="9" * 100_000)
    assert len(caught.value.message) < 200


def test_none_and_whole_numbers_stand_where_they_may():
    assert TuningConfig(target_psnr=None, lr=1).lr == 1
    assert EditConfig(freeze_from=None).freeze_from is None
    assert StitchConfig(threshold=0).threshold == 0
