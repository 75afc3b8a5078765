"""The allocator setting, seen by its effect: large tensors stop needing new pages."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from stit_core.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(40):
    if step == 28:  # the heap has settled
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

THREADS = """
import resource, sys, threading, torch
from stit_core.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults, filled, ended = [], threading.Event(), threading.Event()
def fill(last):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [torch.ones(2_500_000) for _ in range(20)]
    del pieces
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    filled.set()
    last or ended.wait()
first = threading.Thread(target=fill, args=(False,))
first.start()
filled.wait()
second = threading.Thread(target=fill, args=(True,))
second.start()
second.join()
ended.set()
print(faults[1])
"""


def page_faults(program: str, how: str) -> int:
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True, timeout=100)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    assert page_faults(PROGRAM, "keep") < page_faults(PROGRAM, "default") / 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_what_one_thread_has_freed_another_uses() -> None:
    # How much of it, a quarter or two thirds, differs from process to process; by default it is none at all.
    assert page_faults(THREADS, "keep") < 0.8 * page_faults(THREADS, "default")
