"""What the environment decides about the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stit_core.errors import ConfigError
from stit_core.packs import DEFAULT_PACK
from stit_core.store import default_root


@dataclass(frozen=True)
class PageSettings:
    """Settings that hold for every visitor.

    Attributes
    ----------
    root: folder below which everything lies that visitors bring and make.
    pack: model pack, a name or a folder.
    device: "auto", "cpu", "cuda", ...
    max_mb: megabytes of an uploaded clip.
    max_seconds: seconds of a clip that are edited.
    keep_hours: hours after which what nobody uses is deleted.
    """

    root: Path
    pack: str = DEFAULT_PACK
    device: str = "auto"
    max_mb: float = 100.0
    max_seconds: float = 20.0
    keep_hours: float = 24.0

    @property
    def served(self) -> Path:
        """The one folder whose files a browser can ask for, by names that cannot be guessed."""
        return self.root / "page"

    @property
    def private(self) -> Path:
        """Stored results of the visitors' runs; never served."""
        return self.root / "visitors"


def read_settings(environ: Mapping[str, str]) -> PageSettings:
    """The page's settings from STIT_RUNS, STIT_PACK, STIT_DEVICE, STIT_MAX_MB, STIT_MAX_SECONDS, STIT_KEEP_HOURS.

    Raises
    ------
    ConfigError: a number that is none, or not above zero.
    """
    return PageSettings(
        root=default_root().absolute(),
        pack=environ.get("STIT_PACK", PageSettings.pack),
        device=environ.get("STIT_DEVICE", PageSettings.device),
        max_mb=_read_number(environ, "STIT_MAX_MB", PageSettings.max_mb),
        max_seconds=_read_number(environ, "STIT_MAX_SECONDS", PageSettings.max_seconds),
        keep_hours=_read_number(environ, "STIT_KEEP_HOURS", PageSettings.keep_hours),
    )


def _read_number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    if not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {text!r}.", f"Set {name} to a number above 0, or leave it out for {default:g}.")
    return value
