"""Where an edit may change a head: its parts, the regions that a user chooses from, and what each of them holds.

Source: ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from stit_core.errors import ConfigError

# Part -> classes of the parser (BiSeNet's 19, CelebAMask-HQ's order).
PARTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "skin": (1,),
        "brows": (2, 3),
        "eyes": (4, 5),
        "nose": (10,),
        "mouth": (11, 12, 13),
        "ears": (7, 8),
        "neck": (14,),
        "hair": (17,),
    }
)
AUTO = "auto"  # what the cards of the chosen directions say
# What a user may choose -> parts; those of AUTO follow from the directions.
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        AUTO: (),
        "face": ("skin", "brows", "eyes", "nose", "mouth"),
        "eyes": ("brows", "eyes"),
        "mouth": ("mouth",),
        "head": tuple(PARTS),
    }
)
# Of a direction that nobody measured. Hair is left out: few directions are about it, a generator draws it worst, and
# a change that leaks into it shows at once. Who does mean hair chooses the whole head.
UNMEASURED = tuple(part for part in PARTS if part != "hair")


class HasParts(Protocol):
    """A direction's card, as far as regions go."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that the direction changes; none where that was not measured."""
        ...


def parts_of(region: str, cards: Iterable[HasParts] = ()) -> tuple[str, ...]:
    """The parts that an edit may change, in the order of PARTS.

    Parameters
    ----------
    region: one of REGIONS.
    cards: of the chosen directions. With "auto" the parts of all of them together count, UNMEASURED for a card that
        names none; any other region is what it is, whatever the cards say.

    Raises
    ------
    ConfigError: an unknown region.
    """
    if region not in REGIONS:
        raise ConfigError(f"There is no region '{region}'.", f"Choose one of {', '.join(REGIONS)}.")
    if region != AUTO:
        return REGIONS[region]
    wanted = {part for card in cards for part in (card.parts or UNMEASURED)}
    return tuple(part for part in PARTS if part in wanted)


def classes_of(region: str, cards: Iterable[HasParts] = ()) -> tuple[int, ...]:
    """The parser's classes that an edit may change; the arguments are those of `parts_of`."""
    return tuple(label for part in parts_of(region, cards) for label in PARTS[part])


def unknown_parts(names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that are no parts."""
    return tuple(name for name in names if name not in PARTS)
