"""The model pack's networks, shared by all runs: read when they are first needed, and how long they take here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import torch

from page.studio.estimates import Estimator
from page.studio.torch_threads import compute_heavily
from stit_core.errors import StitError
from stit_core.memory import give_back_memory
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.runtime import pick_device

LOG = logging.getLogger(__name__)

TIMINGS, TIMING_PAUSE = 10, 60.0  # times that a disturbed timing is repeated at most, seconds between them
WARMED = ("generator", "encoder", "parser", "perceptual", "identity")


class Networks:
    """The networks of one pack on one device; for several threads.

    Parameters
    ----------
    pack: its name, or a folder.
    device: "auto", "cpu", "cuda", ...
    """

    def __init__(self, pack: str, device: str) -> None:
        self._pack, self._device = pack, device
        self._lock = threading.RLock()
        self._models: Models | None = None
        self._estimator: Estimator | None = None
        self.ready = False  # whether `warm_up` has come to its end

    @property
    def models(self) -> Models:
        """The networks; each is read when it is first needed. Raises: PackError."""
        with self._lock:
            if self._models is None:
                self._models = load_models(find_pack(self._pack), pick_device(self._device))
            return self._models

    @property
    def pack(self) -> Pack:
        """The pack's manifest; reads no network. Raises: PackError."""
        return self.models.pack

    @property
    def estimator(self) -> Estimator:
        """How long things take here."""
        with self._lock:
            if self._estimator is None:
                self._estimator = Estimator(self.models)
            return self._estimator

    def warm_up(self, is_idle: Callable[[], bool]) -> threading.Thread:
        """Load the networks and time the machine in the background; `ready` says when that is done.

        Parameters
        ----------
        is_idle: whether no job is running, so that the timing can be repeated.
        """
        threads = torch.get_num_threads()

        def load() -> None:
            try:
                for part in WARMED:
                    getattr(self.models, part)
            except StitError as error:  # the first run says so too
                LOG.warning("%s", error)
            else:
                self.estimator.measure()

        def warm() -> None:
            _do_in_own_thread(load, threads)
            self.ready = True
            for _ in range(TIMINGS):  # again, where something disturbed it, as soon as no job is running
                time.sleep(TIMING_PAUSE)
                if self.estimator.calm:
                    return
                if is_idle():
                    _do_in_own_thread(self.estimator.measure, threads)

        thread = threading.Thread(target=warm, name="warm-up", daemon=True)
        thread.start()
        return thread


def _do_in_own_thread(work: Callable[[], None], threads: int) -> None:
    """Compute in a thread that ends with the work: as long as a thread lives, its team slows those of others."""

    def carry_out() -> None:
        compute_heavily(threads)
        work()
        give_back_memory()  # it took more than previews need

    thread = threading.Thread(target=carry_out, name="warm-up-work", daemon=True)
    thread.start()
    thread.join()
