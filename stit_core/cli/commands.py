"""What the command line's commands do: options -> settings -> pipeline -> text or JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from stit_core.cli.people import group_text, parse_people
from stit_core.config import PRESETS, EditConfig, RunConfig, preset
from stit_core.errors import Cancelled, ConfigError, StitError
from stit_core.estimates import estimate, time_steps
from stit_core.media.credentials import read_signer
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import DEFAULT_PACK, fetch_pack, find_pack, licences, list_packs, load_models
from stit_core.packs.manifest import Pack, locate, verify_pack
from stit_core.pipeline import Pipeline
from stit_core.provenance import Provenance
from stit_core.ranges import range_warnings, run_range
from stit_core.report import Report
from stit_core.runtime import CancelToken, Runtime, pick_device, pick_dtype
from stit_core.settings import shown
from stit_core.several_people import EVERYBODY, PersonEdit, edit_people
from stit_core.stages.editing import factor_range
from stit_core.store.disk import disk_errors
from stit_core.store.runs import Store
from stit_core.whole_run import clip_warnings, edit_video, edit_warnings

STOPPED = 130
DAY = 86_400.0  # seconds
LARGEST_SEED = 2**63 - 1
_HIDDEN_STAGES = ("composite",)  # goes along with "video", frame by frame


def execute(options: argparse.Namespace) -> int:
    """Carry out one parsed command; returns the exit code; every error is printed in words."""
    _tell_warnings()
    bars = Bars()
    try:
        with _stop_on_signal() as cancel, disk_errors("A file", writing=False):
            try:
                _ACTIONS[options.command](options, cancel, bars)
                return 0
            except StitError:
                if cancel.is_set():  # what it interrupted complained about being stopped
                    raise Cancelled(options.command) from None
                raise
            finally:
                bars.close()
    except (Cancelled, KeyboardInterrupt):
        goes_on = options.command in ("edit", "batch", "check", "review", "directions")
        again = "; the same command goes on from there." if goes_on else "."
        print(f"Stopped. What was finished is kept{again}", file=sys.stderr)
        return STOPPED
    except StitError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"error: Something went wrong that should not ({type(error).__name__}).", file=sys.stderr)
        print(f"hint: The details are in {_write_log()}; start again, finished work is kept.", file=sys.stderr)
        return 1


class Bars:
    """One progress bar a stage on standard error; none where that is no terminal."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of `stage` are finished."""
        if stage in _HIDDEN_STAGES:
            return
        if stage != self._stage:
            self.close()
            large = stage == "fetch"
            self._bar = tqdm(
                total=total,
                desc=f"{stage:<10}",
                file=sys.stderr,
                disable=None,
                unit="B" if large else "",
                unit_scale=large,
            )
            self._stage = stage
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Finish the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
        self._stage, self._bar = "", None


@contextmanager
def _stop_on_signal() -> Iterator[CancelToken]:
    """Ctrl-C, or a request to end, sets the token; a second one breaks off at once."""
    cancel = CancelToken()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a handler)
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        print("\nStopping at the next step ...", file=sys.stderr)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_warnings() -> None:
    logger = logging.getLogger("stit_core")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.addHandler(handler)


def _write_log() -> Path:
    text = traceback.format_exc()
    for folder in (Store().root / "logs", Path(tempfile.gettempdir())):
        path = folder / f"stit-{time.strftime('%Y%m%d-%H%M%S')}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return path
        except OSError:
            continue
    sys.stderr.write(text)
    return Path("standard error")


def parse_edits(texts: list[str], ranged: bool) -> tuple[list[tuple[str, float]], str | None]:
    """["smile=2", "age"] -> pairs (name, factor), and the name whose factor a range varies.

    Raises
    ------
    ConfigError: a factor that is no number, missing without a range, or a direction named twice.
    """
    pairs: list[tuple[str, float]] = []
    open_names: list[str] = []
    for text in texts:
        name, equals, factor = text.partition("=")
        name = name.strip()
        if not name:
            raise ConfigError(f"'{text}' names no direction.", "Write -d NAME=FACTOR, such as -d smile=2.")
        if not equals:
            if not ranged:
                raise ConfigError(f"The direction '{name}' has no factor.", f"Write -d {name}=2, or add --range.")
            open_names.append(name)
        pairs.append((name, _number(factor, f"The factor of '{name}'") if equals else 0.0))
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise ConfigError(f"The direction '{twice[0]}' is named twice.", "Name it once, with the sum of the factors.")
    if len(open_names) > 1:
        raise ConfigError(f"'{open_names[0]}' and '{open_names[1]}' have no factor.", "A range varies one direction.")
    return pairs, (open_names or [pairs[0][0]])[0] if ranged else None


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{what} is '{text}', not a number.", "Write a number such as 2 or -1.5.") from error


def parse_settings(texts: list[str], config: RunConfig) -> RunConfig:
    """Apply ["tuning.passes=60", ...] to `config`. Raises ConfigError naming the setting."""
    changes: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        stage, dot, setting = name.strip().partition(".")
        if not (equals and dot):
            hint = "Write --set STAGE.SETTING=VALUE, such as tuning.passes=60."
            raise ConfigError(f"{shown(text)} is no setting.", hint)
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, or endless brackets
            parsed = value
        parsed = tuple(parsed) if isinstance(parsed, list) else parsed
        if (stage, setting) == ("edit", "directions"):
            raise ConfigError("Directions are not set with --set.", "Write -d NAME=FACTOR, such as -d smile=2.")
        changes.setdefault(stage, {})[setting] = parsed
    return config.with_changes(changes)


def _seed(options: argparse.Namespace) -> int:
    seed = int(options.seed)
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"The seed is {seed}.", f"Choose a whole number from 0 to {LARGEST_SEED}.")
    return seed


def _settings(options: argparse.Namespace, pack: Pack) -> RunConfig:
    config = preset(options.preset, pack.schedules, options.method)
    changes: dict[str, dict[str, Any]] = {}
    for option, value in vars(options).items():
        stage, dot, setting = option.partition(".")  # of an option that sets a setting
        if dot and value is not None:
            changes.setdefault(stage, {})[setting] = tuple(value) if isinstance(value, list) else value
    return parse_settings(options.set, config.with_changes(changes))


def _pipeline(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> Pipeline:
    keep_freed_memory()
    pack = find_pack(options.pack or DEFAULT_PACK)
    config = _settings(options, pack)
    device = pick_device(options.device)
    dtype = pick_dtype(config.preset, device)
    runtime = Runtime(device=device, dtype=dtype, seed=_seed(options), progress=bars, cancel=cancel)
    return Pipeline(load_models(pack, runtime.device), Store(), config, runtime)


def _edit_people(
    options: argparse.Namespace, people: list[tuple[int | str, list[str]]], cancel: CancelToken, bars: Bars
) -> None:
    """The edits of several people in one video."""
    if options.range is not None:
        raise ConfigError("A range varies one person's edit.", "Name one --face with --range.")
    if vars(options)["landmarks.point"] is not None:
        raise ConfigError(
            "'--point' chooses one face, '--face' several.", "Use one of the two; `check` lists the faces."
        )
    edits = [PersonEdit(face, tuple(parse_edits(texts, ranged=False)[0])) for face, texts in people]
    pipeline = _pipeline(options, cancel, bars)
    output = options.output or Path(f"{options.clip.stem}_edited.mp4")
    report = edit_people(pipeline, options.clip, output, edits, Provenance(signer=read_signer(os.environ)))
    bars.close()
    _warn(report.all_warnings)
    _tell(options, report.as_json(), [group_text(report)])


def _edit(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:
    people = parse_people(options.ordered)
    if len(people) > 1 or (people and people[0][0] == EVERYBODY):
        _edit_people(options, people, cancel, bars)
        return
    vars(options)["landmarks.face"] = people[0][0] if people else None
    pairs, varied = parse_edits(options.direction, options.range is not None)
    factors: list[float] = []
    if options.range is not None:
        start, stop, steps = (_number(text, "A bound of the range") for text in options.range)
        if not steps.is_integer():
            raise ConfigError(f"The range has {steps:g} steps.", "Choose a whole number.")
        factors = factor_range(start, stop, int(steps))
    for factor in factors:
        EditConfig(directions=((varied or "", factor),))  # refuses a factor out of range before any work
    provenance = Provenance(signer=read_signer(os.environ))
    pipeline = _pipeline(options, cancel, bars)
    pipeline = pipeline.with_config(pipeline.config.with_changes({"edit": {"directions": tuple(pairs)}}))
    output = options.output or Path(f"{options.clip.stem}_edited.mp4")
    if varied is None:
        warnings = edit_warnings(pipeline)
        _warn(warnings)
        report = edit_video(pipeline, options.clip, output, provenance)
        bars.close()
        _warn([text for text in report.warnings if text not in warnings])
        _tell(options, report.as_json(), [_report_text(report)])
        return
    warnings = range_warnings(pipeline, varied, factors)
    _warn(warnings)
    made = run_range(pipeline, options.clip, output, varied, factors, provenance)
    bars.close()
    _warn([text for text in made.warnings if text not in warnings])
    grid = [] if made.grid is None else [f"{made.grid}: the source and all factors side by side"]
    _tell(options, made.as_json(), [*map(_report_text, made.reports), *grid])


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        print(f"warning: {text}", file=sys.stderr)


def _report_text(report: Report) -> str:
    measures = report.measures
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report.seconds.items() if seconds >= 0.05)
    lines = [
        f"{report.output}: {report.frames} frames, the face in {report.faces}, sound {report.audio or 'none'}",
        f"  reconstruction  PSNR {measures.psnr:.2f} dB, LPIPS {measures.lpips:.4f}",
        f"  stitching       border loss {measures.border_loss:.5f}",
        f"  identity        cosine {measures.id_cosine:.4f}, TL-ID {measures.tl_id:.4f}, TG-ID {measures.tg_id:.4f}",
        f"  seconds         {stages or 'none'}",
        f"  found ready     {', '.join(report.cached) or 'nothing'}",
        f"  manifest        {report.manifest}",
    ]
    lines += [f"  untouched       frames {first} to {last}: no face found" for first, last in report.gaps]
    return "\n".join(lines)


def _check(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:
    pipeline = _pipeline(options, cancel, bars)
    clip = pipeline.open(options.clip)
    record: dict[str, Any] = {
        "clip": str(options.clip),
        "width": clip.width,
        "height": clip.height,
        "frame_rate": str(clip.frame_rate),
        "frames": len(clip.frames),
        "seconds": round(clip.seconds, 3),
        "audio": clip.audio,
    }
    lines = [
        f"{options.clip}: {clip.width} x {clip.height}, {len(clip.frames)} frames",
        f"  rate      {float(clip.frame_rate):.6g} frames a second, sound {clip.audio or 'none'}",
    ]
    people, found = pipeline.people(clip), pipeline.landmarks(clip)
    warnings = clip_warnings(pipeline, clip)
    record["warnings"] = list(warnings)
    _warn(warnings)
    counts = Counter(int(count) for count in people.faces)
    bridged = sum(not seen for seen in found.detected)
    record["faces_per_frame"] = {str(count): frames for count, frames in sorted(counts.items())}
    record |= {"face_frames": len(found.frame_indices), "bridged": bridged, "gaps": [list(gap) for gap in found.gaps]}
    text = ", ".join(f"{count} in {frames} frames" for count, frames in sorted(counts.items()))
    lines += [f"  faces     {text}; followed through {len(found.frame_indices)}, {bridged} of them bridged"]
    record["people"] = [
        {"face": p.index, "frames": p.frames, "spans": [list(span) for span in p.spans], "box": list(p.box)}
        for p in people.persons
    ]
    if len(people.persons) > 1:
        lines += [
            f"  person {p.index}  in {p.frames} frames, {p.spans[0][0]} to {p.spans[-1][1]}"
            + (", the one who is followed" if p.index == found.index else "")
            for p in sorted(people.persons, key=lambda person: person.index)
        ]
    lines += [f"  gap       frames {first} to {last} will stay untouched" for first, last in found.gaps]
    times = time_steps(pipeline.models, pipeline.runtime)
    schedules = {name: preset(name, pipeline.pack.schedules) for name in PRESETS}
    seconds = {name: estimate(config, len(found.frame_indices), times) for name, config in schedules.items()}
    record["estimated_seconds"] = {name: round(value, 1) for name, value in seconds.items()}
    lines += [f"  estimate  {', '.join(f'{name} {_duration(value)}' for name, value in seconds.items())}"]
    bars.close()
    _tell(options, record, lines)


def _packs(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:
    if options.action == "list":
        packs = list_packs()
        listed = [{"name": pack.name, "resolution": pack.resolution, "licence": pack.licence} for pack in packs]
        _tell(options, {"packs": listed}, [f"{p.name:<16} {p.resolution:>4} px  {p.licence}" for p in packs])
        return
    if options.action == "fetch":
        pack = find_pack(options.name)
        print("\n".join(licences(pack)), file=sys.stderr)
        pack = fetch_pack(options.name, Runtime(progress=bars, cancel=cancel), options.accept_licences)
        bars.close()
        _tell(options, {"name": pack.name, "complete": True}, [f"{pack.name} is complete."])
    elif options.action == "verify":
        pack = find_pack(options.name)
        verify_pack(pack)
        _tell(options, {"name": pack.name, "hash": pack.hash, "intact": True}, [f"{pack.name} is complete and intact."])
    else:
        _show_pack(options, find_pack(options.name))


def _show_pack(options: argparse.Namespace, pack: Pack) -> None:
    lines = [f"{pack.name}: {pack.resolution} px, {pack.licence}", pack.description]
    parts = []
    for part in pack.parts.values():
        files = []
        lines.append(f"  {part.name:<11} {part.architecture}  {part.licence}")
        for file in part.files:
            try:
                where = str(locate(pack, file))
            except StitError:
                where = None
            files.append({"file": file.name, "size": file.size, "sha256": file.sha256, "path": where})
            lines.append(f"    {file.name}  {where or 'missing'}")
        parts.append({"part": part.name, "architecture": part.architecture, "licence": part.licence, "files": files})
    record = {"name": pack.name, "resolution": pack.resolution, "licence": pack.licence, "hash": pack.hash}
    _tell(options, record | {"description": pack.description, "parts": parts}, lines)


def _runs(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:  # noqa: ARG001
    store = Store()
    if options.action == "list":
        runs = store.list_runs()
    else:
        days = options.older_than or 0.0
        if not days >= 0:
            raise ConfigError(f"--older-than is {days:g} days.", "Choose a number from 0 up, or --all.")
        runs = store.clean(days * DAY, tuple(options.names))
    lines = [
        f"{run.name}  {run.size / 1e6:8.1f} MB  {_duration(run.age):>9} ago  {run.clip}  ({', '.join(run.stages)})"
        for run in runs
    ]
    if options.action == "clean":
        lines.append(f"{len(runs)} runs deleted, {sum(run.size for run in runs) / 1e6:.1f} MB.")
    _tell(options, {"root": str(store.root), "runs": [dataclasses.asdict(run) for run in runs]}, lines)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def _tell(options: argparse.Namespace, record: Mapping[str, Any], lines: list[str]) -> None:
    print(json.dumps(record) if options.json else "\n".join(lines))


def _batch(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:
    from stit_core.cli.batch import run_batch

    def edits(texts: list[str]) -> list[tuple[str, float]]:
        return parse_edits(texts, ranged=False)[0]

    def settings(changed: argparse.Namespace, pack: Pack) -> tuple[RunConfig, int]:
        return _settings(changed, pack), _seed(changed)

    run_batch(options, cancel, bars, edits, settings)


def _directions(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:
    from stit_core.cli.directions import run_directions  # its statistics take a second to load

    run_directions(options, cancel, bars)


def _review(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:
    from stit_core.cli.review import run_review  # its statistics and drawings take two seconds to load

    run_review(options, cancel, bars)


def _credentials(options: argparse.Namespace, cancel: CancelToken, bars: Bars) -> None:  # noqa: ARG001
    from stit_core.cli.credentials import run_credentials

    run_credentials(options)


_ACTIONS = {
    "edit": _edit,
    "batch": _batch,
    "check": _check,
    "review": _review,
    "packs": _packs,
    "directions": _directions,
    "runs": _runs,
    "credentials": _credentials,
}
