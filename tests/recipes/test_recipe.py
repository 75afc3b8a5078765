"""The recipe end to end on pictures drawn here: trains, is killed, goes on, and ends with a pack that loads."""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from recipes.heads.parameters import ATTRIBUTE_NAMES, NUM_FACTORS, HeadParameters, attributes, from_latent
from recipes.labels import fixed
from recipes.make_pack import missing_pictures
from recipes.render_dataset import SHARD, latent_of
from recipes.render_labelled import ALL_SETS, head_of, picture_file
from recipes.train import Recipe
from recipes.training.generator import naming_phase, new_generator
from recipes.training.plan import phase_table, render_words, scaled_phases, section_name
from stit_core.directions.library import list_directions, load_direction
from stit_core.packs.loading import find_pack, load_models

ROOT = Path(__file__).parents[2]
SIZE = 256  # pixels of a picture, which parser and attribute network look at; the generator makes smaller ones
RESOLUTION = 64
PICTURES = {"held_out": 64, "train": 48}
PAIRS = {"held_out": 8, "train": 8}
LABELLED: dict[str, Any] = {"heads": 20, "sets": ["smile", "skin_tone"]}
SECONDS = 0.6  # of a phase
FIRST_SECONDS = 60.0  # of the first phase, so that it is killed long before its end
AHEAD = 100_000  # steps that no training here would reach by itself
# The recipe with a checkpoint twice a second instead of every few minutes.
EAGER = """
import sys
from recipes.training import loop
loop.CHECKPOINT_SECONDS = 0.5
from recipes.make_pack import main
main(sys.argv[1:])
"""


def draw_head(head: HeadParameters) -> dict[str, np.ndarray]:
    """A drawing that follows some of a head's parameters: image, labels, attributes, landmarks."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    x, y = x - head.yaw / 90, y - head.pitch / 90

    def inside(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1

    shade = 230 - 170 * head.skin_tone
    parts = [
        (17, inside(0, -0.15, 0.7, 0.75), (30 + 180 * (1 - head.hair_dark),) * 3),
        (14, inside(0, 0.75, 0.3, 0.4), (shade, 0.7 * shade, 0.6 * shade)),
        (1, inside(0, 0.1, 0.5, 0.65), (shade, 0.75 * shade, 0.65 * shade)),
        (4, inside(-0.2, -0.05, 0.09, 0.04), (240, 240, 240)),
        (5, inside(0.2, -0.05, 0.09, 0.04), (240, 240, 240)),
        (10, inside(0, 0.15, 0.06, 0.13), (0.8 * shade, 0.6 * shade, 0.5 * shade)),
        (12, inside(0, 0.45, 0.2, 0.05 + 0.05 * head.smile), (170, 60, 70)),
    ]
    image = np.ones((SIZE, SIZE, 3)) * np.linspace(60, 180, SIZE)[:, None, None]
    labels = np.zeros((SIZE, SIZE), np.uint8)
    for label, where, colour in parts:
        image[where], labels[where] = colour, label
    marks = np.random.default_rng(0).normal(size=(68, 3))
    return {
        "images": image.astype(np.uint8),
        "labels": labels,
        "attributes": attributes(head, marks),
        "landmarks": np.zeros((68, 2), np.float32),
    }


def write_shards(renders: Path) -> None:
    """Shards of drawings for each set, as recipes.render_dataset leaves them."""
    for seed, (name, count) in enumerate(PICTURES.items(), 1):
        latents = [latent_of(seed, index) for index in range(count)]
        drawn = [{**draw_head(from_latent(latent)), "latents": latent} for latent in latents]
        for number, first in enumerate(range(0, count, SHARD)):
            folder = renders / name / f"shard_{number:05d}"
            folder.mkdir(parents=True)
            for part in drawn[0]:
                np.save(folder / f"{part}.npy", np.stack([head[part] for head in drawn[first : first + SHARD]]))


def write_pairs(renders: Path) -> None:
    """A shard of pairs for each set, as recipes.render_pairs leaves them: each head at rest, and smiling."""
    around = np.linspace(0, 2 * np.pi, 68)
    landmarks = np.stack([SIZE / 2 * (1 + 0.5 * np.cos(around)), SIZE / 2 * (1.1 + 0.65 * np.sin(around))], 1)
    across, down = np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2)
    places = np.round(8192 * np.stack([across, down, 0 * down], 2)).astype(np.int16)
    for seed, (name, count) in enumerate(PAIRS.items(), 11):
        heads = [from_latent(latent_of(seed, index)) for index in range(count)]
        drawn = [[draw_head(fixed(head, {"smile": smile})) for smile in (0.0, 1.0)] for head in heads]
        parts = {part: np.array([[one[part] for one in pair] for pair in drawn]) for part in ("images", "labels")}
        parts["places"] = np.broadcast_to(places, (count, 2, *places.shape))
        parts["landmarks"] = np.broadcast_to(landmarks.astype(np.float32), (count, 2, 68, 2))
        parts["motion"] = np.zeros((count, SIZE, SIZE, 2), np.float16)
        folder = renders / "pairs" / name / "shard_00000"
        folder.mkdir(parents=True)
        for part, values in parts.items():
            np.save(folder / f"{part}.npy", values)


def draw_labelled(pictures: Path) -> None:
    """Drawings in the place of labelled renders."""
    for name, index in itertools.product(LABELLED["sets"], range(LABELLED["heads"])):
        labelled = ALL_SETS[name]
        head = head_of(labelled, 2, index)
        for place, (_, values) in enumerate(labelled.classes):
            file = picture_file(pictures, labelled, index, place)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_head(fixed(head, values))["images"]).save(file)


def tiny_config() -> dict[str, Any]:
    """The real recipe with small networks, small batches and fewer phases of the generator."""
    config = json.loads((ROOT / "recipes" / "heads-256.json").read_text())
    config["generator"].update(
        resolution=RESOLUTION, mapping_layers=2, channels={"4": 16, "8": 16, "16": 16, "32": 16, "64": 8}
    )
    generators = [section for section in config["phases"] if section["phase"] == "generator"]
    begun = [section for section in config["phases"] if section["phase"] != "factors"]  # for what begins with a pack
    kept = [s for s in begun if s["phase"] != "generator" or s in (generators[0], generators[-1])]
    for number, section in enumerate(kept):
        section.update(minutes=(SECONDS if number else FIRST_SECONDS) / 60)
        if "batch" in section:
            section["batch"] = 4
        if "latents" in section:
            section["latents"] = 400
        if section["phase"] == "generator":
            section["resolution"] = min(section["resolution"], RESOLUTION)
        if "picture_resolution" in section:
            section["picture_resolution"] = RESOLUTION
    return {
        **config,
        "held_out": PICTURES["held_out"],
        "held_out_pairs": PAIRS["held_out"],
        "pairs": PAIRS["train"],
        "phases": kept,
        "directions": LABELLED,
        "manifest": {**config["manifest"], "name": "drawn"},
    }


def start(work: Path, code: list[str]) -> subprocess.Popen[str]:
    """Begin the one command in a process of its own, on the drawings instead of renders."""
    config = work / "config.json"
    arguments = ["--makehuman", work / "nowhere", "--out", work, "--config", config, "--count", PICTURES["train"]]
    arguments += ["--device", "cpu", "--pack", work / "packs" / "drawn", "--directions", work / "directions"]
    with (work / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, *code, *map(str, arguments)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def logged_steps(file: Path) -> list[int]:
    with file.open(newline="") as lines:
        return [int(row["step"]) for row in csv.DictReader(lines)]


def test_recipe_is_killed_goes_on_and_ends_with_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path / "renders")
    write_pairs(tmp_path / "renders")
    draw_labelled(tmp_path / "labelled")
    config = tiny_config()
    (tmp_path / "config.json").write_text(json.dumps(config))
    first = section_name(config["phases"][0])
    checkpoint = tmp_path / "training" / f"{first}.pt"

    process = start(tmp_path, ["-c", EAGER])
    try:
        while not checkpoint.exists():
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    state = torch.load(checkpoint, weights_only=True)
    assert state["step"] > 0
    assert state["elapsed"] < FIRST_SECONDS
    seen = logged_steps(checkpoint.with_suffix(".csv"))
    # Marked, so that going on is told from beginning again, and near the phase's end, so that it takes no minute.
    torch.save({**state, "step": AHEAD, "elapsed": FIRST_SECONDS - SECONDS}, checkpoint)

    assert start(tmp_path, ["-m", "recipes.make_pack"]).wait(600) == 0, (tmp_path / "log").read_text()
    steps = logged_steps(checkpoint.with_suffix(".csv"))
    assert steps[:-1] == seen
    assert steps[-1] > AHEAD
    for section in config["phases"]:
        name = section_name(section)
        assert torch.load(tmp_path / "training" / f"{name}.pt", weights_only=True)["elapsed"] >= 60 * section["minutes"]
        assert logged_steps(tmp_path / "training" / f"{name}.csv")
    assert (tmp_path / "training.jpg").stat().st_size > 1000
    check_pack(tmp_path / "packs" / "drawn", tmp_path / "directions", monkeypatch)
    check_taken_up(config, tmp_path)


def check_taken_up(config: dict[str, Any], work: Path) -> None:
    """A training that begins with the pack begins with what was trained; only the mapping of factors is not there."""
    trained, begun = (Recipe(config, work / "renders", work / "training", torch.device("cpu")) for _ in range(2))
    trained.run(config["phases"], only=[])
    begun.start_from(work / "packs" / "drawn")
    for name, module in trained.averaged.items():
        other = begun.modules[name].state_dict()
        for key, value in module.state_dict().items():
            if not key.startswith("layers.") and not key.endswith("w_avg"):
                scale = float(value.abs().float().max()) + 1e-6
                torch.testing.assert_close(other[key] / scale, value / scale, rtol=2e-3, atol=2e-3, msg=f"{name} {key}")


@pytest.mark.parametrize("phase", ["factors", "mapping"])
def test_one_name_of_w_learns_from_the_other(phase: str) -> None:
    generator = {**tiny_config()["generator"], "z_dim": NUM_FACTORS}
    torch.manual_seed(0)
    heads = new_generator(generator)
    learning = list((heads.layers if phase == "factors" else heads.generator.mapping_network).parameters())
    kept = [value.clone() for name, value in heads.state_dict().items() if "blocks" in name]
    section = {"phase": phase, "name": phase, "minutes": 1, "batch": 64, "lr": 0.3, "latents": 200}
    trained = naming_phase(heads, SimpleNamespace(), section, 0, torch.device("cpu"))  # type: ignore[arg-type]
    losses = []
    for number in range(120):
        trained.optimiser.zero_grad()
        losses.append(float(trained.step(number)["w"]))
        assert all(value.grad is not None for value in learning)
        trained.optimiser.step()
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    now = [value for name, value in heads.state_dict().items() if "blocks" in name]
    assert all(torch.equal(a, b) for a, b in zip(kept, now, strict=True)), "pictures are left alone"


def check_pack(folder: Path, directions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pack loads, every network gives what is asked of it, and its directions fit."""
    pack = find_pack(folder)
    models = load_models(pack, torch.device("cpu"))
    models.verify()
    assert json.loads((folder / "attributes.json").read_text()) == list(ATTRIBUTE_NAMES)
    pictures = torch.zeros(1, 3, RESOLUTION, RESOLUTION)
    with torch.inference_mode():
        w_plus = models.encoder.encode(pictures)
        assert models.generator.synthesis(w_plus).shape == pictures.shape
        labels, places = models.parser.read(pictures)
        assert labels.shape == (1, 19, SIZE, SIZE)
        assert places.shape[:2] == (1, 3)
        assert models.attributes.attributes(pictures).shape == (1, len(ATTRIBUTE_NAMES))
    monkeypatch.setenv("STIT_DIRECTIONS", str(directions))
    found = [load_direction(pack, card.name) for card in list_directions(pack)]
    assert {direction.card.name for direction in found} == set(LABELLED["sets"])
    assert all(direction.card.training["matched"] for direction in found)
    assert all(np.isfinite(direction.vector).all() and direction.vector.any() for direction in found)


def test_minutes_scale_all_phases() -> None:
    phases = [{"phase": "generator", "name": "a", "minutes": 1}, {"phase": "parser", "minutes": 3}]
    assert [section["minutes"] for section in scaled_phases(phases, 20)] == [5, 15]
    assert scaled_phases(phases, None) == phases
    assert "| 1 parser | parser |  |  | 5 | 15 |" in phase_table(scaled_phases(phases, 20))


def test_plan_counts_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "shard_00001").mkdir()
    (tmp_path / "shard_00000.part7").mkdir()
    assert missing_pictures(tmp_path, 2 * SHARD + 3) == SHARD + 3
    assert render_words(120, 0.5) == "120 pictures to render, 2.0 a second, about 1 minutes"
