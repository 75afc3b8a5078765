"""The table that a batch may be given: a clip a row, and what is done with it. Hostile until checked. Source: ours."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from stit_core.batch.treatments import Treatment
from stit_core.directions.labelled_pictures import shown
from stit_core.errors import ConfigError, StitError

CLIP, EDIT = "clip", "edit"
# Columns that a table may have beside directions and settings; an empty cell leaves what the command says.
COLUMNS = (CLIP, EDIT, "preset", "method", "region", "face", "start", "end", "seed")
MOST_ROWS = 5_000_000
MOST_COLUMNS = 64
LONGEST = 4096  # characters of a cell; the longest path of Linux
LARGEST_LINE = 1 << 20  # bytes
SHOWN = 60  # characters of a cell that an error repeats
_HINT = (
    f"The first row names the columns: {COLUMNS[0]}, and any of {', '.join(COLUMNS[1:])}, the name of a direction, or "
    "STAGE.SETTING."
)
Settle = Callable[[Mapping[str, str]], Treatment]


def read_table(path: Path, settle: Settle) -> Iterator[tuple[Path, Treatment]]:
    """Each row's clip and treatment, from a CSV in UTF-8, separated by commas, semicolons or tabs.

    Parameters
    ----------
    path: clips are named from its folder.
    settle: makes a treatment of the cells that are not empty, by column; raises StitError for what cannot be.

    Raises
    ------
    ConfigError: no table, no column `clip`, two columns of one name, a row of another length or over a limit, or one
        that cannot be settled; the message names the row.
    """
    name, folder = shown(path.name), path.absolute().parent
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _lines(file, name)
            first = next(lines, "")
            if not first.strip():
                raise ConfigError(f"{name} is empty.", _HINT)
            separator = max(",;\t", key=first.count)
            (header,) = csv.reader([first], delimiter=separator, strict=True)
            header = [cell.strip() for cell in header]
            _check_header(header, name)
            yield from _rows(csv.reader(lines, delimiter=separator, strict=True), header, folder, name, settle)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is no table in UTF-8.", "Save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise ConfigError(f"{name} cannot be read as a table: {error}.", "Save it as plain CSV.") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.", "Check the name.") from error


def _lines(file: Iterator[str], name: str) -> Iterator[str]:
    """Lines of bounded length: a file without line ends must not fill the memory."""
    readline = file.readline  # type: ignore[attr-defined]
    while line := readline(LARGEST_LINE):
        if len(line) == LARGEST_LINE:
            raise ConfigError(f"A line of {name} is longer than {LARGEST_LINE >> 20} MB.", _HINT)
        if "\0" in line:
            raise ConfigError(f"{name} is no table: it holds bytes that are no text.", "Save it as CSV in UTF-8.")
        yield line


def _rows(
    lines: Iterator[list[str]], header: list[str], folder: Path, name: str, settle: Settle
) -> Iterator[tuple[Path, Treatment]]:
    for number, line in enumerate(lines, start=2):
        if not any(cell.strip() for cell in line):
            continue
        if number > MOST_ROWS:
            raise ConfigError(f"{name} has over {MOST_ROWS:,} rows.", "Give several batches a part each.")
        if len(line) != len(header):
            message = f"Row {number} of {name} has {len(line)} cells, the first row {len(header)}."
            raise ConfigError(message, "Put cells that hold a separator in quotes.")
        cells = {column: cell.strip() for column, cell in zip(header, line, strict=True) if cell.strip()}
        clip = cells.pop(CLIP, "")
        long = next((cell for cell in line if len(cell) > LONGEST), None)
        if not clip or long is not None:
            what = "names no clip" if not clip else f"has a cell of {len(long or ''):,} characters"
            raise ConfigError(f"Row {number} of {name} {what}.", _HINT)
        try:
            yield folder / clip, settle(cells)
        except StitError as error:
            raise ConfigError(f"Row {number} of {name}: {error.message}", error.hint) from error


def _check_header(header: list[str], name: str) -> None:
    if CLIP not in header:
        raise ConfigError(f"{name} has no column '{CLIP}'.", _HINT)
    if len(header) > MOST_COLUMNS:
        raise ConfigError(f"{name} has {len(header)} columns.", f"Give at most {MOST_COLUMNS}.")
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        told = f"two columns of the name '{shown(twice)[:SHOWN]}'" if twice else "two columns without a name"
        raise ConfigError(f"{name} has {told}.", "Rename or delete one of them.")
    if "" in header:
        raise ConfigError(f"A column of {name} has no name.", "Name it in the first row, or delete it.")
