"""The records of a review, gathered into its results: be it finished, stopped or running."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stit_core.directions.labelled_pictures import UnusablePicture
from stit_core.review.attributes import attribute_weights, combine
from stit_core.review.instruments import read_table
from stit_core.review.people import Person, Source
from stit_core.review.reading import FIGURES
from stit_core.review.records import FAILURE, Record
from stit_core.review.results import EDIT_VALUES, SOURCE_VALUES, WAITING, Results
from stit_core.review.running import Review

Row = dict[str, Any]


def read_results(review: Review) -> Results:
    """Everything that is kept of a review so far; a person's files count alike. Raises PackError."""
    gathered = _Gathered(review)
    for place, person in enumerate(review.people.persons):
        gathered.add_person(place, person)
    return gathered.results()


def read_source(review: Review, source: Source) -> tuple[Row | None, Record | None]:
    """What is kept of one file, {"failure": why} for one that cannot be read, and its record."""
    try:
        record = review.record(source)
    except UnusablePicture as reason:
        return {FAILURE: str(reason)}, None
    return record.base(), record


class _Gathered:
    """Tables that are filled person by person."""

    def __init__(self, review: Review) -> None:
        self.review, self.columns = review, review.columns.columns
        self.people, self.keys = review.people, review.edit_keys
        count, edits, width = len(self.people.persons), len(self.keys), len(self.columns)
        self.attributes, self.mirrored, self.truth = (np.full((count, width), math.nan) for _ in range(3))
        self.figures = np.full((count, len(FIGURES)), math.nan)
        self.moved = np.full((count, edits, width), math.nan)
        self.moved_figures = np.full((count, edits, len(FIGURES)), math.nan)
        self.source = {name: np.full(count, math.nan) for name in SOURCE_VALUES}
        self.values = {name: np.full((count, edits), math.nan) for name in EDIT_VALUES}
        self.embeddings: dict[int, np.ndarray] = {}
        self.failures = [WAITING] * count
        self.edit_failures = [[""] * edits for _ in range(count)]

    def add_person(self, place: int, person: Person) -> None:
        """Fill a person's rows with the means over their files."""
        found = [read_source(self.review, source) for source in person.sources]
        known = [(base, record) for base, record in found if base is not None and FAILURE not in base and record]
        if not known:
            reasons = [str(base[FAILURE]) for base, _ in found if base is not None]
            self.failures[place] = "; ".join(reasons) if len(reasons) == len(found) else WAITING
            return
        bases = [base for base, _ in known]
        self.failures[place] = ""
        self.attributes[place] = _mean([base["attributes"] for base in bases])
        self.mirrored[place] = _mean([base["mirrored"] for base in bases])
        self.figures[place] = _mean([base["figures"] for base in bases])
        self.embeddings[place] = _mean([base["embedding"] for base in bases])
        for name in SOURCE_VALUES:
            self.source[name][place] = _mean([[base.get(name)] for base in bases])[0]
        self._add_truth(place, person)
        for edit, key in enumerate(self.keys):
            self._add_edit(place, edit, [(base, record.edit(key)) for base, record in known])

    def _add_truth(self, place: int, person: Person) -> None:
        names = self.people.truth_names
        truths = [source.truth for source in person.sources if source.truth is not None]
        if names and truths:
            mean = np.mean(truths, axis=0)
            weights = [attribute_weights(name, names) for name in self.columns]
            self.truth[place] = [math.nan if each is None else float(combine(each, names, mean)) for each in weights]

    def _add_edit(self, place: int, edit: int, rows: list[tuple[Row, Row | None]]) -> None:
        made = [(base, row) for base, row in rows if row is not None and FAILURE not in row]
        if not made:
            reasons = [str(row[FAILURE]) for _, row in rows if row is not None]
            self.edit_failures[place][edit] = "; ".join(reasons) or WAITING
            return
        for name, table in (("attributes", self.moved), ("figures", self.moved_figures)):
            table[place, edit] = _mean([_array(row[name]) - _array(base[name]) for base, row in made])
        for name in EDIT_VALUES:
            self.values[name][place, edit] = _mean([[row.get(name)] for _, row in made])[0]

    def results(self) -> Results:
        """The tables as they stand."""
        count = len(self.people.persons)
        width = max((len(one) for one in self.embeddings.values()), default=0)
        embeddings = np.full((count, width), math.nan)
        for place, one in self.embeddings.items():
            embeddings[place] = one / max(float(np.linalg.norm(one)), 1e-9)
        return Results(
            plan=self.review.plan,
            people=self.people,
            columns=self.columns,
            failures=tuple(self.failures),
            edit_failures=tuple(map(tuple, self.edit_failures)),
            source=self.source,
            values=self.values,
            attributes=self.attributes,
            mirrored=self.mirrored,
            truth=self.truth,
            figures=self.figures,
            embeddings=embeddings,
            moved=self.moved,
            moved_figures=self.moved_figures,
            table=read_table(self.review.models.pack),
        )


def _array(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)  # null becomes NaN


def _mean(rows: list[Any]) -> np.ndarray:
    """Mean of rows of numbers, null left out; NaN where all are."""
    stacked = np.array([_array(row) for row in rows])
    known = np.isfinite(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), math.nan)  # type: ignore[no-any-return]
