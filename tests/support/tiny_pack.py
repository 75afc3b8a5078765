"""A small but complete model pack with random weights: real architectures, real files, a manifest."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from stit_core.models.attributes import AttributeNet
from stit_core.models.compact import CompactEncoder, CompactParser
from stit_core.models.generator import Generator

RESOLUTION = 64
CHANNELS = {"4": 16, "8": 16, "16": 16, "32": 8, "64": 8}
NUM_WS = 10
SCHEDULES = {
    "balanced": {
        "tuning": {"passes": 2, "batch_size": 4},
        "stitching": {"steps": 2, "window": 4, "window_steps": 2, "batch_size": 2},
    },
    "draft": {"tuning": {"passes": 1}, "stitching": {"steps": 1, "window": 1, "window_steps": 0}},
}


def file_entry(path: Path) -> dict[str, object]:
    """What a manifest says of a file."""
    return {
        "file": path.name,
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@functools.cache
def package_entry(package: str, name: str) -> dict[str, object]:
    """What a manifest says of a file that an installed distribution holds."""
    listed = importlib.metadata.files(package) or []
    path = next(Path(str(entry.locate())) for entry in listed if entry.name == name)
    return {**file_entry(path), "package": package}


def save_network(network: nn.Module, folder: Path, name: str, pieces: int = 1) -> list[dict[str, object]]:
    """Save a network as fp16 safetensors in `pieces` files; returns their manifest entries."""
    state = {key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()}
    keys = sorted(state)
    entries = []
    for piece in range(pieces):
        path = folder / (f"{name}.safetensors" if pieces == 1 else f"{name}-{piece + 1}.safetensors")
        save_file({key: state[key].contiguous() for key in keys[piece::pieces]}, path)
        entries.append(file_entry(path))
    return entries


def make_networks() -> dict[str, nn.Module]:
    """The networks of the pack, the same at every call; the parser calls all of a crop skin."""
    torch.manual_seed(0)
    channels = {int(size): count for size, count in CHANNELS.items()}
    parser = CompactParser()
    assert parser.classify.bias is not None
    with torch.no_grad():
        parser.classify.bias[1] += 100.0  # skin, whatever the picture
    return {
        "generator": Generator(RESOLUTION, mapping_layers=1, channels=channels),
        "encoder": CompactEncoder(NUM_WS),
        "parser": parser,
        "perceptual": AttributeNet(3),
    }


def write_pack(root: Path, name: str = "tiny") -> Path:
    """Write the pack to `root`/`name`; returns that folder."""
    folder = root / name
    folder.mkdir(parents=True)
    networks = make_networks()
    architectures = {
        "generator": ("stylegan2", {"resolution": RESOLUTION, "mapping_layers": 1, "channels": CHANNELS}),
        "encoder": ("compact-encoder", {"num_ws": NUM_WS}),
        "parser": ("compact-parser", {}),
        "perceptual": ("attribute-features", {"num_attributes": 3}),
    }
    parts: dict[str, object] = {
        part: {
            "architecture": architecture,
            "arguments": arguments,
            "licence": "CC0-1.0",
            "files": save_network(networks[part], folder, part, pieces=2 if part == "generator" else 1),
        }
        for part, (architecture, arguments) in architectures.items()
    }
    parts["identity"] = {
        "architecture": "dlib-resnet",
        "licence": "public domain",
        "files": [
            package_entry("face-recognition-models", "shape_predictor_5_face_landmarks.dat"),
            package_entry("face-recognition-models", "dlib_face_recognition_resnet_model_v1.dat"),
        ],
    }
    manifest = {
        "name": name,
        "resolution": RESOLUTION,
        "licence": "CC0-1.0",
        "description": "random weights, for tests",
        "schedules": SCHEDULES,
        "parts": parts,
    }
    (folder / "pack.json").write_text(json.dumps(manifest))
    return folder


def make_direction(seed: int = 0) -> np.ndarray:
    """A random direction of the pack, (NUM_WS, 512) float32."""
    return np.random.default_rng(seed).standard_normal((NUM_WS, 512)).astype(np.float32) * 0.1
