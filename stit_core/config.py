"""Every setting of every stage, with its default, its unit and its range.

The page and the command line read their defaults from here and nowhere else. `preset` gives a whole schedule; a pack
may adjust the rates and step counts of `balanced` and `draft` to its generator, never those of `paper`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stit_core.errors import ConfigError

PresetName = Literal["paper", "balanced", "draft"]
Method = Literal["stitch", "transfer"]
METHODS: tuple[Method, ...] = ("stitch", "transfer")
Region = Literal["auto", "face", "eyes", "mouth", "head"]
REGIONS: tuple[Region, ...] = ("auto", "face", "eyes", "mouth", "head")  # what each holds: regions.py
PRESETS: tuple[PresetName, ...] = ("paper", "balanced", "draft")
SPEEDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")  # of x264


_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {  # how an annotation begins -> what it takes
    "bool": ("true or false", (bool,)),
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "str": ("a word", (str,)),
    "Literal": ("a word", (str,)),
    "Region": ("a word", (str,)),
    "PresetName": ("a word", (str,)),
    "Method": ("a word", (str,)),
    "tuple": ("a list", (tuple,)),
}
_SHOWN = 60  # characters of a value that an error repeats


def shown(value: object) -> str:
    """A value as an error shows it, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


class _Settings:
    """A dataclass of settings whose fields have the types that they are annotated with, and their ranges."""

    def __post_init__(self) -> None:
        for field_ in dataclasses.fields(self):  # type: ignore[arg-type]
            _check_kind(self, field_.name, str(field_.type))
        self._check_ranges()

    def _check_ranges(self) -> None:
        """Raise ConfigError where a value cannot be; all are of the right type."""


def _check_kind(config: object, name: str, annotation: str) -> None:
    value = getattr(config, name)
    kind = next((word for word in _KINDS if annotation.startswith(word)), None)
    if kind is None or (value is None and "None" in annotation):
        return
    wanted, types = _KINDS[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
        message = f"{type(config).__name__}.{name} is {shown(value)}, but it takes {wanted}."
        raise ConfigError(message, "Write numbers plainly, true or false, lists as [1, 2].")


def _check(config: object, name: str, low: float, high: float) -> None:
    """Refuse a number out of range."""
    value = getattr(config, name)
    if value is not None and not low <= value <= high:
        number = "number" if "float" in str(type(config).__annotations__[name]) else "whole number"
        raise ConfigError(
            f"{type(config).__name__}.{name} is {shown(value)}.",
            f"Choose a {number} from {low:g} to {high:g} for '{name}'.",
        )


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class VideoConfig(_Settings):
    """Reading and writing of video files."""

    start: float | None = None  # seconds into the source; None: its beginning
    end: float | None = None  # seconds into the source; None: its end
    max_seconds: float = 60.0  # of the trimmed part
    max_frames: int = 1800  # of the trimmed part
    max_pixels: int = 3840 * 2160  # of one frame
    max_megabytes: float = 512.0  # of the source file
    timeout: float = 900.0  # seconds for one call of ffmpeg
    crf: int = 16  # x264 quality, 0 lossless ... 51 worst
    speed: str = "medium"  # x264 preset

    def _check_ranges(self) -> None:
        _check(self, "start", 0.0, 1e6)
        _check(self, "end", 0.0, 1e6)
        _check(self, "max_seconds", 0.1, 1e5)
        _check(self, "max_frames", 1, 10_000_000)
        _check(self, "max_pixels", 64, 2**31)
        _check(self, "max_megabytes", 0.01, 1e6)
        _check(self, "timeout", 1.0, 1e6)
        _check(self, "crf", 0, 51)
        if self.speed not in SPEEDS:
            raise ConfigError(f"The encoder's speed is {self.speed!r}.", f"Choose one of {', '.join(SPEEDS)}.")
        if self.start is not None and self.end is not None and self.end <= self.start:
            message = f"The end ({self.end:g} s) is not after the start ({self.start:g} s)."
            raise ConfigError(message, "Choose a later end.")


@dataclass(frozen=True)
class LandmarkConfig(_Settings):
    """Finding, choosing and tracking one face."""

    face: int | None = None  # index of the face in the first frame that has one, largest first; None: the largest
    point: tuple[float, float] | None = None  # x, y in source pixels: the face there, instead of `face`
    point_frame: int | None = None  # frame in which the face stands at `point`; None: the first that has one there
    max_gap: int = 15  # frames without a face that are bridged by interpolation
    min_face: int = 40  # pixels, side of the smallest face that is used
    second_detector: bool = True  # ask face-alignment where dlib finds nothing and its weights are at hand

    def _check_ranges(self) -> None:
        _check(self, "face", 0, 100)
        _check(self, "point_frame", 0, 10_000_000)
        _check(self, "max_gap", 0, 1000)
        _check(self, "min_face", 16, 4096)
        if self.point is not None and not (len(self.point) == 2 and all(map(_is_finite, self.point))):
            raise ConfigError(f"The point of the face is {self.point!r}.", "Give its x and y in pixels, two numbers.")


@dataclass(frozen=True)
class AlignmentConfig(_Settings):
    """Landmarks to smoothed quads to crops (STIT's FFHQ-style alignment)."""

    center_sigma: float = 1.0  # frames, Gaussian smoothing of the centre; 0 turns it off
    xy_sigma: float = 3.0  # frames, Gaussian smoothing of the two axes; 0 turns it off
    scale: float = 1.0  # of the quad; 1 is FFHQ's framing

    def _check_ranges(self) -> None:
        _check(self, "center_sigma", 0.0, 100.0)
        _check(self, "xy_sigma", 0.0, 100.0)
        _check(self, "scale", 0.5, 2.0)


@dataclass(frozen=True)
class InversionConfig(_Settings):
    """Crops to pivots."""

    batch_size: int = 4  # frames; a stop waits for a batch, and the e4e encoder takes a second a frame on two cores

    def _check_ranges(self) -> None:
        _check(self, "batch_size", 1, 256)


@dataclass(frozen=True)
class TuningConfig(_Settings):
    """Pivotal tuning (PTI): generator weights fitted to the crops with the pivots held.

    One pass is every frame once, with `key_frames` every key frame; an optimiser step takes `batch_size` frames.
    """

    passes: int = 80
    batch_size: int = 1  # frames per optimiser step
    lr: float = 3e-5  # Adam, generator weights; 0, where pivots move, leaves them as they are
    pivot_lr: float = 0.0  # Adam, pivots; 0 holds them as PTI does
    final_lr: float = 1.0  # the rates fall along a cosine to this fraction of themselves; 1 keeps them constant
    beta1: float = 0.9
    beta2: float = 0.999
    l2_weight: float = 10.0
    lpips_weight: float = 1.0
    target_psnr: float | None = None  # dB; stop after a pass whose mean PSNR is above it
    key_frames: int | None = None  # frames at most that are fitted, spread over the clip; None: all of them
    expression: float = 0.0  # reach in factors of directions that give pivots the source's expression; 0 turns it off
    smoothing: float = 0.0  # frames, Gaussian smoothing of the pivots over time; 0 turns it off
    freeze_below: int = 0  # pixels; blocks of a lower resolution keep their weights
    resolution: int | None = None  # pixels at which pictures are compared, blocks above it untouched; None: the crops'
    locality_weight: float = 0.0  # alpha of PTI's locality regulariser; 30 when on
    locality_l2_weight: float = 0.1
    locality_lpips_weight: float = 0.1
    locality_truncation: float = 0.5

    def _check_ranges(self) -> None:
        _check(self, "passes", 0, 10_000)
        _check(self, "batch_size", 1, 256)
        _check(self, "pivot_lr", 0.0, 1.0)
        _check(self, "lr", 0.0 if self.pivot_lr > 0 else 1e-8, 1.0)
        _check(self, "final_lr", 0.0, 1.0)
        _check(self, "beta1", 0.0, 0.99999)
        _check(self, "beta2", 0.0, 0.99999)
        _check(self, "l2_weight", 0.0, 1e4)
        _check(self, "lpips_weight", 0.0, 1e4)
        _check(self, "target_psnr", 1.0, 100.0)
        _check(self, "key_frames", 1, 10_000)
        _check(self, "expression", 0.0, 10.0)
        _check(self, "smoothing", 0.0, 100.0)
        _check(self, "freeze_below", 0, 4096)
        _check(self, "resolution", 8, 4096)
        _check(self, "locality_weight", 0.0, 1e4)
        _check(self, "locality_l2_weight", 0.0, 1e4)
        _check(self, "locality_lpips_weight", 0.0, 1e4)
        _check(self, "locality_truncation", 0.0, 1.0)


@dataclass(frozen=True)
class EditConfig(_Settings):
    """What to change: w_edit = w + sum(factor * direction), no hidden scale."""

    directions: tuple[tuple[str, float], ...] = ()  # (name, factor)
    freeze_from: int | None = None  # style layers from this one on keep their mean over the clip; None: none does
    styles: bool = False  # add the directions in style space (affine outputs) rather than in W+

    def _check_ranges(self) -> None:
        _check(self, "freeze_from", 0, 64)
        for pair in self.directions:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise ConfigError(f"{shown(pair)} is no direction.", "Give pairs of a name and a factor.")
            name, factor = pair
            if not _is_finite(factor) or not abs(factor) <= 100:
                raise ConfigError(f"The factor of '{name}' is {factor!r}.", "Choose a number from -100 to 100.")


@dataclass(frozen=True)
class MaskConfig(_Settings):
    """Face parsing to content, border and full masks. Dilations are in pixels of a 1024 px crop, as in STIT."""

    background: tuple[int, ...] = (0, 18, 16)  # parser classes: background, hat, cloth
    outer_dilation: int = 50
    inner_dilation: int = 0
    whole_image_border: bool = False  # the border reaches to the edge of the crop
    smoothing: int = 0  # frames before and after over which the face's outline is a majority; STIT: 0

    def _check_ranges(self) -> None:
        if not self.background or any(type(label) is not int or not 0 <= label < 19 for label in self.background):
            message = f"The parser classes of the background are {self.background!r}."
            raise ConfigError(message, "Choose whole numbers from 0 to 18, such as [0, 18, 16].")
        _check(self, "smoothing", 0, 30)
        _check(self, "outer_dilation", 0, 256)
        _check(self, "inner_dilation", 0, 256)


@dataclass(frozen=True)
class StitchConfig(_Settings):
    """Stitching tuning: generator weights fitted to the source on the border and to the edit on the content.

    With window > 1 the generator is first fitted to `window` frames at once for `window_steps` steps; each frame is
    then polished for up to `steps` steps, from between the fits around it. window = 1 is STIT: a fresh start for each
    frame. With noise_lr > 0 the polish moves the frame's noise planes too, or, with lr = 0, them alone.
    With target "pivot" the border meets the tuned pivot instead of the source, which the generator can draw, and what
    the pivot lacks of the source is added when the crop is pasted (stit_core/change/detail.py).
    """

    steps: int = 100  # per frame
    lr: float = 3e-4  # Adam, weights, with windows along a cosine; 0 where only noise planes shall move
    window: int = 1  # frames at most; windows of a clip are alike in length
    window_steps: int = 0
    batch_size: int = 1  # frames per window step
    window_lr: float = 1e-3  # Adam, while a window is fitted; falls along a cosine
    noise_lr: float = 0.0  # Adam, noise planes above 32 px while a frame is polished; 0: none move
    freeze_below: int = 0  # pixels; blocks of a lower resolution keep their tuned weights
    content_weight: float = 0.01
    target: Literal["source", "pivot"] = "source"  # what the border has to meet; STIT: the source
    loss: Literal["l2", "l1"] = "l2"
    threshold: float | None = None  # border loss below which a frame is finished; STIT: 0.005 easy, 0.002 exact

    def _check_ranges(self) -> None:
        _check(self, "steps", 0, 10_000)
        _check(self, "lr", 0.0 if self.noise_lr > 0 else 1e-8, 1.0)
        _check(self, "window", 1, 10_000)
        _check(self, "window_steps", 0, 10_000)
        _check(self, "batch_size", 1, 256)
        _check(self, "window_lr", 1e-8, 1.0)
        _check(self, "noise_lr", 0.0, 10.0)
        _check(self, "freeze_below", 0, 4096)
        _check(self, "content_weight", 0.0, 1e4)
        _check(self, "threshold", 0.0, 10.0)
        if self.target not in ("source", "pivot"):
            raise ConfigError(f"The stitching target is {self.target!r}.", "Choose 'source' or 'pivot'.")
        if self.loss not in ("l2", "l1"):
            raise ConfigError(f"The stitching loss is {self.loss!r}.", "Choose 'l2' or 'l1'.")


@dataclass(frozen=True)
class TransferConfig(_Settings):
    """The change from tuned pivot to edit, given to the source's own pixels (method "transfer")."""

    region: Region = "auto"  # where: what the directions' cards say, the face, eyes, mouth, or the whole head
    motion: float = 1.0  # share of the change's motion that is taken over
    shade: float = 1.0  # share of the change's shade
    fresh: float = 1.0  # share of what the source does not have: teeth, lids
    registration_sigma: float = 2.0  # frames, Gaussian smoothing of the way from source to pivot; 0 turns it off
    every: int = 1  # frames: the change is read in one of so many, and carried to those between
    steadying: int = 2  # frames before and after over which the change is averaged along the source's motion
    anatomy: bool = False  # hue of skin, inside of mouths and jaw by what is known of them, for small generators

    def _check_ranges(self) -> None:
        if self.region not in REGIONS:
            raise ConfigError(f"The region is {self.region!r}.", f"Choose one of {', '.join(REGIONS)}.")
        _check(self, "motion", 0.0, 1.0)
        _check(self, "shade", 0.0, 1.0)
        _check(self, "fresh", 0.0, 1.0)
        _check(self, "registration_sigma", 0.0, 100.0)
        _check(self, "steadying", 0, 30)
        _check(self, "every", 1, self.steadying + 1)


@dataclass(frozen=True)
class CompositeConfig(_Settings):
    """Pasting the crops back."""

    feather: float | None = None  # pixels of a 1024 px crop; None: half of the outer dilation, as in STIT; 0: none
    mark: bool = False  # a visible "AI-edited" in the corner of every frame

    def _check_ranges(self) -> None:
        _check(self, "feather", 0.0, 256.0)


@dataclass(frozen=True)
class DirectionTrainingConfig(_Settings):
    """Labelled pictures to an edit direction."""

    hold: tuple[str, ...] = ()  # directions whose span is taken out of the new one
    aligned: bool = False  # the pictures are aligned crops already
    folds: int = 5  # of the outer cross-validation, by person
    seed: int = 0
    batch_size: int = 8  # pictures a call of the encoder

    def _check_ranges(self) -> None:
        if not all(isinstance(name, str) for name in self.hold):
            raise ConfigError(f"The directions to hold are {shown(self.hold)}.", "Give their names.")
        _check(self, "folds", 2, 50)
        _check(self, "seed", 0, 2**32 - 2)
        _check(self, "batch_size", 1, 256)


@dataclass(frozen=True)
class RunConfig(_Settings):
    """The settings of a whole run, one part a stage."""

    preset: PresetName = "balanced"
    method: Method = "stitch"
    video: VideoConfig = field(default_factory=VideoConfig)
    landmarks: LandmarkConfig = field(default_factory=LandmarkConfig)
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    inversion: InversionConfig = field(default_factory=InversionConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    edit: EditConfig = field(default_factory=EditConfig)
    masks: MaskConfig = field(default_factory=MaskConfig)
    stitching: StitchConfig = field(default_factory=StitchConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    compositing: CompositeConfig = field(default_factory=CompositeConfig)

    def with_changes(self, changes: Mapping[str, Mapping[str, Any]]) -> RunConfig:
        """A copy with some settings replaced: {"tuning": {"passes": 20}, ...}.

        Raises
        ------
        ConfigError: a stage or setting that does not exist, or a value out of range.
        """
        parts: dict[str, Any] = {}
        for stage, values in changes.items():
            part = getattr(self, stage, None)
            if not dataclasses.is_dataclass(part) or isinstance(part, type):
                raise ConfigError(f"There is no stage '{stage}'.", f"Stages: {', '.join(_stage_names())}.")
            known = {f.name for f in dataclasses.fields(part)}
            unknown = sorted(set(values) - known)
            if unknown:
                raise ConfigError(f"'{stage}' has no setting '{unknown[0]}'.", f"Settings: {', '.join(sorted(known))}.")
            parts[stage] = dataclasses.replace(part, **values)
        return dataclasses.replace(self, **parts)


def _stage_names() -> list[str]:
    return [f.name for f in dataclasses.fields(RunConfig) if f.name not in ("preset", "method")]


_SCHEDULES: dict[str, dict[str, dict[str, Any]]] = {
    # STIT, section 4 and its published scripts: Adam, one frame a step, no early stop.
    "paper": {"inversion": {"batch_size": 1}},
    "balanced": {
        "tuning": {"passes": 30, "batch_size": 4, "lr": 3e-4, "final_lr": 0.1},
        "masks": {"smoothing": 2},
        "stitching": {
            "target": "pivot",
            "steps": 8,
            "window": 16,
            "window_steps": 40,
            "batch_size": 4,
            "threshold": 0.004,
        },
    },
    "draft": {
        "tuning": {"passes": 8, "batch_size": 4, "lr": 5e-4, "final_lr": 0.1},
        "masks": {"smoothing": 2},
        "stitching": {
            "target": "pivot",
            "steps": 8,
            "window": 32,
            "window_steps": 30,
            "batch_size": 4,
            "threshold": 0.008,
        },
    },
}


# With method "transfer", instead of the above: gently tuned, so that the directions keep their meaning.
_TRANSFER_SCHEDULES: dict[str, dict[str, dict[str, Any]]] = {
    "balanced": {
        "tuning": {"passes": 4, "batch_size": 4, "lr": 5e-4, "pivot_lr": 0.03, "final_lr": 0.1},
        "masks": {"smoothing": 2},
        "transfer": {"every": 2},
    },
    "draft": {
        "tuning": {"passes": 2, "batch_size": 4, "lr": 1e-3, "pivot_lr": 0.05, "final_lr": 0.1},
        "masks": {"smoothing": 2},
        "transfer": {"every": 3},
    },
}


def preset(name: str, schedules: Mapping[str, Any] | None = None, method: str | None = None) -> RunConfig:
    """The settings of a preset.

    Parameters
    ----------
    name: one of PRESETS.
    schedules: a pack's own: {"balanced": {"tuning": {...}}} for stitching, {"transfer": {"balanced": {...}}} for the
        transfer, {"method": "transfer"} where that is the pack's usual method.
    method: one of METHODS; None for what the preset and the pack say. `paper` always stitches.

    Raises
    ------
    ConfigError: unknown preset or method, `paper` with another method, or a pack that tries to change `paper`.
    """
    own = dict(schedules or {})
    usual, transfers = own.pop("method", "stitch"), own.pop("transfer", {})
    if name not in PRESETS:
        raise ConfigError(f"There is no preset '{name}'.", f"Presets: {', '.join(PRESETS)}.")
    if "paper" in own or "paper" in transfers:
        raise ConfigError("A pack may not change the preset 'paper'.", "Remove it from the schedules in pack.json.")
    chosen = method or ("stitch" if name == "paper" else usual)
    if chosen not in METHODS:
        raise ConfigError(f"There is no method '{chosen}'.", f"Methods: {', '.join(METHODS)}.")
    if name == "paper" and chosen != "stitch":
        message = "The preset 'paper' is STIT's own schedule, which stitches."
        raise ConfigError(message, "Choose 'balanced' or 'draft' for the method 'transfer'.")
    built_in, adjusted = (_SCHEDULES, own) if chosen == "stitch" else (_TRANSFER_SCHEDULES, transfers)
    config = RunConfig(preset=name, method=chosen).with_changes(built_in[name])  # type: ignore[arg-type]
    return config.with_changes(adjusted.get(name, {}))
