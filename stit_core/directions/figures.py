"""What a trained direction's card says in figures, and the warnings that follow from them. Source: ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stit_core.config import DirectionTrainingConfig
from stit_core.directions import logistic
from stit_core.directions.library import list_directions, load_direction
from stit_core.packs.manifest import Pack

MANY = 100  # usable pictures a class: with fewer the user is warned
LOW_AUC = 0.7
CLOSE = 0.5  # cosine with another direction from which the two are said to overlap
PROBE_MARGIN = 0.02  # AUC by which latents have to beat the mere look of the files
_DIGITS = 4


def figures_of(
    fit: logistic.Fit,
    labels: np.ndarray,
    people: Sequence[str],
    matched: bool,
    probes: Sequence[np.ndarray | None],
    config: DirectionTrainingConfig,
) -> dict[str, Any]:
    """Accuracy and AUC on people that the fit had not seen, beside what the look of the files alone would give.

    Parameters
    ----------
    labels: (N,) 0 or 1; people: (N,); matched: whether people are compared with themselves.
    probes: N of (14,), see picture_latents.Sample.
    """
    seen = np.stack([probe for probe in probes if probe is not None]).astype(np.float64)
    spread = seen.std(0)
    scaled = (seen - seen.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    look = logistic.Design(scaled, people if matched else None)
    probed = logistic.fit_direction(look, labels, people, config.folds, config.seed)
    intervals = logistic.intervals(labels, fit.scores, people, config.seed)
    share = float(labels.mean())
    return {
        "majority": round(max(share, 1 - share), _DIGITS),
        **{name: {k: round(v, _DIGITS) for k, v in asdict(figure).items()} for name, figure in intervals.items()},
        "probe_auc": round(logistic.auc(labels, probed.scores), _DIGITS),
    }


def relations(
    vector: np.ndarray, pack: Pack, siblings: Mapping[str, np.ndarray], left_out: Collection[str], roots: Sequence[Path]
) -> dict[str, Any]:
    """Cosines with the pack's other directions, and how the direction's energy spreads over the layers.

    Parameters
    ----------
    vector: (L, 512). siblings: directions made along with it; they count instead of stored ones of their names.
    left_out: names of stored directions that do not count. roots: where the stored ones lie.
    """
    names = [card.name for card in list_directions(pack, roots) if card.name not in left_out]
    others = {name: load_direction(pack, name, roots).vector for name in names} | dict(siblings)
    energy = np.square(vector, dtype=np.float64).sum(1)
    return {
        "cosine": {name: round(logistic.cosine(vector, others[name]), _DIGITS) for name in sorted(others)},
        "energy": [round(float(part), _DIGITS) for part in energy / max(float(energy.sum()), 1e-30)],
    }


def overlap_warnings(cosines: Mapping[str, float], trained: bool = True) -> list[str]:
    """A warning for each other direction that lies close to this one; a trained one can be made again without it."""
    found = []
    for other, value in cosines.items():
        if abs(value) > CLOSE:
            word = "much the same as" if value > 0 else "much the opposite of"
            advice = f"; --hold {other} takes that part out." if trained else "."
            found.append(f"It does {word} '{other}' (cosine {value:+.2f}){advice}")
    return found


def warnings_of(record: Mapping[str, Any], pair: tuple[str, str]) -> list[str]:
    """What a user should know before relying on the direction, in plain words."""
    found = []
    for label, count in record["classes"].items():
        if count < MANY:
            found.append(f"Only {count} pictures of '{label}': with {MANY} or more the direction would be steadier.")
    auc, probe = record["auc"]["value"], record["probe_auc"]
    if auc < LOW_AUC:
        found.append(
            f"On people it has not seen it hardly tells '{pair[0]}' from '{pair[1]}' (AUC {auc:.2f}, chance is 0.50); "
            "the edit may do anything."
        )
    held = record["held"]
    if held and auc >= LOW_AUC > held["auc_after"]:
        found.append(
            f"Without {', '.join(held['overlap_before'])} little is left of it "
            f"(AUC {held['auc_before']:.2f} before, {held['auc_after']:.2f} after)."
        )
    found += overlap_warnings(record["cosine"])
    if probe >= max(auc - PROBE_MARGIN, LOW_AUC):
        found.append(
            "The size, colour or background of the pictures alone tells the classes apart as well as the faces do "
            f"(AUC {probe:.2f} against {auc:.2f}); the direction may have learned that."
        )
    if record["people"] is None:
        found.append(
            "The file names tell no people apart (PERSON_NUMBER.jpg would), so the same person may be on both sides of "
            "a fold and the figures may be too good."
        )
    return found
