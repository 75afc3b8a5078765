"""Fixtures around the tiny pack: its folder, a clip with a face, and an environment that holds nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.drawn_face import write_clip
from tests.support.tiny_pack import make_direction, write_pack


@pytest.fixture(scope="session")
def shared_pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny pack on disk, for tests that do not change it."""
    return write_pack(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of six frames with a face and sound."""
    return write_clip(tmp_path_factory.mktemp("clips") / "face.mp4", sound=True)


@pytest.fixture(scope="session")
def direction_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two directions of the tiny pack, without cards, and one of another pack."""
    root = tmp_path_factory.mktemp("directions")
    for folder, name, vector in (
        ("tiny", "smile", make_direction(1)),
        ("tiny", "age", make_direction(2)),
        ("other", "beard", np.zeros((18, 512), np.float32)),
    ):
        (root / folder).mkdir(exist_ok=True)
        np.save(root / folder / f"{name}.npy", vector)
    return root


@pytest.fixture(scope="module")
def tiny_environment(shared_pack_folder: Path, direction_root: Path) -> Iterator[pytest.MonkeyPatch]:
    """While a file's tests run, packs and directions are the shared ones; takes more that is to hold as long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        yield patch


@pytest.fixture
def home(tmp_path: Path, shared_pack_folder: Path, direction_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own; runs, packs and directions are looked for in no other but the shared fixtures'."""
    monkeypatch.setenv("STIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
    monkeypatch.setenv("STIT_DIRECTIONS", str(direction_root))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path
