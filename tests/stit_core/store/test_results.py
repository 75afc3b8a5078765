"""Results come from memory, from the disk, or are made; each is counted and reported once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stit_core.artefacts import Inversion
from stit_core.runtime import Runtime
from stit_core.store.results import Results
from stit_core.store.runs import Run, Store

HASH = "ab" * 32


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Store(tmp_path / "runs").run(HASH, "clip.mp4")


def build(folder: Path) -> Inversion:
    assert folder.is_dir()
    return Inversion(HASH, (0, 1), torch.ones(2, 3, 4))


def refuse(folder: Path) -> Inversion:
    raise AssertionError(f"{folder} is made again")


def test_a_result_is_made_once_and_found_afterwards(run: Run) -> None:
    steps: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: steps.append(step))
    results = Results(runtime)
    made = results.make(run, "invert", "k", Inversion, build)
    assert (results.found, list(results.seconds), steps) == (set(), ["invert"], [])
    again = Results(runtime)
    found = again.make(run, "invert", "k", Inversion, refuse)
    assert torch.equal(found.w_plus, made.w_plus)
    assert again.make(run, "invert", "k", Inversion, refuse) is found, "from memory"
    assert (again.found, again.seconds, steps) == ({"invert"}, {"invert": 0.0}, [("invert", 1, 1)])


def test_what_was_deleted_meanwhile_is_made_again(run: Run) -> None:
    results = Results(Runtime())
    first = results.make(run, "invert", "k", Inversion, build)
    run.discard("invert", "k")
    assert results.make(run, "invert", "k", Inversion, build) is not first


def test_shared_results_share_memory_and_count_by_themselves(run: Run) -> None:
    results = Results(Runtime())
    first = results.make(run, "invert", "k", Inversion, build)
    other = results.shared(Runtime())
    assert other.make(run, "invert", "k", Inversion, refuse) is first
    assert (results.found, other.found) == (set(), {"invert"})


def test_of_each_kind_the_newest_is_kept(run: Run) -> None:
    results = Results(Runtime())
    counted: list[int] = []

    def count() -> list[int]:
        counted.append(1)
        return counted

    assert results.keep("a", list, count) is results.keep("a", list, count)
    results.keep("b", list, list)
    results.keep("a", list, count)
    assert len(counted) == 2
    assert run.find("invert", "k") is None, "what is kept in memory is never stored"
