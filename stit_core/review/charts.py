"""Small multiples of a report as SVG: a group a row, mean and interval, the single people where they are few."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import vl_convert

from stit_core.review.statistics import Interval

WIDTH, ROW = 250, 22  # pixels of the plot, and of a group's row
INK = "#767676"  # readable on white and on black; the page sets the ink of text itself
BLUE, ORANGE = "#0072b2", "#d55e00"  # of Okabe and Ito, told apart by those who see no red or green
FONT = 13  # pixels of labels and axes
KINDS = ["interval", "no interval", "found"]  # of a row
MARK = "●"  # before a group that differs beyond chance
LABEL_WIDTH = 215  # pixels of a group's name, which is cut off beyond
MARGIN = 0.06  # of a scale, left free at both ends


@dataclass(frozen=True)
class ChartRow:
    """A group: name, mean with interval, each person's figure where they are few, whether it differs beyond chance."""

    name: str
    mean: Interval
    dots: tuple[float, ...] = ()
    is_found: bool = False


def scale_of(charts: Sequence[Sequence[ChartRow]], include: float = 0.0) -> tuple[float, float]:
    """One scale for several charts of a measure, so that they compare; `include` lies on it."""
    ends = [include]
    for rows in charts:
        for row in rows:
            ends += [row.mean.value, row.mean.low, row.mean.high, *row.dots]
    known = [end for end in ends if math.isfinite(end)]
    low, high = min(known), max(known)
    room = MARGIN * max(high - low, 1e-6)
    return low - room, high + room


def interval_chart(rows: Sequence[ChartRow], title: str, unit: str, scale: tuple[float, float]) -> str:
    """One chart as SVG text.

    Parameters
    ----------
    rows: from top to bottom. A row without an interval has an open circle and its people as ticks; one that differs
        from the rest beyond chance has an orange square and a mark before its name.
    title, unit: above the chart and below its axis.
    scale: both ends of the axis.
    """
    names = [f"{place}" for place in range(len(rows))]  # labels are data, never part of an expression
    means, dots = [], []
    for name, row in zip(names, rows, strict=True):
        if math.isfinite(row.mean.value):
            shape = "found" if row.is_found else "interval" if row.mean.known else "no interval"
            ends = {"low": row.mean.low, "high": row.mean.high} if row.mean.known else {}
            means.append({"row": name, "value": row.mean.value, "kind": shape, **ends})
        dots += [{"row": name, "value": value} for value in row.dots if math.isfinite(value)]
    place = alt.Y("row:N", sort=names, scale=alt.Scale(domain=names), axis=None)
    across = alt.Scale(domain=list(scale), nice=False, zero=False)
    axis = alt.Axis(title=unit or None, tickCount=5, grid=True)
    zero = alt.Chart(alt.Data(values=[{"value": 0}])).mark_rule(color=INK, strokeWidth=1.2).encode(x="value:Q")
    lines = (
        alt.Chart(alt.Data(values=[row for row in means if "low" in row] or [{}]))
        .mark_rule(color=BLUE, strokeWidth=2.5)
        .encode(y=place, x=alt.X("low:Q", scale=across, axis=axis), x2="high:Q")
    )
    people = (
        alt.Chart(alt.Data(values=dots or [{}]))
        .mark_tick(color=ORANGE, height=9, thickness=1.5)
        .encode(y=place, x=alt.X("value:Q", scale=across, axis=axis))
    )
    points = (
        alt.Chart(alt.Data(values=means or [{}]))
        .mark_point(size=55, strokeWidth=2, opacity=1)
        .encode(
            y=place,
            x=alt.X("value:Q", scale=across, axis=axis),
            fill=alt.Fill(
                "kind:N",
                scale=alt.Scale(domain=KINDS, range=[BLUE, "transparent", ORANGE]),
                legend=None,
            ),
            stroke=alt.Stroke("kind:N", scale=alt.Scale(domain=KINDS, range=[BLUE, BLUE, ORANGE]), legend=None),
            shape=alt.Shape("kind:N", scale=alt.Scale(domain=KINDS, range=["circle", "circle", "square"]), legend=None),
        )
    )
    titles = [f"{MARK} {row.name}" if row.is_found else row.name for row in rows]
    labels = (
        alt.Chart(alt.Data(values=[{"row": n, "name": title} for n, title in zip(names, titles, strict=True)]))
        .mark_text(align="right", baseline="middle", dx=-8, limit=LABEL_WIDTH, fontSize=FONT)
        .encode(y=place, x=alt.value(0), text="name:N")
    )
    parts = ([zero] if scale[0] <= 0 <= scale[1] else []) + [lines, people, points, labels]
    chart = alt.layer(*parts).properties(
        width=WIDTH,
        height=ROW * max(len(rows), 1),
        title=alt.Title(title, anchor="start", fontSize=FONT + 2),
        background="transparent",
        padding=4,
    )
    chart = chart.configure_view(stroke=None).configure_axis(
        gridColor=INK, gridOpacity=0.25, domain=False, labelFontSize=FONT, titleFontSize=FONT
    )
    return responsive(vl_convert.vegalite_to_svg(chart.to_dict()))


def responsive(svg: str) -> str:
    """The same drawing, as wide as its place and no wider than drawn."""
    head, rest = svg.split(">", 1)
    width = head.split(' width="', 1)[1].split('"', 1)[0]
    height = head.split(' height="', 1)[1].split('"', 1)[0]
    plain = head.replace(f' width="{width}" height="{height}"', "")
    return f'{plain} role="img" style="width:100%;max-width:{float(width):.0f}px">{rest}'
