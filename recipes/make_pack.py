"""Make a pack from nothing: render, train, export, make its directions, draw the curves.

    python -m recipes.make_pack --makehuman DATA --out WORK [--config recipes/heads-256.json] [--minutes M] [--count N]
                                [--device D] [--start FOLDER] [--pack assets/packs/heads-256] [--directions directions]

Prints its plan first. Stopped at any point, the same command goes on: finished shards are kept, training goes on from
its last checkpoint, and the export is short. WORK then holds renders/ (pairs for the reader in renders/pairs),
labelled/ (the pictures that the directions were learned from), training/ and the curves, training.jpg.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes import render_pairs
from recipes.export_pack import export
from recipes.labels import SETS
from recipes.make_directions import HEADS, make_directions
from recipes.render_dataset import SHARD, render_dataset
from recipes.render_labelled import render_labelled
from recipes.train import Recipe
from recipes.training.loop import read_config
from recipes.training.plan import Sections, phase_table, render_words, scaled_phases, section_name
from recipes.training.plots import write_plots
from stit_core.memory import keep_freed_memory
from stit_core.runtime import cores, pick_device

# Where the config does not say otherwise; --count overrides the first.
PICTURES = 12_000  # "pictures": to train on
HELD_OUT = 500  # "held_out": never trained on
PAIRS, HELD_OUT_PAIRS = 3_200, 100  # "pairs", "held_out_pairs": for the reader


def missing_pictures(folder: Path, count: int, shard: int = SHARD) -> int:
    """How many of `count` pictures, or pairs, lie in shards that are not finished."""
    starts = range(0, count, shard)
    return sum(min(shard, count - first) for n, first in enumerate(starts) if not (folder / f"shard_{n:05d}").exists())


def render(makehuman: Path, folder: Path, count: int, seed: int, size: int) -> float | None:
    """Render what is missing of `count` pictures on all cores; returns seconds a picture, None if none was missing."""
    missing = missing_pictures(folder, count)
    if not missing:
        return None
    for scratch in folder.glob("shard_*.part*"):  # what a stop left behind
        shutil.rmtree(scratch)
    began = time.monotonic()
    render_dataset(makehuman, folder, count, seed, size, cores())
    return (time.monotonic() - began) / missing


def render_all(makehuman: Path, renders: Path, counts: dict[str, int], config: dict[str, Any]) -> None:
    """Render held-out pictures, say how long the training pictures will take, and render those."""
    seed, size = config["seed"], config["generator"]["resolution"]
    # Held-out pictures come from a seed that no training picture has; the default seed gives the streams 0 and 1.
    speed = render(makehuman, renders / "held_out", counts["held_out"], 2 * seed + 1, size)
    train = renders / "train"
    print("training pictures: " + render_words(missing_pictures(train, counts["train"]), speed), flush=True)
    speed = render(makehuman, train, counts["train"], 2 * seed, size)
    if speed is not None:
        print(f"rendered {1 / speed:.1f} pictures a second", flush=True)
    for name, pair_seed in (("held_out", render_pairs.HELD_OUT_SEED), ("train", render_pairs.SEED)):
        folder = renders / "pairs" / name
        render_pairs.render_pairs(makehuman, folder, counts[f"{name} pairs"], pair_seed, size, cores())


def print_plan(renders: Path, counts: dict[str, int], sections: Sections, device: object) -> None:
    """Say what will be done."""
    for name, number in counts.items():
        which, _, paired = name.partition(" ")
        folder = renders / paired / which
        missing = missing_pictures(folder, number, render_pairs.SHARD if paired else SHARD)
        print(f"{folder}: {number:,} {paired or 'pictures'}; {render_words(missing, None)}")
    print(f"{cores()} cores render, {device} trains.\n\n{phase_table(sections)}\n", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for renders, checkpoints and curves")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("heads-256.json"))
    parser.add_argument("--minutes", type=float, help="scale all phases to this total")
    parser.add_argument("--count", type=int, help="training pictures")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--start", type=Path, help="begin with the networks of this training or pack")
    parser.add_argument("--pack", type=Path, default=Path("assets/packs/heads-256"))
    parser.add_argument("--directions", type=Path, default=Path("directions"))
    arguments = parser.parse_args(argv)
    keep_freed_memory()
    config: dict[str, Any] = read_config(arguments.config)
    sections = scaled_phases(config["phases"], arguments.minutes)
    counts = {
        "held_out": config.get("held_out", HELD_OUT),
        "train": arguments.count or config.get("pictures", PICTURES),
        "held_out pairs": config.get("held_out_pairs", HELD_OUT_PAIRS),
        "train pairs": config.get("pairs", PAIRS),
    }
    device = pick_device(arguments.device)
    renders, training = arguments.out / "renders", arguments.out / "training"
    training.mkdir(parents=True, exist_ok=True)
    print_plan(renders, counts, sections, device)
    render_all(arguments.makehuman, renders, counts, config)
    recipe = Recipe(config, renders, training, device)
    if arguments.start:
        recipe.start_from(arguments.start)
    recipe.run(sections, None)
    export(config, renders, training, arguments.pack, arguments.start)
    wanted = config.get("directions", {})
    names, heads = wanted.get("sets", [labelled.name for labelled in SETS]), wanted.get("heads", HEADS)
    render_labelled(arguments.makehuman, arguments.out / "labelled", names, heads, workers=cores())
    make_directions(arguments.out / "labelled", arguments.pack, arguments.directions, names)
    write_plots(training, arguments.out / "training.jpg", [section_name(section) for section in sections])
    print(f"The pack lies in {arguments.pack}, its curves in {arguments.out / 'training.jpg'}.", flush=True)


if __name__ == "__main__":
    main()
