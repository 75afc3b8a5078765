"""Measure the reader: labels on bare and on hidden heads, and motion read off places against optical flow.

    python -m benchmarks.reader --data PAIRS/held_out [--pack heads-256] [--against PACK]
                                [--makehuman DIR [--heads 12] [--sets smile age]] [--json FILE]

PAIRS/held_out is what `recipes.render_pairs` writes. IoU is by class over all pictures, once bare and once with what
`recipes.occluders` paints over them; `--against` adds another pack's parser, which need not read places. With
MakeHuman's data, heads are rendered in the two states of each labelled set, and the end-point error of the motion
between them is given in pixels at 256 px, for places and for dense inverse search (Kroeger et al. 2016): median and
mean over the points of the head that both pictures show, hair apart. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.pack import CLASSES
from recipes.heads.parameters import from_latent
from recipes.heads.renderer import FACTOR, Renderer
from recipes.heads.surface import L_CLOTH, L_HAIR
from recipes.heads.tracing import true_motion
from recipes.labels import fixed
from recipes.render_dataset import latent_of
from recipes.render_pairs import PAIRED_SETS, RECEDING
from recipes.training.reader import NUM_CLASSES, PairShards, class_ious
from stit_core.correspondence import Motion, head_weight, read_motion
from stit_core.images import to_model
from stit_core.packs import find_pack, load_models

BATCH = 8
HIDDEN_SEED = 10_000
MOTION_SEED = 5  # of the heads, which no training set has
SURE = 0.5  # confidence from which a motion counts as believed
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


def read_pair(reader: Any, pictures: np.ndarray) -> Motion:
    """Motion from each pixel of the first of two pictures (2, S, S, 3) uint8 to the second, as the reader sees it."""
    with torch.inference_mode():
        logits, places = reader.read(to_model(pictures), full_size=False)
    maps = places.permute(0, 2, 3, 1).numpy()
    weights = [head_weight(each) for each in logits.numpy()]
    return read_motion(maps[1], maps[0], weights[1], weights[0], pictures.shape[1])


def search_flow(pictures: np.ndarray) -> np.ndarray:
    """The same by dense inverse search on brightness, (S, S, 2)."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32))


def motion_errors(reader: Any, makehuman: Path, names: list[str], heads: int) -> dict[str, dict[str, float]]:
    """Figures of each labelled set: median and mean error of places and of search, share believed, size of motion."""
    renderer = Renderer(makehuman)
    figures = {}
    for name in names:
        gathered: dict[str, list[np.ndarray]] = {"places": [], "search": [], "moved": [], "sure": [], "hair": []}
        for index in range(heads):
            labelled = PAIRED_SETS[name]
            head = from_latent(latent_of(MOTION_SEED, index))
            camera = None if labelled.middle is None else renderer.camera_of(fixed(head, labelled.middle))
            (one, trace), (two, other) = (
                renderer.trace(fixed(head, values), 256, camera) for _, values in labelled.classes
            )
            truth = true_motion(trace, other, FACTOR)
            known = ~np.isnan(truth[..., 0]) & (one.labels != L_CLOTH)
            pictures = np.stack([one.image, two.image])
            read, hair = read_pair(reader, pictures), one.labels == L_HAIR
            error = np.linalg.norm(read.flow - truth, axis=-1)
            gathered["places"].append(error[known & ~hair])
            gathered["search"].append(np.linalg.norm(search_flow(pictures) - truth, axis=-1)[known & ~hair])
            gathered["moved"].append(np.linalg.norm(truth, axis=-1)[known & ~hair])
            gathered["sure"].append(read.confidence[known & ~hair] > SURE)
            if name not in RECEDING:
                gathered["hair"].append(error[known & hair])
        joined = {key: np.concatenate(values) for key, values in gathered.items() if values}
        figures[name] = {
            f"{how} {what}": float(function(joined[what]))
            for what in ("places", "search", "hair")
            if what in joined and len(joined[what])
            for how, function in (("median", np.median), ("mean", np.mean))
        } | {"moved": float(joined["moved"].mean()), "believed": float(joined["sure"].mean())}
    return figures


def motion_table(figures: dict[str, dict[str, float]]) -> str:
    """Markdown table of `motion_errors`."""
    columns = ("moved", "median places", "mean places", "median search", "mean search", "median hair", "believed")
    lines = ["| set | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name, values in figures.items():
        lines.append(f"| {name} | " + " | ".join(_number(values.get(column, np.nan)) for column in columns) + " |")
    return "\n".join(lines)


def timings(reader: Any) -> dict[str, float]:
    """Median milliseconds of reading one picture and of one motion, by the threads that torch and OpenCV have."""
    picture = torch.zeros(1, 3, 256, 256)
    rows = np.linspace(-1, 1, 128, dtype=np.float32)
    places = np.stack([*np.meshgrid(rows, rows), np.zeros((128, 128), np.float32)], -1)
    taken: dict[str, list[float]] = {"read_ms": [], "motion_ms": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with torch.inference_mode():
            reader.read(picture)
        half = time.perf_counter()
        read_motion(places, places)
        taken["read_ms"].append(1000 * (half - began))
        taken["motion_ms"].append(1000 * (time.perf_counter() - half))
    return {name: float(np.median(values)) for name, values in taken.items()}


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
        parsers = {options.pack: reader}
        if options.against:
            parsers[options.against] = load_models(find_pack(options.against), device).parser
        ious = {
            f"{Path(name).name}, {state}": class_ious(confusions(network, pairs, state == "hidden"))
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
