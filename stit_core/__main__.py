"""The command line: `python -m stit_core edit CLIP -d smile=2`.

Exit codes: 0 done, 1 an error with a hint, 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stit_core.config import (
    PRESETS,
    CompositeConfig,
    DirectionTrainingConfig,
    LandmarkConfig,
    RunConfig,
    TransferConfig,
    VideoConfig,
    WorkersConfig,
)
from stit_core.settings import kind_of, settings_of

PROGRAM = "python -m stit_core"
EDIT_EXAMPLES = """examples:
  python -m stit_core edit clip.mp4 -d smile=2
  python -m stit_core edit clip.mp4 -d smile=1.5 -d age=-3 -o younger.mp4
  python -m stit_core edit clip.mp4 -d age --range -3 3 7
  python -m stit_core edit clip.mp4 --face 0 -d smile=2 --face 1 -d age=-2
  python -m stit_core edit clip.mp4 --face all -d smile=2
  python -m stit_core edit clip.mp4 -d smile=2 --set tuning.passes=60 --set stitching.threshold=0.002

A factor multiplies the direction as it is. Ctrl-C stops; the same command goes on from there."""
BATCH_EXAMPLES = """examples:
  python -m stit_core batch takes -d smile=2 --preset draft -o smiling
  python -m stit_core batch "takes/*.mp4" more.mov -d age=-2 -o younger --dry-run
  python -m stit_core batch list.csv -o edited --jobs 2
  python -m stit_core batch takes -d smile=2 -o smiling --on ray://HOST:10001

A table's first row names its columns: clip (its path, from the table's folder), and any of edit ("smile=2, age=-1", or
of several people "0: smile=2; 1: age=-2"), preset, method, region, face, start, end, seed, the name of a direction (its
factor), or a setting such as tuning.passes. An empty cell leaves what the command says; a row with an edit of its own
has none of the command's.

Ctrl-C stops and keeps what is finished; the same command goes on from there, and tries what failed again."""
REVIEW_EXAMPLES = """examples:
  python -m stit_core review -d age=-2,2 -d smile=2 --people 60 -o review.html
  python -m stit_core review my_people -d age=2 --labels-from self-reported
  python -m stit_core review labels.csv -d age=-2,-1,1,2 --groups group,age_band
  python -m stit_core review one.mp4 two.mp4 three.mp4 -d smile=2

A folder or a zip has a subfolder for each group, or a labels.csv: file, person, then any label columns. Without any,
120 rendered people are looked at. Ctrl-C stops, reports on what is there, and the same command goes on."""


class _InOrder(argparse.Action):
    """Keeps what was given in its order, as pairs of option and value in `ordered`, beside each option's own list."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        del parser, option
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])
        namespace.ordered = (*namespace.ordered, (self.dest, values))


def build_parser() -> argparse.ArgumentParser:
    """The whole command line's parser; it loads nothing heavy."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Edit the face in a video and stitch it back.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_edit(commands)
    _add_batch(commands)
    check = commands.add_parser("check", help="look at a clip: size, rate, faces, estimated time")
    check.add_argument("clip", type=Path)
    _add_common(check)
    _add_setting(check, "--face", LandmarkConfig, "landmarks.face", metavar="N")
    _add_clip_options(check)
    _add_review(commands)
    _add_packs(commands)
    _add_directions(commands)
    _add_runs(commands)
    _add_credentials(commands)
    return parser


def _add_edit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    edit = commands.add_parser(
        "edit",
        help="edit a clip",
        epilog=EDIT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    edit.add_argument("clip", type=Path)
    edit.add_argument(
        "-d",
        "--direction",
        action=_InOrder,
        required=True,
        metavar="NAME=FACTOR",
        help="what to change and how much; may be given several times, they add up. Behind a --face it is for that "
        "person, before the first --face for everyone who is named",
    )
    edit.add_argument(
        "--face",
        action=_InOrder,
        metavar="N|all",
        help="whom to edit: a number as `check` lists them, 0 the largest in the first frame that has a face, or all; "
        "may be given several times, each with its own directions behind it (default: the largest of the clip)",
    )
    edit.add_argument(
        "--range",
        nargs=3,
        metavar=("START", "STOP", "STEPS"),
        help="one video for each of STEPS factors of the direction given without a factor (else of the first), "
        "and a grid video of the source and all of them, OUTPUT_NAME_grid.mp4",
    )
    _add_setting(edit, "--region", TransferConfig, "transfer.region")
    known = settings_of(CompositeConfig)["mark"]
    text = f"{known.help} (default: --no-mark)"
    edit.add_argument("--mark", action=argparse.BooleanOptionalAction, dest="compositing.mark", help=text)
    edit.add_argument("-o", "--output", type=Path, help="default: CLIP_edited.mp4 in the current folder")
    _add_common(edit)
    _add_clip_options(edit)
    edit.set_defaults(ordered=())


def _add_batch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    batch = commands.add_parser(
        "batch",
        help="edit many clips",
        epilog=BATCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told = "folders, with all their subfolders, clips, patterns in quotes, or tables"
    batch.add_argument("sources", nargs="+", metavar="FOLDER|GLOB|CSV", help=told)
    batch.add_argument(
        "-d",
        "--direction",
        action=_InOrder,
        metavar="NAME=FACTOR",
        help="what to change and how much; may be given several times, they add up. Behind a --face it is for that "
        "person of every clip",
    )
    batch.add_argument(
        "--face",
        action=_InOrder,
        metavar="N|all",
        help="whom to edit in each clip, as with edit (default: the largest of the clip)",
    )
    batch.set_defaults(ordered=())
    batch.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the results")
    batch.add_argument("--dry-run", action="store_true", help="only say what time and disk it will take")
    batch.add_argument(
        "--discard-stages",
        action="store_true",
        help="delete a clip's stages once its video is there: less disk, but another edit of it begins anew",
    )
    _add_setting(batch, "--region", TransferConfig, "transfer.region")
    _add_workers(batch, "here")
    _add_common(batch)
    _add_clip_options(batch)


def _add_workers(parser: argparse.ArgumentParser, usual: str | None) -> None:
    where = "this machine (here), a Ray cluster (ray://HOST:PORT), or one that is begun for this (ray)"
    parser.add_argument("--on", default=usual, metavar="PLACE", help=f"where work runs: {where}; default: here")
    for name in ("jobs", "threads", "gpus", "retries"):
        kind, known = kind_of(WorkersConfig, name)[0], settings_of(WorkersConfig)[name]
        default = getattr(WorkersConfig(), name)
        text = known.help if default is None else f"{known.help} (default {default})"
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=text)


def _add_review(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    review = commands.add_parser(
        "review",
        help="see what edits do to different groups of people",
        epilog=REVIEW_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told = "a folder, a zip, a table of labels, or clips and pictures; default: the pack's own people"
    review.add_argument("people_from", nargs="*", type=Path, metavar="FOLDER|ZIP|CSV|CLIP", help=told)
    review.add_argument(
        "-d",
        "--direction",
        action="append",
        required=True,
        metavar="NAME=FACTOR[,FACTOR]",
        help="what to change and how much; each factor of each direction is one edit",
    )
    review.add_argument("--groups", metavar="COLUMN[,COLUMN]", help="label columns to compare by (default: all)")
    review.add_argument("--people", type=int, metavar="N", help="look at N people, chosen evenly (default: all)")
    review.add_argument(
        "--labels-from",
        choices=("rendered", "self-reported", "perceived", "not stated"),
        help="who says that the labels are so; printed in the report",
    )
    review.add_argument("--question", default="", metavar="TEXT", help="what you want to know, for the report's head")
    review.add_argument("--no-tuning", action="store_true", help="do not fit the generator: faster, less faithful")
    review.add_argument("--preset", default="balanced", help="balanced (default), draft or paper")
    review.add_argument("--seed", type=int, default=0, help="of all random draws (default 0)")
    review.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    review.add_argument("-o", "--output", type=Path, default=Path("review.html"), help="default: review.html")
    _add_workers(review, None)
    _add_common(review)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", default=None, help="name of a model pack, or a folder (default: heads-256)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_clip_options(parser: argparse.ArgumentParser) -> None:
    run = settings_of(RunConfig)
    usual = RunConfig().preset
    parser.add_argument("--preset", default=usual, help=f"{', '.join(PRESETS)} (default {usual})")
    text = f"{run['method'].help} (default: what the preset and the pack say)"
    parser.add_argument("--method", choices=run["method"].choices, help=text)
    _add_setting(parser, "--point", LandmarkConfig, "landmarks.point", nargs=2, metavar=("X", "Y"), type=float)
    _add_setting(parser, "--start", VideoConfig, "video.start", metavar="SECONDS")
    _add_setting(parser, "--end", VideoConfig, "video.end", metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0, help="of all random draws (default 0)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.SETTING=VALUE",
        help="any other setting, such as tuning.passes=60; may be given several times",
    )


def _add_setting(parser: argparse.ArgumentParser, option: str, kind: type, setting: str, **more: Any) -> None:
    """An option that sets a setting, "stage.setting", and says what config.py says of it.

    Nothing else has to know of it: what an option like this says is changed as --set does.
    """
    name = setting.rpartition(".")[2]
    known = settings_of(kind)[name]
    more = {"type": kind_of(kind, name)[0], "choices": known.choices or None, "help": known.help, **more}
    parser.add_argument(option, dest=setting, **more)


def _add_packs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    packs = commands.add_parser("packs", help="model packs")
    actions = packs.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="packs found here").add_argument("--json", action="store_true")
    for name, text in (
        ("show", "parts, licences and files"),
        ("verify", "check that no file is missing or altered"),
        ("fetch", "fetch the files that are missing"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name")
        action.add_argument("--json", action="store_true")
        if name == "fetch":
            action.add_argument("--accept-licences", action="store_true", help="you have read and accept them")


def _add_directions(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    directions = commands.add_parser("directions", help="the edit directions of a pack: see them, train new ones")
    actions = directions.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_common(actions.add_parser("list", help="names, titles and what they do"))
    for name, text in (("show", "one direction's card"), ("delete", "delete a direction of your own")):
        action = actions.add_parser(name, help=text)
        action.add_argument("name")
        _add_common(action)
    _add_train(actions)
    text = "read .npy files, such as STIT's own, into your own directions"
    imported = actions.add_parser("import", help=text)
    imported.add_argument("source", type=Path, metavar="FOLDER_OR_FILE", help="one file (layers, 512) a direction")
    imported.add_argument("--output", type=Path, metavar="FOLDER", help="default: your own directions")
    imported.add_argument("--force", action="store_true", help="replace directions of these names")
    _add_common(imported)


def _add_train(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = actions.add_parser("train", help="learn a direction from labelled pictures")
    train.add_argument("pictures", type=Path, metavar="FOLDER_OR_ZIP", help="with one subfolder of pictures a class")
    train.add_argument("--name", required=True, help="of the direction; with several pairs NAME_FIRST_SECOND, or - ")
    train.add_argument("--classes", default="", metavar="A,B", help="order of the classes, else alphabetical: A to B")
    train.add_argument("--hold", default="", metavar="NAMES", help="directions to take out of it, such as age,gender")
    train.add_argument("--aligned", action="store_true", help="the pictures are aligned crops: take them as they are")
    for name in ("folds", "seed"):
        default = getattr(DirectionTrainingConfig(), name)
        text = f"{settings_of(DirectionTrainingConfig)[name].about} (default {default})"
        _add_setting(train, f"--{name}", DirectionTrainingConfig, name, default=default, help=text)
    train.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    train.add_argument("--output", type=Path, metavar="FOLDER", help="default: your own directions")
    train.add_argument("--force", action="store_true", help="replace a direction of this name")
    for text in ("title", "description", "positive", "negative"):
        train.add_argument(f"--{text}", default="", help="for the card; {first} and {second} stand for the classes")
    _add_common(train)


def _add_runs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runs = commands.add_parser("runs", help="what is kept of earlier runs")
    actions = runs.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="clips, stages done, size, age").add_argument("--json", action="store_true")
    clean = actions.add_parser("clean", help="delete runs")
    clean.add_argument("names", nargs="*", metavar="RUN", help="names as `runs list` shows them")
    clean.add_argument("--older-than", type=float, default=None, metavar="DAYS", help="not used for so many days")
    clean.add_argument("--all", action="store_true", help="every run")
    clean.add_argument("--json", action="store_true")


def _add_credentials(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    credentials = commands.add_parser("credentials", help="content credentials (C2PA) of videos")
    actions = credentials.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("make", help="make a certificate for trials, which no verifier knows, and its key")
    make.add_argument("folder", type=Path)
    read = actions.add_parser("read", help="what the credentials of a video say, and whether it was changed since")
    read.add_argument("video", type=Path)
    for action in (make, read):
        action.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command == "runs" and options.action == "clean":
        chosen = [bool(options.names), options.older_than is not None, options.all]
        if sum(chosen) != 1:
            parser.error("say what to delete: names, --older-than DAYS or --all")
    gc.disable()  # what is imported stays: to look through it for garbage, again and again, takes half a second
    from stit_core.cli import commands  # heavy, so that --help and wrong usage answer at once

    gc.enable()
    return commands.execute(options)


if __name__ == "__main__":
    sys.exit(main())
