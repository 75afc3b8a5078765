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
    adam,
    check_finite,
    check_size,
    cosine_rate,
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
WINDOW_FINAL_RATE = 0.1  # of window_lr, reached along a cosine at the end of a window's fit


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
    weights to `window` neighbouring frames at once, going on from the window before, and
    then polishes each frame from there, keeping the best picture on the way; neighbours share their start, so they stay
    alike and need few steps.
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

    Source: STIT, section 4.4; windows are ours.
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


@dataclasses.dataclass(frozen=True)
class _Result:
    """Pictures (B, 3, R, R), border losses (B,) and content losses (B,) in STIT's units."""

    images: Tensor
    border: Tensor
    content: Tensor

    def loss(self, content_weight: float) -> Tensor:
        return self.border + content_weight * self.content

    def cost(self, config: StitchConfig) -> float:
        """The loss of a single frame as a number."""
        return float(self.loss(config.content_weight).detach())

    def detached(self) -> _Result:
        return _Result(self.images.detach(), self.border.detach(), self.content.detach())


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
        if self.config.window > 1:
            self.fit_window(number, frames)
        shared = [p.detach().clone() for p in self.weights]
        for row, position in enumerate(positions):
            if position not in self.record:
                self.set_weights(shared)
                self.finish(position, *self.polish(frames.pick(torch.tensor([row]))))

    def fit_window(self, number: int, frames: _Frames) -> None:
        """Fit shared weights to a window, going on from the window before, or take the fit from disk."""
        file = self.folder / CHECKPOINT
        found = load_checkpoint(file)
        if found is not None and found[1].get("fingerprint") == self.fingerprint:
            tensors, facts = found
            if facts["window"] in (number, number - 1):
                self.set_weights([tensors[f"weight.{i}"] for i in range(len(self.weights))])
            if facts["window"] == number:
                return
        optimiser = adam(self.net, self.config.window_lr)
        count = len(frames.source)
        batches = -(-count // self.config.batch_size)
        for step in range(self.config.window_steps):
            draw = np.random.default_rng([self.runtime.seed, number, step // batches])
            rows = draw.permutation(count)[step % batches * self.config.batch_size :][: self.config.batch_size]
            rate = cosine_rate(step, self.config.window_steps, WINDOW_FINAL_RATE)
            for group in optimiser.param_groups:
                group["lr"] = self.config.window_lr * rate
            self.update(optimiser, self.forward(frames.pick(torch.from_numpy(rows))), step)
        tensors = {f"weight.{i}": p for i, p in enumerate(self.weights)}
        save_checkpoint(file, tensors, {"fingerprint": self.fingerprint, "window": number})

    def update(self, optimiser: torch.optim.Adam, result: _Result, step: int) -> None:
        """One step of the optimiser against the mean loss of some frames."""
        loss = result.loss(self.config.content_weight).mean()
        check_finite(float(loss.detach()), "stitching", step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        self.report()

    # --- one frame ---

    def polish(self, frame: _Frames) -> tuple[_Result, int]:
        """Fit the weights to one frame; gives the result and the steps it took.

        STIT takes the last picture. After a window's fit the first steps of a fresh Adam may lose ground, so that there
        the best picture is taken.
        """
        config = self.config
        optimiser = adam(self.net, config.lr)
        threshold = -1.0 if config.threshold is None else config.threshold
        best: tuple[_Result, int] | None = None
        for step in range(config.steps + 1):
            with torch.set_grad_enabled(step < config.steps):
                result = self.forward(frame)
            if config.window == 1 or best is None or result.cost(config) < best[0].cost(config):
                best = result.detached(), step
            if step == config.steps or float(result.border.detach()) < threshold:
                break
            self.update(optimiser, result, step)
        assert best is not None
        check_finite(best[0].cost(config), "stitching", best[1])
        return best

    def forward(self, frame: _Frames) -> _Result:
        """Pictures and losses of some frames with the weights as they stand."""
        with self.runtime.autocast():
            styles = self.net.styles(frame.w_plus) if frame.styles is None else frame.styles
            made = self.net.run_blocks(styles, "const", state=frame.start).image
        border = masked_loss(made, frame.source, frame.border, self.config.loss)
        return _Result(made, border, masked_loss(made, frame.edited, frame.content, "l2"))

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

    def finish(self, position: int, result: _Result, steps: int) -> None:
        """Write a frame's picture, then its line in the record, and show it."""
        frame = self.alignment.frame_indices[position]
        picture = to_picture(result.images)[0]
        self.crops.write(frame, picture)
        border, content = float(result.border), float(result.content)
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
