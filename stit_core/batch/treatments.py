"""What is done with a clip: all settings and the edit, and the name under which the job is known. Source: ours."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stit_core.checks import check_edit
from stit_core.config import RunConfig, preset
from stit_core.directions import library
from stit_core.errors import ConfigError
from stit_core.packs.manifest import Pack
from stit_core.provenance import edit_text
from stit_core.several_people import PersonEdit
from stit_core.store.keys import STAGE_VERSIONS

KEY_DIGITS = 24
FORMAT = 2  # raise it when the same settings make another video without a stage's version saying so
Edits = tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class Treatment:
    """What is done with a clip; rows that ask for the same share one.

    Attributes
    ----------
    config: all settings, the edit among them.
    seed: of all random draws.
    text: the edit in a line: "smile=2, age=-1", or "0: smile=2; 1: age=-2".
    digest: of everything beside the clip on which the video depends.
    people: the edits of several people; empty where one is edited, as the settings say.
    """

    config: RunConfig
    seed: int
    text: str
    digest: str
    people: tuple[PersonEdit, ...] = ()

    def key(self, clip_digest: str) -> str:
        """The name of the job that treats the clip of this sha256: the same job has the same everywhere."""
        return hashlib.sha256(f"{clip_digest} {self.digest}".encode()).hexdigest()[:KEY_DIGITS]


@dataclass
class Treatments:
    """Makes treatments of what the command, and a row of a table, ask for; each combination once.

    Parameters
    ----------
    pack: whose directions and schedules count.
    roots: folders of directions, those of the library where None.
    """

    pack: Pack
    roots: Sequence[Path] | None = None
    _known: dict[object, Treatment] = field(default_factory=dict)

    def of(self, config: RunConfig, edits: Edits, seed: int, people: tuple[PersonEdit, ...] = ()) -> Treatment:
        """The treatment with these edits, or those of several people. Raises ConfigError, DirectionError."""
        if not edits and not people:
            raise ConfigError("No edit is given.", "Write -d NAME=FACTOR, or fill the column 'edit'.")
        own = [config.with_changes({"edit": {"directions": each.directions}}) for each in people]
        whole = own[0] if own else config.with_changes({"edit": {"directions": edits}})
        name = (whole, seed, people)
        if name not in self._known:
            for each in own or [whole]:
                check_edit(each.edit, self.pack)
            faces = zip(people, own, strict=True)
            text = "; ".join(f"{person.face}: {edit_text(each)}" for person, each in faces) or edit_text(whole)
            self._known[name] = Treatment(whole, seed, text, self._digest(whole, seed, people), people)
        return self._known[name]

    def preset(self, name: str, method: str | None) -> RunConfig:
        """A schedule of the pack's. Raises ConfigError."""
        return preset(name, self.pack.schedules, method)

    def _digest(self, config: RunConfig, seed: int, people: tuple[PersonEdit, ...]) -> str:
        pairs = [pair for person in people for pair in person.directions] or config.edit.directions
        directions = {name: library.load_direction(self.pack, name, self.roots) for name, _ in pairs}
        vectors, reliefs = library.hashes(directions), library.relief_hashes(directions)
        facts = [FORMAT, STAGE_VERSIONS, self.pack.hash, dataclasses.asdict(config), seed, vectors, reliefs]
        facts += [dataclasses.asdict(person) for person in people]
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
