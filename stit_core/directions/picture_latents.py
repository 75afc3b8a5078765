"""Labelled pictures -> aligned crops -> latents, each picture encoded once and kept by its content. Source: ours."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from stit_core.config import DirectionTrainingConfig
from stit_core.directions.labelled_pictures import PictureEntry, PictureSet, UnusablePicture, decode
from stit_core.errors import FaceError
from stit_core.faces.search import PictureLandmarks
from stit_core.geometry import quad_axes, smooth_quads, warp_quad_to_square
from stit_core.images import to_model
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime
from stit_core.store.disk import disk_errors
from stit_core.store.paths import cache_folder

STAGE = "encode"
CACHE_VERSION = 1  # raise it when a latent of the same picture changes
W_DIM = 512
RIM = 8  # the outer eighth of a crop on each side stands for the background
MIN_REACH = 1.0  # pixels, half side of the smallest quad that can be cut out
Crop = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Sample:
    """One picture and what became of it.

    Attributes
    ----------
    entry: the picture.
    digest: sha256 of its bytes; empty where they could not be read.
    reason: why it is skipped; empty where it is used.
    probe: (14,) the look of the file: mean and deviation of each colour over the crop and over its rim, logarithms of
        height and width of the picture; None where it is skipped.
    """

    entry: PictureEntry
    digest: str
    reason: str
    probe: np.ndarray | None


@dataclass(frozen=True)
class Encoded:
    """Samples in the set's order, and the latents (N, L * 512) float32 of the usable ones, a memory map on disk."""

    samples: tuple[Sample, ...]
    latents: np.ndarray

    @property
    def usable(self) -> list[Sample]:
        """The samples that the latents' rows belong to."""
        return [sample for sample in self.samples if not sample.reason]

    @property
    def skipped(self) -> list[Sample]:
        """The samples that have no latent."""
        return [sample for sample in self.samples if sample.reason]


class LatentCache:
    """Latents by content, below `root`, by default in the user's cache folder. Damaged entries are made again."""

    def __init__(self, models: Models, aligned: bool, root: Path | None = None) -> None:
        pack = models.pack
        self.folder = (root or cache_folder() / "latents") / pack.name
        self.num_ws = pack.num_ws
        self.facts = [CACHE_VERSION, pack.part("encoder").hash, pack.resolution, aligned, models.device.type]

    def file(self, digest: str) -> Path:
        """Where the entry of a picture with this sha256 lies."""
        name = hashlib.sha256(json.dumps([digest, *self.facts]).encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}.npz"

    def read(self, digest: str) -> tuple[np.ndarray, np.ndarray] | str | None:
        """Latent (L, 512) and probe (14,), or why there is none, or None where nothing is known."""
        try:
            with np.load(self.file(digest), allow_pickle=False) as found:
                if "reason" in found.files:
                    return str(found["reason"])
                w_plus, probe = found["w_plus"], found["probe"]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None
        return (w_plus, probe) if w_plus.shape == (self.num_ws, W_DIM) and probe.shape == (14,) else None

    def write(self, digest: str, **values: np.ndarray) -> None:
        """Store an entry, under a temporary name first. Raises StoreError."""
        path = self.file(digest)
        with disk_errors("The cache of latents"):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez(file, **values)  # type: ignore[arg-type]
            part.replace(path)


def encode_pictures(
    pictures: PictureSet,
    models: Models,
    config: DirectionTrainingConfig,
    runtime: Runtime,
    scratch: Path,
    cache: Path | None = None,
) -> Encoded:
    """Align and encode every picture, in batches, each only once; what cannot be used is listed and never fatal.

    Parameters
    ----------
    pictures: of all classes.
    runtime: progress and stop, one step a picture.
    scratch: folder for the memory map of latents, a row a usable picture: memory does not grow with their number.
    cache: folder in which the latents are kept; None: the user's cache folder.

    Raises
    ------
    Cancelled: the run was stopped; the latents so far are in the cache.
    StoreError: the cache or the scratch folder cannot be written.
    """
    encoder = _Encoder(models, config, runtime, cache)
    total = len(pictures.entries)
    rows = _make_rows(scratch / "latents.npy", max(total, 1), models.pack.num_ws * W_DIM)
    samples: list[Sample] = []
    used, seen = 0, dict[str, str]()
    runtime.step(STAGE, 0, total)
    for first in range(0, total, config.batch_size):
        batch = pictures.entries[first : first + config.batch_size]
        for sample, w_plus in encoder.encode(batch, lambda done, first=first: runtime.step(STAGE, first + done, total)):  # type: ignore[misc]
            if w_plus is not None and sample.digest in seen:
                sample, w_plus = _skipped(sample.entry, sample.digest, f"the same as {seen[sample.digest]}"), None
            samples.append(sample)
            if w_plus is not None:
                seen[sample.digest] = sample.entry.name
                rows[used] = w_plus.reshape(-1)
                used += 1
    return Encoded(tuple(samples), rows[:used])


def _make_rows(path: Path, count: int, width: int) -> np.ndarray:
    """A memory map (count, width) float32. Raises StoreError where the disk has no room for it."""
    with disk_errors("The scratch file of latents"):
        rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, width))
        if hasattr(os, "posix_fallocate"):  # without room, writing to the map would end the program
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return rows


def _skipped(entry: PictureEntry, digest: str, reason: str) -> Sample:
    return Sample(entry, digest, reason, None)


class _Encoder:
    """Entries -> samples with their latents, through the cache."""

    def __init__(self, models: Models, config: DirectionTrainingConfig, runtime: Runtime, cache: Path | None) -> None:
        self.cache = LatentCache(models, config.aligned, cache)
        self.crop = make_crop(models.pack.resolution, config.aligned)
        self.models, self.size, self.runtime = models, config.batch_size, runtime

    def encode(
        self, batch: Sequence[PictureEntry], tell: Callable[[int], None]
    ) -> list[tuple[Sample, np.ndarray | None]]:
        found: list[tuple[Sample, np.ndarray | None]] = []
        crops: dict[int, np.ndarray] = {}
        for place, entry in enumerate(batch):
            found.append(self._look_up(entry, place, crops))
            if place < len(batch) - 1:
                tell(place + 1)
        for (place, _), w_plus in zip(crops.items(), self._encode_crops(list(crops.values())), strict=True):
            sample = found[place][0]
            if not np.isfinite(w_plus).all():
                found[place] = _skipped(sample.entry, sample.digest, "the encoder finds no usable latent"), None
                continue
            assert sample.probe is not None
            self.cache.write(sample.digest, w_plus=w_plus, probe=sample.probe)
            found[place] = sample, w_plus
        tell(len(batch))
        return found

    def _look_up(
        self, entry: PictureEntry, place: int, crops: dict[int, np.ndarray]
    ) -> tuple[Sample, np.ndarray | None]:
        """The sample with its latent from the cache; else its crop is put into `crops` under its place."""
        digest = ""
        try:
            data = entry.read()
            digest = hashlib.sha256(data).hexdigest()
            known = self.cache.read(digest)
            if isinstance(known, str):
                return _skipped(entry, digest, known), None
            if known is not None:
                return Sample(entry, digest, "", known[1]), known[0]
            picture = decode(data)
            try:
                crops[place] = self.crop(picture)
            except UnusablePicture as reason:
                self.cache.write(digest, reason=np.array(str(reason)))  # the search for a face is slow
                raise
            return Sample(entry, digest, "", probe_of(crops[place], picture)), None
        except UnusablePicture as reason:
            return _skipped(entry, digest, str(reason)), None

    def _encode_crops(self, crops: list[np.ndarray]) -> np.ndarray:
        """Latents (B, L, 512); always a full batch, as a network may round otherwise in batches of other sizes."""
        if not crops:
            return np.zeros((0, self.models.pack.num_ws, W_DIM), np.float32)
        filled = crops + [crops[-1]] * (self.size - len(crops))
        images = to_model(np.stack(filled)).to(self.runtime.device)
        with torch.inference_mode():
            return self.models.encoder.encode(images).float().cpu().numpy()[: len(crops)]


def make_crop(size: int, aligned: bool) -> Crop:
    """What makes the crop (size, size, 3) of a picture; it raises UnusablePicture.

    aligned: the picture's middle square is taken as it is; else the largest face is aligned as in a video.
    """

    def as_it_is(picture: np.ndarray) -> np.ndarray:
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        square = Image.fromarray(picture[top : top + side, left : left + side])
        return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))

    if aligned:
        return as_it_is
    landmarks = PictureLandmarks()

    def around_the_face(picture: np.ndarray) -> np.ndarray:
        try:
            points = landmarks.points(picture)
        except FaceError as error:
            raise UnusablePicture(error.message[:1].lower() + error.message[1:].rstrip(".")) from error
        center, x, y = quad_axes(points[None])
        quad = smooth_quads(center, x, y, 0, 0)[0]  # (4, 2)
        if not np.isfinite(quad).all() or np.hypot(*x[0]) < MIN_REACH:
            raise UnusablePicture("what was found forms no face")
        return warp_quad_to_square(picture, quad, size)

    return around_the_face


def probe_of(crop: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The look of a file without its contents, (14,) float32; see Sample."""
    width = max(1, len(crop) // RIM)
    inside = np.zeros(crop.shape[:2], bool)
    inside[width:-width, width:-width] = True
    parts = [crop.reshape(-1, 3) / 255.0, crop[~inside] / 255.0]
    colours = [figure for part in parts for figure in (part.mean(0), part.std(0))]
    return np.concatenate([*colours, np.log(np.array(picture.shape[:2], np.float64))]).astype(np.float32)


def pair_latents(encoded: Encoded, rows: np.ndarray, scratch: Path) -> np.ndarray:
    """A copy of the latents of `rows` (n,) as a memory map of its own in `scratch`, to be changed at will."""
    path = scratch / "pair.npy"
    path.unlink(missing_ok=True)  # that of an earlier pair
    copied = _make_rows(path, len(rows), encoded.latents.shape[1])
    for first in range(0, len(rows), W_DIM):
        copied[first : first + W_DIM] = encoded.latents[rows[first : first + W_DIM]]
    return copied
