"""Labelled sets of heads: what each class of each edit direction fixes about a head, all else being drawn at random.

Every head is rendered once for each class of a set, so the classes differ in nothing but what their name says, and a
direction learned from them moves as little else as it can. Expressions and single shapes are seen by one camera,
aligned to the head in the middle of the classes: a video's crop is cut before an edit, not after it, and a camera that
followed would zoom out where eyes move apart. What changes or moves the whole head is aligned for each class, because
a larger or turned head would leave the crops that the pack knows.

The names of the ethnicity classes are those of MakeHuman's synthetic shapes; they say nothing about any person. Skin
tone, hair and all else stay as they are when shapes change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipes.heads.parameters import SHAPE_LIMIT, SHAPE_NAMES, SHAPE_SD, SHAPE_SPREAD, HeadParameters

Values = dict[str, Any]
OWN_CAMERAS = ("age", "gender", "ethnicity", "eye_distance", "nose_mouth_distance", "yaw", "pitch", "roll")
WHOLE_FACE = ("gender", "skin_tone", "caucasian_african", "caucasian_asian", "smile", "mouth_open")
EXTREME = 2.5  # standard deviations from the mean at which the classes of a face shape lie


@dataclass(frozen=True)
class LabelledSet:
    """A set of pictures to render and the direction to learn from it.

    Attributes
    ----------
    name: of the direction; with more than two classes every pair is called after its own two.
    title, positive, negative: for the card; empty for several classes, where they follow from the names.
    classes: (name, values) in the order from - to; values are fields of HeadParameters, or SHAPE_NAMES in standard
        deviations from their mean.
    hold: directions that are projected out of the set's own, where that was seen to move less else; made before it.
    """

    name: str
    title: str
    positive: str
    negative: str
    classes: tuple[tuple[str, Values], ...]
    hold: tuple[str, ...] = ()

    @property
    def moves(self) -> str:
        """What moves along the direction, of the cards' MOVES."""
        return {"yaw": "head", "pitch": "head", "roll": "head", "skin_tone": "nothing"}.get(self.name, "features")

    @property
    def middle(self) -> Values | None:
        """The values of the head that the camera is aligned to; None where each class has its own camera."""
        if self.name in OWN_CAMERAS:
            return None
        return {
            name: sum(values[name] for _, values in self.classes) / len(self.classes) for name in self.classes[0][1]
        }


def _pair(
    name: str, title: str, positive: str, negative: str, low: Values, high: Values, hold: tuple[str, ...] = ()
) -> LabelledSet:
    first, second = (words.replace(" ", "_") for words in (negative, positive))
    return LabelledSet(name, title, positive, negative, ((first, low), (second, high)), hold)


def _shape(
    name: str, title: str, positive: str, negative: str, signs: Mapping[str, float], hold: tuple[str, ...] = ()
) -> LabelledSet:
    low, high = ({key: sign * EXTREME * side for key, sign in signs.items()} for side in (-1.0, 1.0))
    return _pair(name, title, positive, negative, low, high, hold)


def _ethnicity(place: int) -> Values:
    return {"ethnicity": np.eye(3)[place]}


def _roll(side: float) -> Values:
    """A tilted head in a crop that turns with it by half of that, so that head and shoulders both tell."""
    return {"roll": 6.0 * side, "jitter": np.array([0.0, 0.0, 0.0, 2.5 * side])}


ETHNICITY = LabelledSet(
    "ethnicity",
    "",
    "",
    "",
    (("caucasian", _ethnicity(2)), ("asian", _ethnicity(1)), ("african", _ethnicity(0))),
)
SETS: tuple[LabelledSet, ...] = (
    _pair("age", "Age", "older", "younger", {"age": 21.0}, {"age": 70.0}, hold=WHOLE_FACE),
    _pair("gender", "Gender", "more masculine", "more feminine", {"gender": 0.03}, {"gender": 0.97}),
    _pair("smile", "Smile", "smiling", "serious", {"smile": 0.0}, {"smile": 0.85}),
    _pair("mouth_open", "Mouth open", "mouth open", "mouth closed", {"mouth_open": 0.0}, {"mouth_open": 0.7}),
    _pair("eyes_open", "Eyes open", "eyes open", "eyes closed", {"eye_close": 0.9}, {"eye_close": 0.0}),
    _pair("yaw", "Yaw", "turned to the person's left", "turned to the person's right", {"yaw": -10.0}, {"yaw": 10.0}),
    _pair("pitch", "Pitch", "head raised", "head lowered", {"pitch": -5.0}, {"pitch": 5.0}),
    _pair("roll", "Roll", "tilted to the person's left", "tilted to the person's right", _roll(-1.0), _roll(1.0)),
    _pair("skin_tone", "Skin tone", "darker skin", "lighter skin", {"skin_tone": 0.33}, {"skin_tone": 0.67}),
    _shape("eye_distance", "Eye distance", "eyes farther apart", "eyes closer together", {"eye_distance": 1.0}),
    _shape("eye_eyebrow_distance", "Eye to eyebrow", "brows higher", "brows lower", {"brow_height": 1.0}),
    _pair(
        "eye_ratio",
        "Eye height",
        "rounder eyes",
        "narrower eyes",
        {"eye_height": -EXTREME, "squint": 0.4},
        {"eye_height": EXTREME, "squint": 0.0},
    ),
    _shape(
        "lip_ratio",
        "Lip fullness",
        "fuller lips",
        "thinner lips",
        {"upper_lip": 1.0, "lower_lip": 1.0, "lip_height": 1.0},
    ),
    # Of the shape alone the pack's encoder sees hardly anything, so what else makes a mouth wide has a part in it.
    _pair(
        "mouth_ratio",
        "Mouth width",
        "wider mouth",
        "narrower mouth",
        {"mouth_width": -EXTREME, "pucker": 0.45, "smile": 0.0},
        {"mouth_width": EXTREME, "pucker": 0.0, "smile": 0.35},
    ),
    _shape(
        "nose_mouth_distance",
        "Nose to mouth",
        "mouth lower",
        "mouth higher",
        {"mouth_place": -1.0},
        hold=("smile", "mouth_open"),
    ),
    _shape(
        "nose_ratio",
        "Nose width",
        "wider nose",
        "narrower nose",
        {"nose_width": 1.0, "nose_flare": 1.0, "nose_length": -1.0},
        hold=(*WHOLE_FACE, "nose_tip"),
    ),
    _shape("nose_tip", "Nose tip", "nose tip higher", "nose tip lower", {"nose_point": 1.0}),
    ETHNICITY,
)
# Not shipped: an attribute that no direction of the pack has, to show the trainer on.
BEARD = _pair(
    "beard",
    "Beard",
    "full beard",
    "shaven",
    {"beard": 0.0, "beard_wide": 0.8, "moustache": 1.0},
    {"beard": 0.9, "beard_wide": 0.8, "moustache": 1.0},
)


def fixed(head: HeadParameters, values: Values) -> HeadParameters:
    """A head with some of its parameters replaced; shapes are given in standard deviations from their mean."""
    shape = head.shape.copy()
    changes: Values = {}
    for name, value in values.items():
        if name in SHAPE_NAMES:
            mean, spread = SHAPE_SPREAD.get(name, (0.0, SHAPE_SD))
            shape[SHAPE_NAMES.index(name)] = np.clip(mean + spread * value, -SHAPE_LIMIT, SHAPE_LIMIT)
        else:
            changes[name] = (
                np.broadcast_to(value, np.shape(getattr(head, name))) if np.ndim(getattr(head, name)) else value
            )
    return dataclasses.replace(head, shape=shape, **changes)
