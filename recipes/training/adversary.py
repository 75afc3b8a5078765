"""A critic of small patches: what makes hair, lashes and skin look drawn from renders instead of averaged over them.

Regression alone answers detail that it cannot place with a blur. The critic sees patches of about 40 pixels, too small
to ask for another head than the one that the known factors describe. Source: Isola et al., "Image-to-Image Translation
with Conditional Adversarial Networks" (2017), section 3.2; hinge loss and spectral normalisation of Miyato et al.,
"Spectral Normalization for Generative Adversarial Networks" (2018); gradients of equal strength as in Esser et al.,
"Taming Transformers for High-Resolution Image Synthesis" (2021), equation 7.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from recipes.training.loop import Stateful

WIDTHS = (32, 64, 128)
RATE = 1e-3
TINY = 1e-12


class PatchCritic(nn.Module):
    """Scores (B, 1, R / 8, R / 8) of the patches of pictures (B, 3, R, R) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers += [spectral_norm(nn.Conv2d(before, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
            before = width
        layers += [spectral_norm(nn.Conv2d(before, before, 3, padding=1)), nn.LeakyReLU(0.2)]
        layers.append(spectral_norm(nn.Conv2d(before, 1, 3, padding=1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Score patches; high is a render."""
        scores: Tensor = self.layers(images)
        return scores


class Adversary:
    """The critic with its optimiser, both to be kept in checkpoints (`partners`)."""

    def __init__(self, device: torch.device) -> None:
        self.critic = PatchCritic().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.Adam(self.critic.parameters(), lr=RATE, betas=(0.5, 0.99), fused=True)
        self.device = device

    def partners(self) -> dict[str, Stateful]:
        """What a checkpoint has to hold."""
        return {"critic": self.critic, "critic_optimiser": self.optimiser}

    def learn(self, renders: Tensor, made: Tensor) -> float:
        """One step of the critic on renders and on pictures made, both (B, 3, R, R); returns its hinge loss."""
        self.critic.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            good, bad = self.critic(renders), self.critic(made.detach())
        loss = F.relu(1 - good.float()).mean() + F.relu(1 + bad.float()).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    def gradient(self, images: Tensor, norm: Tensor) -> Tensor:
        """Where pictures (B, 3, R, R) should move for the critic to take them for renders, of the given norm."""
        self.critic.requires_grad_(False)
        images = images.detach().requires_grad_(True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = -self.critic(images).float().mean()
        (found,) = torch.autograd.grad(loss, images)
        return found * (norm / (found.norm() + TINY))
