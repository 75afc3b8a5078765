"""What is kept of a visitor's run, so that its address brings it back, after a restart and on another device too."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page.studio.folders import RunFolders, new_id
from page.studio.job import JobEnded, Status
from stit_core.config import METHODS, AlignmentConfig, EditConfig, RunConfig, TransferConfig, preset
from stit_core.errors import ConfigError, StitError
from stit_core.media.credentials import Signer
from stit_core.provenance import Consent, Provenance
from stit_core.store.disk import disk_errors, write_json

LOG = logging.getLogger(__name__)

FILE = "page.json"
FORMAT = 1
STITCHED = "stitch"  # how all was made before there was a choice
MOST_OUTPUTS = 12  # of a run that are kept
INTERRUPTED = "The server was started anew while it worked."
INTERRUPTED_HINT = "Press the same button again: it goes on from there."
EVERYONE = -1  # in the place of a person's number
CHOICES = (
    "start", "end", "face", "point", "point_frame", "center_sigma", "xy_sigma", "scale", "preset", "method", "edits",
    "region", "advanced", "mark", "shown", "against", "others", "corrections",
)  # fmt: skip


@dataclass(frozen=True)
class Output:
    """A video that a run made.

    Attributes
    ----------
    id: of the output, within its run.
    video, manifest: files that the page may serve; no manifest beside a partial video.
    edits, preset, method, region: what it was made with.
    partial: stopped half-way; frames: of the video, of: of the clip.
    seconds_taken: for all stages that were not found ready.
    measures: the figures by name, or None.
    warnings: in plain words.
    feed: folder of its frames for the player, or None; feed_id: what the player knows it by while the server runs.
    created: seconds since 1970.
    face: the number of the person whose `edits` they are, in a clip with several; else None.
    others: the edits of further people, by number.
    people_measures: where several were edited, the figures of each, by number; `measures` are of the one of `edits`.
    """

    id: str
    video: str
    manifest: str | None
    edits: tuple[tuple[str, float], ...]
    preset: str
    partial: bool
    frames: int
    of: int
    seconds_taken: float
    measures: dict[str, float] | None = None
    warnings: tuple[str, ...] = ()
    feed: str | None = None
    feed_id: str | None = None
    created: float = 0.0
    method: str = STITCHED
    region: str = TransferConfig.region
    face: int | None = None
    others: tuple[tuple[int, tuple[tuple[str, float], ...]], ...] = ()
    people_measures: tuple[tuple[int, dict[str, float]], ...] = ()


@dataclass(frozen=True)
class RunState:
    """All that a page needs to show a run as it was left; see `CHOICES` for what the visitor sets.

    Attributes
    ----------
    id: 128 random bits; whoever has it has the run.
    clip: the run's own copy of the clip, or None; clip_name: as the visitor called it; sample: its name, or None.
    upload: the file that was uploaded last as a clip, or None; whether or not it was taken.
    start, end: seconds of the trim, None: all.
    face, point, point_frame: which face, as in LandmarkConfig.
    center_sigma, xy_sigma, scale: of the alignment.
    preset, method, advanced: the schedule, and settings of single stages as RunConfig.with_changes takes them; the
        method is None for the pack's usual one, and the preset "paper" stitches whatever it says.
    edits: directions and factors; others: those of further people of the clip, by number, or of EVERYONE;
        corrections: of who is who, as in LandmarkConfig; region: where the transfer makes them; mark: the visible mark.
    outputs: what was made, the newest first.
    shown, against: ids of the output that is looked at and of the one beside it; "" for the newest and for the source.
    aligned, tuned: whether the results of these choices are there; filled in by whoever asks.
    last: of the running job, or the last one.
    consent: that what was uploaded may be edited; None where nobody said so.
    fitted: names the settings under which the generator was last begun to be tuned; see previews.fit_key.
    """

    id: str
    created: float = 0.0
    clip: str | None = None
    clip_name: str = ""
    sample: str | None = None
    upload: str | None = None
    start: float | None = None
    end: float | None = None
    face: int | None = None
    point: tuple[float, float] | None = None
    point_frame: int | None = None
    center_sigma: float = AlignmentConfig.center_sigma
    xy_sigma: float = AlignmentConfig.xy_sigma
    scale: float = AlignmentConfig.scale
    preset: str = "balanced"
    method: str | None = None
    edits: tuple[tuple[str, float], ...] = ()
    region: str = TransferConfig.region
    advanced: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    mark: bool = False
    outputs: tuple[Output, ...] = ()
    shown: str = ""
    against: str = ""
    aligned: bool = False
    tuned: bool = False
    last: Status | None = None
    consent: Consent | None = None
    fitted: str = ""
    others: tuple[tuple[int, tuple[tuple[str, float], ...]], ...] = ()
    corrections: tuple[tuple[str, int, int], ...] = ()

    def config(self, limits: Mapping[str, Any], schedules: Mapping[str, Any] | None = None) -> RunConfig:
        """The settings of the stages: the preset as the pack has it, then what was chosen.

        Raises
        ------
        ConfigError: a choice that is not possible.
        """
        edits = tuple((name, factor) for name, factor in self.edits if factor)
        chosen: dict[str, dict[str, Any]] = {
            "video": {**limits, "start": self.start or None, "end": self.end or None},
            "landmarks": {
                "face": self.face,
                "point": self.point,
                "point_frame": self.point_frame,
                "corrections": self.corrections,
            },
            "alignment": {"center_sigma": self.center_sigma, "xy_sigma": self.xy_sigma, "scale": self.scale},
            "edit": {"directions": edits},
            "transfer": {"region": self.region},
            "compositing": {"mark": self.mark},
        }
        # What was chosen, and the limits, stand against whatever the settings of single stages say.
        return self.schedule(schedules).with_changes(self.advanced).with_changes(chosen)

    def provenance(self, signer: Signer | None) -> Provenance:
        """What goes with the run's videos; a sample was drawn, so that nobody has to agree to its being edited."""
        return Provenance(None if self.sample else self.consent, signer)

    def schedule(self, schedules: Mapping[str, Any] | None = None, name: str = "") -> RunConfig:
        """The settings of the preset, or of another by its name, with the chosen method.

        Raises
        ------
        ConfigError: a choice that is not possible.
        """
        chosen = name or self.preset
        return preset(chosen, schedules, None if chosen == "paper" else self.method)


class Runs:
    """The runs of all visitors on disk, each in the private folder of its id."""

    def __init__(self, folders: RunFolders) -> None:
        self.folders = folders
        self._lock = threading.RLock()

    def begin(self, mark: bool = False) -> RunState:
        """A new run, with the visible mark or without.

        Raises
        ------
        StoreError: the disk is full, or cannot be written or read.
        """
        return self._write(RunState(new_id(), created=time.time(), mark=mark))

    def load(self, run_id: object) -> RunState | None:
        """The run of an id, or None where there is none; makes nothing."""
        if not isinstance(run_id, str) or not self.folders.known(run_id):
            return None
        try:
            record = json.loads((self.folders.private(run_id) / FILE).read_bytes())
            return _from_record(record) if record["id"] == run_id else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("a run could not be read: %s", error)
            return None

    def get(self, run_id: str) -> RunState:
        """As `load`.

        Raises
        ------
        StitError: there is none any more.
        """
        state = self.load(run_id)
        if state is None:
            raise StitError("This run is not there any more.", "Load the page again to begin a new one.")
        return state

    def update(self, run_id: str, make: Callable[[RunState], RunState]) -> RunState:
        """Replace a run by what `make` makes of it.

        Raises
        ------
        StitError: there is no such run.
        StoreError: the disk is full, or cannot be written or read.
        """
        with self._lock:
            return self._write(make(self.get(run_id)))

    def note_end(self, event: JobEnded) -> None:
        """Note how a job ended, and what came of it: an output stands before the others, and is looked at next.

        The oldest is let go where there are too many.

        Raises
        ------
        StitError: there is no such run any more.
        StoreError: the disk is full, or cannot be written or read.
        """
        if event.discarded:
            return
        made = (event.result,) if isinstance(event.result, Output) else ()

        def noted(state: RunState) -> RunState:
            if made:
                state = dataclasses.replace(state, shown="", against="")
            return dataclasses.replace(state, last=event.status, outputs=(*made, *state.outputs)[:MOST_OUTPUTS])

        self.update(event.run_id, noted)

    def _write(self, state: RunState) -> RunState:
        record = dataclasses.asdict(dataclasses.replace(state, aligned=False, tuned=False)) | {"format": FORMAT}
        if state.last is not None:
            record["last"] = dataclasses.asdict(dataclasses.replace(state.last, output=None, feed_id=None))
        with disk_errors("The record of this run"):
            write_json(self.folders.private(state.id) / FILE, record)
        return state


def with_choices(state: RunState, **choices: Any) -> RunState:
    """A run under other choices; nothing is stored.

    Raises
    ------
    ConfigError: what cannot be chosen.
    """
    unknown = sorted(set(choices) - set(CHOICES))
    if unknown:
        raise ConfigError(f"There is no choice '{unknown[0]}'.", f"Choices: {', '.join(CHOICES)}.")
    return _checked(dataclasses.replace(state, **_plain(choices)))


def without_direction(state: RunState, name: str) -> RunState:
    """A run in which a direction is no longer chosen for anybody; nothing is stored."""
    edits = tuple(pair for pair in state.edits if pair[0] != name)
    others = tuple((face, tuple(pair for pair in pairs if pair[0] != name)) for face, pairs in state.others)
    return dataclasses.replace(state, edits=edits, others=others)


def _plain(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Choices with the sequences that come from widgets and JSON as tuples."""
    made = dict(choices)
    if made.get("point") is not None:
        made["point"] = tuple(float(value) for value in made["point"])
    if "edits" in made:
        made["edits"] = _pairs(made["edits"])
    if "others" in made:
        made["others"] = tuple((int(number), _pairs(edits)) for number, edits in made["others"])
    if "corrections" in made:
        made["corrections"] = tuple((str(kind), int(a), int(b)) for kind, a, b in made["corrections"])
    if "advanced" in made:
        made["advanced"] = {
            stage: {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
            for stage, values in dict(made["advanced"]).items()
        }
    return made


def _pairs(edits: Any) -> tuple[tuple[str, float], ...]:
    return tuple((str(name), float(factor)) for name, factor in edits)


def _checked(state: RunState) -> RunState:
    """The run, if its choices are possible.

    Raises
    ------
    ConfigError: a choice that is not possible.
    """
    state.config({})
    if state.method is not None and state.method not in METHODS:  # which a preset that has but one does not look at
        raise ConfigError(f"There is no method '{state.method}'.", f"Methods: {', '.join(METHODS)}.")
    for edits in (state.edits, *(edits for _, edits in state.others)):
        EditConfig(directions=edits)
        names = [name for name, _ in edits]
        if len(set(names)) < len(names):
            raise ConfigError("A direction was chosen twice.", "Choose it once.")
    return state


def _from_record(record: dict[str, Any]) -> RunState:
    known = {field.name for field in dataclasses.fields(RunState)}
    values = _plain({"method": STITCHED} | {name: value for name, value in record.items() if name in known})
    values["outputs"] = tuple(
        Output(
            **{
                **output,
                **_plain({name: output[name] for name in ("edits", "others") if name in output}),
                "warnings": tuple(output["warnings"]),
                "people_measures": tuple((number, known) for number, known in output.get("people_measures", ())),
                "feed_id": None,
            }
        )
        for output in values.get("outputs", ())
        if Path(output["video"]).is_file()
    )
    if values.get("consent") is not None:
        values["consent"] = Consent(**values["consent"])
    if values.get("last") is not None:
        values["last"] = _last(values["last"])
    return RunState(**values)


def _last(record: dict[str, Any]) -> Status:
    """The job that was noted; one that had not ended was interrupted with the server."""
    history = tuple(tuple(row) for row in record.pop("history", ()))
    status = Status(**{**record, "history": history, "warnings": tuple(record.get("warnings", ()))})
    if status.finished:
        return status
    return dataclasses.replace(status, state="interrupted", message=INTERRUPTED, hint=INTERRUPTED_HINT, ahead=0)
