"""Train the pack's reader from its parser (or from the reader it has) on pairs of renders.

    python -m recipes.train_reader --data PAIRS --out FOLDER [--minutes 45] [--pack assets/packs/heads-256] [--export]

PAIRS holds train/ and held_out/ as `recipes.render_pairs` writes them. Stopped at any time, the same command goes on
from the last checkpoint (at most four minutes old). `--export` trains nothing and writes the reader into the pack.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from recipes.training.export import CC0, write_weights
from recipes.training.loop import Phase, run_phase
from recipes.training.reader import PairShards, class_weights, evaluate_reader, reader_step
from stit_core.memory import keep_freed_memory
from stit_core.models.reader import CompactReader
from stit_core.runtime import pick_device

BATCH = 5  # pairs
RATE = 0.0018
AVERAGE = 0.995
ARCHITECTURE = "compact-reader"


def started(pack: Path) -> CompactReader:
    """A reader that has what fits of the pack's parser."""
    torch.manual_seed(0)
    reader = CompactReader()
    manifest = json.loads((pack / "pack.json").read_text())
    state: dict[str, Tensor] = {}
    for entry in manifest["parts"]["parser"]["files"]:
        state |= safetensors.torch.load_file(pack / entry["file"])
    own = reader.state_dict()
    fits = {
        key: value.to(own[key].dtype) for key, value in state.items() if key in own and own[key].shape == value.shape
    }
    reader.load_state_dict({**own, **fits})
    print(f"{len(fits)} of {len(own)} tensors from {pack}", flush=True)
    return reader


def reader_phase(
    reader: CompactReader, data: Path, minutes: float, seed: int, batch: int, device: torch.device
) -> Phase:
    """A phase that fits the reader."""
    train, held_out = PairShards(data / "train"), PairShards(data / "held_out")
    weights = class_weights(train).to(device)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=RATE, weight_decay=1e-4, fused=True)

    def step(number: int) -> dict[str, float]:
        if number % 100 == 0:
            train.refresh()
        return reader_step(reader, train, weights, batch, np.random.default_rng([seed, 41, number]), device)

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, CompactReader)
        return evaluate_reader(module, held_out, device)

    return Phase("reader", reader, optimiser, step, evaluate, minutes, average=AVERAGE)


def export(reader: CompactReader, pack: Path) -> None:
    """Write the reader into the pack as its parser."""
    manifest = json.loads((pack / "pack.json").read_text())
    files = write_weights(pack, "parser", reader)
    manifest["parts"]["parser"] = {"architecture": ARCHITECTURE, "arguments": {}, "files": files, "licence": CC0}
    (pack / "pack.json").write_text(json.dumps(manifest, indent=1) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--batch", type=int, default=BATCH, help="pairs a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pack", type=Path, default=Path("assets/packs/heads-256"))
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    keep_freed_memory()
    cv2.setNumThreads(1)
    if options.export:
        reader = CompactReader()
        reader.load_state_dict(torch.load(options.out / "reader.pt", weights_only=True, map_location="cpu")["averaged"])
        export(reader, options.pack)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    device = pick_device(options.device)
    reader, averaged = (started(options.pack).to(device=device) for _ in range(2))
    for module in (reader, averaged):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run_phase(
        reader_phase(reader, options.data, options.minutes, options.seed, options.batch, device), options.out, averaged
    )


if __name__ == "__main__":
    main()
