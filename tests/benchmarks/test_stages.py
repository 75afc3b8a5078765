"""The timing of stages: every stage of the method once, in order, and frames that are stored are not decoded again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.stages import STAGES, opened, time_stages
from stit_core.config import preset
from stit_core.media import video
from stit_core.packs.loading import Models, find_pack
from stit_core.pipeline import Pipeline
from stit_core.runtime import Runtime
from stit_core.store.runs import Store

pytest_plugins = ["tests.support.fixtures_pack"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("method", ["transfer", "stitch"])
def test_times_what_a_method_needs(
    method: str, face_clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"tuning": {"passes": 1}, "edit": {"directions": (("smile", 1.0),)}}
    config = preset("balanced", find_pack("tiny").schedules, method).with_changes(quick)
    pipeline = Pipeline(Models(find_pack("tiny"), torch.device("cpu")), Store(), config, Runtime())
    clip = opened(pipeline, face_clip)
    assert time_stages(pipeline, clip, "stitch") > 0
    timed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    wanted = [stage for stage in STAGES[: STAGES.index("stitch") + 1] if stage != "register" or method == "transfer"]
    assert timed == wanted
    assert "measure" not in pipeline.results.seconds

    monkeypatch.setattr(video, "open_clip", None)  # whoever decodes again fails
    again = Pipeline(pipeline.models, Store(), config, Runtime())
    assert opened(again, face_clip).hash == clip.hash
