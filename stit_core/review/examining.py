"""One picture or clip on its way through the pipeline, and what is measured of it before and after each edit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from stit_core.artefacts import Clip, Stitched
from stit_core.errors import FaceError
from stit_core.faces.reading import draw_faces
from stit_core.metrics import seam_error
from stit_core.pipeline import Pipeline
from stit_core.previews import transferred_crop
from stit_core.review.colour import colour_difference, hue_turn, same_skin, skin_colour
from stit_core.review.reading import (
    CropReader,
    CropReading,
    face_mask,
    face_psnr,
    landmark_error,
    place_points,
    sharpness,
)
from stit_core.runtime import Runtime

READ_FRAMES = 5  # of a clip that are read, spread over those with a face
SHOWN_FRAMES = 24  # of a clip's animation

Values = dict[str, Any]
Prepare = Callable[[Pipeline, Clip], None]


class Examination:
    """A source and its edits under one pipeline.

    Parameters
    ----------
    pipeline: with the settings of the review and no edit.
    clip: the source, one frame of a still.
    reader: the instruments.
    prepare: called before heavy stages of a clip are needed, to have them made elsewhere; None for a still.

    Raises
    ------
    FaceError: no face in it, or one that is too small.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip, reader: CropReader, prepare: Prepare | None = None) -> None:
        self.pipeline, self.clip, self.reader, self.prepare = pipeline, clip, reader, prepare
        self.crops = pipeline.align(clip)
        frames = self.crops.frame_indices
        if not frames:
            raise FaceError("No face was found.", "Use a picture of a face that looks towards the camera.")
        self.frames = spread_over(frames, READ_FRAMES)
        self.shown = spread_over(frames, SHOWN_FRAMES)
        self.sources = [self.crops.crops.read(frame) for frame in self.frames]
        self.readings = reader.read(np.stack(self.sources), mirrored=True)

    def source(self) -> tuple[Values, list[np.ndarray]]:
        """What is known before any edit, and the crops to be shown. Raises StitError of a stage that fails."""
        values: Values = {
            "attributes": _mean(self.readings, lambda r: r.attributes),
            "mirrored": _mean(self.readings, lambda r: r.mirrored),
            "figures": _mean(self.readings, lambda r: r.figures),
            "embedding": _mean(self.readings, lambda r: r.embedding),
            "frames": len(self.crops.frame_indices),
            "face_pixels": float(np.linalg.norm(self.crops.quads[0][3] - self.crops.quads[0][0])),
            **self._reconstruction(),
        }
        colours = [skin_colour(crop, same_skin(r.labels)) for crop, r in zip(self.sources, self.readings, strict=True)]
        known = [colour for colour in colours if colour is not None]
        if known:
            values |= {name: float(np.mean([getattr(c, name) for c in known])) for name in ("lightness", "hue", "ita")}
        return values, [self.crops.crops.read(frame) for frame in self.shown]

    def _reconstruction(self) -> Values:
        """How near encoder and tuning come: PSNR and LPIPS of the face, landmark error in per cent."""
        if self.prepare is not None:
            self.prepare(self.pipeline, self.clip)
        tuned = self.pipeline.tune(self.clip)
        pivots = self.pipeline.invert(self.clip)
        rows = [self.crops.frame_indices.index(frame) for frame in self.frames]
        encoded = draw_faces(self.pipeline.models.generator, pivots.w_plus[rows], self.pipeline.runtime)
        fitted = draw_faces(self.pipeline.tuned_generator(self.clip), tuned.w_plus[rows], self.pipeline.runtime)
        values: Values = {}
        for name, made in (("encoder", encoded), ("tuned", fitted)):
            found = [self._fidelity(k, picture) for k, picture in enumerate(made)]
            for place, measure in enumerate(("psnr", "lpips", "landmark_error")):
                values[f"{name}_{measure}"] = _nanmean([row[place] for row in found])
        return values

    def _fidelity(self, place: int, made: np.ndarray) -> tuple[float, float, float]:
        source, reading = self.sources[place], self.readings[place]
        mask = face_mask(reading.labels)
        return (
            face_psnr(source, made, mask),
            self.reader.distance(source, made, mask),
            landmark_error(reading.points, place_points(made)),
        )

    def edit(self, name: str, factor: float) -> tuple[Values, list[np.ndarray]]:
        """What an edit did, and the edited crops to be shown. Raises StitError of a stage that fails."""
        config = self.pipeline.config.with_changes({"edit": {"directions": ((name, factor),)}})
        pipeline = self.pipeline.with_config(config)
        finished, more = self._finished(pipeline)
        edited = [finished(frame) for frame in self.frames]
        readings = self.reader.read(np.stack(edited))
        values: Values = {
            "attributes": _mean(readings, lambda r: r.attributes),
            "figures": _mean(readings, lambda r: r.figures),
            "identity": _nanmean([float(a.embedding @ b.embedding) for a, b in self._pairs(readings)]),
            "change": _nanmean([self.reader.distance(a, b) for a, b in zip(self.sources, edited, strict=True)]),
            "sharpness": _nanmean(
                [
                    sharpness(a, b, face_mask(r.labels))
                    for a, b, r in zip(self.sources, edited, self.readings, strict=True)
                ]
            ),
            **self._skin(edited, readings),
        }
        if more:
            values |= more
        else:
            masks = self.pipeline.masks(self.clip)
            seams = [
                seam_error(source, crop, masks.full(frame))
                for source, crop, frame in zip(self.sources, edited, self.frames, strict=True)
            ]
            values["seam"] = _nanmean(seams)
        known = dict(zip(self.frames, edited, strict=True))
        return values, [known[frame] if frame in known else finished(frame) for frame in self.shown]

    def _finished(self, pipeline: Pipeline) -> tuple[Callable[[int], np.ndarray], Values]:
        """A function from a frame to its finished crop, and of a clip what every edit is measured by."""
        clip = self.clip
        if len(clip.frames) == 1 and pipeline.transfers:
            return lambda frame: transferred_crop(pipeline, clip, frame), {}  # the same picture, nothing stored
        if self.prepare is not None:
            self.prepare(pipeline, clip)
        stitched: Stitched = pipeline.stitch(clip)
        more: Values = {}
        if len(clip.frames) > 1:
            measured = pipeline.measure(clip)
            more = {"seam": float(measured.seam.mean()), "tl_id": measured.tl_id, "tg_id": measured.tg_id}
        return lambda frame: pipeline.finished_crop(clip, frame, stitched.crops.read(frame)), more

    def _pairs(self, readings: list[CropReading]) -> list[tuple[CropReading, CropReading]]:
        return list(zip(self.readings, readings, strict=True))

    def _skin(self, edited: list[np.ndarray], readings: list[CropReading]) -> Values:
        """Colour of the same skin before and after; empty where there is hardly any."""
        rows = []
        for source, crop, (before, after) in zip(self.sources, edited, self._pairs(readings), strict=True):
            mask = same_skin(before.labels, after.labels)
            first, second = skin_colour(source, mask), skin_colour(crop, mask)
            if first is not None and second is not None:
                lighter, turn = second.lightness - first.lightness, hue_turn(first, second)
                rows.append((lighter, turn, second.ita - first.ita, colour_difference(first, second)))
        if not rows:
            return {}
        names = ("lighter", "hue_turn", "ita_change", "colour_difference")
        return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def spread_over(frames: tuple[int, ...], count: int) -> list[int]:
    """At most `count` of some frames, evenly spread."""
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[place] for place in dict.fromkeys(places.tolist())]


def quiet(runtime: Runtime) -> Runtime:
    """The same runtime without progress and previews of single stages; its stop token stays."""
    return dataclasses.replace(runtime, progress=lambda *_: None, preview=None, figures=None)


def _mean(readings: list[CropReading], of: Callable[[CropReading], np.ndarray]) -> np.ndarray:
    return np.mean([of(reading) for reading in readings], axis=0)  # type: ignore[no-any-return]


def _nanmean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
