"""What a stage has found for batches of its frames, a file each, so that a stopped run is resumed where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from stit_core.fitting.optimising import load_checkpoint, save_checkpoint
from stit_core.runtime import Runtime

RECORD = "batches"


def find_by_batches(
    count: int,
    size: int,
    find: Callable[[range], Mapping[str, np.ndarray]],
    stage: str,
    runtime: Runtime,
    folder: Path,
) -> dict[str, np.ndarray]:
    """Find arrays for frames, a batch at a time; each lies on the disk before the next one is begun.

    A batch is the same after a stop as without one, and so are the bits that a network gives for it.

    Parameters
    ----------
    count: of all frames, at least one.
    size: frames a batch.
    find: from the positions of some frames, (B,), to arrays (B, ...) by name. All else that it makes has to be on the
        disk when it returns.
    stage, runtime: told of every frame; asked after each batch whether to stop.
    folder: of this result, existing, private to it.

    Returns
    -------
    Arrays (T, ...) by name.

    Raises
    ------
    Cancelled: the run was stopped, or its time is over; what was found is kept. OSError: as the disk does.
    """
    record, parts = folder / RECORD, []
    record.mkdir(exist_ok=True)
    runtime.step(stage, 0, count)
    for first in range(0, count, size):
        rows = range(first, min(first + size, count))
        file = record / f"{first:06d}.safetensors"
        known = _read(file, len(rows))
        part = known or {name: torch.from_numpy(values) for name, values in find(rows).items()}
        if known is None:
            save_checkpoint(file, part, {"frames": len(rows)})
        parts.append(part)
        for row in rows:
            runtime.step(stage, row + 1, count)
        if known is None and rows.stop < count:
            runtime.kept(stage)
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}


def _read(file: Path, frames: int) -> dict[str, torch.Tensor] | None:
    """What was found for a batch of so many frames; None where it has to be found."""
    found = load_checkpoint(file)
    return found[0] if found is not None and found[1] == {"frames": frames} else None
