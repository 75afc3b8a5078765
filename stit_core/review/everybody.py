"""What a review may say of everybody: who was looked at, and what each edit did, with what it should not have done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.review.attributes import PERCEIVED
from stit_core.review.comparing import mask_unreadable
from stit_core.review.findings import Sentence
from stit_core.review.instruments import TELLING
from stit_core.review.results import Results
from stit_core.review.statistics import FEWEST, Interval, mean_intervals, rate_interval
from stit_core.review.words import (
    SMALL,
    amount,
    attribute_title,
    between,
    edit_title,
    group_title,
    listed,
    number,
    percent,
)

LIGHTENED = 1.0  # L* from which skin counts as lightened or darkened: about what is just noticed
TOLD_LEAKS = 4  # attributes of an edit that are named among what it does to everybody, beside those of PERCEIVED


@dataclass(frozen=True)
class Overview:
    """What an edit did to everybody.

    Attributes
    ----------
    edit: place in the plan's pairs.
    effect: mean, without people where no instrument can read it.
    leaks: attributes that moved beyond doubt and by SMALL["leak"] or more, the largest first.
    """

    edit: int
    effect: Interval
    leaks: tuple[tuple[str, Interval], ...]

    @property
    def larger_leaks(self) -> list[tuple[str, Interval]]:
        """Leaks that move further than what the edit is for."""
        return [(name, mean) for name, mean in self.leaks if self.effect.count and abs(mean.value) > self.effect.value]


def overviews(results: Results) -> list[Overview]:
    """One of each edit of the plan."""
    return [Overview(e, _effect(results, e), _leaks(results, e)) for e in range(len(results.plan.pairs))]


def overall_sentences(results: Results, seen: Sequence[Overview]) -> list[Sentence]:
    """What was looked at and failed, and what each edit did to everybody; `seen` is that of `overviews`."""
    sentences = [Sentence("failures", _failures_text(results)), Sentence("identity", _identity_text(results))]
    for overview in seen:
        title = edit_title(*results.plan.pairs[overview.edit])
        texts = [_effect_text(results, overview), skin_text(results, overview.edit), _leaks_text(results, overview)]
        sentences.append(Sentence(title, " ".join(text for text in texts if text)))
    return sentences


def _effect(results: Results, edit: int) -> Interval:
    place = results.own_column(results.plan.pairs[edit][0])
    if place is not None and not results.verdict(place, results.everybody).usable:
        return Interval(math.nan)
    return _mean(results, results.effect(edit))


def _leaks(results: Results, edit: int) -> tuple[tuple[str, Interval], ...]:
    found = []
    for place in results.leak_columns(results.plan.pairs[edit][0]):
        values = mask_unreadable(results, [results.everybody], place, results.changes[:, edit, place])
        interval = _mean(results, values)
        if interval.known and not interval.low <= 0 <= interval.high and abs(interval.value) >= SMALL["leak"]:
            found.append((results.columns[place], interval))
    return tuple(sorted(found, key=lambda pair: -abs(pair[1].value)))


def _failures_text(results: Results) -> str:
    seen, failed = int(results.looked_at.sum()), int((results.looked_at & ~results.usable).sum())
    waiting = len(results.failures) - seen
    rate = rate_interval(failed, seen)
    edits = sum(bool(f) for person, ok in zip(results.edit_failures, results.usable, strict=True) if ok for f in person)
    text = f"{seen}{f' of {len(results.failures)}' if waiting else ''} people were looked at; "
    text += f"{failed} failed ({percent(rate.value)}, {percent(rate.low)} to {percent(rate.high)})"
    text += f", and {edits} single edits failed." if edits else "."
    groups = [group for column in results.plan.columns for group in results.groups(column)]
    few = [group for group in groups if (group.members & results.usable).sum() < FEWEST]
    if few:
        names = ", ".join(group_title(group) for group in few[:6])
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


def _effect_text(results: Results, overview: Overview) -> str:
    name, effect = results.plan.pairs[overview.edit][0], overview.effect
    place = results.own_column(name)
    if place is not None:
        verdict = results.verdict(place, results.everybody)
        if not verdict.usable:
            return f"Whether it did what it is for cannot be told: of the attribute network {verdict.reason}."
    if not effect.count:
        return "No instrument reads what this direction is for, so its effect cannot be told."
    way = _sureness(effect, "it went its way", "it went the other way", "whether it did anything cannot be told")
    landmarks = _mean(results, results.landmark_effect(overview.edit))
    told = ""
    if place is not None and landmarks.count:
        usable = results.landmark_verdict(name, results.everybody).usable
        told = f", by landmarks {amount(landmarks.value, 'effect')}{'' if usable else ' (which read it poorly)'}"
    text = f"Effect {amount(effect.value, 'effect')} ({between(effect, 'effect')}){told}: {way}"
    larger = [attribute_title(name) for name, _ in overview.larger_leaks]
    return f"{text}, but moves {listed(larger)} further than that." if larger else f"{text}."


def _sureness(interval: Interval, above: str, below: str, neither: str) -> str:
    """Which of three an interval around a mean says; without an interval that it cannot be told."""
    if not interval.known:
        return "too few people to be sure"
    return above if interval.low > 0 else below if interval.high < 0 else neither


def skin_text(results: Results, edit: int) -> str:
    """How far the skin was lightened or darkened, and of how many people."""
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


def _leaks_text(results: Results, overview: Overview) -> str:
    """The attributes that an edit moved most beside its own, and whatever of a perceived group it moved at all."""
    if not overview.leaks:
        return "No other attribute moved by 0.1 SD or more that can be told from 0." if results.columns else ""
    chosen = [leak for k, leak in enumerate(overview.leaks) if k < TOLD_LEAKS or leak[0] in PERCEIVED]
    told = [f"{attribute_title(n)} {amount(i.value, 'leak', True)} ({between(i, 'leak', True)})" for n, i in chosen]
    rest = len(overview.leaks) - len(chosen)
    more = (
        f"; {rest} other{'s' if rest > 1 else ''} by less but over 0.1 SD, none of them face shape, gender, age or skin"
        if rest
        else ""
    )
    return f"It also moves {listed(told)}{more}."
