"""Where groups start before an edit: who is old already has less of that way to go."""

from __future__ import annotations

import numpy as np

from stit_core.review.comparing import Contrast
from stit_core.review.results import Results
from stit_core.review.words import amount

FAR = {"effect": 0.5, "leak": 0.5, "lighter": 5.0}  # SD and L* from which a start counts as elsewhere


def lead_of(results: Results, c: Contrast) -> float:
    """How much further the group starts than the rest, the way in which the contrast moves; NaN where unknown.

    In standard deviations of the attribute, of the skin's lightness in L*.
    """
    if c.edit is None or c.measure not in FAR:
        return float("nan")
    name, factor = results.plan.pairs[c.edit]
    if c.measure == "lighter":
        values = results.source["lightness"]
    else:
        place = results.columns.index(c.attribute) if c.attribute else results.own_column(name)
        if place is None:
            return float("nan")
        values = results.attributes[:, place] / results.spreads[place]
    way = np.sign(factor) if c.measure == "effect" else np.sign(_larger(c))
    labelled = np.any([group.members for group in results.groups(*c.group.columns)], axis=0)
    inside, outside = values[c.group.members], values[~c.group.members & labelled]
    if not (np.isfinite(inside).any() and np.isfinite(outside).any()):
        return float("nan")
    return float(way * (np.nanmean(inside) - np.nanmean(outside)))


def _larger(c: Contrast) -> float:
    return c.mean.value if abs(c.mean.value) >= abs(c.rest.value) else c.rest.value


def starts_apart(results: Results, c: Contrast) -> bool:
    """Whether where people start explains part of a difference: further on and moved less, or further back and more."""
    lead = lead_of(results, c)
    moved_more = c.difference.value * (1.0 if c.measure == "effect" else np.sign(_larger(c)))
    return bool(np.isfinite(lead)) and abs(lead) >= FAR[c.measure] and lead * moved_more < 0


def starting_text(results: Results, c: Contrast) -> str:
    """That part of a difference may follow from where people start; empty where it cannot."""
    if not starts_apart(results, c):
        return ""
    lead = lead_of(results, c)
    far = amount(abs(lead), c.measure)
    if lead > 0:
        return f" Before the edit this group is {far} further that way already, so it has less of the way to go."
    return f" Before the edit this group is {far} further from where that leads, so it has more of the way to go."
