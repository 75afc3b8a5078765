"""Where directions lie for a run: its own, which nobody else sees, before those that the program has."""

from __future__ import annotations

from pathlib import Path

from page.studio.clip_lists import holder_of
from page.studio.folders import RunFolders
from stit_core.directions.library import direction_roots

OWN = "directions"  # folder of a run's own directions, in its private folder


def own_root(folders: RunFolders, run_id: str) -> Path:
    """Where a run's own directions lie.

    Raises
    ------
    StitError: what is no id.
    """
    return folders.private(run_id) / OWN


def roots_of(folders: RunFolders, run_id: str | None) -> tuple[Path, ...]:
    """Where directions are looked for, in this order; a clip of a list has those of the run that holds the list too.

    Raises
    ------
    StitError: what is no id.
    """
    if run_id is None:
        return direction_roots()
    holder = holder_of(folders, run_id)
    runs = [run_id] if holder is None else [run_id, holder]
    return (*(own_root(folders, run) for run in runs), *direction_roots())
