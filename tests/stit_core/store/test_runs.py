"""Tests of the run store: keys, atomic results, resuming, damage, locks, a full disk, cleaning."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from stit_core.artefacts import Alignment, Tuned
from stit_core.errors import Cancelled, StoreError
from stit_core.store.artefact_files import load_artefact, save_artefact
from stit_core.store.runs import Run, Store
from tests.support.stored_results import HASH, make_alignment


def make_tuned() -> Tuned:
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.5])}
    return Tuned(HASH, (0, 2, 3), torch.randn(3, 4, 8), state, np.arange(8.0).reshape(2, 4), 30.25, 0.125)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Store(tmp_path / "runs").run(HASH, "clip.mp4")


def keep(run: Run, name: str = "k") -> Path:
    with run.make("tune", name) as folder:
        save_artefact(make_tuned(), folder)
    found = run.find("tune", name)
    assert found is not None
    return found


def test_tensors_arrays_and_numbers_come_back_exactly(run: Run) -> None:
    with run.make("tune", "k") as folder:
        tuned = make_tuned()
        (folder / "progress.safetensors").write_bytes(b"a checkpoint of the work")
        save_artefact(tuned, folder)
    found = run.load("tune", "k", Tuned)
    assert found is not None
    assert torch.equal(found.w_plus, tuned.w_plus)
    assert {name: value.tolist() for name, value in found.state.items()} == {
        name: value.tolist() for name, value in tuned.state.items()
    }
    assert found.history.dtype == tuned.history.dtype
    assert np.array_equal(found.history, tuned.history)
    assert (found.psnr, found.frame_indices) == (tuned.psnr, tuned.frame_indices)
    assert sorted(path.name for path in (run.find("tune", "k") or Path()).iterdir()) == [
        "result.json",
        "tensors.safetensors",
    ]


def test_pictures_move_with_their_result(run: Run) -> None:
    with run.make("align", "k") as folder:
        save_artefact(make_alignment(folder), folder)
    found = run.load("align", "k", Alignment)
    assert found is not None
    assert found.crops.path.parent == run.find("align", "k")
    assert found.crops.read(2).max() == 2


def test_a_stopped_stage_goes_on_in_the_same_folder(run: Run) -> None:
    def begin() -> None:
        with run.make("tune", "k") as folder:
            (folder / "half").write_text("so far")
            raise Cancelled("tune")

    with pytest.raises(Cancelled):
        begin()
    assert run.find("tune", "k") is None
    with run.make("tune", "k") as folder:
        assert (folder / "half").read_text() == "so far"
        save_artefact(make_tuned(), folder)
    assert run.find("tune", "k") is not None
    assert not list(run.folder.glob("*.part"))


@pytest.mark.parametrize("kind", [FileNotFoundError, PermissionError])
def test_what_a_stage_itself_raises_is_no_fault_of_the_disk(run: Run, tmp_path: Path, kind: type[OSError]) -> None:
    program = tmp_path / "no" / "ffmpeg"
    number = errno.ENOENT if kind is FileNotFoundError else errno.EACCES
    with pytest.raises(kind) as caught, run.make("tune", "k"):
        raise kind(number, os.strerror(number), str(program))
    assert caught.value.filename == str(program)
    with pytest.raises(StoreError, match="'tune' cannot be written"), run.make("tune", "k") as folder:
        raise kind(number, os.strerror(number), str(folder / "gone" / "part"))
    with pytest.raises(StoreError, match="The disk is full"), run.make("tune", "k"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("damage", ["cut", "flip", "json", "gone"])
def test_a_damaged_result_is_thrown_away_with_a_warning(
    run: Run, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = keep(run)
    tensors = folder / "tensors.safetensors"
    data = bytearray(tensors.read_bytes())
    if damage == "cut":
        tensors.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[-1] ^= 1
        tensors.write_bytes(data)
    elif damage == "json":
        (folder / "result.json").write_text("{")
    else:
        tensors.unlink()
    assert run.load("tune", "k", Tuned) is None
    assert "damaged" in caplog.text
    assert run.find("tune", "k") is None
    keep(run)
    assert run.load("tune", "k", Tuned) is not None


def test_a_missing_picture_is_damage(run: Run) -> None:
    with run.make("align", "k") as folder:
        save_artefact(make_alignment(folder), folder)
    (run.folder / "align-k" / "pictures" / "000002.png").unlink()
    assert run.load("align", "k", Alignment) is None


def test_a_result_of_another_kind_is_refused(run: Run) -> None:
    with pytest.raises(StoreError, match="not a Alignment"):
        load_artefact(Alignment, keep(run))


def test_a_second_process_is_kept_out(run: Run) -> None:
    code = (
        "import sys; from pathlib import Path; from stit_core.store.runs import Run\n"
        f"with Run(Path({str(run.folder)!r})).make('tune', 'k') as f: print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline().strip() == "in"
    try:
        with pytest.raises(StoreError, match="Another process"), run.make("tune", "k"):
            pass
        assert Store(run.folder.parent).clean() == []
    finally:
        other.kill()
        other.communicate()
    keep(run)


def test_a_full_disk_is_told_and_nothing_is_lost(run: Run) -> None:
    keep(run, "before")
    with pytest.raises(StoreError, match="disk is full") as caught, run.make("tune", "k"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "runs clean" in caught.value.hint
    assert run.find("tune", "k") is None
    assert run.load("tune", "before", Tuned) is not None


def test_an_unwritable_root_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "runs").run(HASH, "clip.mp4")


def test_a_run_is_opened_by_many_threads_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    with ThreadPoolExecutor(16) as threads:
        opened = [*threads.map(lambda _: store.run(HASH, "clip.mp4").folder, range(200))]
    assert set(opened) == {tmp_path / "runs" / HASH[:16]}
    assert [entry.name for entry in opened[0].iterdir()] == ["run.json"]
    assert json.loads((opened[0] / "run.json").read_text()) == {"clip": "clip.mp4", "source": HASH}


def test_a_run_that_is_opened_again_counts_as_used(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = store.run(HASH, "clip.mp4").folder / "run.json"
    os.utime(record, (0, 0))
    store.run(HASH, "clip.mp4")
    assert store.clean(older_than=3600) == []
    record.write_text("{")
    store.run(HASH, "renamed.mp4")
    assert [info.clip for info in store.list_runs()] == ["renamed.mp4"]


def test_runs_are_listed_and_cleaned_by_age_and_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = store.run("1" * 64, "old.mp4"), store.run("2" * 64, "new.mp4")
    keep(old)
    os.utime(old.folder / "run.json", (0, 0))
    assert [info.clip for info in store.list_runs()] == ["new.mp4", "old.mp4"]
    assert store.list_runs()[1].stages == ("tune",)
    assert store.list_runs()[1].size > 500
    assert [info.clip for info in store.clean(older_than=3600)] == ["old.mp4"]
    with pytest.raises(StoreError, match="no run 'nobody'"):
        store.clean(names=("nobody",))
    assert [info.clip for info in store.clean(names=(new.folder.name,))] == ["new.mp4"]
    assert store.list_runs() == []


def test_a_run_deleted_between_two_stages_is_told(tmp_path: Path) -> None:
    run = Store(tmp_path / "runs").run("a" * 64, "clip.mp4")
    shutil.rmtree(run.folder)
    with (
        pytest.raises(StoreError, match="result of 'tune' cannot be written: its folder is gone"),
        run.make("tune", "k"),
    ):
        pass
