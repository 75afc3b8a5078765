"""What stands between the network and gradio: whose requests are carried out, how large they may be, how they end.

Gradio trusts whoever reaches it: it carries out requests of other people's pages, reads bodies of any length into
memory, leaves the file of an upload that breaks off, and ends in a traceback where a request names what does not
exist. Each is met here, before gradio sees the request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any
from urllib.parse import parse_qs

from gradio.route_utils import MultiPartException  # the kind for which it deletes what it began

from page.server.crowds import VISITOR, Crowd
from page.server.headers import SafeHeaders, mend_page
from page.server.login import ask_no_name
from page.server.origins import SAFE_METHODS, Origins
from page.server.probe import HEALTH
from page.server.proxies import believe_proxy
from page.server.sessions import KEY, Sessions
from page.server.shapes import MISFIT, NO_JSON, RELOAD, called_function, is_session, misfit, read_body
from page.settings import Network, PageSettings
from page.studio.allowances import Crowded
from page.studio.disk import remove_strays
from page.studio.errors import NO_ROOM, NO_ROOM_HINT
from page.studio.visitors import Visitor
from stit_core.errors import NO_ROOM as FULL

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
LOGIN = "login"
HEALTH_SECONDS = 3.0  # after which a health that is not known counts as bad
JSON_BYTES = 2_000_000  # the page's largest message holds the pictures of all cards
FRAME_BYTES = 200_000  # of an upload that are no file: names and boundaries
PATIENCE_SECONDS = 30.0  # for the next piece of a body
BODY_SECONDS = 120.0  # for the whole of one that is no upload
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
    settings: what the environment decided.
    origins: from where the page may be used.
    proxies: whose X-Forwarded-* headers are believed.
    headers: of every answer.
    health: gives what HEALTH answers, with the key "status", "ok" where all is well; asked in a thread.
    """

    def __init__(
        self,
        app: App,
        settings: PageSettings,
        origins: Origins,
        proxies: tuple[Network, ...],
        headers: SafeHeaders,
        health: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.app, self.settings, self.origins = app, settings, origins
        self.proxies, self.headers, self.health = proxies, headers, health
        self.sessions, self.crowd = Sessions(), Crowd(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        route, answer = _route(scope), _Answer(scope, send, self.headers)
        try:
            await self._carry_out(route, scope, receive, answer)
        except Refused as refused:
            await answer.refuse(refused.status, refused.message)
        except Crowded as crowded:
            await answer.refuse(429, str(crowded))
        except OSError as error:  # of the disk, while an upload is written
            LOG.warning("a request to %r could not be carried out: %s", route[:60], error.strerror)
            full = error.errno in FULL
            await answer.refuse(507 if full else 500, f"{NO_ROOM} {NO_ROOM_HINT}" if full else f"{MISFIT} {RELOAD}")
        except Exception as error:  # gradio's own, for what it did not expect of a request
            LOG.warning("a request to %r could not be carried out: %s", route[:60], type(error).__name__)
            await answer.refuse(400, f"{MISFIT} {RELOAD}")

    async def _carry_out(self, route: str, scope: Scope, receive: Receive, answer: _Answer) -> None:
        sent = _headers(scope)
        believe_proxy(scope, self.proxies)
        headers = _headers(scope)
        if "host" not in headers:
            scope["headers"].append((b"host", b""))  # gradio looks for it while it sends an answer, and fails without
        self._check_sender(scope["method"], sent, headers)
        visitor = scope[VISITOR] = Visitor(_cookie(headers, KEY), str((scope.get("client") or ("",))[0]))
        if route.startswith(CLOSED):
            raise Refused(404, "The page has no such address.")
        if scope["path"] == HEALTH and scope["method"] in SAFE_METHODS:  # also of a page that asks for a password
            await answer.tell_health(self.health)
        elif scope["method"] in SAFE_METHODS:
            with self._connection(route, scope, headers):
                await self.app(scope, receive, answer)
        elif route == UPLOAD:
            async with self._upload(headers, visitor):
                await self.app(scope, self._whole_or_failed(receive), answer)
        else:
            body = await _read(receive, headers)
            if body is None:  # whoever sent it has gone
                return
            if scope["path"].startswith(API):
                self._check_call(route, scope, headers, body)
            elif route == LOGIN:
                ask_no_name(scope["app"])
            await self.app(scope, _again(body, receive), answer)

    def _check_sender(self, method: str, sent: Headers, believed: Headers) -> None:
        """Refuse a request that a page of somebody else sends, or one for another name.

        Parameters
        ----------
        sent, believed: the headers as they came, and without those of a proxy that nobody named.

        Raises
        ------
        Refused: the request is not carried out, and why.
        """
        if not all(self.origins.knows(host) for host in _hosts(sent)):
            hint = "Whoever runs it can name this address in STIT_ORIGINS."
            raise Refused(403, f"The page does not answer under this address. {hint}")
        origin = sent.get("origin")
        if origin is None:
            foreign = method not in SAFE_METHODS and sent.get("sec-fetch-site") in ("cross-site", "same-site")
        else:
            foreign = not any(self.origins.allows(origin, host) for host in _hosts(believed) or [""])
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
    async def _upload(self, headers: Headers, visitor: Visitor) -> AsyncIterator[None]:
        """Admit an upload, and see that no piece of it stays.

        Raises
        ------
        Refused, Crowded: the request is not carried out, and why.
        """
        if _length(headers) > self.settings.upload_bytes + FRAME_BYTES:
            raise Refused(413, _too_large(self.settings.upload_bytes))
        try:
            with self.crowd.upload(visitor):
                yield
        finally:
            if not self.crowd.is_uploading:  # what lies beside the folders now belongs to no upload
                remove_strays(self.settings.served)

    def _whole_or_failed(self, receive: Receive) -> Receive:
        """A `receive` for an upload, in which an end before its time, or none in time, is an error of the form.

        For such an error gradio closes and deletes the files that it had begun; for all others it leaves them.
        """
        received, more, minutes = 0, True, self.settings.upload_minutes
        until = time.monotonic() + 60 * minutes

        async def give() -> Message:
            nonlocal received, more
            if not more:
                return await receive()
            try:
                message = await _next(receive, until)
            except TimeoutError:
                late = f"It took longer than {minutes:g} minutes" if time.monotonic() >= until else "It stood still"
                raise MultiPartException(f"The upload was ended. {late}. Upload the file again.") from None
            if message["type"] == "http.disconnect":
                raise MultiPartException("The upload broke off.")
            received += len(message.get("body", b""))
            more = message.get("more_body", False)
            if received > self.settings.upload_bytes + FRAME_BYTES:
                raise MultiPartException(_too_large(self.settings.upload_bytes))
            return message

        return give

    def _check_call(self, route: str, scope: Scope, headers: Headers, body: bytes) -> None:
        """Refuse a call that gradio could not carry out.

        Raises
        ------
        Refused, Crowded: the request is not carried out, and why.
        """
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, NO_JSON)  # what other pages can send without asking is of other types
        try:
            sent = read_body(body)
        except ValueError:
            raise Refused(400, NO_JSON) from None
        app = scope["app"]
        if wrong := misfit(route, sent, app.get_blocks()):
            raise Refused(400, f"{wrong} {RELOAD}")
        session = sent.get("session_hash")
        if session is not None:
            self._check_key(session, headers)
            self.sessions.use(app, session)
        if self.sessions.is_full(app, session or ""):
            raise Refused(429, "Too many answers were not fetched. Try again in a minute.")
        if route.startswith(("call/", "queue/join")):
            function = called_function(route, sent, app.get_blocks())
            if function is None:
                raise Refused(404, "The page has no such function.")
            self.crowd.check_call(scope[VISITOR], function, app.get_blocks())


class _Answer:
    """Sends what gradio answers, or a refusal where it has not begun to answer; with the headers of every answer.

    A page is held back until all of it is there, for its headers name its scripts.
    """

    def __init__(self, scope: Scope, send: Send, headers: SafeHeaders) -> None:
        self._scope, self._send, self._headers = scope, send, headers
        self._begun = False
        self._page: tuple[Message, bytearray] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            if dict(message.get("headers", ())).get(b"content-type", b"").startswith(b"text/html"):
                self._page = message, bytearray()
            else:
                await self._start(message)
        elif self._page is not None:
            start, text = self._page
            text += message.get("body", b"")
            if not message.get("more_body", False):
                self._page = None
                page = mend_page(bytes(text), self._scope["app"].get_blocks().title)
                sized = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                if text:  # of a question for the headers alone there is none
                    sized.append((b"content-length", str(len(page)).encode()))
                await self._start({**start, "headers": sized}, page)
                await self._send({"type": "http.response.body", "body": page})
        else:
            await self._send(message)

    async def _start(self, message: Message, html: bytes = b"") -> None:
        own = self._headers.of(html)
        replaced = {name for name, _ in own if name != b"content-security-policy"}  # of two policies both hold
        kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in replaced]
        await self._send({**message, "headers": [*kept, *own]})

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
        if self._begun and self._page is None:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        plain = _route(self._scope) == UPLOAD or not self._scope["path"].startswith(API)
        body = (message if plain else json.dumps({"detail": message})).encode()
        kind = "text/plain; charset=utf-8" if plain else "application/json"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await self._start({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> Headers:
    """The request's headers by their names in small letters; of one that is named twice, the first."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(scope["headers"])}


def _hosts(headers: Headers) -> list[str]:
    """The names under which a request asks for the page; of several proxies', that which the visitor's sees."""
    names = (headers[name] for name in ("host", "x-forwarded-host") if name in headers)
    return [name.partition(",")[0].strip() for name in names]


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


async def _next(receive: Receive, until: float) -> Message:
    """The next piece of a body.

    Raises
    ------
    TimeoutError: it does not come, or it is later than `until`.
    """
    async with asyncio.timeout(min(PATIENCE_SECONDS, until - time.monotonic())):
        return await receive()


async def _read(receive: Receive, headers: Headers) -> bytes | None:
    """A whole body that is no upload; None where the connection broke off.

    Raises
    ------
    Refused: the request is not carried out, and why.
    """
    too_large = Refused(413, f"The request is over the maximum allowed size of {JSON_BYTES / 1e6:g} MB.")
    if _length(headers) > JSON_BYTES:
        raise too_large
    body, more, until = bytearray(), True, time.monotonic() + BODY_SECONDS
    while more:
        try:
            message = await _next(receive, until)
        except TimeoutError:
            raise Refused(408, "The request stood still. Send it again.") from None
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > JSON_BYTES:
            raise too_large
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read, then what else comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give
