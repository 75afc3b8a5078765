"""Tests of the import of directions: files of the shape of STIT's own, and what only looks like them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stit_core.__main__ import main
from stit_core.directions import library as directions
from stit_core.directions.importing import STIT_TEXTS, import_directions
from stit_core.directions.library import Card, list_directions, load_direction, save_direction
from stit_core.errors import DirectionError
from stit_core.packs.loading import find_pack
from stit_core.packs.manifest import Pack

ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(STIT_TEXTS)


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """ffhq-1024 by its manifest alone: none of its files is anywhere."""
    monkeypatch.setenv("STIT_DIRECTIONS", str(tmp_path / "own"))
    monkeypatch.setenv("STIT_PACKS", str(tmp_path / "packs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(directions, "SHIPPED", tmp_path / "shipped")
    return find_pack("ffhq-1024")


def vector_of(name: str) -> np.ndarray:
    """Equal rows, as STIT's files have them, (18, 512) float64."""
    row = np.random.default_rng(NAMES.index(name)).normal(size=512)
    return np.repeat(row[None], 18, axis=0)


@pytest.fixture
def sixteen(tmp_path: Path) -> Path:
    """A folder with files of the names and the shape of STIT's."""
    folder = tmp_path / "w_directions"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        np.save(folder / f"{name}.npy", vector_of(name).astype((np.float64, np.float32, np.float16)[number % 3]))
    return folder


def test_the_sixteen_names_are_those_of_the_paper() -> None:
    assert " ".join(NAMES) == (
        "age eye_distance eye_eyebrow_distance eye_ratio eyes_open gender lip_ratio mouth_open mouth_ratio "
        "nose_mouth_distance nose_ratio nose_tip pitch roll smile yaw"
    )


def test_a_folder_of_the_sixteen_is_imported_without_the_weights(
    sixteen: Path, pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["directions", "import", str(sixteen), "--pack", "ffhq-1024"]) == 0
    assert "16 directions of 'ffhq-1024' imported, 0 files skipped." in capsys.readouterr().out
    cards = list_directions(pack)
    assert [card.name for card in cards] == NAMES
    for card in cards:
        assert (card.title, card.description.split(" The sign")[0]) == STIT_TEXTS[card.name]
        assert (card.positive, card.negative) == ("", "")
        assert card.source == "as published by STIT (Tzaban et al. 2022), CC BY-NC 4.0"
        assert (card.pack, card.generator) == ("ffhq-1024", pack.part("generator").hash)
        assert card.norm == pytest.approx(np.linalg.norm(vector_of(card.name)[0]), rel=1e-3)
        assert card.training["equal_rows"]
        assert set(card.training["cosine"]) == set(NAMES) - {card.name}
    kept = load_direction(pack, "yaw").vector
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, vector_of("yaw"), rtol=2e-3, atol=1e-3)
    assert main(["directions", "list", "--pack", "ffhq-1024"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "age                    Age: How old the person looks. The sign is that of the file. (your own)"
    assert main(["directions", "show", "yaw", "--pack", "ffhq-1024"]) == 0
    assert "as published by STIT" in capsys.readouterr().out


def test_the_page_lists_them(sixteen: Path, pack: Pack, tmp_path: Path) -> None:
    import_directions(sixteen, pack)
    code = "import app; print([(card.name, card.title) for card in app.studio.directions.cards()])\n"
    code += "print(app.studio.directions.cards('yaw')[0].title)"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "STIT_PACK": "ffhq-1024",
        "STIT_DIRECTIONS": str(tmp_path / "own"),
        "STIT_RUNS": str(tmp_path / "runs"),
        "OMP_NUM_THREADS": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    listed, label = answer.stdout.strip().splitlines()[-2:]
    assert listed == str([(name, STIT_TEXTS[name][0]) for name in NAMES])
    assert label == "Yaw"


def test_bad_files_are_told_and_the_good_ones_imported(
    sixteen: Path, pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    good = np.load(sixteen / "yaw.npy")
    np.save(sixteen / "small.npy", good[:14])
    np.save(sixteen / "flat.npy", good[0])
    np.save(sixteen / "whole.npy", np.ones((18, 512), np.int32))
    np.save(sixteen / "complex.npy", good.astype(complex))
    np.save(sixteen / "nan.npy", np.where(np.arange(512) == 3, np.nan, good))
    np.save(sixteen / "endless.npy", np.where(np.arange(512) == 3, np.inf, good))
    np.save(sixteen / "huge.npy", good * 1e30)
    np.save(sixteen / "zero.npy", 0 * good)
    np.save(sixteen / "object.npy", np.array([Path("x")], dtype=object), allow_pickle=True)
    np.save(sixteen / "not a name!.npy", good)
    (sixteen / "pickle.npy").write_bytes(pickle.dumps(good))
    (sixteen / "cut.npy").write_bytes((sixteen / "yaw.npy").read_bytes()[:999])
    (sixteen / "empty.npy").write_bytes(b"")
    (sixteen / "large.npy").write_bytes(b"x" * (2 << 20))
    (sixteen / "folder.npy").mkdir()
    (sixteen / "notes.txt").write_text("not looked at")
    assert main(["directions", "import", str(sixteen), "--pack", "ffhq-1024", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in told["directions"]] == NAMES
    reasons = {
        "small": "shape (14, 512)",
        "flat": "shape (512,)",
        "whole": "not finite numbers",
        "complex": "not finite numbers",
        "nan": "not finite numbers",
        "endless": "not finite numbers",
        "huge": "not finite numbers",
        "zero": "zero throughout",
        "object": "cannot be read as a direction",
        "not a name!": "cannot name a direction",
        "pickle": "cannot be read as a direction",
        "cut": "cannot be read as a direction",
        "empty": "cannot be read as a direction",
        "large": "too large",
        "folder": "cannot be read as a direction",
    }
    assert set(told["skipped"]) == {f"{name}.npy" for name in reasons}
    for name, reason in reasons.items():
        assert reason in told["skipped"][f"{name}.npy"], name
    assert [card.name for card in list_directions(pack)] == NAMES


def test_a_single_file_of_another_name_makes_no_claim(sixteen: Path, pack: Pack) -> None:
    values = np.random.default_rng(5).normal(size=(18, 512))
    np.save(sixteen / "hair_colour.npy", values)
    found = import_directions(sixteen / "hair_colour.npy", pack).directions
    assert [direction.card.name for direction in found] == ["hair_colour"]
    card = found[0].card
    assert (card.title, card.source) == ("Hair colour", "imported from a file")
    assert not card.training["equal_rows"]
    assert "STIT" not in json.dumps(card.training) + card.description
    assert card.norm == pytest.approx(np.linalg.norm(values.mean(0)), rel=1e-5)


def test_the_names_are_stits_in_its_own_pack_only(sixteen: Path, pack: Pack, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "age.npy", vector_of("age")[:14])
    found = import_directions(other, find_pack("heads-256")).directions[0].card
    assert found.source == "imported from a file"
    assert found.pack == "heads-256"
    assert pack.name == "ffhq-1024"
    assert sixteen.is_dir()


def test_directions_that_lie_close_are_warned_of(sixteen: Path, pack: Pack) -> None:
    close = 0.9 * vector_of("yaw") + 0.1 * vector_of("age")
    np.save(sixteen / "turn.npy", -close)
    found = {direction.card.name: direction.card for direction in import_directions(sixteen, pack).directions}
    assert any("much the opposite of 'yaw'" in warning for warning in found["turn"].training["warnings"])
    assert found["turn"].training["warnings"] == [w for w in found["turn"].training["warnings"] if "--hold" not in w]
    assert any("'turn'" in warning for warning in found["yaw"].training["warnings"])


def test_what_is_there_is_replaced_with_force_only(sixteen: Path, pack: Pack) -> None:
    save_direction(pack, np.ones((18, 512), np.float32), Card("age", "Mine"), preview=b"old")
    found = import_directions(sixteen, pack)
    assert set(found.skipped) == {"age.npy"}
    assert "already" in found.skipped["age.npy"]
    assert load_direction(pack, "age").card.title == "Mine"
    with pytest.raises(DirectionError, match="Nothing in w_directions can be imported"):
        import_directions(sixteen, pack)
    assert len(import_directions(sixteen, pack, force=True).directions) == 16
    assert load_direction(pack, "age").card.title == "Age"
    assert not (directions.user_root() / "ffhq-1024" / "age.jpg").exists()


def test_nothing_to_import_is_an_error(tmp_path: Path, pack: Pack) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DirectionError, match=r"holds no \.npy files"):
        import_directions(tmp_path / "empty", pack)
    with pytest.raises(DirectionError, match="no folder or file 'nowhere'"):
        import_directions(tmp_path / "nowhere", pack)
    np.save(tmp_path / "empty" / "age.npy", np.zeros((14, 512)))
    with pytest.raises(DirectionError, match=r"shape \(14, 512\)") as caught:
        import_directions(tmp_path / "empty", pack)
    assert "(18, 512)" in caught.value.hint
    assert not (tmp_path / "own").exists()
