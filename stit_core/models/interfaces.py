"""What a stage may ask of a network. Any network that answers so can take its part in a pack.

Images are (B, 3, H, W) float32 in [-1, 1] throughout, on the device of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class FaceGenerator(Protocol):
    """Latents to pictures. Stages that fit its weights take `models.generator.Generator` itself.

    Attributes
    ----------
    resolution: R, of the pictures in pixels.
    num_ws: L, rows of w_plus that a picture takes.
    """

    resolution: int
    num_ws: int

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """Every affine output (B, C) of w_plus (B, L, 512), in layer order."""
        ...

    def synthesis(self, w_plus: Tensor, noise: str = "const") -> Tensor:
        """Pictures (B, 3, R, R) of w_plus (B, L, 512)."""
        ...

    def synthesis_from_styles(self, styles: Sequence[Tensor], noise: str = "const") -> Tensor:
        """Pictures (B, 3, R, R) of styles in the order of `styles`."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Pictures to latents."""

    def encode(self, images: Tensor) -> Tensor:
        """Map images of any size to w_plus (B, L, 512), the mean latent added."""
        ...


@runtime_checkable
class Parser(Protocol):
    """A face parser with BiSeNet's 19 classes."""

    def parse(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) -> logits (B, 19, h, w)."""
        ...


@runtime_checkable
class Reader(Parser, Protocol):
    """A parser that also says where on the head each pixel lies."""

    def read(self, images: Tensor, full_size: bool = True) -> tuple[Tensor, Tensor]:
        """Images (B, 3, S, S) -> logits (B, 19, h, w) and places on the head (B, 3, h', w')."""
        ...


@runtime_checkable
class Perceptual(Protocol):
    """A perceptual distance, in two steps, so that the features of a target are computed once."""

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images, the first dimension of each being B."""
        ...

    def distance(self, features_a: Sequence[Tensor], features_b: Sequence[Tensor]) -> Tensor:
        """Distances (B,) between two sets of features."""
        ...


@runtime_checkable
class Identity(Protocol):
    """Who somebody is."""

    def embed(self, images: Tensor) -> Tensor:
        """Aligned crops -> unit embeddings (B, D)."""
        ...


@runtime_checkable
class Attributes(Protocol):
    """What a face looks like, in numbers."""

    def attributes(self, images: Tensor) -> Tensor:
        """Images of any size -> attributes (B, A)."""
        ...
