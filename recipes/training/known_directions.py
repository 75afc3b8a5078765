"""Edit directions from the known parameters of the heads.

The generator's w is regressed on all attributes at once (ridge regression over random latents), so that a coefficient
is what changes in w when one attribute changes and the others are held. The measured ratios are left out: they follow
from the others. Factor 1 is one standard deviation of the attribute.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from recipes.heads.parameters import ATTRIBUTE_NAMES, MEASURES
from stit_core.directions import Card, save_direction
from stit_core.models.generator import Generator
from stit_core.pack_manifest import Pack

RIDGE = 1.0

# name -> ({attribute: weight}, title, what a positive and a negative factor do)
KNOWN: dict[str, tuple[dict[str, float], str, str, str]] = {
    "smile": ({"smile": 1.0}, "Smile", "smiling", "serious"),
    "age": ({"age": 1.0, "hair_grey": 0.6}, "Age", "older", "younger"),
    "gender": ({"gender": 1.0}, "Gender", "more masculine", "more feminine"),
    "mouth_open": ({"mouth_open": 1.0}, "Mouth open", "mouth open", "mouth closed"),
    "eyes_open": ({"eyes_open": 1.0}, "Eyes open", "eyes wide open", "eyes closed"),
    "yaw": ({"yaw": 1.0}, "Yaw", "head turned to the person's left", "head turned to the person's right"),
    "pitch": ({"pitch": 1.0}, "Pitch", "head raised", "head lowered"),
    "african_caucasian": (
        {"caucasian": 1.0, "african": -1.0},
        "African shapes to Caucasian shapes",
        "MakeHuman's Caucasian shapes",
        "MakeHuman's African shapes",
    ),
    "skin_tone": ({"skin_tone": 1.0}, "Skin tone", "darker skin", "lighter skin"),
}


def fit_coefficients(generator: Generator, latents: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Coefficients (A, 512): change of w for one standard deviation of each attribute, the others held."""
    with torch.no_grad():
        w = generator.mapping_network(torch.from_numpy(latents)).numpy().astype(np.float64)
    attributes = attributes[:, : -len(MEASURES)]
    spread = np.maximum(attributes.std(0), 1e-6)
    x = (attributes - attributes.mean(0)) / spread
    gram = x.T @ x + RIDGE * np.eye(x.shape[1])
    coefficients: np.ndarray = np.linalg.solve(gram, x.T @ (w - w.mean(0)))
    return coefficients


def write_directions(pack: Pack, generator: Generator, latents: np.ndarray, attributes: np.ndarray, root: Path) -> None:
    """Store every direction of KNOWN below `root`."""
    coefficients = fit_coefficients(generator, latents, attributes)
    for name, (weights, title, positive, negative) in KNOWN.items():
        row = sum(weight * coefficients[ATTRIBUTE_NAMES.index(key)] for key, weight in weights.items())
        vector = np.repeat(np.asarray(row, np.float32)[None], generator.num_ws, axis=0)  # (L, 512)
        card = Card(
            name=name,
            title=title,
            description=(
                f"Above 0: {positive}; below 0: {negative}. Factor 1 is {max(weights.values()):g} standard deviations "
                "among the pack's heads."
            ),
            positive=positive,
            negative=negative,
            source="recipes: ridge regression of w on the known parameters of the renders",
        )
        save_direction(pack, vector, card, root)
