"""A process killed while it tunes, and the same work done again: on the real pack, the same bits as undisturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from stit_core.artefacts import Tuned
from stit_core.config import preset
from stit_core.packs.loading import find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.runtime import Runtime, pick_dtype
from stit_core.stages import tuning
from stit_core.store.runs import Store

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "assets" / "clips" / "old-man-talking-sound.mp4"
# Five frames, or key frames, in batches of four: the last batch of a pass is a shorter one.
TUNING = {"stitch": {"passes": 3}, "transfer": {"passes": 3, "key_frames": 5}}
END = {"stitch": 0.2, "transfer": 0.3}  # seconds


def tuned(root: Path, method: str, runtime: Runtime) -> Tuned:
    """The clip tuned with the results that lie below `root`."""
    pack = find_pack("heads-256")
    changes = {"video": {"end": END[method]}, "tuning": TUNING[method]}
    config = preset("draft", pack.schedules, method).with_changes(changes)
    pipeline = Pipeline(load_models(pack, runtime.device), Store(root), config, runtime)
    return pipeline.tune(pipeline.open(CLIP))


def usual_runtime() -> Runtime:
    device = torch.device("cpu")
    return Runtime(device=device, dtype=pick_dtype("draft", device))


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tune_and_die(root: Path, method: str, moment: str) -> None:
    """Tune, and be killed in the second pass, or after the first and before the second."""
    torch.set_num_threads(1)
    save = tuning.save_checkpoint

    def save_and_die(file: Path, *arguments: object) -> None:
        save(file, *arguments)  # type: ignore[arg-type]
        if file.name == tuning.CHECKPOINT:  # not the one before the first pass
            kill_self()

    def progress(stage: str, done: int, total: int) -> None:
        if moment == "inside" and stage == tuning.STAGE and total > 1 and done == total * 3 // 8:  # 3 of 8 steps
            kill_self()

    if moment == "between":
        tuning.save_checkpoint = save_and_die  # type: ignore[assignment]
    runtime = usual_runtime()
    tuned(root, method, Runtime(device=runtime.device, dtype=runtime.dtype, progress=progress))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["stitch", "transfer"])
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tuned]:
    return request.param, tuned(tmp_path_factory.mktemp("undisturbed"), request.param, usual_runtime())


@pytest.mark.parametrize("moment", ["inside", "between"])
def test_a_killed_run_ends_with_the_same_bits(undisturbed: tuple[str, Tuned], moment: str, tmp_path: Path) -> None:
    method, expected = undisturbed
    command = [sys.executable, str(Path(__file__)), str(tmp_path), method, moment]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False, timeout=300)
    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.glob(f"*/.tune-*.part/{tuning.CHECKPOINT}"))  # there is a pass to go on from
    told: list[int] = []
    usual = usual_runtime()
    found = tuned(
        tmp_path,
        method,
        Runtime(
            device=usual.device,
            dtype=usual.dtype,
            progress=lambda stage, done, total: told.append(done) if stage == "tune" and total > 1 else None,
        ),
    )
    assert told[0] == 2  # the first pass of two steps is not repeated
    assert torch.equal(found.w_plus, expected.w_plus)
    assert found.state.keys() == expected.state.keys()
    assert [name for name in found.state if not torch.equal(found.state[name], expected.state[name])] == []
    assert (found.history == expected.history).all()
    assert (found.psnr, found.lpips) == (expected.psnr, expected.lpips)


if __name__ == "__main__":
    tune_and_die(Path(sys.argv[1]), *sys.argv[2:4])
