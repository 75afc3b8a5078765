"""Several people of a run's clip, each with an edit of his or her own: who is looked at, and what all of them get.

A run's `face` is the person whose edit is shown, and `edits` are his or hers; `others` has those of everybody else.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from page.studio.job import stage_of_turn
from page.studio.runs import EVERYONE, RunState
from stit_core.several_people import EVERYBODY, PersonEdit

Edits = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Cast:
    """Who is in a run's clip.

    Attributes
    ----------
    shown: the number of the person whom the run's choices pick; None before that is known.
    numbers: of everybody; none before that is known.
    """

    shown: int | None = None
    numbers: tuple[int, ...] = ()


def label(state: RunState, number: int | None) -> str:
    """Names a person of the run's clip in what goes to a browser and comes back with an edit; "" for nobody known.

    Numbers are given anew for another clip and after a correction, so that they alone would not do.
    """
    if number is None:
        return ""
    people = hashlib.sha256(repr((state.clip, state.upload, state.corrections)).encode()).hexdigest()[:12]
    return f"{number} {people}"


def keep(state: RunState, cast: Cast, edits: Edits, whose: object) -> dict[str, Any]:
    """The choices of a run in which one person's edit was changed, whoever is shown by now.

    Parameters
    ----------
    whose: the label under which the browser had the edit; one that is none of this clip's means who is shown.
    """
    shown = state.face if state.face is not None else cast.shown
    number = next((number for number in cast.numbers if whose == label(state, number)), shown)
    others = _others(state, shown, cast)
    if number is None or number == shown:
        return {"edits": edits, **_beside(shown, others)}
    return _beside(shown, {**others, number: edits})


def turn_to(state: RunState, cast: Cast, wanted: int) -> dict[str, Any]:
    """The choices of a run that turns to somebody's edit; each keeps what was chosen."""
    shown = state.face if state.face is not None else cast.shown
    if shown is None or shown == wanted:
        return _picked(wanted)
    kept = {**_others(state, shown, cast), shown: state.edits}
    return {"edits": kept.pop(wanted, ()), "others": _sorted(kept), **_picked(wanted)}


def follow(state: RunState, cast: Cast, wanted: int) -> dict[str, Any]:
    """The choices of a run whose one edit goes to somebody; where others have edits, each keeps what was chosen."""
    return turn_to(state, cast, wanted) if state.others else _picked(wanted)


def copy_to_all(state: RunState, cast: Cast, whose: object) -> dict[str, Any]:
    """The choices of a run in which everyone gets one person's edit, who is named as for `keep`."""
    shown = state.face if state.face is not None else cast.shown
    others = _others(state, shown, cast)
    edits = next((others.get(number, ()) for number in cast.numbers if whose == label(state, number)), None)
    if shown is None or edits is None or whose == label(state, shown):
        edits = state.edits
    return {"edits": edits, **_beside(shown, {number: edits for number in cast.numbers if number != shown})}


def _others(state: RunState, shown: int | None, cast: Cast) -> dict[int, Edits]:
    """The edits of all but the one who is shown, by number; that of everyone is spelled out once they are known."""
    known = dict(state.others)
    if not cast.numbers or EVERYONE not in known:
        return known
    everyone = known.pop(EVERYONE)
    return {number: everyone for number in cast.numbers if number != shown} | known


def _beside(shown: int | None, others: Mapping[int, Edits]) -> dict[str, Any]:
    """The choices of a run in which others than the one who is shown have these edits, who then is picked by number."""
    picked = _picked(shown) if others and shown is not None else {}
    return {"others": _sorted(others), **picked}


def _picked(number: int) -> dict[str, Any]:
    return {"face": number, "point": None, "point_frame": None}


def _sorted(others: Mapping[int, Edits]) -> tuple[tuple[int, Edits], ...]:
    return tuple(sorted(others.items()))


def after_correction(state: RunState, corrections: tuple[tuple[str, int, int], ...]) -> dict[str, Any]:
    """The choices of a run after the last of these corrections: who was joined to somebody is nobody any more."""
    kind, kept, gone = corrections[-1]
    choices: dict[str, Any] = {"corrections": corrections}
    if kind == "join":
        choices["others"] = tuple(pair for pair in state.others if pair[0] not in (gone, kept))
        if state.face == gone:
            choices |= {"face": kept, "point": None, "point_frame": None}
        elif state.face != kept:
            choices["others"] = tuple(pair for pair in state.others if pair[0] != gone)
    return choices


def edits_of(state: RunState) -> list[PersonEdit] | None:
    """What is changed of whom; None where it is one person, as the run's settings have it.

    People without an edit are left out.
    """
    others = [(number, edits) for number, edits in ((n, _moved(edits)) for n, edits in state.others) if edits]
    if not others:
        return None
    if any(number == EVERYONE for number, _ in others):
        return [PersonEdit(EVERYBODY, dict(others)[EVERYONE])]
    own = _moved(state.edits)
    first = [PersonEdit(int(state.face or 0), own)] if own else []
    return [*first, *(PersonEdit(number, edits) for number, edits in others)]


def shown_first(state: RunState) -> RunState:
    """The run with somebody shown who has an edit, where the one who is shown has none."""
    others = [(number, edits) for number, edits in state.others if number != EVERYONE and _moved(edits)]
    if _moved(state.edits) or not others:
        return state
    number, edits = others[0]
    left = tuple(pair for pair in state.others if pair[0] != number)
    return dataclasses.replace(state, face=number, point=None, point_frame=None, edits=edits, others=left)


def numbers_of(state: RunState, everyone: Iterable[int] | None) -> list[int | None]:
    """Who is edited, the one who is shown first; None for somebody who is not known yet.

    Parameters
    ----------
    everyone: in the clip; None before that is known, and everyone counts as two.
    """
    edits = edits_of(state)
    if edits is None:
        return [state.face]
    if edits[0].face != EVERYBODY:
        return [int(each.face) for each in edits]
    if everyone is None:
        return [state.face, None]
    return sorted(everyone, key=lambda number: number != state.face)


def plan_of_people(plan: Mapping[str, float], count: int) -> dict[str, float]:
    """The plan of an edit of several people, made of that of one, in the order in which the job goes."""
    names = list(plan)
    once = [name for name in ("frames", "landmarks", "video") if name in plan]
    last = [name for name in ("identify", "measure") if name in plan]
    own = [name for name in names if name not in (*once, "align", *last)]
    order = [(name, 0) for name in once if name != "video"]
    for group in (["align"], own, last):
        order += [(name, turn) for turn in range(count) for name in group if name in plan]
    order += [("video", 0)] if "video" in plan else []
    return {stage_of_turn(name, turn): plan[name] for name, turn in order}


def _moved(edits: Edits) -> Edits:
    return tuple((name, factor) for name, factor in edits if factor)
