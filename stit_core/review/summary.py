"""What a review comes to, in at most six lines: each follows from sentences and figures that the report has below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stit_core.review.comparing import Contrast
from stit_core.review.everybody import LIGHTENED, Overview
from stit_core.review.findings import DISPUTED, ERASURE, GROUP_KINDS, LEAK, REPLACEMENT, Sentence, Tally
from stit_core.review.results import Results
from stit_core.review.starting import starts_apart
from stit_core.review.words import (
    amount,
    attribute_title,
    edit_title,
    group_title,
    listed,
    measure_title,
    percent,
)

NAMED = 3  # findings of a kind in a line
DRIFT = 0.5  # L* from which a mean change of skin that nobody asked for is named


def summary(
    results: Results, sentences: Sequence[Sentence], counts: Sequence[Tally], seen: Sequence[Overview]
) -> list[str]:
    """The lines; those of groups only where groups are compared."""
    lines = [_went_text(results, seen), _skin_drift_text(results)]
    if results.plan.columns:
        told = {kind: [s.contrast for s in sentences if s.kind == kind and s.contrast] for kind in GROUP_KINDS}
        lines += [_weaker_text(results, told), _dragged_text(results, told, counts), _quality_text(told)]
    return [line for line in lines if line]


def _went_text(results: Results, seen: Sequence[Overview]) -> str:
    failed = int((results.looked_at & ~results.usable).sum())
    went = [o for o in seen if o.effect.known and o.effect.low > 0]
    text = f"{failed} of {int(results.looked_at.sum())} people failed. "
    text += f"{len(went)} of {len(seen)} edits surely did what they are for"
    beaten = [o for o in went if o.larger_leaks]
    if beaten:
        named = [f"{edit_title(*results.plan.pairs[o.edit])} ({attribute_title(o.larger_leaks[0][0])})" for o in beaten]
        text += f"; {len(beaten)} of them move something else further: {listed(named)}"
    return f"{text}."


def _skin_drift_text(results: Results) -> str:
    """The edits that change the skin without being meant to, the most first."""
    found = []
    for edit, (name, factor) in enumerate(results.plan.pairs):
        values = results.values["lighter"][:, edit]
        known = values[np.isfinite(values)]
        if name != "skin_tone" and len(known) and abs(known.mean()) >= DRIFT:
            way = np.sign(known.mean())
            share = percent(float((way * known > LIGHTENED).mean()))
            found.append((abs(known.mean()), edit_title(name, factor), amount(known.mean(), "lighter", True), share))
    if not found:
        return ""
    found.sort(key=lambda entry: -entry[0])
    named = [f"{title} {shift} (over {LIGHTENED:g} L* in {share})" for _, title, shift, share in found[:NAMED]]
    return f"Skin changes that nobody asked for, in the mean: {listed(named)}. About 1 L* is just seen."


def _weaker_text(results: Results, told: dict[str, list[Contrast]]) -> str:
    found = [c for c in told[ERASURE] if c.difference.value < 0]
    text = "No edit is weaker in a group beyond chance, which does not show that none is."
    if found:
        named = [f"{_edit(results, c)} for {group_title(c.group)}" for c in found[: 2 * NAMED]]
        apart = sum(starts_apart(results, c) for c in found)
        text = f"Weaker in a group: {listed(named)}{_more(len(found) - 2 * NAMED)}"
        text += f"; in {apart} of these {len(found)} the group is further that way before the edit." if apart else "."
    if told[DISPUTED]:
        named = [f"{_edit(results, c)} for {group_title(c.group)}" for c in told[DISPUTED][:NAMED]]
        text += f" A second instrument contradicts: {listed(named)}."
    return text


def _dragged_text(results: Results, told: dict[str, list[Contrast]], counts: Sequence[Tally]) -> str:
    found = {tally.kind: tally.found for tally in counts}
    if not found[REPLACEMENT] + found[LEAK]:
        return "No edit drags anything else along in one group more than in another, as far as can be told."
    clearest = [
        f"{_edit(results, c)}, {measure_title(c.measure, c.attribute)} of {group_title(c.group)} "
        f"({amount(c.difference.value, c.measure, True)})"
        for c in told[REPLACEMENT][:NAMED]
    ]
    text = f"Edits drag other things along differently in groups: {found[REPLACEMENT]} contrasts of what is perceived "
    text += f"of a group, {found[LEAK]} of other attributes"
    return f"{text}. Clearest against the rest: {listed(clearest)}." if clearest else f"{text}."


def _quality_text(told: dict[str, list[Contrast]]) -> str:
    found = told["quality"]
    if not found:
        return "Whether failures, reconstruction or identity differ between groups cannot be told."
    named = [f"{measure_title(c.measure).split(' (')[0]} of {group_title(c.group)}" for c in found[:NAMED]]
    return f"Works less well before any edit or keeps identity less: {listed(named)}{_more(len(found) - NAMED)}."


def _edit(results: Results, c: Contrast) -> str:
    return "" if c.edit is None else edit_title(*results.plan.pairs[c.edit])


def _more(count: int) -> str:
    return f", and {count} more" if count > 0 else ""
