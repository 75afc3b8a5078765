"""A slice in a forked, daemonic process, as on a ZeroGPU Space: every argument and every word goes through a pipe."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Event
from typing import IO, Any

import cv2
import numpy as np
import torch

from page.studio.slices import SliceSettings, work_slice
from page.studio.stepwise import Message

_FORK = multiprocessing.get_context("fork")
END = "end"
SILENCE = 60.0  # seconds without a word, after which a fork counts as hanging


def use_all_pools() -> None:
    """Have torch and OpenCV start the threads that a fork will not have."""
    torch.set_num_threads(2)
    (torch.rand(512, 512) @ torch.rand(512, 512)).exp().sum()
    convolution = torch.nn.Conv2d(8, 8, 3)
    convolution(torch.rand(4, 8, 64, 64)).sum().backward()
    cv2.setNumThreads(2)
    noise = np.random.default_rng(0).integers(0, 255, (2, 256, 256), np.uint8)
    cv2.DISOpticalFlow_create(0).calc(noise[0], noise[1], None)
    cv2.GaussianBlur(noise[0], (0, 0), 5)


@dataclass
class ForkedSlice:
    """One slice in a process of its own. Iterate to drive it; `close` ends it as ZeroGPU does, `kill` as a crash.

    Attributes
    ----------
    sizes: bytes of every word that came through the pipe.
    """

    folder: str
    settings: SliceSettings
    stages: tuple[str, ...]
    budget: float
    sizes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pipe, theirs = _FORK.Pipe()
        self.stopped = _FORK.Event()
        self.trace = tempfile.TemporaryFile("w+")  # noqa: SIM115 (where it hangs, should it)
        self.process: ForkProcess = _FORK.Process(target=_child, args=(theirs, self.stopped, self.trace), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.send((self.folder, self.settings, self.stages, self.budget))

    def __iter__(self) -> Iterator[Message]:
        while True:
            assert self.pipe.poll(SILENCE), self._where_it_hangs()
            try:
                data = self.pipe.recv_bytes()
            except (EOFError, ConnectionResetError):
                return  # it died
            self.sizes.append(len(data))
            word = multiprocessing.reduction.ForkingPickler.loads(data)
            if isinstance(word, BaseException):
                raise word
            if word == END:
                self._join()
                return
            yield word

    def _where_it_hangs(self) -> str:
        """By what Python says of each of its threads; nothing if it hangs before it can say anything."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGUSR1)
        time.sleep(1)  # a process that hangs says nothing when it has written
        self.trace.seek(0)
        return f"the fork hangs:\n{self.trace.read()}"

    def close(self) -> None:
        """Stop it at its next word, and wait for its end."""
        self.stopped.set()
        with contextlib.suppress(StopIteration):
            for _ in self:
                pass
        self._join()

    def kill(self) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self._join()

    def _join(self) -> None:
        self.process.join()
        self.trace.close()


def _child(pipe: Connection, stopped: Event, trace: IO[str]) -> None:
    faulthandler.register(signal.SIGUSR1, trace)
    arguments: Any = pipe.recv()

    def iterate() -> None:
        words = work_slice(*arguments)
        try:
            for word in words:
                if stopped.is_set():
                    words.close()  # type: ignore[attr-defined]
                    break
                pipe.send(word)
        except Exception as error:
            pipe.send(error)

    with ThreadPoolExecutor() as executor:
        executor.submit(iterate).result()
    pipe.send(END)
