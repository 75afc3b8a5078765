"""The model pack's networks, shared by all runs: read when they are first needed, and how long they take here.

On a ZeroGPU Space there are two sets of them. Those on the processor serve all that this process does. Those on the
card are read at once and on the main thread, as that alone can place them there; the forks that are lent the card find
them by the name under which they are placed, and this process never computes with them.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable

import torch

from page.studio.estimates import Estimator, card_times
from page.studio.folders import new_id
from page.studio.torch_threads import do_in_own_thread
from stit_core.errors import StitError, StoreError
from stit_core.memory import give_back_memory
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.runtime import LENT, lends_card, pick_device

LOG = logging.getLogger(__name__)

TIMINGS, TIMING_PAUSE = 10, 60.0  # times that a disturbed timing is repeated at most, seconds between them
WARMED = ("generator", "encoder", "parser", "perceptual", "identity")
LENT_PARTS = ("generator", "encoder", "parser", "perceptual")  # what the heavy stages take
_PLACED: weakref.WeakValueDictionary[str, Models] = weakref.WeakValueDictionary()  # slices get names only


def placed(name: str) -> Models:
    """The networks that are placed under a name. Raises StoreError where they are not there any more."""
    found = _PLACED.get(name)
    if found is None:
        raise StoreError("The networks are not there any more.", "Press the same button again.")
    return found


class Networks:
    """The networks of one pack on one device; for several threads. On a ZeroGPU Space made by the main thread.

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
        self._here: Estimator | None = None
        self._names: dict[bool, str] = {}
        self.ready = False  # whether `warm_up` has come to its end
        self.lent = lends_card() and device in ("auto", LENT)
        self._on_card: Models | None = None
        if self.lent:
            self._place_on_card()

    @property
    def models(self) -> Models:
        """The networks; each is read when it is first needed.

        Raises
        ------
        PackError: there is no such pack, or a part of it is missing or damaged.
        """
        with self._lock:
            if self._models is None:
                self._models = load_models(find_pack(self._pack), pick_device(self._device))
            return self._models

    @property
    def pack(self) -> Pack:
        """The pack's manifest; reads no network.

        Raises
        ------
        PackError: there is no such pack, or a part of it is missing or damaged.
        """
        return self.models.pack

    @property
    def estimator(self) -> Estimator:
        """How long things take; where a card is lent, with it."""
        with self._lock:
            if self._estimator is None:
                self._estimator = Estimator(self.models, card_times() if self.lent else None)
            return self._estimator

    @property
    def without_card(self) -> Estimator:
        """How long things take in this process."""
        with self._lock:
            if not self.lent:
                return self.estimator
            if self._here is None:
                self._here = Estimator(self.models)
            return self._here

    def place(self, lent: bool = False) -> str:
        """The name under which a slice finds the networks: those of this process, or those on the lent card.

        Raises
        ------
        PackError: there is no such pack, or a part of it is missing or damaged.
        """
        with self._lock:
            models = self._on_card if lent and self._on_card is not None else self.models
            if lent not in self._names or _PLACED.get(self._names[lent]) is not models:
                self._names[lent] = new_id()
                _PLACED[self._names[lent]] = models
            return self._names[lent]

    def _place_on_card(self) -> None:
        """Read the networks onto the card that will be lent; without them there is none."""
        try:
            self._on_card = load_models(find_pack(self._pack), torch.device(LENT), LENT_PARTS)
        except StitError as error:  # whoever uses the pack is told too
            LOG.warning("no card will be used: %s", error)
            self.lent = False

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
    def carry_out() -> None:
        work()
        give_back_memory()  # it took more than previews need

    do_in_own_thread("warm-up-work", carry_out, threads)
