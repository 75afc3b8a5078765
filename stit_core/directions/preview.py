"""The preview sheet of a direction: a few of the generator's own heads at five factors. Source: ours."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from stit_core.images import to_picture
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime

FACTORS = (-3.0, -1.5, 0.0, 1.5, 3.0)
SEEDS = (10, 16, 6)  # of the heads: in heads-256 three of different groups, frontal, the mouth nearly shut
SIDE = 192  # pixels of a head
LABEL_HEIGHT = 20  # pixels
TRUNCATION = 0.7
QUALITY = 85  # of the JPEG


def preview_sheet(vector: np.ndarray, models: Models, runtime: Runtime) -> bytes:
    """A JPEG with a row a head and a column a factor, the factors written above.

    Parameters
    ----------
    vector: (L, 512) direction.
    runtime: its device is the models'.
    """
    generator = models.generator
    offset = torch.from_numpy(np.ascontiguousarray(vector)).to(runtime.device)
    rows = []
    for seed in SEEDS:
        z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(runtime.device)
        with torch.inference_mode():
            base = generator.mapping(z, TRUNCATION)
            heads = [to_picture(generator.synthesis(base + factor * offset).float())[0] for factor in FACTORS]
        rows.append(np.concatenate([np.asarray(Image.fromarray(h).resize((SIDE, SIDE))) for h in heads], axis=1))
    sheet = np.concatenate([np.full((LABEL_HEIGHT, SIDE * len(FACTORS), 3), 255, np.uint8), *rows])
    image = Image.fromarray(sheet)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for column, factor in enumerate(FACTORS):
        middle = ((column + 0.5) * SIDE, LABEL_HEIGHT / 2)
        pen.text(middle, f"{factor:+g}" if factor else "0", fill=(40, 40, 40), font=font, anchor="mm")
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=QUALITY)
    return out.getvalue()
