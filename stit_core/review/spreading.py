"""A review whose people are looked at by several workers, here or on a cluster. Source: ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from stit_core.errors import StitError
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.review.people import open_people
from stit_core.review.plan import Plan
from stit_core.review.running import FATAL, IN_USE, LOCK, STAGE, Examined, Review
from stit_core.runtime import CancelToken, Progress, Runtime, pick_device
from stit_core.store.disk import disk_errors
from stit_core.store.locks import alone
from stit_core.store.runs import Store
from stit_core.workers.scheduling import Scheduler
from stit_core.workers.tasks import CannotGoOn, Failure, Role, Task, Workers

FACTORY = "stit_core.review.spreading:PersonLooker"


@dataclass(frozen=True)
class Setup:
    """What all workers of a review share.

    Attributes
    ----------
    plan: of the review.
    sources: where the people are, as `open_people` takes them; labels_from, chosen: as there. All workers see them.
    pack, folder, store: as of `Review`.
    dtype: of the leading process; what is kept is named by it, and a worker on another device takes it too.
    """

    plan: Plan
    sources: tuple[Path, ...]
    labels_from: str
    chosen: int | None
    pack: str
    folder: Path
    store: Path
    dtype: str


@dataclass(frozen=True)
class Work:
    """One person: the place among the people, and the name that must stand there."""

    place: int
    name: str


class PersonLooker:
    """Looks at person after person with networks that are loaded once."""

    def __init__(self, setup: Setup, device: str) -> None:
        keep_freed_memory()
        people = open_people(list(setup.sources), setup.labels_from).chosen(setup.chosen)
        where = pick_device(device)
        runtime = Runtime(where, getattr(torch, setup.dtype.removeprefix("torch.")), setup.plan.seed)
        models = load_models(find_pack(setup.pack), where)
        self._review = Review(setup.plan, people, models, setup.folder, runtime, Store(setup.store))

    def __call__(self, work: Work, progress: Progress, cancel: CancelToken) -> str:
        """Do what is missing of one person; gives why there is nothing, empty where there is.

        Raises CannotGoOn for what is wrong with the program or the disk, Cancelled when stopped.
        """
        review = self._review
        persons = review.people.persons
        if work.place >= len(persons) or persons[work.place].name != work.name:
            raise CannotGoOn("The people of the review were changed.", "Start again once all files are in place.")
        review.runtime = dataclasses.replace(review.runtime, progress=progress, cancel=cancel)
        try:
            return review.look_at(work.place)
        except FATAL as error:
            raise CannotGoOn(error.message, error.hint) from error


def run_spread(review: Review, workers: Workers, retries: int) -> Iterator[Examined]:
    """As `Review.run`, by workers of the role `role_of`: each person once, in the order in which they are finished.

    Raises
    ------
    Cancelled: stopped. StitError: no further person can be looked at. What is finished stays.
    """
    persons = review.people.persons
    with disk_errors("The folder of the review"):
        review.folder.mkdir(parents=True, exist_ok=True)
    tasks = (
        Task(place, Work(place, person.name), frozenset(review.digests(place))) for place, person in enumerate(persons)
    )
    done = 0
    review.runtime.progress(STAGE, 0, len(persons))
    scheduler = Scheduler(workers, tasks, review.runtime.cancel, retries, most=len(persons))
    with alone(review.folder / LOCK, IN_USE):
        for outcome in scheduler.run():
            if outcome is None:
                continue
            if outcome.failure is not None:
                _end_for(outcome.failure)
            done += 1
            review.runtime.progress(STAGE, done, len(persons))
            failure = outcome.failure.message if outcome.failure is not None else str(outcome.result)
            yield Examined(outcome.task.number, persons[outcome.task.number], failure)


def _end_for(failure: Failure) -> None:
    """Raise what a review of a single process would raise too: an error of the program is no result."""
    if failure.details:
        raise RuntimeError(failure.details)
    raise StitError(failure.message, failure.hint)


def role_of(review: Review, sources: list[Path], labels_from: str, chosen: int | None) -> Role:
    """What a worker does for this review, `sources`, `labels_from` and `chosen` being how its people were found."""
    places = tuple(path.absolute() for path in sources)
    pack, dtype = str(review.models.pack.folders[0]), str(review.runtime.dtype)
    return Role(
        FACTORY,
        Setup(review.plan, places, labels_from, chosen, pack, review.folder, review.store.root, dtype),
    )
