"""What a source file is known by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stit_core.errors import VideoError
from stit_core.media.sources import source_changed, source_digest


def test_a_source_is_known_by_its_bytes_and_missed_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"abc")
    assert source_digest(path) == hashlib.sha256(b"abc").hexdigest()
    path.unlink()
    with pytest.raises(VideoError, match=r"a\.mp4 can no longer be read") as caught:
        source_digest(path)
    assert "kept" in caught.value.hint
    assert "a.mp4 was changed" in source_changed(path).message
