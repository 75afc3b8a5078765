"""Time the stages of one edit in this process, one after the other: what a device is good for.

    python -m benchmarks.stages CLIP [-d smile=2] [--method transfer] [--device cuda] [--until tune] [--runs FOLDER]

Results that lie in FOLDER are not made again and count as no time, so frames and landmarks may come from another
machine. Writing the video is left out: it takes the processor alone. Prints a line a stage, and the sum.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from stit_core.artefacts import Clip
from stit_core.config import METHODS, preset
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.runtime import Runtime, pick_device, pick_dtype
from stit_core.store.runs import Store

STAGES = ("landmarks", "align", "invert", "tune", "masks", "register", "stitch", "identify", "measure")


def opened(pipeline: Pipeline, path: Path) -> Clip:
    """The clip, without a look into its file where its frames are stored."""
    clips = pipeline.clips
    return clips.reopen(path) if clips.knows(path) else clips.open(path)


def time_stages(pipeline: Pipeline, clip: Clip, until: str) -> float:
    """Run the stages up to `until` and print the seconds of each; returns their sum."""
    total = 0.0
    for stage in STAGES[: STAGES.index(until) + 1]:
        if stage == "register" and not pipeline.transfers:
            continue
        began = time.perf_counter()
        getattr(pipeline, stage)(clip)
        if pipeline.runtime.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        total += seconds
        print(f"{stage:<10} {seconds:8.2f} s", flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("-d", "--direction", default="smile=2", metavar="NAME=FACTOR")
    parser.add_argument("--method", choices=METHODS, help="default: the pack's")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--until", choices=STAGES, default="measure")
    parser.add_argument("--runs", type=Path, help="where results are kept; default: a folder that is deleted")
    arguments = parser.parse_args()
    keep_freed_memory()
    name, _, factor = arguments.direction.partition("=")
    pack, device = find_pack(arguments.pack), pick_device(arguments.device)
    config = preset(arguments.preset, pack.schedules, arguments.method)
    runtime = Runtime(device=device, dtype=pick_dtype(config.preset, device))
    config = config.with_changes({"edit": {"directions": ((name, float(factor)),)}})
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(arguments.runs or Path(scratch))
        pipeline = Pipeline(load_models(pack, device), store, config, runtime)
        clip = opened(pipeline, arguments.clip)
        total = time_stages(pipeline, clip, arguments.until)
        what = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        print(f"{config.method}, {len(clip.frames)} frames of {clip.width} x {clip.height}, {what}: {total:.1f} s")


if __name__ == "__main__":
    main()
