"""What the player shows: the frames of one edit as they are made, their measures and, at the end, the two videos.

A feed lies in a folder of its own, so that memory does not grow with the clip and a reload, another device or a restart
of the server finds it again:

    feed.json         id, frame rate, number of frames, size
    log.jsonl         one line for each picture that was put, in the order in which they came
    frames/           {frame:06d}-before.jpg and {frame:06d}-after.jpg
    finished.json     the two videos, once they are written
"""

from __future__ import annotations

import json
import math
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from page.studio.job import JobEnded
from stit_core.store.disk import disk_errors, write_json

ID_BYTES = 16  # 128 random bits: whoever has the id may look
LONGEST_SIDE = 1280  # pixels of a picture in the player; the finished video keeps its own size
QUALITY = 88  # JPEG
MAX_NEWS = 5000  # frames told of in one reply
MAX_FRAMES = 24  # pictures of so many frames in one reply
MAX_BYTES = 3_000_000  # of pictures in one reply, unless a single frame is larger
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_WHAT = "The player's folder"

Phase = Literal["working", "stopped", "finished"]


@dataclass(frozen=True)
class ClipFacts:
    """What a player has to know before the first frame: frames a second, frames, pixels."""

    frame_rate: float
    total: int
    width: int
    height: int


@dataclass(frozen=True)
class Finished:
    """The videos of a finished edit; both must lie where the page may serve files.

    Attributes
    ----------
    edited: the result.
    source: the clip before the edit; None where it cannot be served, then its frames are shown.
    start: seconds into the source at which the first edited frame stands.
    sound: whether the result has sound.
    """

    edited: Path
    source: Path | None = None
    start: float = 0.0
    sound: bool = False


@dataclass(frozen=True)
class News:
    """One frame that was put: its number, the seam's error and the identity's cosine, where they are known."""

    frame: int
    seam: float | None = None
    identity: float | None = None


class Feed:
    """One edit's frames for the player; written by the job, read by the browser's requests, from any thread."""

    def __init__(self, folder: Path, feed_id: str, facts: ClipFacts) -> None:
        self.folder, self.id, self.facts = folder, feed_id, facts
        self.phase: Phase = "working"
        self.finished: Finished | None = None
        self._epoch = secrets.token_hex(4)  # positions in the log hold for this opening of the folder only
        self._log: list[News] = []
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path, facts: ClipFacts) -> Feed:
        """Begin a feed in an empty folder. Raises: StoreError."""
        feed = cls(folder, secrets.token_urlsafe(ID_BYTES), facts)
        with disk_errors(_WHAT):
            (folder / "frames").mkdir(parents=True, exist_ok=True)
            (folder / "finished.json").unlink(missing_ok=True)
            (folder / "log.jsonl").write_text("")
            write_json(folder / "feed.json", {"id": feed.id, **asdict(facts)})
        return feed

    @classmethod
    def open(cls, folder: Path) -> Feed:
        """Find a feed again, as it was when the last frame was put. Raises: StoreError."""
        with disk_errors(_WHAT):
            record = json.loads((folder / "feed.json").read_text())
            lines = (folder / "log.jsonl").read_text().splitlines()
        feed = cls(folder, record.pop("id"), ClipFacts(**record))
        feed._log = list(_read_log(lines))
        feed.phase = "stopped"
        ending = folder / "finished.json"
        if ending.is_file():
            told = json.loads(ending.read_text())
            source = Path(told["source"]) if told["source"] else None
            feed.finished = Finished(Path(told["edited"]), source, told["start"], told["sound"])
            feed.phase = "finished"
        return feed

    def put(
        self,
        frame: int,
        before: np.ndarray,
        after: np.ndarray,
        seam: float | None = None,
        identity: float | None = None,
    ) -> None:
        """Show a frame; again for a frame that was made anew.

        Parameters
        ----------
        frame: its number in the clip, from 0.
        before, after: (H, W, 3) uint8 RGB, the source's frame and the edited one.
        seam: the border's error, lower is better; identity: cosine, 1 is the same person.

        Raises
        ------
        ValueError: the clip has no such frame. StoreError: the disk is full.
        """
        if not 0 <= frame < self.facts.total:
            raise ValueError(f"The clip has frames 0 to {self.facts.total - 1}, not {frame}.")
        news = News(frame, _finite(seam), _finite(identity))
        with disk_errors(_WHAT):
            for side, picture in (("before", before), ("after", after)):
                _write_picture(self._picture(frame, side), picture)
        self._note(news)

    def measure(self, frame: int, seam: float | None, identity: float | None) -> None:
        """Tell a frame's measures once they are known; the frame must have been put."""
        self._note(News(frame, _finite(seam), _finite(identity)))

    def finish(self, finished: Finished) -> None:
        """The videos are written: the player goes over to them. Raises: StoreError."""
        with disk_errors(_WHAT):
            record = {**asdict(finished), "edited": str(finished.edited)}
            write_json(self.folder / "finished.json", {**record, "source": finished.source and str(finished.source)})
        with self._lock:
            self.finished, self.phase = finished, "finished"

    def set_phase(self, phase: Phase) -> None:
        """Say that the work was stopped, or goes on."""
        with self._lock:
            self.phase = phase

    def state(self, epoch: str, since: int) -> dict[str, Any]:
        """What is new since position `since` of the log of the opening `epoch`; everything for another opening."""
        with self._lock:
            start = min(since, len(self._log)) if epoch == self._epoch else 0
            fresh = self._log[start : start + MAX_NEWS]
            more = len(self._log) > start + len(fresh)
            phase = self.phase
        return {
            "known": True,
            "id": self.id,
            "epoch": self._epoch,
            "start": start,
            "since": start + len(fresh),
            "more": more,
            "phase": phase,
            **asdict(self.facts),
            "frames": [news.frame for news in fresh],
            "seam": [news.seam for news in fresh],
            "identity": [news.identity for news in fresh],
        }

    def pictures(self, frames: list[int], other: Feed | None = None) -> list[tuple[int, bytes | None, bytes | None]]:
        """Frame, before and after as JPEG for as many of `frames` as fit into a reply; None for what is not there.

        With another feed of the same clip, what that has after the edit is the before.
        """
        found: list[tuple[int, bytes | None, bytes | None]] = []
        size = 0
        for frame in frames[:MAX_FRAMES]:
            before = self._read_picture(frame, "before") if other is None else other._read_picture(frame, "after")
            after = self._read_picture(frame, "after")
            size += len(before or b"") + len(after or b"")
            if found and size > MAX_BYTES:
                break
            found.append((frame, before, after))
        return found

    def _note(self, news: News) -> None:
        line = json.dumps(asdict(news)) + "\n"
        with self._lock:
            with disk_errors(_WHAT), (self.folder / "log.jsonl").open("a") as file:
                file.write(line)
            self._log.append(news)

    def _picture(self, frame: int, side: str) -> Path:
        return self.folder / "frames" / f"{frame:06d}-{side}.jpg"

    def _read_picture(self, frame: int, side: str) -> bytes | None:
        try:
            return self._picture(frame, side).read_bytes()
        except OSError:  # not made yet, or deleted: the player says so
            return None


class Feeds:
    """The feeds that may be looked at, by their ids."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._feeds: dict[str, Feed] = {}

    def create(self, folder: Path, facts: ClipFacts) -> Feed:
        """Begin a feed in an empty folder. Raises: StoreError."""
        return self._add(Feed.create(folder, facts))

    def open(self, folder: Path) -> Feed:
        """The feed of a folder, the one at work where there is one. Raises: StoreError."""
        with self._lock:
            for feed in self._feeds.values():
                if feed.folder == folder:
                    return feed
        return self._add(Feed.open(folder))

    def get(self, feed_id: str) -> Feed | None:
        """The feed with this id, or None where there is none or its folder was deleted."""
        if not _ID.fullmatch(feed_id):
            return None
        with self._lock:
            feed = self._feeds.get(feed_id)
        if feed is not None and not feed.folder.is_dir():
            self.forget(feed_id)
            return None
        return feed

    def forget(self, feed_id: str) -> None:
        """Let nobody look at a feed any more; its folder is not touched."""
        with self._lock:
            self._feeds.pop(feed_id, None)

    def clear_after(self, event: JobEnded) -> None:
        """Remember nothing of feeds whose folders the end of an edit left over."""
        if event.kind == "edit":
            self.forget_deleted()

    def forget_deleted(self) -> None:
        """Remember nothing of feeds whose folders were deleted."""
        with self._lock:
            self._feeds = {name: feed for name, feed in self._feeds.items() if feed.folder.is_dir()}

    def _add(self, feed: Feed) -> Feed:
        with self._lock:
            return self._feeds.setdefault(feed.id, feed)


def _finite(value: float | None) -> float | None:
    """A figure as JSON can carry it, to six digits."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _read_log(lines: list[str]) -> Iterator[News]:
    for line in lines:
        try:
            yield News(**json.loads(line))
        except (ValueError, TypeError):  # the line that was being written when the power went
            return


def _write_picture(path: Path, picture: np.ndarray) -> None:
    image = Image.fromarray(picture)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    part = path.with_suffix(".part")
    image.save(part, format="JPEG", quality=QUALITY)
    part.replace(path)
