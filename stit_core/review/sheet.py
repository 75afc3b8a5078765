"""The contact sheet of everyone: source and every edit as small pictures that a page can carry."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from stit_core.review.gathering import read_source
from stit_core.review.results import WAITING, Results
from stit_core.review.running import Review

BUDGET = 9_000_000  # bytes of all pictures of a report, as they stand in it and as they are expected
MOST = 12_000_000  # that they may turn out to be, beyond which they are made smaller
SIDES = (256, 224, 192, 160, 128, 96, 72)  # pixels of a small picture, the largest that fits
BYTES, BYTES_OF_PIXEL = 900, 0.11  # of a small picture of a face, with the third that base64 adds
FRAME_SHARE = 0.5  # of a still's bytes that a frame of an animation takes
MOST_ANIMATED = 128  # pixels
QUALITY = 76
BLACK = 10  # grey level of 255 up to which an edge shows nothing: the crop reaches beyond the picture there
BLACK_SHARE = 0.9  # of a row, from which it is cut off
MOST_CROPPED = 0.125  # of a side, at each end
FEWEST_SHOWN = 12  # people, whatever the pictures weigh


@dataclass(frozen=True)
class Cell:
    """One picture of the sheet: its data address, or why there is none."""

    picture: str = ""
    failure: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class SheetRow:
    """A person: name, labels, and cells of the source and of each edit in the plan's order."""

    name: str
    labels: tuple[tuple[str, str], ...]
    cells: tuple[Cell, ...]
    failure: str


def contact_sheet(review: Review, results: Results) -> tuple[list[SheetRow], int]:
    """Rows of everybody who was looked at, in the order of their labels, and how many had no room.

    Where all would be too heavy at the smallest size, people are left out evenly.
    """
    order = sorted(
        (place for place, failure in enumerate(results.failures) if failure != WAITING),
        key=lambda place: [*(review.people.persons[place].labels.get(c, "") for c in results.plan.columns), place],
    )
    columns = 1 + len(results.plan.pairs)
    clips = any(source.is_clip for person in review.people.persons for source in person.sources)
    weight = FRAME_SHARE * 24 if clips else 1.0
    room = max(FEWEST_SHOWN, int(BUDGET / (_bytes(SIDES[-1], weight) * columns)))
    shown = [order[k] for k in np.linspace(0, len(order) - 1, room).astype(int)] if len(order) > room else order
    sides = [side for side in SIDES if _bytes(side, weight) * columns * len(shown) <= BUDGET] or [SIDES[-1]]
    for side in sides:
        rows = [_row(review, results, place, side) for place in shown]
        if sum(len(cell.picture) for row in rows for cell in row.cells) <= MOST:
            break
    return rows, len(order) - len(shown)


def _bytes(side: int, weight: float) -> float:
    return weight * (BYTES + BYTES_OF_PIXEL * side**2)


def _row(review: Review, results: Results, place: int, side: int) -> SheetRow:
    person, failure = review.people.persons[place], results.failures[place]
    labels = tuple((column, person.labels[column]) for column in review.people.columns if column in person.labels)
    if failure:
        empty = tuple(Cell(failure=failure) for _ in range(1 + len(review.edit_keys)))
        return SheetRow(person.name, labels, empty, failure)
    records = [record for base, record in (read_source(review, s) for s in person.sources) if base and record]
    record = next(record for record in records if record.picture().is_file())
    box = inner_box(record.picture())
    cells = [picture_cell(record.picture(), side, "the picture is gone", box)]
    for key, why in zip(review.edit_keys, results.edit_failures[place], strict=True):
        cells.append(picture_cell(record.picture(key), side, why or "the picture is gone", box))
    return SheetRow(person.name, labels, tuple(cells), "")


def inner_box(path: Path) -> tuple[float, float, float, float] | None:
    """The square inside the black edges of a kept original, as shares of its side; None where it has none."""
    try:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
    except OSError:
        return None
    size = min(grey.shape)
    black = [_black_rows(side) for side in (grey, grey[::-1], grey.T, grey.T[::-1])]  # top, bottom, left, right
    if not any(black):
        return None
    top, bottom, left, right = black
    height, width = grey.shape[0] - top - bottom, grey.shape[1] - left - right
    inner = min(height, width)
    x, y = left + (width - inner) // 2, top + (height - inner) // 2
    return x / size, y / size, (x + inner) / size, (y + inner) / size


def _black_rows(grey: np.ndarray) -> int:
    """How many rows from the first on are black, at most MOST_CROPPED of all."""
    most = int(MOST_CROPPED * len(grey))
    black = (grey[:most] <= BLACK).mean(axis=1) >= BLACK_SHARE
    return int(np.argmin(black)) if not black.all() else most


def picture_cell(path: Path, side: int, otherwise: str, box: tuple[float, float, float, float] | None = None) -> Cell:
    """A kept picture, still or animated, at most `side` pixels wide; a cell that says `otherwise` where it is gone.

    Parameters
    ----------
    box: left, top, right, bottom of what is shown, as shares of its side; everything where None.
    """
    try:
        with Image.open(path) as image:
            frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
            duration = image.info.get("duration", 80)
    except OSError:
        return Cell(failure=otherwise)
    side = min(side, MOST_ANIMATED) if len(frames) > 1 else side
    if box is not None:
        left, top, right, bottom = (round(share * frames[0].width) for share in box)
        frames = [frame.crop((left, top, right, bottom)) for frame in frames]
    for frame in frames:
        frame.thumbnail((side, side), Image.Resampling.LANCZOS)
    return Cell(webp_address(frames, duration), "", *frames[0].size)


def webp_address(frames: Sequence[Image.Image], duration: int) -> str:
    """Pictures as one data address, animated where they are several; `duration` of a frame in milliseconds."""
    file = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:], "duration": duration, "loop": 0} if len(frames) > 1 else {}
    frames[0].save(file, "WEBP", quality=QUALITY, method=4, **more)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
