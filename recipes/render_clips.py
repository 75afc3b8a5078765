"""Renders the sample clips, and the faces that the tests look at.

python -m recipes.render_clips --makehuman DIR --out assets/clips
python -m recipes.render_clips --makehuman DIR --out tests/data --test-data
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import tempfile
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from PIL import Image
from scipy import ndimage

from recipes.heads.parameters import NUM_FACTORS, SHAPE_NAMES, HeadParameters, from_latent
from recipes.heads.places import LIVING_ROOM, OFFICE, PARK
from recipes.heads.renderer import Camera, Renderer

SOUND_RATE = 44_100  # samples a second
HARMONICS = 48
BLINK_SECONDS = 0.26
SHAPE_SHARE = 0.5  # of the shape that a seed draws: faces near the middle look more natural
LIGHT = (-16.0, 30.0)  # azimuth, elevation in degrees


@dataclass(frozen=True)
class Scene:
    """One person before one camera; `look` replaces parameters of the latent that `seed` gives."""

    name: str
    seed: int
    look: dict[str, Any]
    shape: dict[str, float] = field(default_factory=dict)  # replaces coefficients of parameters.SHAPES by name
    motion: int = 0  # seed of the tracks
    turns: tuple[float, ...] = (0.0,)  # yaw in degrees at even times, eased between
    seconds: Fraction = Fraction(1)
    rate: Fraction = Fraction(25)
    size: tuple[int, int] = (512, 512)  # height, width
    span: float = 3.6  # decimetres that the picture is wide
    height: float = 0.05  # decimetres of the camera over the middle of the face
    talk: float = 1.0
    pitch_voice: float | None = None  # mean of the voice in Hz, None for a silent clip
    crf: int = 20


@dataclass
class Tracks:
    """What moves, one row a frame."""

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    mouth_open: np.ndarray
    pucker: np.ndarray
    smile: np.ndarray
    eye_close: np.ndarray
    brow_raise: np.ndarray
    gaze: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


PLAIN: dict[str, Any] = {
    "smile": 0.12,
    "mouth_open": 0.0,
    "pucker": 0.0,
    "brow_raise": 0.0,
    "brow_inner": 0.0,
    "squint": 0.0,
    "makeup": 0.0,
    "freckles": 0.0,
    "oil": 0.1,
    "rim": 0.2,
    "softness": 0.9,
    "fill": 0.6,
    "light_strength": 1.0,
    "light_warmth": 0.1,
    "light_direction": np.array(LIGHT),
    "redness": 0.3,
    "skin_hue": 0.0,
    "weight": 0.0,
    "hair_length": 0.3,
    "hair_back": 0.2,
    "hair_wave": 0.2,
    "hair_recede": 0.5,
    "hair_red": 0.0,
    "grey": 0.0,
    "hair_volume": 0.0,
    "beard": 0.0,
    "beard_wide": 1.0,
    "moustache": 1.0,
    "iris_light": 0.0,
    "neckline": 0.3,
    "collar": 0.5,
    "jacket": 0.0,
}

YOUNG_WOMAN: dict[str, Any] = {
    "ethnicity": np.array([0.88, 0.04, 0.08]),
    "gender": 0.03,
    "age": 24.0,
    "skin_tone": 0.66,
    "hair_style": 7,
    "hair_dark": 0.97,
    "hair_volume": 0.1,
    "makeup": 0.3,
    "brow_thickness": 0.35,
    "smile": 0.25,
    "cloth": np.array([0.44, 0.31, 0.16]),
    **PARK,
}
OLD_MAN: dict[str, Any] = {
    "ethnicity": np.array([0.04, 0.05, 0.91]),
    "gender": 0.96,
    "age": 66.0,
    "skin_tone": 0.17,
    "hair_style": 2,
    "hair_dark": 0.5,
    "grey": 0.6,
    "beard": 0.3,
    "iris_light": 0.55,
    "iris_hue": 0.75,
    "smile": 0.25,
    "brow_thickness": -0.5,
    "cloth": np.array([0.045, 0.075, 0.14]),
    **LIVING_ROOM,
}
WOMAN: dict[str, Any] = {
    "ethnicity": np.array([0.04, 0.90, 0.06]),
    "gender": 0.05,
    "age": 44.0,
    "skin_tone": 0.27,
    "hair_style": 4,
    "hair_dark": 0.86,
    "makeup": 0.3,
    "brow_thickness": 0.3,
    "hair_volume": -0.2,
    "smile": 0.25,
    "cloth": np.array([0.11, 0.17, 0.15]),
    **OFFICE,
}

YOUNG_SHAPE = {"brow_angle": 0.15, "brow_height": 0.2, "chin_width": -0.35, "eye_size": 0.2, "jaw_square": -0.5}
OLD_SHAPE = {"brow_angle": 0.55, "brow_height": 0.3, "brow_ridge": -0.2, "eye_height": 0.3}
WOMAN_SHAPE = {"brow_angle": 0.25, "brow_height": 0.15, "chin_width": -0.2, "jaw_square": -0.35, "eye_size": 0.15}

CLIPS = (
    Scene(
        name="young-woman-turning",
        seed=103,
        look=YOUNG_WOMAN,
        shape=YOUNG_SHAPE,
        motion=1,
        turns=(-4, 16, 3, -17, -3),
        seconds=Fraction(7, 2),
        span=4.0,
        height=0.4,
    ),
    Scene(
        name="old-man-talking-sound",
        seed=108,
        look=OLD_MAN,
        shape=OLD_SHAPE,
        motion=2,
        turns=(6, -12, 9, -4),
        seconds=Fraction(4),
        pitch_voice=112.0,
        span=3.6,
        height=0.15,
    ),
    Scene(
        name="woman-talking",
        seed=105,
        look=WOMAN,
        shape=WOMAN_SHAPE,
        motion=3,
        turns=(-12, 4, 15, 2, -9),
        seconds=Fraction(18, 5),
        size=(512, 640),
        span=4.1,
        height=0.1,
    ),
)
TALKING = Scene(
    name="talking",
    seed=108,
    look=OLD_MAN,
    shape=OLD_SHAPE,
    motion=4,
    turns=(4, -6),
    seconds=Fraction(1001, 1000),
    rate=Fraction(24000, 1001),
    size=(256, 256),
    span=3.1,
    height=0.25,
    pitch_voice=112.0,
    crf=24,
)
FACES = (
    Scene(
        name="face_a",
        seed=103,
        look={**YOUNG_WOMAN, "smile": 0.3, "yaw": 8.0},
        shape=YOUNG_SHAPE,
        size=(320, 320),
        span=3.8,
        height=0.4,
    ),
    Scene(
        name="face_b", seed=108, look={**OLD_MAN, "yaw": -9.0}, shape=OLD_SHAPE, size=(320, 320), span=3.3, height=0.2
    ),
)


def parameters_of(scene: Scene) -> HeadParameters:
    """The person of a scene, eyes open and head straight unless its look says otherwise."""
    drawn = from_latent(np.random.default_rng(scene.seed).standard_normal(NUM_FACTORS))
    still = {"eye_close": np.zeros(2), "gaze": np.zeros(2), "yaw": 0.0, "pitch": 0.0, "roll": 0.0}
    shape = SHAPE_SHARE * drawn.shape
    for name, value in scene.shape.items():
        shape[SHAPE_NAMES.index(name)] = value
    return dataclasses.replace(drawn, shape=shape, **{**PLAIN, **still, **scene.look})


def camera_of(scene: Scene) -> Camera:
    """The scene's camera, which never moves."""
    return Camera.portrait(13.0, scene.height, scene.span, scene.size[0] / scene.size[1])


def ease(keys: tuple[float, ...], count: int) -> np.ndarray:
    """Values (count,) that rest at each key in turn."""
    place = np.linspace(0, max(len(keys) - 1, 0), count)
    low = np.minimum(place.astype(int), max(len(keys) - 2, 0))
    part = place - low
    part = part**2 * (3 - 2 * part)
    after = np.array(keys)[np.minimum(low + 1, len(keys) - 1)]
    return np.array(keys)[low] * (1 - part) + after * part  # type: ignore[no-any-return]


def bump(times: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A raised cosine, 1 at `centre`, 0 from `width` away on."""
    return 0.5 + 0.5 * np.cos(np.pi * np.clip((times - centre) / width, -1, 1))  # type: ignore[no-any-return]


def syllables(times: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mouth opening, pucker and spread (N,) of speech-like babble at `times` in seconds."""
    opened, pucker, spread = np.zeros_like(times), np.zeros_like(times), np.zeros_like(times)
    now, left = 0.12, 6
    while now < 60.0:
        length = rng.uniform(0.15, 0.26)
        vowel = rng.choice(5, p=[0.32, 0.22, 0.18, 0.16, 0.12])  # a e i o u
        shape = bump(times, now + length / 2, 0.62 * length)
        opened += shape * (0.62, 0.42, 0.22, 0.46, 0.20)[vowel] * rng.uniform(0.75, 1.1)
        pucker += bump(times, now + length / 2, 0.8 * length) * (0.0, 0.0, 0.0, 0.45, 0.65)[vowel]
        spread += bump(times, now + length / 2, 0.8 * length) * (0.0, 0.14, 0.24, 0.0, 0.0)[vowel]
        now += length
        left -= 1
        if left == 0:
            now, left = now + rng.uniform(0.2, 0.4), int(rng.integers(5, 9))
        if now > times[-1] + 1:
            break
    return opened, pucker, spread


def sway(times: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """A slow smooth wander (N,) of about `size`."""
    waves = [np.sin(2 * np.pi * (f * times + rng.uniform())) for f in (0.23, 0.47, 0.81)]
    return size * (0.8 * waves[0] + 0.45 * waves[1] + 0.15 * waves[2])  # type: ignore[no-any-return]


def tracks_of(scene: Scene) -> Tracks:
    """All that moves in a scene; the same scene gives the same tracks."""
    count = round(scene.seconds * scene.rate)
    times = np.arange(count) / float(scene.rate)
    person = parameters_of(scene)
    opened, pucker, spread = speech_of(scene, times)
    rng = np.random.default_rng([scene.motion, 1])
    blinks = np.zeros(count)
    when = rng.uniform(0.45, 0.8)
    while when < times[-1] - 0.1:
        early = np.clip((times - when) / (0.35 * BLINK_SECONDS), -1, 0)
        late = np.clip((times - when) / (0.65 * BLINK_SECONDS), 0, 1)
        blinks = np.maximum(blinks, 0.5 + 0.5 * np.cos(np.pi * (early + late)))
        when += rng.uniform(2.0, 2.9)
    brows = np.zeros(count)
    for when in np.arange(rng.uniform(0.3, 0.9), times[-1], 1.3):
        brows += rng.uniform(0.2, 0.4) * bump(times, when, 0.4)
    # A raised brow opens the eye wide up to the moment at which it begins to close: keep the two apart.
    blinking = ndimage.maximum_filter1d(blinks, 2 * round(0.2 * float(scene.rate)) + 1)
    brows *= 1 - np.clip(ndimage.gaussian_filter1d(blinking, 0.05 * float(scene.rate)), 0, 1)
    yaw = ease(scene.turns, count)
    pitch = sway(times, rng, 2.2)
    for when in np.arange(rng.uniform(0.4, 0.8), times[-1], 0.95):
        pitch -= rng.uniform(0.6, 1.6) * bump(times, when, 0.3)
    smile = np.clip(person.smile + spread + sway(times, rng, 0.05), 0, 1)
    gaze = np.stack([-0.6 * yaw, -0.5 * pitch], 1) + glances(times, rng)
    roll = sway(times, rng, 1.6) + 0.08 * yaw
    return Tracks(yaw, pitch, roll, opened, pucker * 0.9, smile, 0.93 * blinks, brows, gaze)


def glances(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Quick small moves of the eyes (N, 2) in degrees."""
    places = np.zeros((len(times), 2))
    when = 0.0
    while when < times[-1]:
        aim = rng.normal(scale=(2.6, 1.3))
        share = np.clip((times - when) / 0.07, 0, 1)[:, None]
        places = places * (1 - share) + aim * share
        when += rng.uniform(0.5, 1.1)
    return places


def speech_of(scene: Scene, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mouth opening, pucker and spread of a scene at any times, closed at its end."""
    opened, pucker, spread = syllables(times, np.random.default_rng([scene.motion, 2]))
    gate = np.clip((float(scene.seconds) - 0.12 - times) / 0.15, 0, 1) * scene.talk
    return opened * gate, pucker * gate, spread * gate


def frames_of(scene: Scene, renderer: Renderer) -> Iterator[np.ndarray]:
    """The pictures (H, W, 3) uint8 of a scene, in order."""
    person, camera, t = parameters_of(scene), camera_of(scene), tracks_of(scene)
    for i in range(len(t.yaw)):
        posed = dataclasses.replace(
            person,
            yaw=float(t.yaw[i]),
            pitch=float(t.pitch[i]),
            roll=float(t.roll[i]),
            mouth_open=float(t.mouth_open[i]),
            pucker=float(t.pucker[i]),
            smile=float(t.smile[i]),
            eye_close=np.full(2, t.eye_close[i]),
            brow_raise=float(t.brow_raise[i]),
            gaze=t.gaze[i],
        )
        yield renderer.render(posed, scene.size, camera).image


def babble(scene: Scene) -> np.ndarray:
    """A quiet voice (N,) float64 in [-1, 1] whose loudness and vowels follow the mouth; harmonics under formants."""
    assert scene.pitch_voice is not None
    times = np.arange(round(scene.seconds * SOUND_RATE)) / SOUND_RATE
    opened, pucker, spread = speech_of(scene, times)
    tune = scene.pitch_voice * (1 + 0.06 * np.sin(2 * np.pi * 0.9 * times) + 0.10 * opened - 0.02 * times)
    phase = 2 * np.pi * np.cumsum(tune) / SOUND_RATE
    formants = (
        (300 + 620 * opened, 90.0, 1.0),
        (1350 - 900 * pucker + 2600 * spread, 130.0, 0.55),
        (2550 + 600 * spread - 250 * pucker, 190.0, 0.25),
    )
    voice = np.zeros_like(times)
    for k in range(1, HARMONICS + 1):
        gain = sum(share / (1 + ((k * tune - centre) / width) ** 2) for centre, width, share in formants)
        voice += gain * np.sin(k * phase) / k**0.6
    loud = np.clip(opened / 0.5, 0, 1.2) ** 0.7
    voice *= loud
    return 0.35 * voice / max(float(np.abs(voice).max()), 1e-9)  # type: ignore[no-any-return]


def encode(pictures: Iterable[np.ndarray], scene: Scene, sound: np.ndarray | None, path: Path) -> None:
    """Write an MP4: H.264 yuv420p, the index first, AAC where there is sound.

    Raises
    ------
    subprocess.CalledProcessError: ffmpeg refused; what it said stands on stderr.
    """
    height, width = scene.size
    with tempfile.TemporaryDirectory() as folder:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(scene.rate), "-i", "-"]
        if sound is not None:
            voice = Path(folder) / "voice.wav"
            with wave.open(str(voice), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(SOUND_RATE)
                file.writeframes(np.round(32767 * sound).astype("<i2").tobytes())
            command += ["-i", str(voice), "-c:a", "aac", "-b:a", "64k", "-flags:a", "+bitexact"]
        command += ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p"]
        command += ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
        command += ["-c:v", "libx264", "-preset", "slow", "-crf", str(scene.crf), "-threads", "2"]
        command += ["-flags:v", "+bitexact", "-fflags", "+bitexact", "-movflags", "+faststart", str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        assert process.stdin is not None
        with process.stdin:
            for picture in pictures:
                process.stdin.write(picture.tobytes())
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, command)


def render_clip(scene: Scene, renderer: Renderer, folder: Path) -> None:
    """Render one scene to `folder`/name.mp4."""
    sound = babble(scene) if scene.pitch_voice is not None else None
    encode(frames_of(scene, renderer), scene, sound, folder / f"{scene.name}.mp4")


def render_faces(renderer: Renderer, folder: Path) -> None:
    """Render the still faces as JPEG."""
    for scene in FACES:
        picture = renderer.render(parameters_of(scene), scene.size, camera_of(scene)).image
        Image.fromarray(picture).save(folder / f"{scene.name}.jpg", quality=90)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--test-data", action="store_true", help="render the faces of the tests, not the samples")
    parser.add_argument("--only", help="the name of one clip")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(options.makehuman)
    if options.test_data:
        render_faces(renderer, options.out)
    for scene in (TALKING,) if options.test_data else CLIPS:
        if options.only in (None, scene.name):
            render_clip(scene, renderer, options.out)
            print(f"{scene.name}: {round(scene.seconds * scene.rate)} frames", flush=True)


if __name__ == "__main__":
    main()
