"""Work that says something at every step as a generator: it goes on only while its listener waits for the next word."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch

from page.studio.torch_threads import compute_heavily
from stit_core.errors import Cancelled
from stit_core.runtime import CancelToken

BEAT_SECONDS = 1.0  # of silence, after which a beat is given, so that whoever listens can stop the work
BEAT = ("beat",)
Message = tuple[Any, ...]
Say = Callable[[Message], None]
Work = Callable[[Say, CancelToken], None]

_HOME = os.getpid()  # of the process that loaded this module


def is_forked() -> bool:
    """Whether this process is a fork of the one that loaded the program."""
    return os.getpid() != _HOME


def settle_after_fork() -> int:
    """Make a forked process fit to compute; gives the threads that torch may compute with.

    A fork has none of its parent's threads, but OpenMP's pool of the thread that forked does not know: the first
    operation that shares its work with it waits for ever. One thread needs no pool. Nowhere but in a fork is anything
    changed: who computes in this process, on a processor above all, keeps its threads.
    """
    if is_forked():
        torch.set_num_threads(1)
    return torch.get_num_threads()


def in_steps(work: Work, threads: int) -> Iterator[Message]:
    """Do work in a thread that ends with it, and give what it says, word by word.

    The work waits at each word until the next one is asked for, as if it were written as a generator itself. Closing
    the generator sets the work's token; it ends at its next word or step.

    Parameters
    ----------
    work: called with what it says its messages to, and with its token.
    threads: of torch, for the work.

    Raises
    ------
    Exception: whatever the work raises.
    """
    said: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    heard, token = threading.Semaphore(0), CancelToken()

    def say(message: Message) -> None:
        said.put((False, message))
        heard.acquire()
        if token.is_set():
            raise Cancelled(str(message[0]))

    def carry_out() -> None:
        end: BaseException | None = None
        try:
            compute_heavily(threads)
            work(say, token)
        except BaseException as error:  # raised where it is listened to
            end = error
        said.put((True, end))

    thread = threading.Thread(target=carry_out, name="steps", daemon=True)
    thread.start()
    try:
        yield from _listen(said, heard)
    finally:
        token.set()
        heard.release()
        thread.join()


def _listen(said: queue.SimpleQueue[tuple[bool, Any]], heard: threading.Semaphore) -> Iterator[Message]:
    while True:
        try:
            ended, word = said.get(timeout=BEAT_SECONDS)
        except queue.Empty:
            yield BEAT
            continue
        if ended:
            if word is not None:
                raise word
            return
        yield word
        heard.release()
