"""A Space as the Hub shows it: a page at https://huggingface.co that frames ours, which is at https://*.hf.space.

Both names lead to a server of this module's own, which speaks TLS as the Hub's proxy does, answers for the Hub and
hands on what is for the Space. The Hub's page does what the Hub documents: it gives its query to the frame when it
loads, adds keys of its own, and takes over the query that the frame sends; with `#deaf` in its address it does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

HUB = "https://huggingface.co"
SPACE_NAME = "me/stit"
SPACE_HOST = "me-stit.hf.space"
SPACE = f"https://{SPACE_HOST}"
AT_HUB = f"{HUB}/spaces/{SPACE_NAME}"
KEY = "key-of-a-private-space"
SANDBOX = "allow-downloads allow-forms allow-modals allow-popups allow-same-origin allow-scripts"
PAGE = f"""<!doctype html><title>Space</title>
<iframe id="space" sandbox="{SANDBOX}" style="width: 100%; height: 95vh" ></iframe>
<script>
const query = new URLSearchParams(location.search);
query.set("__theme", "light");
query.set("__sign", "{KEY}");
document.getElementById("space").src = "{SPACE}/?" + query;
addEventListener("message", (event) => {{
  if (event.origin !== "{SPACE}" || typeof event.data.queryString !== "string") return;
  if (location.hash !== "#deaf") history.replaceState(null, "", location.pathname + "?" + event.data.queryString);
}});
</script>"""


def settings_of_a_space() -> dict[str, str]:
    """What the Hub sets in a Space's environment."""
    return {"SPACE_ID": SPACE_NAME, "SPACE_HOST": SPACE_HOST}


def browser_arguments(port: int) -> list[str]:
    """How Chromium finds both names at this server."""
    rules = ", ".join(f"MAP {name}:443 127.0.0.1:{port}" for name in ("huggingface.co", SPACE_HOST))
    return [f"--host-resolver-rules={rules}"]


@contextlib.contextmanager
def serve_hub(folder: Path, port_of_space: int) -> Iterator[int]:
    """Serve the Hub, and in front of the page at that port the Space; gives the server's own port.

    Parameters
    ----------
    folder: for the certificate, which is made by openssl.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=huggingface.co"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _answer(reader, writer, port_of_space)
        writer.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hub", daemon=True)
    thread.start()
    starting = asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(timeout=60)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port_of_space: int) -> None:
    """One request of a connection, which ends with it."""
    head = await reader.readuntil(b"\r\n\r\n")
    request, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if next(value for name, value in headers.items() if name.lower() == "host") == "huggingface.co":
        found = PAGE if request.split()[1].startswith("/spaces/") else ""
        status = "200 OK" if found else "204 No Content"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{found}".encode())
        await writer.drain()
        return
    kept = [f"{name}: {value}" for name, value in headers.items() if name.lower() != "connection"]
    handed_on = "\r\n".join((request, *kept, "X-Forwarded-Proto: https", "Connection: close", "", ""))
    from_space, to_space = await asyncio.open_connection("127.0.0.1", port_of_space)
    to_space.write(handed_on.encode("latin-1"))
    await asyncio.wait(
        [asyncio.create_task(_pour(reader, to_space)), asyncio.create_task(_pour(from_space, writer))],
        return_when=asyncio.FIRST_COMPLETED,
    )
    to_space.close()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(1 << 16):
            target.write(piece)
            await target.drain()
