"""What every answer says to the browser: what the page may load and run, who may frame it, what of its address leaks.

The page's address holds the run's id, which is a secret, so no other page learns it (Referrer-Policy). The policy lets
the page load from its own server alone. Scripts run that gradio's files hold, and of those that stand in a page only
the ones that the server sent with it, by their digests. `unsafe-eval` is there because gradio makes functions of the
texts that a page gives it (`js=`, widgets), `blob:` because the player's modules come with its widget, as text; styles
are inline because gradio, Svelte and the theme write them so.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable

Header = tuple[bytes, bytes]

_INLINE = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_MANIFEST = b'<link rel="manifest" href="/manifest.json" />'
_ICON = b'<link rel="icon" href="favicon.ico" />'
# By directive; of scripts without the digests, of frames without who may be added.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self' blob: 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'self'",
    "object-src": "'none'",
    "frame-ancestors": "'self'",
}


class SafeHeaders:
    """The headers of the answers.

    Parameters
    ----------
    frame_ancestors: addresses of the pages that may show this one in a frame, beside its own.
    scripts: texts of scripts that the page, or a report shown in it, adds by itself.
    """

    def __init__(self, frame_ancestors: Iterable[str], scripts: Iterable[str]) -> None:
        self._ancestors = tuple(frame_ancestors)
        self._digests = {digest(script.encode()) for script in scripts}

    def of(self, html: bytes = b"") -> list[Header]:
        """The headers of an answer; of a page, its scripts are let run."""
        digests = sorted(self._digests | {digest(script) for script in _INLINE.findall(html)})
        policy = POLICY | {
            "script-src": " ".join((POLICY["script-src"], *digests)),
            "frame-ancestors": " ".join((POLICY["frame-ancestors"], *self._ancestors)),
        }
        text = "; ".join(f"{name} {value}" for name, value in policy.items())
        return [
            (b"content-security-policy", text.encode()),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
        ]


def mend_page(page: bytes, title: str) -> bytes:
    """A page of gradio's with its title, which that for the password lacks, and with its icon where it is.

    Gradio asks for an app's manifest at the top of the host, which behind a proxy, below a subpath, is somebody else's.
    """
    return page.replace(_MANIFEST, _ICON).replace(b"<head>", f"<head><title>{html.escape(title)}</title>".encode(), 1)


def inline_scripts(html: str) -> list[str]:
    """The texts of the scripts that stand in a piece of HTML."""
    return [script.decode() for script in _INLINE.findall(html.encode())]


def digest(script: bytes) -> str:
    """A script as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
