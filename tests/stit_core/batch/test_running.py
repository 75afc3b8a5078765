"""Batches with real workers: here and on a Ray of two, with deaths half-way; the bytes are those of one process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stit_core.batch.running import DONE, FAILED, FOUND, SAME, Batch, Settled
from stit_core.errors import Cancelled, StitError, StoreError
from stit_core.runtime import CancelToken
from stit_core.workers import ray_cluster
from stit_core.workers.processes import LocalProcesses
from tests.support.batch_cases import batch_of, videos, write_clips
from tests.support.drawn_face import write_clip
from tests.support.full_disk import room_for

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_ray"]

ROOT = Path(__file__).resolve().parents[3]
CLIPS = 12
PATIENCE = 300.0  # seconds until something must have happened, on a busy machine


def local(batch: Batch, jobs: int = 2) -> LocalProcesses:
    return LocalProcesses(batch.role, ("cpu",), jobs, 1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_clips(tmp_path_factory.mktemp("takes"), CLIPS)


@pytest.fixture(scope="module")
def reference(
    clips: list[Path], shared_pack_folder: Path, direction_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with what a single process makes of the clips."""
    root = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        batch = batch_of(clips, root / "out", root / "runs")
        states = [settled.state for settled in batch.run(local(batch, 1), CancelToken())]
    assert states == [DONE] * CLIPS
    return root / "out"


@pytest.mark.parametrize("place", ["here", "ray"])
def test_a_worker_that_is_killed_half_way_changes_no_byte(
    place: str, clips: list[Path], reference: Path, home: Path, request: pytest.FixtureRequest
) -> None:
    clips = clips[: CLIPS if place == "ray" else CLIPS // 2]
    batch = batch_of(clips, home / "out", home / "runs")
    if place == "ray":
        workers: Any = ray_cluster.RayActors(request.getfixturevalue("ray"), batch.role, "cpu", None, 1, 0)
    else:
        workers = local(batch)
    assert workers.slots == 2
    killed: list[int] = []
    found: list[Settled] = []
    for settled in batch.run(workers, CancelToken()):
        found.append(settled)
        if len(found) == len(clips) // 2:
            victim = pid_of_one(workers)
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
    assert killed
    assert sorted(settled.number for settled in found) == list(range(len(clips)))
    assert [settled.failure for settled in found] == [None] * len(clips)
    assert videos(home / "out") == first_of(reference, len(clips))
    assert not list((home / "runs").glob("*/.*.part"))


def first_of(reference: Path, count: int) -> dict[str, bytes]:
    """The reference's videos of the first clips."""
    return dict(list(videos(reference).items())[:count])


def pid_of_one(workers: Any) -> int:
    """The process of a worker of either kind, of one that has a task where there is one."""
    if isinstance(workers, LocalProcesses):
        return next(each.process.pid for each in workers._alive.values() if each.process.pid)
    actors = sorted(workers._actors.values(), key=lambda actor: actor.job is None)
    return int(workers._ray.get(actors[0].handle.__ray_call__.remote(lambda _: os.getpid())))


def test_a_batch_that_is_killed_goes_on_and_ends_with_the_same_bytes(
    clips: list[Path], reference: Path, home: Path
) -> None:
    count = CLIPS // 2
    takes = [str(clip) for clip in clips[:count]]
    command = [sys.executable, "-m", "stit_core", "batch", *takes, "-d", "smile=2", "--preset", "draft", "--json"]
    command += ["--pack", "tiny", "-o", str(home / "out"), "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    jobs, limit = home / "out" / ".batch" / "jobs", time.monotonic() + PATIENCE
    while not (len(videos(home / "out")) >= 2 and list(jobs.glob("*/*.json"))) and time.monotonic() < limit:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = {name: (home / "out" / name).stat().st_mtime_ns for name in videos(home / "out")}
    assert 2 <= len(kept) < count
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert told["counts"].get(FOUND, 0) >= 1
    assert sum(told["counts"].values()) == count
    assert {row["state"] for row in told["rows"]} == {DONE}
    records = {path.stem[:10] for path in jobs.glob("*/*.json")}
    for name in kept:  # a video whose record was not yet written when the kill came may be made again
        if (home / "out" / name).stat().st_mtime_ns != kept[name]:
            assert told["counts"][DONE] > count - len(kept)
    assert len(records) == count
    assert videos(home / "out") == first_of(reference, count)


def test_failures_and_twins_leave_the_others_alone(clips: list[Path], home: Path) -> None:
    takes = home / "takes"
    takes.mkdir()
    good, twin = takes / "good.mp4", takes / "the same.mp4"
    for path in (good, twin):
        shutil.copyfile(clips[0], path)
    (takes / "text.mp4").write_text("no video\n" * 100)
    blank = write_clip(takes / "wall.mp4", 3, faceless=True)
    rows = [good, takes / "text.mp4", blank, twin, takes / "gone.mp4"]
    batch = batch_of(rows, home / "out", home / "runs", keep_stages=False)
    found = {settled.number: settled for settled in batch.run(local(batch), CancelToken())}
    assert [found[k].state for k in range(5)] == [DONE, FAILED, FAILED, SAME, FAILED]
    assert found[3].same_as == 0
    assert found[3].record["output"] == found[0].record["output"]
    told = [found[k].failure.message for k in (1, 2, 4)]  # type: ignore[union-attr]
    assert "text.mp4 is not a video" in told[0]
    assert "No face was found" in told[1]
    assert "gone.mp4 can no longer be read" in told[2]
    assert len(videos(home / "out")) == 1
    assert not list((home / "runs").glob("*/tune-*")), "the stages of a finished clip were not to be kept"
    assert [settled.state for settled in batch.settled()] == [DONE, FAILED, FAILED, SAME, FAILED]
    again = batch_of(rows[:1], home / "out", home / "runs")
    assert [settled.state for settled in again.run(local(again), CancelToken())] == [FOUND]
    (home / "out" / found[0].record["output"]).write_bytes(b"half")
    assert again.records.finished(again.key_of(0)) is None, "a video that is not whole is made again"


def test_a_folder_that_fills_up_ends_the_batch_in_words_and_keeps_what_is_finished(
    clips: list[Path], reference: Path, home: Path
) -> None:
    first = batch_of(clips[:1], home / "out", home / "runs")
    assert [settled.state for settled in first.run(local(first, 1), CancelToken())] == [DONE]
    batch = batch_of(clips[:4], home / "out", home / "runs")
    found: list[Settled] = []
    with room_for(4096), pytest.raises(StitError, match="is full, or cannot be written") as error:
        found.extend(batch.run(local(batch, 1), CancelToken()))
    assert "finished clips are kept" in error.value.hint
    assert [settled.state for settled in found] == [FOUND, FAILED]
    assert videos(home / "out").items() <= videos(reference).items()
    assert len(videos(home / "out")) == 1
    again = batch_of(clips[:2], home / "out", home / "runs")
    assert [settled.state for settled in again.run(local(again, 1), CancelToken())] == [FOUND, DONE]


def test_a_stop_keeps_what_is_finished_and_one_folder_has_one_batch(clips: list[Path], home: Path) -> None:
    cancel = CancelToken()
    batch = batch_of(clips[:4], home / "out", home / "runs")
    other = batch_of(clips[:1], home / "out", home / "runs")
    found: list[Settled] = []

    def stopping() -> Iterator[Settled]:
        for settled in batch.run(local(batch, 1), cancel):
            yield settled
            with pytest.raises(StoreError, match="Another batch is working"):
                list(other.run(local(other), CancelToken()))
            cancel.set()

    with pytest.raises(Cancelled):
        found.extend(stopping())
    assert len(videos(home / "out")) == len(found) == 1
    states = [settled.state for settled in batch.settled()]
    assert states[0] == DONE
    assert set(states[1:]) == {"waiting"}
