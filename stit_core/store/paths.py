"""Where runs and the user's other files of this program are kept."""

from __future__ import annotations

import os
from pathlib import Path


def default_root() -> Path:
    """Where runs are kept: $STIT_RUNS, or stit-studio/runs in the user's cache folder."""
    named = os.environ.get("STIT_RUNS")
    return Path(named).expanduser() if named else cache_folder() / "runs"


def cache_folder() -> Path:
    """The user's cache folder of this program ($XDG_CACHE_HOME or ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stit-studio"
