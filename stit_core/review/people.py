"""Whom a review looks at: the pack's own people, a folder, a zip, a table or clips; groups are labelled, never guessed.

Files may be hostile: nothing is unpacked to disk but clips, no link is followed out of a folder, and what is read is
bounded. What cannot be used is listed, and counted.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from stit_core.directions.labelled_pictures import MAX_PICTURE_BYTES, SUFFIXES, UnusablePicture, shown, why_not
from stit_core.directions.zip_checks import ZipMember, list_zip
from stit_core.errors import ConfigError
from stit_core.review.label_table import LARGEST, NOT_GIVEN, LabelTable, read_label_table

OWN = Path(__file__).resolve().parents[2] / "assets/people"
OWN_LABELS, OWN_TRUTH = "labels.csv", "attributes.csv"
CLIPS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})
MAX_CLIP_BYTES = 512 << 20
MOST_PEOPLE = 2000  # that are looked at without being asked for so many
MOST_LISTED = 200_000  # files of a folder
GROUP = "group"  # name of the column that subfolders give
LABELS_FROM = ("rendered", "self-reported", "perceived", "not stated")
Reader = Callable[[], bytes]


@dataclass(frozen=True)
class Source:
    """One picture or clip: its name as it may be shown, and how to read it.

    Attributes
    ----------
    path: of the file on disk; None in a zip.
    read: its bytes; raises UnusablePicture.
    missing: why it cannot even be tried; empty where it can.
    truth: (A,) what the renderer was given, in the attribute network's units; None where nobody knows.
    """

    name: str
    path: Path | None = None
    read: Reader | None = None
    missing: str = ""
    truth: np.ndarray | None = None

    @property
    def is_clip(self) -> bool:
        return PurePosixPath(self.name).suffix.lower() in CLIPS


@dataclass(frozen=True)
class Person:
    """One person: name, labels by column, files."""

    name: str
    labels: Mapping[str, str]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class People:
    """Everybody of a review.

    Attributes
    ----------
    title: what they are, for a heading.
    columns: names of the label columns.
    persons: in order.
    left_out: files that are looked at by nobody, and why.
    labels_from: one of LABELS_FROM: who says that the labels are so.
    truth_names: of the numbers of `Source.truth`; empty where there are none.
    """

    title: str
    columns: tuple[str, ...]
    persons: tuple[Person, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    labels_from: str = "not stated"
    truth_names: tuple[str, ...] = field(default=())

    def chosen(self, count: int | None) -> People:
        """`count` of them, spread over the combinations of labels as evenly as can be; all where None or fewer.

        Raises ConfigError for a count under 1, or more than MOST_PEOPLE without a count.
        """
        if count is None:
            if len(self.persons) > MOST_PEOPLE:
                message = f"{self.title} holds {len(self.persons):,} people; that takes hours."
                raise ConfigError(message, f"Say how many with --people, such as --people {MOST_PEOPLE // 10}.")
            return self
        if count < 1:
            raise ConfigError(f"A review of {count} people is none.", "Choose a whole number from 1 up.")
        cells: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, person in enumerate(self.persons):
            cells[tuple(person.labels[column] for column in self.columns)].append(place)
        rounds = [(turn, number, place) for number, c in enumerate(cells.values()) for turn, place in enumerate(c)]
        # Where a round cannot be finished, every other combination of it comes first, so that no column is favoured.
        step = max(1, len(cells) // 2 + 1)
        rounds.sort(key=lambda entry: (entry[0], entry[1] * step % max(len(cells), 1), entry[1]))
        kept = sorted(place for _, _, place in rounds[:count])
        return dataclasses.replace(self, persons=tuple(self.persons[place] for place in kept))


def own_people() -> People:
    """The 120 rendered people that come with the program. Raises ConfigError where they are missing."""
    try:
        table = read_label_table((OWN / OWN_LABELS).read_bytes(), OWN_LABELS)
        with (OWN / OWN_TRUTH).open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise ConfigError("The pack's own people are not there.", f"Restore {OWN}, or name a folder.") from error
    truths = {row[0]: np.array(row[1:], np.float64) for row in rows[1:]}
    made = _from_table(table, _folder_finder(OWN), "the pack's own people")
    persons = [
        dataclasses.replace(
            person, sources=tuple(dataclasses.replace(s, truth=truths.get(s.name)) for s in person.sources)
        )
        for person in made.persons
    ]
    return dataclasses.replace(made, persons=tuple(persons), labels_from="rendered", truth_names=tuple(rows[0][1:]))


def open_people(paths: Sequence[Path], labels_from: str = "not stated") -> People:
    """The people in a folder, a zip or a table, or in one or several pictures and clips.

    Raises
    ------
    ConfigError: nothing there that could be looked at, several folders, or a table that is wrong. DirectionError: a zip
        that is damaged or hostile.
    """
    if labels_from not in LABELS_FROM:
        raise ConfigError(f"Labels cannot be '{labels_from}'.", f"Choose one of {', '.join(LABELS_FROM)}.")
    if not paths:
        return own_people()
    for path in paths:
        if not path.exists():
            raise ConfigError(f"There is no file or folder '{shown(str(path))}'.", "Check the name.")
    if len(paths) == 1 and (paths[0].is_dir() or paths[0].suffix.lower() in (".zip", ".csv")):
        return dataclasses.replace(_open_one(paths[0]), labels_from=labels_from)
    wrong = [path for path in paths if path.is_dir() or path.suffix.lower() not in CLIPS | SUFFIXES]
    if wrong:
        message = f"'{shown(wrong[0].name)}' cannot stand beside other files."
        raise ConfigError(message, "Give one folder, zip or CSV, or several clips and pictures.")
    persons = [Person(shown(path.stem), {}, (_on_disk(path, shown(path.name)),)) for path in paths]
    return People(", ".join(shown(path.name) for path in paths), (), _distinct(persons), labels_from=labels_from)


def _open_one(path: Path) -> People:
    name = shown(path.absolute().name)
    if path.is_dir():
        found, left_out = _list_folder(path)
        table = _table_of(path / OWN_LABELS) if (path / OWN_LABELS).is_file() else None
    elif path.suffix.lower() == ".csv":
        return _from_table(_table_of(path), _folder_finder(path.absolute().parent), name)
    else:
        members = _unwrapped(list_zip(path))
        found, left_out = _list_zip(members)
        data = next((member.read() for member in members if str(member.place) == OWN_LABELS), None)
        table = None if data is None else read_label_table(data, OWN_LABELS)
    if table is not None:
        return _from_table(table, found.get, name)
    return _from_folders(found, left_out, name)


def _table_of(path: Path) -> LabelTable:
    """Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{shown(path.name)} cannot be read.", "Check the rights to read it.") from error
    return read_label_table(data, shown(path.name))


def _from_table(table: LabelTable, find: Callable[[PurePosixPath], Source | None], title: str) -> People:
    """People by a table; a file that is not there stays as one that cannot be tried. Raises ConfigError."""
    by_person: dict[str, list[Source]] = defaultdict(list)
    labels: dict[str, tuple[str, ...]] = {}
    any_there = False
    for row in table.rows:
        name = row.person or shown(str(row.file))
        if labels.setdefault(name, row.labels) != row.labels:
            k = next(i for i, pair in enumerate(zip(labels[name], row.labels, strict=True)) if pair[0] != pair[1])
            message = f"The person '{name}' has two values of '{table.columns[k]}': {labels[name][k]}, {row.labels[k]}."
            raise ConfigError(message, "Give a person the same labels in every row.")
        source = find(row.file) or Source(shown(str(row.file)), missing="the file is not there")
        any_there |= not source.missing
        by_person[name].append(source)
    if not any_there:
        first = shown(str(table.rows[0].file))
        message = f"None of the {len(table.rows)} files that {title} names is there, such as {first}."
        raise ConfigError(message, "Put the table beside the pictures, and name them from there.")
    persons = [
        Person(name, dict(zip(table.columns, labels[name], strict=True)), tuple(sources))
        for name, sources in by_person.items()
    ]
    return People(title, table.columns, tuple(persons))


def _from_folders(found: Mapping[PurePosixPath, Source], left_out: list[tuple[str, str]], title: str) -> People:
    """People by subfolders; without any, all are of one group. Raises ConfigError where nothing is there."""
    grouped = any(len(place.parts) > 1 for place in found)
    persons = []
    for place, source in found.items():
        if grouped and len(place.parts) == 1:
            left_out.append((source.name, "it lies in no group's subfolder"))
            continue
        labels = {GROUP: shown(place.parts[0])} if grouped else {}
        persons.append(Person(shown(str(place)), labels, (source,)))
    if not persons:
        told = f" Left out: {len(left_out)}, such as {left_out[0][0]}: {left_out[0][1]}." if left_out else ""
        hint = f"Put pictures or clips of each group into a subfolder of its own.{told}"
        raise ConfigError(f"{title} holds no picture or clip.", hint)
    return People(title, (GROUP,) if grouped else (), tuple(persons), tuple(left_out))


def _distinct(persons: list[Person]) -> tuple[Person, ...]:
    """The same with names told apart by a number where two are equal."""
    seen: dict[str, int] = defaultdict(int)
    found = []
    for person in persons:
        seen[person.name] += 1
        number = seen[person.name]
        found.append(person if number == 1 else dataclasses.replace(person, name=f"{person.name} ({number})"))
    return tuple(found)


# --- Listing ------------------------------------------------------------------------------------------------------


def _is_usable(place: PurePosixPath) -> bool:
    return place.suffix.lower() in SUFFIXES | CLIPS


def _is_hidden(place: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in place.parts)


def _list_folder(folder: Path) -> tuple[dict[PurePosixPath, Source], list[tuple[str, str]]]:
    found: dict[PurePosixPath, Source] = {}
    left_out: list[tuple[str, str]] = []
    top = folder.resolve()
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            file = Path(parent, name)
            place = PurePosixPath(file.relative_to(folder).as_posix())
            if _is_hidden(place) or str(place) == OWN_LABELS:
                continue
            if len(found) + len(left_out) >= MOST_LISTED:
                raise ConfigError(f"{shown(folder.name)} holds far too many files.", f"Give at most {MOST_LISTED:,}.")
            reason = "" if _is_usable(place) else "it is no picture or clip that can be read"
            reason = reason or why_not(file, top)
            if reason:
                left_out.append((shown(str(place)), reason))
            else:
                found[place] = _on_disk(file, shown(str(place)))
    return found, left_out


def _folder_finder(folder: Path) -> Callable[[PurePosixPath], Source | None]:
    top = folder.resolve()

    def find(place: PurePosixPath) -> Source | None:
        file = folder / place
        name = shown(str(place))
        if not file.exists():
            return None
        if not _is_usable(place):
            return Source(name, missing="it is no picture or clip that can be read")
        reason = why_not(file, top)
        return Source(name, missing=reason) if reason else _on_disk(file, name)

    return find


def _on_disk(file: Path, name: str) -> Source:
    return Source(name, file, lambda: _bytes_of(file))


def _bytes_of(file: Path) -> bytes:
    limit = MAX_CLIP_BYTES if file.suffix.lower() in CLIPS else MAX_PICTURE_BYTES
    try:
        if file.stat().st_size > limit:
            raise UnusablePicture(f"it is larger than {limit >> 20} MB")
        return file.read_bytes()
    except OSError as error:
        raise UnusablePicture("the file cannot be read") from error


def _unwrapped(members: list[ZipMember]) -> list[ZipMember]:
    """The members below the one folder that holds everything, where the folder itself was packed."""
    usable = [member for member in members if not _is_hidden(member.place)]
    tops = {member.place.parts[0] for member in usable}
    inner = any(len(member.place.parts) > 2 or str(member.place.name) == OWN_LABELS for member in usable)
    if len(tops) == 1 and inner and all(len(member.place.parts) > 1 for member in usable):
        top = next(iter(tops))
        return [member.below(top) for member in usable]
    return usable


def _list_zip(members: list[ZipMember]) -> tuple[dict[PurePosixPath, Source], list[tuple[str, str]]]:
    found: dict[PurePosixPath, Source] = {}
    left_out: list[tuple[str, str]] = []
    for member in sorted(members, key=lambda each: str(each.place)):
        name = shown(str(member.place))
        if _is_usable(member.place):
            found[member.place] = Source(name, None, lambda member=member: _read_member(member))  # type: ignore[misc]
        elif str(member.place) != OWN_LABELS:
            left_out.append((name, "it is no picture or clip that can be read"))
    return found, left_out


def _read_member(member: ZipMember) -> bytes:
    limit = MAX_CLIP_BYTES if member.place.suffix.lower() in CLIPS else MAX_PICTURE_BYTES
    if member.size > limit:
        raise UnusablePicture(f"it is larger than {limit >> 20} MB")
    data = member.read()
    if data is None:
        raise UnusablePicture("it is damaged in the zip")
    return data


def labels_of(people: People, column: str) -> list[str]:
    """Each person's label in a column."""
    return [person.labels.get(column, NOT_GIVEN) for person in people.persons]
