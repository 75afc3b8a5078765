"""The plan of a review: what the command line says, and what cannot be."""

from __future__ import annotations

import pytest

from stit_core.errors import ConfigError
from stit_core.review.plan import Plan, choose_columns, choose_crossings, parse_edits
from tests.support.review_cases import alternating, make_people


def test_edits_are_directions_with_their_factors() -> None:
    edits = parse_edits(["age=2,-2,1", "smile=1.5"])
    assert edits == (("age", (-2.0, 1.0, 2.0)), ("smile", (1.5,)))
    plan = Plan(edits)
    assert plan.pairs == (("age", -2.0), ("age", 1.0), ("age", 2.0), ("smile", 1.5))
    assert [plan.pairs[k] for k in plan.outermost] == [("age", -2.0), ("age", 2.0), ("smile", 1.5)]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no edit"),
        (["age"], "no factor"),
        (["=2"], "no factor"),
        (["age=two"], "not numbers"),
        (["age=0"], "factors of 'age' are 0"),
        (["age=1,nan"], "factors of 'age'"),
        (["age=101"], "factors of 'age'"),
        (["age=1", "age=2"], "named twice"),
        (["age=1,1"], "stands there twice"),
        (["age=" + ",".join(str(k) for k in range(1, 66))], "65 edits"),
    ],
)
def test_what_cannot_be_is_told_of(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Plan(parse_edits(texts))


def test_a_seed_is_a_whole_number() -> None:
    with pytest.raises(ConfigError, match="seed is -1"):
        Plan(parse_edits(["age=1"]), seed=-1)


def test_columns_with_one_label_or_very_many_are_compared_only_where_that_can_be() -> None:
    count = 60
    people = make_people(
        {
            "two": alternating(count, "a", "b"),
            "one": ["x"] * count,
            "twenty": alternating(count, *map(str, range(20))),
            "all": [str(k) for k in range(count)],
        }
    )
    assert choose_columns(people) == ("two",)
    assert choose_columns(people, ["twenty", "two"]) == ("twenty", "two")
    assert choose_crossings(people, ("twenty", "two")) == (("twenty", "two"),)
    for wanted, message in (("one", "same 'one'"), ("all", "60 different"), ("none", "no label column 'none'")):
        with pytest.raises(ConfigError, match=message):
            choose_columns(people, [wanted])
    with pytest.raises(ConfigError, match="named twice"):
        choose_columns(people, ["two", "two"])
