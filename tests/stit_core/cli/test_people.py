"""Whose each option is: what stands behind a --face, and before the first."""

from __future__ import annotations

import pytest

from stit_core.__main__ import build_parser
from stit_core.cli.people import parse_people
from stit_core.errors import ConfigError


def parsed(*arguments: str) -> list[tuple[int | str, list[str]]]:
    return parse_people(build_parser().parse_args(["edit", "clip.mp4", *arguments]).ordered)


def test_each_face_has_the_directions_behind_it() -> None:
    assert parsed("--face", "0", "-d", "smile=2", "--face", "1", "-d", "age=-2", "-d", "smile=1") == [
        (0, ["smile=2"]),
        (1, ["age=-2", "smile=1"]),
    ]
    assert parsed("--face", "all", "-d", "smile=2") == [("all", ["smile=2"])]


def test_what_stands_before_the_first_face_is_everyones_who_is_named() -> None:
    assert parsed("-d", "smile=2") == []
    assert parsed("-d", "smile=2", "--face", "1") == [(1, ["smile=2"])]
    assert parsed("-d", "smile=2", "--face", "0", "--face", "1", "-d", "age=1") == [
        (0, ["smile=2"]),
        (1, ["smile=2", "age=1"]),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--face", "0", "-d", "smile=1", "--face", "1"), "Face 1 has no edit"),
        (("--face", "0", "-d", "smile=1", "--face", "0", "-d", "age=1"), "Face 0 is named twice"),
        (("--face", "all", "-d", "smile=1", "--face", "1", "-d", "age=1"), "beside one of them"),
        (("--face", "-1", "-d", "smile=1"), "no face '-1'"),
        (("--face", "x", "-d", "smile=1"), "no face 'x'"),
    ],
)
def test_what_cannot_be_meant(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(*arguments)
