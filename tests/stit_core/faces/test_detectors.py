"""The detectors: where their models come from, and which of them found a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.config import LandmarkConfig
from stit_core.errors import StitError
from stit_core.faces import detectors
from stit_core.faces import reading as faces
from stit_core.faces.detectors import DlibDetector, Face
from stit_core.runtime import Runtime
from stit_core.stages import landmarks
from tests.support.head_scenes import clip_of, scene


def test_a_missing_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "_PREDICTOR", "no_such_file.dat")
    with pytest.raises(StitError, match=r"no_such_file\.dat is missing"):
        faces.predictor_file()


def test_the_second_detector_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert detectors.load_second_detector(LandmarkConfig(), Runtime().device) is None
    assert not list(tmp_path.iterdir())


class Everywhere:
    """A second detector that sees a face wherever dlib sees none."""

    name = "everywhere"

    def find(self, picture: np.ndarray) -> list[tuple[Face, np.ndarray]]:
        assert picture.ndim == 3
        points = np.random.default_rng(0).uniform(60, 160, (68, 2))
        return [(Face((60.0, 60.0, 160.0, 160.0), 0.0, self.name), points)]


def test_a_face_says_which_detector_found_it() -> None:
    there = DlibDetector(LandmarkConfig()).usual(scene(("a", 240, (20, 8))))
    assert [face.detector for face in there] == ["dlib"]


def test_another_detector_is_asked_where_dlib_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "load_second_detector", lambda *_: Everywhere())
    found = landmarks.find_people(clip_of([scene()] * 3, tmp_path), LandmarkConfig(), Runtime())
    assert found.frame[0] == 0
    assert found.points[0].min() >= 60
