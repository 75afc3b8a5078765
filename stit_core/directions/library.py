"""The direction library: edit directions in `<root>/<pack>/<name>.npy`, each with a card `<name>.json`.

A trained one has a preview `<name>.jpg` beside it, and where it brings folds and wrinkles a map of them,
`<name>.relief.png`. Roots: the folder that $STIT_DIRECTIONS names first, then the one
that comes with the program. Source: ours.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from stit_core.errors import DirectionError
from stit_core.faces.relief import SHAPE
from stit_core.packs.manifest import Pack
from stit_core.regions import PARTS, unknown_parts
from stit_core.store.disk import disk_errors, write_json
from stit_core.store.paths import cache_folder

SHIPPED = Path(__file__).resolve().parents[2] / "directions"
W_DIM = 512
LARGEST_FILE = 1 << 20  # bytes; the largest direction, (18, 512) float64, has 74 kB
BESIDE = (".json", ".jpg", ".relief.png")  # what lies beside a direction's file under its name
RELIEF_LEVELS = 127 / 0.4  # grey levels of a map of relief for a unit of it, from the middle one on
RELIEF_MIDDLE = 128
LARGEST_VALUE = 1e6  # of a direction's numbers, in units of w, which are a few times 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


@dataclass(frozen=True)
class Card:
    """What is known of a direction.

    Attributes
    ----------
    name: its file's name, plain.
    title, description: for people.
    positive, negative: what a factor above or below 0 does, in a word or two.
    pack: the model pack it was made for; empty where unknown.
    generator: hash of that pack's generator; empty where unknown.
    norm: Euclidean norm of its mean row, in units of w.
    source: how or where it was made.
    training: of a trained or imported one: data, figures, relations to other directions, warnings.
    parts: of the head that it may change, of regions.PARTS; empty where that was not measured.
    moves: whether anything moves along it; what a tone of skin moves is an error of the generator.
    """

    name: str
    title: str = ""
    description: str = ""
    positive: str = ""
    negative: str = ""
    pack: str = ""
    generator: str = ""
    norm: float = 0.0
    source: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    moves: bool = True


@dataclass(frozen=True)
class Direction:
    """An edit direction: vector (L, 512) float32, its card, and the relief of skin that it brings, if any.

    `relief` is a map (faces.relief.SHAPE) float32, see directions.relief; it is what a factor of 1 brings.
    """

    card: Card
    vector: np.ndarray
    relief: np.ndarray | None = None

    @property
    def hash(self) -> str:
        """sha256 of the vector's numbers."""
        return hashlib.sha256(np.ascontiguousarray(self.vector).tobytes()).hexdigest()


def user_root() -> Path:
    """Where directions of the user's own are kept: $STIT_DIRECTIONS or directions in the user's cache folder."""
    named = os.environ.get("STIT_DIRECTIONS")
    return Path(named).expanduser().absolute() if named else cache_folder() / "directions"


def direction_roots() -> tuple[Path, ...]:
    """Folders that are searched, the user's own first."""
    return (user_root(), SHIPPED)


def list_directions(pack: Pack, roots: Sequence[Path] | None = None) -> list[Card]:
    """Cards of all directions of a pack, by name; one of the user's own hides a shipped one of the same name.

    `roots` are searched in order, those of `direction_roots` by default. Files that are no direction of this pack are
    left out; `load_direction` says why.
    """
    found: dict[str, Card] = {}
    for root in direction_roots() if roots is None else roots:
        for path in sorted((root / pack.name).glob("*.npy")):
            if path.stem in found or not _NAME.fullmatch(path.stem):
                continue
            try:
                found[path.stem] = _read(path, pack).card
            except DirectionError:
                continue
    return sorted(found.values(), key=lambda card: card.name)


def load_direction(pack: Pack, name: str, roots: Sequence[Path] | None = None) -> Direction:
    """The direction `name` of a pack, from the first of the `roots` (by default `direction_roots`) that has it.

    Raises
    ------
    DirectionError: it is unknown (close matches are listed), malformed, or made for another pack.
    """
    if is_direction_name(name):
        for root in direction_roots() if roots is None else roots:
            path = direction_file(pack, name, root)
            if path.is_file():
                return _read(path, pack)
    names = [card.name for card in list_directions(pack, roots)]
    close = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    others = sorted(owner for owner in _owners(name) if owner != pack.name)
    if others:
        message = f"The direction '{name}' belongs to the pack '{others[0]}', not to '{pack.name}'."
        raise DirectionError(message, f"Choose the pack with --pack {others[0]}, or another direction.")
    known = (
        f"Did you mean {' or '.join(close)}?" if close else f"Directions of this pack: {', '.join(names) or 'none'}."
    )
    raise DirectionError(f"The pack '{pack.name}' has no direction '{name}'.", known)


def vectors_of(directions: Mapping[str, Direction]) -> dict[str, np.ndarray]:
    """Their vectors (L, 512), by name."""
    return {name: direction.vector for name, direction in directions.items()}


def hashes(directions: Mapping[str, Direction]) -> list[str]:
    """Their hashes, in order."""
    return [direction.hash for direction in directions.values()]


def relief_hashes(directions: Mapping[str, Direction]) -> list[str]:
    """sha256 of the maps of relief of those that have one, in order."""
    maps = [direction.relief for direction in directions.values() if direction.relief is not None]
    return [hashlib.sha256(np.ascontiguousarray(relief).tobytes()).hexdigest() for relief in maps]


def relief_of(directions: Mapping[str, Direction], factors: Sequence[tuple[str, float]]) -> np.ndarray | None:
    """The relief (faces.relief.SHAPE) that directions bring by their factors; None where none brings any."""
    maps = [np.float32(factor) * relief for name, factor in factors if (relief := directions[name].relief) is not None]
    return sum(maps[1:], start=maps[0]) if maps else None


def stacked(directions: Sequence[Direction]) -> Tensor | None:
    """Their vectors as one tensor (N, L, 512) float32; None for none."""
    vectors = [torch.from_numpy(np.float32(direction.vector)) for direction in directions]
    return torch.stack(vectors) if vectors else None


def direction_file(pack: Pack, name: str, root: Path) -> Path:
    """Where the direction `name` of a pack lies below `root`; its card and preview lie beside it."""
    return root / pack.name / f"{name}.npy"


def is_direction_name(name: str) -> bool:
    """Whether `name` can name a direction."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raises DirectionError where `name` cannot name a direction."""
    if not is_direction_name(name):
        message = f"{name!r} cannot name a direction."
        raise DirectionError(message, "Use up to 80 letters, digits, '_' and '-', beginning with a letter or digit.")


def is_own(pack: Pack, name: str) -> bool:
    """Whether the direction `name` lies in the user's own folder."""
    return is_direction_name(name) and direction_file(pack, name, user_root()).is_file()


def hidden_by(pack: Pack, name: str, root: Path) -> list[str]:
    """A warning where a direction `name` below `root` hides one that came with the program."""
    if root.absolute() == SHIPPED or not direction_file(pack, name, SHIPPED).is_file():
        return []
    return [f"It hides the direction '{name}' that came with the program, until this one is deleted."]


def delete_direction(pack: Pack, name: str) -> None:
    """Delete a direction of the user's own, with its card and preview.

    Raises
    ------
    DirectionError: one that came with the program or does not exist.
    """
    if not is_own(pack, name):
        card = load_direction(pack, name).card  # says what names there are
        message = f"The direction '{card.name}' came with the program."
        raise DirectionError(message, "Only directions of your own can be deleted; `directions list` marks them.")
    remove_direction(direction_file(pack, name, user_root()))


def remove_direction(path: Path) -> None:
    """Remove a direction's file and all that lies beside it. Raises StoreError."""
    with disk_errors(f"The direction '{path.stem}'"):
        for suffix in (path.suffix, *BESIDE):
            path.with_suffix(suffix).unlink(missing_ok=True)


def save_direction(
    pack: Pack,
    vector: np.ndarray,
    card: Card,
    root: Path | None = None,
    preview: bytes | None = None,
    relief: np.ndarray | None = None,
) -> Direction:
    """Store a direction (L, 512) of a pack below `root` (the user's own folder by default).

    Pack, generator and norm of the card are filled in; `preview` is the JPEG and `relief` the map that lie beside it,
    if any.

    Raises
    ------
    DirectionError: a bad name, part or vector.
    StoreError: the folder cannot be written.
    """
    check_name(card.name)
    unknown = unknown_parts(card.parts)
    if unknown:
        raise DirectionError(f"The head has no part '{unknown[0]}'.", f"Parts are {', '.join(PARTS)}.")
    checked = _checked(vector, card.name, pack)
    norm = float(np.linalg.norm(checked.mean(axis=0)))
    full = replace(card, pack=pack.name, generator=pack.part("generator").hash, norm=norm)
    path = direction_file(pack, card.name, root or user_root())
    with disk_errors(f"The direction '{card.name}'"):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            np.save(file, checked, allow_pickle=False)
        _write_beside(path.with_suffix(".jpg"), preview)
        _write_beside(path.with_suffix(".relief.png"), None if relief is None else _encode_relief(relief))
        write_json(path.with_suffix(".json"), asdict(full))
        part.replace(path)
    return Direction(full, checked, _read_relief(path.with_suffix(".relief.png")))


def _write_beside(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)  # that of an earlier direction of this name
        return
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _encode_relief(relief: np.ndarray) -> bytes:
    levels = np.clip(np.rint(RELIEF_MIDDLE + RELIEF_LEVELS * relief), 1, 255).astype(np.uint8)
    return cv2.imencode(".png", levels)[1].tobytes()


def _read_relief(path: Path) -> np.ndarray | None:
    """The map of relief in a file, if there is one. Raises DirectionError."""
    if not path.is_file():
        return None
    content = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else b""
    levels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if levels is None or levels.shape != SHAPE or levels.dtype != np.uint8:
        message = f"{path.name} is not a map of relief, a grey picture of {SHAPE[1]} x {SHAPE[0]} pixels."
        raise DirectionError(message, "Restore or delete the file.")
    return (levels.astype(np.float32) - RELIEF_MIDDLE) / np.float32(RELIEF_LEVELS)


def _owners(name: str) -> set[str]:
    if not is_direction_name(name):
        return set()
    return {path.parent.name for root in direction_roots() for path in root.glob(f"*/{name}.npy")}


def read_vector(path: Path, pack: Pack) -> np.ndarray:
    """The vector (L, 512) float32 in a .npy file, never unpickled. Raises DirectionError for any other content."""
    hint = "Restore or delete the file."
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DirectionError(f"{path.name} is too large for a direction.", hint)
        with path.open("rb") as file:
            vector = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else "it ends too early"
        raise DirectionError(f"{path.name} cannot be read as a direction: {reason}.", hint) from error
    return _checked(vector, path.stem, pack)


def _read(path: Path, pack: Pack) -> Direction:
    vector = read_vector(path, pack)
    card = _read_card(path.with_suffix(".json"), path.stem)
    generator = pack.part("generator").hash
    if (card.pack and card.pack != pack.name) or (card.generator and card.generator != generator):
        owner = f"'{card.pack}'" if card.pack != pack.name else f"another version of '{pack.name}'"
        message = f"The direction '{path.stem}' was made for the pack {owner}, not for this '{pack.name}'."
        raise DirectionError(message, "Train it again for this pack, or choose the pack that it was made for.")
    return Direction(card, vector, _read_relief(path.with_suffix(".relief.png")))


def _checked(vector: np.ndarray, name: str, pack: Pack) -> np.ndarray:
    wanted = (pack.num_ws, W_DIM)
    if vector.shape != wanted:
        message = f"The direction '{name}' has the shape {vector.shape}; the pack '{pack.name}' takes {wanted}."
        raise DirectionError(message, "It was made for another pack; choose that pack or another direction.")
    is_float = np.issubdtype(vector.dtype, np.floating)
    if not is_float or not (np.abs(vector.astype(np.float64)) < LARGEST_VALUE).all():  # nor is NaN
        raise DirectionError(f"The direction '{name}' holds values that are not finite numbers.", "Train it again.")
    return vector.astype(np.float32)


def _read_card(path: Path, name: str) -> Card:
    """The card of a direction; one without a card (STIT's own come so) gets a plain one."""
    if not path.is_file():
        return Card(name, title=name.replace("_", " "), source="no card")
    try:
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict):
            raise ValueError("it holds no table")
        known: dict[str, Any] = {field: record[field] for field in Card.__dataclass_fields__ if field in record}
        kinds: dict[str, Any] = {"norm": (int, float), "training": dict, "parts": list, "moves": bool}
        if not all(isinstance(value, kinds.get(field, str)) for field, value in known.items()):
            raise ValueError("a field has the wrong type")
        return Card(**{**known, "name": name, "parts": _read_parts(known.get("parts", []))})
    except (OSError, ValueError, TypeError) as error:
        message = f"The card {path.name} cannot be read: {error}."
        raise DirectionError(message, "Correct or delete the card.") from error


def _read_parts(names: list[Any]) -> tuple[str, ...]:
    """The parts that a card names, in the order of PARTS. Raises ValueError for anything else."""
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a field has the wrong type")
    unknown = unknown_parts(names)
    if unknown:
        raise ValueError(f"it names the part '{unknown[0][:20]}', and parts are {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in names)
