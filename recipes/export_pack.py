"""Write the pack and its directions from a training folder.

python -m recipes.export_pack --data RENDERS --out FOLDER [--pack assets/packs/heads-256] [--directions directions]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from recipes.heads.parameters import ATTRIBUTE_NAMES
from recipes.train import Recipe
from recipes.training.export import write_pack, write_samples
from recipes.training.generator import set_mean_w
from recipes.training.known_directions import write_directions
from recipes.training.loop import read_config
from stit_core.packs import find_pack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the folder that recipes.train wrote")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("heads-256.json"))
    parser.add_argument("--pack", type=Path, default=Path("assets/packs/heads-256"))
    parser.add_argument("--directions", type=Path, default=Path("directions"))
    arguments = parser.parse_args()
    config: dict[str, Any] = read_config(arguments.config)
    recipe = Recipe(config, arguments.data, arguments.out, torch.device("cpu"))
    recipe.run(config["phases"], only=[])
    for module in recipe.averaged.values():
        module.eval()
    networks: dict[str, Any] = dict(recipe.averaged)
    networks["generator"] = networks["generator"].generator
    set_mean_w(networks["generator"], config["seed"])
    write_pack(arguments.pack, networks, ATTRIBUTE_NAMES, config["manifest"])
    write_samples(networks["generator"], arguments.pack / "samples.jpg", config["seed"])
    pack = find_pack(arguments.pack)
    write_directions(pack, networks["generator"], recipe.train.latents, recipe.train.attributes, arguments.directions)


if __name__ == "__main__":
    main()
