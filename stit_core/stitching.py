"""Stitching tuning: the generator refitted so that the edited crop meets the source along the mask's border."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, Edit, FrameFolder, Masks, Stitched, Tuned, check_same_frames
from stit_core.config import StitchConfig
from stit_core.errors import ArtefactMismatchError
from stit_core.fitting import (
    RowAdam,
    adam,
    check_finite,
    check_size,
    load_checkpoint,
    own_copy,
    save_checkpoint,
)
from stit_core.images import to_mask, to_model, to_picture
from stit_core.metrics import masked_loss
from stit_core.models.generator import BlockState, Generator
from stit_core.runtime import Runtime

STAGE = "stitch"
PICTURES = "crops"
RECORD = "frames.jsonl"
CHECKPOINT = "window.safetensors"


def stitch(
    alignment: Alignment,
    edit: Edit,
    masks: Masks,
    tuned: Tuned,
    generator: Generator,
    config: StitchConfig,
    runtime: Runtime,
    folder: Path,
) -> Stitched:
    """Fit the tuned generator to the source on the border and to the edited crop on the content, frame by frame.

    window = 1 is STIT: every frame starts from the tuned weights with a fresh Adam. window > 1 first fits one set of
    weights (and a style offset a frame) to `window` neighbouring frames at once, going on from the window before, and
    then polishes each frame from there; neighbours share their start, so they stay alike and need few steps.
    Every frame is written when it is finished, the weights of a window when they are fitted: a run that was stopped
    goes on from there and ends with the same pictures as one that was not.

    Parameters
    ----------
    alignment, edit, masks, tuned: of the same T frames.
    generator: stays as it is; a single copy is fitted.
    config: the schedule; a frame is finished early when its border loss falls below config.threshold.
    runtime: told at every optimiser step, shown every finished frame.
    folder: of this result, existing, private to it.

    Returns
    -------
    Stitched; its crops lie in `folder`/crops, its losses are those of the pictures before they were rounded.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames or sizes. ConfigError: crops of another size than the
    generator's. StitError: the loss is not finite any more.

    Source: STIT, section 4.4; windows and style offsets are ours.
    """
    check_same_frames(alignment, edit, masks, tuned)
    check_size(alignment.size, generator)
    if masks.size != alignment.size:
        message = f"The masks are {masks.size} px wide, the crops {alignment.size} px."
        raise ArtefactMismatchError(message, "Make the masks again from this alignment.")
    work = _Stitcher(alignment, edit, masks, tuned, generator, config, runtime, folder)
    frames = len(alignment.frame_indices)
    work.report()
    for start in range(0, frames, config.window):
        work.run_window(start // config.window, range(start, min(start + config.window, frames)))
    rows = [work.record[position] for position in range(frames)]
    border, content, steps = (np.asarray([row[name] for row in rows]) for name in ("border", "content", "steps"))
    return Stitched(alignment.clip_hash, alignment.frame_indices, work.crops, border, content, steps)


@dataclasses.dataclass(frozen=True)
class _Frames:
    """What some frames are fitted to; the first dimension of every tensor counts the frames."""

    source: Tensor
    border: Tensor
    content: Tensor
    w_plus: Tensor
    styles: tuple[Tensor, ...] | None
    edited: Tensor
    start: BlockState | None

    def pick(self, rows: Tensor) -> _Frames:
        styles = None if self.styles is None else tuple(style[rows] for style in self.styles)
        start = self.start
        if start is not None:
            start = BlockState(start.resolution, start.features[rows], start.image[rows])
        parts = (self.source[rows], self.border[rows], self.content[rows], self.w_plus[rows])
        return _Frames(*parts, styles, self.edited[rows], start)


class _Stitcher:
    """One generator's copy on its way through the clip, and the record of the frames that are finished."""

    def __init__(
        self,
        alignment: Alignment,
        edit: Edit,
        masks: Masks,
        tuned: Tuned,
        generator: Generator,
        config: StitchConfig,
        runtime: Runtime,
        folder: Path,
    ) -> None:
        self.alignment, self.edit, self.masks = alignment, edit, masks
        self.config, self.runtime, self.folder = config, runtime, folder
        self.net = own_copy(generator, runtime.device, tuned.state)
        for name, block in self.net.blocks.items():
            block.requires_grad_(int(name[1:]) >= config.freeze_below)
        self.weights = [p for p in self.net.synthesis_parameters() if p.requires_grad]
        self.tuned = [p.detach().clone() for p in self.weights]
        held = [size for size in self.net.channels if size < config.freeze_below]
        self.held = max(held) if held else None
        self.crops = FrameFolder(folder / PICTURES, alignment.frame_indices)
        self.crops.path.mkdir(exist_ok=True)
        self.fingerprint = _fingerprint(alignment, edit, masks, tuned, config, runtime)
        self.record = self.read_record()

    def report(self) -> None:
        self.runtime.step(STAGE, len(self.record), len(self.alignment.frame_indices))

    # --- one window ---

    def run_window(self, number: int, positions: range) -> None:
        """Fit the frames at `positions` together, then finish those that are not finished yet."""
        if all(position in self.record for position in positions):
            return
        self.set_weights(self.tuned)
        frames = self.load_frames(positions)
        offsets = [torch.zeros_like(style) for style in self.base_styles(frames)]
        if self.config.window > 1:
            offsets = self.fit_window(number, frames, offsets)
        shared = [p.detach().clone() for p in self.weights]
        for row, position in enumerate(positions):
            if position not in self.record:
                self.set_weights(shared)
                index = torch.tensor([row])
                self.finish(position, *self.polish(frames.pick(index), [offset[index] for offset in offsets]))

    def fit_window(self, number: int, frames: _Frames, offsets: list[Tensor]) -> list[Tensor]:
        """Fit shared weights and per-frame style offsets to a window, or take the fit from disk; gives the offsets."""
        file = self.folder / CHECKPOINT
        found = load_checkpoint(file)
        if found is not None and found[1].get("fingerprint") != self.fingerprint:
            found = None
        if found is not None and found[1].get("window") in (number, number - 1):
            self.set_weights([found[0][f"weight.{i}"] for i in range(len(self.weights))])
            if found[1]["window"] == number:
                return [found[0][f"offset.{i}"].to(self.runtime.device) for i in range(len(offsets))]
        tables = [RowAdam(offset) for offset in offsets]
        optimiser = adam(self.net, self.config.lr)
        count = len(frames.source)
        batches = -(-count // self.config.batch_size)
        for step in range(self.config.window_steps):
            draw = np.random.default_rng([self.runtime.seed, number, step // batches])
            rows = draw.permutation(count)[step % batches * self.config.batch_size :][: self.config.batch_size]
            self.window_step(frames, torch.from_numpy(rows), tables, optimiser, step)
            self.report()
        tensors: dict[str, Tensor] = {f"weight.{i}": p for i, p in enumerate(self.weights)}
        tensors |= {f"offset.{i}": table.table for i, table in enumerate(tables)}
        save_checkpoint(file, tensors, {"fingerprint": self.fingerprint, "window": number})
        return [table.table for table in tables]

    def window_step(
        self, frames: _Frames, rows: Tensor, tables: Sequence[RowAdam], optimiser: torch.optim.Adam, step: int
    ) -> None:
        """One update of the shared weights and of the offsets of the frames `rows`."""
        part = frames.pick(rows)
        offsets = [table.table[rows].requires_grad_(self.config.offset_lr > 0) for table in tables]
        _, border, content = self.forward(part, offsets)
        loss = (border + self.config.content_weight * content).mean()
        check_finite(float(loss.detach()), "stitching", step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        for table, offset in zip(tables, offsets, strict=True):
            if offset.grad is not None:
                table.step(rows, offset.grad, self.config.offset_lr)

    # --- one frame ---

    def polish(self, frame: _Frames, offsets: list[Tensor]) -> tuple[Tensor, float, float, int]:
        """Fit the weights to one frame; gives its picture (1, 3, R, R), border and content loss and the steps."""
        config = self.config
        optimiser = adam(self.net, config.lr)
        threshold = -1.0 if config.threshold is None else config.threshold
        for step in range(config.steps):
            made, border, content = self.forward(frame, offsets)
            if float(border.detach()) < threshold:
                return made.detach(), float(border.detach()), float(content.detach()), step
            loss = (border + config.content_weight * content).mean()
            check_finite(float(loss.detach()), "stitching", step)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            self.report()
        with torch.no_grad():
            made, border, content = self.forward(frame, offsets)
        check_finite(float(border), "stitching", config.steps)
        return made, float(border), float(content), config.steps

    def forward(self, frame: _Frames, offsets: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, 3, R, R), border losses (B,) and content losses (B,) with the weights as they stand."""
        with self.runtime.autocast():
            styles = [base + offset for base, offset in zip(self.base_styles(frame), offsets, strict=True)]
            made = self.net.run_blocks(styles, "const", state=frame.start).image
        border = masked_loss(made, frame.source, frame.border, self.config.loss)
        content = masked_loss(made, frame.edited, frame.content, "l2")
        return made, border, content

    def base_styles(self, frame: _Frames) -> Sequence[Tensor]:
        return self.net.styles(frame.w_plus) if frame.styles is None else frame.styles

    def set_weights(self, values: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.weights, values, strict=True):
                parameter.copy_(value)

    # --- input and output ---

    @torch.no_grad()
    def load_frames(self, positions: range) -> _Frames:
        """Read crops, masks and latents of some frames and make their edited pictures; the weights must be tuned."""
        device, names = self.runtime.device, [self.alignment.frame_indices[p] for p in positions]
        source = to_model(np.stack([self.alignment.crops.read(name) for name in names])).to(device)
        painted = np.stack([self.masks.pictures.read(name) for name in names])
        content, border = (to_mask(painted[..., channel]).to(device) for channel in (0, 1))
        rows = slice(positions.start, positions.stop)
        styles = None if self.edit.styles is None else tuple(style[rows].to(device) for style in self.edit.styles)
        w_plus = self.edit.w_plus[rows].to(device)
        edited, starts = [], []
        for row in range(len(names)):
            own = self.net.styles(w_plus[row : row + 1]) if styles is None else [s[row : row + 1] for s in styles]
            state = None if self.held is None else self.net.run_blocks(own, "const", until=self.held)
            edited.append(self.net.run_blocks(own, "const", state=state).image)
            if state is not None:
                starts.append(state)
            self.report()
        start = None
        if starts:
            features, image = torch.cat([s.features for s in starts]), torch.cat([s.image for s in starts])
            start = BlockState(starts[0].resolution, features, image)
        return _Frames(source, border, content, w_plus, styles, torch.cat(edited), start)

    def finish(self, position: int, made: Tensor, border: float, content: float, steps: int) -> None:
        """Write a frame's picture, then its line in the record, and show it."""
        frame = self.alignment.frame_indices[position]
        picture = to_picture(made)[0]
        self.crops.write(frame, picture)
        row: dict[str, float | int] = {"position": position, "border": border, "content": content, "steps": steps}
        with (self.folder / RECORD).open("a") as handle:
            handle.write(json.dumps(row) + "\n")
        self.record[position] = row
        self.runtime.show(STAGE, frame, picture)
        self.report()

    def read_record(self) -> dict[int, dict[str, float | int]]:
        """The frames that an earlier, stopped run of the same work finished; a line cut off half-way is left out."""
        file = self.folder / RECORD
        head = json.dumps({"fingerprint": self.fingerprint})
        lines = file.read_text().splitlines() if file.is_file() else []
        found: dict[int, dict[str, float | int]] = {}
        if lines and lines[0] == head:
            for line in lines[1:]:
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if self.crops.file(self.alignment.frame_indices[row["position"]]).is_file():
                    found[row["position"]] = row
        file.write_text("\n".join([head, *map(json.dumps, found.values())]) + "\n")
        return found


def _fingerprint(
    alignment: Alignment, edit: Edit, masks: Masks, tuned: Tuned, config: StitchConfig, runtime: Runtime
) -> str:
    """What unfinished work must have been made from to be gone on with."""
    digest = hashlib.sha256(repr((alignment.clip_hash, alignment.frame_indices, alignment.size)).encode())
    digest.update(repr((dataclasses.astuple(config), str(runtime.dtype), runtime.seed, masks.size)).encode())
    for tensor in (edit.w_plus, *(edit.styles or ()), *tuned.state.values()):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
