"""Pictures into latents: faces are found and cut out, each picture is encoded once, what cannot be used is listed."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.config import DirectionTrainingConfig
from stit_core.directions.labelled_pictures import UnusablePicture, open_pictures
from stit_core.directions.picture_latents import LatentCache, encode_pictures, make_crop
from stit_core.errors import DirectionError
from stit_core.packs.loading import Models, load_models
from stit_core.runtime import Runtime
from tests.support.drawn_face import draw_face
from tests.support.labelled_sets import SIDE, apart, face, write_set
from tests.support.tiny_pack import NUM_WS, RESOLUTION
from tests.support.training_cases import ALIGNED, CLASSES, COUNT, train

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_training"]


def test_a_face_of_the_set_is_a_face(tmp_path: Path) -> None:
    """The drawn pictures of these tests are found by the detector, so that they stand for photographs."""
    assert make_crop(RESOLUTION, aligned=False)(face(3, 1.0)).shape == (RESOLUTION, RESOLUTION, 3)
    assert face(3, 1.0).shape == (SIDE, SIDE, 3)
    assert tmp_path.is_dir()


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
