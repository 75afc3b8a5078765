from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.mouth import Mouth, mean_mouth, mouth_flesh, mouth_light
from stit_core.change.novelty import hold_teeth, is_wide
from stit_core.change.opening import drop_jaw, find_opening, hold_corners
from stit_core.change.own_teeth import OwnTeeth
from stit_core.change.reading import Anatomy, Change, OpenMouth, judge_open_mouth, lay_out, read_change
from stit_core.change.seam import open_along_seam
from stit_core.change.teeth import drawn_teeth
from tests.support.mouth_cases import CHIN, LEFT, RIGHT, face, mouth_in, opened_by, opening_of, seen, seen_in
from tests.support.transfer_cases import EYE, MOUTH, SIZE, SKIN, STILL, UPPER, WHOLE_FACE, head_labels


def test_a_shut_mouth_has_no_opening() -> None:
    assert opening_of(0) is None


def test_an_opening_lies_where_the_edit_draws_it_and_ends_in_the_corners() -> None:
    place, _ = seen_in(10)
    inside = head_labels(10) == MOUTH
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 7), np.uint8)) > 0
    assert place[core].mean() > 0.8  # it is drawn as a box, whose ends no lips have
    assert place[:, 56:72][core[:, 56:72]].mean() > 0.9
    around = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    assert place[around].max() < 0.05
    columns = np.nonzero(place > 0.2)[1]
    assert columns.min() >= LEFT - 2
    assert columns.max() <= RIGHT + 2
    assert place[:, columns.min()].sum() < 0.5 * place[:, 64].sum()


def test_upper_teeth_hang_from_above_and_the_rest_is_dark() -> None:
    _, colours = seen_in(10)
    middle = colours[:, 62:67].mean(axis=(1, 2))
    rows = np.flatnonzero((head_labels(10) == MOUTH).any(axis=1))
    assert middle[rows[1]] > 1.7 * middle[rows[len(rows) // 2]], "teeth are above, a tongue is below them"
    assert colours[rows[2], 64, 0] > colours[rows[2], 64, 2], "teeth are ivory, not blue"
    assert colours[rows[-4], 64, 0] > 1.5 * colours[rows[-4], 64, 2], "a tongue is red"


def test_teeth_reach_as_far_down_as_the_generator_draws_them() -> None:
    opened, smiling = opening_of(6), opening_of(6, teeth=1.0)
    assert opened is not None
    assert smiling is not None
    assert opened.gap > 5 > 1 > smiling.gap
    partly = opening_of(6, teeth=0.5)
    assert partly is not None
    assert smiling.gap < partly.gap < opened.gap


@pytest.mark.parametrize("opening", [3, 8, 14])
def test_an_opening_ends_as_an_almond_does_however_a_generator_ends_it(opening: int) -> None:
    found = opening_of(opening)
    assert found is not None
    height = found.bottom - found.top
    along = np.flatnonzero(height > 0)

    def fullness(share: float) -> float:  # how high it is so far along its half, of its highest
        return float(height[along[round(share * len(along) / 2)]] / height.max())

    assert fullness(0.05) < 0.2
    assert 0.35 < fullness(0.35) < 0.75
    assert fullness(1.0) > 0.88


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_teeth_face_the_camera_on_the_side_that_a_head_turns_away_from(side: float) -> None:
    """As the midline goes aside with the turned head, the arch's near flank is what is seen of it."""
    opened = opening_of(8, teeth=1.0)
    assert opened is not None
    turned = dataclasses.replace(opened, middle=8.0 * side)
    _, colours = seen(mouth_in(turned))
    row = int(np.flatnonzero((head_labels(8) == MOUTH).any(axis=1))[2])
    near, far = (colours[row, 64 + round(at * side) - 2 : 64 + round(at * side) + 3].mean() for at in (-9, 15))
    assert near > 1.1 * far


def test_the_crease_of_a_corner_moves_as_one_piece() -> None:
    torn = np.zeros((SIZE, SIZE, 2), np.float32)
    torn[92:, 40:90, 1] = -6.0  # the lower lip takes the half of the corner below it along
    opened = opening_of(12, motion=torn)
    assert opened is not None
    held = hold_corners(torn, opened, face())
    for corner, arrived in zip(face().points[[48, 54]], opened.corners, strict=True):
        x, y = np.rint(arrived).astype(int)
        for row in (y - 2, y, y + 2):
            np.testing.assert_allclose(held[row, x], corner - arrived, atol=1.6)
    assert held[106, 64, 1] == pytest.approx(-6.0, abs=0.5), "the lip's middle goes where it went"


def test_the_jaw_goes_down_with_the_lower_lip_and_stays_up_in_a_smile() -> None:
    lip_goes = np.zeros((SIZE, SIZE, 2), np.float32)
    lip_goes[92:106, 46:82, 1] = -4.0  # what lies here came from above
    opened, smiling = opening_of(6, motion=lip_goes), opening_of(6, 1.0, lip_goes)
    assert opened is not None
    assert smiling is not None
    assert drop_jaw(lip_goes, opened)[CHIN, 64, 1] == pytest.approx(-4.0, abs=0.8)
    assert drop_jaw(lip_goes, smiling)[CHIN, 64, 1] == pytest.approx(0.0, abs=0.5)
    dropped = drop_jaw(lip_goes, opened)
    np.testing.assert_allclose(dropped[:80], 0, atol=0.05)  # nothing above the mouth moves
    np.testing.assert_allclose(dropped[..., 0], 0, atol=1e-5)


def test_a_jaw_that_is_down_already_is_left_alone() -> None:
    down = np.zeros((SIZE, SIZE, 2), np.float32)
    down[82:, :, 1] = -20.0
    opened = opening_of(10)
    assert opened is not None
    np.testing.assert_allclose(drop_jaw(down, opened), down, atol=1e-4)


def test_a_mouth_under_a_head_that_leans_leans_with_it() -> None:
    turn = cv2.getRotationMatrix2D((64, 92), 30, 1.0)
    edited, source = face(10), face()
    leaning = Drawn(
        cv2.warpAffine(source.picture, turn, (SIZE, SIZE)),
        cv2.warpAffine(source.labels, turn, (SIZE, SIZE), flags=cv2.INTER_NEAREST),
        source.points @ turn[:, :2].T + turn[:, 2],
    )
    labels = cv2.warpAffine(edited.labels, turn, (SIZE, SIZE), flags=cv2.INTER_NEAREST)
    found = find_opening(labels, leaning, STILL, cv2.warpAffine(edited.picture, turn, (SIZE, SIZE)).astype(np.float32))
    assert found is not None
    upright, _ = seen_in(10)
    expected = cv2.warpAffine(upright, turn, (SIZE, SIZE))
    place, _ = seen(mouth_in(found, leaning))
    assert np.abs(place - expected).mean() < 0.1 * expected.mean()


def test_a_mouth_has_teeth_one_by_one_in_a_large_frame() -> None:
    found = opening_of(6, teeth=1.0)
    assert found is not None
    times = 8
    place, colours = seen(mouth_in(found), np.eye(2, 3) * times, SIZE * times)
    rows = np.flatnonzero(place[:, 64 * times] > 0.9)
    across = colours[rows[len(rows) // 2], 52 * times : 76 * times].mean(axis=-1)
    light = cv2.GaussianBlur(across[None], (0, 0), 2.0 * times)[0]
    gaps = np.flatnonzero((across[1:-1] < across[:-2]) & (across[1:-1] <= across[2:]) & (across < 0.9 * light)[1:-1])
    assert 4 <= len(gaps) <= 8


def test_frames_around_each_other_show_the_mean_of_their_mouths() -> None:
    small, wide = opening_of(6), opening_of(14)
    assert small is not None
    assert wide is not None
    light = np.full(3, 200.0)
    way = np.zeros((SIZE, SIZE, 2), np.float32)
    way[..., 0] = 5.0  # here it lies five pixels further to the left
    parts = [
        (1.0, Mouth(small, light, 1.0, light)),
        (1.0, Mouth(wide, light / 2, 1.0, light / 3).carried(way)),
        (2.0, None),
    ]
    mean = mean_mouth(parts)
    assert mean is not None
    assert mean.share == pytest.approx(0.5)
    np.testing.assert_allclose(mean.light, 150.0)
    np.testing.assert_allclose(mean.flesh, 400 / 3)
    np.testing.assert_allclose(mean.opening.corners, (small.corners + wide.corners) / 2 - (2.5, 0), atol=0.1)
    np.testing.assert_allclose(mean.opening.bottom, (small.bottom + wide.bottom) / 2)
    assert mean_mouth([(1.0, None)]) is None
    assert seen(mean)[0].sum() < seen(dataclasses.replace(mean, share=1.0))[0].sum()


def test_a_mouth_that_goes_begins_at_the_upper_lip_of_one_that_is_open() -> None:
    found = opening_of(14)
    assert found is not None
    whole = mouth_in(found)

    def rows(share: float, shut: float) -> np.ndarray:
        return np.flatnonzero((seen(dataclasses.replace(whole, share=share, shut=shut))[0] > 0.5).any(axis=1))

    all_of_it, hidden, ends = rows(1.0, 1.0), rows(0.5, 1.0), rows(0.5, 0.0)
    assert hidden[0] > all_of_it[0] + 2, "lips hide both sides of a shut mouth that opens"
    assert hidden[-1] < all_of_it[-1] - 2
    assert ends[0] <= all_of_it[0] + 1, "teeth in an open mouth hang from its upper lip"
    assert ends[-1] < hidden[-1]
    faint = seen(dataclasses.replace(whole, share=0.1, shut=0.0))[0]
    assert faint.max() < 0.3, "and do not end as a line"


def test_teeth_that_are_kept_move_as_one_piece() -> None:
    grinning = face(8, teeth=1.0)
    stretched = np.zeros((SIZE, SIZE, 2), np.float32)
    stretched[..., 0] = -0.2 * (np.arange(SIZE) - 64)  # the mouth gets wider
    stretched[..., 1] = 2.0
    held = hold_teeth(stretched, grinning)
    inside = cv2.erode((grinning.labels == MOUTH).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    moved = np.roll(inside, -2, axis=0)
    assert np.ptp(held[moved & (np.abs(np.arange(SIZE) - 64) < 8)[None]], axis=0).max() < 0.5
    np.testing.assert_allclose(held[:70], stretched[:70], atol=0.05)
    np.testing.assert_array_equal(hold_teeth(stretched, face(0)), stretched)


def test_a_jaw_that_drops_from_a_mouth_that_is_kept_takes_its_lip_hardly_along() -> None:
    calling = face(14)
    dropped = STILL.copy()
    dropped[100:, :, 1] = -8 * np.clip((np.arange(100, SIZE) - 100) / 4, 0, 1)[:, None]  # from its lower lip on
    lip = np.s_[112:115, 60:68, 1]  # where it would go
    free, held = hold_teeth(dropped, calling)[lip], hold_teeth(dropped, calling, opens=1.0)[lip]
    assert free.min() < -7
    assert held.min() > 0.35 * free.min()


def test_a_mouth_that_is_open_widely_is_kept_where_nobody_knows_its_teeth() -> None:
    wide, little = face(14), face(3)
    assert is_wide(wide) == 1
    assert is_wide(little) == is_wide(face(0)) == 0
    pivot, edited = face(2), face(24)
    asked: list[OwnTeeth | None] = []

    def known(teeth: OwnTeeth | None) -> OwnTeeth | None:
        asked.append(teeth)
        return teeth

    own = OwnTeeth(drawn_teeth(opened_by(8)), 0.0, 0.0, 26.0, 1.0)
    for source, teeth, kept in ((wide, None, True), (wide, own, False), (little, None, False)):
        laid = lay_out(source, pivot, edited, STILL, Anatomy())
        said = judge_open_mouth(source, pivot, laid, functools.partial(known, teeth))
        assert (said.another == 0) == kept
    assert asked == [None, own], "nobody looks for teeth that do not matter"


def test_lips_that_the_generator_draws_over_teeth_that_stand_are_not_shown() -> None:
    grinning = face(8, teeth=1.0)
    edited = face(24)
    edited.labels[80:92, 50:78] = UPPER  # its upper lip comes down over them
    change = read_change(
        grinning, face(2), edited, STILL, WHOLE_FACE, anatomy=Anatomy(), known=OpenMouth(opens=1.0, another=1.0)
    )
    stand = change.stands > 0.9
    assert stand.any()
    assert change.novelty[stand].max() < 0.15


def test_a_beard_comes_with_what_leaves_eyes_and_nose_alone() -> None:
    pivot, bearded = face(), face()
    picture = bearded.picture.copy()
    chin = (pivot.labels == SKIN) & (np.arange(SIZE) > 98)[:, None]
    picture[chin] = np.rint(picture[chin] * 0.6)
    bearded = dataclasses.replace(bearded, picture=picture)
    beards, faces = (
        read_change(pivot, pivot, bearded, STILL, classes, anatomy=Anatomy()).skin[102:110, 60:68].mean()
        for classes in ((SKIN, MOUTH), (SKIN, MOUTH, EYE))
    )
    assert beards < -0.08
    assert faces > -0.03


def test_the_whites_of_eyes_say_how_warm_the_light_of_teeth_is() -> None:
    plain = face()
    blue, shut = plain.picture.copy(), plain.picture.copy()
    eyes = plain.labels == EYE
    blue[eyes], shut[eyes] = (200, 215, 235), (70, 80, 90)  # lids that hide the whites are no light
    warm = mouth_light(dataclasses.replace(plain, picture=shut))
    cold = mouth_light(dataclasses.replace(plain, picture=blue))
    skin = plain.picture[plain.labels == SKIN].mean(axis=0)
    assert warm[2] / warm[0] == pytest.approx((skin[2] / skin[0]) ** 0.5, rel=0.05)
    made_up = cold[2] / cold[0]
    assert warm[2] / warm[0] < made_up < 0.95, "skin as warm as this lies in no blue light"
    colder = np.clip(blue * np.array([0.8, 1.0, 1.3]), 0, 255).astype(np.uint8)
    in_cold = mouth_light(dataclasses.replace(plain, picture=colder))
    assert in_cold[2] / in_cold[0] > made_up + 0.05
    yellow = plain.picture.copy()
    yellow[eyes] = (235, 200, 120)
    same = mouth_light(dataclasses.replace(plain, picture=yellow))
    assert same[2] / same[0] == pytest.approx(warm[2] / warm[0], rel=0.05), "the greyer of both"
    lights = []
    for level in np.linspace(60, 220, 40):
        half = plain.picture.copy()
        half[eyes] = level
        lights.append(mouth_light(dataclasses.replace(plain, picture=half)))
    hues = np.array([light[2] / light[0] for light in lights])
    assert np.abs(np.diff(hues)).max() < 0.3 * np.ptp(hues), "no jump in a blink"


def test_a_tongue_is_as_red_as_lips_let_expect() -> None:
    """In a picture of nearly one colour it has that colour."""
    plain = face()
    grey = np.repeat(plain.picture.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    red, pale = (
        mouth_flesh(dataclasses.replace(plain, picture=each), np.full(3, 200.0)) for each in (plain.picture, grey)
    )
    assert np.log(pale[0] / pale[1]) < 0.4 * np.log(red[0] / red[1])


def test_lips_part_along_the_line_where_they_meet() -> None:
    source = face(0)
    picture = source.picture.copy()
    picture[95:97, 50:78] = (60, 30, 30)  # three pixels lower than where the generator has it
    points = source.points.copy()
    points[60:68, 1] = 95.0
    source = dataclasses.replace(source, picture=picture, points=points)
    opened = opening_of(8)
    assert opened is not None
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[:92] = (0, 8.0)  # parted there, so that the line hangs on the upper lip
    motion[92:] = (0, -6.0)
    parted = open_along_seam(opened, source, motion)
    line = opened.millimetres(np.array([64.0, 87.0]))[1]  # where it has come to
    assert opened.top[opened.centre] > line, "it would be seen"
    assert parted.top[opened.centre] < line
    already = open_along_seam(opened, face(10), motion)
    np.testing.assert_array_equal(already.top, opened.top)


def test_only_anatomy_makes_a_mouth_of_it() -> None:
    source, edited = face(), face(10)
    drawn_mouth = read_change(source, source, edited, STILL, WHOLE_FACE)
    known = read_change(source, source, edited, STILL, WHOLE_FACE, anatomy=Anatomy())
    inside = edited.labels == MOUTH
    assert drawn_mouth.mouth is None
    assert drawn_mouth.novelty[inside].mean() > 0.5
    assert known.mouth is not None
    place, colours = seen(known.mouth)
    assert place[inside & (np.abs(np.arange(SIZE) - 64) < 7)].mean() > 0.5
    row = int(np.flatnonzero(inside.any(axis=1))[1])
    assert colours[row, 62:67].mean() > 2 * drawn_mouth.fresh[row, 62:67].mean()


def test_skin_that_gets_darker_gets_browner_by_what_is_known_of_skin() -> None:
    source = face()
    grey = dataclasses.replace(source, picture=(source.picture * 0.6).astype(np.uint8))
    skin = source.labels == 1
    shade = read_change(source, source, grey, STILL, WHOLE_FACE, anatomy=Anatomy()).skin[skin].mean(axis=0)
    assert shade.mean() == pytest.approx(np.log(0.6), abs=0.06), "as dark as drawn"
    # Monk's tones 5 and 7, d7bd96 and 825c43: how much more of blue than of red goes on the way.
    monk = np.log(np.array([0x82, 0x5C, 0x43])) - np.log(np.array([0xD7, 0xBD, 0x96]))
    assert shade[2] / shade[0] == pytest.approx(monk[2] / monk[0], rel=0.12)


def test_an_edit_that_leaves_the_pivots_mouth_leaves_the_sources_too() -> None:
    speaking, pivot = face(2), face(10)
    kept = read_change(speaking, pivot, pivot, STILL, WHOLE_FACE, anatomy=Anatomy())
    assert kept.mouth is None
    assert kept.novelty[80:110].max() == kept.hidden.max() == 0


def test_teeth_that_show_already_stay_under_an_edit_that_does_not_mean_the_mouth() -> None:
    # The generator sees half of the grin, and opens it a little.
    grinning, pivot, edited = face(8, teeth=1.0), face(3), face(5)
    assert_teeth_stay(read_change(grinning, pivot, edited, STILL, WHOLE_FACE, anatomy=Anatomy()))
    meant = read_change(grinning, face(0), jaw_down(face(18)), STILL, WHOLE_FACE, anatomy=Anatomy())
    assert meant.mouth is not None
    assert meant.mouth.share == meant.hidden.max().round(1) == 1, "and the teeth that were there go"
    assert meant.stands.max() == pytest.approx(1, abs=0.01), "but for the upper ones"
    assert (meant.stands > 0.5).sum() < 0.9 * (meant.hidden > 0.5).sum()


def test_a_face_that_gets_longer_does_not_open_its_mouth() -> None:
    """As with age: the lower lip goes down with the chin, and the grin gets no wider inside."""
    grinning, pivot = face(8, teeth=1.0), face(20)
    longer, opened = jaw_down(face(20)), jaw_down(face(26))
    assert_teeth_stay(read_change(grinning, pivot, longer, STILL, WHOLE_FACE, anatomy=Anatomy()))
    meant = read_change(grinning, pivot, opened, STILL, WHOLE_FACE, anatomy=Anatomy())
    assert meant.mouth is not None


def jaw_down(head: Drawn) -> Drawn:
    """The same with its chin and lower lip further down, by its landmarks."""
    points = head.points.copy()
    points[[*range(4, 13), *range(55, 60), *range(65, 68)], 1] += 18
    return dataclasses.replace(head, points=points)


def assert_teeth_stay(change: Change) -> None:
    assert change.mouth is None
    assert change.novelty[80:110].max() == change.hidden.max() == 0
