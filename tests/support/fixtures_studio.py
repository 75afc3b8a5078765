"""A page's backend on the tiny pack that the tests of a file share, with runs that were taken to a step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from page.studio.studio import Studio
from tests.support.page_cases import SMILE, begin, finish, make_studio


@pytest.fixture(scope="module")
def surroundings(
    shared_pack_folder: Path, direction_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(root / "runs"))
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        yield root


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
