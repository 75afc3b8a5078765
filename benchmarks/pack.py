"""Measure a pack on held-out renders.

    python -m benchmarks.pack --data RENDERS/held_out [--pack heads-256] [--count 500] [--json FILE]
                              [--sheet docs/inversions.jpg]

Prints Markdown tables: inside the face, PSNR and LPIPS (the pack's own perceptual network) of encoder-only inversions
and PSNR of the generator alone, from the renders' own latents; dlib's landmarks on the inversion against the source in
per cent of the distance of the eyes; identity cosine (dlib's network); the same by group; the parser's IoU; seconds of
a forward pass. The sheet shows source | encoder | tuned for pictures spread over all groups.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.groups import choose_evenly, compare_groups, group_indices, group_table, mean
from benchmarks.inversions import caption, draw_sheet, invert_and_tune
from recipes.heads.parameters import ATTRIBUTE_NAMES
from recipes.training.data import FACE_CLASSES, Batch, Shards, class_mask, face_psnr
from stit_core.config import RunConfig, preset
from stit_core.faces.reading import landmark_predictor
from stit_core.images import to_picture
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.runtime import Runtime, pick_device, pick_dtype

BATCH = 16
MARGIN = 64  # pixels of frame around a picture, which helps dlib's detector
EYES = (slice(36, 42), slice(42, 48))
INNER = slice(17, 68)  # without the contour, which dlib places loosely
SHEET_PICTURES = 12
# Loaded at once: what is loaded under inference mode cannot be tuned with.
MEASURED_PARTS = ("generator", "encoder", "parser", "perceptual", "identity")
CLASSES = (
    "background",
    "skin",
    "left brow",
    "right brow",
    "left eye",
    "right eye",
    "glasses",
    "left ear",
    "right ear",
    "earring",
    "nose",
    "mouth",
    "upper lip",
    "lower lip",
    "neck",
    "necklace",
    "cloth",
    "hair",
    "hat",
)
TITLES = {
    "psnr": "encoder: PSNR over the face, dB",
    "lpips": "encoder: LPIPS over the face",
    "landmark_error": "encoder: landmark error, % of the distance of the eyes",
    "landmark_error_median": "the same, median",
    "id_cosine": "encoder: identity cosine",
    "landmarks_not_found": "renders or inversions without a face for dlib",
    "latent_psnr": "generator from the latent: PSNR over the face, dB",
    "miou": "parser: mean IoU over the classes that occur",
    "forward_seconds": "forward pass of the generator, seconds",
}


@dataclass
class Measured:
    """Figures of each render (N,), and pixels by true and found class (19, 19)."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((len(CLASSES), len(CLASSES)), np.int64))

    def add(self, name: str, values: Tensor) -> None:
        """Append the values (B,) of a figure."""
        self.figures.setdefault(name, []).extend(values.tolist())

    def array(self, name: str) -> np.ndarray:
        """All values (N,) of a figure."""
        return np.array(self.figures[name])


class FacePoints:
    """dlib's detector and 68 landmarks."""

    def __init__(self) -> None:
        self.detector = dlib.get_frontal_face_detector()
        self.predictor = landmark_predictor()

    def find(self, picture: np.ndarray) -> np.ndarray | None:
        """The points (68, 2) on a picture, None where no face is found."""
        framed = np.pad(picture, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
        boxes = self.detector(framed, 1)
        if not boxes:
            return None
        shape = self.predictor(framed, boxes[0])
        return np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)], np.float64)

    def errors(self, sources: np.ndarray, others: np.ndarray) -> Tensor:
        """`landmark_error` of pictures (B, R, R, 3) uint8, (B,)."""
        pairs = zip(sources, others, strict=True)
        return torch.tensor([landmark_error(self.find(source), self.find(other)) for source, other in pairs])


def landmark_error(source: np.ndarray | None, other: np.ndarray | None) -> float:
    """Mean distance of the inner points in per cent of the eyes' distance; NaN where a face was not found."""
    if source is None or other is None:
        return float("nan")
    eyes = np.linalg.norm(source[EYES[0]].mean(0) - source[EYES[1]].mean(0))
    return float(100 * np.linalg.norm(source[INNER] - other[INNER], axis=1).mean() / eyes)


def face_lpips(models: Models, images: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """Perceptual distance (B,) with everything but the face taken from the target."""
    mask = class_mask(labels, FACE_CLASSES)
    net, seen = models.perceptual, images * mask + targets * (1 - mask)
    return net.distance(net.features(seen), net.features(targets))


@torch.inference_mode()
def measure(models: Models, held_out: Shards, count: int) -> Measured:
    """All figures of the first `count` renders."""
    points, measured = FacePoints(), Measured()
    for first in range(0, count, BATCH):
        rows = np.arange(first, min(first + BATCH, count))
        batch = held_out.batch(rows, models.generator.resolution, models.device)
        images = models.generator.synthesis(models.encoder.encode(batch.images)).clamp(-1, 1)
        measured.add("psnr", face_psnr(images, batch.images, batch.labels))
        measured.add("lpips", face_lpips(models, images, batch.images, batch.labels))
        cosine = (models.identity.embed(images) * models.identity.embed(batch.images)).sum(1)
        measured.add("id_cosine", cosine)
        measured.add("landmark_error", points.errors(to_picture(batch.images), to_picture(images)))
        drawn = models.generator.synthesis(models.generator.mapping(batch.latents)).clamp(-1, 1)
        measured.add("latent_psnr", face_psnr(drawn, batch.images, batch.labels))
        measured.confusion += confusion(models, batch)
        print(f"\r{rows[-1] + 1}/{count} renders", end="", file=sys.stderr, flush=True)
    return measured


def confusion(models: Models, batch: Batch) -> np.ndarray:
    """Pixels by true class (rows) and the parser's (columns), (19, 19), at the labels' size."""
    logits = F.interpolate(models.parser.parse(batch.images), size=batch.labels.shape[-2:], mode="bilinear")
    pairs = batch.labels * len(CLASSES) + logits.argmax(1)
    return torch.bincount(pairs.flatten(), minlength=len(CLASSES) ** 2).cpu().numpy().reshape(len(CLASSES), -1)


def class_iou(pixels: np.ndarray) -> dict[str, float]:
    """IoU of each class that occurs in the labels, from a confusion matrix (19, 19)."""
    both, truth, found = np.diag(pixels), pixels.sum(1), pixels.sum(0)
    return {name: float(both[k] / (truth + found - both)[k]) for k, name in enumerate(CLASSES) if truth[k]}


@torch.inference_mode()
def forward_seconds(models: Models, runs: int = 20) -> float:
    """Median seconds of one forward pass of the generator for one picture."""
    w_plus = models.generator.mapping(torch.zeros(1, models.generator.z_dim, device=models.device) + 0.1)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        models.generator.synthesis(w_plus).cpu()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def attribute_names(pack: Pack, held_out: Shards) -> tuple[str, ...]:
    """Names of the renders' attributes: the pack's own, which is right for older renders, or the renderer's."""
    count = held_out.attributes.shape[1]
    for file in (folder / "attributes.json" for folder in pack.folders):
        if file.is_file() and len(names := json.loads(file.read_text())) == count:
            return tuple(names)
    if len(ATTRIBUTE_NAMES) != count:
        raise SystemExit(f"The renders have {count} attributes, the renderer names {len(ATTRIBUTE_NAMES)}.")
    return ATTRIBUTE_NAMES


def summarise(models: Models, measured: Measured, groupings: dict[str, Any]) -> dict[str, Any]:
    """Everything as one JSON object."""
    iou = class_iou(measured.confusion)
    never = [name for name in CLASSES if name not in iou]
    found = {name: measured.array(name) for name in measured.figures}
    return {
        "pack": models.pack.name,
        "renders": len(found["psnr"]),
        **{name: mean(values) for name, values in found.items()},
        "landmark_error_median": float(np.nanmedian(found["landmark_error"])),
        "landmarks_not_found": int(np.isnan(found["landmark_error"]).sum()),
        "miou": float(np.mean(list(iou.values()))),
        "forward_seconds": forward_seconds(models),
        "groups": compare_groups(found, groupings),
        "iou": iou,
        "classes_that_never_occur": never,
    }


def markdown(result: dict[str, Any]) -> str:
    """The result as tables for a page."""
    lines = [f"{result['pack']}, {result['renders']} held-out renders.", "", "| what | value |", "| --- | --- |"]
    lines += [f"| {title} | {result[name]:.4g} |" for name, title in TITLES.items()]
    lines += ["", group_table(result["groups"]), "", "| class | IoU |", "| --- | --- |"]
    lines += [f"| {name} | {value:.3f} |" for name, value in result["iou"].items()]
    never = ", ".join(result["classes_that_never_occur"])
    return "\n".join([*lines, "", f"Classes that never occur: {never or 'none'}."])


def write_sheet(models: Models, held_out: Shards, groupings: dict[str, Any], path: Path, config: RunConfig) -> None:
    """source | encoder | tuned of SHEET_PICTURES renders spread over all groups."""
    runtime = Runtime(device=models.device, dtype=pick_dtype(config.preset, models.device))
    triples, captions = [], []
    for row in choose_evenly(groupings, SHEET_PICTURES):
        images = held_out.batch(np.array([row]), models.generator.resolution, models.device).images
        source = to_picture(images)[0]
        triples.append([source, *invert_and_tune(models, source, config, runtime)])
        words = ", ".join(names[member[row]] for names, member in groupings.values())
        captions.append(caption(words, triples[-1]))
        print(captions[-1], file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(triples, captions).save(path, quality=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--sheet", type=Path, help="picture file for source | encoder | tuned")
    parser.add_argument("--preset", default="balanced", help="how the sheet's pictures are tuned")
    parser.add_argument(
        "--passes", type=int, help="instead of the preset's: a clip gets several steps a pass, a picture alone but one"
    )
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    pack = find_pack(arguments.pack)
    models = load_models(pack, pick_device(arguments.device), MEASURED_PARTS)
    held_out = Shards(arguments.data)
    count = min(arguments.count, len(held_out))
    groupings = group_indices(held_out.attributes[:count], attribute_names(pack, held_out))
    result = summarise(models, measure(models, held_out, count), groupings)
    print(markdown(result))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.sheet:
        config = preset(arguments.preset, pack.schedules)
        if arguments.passes:
            config = config.with_changes({"tuning": {"passes": arguments.passes}})
        write_sheet(models, held_out, groupings, arguments.sheet, config)


if __name__ == "__main__":
    main()
