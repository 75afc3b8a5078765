"""Groups compared: means with intervals, differences from the rest, and which of them are beyond chance.

Three families of contrasts are chosen beforehand, and share the five per cent of false findings that a review allows
itself: `effect` (is an edit weaker in a group), `dragged` (does it drag another attribute along in a group, at equal
factor and at equal achieved change) and `quality` (failures, identity, reconstruction). Source: ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stit_core.review.results import Group, Results
from stit_core.review.statistics import (
    Interval,
    benjamini_hochberg,
    difference_intervals,
    holm,
    mean_intervals,
    permutation_p,
)

EFFECT, DRAGGED, QUALITY = "effect", "dragged", "quality"
LEVELS = {EFFECT: 0.02, DRAGGED: 0.02, QUALITY: 0.01}  # together the chance of a false finding
ACHIEVED = 0.5  # of the median effect at a direction's outermost factor: the change at which groups are compared
AT_FACTOR, AT_CHANGE = "equal factor", "equal achieved change"
FAILED = "failed"


@dataclass(frozen=True)
class Contrast:
    """One figure of one group against the rest.

    Attributes
    ----------
    family: one of LEVELS, or empty for what is only shown.
    measure: "effect", "leak", a name of SOURCE_VALUES or EDIT_VALUES, or "failed".
    attribute: of a leak.
    edit: place in the plan's pairs; None for what is measured before any edit.
    compared: AT_FACTOR or AT_CHANGE.
    mean, rest, difference: of the group, of all others, and between the two.
    p, corrected: of the permutation test, and after the family's correction.
    mirror: whether it says again, signs turned, what the contrast of the other of two groups says; counted once.
    """

    family: str
    measure: str
    attribute: str
    edit: int | None
    compared: str
    group: Group
    mean: Interval
    rest: Interval
    difference: Interval
    p: float = math.nan
    corrected: float = math.nan
    mirror: bool = False

    @property
    def is_found(self) -> bool:
        """Whether it is beyond chance at its family's level."""
        return self.family in LEVELS and self.corrected <= LEVELS[self.family]


@dataclass(frozen=True)
class _Question:
    """A figure that groups are compared by: what it is and its values (P,)."""

    family: str
    measure: str
    values: np.ndarray
    attribute: str = ""
    edit: int | None = None
    compared: str = AT_FACTOR


def contrasts(results: Results) -> list[Contrast]:
    """Every contrast of the plan's columns, corrected by family."""
    found: list[Contrast] = []
    for column in results.plan.columns:
        groups = results.groups(column)
        if len(groups) > 1:
            found += _of_column(results, groups)
    return _corrected(found)


def _corrected(found: list[Contrast]) -> list[Contrast]:
    """The same, each family corrected for how many it asks; a mirror image has what its twin has."""
    for family in LEVELS:
        places = [k for k, contrast in enumerate(found) if contrast.family == family and not contrast.mirror]
        correct = benjamini_hochberg if family == DRAGGED else holm
        for k, value in zip(places, correct(np.array([found[k].p for k in places])), strict=True):
            found[k] = replace(found[k], corrected=float(value))
    known = {subject(contrast): contrast.corrected for contrast in found if not contrast.mirror}
    return [replace(c, corrected=known[subject(c)]) if c.mirror else c for c in found]


def subject(c: Contrast) -> tuple[object, ...]:
    """What a contrast is about, whichever of a column's groups is held against the rest."""
    return c.measure, c.attribute, c.edit, c.compared, c.group.columns


def _of_column(results: Results, groups: Sequence[Group]) -> list[Contrast]:
    questions = questions_of(results, groups)
    labelled = np.any([group.members for group in groups], axis=0)
    values = np.stack([question.values for question in questions])
    values[:, ~labelled] = math.nan
    members = np.stack([group.members for group in groups])
    p, seed = permutation_p(values, members, results.plan.seed), results.plan.seed
    found = []
    for g, group in enumerate(groups):
        inside, outside = values[:, group.members], values[:, ~group.members]
        rows = zip(
            questions,
            mean_intervals(inside, seed),
            mean_intervals(outside, seed),
            difference_intervals(inside, outside, seed),
            p[:, g],
            strict=True,
        )
        for question, mean, rest, difference, value in rows:
            found.append(
                Contrast(
                    question.family, question.measure, question.attribute, question.edit, question.compared,
                    group, mean, rest, difference, float(value) if mean.count and rest.count else math.nan,
                    mirror=len(groups) == 2 and g == 1,
                )
            )  # fmt: skip
    return found


def questions_of(results: Results, groups: Sequence[Group]) -> list[_Question]:
    """What the groups of a column are compared by; NaN for people whose group an instrument cannot read."""
    found = [_Question(QUALITY, FAILED, _failed(results))]
    found += [
        _Question(QUALITY, name, results.source[name])
        for name in ("encoder_landmark_error", "tuned_psnr", "tuned_lpips", "tuned_landmark_error")
    ]
    outermost = results.plan.outermost
    for edit in range(len(results.plan.pairs)):
        main = edit in outermost
        effect = _readable(results, groups, edit)
        found.append(_Question(EFFECT if main else "", "effect", effect, edit=edit))
        found.append(_Question(QUALITY if main else "", "identity", results.values["identity"][:, edit], edit=edit))
        dragged = DRAGGED if main and not _is_of_skin(results, edit) else ""
        for name in ("lighter", "hue_turn"):
            found.append(_Question(dragged, name, results.values[name][:, edit], edit=edit))
        for name in ("ita_change", "colour_difference", "seam", "sharpness", "change", "tl_id"):
            found.append(_Question("", name, results.values[name][:, edit], edit=edit))
        for place in results.leak_columns(results.plan.pairs[edit][0]):
            name = results.columns[place]
            leak = mask_unreadable(results, groups, place, results.changes[:, edit, place])
            found.append(_Question(DRAGGED if main else "", "leak", leak, name, edit))
    for edit in outermost:
        found += _at_equal_change(results, groups, edit)
    return [question for question in found if np.isfinite(question.values).any()]


def _is_of_skin(results: Results, edit: int) -> bool:
    """Whether an edit is meant to change the skin's colour, which then is no leak."""
    return results.plan.pairs[edit][0] == "skin_tone"


def _failed(results: Results) -> np.ndarray:
    """(P,) 1 for who has no readings, NaN for who was not looked at yet."""
    return np.where(results.looked_at, (~results.usable).astype(np.float64), math.nan)


def _readable(results: Results, groups: Sequence[Group], edit: int) -> np.ndarray:
    """The effect (P,) of an edit, NaN in groups whose attribute the instrument cannot read."""
    name = results.plan.pairs[edit][0]
    place = results.own_column(name)
    effect = results.effect(edit)
    if place is not None:
        return mask_unreadable(results, groups, place, effect)
    bad = [group for group in groups if np.isfinite(effect).any() and not results.landmark_verdict(name, group).usable]
    return _without(effect, bad)


def mask_unreadable(results: Results, groups: Sequence[Group], place: int, values: np.ndarray) -> np.ndarray:
    """Values (P,) of an attribute, NaN in groups that the network cannot read it of, or everywhere if in no group."""
    if not results.verdict(place, results.everybody).usable:
        return np.full_like(values, math.nan)
    return _without(values, [group for group in groups if not results.verdict(place, group).usable])


def _without(values: np.ndarray, groups: Sequence[Group]) -> np.ndarray:
    result = values.copy()
    for group in groups:
        result[group.members] = math.nan
    return result


# --- At equal achieved change ---------------------------------------------------------------------------------------


def achieved_change(results: Results, edit: int) -> float:
    """The effect at which groups are compared for the direction and side of an outermost edit; NaN for none."""
    effect = results.effect(edit)
    known = effect[np.isfinite(effect)]
    middle = float(np.median(known)) if len(known) else math.nan
    return ACHIEVED * middle if middle > 0 else math.nan


def _at_equal_change(results: Results, groups: Sequence[Group], edit: int) -> list[_Question]:
    wanted = achieved_change(results, edit)
    if not math.isfinite(wanted):
        return []
    shares = ways_to(results, edit, wanted)

    def at_change(values: np.ndarray) -> np.ndarray:
        """Values (P, E) where each person has reached the wanted change, (P,)."""
        return np.einsum("pe,pe->p", shares, np.where(shares != 0, values, 0.0))  # type: ignore[no-any-return]

    factors = np.broadcast_to([abs(factor) for _, factor in results.plan.pairs], shares.shape)
    reached = np.isfinite(_readable(results, groups, edit))
    found = [_Question("", "factor", np.where(reached, at_change(factors), math.nan), edit=edit, compared=AT_CHANGE)]
    for name in ("lighter", "hue_turn"):
        values = np.where(reached, at_change(results.values[name]), math.nan)
        family = "" if _is_of_skin(results, edit) else DRAGGED
        found.append(_Question(family, name, values, edit=edit, compared=AT_CHANGE))
    for place in results.leak_columns(results.plan.pairs[edit][0]):
        values = np.where(reached, at_change(results.changes[:, :, place]), math.nan)
        leak = mask_unreadable(results, groups, place, values)
        found.append(_Question(DRAGGED, "leak", leak, results.columns[place], edit, AT_CHANGE))
    return found


def ways_to(results: Results, edit: int, wanted: float) -> np.ndarray:
    """By what shares of each edit a person reaches an effect: straight lines between the factors of one side.

    Returns
    -------
    (P, E), at most two of a row not 0, which need not sum to 1 as factor 0, which changes nothing, is an end too; a
    row of NaN for a person who does not get so far.
    """
    name, factor = results.plan.pairs[edit]
    side = [e for e, (other, f) in enumerate(results.plan.pairs) if other == name and f * factor > 0]
    side.sort(key=lambda e: abs(results.plan.pairs[e][1]))
    shares = np.full((len(results.failures), len(results.plan.pairs)), math.nan)
    effects = np.stack([results.effect(e) for e in side], axis=1)  # (P, side)
    for person, row in enumerate(effects):
        if not np.isfinite(row).all() or row.max() < wanted:
            continue
        after = int(np.argmax(row >= wanted))  # the first factor that goes far enough
        before = row[after - 1] if after else 0.0
        share = (wanted - before) / (row[after] - before)
        shares[person] = 0.0
        shares[person, side[after]] = share
        if after:
            shares[person, side[after - 1]] = 1.0 - share
    return shares


# --- For tables -----------------------------------------------------------------------------------------------------


def group_means(results: Results, groups: Sequence[Group], values: np.ndarray) -> list[Interval]:
    """Means of values (P,) in groups, with intervals where there are people enough."""
    return [mean_intervals(values[group.members][None], results.plan.seed)[0] for group in groups]


def readable_values(results: Results, measure: str, edit: int) -> np.ndarray:
    """A measure of an edit (P,), effects of groups that cannot be read left out."""
    if measure != "effect":
        return results.values[measure][:, edit]
    groups = [group for column in results.plan.columns for group in results.groups(column)]
    return _readable(results, groups, edit)
