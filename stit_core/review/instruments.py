"""The instruments examined before they are believed: how well each reads the truth, and whether it repeats itself.

An instrument that cannot read a group is named in the report and not used for it. What is known of a pack's instruments
from held-out renders lies beside its manifest (`benchmarks.instruments` writes it); people whose truth is known are
examined themselves; and of everybody the reading of the mirror image has to agree with that of the picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stit_core.errors import PackError
from stit_core.packs.manifest import Pack

TABLE_FILE = "instruments.json"
READABLE = 0.5  # fit to the truth (`fit_of`) under which an instrument is not used
STEADY = 0.75  # standard deviations, median, by which the reading of a mirror image may differ
LEAST_PEOPLE = 8  # of a group, under which nothing is said of it by its own readings
ASYMMETRIC = frozenset({"yaw"})  # a mirror image turns the other way
TELLING = 0.9  # median cosine of different people above which identity hardly tells them apart; photographs: 0.86


@dataclass(frozen=True)
class InstrumentTable:
    """What is known of a pack's instruments from held-out renders.

    Attributes
    ----------
    renders: how many.
    attributes, landmarks: name -> {"mean" and "spread" of the reading; "slope", "intercept" and "truth_spread", by
        which the truth follows from it; "fit" over all; "groups": {column: {label: fit}}}.
    """

    renders: int = 0
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    landmarks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_table(pack: Pack) -> InstrumentTable:
    """The table beside a pack's manifest, an empty one where there is none. Raises PackError for a malformed one."""
    for folder in pack.folders:
        if (folder / TABLE_FILE).is_file():
            try:
                record = json.loads((folder / TABLE_FILE).read_bytes())
                return InstrumentTable(int(record["renders"]), dict(record["attributes"]), dict(record["landmarks"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                message = f"The {TABLE_FILE} of the pack '{pack.name}' cannot be read: {error}."
                raise PackError(message, "Restore the pack, or delete the file.") from error
    return InstrumentTable()


def fit_of(truth: np.ndarray, reading: np.ndarray, entry: Mapping[str, float]) -> float:
    """How well readings (n,) tell the truth (n,), 0 ... 1; NaN where fewer than two are known.

    The root of the share of the truth's variance over all heads that the calibrated reading's errors leave. Over all
    heads that is the correlation; a group in which the truth hardly varies, as beards do among feminine heads, is not
    blamed for that, as its own correlation would. An error that all of a group share does not count: a review reads
    changes, in which it cancels.
    """
    errors = truth - (entry["intercept"] + entry["slope"] * reading)
    errors = errors[np.isfinite(errors)]
    errors = errors - errors.mean() if len(errors) else errors
    if len(errors) < 2 or entry["truth_spread"] <= 0:
        return float("nan")
    return float(np.sqrt(max(0.0, 1.0 - np.square(errors).mean() / entry["truth_spread"] ** 2)))


@dataclass(frozen=True)
class Verdict:
    """Whether an instrument can be used for some people, and by what that was judged.

    Attributes
    ----------
    fit: to the truth, see `fit_of`; None where nothing is known.
    own: whether that was found on these people themselves, not on held-out renders.
    retest: median difference of a picture's and its mirror image's reading in standard deviations; None if unknown.
    """

    fit: float | None = None
    own: bool = False
    retest: float | None = None

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reason

    @property
    def reason(self) -> str:
        """Why it is not used, in words; empty where it is."""
        if self.fit is not None and self.fit < READABLE:
            return f"its reading fits the truth by {self.fit:.2f} only"
        if self.retest is not None and self.retest > STEADY:
            return f"it reads a mirror image {self.retest:.1f} standard deviations away from the picture"
        return ""


def judge(
    entry: Mapping[str, Any] | None,
    name: str,
    readings: np.ndarray,
    mirrored: np.ndarray | None,
    truth: np.ndarray | None,
    spread: float,
    label: tuple[str, str] | None = None,
) -> Verdict:
    """Examine one instrument for one group.

    Parameters
    ----------
    entry: its row of the table, None where there is none.
    name: of the attribute.
    readings, mirrored, truth: (n,) of the group's people, NaN where nothing is known; None where nobody's is.
    spread: of the reading over all heads.
    label: the group's column and label; None for everybody.
    """
    retest = None
    if mirrored is not None and name not in ASYMMETRIC and len(readings) >= (LEAST_PEOPLE if label else 1):
        away = np.abs(readings - mirrored) / spread
        retest = float(np.nanmedian(away)) if np.isfinite(away).any() else None
    if entry is None:
        return Verdict(None, False, retest)
    if truth is not None and np.isfinite(truth + readings).sum() >= LEAST_PEOPLE:
        return Verdict(fit_of(truth, readings, entry), True, retest)
    known: Mapping[str, Mapping[str, float]] = entry.get("groups", {})
    value = known.get(label[0], {}).get(label[1]) if label else None
    return Verdict(float(entry["fit"] if value is None else value), False, retest)
