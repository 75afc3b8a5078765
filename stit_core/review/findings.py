"""What a review may say in words: every sentence follows from a figure, and says how sure it is.

Two failures carry names, since readers look for them (arXiv 2602.16149): soft erasure, an edit that is weaker in a
group, and stereotype replacement, an edit that drags another attribute along in a group. Below certainty a sentence
says that it cannot tell, and how large a difference these people would have shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.review.comparing import (
    AT_CHANGE,
    DRAGGED,
    EFFECT,
    FAILED,
    LEVELS,
    QUALITY,
    Contrast,
    achieved_change,
    mask_unreadable,
)
from stit_core.review.instruments import TELLING
from stit_core.review.results import Results
from stit_core.review.statistics import FEWEST, Interval, mean_intervals, rate_interval
from stit_core.review.words import amount, attribute_title, between, edit_title, number, percent, probability

ERASURE, REPLACEMENT = "soft erasure", "stereotype replacement"
GROUP_KINDS = (ERASURE, REPLACEMENT, "quality")  # of sentences about differences between groups
MOST_TOLD = 10  # findings of a kind in words; the table has all
LIGHTENED = 1.0  # L* from which skin counts as lightened or darkened: about what is just noticed
TOLD_LEAKS = 4  # attributes of an edit that are named among what it does to everybody
SMALL = {"leak": 0.1, "lighter": 0.5, "hue_turn": 0.5, "identity": 0.003}  # differences that nobody would see


@dataclass(frozen=True)
class Sentence:
    """A sentence of the report: its heading, its text, whether it is a finding, and the contrast it says, if any."""

    kind: str
    text: str
    is_finding: bool = False
    contrast: Contrast | None = None


def group_sentences(results: Results, contrasts: Sequence[Contrast]) -> list[Sentence]:
    """What differs between groups, named failures first; for each kind at least that it cannot be told."""
    return [
        *_family(results, contrasts, EFFECT, ERASURE),
        *_family(results, contrasts, DRAGGED, REPLACEMENT),
        *_family(results, contrasts, QUALITY, "quality"),
    ]


def _family(results: Results, contrasts: Sequence[Contrast], family: str, kind: str) -> list[Sentence]:
    asked = [contrast for contrast in contrasts if contrast.family == family and math.isfinite(contrast.p)]
    found = [contrast for contrast in asked if contrast.is_found and not _is_other_side(results, contrast)]
    large = [contrast for contrast in found if abs(contrast.difference.value) >= SMALL.get(contrast.measure, 0.0)]
    large.sort(key=lambda contrast: (contrast.corrected, -_size(contrast)))
    at_change = {_subject(c): c for c in asked if c.compared == AT_CHANGE}
    at_factor = {_subject(c) for c in large if c.compared != AT_CHANGE}
    large = [c for c in large if c.compared != AT_CHANGE or _subject(c) not in at_factor]  # told in one sentence
    sentences = [
        Sentence(kind, _difference_text(results, c) + _also_text(c, at_change.get(_subject(c))), True, c)
        for c in large[:MOST_TOLD]
    ]
    if len(large) > MOST_TOLD:
        rest = len(large) - MOST_TOLD
        sentences.append(Sentence(kind, f"{rest} more differences of this kind are beyond chance; the table has them."))
    if len(found) > len(large):
        few = len(found) - len(large)
        sentences.append(Sentence(kind, f"{few} further differences are beyond chance, but too small to be seen."))
    if not found:
        sentences.append(Sentence(kind, _cannot_tell(asked, family)))
    return sentences


def _subject(c: Contrast) -> tuple[object, ...]:
    """What a contrast is about, whatever groups are compared at."""
    return c.measure, c.attribute, c.edit, c.group.columns, c.group.labels


def _also_text(c: Contrast, other: Contrast | None) -> str:
    """What the same contrast says at equal achieved change; empty where there is none, or `c` says it itself."""
    if other is None or c.compared == AT_CHANGE:
        return ""
    signed = [amount(mean.value, c.measure, True) for mean in (other.mean, other.rest)]
    sure = "also beyond chance" if other.is_found else "which may be chance"
    return f" At equal achieved change {signed[0]} against {signed[1]} ({probability(other.corrected)}), {sure}."


def _is_other_side(results: Results, contrast: Contrast) -> bool:
    """Whether a contrast says again what that of the other of two groups says.

    Told is the group in which an edit is weaker, drags more along, or works less well.
    """
    if len(results.groups(*contrast.group.columns)) != 2:
        return False
    if contrast.family == DRAGGED:
        return abs(contrast.mean.value) < abs(contrast.rest.value)
    worse_is_more = contrast.measure in (FAILED, "tuned_lpips", "encoder_landmark_error", "tuned_landmark_error")
    return (contrast.difference.value > 0) != worse_is_more


def _size(contrast: Contrast) -> float:
    """The difference in half-widths of its interval, by which contrasts of different units can be ordered."""
    width = contrast.difference.high - contrast.difference.low
    return abs(contrast.difference.value) / width if width > 0 else 0.0


def _difference_text(results: Results, c: Contrast) -> str:
    who = f"{c.group.columns[0]} {c.group.name}"
    signed = c.measure in ("leak", "lighter", "hue_turn")
    values = f"{amount(c.mean.value, c.measure, signed)} against {amount(c.rest.value, c.measure, signed)} of the rest"
    sure = (
        f"difference {amount(c.difference.value, c.measure, True)}, 95 % interval "
        f"{between(c.difference, c.measure, True)}; {probability(c.corrected)} after correction"
    )
    people = f"{c.mean.count} people against {c.rest.count}"
    if c.measure == "effect":
        word = "weaker" if c.difference.value < 0 else "stronger"
        name = edit_title(*results.plan.pairs[c.edit or 0])
        return f"{name} is {word} for {who}: {values} ({sure}; {people}).{_second_opinion(results, c)}"
    if c.measure == FAILED:
        return f"{who}: {percent(c.mean.value)} could not be looked at, {percent(c.rest.value)} of the rest ({sure})."
    if c.edit is None:
        return f"Before any edit, {who}: {_noun(c)} {values} ({sure}; {people})."
    name = edit_title(*results.plan.pairs[c.edit])
    where = ""
    if c.compared == AT_CHANGE:
        where = f", compared where everybody has reached {number(achieved_change(results, c.edit))} SD of its effect"
    return f"{name} moves {_noun(c)} of {who} by {values}{where} ({sure}; {people})."


def _noun(c: Contrast) -> str:
    if c.attribute:
        return f"the reading of {attribute_title(c.attribute)}"
    nouns = {
        "lighter": "the skin's lightness",
        "hue_turn": "the skin's hue",
        "identity": "the identity cosine",
        "encoder_landmark_error": "the encoder's landmark error is",
        "tuned_psnr": "PSNR after tuning is",
        "tuned_lpips": "LPIPS after tuning is",
        "tuned_landmark_error": "the landmark error after tuning is",
    }
    return nouns[c.measure]


def _second_opinion(results: Results, c: Contrast) -> str:
    """What an instrument that knows nothing of the network says of the same difference; empty where there is none."""
    assert c.edit is not None
    name, factor = results.plan.pairs[c.edit]
    if results.own_column(name) is None:
        return ""
    if name == "skin_tone":
        darker = -np.sign(factor) * results.values["lighter"][:, c.edit]
        return _agreement(c, darker, "By the skin's own colour", "lighter")
    values = results.landmark_effect(c.edit)
    if not np.isfinite(values).any():
        return ""
    if not results.landmark_verdict(name, c.group).usable:
        return " The landmarks cannot read this group."
    return _agreement(c, values, "By landmarks", "effect")


def _agreement(c: Contrast, values: np.ndarray, by: str, measure: str) -> str:
    """Means of values (P,) inside and outside of a contrast's group, and whether they differ the same way."""
    inside, outside = (mean_intervals(values[m][None])[0] for m in (c.group.members, ~c.group.members))
    told = f"{amount(inside.value, measure)} against {amount(outside.value, measure)}"
    agrees = (inside.value - outside.value) * c.difference.value > 0
    verdict = "agrees" if agrees else "does not agree, so the network's scale may be what differs"
    return f" {by} {told}, which {verdict}."


def _cannot_tell(asked: Sequence[Contrast], family: str) -> str:
    """That nothing was found, and what would have been."""
    if not asked:
        return "Cannot tell: no contrast of this kind could be formed, for want of groups or of readings."
    best = min(contrast.corrected for contrast in asked)
    text = (
        f"Cannot tell. None of the {len(asked)} contrasts chosen beforehand differs beyond chance "
        f"(smallest corrected p = {number(best, 2)}, wanted {LEVELS[family]:g})."
    )
    by_unit = {"effect": [EFFECT], "leak": [DRAGGED], "lighter": [DRAGGED], "identity": [QUALITY]}
    widths = {
        measure: float(np.median([(c.difference.high - c.difference.low) / 2 for c in asked if _is_of(c, measure)]))
        for measure, families in by_unit.items()
        if family in families and any(_is_of(c, measure) for c in asked)
    }
    told = ", ".join(f"{amount(width, measure)} ({_SEEN[measure]})" for measure, width in widths.items())
    return f"{text} Differences under about {told} would hardly have been seen with so few people." if told else text


_SEEN = {"effect": "effect", "leak": "another attribute", "lighter": "lightness of skin", "identity": "identity"}


def _is_of(contrast: Contrast, measure: str) -> bool:
    return contrast.measure == measure and contrast.difference.known


# --- Everybody ------------------------------------------------------------------------------------------------------


def overall_sentences(results: Results) -> list[Sentence]:
    """What was looked at and failed, and what each edit did to everybody."""
    sentences = [Sentence("failures", _failures_text(results)), Sentence("identity", _identity_text(results))]
    for edit, (name, factor) in enumerate(results.plan.pairs):
        title = edit_title(name, factor)
        texts = [_effect_text(results, edit), _skin_text(results, edit), _leaks_text(results, edit)]
        sentences.append(Sentence(title, " ".join(text for text in texts if text)))
    return sentences


def _failures_text(results: Results) -> str:
    seen, failed = int(results.looked_at.sum()), int((results.looked_at & ~results.usable).sum())
    waiting = len(results.failures) - seen
    rate = rate_interval(failed, seen)
    edits = sum(bool(f) for person, ok in zip(results.edit_failures, results.usable, strict=True) if ok for f in person)
    text = f"{seen}{f' of {len(results.failures)}' if waiting else ''} people were looked at; "
    text += f"{failed} could not be used ({percent(rate.value)}, {percent(rate.low)} to {percent(rate.high)})"
    text += f", and {edits} single edits failed." if edits else "."
    groups = [group for column in results.plan.columns for group in results.groups(column)]
    few = [group for group in groups if (group.members & results.usable).sum() < FEWEST]
    if few:
        names = ", ".join(f"{group.columns[0]} {group.name}" for group in few[:6])
        text += f" Too small for intervals: {names}{' and others' if len(few) > 6 else ''}."
    return text


def _identity_text(results: Results) -> str:
    middle, high = results.strangers
    if not math.isfinite(middle):
        return "With one person there are no strangers to compare identity with."
    kept = results.values["identity"]
    above = kept[np.isfinite(kept)] > high
    text = (
        f"Two different people of this set have an identity cosine of {number(middle, 2)} in the median, "
        f"{number(high, 2)} at the 95th percentile; {percent(float(above.mean()) if len(above) else math.nan)} of the "
        "edits stay above that."
    )
    if middle > TELLING:
        text += " The identity network hardly tells these people apart, so a high cosine says little."
    return text


def _mean(results: Results, values: np.ndarray) -> Interval:
    return mean_intervals(values[None], results.plan.seed)[0]


def _effect_text(results: Results, edit: int) -> str:
    name = results.plan.pairs[edit][0]
    place = results.own_column(name)
    if place is not None:
        verdict = results.verdict(place, results.everybody)
        if not verdict.usable:
            return f"Whether it did what it is for cannot be told: of the attribute network {verdict.reason}."
    effect = _mean(results, results.effect(edit))
    if not effect.count:
        return "No instrument reads what this direction is for, so its effect cannot be told."
    way = _sureness(effect, "it went its way", "it went the other way", "whether it did anything cannot be told")
    landmarks = _mean(results, results.landmark_effect(edit))
    told = ""
    if place is not None and landmarks.count:
        usable = results.landmark_verdict(name, results.everybody).usable
        told = f", by landmarks {amount(landmarks.value, 'effect')}{'' if usable else ' (which read it poorly)'}"
    return f"Effect {amount(effect.value, 'effect')} ({between(effect, 'effect')}){told}: {way}."


def _sureness(interval: Interval, above: str, below: str, neither: str) -> str:
    """Which of three an interval around a mean says; without an interval that it cannot be told."""
    if not interval.known:
        return "too few people to be sure"
    return above if interval.low > 0 else below if interval.high < 0 else neither


def _skin_text(results: Results, edit: int) -> str:
    lighter = results.values["lighter"][:, edit]
    known = lighter[np.isfinite(lighter)]
    if not len(known):
        return ""
    shift = _mean(results, lighter)
    way = "lightened" if shift.value > 0 else "darkened"
    rate = rate_interval(int((known > LIGHTENED).sum() if shift.value > 0 else (known < -LIGHTENED).sum()), len(known))
    turn = _mean(results, results.values["hue_turn"][:, edit])
    unsure = "; whether it moved at all cannot be told" if shift.known and shift.low <= 0 <= shift.high else ""
    return (
        f"Skin: lightness {amount(shift.value, 'lighter', True)} ({between(shift, 'lighter', True)}){unsure}, {way} by "
        f"more than {LIGHTENED:g} L* in {percent(rate.value)} of people ({percent(rate.low)} to {percent(rate.high)}); "
        f"hue {amount(turn.value, 'hue_turn', True)} ({between(turn, 'hue_turn', True)})."
    )


def _leaks_text(results: Results, edit: int) -> str:
    """The attributes that an edit moved most beside its own, of those whose interval leaves out 0."""
    everybody = [results.everybody]
    found: list[tuple[str, Interval]] = []
    for place in results.leak_columns(results.plan.pairs[edit][0]):
        values = mask_unreadable(results, everybody, place, results.changes[:, edit, place])
        interval = _mean(results, values)
        if interval.known and not interval.low <= 0 <= interval.high and abs(interval.value) >= SMALL["leak"]:
            found.append((results.columns[place], interval))
    if not found:
        return "No other attribute moved by 0.1 SD or more that can be told from 0." if results.columns else ""
    found.sort(key=lambda pair: -abs(pair[1].value))
    told = [
        f"{attribute_title(n)} {amount(i.value, 'leak', True)} ({between(i, 'leak', True)})"
        for n, i in found[:TOLD_LEAKS]
    ]
    rest = len(found) - TOLD_LEAKS
    more = f"; {rest} other{'s' if rest > 1 else ''} by less" if rest > 0 else ""
    return f"It also moves {_listed(told)}{more}."


def _listed(texts: Iterable[str]) -> str:
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last
