"""A sheet of inversions: source | encoder | tuned, each picture tuned alone as the preset tunes a clip."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from stit_core.artefacts import Alignment, FrameFolder
from stit_core.config import RunConfig
from stit_core.fitting.optimising import own_copy
from stit_core.images import to_picture
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime
from stit_core.stages.inversion import invert
from stit_core.stages.tuning import tune

PARTS = ("source", "encoder", "tuned")
TRIPLES_A_ROW = 2
CAPTION = 22  # pixels under a triple
GAP = 8  # pixels around triples
FONT_SIZE = 13  # pixels
INK, PAPER = (30, 30, 30), (255, 255, 255)


def invert_and_tune(models: Models, picture: np.ndarray, config: RunConfig, runtime: Runtime) -> list[np.ndarray]:
    """What the encoder and the tuned generator make of a picture (R, R, 3) uint8: two like it."""
    size = picture.shape[0]
    quad = np.array([[[0, 0], [0, size], [size, size], [size, 0]]], np.float64)  # the whole picture
    with tempfile.TemporaryDirectory() as scratch:
        crops = FrameFolder(Path(scratch) / "crops", (0,))
        crops.write(0, picture)
        alignment = Alignment("picture", (0,), quad, crops, size)
        pivot = invert(alignment, models.encoder, config.inversion, runtime, Path(scratch))
        tuned = tune(alignment, pivot, models.generator, models.perceptual, config.tuning, runtime, Path(scratch))
    net = own_copy(models.generator, runtime.device, tuned.state)
    with torch.inference_mode():
        encoded = models.generator.synthesis(pivot.w_plus.to(runtime.device))
        fitted = net.synthesis(tuned.w_plus.to(runtime.device))
    return [to_picture(encoded)[0], to_picture(fitted)[0]]


def decibels(picture: np.ndarray, source: np.ndarray) -> float:
    """PSNR of two uint8 pictures of one shape."""
    error = float(np.square(picture.astype(np.float64) - source).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-3)))


def caption(words: str, triple: Sequence[np.ndarray]) -> str:
    """`words` and the PSNR of encoder and tuned picture against the source."""
    first, second = (decibels(picture, triple[0]) for picture in triple[1:])
    return f"{words}: encoder {first:.1f} dB, tuned {second:.1f} dB"


def draw_sheet(triples: Sequence[Sequence[np.ndarray]], captions: Sequence[str]) -> Image.Image:
    """Triples of pictures (R, R, 3) with a line of text under each, TRIPLES_A_ROW beside each other."""
    size = triples[0][0].shape[0]
    cell = (size * len(PARTS) + GAP, size + CAPTION)
    rows = -(-len(triples) // TRIPLES_A_ROW)
    sheet = Image.new("RGB", (cell[0] * TRIPLES_A_ROW + GAP, cell[1] * rows + CAPTION), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for column in range(TRIPLES_A_ROW):
        for number, part in enumerate(PARTS):
            x = GAP + column * cell[0] + (number + 0.5) * size
            draw.text((x, CAPTION / 2), part, INK, font, anchor="mm")
    for number, (triple, text) in enumerate(zip(triples, captions, strict=True)):
        x, y = GAP + number % TRIPLES_A_ROW * cell[0], CAPTION + number // TRIPLES_A_ROW * cell[1]
        sheet.paste(Image.fromarray(np.concatenate(list(triple), axis=1)), (x, y))
        draw.text((x, y + size + CAPTION / 2), text, INK, font, anchor="lm")
    return sheet
