"""A batch in one table and one page: what became of each clip, its figures, and a frame before and after. Source: ours.

Names and reasons come from files of somebody else: the template escapes them, the table keeps spreadsheets from taking
them for formulas.
"""

from __future__ import annotations

import base64
import csv
import datetime
import functools
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stit_core.batch.running import DONE, FAILED, SAME, WAITING, Batch, Settled
from stit_core.store.disk import disk_errors
from stit_core.store.spreadsheets import safe_cell

HERE = Path(__file__).parent
CSV_NAME, HTML_NAME = "batch.csv", "batch.html"
FIGURES = ("psnr", "lpips", "border_loss", "id_cosine", "tl_id", "tg_id")
FACTS = ("frames", "faces", "worker_seconds")
COLUMNS = ("row", "clip", "edit", "state", "output", "same_as", *FACTS, *FIGURES, "warnings", "reason", "hint")
SHOWN = 300  # clips on the page, the failed ones first; the table has all


@dataclass(frozen=True)
class Written:
    """The files of a summary, and how many rows are in each state."""

    csv: Path
    html: Path
    counts: Counter[str]


@dataclass(frozen=True)
class _Card:
    settled: Settled
    picture: str  # as the address of an image; empty where there is none


def write_summary(batch: Batch, command: str = "") -> Written:
    """Write `batch.csv` and `batch.html` into the batch's folder, of what is there now; `command` repeats it.

    Raises StoreError when they cannot be written.
    """
    folder = batch.setup.folder
    table, page = folder / CSV_NAME, folder / HTML_NAME
    counts: Counter[str] = Counter()
    with disk_errors(f"The summary in {folder}"):
        part = table.with_name(f"{table.name}.part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for settled in batch.settled():
                counts[settled.state] += 1
                writer.writerow([_cell(value) for value in _values(settled)])
        part.replace(table)
        text = _render(batch, counts, command)
        part = page.with_name(f"{page.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(page)
    return Written(table, page, counts)


def _values(settled: Settled) -> Iterator[Any]:
    record, failure = settled.record, settled.failure
    yield from (settled.number + 1, settled.row.clip, settled.row.treatment.text, settled.state)
    yield record.get("output", "")
    yield "" if settled.same_as is None else settled.same_as + 1
    yield from (record.get(name, "") for name in (*FACTS, *FIGURES))
    yield " ".join(map(str, record.get("warnings", ())))
    yield from ("", "") if failure is None else (failure.message, failure.hint)


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    return safe_cell(value) if isinstance(value, str) else value


def _render(batch: Batch, counts: Counter[str], command: str) -> str:
    failed: list[Settled] = []
    others: list[Settled] = []
    more = 0
    figures: dict[str, list[float]] = {name: [] for name in (*FIGURES, "worker_seconds", "frames")}
    for settled in batch.settled():
        if settled.state == DONE:
            for name, values in figures.items():
                values.append(float(settled.record.get(name, float("nan"))))
        kept = failed if settled.state == FAILED else others
        if len(kept) < SHOWN:
            kept.append(settled)
        else:
            more += 1
    chosen = (failed + others)[:SHOWN]
    more += len(failed) + len(others) - len(chosen)
    return _template().render(
        cards=[_Card(settled, _picture(batch, settled)) for settled in chosen],
        more=more,
        counts=counts,
        total=len(batch.rows),
        states={"done": DONE, "same": SAME, "failed": FAILED, "waiting": WAITING},
        middles=[(name, statistics.median(values)) for name, values in figures.items() if values],
        folder=batch.setup.folder.name,
        pack=Path(batch.setup.pack).name,
        table=CSV_NAME,
        command=command,
        date=datetime.date.today().isoformat(),
        style=Markup((HERE / "summary.css").read_text(encoding="utf-8")),
    )


def _picture(batch: Batch, settled: Settled) -> str:
    data = batch.records.picture(batch.key_of(settled.number)) if settled.record else b""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else ""


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("summary.html.jinja")
