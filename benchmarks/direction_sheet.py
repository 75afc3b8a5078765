"""A sheet of every direction at several factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from stit_core.images import to_picture
from stit_core.models.generator import Generator

TRUNCATION = 0.7
CELL = 128  # pixels
HEADER = 20  # pixels
FONT_SIZE = 13  # pixels
INK, PAPER = (30, 30, 30), (255, 255, 255)


@torch.inference_mode()
def draw_directions(
    generator: Generator, vectors: Mapping[str, np.ndarray], seeds: Sequence[int], factors: Sequence[float]
) -> Image.Image:
    """One row for each direction (L, 512), its name in the corner; for each seed a random head at every factor."""
    heads = []
    for seed in seeds:
        z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed))
        heads.append(generator.mapping(z, TRUNCATION))
    sheet = Image.new("RGB", (CELL * len(seeds) * len(factors), HEADER + CELL * len(vectors)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for column, factor in enumerate(list(factors) * len(seeds)):
        draw.text(((column + 0.5) * CELL, HEADER / 2), f"{factor:+g}" if factor else "0", INK, font, anchor="mm")
    for number, (name, vector) in enumerate(vectors.items()):
        top, cells = HEADER + number * CELL, []
        for head in heads:
            moved = torch.cat([head + factor * torch.from_numpy(vector) for factor in factors])
            cells += list(to_picture(generator.synthesis(moved)))
        row = Image.fromarray(np.concatenate(cells, axis=1)).resize((CELL * len(cells), CELL))
        sheet.paste(row, (0, top))
        draw.text((4, top + 4), name, "white", font, stroke_width=1, stroke_fill="black")
    return sheet
