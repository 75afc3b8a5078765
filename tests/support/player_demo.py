"""The player on a page of its own, fed with drawn frames: `python -m tests.support.player_demo` to look at it by hand.

A feed is shown under ?feed=ID. `--drops` leaves frames out, `--shuffle` makes them in another order.
"""

from __future__ import annotations

import argparse
import colorsys
import math
import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw

from page.studio.feed import ClipFacts, Feed, Feeds, Finished
from page.ui.player import beside, build_player

RATE = 25.0


def draw_frame(frame: int, facts: ClipFacts, edited: bool) -> np.ndarray:
    """A head that moves from side to side over a soft background; edited, it is older. (H, W, 3) uint8."""
    width, height = facts.width, facts.height
    hue = 0.58 if not edited else 0.6
    rows = np.linspace(0.42, 0.18, height)[:, None, None]
    colour = np.array(colorsys.hsv_to_rgb(hue, 0.35, 1.0))
    image = Image.fromarray((255 * rows * colour * np.ones((1, width, 1))).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    size = min(width, height)
    x = width / 2 + 0.16 * width * math.sin(2 * math.pi * frame / 75)
    y = height * 0.52 + 0.02 * height * math.sin(2 * math.pi * frame / 31)

    def oval(dx: float, dy: float, wide: float, high: float, fill: tuple[int, int, int]) -> None:
        left, top = x + (dx - wide) * size, y + (dy - high) * size
        pen.ellipse((left, top, left + 2 * wide * size, top + 2 * high * size), fill=fill)

    hair = (188, 190, 196) if edited else (74, 52, 40)
    skin = (222, 178, 150) if edited else (232, 190, 160)
    oval(0, 0.5, 0.3, 0.28, (96, 108, 132))
    oval(0, -0.05, 0.235, 0.3, hair)
    oval(0, 0.03, 0.195, 0.25, skin)
    for side in (-1, 1):
        oval(0.08 * side, -0.03, 0.028, 0.018, (250, 250, 250))
        oval(0.08 * side + 0.006, -0.03, 0.013, 0.013, (60, 70, 90))
        oval(0.08 * side, -0.085, 0.045, 0.009, hair)
    oval(0, 0.15, 0.065, 0.022 if edited else 0.03, (186, 96, 92))
    if edited:
        for line in range(3):
            top = y + (-0.17 + 0.02 * line) * size
            pen.arc((x - 0.09 * size, top, x + 0.09 * size, top + 0.03 * size), 200, 340, fill=(186, 140, 116), width=2)
    return np.asarray(image)


def measures(frame: int, total: int) -> tuple[float, float]:
    """A seam's error and an identity's cosine that are good for most of the clip and bad in two places."""
    worst = math.exp(-(((frame / max(1, total) - 0.7) / 0.05) ** 2))
    return 0.002 + 0.0015 * abs(math.sin(frame / 9)) + 0.012 * worst, 0.95 - 0.02 * abs(
        math.sin(frame / 13)
    ) - 0.3 * worst


def put_frame(feed: Feed, frame: int) -> None:
    """Draw a frame and put it into the feed."""
    before, after = (draw_frame(frame, feed.facts, edited) for edited in (False, True))
    feed.put(frame, before, after, *measures(frame, feed.facts.total))


def write_video(path: Path, facts: ClipFacts, edited: bool, codec: str = "libx264") -> Path:
    """All frames as a video with a tone. `codec`: one that ffmpeg has."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    seconds = facts.total / facts.frame_rate
    command = [ffmpeg, "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{facts.width}x{facts.height}"]
    command += ["-r", str(facts.frame_rate), "-i", "-", "-f", "lavfi", "-i", f"sine=220:d={seconds}"]
    command += ["-c:v", codec, "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", "-movflags", "+faststart", str(path)]
    pictures = b"".join(draw_frame(frame, facts, edited).tobytes() for frame in range(facts.total))
    subprocess.run(command, input=pictures, check=True, capture_output=True)
    return path


def build(feeds: Feeds, busy: threading.Event) -> gr.Blocks:
    """The page: the player, a button that updates it, and a heavy job that lasts for as long as `busy` is not set."""

    def show(request: gr.Request) -> Any:
        asked = request.query_params
        feed, other = str(asked.get("feed", "")), asked.get("beside")
        return feed if other is None else beside(feed, str(other), ("One result", "The other"))

    def work() -> Iterator[str]:
        yield "at work"
        busy.wait(60)
        yield "done"

    with gr.Blocks(title="Player", analytics_enabled=False) as page:
        with gr.Tab("Watch"):
            player = build_player(feeds)
            with gr.Row():
                same = gr.Button("Send the same value", elem_id="same")
                label = gr.Button("Change the label", elem_id="label")
                other = gr.Textbox(label="Another feed", elem_id="other")
                heavy = gr.Button("Work", elem_id="work")
                said = gr.Textbox(label="Work", elem_id="said")
        with gr.Tab("Elsewhere"):
            gr.Markdown("Nothing is here.")
        quiet = {"queue": False, "show_progress": "hidden"}
        page.load(show, None, player, **quiet)
        same.click(lambda value: value, player, player, **quiet)
        label.click(lambda: gr.HTML(label=f"Label {random.random()}"), None, player, **quiet)
        other.submit(lambda value: value, other, player, **quiet)
        heavy.click(work, None, said, concurrency_limit=1)
    return page


def launch(feeds: Feeds, busy: threading.Event, served: Path, port: int | None = None) -> tuple[gr.Blocks, str]:
    """Serve the page; files below `served` may be fetched. Returns the page, to close it, and its address."""
    os.environ["GRADIO_TEMP_DIR"] = str(served)
    page = build(feeds, busy)
    theme = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    page.queue().launch(
        prevent_thread_lock=True,
        quiet=True,
        server_name="127.0.0.1",
        server_port=port,
        theme=theme,
        ssr_mode=False,
        run_history=False,
    )
    return page, str(page.local_url)


def main() -> None:
    """Make frames as slowly as a real run does and finish with the two videos."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360))
    parser.add_argument("--wait", type=float, default=0.2, help="seconds from frame to frame")
    parser.add_argument("--drops", action="store_true")
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--port", type=int, default=7870)
    arguments = parser.parse_args()
    facts = ClipFacts(RATE, arguments.frames, *arguments.size)
    with tempfile.TemporaryDirectory() as folder:
        feeds = Feeds()
        feed = feeds.create(Path(folder) / "feed", facts)
        _, address = launch(feeds, threading.Event(), Path(folder) / "served", arguments.port)
        print(f"{address}?feed={feed.id}", flush=True)
        order = list(range(facts.total))
        if arguments.shuffle:
            random.shuffle(order)
        for frame in order:
            if not (arguments.drops and frame % 7 == 3):
                put_frame(feed, frame)
            time.sleep(arguments.wait)
        served = Path(folder) / "served"
        served.mkdir(exist_ok=True)
        edited, source = (write_video(served / f"{name}.mp4", facts, name == "edited") for name in ("edited", "source"))
        feed.finish(Finished(edited, source, sound=True))
        threading.Event().wait()


if __name__ == "__main__":
    main()
