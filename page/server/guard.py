"""What stands between the network and gradio: whose requests are carried out, how large they may be, how they end.

Gradio trusts whoever reaches it: it carries out requests of other people's pages, reads bodies of any length into
memory, leaves the file of an upload that breaks off, and ends in a traceback where a request names what does not
exist. Each is met here, before gradio sees the request.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from gradio.route_utils import MultiPartException  # the kind for which it deletes what it began

from page.server.origins import SAFE_METHODS, Origins
from page.server.probe import HEALTH
from page.server.sessions import KEY, Sessions
from page.server.shapes import MISFIT, NO_JSON, RELOAD, is_session, misfit, read_body, unknown_function
from page.studio.disk import remove_strays

LOG = logging.getLogger(__name__)

# Of ASGI.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Mapping[str, str]

API = "/gradio_api/"
UPLOAD = "upload"
HEALTH_SECONDS = 3.0  # after which a health that is not known counts as bad
JSON_BYTES = 2_000_000  # the page's largest message holds the pictures of all cards
FRAME_BYTES = 200_000  # of an upload that are no file: names and boundaries
PATIENCE_SECONDS = 30.0  # for the next piece of a body
MOST_UPLOADS = 32  # at once
# What gradio offers beside what this page uses: it writes files, fetches from elsewhere, or gives a session's values to
# whoever knows its hash.
CLOSED = (
    "deep_link",
    "process_recording",
    "proxy=",
    "custom_component/",
    "stream/",
    "run/",
    "api/",
    "vibe",
    "undo-vibe",
)


class Refused(Exception):
    """A request that is not carried out: its status, and why in words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Guard:
    """ASGI middleware in front of gradio's app.

    Parameters
    ----------
    origins: from where the page may be used.
    served: the folder that gradio writes uploads into.
    upload_bytes: of one upload.
    health: gives what HEALTH answers, with the key "status", "ok" where all is well; asked in a thread.
    """

    def __init__(
        self, app: App, origins: Origins, served: Path, upload_bytes: int, health: Callable[[], Mapping[str, Any]]
    ) -> None:
        self.app, self.origins, self.served, self.upload_bytes = app, origins, served, upload_bytes
        self.health = health
        self.sessions = Sessions()
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        route, answer = _route(scope), _Answer(scope, send)
        try:
            await self._carry_out(route, scope, receive, answer)
        except Refused as refused:
            await answer.refuse(refused.status, refused.message)
        except Exception as error:  # gradio's own, for what it did not expect of a request
            LOG.warning("a request to %r could not be carried out: %s", route[:60], type(error).__name__)
            await answer.refuse(500 if isinstance(error, OSError) else 400, f"{MISFIT} {RELOAD}")

    async def _carry_out(self, route: str, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = _headers(scope)
        if "host" not in headers:
            scope["headers"].append((b"host", b""))  # gradio looks for it while it sends an answer, and fails without
        self._check_sender(scope["method"], headers)
        if route.startswith(CLOSED):
            raise Refused(404, "The page has no such address.")
        if scope["path"] == HEALTH and scope["method"] in SAFE_METHODS:  # also of a page that asks for a password
            await answer.tell_health(self.health)
        elif scope["method"] in SAFE_METHODS:
            with self._connection(route, scope, headers):
                await self.app(scope, receive, answer)
        elif route == UPLOAD:
            async with self._upload(headers):
                await self.app(scope, _whole_or_failed(receive, self.upload_bytes + FRAME_BYTES), answer)
        else:
            body = await _read(receive, headers, JSON_BYTES)
            if body is None:  # whoever sent it has gone
                return
            if scope["path"].startswith(API):
                self._check_call(route, scope, headers, body)
            await self.app(scope, _again(body, receive), answer)

    def _check_sender(self, method: str, headers: Headers) -> None:
        """Refuse a request that a page of somebody else sends, or one for another name.

        Raises
        ------
        Refused: the request is not carried out, and why.
        """
        hosts = [headers[name] for name in ("host", "x-forwarded-host") if name in headers]
        if not all(self.origins.knows(host) for host in hosts):
            hint = "Whoever runs it can name this address in STIT_ORIGINS."
            raise Refused(403, f"The page does not answer under this address. {hint}")
        origin = headers.get("origin")
        if origin is None:
            foreign = method not in SAFE_METHODS and headers.get("sec-fetch-site") in ("cross-site", "same-site")
        else:
            foreign = not any(self.origins.allows(origin, host) for host in hosts or [""])
        if foreign:
            raise Refused(403, "Another page sent this. Whoever runs this one can name that page in STIT_ORIGINS.")

    def _connection(self, route: str, scope: Scope, headers: Headers) -> AbstractContextManager[None]:
        """Keeps the session of a stream that a page listens to.

        Raises
        ------
        Refused: the request is not carried out, and why.
        """
        session = ""
        if route.startswith("heartbeat/"):
            session = route.partition("/")[2]
        elif route == "queue/data":
            session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        if not is_session(session):
            return nullcontext()
        self._check_key(session, headers)
        return self.sessions.connect(scope["app"], session)

    def _check_key(self, session: str, headers: Headers) -> None:
        """Refuse whoever names the session of another browser.

        Raises
        ------
        Refused: the request is not carried out, and why.
        """
        if not self.sessions.belongs(session, _cookie(headers, KEY)):
            raise Refused(403, "This was begun by another browser. Load the page again.")

    @asynccontextmanager
    async def _upload(self, headers: Headers) -> AsyncIterator[None]:
        """Admit an upload, and see that no piece of it stays.

        Raises
        ------
        Refused: the request is not carried out, and why.
        """
        if _length(headers) > self.upload_bytes + FRAME_BYTES:
            raise Refused(413, _too_large(self.upload_bytes))
        if self._uploads >= MOST_UPLOADS:
            raise Refused(503, "Too many people are uploading just now. Try again in a minute.")
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1
            if not self._uploads:  # what lies beside the folders now belongs to no upload
                remove_strays(self.served)

    def _check_call(self, route: str, scope: Scope, headers: Headers, body: bytes) -> None:
        """Refuse a call that gradio could not carry out.

        Raises
        ------
        Refused: the request is not carried out, and why.
        """
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, NO_JSON)  # what other pages can send without asking is of other types
        try:
            sent = read_body(body)
        except ValueError:
            raise Refused(400, NO_JSON) from None
        app = scope["app"]
        if route.startswith("call/") and unknown_function(route.rpartition("/")[2], app.get_blocks()):
            raise Refused(404, "The page has no such function.")
        if wrong := misfit(route, sent, app.get_blocks()):
            raise Refused(400, f"{wrong} {RELOAD}")
        session = sent.get("session_hash")
        if session is not None:
            self._check_key(session, headers)
            self.sessions.use(app, session)
        if self.sessions.is_full(app, session or ""):
            raise Refused(429, "Too many answers were not fetched. Try again in a minute.")


class _Answer:
    """Sends what gradio answers, or a refusal where it has not begun to answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._begun = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        await self._send(message)

    async def tell_health(self, health: Callable[[], Mapping[str, Any]]) -> None:
        """Answer how the server is; 503 where it is not well."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                found = await asyncio.to_thread(health)
        except TimeoutError:  # a lock that is held for ever, or a disk that has gone
            found = {"status": "failing", "problems": ["The server does not say how it is."]}
        body = json.dumps(found).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        headers.append((b"content-length", str(len(body)).encode()))
        status = 200 if found["status"] == "ok" else 503
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": b"" if self._scope["method"] == "HEAD" else body})

    async def refuse(self, status: int, message: str) -> None:
        """Answer in words, or end the answer that has begun."""
        if self._begun:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        plain = _route(self._scope) == UPLOAD or not self._scope["path"].startswith(API)
        body = (message if plain else json.dumps({"detail": message})).encode()
        kind = "text/plain; charset=utf-8" if plain else "application/json"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> Headers:
    """The request's headers by their names in small letters; of one that is named twice, the first."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(scope["headers"])}


def _route(scope: Scope) -> str:
    """The part of the path below gradio's prefix, or the path itself."""
    return str(scope["path"]).removeprefix(API).strip("/")


def _cookie(headers: Headers, name: str) -> str:
    """A cookie's value, or ""; what is no ASCII is none of ours."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value for key, _, value in pairs if key == name and value.isascii()), "")


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _too_large(most: int) -> str:
    # Gradio knows by these words that its answer is 413.
    return f"The file is over the maximum allowed size of {most / 1e6:g} MB."


async def _next(receive: Receive) -> Message:
    """The next piece of a body.

    Raises
    ------
    TimeoutError: it does not come.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await receive()


async def _read(receive: Receive, headers: Headers, most: int) -> bytes | None:
    """A whole body; None where the connection broke off.

    Raises
    ------
    Refused: the request is not carried out, and why.
    """
    too_large = Refused(413, f"The request is over the maximum allowed size of {most / 1e6:g} MB.")
    if _length(headers) > most:
        raise too_large
    body, more = bytearray(), True
    while more:
        try:
            message = await _next(receive)
        except TimeoutError:
            raise Refused(408, "The request stood still. Send it again.") from None
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            raise too_large
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read, then what else comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give


def _whole_or_failed(receive: Receive, most: int) -> Receive:
    """A `receive` for an upload, in which an end before its time is an error of the form.

    For such an error gradio closes and deletes the files that it had begun; for all others it leaves them.
    """
    received, more = 0, True

    async def give() -> Message:
        nonlocal received, more
        if not more:
            return await receive()
        try:
            message = await _next(receive)
        except TimeoutError:
            raise MultiPartException("The upload stood still. Upload the file again.") from None
        if message["type"] == "http.disconnect":
            raise MultiPartException("The upload broke off.")
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
        if received > most:
            raise MultiPartException(_too_large(most - FRAME_BYTES))
        return message

    return give
