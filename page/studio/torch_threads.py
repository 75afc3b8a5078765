"""How many threads torch computes with in a thread of ours.

libgomp lets the threads of a team wait actively between two parallel regions only while all teams together have no more
threads than the machine has cores; otherwise they sleep, and are woken for every operation of a network. One preview
with a team of its own made a tuning beside it 20 % slower on two cores (35 s, 42 s). Source:
gomp_throttled_spin_count_var in GCC's libgomp; torch.set_num_threads, whose number belongs to the calling thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from stit_core.runtime import torch_threads

LIGHT = max(1, torch.get_num_threads() // 4)


def compute_heavily(threads: int) -> None:
    """Let the calling thread use the cores: for one that runs a job.

    `threads` is what torch.get_num_threads() says in the thread that began it; a new one's own number may be that of a
    preview.
    """
    torch.set_num_threads(threads)


def do_in_own_thread(name: str, work: Callable[[], None], threads: int) -> None:
    """Compute in a thread that ends with the work: as long as a thread lives, its team slows those of others.

    What the work raises is lost.
    """

    def carry_out() -> None:
        compute_heavily(threads)
        work()

    thread = threading.Thread(target=carry_out, name=name, daemon=True)
    thread.start()
    thread.join()


@contextmanager
def compute_lightly() -> Iterator[None]:
    """Let the calling thread leave the cores to the running job meanwhile: for what is made beside it."""
    with torch_threads(LIGHT):
        yield
