"""Tests of the trainer: real pictures through a real, small pack into directions with cards."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from stit_core.__main__ import main
from stit_core.cli.commands import Bars
from stit_core.config import DirectionTrainingConfig
from stit_core.directions import library as directions
from stit_core.directions import logistic
from stit_core.directions import parts as direction_parts
from stit_core.directions import training as direction_training
from stit_core.directions.figures import warnings_of
from stit_core.directions.labelled_pictures import PictureSet, UnusablePicture, open_pictures
from stit_core.directions.library import Card, list_directions, load_direction, save_direction
from stit_core.directions.picture_latents import LatentCache, encode_pictures, make_crop
from stit_core.directions.preview import FACTORS, LABEL_HEIGHT, preview_sheet
from stit_core.directions.preview import SIDE as HEAD
from stit_core.directions.training import Texts, name_pairs, train_directions
from stit_core.errors import Cancelled, DirectionError
from stit_core.images import to_model
from stit_core.packs.loading import Models, find_pack, load_models
from stit_core.runtime import CancelToken, Runtime
from tests.support.drawn_face import draw_face
from tests.support.labelled_sets import SIDE, apart, face, write_set
from tests.support.tiny_pack import NUM_WS, RESOLUTION, make_direction

pytest_plugins = ["tests.support.fixtures_pack"]

ROOT = Path(__file__).resolve().parents[3]
COUNT = 21  # people a class
CLASSES = {"serious": 0.0, "smiling": 1.0}
ALIGNED = DirectionTrainingConfig(aligned=True)
SUFFIXES = (".npy", ".json", ".jpg")


@pytest.fixture(scope="session")
def smiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People of two classes, nobody in both."""
    return write_set(tmp_path_factory.mktemp("pictures") / "smiles", CLASSES, apart(COUNT))


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of latents that the tests share, as most of them are not about encoding."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cold_cache(own: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 (own comes first)
    """An empty cache of latents."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cold"))
    return home / "cold"


@pytest.fixture
def own(home: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's own directions, and no other ones."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(warm_cache))
    monkeypatch.setenv("STIT_DIRECTIONS", str(home / "own"))
    monkeypatch.setattr(directions, "SHIPPED", home / "shipped")
    for few in ("HEADS", "PAIRS"):  # what they are for is tested in test_direction_parts.py
        monkeypatch.setattr(direction_parts, few, 2)
    return home / "own"


@pytest.fixture
def models(own: Path) -> Models:  # noqa: ARG001 (own says where to look)
    return load_models(find_pack("tiny"), torch.device("cpu"))


def train(pictures: PictureSet, models: Models, name: str = "smile", **options: object) -> list[directions.Direction]:
    config = options.pop("config", ALIGNED)
    return train_directions(pictures, name, models, config, Runtime(), **options)  # type: ignore[arg-type]


def plain_latents(top: Path, models: Models) -> tuple[np.ndarray, np.ndarray]:
    """Latents (N, L * 512) float64 and labels of all pictures, made one by one without the trainer."""
    latents, labels = [], []
    for file in sorted(top.glob("*/*.png")):
        picture = Image.open(file).resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)
        with torch.inference_mode():
            latents.append(models.encoder.encode(to_model(np.asarray(picture))).numpy().reshape(-1))
        labels.append(int(file.parent.name == sorted(CLASSES)[1]))
    return np.array(latents, np.float64), np.array(labels)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


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


# --- Encoding -----------------------------------------------------------------------------------------------------


def test_faces_are_aligned_wherever_they_are() -> None:
    crop = make_crop(RESOLUTION, aligned=False)
    here = crop(draw_face(240, 200, (90, 90), 36))
    there = crop(draw_face(360, 300, (220, 150), 60))
    assert here.shape == (RESOLUTION, RESOLUTION, 3)
    assert np.abs(here.astype(int) - there).mean() < 6


def test_of_several_faces_the_largest_is_taken() -> None:
    crop = make_crop(RESOLUTION, aligned=False)
    alone = crop(draw_face(200, 220, (100, 110), 44))
    two = np.concatenate([draw_face(120, 220, (60, 110), 26), draw_face(200, 220, (100, 110), 44)], axis=1)
    assert np.abs(alone.astype(int) - crop(two)).mean() < 6


def test_no_face_and_small_faces_say_why() -> None:
    crop = make_crop(RESOLUTION, aligned=False)
    with pytest.raises(UnusablePicture, match="no face was found"):
        crop(np.full((150, 150, 3), 120, np.uint8))
    with pytest.raises(UnusablePicture, match=r"pixels wide; at least 40|no face was found"):
        crop(draw_face(400, 400, (200, 200), 13))


def test_an_aligned_picture_is_taken_from_its_middle() -> None:
    picture = np.zeros((100, 160, 3), np.uint8)
    picture[:, 30:130] = 200
    assert (make_crop(RESOLUTION, aligned=True)(picture) == 200).all()


def test_what_cannot_be_used_is_listed_and_never_fatal(tmp_path: Path, models: Models) -> None:
    top = write_set(tmp_path / "set", CLASSES, apart(COUNT))
    (top / "serious" / "empty_1.png").write_bytes(b"")
    (top / "serious" / "text_1.jpg").write_text("not a picture")
    Image.new("RGB", (90, 90)).save(top / "smiling" / "wall_1.png")
    shutil.copy(top / "smiling" / "p30_0.png", top / "smiling" / "twin_1.png")
    (top / "loose.png").write_bytes(b"x")
    config = DirectionTrainingConfig()
    found = train(open_pictures(top), models, config=config)[0].card.training
    assert found["skipped"] == {
        "loose.png": "it lies in no class's folder",
        "serious/empty_1.png": "the file is empty",
        "serious/text_1.jpg": "it cannot be read as a picture",
        "smiling/twin_1.png": "the same as smiling/p30_0.png",
        "smiling/wall_1.png": "no face was found",
    }
    assert found["classes"] == {"serious": COUNT, "smiling": COUNT}
    assert train(open_pictures(top), models, config=config, force=True)[0].card.training == found


def test_too_few_pictures_are_an_error_that_says_why(tmp_path: Path, models: Models, own: Path) -> None:
    top = write_set(tmp_path / "set", CLASSES, {"serious": range(25), "smiling": range(30, 49)})
    for k in range(4):
        (top / "smiling" / f"bad{k}_0.png").write_bytes(b"no")
    with pytest.raises(DirectionError, match="class 'smiling' has 19 usable pictures; 4 were skipped") as caught:
        train(open_pictures(top), models)
    assert "cannot be read as a picture" in caught.value.message
    assert "at least 20" in caught.value.hint
    assert not own.exists()


def test_each_picture_is_encoded_once_and_in_full_batches(
    smiles: Path, models: Models, cold_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not cold_cache.exists()
    batches: list[int] = []
    plain = models.encoder.encode
    monkeypatch.setattr(models.encoder, "encode", lambda images: batches.append(len(images)) or plain(images))
    pictures, config = open_pictures(smiles), DirectionTrainingConfig(aligned=True, batch_size=4)
    first = encode_pictures(pictures, models, config, Runtime(), tmp_path)
    kept = np.array(first.latents)
    assert batches == [4] * 11
    assert isinstance(first.latents, np.memmap)
    assert first.latents.shape == (2 * COUNT, NUM_WS * 512)
    again = encode_pictures(pictures, models, config, Runtime(), tmp_path)
    assert batches == [4] * 11
    assert np.array_equal(kept, again.latents)
    entry = LatentCache(models, True).file(first.samples[7].digest)
    entry.write_bytes(entry.read_bytes()[:100])  # damaged: made again, alone, to the same bytes
    assert np.array_equal(kept, encode_pictures(pictures, models, config, Runtime(), tmp_path).latents)
    assert batches == [4] * 12


def test_the_cache_tells_ways_of_encoding_apart(models: Models) -> None:
    files = {LatentCache(models, aligned).file("0" * 64) for aligned in (True, False)}
    other = load_models(models.pack, torch.device("meta"))
    assert len(files | {LatentCache(other, True).file("0" * 64)}) == 3


def test_memory_does_not_grow_with_the_number_of_pictures(
    tmp_path: Path, models: Models, cold_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latents of 20 kB a picture must lie on disk and not in memory."""
    assert not cold_cache.exists()
    random = np.random.default_rng(0)
    latent = random.normal(size=(1, NUM_WS, 512)).astype(np.float32)
    monkeypatch.setattr(models.encoder, "encode", lambda images: torch.from_numpy(latent).expand(len(images), -1, -1))
    picture = np.zeros((64, 64, 3), np.uint8)

    def peak(count: int) -> int:
        top = tmp_path / f"set{count}"
        for k in range(count):
            picture[:] = k
            picture[0, 0] = k // 256
            for label in "ab":
                (top / label).mkdir(parents=True, exist_ok=True)
                picture[1, 1] = ord(label)
                Image.fromarray(picture).save(top / label / f"{k}.bmp")
        pictures = open_pictures(top)
        tracemalloc.start()
        encoded = encode_pictures(pictures, models, ALIGNED, Runtime(), tmp_path)
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(encoded.latents) == 2 * count
        return reached

    peak(4)  # whatever is loaded the first time
    grown = peak(120) - peak(20)
    assert grown < 200 * latent.nbytes / 4


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


# --- The command --------------------------------------------------------------------------------------------------


def test_the_command_trains_tells_and_lists(smiles: Path, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["directions", "train", str(smiles), "--name", "grin", "--pack", "tiny", "--aligned"]
    texts = ["--classes", "smiling,serious", "--title", "Grin", "--positive", "stern", "--negative", "grinning"]
    assert main([*arguments, *texts]) == 0
    told = capsys.readouterr().out
    assert "grin: Grin" in told
    assert "+ stern / - grinning" in told
    assert "21 of 'smiling', 21 of 'serious'; 42 people; 0 skipped" in told
    assert "warning      Only 21 pictures of 'serious'" in told
    assert main(["directions", "show", "grin", "--pack", "tiny"]) == 0
    assert capsys.readouterr().out == told
    assert main(["directions", "list", "--pack", "tiny"]) == 0
    assert capsys.readouterr().out == "grin                   Grin: - grinning / + stern (your own)\n"
    assert main(["directions", "show", "grin", "--pack", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((own / "tiny" / "grin.json").read_text())
    assert main(["directions", "show", "grin", "--pack", "tiny"]) == 0
    assert "  changes      unknown; automatic: skin, brows" in capsys.readouterr().out  # too little changes here

    assert main(arguments) == 1
    assert "There is a direction 'grin' of 'tiny' already" in capsys.readouterr().err
    assert main([*arguments, "--force", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["directions"]
    assert (listed[0]["negative"], listed[0]["positive"]) == ("serious", "smiling")

    assert main(["directions", "delete", "grin", "--pack", "tiny"]) == 0
    assert not list((own / "tiny").iterdir())


def test_skipped_pictures_are_told(smiles: Path, own: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(smiles, home / "set")
    (home / "set" / "smiling" / "bad_1.png").write_bytes(b"no")
    arguments = ["directions", "train", str(home / "set"), "--name", "grin", "--pack", "tiny", "--aligned"]
    assert main([*arguments, "--output", str(home / "elsewhere")]) == 0
    assert "skipped      smiling/bad_1.png: it cannot be read as a picture" in capsys.readouterr().out
    assert (home / "elsewhere" / "tiny" / "grin.npy").is_file()
    assert not own.exists()


def test_ctrl_c_ends_in_words(
    smiles: Path, own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: Bars, stage: str, done: int, total: int) -> None:  # noqa: ARG001
        if done == 10:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bars, "__call__", interrupted)
    assert main(["directions", "train", str(smiles), "--name", "grin", "--pack", "tiny", "--aligned"]) == 130
    told = capsys.readouterr()
    assert "the same command goes on from there" in told.err
    assert told.out == ""
    assert not own.exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--folds", "1"], "folds"),
        (["--seed", "-1"], "seed"),
        (["--classes", "smiling,happy"], "cannot be taken as the classes"),
        (["--device", "cuda:99"], "cannot be used"),
        (["--hold", "gender"], "no direction 'gender'"),
    ],
)
def test_wrong_options_end_in_words(
    smiles: Path, own: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["directions", "train", str(smiles), "--name", "grin", "--pack", "tiny", *more]) == 1
    assert told in capsys.readouterr().err
    assert not own.exists()


def test_a_shipped_direction_is_hidden_and_never_overwritten(
    smiles: Path, models: Models, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_direction(models.pack, make_direction(9), Card("smile", "Shipped"), home / "shipped")
    before = {path: path.read_bytes() for path in (home / "shipped" / "tiny").iterdir()}
    found = train(open_pictures(smiles), models)[0]
    assert any("hides the direction 'smile' that came with the program" in w for w in found.card.training["warnings"])
    assert "smile" not in found.card.training["cosine"]
    assert [card.title for card in list_directions(models.pack)] == ["Smile"]
    assert main(["directions", "delete", "smile", "--pack", "tiny"]) == 0
    assert main(["directions", "delete", "smile", "--pack", "tiny"]) == 1
    assert "came with the program" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (home / "shipped" / "tiny").iterdir()} == before


# --- Warnings and preview -----------------------------------------------------------------------------------------


def record_of(**changes: object) -> dict[str, object]:
    plain = {
        "classes": {"a": 100, "b": 150},
        "auc": {"value": 0.9},
        "probe_auc": 0.6,
        "held": {},
        "cosine": {"age": 0.5, "smile": -0.2},
        "people": 200,
    }
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": {"a": 99, "b": 150}}, ["Only 99 pictures of 'a'"]),
        ({"auc": {"value": 0.69}}, ["hardly tells 'a' from 'b' (AUC 0.69"]),
        ({"cosine": {"age": 0.51, "smile": -0.8}}, ["much the same as 'age'", "much the opposite of 'smile'"]),
        ({"probe_auc": 0.88}, ["size, colour or background"]),
        ({"probe_auc": 0.87}, []),
        ({"people": None}, ["file names tell no people apart"]),
        (
            {"held": {"overlap_before": {"age": 0.4}, "auc_before": 0.9, "auc_after": 0.6}},
            ["Without age little is left"],
        ),
        ({}, []),
    ],
)
def test_warnings_are_told_in_plain_words(changes: dict[str, object], told: list[str]) -> None:
    found = warnings_of(record_of(**changes), ("a", "b"))
    assert len(found) == len(told)
    assert all(text in warning for text, warning in zip(told, found, strict=True))


def test_classes_that_differ_in_light_are_warned_of(tmp_path: Path, models: Models) -> None:
    top = write_set(tmp_path / "lit", {"a": 0.5, "b": 0.5}, {"a": range(21), "b": range(21, 42)}, light=25)
    record = train(open_pictures(top), models)[0].card.training
    assert record["probe_auc"] > 0.95
    assert any("size, colour or background" in warning for warning in record["warnings"])


def test_the_preview_shows_the_factors_side_by_side(models: Models) -> None:
    vector = 3 * make_direction(1)
    sheet = np.asarray(Image.open(io.BytesIO(preview_sheet(vector, models, Runtime()))).convert("RGB")).astype(int)
    still = np.asarray(Image.open(io.BytesIO(preview_sheet(0 * vector, models, Runtime()))).convert("RGB")).astype(int)
    assert sheet.shape[1] == HEAD * len(FACTORS)
    columns = [sheet[LABEL_HEIGHT + 4 :, k * HEAD + 8 : (k + 1) * HEAD - 8] for k in range(len(FACTORS))]
    plain = [still[LABEL_HEIGHT + 4 :, k * HEAD + 8 : (k + 1) * HEAD - 8] for k in range(len(FACTORS))]
    moved = [np.abs(a - b).mean() for a, b in zip(columns, plain, strict=True)]
    assert moved[2] < 2
    assert moved[0] > moved[1] > 2 * moved[2]
    assert moved[4] > moved[3] > 2 * moved[2]
    for k in range(len(FACTORS)):
        assert sheet[:LABEL_HEIGHT, k * HEAD : (k + 1) * HEAD].min() < 120  # something is written
    assert np.abs(sheet[:8] - still[:8]).max() < 20  # the same words


def test_planted_directions_are_found_in_their_layers() -> None:
    """Latents in which the classes differ along a known vector of a few layers only."""
    random = np.random.default_rng(0)
    truth = np.zeros((NUM_WS, 512))
    truth[3:5] = random.normal(size=(2, 512))
    truth /= np.linalg.norm(truth)
    labels = np.arange(400) % 2
    latents = random.normal(size=(400, NUM_WS * 512)) * 0.05 + np.outer(2.0 * labels - 1, truth.reshape(-1)) * 0.4
    people = [f"p{k // 4}" for k in range(400)]
    fit = logistic.fit_direction(logistic.Design(latents.astype(np.float32)), labels, people, 5, 0)
    assert cosine(fit.direction, truth.reshape(-1)) > 0.85
    energy = np.square(fit.direction.reshape(NUM_WS, 512)).sum(1)
    assert energy[3:5].sum() > 0.7 * energy.sum()


def test_a_face_of_the_set_is_a_face(tmp_path: Path) -> None:
    """The drawn pictures of these tests are found by the detector, so that they stand for photographs."""
    assert make_crop(RESOLUTION, aligned=False)(face(3, 1.0)).shape == (RESOLUTION, RESOLUTION, 3)
    assert face(3, 1.0).shape == (SIDE, SIDE, 3)
    assert tmp_path.is_dir()
