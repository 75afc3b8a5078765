"""What the environment decides about the page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.config import VideoConfig
from stit_core.errors import ConfigError
from stit_core.packs.loading import DEFAULT_PACK
from stit_core.settings import setting, settings_of
from stit_core.store.paths import default_root

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
    "slice_seconds": "STIT_SLICE_SECONDS",
}
_ORIGIN = re.compile(r"https?://[^/@?#\s:]+(:\d+)?")
_WHOLE = ("max_frames", "queue_length")
_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


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
    slice_seconds, cpu_fallback: see their metadata.
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
    slice_seconds: float = setting(
        30.0,
        "of work for which a ZeroGPU Space asks for its card at once; less leaves less of a visitor's quota unused",
        unit="s",
        low=1.0,
        high=120.0,
    )
    cpu_fallback: bool = setting(
        True, "whether a job goes on on the processor where the card is not lent, if it may take as long there"
    )

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
    """The page's settings from STIT_RUNS, STIT_PACK, STIT_DEVICE, STIT_ORIGINS and the numbers that `_NUMBERS` names.

    Raises
    ------
    ConfigError: a number that is none, not above zero, or not whole where only whole ones make sense; an origin that
    is none.
    """
    numbers: dict[str, Any] = {}
    for name, variable in _NUMBERS.items():
        default = getattr(PageSettings, name)
        numbers[name] = _read_number(environ, variable, default, whole=name in _WHOLE)
        known = settings_of(PageSettings).get(name)
        if known is not None and known.low is not None and known.high is not None:
            _check_range(variable, numbers[name], known.low, known.high)
    return PageSettings(
        root=default_root().absolute(),
        pack=environ.get("STIT_PACK", PageSettings.pack),
        device=environ.get("STIT_DEVICE", PageSettings.device),
        origins=_read_origins(environ.get("STIT_ORIGINS", "")),
        cpu_fallback=_read_flag(environ, "STIT_CPU_FALLBACK", True),
        **numbers,
    )


def _read_origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").lower().split())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            hint = "Name scheme and host, and the port where there is one: https://studio.example.org"
            raise ConfigError(f"STIT_ORIGINS has {origin!r}, which is no origin.", hint)
    return origins


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value:g}.", f"Set {name} to a number from {low:g} to {high:g}, or leave it out.")


def _read_flag(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = environ.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _FLAGS:
        raise ConfigError(f"{name} is {text!r}.", f"Set {name} to yes or no, or leave it out.")
    return _FLAGS[text]


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
