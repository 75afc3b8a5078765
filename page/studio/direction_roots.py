"""Where directions lie for a run: its own, which nobody else sees, before those that the program has."""

from __future__ import annotations

from pathlib import Path

from page.studio.folders import RunFolders
from stit_core.directions.library import direction_roots

OWN = "directions"  # folder of a run's own directions, in its private folder


def own_root(folders: RunFolders, run_id: str) -> Path:
    """Where a run's own directions lie. Raises: StitError for what is no id."""
    return folders.private(run_id) / OWN


def roots_of(folders: RunFolders, run_id: str | None) -> tuple[Path, ...]:
    """Where directions are looked for, in this order. Raises: StitError for what is no id."""
    return direction_roots() if run_id is None else (own_root(folders, run_id), *direction_roots())
