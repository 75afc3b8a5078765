"""Pivotal tuning: the generator's weights fitted to a clip's crops around their pivots."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, Inversion, Tuned, check_same_frames
from stit_core.config import TuningConfig
from stit_core.fitting import (
    RowAdam,
    adam,
    adam_state,
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
from stit_core.models.generator import Generator
from stit_core.runtime import Runtime

STAGE = "tune"
CHECKPOINT = "progress.safetensors"
HISTORY = ("l2", "lpips", "loss", "psnr")  # of a pass
TARGET_MEMORY = 384 * 2**20  # bytes of perceptual features that are kept; frames beyond are computed again


class Perceptual(Protocol):
    """What tuning needs of a perceptual distance."""

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images (B, 3, R, R) in [-1, 1], the first dimension of each being B."""
        ...

    def distance(self, features_a: list[Tensor], features_b: list[Tensor]) -> Tensor:
        """Distances (B,) between two sets of features."""
        ...


def tune(
    alignment: Alignment,
    inversion: Inversion,
    generator: Generator,
    perceptual: Perceptual,
    config: TuningConfig,
    runtime: Runtime,
    folder: Path,
) -> Tuned:
    """Fit the generator to the crops: loss = l2_weight * MSE + lpips_weight * LPIPS, noise const.

    Frames come in order with batch_size 1 (STIT), shuffled by the run's seed otherwise. After every pass the state
    is kept in `folder`; a run that was stopped goes on from there and ends with the same weights as one that was not.

    Parameters
    ----------
    alignment, inversion: crops and pivots (T, L, 512) of the same frames.
    generator: stays as it is; a single copy is fitted.
    perceptual: on runtime.device, in eval mode, its parameters frozen.
    config: the schedule.
    runtime: told at every optimiser step; shown the middle frame once per pass.
    folder: of this result, existing, private to it.

    Returns
    -------
    Tuned, on the CPU.

    Raises
    ------
    ArtefactMismatchError: crops and pivots of different frames. ConfigError: crops of another size.
    StitError: the loss is not finite any more.

    Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (2022); STIT, section 4.2.
    """
    check_same_frames(alignment, inversion)
    check_size(alignment.size, generator)
    fit = _Fit(alignment, inversion, generator, perceptual, config, runtime)
    fit.load(folder / CHECKPOINT)
    fit.report()
    while fit.history_length < config.passes and not fit.good_enough():
        fit.run_pass()
        fit.save(folder / CHECKPOINT)
    decibels, lpips = fit.evaluate()
    history = np.asarray(fit.history, dtype=np.float64).reshape(-1, 4)
    frames = alignment.frame_indices
    return Tuned(alignment.clip_hash, frames, fit.pivots.table.clone(), cpu_state(fit.net), history, decibels, lpips)


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
        self.original = _Original(generator, runtime) if config.locality_weight > 0 else None
        self.optimiser = adam(self.net, config.lr, config.beta1, config.beta2)
        self.pivots = RowAdam(inversion.w_plus.detach().float().clone(), config.beta1, config.beta2)
        self.history: list[list[float]] = []
        self.features: dict[int, list[Tensor]] = {}
        self.features_bytes = 0
        self.frames = len(alignment.frame_indices)
        self.steps_per_pass = -(-self.frames // config.batch_size)
        self.total = self.steps_per_pass * (config.passes + 1)  # the last being the evaluation
        self.preview = self.frames // 2
        self.fingerprint = _fingerprint(alignment, inversion, generator, config, runtime)

    @property
    def history_length(self) -> int:
        return len(self.history)

    def good_enough(self) -> bool:
        """Whether the last pass reached the PSNR at which the user wants to stop."""
        target = self.config.target_psnr
        return target is not None and bool(self.history) and self.history[-1][3] >= target

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
        self.history.append((sums / self.frames).tolist())
        self.tell(self.history[-1])
        self.report()

    def tell(self, row: list[float]) -> None:
        """Report the means over a pass."""
        self.runtime.tell(STAGE, **dict(zip(HISTORY, row, strict=True)))

    def step(self, rows: np.ndarray, step: int) -> tuple[float, float, float, float]:
        """One update from the frames at positions `rows`; their mean L2, LPIPS, loss and PSNR before it."""
        config, device = self.config, self.runtime.device
        images, features = self.targets(rows)
        index = torch.from_numpy(rows)
        w_plus = self.pivots.table[index].to(device).requires_grad_(config.pivot_lr > 0)
        with self.runtime.autocast():
            made = self.net.synthesis(w_plus, noise="const")
        lpips = self.perceptual.distance(self.perceptual.features(made), features)
        mse = (made.float() - images).square().mean(dim=(1, 2, 3))
        loss = config.l2_weight * mse.mean() + config.lpips_weight * lpips.float().mean()
        if self.original is not None:
            loss = loss + self.locality(w_plus.detach(), step)
        value = float(loss.detach())
        check_finite(value, "tuning", step)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.move(index, w_plus, step)
        if self.preview in rows:
            picture = to_picture(made.detach()[rows.tolist().index(self.preview)][None])[0]
            self.runtime.show(STAGE, self.alignment.frame_indices[self.preview], picture)
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
        set_rate(self.optimiser, config.lr * factor)
        self.optimiser.step()
        if w_plus.grad is not None:
            self.pivots.step(index, w_plus.grad, config.pivot_lr * factor)

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
        """Crops (B, 3, R, R) at positions `rows` and their features, each computed once while memory allows."""
        crops = np.stack([self.alignment.crops.read(self.alignment.frame_indices[row]) for row in rows])
        images = to_model(crops).to(self.runtime.device)
        missing = [position for position, row in enumerate(rows) if int(row) not in self.features]
        fresh: dict[int, list[Tensor]] = {}
        if missing:
            with torch.no_grad():  # in float32, once a frame: the last evaluation reads them too
                maps = self.perceptual.features(images[missing])
            fresh = {int(rows[p]): [m[i : i + 1].clone() for m in maps] for i, p in enumerate(missing)}
        for row, parts in fresh.items():
            size = sum(part.numel() * part.element_size() for part in parts)
            if self.features_bytes + size <= TARGET_MEMORY:
                self.features[row] = parts
                self.features_bytes += size
        found = [self.features.get(int(row)) or fresh[int(row)] for row in rows]
        return images, [torch.cat(parts) for parts in zip(*found, strict=True)]

    def evaluate(self) -> tuple[float, float]:
        """Mean PSNR in dB and LPIPS over the frames, of the weights as they stand."""
        decibels = lpips = 0.0
        done = self.config.passes * self.steps_per_pass
        for step, start in enumerate(range(0, self.frames, self.config.batch_size)):
            rows = np.arange(start, min(start + self.config.batch_size, self.frames))
            images, features = self.targets(rows)
            with torch.no_grad():
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
        save_checkpoint(file, {**weights, **pivots, **adam_state(self.optimiser)}, facts)

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
        load_adam_state(self.optimiser, tensors)
        history = facts["history"]
        assert isinstance(history, list)
        self.history = history
        for row in history:
            self.tell(row)


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
    alignment: Alignment, inversion: Inversion, generator: Generator, config: TuningConfig, runtime: Runtime
) -> str:
    """What a checkpoint must have been made from to be gone on with."""
    digest = hashlib.sha256(repr((alignment.clip_hash, alignment.frame_indices)).encode())
    digest.update(repr((dataclasses.astuple(config), str(runtime.dtype), runtime.seed)).encode())
    digest.update(inversion.w_plus.detach().cpu().contiguous().numpy().tobytes())
    for tensor in generator.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
