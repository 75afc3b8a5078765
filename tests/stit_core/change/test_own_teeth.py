"""Somebody's own teeth: found in a mouth that shows them, and shown in one that did not."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.cavity import draw_cavity
from stit_core.change.drawn import Drawn
from stit_core.change.mouth import mouth_flesh
from stit_core.change.opening import COLUMNS, CORNERS, CROWN, FINE, NOSE, ROWS, Opening
from stit_core.change.own_teeth import FOCUS, OwnTeeth, cut_teeth, hold_standing, standing_teeth
from stit_core.change.teeth import drawn_teeth
from stit_core.faces.labels import LIPS, SKIN
from tests.support.mouth_cases import face
from tests.support.transfer_cases import MOUTH, SIZE, STILL

ZOOM = 4  # pixels of the frame in one of the crop
TO_CROP = np.eye(2) / ZOOM, np.zeros(2)
SKIN_TONE, TONGUE, IVORY, GOLD = (180, 125, 108), (150, 85, 86), (205, 185, 160), (205, 175, 60)
TOP, EDGE, BOTTOM, LEFT, RIGHT = 84, 88, 97, 50, 78  # pixels of the crop: lips, edges of the teeth, corners
MILLIMETRE = 35.2 / 63  # pixels of the crop
LIGHT = np.full(3, 200.0)


def scene(
    edge: int = EDGE, below: tuple[int, int, int] = TONGUE, gold: bool = True, lower: float = BOTTOM
) -> tuple[np.ndarray, Drawn]:
    """A frame and its crop: a mouth with ivory teeth, one of which, right of the midline, is of gold.

    Lower teeth stand from the row `lower` of the crop on.
    """
    source = face()
    labels = np.full((SIZE, SIZE), SKIN, np.uint8)
    labels[TOP - 4 : BOTTOM + 4, LEFT:RIGHT] = LIPS[0]
    labels[TOP + 2 : BOTTOM, LEFT:RIGHT] = MOUTH  # parsers begin it on the teeth
    frame = np.empty((SIZE * ZOOM, SIZE * ZOOM, 3), np.uint8)
    frame[:] = SKIN_TONE
    frame[(TOP - 4) * ZOOM : (BOTTOM + 4) * ZOOM, LEFT * ZOOM : RIGHT * ZOOM] = (165, 95, 95)
    frame[TOP * ZOOM : BOTTOM * ZOOM, LEFT * ZOOM : RIGHT * ZOOM] = below
    frame[TOP * ZOOM : edge * ZOOM, LEFT * ZOOM : RIGHT * ZOOM] = IVORY
    frame[round(lower * ZOOM) : BOTTOM * ZOOM, LEFT * ZOOM : RIGHT * ZOOM] = IVORY
    if gold:
        frame[TOP * ZOOM : edge * ZOOM, 64 * ZOOM + 2 : 68 * ZOOM] = GOLD
    picture = np.ascontiguousarray(frame[ZOOM // 2 :: ZOOM, ZOOM // 2 :: ZOOM])
    return frame, dataclasses.replace(source, picture=picture, labels=labels)


def resting(frame: np.ndarray, source: Drawn, left: int, right: int, lower: bool = False) -> tuple[np.ndarray, Drawn]:
    """The same with teeth that rest on the lower lip, or on its teeth, in some columns of the crop."""
    frame, labels = frame.copy(), source.labels.copy()
    frame[EDGE * ZOOM : BOTTOM * ZOOM, left * ZOOM : right * ZOOM] = IVORY if lower else (165, 95, 95)
    if not lower:
        labels[EDGE:BOTTOM, left:right] = LIPS[1]
    picture = np.ascontiguousarray(frame[ZOOM // 2 :: ZOOM, ZOOM // 2 :: ZOOM])
    return frame, dataclasses.replace(source, picture=picture, labels=labels)


def cut(**parts: object) -> OwnTeeth | None:
    frame, source = scene(**parts)  # type: ignore[arg-type]
    return cut_teeth(frame, TO_CROP, source, LIGHT)


def mouth(edge: float, middle: float = 0.0) -> Opening:
    arc = np.clip(1 - (COLUMNS[0] / 24.0) ** 2, 0, 1)
    return Opening(face().points[list(CORNERS)], MILLIMETRE, -8 * arc, 12 * arc, edge, middle)


def test_teeth_are_cut_with_their_edges_and_their_way_from_the_nose() -> None:
    own = cut()
    assert own is not None
    assert own.below_nose == pytest.approx((EDGE - 76) / MILLIMETRE, abs=0.8)
    shown = (RIGHT - LEFT) * (EDGE - TOP) * ZOOM**2
    assert own.seen == pytest.approx(shown, rel=0.25)
    seen = own.teeth.place[:, np.abs(COLUMNS[0]) < 20]
    ends = ROWS[len(ROWS) - 1 - (seen > 0.5)[::-1].argmax(axis=0), 0]
    np.testing.assert_allclose(ends, own.edge, atol=0.7)


@pytest.mark.parametrize(
    "parts",
    [
        {"edge": TOP + 1},
        {"below": IVORY},
        {"edge": TOP + 7},
        {"lower": EDGE + 0.25},
        {"below": (60, 30, 28), "edge": TOP},
    ],
    ids=["only their edges are seen", "all is pale", "as high as two rows", "shut on the lower ones", "none is seen"],
)
def test_a_mouth_that_shows_too_little_of_them_gives_none(parts: dict[str, object]) -> None:
    assert cut(**parts) is None


@pytest.mark.parametrize("lower", [False, True], ids=["on the lip", "on lower teeth"])
def test_where_they_rest_they_end_as_free_edges_beside_them_do(lower: bool) -> None:
    frame, source = resting(*scene(gold=False), 58, 70, lower)
    own, free = cut_teeth(frame, TO_CROP, source, LIGHT), cut(gold=False)
    assert own is not None
    assert free is not None
    assert own.below_nose == pytest.approx(free.below_nose, abs=0.9)
    shown = np.abs(COLUMNS[0] - own.middle) < 10
    ends = (own.teeth.place > 0.5)[:, shown].sum(axis=0) / FINE
    assert np.ptp(ends) < 1.0, "one row, not two"
    assert cut_teeth(*_all_resting(), LIGHT) is None, "where none is free nobody knows where they end"


def test_where_a_lip_hides_their_ends_they_go_on_behind_it() -> None:
    frame, source = resting(*scene(gold=False), 60, 68)
    frame[EDGE * ZOOM - 4 : EDGE * ZOOM, 60 * ZOOM : 68 * ZOOM] = (165, 95, 95)
    source.labels[EDGE - 1, 60:68] = LIPS[1]
    own, free = cut_teeth(frame, TO_CROP, source, LIGHT), cut(gold=False)
    assert own is not None
    assert free is not None
    assert own.below_nose == pytest.approx(free.below_nose, abs=0.5)
    ends = (own.teeth.place > 0.5)[:, np.abs(COLUMNS[0] - own.middle) < 16].sum(axis=0) / FINE
    assert np.ptp(ends) < 1.0


def test_a_light_speck_in_a_corner_is_no_tooth_and_ends_none() -> None:
    frame, source = scene(gold=False)
    plain = cut_teeth(frame, TO_CROP, source, LIGHT)
    frame[TOP * ZOOM : EDGE * ZOOM, LEFT * ZOOM : 53 * ZOOM] = TONGUE
    frame[TOP * ZOOM : TOP * ZOOM + 4, LEFT * ZOOM : LEFT * ZOOM + 6] = IVORY
    specked = cut_teeth(frame, TO_CROP, source, LIGHT)
    assert plain is not None
    assert specked is not None
    corner = np.abs(COLUMNS[0] - (51.5 - 64) / MILLIMETRE) < 1
    heights = [(own.teeth.place > 0.5)[:, corner].sum() for own in (plain, specked)]
    assert heights[1] > 0.85 * heights[0]


def _all_resting() -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], Drawn]:
    frame, source = resting(*scene(gold=False), LEFT, RIGHT)
    return frame, TO_CROP, source


def test_those_in_the_shadow_of_a_lip_go_along_with_those_in_the_light() -> None:
    frame, source = scene(gold=False)
    source.labels[TOP : TOP + 2, LEFT:RIGHT] = MOUTH
    frame[TOP * ZOOM : (TOP + 2) * ZOOM, LEFT * ZOOM : RIGHT * ZOOM] = np.array(IVORY) * 0.5
    own, lit = cut_teeth(frame, TO_CROP, source, LIGHT), cut(gold=False)
    assert own is not None
    assert lit is not None
    assert own.seen == pytest.approx(lit.seen, rel=0.1)


def test_beside_those_that_are_seen_drawn_ones_end_no_lower() -> None:
    frame, source = scene(gold=False)
    frame[EDGE * ZOOM - 4 : EDGE * ZOOM, LEFT * ZOOM : 56 * ZOOM] = TONGUE  # the last of them end higher
    frame[TOP * ZOOM : EDGE * ZOOM, LEFT * ZOOM : 53 * ZOOM] = TONGUE  # and there are none in the corner
    own = cut_teeth(frame, TO_CROP, source, LIGHT)
    assert own is not None
    lowest = ROWS[len(ROWS) - 1 - (own.teeth.place > 0.5)[::-1].argmax(axis=0), 0]
    corner = np.abs(COLUMNS[0] - (51.5 - 64) / MILLIMETRE) < 1
    assert lowest[corner].max() < own.edge - 0.5 * 1 / MILLIMETRE


def test_they_are_shown_with_their_colours_where_another_mouth_has_them() -> None:
    own = cut()
    assert own is not None
    there = draw_cavity(mouth(2.0), LIGHT, mouth_flesh(scene()[1], LIGHT), own).colours
    anybody = draw_cavity(mouth(2.0), LIGHT, mouth_flesh(scene()[1], LIGHT)).colours

    def yellow(picture: np.ndarray, x: float) -> float:
        near = (np.abs(COLUMNS - x) < 1) & (np.abs(ROWS + 1.5) < 1)
        return float(picture[near][:, 1].mean() / picture[near][:, 2].mean())

    assert yellow(there, 3.5) > 2.0
    assert yellow(there, -5.0) == pytest.approx(IVORY[1] / IVORY[2], rel=0.1)
    assert yellow(anybody, 3.5) < 1.3
    below = (np.abs(COLUMNS) < 15) & (np.abs(ROWS - 3.5) < 0.4)
    assert there[below].mean() < 0.6 * there[(np.abs(COLUMNS) < 15) & (np.abs(ROWS) < 0.4)].mean()


def test_what_lies_between_them_is_as_dark_after_it_was_softened_with_the_mouth() -> None:
    frame, source = scene(gold=False)
    frame[TOP * ZOOM : EDGE * ZOOM, 64 * ZOOM - 1 : 64 * ZOOM + 1] = (120, 100, 85)
    frame = cv2.GaussianBlur(frame, (0, 0), FOCUS)
    own = cut_teeth(frame, TO_CROP, source, LIGHT)
    assert own is not None
    softened = cv2.GaussianBlur(own.teeth.colours, (0, 0), FOCUS * FINE / (ZOOM * MILLIMETRE)) * LIGHT
    gap = (64 - face().points[list(CORNERS), 0].mean()) / MILLIMETRE
    row = softened[np.abs(ROWS[:, 0] - own.edge + 3.0) < 0.3].mean(axis=(0, 2))
    before = frame[(TOP + 2) * ZOOM : (TOP + 3) * ZOOM].mean(axis=(0, 2))
    tooth, dark = row[np.abs(COLUMNS[0] - gap - 4) < 1].mean(), row[np.abs(COLUMNS[0] - gap) < 1.5].min()
    assert tooth / dark == pytest.approx(before[68 * ZOOM] / before[64 * ZOOM - 2 : 64 * ZOOM + 2].min(), rel=0.06)


def test_behind_the_lip_they_go_on_as_drawn_ones_of_their_colour() -> None:
    own = cut(gold=False)
    assert own is not None
    behind = (np.abs(COLUMNS - own.middle) < 3) & (np.abs(ROWS - own.edge + 0.9 * CROWN - 1.5) < 0.5)
    colour = own.teeth.colours[behind].mean(axis=0) * LIGHT
    np.testing.assert_allclose(colour / colour.mean(), np.array(IVORY) / np.mean(IVORY), rtol=0.06)
    assert own.teeth.place[behind].min() > 0.99


def test_a_head_that_has_turned_shows_drawn_ones() -> None:
    own = cut()
    assert own is not None
    turned = mouth(2.0, middle=own.middle + 12)
    drawn = drawn_teeth(turned)
    seated, share = own.seated(turned, drawn)
    assert share == 0
    np.testing.assert_allclose(seated.colours, drawn.colours)
    assert own.seated(mouth(2.0, own.middle), drawn)[1] == 1


def test_they_stay_with_the_skull_and_end_at_lips_that_nearly_meet_them() -> None:
    own = cut()
    assert own is not None
    _, source = scene()
    high = dataclasses.replace(mouth(0.0), top=1.5 * mouth(0.0).top)
    low = own.seat(high, source, STILL)
    higher = own.seat(high, source, STILL + np.float32([0, 2]))  # the result shows what lay two pixels below
    assert low.edge - higher.edge == pytest.approx(2 / MILLIMETRE, abs=0.01)
    nose = mouth(0.0).millimetres(source.points[NOSE])[1]
    assert low.edge - nose == pytest.approx(own.below_nose)
    smiling = dataclasses.replace(mouth(0.0), bottom=low.bottom * 0 + low.edge + 1.0, edge=low.edge + 0.8)
    assert own.seat(smiling, source, STILL).edge == pytest.approx(low.edge + 1.0)
    hardly = [
        dataclasses.replace(mouth(0.0), bottom=low.bottom * 0 + low.edge + 2, edge=low.edge + by) for by in (0.9, 1.1)
    ]
    ends = [own.seat(opening, source, STILL).edge for opening in hardly]
    assert abs(ends[0] - ends[1]) < 0.5, "no jump from one frame to the next"
    turned = dataclasses.replace(mouth(1.0, own.middle + 12), top=high.top)
    assert own.seat(turned, source, STILL).edge == 1.0
    below_lip = own.seat(dataclasses.replace(mouth(0.0), top=low.top * 0 + low.edge + 3), source, STILL)
    assert below_lip.edge == pytest.approx(low.edge + 3), "a lip hides them, it is not drawn over"


def test_a_face_seen_from_the_side_or_from_afar_gives_none() -> None:
    frame, source = scene()
    points = source.points.copy()
    points[[33, 51, 62, 66, 57], 0] += 60 * MILLIMETRE
    aside = cut_teeth(frame, TO_CROP, dataclasses.replace(source, points=points), LIGHT)
    assert aside is None or np.isfinite(aside.below_nose)
    small = np.ascontiguousarray(frame[ZOOM::12, ZOOM::12])
    assert cut_teeth(small, (np.eye(2) * 12 / ZOOM, np.zeros(2)), source, LIGHT) is None


def test_only_the_teeth_that_were_seen_bring_their_shade_along() -> None:
    own = cut()
    assert own is not None
    flesh = mouth_flesh(scene()[1], LIGHT)
    with_own, without = (draw_cavity(mouth(2.0), LIGHT, flesh, teeth).colours for teeth in (own, None))
    tongue = (np.abs(COLUMNS) < 15) & (ROWS > 5) & (ROWS < 11)
    np.testing.assert_allclose(with_own[tongue], without[tongue], atol=0.5)


def test_upper_teeth_of_clenched_rows_stand_down_to_where_anybodys_end() -> None:
    _, clenched = scene(below=IVORY, gold=False)
    stands = standing_teeth(clenched)
    line = 76 + 26 * MILLIMETRE  # the base of the nose lies in row 76
    assert stands[TOP : int(line), LEFT + 4 : RIGHT - 4].min() == 1
    assert stands[round(line) + 1 :].max() == stands[:, : LEFT - 3].max() == 0
    higher = standing_teeth(clenched, below_nose=22.0)
    assert higher[round(76 + 22 * MILLIMETRE) + 1 :].max() == 0 < higher.max()


def test_a_few_teeth_between_lips_that_hardly_part_do_not_stand() -> None:
    _, clenched = scene(below=IVORY, gold=False)
    labels, picture = clenched.labels.copy(), clenched.picture.copy()
    for beside in (slice(LEFT, 59), slice(69, RIGHT)):  # 10 pixels are 18 millimetres
        labels[TOP:BOTTOM, beside], picture[TOP:BOTTOM, beside] = LIPS[0], (165, 95, 95)
    assert not standing_teeth(dataclasses.replace(clenched, labels=labels, picture=picture)).any()


def test_nothing_stands_in_a_dark_or_shut_mouth_nor_in_a_face_that_looks_aside() -> None:
    _, clenched = scene(below=IVORY, gold=False)
    for parts in ({"below": (60, 30, 28), "edge": TOP + 3}, {"below": TONGUE, "edge": TOP}):
        assert not standing_teeth(scene(gold=False, **parts)[1]).any()  # type: ignore[arg-type]
    assert not standing_teeth(face()).any()
    points = clenched.points.copy()
    points[[33, 51, 62, 66, 57], 0] += 14 * MILLIMETRE
    assert not standing_teeth(dataclasses.replace(clenched, points=points)).any()


def test_what_stands_moves_with_the_nose_and_nothing_far_from_it_does() -> None:
    _, clenched = scene(below=IVORY, gold=False)
    motion = STILL + np.float32([0, -6])  # the result shows what lay six pixels above
    motion[70:80, 55:73] = (0, -1)
    stands = standing_teeth(clenched)
    held = hold_standing(motion, stands, clenched)
    np.testing.assert_allclose(held[TOP + 3 : EDGE, 60:68], (0, -1) + 0 * held[TOP + 3 : EDGE, 60:68], atol=1e-5)
    np.testing.assert_array_equal(held[110:], motion[110:])
    np.testing.assert_array_equal(hold_standing(motion, 0 * stands, clenched), motion)
