"""Learning a direction from a visitor's labelled pictures, as a job in the studio's queue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page.studio.direction_roots import own_root
from page.studio.folders import link_or_copy, new_id, safe_name
from page.studio.holdings import LATENTS, TRAININGS, remove
from page.studio.job import Job, Status
from page.studio.studio import Studio
from stit_core.config import DirectionTrainingConfig
from stit_core.directions.labelled_pictures import SUFFIXES, open_pictures
from stit_core.directions.library import check_name
from stit_core.directions.training import Texts, train_directions
from stit_core.errors import DirectionError
from stit_core.runtime import Runtime
from stit_core.store.disk import disk_errors

SECONDS_A_PICTURE = 0.3  # to find the face and encode it, on one core
FIT_SECONDS = 20.0
PARTS_SECONDS = 8.0
ARCHIVE_PICTURES = 400  # guessed of a zip, for the time left
FEWER = "Use fewer pictures."
BELOW, ABOVE = "below", "above"  # labels where the ends have no names of their own


@dataclass(frozen=True)
class TrainingRequest:
    """What a visitor wants to have learned.

    Attributes
    ----------
    name: of the direction.
    negative, positive: what a factor below and above 0 does, in a word or two.
    archive: a zip with a folder for each of two groups, or None.
    below, above: pictures of the two groups, where there is no zip.
    """

    name: str
    negative: str
    positive: str
    archive: Path | None
    below: tuple[Path, ...] = ()
    above: tuple[Path, ...] = ()

    @property
    def labels(self) -> tuple[str, str]:
        """Names of the two groups that are plain enough for folders, in order."""
        plain = [re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:40] for text in (self.negative, self.positive)]
        return (plain[0], plain[1]) if all(plain) and plain[0] != plain[1] else (BELOW, ABOVE)


def start_training(studio: Studio, run_id: str, request: TrainingRequest) -> Status:
    """Put a training into the queue; the direction becomes one of the run's own.

    Raises
    ------
    DirectionError: the name cannot be one, or there are no pictures of two groups.
    StitError: the queue is full, or another job of the run is not ended.
    """
    studio.runs.get(run_id)
    check_name(request.name)
    given = [request.archive] if request.archive else [*request.below, *request.above]
    if request.archive is None and not (request.below and request.above):
        message = "There are no pictures of two groups yet."
        raise DirectionError(message, "Upload a folder for each group, or a zip that holds both.")
    studio.bring(run_id, given)
    plan = _plan(ARCHIVE_PICTURES if request.archive else len(given))
    studio.planner.check(sum(plan.values()), FEWER)
    studio.make_room(run_id)
    folder = studio.folders.private(run_id) / TRAININGS / new_id()

    def work(job: Job) -> None:
        try:
            job.set_status(warnings=_learn(studio, run_id, request, folder, job))
        finally:
            remove(folder)

    try:
        with disk_errors("The uploaded pictures"):
            _gather_all(request, folder)  # now, as an upload may be deleted before the job's turn comes
        studio.jobs.submit(run_id, "train", work, plan)
    except BaseException:
        remove(folder)
        raise
    for other in folder.parent.iterdir():  # of trainings that were stopped while they waited
        if other != folder:
            remove(other)
    status = studio.jobs.status(run_id)
    assert status is not None
    return status


def _plan(pictures: int) -> dict[str, float]:
    """Seconds expected of each stage."""
    return {"latents": SECONDS_A_PICTURE * pictures, "fit": FIT_SECONDS, "parts": PARTS_SECONDS, "preview": 2.0}


def _learn(studio: Studio, run_id: str, request: TrainingRequest, folder: Path, job: Job) -> tuple[str, ...]:
    """Train from the pictures in `folder` and store; gives what to know of the result."""
    texts = Texts(positive=request.positive, negative=request.negative)
    runtime = Runtime(studio.networks.models.device, progress=job.progress, cancel=job.token)
    if request.archive is not None:
        pictures = open_pictures(folder / safe_name(request.archive.name))
        studio.planner.check(sum(_plan(len(pictures.entries)).values()), FEWER)
    else:
        pictures = open_pictures(folder, request.labels)
    root, config = own_root(studio.folders, run_id), DirectionTrainingConfig()
    latents = studio.folders.private(run_id) / LATENTS
    made = train_directions(pictures, request.name, studio.networks.models, config, runtime, root, texts, cache=latents)
    return tuple(str(text) for direction in made for text in _warnings(direction.card.training))


def _warnings(training: dict[str, Any]) -> Sequence[Any]:
    warnings = training.get("warnings", ())
    skipped = training.get("skipped", {})
    left_out = [f"{len(skipped)} pictures could not be used, such as {next(iter(skipped))}."] if skipped else []
    return [*left_out, *warnings]


def _gather_all(request: TrainingRequest, folder: Path) -> None:
    """What the training learns from, in a folder of the run's own."""
    folder.mkdir(parents=True)
    if request.archive is not None:
        link_or_copy(request.archive, folder / safe_name(request.archive.name))
        return
    for label, paths in zip(request.labels, (request.below, request.above), strict=True):
        _gather(paths, folder / label)


def _gather(paths: Sequence[Path], folder: Path) -> None:
    """Pictures of one group in a folder of their own, under names that are no paths but still keep people apart."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        if path.suffix.lower() not in SUFFIXES:
            continue
        name = safe_name(path.name)
        target = folder / (name if not (folder / name).exists() else f"{Path(name).stem}_{number}{path.suffix.lower()}")
        link_or_copy(path, target)
