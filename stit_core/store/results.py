"""Results of stages: from memory, from the disk, or made now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from stit_core.errors import StoreError
from stit_core.runtime import Runtime
from stit_core.store.artefact_files import save_artefact
from stit_core.store.runs import Run

T = TypeVar("T")


class Results:
    """The results of one clip's stages, of which the newest of each kind is held in memory.

    Parameters
    ----------
    runtime: a step of it is reported for each stage whose result was found.

    Attributes
    ----------
    seconds: what each stage took here; 0 for one whose result was found.
    found: the stages whose results were found.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.seconds: dict[str, float] = {}
        self.found: set[str] = set()
        self._memory: dict[str, object] = {}

    def shared(self, runtime: Runtime) -> Results:
        """Results with the same memory, counted and reported by themselves."""
        other = Results(runtime)
        other._memory = self._memory
        return other

    def make(self, run: Run, stage: str, name: str, kind: type[T], build: Callable[[Path], object]) -> T:
        """The result `name` of a stage.

        Parameters
        ----------
        run: where it is stored.
        stage, name: of the result, `name` being its key.
        kind: its class.
        build: makes it in the folder that it is given.

        Raises
        ------
        StoreError: it cannot be stored, or not be read back.
        """
        known = self._memory.get(name)
        if isinstance(known, kind) and run.find(stage, name) is not None:
            self.note_found(stage)
            return known
        started = time.perf_counter()
        result = run.load(stage, name, kind)
        if result is not None:
            self.note_found(stage)
        else:
            with run.make(stage, name) as folder:
                save_artefact(build(folder), folder)
            result = run.load(stage, name, kind)
            self.seconds[stage] = time.perf_counter() - started
        if result is None:
            raise StoreError(f"The result of '{stage}' could not be read back.", "Check the disk, then start again.")
        self._remember(name, result)
        return result

    def keep(self, name: str, kind: type[T], make: Callable[[], T]) -> T:
        """What is held in memory under `name`, or made now; it is never stored."""
        known = self._memory.get(name)
        if isinstance(known, kind):
            return known
        made = make()
        self._remember(name, made)
        return made

    def taken(self, stages: Iterable[str]) -> dict[str, float]:
        """Seconds that each of these stages took here, to the millisecond."""
        return {stage: round(self.seconds.get(stage, 0.0), 3) for stage in stages}

    def note(self, stage: str, seconds: float, found: bool) -> None:
        """Count a stage that others made or found in this one's name, once; it is reported no more."""
        if stage not in self.seconds:
            self.seconds[stage] = seconds
            if found:
                self.found.add(stage)

    def note_found(self, stage: str) -> None:
        """Count and report a stage whose result was found, once."""
        if stage not in self.seconds:
            self.seconds[stage] = 0.0
            self.found.add(stage)
            self.runtime.step(stage, 1, 1)

    def _remember(self, name: str, result: object) -> None:
        """Keep the newest result of each kind in memory; older ones are read from the store again."""
        for other, value in list(self._memory.items()):  # previews of the same run may use it in another thread
            if type(value) is type(result):
                self._memory.pop(other, None)
        self._memory[name] = result
