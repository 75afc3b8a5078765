"""Runs that were taken to a step once, without a browser, and are copied for each test that begins there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.page_server import ROOT
from page.settings import read_settings
from page.studio.feed import Feeds
from page.studio.folders import new_id, public_name
from page.studio.holdings import FEEDS
from page.studio.studio import Studio
from tests.support.page_cases import finish

Step = Literal["aligned", "tuned", "edited"]
SAMPLE = ROOT / "assets" / "clips" / "young-woman-turning.mp4"
SECONDS = 0.6  # of the sample that are edited
FIRST_EDIT = (("age", -2.0),)  # of a run that is edited


@dataclass
class PreparedRuns:
    """Runs of a page that is served from the same folder.

    Attributes
    ----------
    studio: a backend of the test's own beside that of the page; they meet on the disk alone.
    end: seconds of the sample that are edited.
    """

    studio: Studio
    end: float
    _made: dict[Step, str] = field(default_factory=dict)

    def copy(self, step: Step) -> str:
        """The id of a run that stands at a step, and that nobody else uses."""
        source, run_id, folders = self._prepare(step), new_id(), self.studio.folders
        for root in (folders.private, folders.outputs):
            shutil.copytree(root(source), root(run_id), dirs_exist_ok=True)
            for record in root(run_id).rglob("*.json"):  # that of the run and those of its feeds name folders
                text = record.read_text().replace(source, run_id)
                record.write_text(text.replace(public_name(source), public_name(run_id)))
        for record in (folders.private(run_id) / FEEDS).glob("*/feed.json"):
            record.write_text(json.dumps(json.loads(record.read_text()) | {"id": new_id()}))
        return run_id

    def _prepare(self, step: Step) -> str:
        if step not in self._made:
            if step == "aligned":
                run_id = self.studio.arrive().id
                self.studio.set_sample(run_id, next(iter(self.studio.clips.samples)))
                self.studio.change(run_id, preset="draft", end=self.end)
                status = finish(self.studio, run_id, "align")
            elif step == "tuned":
                run_id = self.copy("aligned")
                status = finish(self.studio, run_id, "tune")
            else:
                run_id = self.copy("tuned")
                self.studio.change(run_id, edits=FIRST_EDIT)
                status = finish(self.studio, run_id, "edit")
            assert status.state == "done", status
            self._made[step] = run_id
        return self._made[step]


@contextmanager
def prepare_runs(root: Path, settings: Mapping[str, str], sample: Path, end: float) -> Iterator[PreparedRuns]:
    """Prepare runs below `root`, the folder of the runs of a page with these settings of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        samples = {sample.stem.replace("-", " "): sample}  # as app.py calls it
        studio = Studio(replace(read_settings(settings), root=root, device="cpu"), samples, Feeds())
        yield PreparedRuns(studio, end)
