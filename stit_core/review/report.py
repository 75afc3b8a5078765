"""A review as one HTML file that opens anywhere, with its figures as CSV and JSON beside it.

Every label, file name and reason in it comes from somebody else: the template escapes all of it, and the page allows no
script but its own, by hash.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stit_core.directions.labelled_pictures import shown
from stit_core.errors import ConfigError
from stit_core.review import tables, words
from stit_core.review.comparing import LEVELS, Contrast, contrasts
from stit_core.review.costs import expected_seconds
from stit_core.review.everybody import Overview, overall_sentences, overviews
from stit_core.review.exporting import as_json, rows_csv
from stit_core.review.findings import Sentence, group_sentences, tallies
from stit_core.review.gathering import read_results
from stit_core.review.multiples import chart_sets
from stit_core.review.results import Results
from stit_core.review.running import Review
from stit_core.review.sheet import contact_sheet
from stit_core.review.statistics import RESAMPLES, permutations_of
from stit_core.review.summary import summary
from stit_core.store.disk import disk_errors, write_json

HERE = Path(__file__).parent
SCRIPT = (HERE / "report.js").read_text(encoding="utf-8")  # a page that shows the report has to let it run
PROGRAM = HERE.parents[0]
VERSIONED = ("torch", "numpy", "scipy", "dlib-bin", "scikit-image", "altair")
LEFT_OUT_SHOWN = 50


@dataclass(frozen=True)
class Written:
    """The files of a report, and what it says in short."""

    html: Path
    csv: Path
    json: Path
    results: Results
    sentences: tuple[Sentence, ...]

    @property
    def findings(self) -> list[Sentence]:
        """The sentences that say that groups differ beyond chance."""
        return [sentence for sentence in self.sentences if sentence.is_finding]


def check_output(output: Path) -> None:
    """See that a report can be written there. Raises ConfigError, before hours of work."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"The report's name is {shown(output.name)}.", "Choose one that ends with .html.")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ConfigError(f"{shown(str(output))} cannot be written.", "Choose a file in a folder that exists.")


def write_report(review: Review, output: Path, command: str = "") -> Written:
    """Report on what is there of a review, be it finished, stopped or running.

    Parameters
    ----------
    output: the HTML file; the CSV and the JSON lie beside it under its name.
    command: that repeats it, for the report; empty where there is none.

    Raises StoreError when the files cannot be written, ConfigError when nobody has been looked at.
    """
    results = read_results(review)
    if not results.looked_at.any():
        raise ConfigError("Nobody has been looked at yet, so there is nothing to report.", "Let the review run first.")
    asked = contrasts(results)
    seen = overviews(results)
    groups, everybody = group_sentences(results, asked), overall_sentences(results, seen)
    made = provenance(review, command)
    paths = [output.with_suffix(suffix) for suffix in (output.suffix, ".csv", ".json")]
    html = render(review, results, asked, groups, everybody, seen, made, [path.name for path in paths[1:]])
    with disk_errors(f"The report {output.name}"):
        for path, text in zip(paths[:2], (html, rows_csv(results)), strict=True):
            part = path.with_name(f"{path.name}.part")
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        write_json(paths[2], as_json(results, asked, [*groups, *everybody], made))
    return Written(paths[0], paths[1], paths[2], results, (*groups, *everybody))


def render(
    review: Review,
    results: Results,
    asked: Sequence[Contrast],
    groups: Sequence[Sentence],
    everybody: Sequence[Sentence],
    seen: Sequence[Overview],
    made: dict[str, Any],
    beside: Sequence[str],
) -> str:
    """The page as text."""
    sheet, unshown = contact_sheet(review, results)
    style = (HERE / "report.css").read_text(encoding="utf-8")
    counts = tallies(asked)
    return template().render(
        results=results,
        plan=results.plan,
        people=results.people,
        words=words,
        levels=LEVELS,
        groups=groups,
        everybody=everybody,
        summary=summary(results, groups, counts, seen),
        counts=counts,
        by_edit=by_edit(results, asked, groups, everybody),
        permutations=permutations_of(int(results.usable.sum())),
        resamples=RESAMPLES,
        titles=[words.edit_title(*pair) for pair in results.plan.pairs],
        sheet=sheet,
        unshown=unshown,
        waiting=int((~results.looked_at).sum()),
        left_out=results.people.left_out[:LEFT_OUT_SHOWN],
        left_out_more=max(0, len(results.people.left_out) - LEFT_OUT_SHOWN),
        beside=beside,
        made=made,
        made_json=json.dumps(made, indent=1),
        style=Markup(style),
        script=Markup(SCRIPT),
        script_hash=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
        **_tables(results, asked),
    )


def _tables(results: Results, asked: Sequence[Contrast]) -> dict[str, Any]:
    """What the page lays out in rows and drawings, by the names that its template has for it."""
    compared = tables.compared_groups(results)
    return {
        "compared": compared,
        "finding_table": tables.finding_table(results, asked),
        "people_table": tables.people_table(results),
        "label_tables": tables.label_tables(results),
        "instruments": tables.instrument_table(results),
        "charts": [
            dataclasses.replace(chart, drawings=tuple(Markup(drawing) for drawing in chart.drawings))  # vega escapes
            for chart in chart_sets(results, asked)
        ],
        "edit_tables": tables.edit_tables(results, asked) if compared else [],
        "quality": tables.quality_table(results),
        "reconstruction": tables.reconstruction_table(results),
        "leakage": [tables.leakage_tables(results, group) for group in [results.everybody, *compared]],
        "at_change": tables.change_table(asked, results),
        "crossings": tables.crossing_tables(results),
    }


@dataclass(frozen=True)
class OfEdit:
    """All of one edit: what it is for, what it did, findings by their number, and how many more there are."""

    title: str
    meaning: str
    text: str
    findings: tuple[tuple[int, Sentence], ...]
    more: int


def by_edit(
    results: Results, asked: Sequence[Contrast], groups: Sequence[Sentence], everybody: Sequence[Sentence]
) -> list[OfEdit]:
    """One of each edit of the plan; numbers of findings are their places among `groups`, from 1."""
    found = []
    tested = [c for c in asked if c.is_found and not c.mirror]
    for edit, pair in enumerate(results.plan.pairs):
        here = tuple((k, s) for k, s in enumerate(groups, 1) if s.contrast is not None and s.contrast.edit == edit)
        more = sum(c.edit == edit for c in tested) - len(here)
        text = next(s.text for s in everybody if s.kind == words.edit_title(*pair))
        found.append(OfEdit(words.edit_title(*pair), words.edit_meaning(*pair), text, here, more))
    return found


@functools.cache
def template() -> jinja2.Template:
    """The report's template; everything put into it is escaped unless it is our own markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    return environment.get_template("report.html.jinja")


def provenance(review: Review, command: str = "") -> dict[str, Any]:
    """By what a review was made, so that it can be doubted and repeated."""
    pack = review.models.pack
    return {
        "program": "STIT Studio",
        "version": program_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "program_sha256": program_hash(),
        "pack": {"name": pack.name, "sha256": pack.hash, "licence": pack.licence},
        "directions": {
            name: {"sha256": direction.hash, "source": direction.card.source}
            for name, direction in review.directions.items()
        },
        "people": review.people.title,
        "seed": review.plan.seed,
        "tuning": review.plan.tuning,
        "preset": review.plan.preset,
        "method": review.still_settings.method,
        "device": str(review.runtime.device),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "expected_minutes": max(1, round(expected_seconds(review) / 60)),
        "precision": str(review.runtime.dtype).removeprefix("torch."),
        "versions": _versions(),
        "command": command,
    }


@functools.cache
def program_hash() -> str:
    """sha256 over the library's source files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(PROGRAM.rglob("*.py")):
        digest.update(str(path.relative_to(PROGRAM)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def program_version() -> str:
    """The version in the program's own pyproject.toml, or of the installed package."""
    project = PROGRAM.parent / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    try:
        return importlib.metadata.version("stit-studio")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
