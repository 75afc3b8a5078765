"""Measure a pack on held-out renders.

    python -m benchmarks.pack --data RENDERS/held_out [--pack heads-256] [--count 200] [--sheet docs/inversions.jpg]

Prints one JSON object: PSNR and LPIPS (the pack's own perceptual network) of encoder-only inversions inside the face,
dlib's landmarks on inversion against source in per cent of the distance of the eyes, identity cosine (dlib's network),
the parser's mean IoU, and seconds of a forward pass. The sheet shows source | encoder pairs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import dlib
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from recipes.training.data import FACE_CLASSES, Shards, class_mask, face_psnr
from recipes.training.parser import mean_iou
from stit_core.images import to_picture
from stit_core.landmarks import predictor_file
from stit_core.memory import keep_freed_memory
from stit_core.packs import Models, find_pack, load_models

BATCH = 16
MARGIN = 64  # pixels of frame around a picture, which helps dlib's detector
EYES = (slice(36, 42), slice(42, 48))
INNER = slice(17, 68)  # without the contour, which dlib places loosely


def landmarks(picture: np.ndarray, detector: object, predictor: object) -> np.ndarray | None:
    """dlib's 68 points (68, 2) on a picture, None where no face is found."""
    framed = np.pad(picture, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
    boxes = detector(framed, 1)  # type: ignore[operator]
    if not boxes:
        return None
    shape = predictor(framed, boxes[0])  # type: ignore[operator]
    return np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)], np.float64)


def landmark_error(source: np.ndarray | None, other: np.ndarray | None) -> float:
    """Mean distance of the inner points in per cent of the eyes' distance; NaN where a face was not found."""
    if source is None or other is None:
        return float("nan")
    eyes = np.linalg.norm(source[EYES[0]].mean(0) - source[EYES[1]].mean(0))
    return float(100 * np.linalg.norm(source[INNER] - other[INNER], axis=1).mean() / eyes)


def face_lpips(models: Models, images: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """Perceptual distance (B,) with everything but the face taken from the target."""
    mask = class_mask(labels, FACE_CLASSES)
    distance: Tensor = models.perceptual(images * mask + targets * (1 - mask), targets)
    return distance


@torch.inference_mode()
def measure(models: Models, held_out: Shards, count: int, sheet: Path | None) -> dict[str, float]:
    """All figures over the first `count` renders."""
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(predictor_file()))
    device = torch.device("cpu")
    found: dict[str, list[float]] = {"psnr": [], "lpips": [], "landmark_error": [], "id_cosine": []}
    rows: list[np.ndarray] = []
    for first in range(0, count, BATCH):
        batch = held_out.batch(np.arange(first, min(first + BATCH, count)), models.generator.resolution, device)
        images = models.generator.synthesis(models.encoder.encode(batch.images)).clamp(-1, 1)
        found["psnr"] += face_psnr(images, batch.images, batch.labels).tolist()
        found["lpips"] += face_lpips(models, images, batch.images, batch.labels).tolist()
        cosine = (models.identity.embed(images) * models.identity.embed(batch.images)).sum(1)
        found["id_cosine"] += cosine.tolist()
        pairs = list(zip(to_picture(batch.images), to_picture(images), strict=True))
        for source, other in pairs:
            error = landmark_error(landmarks(source, detector, predictor), landmarks(other, detector, predictor))
            found["landmark_error"].append(error)
        if len(rows) < 4:
            rows.append(np.concatenate([part for pair in pairs[:4] for part in pair], axis=1))
    if sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(rows)).save(sheet, quality=88)
    result = {name: float(np.nanmean(values)) for name, values in found.items()}
    result["landmarks_not_found"] = float(np.isnan(found["landmark_error"]).sum())
    return result


@torch.inference_mode()
def forward_seconds(models: Models, runs: int = 20) -> float:
    """Median seconds of one forward pass of the generator for one picture."""
    w_plus = models.generator.mapping(torch.zeros(1, models.generator.z_dim) + 0.1)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        models.generator.synthesis(w_plus)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    models = load_models(find_pack(arguments.pack), torch.device("cpu"))
    held_out = Shards(arguments.data)
    result = measure(models, held_out, min(arguments.count, len(held_out)), arguments.sheet)
    result.update(mean_iou(models.parser, held_out, 256, torch.device("cpu")))
    result["forward_seconds"] = forward_seconds(models)
    print(json.dumps({name: round(value, 4) for name, value in result.items()}))


if __name__ == "__main__":
    main()
