"""The directions of the pack and of a run's own: cards, pictures of what they do, what to know of several together."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from page.studio.direction_roots import own_root, roots_of
from page.studio.folders import RunFolders
from page.studio.lru import Lru
from page.studio.networks import Networks
from page.studio.torch_threads import compute_lightly
from stit_core.directions.library import (
    Card,
    direction_file,
    is_direction_name,
    list_directions,
    load_direction,
    remove_direction,
)
from stit_core.directions.preview import preview_sheet
from stit_core.errors import DirectionError
from stit_core.packs.manifest import Pack
from stit_core.runtime import Runtime
from stit_core.stages.editing import tell_overlaps

SHEETS = 64  # directions whose preview is remembered
SUGGESTIONS = (
    ("younger", (("age", -2.0),)),
    ("older", (("age", 2.0),)),
    ("smile", (("smile", 2.0),)),
    ("laugh", (("smile", 1.0), ("mouth_open", 1.0))),
    ("serious", (("smile", -1.5),)),
    ("open mouth", (("mouth_open", 1.5),)),
    ("wide eyes", (("eyes_open", 1.5),)),
)


class DirectionLibrary:
    """What is asked about directions; for several threads."""

    def __init__(self, folders: RunFolders, networks: Networks) -> None:
        self._folders, self._networks = folders, networks
        self._sheets: Lru[str, np.ndarray] = Lru(SHEETS)

    @property
    def _pack(self) -> Pack:
        return self._networks.pack

    def cards(self, query: str = "", run_id: str | None = None) -> list[Card]:
        """Cards of the pack's directions, with the run's own; those that `query` is found in.

        Raises
        ------
        PackError: there is no such pack, or a part of it is missing or damaged.
        """
        words = query.lower().split()
        found = []
        for card in list_directions(self._pack, roots_of(self._folders, run_id)):
            text = " ".join((card.name, card.title, card.description, card.positive, card.negative)).lower()
            if all(word in text for word in words):
                found.append(card)
        return found

    @property
    def suggestions(self) -> list[tuple[str, tuple[tuple[str, float], ...]]]:
        """Edits to begin with, by their names, of those directions that the pack has."""
        names = {card.name for card in self.cards()}
        return [(edit, factors) for edit, factors in SUGGESTIONS if names.issuperset(name for name, _ in factors)]

    def is_own(self, run_id: str, name: str) -> bool:
        """Whether a direction is the run's own."""
        return is_direction_name(name) and direction_file(self._pack, name, own_root(self._folders, run_id)).is_file()

    def delete(self, run_id: str, name: str) -> None:
        """Delete a direction of the run's own.

        Raises
        ------
        DirectionError: one that came with the program.
        """
        if not self.is_own(run_id, name):
            raise DirectionError(f"There is no direction '{name}' of your own.", "Only those can be deleted.")
        remove_direction(direction_file(self._pack, name, own_root(self._folders, run_id)))

    def overlaps(self, edits: Sequence[tuple[str, float]], run_id: str | None = None) -> tuple[str, ...]:
        """What to know of directions that are chosen together, in plain words.

        Raises
        ------
        DirectionError: there is no such direction, or it cannot be read.
        """
        roots = roots_of(self._folders, run_id)
        pairs = [(name, factor) for name, factor in edits if factor]
        return tell_overlaps(pairs, {name: load_direction(self._pack, name, roots).vector for name, _ in pairs})

    def thumbnail(self, name: str, run_id: str | None = None) -> np.ndarray:
        """What a direction does to a few heads, (h, w, 3) uint8: stored beside it, or drawn once.

        Raises
        ------
        DirectionError: there is no such direction, or it cannot be read.
        """
        roots = roots_of(self._folders, run_id)
        direction = load_direction(self._pack, name, roots)
        known = self._sheets.get(direction.hash)
        if known is not None:
            return known
        for root in roots:
            stored = direction_file(self._pack, name, root)
            if stored.is_file():
                picture = _read_picture(stored.with_suffix(".jpg"))
                if picture is not None:
                    return self._sheets.put(direction.hash, picture)
                break
        with compute_lightly():
            sheet = preview_sheet(direction.vector, self._networks.models, Runtime(self._networks.models.device))
        return self._sheets.put(direction.hash, np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")))


def _read_picture(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path, formats=("JPEG",)) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        return None
