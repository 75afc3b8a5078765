"""A page's backend on the tiny pack, for tests: a studio, an upload, a run that was taken to a step."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from page.settings import PageSettings
from page.studio.feed import Feeds
from page.studio.folders import RunFolders, new_id
from page.studio.job import Kind, Status
from page.studio.runs import Output, RunState
from page.studio.studio import Studio
from page.studio.tasks import Task

SMILE = (("smile", 2.0),)  # an edit
PATIENCE = 120.0  # seconds, after which a test that waits fails
MEASURES = {"psnr": 31.0, "lpips": 0.1, "border_loss": 0.002, "id_cosine": 0.9, "tl_id": 0.995, "tg_id": 0.95}


def make_studio(root: Path, samples: dict[str, Path] | None = None, **settings: float) -> Studio:
    """A page's backend with its files below `root`."""
    return Studio(PageSettings(root=root, pack="tiny", device="cpu", **settings), samples or {}, Feeds())


def upload(studio: Studio, clip: Path, name: str = "") -> Path:
    """A copy of a clip where Gradio puts uploads."""
    target = studio.settings.served / new_id() / (name or clip.name)
    target.parent.mkdir(parents=True)
    shutil.copyfile(clip, target)
    return target


def begin(studio: Studio, clip: Path, **choices: object) -> RunState:
    """A new run with a clip and choices; the draft preset unless another is chosen."""
    state = studio.arrive()
    studio.set_clip(state.id, upload(studio, clip))
    return studio.change(state.id, **{"preset": "draft", **choices})


def finish(studio: Studio, run_id: str, kind: Kind) -> Status:
    """Start a job and wait for its end."""
    studio.start(run_id, kind)
    return ended(studio, run_id)


def ended(studio: Studio, run_id: str) -> Status:
    """Wait for the end of a run's job."""
    job = studio.jobs.get(run_id)
    assert job is not None
    assert job.wait(PATIENCE), "the job does not end"
    return job.status()


def stop_at(
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    run_id: str,
    stage: str,
    count: int,
    stop: Callable[[], object] | None = None,
) -> None:
    """Press Stop, or do something else, when a stage has reported so many steps."""
    whole = Task.pipeline
    seen: list[int] = []

    def watched(self: Task, job: object, *rest: object) -> object:
        pipeline = whole(self, job, *rest)  # type: ignore[arg-type]
        report = pipeline.runtime.progress

        def progress(name: str, done: int, total: int) -> None:
            report(name, done, total)
            if name == stage and done < total:
                seen.append(done)
                if len(seen) == count:
                    assert studio.stop(run_id) if stop is None else stop()

        pipeline.runtime = dataclasses.replace(pipeline.runtime, progress=progress)
        return pipeline

    monkeypatch.setattr(Task, "pipeline", watched)


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it does not become so"
        time.sleep(0.01)


def make_output(**changes: Any) -> Output:
    """A finished video of a run, with changes."""
    facts: dict[str, Any] = {
        "id": "x",
        "video": "out.mp4",
        "manifest": "out.edit.json",
        "edits": (("smile", 1.5), ("age", -2.0)),
        "preset": "draft",
        "partial": False,
        "frames": 75,
        "of": 75,
        "seconds_taken": 125.0,
        "measures": MEASURES,
    }
    return Output(**facts | changes)


def bring(folders: RunFolders, name: str = "clip.mp4", data: bytes = b"video") -> Path:
    """An upload with this content where Gradio puts it."""
    path = folders.settings.served / new_id() / name
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path
