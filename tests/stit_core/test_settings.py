"""What a setting says of itself, and that all of them do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import pytest

from stit_core import config as configs
from stit_core.errors import ConfigError
from stit_core.settings import Settings, kind_of, setting, settings_of


@dataclass(frozen=True)
class Example(Settings):
    count: int = setting(3, "at most", unit="frames", low=1, high=9)
    share: float | None = setting(None, "of the whole", low=0, high=1)
    way: Literal["up", "down"] = setting("up", "where to", advanced=False)
    word: str = setting("a", "one of two", choices=("a", "b"))


def test_a_setting_carries_unit_range_choices_and_help() -> None:
    known = settings_of(Example)
    assert list(known) == ["count", "share", "way", "word"]
    assert known["count"].about == "frames, at most"
    assert (known["count"].low, known["count"].high) == (1, 9)
    assert known["way"].choices == ("up", "down")
    assert [name for name in known if not known[name].advanced] == ["way"]
    assert [kind_of(Example, name) for name in known] == [(int, False), (float, True), (str, False), (str, False)]


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"count": 10}, "Example.count is 10.", "Choose a whole number from 1 to 9 for 'count'."),
        ({"share": 1.5}, "Example.share is 1.5.", "Choose a number from 0 to 1 for 'share'."),
        ({"way": "left"}, "Example.way is 'left'.", "Choose one of up, down."),
        ({"word": "c"}, "Example.word is 'c'.", "Choose one of a, b."),
        ({"count": "3"}, "Example.count is '3', but it takes a whole number.", None),
        ({"count": None}, "Example.count is None, but it takes a whole number.", None),
    ],
)
def test_what_cannot_be_is_refused_in_words(change: dict[str, object], message: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        Example(**change)  # type: ignore[arg-type]
    assert caught.value.message == message
    assert hint in (None, caught.value.hint)


KINDS = [
    kind
    for kind in vars(configs).values()
    if isinstance(kind, type) and issubclass(kind, Settings) and kind is not Settings
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_is_and_numbers_their_range(kind: type) -> None:
    known = settings_of(kind)
    for field in dataclasses.fields(kind):
        of_kind = kind_of(kind, field.name)[0]
        if dataclasses.is_dataclass(of_kind):
            continue
        assert known[field.name].help
        if of_kind in (int, float):
            assert known[field.name].low is not None
            assert known[field.name].high is not None
