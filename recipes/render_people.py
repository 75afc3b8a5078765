"""Renders the people whom a fairness review looks at where nobody brings their own.

    python -m recipes.render_people --makehuman DIR [--out assets/people] [--each 5]

EACH heads of every combination of three ethnicity shapes, two gender halves, two age bands and two skin-tone bands,
neutral, under one light and before one camera. Within a combination age, gender, skin tone and yaw take the same evenly
spread values, so that no group is turned further or darker than another by chance; hair, beard and face come from the
head of the seed that is nearest to these values, as the renderer drew it.

Beside the pictures lie labels.csv, which a review reads, and attributes.csv, everything that the renderer was given, in
the attribute network's units. A picture that is there is kept: delete it to render it anew.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from recipes.heads.parameters import ATTRIBUTE_NAMES, HeadParameters, from_latent
from recipes.heads.places import OFFICE
from recipes.heads.renderer import Camera, Renderer
from recipes.heads.scene import BOKEH_GROUPS
from recipes.render_clips import PLAIN
from recipes.render_dataset import latent_of

SEED = 14  # no picture that a network of the pack learned from has it: those are 0 to 4
POOL = 12_000  # heads of the seed that people are chosen from
EACH = 5  # people of a combination
SIZE = 448  # pixels a side
QUALITY = 92  # of WebP
CAMERA = Camera.portrait(13.0, 0.15, 3.3, 1.0)
SHAPE_SHARE = 0.7  # of the face shape that a head has: faces near the middle look more natural
LEAST_SHARE = 0.55  # of the ethnicity shape that a head is counted as
PITCH = 4.0  # degrees, either way
SHAPES = ("african", "asian", "caucasian")  # names of MakeHuman's targets; they say nothing about any person
# Label -> the range that its people are spread over.
GENDERS = {"feminine": (0.03, 0.23), "masculine": (0.77, 0.97)}  # of MakeHuman's gender axis
AGES = {"20-38": (20.0, 38.0), "52-70": (52.0, 70.0)}  # years
TONES = {"lighter": (0.10, 0.40), "darker": (0.60, 0.90)}  # 0 the lightest, 1 the darkest of the Monk scale
YAWS = (-24.0, 24.0)  # degrees, half turned either way
LABELS = ("ethnicity_shape", "gender_half", "age_band", "skin_tone_band")
# The same for everybody: no expression, one light, one wall, one camera.
SITTING = {
    **OFFICE,
    "window": np.array([-0.80, -0.40, 1.25, 0.12]),
    "mass": np.array([0.90, 0.10]),
    "bokeh": np.zeros(BOKEH_GROUPS),
    "cloth": np.array([0.13, 0.15, 0.17]),
    "focal": 13.0,
    "jitter": np.zeros(4),
    "roll": 0.0,
    "eye_close": np.zeros(2),
    "gaze": np.zeros(2),
    "freckles": 0.0,
    **{name: PLAIN[name] for name in (
        "mouth_open", "pucker", "brow_raise", "brow_inner", "squint", "makeup", "oil", "rim", "softness", "fill",
        "light_strength", "light_warmth", "light_direction", "neckline", "collar", "jacket",
    )},
    "smile": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One head, the file it goes to and the labels that it was rendered by."""

    file: str
    labels: tuple[str, str, str, str]
    head: HeadParameters


def people(each: int = EACH, seed: int = SEED) -> Iterator[Person]:
    """All people, `each` of every combination of labels; the same seed gives the same heads."""
    pool = [from_latent(latent_of(seed, index)) for index in range(POOL)]
    facts = np.array([[p.gender, p.age, p.skin_tone] for p in pool])
    shares = np.stack([p.ethnicity for p in pool])
    for cell, labels in enumerate(itertools.product(SHAPES, GENDERS, AGES, TONES)):
        rng = np.random.default_rng([seed, cell, 1])
        limits = np.array([GENDERS[labels[1]], AGES[labels[2]], TONES[labels[3]]])  # (3, 2)
        wanted = np.stack([spread(low, high, each, rng) for low, high in limits], axis=1)  # (each, 3)
        yaws = spread(*YAWS, each, rng)
        own = np.flatnonzero(shares[:, SHAPES.index(labels[0])] >= LEAST_SHARE)
        for k, row in enumerate(nearest(facts[own] / np.ptp(limits, axis=1), wanted / np.ptp(limits, axis=1))):
            head = pool[own[row]]
            gender, age, tone = wanted[k].tolist()
            told = {"gender": gender, "age": age, "skin_tone": tone, "yaw": float(yaws[k])}
            told |= {"pitch": rng.uniform(-PITCH, PITCH), "shape": SHAPE_SHARE * head.shape}
            head = dataclasses.replace(head, **SITTING | told)
            yield Person(f"{'_'.join(labels)}_{k + 1}.webp", labels, head)


def spread(low: float, high: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers (count,) at even places of a range, in an order drawn at random."""
    return rng.permutation(np.linspace(low, high, count))


def nearest(found: np.ndarray, wanted: np.ndarray) -> list[int]:
    """The row of `found` (N, F) nearest to each of `wanted` (n, F), none of them twice."""
    rows: list[int] = []
    for point in wanted:
        away = np.abs(found - point).sum(axis=1)
        away[rows] = np.inf
        rows.append(int(away.argmin()))
    return rows


def render_people(makehuman: Path, out: Path, each: int = EACH, seed: int = SEED) -> None:
    """Render everybody who is not there yet into `out`, and write both tables."""
    out.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(makehuman)
    everyone = list(people(each, seed))
    truths = []
    for done, person in enumerate(everyone, start=1):
        target = out / person.file
        made = renderer.render(person.head, SIZE, CAMERA)
        truths.append(made.attributes)
        if not target.exists():
            part = target.with_suffix(f".part{os.getpid()}")
            Image.fromarray(made.image).save(part, "WEBP", quality=QUALITY, method=6)
            part.replace(target)
        print(f"{done}/{len(everyone)} {person.file}", flush=True)
    _write_table(out / "labels.csv", ("file", "person", *LABELS), [
        (person.file, Path(person.file).stem, *person.labels) for person in everyone
    ])  # fmt: skip
    _write_table(out / "attributes.csv", ("file", *ATTRIBUTE_NAMES), [
        (person.file, *(f"{value:.4g}" for value in truth)) for person, truth in zip(everyone, truths, strict=True)
    ])  # fmt: skip


def _write_table(path: Path, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, default=Path("assets/people"))
    parser.add_argument("--each", type=int, default=EACH, help="people of a combination")
    options = parser.parse_args()
    render_people(options.makehuman, options.out, options.each)


if __name__ == "__main__":
    main()
