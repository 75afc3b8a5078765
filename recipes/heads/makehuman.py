"""Reads the CC0 MakeHuman base mesh, its shape targets and its head rig."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BASE_MESH = "3dobjs/base.obj"
RIG = "rigs/default.mhskel"
RIG_WEIGHTS = "rigs/default_weights.mhw"
NECK_SHARES = {"neck01": 0.25, "neck02": 0.55, "neck03": 0.85}


@dataclass(frozen=True)
class BaseMesh:
    """The base mesh: positions (V, 3) in decimetres (y up, z to the camera, +x the person's left), quads by group."""

    vertices: np.ndarray
    groups: dict[str, np.ndarray]

    def vertices_of(self, *names: str) -> np.ndarray:
        """Sorted vertex ids that the named groups use."""
        return np.unique(np.concatenate([self.groups[name].ravel() for name in names]))


def read_base_mesh(root: Path) -> BaseMesh:
    """Read base.obj below `root` (the MakeHuman data folder); faces are quads, ids start at 0."""
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group = ""
    with (root / BASE_MESH).open(encoding="utf-8") as lines:
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append([float(value) for value in rest.split()[:3]])
            elif kind == "g":
                group = rest.strip()
            elif kind == "f":
                groups.setdefault(group, []).append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    return BaseMesh(np.array(vertices, np.float64), {name: np.array(faces) for name, faces in groups.items()})


def read_target(root: Path, name: str, count: int) -> np.ndarray:
    """Read `targets/<name>.target` as dense displacements (count, 3); an empty target is zero."""
    text = (root / "targets" / f"{name}.target").read_text(encoding="utf-8")
    numbers = np.array(" ".join(line for line in text.splitlines() if line[:1] != "#").split(), np.float64)
    displacement = np.zeros((count, 3))
    rows = numbers.reshape(-1, 4)
    displacement[rows[:, 0].astype(int)] = rows[:, 1:]
    return displacement


def read_head_weights(root: Path, count: int) -> np.ndarray:
    """How much each vertex (count,) follows the head when it turns: 1 on the head, falling over the neck to 0."""
    bones = json.loads((root / RIG).read_text(encoding="utf-8"))["bones"]
    weights = json.loads((root / RIG_WEIGHTS).read_text(encoding="utf-8"))["weights"]
    follows = np.zeros(count)
    total = np.zeros(count)
    for name, rows in weights.items():
        share, bone = NECK_SHARES.get(name, 0.0), name
        while bone:
            if bone == "head":
                share = 1.0
            bone = bones[bone]["parent"]
        for vertex, weight in rows:
            follows[vertex] += share * weight
            total[vertex] += weight
    return follows / np.maximum(total, 1e-6)
