"""The command line's `batch`: options -> rows and treatments -> workers -> a video a clip, a table and a page."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tqdm import tqdm

from stit_core.batch.costs import Cost, costs, together
from stit_core.batch.rows import Row, list_rows
from stit_core.batch.running import DONE, FAILED, FOUND, SAME, Batch, Settled
from stit_core.batch.summary import Written, write_summary
from stit_core.batch.table import EDIT
from stit_core.batch.treatments import Treatment, Treatments
from stit_core.batch.working import Setup
from stit_core.cli.people import parse_people, parse_people_text
from stit_core.config import RunConfig, WorkersConfig
from stit_core.directions import library
from stit_core.directions.labelled_pictures import shown
from stit_core.errors import Cancelled, ConfigError, StitError, StoreError
from stit_core.estimates import time_steps
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import DEFAULT_PACK, find_pack, load_models
from stit_core.packs.manifest import Pack, verify_pack
from stit_core.runtime import CancelToken, Progress, Runtime, pick_device, pick_dtype, spread_devices, torch_threads
from stit_core.several_people import EVERYBODY, PersonEdit
from stit_core.store.disk import disk_errors
from stit_core.store.runs import Store
from stit_core.workers.choosing import HERE, check_place, local_share, open_workers
from stit_core.workers.tasks import Task

# Columns of a table that are settings, and the options that set them.
SETTINGS = {"region": "transfer.region", "face": "landmarks.face", "start": "video.start", "end": "video.end"}
LEFT_OUT_SHOWN = 5
COSTS_SHOWN = 20
ParseEdits = Callable[[list[str]], list[tuple[str, float]]]
MakeSettings = Callable[[argparse.Namespace, Pack], tuple[RunConfig, int]]


def run_batch(
    options: argparse.Namespace,
    cancel: CancelToken,
    progress: Progress,
    parse_edits: ParseEdits,
    make_settings: MakeSettings,
) -> None:
    """Carry out `batch`.

    Parameters
    ----------
    parse_edits, make_settings: how `edit` reads its edits, and its settings and seed.

    Raises
    ------
    StitError: nothing can be done, or some clips failed; the others' videos and the summary are there.
    Cancelled: it was stopped; the same of what was finished.
    """
    check_place(options.on)
    workers_config = WorkersConfig(options.jobs, options.threads, options.gpus, options.retries)
    pack = find_pack(options.pack or DEFAULT_PACK)
    verify_pack(pack)
    settle = Settler(options, pack, parse_edits, make_settings)
    usual = settle({}) if options.direction else None
    rows, left_out = list_rows(options.sources, usual, settle, options.output)
    _announce(rows, left_out)
    if options.dry_run:
        _tell_costs(options, pack, rows, workers_config, cancel, progress)
        return
    with disk_errors(f"The folder {options.output}"):
        options.output.mkdir(parents=True, exist_ok=True)
    setup = Setup(str(pack.folders[0]), options.output.absolute(), Store().root, None, not options.discard_stages)
    batch = Batch(rows, setup)
    workers = open_workers(options.on, batch.role, workers_config, options.device)
    ended: StitError | Cancelled | None = None
    bar = BatchBar(len(rows), quiet=options.json)
    try:
        for settled in batch.run(workers, cancel, workers_config.retries, bar.watch):
            bar.settle(settled)
    except (StitError, Cancelled) as error:
        ended = error
    finally:
        bar.close()
    _finish(options, batch, ended)


def _finish(options: argparse.Namespace, batch: Batch, ended: StitError | Cancelled | None) -> None:
    """Write and print the summary; raise what ended the batch, or that some clips failed."""
    try:
        written = write_summary(batch, command_of(options))
    except StoreError:
        if ended is None:
            raise
        raise ended from None
    _tell(options, batch, written)
    if ended is not None:
        raise ended
    failed = written.counts[FAILED]
    if failed:
        message = f"{failed} of {len(batch.rows)} clips failed."
        raise StitError(message, f"The reasons are in {written.html}; the same command tries them again.")


class Settler:
    """Makes treatments of the command, and of a table's cells in the place of what the command says.

    Parameters
    ----------
    options: of the command.
    parse_edits, make_settings: as of `run_batch`.
    """

    def __init__(
        self, options: argparse.Namespace, pack: Pack, parse_edits: ParseEdits, make_settings: MakeSettings
    ) -> None:
        self._options, self._pack = options, pack
        self._parse_edits, self._make_settings = parse_edits, make_settings
        self._treatments = Treatments(pack)
        self._directions = {card.name for card in library.list_directions(pack)}
        self._known: dict[tuple[tuple[str, str], ...], Treatment] = {}

    def __call__(self, cells: Mapping[str, str]) -> Treatment:
        """The treatment of a row with these cells. Raises StitError."""
        name = tuple(sorted(cells.items()))
        if name not in self._known:
            self._known[name] = self._settle(dict(cells))
        return self._known[name]

    def _settle(self, cells: dict[str, str]) -> Treatment:
        options = argparse.Namespace(**vars(self._options))
        for column in ("preset", "method"):
            if column in cells:
                setattr(options, column, cells.pop(column))
        if "seed" in cells:
            options.seed = _whole(cells.pop("seed"), "The seed")
        changes = [f"{SETTINGS[column]}={cells.pop(column)}" for column in tuple(cells) if column in SETTINGS]
        written, edits = cells.pop(EDIT, ""), []
        if ":" in written:
            people = parse_people_text(written)
        else:
            edits = [text for text in written.replace(";", ",").split(",") if text.strip()]
            people = [] if edits else parse_people(self._options.ordered)
        for column, cell in cells.items():
            if "." in column:
                changes.append(f"{column}={cell}")
            elif column in self._directions:
                edits.append(f"{column}={cell}")
                if ":" in written:
                    message = f"The column '{shown(column)}' says nothing of whom, beside an edit of several people."
                    raise ConfigError(message, "Write it into the column 'edit', behind the person's number.")
            else:
                hint = f"Directions of this pack: {', '.join(sorted(self._directions)) or 'none'}. Settings have a dot."
                raise ConfigError(f"The column '{shown(column)}' is neither a setting nor a direction.", hint)
        if len(people) == 1 and people[0][0] != EVERYBODY and not edits:
            ((face, edits),) = people
            changes.append(f"landmarks.face={face}")
        options.set = [*self._options.set, *changes]
        config, seed = self._make_settings(options, self._pack)
        if people and not edits:
            return self._treatments.of(config, (), seed, self._people(people, config))
        pairs = self._parse_edits(edits or self._options.direction or [])
        return self._treatments.of(config, tuple(pairs), seed)

    def _people(self, people: list[tuple[int | str, list[str]]], config: RunConfig) -> tuple[PersonEdit, ...]:
        if config.landmarks.face is not None or config.landmarks.point is not None:
            raise ConfigError("One face is chosen beside an edit of several people.", "Leave one of the two out.")
        return tuple(PersonEdit(face, tuple(self._parse_edits(texts))) for face, texts in people)


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"{what} is '{shown(text)[:60]}'.", "Write a whole number.") from error


class BatchBar:
    """One bar over all clips on standard error, and a line a clip on standard output."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._quiet, self._number, self._total = quiet, 0, total
        self._bar: Any = tqdm(total=total, desc="clips", file=sys.stderr, disable=None, unit="clip")
        self._running: dict[int, str] = {}

    def watch(self, task: Task, stage: str, done: int, total: int) -> None:
        """Show how far a clip is, behind the bar."""
        share = f" {100 * done // total} %" if total else ""
        self._running[task.number] = f"{task.work.row.name[:20]} {stage}{share}"
        self._show()

    def settle(self, settled: Settled) -> None:
        """Count a clip, and say what became of it."""
        self._running.pop(settled.number, None)
        self._number += 1
        if not self._quiet:
            tqdm.write(f"{self._number}/{self._total} {line_of(settled)}", file=sys.stdout)
            sys.stdout.flush()
        self._show()
        self._bar.update(1)

    def close(self) -> None:
        self._bar.close()

    def _show(self) -> None:
        running = list(self._running.values())
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        self._bar.set_postfix_str("; ".join(running[:3]) + more, refresh=False)
        self._bar.refresh()


def line_of(settled: Settled) -> str:
    """What became of a row, in a line."""
    name, record = settled.row.name, settled.record
    if settled.state == FAILED:
        assert settled.failure is not None
        return f"{name}: failed: {settled.failure.message}"
    told = {
        DONE: f"{record.get('worker_seconds', 0.0):.1f} s",
        FOUND: "there already",
        SAME: f"the same as clip {(settled.same_as or 0) + 1}",
    }[settled.state]
    return f"{name}: {told} -> {record.get('output', '')}"


def _announce(rows: list[Row], left_out: list[tuple[str, str]]) -> None:
    print(f"{len(rows)} {'clip' if len(rows) == 1 else 'clips'}.", file=sys.stderr)
    for name, reason in left_out[:LEFT_OUT_SHOWN]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if len(left_out) > LEFT_OUT_SHOWN:
        print(f"left out: {len(left_out) - LEFT_OUT_SHOWN} more", file=sys.stderr)


def _tell_costs(
    options: argparse.Namespace,
    pack: Pack,
    rows: list[Row],
    config: WorkersConfig,
    cancel: CancelToken,
    progress: Progress,
) -> None:
    """Print what the batch will take, as far as this machine can say it; nothing is made."""
    keep_freed_memory()
    devices = spread_devices(options.device)
    jobs, threads = local_share(devices, config)
    jobs = min(jobs, len(rows))
    device = pick_device(devices[0])
    runtime = Runtime(device, pick_dtype(options.preset, device), progress=progress, cancel=cancel)
    with torch_threads(threads):
        times = time_steps(load_models(pack, device), runtime)
    found: list[Cost] = []
    for cost in costs(rows, times, pack.resolution, lambda: runtime.step("probe", len(found), len(rows))):
        found.append(cost)
    seconds = together(found, jobs)
    videos, stages = (sum(getattr(cost, name) for cost in found) for name in ("video_bytes", "stage_bytes"))
    stages = stages if not options.discard_stages else jobs * max((cost.stage_bytes for cost in found), default=0)
    record = {
        "clips": len(rows),
        "unreadable": sum(bool(cost.failure) for cost in found),
        "jobs": jobs,
        "threads": threads,
        "seconds": round(seconds, 1),
        "video_bytes": videos,
        "stage_bytes": stages,
        "rows": [
            {"clip": cost.row.clip, "frames": cost.frames, "seconds": round(cost.seconds, 1), "failure": cost.failure}
            for cost in found
        ],
    }
    if options.json:
        print(json.dumps(record))
        return
    for cost in found[:COSTS_SHOWN]:
        told = cost.failure or f"{cost.frames} frames, about {cost.seconds:.0f} s"
        print(f"{cost.row.name}: {told}")
    if len(found) > COSTS_SHOWN:
        print(f"and {len(found) - COSTS_SHOWN} more")
    where = "" if options.on == HERE else " on this machine; a cluster was not asked"
    print(f"together        about {max(1, round(seconds / 60))} min with {jobs} jobs of {threads} threads{where}")
    print(f"videos          up to {videos / 1e6:,.0f} MB in {options.output}")
    print(f"stages          up to {stages / 1e6:,.0f} MB in {Store().root}")


def _tell(options: argparse.Namespace, batch: Batch, written: Written) -> None:
    counts = dict(batch.counts)
    files = {"csv": str(written.csv), "html": str(written.html)}
    if options.json:
        rows = [
            {
                "clip": settled.row.clip,
                "state": settled.state,
                "output": settled.record.get("output"),
                "failure": settled.failure.message if settled.failure else None,
            }
            for settled in batch.settled()
        ]
        print(json.dumps({**files, "counts": counts, "rows": rows}))
        return
    words = {DONE: "finished", FOUND: "there already", SAME: "the same as others", FAILED: "failed"}
    told = ", ".join(f"{counts[state]} {text}" for state, text in words.items() if counts.get(state))
    print(f"{written.html}: {told or 'nothing finished'}; figures in {written.csv.name}")


def command_of(options: argparse.Namespace) -> str:
    """The command that repeats a batch."""
    words = ["python", "-m", "stit_core", "batch", *options.sources]
    words += [word for option, text in options.ordered for word in (f"--{option}", text)]
    for name, value, usual in (
        ("--preset", options.preset, RunConfig().preset),
        ("--method", options.method, None),
        ("--pack", options.pack, None),
        ("--seed", options.seed, 0),
    ):
        words += [name, str(value)] if value != usual else []
    for name, value in vars(options).items():
        if "." in name and value is not None:
            words += ["--set", f"{name}={json.dumps(value)}"]
    words += [word for text in options.set for word in ("--set", text)]
    return shlex.join([*words, "-o", str(options.output)])
