"""What is said of a training's figures."""

from __future__ import annotations

import pytest

from stit_core.directions.figures import warnings_of


def record_of(**changes: object) -> dict[str, object]:
    plain = {
        "classes": {"a": 100, "b": 150},
        "auc": {"value": 0.9},
        "probe_auc": 0.6,
        "held": {},
        "cosine": {"age": 0.5, "smile": -0.2},
        "people": 200,
    }
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": {"a": 99, "b": 150}}, ["Only 99 pictures of 'a'"]),
        ({"auc": {"value": 0.69}}, ["hardly tells 'a' from 'b' (AUC 0.69"]),
        ({"cosine": {"age": 0.51, "smile": -0.8}}, ["much the same as 'age'", "much the opposite of 'smile'"]),
        ({"probe_auc": 0.88}, ["size, colour or background"]),
        ({"probe_auc": 0.87}, []),
        ({"people": None}, ["file names tell no people apart"]),
        (
            {"held": {"overlap_before": {"age": 0.4}, "auc_before": 0.9, "auc_after": 0.6}},
            ["Without age little is left"],
        ),
        ({}, []),
    ],
)
def test_warnings_are_told_in_plain_words(changes: dict[str, object], told: list[str]) -> None:
    found = warnings_of(record_of(**changes), ("a", "b"))
    assert len(found) == len(told)
    assert all(text in warning for text, warning in zip(told, found, strict=True))
