"""Draw what every direction of a pack does.

    python -m benchmarks.directions [--pack heads-256] [--seeds 3 8] [--factors -4 -2 0 2 4] [--out docs/directions.jpg]

One row a direction, in the order of `directions list`; for each seed the same random head at every factor.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from stit_core.directions import list_directions, load_direction
from stit_core.images import to_picture
from stit_core.packs import find_pack, load_models

TRUNCATION = 0.7
CELL = 128  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 8])
    parser.add_argument("--factors", type=float, nargs="+", default=[-4, -2, 0, 2, 4])
    parser.add_argument("--out", type=Path, default=Path("docs/directions.jpg"))
    arguments = parser.parse_args()
    pack = find_pack(arguments.pack)
    generator = load_models(pack, torch.device("cpu")).generator
    rows = []
    for card in list_directions(pack):
        vector = torch.from_numpy(load_direction(pack, card.name).vector)
        cells = []
        for seed in arguments.seeds:
            z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed))
            w_plus = generator.mapping(z, TRUNCATION)
            moved = torch.cat([w_plus + factor * vector for factor in arguments.factors])
            with torch.inference_mode():
                cells += list(to_picture(generator.synthesis(moved)))
        row = Image.fromarray(np.concatenate(cells, axis=1)).resize((CELL * len(cells), CELL))
        ImageDraw.Draw(row).text((4, 4), card.name, fill="white", stroke_width=1, stroke_fill="black")
        rows.append(np.asarray(row))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(arguments.out, quality=88)


if __name__ == "__main__":
    main()
