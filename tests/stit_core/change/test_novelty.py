"""What the source's own mouth shows, moved along: teeth, which are light, and the dark between lips."""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.change.novelty import is_open, is_shut, looks_open, mouth_share, own_mouth, own_teeth, read_novelty
from stit_core.warps import warp_labels
from tests.support.transfer_cases import MOUTH, SIZE, SKIN, STILL, UPPER, WHOLE_FACE, drawn, head_labels


def test_teeth_are_found_and_the_dark_of_a_mouth_is_not() -> None:
    scene = drawn(head_labels(opening=8))
    picture = scene.picture.copy()
    picture[88:92, 54:74] = 200, 190, 180  # the upper half of what is seen between the lips
    scene = dataclasses.replace(scene, picture=picture)
    whole, teeth = own_mouth(scene, STILL), own_teeth(scene, STILL)
    assert whole[89:95, 56:72].min() > 0.9
    assert teeth[89:91, 56:72].min() > 0.9
    assert teeth[93:96, 56:72].max() < 0.1
    assert np.all(teeth <= whole)


def test_teeth_go_where_a_motion_takes_them() -> None:
    scene = drawn(head_labels(opening=8))
    picture = scene.picture.copy()
    picture[88:96, 54:74] = 200, 190, 180
    motion = STILL.copy()
    motion[..., 0] = -6
    teeth = own_teeth(dataclasses.replace(scene, picture=picture), motion)
    assert teeth[90:94, 62:78].min() > 0.9
    assert teeth[90:94, 52:58].max() < 0.1


def test_an_eye_that_closes_is_drawn_and_a_speck_beside_it_is_not() -> None:
    eyes_open, shut = head_labels(), head_labels(eyes=False)
    speck = eyes_open.copy()
    speck[59:61, 46:48] = 1
    source = drawn(eyes_open)

    def fresh(wanted: np.ndarray) -> np.ndarray:
        edited = drawn(wanted)
        return read_novelty(source, source, edited, wanted, eyes_open, STILL, STILL, WHOLE_FACE, False, 0.0)[0]

    closed = fresh(shut)
    assert closed[60, 48] == 1
    assert closed[60, 80] == 1
    assert fresh(speck).max() == 0


def _share_of(own: int, edited: int, opens: float | None, pivot: int = 2) -> float:
    """Of a mouth that is open by so many rows in the source, in the edit and in the pivot."""
    source, tuned, drawn_so = (drawn(head_labels(opening)) for opening in (own, pivot, edited))
    return mouth_share(source, tuned, drawn_so, drawn_so.labels, tuned.labels, STILL, opens)


def test_a_mouth_is_drawn_where_it_opens_and_one_that_calls_out_already_is_kept() -> None:
    assert _share_of(0, 12, 1.0) == 1
    assert _share_of(6, 14, 1.0) == 1, "it opens further"
    assert _share_of(14, 12, 1.0) == 0
    assert _share_of(14, 14, 0.0) == 0
    assert _share_of(8, 12, 1.0) == 1
    assert _share_of(8, 12, 0.0) == 0, "a smile, which drops no jaw, has to be larger"
    assert _share_of(8, 14, 1.0, pivot=13) == 0, "a face that gets longer, with the generator's mouth in it"


def test_the_line_between_shut_lips_makes_no_open_mouth() -> None:
    """A little of it is seen as the inside of a mouth in one frame and not in the next: neither may jump."""
    closed, line = drawn(head_labels(0)), head_labels(0)
    line[92, 57:71] = MOUTH
    smiling, tuned = drawn(head_labels(4)), drawn(head_labels(2))
    shares = [
        mouth_share(source, tuned, smiling, smiling.labels, closed.labels, STILL, 0.0)
        for source in (closed, drawn(line))
    ]
    assert is_shut(drawn(line)) == 1
    assert shares[0] > 0.5
    assert shares[1] > 0.5 * shares[0]
    assert is_shut(drawn(head_labels(1))) == 1
    assert is_shut(drawn(head_labels(3))) == 0
    thin_lips = head_labels(2)
    thin_lips[87:89, 50:78] = thin_lips[95:97, 50:78] = SKIN
    assert is_shut(drawn(thin_lips)) < 0.5, "teeth that show a little between thin lips are no line"
    hardly = drawn(head_labels(1))
    hardly.picture[hardly.labels == MOUTH] = (215, 205, 190)
    assert is_open(hardly), "but teeth, wherever they show, do"
    assert looks_open(hardly.labels) is looks_open(head_labels(1)) is None
    assert not is_open(drawn(head_labels(1)))
    assert looks_open(head_labels(0)) is False
    assert looks_open(head_labels(6)) is is_open(drawn(head_labels(6))) is True
    thin = head_labels(2)
    shares = []
    for more in range(0, 28, 4):  # a row of the inside comes, column by column
        labels = thin.copy()
        labels[93, 50 : 50 + more] = MOUTH
        labels[91, 50:78] = UPPER
        shares.append(is_shut(drawn(labels)))
    assert shares[0] == 1
    assert np.abs(np.diff(shares)).max() < 0.5, "no jump by a row that parsers see or do not"


def test_the_line_between_lips_that_an_edit_stretches_does_not_open_the_mouth() -> None:
    """A mild opening stretches it: were that taken for a mouth that is open already, it would be kept, now and then."""
    source = head_labels(0)
    source[92, 57:71] = MOUTH
    down = STILL.copy()
    down[92:, :, 1] = -np.minimum(np.arange(SIZE - 92), 6)[:, None]  # the lower lip takes the line along
    opened, tuned = drawn(head_labels(6)), drawn(head_labels(0))
    assert (warp_labels(source, down) == MOUTH).sum() > 6 * 14
    for opens in (0.0, 1.0):
        assert mouth_share(drawn(source), tuned, opened, opened.labels, tuned.labels, down, opens) == 1
