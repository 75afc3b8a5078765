"""Where and how a run computes: device, precision, seed, threads, progress, stop."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from stit_core.errors import BudgetSpent, Cancelled, ConfigError

T = TypeVar("T")
V = TypeVar("V")
MOST_AHEAD = 8  # threads: each holds a frame, and a disk is read no faster by more
LENT = "cuda"  # the device that a ZeroGPU Space lends
Progress = Callable[[str, int, int], None]
Preview = Callable[[str, int, np.ndarray], None]
Figures = Callable[[str, Mapping[str, float]], None]


class CancelToken:
    """Set once, from any thread; one per run, never reset."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()


def lends_card() -> bool:
    """Whether this is a ZeroGPU Space.

    There the graphics card is lent to a forked process for one call at a time. This process itself has none, although
    torch says so in every thread: CUDA is imitated here, and networks are placed on it by the main thread alone.
    """
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")  # as the package spaces reads it


def pick_device(name: str = "auto") -> torch.device:
    """The device that `name` asks for: "auto", "cpu", "cuda", "cuda:1", "mps".

    Where a card is lent, this is the device of all that is done without it: the processor.

    Raises
    ------
    ConfigError: the device is unknown or not present.
    """
    if lends_card() and name in ("auto", LENT):
        return torch.device("cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("it holds no numbers")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"The device '{name}' cannot be used here.", "Use --device cpu or --device auto.") from error
    return device


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread_devices(name: str = "auto") -> tuple[str, ...]:
    """The devices over which several processes spread: every GPU for "auto" and "cuda", else the one named.

    Raises
    ------
    ConfigError: the device is unknown or not present.
    """
    device = pick_device(name)
    if device.type == "cuda" and device.index is None:
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return (str(device),)


def pick_dtype(preset: str, device: torch.device) -> torch.dtype:
    """The autocast precision for a preset: float32 for `paper`, else bfloat16 where the device computes in it natively.

    A processor without such instructions emulates bfloat16 several times slower than it computes in float32. Where a
    card is lent, every device takes the precision of that card: what the card made is looked for under it.
    """
    if preset == "paper":
        return torch.float32
    if lends_card():
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


def _no_progress(stage: str, done: int, total: int) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Runtime:
    """Device, precision and the two-way line to whoever watches the run.

    Attributes
    ----------
    device: where the networks run.
    dtype: autocast precision of the heavy loops; weights and optimiser state stay float32. float32 turns autocast off.
    seed: of every random draw of the run.
    progress: called with (stage, done, total) once per frame or optimiser step.
    preview: called with (stage, frame index of the source, uint8 RGB picture) when a stage has something to show.
    figures: called with (stage, figures by name) when a pass of the tuning or a frame of the stitching is finished, and
        for the passes that an earlier, stopped run had finished.
    cancel: set to stop the run at the next step.
    spent: whether the time that was given is over; asked only where what is done so far is kept on the disk.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    seed: int = 0
    progress: Progress = _no_progress
    preview: Preview | None = None
    figures: Figures | None = None
    cancel: CancelToken = field(default_factory=CancelToken)
    spent: Callable[[], bool] = _never

    def step(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `stage` are finished; raises Cancelled if the run was stopped."""
        self.progress(stage, done, total)
        if self.cancel.is_set():
            raise Cancelled(stage)

    def kept(self, stage: str) -> None:
        """Say that all that is done of `stage` so far is on the disk; raises BudgetSpent if the time is over."""
        if self.spent():
            raise BudgetSpent(stage)

    def show(self, stage: str, frame: int, picture: np.ndarray) -> None:
        """Hand a finished picture, (H, W, 3) uint8, to whoever watches."""
        if self.preview is not None:
            self.preview(stage, frame, picture)

    def tell(self, stage: str, **figures: float) -> None:
        """Hand the figures of a finished pass or frame to whoever watches."""
        if self.figures is not None:
            self.figures(stage, figures)

    def generator(self) -> torch.Generator:
        """A fresh source of random numbers, seeded by the run's seed."""
        return torch.Generator().manual_seed(self.seed)

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Run the block in `dtype` where that differs from float32."""
        enabled = self.dtype != torch.float32
        context: Any = torch.autocast(self.device.type, self.dtype if enabled else torch.bfloat16, enabled=enabled)
        with context:
            yield


@contextlib.contextmanager
def made_ahead(make: Callable[[T], V], items: Iterable[T]) -> Iterator[Iterator[V]]:
    """What `make` makes of each item, in order; as many threads as torch may use, and MOST_AHEAD at most, are ahead.

    It gains where `make` spends its time outside Python: reading and writing pictures, OpenCV, dlib's search. At the
    end of the block nothing is being made any more, and what had not been begun never is.
    """
    threads = min(torch.get_num_threads(), MOST_AHEAD)
    due: deque[Future[V]] = deque()

    def values(pool: ThreadPoolExecutor) -> Iterator[V]:
        for item in items:
            due.append(pool.submit(make, item))
            if len(due) > threads:
                yield due.popleft().result()
        while due:
            yield due.popleft().result()

    with ThreadPoolExecutor(threads) as pool:
        try:
            yield values(pool)
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with `count` threads in the calling thread meanwhile; the number belongs to that thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
