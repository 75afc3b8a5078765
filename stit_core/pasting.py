"""Edited faces into the frames of their clip, of one person or of several, as the finished video has them.

What a person's edit changes reaches beyond the face. Where another's crop overlaps, it is kept off the other's face,
whether or not the other is edited too.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from stit_core.artefacts import Clip, Stitched
from stit_core.config import VideoConfig
from stit_core.marks import Mark, add_mark, place_mark
from stit_core.media import video
from stit_core.media.sources import check_source
from stit_core.pipeline import Pipeline
from stit_core.scene import Scene
from stit_core.stages import compositing
from stit_core.stages.layering import Layer


class Pasting:
    """Pastes the faces that `stitch` made into the frames of an opened clip.

    Parameters
    ----------
    pipeline: with all that holds for everybody: the settings of the video and the mark, and the runtime.
    clip: opened by it.
    pipelines: of everybody who is edited, by number; None for the one person whom `pipeline` edits.

    Raises
    ------
    FaceError: nobody is found in the clip.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip, pipelines: Mapping[int, Pipeline] | None = None) -> None:
        self.pipeline, self.clip = pipeline, clip
        self.pipelines = {pipeline.landmarks(clip).index: pipeline} if pipelines is None else pipelines

    @functools.cached_property
    def scene(self) -> Scene:
        """Where everyone of the clip stands, edited or not. Raises FaceError."""
        pipeline, edited = self.pipeline, list(self.pipelines)
        followed, aligned = pipeline.config.landmarks, pipeline.config.alignment

        def look() -> Scene:
            return Scene(self.clip, pipeline.people(self.clip), followed, aligned, edited)

        name = f"scene-{pipeline.key('landmarks', self.clip)}-{followed}-{aligned}-{edited}"
        return pipeline.results.keep(name, Scene, look)

    @functools.cached_property
    def mark(self) -> Mark | None:
        """The visible mark, in a corner that all faces leave free; None where none is wanted."""
        if not self.pipeline.config.compositing.mark:
            return None

        def place() -> Mark:
            quads = np.concatenate([own.align(self.clip).quads for own in self.pipelines.values()])
            return place_mark(self.clip.width, self.clip.height, quads)

        keys = [own.key("align", self.clip) for own in self.pipelines.values()]
        return self.pipeline.results.keep(f"mark-{keys}", Mark, place)

    def preview(self, frame: int, faces: Mapping[int, np.ndarray]) -> np.ndarray:
        """A frame (H, W, 3) uint8 of the clip with these faces, by number, and the mark: as the video will have it."""
        picture = self.paste(frame, self.clip.frames.read(frame), faces)
        return picture if self.mark is None else add_mark(picture, self.mark)

    def paste(self, frame: int, picture: np.ndarray, faces: Mapping[int, np.ndarray]) -> np.ndarray:
        """A frame (H, W, 3) uint8 of the source with these faces, by number; nobody else's face is changed."""
        if len(faces) == 1:
            ((number, face),) = faces.items()
            if not self.scene.neighbours(number, frame):
                return self.paste_alone(number, frame, picture, face)
        layers = {number: self._layer(number, frame, picture, face) for number, face in faces.items()}
        return self.scene.together(frame, picture, layers) if layers else picture

    def paste_alone(self, number: int, frame: int, picture: np.ndarray, face: np.ndarray) -> np.ndarray:
        """The same of one person, as if nobody else were there."""
        own = self.pipelines[number]
        mask, pivot = (functools.partial(ask, number, frame) for ask in (self.mask, self.pivot))
        return compositing.paste_face(picture, face, own.align(self.clip).quad(frame), own.config, mask, pivot)

    def mask(self, number: int, frame: int) -> np.ndarray:
        """The full mask (S, S) uint8 of a person's crop."""
        return self.pipelines[number].masks(self.clip).full(frame)

    def pivot(self, number: int, frame: int) -> np.ndarray:
        """The tuned pivot (S, S, 3) uint8 of a person's crop."""
        return self.pipelines[number].pivot(self.clip, frame)

    def _layer(self, number: int, frame: int, picture: np.ndarray, face: np.ndarray) -> Layer:
        edited, points = self.paste_alone(number, frame, picture, face), self.pipelines[number].landmarks(self.clip)
        at = points.points[points.frame_indices.index(frame)]
        quad = self.pipelines[number].align(self.clip).quad(frame)
        return Layer(at, quad, edited, self.mask(number, frame))

    def composited(self, made: Mapping[int, Stitched], part: Clip | None = None) -> Iterator[np.ndarray]:
        """Every frame of the clip, or of a part of it, with the faces that are made of each person."""
        clip = part or self.clip
        people = {number: (self.pipelines[number].align(self.clip), faces) for number, faces in made.items()}
        return compositing.composite(clip, people, self.paste, self.mark, self.pipeline.runtime)

    def write(
        self,
        made: Mapping[int, Stitched],
        output: Path,
        label: video.Label | None = None,
        part: Clip | None = None,
        config: VideoConfig | None = None,
    ) -> video.Written:
        """Write the video of the clip, or of a part of it under a configuration of its own. Raises VideoError."""
        pipeline, clip = self.pipeline, part or self.clip
        check_source(clip.source, pipeline.run_of(clip))
        started = time.perf_counter()
        pictures = self.composited(made, part)
        written = video.write_video(pictures, clip, output, config or pipeline.config.video, pipeline.runtime, label)
        pipeline.results.seconds["write"] = time.perf_counter() - started
        return written
