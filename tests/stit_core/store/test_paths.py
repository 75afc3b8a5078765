"""Where runs are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from stit_core.store.runs import Store


def test_the_root_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIT_RUNS", str(tmp_path / "here"))
    assert Store().root == tmp_path / "here"
    monkeypatch.delenv("STIT_RUNS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Store().root == tmp_path / "stit-studio" / "runs"
