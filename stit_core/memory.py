"""Keep freed memory in the process, so that every large tensor does not fault its pages in anew."""

from __future__ import annotations

import ctypes
import platform

# Parameter numbers of glibc's mallopt(3).
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_MAX = -4
_ARENA_MAX = -8
ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}  # the same for a process whose threads are there before it can say so
_LARGEST_INT = 2**31 - 1
_GROWTH_BYTES = 64 * 2**20


def give_back_memory() -> bool:
    """Give back what `keep_freed_memory` holds, once a job has ended; True where something was returned.

    Source: malloc_trim(3) of glibc.
    """
    return platform.libc_ver()[0] == "glibc" and ctypes.CDLL(None).malloc_trim(_GROWTH_BYTES) == 1


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to reuse freed memory instead of returning it; True where that took effect.

    By default every tensor over some 32 MB is mapped from the kernel and unmapped when freed. Page faults then cost
    more than the arithmetic: forward and backward of the 256 px generator at batch 8 take 2 to 10 times as long.
    Threads share one arena, since what one has freed lies idle in an arena of its own while another asks for more.
    Call it once when a process starts, before its first thread and large tensor. Does nothing on other C libraries.
    Source: ours; mallopt(3).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST_INT), (_TOP_PAD, _GROWTH_BYTES), (_ARENA_MAX, 1))
    return all(library.mallopt(name, value) == 1 for name, value in settings)
