"""Labelled pictures -> latents -> logistic regression -> edit directions with their cards.

Ours, beyond STIT, which takes its directions ready-made; the idea of a hyperplane's normal as a direction is that of
Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing" (2020).
"""

from __future__ import annotations

import itertools
import platform
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from stit_core.config import DirectionTrainingConfig
from stit_core.directions import logistic
from stit_core.directions.figures import figures_of, relations, warnings_of
from stit_core.directions.labelled_pictures import PictureSet, person_of
from stit_core.directions.library import (
    Card,
    Direction,
    check_name,
    direction_file,
    direction_roots,
    hidden_by,
    load_direction,
    save_direction,
    user_root,
)
from stit_core.directions.parts import drawn_changes, pair_entries, picture_pairs, pictured_changes
from stit_core.directions.picture_latents import W_DIM, Encoded, Sample, encode_pictures, pair_latents
from stit_core.directions.preview import preview_sheet
from stit_core.directions.relief import is_expression, learn_relief
from stit_core.errors import DirectionError
from stit_core.faces.changed_parts import changed_parts
from stit_core.packs.loading import Models
from stit_core.packs.manifest import Pack
from stit_core.runtime import Runtime
from stit_core.store.disk import disk_errors

FEW = 20  # usable pictures a class: fewer cannot be learned from
MATCHED_FOLDS = 3  # of people in both classes; with fewer, a common beginning of file names is no person's name
NOTHING_LEFT = 1e-6  # of a direction's length, once what is held is taken out
_PACKAGES = ("torch", "numpy", "scikit-learn", "pillow", "dlib-bin")


@dataclass(frozen=True)
class Texts:
    """What a card says to people; {first} and {second} stand for the classes,
    {First} and {Second} for the same with a capital. Empty ones get a plain text."""

    title: str = ""
    description: str = ""
    positive: str = ""
    negative: str = ""


@dataclass(frozen=True)
class _Pair:
    """Two classes, `first` to `second`, and the name of their direction."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class _Trained:
    """A direction that is not stored yet."""

    vector: np.ndarray
    card: Card
    relief: np.ndarray | None


def train_directions(
    pictures: PictureSet,
    name: str,
    models: Models,
    config: DirectionTrainingConfig,
    runtime: Runtime,
    root: Path | None = None,
    texts: Texts | None = None,
    force: bool = False,
    cache: Path | None = None,
) -> list[Direction]:
    """Learn one direction from the first class to the second, or with more classes one for each pair, and store them.

    Parameters
    ----------
    pictures: of two classes or more, in order.
    name: of the direction; with more than two classes NAME_first_second for each pair, first_second where it is "-".
    models: encoder, generator and parser are used.
    runtime: progress and stop, one step a picture and a fit.
    root: below it, in the pack's folder, the directions are stored; None: the user's own folder.
    texts: for the cards.
    force: replace directions of these names in `root`.
    cache: folder in which the pictures' latents are kept and, while this goes on, all that is made of them on the way;
        None: the user's cache folder, and the system's folder for temporary files.

    Returns
    -------
    The directions as stored: (L, 512), factor 1 is one standard deviation of the training latents along it. Where most
    pictures are of people who are in both classes, each person is compared with himself or herself: what is fitted are
    then the latents less the person's own mean, and who is in one class only is left out.

    Raises
    ------
    DirectionError: under FEW usable pictures in a class, an unknown direction to hold, or a name that is taken.
    Cancelled: the run was stopped; nothing is stored but the latents so far, in their cache.
    """
    root = root or user_root()
    pairs = name_pairs(pictures.classes, name)
    roots = (root, *direction_roots())
    check_names(models.pack, [pair.name for pair in pairs], root, force)
    held = load_held(models.pack, config.hold, [pair.name for pair in pairs], roots)
    trained = []
    if cache is not None:
        with disk_errors("The cache of latents"):
            cache.mkdir(parents=True, exist_ok=True)
    with disk_errors("The scratch folder"), tempfile.TemporaryDirectory(prefix="stit-latents-", dir=cache) as scratch:
        encoded = encode_pictures(pictures, models, config, runtime, Path(scratch), cache)
        check_counts(encoded, pictures.classes)
        for done, pair in enumerate(pairs):
            learner = _Learner(pictures, encoded, pair, held, models, config, Path(scratch))
            trained.append(learner.learn(texts or Texts(), runtime, done, len(pairs)))
    stored = []
    for done, (pair, found) in enumerate(zip(pairs, trained, strict=True)):
        runtime.step("preview", done, len(pairs))
        siblings = {other.card.name: other.vector for other in trained if other is not found}
        record = {
            **found.card.training,
            **relations(found.vector, models.pack, siblings, set(siblings) | {pair.name}, roots),
        }
        record["warnings"] = warnings_of(record, (pair.first, pair.second)) + hidden_by(models.pack, pair.name, root)
        card = replace(found.card, training=record)
        preview = preview_sheet(found.vector, models, runtime)
        stored.append(save_direction(models.pack, found.vector, card, root, preview, found.relief))
    runtime.step("preview", len(pairs), len(pairs))
    return stored


def name_pairs(classes: Sequence[str], name: str) -> list[_Pair]:
    """Each pair of classes, earlier to later, with its direction's name. Raises DirectionError for a bad name."""
    plain = _plain_labels(classes)
    pairs = []
    for first, second in itertools.combinations(classes, 2):
        joined = f"{plain[first]}_{plain[second]}"
        own = joined if name == "-" else name if len(classes) == 2 else f"{name}_{joined}"
        check_name(own)
        pairs.append(_Pair(own, first, second))
    return pairs


def _plain_labels(classes: Sequence[str]) -> dict[str, str]:
    """What stands for each class in a file name: ASCII letters, digits and '_', never the same for two of them."""
    plain: dict[str, str] = {}
    for number, label in enumerate(classes, start=1):
        ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
        word = re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_") or f"class{number}"
        plain[label] = word if word not in plain.values() else f"{word}{number}"
    return plain


def check_names(pack: Pack, names: Sequence[str], root: Path, force: bool) -> None:
    """Raises DirectionError where a direction of one of the names lies in `root` already and `force` is not set."""
    for name in names:
        if not force and direction_file(pack, name, root).exists():
            message = f"There is a direction '{name}' of '{pack.name}' already."
            raise DirectionError(message, "Choose another --name, or replace it with --force.")


def load_held(pack: Pack, hold: Sequence[str], names: Sequence[str], roots: Sequence[Path]) -> dict[str, Direction]:
    """The directions to hold. Raises DirectionError for an unknown one, or one that is to be trained."""
    for name in hold:
        if name in names:
            raise DirectionError(f"'{name}' cannot be held while it is trained.", f"Leave '{name}' out of --hold.")
    return {name: load_direction(pack, name, roots) for name in dict.fromkeys(hold)}


def check_counts(encoded: Encoded, classes: Sequence[str]) -> None:
    """Raises DirectionError for a class of fewer than FEW usable pictures."""
    for label in classes:
        count = sum(sample.entry.label == label for sample in encoded.usable)
        if count < FEW:
            reasons = sorted({s.reason for s in encoded.skipped if s.entry.label == label})
            left_out = sum(s.entry.label == label for s in encoded.skipped)
            why = f"; {left_out} were skipped ({'; '.join(reasons[:3])})" if left_out else ""
            message = f"The class '{label}' has {count} usable pictures{why}."
            raise DirectionError(message, f"Give at least {FEW} pictures of faces a class, better 100 or more.")


def matched_rows(samples: Sequence[Sample], rows: np.ndarray, second: str) -> np.ndarray | None:
    """Which of `rows` (n,) show people who are in both classes; None where too few do for a matched comparison.

    They do where they are at least half of all rows, FEW of each class, and people enough for MATCHED_FOLDS folds.
    """
    labels = np.array([samples[row].entry.label == second for row in rows], int)
    people = [person_of(samples[row].entry.name) for row in rows]
    both = logistic.in_both_classes(labels, people)
    enough = all(int((labels[both] == label).sum()) >= FEW for label in (0, 1)) and 2 * int(both.sum()) >= len(rows)
    return both if enough and len(logistic.folds_of(labels, people, both, MATCHED_FOLDS, 0)) == MATCHED_FOLDS else None


class _Learner:
    """One pair of classes: its latents, labels and people."""

    def __init__(
        self,
        pictures: PictureSet,
        encoded: Encoded,
        pair: _Pair,
        held: Mapping[str, Direction],
        models: Models,
        config: DirectionTrainingConfig,
        scratch: Path,
    ) -> None:
        self.pair, self.held, self.models, self.config = pair, held, models, config
        self.classes = wanted = (pair.first, pair.second)
        rows = np.array([row for row, sample in enumerate(encoded.usable) if sample.entry.label in wanted], int)
        both = matched_rows(encoded.usable, rows, pair.second)
        self.matched = both is not None
        left_alone = rows[:0] if both is None else rows[~both]
        rows = rows if both is None else rows[both]
        self.samples = [encoded.usable[row] for row in rows]
        skipped = {sample.entry.name: sample.reason for sample in encoded.skipped if sample.entry.label in wanted}
        skipped |= {out.name: out.reason for out in pictures.left_out if out.label in (*wanted, "")}
        skipped |= {encoded.usable[row].entry.name: "no usable picture of the other class" for row in left_alone}
        self.source, self.skipped = pictures.name, dict(sorted(skipped.items()))
        self.labels = np.array([int(sample.entry.label == pair.second) for sample in self.samples])
        self.people = [person_of(sample.entry.name) for sample in self.samples]
        self.people_known = bool(logistic.folds_of(self.labels, self.people, np.ones(len(rows), bool), 2, config.seed))
        if not self.people_known:  # the names tell nobody apart: every picture counts as a person of its own
            self.people = [sample.entry.name for sample in self.samples]
        self.latents, self.rows = encoded.latents, rows
        self.design = logistic.Design(pair_latents(encoded, rows, scratch), self.people if self.matched else None)

    def learn(self, texts: Texts, runtime: Runtime, done: int, total: int) -> _Trained:
        """Fit, free from what is held, scale, and write down what is known of it."""
        steps = self.config.folds + 1
        runtime.step("fit", done * steps, total * steps)
        folds = itertools.count(1)

        def tell() -> None:
            runtime.step("fit", done * steps + min(next(folds), steps), total * steps)

        fit = logistic.fit_direction(self.design, self.labels, self.people, self.config.folds, self.config.seed, tell)
        spans = np.array([other.vector.reshape(-1) for other in self.held.values()], np.float64)
        spans = spans.reshape(len(self.held), -1) if self.held else np.zeros((0, len(fit.direction)))
        freed = logistic.project_out(fit.direction, spans)
        norm = float(np.linalg.norm(freed))
        if norm <= NOTHING_LEFT * float(np.linalg.norm(fit.direction)):
            held = ", ".join(self.held)
            message = f"Nothing of '{self.pair.name}' is left without {held}." if held else "The classes do not differ."
            raise DirectionError(message, "Hold fewer directions, or give other pictures.")
        unit = freed / norm
        scaled = (unit * logistic.spread_along(self.latents, self.rows, unit)).astype(np.float32)
        vector = scaled.reshape(self.models.pack.num_ws, W_DIM)  # (L, 512)
        runtime.step("fit", (done + 1) * steps, total * steps)
        card = self._card(fit, spans, norm, texts)
        changes, relief = self._changes(vector, runtime)
        record = {**card.training, "changes": changes}
        return _Trained(vector, replace(card, parts=changed_parts(changes), training=record), relief)

    def _changes(self, vector: np.ndarray, runtime: Runtime) -> tuple[dict[str, float], np.ndarray | None]:
        """How much each part of the head changes, and the relief of skin, in the pictures.

        Where they show other people in either class, the parts are those that change along `vector`.
        """
        if self.matched:
            entries = pair_entries([sample.entry for sample in self.samples], self.classes, self.config.seed)
            changes = pictured_changes(entries, self.models, self.config.aligned, runtime)
            if is_expression(changes):
                return changes, None
            pairs = picture_pairs(entries, self.models.pack.resolution, self.config.aligned)
            return changes, learn_relief(pairs, self.models, runtime)
        return drawn_changes(vector, self.models, self.config.seed, runtime), None

    def _card(self, fit: logistic.Fit, spans: np.ndarray, norm: float, texts: Texts) -> Card:
        config, pack = self.config, self.models.pack
        pair = self.pair.first, self.pair.second
        record = {
            "classes": {label: int((self.labels == number).sum()) for number, label in enumerate(pair)},
            "people": len(set(self.people)) if self.people_known else None,
            "matched": self.matched,
            "skipped": self.skipped,
            "aligned": config.aligned,
            "folds": len(fit.fold_directions),
            "seed": config.seed,
            "strength": fit.strength,
            "raw_norm": norm,
            **figures_of(
                fit, self.labels, self.people, self.matched, [sample.probe for sample in self.samples], config
            ),
            "held": {},
            "pack": pack.hash,
            "encoder": pack.part("encoder").hash,
            "packages": {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
        }
        if self.held:
            record["held"] = logistic.held_figures(fit, self.design, self.labels, list(self.held), spans)
        title = self.pair.name.replace("_", " ").replace("-", " ")
        plain = f"From '{{first}}' to '{{second}}', learned from {len(self.labels)} labelled pictures of {self.source}."
        return Card(
            self.pair.name,
            _filled(texts.title or title[:1].upper() + title[1:], pair),
            _filled(texts.description or plain, pair),
            _filled(texts.positive or "{second}", pair),
            _filled(texts.negative or "{first}", pair),
            source="logistic regression on the latents of labelled pictures",
            training=record,
        )


def _filled(text: str, pair: tuple[str, str]) -> str:
    for place, label in zip(("first", "second"), pair, strict=True):
        text = text.replace(f"{{{place}}}", label)
        text = text.replace(f"{{{place.capitalize()}}}", label[:1].upper() + label[1:])
    return text
