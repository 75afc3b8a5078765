"""What a clip holds, looked up in seconds before any job: size, sound, faces along the time, scene cuts.

One pass of the decoder gives a few small pictures a second; in each the face is looked for as the landmark stage would.
Source: ours.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from stit_core.config import LandmarkConfig, VideoConfig
from stit_core.faces.detectors import Face
from stit_core.faces.search import FaceSearch
from stit_core.media import ffmpeg
from stit_core.media.probing import DECODER_SLACK, Probe, nothing_decoded, probe
from stit_core.runtime import Runtime

State = Literal["face", "none", "several", "small", "cut"]
STAGE = "preflight"
SAMPLE_RATE = 4.0  # pictures a second
MAX_SAMPLES = 240  # of longer clips, fewer a second
LONG_SECONDS = 300.0  # of clips beyond, only key frames are decoded
TIMEOUT = 60.0  # seconds for the decoder's one pass
SAMPLE_SIDE = 960  # pixels, longer side of the pictures that are looked at
THUMBNAILS = 12
THUMBNAIL_HEIGHT = 96
SMALL_FACE = 96  # pixels; a smaller face is enlarged so much that the result looks soft
_NOTABLE = 0.35  # of the largest face's side, from which another one counts
_CUT_DIFFERENCE = 30.0  # grey levels between neighbouring samples, where the face is gone or elsewhere
_CUT_COLOURS = 0.3  # share of the picture whose colours changed, there
_SURE_DIFFERENCE, _SURE_COLOURS = 45.0, 0.55  # the same wherever the face is
_MOVED = 0.8  # face sides between neighbouring samples
_WORTH = {"face": 1.0, "several": 0.6, "small": 0.3, "none": 0.0}  # of a sample in the choice of the best stretch
_BRIDGED = 0.5  # seconds without a face that the landmark stage bridges
_SEARCH_SLACK = 1e-3  # seconds, by which containers round their timestamps
_SHORTEST = 0.5  # seconds, of a stretch that is worth proposing

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Stretch:
    """From `start` to `end` seconds the clip shows one thing; `cut` is a sliver around a change of scene."""

    start: float
    end: float
    state: State


@dataclass(frozen=True)
class Preflight:
    """What was found in a clip.

    Attributes
    ----------
    width, height: pixels in display orientation.
    frame_rate: nominal, a second; frames: estimate for the whole file, or None.
    seconds: of the whole file, as far as it is known.
    sound: codec of the sound, or None; megabytes: of the file.
    damaged: the decoder gave up before the end.
    turn: quarters to the left after which the faces were found, 0 for a clip that stands upright.
    notes: what to know of the file, in plain words.
    late: the time for the look was up before the end, which says nothing of the file.
    times: (N,) seconds of the samples from the clip's beginning.
    states: of each sample, never "cut"; cuts: seconds at which the scene changes.
    boxes: (left, top, right, bottom) in source pixels of each face of each sample, the largest first.
    thumbnails: (seconds, picture THUMBNAIL_HEIGHT high), evenly along the clip.
    """

    width: int
    height: int
    frame_rate: float
    frames: int | None
    seconds: float
    sound: str | None
    megabytes: float
    damaged: bool
    times: tuple[float, ...]
    states: tuple[State, ...]
    boxes: tuple[tuple[Box, ...], ...]
    cuts: tuple[float, ...]
    thumbnails: tuple[tuple[float, np.ndarray], ...]
    turn: int = 0
    notes: tuple[str, ...] = ()
    late: bool = False

    @property
    def spacing(self) -> float:
        """Seconds from sample to sample."""
        return self.times[1] - self.times[0] if len(self.times) > 1 else max(self.seconds, 1 / SAMPLE_RATE)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The clip from its beginning to its end without a gap."""
        half = self.spacing / 2
        found: list[Stretch] = []
        for time, state in zip(self.times, self.states, strict=True):
            start = max(0.0, time - half)
            if found and found[-1].state == state and not any(start - half < cut < time for cut in self.cuts):
                found[-1] = dataclasses.replace(found[-1], end=time + half)
            else:
                found.append(Stretch(start, time + half, state))
        if found:
            found[-1] = dataclasses.replace(found[-1], end=max(self.seconds, found[-1].start))
        return tuple(_with_cuts(found, self.cuts, half / 2))

    def best(self, seconds: float) -> tuple[float, float] | None:
        """Start and end of the best stretch of at most `seconds`: one large face, no cut; None where there is none."""
        worth = self._worth()
        length = max(1, int(seconds / self.spacing + 1e-6))
        best: tuple[float, int, int] | None = None
        for run in self._runs():
            for first in range(run.start, max(run.start + 1, run.stop - length + 1)):
                last = min(run.stop, first + length)
                score = float(worth[first:last].sum())
                if score > 0 and (best is None or score > best[0] + 1e-9):
                    best = (score, first, last)
        if best is None:
            return None
        start = self.times[best[1]] if best[1] > 0 else 0.0
        end = self.times[best[2]] if best[2] < len(self.times) else self.seconds
        if any(start < cut < end for cut in self.cuts):  # the last sample before a cut ends the stretch
            end = min(cut for cut in self.cuts if cut > start) - self.spacing / 2
        end = min(end, start + seconds)
        return (round(start, 3), round(end, 3)) if end - start >= min(_SHORTEST, self.seconds) else None

    def _worth(self) -> np.ndarray:
        """(N,): how much each sample is worth, larger faces more."""
        sides = np.array([_side(boxes[0]) if boxes else 0.0 for boxes in self.boxes])
        size = sides / max(1.0, float(sides.max(initial=0.0)))
        return np.array([_WORTH[state] for state in self.states]) * (0.5 + 0.5 * size)

    def _runs(self) -> Iterator[range]:
        """Positions of the samples between cuts and longer stretches without a face."""
        bridged = max(1, int(_BRIDGED / self.spacing))
        start: int | None = None
        last = -1
        for position, (time, state) in enumerate(zip(self.times, self.states, strict=True)):
            cut = any(time - self.spacing < moment <= time for moment in self.cuts)
            if start is not None and (cut or (state != "none" and position - last > bridged + 1)):
                yield range(start, last + 1)
                start = None
            if state != "none":
                start, last = position if start is None else start, position
        if start is not None:
            yield range(start, last + 1)

    def share(self, state: State, start: float | None = None, end: float | None = None) -> float:
        """Share of the samples from `start` to `end` seconds that are in a state."""
        chosen = self._between(start, end)
        return sum(self.states[i] == state for i in chosen) / max(1, len(chosen))

    def side(self, start: float | None = None, end: float | None = None) -> float:
        """Median side of the largest face from `start` to `end` seconds, in source pixels; 0 without any."""
        sides = [_side(self.boxes[i][0]) for i in self._between(start, end) if self.boxes[i]]
        return float(np.median(sides)) if sides else 0.0

    def _between(self, start: float | None, end: float | None) -> list[int]:
        low, high = start or 0.0, math.inf if end is None else end
        inside = [i for i, time in enumerate(self.times) if low - 1e-6 <= time <= high + 1e-6]
        middle = (low + min(high, self.seconds)) / 2
        return inside or [min(range(len(self.times)), key=lambda i: abs(self.times[i] - middle))]

    def as_dict(self) -> dict[str, Any]:
        """All of it but the pictures, ready for JSON."""
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del record["thumbnails"]
        record["boxes"] = [[[round(value, 1) for value in box] for box in boxes] for boxes in self.boxes]
        record["times"] = [round(time, 3) for time in self.times]
        stretches = [[round(s.start, 3), round(s.end, 3), s.state] for s in self.stretches]
        return record | {"states": list(self.states), "cuts": list(self.cuts), "stretches": stretches}


def look_into(path: Path, config: VideoConfig, landmarks: LandmarkConfig, runtime: Runtime) -> Preflight:
    """Find out what a clip holds, all of it, whatever trim is chosen later.

    Parameters
    ----------
    path: a file of unknown origin.
    config: limits of megabytes and pixels, checked before anything is decoded; a long clip is no error here.
    landmarks: which face is too small.
    runtime: one step ("preflight", done, total) a sample; its cancel stops the decoder within a moment.

    Raises
    ------
    VideoError: not a readable video, or over a limit. Cancelled.
    """
    info = probe(path, config)
    rate = _rate(info.seconds)
    width, height = _fit(info.width, info.height, SAMPLE_SIDE)
    expected = max(1, math.ceil((info.seconds or MAX_SAMPLES / SAMPLE_RATE) * rate))
    looked = _Samples(info.width / width, FaceSearch(landmarks), landmarks.min_face, float(info.frame_rate / rate))
    keep = max(1, expected // THUMBNAILS)
    arguments = _sample_arguments(path, info, config, rate, width, height)
    with ffmpeg.Pictures(arguments, width * height * 3, TIMEOUT, runtime.cancel.is_set) as pictures:
        for done, data in enumerate(pictures):
            picture = np.frombuffer(data, np.uint8).reshape(height, width, 3)
            looked.add(picture, float(done / rate), keep_thumbnail=done % keep == 0)
            runtime.step(STAGE, min(done + 1, expected), expected)
    runtime.step(STAGE, expected, expected)
    if not looked.times:
        raise ffmpeg.too_slow(path.name, TIMEOUT) if pictures.late else nothing_decoded(path)
    return looked.result(info, float(1 / rate), pictures)


def frame_at(path: Path, seconds: float, config: VideoConfig, height: int = 360) -> np.ndarray:
    """The picture (h, w, 3) uint8 that a clip shows at `seconds`, at most `height` high; beyond the end the last one.

    Raises
    ------
    VideoError: not a readable video, or over a limit.
    """
    info = probe(path, config)
    return still(path, info, seconds, config, height)


def still(path: Path, info: Probe, seconds: float, config: VideoConfig, height: int) -> np.ndarray:
    """As `frame_at`, of a file that has been probed."""
    high = min(height, info.height)
    wide = max(1, round(info.width * high / info.height))
    last = info.seconds or 0.0
    # A search gives the first frame from its moment on; the one that is shown began up to a frame's length before.
    seconds -= float(1 / info.frame_rate) - _SEARCH_SLACK
    # The last frame stands before the end; where a container's length reaches beyond it, a second look goes back.
    for moment in (max(0.0, min(seconds, last)), max(0.0, last - 0.2), max(0.0, last - 1.5), 0.0):
        arguments = _still_arguments(path, info, config, moment, wide, high)
        with ffmpeg.Pictures(arguments, wide * high * 3, TIMEOUT, lambda: False) as pictures:
            found = next(iter(pictures), None)
        if found is not None:
            return np.frombuffer(found, np.uint8).reshape(high, wide, 3)
        if pictures.late:
            raise ffmpeg.too_slow(path.name, TIMEOUT)
    raise nothing_decoded(path)


def _rate(seconds: float | None) -> Fraction:
    """Samples a second, at most MAX_SAMPLES in all."""
    rate = SAMPLE_RATE if not seconds else min(SAMPLE_RATE, MAX_SAMPLES / seconds)
    return Fraction(rate).limit_denominator(10_000)


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _guards(config: VideoConfig) -> list[str]:
    return ["-loglevel", "error", "-max_pixels", str(int(config.max_pixels * DECODER_SLACK))]


def _scaled(info: Probe, width: int, height: int) -> str:
    return f"scale={width}:{height}:flags=area:in_color_matrix={info.colours.matrix}:out_range=pc,format=rgb24"


def _sample_arguments(
    path: Path, info: Probe, config: VideoConfig, rate: Fraction, width: int, height: int
) -> list[str]:
    """Write `rate` small pictures a second to stdout; what no other frame needs is not decoded, nor smoothed."""
    # A browser's recording does not tell its length and may have a single key frame; MAX_SAMPLES ends it in time.
    long = info.seconds is not None and info.seconds > LONG_SECONDS
    quick = ["-skip_loop_filter", "all", "-skip_frame", "nokey" if long else "noref"]
    filters = f"fps={rate.numerator}/{rate.denominator}:round=near,{_scaled(info, width, height)}"
    output = [
        "-map",
        f"0:V:{info.stream}",
        "-vf",
        filters,
        "-frames:v",
        str(MAX_SAMPLES + 2),
        "-f",
        "rawvideo",
        "pipe:1",
    ]
    return [*_guards(config), *quick, *ffmpeg.source_arguments(path), *output]


def _still_arguments(
    path: Path, info: Probe, config: VideoConfig, seconds: float, width: int, height: int
) -> list[str]:
    output = [
        "-map",
        f"0:V:{info.stream}",
        "-vf",
        _scaled(info, width, height),
        "-frames:v",
        "1",
        "-f",
        "rawvideo",
        "pipe:1",
    ]
    return [*_guards(config), "-ss", f"{seconds:.6f}", *ffmpeg.source_arguments(path), *output]


class _Samples:
    """What is gathered on the way through a clip."""

    def __init__(self, zoom: float, search: FaceSearch, min_face: int, frames_apart: float) -> None:
        self.zoom, self.search, self.min_face, self.frames_apart = zoom, search, min_face, frames_apart
        self.times: list[float] = []
        self.found: list[list[tuple[int, Face]]] = []  # number of the track and place in the source
        self.cuts: list[int] = []  # positions of the first samples of scenes
        self.thumbnails: list[tuple[float, np.ndarray]] = []
        self.before: np.ndarray | None = None

    def add(self, picture: np.ndarray, seconds: float, keep_thumbnail: bool) -> None:
        """Look at the next sample (h, w, 3) uint8."""
        frame = round(len(self.times) * self.frames_apart)
        faces = [(track, _enlarged(face, self.zoom)) for track, face in self.search.faces(frame, picture)]
        small = _signature(picture)
        if self.before is not None and _is_cut(self.before, small, self.found[-1], faces):
            self.cuts.append(len(self.times))
        self.before = small
        self.times.append(seconds)
        self.found.append(faces)
        if keep_thumbnail and len(self.thumbnails) < THUMBNAILS:
            height, width = picture.shape[:2]
            size = max(1, round(width * THUMBNAIL_HEIGHT / height)), THUMBNAIL_HEIGHT
            self.thumbnails.append((seconds, np.array(Image.fromarray(picture).resize(size))))

    def result(self, info: Probe, spacing: float, pictures: ffmpeg.Pictures) -> Preflight:
        seen: dict[int, int] = {}
        for faces in self.found:
            for track, _ in faces:
                seen[track] = seen.get(track, 0) + 1
        kept = [[face for track, face in faces if seen[track] > 1 or len(faces) == 1] for faces in self.found]
        seconds = info.seconds or len(self.times) * spacing
        return Preflight(
            width=info.width,
            height=info.height,
            frame_rate=float(info.frame_rate),
            frames=info.frames,
            seconds=seconds,
            sound=info.audio,
            megabytes=info.size / 1e6,
            damaged=pictures.damaged,
            turn=self.search.turn,
            notes=info.warnings,
            late=pictures.late,
            times=tuple(self.times),
            states=tuple(judge(faces, self.min_face) for faces in kept),
            boxes=tuple(tuple(face.box for face in faces) for faces in kept),
            cuts=tuple(round((self.times[i - 1] + self.times[i]) / 2, 3) for i in self.cuts),
            thumbnails=tuple(self.thumbnails),
        )


def judge(faces: Sequence[Face], min_face: int) -> State:
    """The state of a moment with these faces, the largest first."""
    if not faces:
        return "none"
    if not faces[0].is_usable(min_face):
        return "small"
    others = [face for face in faces[1:] if face.side >= _NOTABLE * faces[0].side]
    return "several" if others else "face"


def _signature(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((64, 36), Image.Resampling.BOX), dtype=np.float32)


def _is_cut(
    before: np.ndarray, after: np.ndarray, faces_before: list[tuple[int, Face]], faces_after: list[tuple[int, Face]]
) -> bool:
    """Whether a new scene begins between two samples: by their pictures, and by where the face is."""
    difference = float(np.abs(before - after).mean())
    colours = _colour_distance(before, after)
    if difference > _SURE_DIFFERENCE and colours > _SURE_COLOURS:
        return True
    return difference > _CUT_DIFFERENCE and colours > _CUT_COLOURS and _moved(faces_before, faces_after)


def _colour_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the pixels, 0 to 1, whose colour has no counterpart in the other picture, in 4 x 4 x 4 classes."""
    counts = []
    for picture in (a, b):
        classes = (np.clip(picture, 0, 255) // 64).astype(np.int64).reshape(-1, 3) @ np.array([16, 4, 1])
        counts.append(np.bincount(classes, minlength=64) / len(classes))
    return float(np.abs(counts[0] - counts[1]).sum() / 2)


def _moved(before: list[tuple[int, Face]], after: list[tuple[int, Face]]) -> bool:
    """Whether the largest face is another one, gone, come, or far from where it was."""
    if not before or not after:
        return bool(before) != bool(after)
    (track, old), (other, new) = before[0], after[0]
    return track != other or float(np.linalg.norm(old.centre - new.centre)) > _MOVED * max(old.side, new.side)


def _enlarged(face: Face, zoom: float) -> Face:
    left, top, right, bottom = (value * zoom for value in face.box)
    return face.at((left, top, right, bottom))


def _side(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _with_cuts(stretches: list[Stretch], cuts: Sequence[float], reach: float) -> Iterator[Stretch]:
    """The same stretches with a sliver of `reach` seconds on both sides of each cut."""
    edges = sorted({s.start for s in stretches} | {stretches[-1].end} if stretches else set())
    slivers = [(max(0.0, cut - reach), cut + reach) for cut in cuts]
    points = sorted({*edges, *itertools.chain.from_iterable(slivers)})
    last: Stretch | None = None
    for start, end in itertools.pairwise(point for point in points if point <= edges[-1]):
        middle = (start + end) / 2
        state: State = next(s.state for s in stretches if s.start <= middle <= s.end)
        if any(low <= middle <= high for low, high in slivers):
            state = "cut"
        if last is not None and last.state == state:
            last = dataclasses.replace(last, end=end)
            continue
        if last is not None:
            yield last
        last = Stretch(start, end, state)
    if last is not None:
        yield last
