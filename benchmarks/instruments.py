"""Examine a pack's instruments on held-out renders, over all and by group, and write the table that reviews read.

    python -m benchmarks.instruments --data RENDERS/held_out [--pack heads-256] [--out assets/packs/heads-256]

For every attribute: mean and spread of the reading, and how well it fits what the renderer was given, over all and by
the labels that the people of `recipes.render_people` have; the same for every figure of dlib's landmarks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.groups import ETHNICITIES
from benchmarks.pack import attribute_names
from recipes.heads.parameters import AGE_RANGE
from recipes.training.data import Shards
from stit_core.images import to_picture
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.review.attributes import READ, AttributeColumns
from stit_core.review.instruments import TABLE_FILE, fit_of
from stit_core.review.reading import FIGURES, CropReader
from stit_core.runtime import Runtime, pick_device

BATCH = 16
PAIRS = ("asian_african", "caucasian_african", "caucasian_asian")
DIGITS = 5


def label_masks(truth: np.ndarray, names: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    """For each label column of the pack's people, its labels and whether each render (N,) belongs to them."""
    column = {name: truth[:, place] for place, name in enumerate(names)}
    shape = np.stack([column[name] for name in ETHNICITIES], axis=1).argmax(1)
    return {
        "ethnicity_shape": {name: shape == k for k, name in enumerate(ETHNICITIES)},
        "gender_half": {"feminine": column["gender"] < 0.5, "masculine": column["gender"] >= 0.5},
        "age_band": {"20-38": column["age"] < 0.5, "52-70": column["age"] >= 0.5},  # halves of the renderer's range
        "skin_tone_band": {"lighter": column["skin_tone"] < 0.5, "darker": column["skin_tone"] >= 0.5},
    }


def entry(reading: np.ndarray, truth: np.ndarray, masks: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """What the table says of one instrument, from its readings (N,) and the truth (N,); see InstrumentTable."""
    slope, intercept = np.polyfit(reading, truth, 1)
    numbers = {
        "mean": reading.mean(),
        "spread": reading.std(),
        "slope": slope,
        "intercept": intercept,
        "truth_spread": truth.std(),
    }
    known = {name: float(f"{value:.{DIGITS}g}") for name, value in numbers.items()}
    return {
        **known,
        "fit": round(fit_of(truth, reading, known), DIGITS),
        "groups": {
            name: {label: round(fit_of(truth[mask], reading[mask], known), DIGITS) for label, mask in labels.items()}
            for name, labels in masks.items()
        },
    }


def examine(reader: CropReader, held_out: Shards, names: tuple[str, ...], count: int) -> dict[str, Any]:
    """The table of all instruments over the first `count` renders."""
    attributes, figures = [], []
    size = reader.models.generator.resolution
    for first in tqdm(range(0, count, BATCH), desc="renders"):
        rows = np.arange(first, min(first + BATCH, count))
        for reading in reader.read(to_picture(held_out.batch(rows, size, reader.models.device).images)):
            attributes.append(reading.attributes)
            figures.append(reading.figures)
    truth, read, points = held_out.attributes[:count], np.stack(attributes), np.stack(figures)
    known, masks = AttributeColumns(names, reader.columns.columns).read(truth), label_masks(truth, names)
    columns = list(reader.columns.columns)
    entries = {name: entry(read[:, k], known[:, k], masks) for k, name in enumerate(columns)}
    if "age" in entries:
        entries["age"]["unit"] = [AGE_RANGE[1] - AGE_RANGE[0], "years"]
    return {
        "renders": count,
        "attributes": entries,
        "landmarks": {
            name: entry(points[:, k], known[:, columns.index(name)], masks) for k, name in enumerate(FIGURES)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of held-out renders")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--renders", type=int, default=500)
    parser.add_argument("--out", type=Path, help="folder of the pack; default: where its manifest lies")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    pack = find_pack(arguments.pack)
    held_out, device = Shards(arguments.data), pick_device(arguments.device)
    names = attribute_names(pack, held_out)
    reader = CropReader(load_models(pack, device), AttributeColumns(names, (*READ, *PAIRS)), Runtime(device=device))
    table = examine(reader, held_out, names, min(arguments.renders, len(held_out)))
    path = (arguments.out or pack.folders[0]) / TABLE_FILE
    path.write_text(json.dumps(table, indent=1) + "\n")
    print(f"Wrote {path}.")


if __name__ == "__main__":
    main()
