"""What the environment decides about the page."""

from __future__ import annotations

import dataclasses
import ipaddress
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
from stit_core.settings import setting, settings_of
from stit_core.store.paths import default_root

Marking = Literal["off", "on", "always"]
T = TypeVar("T", bound=str)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SWITCH = ("on", "off")
_MARKS: tuple[Marking, ...] = ("off", "on", "always")
_SHORTEST_PASSWORD = 8  # characters
_ORIGIN = re.compile(r"https?://[^/@?#\s:]+(:\d+)?")
_ANCESTOR = re.compile(r"https?://(\*\.)?[^/@?#\s:;,'*]+(:\d+)?")
_VARIABLE = "variable"


def page_setting(variable: str, default: Any, help: str, unit: str = "", low: float = 0.0, high: float = 1e9) -> Any:
    """A field of the page's settings that a variable of the environment sets; the other arguments: see `setting`.

    What is a whole number by default has to be one, and 0 itself is too low.
    """
    known = setting(default, help, unit=unit, low=low, high=high, advanced=False)
    return dataclasses.field(default=default, metadata={**known.metadata, _VARIABLE: variable})


@dataclass(frozen=True)
class PageSettings:
    """Settings that hold for every visitor; a visitor is who `page.studio.visitors` says.

    Attributes
    ----------
    root: folder below which everything lies that visitors bring and make.
    origins: addresses, beside its own, from which the page may be used, as in https://studio.example.org.
    proxies: addresses or networks of the proxies that stand before the page, whose X-Forwarded-* headers are believed.
    frame_ancestors: addresses of the pages, beside its own, that may show it in a frame.
    pack: model pack, a name or a folder.
    device: "auto", "cpu", "cuda", ...
    public: whether strangers may use the page: who uploads something first says that it may be edited.
    mark: of the visible mark: "off" and "on" are how a run begins, "always" leaves the visitor no choice.
    password: that the page asks for, or "".
    signer: of the content credentials of finished videos; None leaves them unsigned.

    The others say themselves what they are.
    """

    root: Path
    origins: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()
    frame_ancestors: tuple[str, ...] = ("https://huggingface.co",)
    pack: str = DEFAULT_PACK
    device: str = "auto"
    public: bool = False
    mark: Marking = "off"
    password: str = field(default="", repr=False)
    signer: Signer | None = None
    stuck_minutes: float = page_setting(
        "STIT_STUCK_MINUTES", 15.0, "without any progress after which a job counts as stuck", "minutes"
    )
    slice_seconds: float = page_setting(
        "STIT_SLICE_SECONDS",
        30.0,
        "of work for which a ZeroGPU Space asks for its card at once; less leaves less of a visitor's quota unused",
        "seconds",
        low=1.0,
        high=120.0,
    )
    cpu_fallback: bool = setting(
        True,
        "whether a job goes on on the processor where a ZeroGPU Space does not lend its card, if it may take as long",
        advanced=False,
    )
    max_mb: float = page_setting("STIT_MAX_MB", 100.0, "of an uploaded clip", "megabytes")
    max_seconds: float = page_setting("STIT_MAX_SECONDS", 20.0, "of a clip that are edited", "seconds")
    max_frames: int = page_setting("STIT_MAX_FRAMES", 1200, "of a clip that are edited", "frames")
    max_megapixels: float = page_setting("STIT_MAX_MEGAPIXELS", 8.5, "of one frame", "megapixels")
    job_minutes: float = page_setting(
        "STIT_JOB_MINUTES", 60.0, "that a visitor's job may take, by this machine's estimate", "minutes"
    )
    keep_hours: float = page_setting("STIT_KEEP_HOURS", 24.0, "after which what nobody uses is deleted", "hours")
    unwatched_minutes: float = page_setting(
        "STIT_UNWATCHED_MINUTES", 10.0, "after which a job is stopped whose page nobody has open", "minutes"
    )
    queue_length: int = page_setting("STIT_QUEUE", 20, "that may wait", "jobs")
    visitor_jobs: int = page_setting("STIT_VISITOR_JOBS", 8, "of one visitor that may wait or run", "jobs")
    visitor_jobs_hour: int = page_setting(
        "STIT_VISITOR_JOBS_HOUR", 60, "that one visitor may begin within an hour", "jobs"
    )
    list_clips: int = page_setting("STIT_LIST_CLIPS", 40, "that one run's list of clips may hold", "clips")
    run_gb: float = page_setting(
        "STIT_RUN_GB", 20.0, "on the disk of one run, beyond which it begins no further job", "gigabytes"
    )
    total_gb: float = page_setting(
        "STIT_TOTAL_GB", 40.0, "on the disk of all runs, beyond which the oldest finished ones go", "gigabytes"
    )
    previews: int = page_setting("STIT_PREVIEWS", 6, "that are drawn at once", "previews", high=30)
    waiting_previews: int = page_setting("STIT_WAITING_PREVIEWS", 60, "that may wait", "previews")
    visitor_previews: int = page_setting(
        "STIT_VISITOR_PREVIEWS", 20, "of one visitor that may wait or be drawn", "previews"
    )
    uploads: int = page_setting("STIT_UPLOADS", 32, "that are received at once", "uploads")
    visitor_uploads: int = page_setting("STIT_VISITOR_UPLOADS", 4, "of one visitor received at once", "uploads")
    upload_minutes: float = page_setting("STIT_UPLOAD_MINUTES", 15.0, "that an upload may take", "minutes")
    visitor_calls: int = page_setting(
        "STIT_VISITOR_CALLS", 60, "of the API's functions that one visitor may begin within a minute", "calls"
    )
    address_visitors: int = page_setting(
        "STIT_ADDRESS_VISITORS", 4, "whose allowance one network address has, whatever its browsers say", "visitors"
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
    """The page's settings from the environment; README.md lists its variables.

    Raises
    ------
    ConfigError: a number that is none, out of its range, or not whole where only whole ones make sense; an origin or
    an address that is none; a word that is not among the choices; a password that is too short; a certificate that
    signs nothing.
    """
    numbers: dict[str, Any] = {name: _read_number(name, environ, variable) for name, variable in variables().items()}
    public = _read_switch("STIT_PUBLIC", environ, is_reachable(environ))
    return PageSettings(
        root=default_root().absolute(),
        pack=environ.get("STIT_PACK", PageSettings.pack),
        device=environ.get("STIT_DEVICE", PageSettings.device),
        origins=_read_origins("STIT_ORIGINS", environ, (), _ORIGIN),
        frame_ancestors=_read_origins("STIT_FRAME_ANCESTORS", environ, PageSettings.frame_ancestors, _ANCESTOR),
        proxies=_read_networks("STIT_PROXY", environ),
        public=public,
        mark=_read_word("STIT_MARK", environ, _MARKS, "on" if public else "off"),
        password=_read_password(environ.get("STIT_PASSWORD", "")),
        signer=read_signer(environ),
        cpu_fallback=_read_switch("STIT_CPU_FALLBACK", environ, PageSettings.cpu_fallback),
        **numbers,
    )


def is_reachable(environ: Mapping[str, str]) -> bool:
    """Whether others than whoever sits at this machine can reach the page, as far as the environment says so."""
    listens = environ.get("GRADIO_SERVER_NAME", "").strip().lower().strip("[]")
    behind = any(environ.get(name) for name in ("SPACE_ID", "GRADIO_ROOT_PATH", "STIT_ORIGINS"))
    return behind or listens not in ("", "localhost", "127.0.0.1", "::1")


def _read_switch(name: str, environ: Mapping[str, str], default: bool) -> bool:
    return _read_word(name, environ, _SWITCH, "on" if default else "off") == "on"


def _read_word(name: str, environ: Mapping[str, str], choices: Sequence[T], default: T) -> T:
    text = environ.get(name, "").strip().lower() or default
    if text not in choices:
        raise ConfigError(f"{name} is {environ[name]!r}.", f"Set it to {' or '.join(choices)}, or leave it out.")
    return cast(T, text)


def _read_password(text: str) -> str:
    if text and len(text) < _SHORTEST_PASSWORD:
        raise ConfigError("STIT_PASSWORD is too short.", f"Take {_SHORTEST_PASSWORD} characters or more.")
    return text


def variables() -> dict[str, str]:
    """The variable of the environment of each setting that is a number."""
    return {
        field.name: field.metadata[_VARIABLE]
        for field in dataclasses.fields(PageSettings)
        if _VARIABLE in field.metadata
    }


def _read_origins(
    name: str, environ: Mapping[str, str], default: tuple[str, ...], pattern: re.Pattern[str]
) -> tuple[str, ...]:
    """Addresses, or none for the word "none"."""
    words = [word.lower() for word in _listed(name, environ)]
    if not words:
        return default
    origins = tuple(words) if words != ["none"] else ()
    for origin in origins:
        if not pattern.fullmatch(origin):
            hint = "Name scheme and host, and the port where there is one: https://studio.example.org"
            raise ConfigError(f"{name} has {origin!r}, which is no origin.", hint)
    return origins


def _read_networks(name: str, environ: Mapping[str, str]) -> tuple[Network, ...]:
    found: list[Network] = []
    for word in _listed(name, environ):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            hint = "Name the proxy's address as the page sees it, or its network: 127.0.0.1 or 172.16.0.0/12"
            raise ConfigError(f"{name} has {word!r}, which is no numeric address.", hint) from None
    return tuple(found)


def _listed(name: str, environ: Mapping[str, str]) -> list[str]:
    """The words of a variable that holds several, between spaces or commas."""
    return environ.get(name, "").replace(",", " ").split()


def _read_number(name: str, environ: Mapping[str, str], variable: str) -> float:
    default, known = getattr(PageSettings, name), settings_of(PageSettings)[name]
    text, whole = environ.get(variable, ""), isinstance(default, int)
    if not text.strip():
        return float(default) if not whole else default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low, high = known.low or 0.0, known.high or math.inf
    if not (math.isfinite(value) and low < value <= high) or (whole and not value.is_integer()):
        kind = "whole number" if whole else "number"
        hint = f"Set {variable} to a {kind} above {low:g}, at most {high:g}, or leave it out for {default:g}."
        raise ConfigError(f"{variable} is {text!r}.", hint)
    return int(value) if whole else value
