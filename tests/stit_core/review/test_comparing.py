"""Oracles: what was put into a set comes out, and nothing comes out of a set into which nothing was put."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from stit_core.review import comparing, statistics
from stit_core.review.comparing import (
    AT_CHANGE,
    AT_FACTOR,
    LEVELS,
    Contrast,
    achieved_change,
    contrasts,
    ways_to,
)
from stit_core.review.findings import DISPUTED, ERASURE, LEAK, REPLACEMENT, group_sentences, tallies
from stit_core.review.reading import FIGURES
from stit_core.review.results import Results
from stit_core.review.statistics import Interval
from tests.support.review_cases import COLUMNS, alternating, known_table, make_results

LABELS = {"group": alternating(60, "a", "b", "c"), "half": [*["left"] * 30, *["right"] * 30]}
SMILE = COLUMNS.index("smile")


@pytest.fixture(autouse=True)
def _fewer_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "PERMUTATIONS", 19_999)


def found(results: Results) -> list[Contrast]:
    return [contrast for contrast in contrasts(results) if contrast.is_found]


def members(results: Results, column: str, label: str) -> np.ndarray:
    return next(group.members for group in results.groups(column) if group.name == label)


@pytest.fixture(scope="module")
def changed() -> Results:
    """Nobody differs, but `smile` is half as strong in b, and every age=2 makes c's skin lighter by 4 L*."""
    results = make_results(LABELS, noise=0.2)
    moved, lighter = results.moved.copy(), results.values["lighter"].copy()
    for edit, (name, _) in enumerate(results.plan.pairs):
        if name == "smile":
            moved[members(results, "group", "b"), edit, SMILE] *= 0.5
    lighter[members(results, "group", "c"), results.plan.pairs.index(("age", 2.0))] += 4.0
    return dataclasses.replace(results, moved=moved, values={**results.values, "lighter": lighter})


def test_a_halved_effect_and_a_lightened_skin_come_out_as_exactly_that(changed: Results) -> None:
    asked = contrasts(changed)
    beyond = [c for c in asked if c.is_found and c.compared == AT_FACTOR]
    smile, age = changed.plan.pairs.index(("smile", 2.0)), changed.plan.pairs.index(("age", 2.0))
    lower = {(c.measure, c.edit, c.group.name) for c in beyond if c.measure == "effect" and c.difference.value < 0}
    lighter = {(c.measure, c.edit, c.group.name) for c in beyond if c.measure == "lighter" and c.difference.value > 0}
    assert lower == {("effect", smile, "b")}
    assert lighter == {("lighter", age, "c")}
    # Whatever else is found says the same of those whom b and c are compared with.
    assert {(c.measure, c.edit) for c in beyond} == {("effect", smile), ("lighter", age)}
    assert {c.group.columns for c in beyond} == {("group",)}
    weak = next(c for c in beyond if (c.measure, c.group.name) == ("effect", "b"))
    assert weak.mean.value == pytest.approx(0.8, abs=0.15)
    assert weak.rest.value == pytest.approx(1.6, abs=0.15)
    assert weak.difference.low < -0.8 < weak.difference.high
    light = next(c for c in beyond if (c.measure, c.group.name) == ("lighter", "c"))
    assert light.difference.value == pytest.approx(4.0, abs=0.6)
    assert light.difference.low > 3.0


def test_the_sentences_say_exactly_that(changed: Results) -> None:
    sentences = group_sentences(changed, contrasts(changed))
    erasure = [s for s in sentences if s.kind == ERASURE and s.is_finding]
    replacement = [s for s in sentences if s.kind == REPLACEMENT and s.is_finding]
    assert erasure[0].text.startswith("smile=2 is weaker for group b:")
    assert replacement[0].text.startswith("age=2 moves the skin's lightness of group c by +4")
    assert "95 % interval" in erasure[0].text
    assert "p < 0.001" in erasure[0].text
    assert all(s.contrast is not None for s in (*erasure, *replacement))
    quality = [s for s in sentences if s.kind == "quality"]
    assert [s.is_finding for s in quality] == [False]
    assert quality[0].text.startswith("Cannot tell.")


def test_a_second_instrument_has_its_say(changed: Results) -> None:
    smile, place = changed.plan.pairs.index(("smile", 2.0)), FIGURES.index("smile")
    figures = np.full_like(changed.moved_figures, 1.0)
    figures[members(changed, "group", "b"), smile, place] = 0.4
    for moved, words in ((figures, "which agrees."), (2.0 - figures, "which does not agree, so the network's scale")):
        results = dataclasses.replace(changed, moved_figures=moved)
        sentences = [s for s in group_sentences(results, contrasts(results)) if s.kind in (ERASURE, DISPUTED)]
        first = next(s for s in sentences if s.text.startswith("smile=2 is weaker for group b"))
        assert first.kind == (ERASURE if moved is figures else DISPUTED)
        assert "By landmarks" in first.text
        assert words in first.text


def test_of_an_edit_of_skin_its_colour_has_its_say() -> None:
    results = make_results(LABELS, noise=0.2)
    plan = dataclasses.replace(results.plan, edits=(("skin_tone", (-2.0, 2.0)), ("smile", (1.0, 2.0))))
    moved, lighter = results.moved.copy(), results.values["lighter"].copy()
    here = members(results, "group", "b")
    for edit, (name, factor) in enumerate(plan.pairs):
        if name == "skin_tone":
            moved[:, edit, COLUMNS.index(name)] += 0.8 * factor * np.where(here, 0.4, 1.0)
            lighter[:, edit] = -10.0 * factor  # as much in every group
    results = dataclasses.replace(
        results, plan=plan, moved=moved, values={**results.values, "lighter": lighter + np.where(here, 0.5, 0)[:, None]}
    )
    told = [s.text for s in group_sentences(results, contrasts(results)) if s.kind == DISPUTED]
    weaker = next(text for text in told if text.startswith("skin_tone=-2 is weaker for group b"))
    assert "By the skin's own colour 20.5 L* against 20.0 L*, which does not agree" in weaker
    dragged = [c for c in contrasts(results) if c.family == "dragged" and c.measure in ("lighter", "hue_turn")]
    assert {results.plan.pairs[c.edit or 0][0] for c in dragged} == {"smile"}  # of skin_tone it is no leak


def test_sets_without_differences_stay_without_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 draws here, in seconds; benchmarks/review_draws.py makes 200 with all permutations."""
    monkeypatch.setattr(statistics, "PERMUTATIONS", 9_999)
    monkeypatch.setattr(comparing, "difference_intervals", lambda first, *_: [Interval(0.0)] * len(first))
    monkeypatch.setattr(comparing, "mean_intervals", lambda values, *_: [Interval(0.0, count=9)] * len(values))
    false = sum(bool(found(make_results(LABELS, seed))) for seed in range(100, 140))
    assert false <= 5  # with 5 % each, more than 5 of 40 happen once in a hundred times


def test_of_two_labels_one_contrast_is_counted() -> None:
    """The other is its mirror image: the same p, the difference with its sign turned, and no part in corrections."""
    asked = [c for c in contrasts(make_results({"half": alternating(20, "a", "b")})) if c.measure == "effect"]
    first, mirrored = ([c for c in asked if c.mirror is side] for side in (False, True))
    assert len(first) == len(mirrored) == 4
    for one, other in zip(first, mirrored, strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert (one.p, one.corrected) == (other.p, other.corrected)
    tested = [c for c in first if c.family]
    assert min(c.corrected for c in tested) == pytest.approx(min(1.0, len(tested) * min(c.p for c in tested)))


def test_counts_add_up(changed: Results) -> None:
    asked = contrasts(changed)
    counts = tallies(asked)
    assert sum(tally.asked for tally in counts) == sum(not c.mirror and bool(c.family) for c in asked)
    assert sum(tally.found for tally in counts) == sum(c.is_found and not c.mirror for c in asked)
    told = [s for s in group_sentences(changed, asked) if s.is_finding]
    assert len(told) == sum(len(tally.told) for tally in counts)


def test_what_is_no_sign_of_a_group_is_a_leak() -> None:
    results = make_results(LABELS, noise=0.2)
    edit = results.plan.pairs.index(("age", 2.0))
    for attribute, kind in (("smile", LEAK), ("gender", REPLACEMENT), ("hair_grey", REPLACEMENT)):
        moved = results.moved.copy()
        moved[members(results, "group", "b"), edit, COLUMNS.index(attribute)] += 1.5
        one = dataclasses.replace(results, moved=moved)
        told = [s for s in group_sentences(one, contrasts(one)) if s.contrast]
        kinds = {s.kind for s in told if (s.contrast.edit, s.contrast.attribute) == (edit, attribute)}  # type: ignore[union-attr]
        assert kinds == {kind}


@pytest.mark.parametrize(("start", "words"), [(1.5, "further that way already"), (0.0, ""), (-1.5, "")])
def test_where_a_group_starts_is_said_where_it_explains(changed: Results, start: float, words: str) -> None:
    attributes = np.zeros_like(changed.attributes)
    attributes[members(changed, "group", "b"), SMILE] = start
    results = dataclasses.replace(changed, attributes=attributes)
    told = group_sentences(results, contrasts(results))
    weak = next(s for s in told if s.text.startswith("smile=2 is weaker for group b"))
    assert ("Before the edit" in weak.text) == bool(words)
    assert words in weak.text


def test_the_families_share_five_per_cent() -> None:
    assert sum(LEVELS.values()) == pytest.approx(0.05)


def test_below_certainty_it_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "PERMUTATIONS", 999)
    results = make_results({"group": alternating(12, "a", "b")}, 1)
    sentences = group_sentences(results, contrasts(results))
    assert not any(sentence.is_finding for sentence in sentences)
    assert sentences[0].text.startswith("Cannot tell. None of the")
    assert "would hardly have been seen with so few people" not in sentences[0].text  # no intervals under 8 people


def test_an_instrument_that_cannot_read_an_attribute_is_not_used() -> None:
    results = dataclasses.replace(make_results(LABELS), table=known_table(smile=0.3))
    place = results.plan.pairs.index(("smile", 2.0))
    assert not any(c.measure == "effect" and c.edit == place for c in contrasts(results))
    assert not any(c.attribute == "smile" for c in contrasts(results))


def test_an_instrument_that_cannot_read_a_group_is_not_used_for_it() -> None:
    results = make_results(LABELS)
    table = known_table()
    table.attributes["smile"]["groups"]["group"] = {"a": 0.1, "b": 0.9, "c": 0.9}  # type: ignore[index]
    results = dataclasses.replace(results, table=table)
    place = results.plan.pairs.index(("smile", 2.0))
    effects = {c.group.name: c for c in contrasts(results) if (c.measure, c.edit) == ("effect", place)}
    assert math.isnan(effects["a"].mean.value)
    assert effects["b"].mean.count == 20
    assert effects["b"].rest.count == 20  # c alone


def test_groups_are_brought_to_the_same_change(changed: Results) -> None:
    smile = changed.plan.pairs.index(("smile", 2.0))
    wanted = achieved_change(changed, smile)
    factors = {
        c.group.name: c.mean.value
        for c in contrasts(changed)
        if (c.measure, c.edit, c.compared) == ("factor", smile, AT_CHANGE) and c.group.columns == ("group",)
    }
    # 0.8 SD a factor of 1, 0.4 in b: b needs twice the factor.
    assert factors["b"] == pytest.approx(2 * factors["a"], rel=0.2)
    assert factors["a"] == pytest.approx(wanted / 0.8, rel=0.15)


def test_ways_lead_to_the_wanted_change() -> None:
    results = make_results({"group": ["a", "a", "b"]}, noise=0.0)
    moved = results.moved.copy()
    first, second = results.plan.pairs.index(("smile", 1.0)), results.plan.pairs.index(("smile", 2.0))
    moved[:, first, SMILE], moved[:, second, SMILE] = [0.4, 1.0, 0.1], [1.0, 1.5, 0.2]
    results = dataclasses.replace(results, moved=moved)
    shares = ways_to(results, second, 0.7)
    assert shares[0, [first, second]] == pytest.approx([0.5, 0.5])
    assert shares[1, [first, second]] == pytest.approx([0.7, 0.0])
    assert np.isnan(shares[2]).all()  # never gets so far


def test_failures_are_compared_too() -> None:
    results = make_results(LABELS)
    failures = tuple("no face" if label == "a" else "" for label in LABELS["group"])
    results = dataclasses.replace(results, failures=failures)
    bad = [c for c in contrasts(results) if c.measure == "failed" and c.group.name == "a"]
    assert bad[0].mean.value == 1.0
    assert bad[0].rest.value == 0.0
    assert bad[0].is_found


def test_without_labels_nothing_is_compared() -> None:
    results = make_results({"group": ["a"] * 9})
    assert contrasts(dataclasses.replace(results, plan=dataclasses.replace(results.plan, columns=()))) == []
    assert contrasts(results) == []  # one group has no rest
