"""Draw the curves of a training: every figure of every phase's CSV files, over the minutes of all phases in order.

python -m recipes.training.plots --out TRAINING_FOLDER --to docs/training.jpg [--config recipes/heads-256.json]
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

STEP, MINUTES = "step", "minutes"  # the columns that are no figures
PANEL = (640, 300)  # width and height of a panel in pixels
MARGINS = (64, 46, 16, 40)  # left, top, right, bottom of a panel's axes
COLUMNS = 2
MANY = 40  # points of a curve from which it is drawn without dots
OUTER = (0.01, 0.99)  # quantiles of a curve's values that its panel has to hold
SHARPNESS = 2  # drawn this much larger, then shrunk: PIL's lines have no soft edges
INK, GRID, PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
PALETTE = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
)


@dataclass(frozen=True)
class Curve:
    """One figure of one phase: minutes (N,) since the phase began, values (N,)."""

    phase: str
    figure: str
    minutes: np.ndarray
    values: np.ndarray


def read_curves(file: Path, phase: str) -> list[Curve]:
    """The figures of a CSV file with the columns step, minutes and any others; empty cells are left out.

    A run that was stopped repeats what it had logged after its last checkpoint: the later rows count.
    """
    rows: list[dict[str, float]] = []
    with file.open(newline="") as lines:
        for record in csv.DictReader(lines):
            try:
                row = {name: float(text) for name, text in record.items() if name and text}
            except ValueError:  # a line that a kill cut short
                continue
            if MINUTES not in row:
                continue
            while rows and rows[-1][MINUTES] >= row[MINUTES]:
                rows.pop()
            rows.append(row)
    names = sorted({name for row in rows for name in row} - {STEP, MINUTES}, key=str)
    found = []
    for name in names:
        points = np.array([(row[MINUTES], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))])
        if len(points):
            found.append(Curve(phase, name, points[:, 0], points[:, 1]))
    return found


def files_by_phase(folder: Path, order: list[str]) -> dict[str, list[Path]]:
    """CSV files of each phase: <phase>.csv and <phase>_<anything>.csv; phases in `order`, others by age after them."""
    files = sorted(folder.glob("*.csv"), key=lambda file: file.stat().st_mtime)
    found: dict[str, list[Path]] = {name: [] for name in order}
    for file in files:
        owners = [name for name in order if file.stem == name or file.stem.startswith((f"{name}_", f"{name}."))]
        found.setdefault(max(owners, key=len, default=file.stem), []).append(file)
    return {name: sorted(found[name]) for name in found if found[name]}


def read_training(folder: Path, order: list[str]) -> list[Curve]:
    """All curves of a training folder, their minutes counted from the first phase's beginning."""
    curves: list[Curve] = []
    begun = 0.0
    for phase, files in files_by_phase(folder, order).items():
        own = [curve for file in files for curve in read_curves(file, phase)]
        curves += [Curve(phase, curve.figure, curve.minutes + begun, curve.values) for curve in own]
        begun += max((float(curve.minutes[-1]) for curve in own), default=0.0)
    return curves


def ticks(low: float, high: float, count: int = 5) -> np.ndarray:
    """About `count` round numbers (N,) in [low, high]."""
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= min((1, 2, 5, 10), key=lambda factor: abs((high - low) / (step * factor) - count))
    return np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step


class Panel:
    """The axes of one figure, from the first minute at which it was logged to the last."""

    def __init__(self, title: str, curves: list[Curve], colours: dict[str, tuple[int, int, int]]) -> None:
        self.title, self.curves, self.colours = title, curves, colours
        self.picture = Image.new("RGB", (PANEL[0] * SHARPNESS, PANEL[1] * SHARPNESS), PAPER)
        self.draw = ImageDraw.Draw(self.picture)
        self.font = ImageFont.load_default(11 * SHARPNESS)
        # A long curve's first values, far off the rest, may leave the panel.
        values = np.concatenate([np.clip(c.values, *np.quantile(c.values, OUTER)) for c in curves])
        reach = max(float(values.max() - values.min()), 1e-3 * abs(float(values.max())), 1e-6)
        self.low, self.high = float(values.min()) - 0.06 * reach, float(values.max()) + 0.06 * reach
        self.begin = min(float(curve.minutes[0]) for curve in curves)
        self.end = max(max(float(curve.minutes[-1]) for curve in curves), self.begin + 1e-3)

    def place(self, minutes: float, value: float) -> tuple[float, float]:
        """Pixel x, y of a point."""
        left, top, right, bottom = (margin * SHARPNESS for margin in MARGINS)
        width, height = self.picture.width - left - right, self.picture.height - top - bottom
        share = min(max((self.high - value) / (self.high - self.low), 0.0), 1.0)
        return left + width * (minutes - self.begin) / (self.end - self.begin), top + height * share

    def paint(self) -> Image.Image:
        """The panel: grid, curves with a dot at each row where they are few, names of the phases."""
        self._grid()
        for curve in self.curves:
            points = [self.place(*point) for point in zip(curve.minutes, curve.values, strict=True)]
            colour = self.colours[curve.phase]
            if len(points) > 1:
                self.draw.line(points, fill=colour, width=2 * SHARPNESS, joint="curve")
            for x, y in points if len(points) < MANY else points[-1:]:
                radius = 2.5 * SHARPNESS
                self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        self._legend()
        return self.picture.resize(PANEL, Image.Resampling.LANCZOS)

    def _grid(self) -> None:
        for value in ticks(self.low, self.high):
            (left, y), (right, _) = self.place(self.begin, value), self.place(self.end, value)
            self.draw.line((left, y, right, y), fill=GRID, width=SHARPNESS)
            self.draw.text((left - 6 * SHARPNESS, y), f"{value:.4g}", INK, self.font, anchor="rm")
        for minutes in ticks(self.begin, self.end, 8):
            (x, top), (_, bottom) = self.place(minutes, self.high), self.place(minutes, self.low)
            self.draw.line((x, top, x, bottom), fill=GRID, width=SHARPNESS)
            self.draw.text((x, bottom + 4 * SHARPNESS), f"{minutes:g}", INK, self.font, anchor="mt")
        corner = (self.picture.width - MARGINS[2] * SHARPNESS, self.picture.height - 4 * SHARPNESS)
        self.draw.text(corner, "minutes", INK, self.font, anchor="rb")

    def _legend(self) -> None:
        title = ImageFont.load_default(14 * SHARPNESS)
        x, y = 8.0 * SHARPNESS, 8 * SHARPNESS
        self.draw.text((x, y), self.title, INK, title)
        x += self.draw.textlength(self.title, title) + 16 * SHARPNESS
        for phase in dict.fromkeys(curve.phase for curve in self.curves):
            length = self.draw.textlength(phase, self.font)
            if x + length > self.picture.width:  # onto the axes' first line, under the title
                x, y = MARGINS[0] * SHARPNESS + 8.0, y + 15 * SHARPNESS
            self.draw.text((x, y + 3 * SHARPNESS), phase, self.colours[phase], self.font)
            x += length + 10 * SHARPNESS


def draw_curves(curves: list[Curve]) -> Image.Image:
    """A sheet of panels, one a figure name. Raises: ValueError where there is no curve."""
    if not curves:
        raise ValueError("There is no curve to draw.")
    phases = dict.fromkeys(curve.phase for curve in curves)
    colours = {phase: PALETTE[number % len(PALETTE)] for number, phase in enumerate(phases)}
    figures = dict.fromkeys(curve.figure for curve in curves)
    rows = -(-len(figures) // COLUMNS)
    sheet = Image.new("RGB", (PANEL[0] * min(COLUMNS, len(figures)), PANEL[1] * rows), PAPER)
    for number, figure in enumerate(figures):
        panel = Panel(figure, [curve for curve in curves if curve.figure == figure], colours)
        sheet.paste(panel.paint(), (PANEL[0] * (number % COLUMNS), PANEL[1] * (number // COLUMNS)))
    return sheet


def write_plots(folder: Path, target: Path, order: list[str]) -> bool:
    """Draw what a training folder holds into a picture file; False where nothing has been logged yet."""
    curves = read_training(folder, order)
    if not curves:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    draw_curves(curves).save(target, quality=90)
    return True


def phase_names(config: Path) -> list[str]:
    """Names of the phases of a recipe's config, in order; a phase without one is called like its network."""
    return [section.get("name", section["phase"]) for section in json.loads(config.read_text())["phases"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder that recipes.train wrote")
    parser.add_argument("--to", type=Path, required=True, help="a .jpg or .png file")
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[1] / "heads-256.json")
    arguments = parser.parse_args()
    if not write_plots(arguments.out, arguments.to, phase_names(arguments.config)):
        raise SystemExit(f"{arguments.out} holds no curves yet.")


if __name__ == "__main__":
    main()
