"""Draws a head: geometry, camera, light and colours of one set of parameters, rasterised and shaded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from . import anatomy, shading, surface
from .cloth import cloth_depth, jacket_depth
from .eyes import eye_rotation, eyeball
from .hair import HairSet
from .landmarks import align_quad, calibrate, contour_choices, follow_outline, place_landmarks
from .look import choose_look
from .neck import chin_shade, relief_slope
from .parameters import HeadParameters, from_latent
from .parameters import attributes as attributes_of
from .raster import EMPTY, raster_segments, raster_triangles
from .shape import EXTRA_GROUPS, HeadShape, Posed, subdivide, vertex_normals
from .tracing import Trace, resolve_places, to_places

FACTOR = 2  # samples a side and pixel
SHADOW_SIZE = 256
# Strands throw shade only on what is this many decimetres behind them, so that a mass of hair stays smooth.
HAIR_SHADOW_GAP = 0.06
SHADOW_REACH = 2.6  # decimetres that the shadow map spans
LASH_REACH = 0.016  # decimetres from the lid's edge that the dark of the lashes reaches
# Widths of half a dental arch seen from the front: the gaps between the teeth, decimetres from the middle.
UPPER_GAPS = (0.0, 0.085, 0.152, 0.212, 0.258, 0.290, 0.315)
LOWER_GAPS = (0.0, 0.054, 0.112, 0.174, 0.224, 0.265, 0.300)
CURVE = np.round(255 * np.clip(1.055 * np.linspace(0, 1, 4096) ** (1 / 2.4) - 0.055, 0, 1)).astype(np.uint8)


@dataclass(frozen=True)
class Camera:
    """A camera on the z axis, `distance` and `height` in decimetres.

    `affine` (2, 3) maps the plane z = 0 (x right, y down, decimetres from the axis) to widths of the picture.
    """

    distance: float
    height: float
    affine: np.ndarray
    aspect: float = 1.0  # height / width

    @classmethod
    def portrait(cls, distance: float = 14.0, height: float = 0.1, span: float = 4.6, aspect: float = 1.25) -> Camera:
        """A fixed head-and-shoulders camera that sees `span` decimetres across."""
        return cls(distance, height, np.array([[1 / span, 0, 0.5], [0, 1 / span, aspect / 2]]), aspect)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) -> (N, 3): picture x, y in widths, and nearness (1 / depth)."""
        near = 1.0 / (self.distance - points[:, 2])
        plane = np.stack([points[:, 0], self.height - points[:, 1]], 1) * (self.distance * near)[:, None]
        return np.concatenate([plane @ self.affine[:, :2].T + self.affine[:, 2], near[:, None]], 1)


@dataclass(frozen=True)
class Rendering:
    """A picture and all that is known of it."""

    image: np.ndarray  # (H, W, 3) uint8
    labels: np.ndarray  # (H, W) uint8, the 19 classes of surface.py
    landmarks: np.ndarray  # (68, 2) float32, pixels, iBUG order
    attributes: np.ndarray  # (A,) float32, parameters.ATTRIBUTE_NAMES
    coordinates: np.ndarray  # (H, W, 3) float32, places as in tracing.py, 0 in the background
    parameters: HeadParameters


class Renderer:
    """Holds what all pictures share; `render` is a pure function of the parameters."""

    def __init__(self, root: Path) -> None:
        self.shape = HeadShape(root)
        mean = self.shape.rest(mean_parameters())
        self.matrix, quads = subdivide(self.shape.body, len(mean))
        self.skin_count = self.matrix.shape[0]
        self.quads = quads
        masks = anatomy.region_masks(root, self.shape, mean)
        self.mean = mean
        fine = self.matrix @ mean
        normals = vertex_normals(fine, quads)
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        masks = self.matrix @ masks
        masks[:, surface.OCCLUSION] = anatomy.bake_occlusion(fine, normals, triangles)
        cavity = (np.abs(fine[:, 0]) < 0.5) & (np.abs(fine[:, 1] + 0.27) < 0.45) & (fine[:, 2] > -0.1)
        cavity &= (fine[:, 1] < -0.14) | (fine[:, 2] < 0.7)  # not the nostrils
        masks[:, surface.INTERIOR] = cavity * anatomy.smooth(0.12, 0.04, masks[:, surface.OCCLUSION])
        self.static = masks
        self.low_ids = np.flatnonzero(fine[:, 1] < -0.4)  # all that cloth can cover
        self.low_normals = normals[self.low_ids]
        masks[:, surface.OCCLUSION] *= chin_shade(fine)
        self.neck_slope = relief_slope(fine[self.low_ids], self.low_normals)
        self.quads4 = self.shape.body
        self.coarse = np.concatenate([self.quads4[:, [0, 1, 2]], self.quads4[:, [0, 2, 3]]]).astype(np.int32)
        self._join_meshes(triangles)
        self.landmark_ids = calibrate(fine)
        self.contour = contour_choices(fine, self.landmark_ids)
        self.texture = anatomy.paint_detail(fine[self.landmark_ids])
        self._mark_teeth()
        masks[:, surface.LASHES] = self._mark_lashes(fine)
        self.hair = HairSet(fine, normals, masks)

    def _join_meshes(self, skin: np.ndarray) -> None:
        """Lay skin, eyeballs, teeth, tongue and lashes out as one list of triangles."""
        triangles, kinds = [skin], [np.full(len(skin), surface.SKIN_FACE)]
        self.eye_directions, eye = eyeball()
        count = self.skin_count
        for kind in (surface.LEFT_EYE, surface.RIGHT_EYE):
            triangles.append(eye + count)
            kinds.append(np.full(len(eye), kind))
            count += len(self.eye_directions)
        self.extra_ids = []
        for name in EXTRA_GROUPS:
            quads = self.shape.extras[name]
            ids, local = np.unique(quads, return_inverse=True)
            local = local.reshape(quads.shape) + count
            kind = surface.TEETH if "teeth" in name else surface.TONGUE
            triangles += [local[:, [0, 1, 2]], local[:, [0, 2, 3]]]
            kinds += [np.full(len(local), kind)] * 2
            self.extra_ids.append((ids, local, kind))
            count += len(ids)
        self.triangles = np.concatenate(triangles).astype(np.int32)
        self.material = np.concatenate(kinds).astype(np.int32)
        self.frozen = (self.material == surface.LEFT_EYE) | (self.material == surface.RIGHT_EYE)
        mean = self.shape.pose(mean_parameters())
        self.eye_centres, self.eye_radii = mean.eye_centres, mean.eye_radii

    def _mark_lashes(self, fine: np.ndarray) -> np.ndarray:
        """Darkness (N,) of the skin vertices at the upper lids' edges: those that a closing lid moves furthest."""
        closed = self.matrix @ self.shape.rest(dataclasses.replace(mean_parameters(), eye_close=np.ones(2)))
        way = np.linalg.norm(closed - fine, axis=1)
        across = np.abs(fine[:, 0])
        columns = np.linspace(across[way > 0.02].min(), across[way > 0.02].max(), 28)
        furthest = [way[np.abs(across - column) < 0.018].max() for column in columns]
        share = way / np.interp(across, columns, furthest) * (way > 0.01)
        away = cKDTree(fine[share > 0.9]).query(fine)[0]
        return anatomy.smooth(LASH_REACH, 0.2 * LASH_REACH, away) * anatomy.smooth(0.3, 0.5, share)

    def _mark_teeth(self) -> None:
        """Per vertex of teeth and tongue (N, 2): number of the tooth from the middle, height from edge 0 to root 1."""
        self.extra_marks = []
        for (ids, _, _), name in zip(self.extra_ids, EXTRA_GROUPS, strict=True):
            x, y, _ = self.mean[ids].T
            gaps = UPPER_GAPS if "upper" in name else LOWER_GAPS
            number = np.sign(x) * np.interp(np.abs(x), gaps, range(len(gaps)))
            height = (y - y.min()) / np.ptp(y)
            self.extra_marks.append(np.stack([number, height if "upper" in name else 1 - height], axis=1))

    def render(
        self, parameters: HeadParameters, size: int | tuple[int, int] = 256, camera: Camera | None = None
    ) -> Rendering:
        """Render `size` = side, or (height, width); without a camera the picture is the aligned crop. Source: ours."""
        return self.trace(parameters, size, camera)[0]

    def trace(
        self, parameters: HeadParameters, size: int | tuple[int, int] = 256, camera: Camera | None = None
    ) -> tuple[Rendering, Trace]:
        """Render as `render` does; also what each sample shows, by which `true_motion` finds it in another picture."""
        height, width = (size, size) if isinstance(size, int) else size
        p = parameters
        posed = self.shape.pose(p)
        skin = self.matrix @ posed.posed
        landmarks = self._landmarks(skin)
        if camera is None:
            camera = aligned_camera(landmarks, p)
        look = choose_look(p)
        position, normal, attributes = self._assemble(p, posed, skin)
        strands = self.hair.grow(p, self.matrix @ posed.rest, look.recede)
        buffers = self._rasterise(camera, position, strands, height * FACTOR, width * FACTOR)
        owner, bary, near = buffers
        trace = Trace(owner, bary, self.triangles, self.frozen, position, strands.position, camera)
        shadow, frame = self._shadow_map(look, posed, strands)
        image = np.empty((height * FACTOR, width * FACTOR, 3), np.float32)
        labels = np.empty(image.shape[:2], np.uint8)
        lids = self._eye_frames(p, posed, landmarks)
        eye = np.array([0.0, camera.height, camera.distance])
        window = np.array([-1.0, 2.0, -camera.aspect, 2.0 * camera.aspect])
        shading.shade(
            look,
            owner,
            bary,
            near,
            self.triangles,
            self.material,
            position,
            normal,
            attributes,
            self.texture,
            strands.position,
            strands.normal,
            strands.look,
            lids,
            posed.rotation,
            shadow,
            frame,
            eye,
            window,
            image,
            labels,
        )
        small, small_labels = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.uint8)
        shading.resolve(image, labels, CURVE, FACTOR, small, small_labels)
        places = np.empty((height, width, 3), np.float32)
        rest = to_places(self._rest_vertices(p)), to_places(self.hair.rest_points(p, look.recede))
        resolve_places(owner, bary, near, self.triangles, *rest, labels, FACTOR, small_labels, places)
        points = camera.project(landmarks)[:, :2] * width - 0.5
        marks = place_landmarks(self.matrix @ posed.rest, self.landmark_ids)
        points = points.astype(np.float32)
        return Rendering(small, small_labels, points, attributes_of(p, marks), places, p), trace

    def _rest_vertices(self, p: HeadParameters) -> np.ndarray:
        """All vertices (V, 3) on the mean head at rest; an eyeball's lie where they look, its socket staying."""
        parts = [self.static[:, surface.REST_X : surface.REST_X + 3]]
        for eye, (centre, radius) in enumerate(zip(self.eye_centres, self.eye_radii, strict=True)):
            parts.append(centre + radius * self.eye_directions @ eye_rotation(p, eye).T)
        return np.concatenate([*parts, *(self.mean[ids] for ids, _, _ in self.extra_ids)])

    def render_latent(self, latent: np.ndarray, size: int = 256) -> Rendering:
        """Render the aligned crop of a latent (NUM_FACTORS,)."""
        return self.render(from_latent(latent), size)

    def camera_of(self, parameters: HeadParameters) -> Camera:
        """The camera whose picture is the aligned crop of a head."""
        return aligned_camera(self._landmarks(self.matrix @ self.shape.pose(parameters).posed), parameters)

    def _landmarks(self, skin: np.ndarray) -> np.ndarray:
        return follow_outline(place_landmarks(skin, self.landmark_ids), skin, self.contour)

    def _assemble(self, p: HeadParameters, posed: Posed, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        normal = vertex_normals(skin, self.quads)
        attributes = [self._dress(p)]
        cloth, jacket = attributes[0][:, surface.CLOTH], attributes[0][:, surface.JACKET]
        worn = np.maximum(cloth, jacket)[self.low_ids]
        bare = anatomy.smooth(0.05, -0.02, worn) * (0.9 - 0.6 * p.weight)
        normal[self.low_ids] -= bare[:, None] * self.neck_slope
        attributes[0][self.low_ids, surface.OCCLUSION] *= 1 - 0.4 * np.exp(-(((worn + 0.04) / 0.06) ** 2))
        stand = 0.035 * anatomy.smooth(-0.03, 0.04, cloth) + 0.06 * anatomy.smooth(0.0, 0.6, cloth)
        stand += 0.06 * anatomy.smooth(-0.04, 0.05, jacket) + 0.04 * anatomy.smooth(0.0, 0.6, jacket)
        stand += 0.05 * p.beard**2 * anatomy.smooth(0.35, 0.9, attributes[0][:, surface.BEARD])
        skin = skin + normal * stand[:, None]
        positions, normals = [skin], [normal]
        for eye, (centre, radius) in enumerate(zip(posed.eye_centres, posed.eye_radii, strict=True)):
            rotation = posed.rotation @ eye_rotation(p, eye)
            local = self.eye_directions
            bulge = 1 + 0.05 * anatomy.smooth(0.80, 0.97, local[:, 2:3])
            positions.append(centre + radius * (local * bulge) @ rotation.T)
            normals.append(local @ rotation.T)
            block = np.zeros((len(local), surface.NUM_ATTRIBUTES))
            block[:, :3] = local
            block[:, surface.OCCLUSION] = 1
            attributes.append(block)
        for (ids, _, _), marks, move in zip(self.extra_ids, self.extra_marks, mouth_moves(p), strict=True):
            points = posed.posed[ids] + posed.rotation @ move
            positions.append(points)
            out = points - posed.posed[self.shape.extras["helper-tongue"]].reshape(-1, 3).mean(0)
            normals.append(out / np.linalg.norm(out, axis=1, keepdims=True))
            block = np.zeros((len(ids), surface.NUM_ATTRIBUTES))
            depth = posed.rest[ids][:, 2]
            block[:, 1] = (depth - depth.min()) / np.ptp(depth)
            block[:, [0, 2]] = marks
            block[:, surface.OCCLUSION] = 0.5
            block[:, surface.REST_X] = self.mean[ids][:, 0]
            attributes.append(block)
        return np.concatenate(positions), np.concatenate(normals), np.concatenate(attributes)

    def _dress(self, p: HeadParameters) -> np.ndarray:
        """The static attributes with the columns of clothes set: decimetres inside their edges, negative outside."""
        attributes = self.static.copy()
        attributes[:, [surface.CLOTH, surface.JACKET]] = -0.5
        low = self.low_ids
        points = self.static[low, surface.REST_X : surface.REST_X + 3]
        attributes[low, surface.CLOTH] = cloth_depth(points, self.low_normals, p.neckline, p.collar)
        attributes[low, surface.JACKET] = jacket_depth(points, self.low_normals, p.jacket)
        if p.beard > 0:
            share = min(5 * p.beard, 1.0)
            area = anatomy.beard_area(attributes, p.beard_wide, p.moustache)
            attributes[:, surface.BEARD] += share * (area - attributes[:, surface.BEARD])
        return attributes

    def _rasterise(self, camera: Camera, position: np.ndarray, strands, height: int, width: int):  # type: ignore[no-untyped-def]
        depth = np.zeros((height, width), np.float32)
        owner = np.full((height, width), EMPTY, np.int32)
        bary = np.zeros((height, width, 2), np.float32)
        points = camera.project(position)
        points[:, :2] *= width
        raster_triangles(points, self.triangles, 0, depth, owner, bary, True)
        if len(strands.starts):
            lines = camera.project(strands.position)
            lines[:, :2] *= width
            scale = camera.distance * np.linalg.norm(camera.affine[:, 0]) * width
            raster_segments(lines, strands.starts, strands.width * lines[:, 2] * scale, depth, owner, bary)
        return owner, bary, points[:, 2]

    def _shadow_map(self, look: surface.Look, posed: Posed, strands) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
        side = np.cross([0.0, 1.0, 0.0], look.light)
        side /= np.linalg.norm(side)
        axes = np.stack([side, -np.cross(look.light, side), look.light])
        scale = np.array([SHADOW_SIZE / SHADOW_REACH, SHADOW_SIZE / SHADOW_REACH, 1.0])[:, None]
        middle = np.array([0.0, 0.15, 0.2])
        frame = np.concatenate([axes * scale, -(axes * scale) @ middle[:, None]], 1)
        frame[:2, 3] += SHADOW_SIZE / 2
        depth = np.full((SHADOW_SIZE, SHADOW_SIZE), -1e9, np.float32)
        owner = np.empty((SHADOW_SIZE, SHADOW_SIZE), np.int32)
        bary = np.empty((SHADOW_SIZE, SHADOW_SIZE, 2), np.float32)
        raster_triangles(posed.posed @ frame[:, :3].T + frame[:, 3], self.coarse, 0, depth, owner, bary, False)
        if len(strands.starts):
            points = strands.position @ frame[:, :3].T + frame[:, 3]
            points[:, 2] -= HAIR_SHADOW_GAP
            raster_segments(points, strands.casting, np.full(len(points), 3.0), depth, owner, bary)
        return shading.soften_shadow(depth, look.shadow_softness), frame

    def _eye_frames(self, p: HeadParameters, posed: Posed, landmarks: np.ndarray) -> np.ndarray:
        """What the shader knows of each eye (2, 8), lengths in eye radii along the head's axes from the eye's centre.

        Heights of the upper lid, the lower lid and the corners, the opening's middle and half width, the gaze (3).
        """
        frames = np.zeros((2, 8))
        for eye, first in enumerate((42, 36)):
            away = (landmarks[first : first + 6] - posed.eye_centres[eye]) @ posed.rotation[:, :2]
            x, y = away.T / posed.eye_radii[eye]
            frames[eye, :5] = y[1:3].mean(), y[4:6].mean(), y[[0, 3]].mean(), x[[0, 3]].mean(), abs(x[3] - x[0]) / 2
            frames[eye, 5:] = (posed.rotation @ eye_rotation(p, eye))[:, 2]
        return frames


def mean_parameters() -> HeadParameters:
    """The neutral head on which masks, textures and hair are laid out: even mix, adult, no expression, no pose."""
    p = from_latent(np.full(128, 1e-9))
    return dataclasses.replace(
        p,
        ethnicity=np.full(3, 1 / 3),
        gender=0.5,
        age=30.0,
        weight=0.0,
        shape=np.zeros_like(p.shape),
        smile=0.0,
        mouth_open=0.0,
        pucker=0.0,
        brow_raise=0.0,
        brow_inner=0.0,
        eye_close=np.zeros(2),
        squint=0.0,
        gaze=np.zeros(2),
        yaw=0.0,
        pitch=0.0,
        roll=0.0,
    )


def mouth_moves(p: HeadParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shifts (3,) in decimetres of the upper teeth, the lower teeth and the tongue, on top of the targets.

    The targets leave the upper teeth behind the lip and the tongue in front of all; a smile should show upper teeth.
    """
    show = min(1.3 * p.smile + 1.2 * p.mouth_open, 1.0)
    upper = np.array([0.0, -0.02 * show - 0.03 * min(1.2 * p.smile, 1.0), 0.0])
    return upper, np.array([0.0, -0.05 * show, -0.05]), np.array([0.0, -0.12 * show, -0.18 + 0.08 * p.mouth_open])


def aligned_camera(landmarks: np.ndarray, p: HeadParameters) -> Camera:
    """The camera whose picture is STIT's aligned crop of the landmarks (68, 3), with the parameters' small jitter."""
    height = 0.25
    plain = Camera(p.focal, height, np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    quad = align_quad(plain.project(landmarks)[:, :2])
    centre, across = quad.mean(0), (quad[3] - quad[0] + quad[2] - quad[1]) / 4
    down = (quad[1] - quad[0] + quad[2] - quad[3]) / 4
    turn = np.radians(p.jitter[3])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * np.exp(p.jitter[2])
    basis = np.stack([spin @ across, spin @ down], 1) * 2
    centre = centre + basis @ p.jitter[:2]
    inverse = np.linalg.inv(basis)
    return Camera(p.focal, height, np.concatenate([inverse, (0.5 - inverse @ centre)[:, None]], 1))
