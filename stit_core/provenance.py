"""Where a video comes from, in the video itself: its metadata, and the content credentials that it is signed with."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from stit_core.artefacts import Clip
from stit_core.config import RunConfig
from stit_core.directions.library import Direction
from stit_core.media.credentials import Signer
from stit_core.media.video import Label
from stit_core.packs.manifest import Pack
from stit_core.runtime import Runtime

MANIFEST_FORMAT = 1
MANIFEST_TAG = "synopsis"  # the one for long texts that MP4 and Matroska both know
VERSIONED_PACKAGES = ("torch", "numpy", "dlib-bin", "imageio-ffmpeg")
EMBEDDED_BYTES = 16_000  # of a manifest within a video; it is handed to ffmpeg in its command line, of 32 KB on Windows


@dataclass(frozen=True)
class Consent:
    """That whoever brought the clip may edit the person's face.

    Attributes
    ----------
    wording: what was agreed to, word for word.
    given: when, in UTC, as in 2026-11-26T16:42:10+00:00.
    """

    wording: str
    given: str


@dataclass(frozen=True)
class Provenance:
    """What goes with the videos of a run beside their pictures.

    Attributes
    ----------
    consent: None where nobody was asked.
    signer: of content credentials; None for none.
    """

    consent: Consent | None = None
    signer: Signer | None = None


UNKNOWN = Provenance()


def describe_edit(
    clip: Clip,
    pack: Pack,
    directions: Mapping[str, Direction],
    config: RunConfig,
    runtime: Runtime,
    consent: Consent | None = None,
) -> dict[str, Any]:
    """What is known of an edit before its result: the edit manifest without its last part."""
    edits = [
        {"direction": name, "factor": factor, "sha256": directions[name].hash, "source": directions[name].card.source}
        for name, factor in config.edit.directions
    ]
    return {
        "format": MANIFEST_FORMAT,
        "made_with": "STIT Studio",
        "edited": True,
        "clip": {
            "name": clip.source.name,
            "hash": clip.hash,
            "frames": len(clip.frames),
            "frame_rate": str(clip.frame_rate),
            "start": float(clip.start),
            "size": [clip.width, clip.height],
        },
        "pack": {"name": pack.name, "hash": pack.hash, "licence": pack.licence},
        "edits": edits,
        "settings": dataclasses.asdict(config),
        "seed": runtime.seed,
        "device": str(runtime.device),
        "versions": _versions(),
        "consent": None if consent is None else dataclasses.asdict(consent),
    }


def embed(record: Mapping[str, Any], figures: Mapping[str, float] | None = None, **more: Any) -> str:
    """The edit manifest as JSON in one line, for a video's own metadata.

    The name of the source file stays out, as whatever else the source says of itself does: a video is passed on. So do
    the limits of whoever made it. What is longer than `EMBEDDED_BYTES` is cut down to what was changed, with what and
    from which clip.

    Parameters
    ----------
    record: as `describe_edit` gives it.
    figures: what was measured, by name.
    more: what else is to be known of this video.
    """
    clip = {name: value for name, value in record["clip"].items() if name != "name"}
    measures = {} if figures is None else {"measures": {name: round(value, 6) for name, value in figures.items()}}
    whole = json.dumps(
        {**_without_limits(record), "clip": clip, **measures, **more}, default=str, separators=(",", ":")
    )
    if len(whole.encode()) <= EMBEDDED_BYTES:
        return whole
    told = ("face", "direction", "factor", "sha256")
    edits = [{name: edit[name] for name in told if name in edit} for edit in record["edits"]]
    kept = {name: record[name] for name in ("format", "made_with", "edited", "consent")}
    short = {**kept, "shortened": True, "clip": {"hash": clip["hash"]}, "pack": record["pack"]["name"], "edits": edits}
    return json.dumps({**short, **more}, default=str, separators=(",", ":"))


def _without_limits(record: Mapping[str, Any]) -> dict[str, Any]:
    """What was set, but for what a server takes at most, which is no part of the edit."""
    settings = record.get("settings", {})
    video = {name: value for name, value in settings.get("video", {}).items() if not name.startswith("max_")}
    return {**record, "settings": {**settings, "video": video}} if video else dict(record)


def edit_text(config: RunConfig) -> str:
    """What was changed, in a line: "smile=2, age=-1"."""
    return ", ".join(f"{name}={factor:g}" for name, factor in config.edit.directions) or "no direction"


def label_video(
    record: Mapping[str, Any],
    edit: str,
    signer: Signer | None,
    figures: Mapping[str, float] | None = None,
    **more: Any,
) -> Label:
    """What is written into a video of an edit, and how it is signed.

    Parameters
    ----------
    record: as `describe_edit` gives it.
    edit: what was changed, in a line.
    signer: None leaves it unsigned.
    figures, more: as `embed` takes them.
    """
    embedded = embed(record, figures, **more)
    comment = f"edited with STIT Studio, pack {record['pack']['name']}, {edit}"
    seal = None if signer is None else signer.seal(edit, json.loads(embedded))
    return Label({"comment": comment, MANIFEST_TAG: embedded}, seal)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in VERSIONED_PACKAGES[1:]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
