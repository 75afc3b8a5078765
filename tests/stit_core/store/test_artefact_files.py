"""What is written of a result comes back as it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from stit_core.artefacts import Clip, FrameFolder
from stit_core.store.artefact_files import load_artefact, save_artefact

HASH = "ab" * 32


def test_every_kind_of_value_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    clip = Clip(
        HASH,
        tmp_path / "a b.mp4",
        FrameFolder(folder, ()),
        640,
        480,
        Fraction(30000, 1001),
        (Fraction(0), Fraction(1001, 30000)),
        Fraction(1, 2),
        None,
    )
    save_artefact(clip, tmp_path)
    assert load_artefact(Clip, tmp_path) == clip
