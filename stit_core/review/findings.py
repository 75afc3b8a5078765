"""What a review may say of groups in words: every sentence follows from a figure, and says how sure it is.

Two failures carry names, since readers look for them (arXiv 2602.16149): soft erasure, an edit that is weaker in a
group, and stereotype replacement, an edit that drags along what people perceive of a group. Other drags are called a
leak that differs. What a second instrument contradicts stands last, under a heading of its own. Below certainty a
sentence says that it cannot tell, and how large a difference these people would have shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.review.attributes import OF_GROUPS
from stit_core.review.comparing import (
    AT_CHANGE,
    DRAGGED,
    EFFECT,
    FAILED,
    LEVELS,
    QUALITY,
    Contrast,
    achieved_change,
)
from stit_core.review.results import Results
from stit_core.review.starting import starting_text
from stit_core.review.statistics import mean_intervals
from stit_core.review.words import (
    SMALL,
    amount,
    attribute_title,
    between,
    edit_title,
    group_title,
    just_seen_text,
    number,
    percent,
    probability,
    small_text,
)

ERASURE, REPLACEMENT, LEAK, DISPUTED = "soft erasure", "stereotype replacement", "leak differs", "disputed"
FAMILY_OF = {ERASURE: EFFECT, REPLACEMENT: DRAGGED, LEAK: DRAGGED, "quality": QUALITY}
GROUP_KINDS = (*FAMILY_OF, DISPUTED)  # of sentences about differences between groups
MOST_TOLD = 10  # findings of a kind in words; the table has all
WORSE_IS_MORE = (FAILED, "tuned_lpips", "encoder_landmark_error", "tuned_landmark_error")


@dataclass(frozen=True)
class Sentence:
    """A sentence of the report: its heading, its text, whether it is a finding, and the contrast it says, if any."""

    kind: str
    text: str
    is_finding: bool = False
    contrast: Contrast | None = None


@dataclass(frozen=True)
class Tally:
    """What became of the contrasts of a kind, each pair of mirror images counted once.

    Attributes
    ----------
    asked: contrasts that were tested.
    told: those said in words, at equal factor and at equal change together; `also` of them at equal change.
    small: those too small to be seen.
    more: those that only the table has; asked - told - small - more are not beyond chance.
    """

    kind: str
    asked: int
    told: tuple[Contrast, ...]
    also: int
    small: int
    more: int

    @property
    def found(self) -> int:
        """How many are beyond chance."""
        return len(self.told) + self.also + self.small + self.more


def kind_of(c: Contrast) -> str:
    """Under which heading a contrast is told."""
    if c.family == DRAGGED:
        return REPLACEMENT if not c.attribute or c.attribute in OF_GROUPS else LEAK
    return ERASURE if c.family == EFFECT else "quality"


def tallies(contrasts: Sequence[Contrast]) -> list[Tally]:
    """What became of the contrasts of each kind."""
    tested = [c for c in contrasts if c.family and math.isfinite(c.p)]
    return [_tally(kind, [c for c in tested if kind_of(c) == kind]) for kind in FAMILY_OF]


def _tally(kind: str, tested: Sequence[Contrast]) -> Tally:
    found = [c for c in tested if c.is_found and not is_other_side(c, tested)]
    large = [c for c in found if abs(c.difference.value) >= SMALL.get(c.measure, 0.0)]
    at_factor = {_subject(c) for c in large if c.compared != AT_CHANGE}
    twins = [c for c in found if c.compared == AT_CHANGE and _subject(c) in at_factor]  # told in one sentence
    large = [c for c in large if c.compared != AT_CHANGE or _subject(c) not in at_factor]
    large.sort(key=lambda c: (c.corrected, -_size(c)))
    told = tuple(large[:MOST_TOLD])
    told_of = {_subject(c) for c in told}
    also = sum(_subject(c) in told_of for c in twins)
    more = len(large) - len(told) + len(twins) - also
    small = len(found) - len(large) - len(twins)
    return Tally(kind, sum(not c.mirror for c in tested), told, also, small, more)


def group_sentences(results: Results, contrasts: Sequence[Contrast]) -> list[Sentence]:
    """What differs between groups, named failures first, disputed findings last; for each kind at least a sentence."""
    at_change = {_subject(c): c for c in contrasts if c.compared == AT_CHANGE and c.family}
    sentences, disputed = [], []
    for tally in tallies(contrasts):
        for c in tally.told:
            opinion, agrees = second_opinion(results, c) if c.measure == "effect" else ("", True)
            text = _difference_text(results, c) + opinion + _also_text(c, at_change.get(_subject(c)))
            text += starting_text(results, c)
            if agrees:
                sentences.append(Sentence(tally.kind, text, True, c))
            else:
                disputed.append(Sentence(DISPUTED, text, True, c))
        sentences += _rest_of(tally, contrasts)
    return [*sentences, *disputed]


def _rest_of(tally: Tally, contrasts: Sequence[Contrast]) -> list[Sentence]:
    """What is not told of a kind, or that nothing can be."""
    if not tally.found:
        asked = [c for c in contrasts if c.family and math.isfinite(c.p) and kind_of(c) == tally.kind and not c.mirror]
        return [Sentence(tally.kind, _cannot_tell(asked, FAMILY_OF[tally.kind]))]
    texts = []
    if tally.more:
        texts.append(f"{tally.more} more of this kind are beyond chance: in the table of every difference.")
    if tally.small:
        texts.append(f"{tally.small} more are beyond chance, but too small to be seen: {small_text()}.")
    return [Sentence(tally.kind, text) for text in texts]


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


def is_other_side(c: Contrast, contrasts: Sequence[Contrast]) -> bool:
    """Whether a contrast says again what that of the other of two groups among `contrasts` says.

    Told is the group in which an edit is weaker, drags more along, or works less well.
    """
    if not any(other.mirror and other.group.columns == c.group.columns for other in contrasts):
        return False
    if c.family == DRAGGED:
        mean, rest = abs(c.mean.value), abs(c.rest.value)
        return mean < rest or (mean == rest and c.mirror)
    return (c.difference.value > 0) != (c.measure in WORSE_IS_MORE)


def _size(contrast: Contrast) -> float:
    """The difference in half-widths of its interval, by which contrasts of different units can be ordered."""
    width = contrast.difference.high - contrast.difference.low
    return abs(contrast.difference.value) / width if width > 0 else 0.0


def _difference_text(results: Results, c: Contrast) -> str:
    who = group_title(c.group)
    signed = c.measure in ("leak", "lighter", "hue_turn")
    values = f"{amount(c.mean.value, c.measure, signed)} against {amount(c.rest.value, c.measure, signed)} of the rest"
    sure = (
        f"difference {amount(c.difference.value, c.measure, True)}, 95 % interval "
        f"{between(c.difference, c.measure, True)}; {probability(c.corrected)}"
    )
    people = f"{c.mean.count} people against {c.rest.count}"
    if c.measure == FAILED:
        return f"{who}: {percent(c.mean.value)} could not be looked at, {percent(c.rest.value)} of the rest ({sure})."
    if c.edit is None:
        return f"Before any edit, {who}: {_noun(c)} {values} ({sure}; {people})."
    name = edit_title(*results.plan.pairs[c.edit])
    if c.measure == "effect":
        word = "weaker" if c.difference.value < 0 else "stronger"
        return f"{name} is {word} for {who}: {values} ({sure}; {people})."
    if c.measure == "identity":
        return f"Under {name} the identity cosine of {who} is {values} ({sure}; {people})."
    where = ""
    if c.compared == AT_CHANGE:
        where = f", compared where everybody has reached {number(achieved_change(results, c.edit))} SD of its effect"
    seen = just_seen_text(c.measure, c.difference.value)
    return f"{name} moves {_noun(c)} of {who} by {values}{where} ({sure}; {people}).{seen}"


def _noun(c: Contrast) -> str:
    if c.attribute:
        return f"the reading of {attribute_title(c.attribute)}"
    nouns = {
        "lighter": "the skin's lightness",
        "hue_turn": "the skin's hue",
        "encoder_landmark_error": "the encoder's landmark error (higher is worse) is",
        "tuned_psnr": "PSNR after tuning (lower is worse) is",
        "tuned_lpips": "LPIPS after tuning (higher is worse) is",
        "tuned_landmark_error": "the landmark error after tuning (higher is worse) is",
    }
    return nouns[c.measure]


def second_opinion(results: Results, c: Contrast) -> tuple[str, bool]:
    """What an instrument that knows nothing of the network says of the same difference, and False if it contradicts.

    Without such an instrument the text is empty.
    """
    assert c.edit is not None
    name, factor = results.plan.pairs[c.edit]
    if results.own_column(name) is None:
        return "", True
    if name == "skin_tone":
        darker = -np.sign(factor) * results.values["lighter"][:, c.edit]
        return _agreement(c, darker, "By the skin's own colour", "lighter")
    values = results.landmark_effect(c.edit)
    if not np.isfinite(values).any():
        return "", True
    if not results.landmark_verdict(name, c.group).usable:
        return " The landmarks cannot read this group.", True
    return _agreement(c, values, "By landmarks", "effect")


def _agreement(c: Contrast, values: np.ndarray, by: str, measure: str) -> tuple[str, bool]:
    """Means of values (P,) inside and outside of a contrast's group, and whether they differ the same way."""
    inside, outside = (mean_intervals(values[m][None])[0] for m in (c.group.members, ~c.group.members))
    told = f"{amount(inside.value, measure)} against {amount(outside.value, measure)}"
    agrees = (inside.value - outside.value) * c.difference.value > 0
    verdict = "agrees" if agrees else "does not agree, so the network's scale may be what differs"
    return f" {by} {told}, which {verdict}.", agrees


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
