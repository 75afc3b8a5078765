"""What a synthetic head is made of, as a deterministic function of a latent z ~ N(0, I)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stit_core.review.landmark_figures import face_ratios

from .latents import Reader, normal_cdf
from .scene import read_scene

NUM_FACTORS = 128
AGE_RANGE = (18.0, 75.0)

# One signed coefficient each: (name, target of the positive end, target of the negative end), "%" stands for l and r.
SHAPES: tuple[tuple[str, str, str], ...] = (
    ("nose_width", "nose/nose-scale-horiz-incr", "nose/nose-scale-horiz-decr"),
    ("nose_length", "nose/nose-scale-vert-incr", "nose/nose-scale-vert-decr"),
    ("nose_depth", "nose/nose-scale-depth-incr", "nose/nose-scale-depth-decr"),
    ("nose_hump", "nose/nose-hump-incr", "nose/nose-hump-decr"),
    ("nose_point", "nose/nose-point-up", "nose/nose-point-down"),
    ("nose_bridge", "nose/nose-width2-incr", "nose/nose-width2-decr"),
    ("nose_volume", "nose/nose-volume-incr", "nose/nose-volume-decr"),
    ("nose_flare", "nose/nose-flaring-incr", "nose/nose-flaring-decr"),
    ("nose_curve", "nose/nose-curve-convex", "nose/nose-curve-concave"),
    ("mouth_width", "mouth/mouth-scale-horiz-incr", "mouth/mouth-scale-horiz-decr"),
    ("mouth_place", "mouth/mouth-trans-up", "mouth/mouth-trans-down"),
    ("upper_lip", "mouth/mouth-upperlip-volume-incr", "mouth/mouth-upperlip-volume-decr"),
    ("lower_lip", "mouth/mouth-lowerlip-volume-incr", "mouth/mouth-lowerlip-volume-decr"),
    ("lip_height", "mouth/mouth-scale-vert-incr", "mouth/mouth-scale-vert-decr"),
    ("cupids_bow", "mouth/mouth-cupidsbow-incr", "mouth/mouth-cupidsbow-decr"),
    ("eye_size", "eyes/%-eye-scale-incr", "eyes/%-eye-scale-decr"),
    ("eye_distance", "eyes/%-eye-trans-out", "eyes/%-eye-trans-in"),
    ("eye_height", "eyes/%-eye-height2-incr", "eyes/%-eye-height2-decr"),
    ("eye_slant", "eyes/%-eye-corner2-up", "eyes/%-eye-corner2-down"),
    ("eye_bag", "eyes/%-eye-bag-incr", "eyes/%-eye-bag-decr"),
    ("eye_fold", "eyes/%-eye-eyefold-down", "eyes/%-eye-eyefold-up"),
    ("brow_height", "eyebrows/eyebrows-trans-up", "eyebrows/eyebrows-trans-down"),
    ("brow_angle", "eyebrows/eyebrows-angle-up", "eyebrows/eyebrows-angle-down"),
    ("chin_height", "chin/chin-height-incr", "chin/chin-height-decr"),
    ("chin_width", "chin/chin-width-incr", "chin/chin-width-decr"),
    ("chin_depth", "chin/chin-prominent-incr", "chin/chin-prominent-decr"),
    ("cheek_bones", "cheek/%-cheek-bones-incr", "cheek/%-cheek-bones-decr"),
    ("cheek_volume", "cheek/%-cheek-volume-incr", "cheek/%-cheek-volume-decr"),
    ("forehead", "forehead/forehead-scale-vert-incr", "forehead/forehead-scale-vert-decr"),
    ("brow_ridge", "forehead/forehead-nubian-decr", "forehead/forehead-nubian-incr"),
    ("head_fat", "head/head-fat-incr", "head/head-fat-decr"),
    ("head_width", "head/head-scale-horiz-incr", "head/head-scale-horiz-decr"),
    ("head_height", "head/head-scale-vert-incr", "head/head-scale-vert-decr"),
    ("jaw_square", "head/head-square", "head/head-oval"),
    ("jaw_taper", "head/head-triangular", "head/head-invertedtriangular"),
    ("ear_wing", "ears/%-ear-wing-incr", "ears/%-ear-wing-decr"),
    ("neck_width", "neck/neck-scale-horiz-incr", "neck/neck-scale-horiz-decr"),
)
SHAPE_NAMES = tuple(name for name, _, _ in SHAPES)
SHAPE_LIMIT = 0.85
# Mean and standard deviation of the coefficients that are not drawn from N(0, SHAPE_SD): where a target soon makes a
# caricature, or where the unmoved head is off the middle of real heads.
SHAPE_SD = 0.32
SHAPE_SPREAD = {
    "nose_length": (0.0, 0.24),
    "nose_point": (0.04, 0.17),
    "nose_hump": (0.0, 0.24),
    "mouth_place": (0.0, 0.22),
    "upper_lip": (-0.06, 0.24),
    "lower_lip": (-0.06, 0.24),
    "lip_height": (-0.08, 0.22),
    "eye_size": (0.20, 0.26),
    "eye_distance": (0.0, 0.26),
    "eye_height": (0.24, 0.26),
    "eye_bag": (-0.05, 0.24),
    "brow_height": (0.10, 0.28),
    "brow_angle": (0.16, 0.16),
    "chin_height": (-0.06, 0.20),
    "chin_depth": (0.0, 0.24),
    "forehead": (-0.16, 0.18),
    "brow_ridge": (0.0, 0.20),
    "head_fat": (-0.10, 0.26),
    "head_width": (0.02, 0.24),
    "head_height": (-0.10, 0.20),
    "jaw_square": (-0.24, 0.24),
    "jaw_taper": (-0.24, 0.20),
    "neck_width": (0.0, 0.26),
}
HAIR_STYLES = ("bald", "buzz", "side", "back", "bob", "long", "curly", "bun")
# Added to the category scores, (female, male): which styles are common, none is excluded.
HAIR_BIAS = np.array(
    [[-1.6, -0.3], [-1.3, 0.3], [-0.4, 0.7], [-0.4, 0.5], [0.6, -1.1], [0.9, -0.9], [0.2, 0.0], [0.5, -1.3]]
)


@dataclass(frozen=True)
class HeadParameters:
    """All that defines a picture; angles in degrees, colours linear RGB, the rest about [0, 1] or [-1, 1]."""

    ethnicity: np.ndarray  # (3,) african, asian, caucasian, sum 1
    gender: float  # 0 female .. 1 male
    age: float  # years
    weight: float  # -1 thin .. 1 heavy
    shape: np.ndarray  # (len(SHAPES),)
    smile: float
    mouth_open: float
    pucker: float
    brow_raise: float
    brow_inner: float
    eye_close: np.ndarray  # (2,) left, right; 0 open .. 0.9
    squint: float
    gaze: np.ndarray  # (2,) degrees, to the person's left, up
    yaw: float  # to the person's left
    pitch: float  # up
    roll: float  # towards the person's left shoulder
    skin_tone: float  # 0 lightest .. 1 darkest of the Monk scale
    skin_hue: float  # -1 olive .. 1 rosy
    redness: float
    oil: float
    freckles: float
    makeup: float
    lip_colour: np.ndarray  # (3,) of the lipstick
    hair_style: int
    hair_length: float  # 0 a bob .. 1 below the shoulders, of styles bob and long
    hair_back: float  # 0 parted at the side .. 1 combed back, of styles side and back
    hair_wave: float  # 0 straight .. 1 wavy
    hair_recede: float  # 0 .. 1, how far an old man's hairline goes back
    hair_dark: float  # 0 blonde .. 1 black
    hair_red: float
    grey: float
    hair_volume: float
    brow_thickness: float
    beard: float  # 0 shaven .. 0.4 stubble .. 1 full
    beard_wide: float  # 0 around the mouth .. 1 up the cheeks
    moustache: float  # 0 none .. 1 as dense as the beard
    iris_light: float
    iris_hue: float  # 0 green .. 1 blue of a light iris
    light_direction: np.ndarray  # (2,) azimuth (to the picture's right), elevation
    light_strength: float
    light_warmth: float
    fill: float
    rim: float
    softness: float
    outdoor: float  # 0 a room .. 1 a place outdoors
    wall: np.ndarray  # (3,) colour behind the head: wall or sky
    floor: np.ndarray  # (3,) colour lower down: furniture, ground, foliage
    horizon: np.ndarray  # (2,) height (down, in halves of the picture) and slope of the border between the two
    window: np.ndarray  # (4,) x, y, size, strength of a window or a gap in the leaves
    glow: np.ndarray  # (3,) its colour
    mass: np.ndarray  # (2,) x and strength of something dark
    bokeh: np.ndarray  # (scene.BOKEH_GROUPS,) strengths of fixed groups of soft discs
    cloth: np.ndarray  # (3,) colour
    neckline: float  # 0 round .. 1 a deep V
    collar: float  # 0 wide and low .. 1 high on the neck
    jacket: float  # 0 none .. 1 a jacket or cardigan that closes at the throat
    jacket_cloth: np.ndarray  # (3,) its colour
    focal: float  # distance of the camera in decimetres
    jitter: np.ndarray  # (4,) shift x, y, log scale, degrees of the crop


def from_latent(latent: np.ndarray) -> HeadParameters:
    """Map a latent (NUM_FACTORS,) to a head; z is first divided by its root mean square. Source: ours."""
    if latent.shape != (NUM_FACTORS,):
        raise ValueError(f"latent has shape {latent.shape}, wanted ({NUM_FACTORS},)")
    z = latent.astype(np.float64)
    read = Reader(z / max(float(np.sqrt(np.mean(z**2))), 1e-8))
    raw = 2.0 * read.raw(3)
    ethnicity = np.exp(raw - raw.max())
    ethnicity /= ethnicity.sum()
    gender = 1.0 / (1.0 + math.exp(-3.5 * float(read.raw(1)[0])))
    age = read.uniform(*AGE_RANGE)
    weight = read.bell(0.0, 0.4, -1.0, 1.0)
    spread = np.array([SHAPE_SPREAD.get(name, (0.0, SHAPE_SD)) for name in SHAPE_NAMES])
    shape = np.clip(spread[:, 0] + spread[:, 1] * read.raw(len(SHAPES)), -SHAPE_LIMIT, SHAPE_LIMIT)
    expression = _read_expression(read)
    surface = _read_surface(read, raw, gender, age)
    return HeadParameters(
        ethnicity=ethnicity,
        gender=gender,
        age=age,
        weight=weight,
        shape=shape,
        **expression,
        **surface,
        **read_scene(read),
    )


def _read_expression(read: Reader) -> dict:
    smile = max(read.uniform(-0.2, 1.0), 0.0) ** 1.8
    mouth_open = max(read.uniform(-2.0, 1.0), 0.0)
    pucker = max(read.uniform(-7.0, 1.0), 0.0) * (1 - smile)
    brow_raise = read.bell(0.08, 0.32, -0.7, 1.0)
    brow_inner = max(read.uniform(-4.0, 0.9), 0.0)
    # Eyes are open in about 87 of 100 heads and shut in 5; between, lids that are on their way.
    shut = min(max((read.uniform(0.0, 1.0) - 0.865) / 0.08, 0.0), 1.0)
    close = 0.97 * shut * shut * (3 - 2 * shut) - 0.02
    asymmetry = read.bell(0.0, 0.04, -0.1, 0.1)
    closure = np.clip(np.array([close + asymmetry, close - asymmetry]), 0.0, 0.95)
    squint = max(read.uniform(-2.6, 0.6), 0.0)
    gaze = np.array([read.bell(0.0, 8.0, -22.0, 22.0), read.bell(0.0, 4.0, -11.0, 11.0)])
    yaw, pitch, roll = read.bell(0, 14, -35, 35), read.bell(0, 6, -16, 16), read.bell(0, 4, -11, 11)
    return {
        "smile": smile,
        "mouth_open": mouth_open,
        "pucker": pucker,
        "brow_raise": brow_raise,
        "brow_inner": brow_inner,
        "eye_close": closure,
        "squint": squint,
        "gaze": gaze,
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
    }


def _read_surface(read: Reader, ethnic: np.ndarray, gender: float, age: float) -> dict:
    lean = (ethnic[0] - 0.35 * ethnic[1] - 0.65 * ethnic[2]) / (2.0 * 1.25)
    tone = read.uniform(0, 1)  # apart from the shapes, so that every combination is as frequent as any other
    hue, redness, oil = read.bell(0, 0.45, -1, 1), read.uniform(0, 1), read.uniform(0, 1)
    freckles = max(read.uniform(-2.0, 1.0), 0.0) * max(0.0, 1 - 1.6 * tone)
    makeup = max(read.uniform(-1.3, 1.0), 0.0) * (1 - gender)
    lip_hue = read.bell(0.0, 0.5, -1.0, 1.0)
    lip_colour = np.array([0.38 - 0.12 * abs(lip_hue), 0.085 + 0.045 * lip_hue, 0.095 - 0.045 * lip_hue])
    scores = read.raw(len(HAIR_STYLES)) + (1 - gender) * HAIR_BIAS[:, 0] + gender * HAIR_BIAS[:, 1]
    dark = normal_cdf(0.25 * (lean + 0.5) + 1.7 * (tone - 0.5) + float(read.raw(1)[0]) * 0.9 + 0.55)
    red = max(read.uniform(-1.2, 1.0), 0.0)
    grey = float(np.clip((age - 54 + 10 * float(read.raw(1)[0])) / 24, 0.0, 1.0))
    volume, brow_thickness = read.bell(0.0, 0.4, -1.0, 1.0), read.bell(0.0, 0.4, -1.0, 1.0)
    beard = max(read.uniform(-0.75, 1.0), 0.0) * float(np.clip((gender - 0.55) / 0.3, 0.0, 1.0))
    beard_wide, moustache = read.uniform(0.0, 1.6), min(read.uniform(0.0, 2.0), 1.0)
    iris_light = max(read.uniform(-0.6, 1.0) - 1.5 * max(tone - 0.3, 0.0), 0.0)
    return {
        "skin_tone": tone,
        "skin_hue": hue,
        "redness": redness,
        "oil": oil,
        "freckles": freckles,
        "makeup": makeup,
        "lip_colour": lip_colour,
        "hair_style": int(np.argmax(scores)),
        "hair_length": _between(scores, "bob", "long"),
        "hair_back": _between(scores, "side", "back"),
        "hair_wave": normal_cdf(1.1 * float(scores[HAIR_STYLES.index("curly")]) + 0.2),
        "hair_recede": normal_cdf(float(scores[HAIR_STYLES.index("bald")]) + 0.8),
        "hair_dark": dark,
        "hair_red": red,
        "grey": grey,
        "hair_volume": volume,
        "brow_thickness": brow_thickness,
        "beard": beard,
        "beard_wide": min(beard_wide, 1.0),
        "moustache": moustache,
        "iris_light": iris_light,
        "iris_hue": read.uniform(0, 1),
    }


def _between(scores: np.ndarray, low: str, high: str) -> float:
    """0 .. 1, how much more the second of two styles is wanted; even where either of them is the one chosen."""
    return normal_cdf(0.6 * float(scores[HAIR_STYLES.index(high)] - scores[HAIR_STYLES.index(low)]))


# Measured on the un-posed landmarks: (name, mean, twice the deviation) over random heads.
MEASURES: tuple[tuple[str, float, float], ...] = (
    ("eye_distance", 0.416, 0.046),
    ("eye_eyebrow_distance", 0.315, 0.078),
    ("eye_ratio", 0.37, 0.2),
    ("lip_ratio", 0.346, 0.23),
    ("mouth_ratio", 0.803, 0.22),
    ("nose_mouth_distance", 0.211, 0.09),
    ("nose_ratio", 0.568, 0.19),
    ("nose_tip", 0.238, 0.15),
)
COLOUR_NAMES = tuple(f"{what}_{c}" for what in ("wall", "floor", "cloth", "jacket") for c in "rgb")
ATTRIBUTE_NAMES = (
    "african",
    "asian",
    "caucasian",
    "gender",
    "age",
    "weight",
    "smile",
    "mouth_open",
    "pucker",
    "brow_raise",
    "brow_inner",
    "eyes_open",
    "squint",
    "gaze_x",
    "gaze_y",
    "yaw",
    "pitch",
    "roll",
    "skin_tone",
    "skin_hue",
    "redness",
    "freckles",
    "makeup",
    *(f"hair_{style}" for style in HAIR_STYLES),
    "hair_light",
    "hair_red",
    "hair_grey",
    "hair_volume",
    "brow_thickness",
    "beard",
    "beard_wide",
    "moustache",
    "iris_light",
    "iris_hue",
    "light_x",
    "light_y",
    "light_strength",
    "light_warmth",
    "fill",
    "rim",
    "outdoor",
    "horizon",
    "window_x",
    "window_y",
    "window",
    "mass_x",
    "mass",
    *COLOUR_NAMES,
    "neckline",
    "collar",
    "jacket",
    "focal",
    *SHAPE_NAMES[:16],
    "eye_apart",
    *SHAPE_NAMES[17:],
    *(name for name, _, _ in MEASURES),
)


def measure(marks: np.ndarray) -> np.ndarray:
    """Face ratios (8,), in the order of MEASURES, of un-posed landmarks (68, 3), y up."""
    return face_ratios(marks)


def hair_shares(p: HeadParameters) -> np.ndarray:
    """How much a head has of each of HAIR_STYLES (8,); styles that blend into one another share one."""
    style = HAIR_STYLES[p.hair_style]
    shares = {style: 1.0}
    if style in ("bob", "long"):
        shares = {"bob": 1 - p.hair_length, "long": p.hair_length, "curly": 0.5 * p.hair_wave}
    if style in ("side", "back"):
        shares = {"side": 1 - p.hair_back, "back": p.hair_back}
    return np.array([shares.get(name, 0.0) for name in HAIR_STYLES])


def attributes(p: HeadParameters, marks: np.ndarray) -> np.ndarray:
    """ATTRIBUTE_NAMES as numbers (A,) float32, about [-1, 1] or [0, 1]; `marks` (68, 3) as in `measure`."""
    values = [
        *p.ethnicity,
        p.gender,
        (p.age - 18) / 57,
        p.weight,
        p.smile,
        p.mouth_open,
        p.pucker,
        p.brow_raise,
        p.brow_inner,
        1 - p.eye_close.mean(),
        p.squint,
        *(p.gaze / 20),
        p.yaw / 30,
        p.pitch / 15,
        p.roll / 10,
        p.skin_tone,
        p.skin_hue,
        p.redness,
        p.freckles,
        p.makeup,
        *hair_shares(p),
        1 - p.hair_dark,
        p.hair_red,
        p.grey,
        p.hair_volume,
        p.brow_thickness,
        p.beard,
        p.beard * p.beard_wide,
        p.beard * p.moustache,
        p.iris_light,
        p.iris_hue,
        *(p.light_direction / 60),
        p.light_strength - 1,
        p.light_warmth,
        p.fill,
        p.rim,
        p.outdoor,
        p.horizon[0],
        *p.window[:2],
        p.window[3],
        *p.mass,
        *p.wall,
        *p.floor,
        *p.cloth,
        *p.jacket_cloth,
        p.neckline,
        p.collar,
        p.jacket,
        (p.focal - 13.0) / 4.0,
        *p.shape,
        *((measure(marks) - [row[1] for row in MEASURES]) / [row[2] for row in MEASURES]),
    ]
    return np.array(values, np.float32)
