"""What a list of tasks costs beside the tasks: memory of the leading process, and time, here and on Ray, in one run.

    python -m benchmarks.batch nothing              10,000 tasks that do nothing: seconds a task, memory as they go
    python -m benchmarks.batch waiting              tasks of 2 s that only wait: what is added to each
    python -m benchmarks.batch clips CLIP [CLIP]    the same batch here and on Ray in turn, from nothing each time
    python -m benchmarks.batch stages CLIP [CLIP]   what each stage of a draft takes of the processor and of the disk

All but the last are done by processes of this machine and by a Ray of this machine, with as many workers. Ray has to
be installed (requirements-cluster.txt).
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from stit_core.batch.rows import Row
from stit_core.batch.running import Batch
from stit_core.batch.treatments import Treatments
from stit_core.batch.working import Setup
from stit_core.config import preset
from stit_core.packs.loading import DEFAULT_PACK, Models, find_pack
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.runtime import CancelToken, Progress, Runtime, pick_dtype, torch_threads
from stit_core.store.runs import Store
from stit_core.workers import ray_cluster
from stit_core.workers.processes import LocalProcesses
from stit_core.workers.scheduling import Scheduler
from stit_core.workers.tasks import Doing, Role, Task, Workers

PLACES = ("here", "ray")
PAGE = os.sysconf("SC_PAGE_SIZE")


def sleeper(setup: Any, device: str) -> Doing:  # noqa: ARG001 (the signature of a role)
    """A role that waits for so many seconds as a task says, and says how long that was."""

    def do(seconds: float, progress: Progress, cancel: CancelToken) -> float:  # noqa: ARG001
        started = time.perf_counter()
        if seconds:
            time.sleep(seconds)
        return time.perf_counter() - started

    return do


def workers_at(place: str, role: Role, jobs: int) -> Workers:
    """So many workers of one thread each."""
    if place == "here":
        return LocalProcesses(role, ("cpu",), jobs, 1)
    return ray_cluster.RayActors(ray_cluster.connect("ray"), role, "cpu", jobs, 1, 0)


def own_megabytes() -> float:
    """Main memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def do_nothing(count: int, jobs: int) -> None:
    """Tasks that do nothing, counted out one by one."""
    for place in PLACES:
        tasks = (Task(number, 0.0) for number in range(count))
        started, memory = 0.0, []
        scheduler = Scheduler(workers_at(place, Role("benchmarks.batch:sleeper", None), jobs), tasks, CancelToken())
        done = 0
        for outcome in scheduler.run():
            if outcome is None:
                continue
            started = started or time.perf_counter()
            done += 1
            if done in (1, count // 10, count // 2, count):
                memory.append(f"{own_megabytes():.0f} MB after {done}")
        each = (time.perf_counter() - started) / count
        print(f"{place:<5} {1e3 * each:.2f} ms a task; {', '.join(memory)}", flush=True)


def wait(count: int, jobs: int, seconds: float, rounds: int) -> None:
    """Tasks that only wait; what passes between two of a worker is the cost of the place."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for place in PLACES:
            role = Role("benchmarks.batch:sleeper", None)
            outcomes = Scheduler(
                workers_at(place, role, jobs), (Task(n, seconds) for n in range(count)), CancelToken()
            ).run()
            took = _after_the_first(outcomes)
            best[place] = min(best.get(place, float("inf")), took / (count / jobs - 1))
    for place in PLACES:
        print(f"{place:<5} {best[place]:.4f} s a task of {seconds:g} s", flush=True)
    print(f"ray / here: {best['ray'] / best['here']:.4f}")


def _after_the_first(outcomes: Iterator[Any]) -> float:
    """Seconds from the first outcome to the last: without the start of the workers."""
    moments = [time.perf_counter() for outcome in outcomes if outcome is not None]
    return moments[-1] - moments[0]


def edit_clips(clips: Sequence[Path], jobs: int, rounds: int, name: str) -> None:
    """Real clips, a draft of smile=2; wall time from the first clip that is finished to the last."""
    pack = find_pack(name)
    treatments = Treatments(pack)
    treatment = treatments.of(treatments.preset("draft", None), (("smile", 2.0),), 0)
    best: dict[str, float] = {}
    for _ in range(rounds):
        for place in PLACES:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch) / "out"
                folder.mkdir()
                batch = Batch(
                    [Row(str(clip), treatment) for clip in clips],
                    Setup(str(pack.folders[0]), folder, Path(scratch) / "runs"),
                )
                started = time.perf_counter()
                moments, own = [], 0.0
                for settled in batch.run(workers_at(place, batch.role, jobs), CancelToken()):
                    moments.append(time.perf_counter())
                    own += settled.record.get("worker_seconds", float("nan"))
                took = moments[-1] - moments[0]
                best[place] = min(best.get(place, float("inf")), took)
                print(
                    f"{place:<5} {took:.1f} s after the first of {len(clips)} clips, which came after "
                    f"{moments[0] - started:.1f} s; {own / len(clips):.2f} s of a worker a clip",
                    flush=True,
                )
    print(f"ray / here: {best['ray'] / best['here']:.4f}")


def processor_seconds() -> float:
    """Of this process and of the ffmpegs that it has waited for; what else the machine does is no part of it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def cost_stages(path: Path, name: str) -> None:
    """Processor seconds a frame of every stage with one thread, and bytes a frame of what is stored."""
    pack = find_pack(name)
    models = Models(pack, torch.device("cpu"))
    config = preset("draft", pack.schedules).with_changes({"edit": {"directions": (("smile", 2.0),)}})
    before = processor_seconds()
    for part in pack.parts:
        getattr(models, part, None)
    print(f"{path.name}: networks {processor_seconds() - before:.2f} s", end="; a frame: ", flush=True)
    with tempfile.TemporaryDirectory() as scratch, torch_threads(1):
        runtime = Runtime(dtype=pick_dtype("draft", torch.device("cpu")))
        pipeline = Pipeline(models, Store(Path(scratch) / "runs"), config, runtime)
        output = Path(scratch) / "out.mp4"
        before = processor_seconds()
        clip = pipeline.open(path)
        frames, told = len(clip.frames), {"clip": processor_seconds() - before}
        for stage in ("landmarks", "align", "invert", "tune", "masks", "register", "stitch", "identify", "measure"):
            before = processor_seconds()
            getattr(pipeline, stage)(clip)
            told[stage] = processor_seconds() - before
        before = processor_seconds()
        Pasting(pipeline, clip).write({pipeline.landmarks(clip).index: pipeline.stitch(clip)}, output)
        told["write"] = processor_seconds() - before
        stored = sum(file.stat().st_size for file in (Path(scratch) / "runs").rglob("*") if file.is_file())
        print(", ".join(f"{stage} {seconds / frames:.3f}" for stage, seconds in told.items()), end="")
        print(f", together {sum(told.values()) / frames:.3f} s of {frames} frames;", end=" ")
        video = output.stat().st_size / frames / 1e3
        print(f"stored {stored / frames / 1e6:.2f} MB a frame, video {video:.1f} kB a frame")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("nothing", "waiting", "clips", "stages"))
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=None, help="10,000 that do nothing, 16 that wait")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a task that waits")
    parser.add_argument("--pack", default=DEFAULT_PACK)
    parser.add_argument("--rounds", type=int, default=1, help="of which the shortest counts")
    arguments = parser.parse_args()
    if arguments.what == "nothing":
        do_nothing(arguments.tasks or 10_000, arguments.jobs)
    elif arguments.what == "waiting":
        wait(arguments.tasks or 16, arguments.jobs, arguments.seconds, arguments.rounds)
    elif arguments.what == "stages":
        for clip in arguments.clips:
            cost_stages(clip, arguments.pack)
    else:
        edit_clips(arguments.clips, arguments.jobs, arguments.rounds, arguments.pack)


if __name__ == "__main__":
    main()
