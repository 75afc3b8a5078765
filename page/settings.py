"""What the environment decides about the page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from stit_core.config import VideoConfig
from stit_core.errors import ConfigError
from stit_core.media.credentials import Signer, read_signer
from stit_core.packs.loading import DEFAULT_PACK
from stit_core.store.paths import default_root

Marking = Literal["off", "on", "always"]
T = TypeVar("T", bound=str)

_NUMBERS = {  # setting -> variable of the environment
    "max_mb": "STIT_MAX_MB",
    "max_seconds": "STIT_MAX_SECONDS",
    "max_frames": "STIT_MAX_FRAMES",
    "max_megapixels": "STIT_MAX_MEGAPIXELS",
    "job_minutes": "STIT_JOB_MINUTES",
    "keep_hours": "STIT_KEEP_HOURS",
    "unwatched_minutes": "STIT_UNWATCHED_MINUTES",
    "queue_length": "STIT_QUEUE",
    "run_gb": "STIT_RUN_GB",
    "stuck_minutes": "STIT_STUCK_MINUTES",
}
_SWITCH = {"on": True, "off": False}
_MARKS: tuple[Marking, ...] = ("off", "on", "always")
_SHORTEST_PASSWORD = 8  # characters
_ORIGIN = re.compile(r"https?://[^/@?#\s:]+(:\d+)?")
_WHOLE = ("max_frames", "queue_length")


@dataclass(frozen=True)
class PageSettings:
    """Settings that hold for every visitor.

    Attributes
    ----------
    root: folder below which everything lies that visitors bring and make.
    origins: addresses, beside its own, from which the page may be used, as in https://studio.example.org.
    pack: model pack, a name or a folder.
    device: "auto", "cpu", "cuda", ...
    max_mb: megabytes of an uploaded clip.
    max_seconds, max_frames: of a clip that are edited.
    max_megapixels: of one frame.
    job_minutes: minutes that a visitor's job may take, by this machine's estimate.
    keep_hours: hours after which what nobody uses is deleted.
    unwatched_minutes: minutes after which a job is stopped whose page nobody has open.
    queue_length: jobs that may wait.
    run_gb: gigabytes on the disk of one run, beyond which it begins no further job.
    stuck_minutes: minutes without any progress after which a job counts as stuck.
    public: whether strangers may use the page: who uploads something first says that it may be edited.
    mark: of the visible mark: "off" and "on" are how a run begins, "always" leaves the visitor no choice.
    password: that the page asks for, or "".
    signer: of the content credentials of finished videos; None leaves them unsigned.
    """

    root: Path
    origins: tuple[str, ...] = ()
    pack: str = DEFAULT_PACK
    device: str = "auto"
    max_mb: float = 100.0
    max_seconds: float = 20.0
    max_frames: int = 1200
    max_megapixels: float = 8.5
    job_minutes: float = 60.0
    keep_hours: float = 24.0
    unwatched_minutes: float = 10.0
    queue_length: int = 20
    run_gb: float = 20.0
    stuck_minutes: float = 15.0
    public: bool = False
    mark: Marking = "off"
    password: str = field(default="", repr=False)
    signer: Signer | None = None

    @property
    def served(self) -> Path:
        """The one folder whose files a browser can ask for, by names that cannot be guessed."""
        return self.root / "page"

    @property
    def private(self) -> Path:
        """Stored results of the visitors' runs; never served."""
        return self.root / "visitors"

    @property
    def upload_bytes(self) -> int:
        """Bytes of an upload."""
        return int(self.max_mb * 1e6)

    def video(self) -> dict[str, Any]:
        """The limits as settings of the stage that reads videos."""
        return {
            "max_megabytes": self.max_mb,
            "max_seconds": self.max_seconds,
            "max_frames": self.max_frames,
            "max_pixels": int(self.max_megapixels * 1e6),
            "timeout": VideoConfig.timeout,
        }


def read_settings(environ: Mapping[str, str]) -> PageSettings:
    """The page's settings from the variables STIT_... of the environment; README.md lists them.

    Raises
    ------
    ConfigError: a number that is none, not above zero, or not whole where only whole ones make sense; an origin that
    is none; a word that is not among the choices; a password that is too short; a certificate that signs nothing.
    """
    numbers: dict[str, Any] = {}
    for name, variable in _NUMBERS.items():
        default = getattr(PageSettings, name)
        numbers[name] = _read_number(environ, variable, default, whole=name in _WHOLE)
    public = _SWITCH[_read_word(environ, "STIT_PUBLIC", tuple(_SWITCH), "on" if is_reachable(environ) else "off")]
    return PageSettings(
        root=default_root().absolute(),
        pack=environ.get("STIT_PACK", PageSettings.pack),
        device=environ.get("STIT_DEVICE", PageSettings.device),
        origins=_read_origins(environ.get("STIT_ORIGINS", "")),
        public=public,
        mark=_read_word(environ, "STIT_MARK", _MARKS, "on" if public else "off"),
        password=_read_password(environ.get("STIT_PASSWORD", "")),
        signer=read_signer(environ),
        **numbers,
    )


def is_reachable(environ: Mapping[str, str]) -> bool:
    """Whether others than whoever sits at this machine can reach the page, as far as the environment says so."""
    listens = environ.get("GRADIO_SERVER_NAME", "").strip().lower().strip("[]")
    behind = any(environ.get(name) for name in ("SPACE_ID", "GRADIO_ROOT_PATH", "STIT_ORIGINS"))
    return behind or listens not in ("", "localhost", "127.0.0.1", "::1")


def _read_word(environ: Mapping[str, str], name: str, choices: Sequence[T], default: T) -> T:
    text = environ.get(name, "").strip().lower() or default
    if text not in choices:
        raise ConfigError(f"{name} is {environ[name]!r}.", f"Set it to {' or '.join(choices)}, or leave it out.")
    return cast(T, text)


def _read_password(text: str) -> str:
    if text and len(text) < _SHORTEST_PASSWORD:
        raise ConfigError("STIT_PASSWORD is too short.", f"Take {_SHORTEST_PASSWORD} characters or more.")
    return text


def _read_origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").lower().split())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            hint = "Name scheme and host, and the port where there is one: https://studio.example.org"
            raise ConfigError(f"STIT_ORIGINS has {origin!r}, which is no origin.", hint)
    return origins


def _read_number(environ: Mapping[str, str], name: str, default: float, whole: bool = False) -> float:
    text = environ.get(name, "")
    if not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0) or (whole and not value.is_integer()):
        kind = "whole number" if whole else "number"
        raise ConfigError(f"{name} is {text!r}.", f"Set {name} to a {kind} above 0, or leave it out for {default:g}.")
    return int(value) if whole else value
