"""The command line's `directions`: options -> library, trainer -> text or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stit_core.config import DirectionTrainingConfig
from stit_core.directions.importing import import_directions
from stit_core.directions.labelled_pictures import open_pictures
from stit_core.directions.library import Card, delete_direction, is_own, list_directions, load_direction
from stit_core.directions.training import Texts, train_directions
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import DEFAULT_PACK, find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.regions import UNMEASURED
from stit_core.runtime import CancelToken, Progress, Runtime, pick_device

SHOWN_SKIPPED = 50


def run_directions(options: argparse.Namespace, cancel: CancelToken, progress: Progress) -> None:
    """Carry out `directions list`, `show`, `train`, `import` or `delete`."""
    pack = find_pack(options.pack or DEFAULT_PACK)
    if options.action == "train":
        _train(options, pack, cancel, progress)
    elif options.action == "import":
        _import(options, pack)
    elif options.action == "show":
        card = load_direction(pack, options.name).card
        _tell(options, asdict(card), card_lines(card))
    elif options.action == "delete":
        delete_direction(pack, options.name)
        _tell(options, {"deleted": options.name}, [f"The direction '{options.name}' of '{pack.name}' is deleted."])
    else:
        _list(options, pack)


def _list(options: argparse.Namespace, pack: Pack) -> None:
    cards = list_directions(pack)
    lines = []
    for card in cards:
        signs = f"- {card.negative} / + {card.positive}" if card.negative or card.positive else card.description
        lines.append(f"{card.name:<22} {card.title}: {signs}{' (your own)' * is_own(pack, card.name)}")
    listed = [{**asdict(card), "own": is_own(pack, card.name)} for card in cards]
    _tell(options, {"pack": pack.name, "directions": listed}, lines)


def _train(options: argparse.Namespace, pack: Pack, cancel: CancelToken, progress: Progress) -> None:
    keep_freed_memory()
    config = DirectionTrainingConfig(_words(options.hold), options.aligned, options.folds, options.seed)
    texts = Texts(options.title, options.description, options.positive, options.negative)
    runtime = Runtime(device=pick_device(options.device), seed=options.seed, progress=progress, cancel=cancel)
    pictures = open_pictures(options.pictures, _words(options.classes))
    models = load_models(pack, runtime.device)
    made = train_directions(pictures, options.name, models, config, runtime, _root(options), texts, options.force)
    lines = []
    for direction in made:
        lines += card_lines(direction.card)
        skipped = direction.card.training["skipped"]
        lines += [f"  skipped      {name}: {reason}" for name, reason in list(skipped.items())[:SHOWN_SKIPPED]]
        if len(skipped) > SHOWN_SKIPPED:
            lines.append(f"  skipped      and {len(skipped) - SHOWN_SKIPPED} more, all in the card")
    _tell(options, {"pack": pack.name, "directions": [asdict(direction.card) for direction in made]}, lines)


def _import(options: argparse.Namespace, pack: Pack) -> None:
    found = import_directions(options.source.expanduser(), pack, _root(options), options.force)
    cards = [direction.card for direction in found.directions]
    lines = [f"{card.name:<22} {card.title}: {card.description}" for card in cards]
    lines += [f"skipped: {name}: {reason}" for name, reason in found.skipped.items()]
    lines.append(f"{len(cards)} directions of '{pack.name}' imported, {len(found.skipped)} files skipped.")
    record = {"pack": pack.name, "directions": [asdict(card) for card in cards], "skipped": dict(found.skipped)}
    _tell(options, record, lines)


def _root(options: argparse.Namespace) -> Path | None:
    return None if options.output is None else options.output.expanduser().absolute()  # type: ignore[no-any-return]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def card_lines(card: Card) -> list[str]:
    """A card for people to read."""
    lines = [f"{card.name}: {card.title}", f"  {card.description}"]
    lines += [f"  + {card.positive} / - {card.negative}"] if card.positive or card.negative else []
    facts = [("pack", card.pack), ("norm", f"{card.norm:.4g}" if card.norm else ""), ("source", card.source)]
    lines += [f"  {name:<12} {value}" for name, value in facts if value]
    where = ", ".join(card.parts) or f"unknown; automatic: {', '.join(UNMEASURED)}"
    where += "" if card.moves else "; nothing moves"
    return [*lines, f"  changes      {where}", *_training_lines(card.training)]


def _training_lines(record: Mapping[str, Any]) -> list[str]:
    lines = []
    if "classes" in record:
        counts = ", ".join(f"{count} of '{label}'" for label, count in record["classes"].items())
        people = "people unknown" if record["people"] is None else f"{record['people']} people"
        people += ", each compared with himself or herself" if record["matched"] else ""
        lines.append(f"  pictures     {counts}; {people}; {len(record['skipped'])} skipped")
        for figure in ("accuracy", "auc"):
            value = record[figure]
            baseline = f"the larger class alone {record['majority']:.3f}" if figure == "accuracy" else "chance 0.500"
            span = f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
            lines.append(f"  {figure:<12} {span}; {baseline}")
        lines.append(f"  look alone   AUC {record['probe_auc']:.3f} by size, colour and background")
    if record.get("held"):
        held = record["held"]
        pairs = [(name, value, held["overlap_after"][name]) for name, value in held["overlap_before"].items()]
        lines.append(f"  held         {', '.join(f'{name} {a:+.2f} -> {b:+.2f}' for name, a, b in pairs)}")
        lines.append(f"  held         AUC {held['auc_before']:.3f} -> {held['auc_after']:.3f}")
    overlaps = sorted(record.get("cosine", {}).items(), key=lambda pair: -abs(pair[1]))
    if overlaps:
        lines.append(f"  overlaps     {', '.join(f'{name} {value:+.2f}' for name, value in overlaps)}")
    if "energy" in record:
        lines.append(f"  layers       {' '.join(f'{share:.0%}' for share in record['energy'])}")
    return lines + [f"  warning      {warning}" for warning in record.get("warnings", [])]


def _tell(options: argparse.Namespace, record: Mapping[str, Any], lines: list[str]) -> None:
    print(json.dumps(record) if options.json else "\n".join(lines))
