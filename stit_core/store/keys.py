"""Names of results: hashes of all that they are made of."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

# Raise a stage's number when its result changes meaning: results of older versions are then made anew.
STAGE_VERSIONS: Mapping[str, int] = {
    "clip": 1,
    "landmarks": 4,
    "align": 1,
    "invert": 1,
    "tune": 1,
    "register": 2,
    "masks": 1,
    "stitch": 10,
    "identify": 2,
    "measure": 4,
}
KEY_DIGITS = 24


def key(stage: str, *parts: object) -> str:
    """Name of the result that `stage` makes from `parts`: the same parts give the same name on any machine.

    Parameters
    ----------
    stage: one of STAGE_VERSIONS.
    parts: strings, numbers, None, arrays, tensors, dataclasses, mappings and sequences of these.

    Raises
    ------
    TypeError: anything else.
    KeyError: an unknown stage.
    """
    text = json.dumps([stage, STAGE_VERSIONS[stage], *map(_canonical, parts)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def _canonical(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return [str(value.dtype), list(value.shape), digest]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _canonical(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, Mapping):
        return {str(name): _canonical(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_canonical(part) for part in value]
    raise TypeError(f"a {type(value).__name__} cannot be part of a key")


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal; read once as long as its time and size stay the same.

    Raises
    ------
    OSError: as the file system does.
    """
    status = path.stat()
    return _digest(path.absolute(), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=512)
def _digest(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001 (time and size are the cache's key)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
