"""Pivotal tuning: the generator's weights fitted to a clip's crops around their pivots."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stit_core.artefacts import Alignment, Inversion, Tuned, TuningPass, check_same_frames
from stit_core.config import TuningConfig
from stit_core.errors import ConfigError
from stit_core.fitting.expression import fit_expression
from stit_core.fitting.key_frames import between, key_rows, steady
from stit_core.fitting.optimising import (
    RowAdam,
    adam,
    adam_state,
    add_to_digest,
    check_finite,
    check_size,
    cosine_rate,
    cpu_state,
    load_adam_state,
    load_checkpoint,
    own_copy,
    save_checkpoint,
    set_rate,
)
from stit_core.images import to_model, to_picture
from stit_core.metrics import psnr
from stit_core.models.generator import Generator, SynthesisBlock
from stit_core.models.interfaces import Perceptual
from stit_core.runtime import Runtime

STAGE = "tune"
CHECKPOINT = "progress.safetensors"
EXPRESSED = "expressed.safetensors"
# Bytes of perceptual features that are kept, reached by two seconds of a 256 px clip, so that memory does not grow with
# a longer one; of frames beyond they are computed again, which costs little beside a step of the generator.
TARGET_MEMORY = 128 * 2**20


def tune(
    alignment: Alignment,
    inversion: Inversion,
    generator: Generator,
    perceptual: Perceptual,
    config: TuningConfig,
    runtime: Runtime,
    folder: Path,
    expressions: Tensor | None = None,
) -> Tuned:
    """Fit the generator to the crops: loss = l2_weight * MSE + lpips_weight * LPIPS, noise const.

    Frames come in order with batch_size 1 (STIT), shuffled by the run's seed otherwise. After every pass the state
    is kept in `folder`; a run that was stopped is resumed there and ends with the same weights as one that was not.

    With config.key_frames the cost does not grow with the clip: only these frames are fitted, and between them the
    pivots are the encoder's plus what the fit added at the key frames around, by time. With config.expression the
    pivots are first moved along `expressions`, see stit_core/fitting/expression.py. With config.smoothing both the
    pivots before the fit and what it adds are steadied over time.

    Parameters
    ----------
    alignment, inversion: crops and pivots (T, L, 512) of the same frames.
    generator: stays as it is; a single copy is fitted.
    perceptual: on runtime.device, in eval mode, its parameters frozen.
    config: the schedule.
    runtime: one step an optimiser step; the middle frame is shown once per pass.
    folder: of this result, existing, private to it.
    expressions: directions (N, L, 512) for config.expression; None: there are none, and the pivots stay.

    Returns
    -------
    Tuned, on the CPU; psnr and lpips are means over the frames that were fitted.

    Raises
    ------
    ArtefactMismatchError: crops and pivots of different frames. ConfigError: crops of another size, or blocks that the
    generator does not have. StitError: the loss is not finite any more.

    Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (2022); STIT, section 4.2. Key
    frames, smoothing and a lower resolution are ours.
    """
    check_same_frames(alignment, inversion)
    check_size(alignment.size, generator)
    _check_blocks(config, generator)
    frames = alignment.frame_indices
    rows = key_rows(len(frames), config.key_frames)
    pivots = _expressed(alignment, inversion, rows, generator, config, runtime, folder / EXPRESSED, expressions)
    pivots = steady(pivots, frames, config.smoothing)
    fit = _Fit(*_at(rows, alignment, pivots), generator, perceptual, config, runtime)
    fit.load(folder / CHECKPOINT)
    fit.report()
    while fit.history_length < config.passes and not fit.good_enough():
        fit.run_pass()
        fit.save(folder / CHECKPOINT)
        runtime.kept(STAGE)
    decibels, lpips = fit.evaluate()
    history = np.asarray(fit.history, dtype=np.float64).reshape(-1, 4)
    w_plus = fit.pivots.table.clone()
    if len(rows) < len(frames):
        shifts = between(w_plus - pivots[rows], [frames[row] for row in rows], frames)
        w_plus = pivots + steady(shifts, frames, config.smoothing)
    elif config.smoothing > 0:
        w_plus = pivots + steady(w_plus - pivots, frames, config.smoothing)
    return Tuned(alignment.clip_hash, frames, w_plus, cpu_state(fit.net), history, decibels, lpips)


def _expressed(
    alignment: Alignment,
    inversion: Inversion,
    rows: np.ndarray,
    generator: Generator,
    config: TuningConfig,
    runtime: Runtime,
    file: Path,
    expressions: Tensor | None,
) -> Tensor:
    """The pivots (T, L, 512) with the expression of the crops, where that is asked for; kept in `file`."""
    pivots = inversion.w_plus.detach().float()
    if config.expression == 0 or expressions is None:
        return pivots
    facts = {"fingerprint": _fingerprint(alignment, inversion, generator, config, runtime, expressions)}
    found = load_checkpoint(file)
    if found is not None and found[1] == facts:
        return found[0]["w_plus"]
    moved = fit_expression(alignment, pivots, rows, generator, expressions, config.expression, runtime)
    save_checkpoint(file, {"w_plus": moved}, facts)
    runtime.kept(STAGE)
    return moved


def _at(rows: np.ndarray, alignment: Alignment, pivots: Tensor) -> tuple[Alignment, Inversion]:
    """The crops and pivots (T, L, 512) of the frames at positions `rows`."""
    frames = tuple(alignment.frame_indices[row] for row in rows)
    crops = dataclasses.replace(alignment, frame_indices=frames, quads=alignment.quads[rows])
    return crops, Inversion(alignment.clip_hash, frames, pivots[rows])


def _check_blocks(config: TuningConfig, generator: Generator) -> None:
    """Raise ConfigError where the settings name blocks that the generator does not have, or leave none to move."""
    sizes = sorted(generator.channels)
    named = ", ".join(map(str, sizes))
    if config.resolution is not None and config.resolution not in sizes:
        raise ConfigError(
            f"The generator has no block of {config.resolution} px.", f"Choose 'resolution' from {named}."
        )
    if config.lr > 0 and config.freeze_below > (config.resolution or sizes[-1]):
        message = f"With 'freeze_below' {config.freeze_below} there are no weights left to tune."
        raise ConfigError(message, f"Choose it from {named}, or set 'lr' to 0 to move the pivots alone.")


class _Fit:
    """The state of one tuning: weights, pivots, their optimisers and the history."""

    def __init__(
        self,
        alignment: Alignment,
        inversion: Inversion,
        generator: Generator,
        perceptual: Perceptual,
        config: TuningConfig,
        runtime: Runtime,
    ) -> None:
        self.alignment, self.config, self.runtime = alignment, config, runtime
        self.perceptual = perceptual
        self.net = own_copy(generator, runtime.device)
        self.until = config.resolution or generator.resolution
        self._hold_blocks()
        self.original = _Original(generator, runtime) if config.locality_weight > 0 else None
        self.optimiser = adam(self.net, config.lr, config.beta1, config.beta2) if config.lr > 0 else None
        self.pivots = RowAdam(inversion.w_plus.detach().float().clone(), config.beta1, config.beta2)
        self.history: list[TuningPass] = []
        self.features: dict[int, list[Tensor]] = {}
        self.features_bytes = 0
        self.frames = len(alignment.frame_indices)
        self.steps_per_pass = -(-self.frames // config.batch_size)
        self.total = self.steps_per_pass * (config.passes + 1)  # the last being the evaluation
        self.preview = self.frames // 2
        self.fingerprint = _fingerprint(alignment, inversion, generator, config, runtime)

    def _hold_blocks(self) -> None:
        """Ask for gradients of those weights only that shall move, which also saves computing the others."""
        for block in self.net.blocks.values():
            assert isinstance(block, SynthesisBlock)
            block.requires_grad_(self.config.lr > 0 and self.config.freeze_below <= block.resolution <= self.until)

    @property
    def history_length(self) -> int:
        return len(self.history)

    def good_enough(self) -> bool:
        """Whether the last pass reached the PSNR at which the user wants to stop."""
        target = self.config.target_psnr
        return target is not None and bool(self.history) and self.history[-1].psnr >= target

    def report(self, step_in_pass: int = 0) -> None:
        self.runtime.step(STAGE, self.history_length * self.steps_per_pass + step_in_pass, self.total)

    def run_pass(self) -> None:
        """Take every frame once and add the means before each update to the history."""
        order = np.arange(self.frames)
        if self.config.batch_size > 1:
            np.random.default_rng([self.runtime.seed, self.history_length]).shuffle(order)
        sums = np.zeros(4)
        for step, start in enumerate(range(0, self.frames, self.config.batch_size)):
            rows = order[start : start + self.config.batch_size]
            sums += len(rows) * np.asarray(self.step(rows, self.history_length * self.steps_per_pass + step))
            if start + self.config.batch_size < self.frames:
                self.report(step + 1)
        self.history.append(TuningPass(*(sums / self.frames).tolist()))
        self.tell(self.history[-1])
        self.report()

    def tell(self, row: TuningPass) -> None:
        """Report the means over a pass."""
        self.runtime.tell(STAGE, **row._asdict())

    def step(self, rows: np.ndarray, step: int) -> tuple[float, float, float, float]:
        """One update from the frames at positions `rows`; their mean L2, LPIPS, loss and PSNR before it."""
        config, device = self.config, self.runtime.device
        images, features = self.targets(rows)
        index = torch.from_numpy(rows)
        w_plus = self.pivots.table[index].to(device).requires_grad_(config.pivot_lr > 0)
        with self.runtime.autocast():
            made = self.net.run_blocks(self.net.styles(w_plus), "const", until=self.until).image
        lpips = self.perceptual.distance(self.perceptual.features(made), features)
        mse = (made.float() - images).square().mean(dim=(1, 2, 3))
        loss = config.l2_weight * mse.mean() + config.lpips_weight * lpips.float().mean()
        if self.original is not None:
            loss = loss + self.locality(w_plus.detach(), step)
        value = float(loss.detach())
        check_finite(value, "tuning", step)
        if self.optimiser is not None:
            self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.preview in rows:
            self.show(made.detach()[rows.tolist().index(self.preview)][None])
        self.move(index, w_plus, step)
        return (
            float(mse.detach().mean()),
            float(lpips.detach().mean()),
            value,
            float(psnr(made.detach(), images).mean()),
        )

    def move(self, index: Tensor, w_plus: Tensor, step: int) -> None:
        """Apply the gradients at the step's rate, to the weights and, where the settings say so, to the pivots."""
        config = self.config
        factor = cosine_rate(step, config.passes * self.steps_per_pass, config.final_lr)
        if self.optimiser is not None:
            set_rate(self.optimiser, config.lr * factor)
            self.optimiser.step()
        if w_plus.grad is not None:
            self.pivots.step(index, w_plus.grad, config.pivot_lr * factor)

    def show(self, made: Tensor) -> None:
        """Show the middle frame, made (1, 3, r, r) by this step; where that is too small, drawn again at full size."""
        if made.shape[-1] < self.net.resolution:
            with torch.no_grad(), self.runtime.autocast():
                made = self.net.synthesis(self.pivots.table[self.preview][None].to(self.runtime.device))
        self.runtime.show(STAGE, self.alignment.frame_indices[self.preview], to_picture(made)[0])

    def locality(self, w_plus: Tensor, step: int) -> Tensor:
        """PTI's regulariser: near the pivots, other faces keep the look that the untuned generator gives them."""
        assert self.original is not None
        near, before = self.original.near(w_plus, self.config, [self.runtime.seed, step])
        with self.runtime.autocast():
            after = self.net.synthesis(near, noise="none")
            with torch.no_grad():
                features = self.perceptual.features(before)
            lpips = self.perceptual.distance(self.perceptual.features(after), features).float().mean()
        mse = (after.float() - before.float()).square().mean()
        return self.config.locality_l2_weight * mse + self.config.locality_lpips_weight * lpips

    def targets(self, rows: np.ndarray) -> tuple[Tensor, list[Tensor]]:
        """Targets (B, 3, r, r) at positions `rows` and their features, each computed once while memory allows."""
        images = self.crops(rows)
        if self.until < self.net.resolution:
            images = shrink(images, self.until)
        found = [self.feature(int(row), images[place : place + 1]) for place, row in enumerate(rows)]
        return images, [torch.cat(parts) for parts in zip(*found, strict=True)]

    def feature(self, row: int, image: Tensor) -> list[Tensor]:
        """Features of the target (1, 3, r, r) at position `row`, from memory or computed now.

        Alone, since the bits of a convolution depend on the size of its batch: a run that goes on after a stop meets
        the frames in another order than one that was not stopped.
        """
        if row in self.features:
            return self.features[row]
        with torch.no_grad():  # in float32, once a frame: the last evaluation reads them too
            parts = self.perceptual.features(image)
        size = sum(part.numel() * part.element_size() for part in parts)
        if self.features_bytes + size <= TARGET_MEMORY:
            self.features[row] = parts
            self.features_bytes += size
        return parts

    def crops(self, rows: np.ndarray) -> Tensor:
        """Crops (B, 3, R, R) in [-1, 1] at positions `rows`."""
        pictures = np.stack([self.alignment.crops.read(self.alignment.frame_indices[row]) for row in rows])
        return to_model(pictures).to(self.runtime.device)

    def evaluate(self) -> tuple[float, float]:
        """Mean PSNR in dB and LPIPS over the frames, of the weights as they stand."""
        decibels = lpips = 0.0
        done = self.config.passes * self.steps_per_pass
        for step, start in enumerate(range(0, self.frames, self.config.batch_size)):
            rows = np.arange(start, min(start + self.config.batch_size, self.frames))
            images, features = self.targets(rows)
            with torch.no_grad():
                if self.until < self.net.resolution:
                    images = self.crops(rows)
                    features = self.perceptual.features(images)
                with self.runtime.autocast():
                    made = self.net.synthesis(self.pivots.table[torch.from_numpy(rows)].to(self.runtime.device))
                lpips += float(self.perceptual.distance(self.perceptual.features(made), features).sum())
            decibels += float(psnr(made, images).sum())
            self.runtime.step(STAGE, done + step + 1, self.total)
        return decibels / self.frames, lpips / self.frames

    def save(self, file: Path) -> None:
        """Keep everything that the next pass needs."""
        weights = {f"net.{name}": p for name, p in self.net.named_parameters() if p.requires_grad}
        pivots = self.pivots.state("pivots") if self.config.pivot_lr > 0 else {}
        facts = {"fingerprint": self.fingerprint, "history": self.history}
        moments = adam_state(self.optimiser) if self.optimiser is not None else {}
        save_checkpoint(file, {**weights, **pivots, **moments}, facts)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint of the same work, if there is one."""
        found = load_checkpoint(file)
        if found is None or found[1].get("fingerprint") != self.fingerprint:
            return
        tensors, facts = found
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(tensors[f"net.{name}"])
        if self.config.pivot_lr > 0:
            self.pivots.load("pivots", tensors)
        if self.optimiser is not None:
            load_adam_state(self.optimiser, tensors)
        history = facts["history"]
        assert isinstance(history, list)
        self.history = [TuningPass(*row) for row in history]
        for row in self.history:
            self.tell(row)


def shrink(images: Tensor, size: int) -> Tensor:
    """Pictures (B, 3, R, R) at (B, 3, size, size), each pixel the mean of what it covers."""
    return F.avg_pool2d(images, images.shape[-1] // size)


class _Original:
    """The generator as it was before tuning, for the locality regulariser; read only."""

    def __init__(self, generator: Generator, runtime: Runtime) -> None:
        self.net = own_copy(generator, runtime.device).requires_grad_(False)
        self.runtime = runtime

    def near(self, w_plus: Tensor, config: TuningConfig, seed: list[int]) -> tuple[Tensor, Tensor]:
        """Latents at distance locality_weight from the pivots towards random faces, and the untuned pictures there."""
        draw = np.random.default_rng(seed).standard_normal((len(w_plus), self.net.z_dim), dtype=np.float32)
        with torch.no_grad():
            other = self.net.mapping(torch.from_numpy(draw).to(w_plus.device), config.locality_truncation)
            way = other - w_plus
            length = way.flatten(1).norm(dim=1).clamp_min(1e-8)[:, None, None]
            near = w_plus + config.locality_weight * way / length
            with self.runtime.autocast():
                return near, self.net.synthesis(near, noise="none")


def _fingerprint(
    alignment: Alignment,
    inversion: Inversion,
    generator: Generator,
    config: TuningConfig,
    runtime: Runtime,
    *more: Tensor,
) -> str:
    """What a checkpoint must have been made from to be resumed."""
    digest = hashlib.sha256(repr((alignment.clip_hash, alignment.frame_indices)).encode())
    digest.update(repr((dataclasses.astuple(config), str(runtime.dtype), runtime.seed)).encode())
    add_to_digest(digest, [inversion.w_plus, *generator.state_dict().values(), *more])
    return digest.hexdigest()
