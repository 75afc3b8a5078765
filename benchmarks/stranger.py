"""A stranger's first visit, timed: the real app, Chromium, a sample clip, the preset Draft.

    python -m benchmarks.stranger [--seconds 3] [--warm] [--shots FOLDER]

Starts the app with nothing stored, opens its page, picks a sample, trims it, tunes, picks the ready-made change "Smile"
while the tuning is at work, and has the video made. Prints the seconds until each of these is on the screen, counted
from the choice of the sample. The browser draws without a graphics card and on the same cores as the work. With --warm
it waits until the networks are loaded before it picks the sample. Needs Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.page_server import choose_edit, choose_sample, find_face, open_browser, serve, start_tuning, visit

STITCHED = "document.querySelector('.stit-player')?.player?.feed.count > 0"
PLAYED = "document.querySelector('.stit-player')?.player?.media === 'video'"


def main() -> None:
    """Read the arguments, make the visit, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of the sample that are edited (default 3)")
    parser.add_argument("--warm", action="store_true", help="wait until the networks are loaded")
    parser.add_argument("--shots", type=Path, help="folder for a picture of the page at each moment")
    arguments = parser.parse_args()
    if arguments.shots is not None:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder), {}) as server, open_browser() as browser:
        answered = time.perf_counter()
        with visit(browser, server) as tab:
            tab.page.locator("#samples button img").first.wait_for()
            print(f"server answers             {answered - started:6.1f} s after its start")
            print(f"page with its samples      {time.perf_counter() - answered:6.1f} s after that", flush=True)
            if arguments.warm:
                tab.page.wait_for_timeout(1500)
                tab.page.locator("#status .warming").wait_for(state="hidden")
            make_video(tab.page, arguments.seconds, arguments.shots)


def make_video(page: Page, seconds: float, shots: Path | None) -> None:
    """From the samples to the finished video; prints when each thing was on the screen."""
    begun = time.perf_counter()

    def tell(what: str) -> None:
        print(f"{what:26} {time.perf_counter() - begun:6.1f} s after the sample was picked", flush=True)
        if shots is not None:
            page.screenshot(path=shots / f"{what.replace(' ', '-')}.png")

    choose_sample(page, seconds)
    tell("what was found in the clip")
    find_face(page)
    tell("crops")
    start_tuning(page)
    choose_edit(page, "Smile")
    tell("first preview of an edit")
    page.locator("#make").click()
    page.wait_for_function(STITCHED)
    tell("first stitched frame")
    page.locator("#measures .measures").wait_for()
    page.wait_for_function(PLAYED)
    tell("finished video")


if __name__ == "__main__":
    main()
