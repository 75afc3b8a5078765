"""Every setting of the command line's --set for the part "Advanced", with what stit_core/config.py says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from page.ui.words.labels import STAGES
from stit_core.config import RunConfig
from stit_core.settings import Setting, settings_of


def describe_settings(config: RunConfig) -> list[dict[str, Any]]:
    """The stages with their settings for the part "settings"; the defaults are those of `config`."""
    stages = []
    for stage, title in STAGES.items():
        part = getattr(config, stage)
        settings = [_describe(name, getattr(part, name), known) for name, known in offered(part).items()]
        stages.append({"stage": stage, "title": title, "settings": settings})
    return stages


def keep_known(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without what the page does not offer, so that nobody moves the limits of the host."""
    known = settings_of_stages()
    return {
        stage: {name: value for name, value in part.items() if name not in known[stage] or known[stage][name].advanced}
        for stage, part in changes.items()
        if stage in STAGES
    }


def settings_of_stages() -> dict[str, dict[str, Setting]]:
    """What is known of the settings of each stage that the page offers."""
    config = RunConfig()
    return {stage: settings_of(type(getattr(config, stage))) for stage in STAGES}


def offered(part: object) -> dict[str, Setting]:
    """The settings of a stage that have no widget of their own and are no limit of the host."""
    return {name: known for name, known in settings_of(type(part)).items() if known.advanced}


def _describe(name: str, value: Any, known: Setting) -> dict[str, Any]:
    kind = "choice" if known.choices else "bool" if isinstance(value, bool) else "text"
    return {
        "name": name,
        "kind": kind,
        "default": json.dumps(value),
        "choices": list(known.choices),
        "about": known.about,
    }
