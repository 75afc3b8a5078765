"""Nothing that is written down leads to a face."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from page.server.logs import FORMAT, Discreet
from page.settings import PageSettings
from page.studio.folders import new_id


def test_neither_ids_nor_names_of_visitors_files_are_written(tmp_path: Path) -> None:
    settings, run_id = PageSettings(root=tmp_path), new_id()
    clip = settings.private / run_id / "Anna Schmidt.mp4"
    try:
        clip.read_bytes()
    except OSError:
        failure = sys.exc_info()
    text = f"GET /?run={run_id}&x=1 for %s"
    record = logging.LogRecord("page", logging.ERROR, "x.py", 1, text, (settings.served / "ab" / "Anna.mp4",), failure)
    assert "Anna" in logging.Formatter(FORMAT).format(record)
    written = Discreet(settings).format(record)
    for secret in ("Anna", "Schmidt", run_id, str(tmp_path / "visitors")):
        assert secret not in written
    assert "FileNotFoundError" in written
    assert "ERROR page: GET /?run=...&x=1" in written
