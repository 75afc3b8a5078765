"""ffmpeg as a child process: argument lists, one way to run it, and readers of what it prints.

Everything about a source is asked for by argument list, from a file given as `file:...`, with a whitelist of
protocols and of containers that cannot name other files (no playlists, no concat scripts, no picture patterns).
"""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO

import imageio_ffmpeg

from stit_core.errors import VideoError

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,mxf,nut,dv,rm,ivf,"
    "h264,hevc,m4v,obu,gif,apng,webp_anim,mp3,wav,flac,aac,aiff"
)
PROBE_BYTES = 100_000_000  # four frames of 3840 x 2160
_SWSCALE = "flags=bicubic+accurate_rnd+full_chroma_int"
_MATRIX_NAMES = {  # tag of a stream -> name that the scale filter takes
    "bt709": "bt709",
    "fcc": "fcc",
    "bt470bg": "bt470",
    "smpte170m": "smpte170m",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
_RGB_FORMAT = re.compile(r"0?(rgb|bgr|gbr|argb|abgr|pal8)")
_POLL_SECONDS = 0.1
_PREROLL_SECONDS = 0.1


@dataclass(frozen=True)
class Colours:
    """Colours of a stream.

    Attributes
    ----------
    matrix: as the scale filter names it: the one that is tagged, or the one that players take without a tag.
    primaries, transfer: as tagged, or None.
    space: the matrix as tagged, or None; of RGB, which leaves no doubt of its colours, the one that it is given.
    ranged: whether the range, narrow or full, is tagged.
    """

    matrix: str
    primaries: str | None = None
    transfer: str | None = None
    space: str | None = None
    ranged: bool = False


@dataclass(frozen=True)
class Streams:
    """What ffmpeg says about a file before anything of it is decoded.

    Attributes
    ----------
    container: ffmpeg's name of it.
    brand: major brand of an ISO file, else "".
    seconds: duration, or None where the file does not say.
    start: seconds, the earliest timestamp.
    video: codec name of a moving-picture stream, or None; videos: how many there are.
    width, height: of the coded picture, before rotation.
    rate: frames a second as far as known, a rounded number, or None.
    colours: how the stream is tagged, or would be taken to be.
    audio: codec name of the first sound stream, or None.
    """

    container: str
    brand: str
    seconds: float | None
    start: Fraction
    video: str | None
    width: int
    height: int
    rate: float | None
    colours: Colours
    audio: str | None
    videos: int = 1


@dataclass(frozen=True)
class FrameList:
    """What the framecrc muxer wrote: time base, picture size and shape, and one timestamp a frame, in ticks."""

    time_base: Fraction
    width: int
    height: int
    sample_aspect: Fraction
    ticks: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """How a call ended: exit status (negative: the signal), and the last of what it said."""

    status: int
    log: str


def source_arguments(path: Path) -> list[str]:
    """Input options and name of an untrusted file."""
    guards = ["-protocol_whitelist", "file,pipe", "-format_whitelist", CONTAINERS]
    return [*guards, "-i", f"file:{path.resolve()}"]


def probe_arguments(path: Path) -> list[str]:
    """Print what is in a file; decodes nothing beyond what that takes."""
    return ["-loglevel", "info", *source_arguments(path)]


def first_frame_arguments(path: Path, max_pixels: int, stream: int) -> list[str]:
    """Decode one frame and print its size in display orientation and the nominal frame rate (as a time base)."""
    output = ["-map", f"0:V:{stream}", "-frames:v", "1", "-f", "framecrc", "pipe:1"]
    return ["-loglevel", "error", "-max_pixels", str(max_pixels), *source_arguments(path), *output]


def thumbnail_arguments(path: Path, max_pixels: int, stream: int, seconds: float, side: int) -> list[str]:
    """Write the picture that a stream shows at `seconds` to stdout, as `side` x `side` pixels of raw RGB."""
    output = ["-map", f"0:V:{stream}", "-frames:v", "1", "-vf", f"scale={side}:{side}:flags=area,format=rgb24"]
    guard = ["-loglevel", "error", "-max_pixels", str(max_pixels), "-ss", f"{seconds:.6f}"]
    return [*guard, *source_arguments(path), *output, "-f", "rawvideo", "pipe:1"]


def decode_arguments(
    path: Path, start: float | None, end: float | None, max_frames: int, max_pixels: int, matrix: str, stream: int
) -> list[str]:
    """Write each frame from `start` to `end` (seconds) once as a PNG, and its timestamp to timestamps.txt.

    Both outputs are relative names, so that no character of a folder's name is taken for a pattern; run it there.
    Timestamps stay those of the source (-copyts), in the source's own time base.
    """
    trim = [] if start is None else ["-ss", f"{start:.6f}"]
    trim += [] if end is None else ["-to", f"{end:.6f}"]
    each = [
        "-map",
        f"0:V:{stream}",
        "-frames:v",
        str(max_frames),
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "demux",
    ]
    colour = f"scale=in_color_matrix={matrix}:out_range=pc:{_SWSCALE}+full_chroma_inp,format=rgb24"
    png = ["-c:v", "png", "-compression_level", "1", "-pred", "up", "-start_number", "0", "-f", "image2", "%06d.png"]
    times = ["-f", "framecrc", "timestamps.txt"]
    guard = ["-loglevel", "error", "-max_pixels", str(max_pixels), "-copyts"]
    return [*guard, *trim, *source_arguments(path), *each, "-vf", colour, *png, *each, *times]


def encode_arguments(
    timescale: int, aspect: Fraction, colours: Colours, crf: int, speed: str, target: Path
) -> list[str]:
    """Encode pictures from stdin (IVF with raw RGB, which carries exact timestamps) as H.264 yuv420p without sound."""
    # What the source does not tag stays untagged: a player guesses there, and is to guess as it did.
    tags = [f"color_primaries={colours.primaries}"] if colours.primaries else []
    tags += [f"color_trc={colours.transfer}"] if colours.transfer else []
    tags += [f"colorspace={colours.space or 'unknown'}"]
    tags += [] if colours.ranged else ["range=unspecified"]
    filters = [
        f"scale=out_color_matrix={colours.matrix}:out_range=tv:{_SWSCALE}",
        "format=yuv420p",
        f"setsar={aspect.numerator}/{aspect.denominator}",
        f"setparams={':'.join(tags)}",
    ]
    # ffmpeg looks at the first bytes to learn a frame's duration, which it wants for the last one: by default at 5 MB,
    # under three frames of 1080p.
    source = ["-protocol_whitelist", "pipe", "-probesize", str(PROBE_BYTES), "-f", "ivf", "-c:v", "rawvideo"]
    source += ["-i", "pipe:0"]
    timing = ["-fps_mode", "passthrough", "-enc_time_base", "demux", "-video_track_timescale", str(timescale)]
    codec = ["-c:v", "libx264", "-preset", speed, "-crf", str(crf), "-pix_fmt", "yuv420p"]
    return ["-loglevel", "error", *source, "-vf", ",".join(filters), *timing, *codec, "-f", "mp4", f"file:{target}"]


def mux_arguments(
    video: Path,
    sound: Path | None,
    *,
    lead: Fraction,
    start: Fraction | None,
    seconds: Fraction | None,
    sound_codec: str,
    timescale: int,
    metadata: Mapping[str, str],
    muxer: str,
    target: Path,
) -> list[str]:
    """Join encoded pictures, which begin at `lead`, with the sound of `sound` from `start` on for `seconds`."""
    inputs = ["-itsoffset", f"{float(lead):.6f}", "-protocol_whitelist", "file", "-i", f"file:{video}"]
    maps = ["-map", "0:v:0", "-c:v", "copy"]
    if sound is not None:
        inputs += [] if start is None else ["-ss", f"{float(start):.6f}"]
        inputs += [] if seconds is None else ["-t", f"{float(seconds):.6f}"]
        inputs += source_arguments(sound)
        maps += ["-map", "1:a:0", "-c:a", sound_codec]
        maps += _sound_before(muxer) if start is not None and sound_codec == "copy" else []
        maps += [] if sound_codec == "copy" else ["-b:a", "192k"]
    clean = ["-map_metadata", "-1", "-map_chapters", "-1"]  # the source's may hold where and by whom it was filmed
    said = [part for key, value in metadata.items() for part in ("-metadata", f"{key}={value}")]
    container = []
    if muxer != "matroska":
        names = "+use_metadata_tags" if muxer == "mov" else ""  # QuickTime's own list of tags knows hardly any
        container = ["-video_track_timescale", str(timescale), "-movflags", f"+faststart{names}"]
    return ["-loglevel", "error", *inputs, *maps, *clean, *said, *container, "-f", muxer, f"file:{target}"]


def _sound_before(muxer: str) -> list[str]:
    """Drop copied sound packets from before the trim, back to the key frame that was sought.

    MP4 and MOV hide what their edit lists leave out, so they keep the little that the first sample is decoded from;
    Matroska would begin with it, before the first picture.
    """
    if muxer == "matroska":
        return ["-copypriorss:a", "0"]
    return ["-bsf:a", f"noise=drop=lt(pts*tb\\,-{_PREROLL_SECONDS})"]


def command(arguments: Sequence[str]) -> list[str]:
    """The whole command line."""
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *arguments]


def start(
    arguments: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a call in `folder`.

    Raises
    ------
    VideoError: there is no ffmpeg that can be run here.
    """
    try:
        return subprocess.Popen(command(arguments), cwd=folder, stdin=stdin, stdout=stdout, stderr=stderr)
    except (OSError, RuntimeError) as error:  # imageio_ffmpeg raises the second where it finds none
        if folder is not None and not folder.is_dir():
            raise
        raise VideoError(
            f"ffmpeg cannot be run ({error}).",
            "Install the requirements again (pip install -r requirements.txt), or name a working ffmpeg in "
            "IMAGEIO_FFMPEG_EXE.",
        ) from error


def too_slow(name: str, timeout: float) -> VideoError:
    """What is said of a look into a file that took longer than `timeout` seconds: nothing about the file."""
    return VideoError(
        f"Looking into {name} took over {timeout:g} s.",
        "Try again when this machine has less to do, or convert the file to a smaller one first.",
    )


def ask(arguments: Sequence[str], name: str, timeout: float) -> tuple[str, str]:
    """Run a short call to its end; its stdout and stderr.

    Raises
    ------
    VideoError: it took longer than `timeout` seconds; `name` is the file it was about.
    """
    process = start(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            out, log = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise too_slow(name, timeout) from error
        finally:
            if process.poll() is None:
                process.kill()
    return out.decode(errors="replace"), log.decode(errors="replace")


def run(
    arguments: Sequence[str], name: str, timeout: float, poll: Callable[[], None], folder: Path | None = None
) -> Outcome:
    """Run a long call in `folder`, calling `poll` ten times a second; what `poll` raises ends the call first.

    Raises
    ------
    VideoError: it took longer than `timeout` seconds; `name` is the file it was about.
    """
    with tempfile.TemporaryFile() as log:
        process = start(arguments, stderr=log, folder=folder)
        deadline = time.monotonic() + timeout
        try:
            while process.poll() is None:
                poll()
                if time.monotonic() > deadline:
                    raise VideoError(f"Working on {name} took over {timeout:g} s.", "Choose a shorter part of it.")
                try:
                    process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        return Outcome(process.returncode, tail(log))


class Pictures:
    """The raw pictures of `size` bytes that a call writes to stdout, as they come; leaving the block ends the call.

    The call is ended early when `cancelled` says so, or when pictures have been waited for `timeout` seconds in all;
    what whoever takes them does meanwhile does not count. Afterwards `late` says whether the time was up, and `damaged`
    whether the call itself ended otherwise than well.
    """

    def __init__(self, arguments: Sequence[str], size: int, timeout: float, cancelled: Callable[[], bool]) -> None:
        self._arguments, self._size, self._timeout, self._cancelled = arguments, size, timeout, cancelled
        self._waited = 0.0  # seconds, for the pictures that came
        self._asked: float | None = None  # since when the next one is waited for
        self.damaged = self.late = False

    def __enter__(self) -> Pictures:
        self._process = start(self._arguments, stdout=subprocess.PIPE)
        threading.Thread(target=self._guard, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()

    def __iter__(self) -> Iterator[bytes]:
        while len(data := self._read()) == self._size:
            yield data
        self.damaged = self._process.wait() != 0 and not self.late

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        asked = self._asked = time.monotonic()
        try:
            return self._process.stdout.read(self._size)
        finally:
            self._asked = None
            self._waited += time.monotonic() - asked

    def _guard(self) -> None:
        while self._process.poll() is None:
            asked = self._asked
            waited = self._waited + (0.0 if asked is None else time.monotonic() - asked)
            late = waited > self._timeout
            if late or self._cancelled():
                self.late = late
                self._process.kill()
                return
            time.sleep(_POLL_SECONDS / 2)


def tail(log: object, size: int = 4000) -> str:
    """The last `size` bytes of an open file as text."""
    end = log.seek(0, 2)  # type: ignore[attr-defined]
    log.seek(max(0, end - size))  # type: ignore[attr-defined]
    return str(log.read().decode(errors="replace"))  # type: ignore[attr-defined]


def parse_streams(log: str, stream: int = 0) -> Streams:
    """Read what `ffmpeg -i` prints about a file and its moving-picture stream number `stream`, from 0."""
    container = re.search(r"^Input #0, (.+), from ", log, re.MULTILINE)
    brand = re.search(r"^\s+major_brand\s*: (\S+)", log, re.MULTILINE)
    length = re.search(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)", log, re.MULTILINE)
    start = re.search(r"^  Duration: .*start: (-?\d+\.\d+)", log, re.MULTILINE)
    kinds = re.findall(r"^  Stream #0:\d+.*?: (Video|Audio): (\w+)(.*)$", log, re.MULTILINE)
    pictures = [(codec, rest) for kind, codec, rest in kinds if kind == "Video" and "(attached pic)" not in rest]
    sounds = [codec for kind, codec, _ in kinds if kind == "Audio"]
    codec, rest = pictures[stream] if stream < len(pictures) else (None, "")
    size = re.search(r", (\d+)x(\d+)\b", rest)
    width, height = (int(size[1]), int(size[2])) if size else (0, 0)
    rate = re.search(r", ([\d.]+)(k?) fps", rest)
    return Streams(
        container=container[1] if container else "",
        brand=brand[1] if brand else "",
        seconds=int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None,
        start=Fraction(start[1]) if start else Fraction(0),
        video=codec,
        width=width,
        height=height,
        rate=float(rate[1]) * (1000 if rate[2] else 1) if rate else None,
        colours=parse_colours(rest, width, height),
        audio=sounds[0] if sounds else None,
        videos=len(pictures),
    )


def parse_colours(stream: str, width: int, height: int) -> Colours:
    """Colour tags in a stream's description, "yuv420p(tv, bt709/bt709/iec61966-2-1, progressive)".

    An untagged stream is taken as players take it: BT.709 from 1280 x 720 up, BT.601 below.
    """
    usual = "bt709" if width >= 1280 or height >= 720 else "smpte170m"
    form = re.search(r", (\w+)(?:\(([^()]*)\))?, \d+x\d+", stream)
    parts = form[2].split(", ") if form and form[2] else []
    rgb = form is not None and _RGB_FORMAT.match(form[1]) is not None
    ranged = rgb or any(part in ("tv", "pc") for part in parts)
    for part in parts:
        names = part.split("/")
        if len(names) == 1 and part in _MATRIX_NAMES:  # one name stands for all three tags
            return Colours(_MATRIX_NAMES[part], part, part, part, ranged)
        if len(names) == 3:
            primaries, transfer = (None if name in ("unknown", "reserved") else name for name in names[1:])
            space = names[0] if names[0] in _MATRIX_NAMES else usual if rgb else None
            return Colours(_MATRIX_NAMES.get(names[0], usual), primaries, transfer, space, ranged)
    return Colours(usual, space=usual if rgb else None, ranged=ranged)


def parse_frames(text: str) -> FrameList:
    """Read a framecrc file.

    Raises
    ------
    ValueError: it is not one.
    """
    base = re.search(r"^#tb 0: (\d+)/(\d+)$", text, re.MULTILINE)
    size = re.search(r"^#dimensions 0: (\d+)x(\d+)$", text, re.MULTILINE)
    aspect = re.search(r"^#sar 0: (\d+)/(\d+)$", text, re.MULTILINE)
    if base is None or size is None:
        raise ValueError("This is not a framecrc file with a picture stream.")
    known = aspect is not None and int(aspect[1]) > 0 and int(aspect[2]) > 0
    rows = (line.split(",") for line in text.splitlines() if line and not line.startswith("#"))
    return FrameList(
        time_base=Fraction(int(base[1]), int(base[2])),
        width=int(size[1]),
        height=int(size[2]),
        sample_aspect=Fraction(int(aspect[1]), int(aspect[2])) if aspect and known else Fraction(1),
        ticks=tuple(int(row[2]) for row in rows if len(row) >= 6),
    )


def ivf_header(width: int, height: int, timescale: int, frames: int) -> bytes:
    """Header of an IVF stream of raw RGB pictures with timestamps in 1 / timescale seconds."""
    tag = int.from_bytes(b"RGB\x18", "little")
    return b"DKIF" + struct.pack("<HHIHHIIII", 0, 32, tag, width, height, timescale, 1, frames, 0)


def ivf_frame_header(size: int, tick: int) -> bytes:
    """What precedes one picture of `size` bytes shown at `tick`."""
    return struct.pack("<IQ", size, tick)
