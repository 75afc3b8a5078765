"""Tests of the head's parts and the regions that a user chooses from."""

from __future__ import annotations

import pytest

from stit_core.directions.library import SHIPPED, Card, list_directions
from stit_core.errors import ConfigError
from stit_core.faces.changed_parts import changed_parts
from stit_core.packs.loading import find_pack
from stit_core.regions import PARTS, REGIONS, UNMEASURED, parts_of, unknown_parts


def test_no_class_of_the_parser_is_in_two_parts() -> None:
    classes = [number for part in PARTS.values() for number in part]
    assert len(set(classes)) == len(classes)
    assert not set(classes) & {0, 16, 18}  # background, cloth, hat


def test_automatic_is_what_all_cards_together_say() -> None:
    smile, tone = Card("smile", parts=("mouth", "skin")), Card("tone", parts=("neck", "skin"))
    assert parts_of("auto", [smile]) == ("skin", "mouth")
    assert parts_of("auto", [smile, tone]) == ("skin", "mouth", "neck")
    assert parts_of("auto") == ()


def test_a_card_without_parts_counts_as_all_but_hair() -> None:
    assert parts_of("auto", [Card("imported")]) == UNMEASURED
    assert set(PARTS) - set(UNMEASURED) == {"hair"}
    assert parts_of("auto", [Card("imported"), Card("wig", parts=("hair",))]) == tuple(PARTS)


@pytest.mark.parametrize("region", [name for name in REGIONS if name != "auto"])
def test_any_other_region_is_what_it_is(region: str) -> None:
    assert parts_of(region, [Card("wig", parts=("hair",))]) == REGIONS[region]
    assert not unknown_parts(REGIONS[region])
    assert REGIONS[region] == tuple(part for part in PARTS if part in REGIONS[region])


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ConfigError, match="no region 'chin'") as caught:
        parts_of("chin")
    assert "auto, face, eyes, mouth, head" in caught.value.hint


def test_unknown_parts_are_named() -> None:
    assert unknown_parts(("skin", "chin", "hair")) == ("chin",)


def test_the_shipped_cards_say_what_was_measured() -> None:
    cards = {card.name: card for card in list_directions(find_pack("heads-256"), (SHIPPED,))}
    assert all(card.parts == changed_parts(card.training["changes"]) != () for card in cards.values())
    assert cards["smile"].parts == ("skin", "mouth")
    assert set(PARTS) - set(cards["skin_tone"].parts) == {"eyes", "hair"}
    assert "hair" not in cards["age"].parts
    assert cards["yaw"].parts == tuple(PARTS)
