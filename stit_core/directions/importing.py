"""Directions that were made elsewhere, STIT's own .npy files among them, into the user's own folder.

They are read as plain numbers, never as pickles, and need nothing of the pack but its manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stit_core.directions.figures import overlap_warnings, relations
from stit_core.directions.labelled_pictures import shown
from stit_core.directions.library import (
    W_DIM,
    Card,
    Direction,
    direction_file,
    direction_roots,
    hidden_by,
    is_direction_name,
    read_vector,
    save_direction,
    user_root,
)
from stit_core.errors import DirectionError
from stit_core.packs.manifest import Pack

STIT_PACK = "ffhq-1024"
STIT_SOURCE = "as published by STIT (Tzaban et al. 2022), CC BY-NC 4.0"
FILE_SOURCE = "imported from a file"
# What each of STIT's directions changes. Which sign does what is the file's, and is not said here.
STIT_TEXTS: Mapping[str, tuple[str, str]] = {
    "age": ("Age", "How old the person looks."),
    "eye_distance": ("Eye distance", "How far the eyes are from each other."),
    "eye_eyebrow_distance": ("Eye to brow", "How far the brows are from the eyes."),
    "eye_ratio": ("Eye shape", "The height of the eyes against their width."),
    "eyes_open": ("Eyes open", "How far the eyes are open."),
    "gender": ("Gender", "Whether the face looks more like a man's or a woman's."),
    "lip_ratio": ("Lip shape", "The height of the lips against their width."),
    "mouth_open": ("Mouth open", "How far the mouth is open."),
    "mouth_ratio": ("Mouth shape", "The height of the mouth against its width."),
    "nose_mouth_distance": ("Nose to mouth", "How far the mouth is from the nose."),
    "nose_ratio": ("Nose shape", "The height of the nose against its width."),
    "nose_tip": ("Nose tip", "Where the tip of the nose points."),
    "pitch": ("Pitch", "The head's turn up or down."),
    "roll": ("Roll", "The head's tilt to one shoulder or the other."),
    "smile": ("Smile", "How much the mouth smiles."),
    "yaw": ("Yaw", "The head's turn to the left or right."),
}


@dataclass(frozen=True)
class Imported:
    """Directions that are stored now, and what was passed over: file name -> reason."""

    directions: tuple[Direction, ...]
    skipped: Mapping[str, str]


def import_directions(source: Path, pack: Pack, root: Path | None = None, force: bool = False) -> Imported:
    """Check the .npy files of a folder, or one file, and store them with cards.

    Parameters
    ----------
    source: files (L, 512) of any floating-point type, named as the directions are to be called.
    pack: the pack that they were made for; only its manifest is needed.
    root: below it, in the pack's folder, they are stored; None: the user's own folder.
    force: replace directions of these names in `root`.

    Raises
    ------
    DirectionError: nothing there, or nothing that can be imported. StoreError: the folder cannot be written.
    """
    root = root or user_root()
    vectors: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}
    for path in _files(source):
        try:
            vectors[path.stem] = _read(path, pack, root, force)
        except DirectionError as error:
            skipped[shown(path.name)] = error.message
    if not vectors:
        reasons = "; ".join(list(skipped.values())[:3])
        message = f"Nothing in {shown(source.name)} can be imported into '{pack.name}'. {reasons}"
        raise DirectionError(message, f"Give .npy files of the shape ({pack.num_ws}, {W_DIM}), or another --pack.")
    stored = [_store(name, vectors, pack, root) for name in vectors]
    return Imported(tuple(stored), skipped)


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DirectionError(f"There is no folder or file '{shown(source.name)}'.", "Give a folder of .npy files.")
    found = sorted(path for path in source.iterdir() if path.suffix.lower() == ".npy")
    if not found:
        raise DirectionError(f"{shown(source.name)} holds no .npy files.", "Give the folder that holds them itself.")
    return found


def _read(path: Path, pack: Pack, root: Path, force: bool) -> np.ndarray:
    """The vector (L, 512) float32 of a file. Raises DirectionError with the reason why it cannot be imported."""
    if not is_direction_name(path.stem):
        raise DirectionError(f"{shown(path.name)!r} cannot name a direction.", "Rename the file.")
    vector = read_vector(path, pack)
    if not np.any(vector):
        raise DirectionError(f"The direction '{path.stem}' is zero throughout.", "Take another file.")
    if not force and direction_file(pack, path.stem, root).exists():
        raise DirectionError(
            f"There is a direction '{path.stem}' of '{pack.name}' already.", "Replace it with --force."
        )
    return vector


def _store(name: str, vectors: Mapping[str, np.ndarray], pack: Pack, root: Path) -> Direction:
    vector = vectors[name]
    siblings = {other: values for other, values in vectors.items() if other != name}
    record = relations(vector, pack, siblings, set(vectors), (root, *direction_roots()))
    record["equal_rows"] = bool((vector == vector[0]).all())
    record["norm_of_rows"] = [round(float(norm), 4) for norm in np.linalg.norm(vector, axis=1)]
    record["warnings"] = overlap_warnings(record["cosine"], trained=False) + hidden_by(pack, name, root)
    title, description = name.replace("_", " ").replace("-", " ").capitalize(), "Imported; nothing is known of it."
    source = FILE_SOURCE
    if pack.name == STIT_PACK and name in STIT_TEXTS:
        title, description = STIT_TEXTS[name]
        description += " The sign is that of the file."
        source = STIT_SOURCE
    return save_direction(pack, vector, Card(name, title, description, source=source, training=record), root)
