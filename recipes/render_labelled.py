"""Renders labelled sets of heads, a folder a set with a subfolder a class, as `directions train` reads them.

    python -m recipes.render_labelled --makehuman DIR --out DIR [--count 300] [--sets smile age] [--seed 2]

Pictures are called headNNNNN_C.png, C being the number of the class: one head is one person in all classes.
"""

from __future__ import annotations

import argparse
import os
from multiprocessing import get_context
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from recipes.heads.parameters import HeadParameters, from_latent
from recipes.heads.renderer import Renderer
from recipes.labels import BEARD, SETS, LabelledSet, fixed
from recipes.render_dataset import latent_of

SEED = 2  # no training or held-out picture of the pack has it
ALL_SETS = {labelled.name: labelled for labelled in (*SETS, BEARD)}
_renderer: Renderer | None = None


def head_of(labelled: LabelledSet, seed: int, index: int) -> HeadParameters:
    """The head that a picture number of a set shows; the sets' heads differ, a bearded one is masculine."""
    stream = list(ALL_SETS).index(labelled.name)
    head = from_latent(latent_of(seed, index * len(ALL_SETS) + stream))
    return fixed(head, {"gender": 0.9}) if labelled is BEARD else head


def picture_file(folder: Path, labelled: LabelledSet, index: int, place: int) -> Path:
    """Where the picture of a head in the class number `place` lies."""
    return folder / labelled.name / labelled.classes[place][0] / f"head{index:05d}_{place}.png"


def _start(makehuman: str) -> None:
    global _renderer
    _renderer = Renderer(Path(makehuman))


def _render_head(task: tuple[str, str, int, int, int]) -> None:
    """Render one head once for each class; a picture appears only when complete."""
    folder, name, seed, index, size = task
    assert _renderer is not None
    labelled = ALL_SETS[name]
    head = head_of(labelled, seed, index)
    camera = None if labelled.middle is None else _renderer.camera_of(fixed(head, labelled.middle))
    for place, (_, values) in enumerate(labelled.classes):
        target = picture_file(Path(folder), labelled, index, place)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(f".part{os.getpid()}")
        Image.fromarray(_renderer.render(fixed(head, values), size, camera).image).save(part, "PNG", compress_level=3)
        part.replace(target)


def render_labelled(
    makehuman: Path, folder: Path, names: list[str], count: int, seed: int = SEED, size: int = 256, workers: int = 2
) -> None:
    """Render `count` heads of each of the sets `names` below `folder`; pictures that are there are kept."""
    tasks = [
        (str(folder), name, seed, index, size)
        for name in names
        for index in range(count)
        if not all(picture_file(folder, ALL_SETS[name], index, p).exists() for p in range(len(ALL_SETS[name].classes)))
    ]
    if not tasks:
        return
    # One thread a worker: the small matrix products gain nothing from more.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    with get_context("spawn").Pool(workers, _start, (str(makehuman),)) as pool:
        for _ in tqdm(pool.imap_unordered(_render_head, tasks, chunksize=4), total=len(tasks), desc="heads"):
            pass


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300, help="heads a set")
    parser.add_argument("--sets", nargs="+", choices=list(ALL_SETS), default=[labelled.name for labelled in SETS])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    render_labelled(
        options.makehuman, options.out, options.sets, options.count, options.seed, options.size, options.workers
    )


if __name__ == "__main__":
    main()
