"""Measure the reader: labels on bare and on hidden heads, and motion read off places against optical flow.

    python -m benchmarks.reader --data PAIRS/held_out [--pack heads-256] [--against PACK]
                                [--makehuman DIR [--heads 12] [--sets smile age]] [--json FILE]

PAIRS/held_out is what `recipes.render_pairs` writes. IoU is by class over all pictures, once bare and once with what
`recipes.occluders` paints over them; `--against` adds another pack's parser, which need not read places. With
MakeHuman's data, heads are rendered in the two states of each labelled set, and the end-point error of the motion
between them is given in pixels at 256 px, median / mean: of places alone, of places and texture, and of dense inverse
search (Kroeger et al. 2016); over the face's and neck's points that both pictures show, over those of them that move
by more than a pixel, and over hair. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.pack import CLASSES
from recipes.heads.parameters import from_latent
from recipes.heads.renderer import FACTOR, Renderer, Rendering
from recipes.heads.surface import L_CLOTH, L_HAIR
from recipes.heads.tracing import true_motion
from recipes.labels import fixed
from recipes.render_dataset import latent_of
from recipes.render_pairs import PAIRED_SETS, RECEDING
from recipes.training.reader import NUM_CLASSES, PairShards, class_ious
from stit_core.faces.correspondence import Motion, head_weight, read_motion
from stit_core.images import to_model
from stit_core.packs.loading import find_pack, load_models

BATCH = 8
HIDDEN_SEED = 10_000
MOTION_SEED = 5  # of the heads, which no training set has
SURE = 0.5  # confidence from which a motion counts as believed
MOVING = 1.0  # pixels of true motion from which a point counts as moving
ROUNDS = 20  # of the timing


def confusions(parser: Any, pairs: PairShards, hide: bool) -> np.ndarray:
    """Pixels by true and found class (19, 19) over all pictures of `pairs`."""
    total = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    for first in range(0, len(pairs), BATCH):
        rows = np.arange(first, min(first + BATCH, len(pairs)))
        batch = pairs.batch(rows, rows + HIDDEN_SEED if hide else None, torch.device("cpu"))
        with torch.inference_mode():
            found = parser.parse(batch.images.flatten(0, 1)).argmax(1)
        joint = batch.labels.flatten(0, 1) * NUM_CLASSES + found
        total += torch.bincount(joint.flatten(), minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, -1).numpy()
    return total


def label_table(ious: dict[str, np.ndarray]) -> str:
    """Markdown table of the IoU of each class, a column for each entry."""
    shown = [k for k in range(NUM_CLASSES) if any(np.isfinite(values[k]) for values in ious.values())]
    lines = ["| IoU | " + " | ".join(ious) + " |", "| --- |" + " --- |" * len(ious)]
    rows = [("mean over the classes that occur", {name: np.nanmean(v) for name, v in ious.items()})]
    rows += [(CLASSES[k], {name: v[k] for name, v in ious.items()}) for k in shown]
    for title, values in rows:
        lines.append(f"| {title} | " + " | ".join(_number(values[name]) for name in ious) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def read_pair(reader: Any, pictures: np.ndarray, texture: bool) -> Motion:
    """Motion from each pixel of the first of two pictures (2, S, S, 3) uint8 to the second, as the reader sees it."""
    with torch.inference_mode():
        logits, places = reader.read(to_model(pictures), full_size=False)
    maps = places.permute(0, 2, 3, 1).numpy()
    weights = [head_weight(each) for each in logits.numpy()]
    both = (pictures[1], pictures[0]) if texture else None
    return read_motion(maps[1], maps[0], weights[1], weights[0], both, pictures.shape[1])


def search_flow(pictures: np.ndarray) -> np.ndarray:
    """The same by dense inverse search on brightness, (S, S, 2)."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32))


def motion_errors(reader: Any, makehuman: Path, names: list[str], heads: int) -> dict[str, dict[str, float]]:
    """Figures of each labelled set: errors of each way to find the motion, over all points and those that move."""
    renderer = Renderer(makehuman)
    figures = {}
    for name in names:
        gathered: dict[str, list[np.ndarray]] = {}
        for index in range(heads):
            one, pictures, truth = state_pair(renderer, name, index)
            known = ~np.isnan(truth[..., 0]) & (one.labels != L_CLOTH)
            moved = np.linalg.norm(truth, axis=-1)
            found = {
                "places": read_pair(reader, pictures, texture=False),
                "both": read_pair(reader, pictures, texture=True),
                "search": Motion(search_flow(pictures), np.ones_like(moved)),
            }
            face, hair = known & (one.labels != L_HAIR), known & (one.labels == L_HAIR)
            rows = {"size": moved[face], "believed": found["both"].confidence[face] > SURE}
            for way, motion in found.items():
                error = np.linalg.norm(motion.flow - truth, axis=-1)
                rows |= {way: error[face], f"{way}, moving": error[face & (moved > MOVING)]}
                if name not in RECEDING:
                    rows[f"{way}, hair"] = error[hair]
            for key, values in rows.items():
                gathered.setdefault(key, []).append(values)
        joined = {key: np.concatenate(values) for key, values in gathered.items()}
        figures[name] = {key: float(values.mean()) for key, values in joined.items() if len(values)}
        figures[name] |= {f"{key}, median": float(np.median(values)) for key, values in joined.items() if len(values)}
    return figures


def state_pair(renderer: Renderer, name: str, index: int) -> tuple[Rendering, np.ndarray, np.ndarray]:
    """The first rendering of a head in a set's two states, both pictures (2, S, S, 3), and the true motion."""
    labelled = PAIRED_SETS[name]
    head = from_latent(latent_of(MOTION_SEED, index))
    camera = None if labelled.middle is None else renderer.camera_of(fixed(head, labelled.middle))
    (one, trace), (two, other) = (renderer.trace(fixed(head, values), 256, camera) for _, values in labelled.classes)
    return one, np.stack([one.image, two.image]), true_motion(trace, other, FACTOR)


def motion_table(figures: dict[str, dict[str, float]]) -> str:
    """Markdown table of `motion_errors`: median / mean in pixels."""
    ways = ("places", "both", "search")
    columns = [*ways, *(f"{way}, moving" for way in ways), *(f"{way}, hair" for way in ways)]
    lines = [
        "| set | moved | " + " | ".join(columns) + " | believed |",
        "| --- | --- |" + " --- |" * (len(columns) + 1),
    ]
    for name, values in figures.items():
        cells = [f"{values[f'{c}, median']:.2f} / {values[c]:.2f}" if c in values else "" for c in columns]
        lines.append(f"| {name} | {values['size']:.1f} | " + " | ".join(cells) + f" | {values['believed']:.2f} |")
    return "\n".join(lines)


def timings(reader: Any) -> dict[str, float]:
    """Median milliseconds of reading one picture and of one motion, with the threads that torch and OpenCV have."""
    picture = torch.zeros(1, 3, 256, 256)
    rows = np.linspace(-1, 1, 128, dtype=np.float32)
    places = np.stack([*np.meshgrid(rows, rows), np.zeros((128, 128), np.float32)], -1)
    drawn = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    work: dict[str, Callable[[], object]] = {
        "reading a picture": lambda: reader.read(picture),
        "motion by places": lambda: read_motion(places, places),
        "motion by places and texture": lambda: read_motion(places, places, pictures=(drawn, drawn)),
    }
    taken: dict[str, float] = {}
    for name, function in work.items():
        seconds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            with torch.inference_mode():
                function()
            seconds.append(time.perf_counter() - began)
        taken[name] = 1000 * float(np.median(seconds))
    return taken


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="held-out pairs")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--against", help="another pack, whose parser is measured beside it")
    parser.add_argument("--makehuman", type=Path, help="the MakeHuman data folder, for motion")
    parser.add_argument("--heads", type=int, default=12, help="heads a set")
    parser.add_argument("--sets", nargs="+", choices=list(PAIRED_SETS), default=list(PAIRED_SETS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = torch.device("cpu")
    reader = load_models(find_pack(options.pack), device).parser
    record: dict[str, Any] = {}
    if options.data:
        pairs = PairShards(options.data)
        parsers = {"pack": reader}
        if options.against:
            parsers["against"] = load_models(find_pack(options.against), device).parser
        ious = {
            f"{name}, {state}": class_ious(confusions(network, pairs, state == "hidden"))
            for name, network in parsers.items()
            for state in ("bare", "hidden")
        }
        record["iou"] = {name: values.tolist() for name, values in ious.items()}
        print(label_table(ious), flush=True)
    if options.makehuman:
        record["motion"] = motion_errors(reader, options.makehuman, options.sets, options.heads)
        print("\n" + motion_table(record["motion"]), flush=True)
    if hasattr(reader, "read"):
        record["milliseconds"] = timings(reader)
        print(f"\n{record['milliseconds']}")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
