"""The command line's `review`: options -> people and plan -> review -> one HTML file, a CSV and a JSON."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from stit_core.config import WorkersConfig
from stit_core.directions.labelled_pictures import shown
from stit_core.errors import Cancelled, ConfigError
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import DEFAULT_PACK, find_pack, load_models
from stit_core.review.costs import expected_seconds
from stit_core.review.findings import GROUP_KINDS
from stit_core.review.people import LABELS_FROM, People, open_people
from stit_core.review.plan import Plan, choose_columns, choose_crossings, parse_edits
from stit_core.review.report import Written, check_output, write_report
from stit_core.review.running import Examined, Review
from stit_core.review.spreading import role_of, run_spread
from stit_core.runtime import CancelToken, Progress, Runtime, pick_device, pick_dtype
from stit_core.store.runs import Store
from stit_core.workers.choosing import HERE, check_place, open_workers

FAILURES_SHOWN = 10


def run_review(options: argparse.Namespace, cancel: CancelToken, progress: Progress) -> None:
    """Carry out `review`: look at everybody, then report; a stopped one reports on what is there.

    Raises StitError for input that cannot be used, Cancelled when it was stopped.
    """
    keep_freed_memory()
    check_place(options.on or HERE)
    people = open_people(options.people_from, _labels_from(options))
    people = people.chosen(options.people)
    plan = _plan(options, people)
    check_output(options.output)
    pack = find_pack(options.pack or DEFAULT_PACK)
    device = pick_device(options.device)
    dtype = pick_dtype(plan.preset, device)
    runtime = Runtime(device=device, dtype=dtype, seed=plan.seed, progress=progress, cancel=cancel)
    store = Store()
    folder = _folder(store, people)
    review = Review(plan, people, load_models(pack, device), folder, runtime, store)
    _announce(review)
    stopped: Cancelled | None = None
    try:
        for _ in _looking(review, options):
            pass
    except Cancelled as error:
        stopped = error
    try:
        written = write_report(review, options.output, command_of(options))
    except ConfigError:
        if stopped is not None:  # before anybody was looked at
            raise stopped from None
        raise
    _tell(options, written)
    if stopped is not None:
        raise stopped


def _looking(review: Review, options: argparse.Namespace) -> Iterator[Examined]:
    """In this process, or by workers where the command asks for a place or for several."""
    if options.on is None and options.jobs is None:
        return review.run()
    config = WorkersConfig(options.jobs, options.threads, options.gpus, options.retries)
    role = role_of(review, options.people_from, review.people.labels_from, options.people)
    return run_spread(review, open_workers(options.on or HERE, role, config, options.device), config.retries)


def _labels_from(options: argparse.Namespace) -> str:
    """Who says that the labels are so: as the command says, else asked where somebody can answer."""
    if options.labels_from:
        return str(options.labels_from)
    if not options.people_from or options.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return LABELS_FROM[-1]
    choices = ", ".join(f"{number} {name}" for number, name in enumerate(LABELS_FROM, start=1))
    print(f"Where do the labels of these people come from? {choices}: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer in LABELS_FROM:
        return answer
    place = int(answer) if answer.isdigit() else len(LABELS_FROM)
    return LABELS_FROM[place - 1] if 1 <= place <= len(LABELS_FROM) else LABELS_FROM[-1]


def _plan(options: argparse.Namespace, people: People) -> Plan:
    wanted = [name.strip() for name in (options.groups or "").split(",") if name.strip()]
    columns = choose_columns(people, wanted)
    return Plan(
        edits=parse_edits(options.direction),
        columns=columns,
        crossings=choose_crossings(people, columns),
        tuning=not options.no_tuning,
        preset=options.preset,
        seed=options.seed,
        question=options.question[:300],
    )


def _folder(store: Store, people: People) -> Path:
    """The review's folder among the runs, so that `runs` lists and cleans it; the same people have the same."""
    names = [people.title, *(source.name for person in people.persons for source in person.sources)]
    digest = hashlib.sha256(json.dumps(["review", *names]).encode()).hexdigest()
    return store.run(digest, f"review of {people.title}").folder / "review"


def _announce(review: Review) -> None:
    plan, people = review.plan, review.people
    compared = f", compared by {', '.join(plan.columns)}" if plan.columns else ""
    minutes = max(1, round(expected_seconds(review) / 60))
    print(
        f"{len(people.persons)} people ({people.title}), {len(plan.pairs)} edits of each{compared}; "
        f"labels: {people.labels_from}. About {minutes} minutes of one core; what is there already takes none.",
        file=sys.stderr,
    )
    for name, reason in people.left_out[:FAILURES_SHOWN]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if len(people.left_out) > FAILURES_SHOWN:
        print(f"left out: {len(people.left_out) - FAILURES_SHOWN} more, in the report", file=sys.stderr)


def command_of(options: argparse.Namespace) -> str:
    """The command that repeats a review; of paths only the names, which is all that a reader can use."""
    words = ["python", "-m", "stit_core", "review", *(shown(path.name) for path in options.people_from)]
    words += [word for text in options.direction for word in ("-d", text)]
    for name, value, usual in (
        ("--groups", options.groups, None),
        ("--people", options.people, None),
        ("--pack", options.pack, None),
        ("--labels-from", options.labels_from, None),
        ("--preset", options.preset, "balanced"),
        ("--seed", options.seed, 0),
    ):
        words += [name, str(value)] if value != usual else []
    words += ["--no-tuning"] if options.no_tuning else []
    return shlex.join([*words, "-o", options.output.name])


def _tell(options: argparse.Namespace, written: Written) -> None:
    results = written.results
    seen, usable = int(results.looked_at.sum()), int(results.usable.sum())
    files = {"html": str(written.html), "csv": str(written.csv), "json": str(written.json)}
    if options.json:
        findings = [{"kind": s.kind, "text": s.text, "is_finding": s.is_finding} for s in written.sentences]
        record = {**files, "people": len(results.failures), "looked_at": seen, "failed": seen - usable}
        print(json.dumps(record | {"findings": findings}))
        return
    print(f"{written.html}: {seen} of {len(results.failures)} people looked at, {seen - usable} failed")
    failed = [(p.name, f) for p, f in zip(results.people.persons, results.failures, strict=True) if f]
    for name, failure in failed[:FAILURES_SHOWN]:
        print(f"  {name}: {failure}")
    told = written.findings or [s for s in written.sentences if results.plan.columns or s.kind not in GROUP_KINDS]
    for sentence in told[:FAILURES_SHOWN]:
        print(f"  {sentence.kind}: {sentence.text}")
    print(f"  figures         {written.csv}, {written.json}")
