"""What is checked before a run starts, so that nothing fails after hours of work."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

from stit_core.config import EditConfig, VideoConfig
from stit_core.errors import ConfigError, NoRoomError, VideoError
from stit_core.media.probing import Probe, trimmed_frames
from stit_core.packs.manifest import Pack
from stit_core.report import manifest_path

PNG_BYTES_PER_PIXEL = 2.0  # of a stored frame, generously
CROPS_PER_FRAME = 3  # aligned, mask and stitched
SPARE_BYTES = 64 << 20


def check_edit(config: EditConfig, pack: Pack) -> None:
    """Refuse an edit that the pack cannot do. Raises ConfigError."""
    freeze = config.freeze_from
    if freeze is not None and freeze >= pack.num_ws:
        message = f"There is no style layer {freeze} to freeze from in the pack '{pack.name}'."
        raise ConfigError(message, f"Choose 'freeze_from' from 0 to {pack.num_ws - 1}.")


def check_output(source: Path, output: Path) -> None:
    """Refuse an output that would overwrite the source, or whose manifest could not be. Raises VideoError."""
    manifest = manifest_path(output)
    longest = os.pathconf(output.absolute().parent, "PC_NAME_MAX") - len(".part")
    if len(os.fsencode(manifest.name)) > longest:
        raise VideoError(f"The name {output.name[:20]}... is too long.", "Choose a shorter one with -o.")
    if manifest.is_dir():
        raise VideoError(f"{manifest} is a folder; it is the name of the edit manifest.", "Choose another with -o.")
    if output.exists() and source.exists() and os.path.samefile(output, source):
        raise VideoError("The output would overwrite the source clip.", "Choose another output with -o.")


def check_space(facts: Probe, config: VideoConfig, size: int, root: Path, output: Path) -> None:
    """See that the disk has room for the pictures of the trimmed part. Raises NoRoomError."""
    needed = stage_bytes(facts, config, size) + SPARE_BYTES
    for folder in (root, output.parent):
        existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        if free < needed:
            message = f"The disk of {existing} has {free >> 20:,} MB free; this run may need {needed >> 20:,} MB."
            raise NoRoomError(message, "Free some space, delete old runs with `runs clean`, or choose a shorter part.")
        needed = SPARE_BYTES


def stage_bytes(facts: Probe, config: VideoConfig, size: int) -> int:
    """Bytes that the stages of the trimmed part take in the store, generously; `size` is the pack's resolution."""
    part = trimmed_frames(facts, config)
    frames = config.max_frames if part is None else min(math.ceil(part), config.max_frames)
    pixels = facts.width * facts.height + CROPS_PER_FRAME * size * size
    return int(frames * pixels * PNG_BYTES_PER_PIXEL)
