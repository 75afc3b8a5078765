"""What a review has found so far, as tables: one row a person, one column an edit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stit_core.review.attributes import is_ethnicity_pair, same_thing
from stit_core.review.instruments import ASYMMETRIC, InstrumentTable, Verdict, judge
from stit_core.review.label_table import NOT_GIVEN
from stit_core.review.people import People, labels_of
from stit_core.review.plan import Plan
from stit_core.review.reading import FIGURES

WAITING = "not looked at yet"
SOURCE_VALUES = (
    "lightness",
    "hue",
    "ita",
    "face_pixels",
    *(f"{name}_{measure}" for name in ("encoder", "tuned") for measure in ("psnr", "lpips", "landmark_error")),
)
EDIT_VALUES = (
    *("identity", "change", "lighter", "hue_turn", "ita_change", "colour_difference"),
    *("seam", "sharpness", "tl_id", "tg_id"),
)
LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class Group:
    """Some people: the label columns and labels that they share, and who they are, (P,) bool."""

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    members: np.ndarray

    @property
    def name(self) -> str:
        return ", ".join(self.labels) if self.labels else "everybody"

    @property
    def label(self) -> tuple[str, str] | None:
        """Column and label of a group of one column."""
        return (self.columns[0], self.labels[0]) if len(self.columns) == 1 else None


@dataclass(frozen=True)
class Results:
    """Readings of P people, E edits, C attributes and K landmark figures; NaN where there is none.

    Attributes
    ----------
    plan, people: as in the review.
    columns: names of the attributes (C,).
    failures: (P,) why a person has no readings, empty where there are; WAITING for one not looked at.
    edit_failures: (P, E) the same of single edits.
    source: name of SOURCE_VALUES -> (P,).
    values: name of EDIT_VALUES -> (P, E).
    attributes, mirrored, truth: (P, C) of the source, in the network's units.
    figures: (P, K) of the source.
    embeddings: (P, D) of the source.
    moved, moved_figures: (P, E, C) and (P, E, K), edit minus source.
    table: what is known of the instruments.
    """

    plan: Plan
    people: People
    columns: tuple[str, ...]
    failures: tuple[str, ...]
    edit_failures: tuple[tuple[str, ...], ...]
    source: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    attributes: np.ndarray
    mirrored: np.ndarray
    truth: np.ndarray
    figures: np.ndarray
    embeddings: np.ndarray
    moved: np.ndarray
    moved_figures: np.ndarray
    table: InstrumentTable

    # --- Who ---------------------------------------------------------------------------------------------------

    @cached_property
    def looked_at(self) -> np.ndarray:
        """(P,) bool, who has been looked at, with or without success."""
        return np.array([failure != WAITING for failure in self.failures])

    @cached_property
    def usable(self) -> np.ndarray:
        """(P,) bool, who has readings."""
        return np.array([failure == "" for failure in self.failures])

    def groups(self, *columns: str) -> list[Group]:
        """The groups of one label column, or the combinations of two, in alphabetical order; empty ones left out."""
        labels = [labels_of(self.people, column) for column in columns]
        rows = list(zip(*labels, strict=True))
        wanted = sorted({row for row in rows if NOT_GIVEN not in row})
        return [Group(columns, row, np.array([other == row for other in rows])) for row in wanted]

    @property
    def everybody(self) -> Group:
        """All people."""
        return Group((), (), np.ones(len(self.people.persons), bool))

    # --- Units ------------------------------------------------------------------------------------------------

    @cached_property
    def spreads(self) -> np.ndarray:
        """(C,) standard deviation of each attribute's reading: over held-out renders, else over these people."""
        return np.array([self._spread(self.table.attributes, name, k) for k, name in enumerate(self.columns)])

    def _spread(self, known: Mapping[str, Mapping[str, Any]], name: str, place: int) -> float:
        if name in known:
            return max(float(known[name]["spread"]), LEAST_SPREAD)
        own = self.attributes[self.usable, place]
        return max(float(np.nanstd(own)), LEAST_SPREAD) if len(own) > 1 else math.nan

    @cached_property
    def figure_spreads(self) -> np.ndarray:
        """(K,) the same of the landmark figures."""
        found = []
        for place, name in enumerate(FIGURES):
            own = self.figures[self.usable, place]
            known = self.table.landmarks.get(name)
            spread = float(known["spread"]) if known else (float(np.nanstd(own)) if len(own) > 1 else math.nan)
            found.append(max(spread, LEAST_SPREAD))
        return np.array(found)

    @cached_property
    def changes(self) -> np.ndarray:
        """(P, E, C) change of every attribute in its standard deviations."""
        return self.moved / self.spreads

    def own_column(self, direction: str) -> int | None:
        """The attribute that a direction is for; None where the network has none of its name."""
        return self.columns.index(direction) if direction in self.columns else None

    # --- Measures ---------------------------------------------------------------------------------------------

    def effect(self, edit: int) -> np.ndarray:
        """(P,) how far an edit went its way, in standard deviations of its own attribute; below 0 the other way.

        By the attribute network; by the landmarks where that has no such attribute.
        """
        name, factor = self.plan.pairs[edit]
        place = self.own_column(name)
        if place is not None:
            return np.sign(factor) * self.changes[:, edit, place]  # type: ignore[no-any-return]
        return self.landmark_effect(edit)

    def landmark_effect(self, edit: int) -> np.ndarray:
        """(P,) the same by dlib's landmarks; NaN where they do not tell this attribute."""
        name, factor = self.plan.pairs[edit]
        if name not in FIGURES:
            return np.full(len(self.failures), math.nan)
        place = FIGURES.index(name)
        moved = self.moved_figures[:, edit, place] / self.figure_spreads[place]
        return np.sign(factor) * moved  # type: ignore[no-any-return]

    def leak_columns(self, direction: str) -> list[int]:
        """Places of the attributes that a direction should leave alone."""
        return [
            k for k, name in enumerate(self.columns) if not same_thing(direction, name) and not is_ethnicity_pair(name)
        ]

    @cached_property
    def strangers(self) -> tuple[float, float]:
        """Median and 95th percentile of the identity cosines of different people; NaN with fewer than two."""
        return self.strangers_of(self.everybody)

    def strangers_of(self, group: Group) -> tuple[float, float]:
        """The same among the people of one group."""
        known = self.embeddings[group.members & self.usable]
        if len(known) < 2:
            return math.nan, math.nan
        cosines = (known @ known.T)[np.triu_indices(len(known), 1)]
        return float(np.median(cosines)), float(np.quantile(cosines, 0.95))

    # --- Instruments ------------------------------------------------------------------------------------------

    def verdict(self, place: int, group: Group) -> Verdict:
        """Whether the attribute network can be used for an attribute and a group."""
        name, who = self.columns[place], group.members & self.usable
        own = None if np.isnan(self.truth[who, place]).all() else self.truth[who, place]
        mirrored = None if name in ASYMMETRIC else self.mirrored[who, place]
        entry = self.table.attributes.get(name)
        spread = float(self.spreads[place])
        return judge(entry, name, self.attributes[who, place], mirrored, own, spread, group.label)

    def landmark_verdict(self, name: str, group: Group) -> Verdict:
        """Whether dlib's landmarks can be used for an attribute and a group."""
        who, place = group.members & self.usable, FIGURES.index(name)
        column = self.own_column(name)
        own = None if column is None or np.isnan(self.truth[who, column]).all() else self.truth[who, column]
        entry = self.table.landmarks.get(name)
        return judge(entry, name, self.figures[who, place], None, own, float(self.figure_spreads[place]), group.label)
