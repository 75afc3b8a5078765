"""Compare tuning schedules on clips: how near the tuned pivot lies, and how much of each direction's change is kept.

    python -m benchmarks.frontier CLIP [CLIP ...] [--json FILE] [--plot docs/frontier.jpg] [--candidates FILE]
                                  [--end 1] [--runs FOLDER]

Place: dlib's landmarks of tuned pivot and source in per cent of the distance of the eyes, as they are and after a
rigid motion with scale; the distance of the parser's outlines in pixels. Change kept: cosine, inside the face and with
the two pivots registered by landmarks, of the tuned generator's change and the untuned generator's around the encoder's
pivot ("kept"), or at the tuned one ("kept here", and "meaning" where the attribute network's readings are compared
instead of pixels), for every direction of the pack at factors 2 and -2. Seconds of the processor are the process's own,
by its threads: more than the tuning takes where nothing else runs. With --json, what the file holds already is not made
again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.frontier_measures import ChangeMeter, PlaceMeter, jitter, spread
from benchmarks.frontier_plot import draw_frontier
from stit_core.artefacts import Alignment, Inversion
from stit_core.config import PresetName, TuningConfig, preset
from stit_core.directions.library import SHIPPED, list_directions, load_direction
from stit_core.fitting.expression import DIRECTIONS as EXPRESSIONS
from stit_core.fitting.optimising import own_copy
from stit_core.images import to_picture
from stit_core.memory import keep_freed_memory
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.pipeline import Pipeline
from stit_core.runtime import Runtime, pick_device, pick_dtype
from stit_core.stages.tuning import tune
from stit_core.store.runs import Store

FRAMES_LOOKED = 10  # of a clip, whose pivots are compared with the source
JITTER_REACH = 4  # frames around the middle one whose pivots' jitter is measured
FRAMES_MOVED = 1  # of a clip, whose directions are compared
PLACES = ("place", "shape", "mouth", "lids", "outline")
COLUMNS = (*PLACES, "kept", "kept worst", "kept here", "meaning", "psnr", "jitter", "processor")
# What registration cannot mend; of the rest gentle schedules lie within a tenth of each other.
ACROSS = {"mouth": "gap of the lips, pivot against source, % of the distance of the eyes"}
UP = "change kept: cosine of tuned and untuned generator at the same latents"
PARTS = ("generator", "encoder", "parser", "perceptual", "attributes")
_HELD = {"locality_l2_weight": 10.0, "locality_lpips_weight": 0.1}
_EXPRESSION = {"expression": 0.5, "smoothing": 1.0}
CANDIDATES: dict[str, dict[str, Any]] = {
    "encoder alone": {"passes": 0},
    "expression": {"passes": 0, "expression": 0.5},
    "latents, 4 passes": {"passes": 4, "lr": 0.0, "pivot_lr": 0.03},
    "weights from 32 px on": {"passes": 4, "lr": 5e-4, "pivot_lr": 0.03, "freeze_below": 32},
    "gentle": {"passes": 4, "lr": 5e-4, "pivot_lr": 0.03},
    "gentle, at 128 px": {"passes": 4, "lr": 5e-4, "pivot_lr": 0.03, "resolution": 128},
    "2 passes at 1e-3": {"passes": 2, "lr": 1e-3, "pivot_lr": 0.05},
    "gentle, PTI's locality": {"passes": 4, "lr": 5e-4, "pivot_lr": 0.03, "locality_weight": 10.0, **_HELD},
    "expression, gentle, at 128 px": {"passes": 4, "lr": 5e-4, "pivot_lr": 0.03, "resolution": 128, **_EXPRESSION},
    "16 passes at 5e-3 (stitch)": {"passes": 16, "lr": 5e-3, "pivot_lr": 0.01, "final_lr": 1.0},
}
COMMON = {"key_frames": 11, "batch_size": 2, "lpips_weight": 0.08, "final_lr": 0.1}  # unless a candidate says otherwise


def shipped(pack: Pack) -> dict[str, dict[str, Any]]:
    """What the pack's presets do for the transfer."""
    presets: tuple[PresetName, ...] = ("balanced", "draft")
    configs = {name: preset(name, pack.schedules, "transfer").tuning for name in presets}
    return {f"{name}, as shipped": dataclasses.asdict(config) for name, config in configs.items()}


@dataclass(frozen=True)
class Case:
    """A clip ready to be tuned to: its crops, pivots and meters."""

    name: str
    alignment: Alignment
    inversion: Inversion
    crops: np.ndarray
    place: PlaceMeter
    change: ChangeMeter
    looked: Sequence[int]
    moved: Sequence[int]


def open_case(models: Models, path: Path, end: float, runs: Path, vectors: Tensor, runtime: Runtime) -> Case:
    """Align and invert the clip's first `end` seconds, or find that done in `runs`."""
    config = preset("balanced", models.pack.schedules).with_changes({"video": {"end": end}})
    pipeline = Pipeline(models, Store(runs), config, dataclasses.replace(runtime, dtype=torch.float32))
    clip = pipeline.open(path)
    alignment, inversion = pipeline.align(clip), pipeline.invert(clip)
    crops = np.stack([alignment.crops.read(frame) for frame in alignment.frame_indices])
    looked, moved = spread(FRAMES_LOOKED, len(crops)), spread(FRAMES_MOVED, len(crops))
    crops = crops[looked]
    change = ChangeMeter(models, inversion.w_plus[moved], vectors)
    return Case(path.stem, alignment, inversion, crops, PlaceMeter(models, crops), change, looked, moved)


def measure(models: Models, case: Case, config: TuningConfig, runtime: Runtime, expressions: Tensor) -> dict[str, Any]:
    """Tune to a clip and take every figure: seconds, means over frames, cosines over directions."""
    with tempfile.TemporaryDirectory() as scratch:
        started, worked = time.perf_counter(), time.process_time()
        networks = models.generator, models.perceptual
        tuned = tune(case.alignment, case.inversion, *networks, config, runtime, Path(scratch), expressions)
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
    net = own_copy(models.generator, runtime.device, tuned.state).requires_grad_(False)
    moved = tuned.w_plus[list(case.moved)]
    cosines = case.change.measure(net, moved)
    here = ChangeMeter(models, moved, case.change.vectors).measure(net, moved)
    places = case.place.measure(draw(net, tuned.w_plus[list(case.looked)], runtime))
    found: dict[str, Any] = {name: float(np.nanmean(values)) for name, values in places.items()}
    middle = len(tuned.w_plus) // 2
    return found | {
        "outline": float(np.nanmean([found[name] for name in found if name.startswith("outline")])),
        "kept": float(cosines["pixels"].mean()),
        "kept worst": float(cosines["pixels"].mean(axis=0).min()),
        "kept here": float(here["pixels"].mean()),
        "meaning": float(here["meaning"].mean()),
        "by direction": cosines["pixels"].mean(axis=(0, 2)).tolist(),
        "psnr": tuned.psnr,
        "jitter": jitter(draw(net, tuned.w_plus[middle - JITTER_REACH : middle + JITTER_REACH], runtime)),
        "seconds": seconds,
        "processor": processor / torch.get_num_threads(),
    }


@torch.inference_mode()
def draw(net: Generator, w_plus: Tensor, runtime: Runtime) -> np.ndarray:
    """The pictures (T, R, R, 3) uint8 of latents (T, L, 512)."""
    with runtime.autocast():
        return np.concatenate([to_picture(net.synthesis(w[None]).float()) for w in w_plus])


def table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """A Markdown table of means over clips, a row for each candidate."""
    lines = ["| schedule | " + " | ".join(COLUMNS) + " |", "| --- |" + " ---: |" * len(COLUMNS)]
    for name, clips in results.items():
        cells = [f"{mean_of(clips, column):.3g}" for column in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean_of(clips: Mapping[str, Mapping[str, Any]], column: str) -> float:
    """Mean of a figure over clips."""
    return float(np.nanmean([figures[column] for figures in clips.values()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, help="file for all figures; what it holds is not made again")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--candidates", type=Path, help="JSON, name -> settings of tuning, instead of the usual ones")
    parser.add_argument("--chosen", nargs="*", default=[], help="names that stand out in the plot")
    parser.add_argument("--end", type=float, default=1.0, help="seconds of each clip")
    parser.add_argument("--runs", type=Path, help="folder in which crops are kept")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    device = pick_device(arguments.device)
    models = load_models(find_pack(arguments.pack), device, PARTS)
    runtime = Runtime(device=device, dtype=pick_dtype("balanced", device))
    names = sorted(card.name for card in list_directions(models.pack, (SHIPPED,)))
    vectors = torch.stack([torch.from_numpy(load_direction(models.pack, n, (SHIPPED,)).vector).float() for n in names])
    expressions = torch.stack([vectors[names.index(name)] for name in EXPRESSIONS])
    own = {name: {**COMMON, **settings} for name, settings in CANDIDATES.items()} | shipped(models.pack)
    candidates = json.loads(arguments.candidates.read_text()) if arguments.candidates else own
    results: dict[str, dict[str, Any]] = {}
    if arguments.json and arguments.json.is_file():
        results = json.loads(arguments.json.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        for path in arguments.clips:
            missing = [name for name in candidates if path.stem not in results.get(name, {})]
            if not missing:
                continue
            case = open_case(models, path, arguments.end, arguments.runs or Path(scratch), vectors, runtime)
            for name in missing:
                figures = measure(models, case, TuningConfig(**candidates[name]), runtime, expressions)
                results.setdefault(name, {})[path.stem] = figures
                brief = {k: round(v, 3) for k, v in figures.items() if isinstance(v, float)}
                print(path.stem, name, brief, file=sys.stderr, flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    stems = [path.stem for path in arguments.clips]  # the file may hold other clips, and not every candidate has all
    shown = {name: {stem: results[name][stem] for stem in stems} for name in candidates}
    print(table(shown))
    if arguments.plot:
        panels = [
            (across, UP, {name: (mean_of(clips, column), mean_of(clips, "kept here")) for name, clips in shown.items()})
            for column, across in ACROSS.items()
        ]
        draw_frontier(
            panels, arguments.chosen or list(shipped(models.pack)), "Place against change kept", arguments.plot
        )


if __name__ == "__main__":
    main()
