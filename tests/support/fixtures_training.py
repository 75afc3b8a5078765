"""Pictures to learn from, caches of their latents, and a folder for the directions that are learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stit_core.directions import library as directions
from stit_core.directions import parts as direction_parts
from stit_core.packs.loading import Models, find_pack, load_models
from tests.support.labelled_sets import apart, write_set
from tests.support.training_cases import CLASSES, COUNT


@pytest.fixture(scope="session")
def smiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People of two classes, nobody in both."""
    return write_set(tmp_path_factory.mktemp("pictures") / "smiles", CLASSES, apart(COUNT))


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of latents that the tests share, as most of them are not about encoding."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cold_cache(own: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 (own comes first)
    """An empty cache of latents."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cold"))
    return home / "cold"


@pytest.fixture
def own(home: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's own directions, and no other ones."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(warm_cache))
    monkeypatch.setenv("STIT_DIRECTIONS", str(home / "own"))
    monkeypatch.setattr(directions, "SHIPPED", home / "shipped")
    for few in ("HEADS", "PAIRS"):  # what they are for is tested in test_parts.py
        monkeypatch.setattr(direction_parts, few, 2)
    return home / "own"


@pytest.fixture
def models(own: Path) -> Models:  # noqa: ARG001 (own says where to look)
    return load_models(find_pack("tiny"), torch.device("cpu"))
