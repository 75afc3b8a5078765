"""Renders labelled sets of heads and trains the pack's edit directions on them, as `directions train` would.

    python -m recipes.make_directions --makehuman DATA --out WORK [--count 200] [--sets smile age] [--pack PACK]
    python -m recipes.make_directions --makehuman DATA --out WORK --parts-only

The second only measures anew which parts of the head each direction changes, on a few renders, and writes that into
the cards; vectors and figures stay as they are.

Pictures that are there already are not rendered again. The names of the ethnicity classes are those of MakeHuman's
synthetic shapes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from recipes.labels import ETHNICITY, SETS, LabelledSet
from recipes.render_labelled import ALL_SETS, render_labelled
from stit_core.config import DirectionTrainingConfig
from stit_core.directions.figures import relations, warnings_of
from stit_core.directions.labelled_pictures import open_pictures
from stit_core.directions.library import Direction, direction_file, list_directions, load_direction, save_direction
from stit_core.directions.parts import PAIRS, pair_entries, picture_pairs, pictured_changes
from stit_core.directions.preview import preview_sheet
from stit_core.directions.relief import is_expression, learn_relief
from stit_core.directions.training import Texts, name_pairs, train_directions
from stit_core.faces.changed_parts import changed_parts
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.regions import PARTS
from stit_core.runtime import Runtime

HEADS = 200  # a set, each once in every class


def texts_of(labelled: LabelledSet) -> Texts:
    """What the cards of a set's directions say."""
    learned = "Learned from renders of synthetic heads, each once in either class, all else the same."
    if labelled is ETHNICITY:
        shapes = "MakeHuman's {First} shapes to its {Second} shapes"
        note = (
            "The names are those of synthetic shapes; skin tone and hair stay, and nothing is inferred about a person."
        )
        return Texts(
            "{First} to {Second} shapes", f"From {shapes}. {note} {learned}", "{Second} shapes", "{First} shapes"
        )
    above = f"Above 0: {labelled.positive}; below 0: {labelled.negative}. {learned}"
    return Texts(labelled.title, above, labelled.positive, labelled.negative)


def units_of(pack: Pack, directions: Path) -> dict[str, float]:
    """Norms by name of the directions that lie there, whatever generator they were made for."""
    cards = (json.loads(file.read_text()) for file in (directions / pack.name).glob("*.json"))
    return {card["name"]: card["norm"] for card in cards}


def finish(made: Direction, labelled: LabelledSet, unit: float | None, models: Models, directions: Path) -> Direction:
    """Store a direction again, with what its card cannot know of itself and the length of its predecessor.

    A generator that was taken up from another has nearly its w; with the old length a factor that people know keeps its
    meaning, however much more of the difference the new encoder sees.
    """
    ratio = 1.0 if unit is None else unit / made.card.norm
    record = {**made.card.training, "scaled": round(ratio, 4)}
    card = dataclasses.replace(made.card, moves=labelled.moves, training=record)
    vector = made.vector * np.float32(ratio)
    return save_direction(models.pack, vector, card, directions, preview_sheet(vector, models, Runtime()), made.relief)


def train_set(labelled: LabelledSet, pictures: Path, models: Models, directions: Path) -> list[Direction]:
    """Train a set's directions from `pictures`/<name>/<class>/ and store them below `directions`."""
    name = "-" if len(labelled.classes) > 2 else labelled.name
    found = open_pictures(pictures / labelled.name, [label for label, _ in labelled.classes])
    config = DirectionTrainingConfig(hold=labelled.hold, aligned=True)
    return train_directions(found, name, models, config, Runtime(), directions, texts_of(labelled), force=True)


def make_directions(pictures: Path, pack: Path | str, directions: Path, names: Sequence[str]) -> None:
    """Train the sets `names` for a pack; directions that were made for another generator are deleted first.

    A direction is as long as the one of its name was before, where there was one.
    """
    models = load_models(find_pack(pack), torch.device("cpu"))
    units = units_of(models.pack, directions)
    current = {card.name for card in list_directions(models.pack, (directions,))}
    for old in (directions / models.pack.name).glob("*.*"):
        if old.stem not in current:
            old.unlink()
    for name in sorted(names, key=lambda name: bool(ALL_SETS[name].hold)):  # what is held is made first
        began = time.monotonic()
        for trained in train_set(ALL_SETS[name], pictures, models, directions):
            made = finish(trained, ALL_SETS[name], units.get(trained.card.name), models, directions)
            record = made.card.training
            figures = f"AUC {record['auc']['value']:.3f}, norm {made.card.norm:.2f}, C {record['strength']:g}"
            print(f"{made.card.name:<24} {figures}, {time.monotonic() - began:.0f} s", flush=True)
    compare_all(models.pack, directions)


def compare_all(pack: Pack, root: Path) -> None:
    """Write into each card how its direction overlaps with all others; while training, only earlier ones were there."""
    for card in list_directions(pack, (root,)):
        found = load_direction(pack, card.name, (root,))
        record = {**card.training, **relations(found.vector, pack, {}, {card.name}, (root,))}
        first, second = record["classes"]
        record["warnings"] = warnings_of(record, (first, second))
        preview = direction_file(pack, card.name, root).with_suffix(".jpg").read_bytes()
        save_direction(pack, found.vector, dataclasses.replace(card, training=record), root, preview, found.relief)


def measure_parts(pictures: Path, pack: Path | str, directions: Path, names: Sequence[str]) -> None:
    """Write into the cards of the sets `names` which parts of the head differ between their pictures; print it all."""
    models = load_models(find_pack(pack), torch.device("cpu"))
    print(" ".join(f"{column:>8}" for column in PARTS))
    for labelled in (ALL_SETS[name] for name in names):
        found = open_pictures(pictures / labelled.name, [label for label, _ in labelled.classes])
        for pair in name_pairs(found.classes, "-" if len(found.classes) > 2 else labelled.name):
            entries = pair_entries(found.entries, (pair.first, pair.second), DirectionTrainingConfig().seed)
            changes = pictured_changes(entries, models, True, Runtime())
            old = load_direction(models.pack, pair.name, (directions,))
            record = {**old.card.training, "changes": changes}
            card = dataclasses.replace(old.card, parts=changed_parts(changes), training=record)
            preview = direction_file(models.pack, pair.name, directions).with_suffix(".jpg").read_bytes()
            relief = None
            if not is_expression(changes):
                relief = learn_relief(picture_pairs(entries, models.pack.resolution, True), models, Runtime())
            save_direction(models.pack, old.vector, card, directions, preview, relief)
            figures = " ".join(f"{changes.get(part, float('nan')):8.2f}" for part in PARTS)
            folds = "" if relief is None else f"; relief up to {np.abs(relief).max():.2f}"
            print(f"{figures}  {pair.name}: {', '.join(card.parts)}{folds}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--count", type=int, default=HEADS, help="heads a set")
    parser.add_argument("--sets", nargs="+", choices=list(ALL_SETS), default=[labelled.name for labelled in SETS])
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--directions", type=Path, default=Path("directions"))
    parser.add_argument("--parts-only", action="store_true", help="only measure which parts of the head change")
    options = parser.parse_args(argv)
    keep_freed_memory()
    if options.parts_only:
        render_labelled(options.makehuman, options.out, options.sets, min(options.count, PAIRS))
        measure_parts(options.out, options.pack, options.directions, options.sets)
        return
    render_labelled(options.makehuman, options.out, options.sets, options.count)
    make_directions(options.out, options.pack, options.directions, options.sets)


if __name__ == "__main__":
    main()
