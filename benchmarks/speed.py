"""Time the transfer against STIT's own schedule on the same clip, in one run.

    python -m benchmarks.speed CLIP [--start 0 --end 3] [--paper-frames 2]

Every edit is a process of its own, as a user starts it: loading the networks counts. `paper` takes minutes a frame
on a processor, so it edits the clip's first frames only, and its time a frame is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.config import VideoConfig
from stit_core.media.probing import probe


@dataclass(frozen=True)
class Timed:
    """One command: wall seconds, frames edited, peak megabytes of the process, its own report."""

    seconds: float
    frames: int
    megabytes: float
    report: dict[str, Any]


def time_edit(clip: Path, output: Path, runs: Path, *options: str) -> Timed:
    """Run one `edit` command on stored results under `runs`."""
    command = [sys.executable, "-m", "stit_core", "edit", str(clip), *options, "--json", "-o", str(output)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "STIT_RUNS": str(runs)})
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed.")
    report = json.loads(text)
    return Timed(time.perf_counter() - started, report["frames"], usage.ru_maxrss / 1024, report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--end", type=float, default=3.0)
    parser.add_argument("--paper-frames", type=int, default=2, help="frames that `paper` edits; 0 leaves it out")
    arguments = parser.parse_args()
    rate = float(probe(arguments.clip, VideoConfig()).frame_rate)
    start, end = ["--start", str(arguments.start)], ["--end", str(arguments.end)]
    longer = ["--end", str(arguments.start + 1.5 * (arguments.end - arguments.start))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def timed(name: str, runs: str, *options: str) -> Timed:
            found = time_edit(arguments.clip, folder / f"{name}.mp4", folder / runs, *start, *options)
            stages = {stage: round(seconds, 1) for stage, seconds in found.report["seconds"].items() if seconds > 0.05}
            print(
                f"{name}: {found.seconds:.1f} s, {found.frames} frames, {found.megabytes:.0f} MB, {stages}", flush=True
            )
            return found

        first = timed("first edit", "a", *end, "-d", "age=2")
        timed("another edit", "a", *end, "-d", "smile=2")
        long = timed("half as long again, first edit", "b", *longer, "-d", "age=2")
        more = (long.seconds - first.seconds) / max(1, long.frames - first.frames)
        print(f"a frame more: {more:.2f} s")
        if arguments.paper_frames:
            few = ["--end", str(arguments.start + (arguments.paper_frames - 0.5) / rate)]
            paper = timed("paper, first edit", "c", *few, "-d", "age=2", "--preset", "paper")
            ratio = paper.seconds / paper.frames / (first.seconds / first.frames)
            print(f"paper takes {paper.seconds / paper.frames:.0f} s a frame, {ratio:.0f} times as long")


if __name__ == "__main__":
    main()
