"""What a list of clips gives: a picture before and after of each, and all finished videos in one archive."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from page.studio.batches import Card, cards
from page.studio.clip_lists import ARCHIVES
from page.studio.clips import clip_of
from page.studio.folders import new_id, safe_name
from page.studio.holdings import remove
from page.studio.studio import Studio
from stit_core.errors import StitError
from stit_core.store.disk import disk_errors, write_synced
from stit_core.store.spreadsheets import safe_cell

ARCHIVE = "edited-clips.zip"  # as it is downloaded
TABLE = "clips.csv"  # in it: what became of each clip
COLUMNS = ("clip", "state", "video", "reason")
PICTURES = "cards"  # folder of the pictures of a clip's card, below its run's private one
SIDES = ("before", "after")
HEIGHT = 200  # pixels of a picture
QUALITY = 85  # JPEG


def card_pictures(studio: Studio, run_id: str, clip_id: object, output_id: object) -> tuple[bytes, bytes] | None:
    """A frame from the middle of a clip's newest video as it was and as it is, as JPEG files; drawn once.

    Returns
    -------
    None where there is no such clip or its newest video is another.

    Raises
    ------
    VideoError: a video that cannot be read.
    StoreError: the disk is full, or cannot be written or read.
    """
    card = next((card for card in cards(studio, run_id) if card.clip.id == clip_id), None)
    if card is None or card.output is None or card.output.id != output_id:
        return None
    folder = studio.folders.private(card.clip.run) / PICTURES
    before, after = (folder / f"{card.output.id}-{side}.jpg" for side in SIDES)
    if not after.is_file():
        pictures = _middle(studio, card)
        with disk_errors("The picture of a clip"):
            for old in folder.glob("*.jpg"):
                remove(old)
            folder.mkdir(exist_ok=True)
            for path, picture in zip((before, after), pictures, strict=True):
                write_synced(path, _jpeg(picture))
    with disk_errors("The picture of a clip", writing=False):
        return before.read_bytes(), after.read_bytes()


def _middle(studio: Studio, card: Card) -> tuple[np.ndarray, np.ndarray]:
    assert card.output is not None
    state, video = studio.runs.get(card.clip.run), Path(card.output.video)
    config = studio.config(state).video
    half = (studio.clips.probe(video, config).seconds or 0.0) / 2
    source = studio.clips.still(clip_of(state), (state.start or 0.0) + half, HEIGHT)
    return source, studio.clips.still(video, half, HEIGHT)


def _jpeg(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=QUALITY)
    return buffer.getvalue()


def pack_videos(studio: Studio, run_id: str) -> Path:
    """Put the newest whole video of each clip, with its manifest, and a table of all into an archive.

    It takes the place of the one before, and goes with the run, or when one of its clips is taken away.

    Raises
    ------
    StitError: nothing is finished.
    StoreError: the disk is full, or cannot be written or read.
    """
    with studio.lists.hold(run_id):
        found = cards(studio, run_id)
        if not any(card.output for card in found):
            raise StitError("No clip is finished yet.", "Wait for the first one.")
        studio.lists.drop_archives(run_id)
        studio.make_room(run_id)
        names = _names(found)
        with disk_errors("The archive of videos"):
            folder = studio.folders.outputs(run_id) / f"{ARCHIVES}{new_id()}"
            folder.mkdir()
            part = folder / f"{ARCHIVE}.part"
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                for card, name in zip(found, names, strict=True):
                    if card.output is not None:
                        archive.write(card.output.video, f"{name}.mp4")
                        if card.output.manifest is not None:
                            archive.write(card.output.manifest, f"{name}.edit.json")
                archive.writestr(TABLE, _table(found, names))
            part.replace(folder / ARCHIVE)
        return folder / ARCHIVE


def _names(found: Sequence[Card]) -> list[str]:
    """What each clip is called in the archive, without a suffix; no two alike."""
    names: list[str] = []
    for card in found:
        stem = name = Path(safe_name(card.clip.name)).stem
        number = 1
        while name.lower() in (known.lower() for known in names):
            number += 1
            name = f"{stem} {number}"
        names.append(name)
    return names


def _table(found: Sequence[Card], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for card, name in zip(found, names, strict=True):
        video = "" if card.output is None else f"{name}.mp4"
        reason = f"same as {card.same}" if card.state == "same" else card.reason
        writer.writerow([safe_cell(text) for text in (card.clip.name, card.state, video, reason)])
    return text.getvalue()
