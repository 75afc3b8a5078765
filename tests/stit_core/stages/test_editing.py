"""Editing: the arithmetic of factors and directions, frozen layers, style space, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stit_core.artefacts import Tuned
from stit_core.config import EditConfig
from stit_core.directions.logistic import cosine
from stit_core.errors import ConfigError, DirectionError
from stit_core.runtime import Runtime
from stit_core.stages.editing import edit, factor_range, tell_overlaps
from tests.support.stage_cases import CLIP_HASH, tiny_generator

FRAMES = 5


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture
def tuned(generator):
    torch.manual_seed(1)
    w_plus = torch.randn(FRAMES, generator.num_ws, 512)
    state = {name: tensor + 0.01 * torch.randn_like(tensor) for name, tensor in generator.state_dict().items()}
    return Tuned(CLIP_HASH, tuple(range(FRAMES)), w_plus, state, np.zeros((0, 4)), 0.0, 0.0)


@pytest.fixture
def directions(generator):
    rng = np.random.default_rng(2)
    return {name: rng.standard_normal((generator.num_ws, 512)) for name in ("smile", "age", "yaw")}


def test_several_directions_add_up_without_a_hidden_scale(tuned, directions, generator):
    config = EditConfig(directions=(("smile", 2.0), ("age", -3.5)))
    found = edit(tuned, directions, generator, config, Runtime())
    expected = tuned.w_plus.numpy() + 2.0 * directions["smile"] - 3.5 * directions["age"]
    np.testing.assert_allclose(found.w_plus, expected, atol=1e-5)
    assert found.w_plus.dtype == torch.float32
    assert found.styles is None
    assert found.directions == config.directions


def test_no_direction_gives_the_pivots_and_a_copy_of_them(tuned, directions, generator):
    before = tuned.w_plus.clone()
    found = edit(tuned, directions, generator, EditConfig(), Runtime())
    assert torch.equal(found.w_plus, before)
    found.w_plus.zero_()
    assert torch.equal(tuned.w_plus, before)


def test_frozen_layers_take_their_mean_before_the_direction(tuned, directions, generator):
    found = edit(tuned, directions, generator, EditConfig((("smile", 1.5),), freeze_from=4), Runtime())
    frozen = tuned.w_plus[:, 4:].numpy().mean(0) + 1.5 * directions["smile"][4:]
    for frame in range(FRAMES):
        np.testing.assert_allclose(found.w_plus[frame, 4:], frozen, atol=1e-5)
    np.testing.assert_allclose(
        found.w_plus[:, :4], tuned.w_plus[:, :4].numpy() + 1.5 * directions["smile"][:4], atol=1e-5
    )


def test_the_last_frozen_layer_must_exist(tuned, directions, generator):
    with pytest.raises(ConfigError, match="6 layers"):
        edit(tuned, directions, generator, EditConfig(freeze_from=6), Runtime())


def test_style_space_uses_the_tuned_affine_layers_and_shows_the_same_picture(tuned, directions, generator):
    config = EditConfig((("smile", 0.5), ("yaw", 0.2)), styles=True)
    untouched = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    found = edit(tuned, directions, generator, config, Runtime())
    own = tiny_generator()
    own.load_state_dict(tuned.state)
    with torch.no_grad():
        expected = own.styles(found.w_plus)
        pictures = own.synthesis_from_styles(found.styles), own.synthesis(found.w_plus)
    assert len(found.styles) == len(expected)
    for styles, oracle in zip(found.styles, expected, strict=True):
        torch.testing.assert_close(styles, oracle, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(*pictures, rtol=1e-3, atol=1e-3)
    assert all(torch.equal(tensor, untouched[name]) for name, tensor in generator.state_dict().items())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (None, "no direction 'smile'"),
        (np.zeros((18, 512)), r"'smile' has the shape \(18, 512\), but this generator takes \(6, 512\)"),
        (np.full((6, 512), np.nan), "'smile' holds values"),
        (np.full((6, 512), "a"), "'smile' holds values"),
    ],
)
def test_a_direction_that_does_not_fit_is_refused_by_name(tuned, generator, broken, message):
    directions = {} if broken is None else {"smile": broken}
    with pytest.raises(DirectionError, match=message):
        edit(tuned, directions, generator, EditConfig((("smile", 1.0),)), Runtime())


def test_factor_range_counts_both_ends():
    assert factor_range(-3, 3, 4) == [-3.0, -1.0, 1.0, 3.0]
    assert factor_range(2.5, 9, 1) == [2.5]
    assert factor_range(2, 2, 3) == [2.0], "a factor's video is written once"
    for bad in ((0.0, 1.0, 0), (0.0, 1.0, 1001), (float("nan"), 1.0, 3), (0.0, float("inf"), 3)):
        with pytest.raises(ConfigError):
            factor_range(*bad)


# --- Overlaps -----------------------------------------------------------------------------------------------------


def plane(*numbers: float) -> np.ndarray:
    """A direction (2, 512) that is (x, y) in the first column of the two layers, else 0."""
    vector = np.zeros((2, 512), np.float32)
    vector[:, 0] = numbers
    return vector


# |a| = 10, |b| = 5, |c| = 1: cos(a, b) = -0.8, cos(a, c) = 0.6, cos(b, c) = 0.
FLAT = {"a": plane(6, 8), "b": plane(0, -5), "c": plane(1, 0), "none": plane(0, 0)}


def test_two_that_pull_against_each_other_are_named_with_what_each_loses() -> None:
    # 2 a + 1 b: along a, 20 - 0.8 * 5 = 16, so 20 % is lost; along b, 5 - 0.8 * 20 < 0, all of it and more.
    (told,) = tell_overlaps((("a", 2.0), ("b", 1.0)), FLAT)
    assert "'a' (+2) and 'b' (+1) pull against each other (cosine -0.80)" in told
    assert "about 20 % of 'a' is undone by 'b'" in told
    assert "over 100 % of 'b' by 'a'" in told
    assert "Lower one" in told
    assert "--hold" in told


def test_what_is_told_as_lost_is_what_the_sum_lacks(directions) -> None:
    names = ("smile", "age")
    smile = directions["smile"]
    age = directions["age"] * 0.2 - smile
    moved = 1.0 * smile + 0.5 * age
    lost = 1 - np.vdot(moved, smile) / np.vdot(smile, smile)
    assert 0.3 < lost < 0.7
    (told,) = tell_overlaps(tuple(zip(names, (1.0, 0.5), strict=True)), {"smile": smile, "age": age})
    assert f"about {round(100 * lost)} % of 'smile' is undone by 'age'" in told


def test_the_cosine_is_the_one_that_cards_record(directions) -> None:
    vectors = {"smile": directions["smile"], "frown": directions["age"] - 0.7 * directions["smile"]}
    (told,) = tell_overlaps((("smile", 2.0), ("frown", 0.3)), vectors)
    assert f"(cosine {cosine(vectors['smile'], vectors['frown']):+.2f})" in told


def test_two_that_are_nearly_the_same_add_up() -> None:
    # 1 a + 5 c: along a, 10 + 0.6 * 5 = 13, 30 % more; along c, 5 + 0.6 * 10 = 11, 120 % more.
    (told,) = tell_overlaps((("a", 1.0), ("c", 5.0)), FLAT)
    assert "'a' (+1) and 'c' (+5) are nearly the same change (cosine +0.60)" in told
    assert "about 30 % more of 'a' and over 100 % more of 'c'" in told
    opposite = {"a": FLAT["a"], "c": -FLAT["c"]}
    (told,) = tell_overlaps((("a", 1.0), ("c", -5.0)), opposite)
    assert "nearly the same change" in told, "two opposite directions with opposite factors are the same change"


@pytest.mark.parametrize(
    "edits",
    [
        (),
        (("a", 2.0),),
        (("b", 2.0), ("c", 3.0)),  # at right angles
        (("a", 0.0), ("b", 2.0)),  # not edited at all
        (("a", 2.0), ("none", 2.0)),
        (("a", 1.0), ("a", 1.0)),
    ],
)
def test_what_does_not_overlap_is_not_told(edits: tuple[tuple[str, float], ...]) -> None:
    assert tell_overlaps(edits, FLAT) == ()


def test_the_limits_of_an_overlap() -> None:
    def turned(amount: float) -> np.ndarray:
        return plane(amount, np.sqrt(1 - amount**2))

    for amount, factor, word in (
        (-0.31, 1.0, "against"),
        (-0.29, 1.0, None),
        (0.31, -1.0, "against"),
        (0.49, 1.0, None),
        (0.51, 1.0, "same"),
    ):
        told = tell_overlaps((("c", 1.0), ("d", factor)), {"c": plane(1, 0), "d": turned(amount)})
        assert len(told) == (word is not None)
        assert word is None or word in told[0]


def test_the_strongest_overlap_comes_first_and_nothing_is_changed() -> None:
    vectors = {name: vector.copy() for name, vector in FLAT.items()}
    told = tell_overlaps((("c", -1.0), ("a", 1.0), ("b", 1.0)), vectors)
    assert ["cosine -0.80" in text for text in told] == [True, False]
    assert "cosine +0.60" in told[1]
    assert all(np.array_equal(vectors[name], FLAT[name]) for name in FLAT)
