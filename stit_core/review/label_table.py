"""The table of labels that a user gives: file, person, then any label columns. Hostile until checked. Source: ours."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from stit_core.directions.labelled_pictures import shown
from stit_core.errors import ConfigError

FILE, PERSON = "file", "person"
LARGEST = 16 << 20  # bytes
MOST_ROWS = 100_000
MOST_COLUMNS = 64
LONGEST = 120  # characters of a label, a person's name or a column's
NOT_GIVEN = "(not given)"
_DRIVE = re.compile(r"[A-Za-z]:")
_HINT = "The first row names the columns: file, person, and any number of label columns, such as group or age_band."


@dataclass(frozen=True)
class LabelRow:
    """One file: its path below the table's folder, whom it shows (empty: nobody else is on another), its labels."""

    file: PurePosixPath
    person: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class LabelTable:
    """Label columns, and a row a file in the table's order."""

    columns: tuple[str, ...]
    rows: tuple[LabelRow, ...]


def read_label_table(data: bytes, name: str) -> LabelTable:
    """Read a CSV (UTF-8, separated by commas, semicolons or tabs).

    Raises
    ------
    ConfigError: no table, no column `file`, two columns of one name, a file named twice or outside the table's folder,
        a row of another length, or over a limit; the message names the row.
    """
    if len(data) > LARGEST:
        raise ConfigError(f"{name} has {len(data) >> 20} MB; a table of labels has at most {LARGEST >> 20}.", _HINT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is no table in UTF-8.", "Save it as CSV in UTF-8.") from error
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)) if any(row)]
    except csv.Error as error:
        raise ConfigError(f"{name} cannot be read as a table: {error}.", "Save it as plain CSV.") from error
    if not lines:
        raise ConfigError(f"{name} is empty.", _HINT)
    if len(lines) > MOST_ROWS:
        raise ConfigError(f"{name} has {len(lines):,} rows.", f"Give at most {MOST_ROWS:,}.")
    header = [_cell(cell) for cell in lines[0]]
    _check_header(header, name)
    place, person = header.index(FILE), header.index(PERSON) if PERSON in header else None
    others = [k for k in range(len(header)) if k not in (place, person)]
    rows, seen = [], set()
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            message = f"Row {number} of {name} has {len(line)} cells, the first row {len(header)}."
            raise ConfigError(message, "Put cells that hold a separator in quotes.")
        file = _path(line[place], name, number)
        if file in seen:
            raise ConfigError(f"{name} names {shown(str(file))} twice.", "Give each file one row.")
        seen.add(file)
        labels = tuple(_cell(line[k]) or NOT_GIVEN for k in others)
        rows.append(LabelRow(file, "" if person is None else _cell(line[person]), labels))
    if not rows:
        raise ConfigError(f"{name} names no file.", _HINT)
    return LabelTable(tuple(header[k] for k in others), tuple(rows))


def _separator(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _cell(text: str) -> str:
    """A cell as it may be shown: without control characters, of bounded length."""
    return shown(text.strip())[:LONGEST]


def _check_header(header: list[str], name: str) -> None:
    if FILE not in header:
        raise ConfigError(f"{name} has no column '{FILE}'.", _HINT)
    if len(header) > MOST_COLUMNS:
        raise ConfigError(f"{name} has {len(header)} columns.", f"Give at most {MOST_COLUMNS}.")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise ConfigError(f"{name} has two columns of the name '{twice[0]}'.", "Rename one of them.")
    if "" in header:
        raise ConfigError(f"A column of {name} has no name.", "Name it in the first row, or delete it.")


def _path(text: str, name: str, number: int) -> PurePosixPath:
    plain = text.strip().replace("\\", "/")
    path = PurePosixPath(plain)
    if not plain or "\0" in plain:
        raise ConfigError(f"Row {number} of {name} names no file.", "Give the file's path beside the table.")
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(plain):
        message = f"Row {number} of {name} names {shown(plain)[:LONGEST]}, which lies outside the table's folder."
        raise ConfigError(message, "Put the table beside the pictures, and name them from there.")
    return path
