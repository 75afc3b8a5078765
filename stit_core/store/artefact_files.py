"""One result in a folder: result.json, tensors.safetensors and folders of pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.torch
import torch

from stit_core.artefacts import FrameFolder
from stit_core.errors import DamagedError
from stit_core.store.disk import write_synced

RESULT_FILE = "result.json"
TENSOR_FILE = "tensors.safetensors"
_CLEAN_HINT = "Delete this run with `runs clean` and start it again."

T = TypeVar("T")


def save_artefact(artefact: object, folder: Path) -> None:
    """Write a frozen dataclass into `folder` and drop every other file there (checkpoints of the work in progress).

    Arrays and tensors go to tensors.safetensors, a FrameFolder stays as the folder that it is (it must lie inside
    `folder`), the rest goes to result.json, which is written last.

    Raises
    ------
    OSError: as the file system does.
    """
    tensors: dict[str, torch.Tensor] = {}
    pictures: dict[str, int] = {}
    values = {
        field.name: _encode(getattr(artefact, field.name), field.name, tensors, pictures, folder)
        for field in dataclasses.fields(artefact)  # type: ignore[arg-type]
    }
    record: dict[str, object] = {"kind": type(artefact).__name__, "values": values, "pictures": pictures}
    if tensors:
        data = safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
        write_synced(folder / TENSOR_FILE, data)
        record["tensors"] = hashlib.sha256(data).hexdigest()
    for entry in folder.iterdir():
        if entry.name in pictures or (entry.name == TENSOR_FILE and tensors):
            continue
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    write_synced(folder / RESULT_FILE, json.dumps(record).encode())


def load_artefact(kind: type[T], folder: Path) -> T:
    """Read what `save_artefact` wrote.

    Raises
    ------
    DamagedError: anything is missing, cut off, altered, or of another kind.
    """
    try:
        record = json.loads((folder / RESULT_FILE).read_bytes())
        if record["kind"] != kind.__name__:
            raise ValueError(f"it holds a {record['kind']}, not a {kind.__name__}")
        tensors: dict[str, torch.Tensor] = {}
        if "tensors" in record:
            data = (folder / TENSOR_FILE).read_bytes()
            if hashlib.sha256(data).hexdigest() != record["tensors"]:
                raise ValueError(f"{TENSOR_FILE} was cut off or altered")
            tensors = safetensors.torch.load(data)
        for name, size in record["pictures"].items():
            if _picture_bytes(folder / name) != size:
                raise ValueError(f"pictures in {name} are missing or altered")
        values = {name: _decode(value, tensors, folder) for name, value in record["values"].items()}
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            wanted = _FIELD_TYPES.get(str(field.type), object)
            if not isinstance(values[field.name], wanted):
                raise TypeError(f"'{field.name}' is no {field.type}")
        return kind(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise DamagedError(f"The stored result {folder.name} is damaged: {error}.", _CLEAN_HINT) from error


_FIELD_TYPES: Mapping[str, Any] = {  # of a dataclass whose annotations are strings
    "FrameFolder": FrameFolder, "np.ndarray": np.ndarray, "torch.Tensor": torch.Tensor, "Fraction": Fraction,
    "Path": Path, "str": str, "int": int, "float": (int, float),
}  # fmt: skip


def _encode(
    value: object, name: str, tensors: dict[str, torch.Tensor], pictures: dict[str, int], folder: Path
) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if isinstance(value, Fraction):
        return {"$fraction": f"{value.numerator}/{value.denominator}"}
    if isinstance(value, Path):
        return {"$path": str(value)}
    if isinstance(value, torch.Tensor):
        tensors[name] = value
        return {"$tensor": name}
    if isinstance(value, np.ndarray):
        tensors[name] = torch.from_numpy(np.ascontiguousarray(value))
        return {"$array": name}
    if isinstance(value, FrameFolder):
        relative = value.path.relative_to(folder)
        if len(relative.parts) != 1:
            raise ValueError(f"the pictures of '{name}' must lie in a folder of their own inside {folder.name}")
        pictures[relative.name] = _picture_bytes(value.path)
        return {"$frames": relative.name, "indices": list(value.indices)}
    if isinstance(value, Mapping):
        return {"$map": {k: _encode(v, f"{name}/{k}", tensors, pictures, folder) for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        return [_encode(part, f"{name}/{i}", tensors, pictures, folder) for i, part in enumerate(value)]
    raise TypeError(f"a {type(value).__name__} cannot be stored ('{name}')")


def _decode(value: Any, tensors: Mapping[str, torch.Tensor], folder: Path) -> object:
    if isinstance(value, list):
        return tuple(_decode(part, tensors, folder) for part in value)
    if not isinstance(value, dict):
        return value
    if "$fraction" in value:
        return Fraction(value["$fraction"])
    if "$path" in value:
        return Path(value["$path"])
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$array" in value:
        return tensors[value["$array"]].numpy()
    if "$frames" in value:
        return FrameFolder(folder / Path(value["$frames"]).name, tuple(value["indices"]))
    return {name: _decode(part, tensors, folder) for name, part in value["$map"].items()}


def _picture_bytes(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.iterdir())
