"""Pictures of several videos side by side, each under a label: layout, labels, one frame of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stit_core.errors import ConfigError

LONGEST_SIDE = 1920  # pixels of the whole grid
SMALLEST_CELL = 64  # pixels, width under which nothing can be told apart
WANTED_ASPECT = 16 / 9
STRIP_SHARE = 0.05  # of a cell's width, height of the strip with the label
SMALLEST_STRIP = 20  # pixels
FONT_SHARE = 0.7  # of the strip
SMALLEST_FONT = 10  # pixels; what is too long for it is shortened
MARGIN = 3  # pixels left and right of a label
DARK, LIGHT = (24, 24, 24), (235, 235, 235)

Label = tuple[str, str]  # a name, which may be shortened, and a factor, which is not


@dataclass(frozen=True)
class Grid:
    """Cells in rows, each a strip with a label over a picture; every number is in pixels and even.

    Attributes
    ----------
    cells: how many; those left over in the last row stay dark.
    columns: cells in a row.
    width, height: of a picture in its cell.
    strip: height of the strip over it.
    """

    cells: int
    columns: int
    width: int
    height: int
    strip: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole grid."""
        rows = -(-self.cells // self.columns)
        return self.columns * self.width, rows * (self.strip + self.height)

    def corner(self, cell: int) -> tuple[int, int]:
        """x and y of the top-left corner of a cell's strip; its picture begins `strip` further down."""
        row, column = divmod(cell, self.columns)
        return column * self.width, row * (self.strip + self.height)


def plan_grid(cells: int, width: int, height: int) -> Grid:
    """The layout of `cells` pictures of width x height whose sides come nearest to 16 : 9, shrunk to fit 1920 pixels.

    Raises
    ------
    ConfigError: a picture would be under 64 pixels wide.
    """
    plans = []
    for rows in range(1, cells + 1):
        columns = -(-cells // rows)
        if -(-cells // columns) == rows:  # or a row would stay empty
            plans.append(_fitted(cells, columns, rows, width, height))
    visible = [grid for grid in plans if grid.width >= SMALLEST_CELL]
    if not visible:
        widest = max(grid.width for grid in plans)
        message = f"A grid of {cells} pictures would show each only {widest} pixels wide, too small to see anything."
        raise ConfigError(message, f"Choose fewer steps, so that each has at least {SMALLEST_CELL} pixels.")
    return min(visible, key=lambda grid: abs(np.log(grid.size[0] / grid.size[1] / WANTED_ASPECT)))


def _fitted(cells: int, columns: int, rows: int, width: int, height: int) -> Grid:
    """The largest pictures, no larger than they are, with which so many columns and rows fit."""
    room = LONGEST_SIDE // rows
    scale = min(
        1.0,
        LONGEST_SIDE / columns / width,
        room / (height + STRIP_SHARE * width),
        max(0, room - SMALLEST_STRIP) / height,
    )
    fitted = max(2, _even(scale * width))
    return Grid(cells, columns, fitted, max(2, _even(scale * height)), max(SMALLEST_STRIP, _even(STRIP_SHARE * fitted)))


def _even(pixels: float) -> int:
    return int(pixels + 1e-9) // 2 * 2


def draw_labels(grid: Grid, labels: Sequence[Label]) -> np.ndarray:
    """The grid without its pictures: dark, with a label in every strip, all in one size of letters.

    Parameters
    ----------
    labels: one a cell, such as ("smile", "+2.00") or ("source", ""); a name that is too long is cut short.

    Returns
    -------
    (H, W, 3) uint8.

    Raises
    ------
    ValueError: another number of labels than cells.
    """
    width, height = grid.size
    ground = np.empty((height, width, 3), np.uint8)
    ground[:] = DARK
    font = _font([_text(*label) for label in labels], grid.width - 2 * MARGIN, int(FONT_SHARE * grid.strip))
    for cell, label in zip(range(grid.cells), labels, strict=True):
        strip = Image.new("RGB", (grid.width, grid.strip), DARK)  # of its own, so that no text reaches the next cell
        text = _shortened(*label, font, grid.width - 2 * MARGIN)
        ImageDraw.Draw(strip).text((grid.width / 2, grid.strip / 2), text, LIGHT, font, anchor="mm")
        x, y = grid.corner(cell)
        ground[y : y + grid.strip, x : x + grid.width] = np.asarray(strip)
    return ground


def _text(name: str, factor: str) -> str:
    return f"{name} {factor}".strip()


def _font(texts: Sequence[str], width: int, largest: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font in the largest size, down to the smallest one allowed, in which every text fits."""
    for size in range(max(largest, SMALLEST_FONT), SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size)
        if all(font.getlength(text) <= width for text in texts):
            break
    assert isinstance(font, ImageFont.FreeTypeFont)  # what load_default gives for a size
    return font


def _shortened(name: str, factor: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The label with as much of its name as fits."""
    candidates = [_text(name, factor), *(_text(f"{name[:kept]}..", factor) for kept in range(len(name) - 1, 0, -1))]
    return next((text for text in candidates if font.getlength(text) <= width), factor)


def fill(ground: np.ndarray, grid: Grid, pictures: Iterable[np.ndarray]) -> np.ndarray:
    """One frame of the grid.

    Parameters
    ----------
    ground: (H, W, 3) uint8 as `draw_labels` gives it; not changed.
    pictures: one (h, w, 3) uint8 a cell, taken one at a time and shrunk to its cell.

    Returns
    -------
    (H, W, 3) uint8.

    Raises
    ------
    ValueError: another number of pictures than cells.
    """
    frame = ground.copy()
    for cell, picture in zip(range(grid.cells), pictures, strict=True):
        x, y = grid.corner(cell)
        frame[y + grid.strip : y + grid.strip + grid.height, x : x + grid.width] = shrink(picture, grid)
    return frame


def shrink(picture: np.ndarray, grid: Grid) -> np.ndarray:
    """A picture (h, w, 3) uint8 in the size of a cell; one that has it stays as it is."""
    return np.asarray(Image.fromarray(picture).resize((grid.width, grid.height), Image.Resampling.BICUBIC))
