"""The widgets of each step; what they call is wired up in app.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import gradio as gr

from page import words
from page.settings import PageSettings
from stit_core.config import PRESETS, AlignmentConfig
from stit_core.directions import Card

SLIDERS = 3  # directions at once
FACTOR_LIMIT = 10.0


def build_clip_step(
    settings: PageSettings, samples: Collection[str]
) -> tuple[gr.Video, gr.Radio, gr.Number, gr.Number, gr.Button]:
    """Step 1: upload, samples, trim."""
    with gr.Row():
        with gr.Column(scale=3):
            clip = gr.Video(label="Clip of a face", sources=["upload"], height=360, elem_id="clip")
        with gr.Column(scale=2):
            gr.Markdown(words.limits(settings), elem_classes="limits")
            sample = gr.Radio(list(samples), label="Or pick a sample", visible=bool(samples), elem_id="samples")
            with gr.Row():
                start = gr.Number(label="Start, seconds", value=0, minimum=0, elem_id="start")
                end = gr.Number(label="End (0: the last)", value=0, minimum=0, elem_id="end")
            find_button = gr.Button("Find the face", variant="primary", elem_id="find")
    return clip, sample, start, end, find_button


def build_align_step() -> tuple[gr.Gallery, gr.Markdown, gr.Number, list[gr.Slider], gr.Button, gr.Button]:
    """Step 2: crops, which face, smoothing."""
    defaults = AlignmentConfig()
    summary = gr.Markdown("No clip has been read yet.", elem_id="summary")
    gallery = gr.Gallery(
        label="Aligned crops along the clip", show_label=False, columns=6, height=340, buttons=[], elem_id="crops"
    )
    with gr.Accordion("Another face, smoothing", open=False):
        face = gr.Number(label="Face: 1 is the largest", value=1, minimum=1, precision=0, elem_id="face")
        sliders = [
            gr.Slider(0, 10, defaults.center_sigma, step=0.5, label="Smoothing of the centre, frames"),
            gr.Slider(0, 10, defaults.xy_sigma, step=0.5, label="Smoothing of size and tilt, frames"),
            gr.Slider(0.8, 1.5, defaults.scale, step=0.05, label="Size of the crop"),
        ]
        again = gr.Button("Align again", elem_id="again")
    onward = gr.Button("Continue to tuning", variant="primary", elem_id="to-tune")
    return gallery, summary, face, sliders, again, onward


def build_tune_step() -> tuple[gr.Radio, gr.Button, gr.Image, gr.Markdown, gr.Button]:
    """Step 3: preset, start, preview."""
    choices = [
        ("draft: a first look", "draft"),
        ("balanced", "balanced"),
        ("paper: the published schedule, slow", "paper"),
    ]
    known = [choice for choice in choices if choice[1] in PRESETS]
    preset_name = gr.Radio(known, value="balanced", label="How thorough", elem_id="preset")
    start = gr.Button("Start tuning", variant="primary", elem_id="tune")
    label = "The face in the clip (left), the generator's fit (right)"
    fitted = gr.Image(label=label, interactive=False, height=320, format="jpeg", buttons=[], elem_id="fitted")
    tuned = gr.Markdown(elem_id="tuned")
    onward = gr.Button("Choose what to change", elem_id="to-edit")
    return preset_name, start, fitted, tuned, onward


def build_edit_step(cards: Sequence[Card]) -> tuple[gr.Dropdown, list[gr.Slider], gr.Button]:
    """Step 4: directions and factors."""
    choices = [(card.title or card.name, card.name) for card in cards]
    label = f"What to change, up to {SLIDERS}"
    names = gr.Dropdown(choices, value=[], multiselect=True, max_choices=SLIDERS, label=label, elem_id="directions")
    factors = [
        gr.Slider(-FACTOR_LIMIT, FACTOR_LIMIT, 2, step=0.1, visible=False, label="Factor", elem_id=f"factor-{i}")
        for i in range(SLIDERS)
    ]
    return names, factors, gr.Button("Make the video", variant="primary", elem_id="make")


def build_watch_step() -> tuple[gr.Image, gr.Column, gr.Video, gr.Video, gr.File, gr.Markdown, gr.Button]:
    """Step 5: frames as they are made, then the finished video and its figures in the place of them."""
    live = gr.Image(
        label="Frames as they are made", interactive=False, height=420, format="jpeg", buttons=[], elem_id="live"
    )
    with gr.Column(visible=False, elem_id="result") as result:
        with gr.Row():
            before = gr.Video(label="Before", interactive=False, buttons=[], elem_id="before")
            after = gr.Video(label="After", interactive=False, elem_id="after")
        measures = gr.Markdown(elem_id="measures")
        files = gr.File(label="Video and edit manifest", interactive=False, elem_id="files")
    return live, result, before, after, files, measures, gr.Button("Another factor or direction", elem_id="another")
