"""Keys follow from content alone, whoever computes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stit_core.config import TuningConfig
from stit_core.store.keys import file_digest, key

HASH = "ab" * 32


def test_keys_follow_from_content_alone() -> None:
    first = key("tune", HASH, TuningConfig(passes=3), [1, 2.5, None], np.arange(3))
    assert first == key("tune", HASH, TuningConfig(passes=3), (1, 2.5, None), np.arange(3))
    others = [
        key("stitch", HASH, TuningConfig(passes=3), [1, 2.5, None], np.arange(3)),
        key("tune", HASH, TuningConfig(passes=4), [1, 2.5, None], np.arange(3)),
        key("tune", HASH, TuningConfig(passes=3), [1, 2.5, 0], np.arange(3)),
        key("tune", HASH, TuningConfig(passes=3), [1, 2.5, None], np.arange(3.0)),
        key("tune", HASH, TuningConfig(passes=3), [1, 2.5, None], np.arange(3).reshape(3, 1)),
    ]
    assert len({first, *others}) == 6


def test_a_key_is_the_same_in_another_process() -> None:
    code = "from stit_core.store.keys import key\nfrom stit_core.config import TuningConfig\n"
    code += "print(key('tune', TuningConfig()))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == key("tune", TuningConfig())


def test_a_key_refuses_what_has_no_canonical_form() -> None:
    with pytest.raises(TypeError, match="object"):
        key("tune", object())


def test_a_changed_file_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"abcd")
    assert file_digest(path).startswith("88d4266f")
