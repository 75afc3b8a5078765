"""Stitching tuning: the generator refitted so that the edited crop meets the source along the mask's border."""

from __future__ import annotations

import dataclasses
import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, Edit, Masks, Stitched, Tuned, check_same_frames
from stit_core.config import StitchConfig
from stit_core.errors import ArtefactMismatchError
from stit_core.fitting.frame_record import FrameRecord
from stit_core.fitting.optimising import (
    adam,
    adam_on,
    add_to_digest,
    check_finite,
    check_size,
    cosine_rate,
    load_checkpoint,
    own_copy,
    save_checkpoint,
    set_rate,
)
from stit_core.images import to_mask, to_model, to_picture
from stit_core.metrics import masked_loss
from stit_core.models.generator import BlockState, Generator
from stit_core.runtime import Runtime

STAGE = "stitch"
CHECKPOINT = "window{}.safetensors"  # two in turn: a frame needs the fits of the two windows around it
NOISE_FROM = 32  # pixels; noise planes up to here reach further than a border is wide, and stay
FINAL_RATE = 0.1  # of window_lr and, with windows, of lr: reached along a cosine at the end


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
    """Fit the tuned generator to its target on the border and to the edited crop on the content, frame by frame.

    The target is the source, as in STIT, or with config.target "pivot" the tuned pivot.

    window = 1 is STIT: every frame starts from the tuned weights with a fresh Adam. window > 1 first fits one set of
    weights to up to `window` neighbouring frames at once, going on from the window before, and then polishes each
    frame for a few steps, keeping the best picture on the way. A frame starts between the fits of the two windows
    whose middles it stands between, in proportion: were it to take its own window's, the picture would jump wherever
    one window ends and the next begins.
    Every frame is written when it is finished, the weights of a window when they are fitted: a run that was stopped
    goes on from there and ends with the same pictures as one that was not.

    Parameters
    ----------
    alignment, edit, masks, tuned: of the same T frames.
    generator: stays as it is; a single copy is fitted.
    config: the schedule; a frame is finished early when its border loss falls below config.threshold.
    runtime: one step an optimiser step; every finished frame is shown.
    folder: of this result, existing, private to it.

    Returns
    -------
    Stitched; its crops lie in `folder`/crops, its losses are those of the pictures before they were rounded.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames or sizes. ConfigError: crops of another size than the
    generator's. StitError: the loss is not finite any more.

    Source: STIT, section 4.4; noise planes as in Abdal et al., "Image2StyleGAN++" (2020); windows are ours.
    """
    check_same_frames(alignment, edit, masks, tuned)
    check_size(alignment.size, generator)
    if masks.size != alignment.size:
        message = f"The masks are {masks.size} px wide, the crops {alignment.size} px."
        raise ArtefactMismatchError(message, "Make the masks again from this alignment.")
    work = _Stitcher(alignment, edit, masks, tuned, generator, config, runtime, folder)
    work.report()
    work.run()
    return work.record.result()


@dataclasses.dataclass(frozen=True)
class _Frames:
    """What some frames are fitted to; the first dimension of every tensor counts the frames."""

    target: Tensor
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
        parts = (self.target[rows], self.border[rows], self.content[rows], self.w_plus[rows])
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
        self.alignment, self.edit, self.masks, self.pivots = alignment, edit, masks, tuned.w_plus
        self.config, self.runtime, self.folder = config, runtime, folder
        self.net = own_copy(generator, runtime.device, tuned.state)
        for name, block in self.net.blocks.items():
            block.requires_grad_(int(name[1:]) >= config.freeze_below)
        self.weights = [p for p in self.net.synthesis_parameters() if p.requires_grad]
        self.tuned = [p.detach().clone() for p in self.weights]
        self.noise_from = min(NOISE_FROM, self.net.resolution // 4)
        held = [size for size in self.net.channels if size < config.freeze_below]
        self.held = max(held) if held else None
        self.windows = window_ranges(len(alignment.frame_indices), config.window)
        self.fits: dict[int, list[Tensor]] = {}  # of the last two windows
        self.fingerprint = _fingerprint(alignment, edit, masks, tuned, config, runtime)
        self.record = FrameRecord(folder, alignment, self.fingerprint)

    def report(self) -> None:
        self.runtime.step(STAGE, len(self.record), len(self.alignment.frame_indices))

    def run(self) -> None:
        """Finish every frame that is not finished yet."""
        for position in range(len(self.alignment.frame_indices)):
            if position not in self.record.rows:
                frame = self.load_frames(range(position, position + 1))
                self.set_start(position)
                self.finish(position, *self.polish(frame))

    def set_start(self, position: int) -> None:
        """Set the weights from which the frame at `position` is polished."""
        if self.config.window == 1:
            self.set_weights(self.tuned)
            return
        left, right, share = between_windows(position, self.windows)
        before, after = self.fitted(left), self.fitted(right)
        self.set_weights(a.lerp(b, share) for a, b in zip(before, after, strict=True))

    def fitted(self, number: int) -> list[Tensor]:
        """The weights fitted to a window: those at hand, or on disk, or fitted now, from those of the window before."""
        if number in self.fits:
            return self.fits[number]
        file = self.folder / CHECKPOINT.format(number % 2)
        found = load_checkpoint(file)
        if found is not None and found[1] == self.facts(number):
            weights = [found[0][f"weight.{i}"].to(p) for i, p in enumerate(self.weights)]
        else:
            start = self.fitted(number - 1) if number > 0 else self.tuned
            weights = self.fit_window(number, start)
            save_checkpoint(file, {f"weight.{i}": weight for i, weight in enumerate(weights)}, self.facts(number))
            self.runtime.kept(STAGE)
        self.fits = {kept: fit for kept, fit in self.fits.items() if abs(kept - number) == 1} | {number: weights}
        return weights

    def facts(self, number: int) -> dict[str, object]:
        """What a window's checkpoint says of itself."""
        return {"fingerprint": self.fingerprint, "window": number}

    def fit_window(self, number: int, start: Sequence[Tensor]) -> list[Tensor]:
        """Fit shared weights to the frames of a window; gives a copy of them."""
        frames = self.load_frames(self.windows[number])
        self.set_weights(start)
        for weight in self.weights:
            weight.requires_grad_(True)
        optimiser = adam(self.net, self.config.window_lr)
        count = len(frames.target)
        batches = -(-count // self.config.batch_size)
        for step in range(self.config.window_steps):
            draw = np.random.default_rng([self.runtime.seed, number, step // batches])
            rows = draw.permutation(count)[step % batches * self.config.batch_size :][: self.config.batch_size]
            set_rate(optimiser, self.config.window_lr * cosine_rate(step, self.config.window_steps, FINAL_RATE))
            self.update(optimiser, self.forward(frames.pick(torch.from_numpy(rows))), step)
        return [p.detach().clone() for p in self.weights]

    def update(self, optimiser: torch.optim.Adam, result: _Result, step: int) -> None:
        """One step of the optimiser against the mean loss of some frames."""
        loss = result.loss(self.config.content_weight).mean()
        check_finite(float(loss.detach()), "stitching", step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        self.report()

    def polish(self, frame: _Frames) -> tuple[_Result, int]:
        """Fit the weights to one frame; gives the result and the steps it took.

        Noise planes reach detail of the border, such as strands of hair, that no few steps on the weights do, and leave
        the content nearly as it is, since a plane acts where it lies.
        STIT takes the last picture, at a constant rate. After a window's fit the first steps of a fresh Adam may lose
        ground: there the best picture is taken, and the rate falls, so that neighbours end alike, mostly at the last
        step, and not here and there on the way.
        """
        config = self.config
        noise: str | list[Tensor] = "const"
        groups: list[dict[str, Any]] = []
        if config.noise_lr > 0:
            noise = self.net.noise_planes()
            free = [plane.requires_grad_() for plane in noise if plane.shape[-1] > self.noise_from]
            groups.append({"params": free, "lr": config.noise_lr})
        if config.lr > 0:
            groups.append({"params": self.weights, "lr": config.lr})
        else:
            frame = self.started(frame)
        for weight in self.weights:
            weight.requires_grad_(config.lr > 0)
        optimiser = adam_on(groups)
        rates = [group["lr"] for group in optimiser.param_groups]
        threshold = -1.0 if config.threshold is None else config.threshold
        best: tuple[_Result, int] | None = None
        for step in range(config.steps + 1):
            with torch.set_grad_enabled(step < config.steps):
                result = self.forward(frame, noise)
            if config.window == 1 or best is None or result.cost(config) < best[0].cost(config):
                best = result.detached(), step
            if step == config.steps or float(result.border.detach()) < threshold:
                break
            if config.window > 1:
                factor = cosine_rate(step, config.steps, FINAL_RATE)
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
            self.update(optimiser, result, step)
        assert best is not None
        check_finite(best[0].cost(config), "stitching", best[1])
        return best

    @torch.no_grad()
    def started(self, frame: _Frames) -> _Frames:
        """The frame with the blocks run that no noise plane of the polish touches."""
        with self.runtime.autocast():
            styles = self.net.styles(frame.w_plus) if frame.styles is None else frame.styles
            start = self.net.run_blocks(styles, "const", state=frame.start, until=self.noise_from)
        return dataclasses.replace(frame, start=start)

    def forward(self, frame: _Frames, noise: str | Sequence[Tensor] = "const") -> _Result:
        """Pictures and losses of some frames with the weights as they stand."""
        with self.runtime.autocast():
            styles = self.net.styles(frame.w_plus) if frame.styles is None else frame.styles
            made = self.net.run_blocks(styles, noise, state=frame.start).image
        border = masked_loss(made, frame.target, frame.border, self.config.loss)
        return _Result(made, border, masked_loss(made, frame.edited, frame.content, "l2"))

    def set_weights(self, values: Iterable[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.weights, values, strict=True):
                parameter.copy_(value)

    @torch.no_grad()
    def load_frames(self, positions: range) -> _Frames:
        """Read crops, masks and latents of some frames and make their edited pictures; leaves the tuned weights set."""
        self.set_weights(self.tuned)
        device, names = self.runtime.device, [self.alignment.frame_indices[p] for p in positions]
        if self.config.target == "pivot":
            pivots = self.pivots[positions.start : positions.stop].to(device)
            target = torch.cat([self.net.synthesis(pivot[None]) for pivot in pivots])
        else:
            target = to_model(np.stack([self.alignment.crops.read(name) for name in names])).to(device)
        regions = [self.masks.read(name) for name in names]
        content = to_mask(np.stack([region.content for region in regions])).to(device)
        border = to_mask(np.stack([region.border for region in regions])).to(device)
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
        return _Frames(target, border, content, w_plus, styles, torch.cat(edited), start)

    def finish(self, position: int, result: _Result, steps: int) -> None:
        """Write a frame's picture, then its line in the record, and show it."""
        frame = self.alignment.frame_indices[position]
        picture = to_picture(result.images)[0]
        border, content = float(result.border), float(result.content)
        self.record.add(position, picture, border, content, steps)
        self.runtime.tell(STAGE, frame=frame, border=border, content=content, steps=steps)
        self.runtime.show(STAGE, frame, picture)
        self.report()
        self.runtime.kept(STAGE)


def window_ranges(frames: int, window: int) -> list[range]:
    """Cut `frames` positions into as few windows of at most `window` as there can be, alike in length to one frame."""
    count = -(-frames // window)
    return [range(frames * i // count, frames * (i + 1) // count) for i in range(count)]


def between_windows(position: int, windows: Sequence[range]) -> tuple[int, int, float]:
    """The two windows whose middles a position stands between and how far it is on the way, 0 at the first middle.

    Before the first middle and after the last there is one window only.
    """
    middles = [(window.start + window.stop - 1) / 2 for window in windows]
    right = bisect_left(middles, position)
    if right in (0, len(windows)):
        only = min(right, len(windows) - 1)
        return only, only, 0.0
    return right - 1, right, (position - middles[right - 1]) / (middles[right] - middles[right - 1])


def _fingerprint(
    alignment: Alignment, edit: Edit, masks: Masks, tuned: Tuned, config: StitchConfig, runtime: Runtime
) -> str:
    """What unfinished work must have been made from to be resumed."""
    digest = hashlib.sha256(repr((alignment.clip_hash, alignment.frame_indices, alignment.size)).encode())
    digest.update(repr((dataclasses.astuple(config), str(runtime.dtype), runtime.seed, masks.size)).encode())
    add_to_digest(digest, [edit.w_plus, *(edit.styles or ()), tuned.w_plus, *tuned.state.values()])
    return digest.hexdigest()
