"""Edit clips as the command line does, print what was measured, and write contact sheets.

    python -m benchmarks.clips CLIP [CLIP ...] [-d smile=2] [--again age=2] [--preset balanced] [--sheets docs]

One line of JSON a clip: seconds of the first edit and, with --again, of another edit of the same clip, peak memory of
the process so far, and the figures of the run's report. A sheet has one row for each of four frames:
source | tuned | edited as it is seen | whole frame.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from stit_core.config import METHODS, RunConfig, preset
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.previews import preview_frame
from stit_core.runtime import Runtime, pick_device, pick_dtype
from stit_core.store.runs import Store
from stit_core.whole_run import edit_video

SHEET_ROWS = 4


def pairs(texts: list[str]) -> tuple[tuple[str, float], ...]:
    """("smile=2", ...) as (name, factor) pairs."""
    return tuple((name, float(factor)) for name, factor in (text.split("=") for text in texts))


def peak_megabytes() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def contact_sheet(pipeline: Pipeline, clip_path: Path, output: Path) -> None:
    """Rows of source | tuned | edited as it is seen | whole frame for frames spread over a finished run's clip."""
    clip = pipeline.open(clip_path)
    crops, stitched = pipeline.align(clip), pipeline.stitch(clip)
    frames = crops.frame_indices
    rows = []
    for position in np.linspace(0, len(frames) - 1, SHEET_ROWS).round().astype(int):
        frame = frames[position]
        face = stitched.crops.read(frame)
        whole = Image.fromarray(preview_frame(pipeline, clip, frame, face))
        whole = whole.resize((round(whole.width * crops.size / whole.height), crops.size))
        seen = pipeline.finished_crop(clip, frame, face)
        row = [crops.crops.read(frame), pipeline.pivot(clip, frame), seen, np.asarray(whole)]
        rows.append(np.concatenate(row, axis=1))
    output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(output, quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("-d", "--direction", action="append", default=[], help="NAME=FACTOR; smile=2 if none is given")
    parser.add_argument("--again", action="append", default=[], help="a second edit of each clip, timed")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--method", choices=METHODS, help="default: what the preset and the pack say")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--end", type=float, help="seconds of each clip to use")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--output", type=Path, help="folder for the videos; a temporary one if not given")
    parser.add_argument("--runs", type=Path, help="run folder to go on from; a temporary, empty one if not given")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    pack = find_pack(arguments.pack)
    models = load_models(pack, pick_device(arguments.device))
    base: RunConfig = preset(arguments.preset, pack.schedules, arguments.method)
    base = base.with_changes({"video": {"end": arguments.end}})
    device = pick_device(arguments.device)
    runtime = Runtime(device=device, dtype=pick_dtype(base.preset, device))
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.output or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(arguments.runs or Path(scratch) / "runs")
        for path in arguments.clips:
            result: dict[str, object] = {"clip": path.name}
            edits = {"first_edit": pairs(arguments.direction or ["smile=2"])}
            if arguments.again:
                edits["second_edit"] = pairs(arguments.again)
            for key, directions in edits.items():
                config = base.with_changes({"edit": {"directions": directions}})
                pipeline = Pipeline(models, store, config, runtime)
                started = time.perf_counter()
                label = "_".join(f"{name}{factor:+g}" for name, factor in directions)
                report = edit_video(pipeline, path, folder / f"{path.stem}_{label}.mp4")
                result[key] = round(time.perf_counter() - started, 1)
                if key == "first_edit":
                    result.update(report.as_json())
                    if arguments.sheets:
                        contact_sheet(pipeline, path, arguments.sheets / f"{path.stem}.jpg")
            result["peak_megabytes"] = round(peak_megabytes())
            print(json.dumps(result, default=str), flush=True)


if __name__ == "__main__":
    main()
