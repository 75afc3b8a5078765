"""The page: settings -> studio -> widgets. Run it with `python app.py`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from page.settings import read_settings
from stit_core.errors import StitError
from stit_core.memory import keep_freed_memory
from stit_core.review.report import SCRIPT as REPORT_SCRIPT

try:
    SETTINGS = read_settings(os.environ)
except StitError as error:
    sys.exit(str(error))
# Gradio serves this folder and no other; it reads the variable while it is imported.
os.environ["GRADIO_TEMP_DIR"] = str(SETTINGS.served)
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # that it keeps, and reads again at every event
os.environ["GRADIO_SSR_MODE"] = "false"  # a Space sets it, and there the argument of launch is not looked at
os.environ["FORWARDED_ALLOW_IPS"] = ""  # of uvicorn: the guard reads what proxies say, of those in STIT_PROXY

import gradio as gr
import spaces  # noqa: F401  # before anything asks for CUDA: on a ZeroGPU Space it puts an imitation in its place

from page.server.guard import Guard
from page.server.headers import SafeHeaders, inline_scripts
from page.server.login import check_password
from page.server.logs import log_discreetly
from page.server.origins import accepted_origins
from page.server.proxies import trusted_proxies
from page.server.sessions import KEY_SCRIPT, MOST
from page.server.shapes import CheckedBlocks
from page.studio.disk import check_disk
from page.studio.feed import Feeds
from page.studio.health import read_health
from page.studio.studio import Studio
from page.studio.sweeper import Sweeper
from page.ui import html
from page.ui.address import RUN_SCRIPT
from page.ui.api import endpoints
from page.ui.components import build_brand
from page.ui.shell import ALIGN, CLIP, EDIT, LOOKS, PREVIEWS, REVIEW_TAB, STUDIO_TAB, TUNE, WATCH, Shell
from page.ui.step_align import AlignStep
from page.ui.step_clip import ClipStep
from page.ui.step_edit import EditStep
from page.ui.step_tune import TuneStep
from page.ui.step_watch import WatchStep
from page.ui.tab_about import build_about
from page.ui.tab_clips import ClipsTab
from page.ui.tab_directions import DirectionsTab
from page.ui.tab_review import ReviewTab
from page.ui.theme import WIDE_SCREENS, build_theme
from page.ui.words import labels

HERE = Path(__file__).resolve().parent
SAMPLES = {path.stem.replace("-", " "): path for path in sorted((HERE / "assets/clips").glob("*.mp4"))}
STYLES = [HERE / "page" / "ui" / "styles" / name for name in ("page.css", "widgets.css")]
QUEUE_LENGTH = 100  # of gradio's events, which are short; jobs wait in the studio's queue
IDLE_SECONDS = 0.02  # between two looks of gradio's queue for events; at its own 0.001 an idle page is never idle
PROGRESS_SECONDS = 0.5  # and for progress of gradio's own kind, which the page does not use
API_CALLS = 8  # at once of a kind
SPARE_CALLS = 4  # of edits, beyond those whose jobs may wait, which are answered that they may not
THREADS = 40 + SETTINGS.queue_length + SPARE_CALLS  # the latter for calls that wait for their jobs


def build(studio: Studio) -> gr.Blocks:
    """Widgets and what they call."""
    with CheckedBlocks(title=labels.PAGE_TITLE, analytics_enabled=False) as page:
        with gr.Row(elem_id="head"):
            build_brand()
        shell = Shell(studio)
        with shell.build_tabs():
            with gr.Tab(labels.STUDIO_TAB, id=STUDIO_TAB), shell.build_steps():
                with gr.Step(labels.CLIP_STEP, id=CLIP):
                    clip = ClipStep(shell)
                with gr.Step(labels.ALIGN_STEP, id=ALIGN):
                    align = AlignStep(shell)
                with gr.Step(labels.TUNE_STEP, id=TUNE) as step:
                    tune = TuneStep(shell, step)
                with gr.Step(labels.EDIT_STEP, id=EDIT) as step:
                    edit = EditStep(shell, step)
                with gr.Step(labels.WATCH_STEP, id=WATCH) as step:
                    watch = WatchStep(shell, step)
            with gr.Tab(labels.CLIPS_TAB) as tab:
                clips = ClipsTab(shell, tab)
            with gr.Tab(labels.DIRECTIONS_TAB) as tab:
                directions = DirectionsTab(shell, tab)
            with gr.Tab(labels.REVIEW_TAB, id=REVIEW_TAB) as tab:
                review = ReviewTab(shell, tab, watch)
            with gr.Tab(labels.ABOUT_TAB):
                build_about(studio.networks.pack)
        shell.build_visit()
        arrival = shell.wire(page)
        for part in (clip, align, tune, edit, watch, clips, directions, review):
            part.wire(arrival)
        for function in endpoints(studio):
            name = function.__name__
            limits = LOOKS if name == "preflight" else {"concurrency_limit": API_CALLS, "concurrency_id": name}
            if name == "edit":  # the studio's queue says who has to wait, and who may not
                limits["concurrency_limit"] = studio.settings.queue_length + SPARE_CALLS
            gr.api(function, api_name=name, **{key: limits[key] for key in ("concurrency_limit", "concurrency_id")})
    for fn in page.fns.values():
        if fn.concurrency_id == PREVIEWS["concurrency_id"]:
            fn.concurrency_limit = studio.settings.previews
    page.queue(max_size=QUEUE_LENGTH)
    queue = page._queue  # no argument of gradio's says how often it looks
    queue.sleep_when_free, queue.progress_update_sleep_when_free = IDLE_SECONDS, PROGRESS_SECONDS
    return page


def guard() -> tuple[type[Guard], tuple[()], dict[str, Any]]:
    """What stands in front of gradio, as Starlette takes a middleware apart."""
    given = {
        "settings": SETTINGS,
        "origins": accepted_origins(os.environ, SETTINGS.origins),
        "proxies": trusted_proxies(os.environ, SETTINGS.proxies),
        "headers": SafeHeaders(SETTINGS.frame_ancestors, [*inline_scripts(KEY_SCRIPT + RUN_SCRIPT), REPORT_SCRIPT]),
        "health": lambda: read_health(studio.jobs, SETTINGS).as_json(),
    }
    return Guard, (), given


# Here and not in main(): what a ZeroGPU Space lends its card to is placed while the program is loaded, by this thread.
studio = Studio(SETTINGS, samples=SAMPLES, feeds=Feeds())
demo = build(studio)


def main() -> None:
    """Serve the page; gradio reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    log_discreetly(SETTINGS)
    keep_freed_memory()
    try:
        check_disk(SETTINGS.root)
    except StitError as error:
        sys.exit(str(error))
    studio.warm_up()
    Sweeper(studio.sweep).start()
    demo.launch(
        theme=build_theme(),
        css_paths=STYLES,
        head=WIDE_SCREENS + KEY_SCRIPT + RUN_SCRIPT,
        max_file_size=SETTINGS.upload_bytes,
        auth=check_password(SETTINGS.password) if SETTINGS.password else None,  # type: ignore[arg-type] # it awaits
        auth_message=html.login() if SETTINGS.password else None,
        app_kwargs={"middleware": [guard()]},
        state_session_capacity=MOST,
        allowed_paths=[],
        run_history=False,
        max_threads=THREADS,
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        footer_links=["api"],
    )


if __name__ == "__main__":
    main()
