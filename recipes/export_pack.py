"""Write the pack from a training folder; `recipes.make_directions` then makes its directions.

python -m recipes.export_pack --data RENDERS --out FOLDER [--pack assets/packs/heads-256]
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
from recipes.training.loop import read_config
from recipes.training.reader import for_use


def export(config: dict[str, Any], data: Path, training: Path, folder: Path, start: Path | None = None) -> None:
    """Write pack and sheet of samples.

    Arguments: data, the renders; training, the folder that recipes.train wrote; start, the training or pack that it
    began with, whose networks serve where none was trained.
    """
    recipe = Recipe(config, data, training, torch.device("cpu"))
    if start:
        recipe.start_from(start)
    recipe.run(config["phases"], only=[])
    for module in recipe.averaged.values():
        module.eval()
    networks: dict[str, Any] = dict(recipe.averaged)
    networks["generator"] = networks["generator"].generator
    networks["parser"] = for_use(networks.pop("reader"))
    set_mean_w(networks["generator"], config["seed"])
    write_pack(folder, networks, ATTRIBUTE_NAMES, config["manifest"])
    write_samples(networks["generator"], folder / "samples.jpg", config["seed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the folder that recipes.train wrote")
    parser.add_argument("--start", type=Path, help="the training or pack that the training began with")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("heads-256.json"))
    parser.add_argument("--pack", type=Path, default=Path("assets/packs/heads-256"))
    arguments = parser.parse_args()
    config: dict[str, Any] = read_config(arguments.config)
    export(config, arguments.data, arguments.out, arguments.pack, arguments.start)


if __name__ == "__main__":
    main()
