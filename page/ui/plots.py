"""Small drawings as SVG, in the page's colours: how steady the crops are, how the tuning goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from page.ui.html import render
from page.ui.words import labels

WIDTH, HEIGHT = 600.0, 120.0  # units of the drawing; the page stretches it
MOST_POINTS = 400  # of a line; more cannot be seen


Line = tuple[str, list[tuple[float, float]]]  # a class of widgets.css, and points


def jitter_plot(before: np.ndarray, after: np.ndarray) -> str:
    """How far the crop jerks without and with smoothing, (T,) each, in pixels a frame squared, as two lines."""
    top = max(float(np.max(before, initial=0.0)), float(np.max(after, initial=0.0)), 1e-6)
    lines = [_line("line-quiet", before / top), _line("line-accent", after / top)]
    legend = (("line-quiet", labels.JITTER_BEFORE), ("line-accent", labels.JITTER_AFTER))
    return _plot(labels.JITTER_PLOT, lines, legend, f"{top:.1f} px", "0")


def loss_plot(history: Sequence[Sequence[float]]) -> str:
    """The loss of each pass on a logarithmic scale; `history` holds (L2, LPIPS, loss, PSNR in dB) a pass."""
    losses = np.maximum(np.array([row[2] for row in history], dtype=np.float64), 1e-9)
    logs = np.log(losses)
    low, high = float(logs.min()), float(logs.max())
    scaled = (logs - low) / (high - low) if high > low else np.full_like(logs, 0.5)
    line = _line("line-accent", scaled * 0.92 + 0.04)
    return _plot(labels.LOSS_PLOT, [line], (), f"{np.exp(high):.3g}", f"{np.exp(low):.3g}")


def _line(name: str, values: np.ndarray) -> Line:
    """A line through values of 0 to 1, evenly spaced."""
    if len(values) > MOST_POINTS:  # the largest of each stretch, so that a jerk is not lost
        values = np.array([part.max() for part in np.array_split(values, MOST_POINTS)])
    xs = np.linspace(0.0, WIDTH, len(values)) if len(values) > 1 else np.array([WIDTH / 2])
    return name, [(float(x), float(HEIGHT * (1 - y))) for x, y in zip(xs, values, strict=True)]


def _plot(title: str, lines: Sequence[Line], legend: Sequence[tuple[str, str]], top: str, bottom: str) -> str:
    """A plot whose scale goes from `bottom` to `top`; `legend`: the lines' classes with what they are."""
    size = {"width": f"{WIDTH:g}", "height": f"{HEIGHT:g}"}
    return render("plot", title=title, lines=lines, legend=legend, top=top, bottom=bottom, **size)
