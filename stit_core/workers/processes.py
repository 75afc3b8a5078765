"""Workers as processes of this machine: one a GPU, or as many as its cores carry. Source: ours."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from stit_core.workers.tasks import Died, Done, Event, Ready, Role, Step, Worker, begin

TELL = 0.2  # seconds between two reports of a worker on how far it is
GRACE = 5.0  # seconds in which a process that was ended is gone


@dataclass(frozen=True)
class _Process:
    process: SpawnProcess
    connection: Connection
    device: str


class LocalProcesses:
    """Processes of this machine, spread over devices.

    Parameters
    ----------
    role: what each does.
    devices: on which they compute; a process takes the one that fewest others have.
    jobs: how many processes at the same time.
    threads: of the processor, for each.
    """

    def __init__(self, role: Role, devices: Sequence[str], jobs: int, threads: int) -> None:
        self._role, self._devices, self._jobs, self._threads = role, tuple(devices), jobs, threads
        self._alive: dict[int, _Process] = {}
        self._count = 0

    @property
    def slots(self) -> int:
        return self._jobs

    def start(self) -> int:
        taken = [each.device for each in self._alive.values()]
        device = min(self._devices, key=taken.count)
        context = multiprocessing.get_context("spawn")  # a forked child could not use CUDA
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._role, device, self._threads), daemon=True)
        with _environment("OMP_NUM_THREADS", str(self._threads)):
            process.start()
        theirs.close()
        self._count += 1
        self._alive[self._count] = _Process(process, ours, device)
        return self._count

    def give(self, worker: int, work: Any) -> None:
        with contextlib.suppress(OSError):  # a process that died is heard of by its end
            self._alive[worker].connection.send(("do", work))

    def stop(self, worker: int) -> None:
        with contextlib.suppress(OSError):
            self._alive[worker].connection.send(("stop", None))

    def events(self, seconds: float) -> list[Event]:
        by_line = {each.connection: worker for worker, each in self._alive.items()}
        found: list[Event] = []
        for line in wait(list(by_line), seconds):
            assert isinstance(line, Connection)
            found.append(self._receive(by_line[line], line))
        return found

    def _receive(self, worker: int, line: Connection) -> Event:
        try:
            kind, value = line.recv()
        except (EOFError, OSError):
            return Died(worker, self._bury(worker))
        if kind == "ready":
            return Ready(worker)
        if kind == "step":
            return Step(worker, *value)
        if kind == "broken":
            self._bury(worker)
            return Died(worker, value.message, value)
        return Done(worker, value.result, value.failure)

    def _bury(self, worker: int) -> str:
        """Forget a process that is at its end; gives why, in words."""
        gone = self._alive.pop(worker)
        gone.connection.close()
        gone.process.join(GRACE)
        code = gone.process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"it ended with code {code}"

    def close(self) -> None:
        for each in self._alive.values():
            each.process.kill()  # what it was making is resumed from its last finished step
        limit = time.monotonic() + GRACE
        for each in self._alive.values():
            each.process.join(max(0.0, limit - time.monotonic()))
            each.connection.close()
        self._alive.clear()


def _serve(line: Connection, role: Role, device: str, threads: int) -> None:
    """The main function of a worker's process."""
    os.setsid()  # Ctrl-C in the terminal is for the parent, which then asks to stop; ffmpeg must not hear it either
    orders: list[Any] = []
    ordered = threading.Condition()
    sending = threading.Lock()
    at_hand: list[Worker] = []

    def listen() -> None:
        while True:
            try:
                kind, work = line.recv()
            except (EOFError, OSError):
                os._exit(1)  # the parent is gone; everything finished is on the disk
            if kind == "stop":
                at_hand[0].stop()
                continue
            with ordered:
                orders.append(work)
                ordered.notify()

    def send(kind: str, value: object = None) -> None:
        with sending, contextlib.suppress(OSError):
            line.send((kind, value))

    threading.Thread(target=listen, daemon=True).start()
    worker, failure = begin(role, device, threads)
    if worker is None:
        send("broken", failure)
        return
    at_hand.append(worker)
    send("ready")
    while True:
        with ordered:
            ordered.wait_for(lambda: bool(orders))
            work = orders.pop()
        send("done", worker.do(work, _Seldom(send)))


class _Seldom:
    """Progress that is sent at most every TELL seconds."""

    def __init__(self, send: Any) -> None:
        self._send, self._last = send, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= TELL:
            self._last = now
            self._send("step", (stage, done, total))


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable of the environment meanwhile, where it has no value yet."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
