"""Tests of the direction library: cards, loading, refusing what does not fit, saving."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stit_core.cli.directions import card_lines
from stit_core.directions.library import (
    Card,
    delete_direction,
    list_directions,
    load_direction,
    relief_hashes,
    relief_of,
    save_direction,
)
from stit_core.errors import DirectionError, StoreError
from stit_core.faces.relief import SHAPE
from stit_core.packs.loading import find_pack
from stit_core.packs.manifest import Pack
from tests.support.tiny_pack import NUM_WS, make_direction

pytest_plugins = ["tests.support.fixtures_pack"]


@pytest.fixture
def pack(home: Path) -> Pack:  # noqa: ARG001 (home says where to look)
    return find_pack("tiny")


@pytest.fixture
def own_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STIT_DIRECTIONS", str(home / "own"))
    (home / "own" / "tiny").mkdir(parents=True)
    return home / "own"


def test_a_direction_without_a_card_is_listed_and_loaded(pack: Pack) -> None:
    assert [card.name for card in list_directions(pack)] == ["age", "smile"]
    direction = load_direction(pack, "smile")
    assert direction.card.title == "smile"
    assert np.array_equal(direction.vector, make_direction(1))


def test_what_is_saved_comes_back_with_its_card(pack: Pack, own_root: Path) -> None:
    vector = make_direction(7).astype(np.float64)
    saved = save_direction(pack, vector, Card("beard", "Beard", "more or less", "beard", "shaven", source="test"))
    loaded = load_direction(pack, "beard")
    assert loaded.card == saved.card
    assert (loaded.card.pack, loaded.card.generator) == ("tiny", pack.parts["generator"].hash)
    assert loaded.card.norm == pytest.approx(float(np.linalg.norm(vector.mean(axis=0))))
    assert loaded.vector.dtype == np.float32
    assert np.allclose(loaded.vector, vector)
    assert loaded.hash != load_direction_hash(pack, own_root, vector + 1)
    assert sorted(path.name for path in (own_root / "tiny").iterdir()) == [
        "beard.json",
        "beard.npy",
        "other.json",
        "other.npy",
    ]


def load_direction_hash(pack: Pack, root: Path, vector: np.ndarray) -> str:
    save_direction(pack, vector, Card("other"), root)
    return load_direction(pack, "other").hash


@pytest.mark.parametrize(("name", "close"), [("smiel", "smile"), ("Smile", "smile"), ("agee", "age")])
def test_an_unknown_name_lists_close_matches(pack: Pack, name: str, close: str) -> None:
    with pytest.raises(DirectionError, match=f"no direction '{name}'") as caught:
        load_direction(pack, name)
    assert close in caught.value.hint


@pytest.mark.parametrize("name", ["../tiny/smile", "/etc/passwd", "smile.npy", "", "a" * 200])
def test_a_name_is_never_a_path(pack: Pack, name: str) -> None:
    with pytest.raises(DirectionError, match="no direction"):
        load_direction(pack, name)


def test_a_direction_of_another_pack_is_told_apart(pack: Pack, own_root: Path) -> None:
    save_direction(pack, make_direction(), Card("smile"))
    card = own_root / "tiny" / "smile.json"
    record = json.loads(card.read_text())
    card.write_text(json.dumps({**record, "pack": "ffhq-1024"}))
    with pytest.raises(DirectionError, match="made for the pack 'ffhq-1024'"):
        load_direction(pack, "smile")
    card.write_text(json.dumps({**record, "generator": "0" * 64}))
    with pytest.raises(DirectionError, match="another version of 'tiny'"):
        load_direction(pack, "smile")
    assert list_directions(pack) == []


def test_a_direction_in_another_packs_folder_says_whose_it_is(pack: Pack) -> None:
    with pytest.raises(DirectionError, match="'beard' belongs to the pack 'other'"):
        load_direction(pack, "beard")


@pytest.mark.parametrize(
    ("vector", "told"),
    [
        (np.zeros((18, 512), np.float32), r"shape \(18, 512\); the pack 'tiny' takes \(10, 512\)"),
        (np.zeros((512,), np.float32), "shape"),
        (np.full((NUM_WS, 512), np.nan, np.float32), "not finite"),
        (np.zeros((NUM_WS, 512), np.int64), "not finite numbers"),
    ],
)
def test_a_vector_that_does_not_fit_is_refused(pack: Pack, own_root: Path, vector: np.ndarray, told: str) -> None:
    np.save(own_root / "tiny" / "odd.npy", vector)
    with pytest.raises(DirectionError, match=told):
        load_direction(pack, "odd")
    with pytest.raises(DirectionError, match=told):
        save_direction(pack, vector, Card("odd2"))
    assert not (own_root / "tiny" / "odd2.npy").exists()


class Bomb:
    """Would make a folder if a pickle of it were loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (Path(self.path),)  # type: ignore[return-value]


def test_a_pickle_in_a_npy_is_not_run(pack: Pack, own_root: Path) -> None:
    target = own_root / "made"
    np.save(own_root / "tiny" / "bad.npy", np.array([Bomb(target)], dtype=object), allow_pickle=True)
    with pytest.raises(DirectionError, match="cannot be read"):
        load_direction(pack, "bad")
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"x" * 2_000_000])
def test_a_broken_file_is_refused(pack: Pack, own_root: Path, content: bytes) -> None:
    (own_root / "tiny" / "bad.npy").write_bytes(content)
    with pytest.raises(DirectionError, match=r"bad\.npy"):
        load_direction(pack, "bad")
    assert list_directions(pack) == []


@pytest.mark.parametrize("content", ["{", "[1]", '{"title": 3}', '{"norm": "long"}'])
def test_a_broken_card_is_refused(pack: Pack, own_root: Path, content: str) -> None:
    np.save(own_root / "tiny" / "smile.npy", make_direction())
    (own_root / "tiny" / "smile.json").write_text(content)
    with pytest.raises(DirectionError, match=r"smile\.json cannot be read"):
        load_direction(pack, "smile")


def test_saving_checks_name_and_folder(pack: Pack, home: Path) -> None:
    with pytest.raises(DirectionError, match="cannot name"):
        save_direction(pack, make_direction(), Card("../up"))
    (home / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        save_direction(pack, make_direction(), Card("up"), home / "file")


def test_a_preview_lies_beside_and_goes_with_its_direction(pack: Pack, own_root: Path) -> None:
    folder = own_root / "tiny"
    save_direction(pack, make_direction(), Card("beard", training={"people": 3}), preview=b"jpeg")
    assert sorted(path.name for path in folder.iterdir()) == ["beard.jpg", "beard.json", "beard.npy"]
    assert [card.name for card in list_directions(pack)] == ["beard"]
    assert load_direction(pack, "beard").card.training == {"people": 3}
    save_direction(pack, make_direction(1), Card("beard"))  # without one: the old one would be wrong
    assert sorted(path.name for path in folder.iterdir()) == ["beard.json", "beard.npy"]
    save_direction(pack, make_direction(), Card("beard"), preview=b"jpeg")
    delete_direction(pack, "beard")
    assert not list(folder.iterdir())
    with pytest.raises(DirectionError, match="no direction 'beard'"):
        delete_direction(pack, "beard")


def test_other_roots_can_be_searched_first(pack: Pack, own_root: Path, home: Path) -> None:
    save_direction(pack, make_direction(1), Card("smile", "Own"))
    save_direction(pack, make_direction(2), Card("smile", "Other"), home / "other")
    roots = (home / "other", own_root)
    assert load_direction(pack, "smile", roots).card.title == "Other"
    assert [card.title for card in list_directions(pack, roots)] == ["Other"]
    assert load_direction(pack, "smile").card.title == "Own"


@pytest.mark.parametrize("record", ["[1]", '"text"'])
def test_a_training_record_of_another_kind_is_refused(pack: Pack, own_root: Path, record: str) -> None:
    np.save(own_root / "tiny" / "smile.npy", make_direction())
    (own_root / "tiny" / "smile.json").write_text(f'{{"training": {record}}}')
    with pytest.raises(DirectionError, match="wrong type"):
        load_direction(pack, "smile")


def test_the_parts_of_a_card_come_back_in_order(pack: Pack, own_root: Path) -> None:
    saved = save_direction(pack, make_direction(), Card("smile", parts=("mouth", "skin")), own_root)
    assert saved.card.parts == ("mouth", "skin")
    assert load_direction(pack, "smile").card.parts == ("skin", "mouth")
    with pytest.raises(DirectionError, match="no part 'chin'") as caught:
        save_direction(pack, make_direction(), Card("odd", parts=("chin",)), own_root)
    assert "skin, brows" in caught.value.hint
    assert not (own_root / "tiny" / "odd.npy").exists()


def test_an_older_card_names_no_parts(pack: Pack, own_root: Path) -> None:
    np.save(own_root / "tiny" / "smile.npy", make_direction())
    (own_root / "tiny" / "smile.json").write_text('{"title": "Older"}')
    assert load_direction(pack, "smile").card.parts == ()


@pytest.mark.parametrize(
    ("record", "told"),
    [('"skin"', "wrong type"), ("[1]", "wrong type"), ("[null]", "wrong type"), ('["chin"]', "names the part 'chin'")],
)
def test_a_card_of_unknown_parts_is_refused(pack: Pack, own_root: Path, record: str, told: str) -> None:
    np.save(own_root / "tiny" / "smile.npy", make_direction())
    (own_root / "tiny" / "smile.json").write_text(f'{{"parts": {record}}}')
    with pytest.raises(DirectionError, match=told):
        load_direction(pack, "smile")


def test_a_card_says_whether_anything_moves(pack: Pack, own_root: Path) -> None:
    save_direction(pack, make_direction(), Card("tan", moves=False), own_root)
    assert not load_direction(pack, "tan").card.moves
    (own_root / "tiny" / "tan.json").write_text('{"title": "Older"}')
    assert load_direction(pack, "tan").card.moves
    (own_root / "tiny" / "tan.json").write_text('{"moves": "no"}')
    with pytest.raises(DirectionError, match="wrong type"):
        load_direction(pack, "tan")
    assert "  changes      skin; nothing moves" in card_lines(Card("tan", parts=("skin",), moves=False))


def test_the_parts_are_shown() -> None:
    assert "  changes      skin, mouth" in card_lines(Card("smile", parts=("skin", "mouth")))
    assert any("unknown; automatic: skin" in line and "hair" not in line for line in card_lines(Card("smile")))


def test_relief_lies_beside_and_goes_with_its_direction(pack: Pack, own_root: Path) -> None:
    relief = np.zeros(SHAPE, np.float32)
    relief[40:50, 100:120] = -0.15
    saved = save_direction(pack, make_direction(), Card("beard"), relief=relief)
    loaded = load_direction(pack, "beard")
    assert loaded.relief is not None
    np.testing.assert_allclose(loaded.relief, relief, atol=0.002)
    plain = save_direction(pack, make_direction(), Card("plain"))
    assert plain.relief is None
    assert plain.hash == loaded.hash, "tuning depends on vectors alone"
    assert relief_hashes({"plain": plain, "beard": loaded}) == relief_hashes({"beard": saved}) != []
    both = relief_of({"beard": loaded, "plain": plain}, (("beard", 2.0), ("plain", 1.0)))
    assert both is not None
    np.testing.assert_allclose(both, 2 * loaded.relief)
    assert relief_of({"plain": plain}, (("plain", 1.0),)) is None
    delete_direction(pack, "beard")
    assert not list((own_root / "tiny").glob("beard*"))


@pytest.mark.parametrize("content", [b"", b"no picture", b"P5 2 2 255 aaaa"], ids=["empty", "text", "too small"])
def test_a_file_that_is_no_relief_is_refused(content: bytes, pack: Pack, own_root: Path) -> None:
    save_direction(pack, make_direction(), Card("beard"))
    (own_root / "tiny" / "beard.relief.png").write_bytes(content)
    with pytest.raises(DirectionError, match=r"beard.relief.png is not a map of relief"):
        load_direction(pack, "beard")
