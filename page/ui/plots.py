"""Small drawings as SVG, in the page's colours: how steady the crops are, how the tuning goes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

WIDTH, HEIGHT = 600.0, 120.0  # units of the drawing; the page stretches it
MOST_POINTS = 400  # of a line; more cannot be seen


def jitter_plot(before: np.ndarray, after: np.ndarray) -> str:
    """How far the crop jerks without and with smoothing, (T,) each, in pixels a frame squared, as two lines."""
    top = max(float(np.max(before, initial=0.0)), float(np.max(after, initial=0.0)), 1e-6)
    lines = _line(before / top, "line-quiet") + _line(after / top, "line-accent")
    legend = _legend((("line-quiet", "as found"), ("line-accent", "smoothed")))
    return _figure("How much the crop jerks from frame to frame", lines, legend, f"{top:.1f} px", "0")


def loss_plot(history: Sequence[Sequence[float]]) -> str:
    """The loss of each pass on a logarithmic scale; `history` holds (L2, LPIPS, loss, PSNR in dB) a pass."""
    losses = np.maximum(np.array([row[2] for row in history], dtype=np.float64), 1e-9)
    logs = np.log(losses)
    low, high = float(logs.min()), float(logs.max())
    scaled = (logs - low) / (high - low) if high > low else np.full_like(logs, 0.5)
    ends = (f"{np.exp(high):.3g}", f"{np.exp(low):.3g}")
    return _figure("Loss, pass by pass", _line(scaled * 0.92 + 0.04, "line-accent"), "", *ends)


def _line(values: np.ndarray, name: str) -> str:
    """A polyline through values of 0 to 1, evenly spaced."""
    if len(values) > MOST_POINTS:  # the largest of each stretch, so that a jerk is not lost
        values = np.array([part.max() for part in np.array_split(values, MOST_POINTS)])
    xs = np.linspace(0.0, WIDTH, len(values)) if len(values) > 1 else np.array([WIDTH / 2])
    points = " ".join(f"{x:.1f},{HEIGHT * (1 - y):.1f}" for x, y in zip(xs, values, strict=True))
    return f'<polyline class="{name}" points="{points}" vector-effect="non-scaling-stroke"/>'


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    keys = "".join(
        f'<span class="key"><span class="dash {name}"></span>{escape(text)}</span>' for name, text in entries
    )
    return f'<span class="keys">{keys}</span>'


def _figure(title: str, lines: str, legend: str, top: str, bottom: str) -> str:
    return (
        f'<figure class="plot"><figcaption><span>{escape(title)}</span>{legend}</figcaption><div class="plot-area">'
        f'<span class="plot-ends"><span>{escape(top)}</span><span>{escape(bottom)}</span></span>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{lines}</svg></div></figure>'
    )
