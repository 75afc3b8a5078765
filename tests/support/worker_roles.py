"""Small roles for workers: what they do is told by the task."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from stit_core.errors import FaceError, PackError
from stit_core.runtime import CancelToken, Progress, Runtime
from stit_core.workers.tasks import CannotGoOn, Doing

ROLE = "tests.support.worker_roles:obedient"


def obedient(setup: Any, device: str) -> Doing:
    """A role that does what a task says.

    ("echo", x), ("steps", n), ("fail",), ("end",), ("bug",), ("wait", path), ("die", path).
    """
    if setup == "broken":
        raise PackError("The pack lacks a file.", "Restore it.")

    def do(work: Any, progress: Progress, cancel: CancelToken) -> Any:
        runtime = Runtime(progress=progress, cancel=cancel)
        if work[0] == "steps":
            for step in range(work[1]):
                runtime.step("stepping", step, work[1])
                time.sleep(0.01)
        if work[0] == "fail":
            raise FaceError("No face was found.", "Use another clip.")
        if work[0] == "end":
            raise CannotGoOn("The disk is full.", "Free some space.")
        if work[0] == "bug":
            raise ZeroDivisionError
        if work[0] == "wait":  # until it is stopped
            Path(work[1]).touch()
            while True:
                runtime.step("waiting", 1, 2)
                time.sleep(0.01)
        if work[0] == "die" and not Path(work[1]).exists():  # the first time; for ever where the file cannot be made
            if Path(work[1]).parent.exists():
                Path(work[1]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return (*work, os.getpid(), device)

    return do
