"""Pictures of the page for the documentation: every step and tab in light, dark and on a phone, and the player at work.

    python -m benchmarks.screenshots [--out docs/page] [--sizes light dark phone wide] [--format webp] [--runs FOLDER]

Serves the real app on a free port, goes the whole way with `heads-256` on the start of a sample clip in the preset
Draft, and writes SIZE-NAME.webp for each step and tab, light-tuning and light-stitching while work goes on, and
player.webp, an animation of the divider. With --runs the runs are kept there, and a later call takes its pictures of
the same finished run again, which needs no heavy work. Needs Chromium; ends with an error if the browser complained.
"""

from __future__ import annotations

import argparse
import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.page_server import (
    Server,
    choose_edit,
    choose_sample,
    find_face,
    open_browser,
    run_of,
    serve,
    start_tuning,
    visit,
)

SECONDS = 1.0  # of the sample that are edited
SUGGESTION = "Smile"
SIZES: dict[str, dict[str, Any]] = {  # what the browser's window is like
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 375, "height": 812},
        "color_scheme": "light",
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "phone-dark": {"viewport": {"width": 375, "height": 812}, "color_scheme": "dark", "device_scale_factor": 2},
    "wide": {"viewport": {"width": 3840, "height": 2160}, "color_scheme": "light"},
}
STEPS = ("Clip", "Align", "Tune", "Edit", "Watch")
TABS = ("Clips", "Directions", "Review", "About")
SETTLE = 1500  # milliseconds after which what was asked for has been drawn
QUALITY = 84  # WebP
ANIMATED = {"viewport": {"width": 720, "height": 900}, "color_scheme": "light"}
TURNS = 40  # pictures of the animation
TURN_MILLISECONDS = 80


def main() -> None:
    """Read the arguments, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/page"))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["light", "dark", "phone"])
    parser.add_argument("--format", choices=["webp", "png"], default="webp")
    parser.add_argument("--runs", type=Path, help="folder of an earlier call's run, shown again if it is there")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with _folder(arguments.runs) as folder, serve(folder, {}) as server, open_browser() as browser:
        camera = Camera(arguments.out, arguments.format)
        known = folder / "shown.txt"
        if not known.is_file():
            known.write_text(go_the_way(browser, server, camera))
        for size in arguments.sizes:
            with visit(browser, server, run=known.read_text(), **SIZES[size]) as tab:
                show_all(tab.page, camera, size)
        with visit(browser, server, run=known.read_text(), **ANIMATED) as tab:
            animate(tab.page, arguments.out / "player.webp")


class Camera:
    """Writes what a tab shows."""

    def __init__(self, out: Path, kind: str) -> None:
        self.out, self.kind = out, kind

    def take(self, page: Page, name: str) -> None:
        """The whole page, from its head to its foot."""
        page.wait_for_timeout(SETTLE)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        path = self.out / f"{name}.{self.kind}"
        picture.save(path, **({"quality": QUALITY, "method": 6} if self.kind == "webp" else {"optimize": True}))
        print(f"{path}  {picture.width} x {picture.height}  {path.stat().st_size // 1024} kB", flush=True)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
    else:
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)


def go_the_way(browser: Browser, server: Server, camera: Camera) -> str:
    """From the open page to a finished video; the run's id. What only shows while work goes on is taken on the way."""
    with visit(browser, server, **SIZES["light"]) as tab:
        page = tab.page
        page.locator("#samples button").first.wait_for()
        camera.take(page, "light-start")
        choose_sample(page, SECONDS)
        find_face(page)
        start_tuning(page)
        page.locator("#fitted img").nth(2).wait_for()
        camera.take(page, "light-tuning")
        choose_edit(page, SUGGESTION)
        page.locator("#make").click()
        page.wait_for_function("document.querySelector('.stit-player')?.dataset.phase === 'working'")
        page.wait_for_timeout(2 * SETTLE)
        camera.take(page, "light-stitching")
        page.locator("#measures .measures").wait_for()
        return run_of(page)


def show_all(page: Page, camera: Camera, size: str) -> None:
    """Every step and tab of a finished run."""
    page.locator("#measures .measures").wait_for()
    page.locator("#status .warming").wait_for(state="hidden")
    for number, step in reversed(list(enumerate(STEPS))):  # gradio lets a visitor go back, not on
        page.locator("#steps .step-button").nth(number).click()
        _wait_for_step(page, step)
        camera.take(page, f"{size}-{number + 1}-{step.lower()}")
    for tab in TABS:
        _open_tab(page, tab)
        if tab == "Directions":
            page.locator("#library .direction img").first.wait_for()
        camera.take(page, f"{size}-{tab.lower()}")


def _open_tab(page: Page, tab: str) -> None:
    """On a phone, where not all of them fit, the others stand in a menu."""
    place = page.get_by_role("tab", name=tab)
    if not place.is_visible():
        page.locator(".overflow-menu > button").click()
        place = page.locator(".overflow-dropdown button", has_text=tab)
    place.click()


def _wait_for_step(page: Page, step: str) -> None:
    if step == "Watch":
        page.locator(".stit-player .unmade").wait_for(state="hidden")
    if step == "Clip":
        page.locator("#trim .trim-film img").first.wait_for()
    if step == "Align":
        page.locator("#crops img").first.wait_for()
    if step == "Tune":
        page.locator("#fitted img").nth(2).wait_for()
    if step == "Edit":
        page.locator("#wipe .wipe-after").first.wait_for()
        page.locator("#dials .card img").last.wait_for()


def animate(page: Page, path: Path) -> None:
    """The player with its divider going to and fro while the clip goes on."""
    page.locator("#measures .measures").wait_for()
    player, pictures = page.locator(".stit-player"), page.locator(".stit-player .pictures")
    _wait_for_step(page, "Watch")
    player.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLE)
    box, shown = pictures.bounding_box(), []
    assert box is not None
    for turn in range(TURNS):
        share = 0.5 + 0.38 * math.sin(2 * math.pi * turn / TURNS)
        x, y = box["x"] + share * box["width"], box["y"] + box["height"] / 2
        if turn == 0:
            page.mouse.move(x, y)
            page.mouse.down()
        page.mouse.move(x, y)
        page.keyboard.press(".")
        page.wait_for_timeout(120)
        shown.append(Image.open(io.BytesIO(player.screenshot())).convert("RGB"))
    page.mouse.up()
    shown[0].save(
        path, save_all=True, append_images=shown[1:], duration=TURN_MILLISECONDS, loop=0, quality=60, method=4
    )
    print(f"{path}  {shown[0].width} x {shown[0].height}  {path.stat().st_size // 1024} kB", flush=True)


if __name__ == "__main__":
    main()
