"""A real nginx before a page, with the configuration that docs/hosting.md gives."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.page_server import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CONFIGURATION = ROOT / "docs" / "nginx.conf"
NAME = "studio.localhost"  # a browser looks for it on this machine
START_SECONDS = 30
_AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    include mime.types;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/studio.conf;
}}
"""


@contextmanager
def proxied(folder: Path, port: int, upstream: int) -> Iterator[str]:
    """Let nginx stand before a page on port `upstream`; gives the page's address, below a subpath."""
    folder.mkdir()
    text = CONFIGURATION.read_text()
    for there, here in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("studio.example.org;", f"{NAME};"),
        ("127.0.0.1:7860", f"127.0.0.1:{upstream}"),
        ("/var/log/nginx", str(folder)),
    ):
        assert there in text, f"docs/nginx.conf has no {there}"
        text = text.replace(there, here)
    (folder / "studio.conf").write_text(text)
    (folder / "mime.types").write_text("types { text/html html; }\n")
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, user="user root;" if os.getuid() == 0 else ""))
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        _wait_for(port, process)
        yield f"http://{NAME}:{port}/studio/"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise AssertionError(process.stderr.read().decode())
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not answer")
