"""Hold ways to give a change of skin colour against the truth: a ratio, that of pigment, and a difference in CIELAB.

    python -m benchmarks.shade --data WORK/skin_tone

The data is the set `skin_tone` of `recipes.make_directions`: heads that were rendered twice, once with lighter and once
with darker skin. What changes in one head is given to another of about its tone, whose own second render is the truth.
The ratio takes over each channel's, pigment only the tone and gets the hue from `change.skin`, as the transfer does.
The table says by how much the skin of the two then differs (CIEDE2000), by the tone of the source.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from stit_core.change.skin import pigment_hue
from stit_core.directions.labelled_pictures import open_pictures
from stit_core.directions.parts import pair_entries, picture_pairs
from stit_core.faces.labels import SKIN, is_one_of
from stit_core.faces.reading import read_faces
from stit_core.packs.loading import find_pack, load_models
from stit_core.runtime import Runtime

# Individual typology angle, degrees, above which skin is called so (Chardon et al. 1991).
TONES = {"light": 41.0, "intermediate": 28.0, "tan": 10.0, "brown": -30.0, "dark": -90.0}
NEIGHBOURS = 6  # heads nearest in tone whose change is given to a head
OFFSET = 10.0  # grey levels, as in change.drawn


def skin_of(pictures: np.ndarray, labels: Sequence[np.ndarray]) -> np.ndarray:
    """Colours (N, 2, 3) in [0, 1] of the pixels that are skin in both pictures (2, S, S, 3) uint8."""
    both = np.prod([is_one_of(one, (SKIN,)) for one in labels], axis=0)
    inside = cv2.erode(both, np.ones((9, 9), np.uint8)) > 0
    return pictures[:, inside].transpose(1, 0, 2) / 255.0


def tone_of(colour: np.ndarray) -> str:
    """The name of the tone of a mean colour (3,) in [0, 1]."""
    light, _, yellow = rgb2lab(colour)
    angle = float(np.degrees(np.arctan2(light - 50, yellow)))
    return next(name for name, least in TONES.items() if angle > least)


def errors(skin: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[float, ...]:
    """CIEDE2000 between skin as a head's own change makes it and as another's does: ratio, pigment and difference.

    Parameters
    ----------
    skin: (N, 2, 3), the head before and after. before, after: (3,), mean colours of the other head.
    """
    offset = OFFSET / 255
    ratio = (skin[:, 0] + offset) * (after + offset) / (before + offset) - offset
    tone = float(np.log((after + offset) / (before + offset)).mean())
    hue = pigment_hue(255 * skin[:, 0].mean(axis=0), tone)
    pigment = (skin[:, 0] + offset) * np.exp(tone * hue) - offset
    moved = lab2rgb(rgb2lab(skin[:, 0]) + rgb2lab(after) - rgb2lab(before))
    truth = rgb2lab(skin[:, 1])
    found = [deltaE_ciede2000(truth, rgb2lab(np.clip(made, 0, 1))).mean() for made in (ratio, pigment, moved)]
    return tuple(map(float, found))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the rendered set skin_tone")
    parser.add_argument("--pack", default="heads-256")
    options = parser.parse_args(argv)
    models = load_models(find_pack(options.pack), torch.device("cpu"))
    classes = "lighter_skin", "darker_skin"
    entries = pair_entries(open_pictures(options.data, list(classes)).entries, classes, 0)
    skins = []
    for pair in picture_pairs(entries, models.pack.resolution, True):
        if pair is not None:
            pictures = np.stack(pair)
            skins.append(skin_of(pictures, [one.labels for one in read_faces(pictures, models.parser, Runtime())]))
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in TONES}
    for skin in [*skins, *(skin[:, ::-1] for skin in skins)]:  # darker, and lighter
        towards = np.sign(skin.mean(axis=(0, 2)) @ (-1, 1))
        means = [
            (other if np.sign(other.mean(axis=(0, 2)) @ (-1, 1)) == towards else other[:, ::-1]) for other in skins
        ]
        others = [other.mean(axis=0) for other in means if not np.shares_memory(other, skin)]
        own = skin[:, 0].mean(axis=0)
        for before, after in sorted(others, key=lambda other: float(np.abs(other[0] - own).sum()))[:NEIGHBOURS]:
            rows[tone_of(own)].append(errors(skin, before, after))
    print("| skin of the source | changes | by ratio | by pigment | by difference |\n" + "| --- " * 5 + "|")
    for name, found in rows.items():
        if found:
            figures = " | ".join(f"{mean:.2f}" for mean in np.mean(found, axis=0))
            print(f"| {name} | {len(found)} | {figures} |")


if __name__ == "__main__":
    main()
