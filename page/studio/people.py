"""Several people of a run's clip, each with an edit of his or her own: who is looked at, and what all of them get.

A run's `face` is the person whose edit is shown, and `edits` are his or hers; `others` has those of everybody else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from page.studio.job import stage_of_turn
from page.studio.runs import EVERYONE, RunState
from stit_core.several_people import EVERYBODY, PersonEdit

Edits = tuple[tuple[str, float], ...]


def turn_to(state: RunState, current: int, wanted: int) -> dict[str, Any]:
    """The choices of a run that turns from one person's edit to another's; each keeps what was chosen."""
    kept = {number: edits for number, edits in state.others if number not in (EVERYONE, current)}
    everyone = dict(state.others).get(EVERYONE)
    if current != wanted:
        kept[current] = state.edits
    edits = kept.pop(wanted, everyone or ()) if current != wanted else state.edits
    choices = {"face": wanted, "point": None, "point_frame": None}
    return {**choices, "edits": edits, "others": tuple(sorted(kept.items()))}


def copy_to(state: RunState, current: int, everyone: Iterable[int]) -> dict[str, Any]:
    """The choices of a run in which everyone gets the edit that is shown."""
    return {"face": current, "others": tuple((number, state.edits) for number in everyone if number != current)}


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
