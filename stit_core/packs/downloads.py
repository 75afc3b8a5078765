"""Fetching one large file over https: resumable, checked, with a time limit and progress.

Only https addresses are opened, and http ones of this very machine, which a mirror or a test may use.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stit_core.errors import PackError
from stit_core.runtime import Runtime

CHUNK = 1 << 18  # bytes
LARGEST_FILE = 2 << 30  # bytes, where the size is not known beforehand
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class DownloadLimits:
    """How patient a download is."""

    timeout: float = 30.0  # seconds without a byte
    tries: int = 4
    pause: float = 1.0  # seconds before the second try, doubled for each further one


def download(
    url: str,
    target: Path,
    size: int | None,
    sha256: str,
    runtime: Runtime,
    limits: DownloadLimits | None = None,
) -> None:
    """Fetch `url` to `target`; what was fetched before a stop or failure lies beside it and is gone on from.

    size: bytes, None where unknown; sha256: hexadecimal, or its first digits where no more is known.

    Raises
    ------
    PackError: the file cannot be had or is not the right one (nothing is left under its name then).
    Cancelled: the run was stopped.
    """
    limits = limits or DownloadLimits()
    _check_address(url)
    part = target.with_name(target.name + ".part")
    for attempt in range(limits.tries):
        try:
            _fetch_rest(url, part, size, runtime, limits.timeout)
            break
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                raise _unreachable(url, target, error) from error
            if attempt + 1 == limits.tries:
                raise _unreachable(url, target, error) from error
            time.sleep(limits.pause * 2**attempt)
    _check_content(part, target, size, sha256, url)
    part.replace(target)


def _fetch_rest(url: str, part: Path, size: int | None, runtime: Runtime, timeout: float) -> None:
    done = part.stat().st_size if part.exists() else 0
    if size is not None and done >= size:
        return
    headers = {"User-Agent": "stit-studio", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    opener = urllib.request.build_opener(_SafeRedirect())
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and size is None:  # nothing lies beyond what is there: it was complete
            return
        raise
    with answer:
        if answer.status != 206:
            done = 0  # the server sends the file from its beginning
        length = answer.headers.get("Content-Length")
        total = size or (done + int(length) if length and length.isdigit() else 0)
        with part.open("ab" if done else "wb") as file:
            done = _copy(answer, file, done, size, total, runtime, part)
    if total and done < total:
        raise ConnectionError(f"the connection ended after {done:,} of {total:,} bytes")


def _copy(
    answer: IO[bytes], file: IO[bytes], done: int, size: int | None, total: int, runtime: Runtime, part: Path
) -> int:
    while chunk := answer.read(CHUNK):
        done += len(chunk)
        if done > (size or LARGEST_FILE):
            file.close()
            part.unlink()
            name = part.name.removesuffix(".part")
            message = f"{name} is larger than it should be ({size or LARGEST_FILE:,} bytes)."
            raise PackError(message, "Its address serves another file now; nothing was kept.")
        file.write(chunk)
        runtime.step("fetch", done, max(total, done))
    return done


def _check_content(part: Path, target: Path, size: int | None, sha256: str, url: str) -> None:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    found = part.stat().st_size
    if (size is not None and found != size) or not digest.startswith(sha256):
        part.unlink()
        message = (
            f"{target.name} from {_host(url)} is not the file it should be (sha256 {digest[:12]}..., {found:,} bytes)."
        )
        raise PackError(message, "It was thrown away; try again later, or put the right file into the pack's folder.")


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS
    if not (parts.scheme == "https" and parts.hostname) and not local:
        raise PackError(f"The address {url!r} is not https.", "Correct the addresses in pack.json.")


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url


def _unreachable(url: str, target: Path, error: Exception) -> PackError:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    message = f"{target.name} could not be fetched from {_host(url)}: {reason}."
    return PackError(message, f"Run the same command again (it goes on), or put the file into {target.parent}.")


class _SafeRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers, newurl
    ) -> urllib.request.Request | None:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
