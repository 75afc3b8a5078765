"""The page: widgets -> settings -> pipeline; errors -> messages. Run it with `python app.py`."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from page import words
from page.jobs import Jobs, Watch, Work
from page.settings import read_settings
from page.visits import Sweeper, Visits, new_id
from stit_core.artefacts import Alignment, Clip
from stit_core.config import RunConfig, preset
from stit_core.directions import Card, list_directions
from stit_core.errors import Cancelled, ConfigError, StitError
from stit_core.memory import keep_freed_memory
from stit_core.packs import Models, find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.report import Report
from stit_core.runtime import CancelToken, Preview, Runtime, pick_device, pick_dtype
from stit_core.store import disk_errors

try:
    SETTINGS = read_settings(os.environ)
except StitError as error:
    sys.exit(str(error))
# Gradio serves this folder and no other; it reads the variable while it is imported.
os.environ["GRADIO_TEMP_DIR"] = str(SETTINGS.served)

import gradio as gr

from page import steps as widgets

LOG = logging.getLogger("stit_studio")
HERE = Path(__file__).resolve().parent
SAMPLES = {
    path.stem.replace("-", " ").replace("_", " "): path for path in sorted((HERE / "assets/clips").glob("*.mp4"))
}
VISITS = Visits(SETTINGS)
JOBS = Jobs()
VISITORS: dict[str, str] = {}  # session of the browser -> id
SHOWN_CROPS = 12
REFRESH_SECONDS = 0.3
QUEUE_LENGTH = 20
CLIP, ALIGN, TUNE, EDIT, WATCH = 1, 2, 3, 4, 5  # steps

Handler = Callable[..., Iterator[tuple[Any, ...]]]


# --- From widgets to settings -------------------------------------------------------------------------------------


@functools.cache
def shared_models() -> Models:
    """The pack's networks, shared by all visitors; each is read when it is first needed."""
    return load_models(find_pack(SETTINGS.pack), pick_device(SETTINGS.device))


def read_config(
    start: float | None,
    end: float | None,
    face: float | None,
    center_sigma: float,
    xy_sigma: float,
    scale: float,
    preset_name: str = "balanced",
) -> RunConfig:
    """The settings of a run as the widgets have them. Raises: ConfigError."""
    chosen = None if face is None or face < 1 else int(face) - 1
    changes: dict[str, dict[str, Any]] = {
        "video": {
            "start": start or None,
            "end": end or None,
            "max_seconds": SETTINGS.max_seconds,
            "max_megabytes": SETTINGS.max_mb,
        },
        "landmarks": {"face": chosen},
        "alignment": {"center_sigma": center_sigma, "xy_sigma": xy_sigma, "scale": scale},
    }
    return preset(preset_name, shared_models().pack.schedules).with_changes(changes)


def open_pipeline(
    run_id: str, config: RunConfig, watch: Watch, token: CancelToken, preview: Preview | None = None
) -> Pipeline:
    """The stages for one visitor's clip, reporting to `watch`."""
    device = shared_models().device
    dtype = pick_dtype(config.preset, device)
    runtime = Runtime(device=device, dtype=dtype, progress=watch.progress, preview=preview, cancel=token)
    return Pipeline(shared_models(), VISITS.store(run_id), config, runtime)


def read_clip(clip: str | None) -> Path:
    """The chosen file. Raises: StitError where there is none."""
    if not clip:
        raise StitError("There is no clip yet.", "Upload one or pick a sample.")
    path = Path(clip)
    VISITS.keep(path)
    return path


# --- Handlers -----------------------------------------------------------------------------------------------------


def heavy(outputs: int) -> Callable[[Callable[..., Iterator[tuple[Any, ...]]]], Handler]:
    """Make a handler of `outputs` outputs, the first being the status line, that ends in words whatever happens.

    The handler is called with the id, the stop token of its reserved job, and the values of the widgets.
    """

    def wrap(handler: Callable[..., Iterator[tuple[Any, ...]]]) -> Handler:
        @functools.wraps(handler)
        def told(run_id: str, *values: Any) -> Iterator[tuple[Any, ...]]:
            unchanged = tuple(gr.skip() for _ in range(outputs - 1))
            token = None
            try:
                token = JOBS.start(run_id)
                with disk_errors("A file of this run"):
                    yield from handler(run_id, token, *values)
            except Cancelled:
                yield words.status(words.STOPPED, "stopped"), *unchanged
            except StitError as error:
                if token is not None and token.is_set():  # what Stop interrupted complained about it
                    yield words.status(words.STOPPED, "stopped"), *unchanged
                    return
                yield words.status(str(error), "failed"), *unchanged
                raise gr.Error(words.error_text(error), duration=None, print_exception=False) from None
            except Exception:  # the last boundary before the browser: logged here, told in plain words there
                LOG.exception("%s failed", handler.__name__)
                yield words.status("Something went wrong on the server.", "failed"), *unchanged
                message = "Something went wrong on the server. Nothing finished is lost: press the same button again."
                raise gr.Error(message, duration=None, print_exception=False) from None
            finally:
                JOBS.finish(run_id)

        return told

    return wrap


def reserve(run_id: str) -> str:
    """Announce a job, so that Stop reaches it while it waits for its turn."""
    try:
        JOBS.reserve(run_id)
    except StitError as error:
        raise gr.Error(words.error_text(error), print_exception=False) from None
    return words.status(words.WAITING, "busy")


def stop(run_id: str) -> None:
    """Stop the visitor's own job."""
    gr.Info("Stopping …" if JOBS.stop(run_id) else "Nothing is at work.", duration=3)


def arrive(request: gr.Request) -> str:
    """Begin a visit; the id is kept in the session on the server and is never sent to the browser."""
    run_id = new_id()
    VISITORS[str(request.session_hash)] = run_id
    return run_id


def leave(request: gr.Request) -> None:
    """The tab was closed: nobody waits for the work any more."""
    run_id = VISITORS.pop(str(request.session_hash), None)
    if run_id is not None:
        JOBS.stop(run_id)


def pick_sample(name: str | None) -> str | None:
    """The file of a sample clip."""
    if name not in SAMPLES:
        return None
    try:
        return str(VISITS.sample(SAMPLES[name]))
    except StitError as error:
        raise gr.Error(words.error_text(error), print_exception=False) from None


@heavy(outputs=4)
def find_face(run_id: str, token: CancelToken, clip: str | None, *values: Any) -> Iterator[tuple[Any, ...]]:
    """Steps 1 and 2: read the clip, track the face and show the aligned crops."""
    path, watch = read_clip(clip), Watch()
    pipeline = open_pipeline(run_id, read_config(*values), watch, token)

    def align() -> tuple[Clip, Alignment]:
        opened = pipeline.open(path)
        return opened, pipeline.align(opened)

    with Work(align, token) as work:
        while work.running(REFRESH_SECONDS):
            yield words.progress(watch), gr.skip(), gr.skip(), gr.skip()
    opened, crops = work.result()
    frames = crops.frame_indices
    shown = [frames[i * (len(frames) - 1) // max(1, SHOWN_CROPS - 1)] for i in range(SHOWN_CROPS)]
    gallery = [crops.crops.read(frame) for frame in dict.fromkeys(shown)]
    summary = words.found_face(opened, pipeline.landmarks(opened), crops)
    yield words.status("The face was found.", "done"), gallery, summary, gr.Walkthrough(selected=ALIGN)


@heavy(outputs=3)
def tune(run_id: str, token: CancelToken, clip: str | None, *values: Any) -> Iterator[tuple[Any, ...]]:
    """Step 3: pivots and pivotal tuning, the face and its fit side by side."""
    path, watch = read_clip(clip), Watch()

    def preview(stage: str, frame: int, fitted: np.ndarray) -> None:
        if stage == "tune" and watch.wants_picture:
            watch.put(frame, np.hstack([pipeline.align(pipeline.open(path)).crops.read(frame), fitted]))

    pipeline = open_pipeline(run_id, read_config(*values), watch, token, preview)

    def fit() -> float:
        return pipeline.tune(pipeline.open(path)).psnr

    with Work(fit, token) as work:
        while work.running(REFRESH_SECONDS):
            shown = watch.take()
            yield words.progress(watch), gr.skip() if shown is None else shown[1], gr.skip()
    text = words.tuned_face(work.result())
    last = watch.take()
    yield words.status("The generator fits the face.", "done"), gr.skip() if last is None else last[1], text


@heavy(outputs=8)
def make_video(run_id: str, token: CancelToken, clip: str | None, *values: Any) -> Iterator[tuple[Any, ...]]:
    """Steps 4 and 5: edit, stitch and write the video; frames appear as they are made."""
    *settings, names, first, second, third = values
    edits = tuple(zip(names or (), (first, second, third), strict=False))
    if not any(factor for _, factor in edits):
        raise ConfigError("Nothing to change was chosen.", "Choose a direction and a factor other than 0.")
    config = read_config(*settings).with_changes({"edit": {"directions": edits}})
    path, watch = read_clip(clip), Watch()
    output = VISITS.outputs(run_id) / f"{'_'.join(f'{name}{factor:+.3g}' for name, factor in edits)}_{new_id()[:6]}.mp4"

    def preview(stage: str, frame: int, crop: np.ndarray) -> None:
        if stage == "stitch" and watch.wants_picture:
            watch.put(frame, pipeline.preview_frame(pipeline.open(path), frame, crop))

    pipeline = open_pipeline(run_id, config, watch, token, preview)
    hidden = gr.Column(visible=False)
    yield words.progress(watch), gr.Walkthrough(selected=WATCH), gr.Image(None, visible=True), hidden, *(None,) * 4
    keep = (gr.skip(),) * 5
    with Work(lambda: pipeline.run(path, output), token) as work:
        while work.running(REFRESH_SECONDS):
            shown = watch.take()
            yield words.progress(watch), gr.skip(), gr.skip() if shown is None else shown[1], *keep
    report: Report = work.result()
    files = [str(report.output), str(report.manifest)]
    before = gr.Video(str(path), playback_position=config.video.start or 0)
    told = "\n\n".join([words.finished(report), *report.warnings])
    result = gr.Column(visible=True), before, files[0], files, told
    yield words.status("The video is finished.", "done"), gr.skip(), gr.Image(visible=False), *result


def show_factors(names: list[str] | None) -> list[Any]:
    """One slider for each chosen direction."""
    cards = {card.name: card for card in read_cards()}
    chosen = [cards[name] for name in names or () if name in cards]
    shown = [gr.Slider(visible=True, label=words.factor_label(card)) for card in chosen[: widgets.SLIDERS]]
    return shown + [gr.Slider(visible=False)] * (widgets.SLIDERS - len(shown))


def read_cards() -> list[Card]:
    """The cards of the pack's directions; none where the pack cannot be read, which the first run then explains."""
    try:
        return list_directions(shared_models().pack)
    except StitError as error:
        LOG.warning("%s", error)
        return []


# --- The page -----------------------------------------------------------------------------------------------------


def build() -> gr.Blocks:
    """Widgets and what they call."""
    with gr.Blocks(title="STIT Studio", analytics_enabled=False) as page:
        run_id = gr.State("")
        gr.Markdown("# STIT Studio\nEdit the face in a video and stitch it back, so that nobody sees the seam.")
        with gr.Row(equal_height=True):
            status = gr.HTML(words.status("Upload a clip or pick a sample."), elem_id="status")
            stop_button = gr.Button("Stop", variant="stop", scale=0, elem_id="stop")
        with gr.Walkthrough(selected=CLIP, elem_id="steps") as steps:
            with gr.Step("Clip", id=CLIP):
                clip, sample, start, end, find_button = widgets.build_clip_step(SETTINGS, SAMPLES)
            with gr.Step("Align", id=ALIGN):
                gallery, summary, face, smoothing, again_button, to_tune = widgets.build_align_step()
            with gr.Step("Tune", id=TUNE):
                preset_name, tune_button, fitted, tuned, to_edit = widgets.build_tune_step()
            with gr.Step("Edit", id=EDIT):
                names, factors, make_button = widgets.build_edit_step(read_cards())
            with gr.Step("Watch", id=WATCH):
                live, result, before, after, files, measures, another = widgets.build_watch_step()

        found = [clip, start, end, face, *smoothing]
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

        def on_click(button: gr.Button, handler: Handler, inputs: list[Any], outputs: list[Any]) -> None:
            reserved = button.click(reserve, run_id, status, queue=False, **private)
            reserved.success(
                handler, [run_id, *inputs], [status, *outputs], concurrency_id="heavy", concurrency_limit=1, **private
            )

        for button in (find_button, again_button):
            on_click(button, find_face, found, [gallery, summary, steps])
        on_click(tune_button, tune, [*found, preset_name], [fitted, tuned])
        edit_outputs = [steps, live, result, before, after, files, measures]
        on_click(make_button, make_video, [*found, preset_name, names, *factors], edit_outputs)
        stop_button.click(stop, run_id, None, queue=False, **private)
        sample.change(pick_sample, sample, clip, queue=False, **private)
        names.change(show_factors, names, factors, queue=False, **private)
        for button, step in ((to_tune, TUNE), (to_edit, EDIT), (another, EDIT)):
            button.click(functools.partial(gr.Walkthrough, selected=step), None, steps, queue=False, **private)
        page.load(arrive, None, run_id, queue=False, **private)
        page.unload(leave)
    return page


demo = build()


def main() -> None:
    """Serve the page; gradio reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    keep_freed_memory()
    Sweeper(VISITS, JOBS).start()
    demo.queue(max_size=QUEUE_LENGTH).launch(
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css_paths=HERE / "page" / "page.css",
        max_file_size=f"{SETTINGS.max_mb:g}mb",
        allowed_paths=[],
        run_history=False,
        ssr_mode=False,
        footer_links=["gradio"],
    )


if __name__ == "__main__":
    main()
