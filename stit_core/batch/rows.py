"""Which clips a batch has, and what is done with each: from folders, patterns and tables. Source: ours."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stit_core.batch.table import Settle, read_table
from stit_core.batch.treatments import Treatment
from stit_core.directions.labelled_pictures import shown
from stit_core.errors import ConfigError

CLIPS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".3gp"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a batch: a clip, and what is done with it."""

    clip: str
    treatment: Treatment

    @property
    def path(self) -> Path:
        return Path(self.clip)

    @property
    def name(self) -> str:
        """As it may be printed."""
        return shown(self.path.name)


def list_rows(
    sources: Sequence[str], usual: Treatment | None, settle: Settle, output: Path
) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a batch, and what was left out, with the reason.

    Parameters
    ----------
    sources: folders, files, patterns such as "takes/*.mp4", and tables (see `table`), in any mixture.
    usual: what is done with a clip that no table speaks of; None where only a table can say it.
    settle: makes the treatment of a table's row.
    output: the folder of the results, which is never looked into.

    Raises
    ------
    ConfigError: nothing there, or a table that is wrong; the message names the row.
    """
    rows: list[Row] = []
    left_out: list[tuple[str, str]] = []
    for source in sources:
        before = len(rows) + len(left_out)
        path = Path(source)
        if path.suffix.lower() == ".csv" and not path.is_dir():
            rows += [Row(str(clip), treatment) for clip, treatment in read_table(path, settle)]
            continue
        for file in _files_of(source, output):
            if usual is None:
                raise ConfigError("No edit is given.", "Write -d NAME=FACTOR, such as -d smile=2.")
            if path.is_dir() and file.suffix.lower() not in CLIPS:
                left_out.append((shown(file.name), "it is no video file by its name"))
            else:
                rows.append(Row(str(file), usual))
        if len(rows) + len(left_out) == before:
            raise ConfigError(f"There is nothing at '{shown(source)}'.", "Check the name; a pattern stands in quotes.")
    if not rows:
        told = f" Left out: {left_out[0][0]}: {left_out[0][1]}." if left_out else ""
        raise ConfigError(f"No clip was found.{told}", f"Clips end in {', '.join(sorted(CLIPS))}.")
    return rows, left_out


def _files_of(source: str, output: Path) -> Iterator[Path]:
    """The files that a folder, a name or a pattern stands for, in order; none that is hidden or a result."""
    path = Path(source)
    if path.is_dir():
        yield from _walk(path, output.absolute())
    elif path.exists() or not glob.has_magic(source):
        yield path  # one that is not there fails as a clip, in words, and the others do not wait for it
    else:
        found = (Path(name) for name in sorted(glob.glob(source, recursive=True)))
        yield from (file for file in found if not file.is_dir())


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        inside = Path(parent)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (inside / name).absolute() != output
        )
        for name in sorted(files):
            if not name.startswith(".") and inside.absolute() != output:
                yield inside / name
