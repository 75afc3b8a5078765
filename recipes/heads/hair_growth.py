"""How the hair styles grow on the neutral head: guide curves combed over the skull, locks of strands around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .surface import EAR, SCALP

POINTS = 14  # a strand
BUN = np.array([0.0, 1.38, -0.72])
BUN_RADIUS = 0.27
LONELY = (0.11, 0.085)  # decimetres to the 6th neighbour, and beside the face to the 32nd, which no single lock has
# Half the width of the face that hanging hair leaves free, over the height.
OUTLINE_Y = (-1.2, -0.7, -0.3, 0.2, 0.5, 0.75, 0.92, 1.02)
OUTLINE_X = (0.48, 0.48, 0.53, 0.58, 0.57, 0.47, 0.3, 0.0)
Field = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Scalp:
    """The neutral head: vertices and normals (V, 3), where hair grows (V,) as in surface.SCALP, a search tree."""

    surface: np.ndarray
    normals: np.ndarray
    growth: np.ndarray
    area: np.ndarray
    tree: cKDTree

    @classmethod
    def of(cls, surface: np.ndarray, normals: np.ndarray, masks: np.ndarray) -> Scalp:
        tree = cKDTree(surface)
        area = tree.query(surface, k=7)[0][:, 1:].mean(1) ** 2
        return cls(surface, normals, masks[:, SCALP] * (masks[:, EAR] < 0.2), area, tree)

    def roots(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Evenly spread places (N, 3) with their normals and growth (N,), thinner at the hairline."""
        # Many at the hairline, where each is fine, so that its edge is soft.
        dense = 1 + 0.8 * np.clip(2.2 - self.growth, 0, 1)
        seen = np.interp(self.surface[:, 2], [-0.6, -0.1], [0.4, 1.0])  # the back of the head is seldom in view
        chance = np.clip(1.6 * self.growth - 0.3, 0, 1) * dense * seen * self.area
        ids = rng.choice(len(self.surface), count, p=chance / chance.sum())
        jitter = rng.normal(size=(count, 3)) * 0.5 * np.sqrt(self.area[ids])[:, None]
        normal = self.normals[ids]
        jitter -= normal * (jitter * normal).sum(1, keepdims=True)
        return self.surface[ids] + jitter, normal, self.growth[ids]


@dataclass(frozen=True)
class Locks:
    """Strands: points (S, POINTS, 3), hull and lock normals, wave offsets, and (S, ...) roots' growth and depth."""

    position: np.ndarray
    normal: np.ndarray  # (S, POINTS, 3)
    wave: np.ndarray  # (S, POINTS, 3) what hair_wave adds
    light: np.ndarray  # (S, POINTS) how open to light
    tint: np.ndarray  # (S,)
    growth: np.ndarray  # (S,)
    width: np.ndarray  # (S, POINTS)


@dataclass(frozen=True)
class Recipe:
    """One way to grow: guides, strands, thickness of the mass and of a lock in decimetres."""

    strands: int
    guides: int
    length: Callable[[np.ndarray], np.ndarray]
    comb: Field
    low: float
    high: float
    lock: float = 0.05
    clump: float = 0.75
    hang: bool = False  # hangs free below the jaw and stays out of the face
    seed: int = 0
    width: float = 0.0125
    jitter: float = 0.12
    wave: float = 0.0
    waves: float = 3.0


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)  # type: ignore[no-any-return]


def hull_normal(points: np.ndarray) -> np.ndarray:
    """Smooth outward directions (..., 3): away from a line through the skull and the neck."""
    height = np.clip(points[..., 1], -0.6, 0.70)
    centre = np.stack([0 * height, height * 0.85 + 0.05, np.full_like(height, -0.05)], -1)
    return unit(points - centre)


def grow(recipe: Recipe, scalp: Scalp) -> Locks:
    """Grow one recipe; the same seed draws the same strands, so two recipes of one seed can be blended."""
    rng = np.random.default_rng([11, recipe.seed])
    guide_root, guide_normal, _ = scalp.roots(recipe.guides, rng)
    noise = rng.normal(size=(recipe.guides, 8))
    guides = _grow_guides(recipe, scalp, guide_root, guide_normal, noise)
    root, _, growth = scalp.roots(recipe.strands, rng)
    return _fill_locks(recipe, guides, root, growth, noise, rng)


def _grow_guides(recipe: Recipe, scalp: Scalp, root: np.ndarray, normal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    length = recipe.length(root) * np.exp(recipe.jitter * 0.6 * noise[:, 0].clip(-2, 2))
    direction, points = normal.copy(), [root]
    edge = (0.035 * noise[:, 1].clip(-2, 2)).clip(-0.05, 0.08)
    for step in range(1, POINTS):
        along = step / (POINTS - 1)
        wish = recipe.comb(points[-1], root) + 0.10 * noise[:, 2:5]
        direction = unit(0.40 * unit(direction) + 0.60 * wish + 0.5 * normal * max(0.0, 1 - 5 * along))
        point = points[-1] + direction * (length / (POINTS - 1))[:, None]
        point = _keep_off(point, scalp, recipe.low * min(1.0, 3 * along), recipe.hang)
        if recipe.hang:
            point = _clear_face(point, edge)
        direction = point - points[-1]
        points.append(point)
    return np.stack(points, 1)  # (G, POINTS, 3)


def _keep_off(point: np.ndarray, scalp: Scalp, gap: float, hang: bool) -> np.ndarray:
    """Lay points on the head, `gap` above the skin; what hangs leaves it below the ears but stays outside it."""
    _, near = scalp.tree.query(point, k=4)
    centre, normal = scalp.surface[near].mean(1), unit(scalp.normals[near].mean(1))
    height = ((point - centre) * normal).sum(1)
    point = point + normal * np.maximum(gap + 0.02 - height, 0)[:, None]
    above = np.clip((point[:, 1] - 0.1) / 0.4, 0, 1) if hang else 1.0
    return point - normal * (0.8 * above * np.maximum(height - gap - 0.03, 0))[:, None]  # type: ignore[no-any-return]


def _clear_face(point: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Push what would hang over the face sideways to its outline, which `edge` (N,) makes uneven."""
    x, y, z = point.T
    short = (
        np.maximum(np.interp(y, OUTLINE_Y, OUTLINE_X) + edge - np.abs(x), 0)
        * np.clip((z - 0.1) / 0.2, 0, 1)
        * (y < 1.02)
    )
    return point + np.stack([np.where(x >= 0, 1, -1) * short * 0.7, 0 * x, -0.30 * short], 1)  # type: ignore[no-any-return]


def _fill_locks(
    recipe: Recipe,
    guides: np.ndarray,
    root: np.ndarray,
    growth: np.ndarray,
    noise: np.ndarray,
    rng: np.random.Generator,
) -> Locks:
    """Strands follow the mean of the nearest guides at the root and draw together into locks towards the tip."""
    count = len(root)
    along = np.linspace(0, 1, POINTS)
    layer = rng.uniform(size=count) ** 0.7
    distance, near = cKDTree(guides[:, 0]).query(root, k=4)
    # Guides that part from the nearest one (across a parting) do not count.
    first = guides[near[:, 0]]
    apart = np.linalg.norm(guides[near] - first[:, None], axis=-1).max(-1)  # (S, 4)
    weight = np.exp(-((distance / 0.10) ** 2) - (apart / 0.30) ** 2) + 1e-9
    weight /= weight.sum(1, keepdims=True)
    travel = guides - guides[:, :1]
    smooth = root[:, None] + np.einsum("sk,skpc->spc", weight, travel[near])
    share = (recipe.clump * along**0.7)[None, :, None]
    tangent = unit(np.gradient(first, axis=1))
    hull = hull_normal(first)
    across = unit(np.cross(tangent, hull))
    turn = rng.uniform(0, 2 * np.pi, count)
    radius = np.sqrt(rng.uniform(size=count))
    size = recipe.lock * (0.6 + 0.5 * np.sin(np.pi * np.clip(along + 0.1, 0, 1)))
    offset = (radius[:, None] * size)[..., None] * (
        np.cos(turn)[:, None, None] * across + 0.7 * np.sin(turn)[:, None, None] * hull
    )
    thick = (recipe.high - recipe.low) * np.minimum(1.0, 0.12 + 3.0 * along) * (1 - 0.25 * along)
    # Cropped hair lies close; parted hair is thin along the parting, so that no notch shows at the crown.
    reach = np.linalg.norm(np.diff(first, axis=1), axis=-1).sum(1)
    body = np.clip(reach / 0.6, 0.3, 1) * (np.clip(0.40 + np.abs(root[:, 0] - 0.06) / 0.6, 0, 1) if recipe.hang else 1)
    # A lock lies high or low as a whole, so that the upper ones throw shade on the lower ones.
    lift = 0.55 * layer + 0.45 * (0.5 + 0.35 * noise[near[:, 0], 5]).clip(0, 1)
    position = smooth * (1 - share) + (first + offset) * share + hull * ((lift * body)[:, None] * thick)[..., None]
    if recipe.hang:
        uneven = 0.04 * rng.normal(size=count)
        position = np.stack([_clear_face(position[:, k], uneven) for k in range(POINTS)], 1)
        for _ in range(2):
            position[:, 1:-1] = (position[:, :-2] + 2 * position[:, 1:-1] + position[:, 2:]) / 4
    # Waves of neighbouring locks go together.
    phase = 3.0 * np.abs(root[:, 0]) + 2.0 * root[:, 2] + 0.7 * noise[near[:, 0], 6] + 0.3 * rng.normal(size=count)
    angle = phase[:, None] + 2 * np.pi * recipe.waves * along
    grown = recipe.wave * np.clip(2.2 * along - 0.25, 0, 1)
    wave = grown[None, :, None] * (np.cos(angle)[..., None] * across + 0.6 * np.sin(angle)[..., None] * hull)
    side = np.cos(turn)[:, None, None] * across + np.sin(turn)[:, None, None] * hull
    lit = unit(hull_normal(position) + 0.55 * radius[:, None, None] * side * np.minimum(1, 3 * along)[:, None])
    depth = 0.35 * layer + 0.65 * (0.5 + 0.35 * noise[near[:, 0], 5]).clip(0, 1)
    light = 0.34 + 0.56 * depth[:, None] + 0.20 * (radius * np.sin(turn))[:, None] * np.minimum(1, 2 * along)
    light = np.clip(light * (0.80 + 0.30 * np.minimum(1, 2.5 * along)), 0.15, 1.0)
    tint = np.exp(0.13 * noise[near[:, 0], 7] + 0.06 * rng.normal(size=count))
    width = recipe.width * np.ones((count, 1)) * np.minimum(1.0, 0.7 + 2 * along) * np.clip(1.55 - 1.1 * along**2, 0, 1)
    if recipe.hang:
        # None may be left alone in the middle of a cheek.
        x, y, z = np.moveaxis(position + wave, -1, 0)
        inside = np.abs(x) < np.interp(y, OUTLINE_Y, OUTLINE_X) - 0.07
        alone = (inside & (z > 0.2) & (y < 0.8) & (y > -0.8)).any(1) | _are_alone(position)
        width = width * ~alone[:, None]
    return Locks(position, lit, wave, light, tint, growth, width)


def _are_alone(position: np.ndarray) -> np.ndarray:
    """Which strands (S,) leave the mass somewhere before their tips; stricter beside the face, where each shows."""
    alone = np.zeros(len(position), bool)
    for k in range(4, POINTS - 2):
        x, y, z = position[:, k].T
        beside = (np.abs(x) < np.interp(y, OUTLINE_Y, OUTLINE_X) + 0.06) & (z > 0.1) & (np.abs(y) < 0.9)
        gap = cKDTree(position[:, k]).query(position[:, k], k=[7, 33])[0]  # (S, 2)
        alone |= (gap[:, 0] > LONELY[0]) | (beside & (gap[:, 1] > LONELY[1]))
    return alone


def _side_of(root: np.ndarray, part: float) -> np.ndarray:
    return np.where(root[:, 0] > part, 1.0, -1.0)  # type: ignore[no-any-return]


def comb_hanging(end: float, inwards: float) -> Field:
    """Parted hair that falls to the sides; `inwards` turns the tips towards the neck below `end`."""

    def comb(point: np.ndarray, root: np.ndarray) -> np.ndarray:
        y = point[:, 1]
        side = _side_of(root, 0.06)
        lead = np.clip((y - 0.55) / 0.35, 0, 1)
        # From the forehead hair first goes up and back, so that it does not lie across the brow.
        start = np.exp(-((np.linalg.norm(point - root, axis=1) / 0.22) ** 2)) * np.clip(root[:, 2] / 0.5, 0, 1)
        back = -0.15 * lead - 1.0 * start
        turn = inwards * np.clip((end + 0.45 - y) / 0.45, 0, 1) - 0.10 * np.clip(y / 0.4, 0, 1)
        # Shoulders push hair outwards; its own weight pulls it in.
        turn += 0.5 * np.clip((np.abs(point[:, 0]) - 0.60) / 0.2, 0, 1) * np.clip((0.3 - y) / 0.4, 0, 1)
        # What grows before the ears falls before them and frames the face.
        place = 0.14 + 0.3 * np.clip(root[:, 2], 0, 0.5)
        ahead = 1.3 * np.clip(place - point[:, 2], -0.3, 0.3) * (1 - lead) * np.clip(root[:, 2] / 0.2 + 0.5, 0, 1)
        return np.stack([side * (lead - turn), -1.15 * (1 - 0.7 * lead), back + ahead], 1)

    return comb


def comb_side(point: np.ndarray, root: np.ndarray) -> np.ndarray:
    """From a parting on one side over the top, down and back at the sides."""
    top = np.clip((root[:, 1] - 0.72) / 0.25, 0, 1)
    side = _side_of(root, 0.30)
    down = np.clip((0.98 - point[:, 1]) / 0.4, 0, 1)
    ahead = 0.30 * np.clip(point[:, 2] - 0.1, -0.6, 0.5) - 0.15
    sweep = np.stack([side * (1.0 - 0.4 * down), -0.6 * down, ahead], 1)
    sides = np.stack([0.1 * side, np.full_like(side, -0.75), np.full_like(side, -0.65)], 1)
    return sweep * top[:, None] + sides * (1 - top[:, None])  # type: ignore[no-any-return]


def comb_back(point: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Up from the forehead and back."""
    top = np.clip((root[:, 1] - 0.72) / 0.25, 0, 1)
    zero = np.zeros(len(root))
    sweep = np.stack([0.25 * root[:, 0], 0.5 * (point[:, 2] > 0.35) - 0.3 * (point[:, 2] < -0.3), zero - 0.9], 1)
    sides = np.stack([zero, zero - 0.65, zero - 0.75], 1)
    return sweep * top[:, None] + sides * (1 - top[:, None])  # type: ignore[no-any-return]


def comb_bun(point: np.ndarray, _root: np.ndarray) -> np.ndarray:
    """Straight to where the bun sits."""
    return unit(BUN - point)


def comb_down(_point: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Down and back, for cropped hair and for a fringe around a bald head."""
    ahead = np.where(root[:, 1] > 0.95, 0.4, -0.5)
    return np.stack([0.1 * root[:, 0], np.full(len(root), -0.6), ahead], 1)


def length_short(root: np.ndarray) -> np.ndarray:
    """Long on top, cropped at the sides and the nape."""
    return np.interp(root[:, 1], [0.2, 0.6, 0.8, 0.95, 1.05], [0.13, 0.18, 0.32, 0.70, 0.90])  # type: ignore[no-any-return]


def length_to(end: float) -> Callable[[np.ndarray], np.ndarray]:
    """Lengths with which hair from any root ends about height `end`."""

    def length(root: np.ndarray) -> np.ndarray:
        return np.maximum(root[:, 1] - end + 0.55 * np.clip((root[:, 1] - 0.6) / 0.5, 0, 1), 0.15)  # type: ignore[no-any-return]

    return length


def length_bun(root: np.ndarray) -> np.ndarray:
    """Over the skull to the bun."""
    return np.linalg.norm(BUN - root, axis=1) * 1.10  # type: ignore[no-any-return]


def bun_ball(strands: int, like: Locks) -> Locks:
    """Rings of hair wound about an axis: the bun itself."""
    rng = np.random.default_rng([11, 99])
    axis = unit(0.35 * rng.normal(size=(strands, 3)) + unit(np.array([0.0, 0.6, -0.8])))
    first = unit(np.cross(axis, rng.normal(size=(strands, 3))))
    second = np.cross(axis, first)
    turn = rng.uniform(0, 2 * np.pi, (strands, 1)) + np.linspace(0, 2.6, POINTS)
    height = rng.uniform(-0.9, 0.9, strands)
    ring = np.cos(turn)[..., None] * first[:, None] + np.sin(turn)[..., None] * second[:, None]
    out = unit(ring * np.sqrt(1 - height**2)[:, None, None] + (height[:, None] * axis)[:, None])
    groove = 0.93 + 0.07 * np.cos(9 * height)
    shape = (strands, POINTS)
    return Locks(
        BUN + BUN_RADIUS * groove[:, None, None] * out,
        out,
        np.zeros_like(out),
        np.broadcast_to(0.55 + 5.0 * (groove - 0.93)[:, None], shape).clip(0.2, 1),
        np.exp(0.10 * rng.normal(size=strands)),
        np.full(strands, 9.0),
        np.full(shape, like.width.max()),
    )


def grow_curls(scalp: Scalp, high: float, radius: float, seed: int, coils: int, inner: int) -> Locks:
    """A rounded mass of coils of a `radius` that stands `high` decimetres off the crown, over a dark core."""
    rng = np.random.default_rng([11, seed])
    count = coils + inner
    root, normal, growth = scalp.roots(count, rng)
    out = unit(0.5 * normal + 0.8 * unit(root - np.array([0.0, 0.35, -0.1])) + 0.05 * rng.normal(size=root.shape))
    reach = high * np.interp(root[:, 1], [-0.2, 0.2, 0.7, 1.1], [0.45, 0.75, 0.95, 1.0])
    # Larger lumps: coils near a lump's middle stand higher than those in the gaps.
    lumps = root[rng.choice(count, 170, replace=False)]
    gap, _ = cKDTree(lumps).query(root)
    bump = 1.0 - 0.35 * np.clip(gap / 0.13, 0, 1) ** 2
    layer = np.where(np.arange(count) < coils, 1 - 0.75 * rng.uniform(size=count) ** 1.6, 0.0)
    along = np.linspace(0, 1, POINTS)
    centre = root + out * (reach * layer * bump + 0.6 * radius)[:, None]
    axis = unit(rng.normal(size=root.shape))
    first = unit(np.cross(axis, out + 0.01))
    second = np.cross(axis, first)
    angle = rng.uniform(0, 2 * np.pi, (count, 1)) + 2 * np.pi * 1.5 * along
    ring = np.cos(angle)[..., None] * first[:, None] + np.sin(angle)[..., None] * second[:, None]
    size = radius * rng.uniform(0.75, 1.2, count)
    drift = ((along - 0.5) * 2.2)[None, :, None] * (size[:, None] * axis)[:, None]
    position = centre[:, None] + size[:, None, None] * ring + drift
    core = root[:, None] + out[:, None] * (0.78 * reach * bump)[:, None, None] * along[None, :, None]
    outer = (np.arange(count) < coils)[:, None]
    position = np.where(outer[..., None], position, core)
    lit = unit(out[:, None] + 0.55 * ring * outer[..., None])
    facing = (ring * out[:, None]).sum(-1)
    light = (0.22 + 0.55 * layer[:, None] ** 1.5 * bump[:, None] ** 2 + 0.22 * facing).clip(0.1, 1)
    light = np.where(outer, light, 0.16)
    position[coils:] = np.where(growth[coils:, None, None] > 1.0, position[coils:], root[coils:, None])
    width = np.where(outer, 0.016, 0.05 + 0 * along)
    tint = np.exp(0.10 * rng.normal(size=count))
    # A single coil on the bare forehead would look lost: they end a little before the painted scalp does.
    return Locks(position, lit, np.zeros_like(position), light, tint, growth - 0.35, width)
