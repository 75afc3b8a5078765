"""The reader: a face parser that also says where on the head each pixel lies. Source: ours, of the compact parser.

Places are points of one mean head at rest, the same for all people, expressions and poses, in lengths of about half a
head. The same place in two pictures is the same point of the face, so the motion between them is read off
(`stit_core.faces.correspondence`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stit_core.models.compact import INPUT_SIZE, CompactParser, ConvUnit
from stit_core.models.encoders import resize_to

NUM_COORDINATES = 3
FIRST_SHARE = 0.1  # of the usual spread of first weights: both maps begin as corrections of the usual one
USUAL = ((1.17, 0.0, 0.0), (0.0, -1.17, -0.08), (0.0, 0.0, 0.5))  # places of a usual crop: across, down, constant


class CompactReader(CompactParser):
    """The compact parser with a second head for places (1.7 GMAC, 1.9 M parameters).

    A coarse map at 64 px carries the head's form: at every pixel an affine map from the picture to places, which hardly
    changes from pixel to pixel. One at 128 px adds what is finer, lips and lids. Argument: num_classes, 19 in the order
    of the CelebAMask labels.
    """

    def __init__(self, num_classes: int = 19) -> None:
        super().__init__(num_classes)
        self.coarse_unit, self.coarse = ConvUnit(64, 64), nn.Conv2d(64, 3 * NUM_COORDINATES, 1)
        self.fine_unit, self.fine = ConvUnit(32, 24), nn.Conv2d(24, NUM_COORDINATES, 1)
        with torch.no_grad():
            for layer in (self.coarse, self.fine):
                layer.weight *= FIRST_SHARE
            self.coarse.get_parameter("bias").copy_(torch.tensor(USUAL).flatten())

    def read(self, images: Tensor, full_size: bool = True) -> tuple[Tensor, Tensor]:
        """Read labels and places.

        Parameters
        ----------
        images: (B, 3, H, W) of any size, in [-1, 1].
        full_size: whether logits are enlarged to 256 px, as `parse` gives them; else they stay at 128 px.

        Returns
        -------
        logits: (B, num_classes, 256, 256), or 128 px.
        coordinates: (B, 3, 128, 128), meaningful where the labels call a pixel part of the head; pixel (0, 0) covers
            the pictures' four first pixels.
        """
        at64, at128 = self.features(resize_to(images, INPUT_SIZE))
        logits = self.classify(at128)
        if full_size:
            logits = self._doubled(logits)
        coarse, fine = self.coarse_unit(at64), self.fine_unit(at128)
        with torch.autocast(device_type=images.device.type, enabled=False):  # bf16 steps are half a pixel
            kind = self.coarse.weight.dtype
            affine = self._doubled(self.coarse(coarse.to(kind))).unflatten(1, (NUM_COORDINATES, 3))  # (B, 3, 3, h, w)
            across, down = _positions(affine.shape[-2:], affine)
            coordinates = affine[:, :, 0] * across + affine[:, :, 1] * down + affine[:, :, 2]
            return logits, coordinates + self.fine(fine.to(kind))


def _positions(shape: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Where pixel centres lie in [-1, 1], (1, W) and (H, 1)."""
    across, down = (
        (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count * 2 - 1 for count in shape[::-1]
    )
    return across[None], down[:, None]
