"""What is in a video file, found out within limits before any of it is trusted."""

from __future__ import annotations

import functools
import math
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from stit_core.config import VideoConfig
from stit_core.errors import VideoError
from stit_core.media import ffmpeg

_PROBE_SECONDS = 60.0
DECODER_SLACK = 1.1  # coded pictures are padded to whole blocks
_STILL_BRANDS = {"avif", "heic", "heix", "mif1"}
_STILL_CONTAINERS = {"gif", "apng", "webp_anim"}
_STILL_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
_PLAYLIST_STARTS = (b"#EXTM3U", b"ffconcat", b"[playlist]", b"<?xml", b"<MPD", b"<smil", b"<asx")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a path has lost one of the two slashes
_LOOKED_AT = (0.0, 0.25, 0.5, 0.75)  # of a file's length, in the choice of one of several streams
_MOST_STREAMS = 8  # that are looked at
_THUMBNAIL_SIDE = 32  # pixels
_ONE_COLOUR = 12  # grey levels by which a picture of one colour may differ from place to place
_TRY_ANOTHER = "Use a video file such as MP4, MOV, MKV or WebM."


@dataclass(frozen=True)
class Probe:
    """What is known of a video before it is decoded.

    Attributes
    ----------
    size: bytes of the file.
    width, height: pixels in display orientation.
    seconds: of the whole file, or None where it does not say.
    frame_rate: nominal rate.
    frames: estimate for the whole file, or None.
    video, audio: codec names; audio is None without sound.
    container: ffmpeg's name of the container.
    start: seconds, the file's earliest timestamp.
    sample_aspect: width : height of a pixel.
    colours: how the pictures are coded.
    stream: number of the moving-picture stream that is used, from 0; streams: how many there are.
    """

    size: int
    width: int
    height: int
    seconds: float | None
    frame_rate: Fraction
    frames: int | None
    video: str
    audio: str | None
    container: str
    start: Fraction
    sample_aspect: Fraction
    colours: ffmpeg.Colours
    stream: int = 0
    streams: int = 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the choice of a stream, in plain words."""
        if self.stream == 0:
            return ()
        number = f"number {self.stream + 1} of its {self.streams} video streams"
        return (f"The file's first pictures are of one colour throughout; {number} is used instead.",)


def probe(path: Path, config: VideoConfig) -> Probe:
    """Look into a video file within the limits of file size and frame size; its length is not judged here.

    Raises
    ------
    VideoError: not a readable video, or over a limit.
    """
    status = _check_file(path, config)
    timeout = min(config.timeout, _PROBE_SECONDS)
    return _look_into(path.absolute(), status.st_mtime_ns, status.st_size, config.max_pixels, timeout)


@functools.lru_cache(maxsize=64)
def _look_into(path: Path, mtime_ns: int, size: int, max_pixels: int, timeout: float) -> Probe:  # noqa: ARG001
    """What ffmpeg says of a file, asked once as long as its time and size stay the same."""
    slack = int(max_pixels * DECODER_SLACK)
    _, log = ffmpeg.ask(["-max_pixels", str(slack), *ffmpeg.probe_arguments(path)], path.name, timeout)
    streams = ffmpeg.parse_streams(log)
    _check_streams(path, streams, log, max_pixels)
    stream = _first_with_pictures(path, streams, slack, timeout) if streams.videos > 1 else 0
    if stream:
        streams = ffmpeg.parse_streams(log, stream)
        _check_streams(path, streams, log, max_pixels)
    text, log = ffmpeg.ask(ffmpeg.first_frame_arguments(path, slack, stream), path.name, timeout)
    try:
        first = ffmpeg.parse_frames(text)
    except ValueError as error:
        raise nothing_decoded(path) from error
    if not first.ticks:
        raise nothing_decoded(path)
    _check_pixels(path, first.width, first.height, max_pixels)
    rate = 1 / first.time_base  # the muxer's time base is one frame of the nominal rate
    if streams.rate is not None and not 0.5 < float(rate) / max(streams.rate, 1e-6) < 2:
        rate = Fraction(streams.rate).limit_denominator(1001)
    if not 0 < rate <= 1000:
        rate = Fraction(25)
    frames = None if streams.seconds is None else max(1, round(streams.seconds * float(streams.rate or rate)))
    assert streams.video is not None
    return Probe(
        size, first.width, first.height, streams.seconds, rate, frames, streams.video, streams.audio,
        streams.container, streams.start, first.sample_aspect, streams.colours, stream, streams.videos,
    )  # fmt: skip


def _first_with_pictures(path: Path, streams: ffmpeg.Streams, slack: int, timeout: float) -> int:
    """The first of a file's video streams that is not of one colour throughout; 0 where all are, or too many."""
    moments = [share * (streams.seconds or 0.0) for share in _LOOKED_AT] if streams.seconds else [0.0]
    for stream in range(min(streams.videos, _MOST_STREAMS)):
        for moment in moments:
            arguments = ffmpeg.thumbnail_arguments(path, slack, stream, moment, _THUMBNAIL_SIDE)
            with ffmpeg.Pictures(arguments, 3 * _THUMBNAIL_SIDE**2, timeout, lambda: False) as pictures:
                for data in pictures:
                    colours = np.frombuffer(data, np.uint8).reshape(-1, 3)
                    if np.ptp(colours.astype(int), axis=0).max() > _ONE_COLOUR:
                        return stream
    return 0


def check_length(path: Path, info: Probe, config: VideoConfig) -> None:
    """Refuse a trimmed part that is over the limits of seconds or frames, as far as the file says how long it is.

    Raises
    ------
    VideoError: too long, or the trim lies outside the file.
    """
    start = config.start or 0.0
    if info.seconds is None:
        return
    if start >= info.seconds:
        raise VideoError(
            f"{path.name} lasts {info.seconds:.2f} s; the chosen start is {start:g} s.", "Choose an earlier start."
        )
    seconds = min(config.end or info.seconds, info.seconds) - start
    if seconds > config.max_seconds + 0.5:
        raise too_long(path, f"{seconds:.0f} s", f"{config.max_seconds:g} s")
    frames = trimmed_frames(info, config) or 0
    if frames > config.max_frames + 1:
        raise too_long(path, f"about {frames:.0f} frames", f"{config.max_frames} frames")


def trimmed_frames(info: Probe, config: VideoConfig) -> float | None:
    """How many frames the trimmed part has, about; None where neither the file nor the trim says how long it is."""
    end = min(config.end or math.inf, info.seconds or math.inf)
    if math.isinf(end):
        return None
    rate = info.frames / info.seconds if info.frames and info.seconds else float(info.frame_rate)
    return max(0.0, end - (config.start or 0.0)) * rate


def check_frames(path: Path, count: int, seconds: float, config: VideoConfig) -> None:
    """Refuse what was decoded where it is over the limits of frames or seconds; a file need not say how long it is.

    Raises
    ------
    VideoError: too long.
    """
    if count > config.max_frames:
        raise too_long(path, f"over {config.max_frames} frames", f"{config.max_frames} frames")
    if seconds > config.max_seconds + 0.5:
        raise too_long(path, f"{seconds:.0f} s", f"{config.max_seconds:g} s")


def _check_file(path: Path, config: VideoConfig) -> os.stat_result:
    try:
        if path.is_dir():
            raise VideoError(f"{path} is a folder.", "Give a video file.")
        status = path.stat()
        size = status.st_size
        if not path.is_file():  # to open a pipe would wait for someone who writes into it
            raise VideoError(f"{path} is not an ordinary file.", "Give a video file.")
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        if _ADDRESS.match(str(path)):
            raise VideoError(f"{path} is an address, not a file.", "Download the video and name the file.") from error
        absent = isinstance(error, FileNotFoundError)
        why = "does not exist" if absent else f"cannot be opened ({error.strerror})"
        raise VideoError(f"{path} {why}.", "Check the name and the rights to read it.") from error
    if size == 0:
        raise VideoError(f"{path.name} is empty.", "The upload or copy may have failed: try again.")
    if size > config.max_megabytes * 1e6:
        raise VideoError(
            f"{path.name} has {size / 1e6:.0f} MB; the limit is {config.max_megabytes:g} MB.",
            "Cut or compress it first.",
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLIST_STARTS):
        raise VideoError(f"{path.name} is a list that names other files, not a video.", "Give the video file itself.")
    if _is_still(path):
        raise VideoError(f"{path.name} is a single picture, not a video.", _TRY_ANOTHER)
    return status


def _is_still(path: Path) -> bool:
    try:
        with Image.open(path, formats=_STILL_FORMATS) as picture:
            return getattr(picture, "n_frames", 1) == 1
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _check_streams(path: Path, streams: ffmpeg.Streams, log: str, max_pixels: int) -> None:
    if not streams.container:
        if "moov atom not found" in log and _starts_as_iso(path):
            raise VideoError(f"{path.name} is cut off: its index is missing.", "Copy or upload the whole file again.")
        if "ended prematurely" in log:
            raise VideoError(f"{path.name} is cut off at its beginning.", "Copy or upload the whole file again.")
        if "not on whitelist" in log:
            raise VideoError(f"{path.name} is of a kind that is not accepted.", _TRY_ANOTHER)
        raise VideoError(f"{path.name} is not a video that can be read.", _TRY_ANOTHER)
    if streams.brand in _STILL_BRANDS:
        raise VideoError(f"{path.name} is a single picture, not a video.", _TRY_ANOTHER)
    if streams.video is None:
        what = "holds sound only" if streams.audio else "holds no pictures"
        raise VideoError(f"{path.name} {what}.", "Use a file with a video stream.")
    _check_pixels(path, streams.width, streams.height, max_pixels)


def _check_pixels(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise VideoError(
            f"{path.name} is {width} x {height}; the limit is {max_pixels / 1e6:.1f} megapixels a frame.",
            "Scale it down first.",
        )


def _starts_as_iso(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def nothing_decoded(path: Path) -> VideoError:
    """The refusal of a file without a frame."""
    return VideoError(
        f"No frame of {path.name} can be decoded.", "It is empty, damaged or cut off: get the file again."
    )


def too_long(path: Path, found: str, limit: str) -> VideoError:
    """The refusal of a file that is longer than a limit."""
    return VideoError(f"{path.name} is too long: {found}; the limit is {limit}.", "Choose a shorter part of it.")
