"""The section of the page on directions that says which parts of the head each may change."""

from __future__ import annotations

from collections.abc import Sequence

from stit_core.directions.library import Card
from stit_core.faces.changed_parts import CLEAR, ENOUGH, LEAST, SHARE, SIDE, WIDE
from stit_core.regions import PARTS


def where(cards: Sequence[Card]) -> str:
    """The section in Markdown, a row a card whose changes were measured."""
    head = ["direction", *PARTS]
    lines = [head, ["---"] * len(head)]
    for card in cards:
        changes = card.training.get("changes")
        if changes:
            lines.append([card.name, *(_cell(changes.get(part), part in card.parts) for part in PARTS)])
    rows = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"""## Where each direction acts

How much each part of the head differs between the two pictures of a pair that the direction is learned from: the
median over pairs of the mean distance in CIELAB (1976) over the {CLEAR} most changed pixels of {SIDE} x {SIDE}, or what
{WIDE["hair"]:.0%} of the hair changes by at least. Crops are brought to one framing first, and an edge may lie two
pixels elsewhere. **Bold** counts, and stands in the card: at least {SHARE:.0%} of the strongest part's change, but no
less than {LEAST:g} and no more than {ENOUGH:g}. Those are the parts that an automatic choice of the region gives.

{rows}"""


def _cell(value: float | None, counts: bool) -> str:
    if value is None:
        return "-"
    return f"**{value:.1f}**" if counts else f"{value:.1f}"
