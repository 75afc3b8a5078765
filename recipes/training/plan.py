"""What a run of the recipe will do, before it does it: pictures, phases and their minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Sections = list[dict[str, Any]]


def scaled_phases(phases: Sequence[dict[str, Any]], minutes: float | None) -> Sections:
    """The phases of a config, their lengths scaled to a total of `minutes`; as they are where that is None."""
    if minutes is None:
        return [dict(section) for section in phases]
    total = sum(section["minutes"] for section in phases)
    return [{**section, "minutes": section["minutes"] * minutes / total} for section in phases]


def section_name(section: dict[str, Any]) -> str:
    """The name of a phase's files; a phase without one is called like its network."""
    name: str = section.get("name", section["phase"])
    return name


def phase_table(sections: Sections) -> str:
    """The phases as a Markdown table, with the minute at which each begins."""
    lines = ["| phase | network | px | batch | from minute | minutes |", "| --- |" + " --- |" * 5]
    begun = 0.0
    for number, section in enumerate(sections):
        resolution, batch = section.get("resolution", ""), section.get("batch", "")
        cells = (section["phase"], resolution, batch, f"{begun:.4g}", f"{section['minutes']:.3g}")
        lines.append(f"| {number} {section_name(section)} | " + " | ".join(map(str, cells)) + " |")
        begun += section["minutes"]
    return "\n".join([*lines, "", f"{begun:.4g} minutes of training."])


def render_words(missing: int, seconds_each: float | None) -> str:
    """How long rendering will take; seconds_each is the wall time of a picture, None while it is unknown."""
    if not missing:
        return "all pictures are there"
    if seconds_each is None:
        return f"{missing:,} pictures to render, speed not known yet"
    minutes = missing * seconds_each / 60
    return f"{missing:,} pictures to render, {1 / seconds_each:.1f} a second, about {minutes:.0f} minutes"
