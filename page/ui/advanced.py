"""Every setting of the command line's --set for the part "Advanced", with what stit_core/config.py says of it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

from stit_core.config import SPEEDS, RunConfig

TITLES = {
    "transfer": "Transfer",
    "stitching": "Stitching",
    "masks": "Outline of the face",
    "compositing": "Pasting back",
    "tuning": "Tuning",
    "edit": "Edit",
    "inversion": "Inversion",
    "landmarks": "Finding the face",
    "video": "Video file",
}
# What has a widget of its own, and the limits that the host of the page sets.
ELSEWHERE = {
    "edit": {"directions"},
    "transfer": {"region"},
    "landmarks": {"face", "point", "point_frame"},
    "video": {"start", "end", "max_seconds", "max_frames", "max_pixels", "max_megabytes", "timeout"},
}
CHOICES = {
    ("video", "speed"): SPEEDS,
    ("stitching", "target"): ("source", "pivot"),
    ("stitching", "loss"): ("l2", "l1"),
}
_COMMENT = re.compile(r"^    (\w+):[^#\n]*#\s*(.+?)\s*$", re.MULTILINE)


def describe_settings(config: RunConfig) -> list[dict[str, Any]]:
    """The stages with their settings for the part "settings"; the defaults are those of `config`."""
    stages = []
    for stage, title in TITLES.items():
        part = getattr(config, stage)
        fields = [field for field in dataclasses.fields(part) if field.name not in ELSEWHERE.get(stage, set())]
        settings = [_describe(stage, field.name, getattr(part, field.name)) for field in fields]
        stages.append({"stage": stage, "title": title, "settings": settings})
    return stages


def keep_known(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without what the page does not offer, so that nobody moves the limits of the host."""
    return {
        stage: {name: value for name, value in part.items() if name not in ELSEWHERE.get(stage, set())}
        for stage, part in changes.items()
        if stage in TITLES
    }


def _describe(stage: str, name: str, value: Any) -> dict[str, Any]:
    choices = CHOICES.get((stage, name), ())
    kind = "choice" if choices else "bool" if isinstance(value, bool) else "text"
    return {
        "name": name,
        "kind": kind,
        "default": json.dumps(value),
        "choices": list(choices),
        "about": _ABOUT[stage].get(name, ""),
    }


def _comments(stage: str) -> dict[str, str]:
    """What config.py says beside each setting of a stage: its unit and meaning."""
    return dict(_COMMENT.findall(inspect.getsource(type(getattr(RunConfig(), stage)))))


# Read by the thread that imports: inspect parses the source, which Python 3.11 cannot do in two threads at once.
_ABOUT = {stage: _comments(stage) for stage in TITLES}
