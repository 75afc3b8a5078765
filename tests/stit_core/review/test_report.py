"""The report: one offline file, hostile names escaped, nobody lost, figures beside it that can be read again."""

from __future__ import annotations

import csv
import dataclasses
import html.parser
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.errors import ConfigError
from stit_core.packs.loading import Models, find_pack
from stit_core.review import report as module
from stit_core.review import sheet, tables
from stit_core.review.charts import ChartRow, interval_chart, scale_of
from stit_core.review.everybody import overall_sentences, overviews
from stit_core.review.findings import tallies
from stit_core.review.people import People, Person, open_people
from stit_core.review.plan import Plan, choose_columns, choose_crossings
from stit_core.review.report import Written, check_output, program_hash, write_report
from stit_core.review.running import Review
from stit_core.review.statistics import Interval
from stit_core.review.summary import summary
from stit_core.runtime import Runtime
from tests.support.drawn_face import draw_face
from tests.support.review_cases import make_results

pytest_plugins = ["tests.support.fixtures_pack"]

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
LARGEST = 15_000_000


class Page(html.parser.HTMLParser):
    """What a browser would see: elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, shared_pack_folder: Path, direction_root: Path
) -> tuple[Written, Review]:
    """A review of three faces with hostile labels, a picture without a face, and a group in which everybody fails."""
    folder = tmp_path_factory.mktemp("report")
    for k in range(3):
        Image.fromarray(draw_face(160, 160, (80, 80), 48 + k)).save(folder / f"{k}.png")
    Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(folder / "3.png")
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["file", "person", EVIL, "tone"])
    rows.writerow(["0.png", EVIL, EVIL, "=1+1"])
    rows.writerow(["1.png", "one", "plain", "=1+1"])
    rows.writerow(["2.png", "two", "plain", "other"])
    rows.writerow(["3.png", "three", "nobody", "other"])
    rows.writerow(["gone.png", "four", "nobody", "other"])
    (folder / "labels.csv").write_text(table.getvalue())
    people = open_people([folder / "labels.csv"], "self-reported")
    columns = choose_columns(people)
    plan = Plan((("smile", (-1.0, 1.0)),), columns, choose_crossings(people, columns), question=f"Why? {EVIL}")
    models = Models(find_pack(shared_pack_folder), torch.device("cpu"))
    review = Review(plan, people, models, folder / "review", Runtime(), roots=[direction_root])
    list(review.run())
    return write_report(review, folder / "report.html", f"python -m stit_core review {EVIL}"), review


def test_hostile_labels_and_names_are_text(written: tuple[Written, Review]) -> None:
    page = Page(written[0].html.read_text())
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{}]  # our own, by the hash that the page allows
    handlers = [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert handlers == []
    images = [attributes["src"] for tag, attributes in page.elements if tag == "img" and "src" in attributes]
    assert images
    assert all(source is not None and source.startswith("data:image/webp;base64,") for source in images)
    assert EVIL in "".join(page.text)  # it is all there to be read


def test_the_page_allows_no_script_but_its_own(written: tuple[Written, Review]) -> None:
    text = written[0].html.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy.group(1)
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]+'", policy.group(1))
    assert "unsafe-inline'; script" in policy.group(1)  # of styles only
    assert "unsafe-inline" not in policy.group(1).split("script-src")[1]


def test_the_page_needs_nothing_from_elsewhere(written: tuple[Written, Review]) -> None:
    page = Page(written[0].html.read_text())
    linked = [
        value
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data") and value and tag != "svg"
    ]
    assert all(value.startswith(("data:", "#")) for value in linked)
    assert written[0].html.stat().st_size < LARGEST


def test_nobody_is_lost(written: tuple[Written, Review]) -> None:
    text = "".join(Page(written[0].html.read_text()).text)
    for words in (
        "5 people were looked at; 2 failed",
        "Where the labels come from: self-reported",
        "No face was found",
        "the file is not there",
        "Too small for intervals",
        "Cannot tell",
    ):
        assert words in text
    assert text.count("No face was found") >= 3  # in the list, and in every empty frame of the sheet


def test_a_group_in_which_everybody_fails_is_a_row(written: tuple[Written, Review]) -> None:
    text = written[0].html.read_text()
    assert re.search(r"<td>nobody</td><td>2</td><td>2</td><td>2</td><td>34 % to 100 %</td>", text)


def test_the_table_can_be_read_by_other_programs(written: tuple[Written, Review]) -> None:
    with written[0].csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 2  # a person, an edit
    assert rows[0]["person"] == EVIL
    assert rows[0]["tone"] == "'=1+1"  # no formula
    assert float(rows[0]["identity"]) <= 1.0
    assert rows[-1]["failure"] == "the file is not there"
    assert rows[-1]["identity"] == ""


def test_everything_is_in_the_json(written: tuple[Written, Review]) -> None:
    record = json.loads(written[0].json.read_text())
    assert record["people"]["labels_from"] == "self-reported"
    assert record["made"]["pack"]["name"] == "tiny"
    assert record["made"]["program_sha256"] == program_hash()
    assert record["made"]["directions"]["smile"]["sha256"]
    assert [edit["factor"] for edit in record["edits"]] == [-1.0, 1.0]
    assert record["people"]["persons"][3]["failure"].startswith("No face was found")
    assert {contrast["measure"] for contrast in record["contrasts"]} >= {"failed", "identity", "lighter"}
    assert all(contrast["difference"]["low"] is None for contrast in record["contrasts"])  # fewer than 8 people


def test_it_can_be_repeated(written: tuple[Written, Review]) -> None:
    text = "".join(Page(written[0].html.read_text()).text)
    assert "python -m stit_core review" in text
    assert program_hash() in text


def test_before_anybody_was_looked_at_there_is_nothing_to_report(
    written: tuple[Written, Review], tmp_path: Path
) -> None:
    review = written[1]
    people = dataclasses.replace(review.people, persons=review.people.persons[:1])
    fresh = Review(review.plan, people, review.models, tmp_path / "new", Runtime(), roots=review.roots)
    with pytest.raises(ConfigError, match="Nobody has been looked at"):
        write_report(fresh, tmp_path / "report.html")


def test_where_a_report_cannot_go(tmp_path: Path) -> None:
    for path in (tmp_path / "report.pdf", tmp_path / "nowhere" / "report.html"):
        with pytest.raises(ConfigError):
            check_output(path)
    check_output(tmp_path / "report.html")


def test_charts_escape_names_and_share_a_scale() -> None:
    rows = [
        ChartRow(EVIL, Interval(0.5, 0.3, 0.8, 12)),
        ChartRow("datum.value + 1", Interval(-0.2, count=3), (-0.5, -0.2, 0.1)),
        ChartRow("unknown", Interval(float("nan"))),
    ]
    low, high = scale_of([rows])
    assert low < -0.5
    assert high > 0.8
    svg = interval_chart(rows, EVIL, "SD", (low, high))
    page = Page(svg)
    assert not [tag for tag, _ in page.elements if tag in ("script", "img")]
    assert EVIL in "".join(page.text)
    assert "datum.value + 1" in "".join(page.text)
    assert "max-width" in svg.split(">", 1)[0]


def test_a_sheet_of_very_many_says_whom_it_leaves_out(
    written: tuple[Written, Review], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "BUDGET", 100)
    monkeypatch.setattr(sheet, "FEWEST_SHOWN", 2)
    rows, unshown = sheet.contact_sheet(written[1], written[0].results)
    assert (len(rows), unshown) == (2, 3)


@pytest.mark.parametrize(("weight", "side"), [(1.0, 128), (1.6, 96)])  # as expected, and pictures harder than faces
def test_pictures_get_smaller_as_people_get_more(weight: float, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six hundred people with four edits fit, and weigh less than a report may."""

    def row(review: object, results: object, place: int, side: int) -> sheet.SheetRow:  # noqa: ARG001
        return sheet.SheetRow(str(side), (), (sheet.Cell("x" * int(weight * sheet._bytes(side, 1.0))),) * 5, "")

    monkeypatch.setattr(sheet, "_row", row)
    people = People("many", ("group",), tuple(Person(str(k), {"group": "a"}, ()) for k in range(600)))
    review = type("R", (), {"people": people})()
    rows, unshown = sheet.contact_sheet(review, make_results({"group": ["a", "b"] * 300}))
    assert (len(rows), unshown) == (600, 0)
    assert sum(len(cell.picture) for one in rows for cell in one.cells) <= sheet.MOST
    assert int(rows[0].name) == side


def test_black_edges_are_cut_off_and_dark_hair_is_not(tmp_path: Path) -> None:
    picture = np.full((100, 100, 3), 120, np.uint8)
    picture[:, :6] = 0
    picture[:10, 20:80] = 0  # hair
    Image.fromarray(picture).save(tmp_path / "edge.png")
    assert sheet.inner_box(tmp_path / "edge.png") == pytest.approx((0.06, 0.03, 1.0, 0.97))
    cell = sheet.picture_cell(tmp_path / "edge.png", 50, "", sheet.inner_box(tmp_path / "edge.png"))
    assert (cell.width, cell.height) == (50, 50)
    Image.fromarray(picture[:, 6:]).save(tmp_path / "none.png")
    assert sheet.inner_box(tmp_path / "none.png") is None


def test_labels_are_crossed_and_their_tie_is_said() -> None:
    labels = {"shape": ["a", "a", "b", "b"], "skin_tone": ["x", "x", "y", "y"], "half": ["l", "r", "l", "r"]}
    results = make_results(labels)
    pairs = (("shape", "skin_tone"), ("shape", "half"))
    results = dataclasses.replace(results, plan=dataclasses.replace(results.plan, crossings=pairs))
    tied, free = tables.label_tables(results)
    assert tied.title == "shape x skin tone: Cramér's V 1.00"
    assert tied.rows == (("a", "2", "0"), ("b", "0", "2"))
    assert free.title.endswith("V 0.00")


def test_leakage_stands_in_tables_that_fit() -> None:
    results = make_results({"group": ["a", "b"] * 8})
    plan = dataclasses.replace(results.plan, edits=(("age", (-2.0, 2.0)), ("smile", (1.0, 2.0))))
    found = tables.leakage_tables(dataclasses.replace(results, plan=plan), results.everybody)
    assert [len(table.columns) for table in found] == [1 + tables.LEAKS_ACROSS]
    assert [row[0] for row in found[0].rows][:2] == ["age", "masculinity"]
    assert found[0].rows[0][1].startswith("(")  # its own attribute


def test_a_leak_that_beats_the_aim_is_said_and_none_of_a_group_is_hidden() -> None:
    results = make_results({"group": ["a", "b"] * 10}, noise=0.01)
    moved = results.moved.copy()
    edit = results.plan.pairs.index(("age", 2.0))
    moved[:, edit, results.columns.index("smile")] += 3.0
    moved[:, edit, results.columns.index("gender")] += 0.3
    one = dataclasses.replace(results, moved=moved)
    seen = overviews(one)
    text = next(s.text for s in overall_sentences(one, seen) if s.kind == "age=2")
    assert "it went its way, but moves smile further than that." in text
    assert "masculinity +0.30 SD" in text
    lines = summary(one, [], tallies([]), seen)
    assert len(lines) <= 6
    assert "4 of 4 edits surely did what they are for; 1 of them move something else further: age=2 (smile)" in lines[0]


def test_the_template_escapes_whatever_is_put_into_it() -> None:
    assert module.template().environment.autoescape is True
