"""The settings of a page with the tiny pack and a few directions of its own."""

from __future__ import annotations

from pathlib import Path

from stit_core.directions.library import Card, save_direction
from stit_core.packs.loading import find_pack
from tests.support.tiny_pack import make_direction, write_pack


def tiny_settings(folder: Path) -> dict[str, str]:
    """Settings of a page with a tiny pack and three directions, which are written into `folder`."""
    pack = write_pack(folder / "packs")
    for seed, (name, low, high) in enumerate(
        (("age", "younger", "older"), ("smile", "serious", "smiling"), ("mouth_open", "closed", "open"))
    ):
        card = Card(name, title=name.replace("_", " ").capitalize(), positive=high, negative=low)
        save_direction(find_pack(str(pack)), make_direction(seed), card, folder / "directions")
    return {"STIT_PACK": str(pack), "STIT_DIRECTIONS": str(folder / "directions"), "STIT_MAX_MB": "5"}
