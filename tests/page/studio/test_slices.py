"""The heavy stages in slices: here and in forks, closed, killed, out of time, and the same to the byte all the same."""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from page.studio import stepwise
from page.studio.networks import Networks, placed
from page.studio.slices import (
    HEAVY,
    PREVIEW_SIDE,
    SliceSettings,
    _small,
    error_of,
    lent_seconds,
    lent_slice,
    work_slice,
)
from page.studio.stepwise import BEAT, Message, in_steps
from stit_core.artefacts import Clip
from stit_core.config import RunConfig, preset
from stit_core.errors import Cancelled, DirectionError, StitError, StoreError
from stit_core.packs.loading import find_pack
from stit_core.pipeline import Pipeline
from stit_core.runtime import CancelToken, Runtime
from stit_core.store.runs import Store
from tests.support.forks import SILENCE, ForkedSlice, use_all_pools

pytest_plugins = ("tests.support.fixtures_pack",)
PASSES = 5
MOST_WORD_BYTES = 3 * PREVIEW_SIDE**2 + 10_000


def config_of(method: str) -> RunConfig:
    schedules = find_pack("tiny").schedules
    changes: dict[str, Any] = {"edit": {"directions": (("smile", 2.0),)}, "tuning": {"passes": PASSES}}
    if method == "stitch":
        changes["stitching"] = {"steps": 2, "window": 2, "window_steps": 2, "batch_size": 2}
    return preset("balanced", schedules, method).with_changes(changes)


class Case:
    """A run that is aligned, and the slices that are to do the rest."""

    def __init__(self, root: Path, clip: Path, method: str) -> None:
        self.root = root
        self.config = config_of(method)
        self.networks = Networks("tiny", "cpu")
        self.stages = tuple(stage for stage in HEAVY if stage != "register" or method == "transfer")
        self.pipeline = Pipeline(self.networks.models, Store(root), self.config, Runtime())
        self.clip: Clip = self.pipeline.open(clip)
        self.pipeline.align(self.clip)
        self.settings = SliceSettings(self.networks.place(), str(clip), self.config, torch.float32, 0, None)

    def here(self, budget: float = float("inf")) -> Iterator[Message]:
        return work_slice(str(self.root), self.settings, self.stages, budget)

    def fork(self, budget: float = float("inf")) -> ForkedSlice:
        return ForkedSlice(str(self.root), self.settings, self.stages, budget)

    def digest(self) -> dict[str, str]:
        """What every stage has made, by the hash of all its bytes."""
        found = {}
        for folder in sorted(self.pipeline.run_of(self.clip).folder.glob("[a-z]*-*")):
            digest = hashlib.sha256()
            for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "frames.jsonl"):
                if not file.name.startswith(("window", "progress")):
                    digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
            found[folder.name] = digest.hexdigest()
        return found


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """As the test found them."""
    before, pool = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before)
    cv2.setNumThreads(pool)


@pytest.fixture(params=["transfer", "stitch"])
def case(request: pytest.FixtureRequest, home: Path, face_clip: Path) -> Case:
    return Case(home / "runs", face_clip, request.param)


def in_one_go(case: Case) -> dict[str, str]:
    """What the stages make in a run of its own without any slice, with the one thread that a fork has."""
    torch.set_num_threads(1)
    root = case.root.with_name("in-one-go")
    shutil.copytree(case.root, root)
    pipeline = Pipeline(case.networks.models, Store(root), case.config, Runtime())
    clip = pipeline.open(Path(case.settings.clip))
    for stage in case.stages:
        getattr(pipeline, stage)(clip)
    case.pipeline, before = pipeline, case.pipeline
    found = case.digest()
    case.pipeline = before
    return found


def of_kind(words: Sequence[Message], kind: str) -> list[Message]:
    return [word for word in words if word[0] == kind]


# --- in this process ---


def test_a_slice_makes_what_the_pipeline_makes_and_says_so(case: Case) -> None:
    words = list(case.here())
    assert words[-1] == ("done",)
    assert case.digest() == in_one_go(case)
    made = {stage: found for _, stage, _, found in of_kind(words, "made")}
    assert [stage for stage in made if stage in case.stages] == list(case.stages)
    assert not any(made[stage] for stage in case.stages)
    assert made["align"], "what was there is called found"
    passes = [word for word in of_kind(words, "figures") if word[1] == "tune"]
    assert len(passes) == PASSES
    shown = [(stage, frame) for _, stage, frame, _ in of_kind(words, "preview") if stage == "stitch"]
    assert len(shown) == len(case.clip.frames)


def test_off_zerogpu_nothing_is_wrapped_and_threads_stay() -> None:
    assert lent_slice is work_slice
    torch.set_num_threads(2)
    assert stepwise.settle_after_fork() == 2
    assert not stepwise.is_forked()


def test_a_slice_that_is_closed_stops_where_stop_does(case: Case) -> None:
    words = case.here()
    seen = 0
    for word in words:
        seen += word[:2] == ("progress", "tune")
        if seen == 3:
            break
    words.close()  # type: ignore[attr-defined]
    assert not case.pipeline.has(case.clip, "tune")
    assert list(case.here())[-1] == ("done",)
    assert case.digest() == in_one_go(case)


def test_an_error_of_a_stage_comes_in_words(home: Path, face_clip: Path) -> None:
    case = Case(home / "runs", face_clip, "transfer")
    shutil.rmtree(next(case.root.glob("*/clip-*")))
    kind, name, message, hint = list(case.here())[-1]
    assert kind == "failed"
    error = error_of(name, message, hint)
    assert isinstance(error, StoreError)
    assert "face.mp4" in error.message
    assert type(error_of("Cancelled", "a", "b")) is StitError, "no other class is made of a name from a pipe"
    assert isinstance(error_of("DirectionError", "a", "b"), DirectionError)


# --- in forks ---


def test_a_fork_computes_in_the_very_thread_whose_pool_is_gone() -> None:
    use_all_pools()
    fork = multiprocessing.get_context("fork").Process(target=_settle_and_compute, daemon=True)
    fork.start()
    fork.join(SILENCE)
    if hangs := fork.is_alive():
        fork.kill()
    assert not hangs
    assert fork.exitcode == 0


def _settle_and_compute() -> None:
    assert stepwise.settle_after_fork() == 1
    (torch.rand(512, 512) @ torch.rand(512, 512)).exp().sum()
    torch.nn.Conv2d(8, 8, 3)(torch.rand(4, 8, 64, 64)).sum().backward()


def test_a_fork_of_a_process_that_used_every_pool_does_not_hang(case: Case) -> None:
    use_all_pools()
    fork = case.fork()
    words = list(fork)
    assert words[-1] == ("done",)
    assert max(fork.sizes) <= MOST_WORD_BYTES
    assert all(picture is None for _, stage, _, picture in of_kind(words, "preview") if stage == "stitch")
    assert case.digest() == in_one_go(case)


def test_a_fork_that_is_closed_half_way_is_resumed(case: Case) -> None:
    fork = case.fork()
    for word in fork:
        if word[0] == "figures":
            break
    fork.close()
    assert fork.process.exitcode == 0
    assert not case.pipeline.has(case.clip, "tune")
    words = list(case.fork())
    assert len(of_kind(words, "figures")) >= PASSES, "those of the passes before are told again"
    assert case.digest() == in_one_go(case)


@pytest.mark.parametrize("stage", ["tune", "stitch"])
def test_a_fork_that_is_killed_costs_little(case: Case, stage: str) -> None:
    fork = case.fork()
    for word in fork:
        if word[:2] == ("figures", stage):
            break
    fork.kill()
    assert list(case.fork())[-1] == ("done",)
    assert case.digest() == in_one_go(case)


def test_a_budget_that_is_never_enough_gets_there_in_many_slices(case: Case) -> None:
    ends = []
    while not ends or ends[-1][0] == "rest":
        ends.append(list(case.here(budget=0.0) if len(ends) % 2 else case.fork(budget=0.0))[-1])
        torch.set_num_threads(1)
    assert ends[-1] == ("done",)
    assert len(ends) > 10
    stages = [word[1] for word in ends[:-1]]
    assert stages == sorted(stages, key=case.stages.index), "none is begun anew"
    assert all(stages.count(stage) > 1 for stage in case.stages), "each ends within itself, not only at its end"
    assert case.digest() == in_one_go(case)


def test_all_that_goes_to_a_fork_and_back_can_be_pickled(case: Case) -> None:
    arguments = (str(case.root), case.settings, case.stages, 1.5)
    assert pickle.loads(pickle.dumps(arguments)) == arguments
    for word in case.here():
        again = pickle.loads(pickle.dumps(word))
        assert type(again) is tuple
        assert all(isinstance(part, (str, int, float, tuple, np.ndarray, type(None))) for part in again), word
        np.testing.assert_equal(again, word)


def test_networks_are_found_by_name_as_long_as_they_are_there(home: Path) -> None:  # noqa: ARG001
    networks = Networks("tiny", "cpu")
    name = networks.place()
    assert networks.place() == name
    assert placed(name) is networks.models
    del networks
    with pytest.raises(StoreError, match="networks"):
        placed(name)


def test_how_long_the_card_is_asked_for(case: Case) -> None:
    seconds = lent_seconds(str(case.root), case.settings, case.stages, 10.4)
    assert seconds == 19  # whole seconds, and the way to the card


def test_large_pictures_are_made_small_for_a_pipe() -> None:
    assert _small(np.zeros((1024, 512, 3), np.uint8)).shape == (512, 256, 3)
    same = np.zeros((64, 64, 3), np.uint8)
    assert _small(same) is same


# --- word by word ---


def test_work_goes_no_further_than_its_listener(home: Path) -> None:  # noqa: ARG001
    done = []

    def work(say: Any, token: CancelToken) -> None:  # noqa: ARG001
        for number in range(5):
            done.append(number)
            say((number,))

    words = in_steps(work, 1)
    assert next(words) == (0,)
    assert next(words) == (1,)
    assert done == [0, 1]
    words.close()  # type: ignore[attr-defined]
    assert done == [0, 1]


def test_silent_work_beats_and_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepwise, "BEAT_SECONDS", 0.01)
    ends = []

    def work(say: Any, token: CancelToken) -> None:  # noqa: ARG001
        while not token.is_set():
            pass
        ends.append("stopped")
        raise Cancelled("test")

    words = in_steps(work, 1)
    assert next(words) == BEAT
    words.close()  # type: ignore[attr-defined]
    assert ends == ["stopped"]


def test_what_the_work_raises_is_raised_where_it_is_listened_to() -> None:
    def work(say: Any, token: CancelToken) -> None:  # noqa: ARG001
        say(("one",))
        raise ValueError("broken")

    words = in_steps(work, 1)
    assert next(words) == ("one",)
    with pytest.raises(ValueError, match="broken"):
        next(words)
