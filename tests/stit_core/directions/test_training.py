"""The trainer: real pictures through a real, small pack into directions with cards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from stit_core.config import DirectionTrainingConfig
from stit_core.directions import training as direction_training
from stit_core.directions.labelled_pictures import open_pictures
from stit_core.directions.library import Card, list_directions, load_direction, save_direction
from stit_core.directions.picture_latents import LatentCache
from stit_core.directions.training import Texts, name_pairs, train_directions
from stit_core.errors import Cancelled, DirectionError
from stit_core.images import to_model
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.runtime import CancelToken, Runtime
from tests.support.labelled_sets import apart, write_set
from tests.support.tiny_pack import NUM_WS, RESOLUTION, make_direction
from tests.support.training_cases import ALIGNED, CLASSES, COUNT, SUFFIXES, cosine, train

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_training"]

ROOT = Path(__file__).resolve().parents[3]


def plain_latents(top: Path, models: Models) -> tuple[np.ndarray, np.ndarray]:
    """Latents (N, L * 512) float64 and labels of all pictures, made one by one without the trainer."""
    latents, labels = [], []
    for file in sorted(top.glob("*/*.png")):
        picture = Image.open(file).resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)
        with torch.inference_mode():
            latents.append(models.encoder.encode(to_model(np.asarray(picture))).numpy().reshape(-1))
        labels.append(int(file.parent.name == sorted(CLASSES)[1]))
    return np.array(latents, np.float64), np.array(labels)


# --- What is learned ----------------------------------------------------------------------------------------------


def test_the_direction_is_that_of_plain_logistic_regression(smiles: Path, models: Models) -> None:
    found = train(open_pictures(smiles), models)[0]
    latents, labels = plain_latents(smiles, models)
    centred = latents - latents.mean(0)
    scale = np.sqrt(np.mean(centred**2))
    strength = found.card.training["strength"]
    oracle = LogisticRegression(C=strength, class_weight="balanced", max_iter=10_000, tol=1e-8)
    coefficients = oracle.fit(centred / scale, labels).coef_[0]
    assert found.vector.shape == (NUM_WS, 512)
    assert cosine(found.vector.reshape(-1), coefficients) > 0.999
    unit = found.vector.reshape(-1) / np.linalg.norm(found.vector)
    assert np.linalg.norm(found.vector) == pytest.approx((centred @ unit).std(), rel=1e-3)
    assert found.card.training["raw_norm"] == pytest.approx(np.linalg.norm(coefficients) / scale, rel=0.05)


def test_the_card_tells_the_data_and_the_worth(smiles: Path, models: Models) -> None:
    save_direction(models.pack, make_direction(3), Card("other"))
    found = train(open_pictures(smiles), models)[0]
    stored = load_direction(models.pack, "smile")
    assert stored.card == found.card
    assert np.array_equal(stored.vector, found.vector)
    record = stored.card.training
    assert record["classes"] == {"serious": COUNT, "smiling": COUNT}
    assert record["people"] == 2 * COUNT
    assert not record["matched"]
    assert record["skipped"] == {}
    assert record["majority"] == 0.5
    assert record["auc"]["low"] <= record["auc"]["value"] <= record["auc"]["high"]
    assert record["auc"]["value"] > 0.95
    assert record["accuracy"]["value"] > 0.9
    assert record["cosine"] == {"other": pytest.approx(cosine(stored.vector, make_direction(3)), abs=1e-4)}
    energy = np.square(stored.vector, dtype=np.float64).sum(1)
    assert record["energy"] == pytest.approx(energy / energy.sum(), abs=1e-4)
    assert record["pack"] == models.pack.hash
    assert record["encoder"] == models.pack.part("encoder").hash
    assert set(record["packages"]) == {"python", "torch", "numpy", "scikit-learn", "pillow", "dlib-bin"}
    assert (stored.card.negative, stored.card.positive) == ("serious", "smiling")
    assert any("Only 21 pictures of 'smiling'" in warning for warning in record["warnings"])


def test_people_who_are_in_both_classes_are_compared_with_themselves(tmp_path: Path, models: Models) -> None:
    both = range(COUNT)
    top = write_set(tmp_path / "pairs", CLASSES, {"serious": both, "smiling": range(COUNT + 4)})
    found = train(open_pictures(top), models)[0].card.training
    assert found["matched"]
    assert found["people"] == COUNT
    assert found["classes"] == {"serious": COUNT, "smiling": COUNT}
    alone = {f"smiling/p{number:02d}_0.png": "no usable picture of the other class" for number in range(21, 25)}
    assert found["skipped"] == alone


def test_the_parts_are_measured_on_pictures_of_one_person_or_on_drawn_heads(
    smiles: Path, tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direction_training, "drawn_changes", lambda *_: {"hair": 9.0, "skin": 0.1})
    apart_card = train(open_pictures(smiles), models)[0].card
    assert (apart_card.parts, apart_card.training["changes"]) == (("hair",), {"hair": 9.0, "skin": 0.1})
    monkeypatch.setattr(direction_training, "drawn_changes", lambda *_: pytest.fail("it was drawn"))
    both = range(COUNT)
    top = write_set(tmp_path / "pairs", CLASSES, {"serious": both, "smiling": both})
    card = train(open_pictures(top), models, "paired")[0].card
    assert card.parts == ("skin",)  # this pack's parser calls all of a crop skin
    assert list(card.training["changes"]) == ["skin"]
    assert load_direction(models.pack, "paired").card == card


def test_names_with_one_beginning_are_no_people(tmp_path: Path, models: Models) -> None:
    top = write_set(tmp_path / "camera", CLASSES, apart(COUNT))
    for file in sorted(top.glob("*/*.png")):
        file.rename(file.with_name(f"IMG_{file.stem[1:3]}.png"))
    record = train(open_pictures(top), models)[0].card.training
    assert record["people"] is None
    assert not record["matched"]
    assert record["auc"]["value"] > 0.9
    assert any("file names tell no people apart" in warning for warning in record["warnings"])


def test_what_is_held_is_gone_from_the_direction(smiles: Path, models: Models) -> None:
    plain = train(open_pictures(smiles), models)[0].vector
    first, second = make_direction(5), make_direction(6)
    save_direction(models.pack, first + plain * (np.linalg.norm(first) / np.linalg.norm(plain)), Card("first"))
    save_direction(models.pack, second, Card("second"))
    config = DirectionTrainingConfig(hold=("first", "second"), aligned=True)
    found = train(open_pictures(smiles), models, "free", config=config)[0]
    for name in ("first", "second"):
        assert abs(cosine(found.vector, load_direction(models.pack, name).vector)) < 1e-6
        assert abs(found.card.training["cosine"][name]) < 1e-4
    held = found.card.training["held"]
    assert held["overlap_before"]["first"] == pytest.approx(0.707, abs=0.05)
    assert held["overlap_after"] == {"first": pytest.approx(0, abs=1e-4), "second": pytest.approx(0, abs=1e-4)}
    assert 0 <= held["auc_after"] <= 1
    assert held["auc_before"] > 0.9


def test_what_cannot_be_held_is_refused_before_anything_is_encoded(
    smiles: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direction_training, "encode_pictures", lambda *_: pytest.fail("it was encoded"))
    for hold, told in ((("smile",), "cannot be held while it is trained"), (("none",), "no direction 'none'")):
        with pytest.raises(DirectionError, match=told):
            train(open_pictures(smiles), models, config=DirectionTrainingConfig(hold=hold))
    with pytest.raises(DirectionError, match="cannot name a direction"):
        train(open_pictures(smiles), models, "../smile")


def test_nothing_left_is_an_error(smiles: Path, models: Models, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direction_training, "NOTHING_LEFT", 1e-4)  # what is held was rounded to single precision
    plain = train(open_pictures(smiles), models, "all_of_it")[0]
    np.save(own / "tiny" / "all_of_it.npy", plain.vector)
    config = DirectionTrainingConfig(hold=("all_of_it",), aligned=True)
    with pytest.raises(DirectionError, match="Nothing of 'smile' is left without all_of_it"):
        train(open_pictures(smiles), models, config=config)


def test_three_classes_make_one_direction_a_pair(tmp_path: Path, models: Models, own: Path) -> None:
    classes = {"none": 0.0, "wide": 1.5, "Ein Hauch": 0.7}
    people = {label: range(30 * k, 30 * k + 20) for k, label in enumerate(classes)}
    top = write_set(tmp_path / "three", classes, people)
    found = train(open_pictures(top, ("none", "Ein Hauch", "wide")), models, "-", texts=Texts(title="{first}>{second}"))
    assert [direction.card.name for direction in found] == ["none_Ein_Hauch", "none_wide", "Ein_Hauch_wide"]
    assert [direction.card.title for direction in found] == ["none>Ein Hauch", "none>wide", "Ein Hauch>wide"]
    assert [card.name for card in list_directions(models.pack)] == ["Ein_Hauch_wide", "none_Ein_Hauch", "none_wide"]
    assert set(found[0].card.training["cosine"]) == {"none_wide", "Ein_Hauch_wide"}
    assert set(found[0].card.training["classes"]) == {"none", "Ein Hauch"}
    before = {path.name: path.read_bytes() for path in (own / "tiny").iterdir()}
    train(
        open_pictures(top, ("none", "Ein Hauch", "wide")),
        models,
        "-",
        texts=Texts(title="{first}>{second}"),
        force=True,
    )
    assert {path.name: path.read_bytes() for path in (own / "tiny").iterdir()} == before


def test_names_of_pairs_are_plain_and_apart() -> None:
    names = [pair.name for pair in name_pairs(("帽子", "眼鏡", "Bärtig!"), "-")]
    assert names == ["class1_class2", "class1_Bartig", "class2_Bartig"]
    assert [pair.name for pair in name_pairs(("a b", "a-b"), "x")] == ["x"]
    assert [pair.name for pair in name_pairs(("a b", "a-b"), "-")] == ["a_b_a_b2"]
    assert [pair.name for pair in name_pairs(("a", "b", "c"), "x")] == ["x_a_b", "x_a_c", "x_b_c"]


def test_classes_that_differ_in_light_are_warned_of(tmp_path: Path, models: Models) -> None:
    top = write_set(tmp_path / "lit", {"a": 0.5, "b": 0.5}, {"a": range(21), "b": range(21, 42)}, light=25)
    record = train(open_pictures(top), models)[0].card.training
    assert record["probe_auc"] > 0.95
    assert any("size, colour or background" in warning for warning in record["warnings"])


# --- The same bytes -----------------------------------------------------------------------------------------------


def test_the_same_pictures_give_the_same_bytes(
    smiles: Path, models: Models, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(open_pictures(smiles), models, root=home / "a")
    train(open_pictures(smiles), models, root=home / "b")  # all latents from the cache
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cold"))
    again = write_set(home / "smiles", CLASSES, apart(COUNT), order=5)
    train(open_pictures(again), load_models(find_pack("tiny"), torch.device("cpu")), root=home / "c")
    for suffix in SUFFIXES:
        made = [(home / root / "tiny" / f"smile{suffix}").read_bytes() for root in "abc"]
        assert made[0] == made[1] == made[2], suffix
    card = (home / "a" / "tiny" / "smile.json").read_text()
    assert str(home.parent) not in card
    assert str(smiles.parent) not in card


def test_a_zip_gives_the_direction_of_its_folder(smiles: Path, models: Models, home: Path) -> None:
    with zipfile.ZipFile(home / "smiles.zip", "w") as archive:
        for file in sorted(smiles.glob("*/*.png"), reverse=True):
            archive.write(file, f"smiles/{file.relative_to(smiles)}")
    plain = train(open_pictures(smiles), models)[0]
    packed = train(open_pictures(home / "smiles.zip"), models, "packed")[0]
    assert np.array_equal(plain.vector, packed.vector)


def test_all_that_is_made_of_pictures_lies_in_the_folder_that_is_named(
    smiles: Path, models: Models, cold_cache: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))
    (made,) = train(open_pictures(smiles), models, cache=home / "named")
    (plain,) = train(open_pictures(smiles), models, "plain")
    assert np.array_equal(made.vector, plain.vector)
    named, usual = ({path.name for path in top.rglob("*.npz")} for top in (home / "named", cold_cache))
    assert named == usual
    assert len(named) == 2 * COUNT
    assert {path.suffix for path in (home / "named").rglob("*") if path.is_file()} == {".npz"}, "nothing else is left"
    shutil.rmtree(cold_cache)
    train(open_pictures(smiles), models, "again", cache=home / "named")
    assert not cold_cache.exists()


# --- Stopping -----------------------------------------------------------------------------------------------------


def test_a_stop_keeps_what_was_encoded_and_stores_nothing(
    smiles: Path, models: Models, own: Path, cold_cache: Path
) -> None:
    assert not cold_cache.exists()
    token, seen = CancelToken(), []

    def watch(stage: str, done: int, total: int) -> None:
        seen.append((stage, done, total))
        if done == 20:
            token.set()

    runtime = Runtime(progress=watch, cancel=token)
    with pytest.raises(Cancelled):
        train_directions(open_pictures(smiles), "smile", models, ALIGNED, runtime)
    assert seen == [("encode", done, 2 * COUNT) for done in range(21)]
    cache = LatentCache(models, True).folder
    assert len(list(cache.glob("*/*.npz"))) == 16  # two batches of eight
    assert not own.exists()
    assert not list(cache.rglob("*.part"))


@pytest.mark.parametrize("stage", ["fit", "parts", "preview"])
def test_a_stop_while_fitting_stores_nothing(smiles: Path, models: Models, own: Path, stage: str) -> None:
    token = CancelToken()
    runtime = Runtime(progress=lambda at, *_: token.set() if at == stage else None, cancel=token)
    with pytest.raises(Cancelled):
        train_directions(open_pictures(smiles), "smile", models, ALIGNED, runtime)
    assert not list(own.rglob("*"))


KILLED = """
import sys, time
from pathlib import Path
from stit_core.__main__ import main
from stit_core.runtime import Runtime
plain = Runtime.step
def step(self, stage, done, total):
    plain(self, stage, done, total)
    if stage == "encode" and done == 19:
        Path(sys.argv[1]).touch()
        time.sleep(600)
Runtime.step = step
main(sys.argv[2:])
"""


def test_a_killed_training_goes_on_from_the_cache(
    smiles: Path, own: Path, home: Path, models: Models, cold_cache: Path
) -> None:
    assert not cold_cache.exists()
    arguments = ["directions", "train", str(smiles), "--pack", "tiny", "--aligned", "--name"]
    # All in processes of their own: the last bits of a latent depend on the number of threads.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(home / "reached"), *arguments, "smile"], env=environment
    )
    try:
        while not (home / "reached").exists():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    cache = LatentCache(models, True).folder
    before = {path: path.stat().st_mtime_ns for path in cache.glob("*/*.npz")}
    assert len(before) == 16
    assert not list(own.rglob("*"))
    again = [sys.executable, "-m", "stit_core", *arguments]
    subprocess.run([*again, "smile"], env=environment, check=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(path.name for path in (own / "tiny").iterdir()) == ["smile.jpg", "smile.json", "smile.npy"]
    vector = np.load(own / "tiny" / "smile.npy")
    shutil.rmtree(cache)
    subprocess.run([*again, "cold"], env=environment, check=True)
    assert np.array_equal(np.load(own / "tiny" / "cold.npy"), vector)
