"""What an upload is answered on a disk that is full."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from page.server.guard import Guard
from page.server.headers import SafeHeaders
from page.server.origins import accepted_origins
from page.settings import PageSettings
from page.studio.errors import NO_ROOM


@pytest.mark.parametrize(("reason", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)])
def test_an_upload_onto_a_full_disk_is_refused_in_words(tmp_path: Path, reason: int, status: int) -> None:
    async def gradio(*_: Any) -> None:
        raise OSError(reason, "as the disk says it")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[dict[str, Any]] = []
    guard = Guard(gradio, PageSettings(root=tmp_path), accepted_origins({}, ()), (), SafeHeaders((), ()), dict)
    headers = [(b"host", b"127.0.0.1:7860")]
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "query_string": b"", "headers": headers}
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == status
    assert (NO_ROOM in sent[1]["body"].decode()) == (status == 507)
