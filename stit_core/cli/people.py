"""Several people on the command line: whose each option is, and what their video says."""

from __future__ import annotations

from collections.abc import Sequence

from stit_core.errors import ConfigError
from stit_core.several_people import EVERYBODY, GroupReport


def parse_people(ordered: Sequence[tuple[str, str]]) -> list[tuple[int | str, list[str]]]:
    """[("face", "0"), ("direction", "smile=2"), ...] in the order in which it was written -> who, and his or her edits.

    What stands before the first face is everybody's who is named.

    Raises
    ------
    ConfigError: no number, a face that is named twice or has no edit, or "all" beside others.
    """
    common: list[str] = []
    people: list[tuple[int | str, list[str]]] = []
    for option, text in ordered:
        if option == "direction":
            (people[-1][1] if people else common).append(text)
            continue
        if text != EVERYBODY and not text.isdecimal():
            raise ConfigError(f"There is no face '{text}'.", "Write a number such as 0, or all.")
        people.append((text if text == EVERYBODY else int(text), []))
    faces = [face for face, _ in people]
    if EVERYBODY in faces and len(faces) > 1:
        raise ConfigError("All people are named beside one of them.", "Name each person, or all of them.")
    for face, edits in people:
        if faces.count(face) > 1:
            raise ConfigError(f"Face {face} is named twice.", "Write all its directions behind one --face.")
        if not edits and not common:
            raise ConfigError(f"Face {face} has no edit.", f"Write --face {face} -d smile=2, or leave it out.")
    return [(face, [*common, *edits]) for face, edits in people]


def parse_people_text(text: str) -> list[tuple[int | str, list[str]]]:
    """The same of "0: smile=2; 1: age=-2, smile=1", or of "all: smile=2".

    Raises
    ------
    ConfigError: as `parse_people`, or a part that names nobody.
    """
    ordered: list[tuple[str, str]] = []
    for part in filter(str.strip, text.split(";")):
        face, colon, edits = part.partition(":")
        face = face.strip()
        if not colon or not (face == EVERYBODY or face.isdecimal()):
            raise ConfigError(f"'{face[:40]}' names no person.", 'Write "0: smile=2; 1: age=-2", or "all: smile=2".')
        ordered.append(("face", face))
        ordered += [("direction", edit) for edit in edits.split(",") if edit.strip()]
    return parse_people(ordered)


def group_text(report: GroupReport) -> str:
    """What a finished video of several people says, a row a person."""
    lines = [f"{report.output}: {report.frames} frames, {len(report.people)} people, sound {report.audio or 'none'}"]
    for number, each in report.people.items():
        found, spent = each.measures, sum(each.seconds.values())
        lines += [
            f"  person {number:<8} in {each.faces} frames, PSNR {found.psnr:.2f} dB, "
            f"border {found.border_loss:.5f}, identity {found.id_cosine:.4f}, "
            f"TL-ID {found.tl_id:.4f}, TG-ID {found.tg_id:.4f}",
            f"                  {spent:.1f} s; found ready: {', '.join(each.cached) or 'nothing'}",
        ]
    return "\n".join([*lines, f"  manifest        {report.manifest}"])
