"""Train the networks of a pack on renders, coarse to fine, phase after phase.

    python -m recipes.train --data RENDERS --out FOLDER [--config recipes/heads-256.json] [--minutes M] [--device D]

RENDERS holds train/ and held_out/ as `recipes.render_dataset` writes them, and in pairs/ the same two as
`recipes.render_pairs` does. Pictures that are rendered meanwhile are taken in. Stopped at any time, the same command
goes on from the last checkpoint (about a minute old). `--minutes` scales all phases to that total. `--only` runs chosen
phases by number: several processes can then train independent networks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from recipes.heads.parameters import ATTRIBUTE_NAMES
from recipes.training.attributes import attribute_phase
from recipes.training.data import Shards
from recipes.training.encoder import encoder_phase
from recipes.training.factors import HeadGenerator
from recipes.training.generator import NAMING, generator_phase, naming_phase, new_generator, set_mean_w
from recipes.training.loop import Phase, load_phase, read_config, run_phase
from recipes.training.plan import scaled_phases, section_name
from recipes.training.reader import PairShards, as_trained, reader_phase
from stit_core.memory import keep_freed_memory
from stit_core.models.attributes import AttributeNet, FeaturePerceptual
from stit_core.models.compact import CompactEncoder, folded
from stit_core.models.reader import CompactReader
from stit_core.packs.manifest import MANIFEST
from stit_core.runtime import pick_device

# A network of the recipe, what a pack calls it, and where its tensors stand in the recipe's.
PACKED = (
    ("generator", "generator", "generator."),
    ("attributes", "attributes", ""),
    ("encoder", "encoder", ""),
    ("reader", "parser", ""),
)


class Recipe:
    """The networks of a pack in training, and the moving averages that are exported."""

    def __init__(self, config: dict[str, Any], data: Path, out: Path, device: torch.device) -> None:
        torch.manual_seed(config["seed"])
        self.config, self.data, self.out, self.device = config, data, out, device
        self.names_w = False  # whether w has to be named by known factors, which a pack's generator cannot do
        self.modules: dict[str, nn.Module] = {}
        self.averaged: dict[str, nn.Module] = {}
        generator = config["generator"]
        num_ws = new_generator(generator).generator.num_ws
        for store in (self.modules, self.averaged):
            store["generator"] = new_generator(generator)
            store["attributes"] = AttributeNet(len(ATTRIBUTE_NAMES))
            store["encoder"] = CompactEncoder(num_ws)
            store["reader"] = CompactReader()
            for module in store.values():
                module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @cached_property
    def train(self) -> Shards:
        """The renders to train on."""
        return Shards(self.data / "train")

    @cached_property
    def held_out(self) -> Shards:
        """The renders that no network learns from."""
        return Shards(self.data / "held_out")

    def start_from(self, folder: Path) -> None:
        """Begin with the networks of another training, or of a pack: every tensor that has the same name and shape.

        An older renderer's networks know heads already; only what reads or names other factors starts anew.
        """
        for kind, states in stored_networks(folder, self.config["phases"]):
            own = self.modules[kind].state_dict()
            fits = {key: value for key, value in states.items() if key in own and own[key].shape == value.shape}
            for store in (self.modules, self.averaged):
                store[kind].load_state_dict({**own, **fits})
            print(f"{kind}: {len(fits)} of {len(own)} tensors from {folder}", flush=True)
        self.names_w = (folder / MANIFEST).exists()

    def phase(self, section: dict[str, Any]) -> Phase:
        """The phase that a section of the config describes."""
        seed, kind = self.config["seed"], section["phase"]
        module: Any = self.modules[network_of(section)]
        if kind == "generator":
            net = self.averaged["attributes"]
            assert isinstance(net, AttributeNet)
            perceptual = FeaturePerceptual(folded(net).requires_grad_(False)) if section["perceptual"] > 0 else None
            made = generator_phase(module, perceptual, self.train, self.held_out, section, seed, self.device)
        elif kind in NAMING:
            made = naming_phase(module, self.held_out, section, seed, self.device)
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
            pairs, held_out = (PairShards(self.data / "pairs" / name) for name in ("train", "held_out"))
            made = reader_phase(module, pairs, held_out, section, seed, self.device)
        return made

    def run(self, sections: list[dict[str, Any]], only: list[int] | None) -> None:
        """Run the phases in order; those not in `only` are loaded if they have been trained.

        The phase "factors" is for what began with a pack.
        """
        for number, section in enumerate(sections):
            module, averaged = (store[network_of(section)] for store in (self.modules, self.averaged))
            skipped = section["phase"] == "factors" and not self.names_w
            if skipped or (only is not None and number not in only):
                load_phase(section_name(section), self.out, module, averaged)
                continue
            run_phase(self.phase(section), self.out, averaged)
            # Later phases of a network start from its average, which is the better one.
            module.load_state_dict(averaged.state_dict())


def network_of(section: dict[str, Any]) -> str:
    """The network that a section of the config trains."""
    kind: str = section["phase"]
    return "generator" if kind in NAMING else kind


def stored_networks(folder: Path, sections: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Networks by name with their tensors: of a training, phase after phase, or of a pack."""
    if (folder / MANIFEST).exists():
        parts = json.loads((folder / MANIFEST).read_text())["parts"]
        for kind, part, prefix in PACKED:
            state: dict[str, Tensor] = {}
            for entry in parts[part]["files"]:
                state |= safetensors.torch.load_file(folder / entry["file"])
            if kind == "reader":
                state = {**state, "classify.bias": as_trained(state["classify.bias"].float())}
            yield kind, {prefix + key: value for key, value in state.items()}
        return
    for section in sections:
        path = folder / f"{section_name(section)}.pt"
        if path.exists():
            yield network_of(section), torch.load(path, weights_only=True, map_location="cpu")["averaged"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("heads-256.json"))
    parser.add_argument("--minutes", type=float, help="scale all phases to this total")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the phases to train, from 0")
    parser.add_argument("--start", type=Path, help="begin with the networks of this training or pack")
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
