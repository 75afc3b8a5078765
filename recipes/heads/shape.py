"""The head's geometry: blended targets, pose, eyeballs, and a smooth subdivided surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from .makehuman import BaseMesh, read_base_mesh, read_head_weights, read_target
from .parameters import SHAPES, HeadParameters

LOWEST = 4.2  # decimetres on the base mesh: the body is cut off below
ETHNICITIES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("young", "old")
WEIGHTS = ("min", "average", "max")
OLD_AT = 82.0  # years at which the old macro target is reached
YOUNG_AT = 24.0
# What the macro targets of age leave out, at OLD_AT: changes of SHAPES, and targets of their own.
AGEING = {
    "upper_lip": -0.45,
    "lower_lip": -0.35,
    "lip_height": -0.15,
    "eye_bag": 0.5,
    "eye_fold": 0.35,
    "cheek_volume": -0.25,
    "nose_length": 0.2,
    "nose_point": -0.25,
    "jaw_square": 0.25,
    "brow_height": -0.1,
}
SAGGING = (("head/head-age-incr", 0.5), ("neck/neck-double-incr", 0.45), ("chin/chin-jaw-drop-incr", 0.15))
SMILING_CHEEKS = np.array([{"cheek_volume": 0.25, "cheek_bones": 0.2}.get(name, 0.0) for name, _, _ in SHAPES])
MACRO_GAIN = 1.15  # of gender and ethnicity, about their middle
UNITS = (
    "mouth-corner-puller",
    "mouth-open",
    "mouth-part-later",
    "mouth-pursing",
    "mouth-retraction",
    "mouth-upward-retraction",
    "eyebrows-left-up",
    "eyebrows-right-up",
    "eyebrows-left-down",
    "eyebrows-right-down",
    "eyebrows-left-inner-up",
    "eyebrows-right-inner-up",
    "eye-left-closure",
    "eye-right-closure",
    "eye-left-slit",
    "eye-right-slit",
    "eye-left-opened-up",
    "eye-right-opened-up",
)
EXTRA_GROUPS = ("helper-upper-teeth", "helper-lower-teeth", "helper-tongue")


@dataclass(frozen=True)
class Posed:
    """A head in space: kept vertices before and after the pose, eye centres, radii and rotations."""

    rest: np.ndarray  # (V, 3) with identity and expression, head joint at the origin
    posed: np.ndarray  # (V, 3)
    rotation: np.ndarray  # (3, 3) of the head
    eye_centres: np.ndarray  # (2, 3) posed, left then right
    eye_radii: np.ndarray  # (2,)


class HeadShape:
    """Blends the targets over the kept part of the base mesh; vertex ids below are those of the kept part."""

    def __init__(self, root: Path) -> None:
        mesh = read_base_mesh(root)
        kept = self._kept_vertices(mesh)
        self.index = np.full(len(mesh.vertices), -1)
        self.index[kept] = np.arange(len(kept))
        self.base = mesh.vertices[kept]
        body = mesh.groups["body"]
        self.body = self.index[body[(self.index[body] >= 0).all(1)]]
        self.extras = {name: self.index[mesh.groups[name]] for name in EXTRA_GROUPS}
        self.eyes = [self.index[mesh.vertices_of(f"helper-{side}-eye")] for side in "lr"]
        self.head_joint = self.index[mesh.vertices_of("joint-head")]
        self.follow = read_head_weights(root, len(mesh.vertices))[kept]
        helpers = np.concatenate([f.ravel() for f in self.extras.values()] + self.eyes)
        self.follow[helpers] = 1.0
        self.follow = self._smooth_follow(self.follow)
        self._load_targets(root, len(mesh.vertices), kept)

    def _kept_vertices(self, mesh: BaseMesh) -> np.ndarray:
        body = mesh.groups["body"]
        inside = body[(mesh.vertices[body][:, :, 1] > LOWEST).all(1)]
        inside = inside[(np.abs(mesh.vertices[inside][:, :, 0]) < 2.6).all(1)]
        names = (*EXTRA_GROUPS, "helper-l-eye", "helper-r-eye", "joint-head")
        return np.unique(np.concatenate([inside.ravel(), mesh.vertices_of(*names)]))

    def _smooth_follow(self, follow: np.ndarray) -> np.ndarray:
        edges = np.concatenate([self.body[:, [k, (k + 1) % 4]] for k in range(4)])
        links = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(follow),) * 2).tocsr()
        links = links + links.T
        degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1)
        linked = np.asarray(links.sum(1)).ravel() > 0
        for _ in range(12):
            follow = np.where(linked, 0.4 * follow + 0.6 * (links @ follow) / degree, follow)
        return follow

    def _load_targets(self, root: Path, count: int, kept: np.ndarray) -> None:
        def load(name: str) -> np.ndarray:
            return read_target(root, name, count)[kept].astype(np.float32)

        def both(name: str) -> np.ndarray:
            return load(name) if "%" not in name else load(name.replace("%", "l")) + load(name.replace("%", "r"))

        macros = [f"macrodetails/{e}-{g}-{a}" for a in AGES for g in GENDERS for e in ETHNICITIES]
        macros += [
            f"macrodetails/universal-{g}-{a}-averagemuscle-{w}weight" for a in AGES for g in GENDERS for w in WEIGHTS
        ]
        shapes = [both(name) for _, up, down in SHAPES for name in (up, down)]
        units = [sum(load(f"expression/units/{e}/{unit}") for e in ETHNICITIES) / 3 for unit in UNITS]
        sagging = [load(name) for name, _ in SAGGING]
        rows = [load(name) for name in macros] + shapes + units + sagging
        self.targets = np.stack(rows).reshape(len(rows), -1)  # (T, V * 3)

    def coefficients(self, p: HeadParameters) -> np.ndarray:
        """Weights (T,) of the targets for a head."""
        old = float(np.clip((p.age - YOUNG_AT) / (OLD_AT - YOUNG_AT), 0, 1))
        ages, genders = (1 - old, old), (1 - p.gender, p.gender)
        weights = (max(-p.weight, 0.0), 1 - abs(p.weight), max(p.weight, 0.0))
        # The macro targets go a little past their ends, so that the groups differ as clearly as people do.
        lean = MACRO_GAIN * (p.gender - 0.5)
        sexes = (0.5 - lean, 0.5 + lean)
        mix = MACRO_GAIN * (p.ethnicity - 1 / 3) + 1 / 3
        macro = [a * g * e for a in ages for g in sexes for e in mix]
        macro += [a * g * w for a in ages for g in genders for w in weights]
        late = old * old * (3 - 2 * old)
        aged = [s + late * AGEING.get(name, 0.0) for (name, _, _), s in zip(SHAPES, p.shape, strict=True)]
        smiling = aged + SMILING_CHEEKS * p.smile
        shape = [value for s in smiling for value in (max(s, 0.0), max(-s, 0.0))]
        up, down = max(p.brow_raise, 0.0), max(-p.brow_raise, 0.0)
        # The upper lids go with the gaze.
        lids = np.minimum(p.eye_close + 0.020 * max(-p.gaze[1], 0.0), 0.97)
        wide = (0.45 * up + 0.025 * max(p.gaze[1], 0.0)) * np.maximum(1 - 3 * lids, 0)
        unit = [
            0.08 + 0.10 * late + 0.74 * p.smile,  # the targets at rest look sad, most of all the old ones
            0.5 * p.mouth_open,
            0.22 * max(p.smile - 0.3, 0) * (1 - p.mouth_open),
            0.6 * p.pucker,
            0.45 * p.smile,
            0.28 * p.smile,
            0.8 * up,
            0.8 * up,
            0.7 * down,
            0.7 * down,
            0.9 * p.brow_inner,
            0.9 * p.brow_inner,
            *lids,
            0.5 * p.squint + 0.22 * p.smile,
            0.5 * p.squint + 0.22 * p.smile,
            *wide,
        ]
        return np.array([*macro, *shape, *unit, *(late * amount for _, amount in SAGGING)], np.float32)

    def rest(self, p: HeadParameters) -> np.ndarray:
        """Vertices (V, 3) with identity and expression, moved so that the head joint is the origin."""
        vertices = self.base + (self.coefficients(p) @ self.targets).reshape(-1, 3)
        return vertices - vertices[self.head_joint].mean(0)  # type: ignore[no-any-return]

    def pose(self, p: HeadParameters) -> Posed:
        """Turn the head about its joint; neck and shoulders follow by their weights."""
        rest = self.rest(p)
        posed = turn(rest, self.follow, p.yaw, p.pitch, p.roll)
        rotation = head_rotation(p.yaw, p.pitch, p.roll)
        boxes = [rest[eye] for eye in self.eyes]
        centres = np.array([(box.min(0) + box.max(0)) / 2 for box in boxes])
        radii = np.array([np.ptp(box[:, 1]) / 2 for box in boxes])
        centres[:, 2] = [box[:, 2].min() + r for box, r in zip(boxes, radii, strict=True)]
        return Posed(rest, posed, rotation, centres @ rotation.T, radii)


def head_rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation (3, 3): yaw turns to the person's left (+x), pitch up, roll towards the left shoulder; degrees."""
    y, x, z = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z  # type: ignore[no-any-return]


def turn(points: np.ndarray, follow: np.ndarray, yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Turn points (N, 3) about the origin, each by its share (N,) of the angles (linear blend of nine steps)."""
    steps = np.linspace(0, 1, 9)
    turns = np.stack([head_rotation(s * yaw, s * pitch, s * roll) for s in steps])  # (9, 3, 3)
    place = np.clip(follow, 0, 1) * 8
    low = np.minimum(place.astype(int), 7)
    part = (place - low)[:, None, None]
    blended = turns[low] * (1 - part) + turns[low + 1] * part
    return np.einsum("nij,nj->ni", blended, points)  # type: ignore[no-any-return]


def subdivide(faces: np.ndarray, count: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """One Catmull-Clark step for quads (F, 4) over `count` vertices: matrix (N, count), quads (4F, 4)."""
    edges = np.sort(np.concatenate([faces[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1)
    unique, inverse, uses = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    edge_of = inverse.reshape(4, -1).T  # (F, 4)
    num_faces, num_edges = len(faces), len(unique)
    face_points = sparse.coo_matrix(
        (np.full(num_faces * 4, 0.25), (np.repeat(np.arange(num_faces), 4), faces.ravel())), shape=(num_faces, count)
    ).tocsr()
    middle = sparse.coo_matrix(
        (np.full(num_edges * 2, 0.5), (np.repeat(np.arange(num_edges), 2), unique.ravel())), shape=(num_edges, count)
    ).tocsr()
    touching = sparse.coo_matrix(
        (np.ones(num_faces * 4), (edge_of.ravel(), np.repeat(np.arange(num_faces), 4))), shape=(num_edges, num_faces)
    ).tocsr()
    inner = (uses == 2).astype(float)
    blend = sparse.diags(inner) * (0.5 * middle + 0.25 * touching @ face_points) + sparse.diags(1 - inner) * middle
    on_border = np.zeros(count, bool)
    on_border[unique[uses != 2]] = True
    incident = sparse.coo_matrix(
        (np.ones(num_faces * 4), (faces.ravel(), np.repeat(np.arange(num_faces), 4))), shape=(count, num_faces)
    ).tocsr()
    spokes = sparse.coo_matrix(
        (np.ones(num_edges * 2), (unique.ravel(), np.repeat(np.arange(num_edges), 2))), shape=(count, num_edges)
    ).tocsr()
    valence = np.asarray(incident.sum(1)).ravel()
    movable = (valence >= 3) & ~on_border
    n = np.maximum(valence, 3)
    moved = sparse.diags(movable / n**2) * (incident @ face_points) + sparse.diags(movable * 2 / n**2) * (
        spokes @ middle
    )
    stay = np.where(movable, (n - 3) / n, 1.0)
    matrix = sparse.vstack([moved + sparse.diags(stay), blend, face_points]).tocsr()
    corners = [
        np.stack(
            [faces[:, k], count + edge_of[:, k], count + num_edges + np.arange(num_faces), count + edge_of[:, k - 1]], 1
        )
        for k in range(4)
    ]
    return matrix, np.concatenate(corners)


def vertex_normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), area weighted; unused vertices get zero."""
    normal = np.cross(vertices[quads[:, 2]] - vertices[quads[:, 0]], vertices[quads[:, 3]] - vertices[quads[:, 1]])
    total = np.stack(
        [np.bincount(quads.ravel(), np.repeat(normal[:, k], 4), minlength=len(vertices)) for k in range(3)], 1
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)  # type: ignore[no-any-return]
