"""Renders pairs of pictures of one head in two states, from which the reader learns labels, places and motion.

    python -m recipes.render_pairs --makehuman DIR --out DIR [--count 3200] [--seed 3] [--size 256]

Each shard holds, for N pairs: images (N, 2, S, S, 3) uint8, labels (N, 2, S, S) uint8, places (N, 2, S, S, 3) int16
in 1 / PLACE_STEPS of recipes.heads.tracing's unit, motion (N, S, S, 2) float16 from the first picture to the second in
pixels, NaN where it is not known, and landmarks (N, 2, 68, 2) float32. `changes.json` names what sets the two apart.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from recipes.heads.parameters import HAIR_STYLES, HeadParameters, from_latent
from recipes.heads.renderer import FACTOR, Renderer, Rendering
from recipes.heads.surface import L_HAIR
from recipes.heads.tracing import true_motion
from recipes.labels import SETS, LabelledSet, fixed
from recipes.render_dataset import latent_of

SEED, HELD_OUT_SEED = 3, 4  # no picture of the pack's other sets has them
SHARD = 20  # pairs
PLACE_STEPS = 8192
PAIRED_SETS = {labelled.name: labelled for labelled in SETS if len(labelled.classes) == 2}
RECEDING = ("age", "gender")  # sets in which strands shrink, so that their points change place
LEAST_APART = 0.35  # of the way between a set's classes
SECOND_SET = 0.3  # share of pairs that two sets tell apart
OWN_CAMERAS = 0.3  # share of pairs whose pictures are aligned one by one, as a generator's are
_renderer: Renderer | None = None


def between(labelled: LabelledSet, share: float) -> dict[str, Any]:
    """The values of a head that lies `share` of the way from a set's first class to its second."""
    low, high = (values for _, values in labelled.classes)
    return {name: low[name] + share * (high[name] - low[name]) for name in low}


def pair_of(head: HeadParameters, rng: np.random.Generator) -> tuple[HeadParameters, HeadParameters, list[str]]:
    """Two states of a head, and the names of the sets that tell them apart."""
    names = [str(name) for name in rng.choice(list(PAIRED_SETS), 1 + (rng.random() < SECOND_SET), replace=False)]
    first = second = head
    for name in names:
        a = rng.uniform(0, 1 - LEAST_APART)
        b = rng.uniform(a + LEAST_APART, 1)
        a, b = (a, b) if rng.random() < 0.5 else (b, a)
        first = fixed(first, between(PAIRED_SETS[name], a))
        second = fixed(second, between(PAIRED_SETS[name], b))
    return first, second, names


def render_pair(
    renderer: Renderer, first: HeadParameters, second: HeadParameters, size: int, own_cameras: bool
) -> tuple[Rendering, Rendering, np.ndarray]:
    """Both pictures and the true motion (S, S, 2) float32; the first one's camera sees both, or each has its own."""
    camera = renderer.camera_of(first)
    one, trace = renderer.trace(first, size, camera)
    two, other = renderer.trace(second, size, None if own_cameras else camera)
    return one, two, true_motion(trace, other, FACTOR)


def _start(makehuman: str) -> None:
    global _renderer
    _renderer = Renderer(Path(makehuman))


def _render_shard(task: tuple[str, int, int, int, int]) -> int:
    """Render pairs [first, first + count) into a shard that appears only when complete; returns how many."""
    folder, seed, first, count, size = task
    assert _renderer is not None
    made, changes = [], []
    for index in range(first, first + count):
        rng = np.random.default_rng([seed, index, 1])
        one, two, names = pair_of(from_latent(latent_of(seed, index)), rng)
        pair = render_pair(_renderer, one, two, size, bool(rng.random() < OWN_CAMERAS))
        if any(name in RECEDING for name in names):
            pair[2][pair[0].labels == L_HAIR] = np.nan
        made.append(pair)
        changes.append({"sets": names, "hair": HAIR_STYLES[one.hair_style]})
    pictures = [pair[:2] for pair in made]
    parts = {
        "images": np.array([[r.image for r in pair] for pair in pictures]),
        "labels": np.array([[r.labels for r in pair] for pair in pictures]),
        "places": np.array([[as_steps(r.coordinates) for r in pair] for pair in pictures]),
        "landmarks": np.array([[r.landmarks for r in pair] for pair in pictures]),
        "motion": np.array([motion for _, _, motion in made]).astype(np.float16),
    }
    scratch = Path(f"{folder}.part{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, values in parts.items():
        np.save(scratch / f"{name}.npy", values)
    (scratch / "changes.json").write_text(json.dumps(changes))
    scratch.rename(folder)
    return count


def as_steps(places: np.ndarray) -> np.ndarray:
    """Places as int16, clipped to what fits."""
    limit = np.iinfo(np.int16).max
    return np.clip(np.round(places * PLACE_STEPS), -limit, limit).astype(np.int16)


def render_pairs(makehuman: Path, out: Path, count: int, seed: int = SEED, size: int = 256, workers: int = 2) -> None:
    """Render `count` pairs in shards under `out`; finished shards are kept and skipped."""
    out.mkdir(parents=True, exist_ok=True)
    tasks = [
        (str(out / f"shard_{n:05d}"), seed, first, min(SHARD, count - first), size)
        for n, first in enumerate(range(0, count, SHARD))
    ]
    tasks = [task for task in tasks if not Path(task[0]).exists()]
    if not tasks:
        return
    # One thread a worker: the small matrix products gain nothing from more.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    with (
        get_context("spawn").Pool(workers, _start, (str(makehuman),)) as pool,
        tqdm(total=sum(task[3] for task in tasks), desc="pairs") as bar,
    ):
        for number in pool.imap_unordered(_render_shard, tasks):
            bar.update(number)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3200, help="pairs")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    render_pairs(options.makehuman, options.out, options.count, options.seed, options.size, options.workers)


if __name__ == "__main__":
    main()
