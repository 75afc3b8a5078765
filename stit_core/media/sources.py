"""A clip's source file: what its results are known by, and that it stays the same while they are made."""

from __future__ import annotations

from pathlib import Path

from stit_core.errors import VideoError
from stit_core.store.keys import file_digest
from stit_core.store.runs import Run


def source_digest(source: Path) -> str:
    """sha256 of the source's bytes. Raises VideoError when it is gone."""
    try:
        return file_digest(source)
    except OSError as error:
        message = f"{source.name} can no longer be read ({error.strerror})."
        raise VideoError(message, "Put the file back and start again; finished work is kept.") from error


def source_changed(source: Path) -> VideoError:
    """What to raise for a source that is not what it was when the run began."""
    return VideoError(f"{source.name} was changed while it was worked on.", "Start again once the file is complete.")


def check_source(source: Path, run: Run) -> None:
    """Raise VideoError where the source is not what the run began with: its sound would not belong to the pictures."""
    if not run.is_of(source_digest(source)):
        raise source_changed(source)
