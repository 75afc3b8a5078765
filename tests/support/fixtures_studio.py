"""A page's backend on the tiny pack that the tests of a file share, with runs that were taken to a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from page.studio.studio import Studio
from tests.support.page_cases import SMILE, begin, finish, make_studio


@pytest.fixture(scope="module")
def surroundings(tiny_environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    tiny_environment.setenv("STIT_RUNS", str(root / "runs"))
    return root


@pytest.fixture(scope="module")
def studio(surroundings: Path, face_clip: Path) -> Studio:
    return make_studio(surroundings / "page", {"drawn face": face_clip})


@pytest.fixture(scope="module")
def aligned(studio: Studio, face_clip: Path) -> str:
    """A run in which the face was found."""
    run_id = begin(studio, face_clip).id
    assert finish(studio, run_id, "align").state == "done"
    return run_id


@pytest.fixture(scope="module")
def edited(studio: Studio, face_clip: Path) -> str:
    """A run with a finished video."""
    run_id = begin(studio, face_clip, edits=SMILE).id
    status = finish(studio, run_id, "edit")
    assert status.state == "done", status
    return run_id
