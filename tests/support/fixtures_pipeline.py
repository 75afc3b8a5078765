"""A clip that was edited once, for tests of what comes after."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stit_core.whole_run import edit_video
from tests.support.pipeline_cases import watched


@pytest.fixture(scope="session")
def done_runs(
    face_clip: Path, shared_pack_folder: Path, direction_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A runs folder in which the clip was edited once with smile=2, and the video beside it."""
    root = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(root / "runs"))
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        edit_video(watched().pipeline, face_clip, root / "out.mp4")
    return root


@pytest.fixture
def done(done_runs: Path, home: Path) -> Path:
    """A test's own copy of that folder, in use as the store."""
    shutil.copytree(done_runs, home, dirs_exist_ok=True)
    return home
