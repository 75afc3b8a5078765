"""What the stages hand to each other. Frozen; each carries the hash of its clip and the frames it speaks of."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from stit_core.errors import NO_ROOM, ArtefactMismatchError, DamagedError, NoRoomError, StoreError

# Half the time of Pillow's, and as small; one filter for all rows is enough.
_PNG = (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


@dataclass(frozen=True)
class FrameFolder:
    """Pictures on disk, one PNG per frame, read one at a time.

    Attributes
    ----------
    path: the folder; frame i is `{i:06d}.png`, i counted in the trimmed clip.
    indices: the frames that it holds, ascending.
    """

    path: Path
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def file(self, frame: int) -> Path:
        """Where the picture of frame `frame` of the clip lies."""
        return self.path / f"{frame:06d}.png"

    def read(self, frame: int) -> np.ndarray:
        """Picture of frame `frame` of the clip, (H, W, 3) uint8 RGB.

        Raises
        ------
        DamagedError: the file is gone or damaged.
        """
        picture = cv2.imread(str(self.file(frame)), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise DamagedError(
                f"The stored picture of frame {frame} cannot be read ({self.file(frame).name}).",
                "Delete this run with `runs clean` and start it again.",
            )
        return picture

    def __getitem__(self, position: int) -> np.ndarray:
        return self.read(self.indices[position])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.read(frame) for frame in self.indices)

    def write(self, frame: int, picture: np.ndarray) -> None:
        """Store the picture of frame `frame`, (H, W, 3) uint8 RGB, under a temporary name first; makes the folder.

        Raises
        ------
        StoreError: the disk is full or the folder cannot be written; nothing half-written is left.
        """
        target = self.file(frame)
        part = target.with_suffix(".part")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _PNG)
            part.write_bytes(encoded.tobytes())
            part.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            kind = NoRoomError if error.errno in NO_ROOM else StoreError
            raise kind(
                f"The picture of frame {frame} cannot be stored ({error.strerror or error}).",
                "Free some space on the disk, or choose another folder for the runs; what is finished is kept.",
            ) from error


@dataclass(frozen=True)
class Clip:
    """The trimmed part of a source video, decoded in display orientation.

    Attributes
    ----------
    hash: sha256 of the file's bytes and the trim.
    source: the video file.
    frames: every frame, (height, width, 3).
    frame_rate: exact average rate; equal to the nominal one where the rate is constant.
    timestamps: seconds from the first frame, one a frame, exact.
    start: seconds into the source at which the first frame stands.
    audio: codec name of the sound stream, or None.
    """

    hash: str
    source: Path
    frames: FrameFolder
    width: int
    height: int
    frame_rate: Fraction
    timestamps: tuple[Fraction, ...]
    start: Fraction
    audio: str | None

    @property
    def seconds(self) -> float:
        return float(len(self.frames) / self.frame_rate)


PASSING = 3  # frames; who is seen in fewer is not counted among the people


@dataclass(frozen=True)
class Person:
    """One face of a clip, along all of it.

    Attributes
    ----------
    index: its number: first the faces of the first frame that has any, 0 the largest, then those that come later.
    frame: in which it is seen best.
    box: its place there: left, top, right, bottom in source pixels.
    frames: how many show it.
    spans: first and last frame of each stretch of them.
    """

    index: int
    frame: int
    box: tuple[float, float, float, float]
    frames: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class People:
    """Every face of a clip and whose it is, a row for each sighting: M in all, by person, then by frame.

    Attributes
    ----------
    frames: of the clip, N.
    owner: (M,) int64, the number of the person who is seen.
    frame: (M,) int64, where.
    boxes: (M, 4) float64, left, top, right, bottom in source pixels.
    scores: (M,) float64, of the detector.
    points: (M, 68, 2) float64, landmarks x, y in source pixels.
    turn: quarters to the left after which the faces were found, 0 for a clip that stands upright.
    """

    clip_hash: str
    frames: int
    owner: np.ndarray
    frame: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray
    turn: int = 0

    @property
    def faces(self) -> np.ndarray:
        """(N,) int64, faces found in each frame of the clip."""
        return np.bincount(self.frame, minlength=self.frames)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of everyone, those included who are seen for a moment only."""
        return tuple(np.unique(self.owner).tolist())

    def rows(self, number: int) -> slice:
        """Where the sightings of one person stand; empty for a number that nobody has."""
        return slice(*np.searchsorted(self.owner, [number, number + 1]).tolist())

    def person(self, number: int) -> Person:
        """One of them. Raises IndexError for a number that nobody has."""
        rows = self.rows(number)
        frames = self.frame[rows]
        best = int(np.argmax(self.scores[rows]))
        left, top, right, bottom = self.boxes[rows][best].tolist()
        spans = tuple((int(frames[s.start]), int(frames[s.stop - 1])) for s in stretches(tuple(frames.tolist())))
        return Person(number, int(frames[best]), (left, top, right, bottom), len(frames), spans)

    def extent(self, number: int) -> float:
        """Sum of the sides of a person's face over all its frames, in pixels."""
        boxes = self.boxes[self.rows(number)]
        return float(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).sum())

    @property
    def persons(self) -> tuple[Person, ...]:
        """The people of the clip, the one largest over it first; who is seen for a moment only is left out."""
        first = self.frame.min(initial=self.frames)
        kept = [person for person in map(self.person, self.numbers) if person.frames >= PASSING]
        kept = kept or [person for person in map(self.person, self.numbers) if person.spans[0][0] == first]
        return tuple(sorted(kept, key=lambda person: -self.extent(person.index)))


@dataclass(frozen=True)
class Landmarks:
    """The chosen face along the clip.

    Attributes
    ----------
    frame_indices: frames that carry the face, found or bridged, ascending.
    points: (T, 68, 2) float64, x, y in source pixels.
    detected: (T,) bool, False where the points are interpolated.
    gaps: first and last frame of each stretch that is left untouched.
    index: the number of the person whose face it is.
    """

    clip_hash: str
    frame_indices: tuple[int, ...]
    points: np.ndarray
    detected: np.ndarray
    gaps: tuple[tuple[int, int], ...]
    index: int = 0


@dataclass(frozen=True)
class Alignment:
    """Aligned crops: quads (T, 4, 2) float64 in source pixels, crops (size, size, 3)."""

    clip_hash: str
    frame_indices: tuple[int, ...]
    quads: np.ndarray
    crops: FrameFolder
    size: int

    def quad(self, frame: int) -> np.ndarray:
        """The quad (4, 2) of a frame. Raises ArtefactMismatchError for one without a face."""
        return self.quads[position_of(self.frame_indices, frame)]


@dataclass(frozen=True)
class Inversion:
    """Pivots, w_plus (T, L, 512) float32."""

    clip_hash: str
    frame_indices: tuple[int, ...]
    w_plus: torch.Tensor


class TuningPass(NamedTuple):
    """Means over one pass of the tuning, before its updates: L2 in [-1, 1] units, LPIPS, loss, PSNR in dB."""

    l2: float
    lpips: float
    loss: float
    psnr: float


@dataclass(frozen=True)
class Tuned:
    """A generator fitted to one clip.

    Attributes
    ----------
    w_plus: (T, L, 512), the pivots that belong to the weights.
    state: the generator's state_dict.
    history: (passes, 4), a `TuningPass` each.
    psnr, lpips: mean over the frames after the last pass.
    """

    clip_hash: str
    frame_indices: tuple[int, ...]
    w_plus: torch.Tensor
    state: dict[str, torch.Tensor]
    history: np.ndarray
    psnr: float
    lpips: float


@dataclass(frozen=True)
class Edit:
    """Edited latents: w_plus (T, L, 512), or styles (one (T, C) tensor a layer) when the edit works in style space."""

    clip_hash: str
    frame_indices: tuple[int, ...]
    w_plus: torch.Tensor
    styles: tuple[torch.Tensor, ...] | None
    directions: tuple[tuple[str, float], ...]


class FaceRegions(NamedTuple):
    """What to keep of an edit, where it has to meet the source, and what to paste: three masks (S, S) uint8."""

    content: np.ndarray
    border: np.ndarray
    full: np.ndarray


@dataclass(frozen=True)
class Masks:
    """The `FaceRegions` of each frame as the three channels (0 or 255) of a picture (size, size, 3)."""

    clip_hash: str
    frame_indices: tuple[int, ...]
    pictures: FrameFolder
    size: int

    def read(self, frame: int) -> FaceRegions:
        """All three of a frame, (size, size) uint8, 0 or 255."""
        return FaceRegions(*np.moveaxis(self.pictures.read(frame), -1, 0))

    def border(self, frame: int) -> np.ndarray:
        """Where the edit of a frame has to meet the source, (size, size) uint8, 0 or 255."""
        return self.read(frame).border

    def full(self, frame: int) -> np.ndarray:
        """What of a frame's crop is pasted, (size, size) uint8, 0 or 255."""
        return self.read(frame).full


@dataclass(frozen=True)
class Registration:
    """What a transfer needs of each frame and no edit changes.

    Attributes
    ----------
    pivots: the tuned pivots (size, size, 3).
    labels: pictures (size, size, 3) whose channels are the parser's classes of the source and of the pivot, and 0.
    points: (T, 68, 2), landmarks of the source in pixels of the crop.
    offsets: (T, 68, 2), from them to those of the pivot, smoothed over time.
    places: of the tuned pivot, as faces.reading.to_place_picture has them; None where the parser does not tell.
    """

    clip_hash: str
    frame_indices: tuple[int, ...]
    pivots: FrameFolder
    labels: FrameFolder
    points: np.ndarray
    offsets: np.ndarray
    places: FrameFolder | None

    def source_labels(self, frame: int) -> np.ndarray:
        """The parser's classes of the source, (size, size) uint8."""
        return self.labels.read(frame)[..., 0]

    def pivot_labels(self, frame: int) -> np.ndarray:
        """The parser's classes of the tuned pivot, (size, size) uint8."""
        return self.labels.read(frame)[..., 1]


@dataclass(frozen=True)
class Identities:
    """Identity embeddings (N, D) float32 of the source's crops at N of the clip's T positions with a face."""

    clip_hash: str
    frame_indices: tuple[int, ...]
    positions: tuple[int, ...]
    embeddings: torch.Tensor


@dataclass(frozen=True)
class Stitched:
    """The edited faces as they are pasted; what follows does not ask which stage made them.

    Attributes
    ----------
    crops: from `stitching` edited crops (size, size, 3) whose border meets the source; from `transfer` patches, the
        part of the frame around the quad as the finished frame has it (geometry.patch_bounds says where).
    border_loss, content_loss: (T,) in STIT's units.
    steps: (T,) of the optimiser.
    """

    clip_hash: str
    frame_indices: tuple[int, ...]
    crops: FrameFolder
    border_loss: np.ndarray
    content_loss: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Measured:
    """Figures of a result, and what they are made of, of each frame that carries the face.

    Attributes
    ----------
    psnr: of the tuned reconstruction, dB, mean over the frames.
    lpips: of the tuned reconstruction, by the pack's perceptual network.
    border_loss: mean masked L2 on the border after stitching, in STIT's units.
    id_cosine: mean cosine between the identity of source and edited crops.
    tl_id, tg_id: identity over time, locally and globally; 1 for the source itself.
    frame_indices: the T frames.
    identity: (T,) cosine between the identity of source and edited crop; of a long clip it is measured in pairs of
        neighbours spread over the clip, and interpolated between them.
    seam: (T,) step in grey levels that a hard paste would leave at the mask's outline.
    """

    psnr: float
    lpips: float
    border_loss: float
    id_cosine: float
    tl_id: float
    tg_id: float
    frame_indices: tuple[int, ...]
    identity: np.ndarray
    seam: np.ndarray

    @property
    def figures(self) -> dict[str, float]:
        """Those that are one number, by name: what reports and manifests say."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, (int, float))}


FrameArtefact = Landmarks | Alignment | Inversion | Tuned | Edit | Masks | Registration | Identities | Stitched


def check_same_frames(*artefacts: FrameArtefact) -> None:
    """Raise ArtefactMismatchError unless all speak of the same frames of the same clip."""
    first = artefacts[0]
    for other in artefacts[1:]:
        if other.clip_hash != first.clip_hash:
            raise ArtefactMismatchError(
                f"{type(first).__name__} and {type(other).__name__} come from different clips.",
                "Start again from the clip; results of another clip or trim cannot be mixed in.",
            )
        if other.frame_indices != first.frame_indices:
            raise ArtefactMismatchError(
                f"{type(first).__name__} covers {len(first.frame_indices)} frames, "
                f"{type(other).__name__} {len(other.frame_indices)}, or others.",
                "Start again from the alignment with the same trim and face.",
            )


def check_clip(artefact: FrameArtefact, clip: Clip) -> None:
    """Raise ArtefactMismatchError unless `artefact` was made from `clip`."""
    if artefact.clip_hash != clip.hash:
        raise ArtefactMismatchError(
            f"This {type(artefact).__name__} was made from another clip or trim than {clip.source.name}.",
            "Start again from the clip.",
        )


def position_of(frames: tuple[int, ...], frame: int) -> int:
    """Where a frame stands among those that carry the face. Raises ArtefactMismatchError where it does not."""
    if frame not in frames:
        raise ArtefactMismatchError(f"Frame {frame} carries no face.", "Choose a frame in which the face was found.")
    return frames.index(frame)


def stretches(frames: tuple[int, ...]) -> Iterator[slice]:
    """Positions of each run of consecutive frame numbers, in order."""
    breaks = np.flatnonzero(np.diff(frames) != 1) + 1
    edges = [0, *breaks.tolist(), len(frames)]
    return (slice(start, stop) for start, stop in itertools.pairwise(edges))
