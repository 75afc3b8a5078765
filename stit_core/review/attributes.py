"""What a pack's attribute network is read for: a direction's own attribute, and what else it may drag along."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.packs.manifest import Pack

ETHNICITIES = ("african", "asian", "caucasian")  # names of MakeHuman's shapes; they say nothing about any person
NAMES_FILE = "attributes.json"  # beside a pack's manifest: the names of its network's numbers
# Attributes beside those of the directions that an edit should leave alone.
OTHERS = ("beard", "hair_grey", "hair_light", "makeup", "brow_thickness")
READ = (
    *ETHNICITIES,
    *("age", "gender", "skin_tone", "smile", "mouth_open", "eyes_open", "yaw", "pitch"),
    *("eye_distance", "eye_eyebrow_distance", "eye_ratio", "lip_ratio", "mouth_ratio"),
    *("nose_mouth_distance", "nose_ratio", "nose_tip"),
    *OTHERS,
)
# What a direction may move because it is the same thing, or a part of it. Not counted as a leak. Pairs of ethnicity
# shapes are one another's besides: three of them span two dimensions.
SAME_THING: Mapping[str, tuple[str, ...]] = {
    "eyes_open": ("eye_ratio",),
    "eye_ratio": ("eyes_open",),
    "smile": ("mouth_ratio",),
}
# What people perceive of a group, and what hangs on it: beards, makeup and grey hair on gender and age.
PERCEIVED = (*ETHNICITIES, "gender", "age", "skin_tone")
OF_GROUPS = frozenset({*PERCEIVED, "beard", "makeup", "hair_grey"})
LEAST_SPREAD = 1e-6


def is_ethnicity_pair(name: str) -> bool:
    """Whether a direction leads from one of MakeHuman's ethnicity shapes to another: first_second."""
    first, _, second = name.partition("_")
    return first != second and {first, second} <= set(ETHNICITIES)


def attribute_weights(name: str, names: Sequence[str]) -> dict[str, float] | None:
    """Which attributes (of `names`) a direction of this name should move, weighted; None where none is known."""
    if is_ethnicity_pair(name):
        first, _, second = name.partition("_")
        return {second: 1.0, first: -1.0} if {first, second} <= set(names) else None
    return {name: 1.0} if name in names else None


def combine(weights: Mapping[str, float], names: Sequence[str], values: np.ndarray) -> np.ndarray:
    """Weighted sum (...) of the columns of attributes (..., A) whose names are `names`."""
    total = np.zeros(values.shape[:-1])
    for name, weight in weights.items():
        total += weight * values[..., list(names).index(name)]
    return total


def same_thing(direction: str, other: str) -> bool:
    """Whether moving `other` belongs to what `direction` is for."""
    if is_ethnicity_pair(direction):
        return is_ethnicity_pair(other) or other in ETHNICITIES
    return other == direction or other in SAME_THING.get(direction, ())


def attribute_names(pack: Pack) -> tuple[str, ...]:
    """The names of the numbers that a pack's attribute network gives; empty for a pack without one."""
    if "attributes" not in pack.parts:
        return ()
    for folder in pack.folders:
        if (folder / NAMES_FILE).is_file():
            return tuple(str(name) for name in json.loads((folder / NAMES_FILE).read_bytes()))
    return ()


@dataclass(frozen=True)
class AttributeColumns:
    """The attributes that a review reads off the network's numbers.

    Attributes
    ----------
    names: of all the network's numbers (A,).
    columns: of those that are read (C,): READ as far as the network has it, then the directions' own where they differ.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def of_pack(cls, pack: Pack, directions: Sequence[str] = ()) -> AttributeColumns:
        """Those of a pack, for edits along `directions`."""
        names = attribute_names(pack)
        own = [name for name in directions if name not in READ and attribute_weights(name, names)]
        return cls(names, (*(name for name in READ if name in names), *dict.fromkeys(own)))

    def read(self, values: np.ndarray) -> np.ndarray:
        """The columns (..., C) of the network's numbers (..., A), in the network's own units."""
        found = [combine(attribute_weights(name, self.names) or {}, self.names, values) for name in self.columns]
        return np.stack(found, axis=-1) if found else np.zeros((*values.shape[:-1], 0))
