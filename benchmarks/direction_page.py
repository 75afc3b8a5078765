"""The page that tells what the directions of a pack do: instruments, efficacy, leakage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.direction_regions import where
from benchmarks.efficacy import (
    IDENTITY_WANTED,
    RANK_WANTED,
    READABLE,
    Efficacy,
    Kept,
    may_change_identity,
)
from benchmarks.landmark_figures import DEFINITIONS
from benchmarks.leakage import LEAST_OWN, REASONS, Leaks
from stit_core.directions.library import Card
from stit_core.review.attributes import SAME_THING, is_ethnicity_pair

LARGE_LEAK = 0.3  # of the own effect, from which a cell of the matrix is set in bold
SHORT_NAMES = {"hair_grey": "grey hair", "hair_light": "light hair", "brow_thickness": "thick brows"}


@dataclass(frozen=True)
class Truth:
    """Correlation of an instrument's reading with the truth over held-out renders; the second where there is one."""

    network: float
    independent: float | None


@dataclass(frozen=True)
class Measured:
    """A direction's figures; `network` is None where the attribute network knows nothing of its name."""

    network: Efficacy | None
    independent: Efficacy | None
    identity: Kept


@dataclass(frozen=True)
class Leaking:
    """Leaks of a direction as it is and with the others projected out, and what is left of its length."""

    before: Leaks
    after: Leaks
    length: float


@dataclass(frozen=True)
class Result:
    """Everything that the page tells.

    Attributes
    ----------
    command: that writes the page.
    columns: attributes of the leakage, those with a direction of their own first.
    strangers: identity cosines of pairs of different heads: median and 95th percentile.
    eye_line: correlation of the eyes' tilt with the true roll.
    cards: of the directions.
    """

    command: str
    pack: str
    renders: int
    heads: int
    factors: tuple[float, ...]
    columns: tuple[str, ...]
    truths: Mapping[str, Truth]
    measured: Mapping[str, Measured]
    leaking: Mapping[str, Leaking]
    strangers: tuple[float, float]
    eye_line: float
    cards: tuple[Card, ...] = ()


def page(result: Result, sheet: str) -> str:
    """The whole page in Markdown; `sheet` is the picture's file name."""
    parts = [_introduction(result, sheet), _instruments(result), _efficacy(result), where(result.cards)]
    parts.append(_leakage(result))
    return "\n\n".join(parts) + "\n"


def number(value: float, decimals: int = 2) -> str:
    """A figure, or a dash where there is none; no minus sign before a zero."""
    if np.isnan(value):
        return "-"
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _introduction(result: Result, sheet: str) -> str:
    factors = ", ".join(f"{factor:g}" for factor in result.factors)
    return f"""# What the directions of `{result.pack}` do

![Every direction at several factors]({sheet})

This page is written by a command, figures and words:

    {result.command}

{result.heads} held-out renders, which no network of the pack has seen, are encoded and moved along each direction at
the factors {factors}. They are spread evenly over ethnicity shape, half of gender and third of age; left out are only
heads on which dlib finds no face.

Names such as "african", "asian" and "caucasian" are those of MakeHuman's synthetic face shapes, from which the renders
are mixed. They describe a mesh. Nothing is inferred about any person, and skin tone is an attribute of its own that the
renders draw independently of the shapes."""


def _instruments(result: Result) -> str:
    rows = []
    for name in result.columns:
        truth = result.truths[name]
        independent = "" if truth.independent is None else _strength(truth.independent)
        rows.append([name, _strength(truth.network), independent, DEFINITIONS.get(name, "")])
    pairs = [f"{name} is {_pair(name)}" for name in result.columns if is_ethnicity_pair(name)]
    ethnicity = f"Of the attributes, {'; '.join(pairs)}.\n" if pairs else ""
    median, high = (number(value) for value in result.strangers)
    return f"""## Instruments, and how well they read real renders

An instrument that reads nothing proves nothing, so each was first held against the truth: the correlation of its
reading with what the renderer was told, over {result.renders} held-out renders. Weak is what stays under {READABLE:g}.

- The **attribute network** of the pack, on the picture alone. It was trained on the renderer's labels.
- An **independent instrument** where there is one: dlib's 68 points on the enlarged picture, turned until the eyes are
  level, and figures of our own from them. They see the picture, not the head in space, so yaw and pitch colour the
  ratios. dlib was trained on photographs; between heads its points hardly tell closed eyes from narrow ones.
- Aligned pictures are always turned until the eyes are level, so the points cannot tell **roll** (correlation
  {number(result.eye_line)}). What tells it are the shoulders, which the pack's parser finds; on heads that show no
  clothes it says nothing.
- **Identity** is the pack's identity network, dlib's: the cosine with the same head at factor 0. It was trained on
  photographs too and tells these heads apart badly: two different ones of those measured have a cosine of {median} in
  the median, and {high} at the 95th percentile. A cosine over {IDENTITY_WANTED:g} therefore says little; the share of
  pictures above those {high} says more.

{ethnicity}
{table(["attribute", "network", "independent", "what the independent instrument reads"], rows)}"""


def _strength(correlation: float) -> str:
    return number(correlation) + ("" if correlation >= READABLE else " (weak)")


def _pair(name: str) -> str:
    first, _, second = name.partition("_")
    return f"{second} minus {first}"


def _efficacy(result: Result) -> str:
    head = [
        "direction",
        "network: rank",
        "heads with 0.9",
        "effect",
        "independent: rank",
        "heads with 0.9",
        "effect",
        "heads read",
        "identity: median",
        "worst",
        "nearer than strangers",
    ]
    rows = [
        [name, *_cells(one.network)[:3], *_cells(one.independent), *_identity_cells(name, one.identity)]
        for name, one in result.measured.items()
    ]
    low, high = result.factors[0], result.factors[-1]
    return f"""## Efficacy

Rank: Spearman's correlation of factor and reading over the {len(result.factors)} factors of one head, median over
heads; wanted is {RANK_WANTED:g}. Effect: mean change of the reading for a factor of 1, in units of its spread over the
held-out renders. Identity: at the factors {low:g} and {high:g}; wanted is a median of {IDENTITY_WANTED:g}, age, gender
and the ethnicity shapes excepted; nearer than strangers is the share above the 95th percentile of different heads.
**Bold** falls short.

{table(head, rows)}

{_shortfalls(result)}"""


def _cells(found: Efficacy | None) -> list[str]:
    if found is None:
        return ["", "", "", ""]
    rank = number(found.rank)
    return [f"**{rank}**" if found.falls_short else rank, f"{found.good:.0%}", number(found.effect), str(found.heads)]


def _identity_cells(name: str, kept: Kept) -> list[str]:
    short = kept.median < IDENTITY_WANTED and not may_change_identity(name)
    median = number(kept.median)
    return [f"**{median}**" if short else median, number(kept.worst), f"{kept.nearer:.0%}"]


def shortfalls(result: Result) -> list[str]:
    """One line for each direction that misses something that is wanted, or that nothing was there to judge."""
    lines = []
    for name, one in result.measured.items():
        said = []
        if one.network is None:
            said.append("no instrument knows this name, so only its identity was measured")
        elif one.network.falls_short:
            said.append(f"the attribute network's median rank is {number(one.network.rank)}")
        if one.independent is not None and one.independent.falls_short:
            truth = result.truths[name].independent if name in result.truths else None
            weak = "" if truth is None or truth >= READABLE else f" (weak: {number(truth)} with the truth)"
            said.append(f"the independent instrument's median rank is {number(one.independent.rank)}{weak}")
        if one.identity.median < IDENTITY_WANTED and not may_change_identity(name):
            said.append(f"the identity's median cosine is {number(one.identity.median)}")
        if said:
            lines.append(f"- {name}: {'; '.join(said)}.")
    return lines


def _shortfalls(result: Result) -> str:
    lines = shortfalls(result)
    if not lines:
        return "Nothing falls short."
    return "\n".join([f"What falls short, {len(lines)} of {len(result.measured)} directions:", "", *lines])


def _leakage(result: Result) -> str:
    summary = [[name, *_summary(result.columns, one)] for name, one in result.leaking.items()]
    head = [
        "direction",
        "mean leak",
        "orthogonalised",
        "largest leak",
        "orthogonalised",
        "own effect",
        "of it kept",
        "of the length kept",
    ]
    means = [(one.before.mean, one.after.mean) for one in result.leaking.values()]
    before, after = (number(float(np.nanmean([pair[k] for pair in means])), 3) if means else "-" for k in (0, 1))
    return f"""## Leakage

How much each direction moves every other attribute for the same step: the slope of the attribute network's reading
over the factors, mean over heads, in units of that reading's own spread over the held-out renders, divided by the
direction's own effect. 1 would be as much as what it is for. A direction whose own effect is under {LEAST_OWN:g} of
the spread has none to divide by (-). Attributes that the network reads weakly (above) have a small spread of readings,
which makes leaks into them look large.

The same for the direction **orthogonalised**: the span of all the others is projected out of it (QR), except those that
are the same thing. What counts as the same thing is neither projected out nor counted as a leak:

{_rules(result)}

Over all directions the mean leak is {before}, orthogonalised {after}.

{table(head, summary)}

{_matrices(result)}"""


def _rules(result: Result) -> str:
    there = result.measured
    rows = [
        [name, ", ".join(others), REASONS[name]]
        for name, others in SAME_THING.items()
        if name in there and set(others) & set(there)
    ]
    pairs = [name for name in there if is_ethnicity_pair(name)]
    if len(pairs) > 1:
        reason = "three ethnicity shapes that sum to 1 span two dimensions: each pair is made of the other two"
        rows.append([", ".join(pairs), "one another", reason])
    rows.append(["all others", "nothing", "skin_tone is held for the ethnicity shapes, and they for it"])
    return table(["direction", "the same thing", "why"], rows)


def _summary(columns: Sequence[str], one: Leaking) -> list[str]:
    def largest(leaks: Leaks) -> str:
        return "-" if leaks.worst < 0 else f"{columns[leaks.worst]} {number(leaks.relative[leaks.worst])}"

    kept = one.after.own / one.before.own if abs(one.before.own) >= LEAST_OWN else float("nan")
    means = [number(leaks.mean) for leaks in (one.before, one.after)]
    shares = ["-" if np.isnan(kept) else f"{kept:.0%}", f"{one.length:.0%}"]
    return [*means, largest(one.before), largest(one.after), number(one.before.own), *shares]


def _matrices(result: Result) -> str:
    legend = ", ".join(f"{place} {name}" for place, name in _numbered(result).items())
    return f"""Rows move columns: {legend}. **Bold**: at least {LARGE_LEAK:g}; in brackets: the same thing, not counted.

As they are:

{_matrix(result, {name: one.before for name, one in result.leaking.items()})}

Orthogonalised:

{_matrix(result, {name: one.after for name, one in result.leaking.items()})}"""


def _numbered(result: Result) -> dict[int, str]:
    return {place: name for place, name in enumerate(result.columns, 1) if name in result.measured}


def _matrix(result: Result, leaks: Mapping[str, Leaks]) -> str:
    places = {name: place for place, name in _numbered(result).items()}
    head = ["", *(str(places[name]) if name in places else SHORT_NAMES.get(name, name) for name in result.columns)]
    rows = []
    for name, one in leaks.items():
        cells = [
            _cell(value, counted, column == name)
            for column, value, counted in zip(result.columns, one.relative.tolist(), one.counted, strict=True)
        ]
        rows.append([f"{places[name]} {name}", *cells])
    return table(head, rows)


def _cell(value: float, counted: bool, own: bool) -> str:
    if own or np.isnan(value):
        return "1" if own and not np.isnan(value) else "-"
    text = number(value).replace("0.", ".", 1) if abs(value) < 0.995 else number(value)
    if not counted:
        return f"({text})"
    return f"**{text}**" if abs(value) >= LARGE_LEAK else text
