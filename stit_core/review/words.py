"""How figures are said: names, units and numbers of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stit_core.review.attributes import is_ethnicity_pair
from stit_core.review.comparing import Contrast
from stit_core.review.results import Group, Results
from stit_core.review.statistics import Interval

SD = "SD"
UNITS = {  # of a measure -> (title, unit, decimals)
    "effect": ("effect", SD, 2),
    "landmark_effect": ("effect by landmarks", SD, 2),
    "leak": ("change", SD, 2),
    "lighter": ("skin lightness", "L*", 1),
    "hue_turn": ("skin hue", "°", 1),
    "ita_change": ("change of ITA", "°", 1),
    "colour_difference": ("skin colour difference", "ΔE00", 1),
    "identity": ("identity cosine (1: the same)", "", 3),
    "change": ("perceptual change (0: none)", "LPIPS", 2),
    "seam": ("step at the seam", "grey levels", 1),
    "sharpness": ("sharpness", "× original", 2),
    "tl_id": ("steadiness (TL-ID)", "", 3),
    "factor": ("factor needed", "", 2),
    "failed": ("failures", "of people", 2),
    "encoder_psnr": ("encoder, PSNR of the face", "dB", 1),
    "encoder_lpips": ("encoder, LPIPS of the face (higher is worse)", "", 2),
    "encoder_landmark_error": ("encoder, landmark error", "% of the eyes' distance", 1),
    "tuned_psnr": ("tuned, PSNR of the face", "dB", 1),
    "tuned_lpips": ("tuned, LPIPS of the face (higher is worse)", "", 2),
    "tuned_landmark_error": ("tuned, landmark error", "% of the eyes' distance", 1),
}
ATTRIBUTES = {
    "african": "african face shape",
    "asian": "asian face shape",
    "caucasian": "caucasian face shape",
    "gender": "masculinity",
    "skin_tone": "darkness of skin",
    "eyes_open": "open eyes",
    "mouth_open": "open mouth",
    "hair_grey": "grey hair",
    "hair_light": "light hair",
    "brow_thickness": "thick brows",
    "eye_distance": "distance of the eyes",
    "eye_eyebrow_distance": "height of the brows",
    "eye_ratio": "roundness of the eyes",
    "lip_ratio": "fullness of the lips",
    "mouth_ratio": "width of the mouth",
    "nose_mouth_distance": "distance of nose and mouth",
    "nose_ratio": "width of the nose",
    "nose_tip": "height of the nose's tip",
}


MEANINGS = {  # of a direction -> what a negative and a positive factor do
    "age": ("younger", "older"),
    "gender": ("more feminine", "more masculine"),
    "skin_tone": ("lighter skin", "darker skin"),
    "smile": ("less of a smile", "more of a smile"),
    "eyes_open": ("eyes more closed", "eyes wider open"),
    "mouth_open": ("mouth more closed", "mouth wider open"),
}


def edit_meaning(name: str, factor: float) -> str:
    """What an edit is for, in words: age=2 is "older"."""
    if name in MEANINGS:
        return MEANINGS[name][factor > 0]
    first, _, second = name.partition("_")
    if is_ethnicity_pair(name):
        return f"towards the {second if factor > 0 else first} face shape"
    return f"{'more' if factor > 0 else 'less'}: {attribute_title(name)}"


def column_title(column: str) -> str:
    """A label column as a reader is told of it."""
    return column.replace("_", " ")


def group_title(group: Group) -> str:
    """A group with the column that it is of."""
    return " ".join([*(column_title(column) for column in group.columns), group.name])


def attribute_title(name: str) -> str:
    """An attribute as a reader is told of it."""
    return ATTRIBUTES.get(name, name.replace("_", " "))


def measure_title(measure: str, attribute: str = "") -> str:
    """A measure as a heading, an attribute's change under that attribute's name."""
    return attribute_title(attribute) if attribute else UNITS[measure][0]


def unit_title(measure: str, attribute: str = "") -> str:
    """The same with its unit."""
    return f"{measure_title(measure, attribute)}, {UNITS[measure][1]}".removesuffix(", ")


def number(value: float, decimals: int = 2, signed: bool = False) -> str:
    """A number with a true minus sign; a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0.0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def amount(value: float, measure: str, signed: bool = False) -> str:
    """A number of a measure with its unit."""
    _, unit, decimals = UNITS[measure]
    gap = "" if unit == "°" else " "
    return f"{number(value, decimals, signed)}{gap}{unit}".rstrip()


def between(interval: Interval, measure: str, signed: bool = False) -> str:
    """An interval's ends, or that there is none."""
    if not interval.known:
        return "no interval: fewer than 8 people"
    decimals = UNITS[measure][2]
    return f"{number(interval.low, decimals, signed)} to {number(interval.high, decimals, signed)}"


def percent(value: float) -> str:
    """A share in per cent."""
    return "–" if not math.isfinite(value) else f"{100 * value:.0f} %"


def probability(p: float) -> str:
    """A p-value."""
    if not math.isfinite(p):
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def listed(texts: Iterable[str]) -> str:
    """One, two and three."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last


def edit_title(name: str, factor: float) -> str:
    """An edit as it is written on the command line."""
    return f"{name}={factor:g}"


# --- What can be seen -----------------------------------------------------------------------------------------------

SMALL = {"leak": 0.1, "lighter": 0.5, "hue_turn": 0.5, "identity": 0.003}  # differences that nobody would see
JUST_SEEN = 1.0  # L*: about what is just seen between two patches side by side


def small_text() -> str:
    """The differences that are too small to be told in words."""
    what = {"leak": "", "lighter": "", "hue_turn": " of hue", "identity": " of the identity cosine"}
    known = (
        (f"{number(value, 3).rstrip('0')} {UNITS[measure][1]}".rstrip(), measure) for measure, value in SMALL.items()
    )
    return "under " + ", ".join(f"{text.replace(' °', '°')}{what[measure]}" for text, measure in known)


def just_seen_text(measure: str, difference: float) -> str:
    """That a difference of lightness is under what is just seen; empty where it is not."""
    if measure != "lighter" or abs(difference) >= JUST_SEEN:
        return ""
    return f" The difference is under the {JUST_SEEN:g} L* that is just seen side by side."


def brief(c: Contrast) -> str:
    """A contrast in a few words."""
    signed = c.measure in ("leak", "lighter", "hue_turn")
    mean, rest = (number(mean.value, UNITS[c.measure][2], signed) for mean in (c.mean, c.rest))
    what = f"{measure_title(c.measure, c.attribute)}, {group_title(c.group)}"
    return f"{what}: {mean} against {rest} {UNITS[c.measure][1]}".rstrip()


def years_text(results: Results) -> str:
    """What 1 SD of age is in years, where the pack knows; else empty."""
    known = results.table.attributes.get("age", {})
    if "age" not in results.columns or "unit" not in known:
        return ""
    unit, name = known["unit"]
    return f" Of age it is about {abs(known['spread'] * known['slope'] * unit):.0f} {name}."
