"""Renders the heads that the pack is trained on.

python -m recipes.render_dataset --makehuman DIR --out DIR --count N --seed S
python -m recipes.render_dataset --balance [--count N --seed S]
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from recipes.balance import count_cells, summary, table
from recipes.heads.parameters import NUM_FACTORS, from_latent
from recipes.heads.renderer import Renderer

SHARD = 50  # small, so that training can begin with the first
BALANCE_COUNT = 20_000  # heads of a balance table unless told
_renderer: Renderer | None = None


def latent_of(seed: int, index: int) -> np.ndarray:
    """The latent (NUM_FACTORS,) float32 of a picture."""
    return np.random.default_rng([seed, index]).standard_normal(NUM_FACTORS).astype(np.float32)


def count_balance(seed: int, count: int) -> np.ndarray:
    """How many of the first `count` heads of a seed each combination has, as in `recipes.balance`."""
    return count_cells(from_latent(latent_of(seed, index)) for index in range(count))


def _start(makehuman: str) -> None:
    global _renderer
    _renderer = Renderer(Path(makehuman))


def _render_shard(task: tuple[str, int, int, int, int]) -> int:
    """Render pictures [first, first + count) into a shard that appears only when complete; returns how many."""
    folder, seed, first, count, size = task
    assert _renderer is not None
    latents = np.stack([latent_of(seed, first + k) for k in range(count)])
    results = [_renderer.render_latent(latent, size) for latent in latents]
    parts = {
        "images": np.stack([r.image for r in results]),
        "labels": np.stack([r.labels for r in results]),
        "latents": latents,
        "attributes": np.stack([r.attributes for r in results]),
        "landmarks": np.stack([r.landmarks for r in results]),
    }
    scratch = Path(f"{folder}.part{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, values in parts.items():
        np.save(scratch / f"{name}.npy", values)
    scratch.rename(folder)
    return count


def render_dataset(makehuman: Path, out: Path, count: int, seed: int, size: int = 256, workers: int = 2) -> None:
    """Render `count` pictures in shards of SHARD under `out`; finished shards are kept and skipped."""
    out.mkdir(parents=True, exist_ok=True)
    print(summary(count_balance(seed, count)), flush=True)
    starts = range(0, count, SHARD)
    tasks = [
        (str(out / f"shard_{n:05d}"), seed, first, min(SHARD, count - first), size) for n, first in enumerate(starts)
    ]
    tasks = [task for task in tasks if not Path(task[0]).exists()]
    began, done, total = time.monotonic(), 0, sum(task[3] for task in tasks)
    # One thread a worker: the small matrix products gain nothing from more.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    context = get_context("spawn")
    with context.Pool(workers, _start, (str(makehuman),)) as pool:
        for number in pool.imap_unordered(_render_shard, tasks):
            done += number
            print(f"{done}/{total} pictures, {done / (time.monotonic() - began):.1f} a second", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--makehuman", type=Path, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--balance", action="store_true", help="print how frequent each combination is, render nothing")
    parser.add_argument("--seed", type=int, default=0, help="0 for training, 1 for held-out pictures")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.balance:
        print(table(count_balance(options.seed, BALANCE_COUNT if options.count is None else options.count)))
        return
    missing = [name for name in ("makehuman", "out", "count") if getattr(options, name) is None]
    if missing:
        parser.error(f"--{missing[0]} is needed to render")
    render_dataset(options.makehuman, options.out, options.count, options.seed, options.size, options.workers)


if __name__ == "__main__":
    main()
