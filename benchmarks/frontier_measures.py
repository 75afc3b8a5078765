"""What `benchmarks.frontier` measures of a tuned clip: where its pivots lie, and what its directions still do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from benchmarks.landmark_figures import PointReader
from stit_core.images import to_model, to_picture
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models
from stit_core.review.landmark_figures import LEFT_EYE, RIGHT_EYE

BATCH = 4
FACTOR = 2.0
OUTLINES = {
    "face": (1, 2, 3, 4, 5, 6, 10, 11, 12, 13),
    "brows": (2, 3),
    "eyes": (4, 5),
    "lips": (11, 12, 13),
    "hair": (17,),
}
LEAST_PIXELS = 20  # of a class, below which its outline is not asked for
GRID = 32  # knots a side at which the registration is solved
GIVE = 10.0  # smoothing of the spline, which keeps dlib's rounding out of it
INNER_LIPS = ((61, 67), (62, 66), (63, 65))  # pairs of upper and lower points


class PlaceMeter:
    """Compares pivots with the source's crops (T, R, R, 3) uint8, by dlib's points and the parser's outlines."""

    def __init__(self, models: Models, crops: np.ndarray) -> None:
        self.models, self.reader = models, PointReader()
        self.points = [self.reader.find(crop) for crop in crops]
        self.labels = parse(models, crops)

    def measure(self, pictures: np.ndarray) -> dict[str, list[float]]:
        """Figures of each of T pictures like the crops; NaN where a face or a class is not found."""
        labels = parse(self.models, pictures)
        rows = []
        self.found = [self.reader.find(picture) for picture in pictures]
        for source, other, a, b in zip(self.points, self.found, self.labels, labels, strict=True):
            rows.append(point_errors(source, other) | outline_errors(a, b))
        return {name: [row[name] for row in rows] for name in rows[0]}


@torch.inference_mode()
def parse(models: Models, pictures: np.ndarray) -> np.ndarray:
    """The parser's classes (T, R, R) on pictures (T, R, R, 3) uint8."""
    size = pictures.shape[1:3]
    parts = []
    for start in range(0, len(pictures), BATCH):
        logits = models.parser.parse(to_model(pictures[start : start + BATCH]).to(models.device))
        parts.append(F.interpolate(logits, size=size, mode="bilinear", align_corners=False).argmax(1).cpu())
    return torch.cat(parts).numpy()


def point_errors(source: np.ndarray | None, other: np.ndarray | None) -> dict[str, float]:
    """Mean distance of the points (68, 2) as they lie, after the best rigid motion with scale, and of the lips' gap.

    All in per cent of the distance of the source's eyes; NaN where a face was not found.
    """
    if source is None or other is None:
        return dict.fromkeys(("place", "shape", "mouth", "lids"), float("nan"))
    eyes = float(np.linalg.norm(source[RIGHT_EYE].mean(0) - source[LEFT_EYE].mean(0)))
    moved = fit_similarity(other, source)
    gaps = [[np.linalg.norm(points[a] - points[b]) for a, b in INNER_LIPS] for points in (source, other)]
    lids = [lid_gap(points) for points in (source, other)]
    return {
        "place": 100 * float(np.linalg.norm(source - other, axis=1).mean()) / eyes,
        "shape": 100 * float(np.linalg.norm(source - moved, axis=1).mean()) / eyes,
        "mouth": 100 * abs(float(np.mean(gaps[0]) - np.mean(gaps[1]))) / eyes,
        "lids": 100 * abs(lids[0] - lids[1]) / eyes,
    }


def lid_gap(points: np.ndarray) -> float:
    """Mean opening of the lids in pixels."""
    pairs = ((37, 41), (38, 40), (43, 47), (44, 46))
    return float(np.mean([np.linalg.norm(points[a] - points[b]) for a, b in pairs]))


def fit_similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Points (N, 2) after the rotation, scale and shift that bring them nearest to `target` (N, 2)."""
    a, b = points - points.mean(0), target - target.mean(0)
    za, zb = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    turned = za * (np.vdot(za, zb) / np.vdot(za, za))
    return np.stack([turned.real, turned.imag], axis=1) + target.mean(0)


def outline_errors(source: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Mean distance in pixels between the outlines of each group of classes in two label maps (R, R), both ways."""
    found: dict[str, float] = {}
    for name, classes in OUTLINES.items():
        a, b = np.isin(source, classes), np.isin(other, classes)
        if min(a.sum(), b.sum()) < LEAST_PIXELS:
            found[f"outline {name}"] = float("nan")
            continue
        edge_a, edge_b = outline(a), outline(b)
        there, back = distance_transform_edt(~edge_b)[edge_a], distance_transform_edt(~edge_a)[edge_b]
        found[f"outline {name}"] = float((there.mean() + back.mean()) / 2)
    return found


def outline(mask: np.ndarray) -> np.ndarray:
    """Where a mask (R, R) ends: pixels that differ from the one to the right or below; the picture's edge is no end."""
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= mask[:-1] != mask[1:]
    return edge


class ChangeMeter:
    """Compares what directions (N, L, 512) do in a tuned generator with what they do in the untuned one.

    w_plus: encoder pivots (F, L, 512) of the frames that are looked at.
    """

    def __init__(self, models: Models, w_plus: Tensor, vectors: Tensor) -> None:
        self.models, self.reader, self.vectors = models, PointReader(), vectors
        self.before = [changes(models.generator, w, vectors) for w in w_plus]
        pictures = to_picture(torch.cat([still[None] for still, _ in self.before]))
        self.points = [self.reader.find(picture) for picture in pictures]
        self.face = torch.from_numpy(np.isin(parse(models, pictures), OUTLINES["face"]))
        self.attributes = [self._attributes(*pair) for pair in self.before]

    def measure(self, net: Generator, w_plus: Tensor) -> dict[str, np.ndarray]:
        """Cosines (F, N, 2) at factors 2 and -2: of the pictures' changes, and of the attribute network's."""
        pixels, meaning = [], []
        for frame, w in enumerate(w_plus):
            still, after = changes(net, w, self.vectors)
            meaning.append(cosines(self._attributes(still, after), self.attributes[frame]))
            points = self.reader.find(to_picture(still[None])[0])
            moved = registered(after, points, self.points[frame])
            face = self.face[frame]
            pixels.append(cosines(moved[..., face].flatten(2), self.before[frame][1][..., face].flatten(2)))
        return {"pixels": torch.stack(pixels).numpy(), "meaning": torch.stack(meaning).numpy()}

    @torch.inference_mode()
    def _attributes(self, still: Tensor, after: Tensor) -> Tensor:
        """The attributes' change (N, 2, A) of pictures still + after (N, 2, 3, R, R)."""
        net = self.models.attributes
        own = net.attributes(still[None])
        parts = [net.attributes((still + part).clamp(-1, 1)) for part in after.flatten(0, 1).split(BATCH)]
        return (torch.cat(parts) - own).unflatten(0, after.shape[:2])


@torch.inference_mode()
def changes(net: Generator, w: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The picture (3, R, R) at w (L, 512) and its changes (N, 2, 3, R, R) along vectors (N, L, 512), up and down."""
    still = net.synthesis(w[None]).clamp(-1, 1)[0]
    steps = torch.stack([FACTOR * vectors, -FACTOR * vectors], dim=1).flatten(0, 1)  # (2 N, L, 512)
    parts = [net.synthesis(w + part).clamp(-1, 1) - still for part in steps.split(BATCH)]
    return still, torch.cat(parts).unflatten(0, (-1, 2))


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosines (N, 2) of vectors (N, 2, D)."""
    return F.cosine_similarity(a, b, dim=-1)


def registered(pictures: Tensor, points: np.ndarray | None, wanted: np.ndarray | None) -> Tensor:
    """Pictures (N, 2, 3, R, R) moved so that their points (68, 2) come to lie on `wanted`; unmoved without points."""
    if points is None or wanted is None:
        return pictures
    size = pictures.shape[-1]
    corners = np.array([(0, 0), (0, size - 1), (size - 1, 0), (size - 1, size - 1)], np.float64)
    knots, ends = np.concatenate([wanted, corners]), np.concatenate([points, corners])
    spline = RBFInterpolator(knots, ends - knots, kernel="thin_plate_spline", smoothing=GIVE)
    side = (np.arange(GRID) + 0.5) * size / GRID - 0.5
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    coarse = torch.from_numpy(spline(places)).float().T.reshape(1, 2, GRID, GRID)
    shift = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)[0]  # (2, R, R)
    axis = torch.arange(size, dtype=torch.float32)
    flow = torch.stack([axis[None] + shift[0], axis[:, None] + shift[1]], dim=-1)  # (R, R, 2), x, y in pixels
    grid = ((2 * flow + 1) / size - 1)[None].expand(pictures.shape[0] * 2, -1, -1, -1)
    moved = F.grid_sample(pictures.flatten(0, 1), grid, mode="bilinear", align_corners=False)
    return moved.unflatten(0, pictures.shape[:2])


def jitter(pictures: np.ndarray) -> float:
    """How restless successive pictures (T, R, R, 3) are: their mean second difference over time, grey levels."""
    return float(np.abs(np.diff(pictures.astype(np.float32), n=2, axis=0)).mean())


def spread(count: int, total: int) -> Sequence[int]:
    """`count` positions spread over `total`, the middles of equal stretches."""
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]
