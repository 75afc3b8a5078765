"""Several clips with the same edit: each becomes a run of its own, and all of them are a list of the run they came to.

Of a list, only AT_ONCE jobs stand in the studio's queue: others who come wait for two clips and not for forty. The rest
wait in the list, and are begun by `go_on`, which the open page and the API's caller keep asking for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from page.studio.allowances import Crowded
from page.studio.clip_lists import ClipList, ListedClip
from page.studio.direction_roots import roots_of
from page.studio.folders import new_id, safe_name
from page.studio.holdings import GIGABYTE
from page.studio.job import Status
from page.studio.people import edits_of, shown_first
from page.studio.runs import Output, RunState, with_choices
from page.studio.studio import Studio
from page.studio.tasks import check_edit
from stit_core.directions.library import load_direction
from stit_core.errors import ConfigError, StitError, StoreError
from stit_core.store.keys import file_digest

AT_ONCE = 2  # jobs of a list in the studio's queue: one that runs, and one that need not wait for a page to ask
AGAIN_SECONDS = 15.0  # between two attempts to begin a job where there was no place for it

CardState = Literal["ready", "waiting", "running", "saving", "done", "stopped", "failed", "same", "gone"]


@dataclass(frozen=True)
class Card:
    """A clip of a list as the page shows it.

    Attributes
    ----------
    clip: its record.
    state: "ready" where nothing was begun, "same" where its content is that of another, "gone" where its run is.
    status: of its job, or None.
    output: the newest whole video, or None.
    reason: why it failed or has to wait, in words with a hint.
    same: name of the clip whose content it has.
    """

    clip: ListedClip
    state: CardState
    status: Status | None = None
    output: Output | None = None
    reason: str = ""
    same: str = ""

    @property
    def working(self) -> bool:
        """Whether it waits for its job, or its job is not ended."""
        return self.state in ("waiting", "running", "saving")


# --- What is in the list ------------------------------------------------------------------------------------------


def bring_clips(studio: Studio, run_id: str, uploads: Sequence[tuple[Path, str]]) -> ClipList:
    """Take uploaded clips into a run's list; one that cannot be taken stands there with the reason.

    Parameters
    ----------
    uploads: the files, and what the visitor called each.

    Raises
    ------
    StitError: there is no such run, a file was not uploaded here, or nobody said that it may be edited.
    StoreError: the disk is full, or cannot be written or read.
    """
    studio.bring(run_id, [path for path, _ in uploads])
    with studio.lists.hold(run_id):
        for path, name in uploads:
            clip = _taken(studio, run_id, path, ListedClip(new_id(), safe_name(name)))
            if not clip.run:  # nothing is made of it
                kept = {studio.runs.get(run).upload for run in studio.lists.runs(run_id) if studio.runs.load(run)}
                studio.holdings.drop(run_id, [] if str(path) in kept else [path])
            studio.lists.add(run_id, clip)
        studio.look_at(run_id)
        return studio.lists.load(run_id)


def _taken(studio: Studio, run_id: str, path: Path, clip: ListedClip) -> ListedClip:
    """A clip with a run of its own, or with the reason why it has none."""
    known, most = studio.lists.load(run_id).clips, studio.settings.list_clips
    if len(known) >= 2 * most:  # those that were not taken among them
        raise ConfigError(f"The list holds {len(known)} clips.", "Take some of them away first.")
    clip = dataclasses.replace(clip, digest=file_digest(path))
    same = next((other for other in known if other.digest == clip.digest and studio.runs.load(other.run)), None)
    if same is not None:
        return dataclasses.replace(clip, same=same.id)
    if sum(bool(other.run) for other in known) >= most:
        return dataclasses.replace(clip, reason=f"The list holds {most} clips already, as many as it may.")
    studio.look_at(run_id)
    fresh = studio.arrive().id
    try:
        studio.runs.update(fresh, lambda state: dataclasses.replace(state, consent=studio.runs.get(run_id).consent))
        studio.lists.adopt(run_id, fresh)
        studio.set_clip(fresh, path)
    except StitError as error:
        studio.delete(fresh)
        return dataclasses.replace(clip, reason=str(error))
    return dataclasses.replace(clip, run=fresh)


def choose(studio: Studio, run_id: str, **choices: Any) -> ClipList:
    """Keep what the next start is to do to all clips.

    Raises
    ------
    ConfigError: what cannot be chosen.
    StitError: there is no such run.
    StoreError: the disk is full, or cannot be written or read.
    """
    with_choices(studio.runs.get(run_id), **choices)
    choices = json.loads(json.dumps(choices))  # as they are read again, to be compared
    return studio.lists.update(
        run_id, lambda listed: dataclasses.replace(listed, choices={**listed.choices, **choices})
    )


def remove_clip(studio: Studio, run_id: str, clip_id: object) -> None:
    """Take a clip away with everything that was made of it, and those that are the same.

    Raises
    ------
    StoreError: the disk is full, or cannot be written or read.
    """
    clip = studio.lists.load(run_id).find(clip_id)
    if clip is None:
        return
    studio.lists.update(
        run_id,
        lambda listed: dataclasses.replace(
            listed, clips=tuple(other for other in listed.clips if clip.id not in (other.id, other.same))
        ),
    )
    if clip.run:
        studio.delete(clip.run)


# --- Their jobs ---------------------------------------------------------------------------------------------------


def start_clips(studio: Studio, run_id: str, **choices: Any) -> int:
    """Want the edit of all clips that have it not yet; gives how many there are. `go_on` begins the first.

    Raises
    ------
    ConfigError: an edit that changes nothing or cannot be made, no clip, or another edit while one is being made.
    DirectionError: an edit that the pack cannot do.
    StitError: there is no such run.
    StoreError: the disk is full, or cannot be written or read.
    """
    with studio.lists.hold(run_id):
        listed = choose(studio, run_id, **choices)
        _check(studio, run_id, listed.choices)
        found = cards(studio, run_id)
        if any(card.working for card in found) and listed.begun != listed.choices:
            message = "The clips are being edited with another change."
            raise ConfigError(message, "Wait until they are finished, or stop them all.")
        if not any(card.clip.run and card.state != "gone" for card in found):
            raise ConfigError("There is no clip that could be edited.", "Upload clips first.")
        wanted = {card.clip.id for card in lacking(studio, found, listed.choices)}
        clips = [
            dataclasses.replace(clip, wanted=True, reason="") if clip.id in wanted else clip for clip in listed.clips
        ]
        studio.lists.update(
            run_id, lambda now: dataclasses.replace(now, clips=tuple(clips), begun=dict(listed.choices))
        )
    go_on(studio, run_id)
    return len(wanted)


def lacking(studio: Studio, found: Sequence[Card], choices: Mapping[str, Any]) -> list[Card]:
    """The clips that a start with these choices edits: that have not got the edit, and are not on their way to it."""
    return [
        card
        for card in found
        if card.clip.run and card.state != "gone" and not card.working and not _has(studio, card, choices)
    ]


def _check(studio: Studio, run_id: str, choices: Mapping[str, Any]) -> None:
    """Refuse what would fail for every clip alike."""
    state = shown_first(with_choices(RunState(""), **choices))
    config = studio.config(state)
    check_edit(config)
    names = [name for name, _ in config.edit.directions]
    names += [name for each in edits_of(state) or () for name, _ in each.directions]
    for name in dict.fromkeys(names):
        load_direction(studio.networks.pack, name, roots_of(studio.folders, run_id))


def _has(studio: Studio, card: Card, choices: Mapping[str, Any]) -> bool:
    """Whether a clip's newest video is the one that these choices make."""
    output, state = card.output, studio.runs.load(card.clip.run)
    if output is None or state is None:
        return False
    wanted = with_choices(state, **choices)
    config = studio.config(wanted)
    made = (output.edits, output.preset, output.method, output.region)
    return (
        not wanted.others
        and not output.others
        and made
        == (
            config.edit.directions,
            config.preset,
            config.method,
            config.transfer.region,
        )
    )


def go_on(studio: Studio, run_id: str) -> None:
    """Begin the jobs that are wanted, as far as there is a place for them.

    To be called in the name of an event of the visitor: what a ZeroGPU Space lends is taken in that name.

    Raises
    ------
    StoreError: the disk is full, or cannot be written or read.
    """
    with studio.lists.hold(run_id):
        studio.look_at(run_id)  # so that making room for one of its clips takes none of the others
        listed = studio.lists.load(run_id)
        at_work = [clip for clip in listed.clips if clip.run and clip.run in studio.jobs]
        for clip in at_work:
            studio.lend_event(clip.run)
        places = AT_ONCE - len(at_work)
        for clip in listed.clips:
            if not clip.wanted or clip in at_work:
                continue
            if places <= 0:
                break
            begun = _begun(studio, run_id, clip, listed.begun)
            places -= begun.run in studio.jobs
            if begun != clip:
                studio.lists.replace(run_id, begun)
            if begun.wanted:  # there was no place: there is none for the others either
                break


def _begun(studio: Studio, run_id: str, clip: ListedClip, choices: Mapping[str, Any]) -> ListedClip:
    """A clip whose job was begun, has to wait longer, or cannot be."""
    try:
        _check_room(studio, run_id)
        studio.start(clip.run, "edit", **choices)
    except Crowded as error:
        return dataclasses.replace(clip, reason=str(error))
    except StitError as error:
        return dataclasses.replace(clip, wanted=False, reason=str(error))
    return dataclasses.replace(clip, wanted=False, reason="")


def _check_room(studio: Studio, run_id: str) -> None:
    """Raise StoreError where a list with the runs of its clips is over what one run may hold."""
    limit = studio.settings.run_gb * GIGABYTE
    size = sum(studio.holdings.size(known) for known in (run_id, *studio.lists.runs(run_id)))
    if size > limit:
        message = f"The clips hold {size / GIGABYTE:.2g} GB together, and {limit / GIGABYTE:.2g} GB is the limit."
        raise StoreError(message, "Download what is finished, and take some clips away.")


def turn(studio: Studio, run_id: str) -> str:
    """A text that changes when `go_on` has something to do; "" while nothing of a list waits or runs."""
    listed = studio.lists.load(run_id)
    jobs = [(clip.run, studio.status(clip.run)) for clip in listed.clips if clip.run and clip.run in studio.jobs]
    wanted = sum(clip.wanted for clip in listed.clips)
    if not jobs and not wanted:
        return ""
    asks = [f"{run[:6]} {status.asks}" for run, status in jobs if status is not None]
    again = int(time.monotonic() / AGAIN_SECONDS) if wanted and len(jobs) < AT_ONCE else 0
    return f"{wanted} {again} {', '.join(asks)}"


def stop_clip(studio: Studio, run_id: str, clip_id: object) -> None:
    """Stop a clip's job, or want it no longer.

    Raises
    ------
    StoreError: the disk is full, or cannot be written or read.
    """
    with studio.lists.hold(run_id):
        clip = studio.lists.load(run_id).find(clip_id)
        if clip is None:
            return
        if clip.wanted:
            studio.lists.replace(run_id, dataclasses.replace(clip, wanted=False, reason=""))
        elif clip.run:
            studio.stop(clip.run)


def stop_all(studio: Studio, run_id: str) -> None:
    """Stop all clips of a list, those that wait first.

    Raises
    ------
    StoreError: the disk is full, or cannot be written or read.
    """
    with studio.lists.hold(run_id):
        for clip in reversed(studio.lists.load(run_id).clips):
            stop_clip(studio, run_id, clip.id)


# --- What is shown ------------------------------------------------------------------------------------------------


def cards(studio: Studio, run_id: str) -> list[Card]:
    """The clips of a run's list as they are now."""
    listed = studio.lists.load(run_id)
    return [_card(studio, listed, clip) for clip in listed.clips]


def _card(studio: Studio, listed: ClipList, clip: ListedClip) -> Card:
    if clip.same:
        other = listed.find(clip.same)
        return Card(clip, "same", same=other.name if other is not None else "")
    if not clip.run:
        return Card(clip, "failed", reason=clip.reason)
    status = studio.status(clip.run)  # before the run: who learns of the end shall find what came of it
    state = studio.runs.load(clip.run)
    if state is None:
        return Card(clip, "gone")
    status = status or state.last
    output = next((made for made in state.outputs if not made.partial), None)
    if clip.wanted:
        return Card(clip, "waiting", output=output, reason=clip.reason)
    if clip.reason:
        return Card(clip, "failed", output=output, reason=clip.reason)
    if status is not None and status.kind == "edit" and status.state in ("failed", "interrupted"):
        reason = str(StitError(status.message, status.hint))
        return Card(clip, "failed" if status.state == "failed" else "stopped", status, output, reason)
    if status is not None and not (status.finished and status.kind != "edit"):
        return Card(clip, _STATES[status.state], status, output)
    return Card(clip, "ready" if output is None else "done", status, output)


_STATES: Mapping[str, CardState] = {
    "waiting": "waiting",
    "running": "running",
    "saving": "saving",
    "done": "done",
    "stopped": "stopped",
}


def is_working(studio: Studio, run_id: str) -> bool:
    """Whether a clip of a run's list waits or is being edited."""
    with contextlib.suppress(StoreError):
        return bool(turn(studio, run_id))
    return False
