"""The figures of directions: landmark figures, efficacy, leakage, the choice of heads, the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.direction_page import Leaking, Measured, Result, Truth, number, page, shortfalls
from benchmarks.directions import Attributes, load_vectors, mean_change, parse, strangers
from benchmarks.efficacy import (
    Efficacy,
    Kept,
    correlation,
    efficacy,
    identity_kept,
    may_change_identity,
    rank_correlations,
    slopes,
    unit_effects,
)
from benchmarks.groups import group_indices
from benchmarks.landmark_figures import DEFINITIONS, shoulder_tilt
from benchmarks.leakage import held_for, leaks, orthogonalised
from benchmarks.moved_heads import Instruments, Moved, Reading, choose_heads, move_heads
from recipes.heads.landmarks import NEUTRAL
from recipes.heads.parameters import MEASURES, measure
from recipes.heads.shape import head_rotation
from stit_core.directions.library import Card
from stit_core.images import to_picture
from stit_core.packs.loading import find_pack, load_models
from stit_core.review.attributes import attribute_weights, combine, same_thing
from stit_core.review.landmark_figures import landmark_figures, upright

FACTORS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
NAN = float("nan")


def seen(head: np.ndarray = NEUTRAL) -> np.ndarray:
    """Points (68, 2) of a head (68, 3) in a picture from the front, 100 px to the decimetre, y down."""
    return head[:, :2] * [100, -100] + 128


# --- Landmarks ------------------------------------------------------------------------------------------------------


def test_level_eyes_are_left_as_they_are() -> None:
    points, tilt = upright(seen())
    assert tilt == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(np.diff(points[:, 0]), 100 * np.diff(NEUTRAL[:, 0]), atol=1e-9)
    np.testing.assert_allclose(np.diff(points[:, 1]), 100 * np.diff(NEUTRAL[:, 1]), atol=1e-9)


def test_figures_do_not_depend_on_tilt_place_and_size() -> None:
    straight = landmark_figures(seen())
    turn = np.radians(10.0)  # clockwise in the picture, towards the person's left shoulder
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    leaning = landmark_figures(seen() @ spin.T * 2.5 + [31, -7])
    assert leaning.pop("eye_line") == pytest.approx(10.0)
    assert leaning == pytest.approx({name: straight[name] for name in leaning})
    posed = seen(NEUTRAL @ head_rotation(0, 0, 10).T)
    assert landmark_figures(posed)["eye_line"] == pytest.approx(10.0, abs=0.2)


def test_figures_follow_the_labels_of_the_renders() -> None:
    flat = NEUTRAL * [1, 1, 0]
    wanted = dict(zip((row[0] for row in MEASURES), measure(flat), strict=True))
    found = landmark_figures(seen())
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    assert set(DEFINITIONS) - set(found) == {"roll"}


@pytest.mark.parametrize(("name", "angles"), [("yaw", (1, 0, 0)), ("pitch", (0, 1, 0))])
def test_pose_is_read_with_its_sign(name: str, angles: tuple[int, int, int]) -> None:
    turned = [NEUTRAL @ head_rotation(*(step * angle for angle in angles)).T for step in (-15, 0, 15)]
    low, middle, high = (landmark_figures(seen(head))[name] for head in turned)
    assert low < middle < high


def test_mouth_and_lids_by_hand() -> None:
    points = seen()
    width = np.linalg.norm(points[54] - points[48])
    before = landmark_figures(points)
    points[[65, 66, 67], 1] += 9.16  # the lower lip drops
    points[[37, 38, 43, 44], 1] -= 3.0
    after = landmark_figures(points)
    assert after["mouth_open"] - before["mouth_open"] == pytest.approx(9.16 / width)
    assert after["eyes_open"] > before["eyes_open"]
    points[[48, 54], 1] -= 5.0
    assert landmark_figures(points)["smile"] > after["smile"]


def test_shoulders_tell_how_the_head_leans() -> None:
    labels = np.ones((64, 64), np.int64)
    assert np.isnan(shoulder_tilt(labels))
    labels[50:, :32], labels[42:, 32:] = 16, 16  # the picture's right, the person's left, stands higher
    assert shoulder_tilt(labels) == pytest.approx(8 / 64)
    assert shoulder_tilt(labels[:, ::-1]) == pytest.approx(-8 / 64)


# --- Efficacy -------------------------------------------------------------------------------------------------------


def test_rank_correlation_by_hand() -> None:
    rows = np.array([[1, 2, 3, 5, 4], [9, 7, 5, 1, 0], [2, 2, 2, 2, 2], [1, NAN, 2, 3, 4], [NAN, NAN, 1, 2, 3]])
    found = rank_correlations(FACTORS, rows)
    np.testing.assert_allclose(found[:4], [0.9, -1.0, 0.0, 1.0], atol=1e-12)
    assert np.isnan(found[4])


def test_effect_is_half_the_way_from_minus_one_to_one() -> None:
    rows = np.array([[0, 1, 2, 5, 9], [0, NAN, 2, 5, 9], [NAN, NAN, 2, 5, 9]], float)
    np.testing.assert_allclose(unit_effects(FACTORS, rows), [2.0, 2.0, NAN])
    uneven = unit_effects(np.array([-3.0, -0.5, 0.0, 1.0]), np.array([[-6.0, -1.0, 0.0, 2.0]]))
    assert uneven == pytest.approx([2.0])


def test_slopes_are_those_of_least_squares() -> None:
    readings = np.random.default_rng(0).random((3, 5, 2))
    wanted = [[np.polyfit(FACTORS, readings[n, :, a], 1)[0] for a in range(2)] for n in range(3)]
    np.testing.assert_allclose(slopes(FACTORS, readings), wanted)
    np.testing.assert_allclose(slopes(FACTORS, readings[..., 1]), np.array(wanted)[:, 1])


def test_efficacy_sums_up_the_heads_that_were_read() -> None:
    rows = np.array([[-2, -1, 0, 1, 2], [-4, -2, 0, 4, 2], [0, 0, 0, 0, 0], [NAN] * 5], float)
    found = efficacy(FACTORS, rows, spread=2.0)
    assert found == Efficacy(rank=0.9, good=2 / 3, effect=pytest.approx((1 + 3 + 0) / 3 / 2), heads=3)
    assert not found.falls_short
    unread = efficacy(FACTORS, np.full((2, 5), NAN), spread=1.0)
    assert unread.heads == 0
    assert unread.falls_short


def test_correlation_leaves_out_what_was_not_read() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, NAN, 6.0, 9.0])
    assert correlation(a, b) == pytest.approx(np.corrcoef([1, 3, 4], [2, 6, 9])[0, 1])
    assert correlation(a, np.ones(4)) == 0.0
    assert correlation(a, np.full(4, NAN)) == 0.0


def test_identity_is_held_against_strangers() -> None:
    assert identity_kept(np.array([0.5, 0.9, 0.95, 1.0]), 0.9) == Kept(0.925, 0.5, 0.5)
    assert [name for name in ("age", "gender", "asian_african", "skin_tone", "smile") if may_change_identity(name)] == [
        "age",
        "gender",
        "asian_african",
    ]


def test_names_lead_to_attributes() -> None:
    names = ("african", "asian", "caucasian", "smile")
    assert attribute_weights("smile", names) == {"smile": 1.0}
    assert attribute_weights("caucasian_asian", names) == {"asian": 1.0, "caucasian": -1.0}
    assert attribute_weights("hat", names) is None
    assert attribute_weights("asian_asian", names) is None
    values = np.array([[0.1, 0.7, 0.2, 0.5]])
    assert combine({"asian": 1.0, "caucasian": -1.0}, names, values) == pytest.approx([0.5])


# --- Leakage --------------------------------------------------------------------------------------------------------

NAMES = ("eyes_open", "eye_ratio", "smile", "mouth_ratio", "asian_african", "caucasian_asian", "skin_tone")


def test_the_same_thing_is_not_held() -> None:
    assert held_for("eyes_open", NAMES) == ["smile", "mouth_ratio", "asian_african", "caucasian_asian", "skin_tone"]
    assert held_for("asian_african", NAMES) == ["eyes_open", "eye_ratio", "smile", "mouth_ratio", "skin_tone"]
    assert not same_thing("mouth_ratio", "smile")
    assert same_thing("smile", "mouth_ratio")
    assert not same_thing("skin_tone", "asian_african")


def test_orthogonalising_takes_out_the_others_only() -> None:
    random = np.random.default_rng(0)
    vectors = {name: random.standard_normal((2, 512)).astype(np.float32) for name in NAMES}
    vectors["smile"] += vectors["skin_tone"] + vectors["mouth_ratio"]
    freed = orthogonalised("smile", vectors)
    assert freed.shape == (2, 512)
    products = {name: abs(float((freed * vectors[name]).sum())) for name in NAMES}
    assert max(products[name] for name in held_for("smile", NAMES)) < 1e-3
    assert products["mouth_ratio"] > 100
    alone = orthogonalised("smile", {"smile": vectors["smile"]})
    np.testing.assert_array_equal(alone, vectors["smile"])


def test_leaks_are_shares_of_the_own_effect() -> None:
    found = leaks("smile", ("smile", "mouth_ratio", "skin_tone", "beard"), np.array([0.5, 0.4, -0.1, 0.05]))
    np.testing.assert_allclose(found.relative, [1.0, 0.8, -0.2, 0.1])
    assert found.counted.tolist() == [False, False, True, True]
    assert found.mean == pytest.approx(0.15)
    assert (found.worst, found.own) == (2, 0.5)
    feeble = leaks("smile", ("smile", "skin_tone"), np.array([0.01, 0.5]))
    assert np.isnan(feeble.relative).all()
    assert feeble.worst == -1


def test_change_is_in_units_of_the_readings_own_spread() -> None:
    renders = Reading(np.array([[0.0, 0.0], [4.0, 1.0]]), {}, np.zeros((0, 0)))  # spreads 2 and 0.5
    attributes = Attributes(["smile", "hat"], ("smile", "beard"), renders)
    assert attributes.columns == ("smile", "beard")
    heads = np.stack([np.stack([3 * FACTORS, -FACTORS], 1), np.stack([FACTORS, FACTORS], 1)])  # (2, 5, 2)
    moved = Moved(heads, None, np.zeros((2, 0)))
    np.testing.assert_allclose(mean_change(moved, attributes, FACTORS), [(3 + 1) / 2 / 2, 0.0])


# --- Heads ----------------------------------------------------------------------------------------------------------


def test_heads_are_spread_over_all_combinations() -> None:
    names = ("african", "asian", "caucasian", "gender", "age", "skin_tone")
    attributes = np.random.default_rng(1).random((400, len(names)))
    usable = np.arange(400) % 5 > 0
    chosen = choose_heads(attributes, names, usable, 32)
    assert len(set(chosen.tolist())) == 32
    assert usable[chosen].all()
    assert chosen.tolist() == choose_heads(attributes, names, usable, 32).tolist()
    groups = group_indices(attributes[chosen], names)
    for name in ("ethnicity shape", "gender", "age"):
        counts = np.bincount(groups[name][1], minlength=len(groups[name][0]))
        assert counts.max() - counts.min() <= 2
    cells = groups["ethnicity shape"][1] * 6 + groups["gender"][1] * 3 + groups["age"][1]
    assert sorted(set(np.bincount(cells, minlength=18).tolist())) == [1, 2]


def read_names(folder: Path) -> list[str]:
    """Names of the attribute network's outputs."""
    return list(json.loads((folder / "attributes.json").read_text()))


@torch.inference_mode()
def test_both_instruments_see_a_head_turn() -> None:
    pack = find_pack()
    instruments = Instruments(load_models(pack, torch.device("cpu")))
    generator = instruments.models.generator
    z = torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(3))
    w_plus, vector = generator.mapping(z, 0.5), load_vectors(pack)["yaw"]
    still = instruments.read_latents(w_plus, list(DEFINITIONS), identity=True)
    moved = move_heads(instruments, w_plus, vector, [-2.0, -1.0, 0.0, 1.0], still, "yaw")
    names = read_names(pack.folders[0])
    network = combine({"yaw": 1.0}, names, moved.attributes)
    assert moved.figure is not None
    assert rank_correlations(FACTORS[:4], network).tolist() == pytest.approx([1.0, 1.0])
    assert rank_correlations(FACTORS[:4], moved.figure).tolist() == pytest.approx([1.0, 1.0])
    # The independent reading of one picture, made by hand, stands where it belongs.
    picture = to_picture(generator.synthesis(w_plus[1:] - 2 * torch.from_numpy(vector)))[0]
    points = instruments.points.find(picture)
    assert points is not None
    assert moved.figure[1, 0] == pytest.approx(landmark_figures(points)["yaw"], abs=0.02)
    assert moved.cosines.shape == (2, 2)
    assert ((moved.cosines > 0.5) & (moved.cosines < 0.99999)).all()
    assert instruments.points.find(np.full_like(picture, 90)) is None
    assert move_heads(instruments, w_plus, vector, [-1.0, 0.0, 1.0], still).figure is None


def test_strangers_are_pairs_of_different_heads() -> None:
    angles = np.radians([0.0, 60.0, 90.0])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    median, high = strangers(Reading(np.zeros((3, 1)), {}, embeddings))
    assert median == pytest.approx(0.5)  # of cos 60, cos 90, cos 30
    assert high == pytest.approx(np.quantile([0.5, 0.0, np.sqrt(0.75)], 0.95))


# --- Page -----------------------------------------------------------------------------------------------------------


def make_result() -> Result:
    columns = ("eyes_open", "smile", "beard")
    fine, poor = Efficacy(1.0, 1.0, 0.5, 4), Efficacy(0.8, 0.25, 0.1, 3)
    before = leaks("smile", columns, np.array([0.25, 0.5, -0.2]))
    after = leaks("smile", columns, np.array([0.0, 0.4, -0.04]))
    eyes = leaks("eyes_open", columns, np.array([0.01, 0.5, 0.1]))
    return Result(
        command="python -m benchmarks.directions --data RENDERS/held_out --pack heads-256",
        pack="heads-256",
        renders=50,
        heads=4,
        factors=(-2.0, -1.0, 0.0, 1.0, 2.0),
        columns=columns,
        truths={"eyes_open": Truth(0.9, 0.2), "smile": Truth(0.95, 0.8), "beard": Truth(0.3, None)},
        measured={
            "eyes_open": Measured(fine, poor, Kept(0.98, 0.9, 1.0)),
            "hat": Measured(None, None, Kept(0.5, 0.4, 0.0)),
            "smile": Measured(fine, fine, Kept(0.97, 0.55, 0.75)),
        },
        leaking={"eyes_open": Leaking(eyes, eyes, 1.0), "smile": Leaking(before, after, 0.9)},
        strangers=(0.93, 0.95),
        eye_line=-0.01,
        cards=(Card("smile", parts=("mouth",), training={"changes": {"mouth": 14.64, "skin": 1.2}}), Card("hat")),
    )


def test_shortfalls_are_told_with_the_instrument_that_told_them() -> None:
    assert shortfalls(make_result()) == [
        "- eyes_open: the independent instrument's median rank is 0.80 (weak: 0.20 with the truth).",
        "- hat: no instrument knows this name, so only its identity was measured; "
        "the identity's median cosine is 0.50.",
    ]


def test_page_holds_the_figures() -> None:
    text = page(make_result(), "sheet.jpg")
    rows = {
        cells[0]: cells for cells in ([c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines()) if cells
    }
    assert rows["2 smile"] == ["2 smile", ".00", "1", "-.10"]  # the last matrix: orthogonalised
    assert "| 2 smile | **.50** | 1 | **-.40** |" in text
    assert rows["smile"] == ["smile", "0.45", "0.05", "eyes_open 0.50", "beard -0.10", "0.50", "80%", "90%"]
    assert rows["1 eyes_open"] == ["1 eyes_open", "-", "-", "-"]
    assert "| eyes_open | 1.00 | 100% | 0.50 | **0.80** | 25% | 0.10 | 3 | 0.98 | 0.90 | 100% |" in text
    assert "| hat |  |  |  |  |  |  |  | **0.50** | 0.40 | 0% |" in text
    assert "| beard | 0.30 (weak) |  |  |" in text
    assert "| smile | 1.2 | - | - | - | **14.6** | - | - | - |" in text
    assert "| hat | -" not in text  # nothing was measured
    assert "the mean leak is 0.450, orthogonalised 0.050" in text
    for lines in text.split("\n\n"):
        if lines.startswith("|"):
            assert len({line.count("|") for line in lines.splitlines()}) == 1


def test_figures_as_text() -> None:
    assert [number(value) for value in (0.125, -0.001, -0.5, NAN)] == ["0.12", "0.00", "-0.50", "-"]


@pytest.mark.parametrize("factors", [["-1", "1", "0", "2"], ["-2", "-1", "1", "2"], ["-1", "0", "1"]])
def test_factors_that_cannot_be_measured_are_refused(factors: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--data", "renders", "--factors", *factors])
    assert "--factors must be" in capsys.readouterr().err
