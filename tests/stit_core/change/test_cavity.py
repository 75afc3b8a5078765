from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.cavity import Cavity, draw_cavity
from stit_core.change.drawn import Drawn
from stit_core.change.mouth import mouth_flesh, mouth_light
from stit_core.change.opening import COLUMNS, FINE, ROWS, Opening
from stit_core.change.teeth import drawn_teeth
from stit_core.faces.labels import LIPS, is_one_of
from tests.support.mouth_cases import ALONE, face, mouth_in, opening_of
from tests.support.transfer_cases import SIZE

HALF = 22.0  # millimetres, half of the opening's width
ARC = np.clip(1 - (COLUMNS[0] / HALF) ** 2, 0, 1)
CORNERS = np.array([[50.0, 92], [78, 92]])
LIGHT, FLESH = np.array([210.0, 200, 195]), np.array([155.0, 85, 82])


def opening(top: float = -4.0, bottom: float = 12.0, edge: float = -1.0) -> Opening:
    return Opening(CORNERS, 0.56, top * ARC, bottom * ARC, edge, 0.0)


def cavity(**sides: float) -> Cavity:
    return draw_cavity(opening(**sides), LIGHT, FLESH)


def at(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """The mean within a millimetre of a place in millimetres."""
    near = (np.abs(COLUMNS - x) < 0.5) & (np.abs(ROWS - y) < 0.5)
    return np.asarray(picture[near].mean(axis=0))


def test_light_comes_from_the_front_and_from_above() -> None:
    colours = cavity().colours
    tooth, back, front = at(colours, 2, -1.8), at(colours, 2, 1.0), at(colours, 2, 6.5)
    assert tooth.mean() > 1.15 * front.mean()
    assert front.mean() > 1.8 * back.mean()
    assert at(colours, 2, -3.9).mean() < 0.95 * at(colours, 2, -2.5).mean(), "the upper lip shades teeth"
    assert at(colours, 15, -1.2).mean() < 0.6 * tooth.mean(), "a corner is darker"
    assert at(colours, 16, 4).mean() < 0.5 * front.mean()
    behind = min(at(colours, 2, y).mean() for y in np.arange(7.5, 10, 0.25))
    assert behind < 0.9 * front.mean(), "a tongue goes down behind the lower teeth"


def test_teeth_are_no_lighter_than_a_white_tooth_but_where_they_glint() -> None:
    front = np.abs(COLUMNS[0]) < 7
    for drawn, row in ((cavity(top=-8.0), -4.0), (cavity(edge=12.0), 6.0)):
        light = drawn.colours[np.abs(ROWS[:, 0] - row) < 0.5][:, front].mean(axis=-1)
        assert 0.75 * LIGHT.mean() < light.mean() < LIGHT.mean()
        assert light.max() < 1.15 * LIGHT.mean()


def test_the_surface_of_teeth_is_uneven_and_what_lies_between_them_warm() -> None:
    colours = cavity(edge=12.0).colours
    row = colours[np.abs(ROWS[:, 0] - 6.0) < 0.3].mean(axis=0)
    middle = row[np.abs(np.abs(COLUMNS[0]) - 4.2) < 2.5]
    assert 0.01 < (middle.mean(axis=-1) / cv2.GaussianBlur(middle.mean(axis=-1), (0, 0), 9.0).ravel()).std() < 0.1
    gap, tooth = row[np.abs(COLUMNS[0]) < 0.2].mean(axis=0), middle.mean(axis=0)
    assert gap.mean() < 0.85 * tooth.mean()
    assert gap[0] / gap[2] > 1.03 * tooth[0] / tooth[2]


def test_the_grain_of_teeth_goes_along_with_them() -> None:
    here, there = drawn_teeth(opening(edge=-1.0)), drawn_teeth(dataclasses.replace(opening(edge=-1.0), edge=0.0))
    one = FINE  # rows that are a millimetre
    front = np.s_[: len(ROWS) - one, len(COLUMNS[0]) // 2 - 6 * FINE : len(COLUMNS[0]) // 2 + 6 * FINE]
    row = np.s_[int((-4 - ROWS[0, 0]) * FINE)]
    assert np.abs(here.colours[front][row] - there.colours[one:][front][row]).max() < 0.01


def test_a_smile_that_lifts_its_corners_shows_teeth_there_and_no_gums() -> None:
    lifted = Opening(CORNERS, 0.56, -4 * ARC - 20 * (1 - ARC), 5 * ARC - 20 * (1 - ARC), 4.0, 0.0)
    for x in (-15, 15):
        corner = at(draw_cavity(lifted, LIGHT, FLESH).colours, x, -8.5)
        assert corner[1] / corner[0] > 0.75 > FLESH[1] / FLESH[0]


def test_the_corners_of_a_grin_stay_dark_and_those_of_lips_that_part_show_the_web_between_them() -> None:
    wide = opening(bottom=18.0)
    parted, grin = (draw_cavity(wide, LIGHT, FLESH, shut=shut).colours for shut in (1.0, 0.0))
    assert at(grin, 20, 1).mean() < 0.7 * at(parted, 20, 1).mean()
    np.testing.assert_array_equal(at(grin, 2, 5), at(parted, 2, 5))


def test_what_is_darker_in_a_mouth_is_redder() -> None:
    colours = cavity().colours
    darker = [at(colours, 2, y) for y in (7.5, 4.5, 1.0)]
    hues = [colour[0] / colour[2] for colour in darker]
    assert darker[0].mean() > darker[1].mean() > darker[2].mean()
    assert hues[0] < hues[1] < hues[2]
    assert darker[2].mean() < 0.5 * darker[0].mean()


def test_a_tongue_is_round_and_has_a_fine_grain() -> None:
    light = cavity(bottom=18.0).colours.mean(axis=-1)
    middle, side = (at(light[..., None], x, 10.5)[0] for x in (0.0, 15.0))
    assert side < 0.8 * middle
    flat = light / cv2.GaussianBlur(light, (0, 0), 2.0 * FINE)
    grain = flat[(np.abs(COLUMNS) < 6) & (np.abs(ROWS - 10) < 2)].std()
    assert 0.02 < grain < 0.12
    assert (light == cavity(bottom=18.0).colours.mean(axis=-1)).all(), "which lies still"


def test_lower_teeth_show_above_the_lip_of_a_mouth_that_gapes() -> None:
    gaping, speaking = cavity(bottom=22.0), cavity(bottom=3.0)
    lower, tongue, upper = (at(gaping.colours, 2, y) for y in (20.5, 15.0, -1.8))
    assert lower[2] / lower[0] > 1.15 * tongue[2] / tongue[0], "they are paler than flesh"
    assert 0.5 * upper.mean() < lower.mean() < 0.9 * upper.mean()
    assert at(gaping.colours, 17, 22 * float(1 - (17 / HALF) ** 2) - 1).mean() < 0.7 * lower.mean(), "dark in a corner"
    across = gaping.colours[np.abs(ROWS[:, 0] - 20.5) < 0.2].mean(axis=(0, 2))[np.abs(COLUMNS[0]) < 12]
    light = cv2.GaussianBlur(across[None], (0, 0), 2.0 * FINE)[0]
    gaps = (across[1:-1] < across[:-2]) & (across[1:-1] <= across[2:]) & (across < 0.97 * light)[1:-1]
    assert 3 <= gaps.sum() <= 6
    line = at(cavity(bottom=16.0).colours, 2, 15.5)
    assert line[2] / line[0] < 1.1 * tongue[2] / tongue[0], "less of them than a tooth is high is none"
    flesh = at(speaking.colours, 2, 2.0)
    assert flesh[2] / flesh[0] < 1.1 * FLESH[2] / FLESH[0], "a mouth that hardly opens bares none"


@pytest.mark.parametrize(("gap", "least"), [(6.0, 0.01), (8.0, 0.05), (16.0, 0.1)])
def test_a_tongue_leaves_no_more_than_half_of_a_mouth_dark(gap: float, least: float) -> None:
    edge = -1.0
    drawn = cavity(bottom=edge + gap)
    column = drawn.colours.mean(axis=-1)[:, int(2 * FINE + len(COLUMNS[0]) / 2)]
    below = (ROWS[:, 0] > edge + 0.7) & (ROWS[:, 0] < edge + gap - 0.3)
    dark = column[below] < 0.5 * column[below].max()
    assert least <= dark.mean() <= 0.5


def test_lips_turn_softly_into_a_mouth() -> None:
    drawn = cavity()
    below = [float(at(drawn.shade[..., None], 0, 12 + away)[0]) for away in (0.6, 1.5, 3.0, 8.0)]
    assert below == sorted(below)
    assert 0.85 < below[0] < 0.95
    assert below[-1] == 1.0
    smile = cavity(edge=12.0)
    assert smile.shade.min() > drawn.shade.min(), "and less where it only shows teeth"


def test_the_change_from_lip_to_mouth_takes_no_single_step() -> None:
    """Over a lip of skin's lightness no fine pixel differs from the next by two fifths of the whole change."""
    drawn = cavity()
    place, lip = drawn.place[..., None], drawn.shade[..., None] * 150.0
    laid = (lip + place * (drawn.colours - lip)).mean(axis=-1)
    down = laid[ROWS[:, 0] > 5.0, int(len(COLUMNS[0]) / 2 - 14 * FINE)]
    assert np.abs(np.diff(down)).max() < 0.4 * np.ptp(down)


def test_a_tongue_has_a_little_of_the_lips_hue_and_the_light_of_the_teeth() -> None:
    def flesh(lips: tuple[int, int, int]) -> np.ndarray:
        source = face(0)
        picture = source.picture.copy()
        picture[is_one_of(source.labels, LIPS) > 0] = lips
        return mouth_flesh(dataclasses.replace(source, picture=picture), LIGHT)

    red, brown = flesh((190, 60, 70)), flesh((130, 95, 80))
    assert red.mean() == pytest.approx(brown.mean())
    assert brown[0] / brown[1] < red[0] / red[1] < 190 / 60
    assert brown[0] / brown[1] > 1.5, "under brown lips it is red"
    without = Drawn(face().picture, np.ones((SIZE, SIZE), np.uint8), face().points)
    assert mouth_flesh(without, 2 * LIGHT) == pytest.approx(2 * mouth_flesh(without, LIGHT))


def test_a_mouth_lays_itself_and_its_shade_over_a_picture_where_it_may() -> None:
    found = opening_of(10)
    assert found is not None
    shown = mouth_in(found).over(ALONE, SIZE, SIZE)
    picture = np.full((SIZE, SIZE, 3), 150, np.float32)
    nowhere, everywhere = np.zeros_like(shown.place), np.ones_like(shown.place)
    laid = shown.laid_over(picture, nowhere, everywhere)
    inside, beside = shown.place > 0.99, shown.place < 0.001
    np.testing.assert_allclose(laid[inside], shown.colours[inside], atol=2)
    np.testing.assert_allclose(laid[beside], 150 * shown.shade[beside], atol=0.5)
    assert shown.shade[beside].min() < 0.997
    np.testing.assert_array_equal(shown.laid_over(picture, everywhere, nowhere), picture[shown.rows, shown.columns])
    kept = shown.laid_over(picture, everywhere, everywhere, stands=everywhere)
    teeth, below = shown.upper > 0.99, (shown.upper < 0.01) & inside
    np.testing.assert_allclose(kept[teeth], 150, atol=2, err_msg="upper teeth that stand stay the picture's own")
    np.testing.assert_allclose(kept[below], laid[below], atol=2)
    assert min(teeth.sum(), below.sum()) > 20
    all_over = shown.laid_over(picture, everywhere, everywhere)
    np.testing.assert_allclose(all_over, shown.colours, atol=0.01)


def test_teeth_are_white_by_the_skin_in_light_or_shade() -> None:
    source = face()
    dim = dataclasses.replace(source, picture=cv2.convertScaleAbs(source.picture, alpha=0.5))
    assert mouth_light(dim).mean() == pytest.approx(0.5 * mouth_light(source).mean(), rel=0.05)
