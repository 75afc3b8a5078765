"""How figures are said: names, units and numbers of a report."""

from __future__ import annotations

import math

from stit_core.review.statistics import Interval

SD = "SD"
UNITS = {  # of a measure -> (title, unit, decimals)
    "effect": ("effect", SD, 2),
    "landmark_effect": ("effect by landmarks", SD, 2),
    "leak": ("change", SD, 2),
    "lighter": ("skin lightness", "L*", 1),
    "hue_turn": ("skin hue", "°", 1),
    "ita_change": ("ITA", "°", 1),
    "colour_difference": ("skin colour difference", "ΔE00", 1),
    "identity": ("identity cosine", "", 3),
    "change": ("perceptual change", "LPIPS", 2),
    "seam": ("seam", "grey levels", 1),
    "sharpness": ("sharpness", "× source", 2),
    "tl_id": ("steadiness (TL-ID)", "", 3),
    "factor": ("factor needed", "", 2),
    "failed": ("failures", "of people", 2),
    "encoder_psnr": ("encoder, PSNR of the face", "dB", 1),
    "encoder_lpips": ("encoder, LPIPS of the face", "", 2),
    "encoder_landmark_error": ("encoder, landmark error", "% of the eyes' distance", 1),
    "tuned_psnr": ("tuned, PSNR of the face", "dB", 1),
    "tuned_lpips": ("tuned, LPIPS of the face", "", 2),
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


def attribute_title(name: str) -> str:
    """An attribute as a reader is told of it."""
    return ATTRIBUTES.get(name, name.replace("_", " "))


def measure_title(measure: str, attribute: str = "") -> str:
    """A measure as a heading, an attribute's change under that attribute's name."""
    return attribute_title(attribute) if attribute else UNITS[measure][0]


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


def edit_title(name: str, factor: float) -> str:
    """An edit as it is written on the command line."""
    return f"{name}={factor:g}"
