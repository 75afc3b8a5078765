"""Hair: strands grown once per style on the neutral head, then carried along by every head's shape and pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from .hair_growth import (
    POINTS,
    Locks,
    Recipe,
    Scalp,
    bun_ball,
    comb_back,
    comb_bun,
    comb_down,
    comb_hanging,
    comb_side,
    grow,
    grow_curls,
    hull_normal,
    length_bun,
    length_short,
    length_to,
)
from .parameters import HAIR_STYLES, HeadParameters
from .shape import head_rotation

BOUND_TO = 3  # surface vertices that carry a point
BOB_END, LONG_END = -0.55, -1.9
# Styles that are blends of the same strands share a family.
FAMILIES = {
    "bald": "fringe",
    "buzz": "buzz",
    "side": "short",
    "back": "short",
    "bob": "long",
    "long": "long",
    "curly": "curly",
    "bun": "bun",
}


@dataclass(frozen=True)
class Strands:
    """Strands in space: points and normals (N, 3), look (N, 2: occlusion, tint), widths, first points of segments."""

    position: np.ndarray
    normal: np.ndarray
    look: np.ndarray
    width: np.ndarray
    starts: np.ndarray
    casting: np.ndarray  # those of the strands that throw shade


@dataclass(frozen=True)
class _Grown:
    position: np.ndarray  # (N, 3) on the neutral head
    normal: np.ndarray  # (N, 3) unit
    moves: np.ndarray  # (3, N, 3) what the other end of the blend, waves and volume add
    growth: np.ndarray  # (N,) of the strand's root, as in surface.SCALP
    look: np.ndarray
    width: np.ndarray
    starts: np.ndarray
    casting: np.ndarray
    bound: np.ndarray  # (N, BOUND_TO) surface vertices
    weight: np.ndarray  # (N, BOUND_TO)
    follow: np.ndarray  # (N,)


class HairSet:
    """All families, grown on the neutral head's surface (V, 3) with its normals and static masks."""

    def __init__(self, surface: np.ndarray, normals: np.ndarray, masks: np.ndarray) -> None:
        self.surface = surface
        scalp = Scalp.of(surface, normals, masks)
        self.families = {name: _bind(*pair, scalp) for name, pair in grow_families(scalp).items()}

    def grow(self, p: HeadParameters, rest: np.ndarray, recede: float) -> Strands:
        """The strands of a head whose un-posed surface is `rest` (V, 3); hair grows where SCALP is over `recede`."""
        grown = self.families[FAMILIES[HAIR_STYLES[p.hair_style]]]
        turns = np.stack([head_rotation(s * p.yaw, s * p.pitch, s * p.roll) for s in np.linspace(0, 1, 9)])
        position, normal, width = _carried(grown, p, recede, rest - self.surface, turns)
        return Strands(position, normal, grown.look, width, grown.starts, grown.casting)

    def rest_points(self, p: HeadParameters, recede: float) -> np.ndarray:
        """Where the points (N, 3) of the same strands lie on the mean head at rest."""
        grown = self.families[FAMILIES[HAIR_STYLES[p.hair_style]]]
        still = np.broadcast_to(np.eye(3), (9, 3, 3)).copy()
        return _carried(grown, p, recede, np.zeros_like(self.surface), still)[0]


def _carried(
    grown: _Grown, p: HeadParameters, recede: float, moved: np.ndarray, turns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return carry_strands(  # type: ignore[no-any-return]
        grown.position,
        grown.normal,
        grown.moves,
        np.array(_blend(p)),
        grown.growth,
        recede,
        grown.width,
        grown.bound,
        grown.weight,
        grown.follow,
        moved,
        turns,
    )


def _blend(p: HeadParameters) -> tuple[float, float, float]:
    """How far the other end of the family, the waves and the volume move the strands."""
    family = FAMILIES[HAIR_STYLES[p.hair_style]]
    other = {"short": p.hair_back, "long": p.hair_length, "curly": 0.5 + 0.5 * p.hair_volume}.get(family, 0.0)
    return other, p.hair_wave, 0.0 if family == "curly" else p.hair_volume


def grow_families(scalp: Scalp) -> dict[str, tuple[Locks, Locks, float]]:
    """For every family its two ends (the same strands, grown in two ways) and how far volume moves them."""
    short = {
        "strands": 4600,
        "guides": 420,
        "length": length_short,
        "low": 0.02,
        "lock": 0.045,
        "clump": 0.65,
        "seed": 1,
    }
    long = {
        "strands": 5000,
        "guides": 300,
        "low": 0.03,
        "hang": True,
        "lock": 0.10,
        "clump": 0.6,
        "width": 0.016,
        "seed": 2,
    }
    side = grow(Recipe(comb=comb_side, high=0.17, wave=0.02, waves=1.0, **short), scalp)  # type: ignore[arg-type]
    back = grow(Recipe(comb=comb_back, high=0.20, **short), scalp)  # type: ignore[arg-type]
    bob = grow(
        Recipe(comb=comb_hanging(BOB_END, 0.25), length=length_to(BOB_END), high=0.17, wave=0.06, waves=2.5, **long),  # type: ignore[arg-type]
        scalp,
    )
    fall = grow(Recipe(comb=comb_hanging(LONG_END, 0.0), length=length_to(LONG_END), high=0.17, **long), scalp)  # type: ignore[arg-type]
    bun = grow(Recipe(3800, 420, length_bun, comb_bun, 0.01, 0.06, lock=0.03, clump=0.5, seed=3), scalp)
    bun = _join(bun, bun_ball(800, bun))
    buzz = grow(
        Recipe(4600, 400, lambda r: np.full(len(r), 0.07), comb_down, 0.0, 0.03, 0.01, 0.2, seed=4, width=0.011), scalp
    )
    fringe = grow(Recipe(3800, 300, lambda r: np.full(len(r), 0.2), comb_down, 0.01, 0.05, 0.02, 0.5, seed=5), scalp)
    small = grow_curls(scalp, 0.14, 0.032, 6, 4600, 800)
    big = grow_curls(scalp, 0.62, 0.055, 6, 4600, 800)
    return {
        "short": (side, back, 0.06),
        "long": (bob, fall, 0.08),
        "curly": (small, big, 0.0),
        "bun": (bun, bun, 0.02),
        "buzz": (buzz, buzz, 0.0),
        "fringe": (fringe, fringe, 0.02),
    }


def _join(one: Locks, other: Locks) -> Locks:
    return Locks(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in Locks.__dataclass_fields__))


@njit(cache=True, nogil=True, fastmath=True)
def carry_strands(  # type: ignore[no-untyped-def]
    points, outward, moves, blend, growth, recede, widths, bound, weight, follow, moved, turns
):
    """Blend points (N, 3), move them with the surface, turn them by their share of the pose; (points, normals, widths).

    Strands whose root's growth is not over `recede` shrink into their root. Source: ours.
    """
    position, normal, width = np.empty_like(points), np.empty_like(points), np.empty_like(widths)
    place = np.empty(3)
    for i in range(points.shape[0]):
        stay = min(max((growth[i] - recede) * 2.0, 0.0), 1.0)
        root = i - i % POINTS
        # Roots are finer at the hairline, so that its edge is soft.
        fine = min(max(0.7 * (growth[i] - recede), 0.4), 1.0)
        width[i] = widths[i] * min(2.0 * stay, 1.0) * min(fine + 3.0 * (i - root) / POINTS, 1.0)
        for c in range(3):
            place[c] = points[i, c] + blend[0] * moves[0, i, c] + blend[1] * moves[1, i, c] + blend[2] * moves[2, i, c]
            place[c] = points[root, c] + (place[c] - points[root, c]) * stay
            for k in range(bound.shape[1]):
                place[c] += weight[i, k] * moved[bound[i, k], c]
        step = follow[i] * 8.0
        low = min(int(step), 7)
        part = step - low
        for r in range(3):
            s = t = 0.0
            for c in range(3):
                m = turns[low, r, c] * (1.0 - part) + turns[low + 1, r, c] * part
                s += m * place[c]
                t += m * outward[i, c]
            position[i, r] = s
            normal[i, r] = t
    return position, normal, width


def _bind(one: Locks, other: Locks, volume: float, scalp: Scalp) -> _Grown:
    count = len(one.position)
    along = np.broadcast_to(np.linspace(0, 1, POINTS), (count, POINTS)).ravel()
    flat, far = one.position.reshape(-1, 3), other.position.reshape(-1, 3)
    middle = (flat + far) / 2
    distance, bound = scalp.tree.query(middle, k=BOUND_TO)
    weight = 1 / (distance + 0.05)
    weight /= weight.sum(1, keepdims=True)
    spread = hull_normal(flat) * (volume * np.minimum(1, 2 * along))[:, None]
    follow = 1 - 0.55 * np.clip((-0.35 - middle[:, 1]) / 1.0, 0, 1)
    starts = np.arange(count)[:, None] * POINTS + np.arange(POINTS - 1)
    shown = one.width.max(1) * other.width.max(1) > 0
    tint = np.broadcast_to(one.tint[:, None], (count, POINTS))
    look = np.stack([one.light.ravel(), (tint * (0.86 + 0.22 * along.reshape(count, -1))).ravel()], 1)
    moves = np.stack([far - flat, one.wave.reshape(-1, 3), spread])
    normal = one.normal + other.normal
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    growth = np.repeat(one.growth, POINTS)
    return _Grown(
        flat,
        normal.reshape(-1, 3),
        moves,
        growth,
        look,
        np.minimum(one.width, other.width).ravel(),
        starts[shown].ravel(),
        starts[shown][::4].ravel(),
        bound,
        weight,
        follow,
    )
