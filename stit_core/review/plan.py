"""What a review does: edits and factors, groups, how thoroughly. Settled before the first picture is looked at."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from stit_core.config import LARGEST_FACTOR
from stit_core.errors import ConfigError
from stit_core.review.label_table import NOT_GIVEN
from stit_core.review.people import People, labels_of

MOST_EDITS = 64  # pairs of direction and factor
MOST_LABELS = 12  # of a column that is compared without being asked for
MOST_ASKED = 40  # of one that is
MOST_CELLS = 60  # of a crossing
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Plan:
    """A review.

    Attributes
    ----------
    edits: direction and its factors, in the order of the report.
    columns: label columns whose groups are compared.
    crossings: pairs of columns whose combinations are shown.
    tuning: whether the generator is fitted to each picture, as it is to a clip.
    preset: of the pack's settings.
    seed: of every random draw, of the networks and of the statistics.
    question: what the reviewer wants to know, for the report's head.
    """

    edits: tuple[tuple[str, tuple[float, ...]], ...]
    columns: tuple[str, ...] = ()
    crossings: tuple[tuple[str, str], ...] = ()
    tuning: bool = True
    preset: str = "balanced"
    seed: int = 0
    question: str = ""

    def __post_init__(self) -> None:
        if not self.edits:
            raise ConfigError("The review has no edit.", "Write -d NAME=FACTOR[,FACTOR], such as -d age=-2,2.")
        names = [name for name, _ in self.edits]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ConfigError(f"The direction '{twice}' is named twice.", f"Write -d {twice}=FACTOR,FACTOR.")
        for name, factors in self.edits:
            if not factors or any(not math.isfinite(f) or not 0 < abs(f) <= LARGEST_FACTOR for f in factors):
                message = f"The factors of '{name}' are {', '.join(f'{f:g}' for f in factors) or 'none'}."
                raise ConfigError(message, "Choose numbers from -100 to 100 other than 0; 0 is the source itself.")
            if len(set(factors)) < len(factors):
                raise ConfigError(f"A factor of '{name}' stands there twice.", "Name each once.")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigError(f"The seed is {self.seed}.", f"Choose a whole number from 0 to {LARGEST_SEED}.")
        if len(self.pairs) > MOST_EDITS:
            message = f"The review has {len(self.pairs)} edits of each person."
            raise ConfigError(message, f"Choose at most {MOST_EDITS}.")

    @property
    def pairs(self) -> tuple[tuple[str, float], ...]:
        """Every edit: direction and factor."""
        return tuple((name, factor) for name, factors in self.edits for factor in factors)

    @property
    def outermost(self) -> tuple[int, ...]:
        """Places in `pairs` of each direction's largest factor above and below 0: what contrasts are chosen of."""
        places = []
        for name, factors in self.edits:
            for side in (-1, 1):
                here = [factor for factor in factors if factor * side > 0]
                if here:
                    places.append(self.pairs.index((name, max(here, key=abs))))
        return tuple(places)


def parse_edits(texts: Sequence[str]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """["age=-2,2", "smile=2"] -> (("age", (-2.0, 2.0)), ...). Raises ConfigError."""
    found = []
    for text in texts:
        name, equals, numbers = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"'{text}' names no factor.", "Write -d NAME=FACTOR[,FACTOR], such as -d age=-2,2.")
        try:
            factors = tuple(float(number) for number in numbers.split(","))
        except ValueError as error:
            message = f"The factors of '{name.strip()}' are '{numbers}', not numbers."
            raise ConfigError(message, "Write numbers with commas between, such as age=-2,-1,1,2.") from error
        found.append((name.strip(), tuple(sorted(factors))))
    return tuple(found)


def choose_columns(people: People, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The label columns whose groups are compared: those `wanted`, else all with two to MOST_LABELS labels.

    Raises
    ------
    ConfigError: a wanted column that is not there, named twice, has one label only, or far too many.
    """
    if not wanted:
        return tuple(c for c in people.columns if 2 <= len(_labels(people, c)) <= MOST_LABELS)
    known = ", ".join(f"'{column}'" for column in people.columns) or "none"
    for column in wanted:
        if column not in people.columns:
            raise ConfigError(f"There is no label column '{column}'.", f"Columns: {known}.")
        labels = _labels(people, column)
        if len(labels) < 2:
            message = f"Everybody has the same '{column}': {', '.join(labels) or NOT_GIVEN}."
            raise ConfigError(message, f"Choose another column to compare by: {known}.")
        if len(labels) > MOST_ASKED:
            message = f"The column '{column}' has {len(labels)} different labels."
            raise ConfigError(message, f"Compare at most {MOST_ASKED} groups; put numbers into bands first.")
    if len(set(wanted)) < len(wanted):
        raise ConfigError("A label column is named twice.", "Name each once.")
    return tuple(wanted)


def choose_crossings(people: People, columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of columns whose combinations are shown: those with at most MOST_CELLS of them."""
    return tuple(
        (first, second)
        for first, second in itertools.combinations(columns, 2)
        if len(_labels(people, first)) * len(_labels(people, second)) <= MOST_CELLS
    )


def _labels(people: People, column: str) -> list[str]:
    """The labels of a column that somebody has, in alphabetical order."""
    return sorted(set(labels_of(people, column)) - {NOT_GIVEN})
