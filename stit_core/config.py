"""Every setting of every stage: default, unit, range, choices and help, each in one place.

The page and the command line read them from here and nowhere else. `preset` gives a whole schedule; a pack may adjust
the rates and step counts of `balanced` and `draft` to its generator, never those of `paper`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from stit_core.errors import ConfigError
from stit_core.regions import AUTO, REGIONS
from stit_core.settings import Settings, is_finite, setting, shown

PresetName = Literal["paper", "balanced", "draft"]
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
Method = Literal["stitch", "transfer"]
METHODS: tuple[Method, ...] = get_args(Method)
SPEEDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")  # of x264


@dataclass(frozen=True)
class VideoConfig(Settings):
    """Reading and writing of video files."""

    start: float | None = setting(None, "begin here in the clip", unit="seconds", low=0, high=1e6, advanced=False)
    end: float | None = setting(None, "end here in the clip", unit="seconds", low=0, high=1e6, advanced=False)
    max_seconds: float = setting(60.0, "of the trimmed part", unit="seconds", low=0.1, high=1e5, advanced=False)
    max_frames: int = setting(1800, "of the trimmed part", unit="frames", low=1, high=10_000_000, advanced=False)
    max_pixels: int = setting(3840 * 2160, "of one frame", unit="pixels", low=64, high=2**31, advanced=False)
    max_megabytes: float = setting(512.0, "of the source file", unit="megabytes", low=0.01, high=1e6, advanced=False)
    timeout: float = setting(900.0, "for one call of ffmpeg", unit="seconds", low=1, high=1e6, advanced=False)
    crf: int = setting(16, "x264 quality, 0 lossless ... 51 worst", low=0, high=51)
    speed: str = setting("medium", "x264 preset", choices=SPEEDS)

    def _check_together(self) -> None:
        if self.start is not None and self.end is not None and self.end <= self.start:
            message = f"The end ({self.end:g} s) is not after the start ({self.start:g} s)."
            raise ConfigError(message, "Choose a later end.")


@dataclass(frozen=True)
class LandmarkConfig(Settings):
    """Finding and tracking the faces of a clip, and choosing one."""

    face: int | None = setting(
        None,
        "which face, by its number: 0 the largest in the first frame that has one, who comes later after those; none: "
        "the largest of the clip",
        low=0,
        high=100,
        advanced=False,
    )
    point: tuple[float, float] | None = setting(
        None, "the face at this x, y of the source instead", unit="pixels", advanced=False
    )
    point_frame: int | None = setting(
        None,
        "frame in which the face stands at `point`; None: the first that has one there",
        low=0,
        high=10_000_000,
        advanced=False,
    )
    max_gap: int = setting(15, "without a face, that are bridged by interpolation", unit="frames", low=0, high=1000)
    min_face: int = setting(40, "side of the smallest face that is used", unit="pixels", low=16, high=4096)
    second_detector: bool = setting(True, "ask face-alignment where dlib finds nothing and its weights are at hand")
    corrections: tuple[tuple[str, int, int], ...] = setting(
        (),
        'whose face it is, corrected: ["join", 0, 2] makes person 2 person 0, ["split", 1, 40] makes person 1 another '
        "from frame 40 on",
        advanced=False,
    )

    def _check_together(self) -> None:
        for each in self.corrections:
            kinds = isinstance(each, (tuple, list)) and len(each) == 3 and each[0] in ("join", "split")
            if not kinds or any(type(number) is not int or number < 0 for number in each[1:]):
                hint = 'Write them like ["join", 0, 2] and ["split", 1, 40].'
                raise ConfigError(f"{shown(each)} is no correction of who is who.", hint)
            if each[0] == "join" and each[1] == each[2]:
                raise ConfigError(f"Person {each[1]} cannot be joined to itself.", "Name two people.")
        if self.point is not None and not (len(self.point) == 2 and all(map(is_finite, self.point))):
            raise ConfigError(f"The point of the face is {self.point!r}.", "Give its x and y in pixels, two numbers.")


@dataclass(frozen=True)
class AlignmentConfig(Settings):
    """Landmarks to smoothed quads to crops (STIT's FFHQ-style alignment)."""

    center_sigma: float = setting(
        1.0, "Gaussian smoothing of the centre; 0 turns it off", unit="frames", low=0, high=100
    )
    xy_sigma: float = setting(3.0, "Gaussian smoothing of the two axes; 0 turns it off", unit="frames", low=0, high=100)
    scale: float = setting(1.0, "of the quad; 1 is FFHQ's framing", low=0.5, high=2)


@dataclass(frozen=True)
class InversionConfig(Settings):
    """Crops to pivots."""

    batch_size: int = setting(  # a stop waits for a batch, and the e4e encoder takes a second a frame on two cores
        4, "encoded at once", unit="frames", low=1, high=256
    )


@dataclass(frozen=True)
class TuningConfig(Settings):
    """Pivotal tuning (PTI): generator weights fitted to the crops with the pivots held.

    One pass is every frame once, with `key_frames` every key frame; an optimiser step takes `batch_size` frames.
    """

    passes: int = setting(80, "over the frames that are fitted", low=0, high=10_000)
    batch_size: int = setting(1, "per optimiser step", unit="frames", low=1, high=256)
    lr: float = setting(3e-5, "Adam, generator weights; 0, where pivots move, leaves them as they are", low=0, high=1)
    pivot_lr: float = setting(0.0, "Adam, pivots; 0 holds them as PTI does", low=0, high=1)
    final_lr: float = setting(
        1.0, "the rates fall along a cosine to this fraction of themselves; 1 keeps them constant", low=0, high=1
    )
    beta1: float = setting(0.9, "Adam's decay of the mean gradient", low=0, high=0.99999)
    beta2: float = setting(0.999, "Adam's decay of the squared gradient", low=0, high=0.99999)
    l2_weight: float = setting(10.0, "weight of the mean squared error", low=0, high=1e4)
    lpips_weight: float = setting(1.0, "weight of the perceptual distance", low=0, high=1e4)
    target_psnr: float | None = setting(
        None, "stop after a pass whose mean PSNR is above it", unit="dB", low=1, high=100
    )
    key_frames: int | None = setting(
        None, "at most, that are fitted, spread over the clip; None: all of them", unit="frames", low=1, high=10_000
    )
    expression: float = setting(
        0.0,
        "reach in factors of directions that give pivots the source's expression; 0 turns it off",
        low=0,
        high=10,
    )
    smoothing: float = setting(
        0.0, "Gaussian smoothing of the pivots over time; 0 turns it off", unit="frames", low=0, high=100
    )
    freeze_below: int = setting(0, "blocks of a lower resolution keep their weights", unit="pixels", low=0, high=4096)
    resolution: int | None = setting(
        None,
        "at which pictures are compared, blocks above it untouched; None: the crops'",
        unit="pixels",
        low=8,
        high=4096,
    )
    locality_weight: float = setting(0.0, "alpha of PTI's locality regulariser; 30 when on", low=0, high=1e4)
    locality_l2_weight: float = setting(0.1, "mean squared error within the regulariser", low=0, high=1e4)
    locality_lpips_weight: float = setting(0.1, "perceptual distance within the regulariser", low=0, high=1e4)
    locality_truncation: float = setting(0.5, "of the latents that the regulariser draws", low=0, high=1)

    def _check_together(self) -> None:
        if not self.pivot_lr > 0:
            self._check_range("lr", 1e-8, 1.0)


LARGEST_FACTOR = 100.0


@dataclass(frozen=True)
class EditConfig(Settings):
    """What to change: w_edit = w + sum(factor * direction), no hidden scale."""

    directions: tuple[tuple[str, float], ...] = setting((), "pairs of name and factor", advanced=False)
    freeze_from: int | None = setting(
        None, "style layers from this one on keep their mean over the clip; None: none does", low=0, high=64
    )
    styles: bool = setting(False, "add the directions in style space (affine outputs) rather than in W+")

    def _check_together(self) -> None:
        for pair in self.directions:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise ConfigError(f"{shown(pair)} is no direction.", "Give pairs of a name and a factor.")
            name, factor = pair
            if not is_finite(factor) or not abs(factor) <= LARGEST_FACTOR:
                span = f"Choose a number from {-LARGEST_FACTOR:g} to {LARGEST_FACTOR:g}."
                raise ConfigError(f"The factor of '{name}' is {factor!r}.", span)


@dataclass(frozen=True)
class MaskConfig(Settings):
    """Face parsing to content, border and full masks. Dilations are in pixels of a 1024 px crop, as in STIT."""

    background: tuple[int, ...] = setting((0, 18, 16), "parser classes: background, hat, cloth")
    outer_dilation: int = setting(
        50, "of a 1024 px crop, width of the border around the face", unit="pixels", low=0, high=256
    )
    inner_dilation: int = setting(0, "of a 1024 px crop, from the face to the border", unit="pixels", low=0, high=256)
    whole_image_border: bool = setting(False, "the border reaches to the edge of the crop")
    smoothing: int = setting(
        0, "before and after over which the face's outline is a majority; STIT: 0", unit="frames", low=0, high=30
    )

    def _check_together(self) -> None:
        if not self.background or any(type(label) is not int or not 0 <= label < 19 for label in self.background):
            message = f"The parser classes of the background are {self.background!r}."
            raise ConfigError(message, "Choose whole numbers from 0 to 18, such as [0, 18, 16].")


@dataclass(frozen=True)
class StitchConfig(Settings):
    """Stitching tuning: generator weights fitted to the source on the border and to the edit on the content.

    With window > 1 the generator is first fitted to `window` frames at once for `window_steps` steps; each frame is
    then polished for up to `steps` steps, from between the fits around it. window = 1 is STIT: a fresh start for each
    frame. With noise_lr > 0 the polish moves the frame's noise planes too, or, with lr = 0, them alone.
    With target "pivot" the border meets the tuned pivot instead of the source, which the generator can draw, and what
    the pivot lacks of the source is added when the crop is pasted (stit_core/change/detail.py).
    """

    steps: int = setting(100, "per frame", low=0, high=10_000)
    lr: float = setting(
        3e-4, "Adam, weights, with windows along a cosine; 0 where only noise planes shall move", low=0, high=1
    )
    window: int = setting(1, "at most; windows of a clip are alike in length", unit="frames", low=1, high=10_000)
    window_steps: int = setting(0, "per window", low=0, high=10_000)
    batch_size: int = setting(1, "per window step", unit="frames", low=1, high=256)
    window_lr: float = setting(1e-3, "Adam, while a window is fitted; falls along a cosine", low=1e-8, high=1)
    noise_lr: float = setting(
        0.0, "Adam, noise planes above 32 px while a frame is polished; 0: none move", low=0, high=10
    )
    freeze_below: int = setting(
        0, "blocks of a lower resolution keep their tuned weights", unit="pixels", low=0, high=4096
    )
    content_weight: float = setting(0.01, "weight of the content beside the border", low=0, high=1e4)
    target: Literal["source", "pivot"] = setting("source", "what the border has to meet; STIT: the source")
    loss: Literal["l2", "l1"] = setting("l2", "how pictures are compared")
    threshold: float | None = setting(
        None, "border loss below which a frame is finished; STIT: 0.005 easy, 0.002 exact", low=0, high=10
    )

    def _check_together(self) -> None:
        if not self.noise_lr > 0:
            self._check_range("lr", 1e-8, 1.0)


@dataclass(frozen=True)
class TransferConfig(Settings):
    """The change from tuned pivot to edit, given to the source's own pixels (method "transfer")."""

    region: str = setting(
        AUTO,
        "where the clip may change: auto, what the directions' cards say",
        choices=REGIONS,
        advanced=False,
    )
    motion: float = setting(1.0, "share of the change's motion that is taken over", low=0, high=1)
    turning: float = setting(1.0, "share of that motion by which a head as a whole turns aside", low=0, high=1)
    eye_growth: float = setting(
        0.1,
        "of an eye's height, by which it grows at most, unless a direction is about eyes alone",
        low=0.01,
        high=10,
    )
    shade: float = setting(1.0, "share of the change's shade", low=0, high=1)
    fresh: float = setting(1.0, "share of what the source does not have: teeth, lids", low=0, high=1)
    registration_sigma: float = setting(
        2.0, "Gaussian smoothing of the way from source to pivot; 0 turns it off", unit="frames", low=0, high=100
    )
    every: int = setting(
        1, "the change is read in one of so many, and carried to those between", unit="frames", low=1, high=31
    )
    steadying: int = setting(
        2,
        "before and after over which the change is averaged along the source's motion",
        unit="frames",
        low=0,
        high=30,
    )
    anatomy: bool = setting(
        False, "hue of skin, inside of mouths and jaw by what is known of them, for small generators"
    )

    def _check_together(self) -> None:
        self._check_range("every", 1, self.steadying + 1)


@dataclass(frozen=True)
class CompositeConfig(Settings):
    """Pasting the crops back."""

    feather: float | None = setting(
        None,
        "of a 1024 px crop; None: half of the outer dilation, as in STIT; 0: none",
        unit="pixels",
        low=0,
        high=256,
    )
    mark: bool = setting(False, 'a visible "AI-edited" in a corner of every frame')


@dataclass(frozen=True)
class WorkersConfig(Settings):
    """How many work at the same time, here or on a cluster, and what each takes."""

    jobs: int | None = setting(
        None, "how many work at the same time (default: one a GPU, else as the cores and the memory allow)",
        low=1, high=100_000, advanced=False,
    )  # fmt: skip
    threads: int | None = setting(
        None, "of the processor for each (default: its part of the cores; on a cluster 1, beside a GPU up to 4)",
        low=1, high=1024, advanced=False,
    )  # fmt: skip
    gpus: float | None = setting(
        None, "of a cluster for each, 0.5 for two on one (default: 1 where the cluster has any)",
        low=0, high=16, advanced=False,
    )  # fmt: skip
    retries: int = setting(2, "how often a job is begun again whose worker died", low=0, high=100, advanced=False)


@dataclass(frozen=True)
class DirectionTrainingConfig(Settings):
    """Labelled pictures to an edit direction."""

    hold: tuple[str, ...] = setting((), "directions whose span is taken out of the new one")
    aligned: bool = setting(False, "the pictures are aligned crops already")
    folds: int = setting(5, "of the outer cross-validation, by person", low=2, high=50)
    seed: int = setting(0, "of all random draws", low=0, high=2**32 - 2)
    batch_size: int = setting(8, "a call of the encoder", unit="pictures", low=1, high=256)

    def _check_together(self) -> None:
        if not all(isinstance(name, str) for name in self.hold):
            raise ConfigError(f"The directions to hold are {shown(self.hold)}.", "Give their names.")


@dataclass(frozen=True)
class RunConfig(Settings):
    """The settings of a whole run, one part a stage."""

    preset: PresetName = setting("balanced", "schedule of the stages; paper is STIT's own")
    method: Method = setting(
        "stitch",
        "transfer: the edit's change, given to the clip's own pixels, in seconds; stitch: the paper's method, the face "
        "is drawn anew and its border tuned",
    )
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
        "transfer": {"every": 3},
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
