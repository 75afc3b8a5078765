"""The directions that a run sees: cards, pictures, those of its own."""

from __future__ import annotations

import threading

import pytest

from page.studio.direction_roots import own_root
from page.studio.studio import Studio
from stit_core.directions.library import Card, save_direction
from stit_core.errors import DirectionError, StitError
from tests.support.page_cases import PATIENCE, ended, finish
from tests.support.tiny_pack import make_direction

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_studio"]


def test_cards_are_found_by_words(studio: Studio) -> None:
    assert [card.name for card in studio.directions.cards()] == ["age", "smile"]
    assert [card.name for card in studio.directions.cards("SMI")] == ["smile"]
    assert studio.directions.cards("smile age") == []
    assert [name for name, _ in studio.directions.suggestions] == ["younger", "older", "smile", "serious"]


def test_a_direction_is_drawn_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = studio.directions.thumbnail("smile")
    assert sheet.ndim == 3
    assert sheet.std() > 1
    monkeypatch.setattr("page.studio.direction_library.preview_sheet", None)
    assert studio.directions.thumbnail("smile") is sheet


def test_a_run_has_directions_of_its_own(studio: Studio, aligned: str) -> None:
    vector = make_direction(9)
    save_direction(studio.networks.pack, vector, Card("mine", title="Mine"), own_root(studio.folders, aligned))
    stranger = studio.arrive().id
    assert [card.name for card in studio.directions.cards(run_id=aligned)] == ["age", "mine", "smile"]
    for cards in (studio.directions.cards(), studio.directions.cards(run_id=stranger)):
        assert [card.name for card in cards] == ["age", "smile"]
    assert studio.previews.edit(aligned, (("mine", 1.0),)) is not None
    assert studio.directions.thumbnail("mine", aligned).ndim == 3
    assert studio.directions.overlaps((("mine", 1.0), ("smile", 0.0)), aligned) == ()
    with pytest.raises(DirectionError, match="mine"):
        studio.directions.thumbnail("mine", stranger)
    studio.change(aligned, edits=(("mine", 1.0),))
    assert finish(studio, aligned, "edit").state == "done"
    with pytest.raises(DirectionError, match="of your own"):
        studio.directions.delete(aligned, "smile")
    for name in ("../mine", "mine"):
        with pytest.raises(DirectionError, match="of your own"):
            studio.directions.delete(stranger, name)
    studio.directions.delete(aligned, "mine")
    assert not studio.directions.is_own(aligned, "mine")
    with pytest.raises(DirectionError, match="mine"):
        studio.start(aligned, "edit")


def test_a_direction_of_the_runs_own_is_deleted_and_chosen_no_more(studio: Studio, aligned: str) -> None:
    root = own_root(studio.folders, aligned)
    save_direction(studio.networks.pack, make_direction(3), Card("grin"), root)
    before = studio.change(aligned, edits=(("grin", 1.0), ("smile", 2.0))).edits
    gate = threading.Event()
    studio.jobs.submit(aligned, "align", lambda job: gate.wait(PATIENCE), {})  # noqa: ARG005
    try:
        with pytest.raises(StitError, match="at work"):
            studio.delete_direction(aligned, "grin")
    finally:
        gate.set()
        ended(studio, aligned)
    with pytest.raises(DirectionError, match="of your own"):
        studio.delete_direction(aligned, "smile")
    assert studio.state(aligned).edits == before
    assert studio.delete_direction(aligned, "grin").edits == (("smile", 2.0),)
    assert not list(root.rglob("grin*"))
    assert [card.name for card in studio.directions.cards(run_id=aligned)] == ["age", "smile"]
    assert studio.previews.edit(aligned, studio.state(aligned).edits) is not None
    studio.change(aligned, edits=())


def test_directions_that_overlap_are_told(studio: Studio, aligned: str) -> None:
    root = own_root(studio.folders, aligned)
    save_direction(studio.networks.pack, make_direction(1) * 1.1, Card("grin"), root)
    told = studio.directions.overlaps((("smile", 2.0), ("grin", 2.0)), aligned)
    assert len(told) == 1
    assert "smile" in told[0]
    assert "grin" in told[0]
    studio.directions.delete(aligned, "grin")
