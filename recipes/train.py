"""Train the networks of a pack on renders, coarse to fine, phase after phase.

    python -m recipes.train --data RENDERS --out FOLDER [--config recipes/heads-256.json] [--minutes M] [--device D]

RENDERS holds train/ and held_out/ as `recipes.render_dataset` writes them. Stopped at any time, the same command goes
on from the last checkpoint (at most four minutes old). `--minutes` scales all phases to that total. `--only` runs
chosen phases by number: several processes can then train independent networks.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recipes.training.attributes import attribute_phase
from recipes.training.data import Shards
from recipes.training.encoder import encoder_phase
from recipes.training.factors import HeadGenerator
from recipes.training.generator import generator_phase, mapping_phase, new_generator, set_mean_w
from recipes.training.loop import Phase, read_config, run_phase
from recipes.training.parser import parser_phase
from recipes.training.plan import scaled_phases
from stit_core.memory import keep_freed_memory
from stit_core.models.attributes import AttributeNet, FeaturePerceptual
from stit_core.models.compact import CompactEncoder, CompactParser, folded
from stit_core.runtime import pick_device


class Recipe:
    """The networks of a pack in training, and the moving averages that are exported."""

    def __init__(self, config: dict[str, Any], data: Path, out: Path, device: torch.device) -> None:
        torch.manual_seed(config["seed"])
        self.config, self.out, self.device = config, out, device
        self.train, self.held_out = Shards(data / "train"), Shards(data / "held_out")
        self.modules: dict[str, nn.Module] = {}
        self.averaged: dict[str, nn.Module] = {}
        generator = config["generator"]
        num_ws = new_generator(generator).generator.num_ws
        num_attributes = self.train.attributes.shape[1]
        for store in (self.modules, self.averaged):
            store["generator"] = new_generator(generator)
            store["attributes"] = AttributeNet(num_attributes)
            store["encoder"] = CompactEncoder(num_ws)
            store["parser"] = CompactParser()
            for module in store.values():
                module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start_from(self, folder: Path) -> None:
        """Begin with the networks of another training: every tensor that has the same name and shape here.

        An older renderer's networks know heads already; only what reads or names other factors starts anew.
        """
        for section in self.config["phases"]:
            path = folder / f"{section['name']}.pt"
            kind = "generator" if section["phase"] == "mapping" else section["phase"]
            if path.exists():
                state = torch.load(path, weights_only=True, map_location=self.device)["averaged"]
                own = self.modules[kind].state_dict()
                fits = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
                self.modules[kind].load_state_dict({**own, **fits})
                print(f"{kind}: {len(fits)} of {len(own)} tensors from {path.name}", flush=True)

    def phase(self, section: dict[str, Any]) -> tuple[str, Phase]:
        """The network and the phase that a section of the config describes."""
        seed, kind = self.config["seed"], section["phase"]
        module: Any = self.modules["generator" if kind == "mapping" else kind]
        if kind == "generator":
            net = self.averaged["attributes"]
            assert isinstance(net, AttributeNet)
            perceptual = FeaturePerceptual(folded(net).requires_grad_(False)) if section["perceptual"] > 0 else None
            made = generator_phase(module, perceptual, self.train, self.held_out, section, seed, self.device)
        elif kind == "mapping":
            made = mapping_phase(module, self.held_out, section, seed, self.device)
        elif kind == "attributes":
            made = attribute_phase(module, self.train, self.held_out, section, seed, self.device)
        elif kind == "encoder":
            heads = self.averaged["generator"]
            assert isinstance(heads, HeadGenerator)
            w_std = set_mean_w(heads.generator.eval().requires_grad_(False), seed)
            if section["name"] == "encoder_latent":
                module.w_avg.copy_(heads.generator.w_avg)
            made = encoder_phase(
                section["name"], module, heads, w_std, self.train, self.held_out, section, seed, self.device
            )
        else:
            made = parser_phase(module, self.train, self.held_out, section, seed, self.device)
        return "generator" if kind == "mapping" else kind, made

    def run(self, sections: list[dict[str, Any]], only: list[int] | None) -> None:
        """Run the phases in order; those not in `only` are loaded if they have been trained."""
        for number, section in enumerate(sections):
            kind, phase = self.phase(section)
            skip = only is not None and number not in only
            run_phase(phase, self.out, self.averaged[kind], resume_only=skip)
            # Later phases of a network start from its average, which is the better one.
            self.modules[kind].load_state_dict(self.averaged[kind].state_dict())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("heads-256.json"))
    parser.add_argument("--minutes", type=float, help="scale all phases to this total")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the phases to train, from 0")
    parser.add_argument("--start", type=Path, help="begin with the networks of this other training folder")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    config: dict[str, Any] = read_config(arguments.config)
    sections = scaled_phases(config["phases"], arguments.minutes)
    arguments.out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(config, arguments.data, arguments.out, pick_device(arguments.device))
    if arguments.start:
        recipe.start_from(arguments.start)
    recipe.run(sections, arguments.only)


if __name__ == "__main__":
    main()
