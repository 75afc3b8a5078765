"""Video files to frames on disk and back: limits first, exact timestamps, sound untouched."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import math
import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Literal

import numpy as np

from stit_core.artefacts import Clip, FrameFolder
from stit_core.config import VideoConfig
from stit_core.errors import NO_ROOM, NoRoomError, StitError, VideoError
from stit_core.media import ffmpeg
from stit_core.media.credentials import Seal, check_kind
from stit_core.media.probing import (
    DECODER_SLACK,
    Probe,
    check_frames,
    check_length,
    nothing_decoded,
    probe,
    trimmed_frames,
)
from stit_core.runtime import Runtime
from stit_core.store.disk import move_folder

__all__ = ["Probe", "Written", "check_length", "check_output", "fit_rate", "open_clip", "probe", "write_video"]

_log = logging.getLogger(__name__)

MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_ISO_SOUND = {"aac", "mp3", "ac3", "eac3", "alac", "mp2"}
_PCM = {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le"}
COPIED_SOUND: dict[str, set[str] | None] = {  # codecs that players take from each container; None: any
    "mp4": _ISO_SOUND | {"opus", "flac"},
    "mov": _ISO_SOUND | _PCM,
    "matroska": None,
}
_MIN_TIMESCALE = 10_000  # ticks a second
_ROUNDED_STEP = 4  # ticks a frame, below which a rate that the file does not name may explain anything
_MAX_TIMESCALE = 2**31 - 1


@dataclass(frozen=True)
class Written:
    """A finished video file; `audio` says whether its sound is the source's stream or was encoded again."""

    path: Path
    frames: int
    audio: Literal["copied", "encoded"] | None


@dataclass(frozen=True)
class Label:
    """What a video says of itself beside its pictures.

    Attributes
    ----------
    metadata: title, comment and other names that the container knows.
    seal: signs the finished file; None leaves it unsigned.
    """

    metadata: Mapping[str, str] = field(default_factory=dict)
    seal: Seal | None = None


def open_clip(path: Path, config: VideoConfig, runtime: Runtime, folder: Path) -> Clip:
    """Decode the trimmed part of a video to `folder`, each frame once, in display orientation.

    A constant rate gives the exact rational rate, also where a container rounds its timestamps to milliseconds;
    otherwise the source's timestamps are kept exactly. A file that is cut off gives the frames that it still has.

    Parameters
    ----------
    path: a file of unknown origin.
    config: trim and limits.
    runtime: one step ("frames", done, total estimate) a frame; its cancel stops the decoder.
    folder: made here; a folder of frames that stands there is replaced.

    Raises
    ------
    VideoError: not a readable video, over a limit, or the frames cannot be written. Nothing is left behind.
    """
    info = probe(path, config)
    check_length(path, info, config)
    digest = _hash(path, config)
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise VideoError(f"No frames can be stored in {folder}.", "Choose a folder that can be written.") from error
    try:
        listed = _decode(path, info, config, runtime, part)
        rate, timestamps = fit_rate(listed.ticks, listed.time_base, info.frame_rate)
        (part / "timestamps.txt").unlink()
        _replace_folder(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    start = listed.ticks[0] * listed.time_base - info.start if _usable(listed.ticks) else Fraction(config.start or 0)
    return Clip(
        hash=digest,
        source=path.resolve(),
        frames=FrameFolder(folder, tuple(range(len(listed.ticks)))),
        width=listed.width,
        height=listed.height,
        frame_rate=rate,
        timestamps=timestamps,
        start=start,
        audio=info.audio,
    )


def fit_rate(ticks: tuple[int, ...], time_base: Fraction, nominal: Fraction) -> tuple[Fraction, tuple[Fraction, ...]]:
    """Frame rate and timestamps (seconds from the first frame) behind the ticks of a container.

    Where one rate explains every tick to less than a tick, rounding is all that differs and the rate is taken as
    constant. Ticks that do not rise are of no use: the nominal rate is taken.
    """
    count = len(ticks)
    if count == 1 or not _usable(ticks):
        return nominal, tuple(Fraction(i) / nominal for i in range(count))
    average = Fraction(count - 1) / ((ticks[-1] - ticks[0]) * time_base)
    film = Fraction(max(1, round(average * 1001 / 1000)) * 1000, 1001)
    for rate in (nominal, Fraction(max(1, round(average))), film, average):
        step = 1 / (rate * time_base)  # ticks a frame
        errors = [tick - ticks[0] - i * step for i, tick in enumerate(ticks)]
        spread = max(errors) - min(errors)
        if spread == 0 or (spread < 1 and (rate == nominal or step >= _ROUNDED_STEP)):
            return rate, tuple(Fraction(i) / rate for i in range(count))
    return average, tuple((tick - ticks[0]) * time_base for tick in ticks)


def check_output(path: Path, signed: bool = False) -> None:
    """Refuse, before any work is done, a video file that could not be written.

    Parameters
    ----------
    signed: whether it is to carry content credentials.

    Raises
    ------
    VideoError: unknown suffix, a container without credentials, no such folder, a folder of that name, or no right to
        write.
    """
    if path.suffix.lower() not in MUXERS:
        raise VideoError(f"{path.name} has no known video suffix.", f"End the name in {', '.join(MUXERS)}.")
    if signed:
        check_kind(path)
    trial = _beside(path)
    try:
        if path.is_dir():
            raise VideoError(f"{path} is a folder.", "Give the name of a file.")
        with trial.open("xb"):
            pass
    except OSError as error:
        raise _unwritable(path, error.strerror or "", error.errno in NO_ROOM) from error
    finally:
        with contextlib.suppress(OSError):
            trial.unlink(missing_ok=True)


def write_video(
    pictures: Iterable[np.ndarray],
    clip: Clip,
    path: Path,
    config: VideoConfig,
    runtime: Runtime,
    label: Label | None = None,
) -> Written:
    """Write the pictures of a clip as H.264 yuv420p with the clip's timing, colours and sound.

    The sound packets of the trimmed part are copied as they are where the container allows, else encoded to AAC.
    yuv420p knows even sizes only, and H.264 can crop it by even numbers only: a picture of odd width or height gets its
    last column or row twice. Matroska keeps timestamps to a millisecond, and the sound of a trimmed part from its first
    whole packet on; MP4 and MOV keep both exactly.

    Parameters
    ----------
    pictures: one (H, W, 3) uint8 RGB for each frame of `clip`, in order.
    clip: its source is read again for sound and colour tags.
    path: .mp4, .mov or .mkv; replaced at once when the file is complete.
    config: the same trim as the clip's; crf, speed, timeout (seconds, for one picture and for the joining).
    runtime: one step ("video", done, total) a frame.
    label: its metadata and what signs it; None for neither.

    Raises
    ------
    VideoError: the file cannot be written; nothing of it is left. Whatever `pictures` raises passes through likewise.
    """
    label = label or Label()
    check_output(path, label.seal is not None)
    info = probe(clip.source, config)
    timescale, ticks = _ticks(clip)
    silent, joined, sealed = (_beside(path) for _ in range(3))
    try:
        arguments = ffmpeg.encode_arguments(
            timescale, info.sample_aspect, info.colours, config.crf, config.speed, silent.resolve()
        )
        _encode(pictures, clip, timescale, ticks, arguments, path, config, runtime)
        audio = _join(silent.resolve(), joined.resolve(), clip, path, timescale, config, runtime, label.metadata)
        if label.seal is not None:
            label.seal(joined, sealed, path.suffix)
        _publish(joined if label.seal is None else sealed, path)
    finally:
        for part in (silent, joined, sealed):
            part.unlink(missing_ok=True)
    return Written(path, len(ticks), audio)


def _hash(path: Path, config: VideoConfig) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(f"|{config.start}|{config.end}".encode())
    return digest.hexdigest()


def _usable(ticks: tuple[int, ...]) -> bool:
    rising = all(after > before for before, after in itertools.pairwise(ticks))
    return rising and ticks[0] > -(2**62)


def _decode(path: Path, info: Probe, config: VideoConfig, runtime: Runtime, part: Path) -> ffmpeg.FrameList:
    """Run the decoder in `part`; the list of frames, all of which lie there."""
    arguments = ffmpeg.decode_arguments(
        path,
        config.start,
        config.end,
        config.max_frames + 1,
        int(config.max_pixels * DECODER_SLACK),
        info.colours.matrix,
        info.stream,
    )
    frames = trimmed_frames(info, config)
    estimate = config.max_frames if frames is None else round(frames)
    done = 0

    def poll() -> None:
        nonlocal done
        while (part / f"{done:06d}.png").exists():
            done += 1
        runtime.step("frames", min(done, estimate), max(1, estimate))

    outcome = ffmpeg.run(arguments, path.name, config.timeout, poll, part)
    if outcome.status != 0 and _disk_full(outcome):
        raise NoRoomError(
            f"There is no room for the frames of {path.name}.", "Free some disk space or choose a shorter part."
        )
    try:
        listed = ffmpeg.parse_frames((part / "timestamps.txt").read_text())
    except (OSError, ValueError) as error:
        raise nothing_decoded(path) from error
    _check_decoded(path, listed, outcome, config, part)
    runtime.step("frames", len(listed.ticks), len(listed.ticks))
    return listed


def _check_decoded(
    path: Path, listed: ffmpeg.FrameList, outcome: ffmpeg.Outcome, config: VideoConfig, part: Path
) -> None:
    count = len(listed.ticks)
    if count == 0 and config.start is not None:
        raise VideoError(f"{path.name} has no frame after {config.start:g} s.", "Choose an earlier start.")
    if count == 0:
        raise nothing_decoded(path)
    if outcome.status != 0 or sum(1 for _ in part.glob("*.png")) != count:
        raise VideoError(f"{path.name} could not be decoded to its end.", "It may be damaged: convert it first.")
    span = (listed.ticks[-1] - listed.ticks[0]) * listed.time_base if _usable(listed.ticks) else Fraction(0)
    check_frames(path, count, float(span), config)
    if outcome.log.strip():
        _log.warning("%s is damaged; %d frames could be read.", path.name, count)


def _disk_full(outcome: ffmpeg.Outcome) -> bool:
    return outcome.status < 0 or any(said in outcome.log for said in ("No space left", "File too large", "quota"))


def _replace_folder(part: Path, folder: Path) -> None:
    if folder.exists():
        if any(entry.suffix not in (".png", ".part") for entry in folder.iterdir()):
            raise VideoError(f"{folder} holds other things than frames.", "Choose an empty folder for the frames.")
        shutil.rmtree(folder)
    move_folder(part, folder)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem[:40]}.{uuid.uuid4().hex[:8]}.part")


def _unwritable(path: Path, why: str, full: bool = False) -> StitError:
    reason = f" ({why})" if why else ""
    return (NoRoomError if full else VideoError)(
        f"{path} cannot be written{reason}.", "Check that its folder exists, may be written and has room."
    )


def _ticks(clip: Clip) -> tuple[int, list[int]]:
    """Ticks a second in which every timestamp is whole, and the timestamps in them."""
    timescale = math.lcm(*(stamp.denominator for stamp in clip.timestamps), clip.frame_rate.numerator)
    if timescale > _MAX_TIMESCALE:
        timescale = 1_000_000
    timescale *= -(-_MIN_TIMESCALE // timescale)
    return timescale, [round(stamp * timescale) for stamp in clip.timestamps]


def _encode(
    pictures: Iterable[np.ndarray],
    clip: Clip,
    timescale: int,
    ticks: list[int],
    arguments: list[str],
    path: Path,
    config: VideoConfig,
    runtime: Runtime,
) -> None:
    """Feed the pictures to the encoder; checks their number and size."""
    with tempfile.TemporaryFile() as log, _encoder(arguments, log) as (process, pipe):
        height, width = clip.height + clip.height % 2, clip.width + clip.width % 2
        with contextlib.suppress(BrokenPipeError):
            pipe.write(ffmpeg.ivf_header(width, height, timescale, len(ticks)))
            for done, (picture, tick) in enumerate(zip(_checked(pictures, clip, len(ticks)), ticks, strict=True), 1):
                data = np.pad(
                    picture, ((0, height - clip.height), (0, width - clip.width), (0, 0)), mode="edge"
                ).tobytes()
                with _patience(process, config.timeout, path):
                    pipe.write(ffmpeg.ivf_frame_header(len(data), tick) + data)
                runtime.step("video", done, len(ticks))
            with _patience(process, config.timeout, path):
                pipe.close()
                process.wait()
        process.wait()
        if process.returncode != 0:
            raise _failed(path, ffmpeg.Outcome(process.returncode, ffmpeg.tail(log)))


@contextlib.contextmanager
def _encoder(arguments: list[str], log: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    # -nostdin would not harm a pipe that is named as input; the command is the same for every call.
    process = ffmpeg.start(arguments, stdin=subprocess.PIPE, stderr=log)
    assert process.stdin is not None
    try:
        yield process, process.stdin
    finally:
        if process.poll() is None:
            process.kill()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


@contextlib.contextmanager
def _patience(process: subprocess.Popen[bytes], seconds: float, path: Path) -> Iterator[None]:
    """Kill an encoder that takes no picture for `seconds`, so that a write to it cannot block for ever.

    Raises
    ------
    VideoError: it was killed.
    """
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except BrokenPipeError:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise VideoError(
            f"The encoder of {path.name} took no picture for {seconds:g} s.",
            "Try again when this machine has less to do, or raise 'video.timeout'.",
        )


def _checked(pictures: Iterable[np.ndarray], clip: Clip, count: int) -> Iterator[np.ndarray]:
    frame = -1
    for frame, picture in enumerate(pictures):
        if picture.shape != (clip.height, clip.width, 3) or picture.dtype != np.uint8:
            raise VideoError(
                f"The picture of frame {frame} is {picture.shape} {picture.dtype}, not "
                f"{(clip.height, clip.width, 3)} uint8.", "Start again from the clip.",
            )  # fmt: skip
        if frame >= count:
            break
        yield picture
    if frame + 1 != count:
        found = "more" if frame >= count else str(frame + 1)
        raise VideoError(
            f"There are {found} pictures for the {count} frames of the clip.", "Start again from the clip."
        )


def _join(
    silent: Path,
    joined: Path,
    clip: Clip,
    path: Path,
    timescale: int,
    config: VideoConfig,
    runtime: Runtime,
    metadata: Mapping[str, str],
) -> Literal["copied", "encoded"] | None:
    """Put pictures and sound into one file: the sound copied, or encoded where a copy is not possible."""
    muxer = MUXERS[path.suffix.lower()]
    known = COPIED_SOUND[muxer]
    # A trimmed clip begins with its first frame; an untrimmed one keeps the offset that its pictures have.
    trimmed = config.start is not None
    seconds = None if config.end is None else Fraction(str(config.end)) - (clip.start if trimmed else 0)
    if clip.audio is None:
        codecs = [""]
    else:
        codecs = ["copy", "aac"] if known is None or clip.audio in known else ["aac"]
    outcome = ffmpeg.Outcome(0, "")
    for codec in codecs:
        arguments = ffmpeg.mux_arguments(
            silent, clip.source if codec else None, lead=Fraction(0) if trimmed else clip.start,
            start=clip.start if trimmed else None, seconds=seconds, sound_codec=codec, timescale=timescale,
            metadata=metadata, muxer=muxer, target=joined,
        )  # fmt: skip
        outcome = ffmpeg.run(
            arguments, path.name, config.timeout, lambda: runtime.step("video", len(clip.frames), len(clip.frames))
        )
        if outcome.status == 0:
            return None if not codec else "copied" if codec == "copy" else "encoded"
    raise _failed(path, outcome)


def _failed(path: Path, outcome: ffmpeg.Outcome) -> StitError:
    if _disk_full(outcome):
        return _unwritable(path, "no room left, or the encoder was stopped", outcome.status >= 0)
    last = outcome.log.strip().splitlines()[-1:] or ["no reason given"]
    return VideoError(
        f"{path.name} could not be encoded: {last[0]}", "Try another name or container (.mp4, .mov, .mkv)."
    )


def _publish(finished: Path, path: Path) -> None:
    """Move a complete file to its name, safely on disk."""
    try:
        with finished.open("rb") as file:
            os.fsync(file.fileno())
        finished.replace(path)
    except OSError as error:
        raise _unwritable(path, error.strerror or "", error.errno in NO_ROOM) from error
