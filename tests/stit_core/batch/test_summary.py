"""The table and the page of a batch: every row, its figures or its reason, and nothing that a name could smuggle in."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from stit_core.batch import summary
from stit_core.batch.running import DONE, FAILED, SAME, WAITING
from stit_core.batch.summary import write_summary
from stit_core.errors import StoreError
from stit_core.runtime import CancelToken
from stit_core.workers.processes import LocalProcesses
from tests.support.batch_cases import batch_of, write_clips
from tests.support.full_disk import room_for

pytest_plugins = ["tests.support.fixtures_pack"]

HOSTILE = "=1+1<script>alert(1)</script>.mp4"


def test_a_summary_has_every_row_and_escapes_every_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (good,) = write_clips(home / "takes", 1)
    hostile = home / "takes" / HOSTILE.replace("/", "_")
    hostile.write_text("no video")
    twin = home / "takes" / "twin.mp4"
    shutil.copyfile(good, twin)
    monkeypatch.chdir(home / "takes")
    clips = [Path(good.name), Path(hostile.name), twin]
    batch = batch_of(clips, home / "out", home / "runs")
    assert write_summary(batch).counts == {WAITING: 3}
    list(batch.run(LocalProcesses(batch.role, ("cpu",), 1, 1), CancelToken()))
    written = write_summary(batch, "python -m stit_core batch <takes>")
    assert written.counts == {DONE: 1, FAILED: 1, SAME: 1}
    with written.csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == [DONE, FAILED, SAME]
    assert rows[0]["output"] == rows[2]["output"]
    assert rows[2]["same_as"] == "1"
    assert float(rows[0]["id_cosine"]) <= 1
    assert int(rows[0]["faces"]) == 3
    assert rows[1]["clip"].startswith("'="), "a spreadsheet would take it for a formula"
    assert "is not a video" in rows[1]["reason"]
    page = written.html.read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;takes&gt;" in page
    assert page.index("is not a video") < page.index(good.name), "what failed comes first"
    monkeypatch.setattr(summary, "SHOWN", 1)
    assert "2 more stand in" in write_summary(batch).html.read_text()
    before = written.csv.read_bytes()
    with room_for(64), pytest.raises(StoreError, match="disk is full"):
        write_summary(batch)
    assert written.csv.read_bytes() == before
