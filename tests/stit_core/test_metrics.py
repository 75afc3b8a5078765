from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from stit_core.metrics import identity_cosine, masked_loss, psnr, seam_error, temporal_identity
from tests.support.geometry_cases import REFERENCE


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_psnr_equals_its_definition_image_by_image() -> None:
    a, b = draws(3, 3, 5, 5).clamp(-1, 1), draws(3, 3, 5, 5, seed=1).clamp(-1, 1)
    for i, value in enumerate(psnr(a, b)):
        error = float(((a[i].double() - b[i].double()) ** 2).mean())
        assert float(value) == pytest.approx(10 * math.log10(4 / error), abs=1e-4)
    assert float(psnr(torch.ones(1, 3, 2, 2), -torch.ones(1, 3, 2, 2))) == pytest.approx(0.0)


def test_psnr_of_equal_images_is_finite() -> None:
    assert float(psnr(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))) == pytest.approx(106.02, abs=0.01)


def test_masked_loss_has_the_units_of_the_reference() -> None:
    border = torch.from_numpy(REFERENCE["stitch_border_mask"]).float()[None, None]
    content = torch.from_numpy(REFERENCE["stitch_content_mask"]).float()[None, None]
    source = torch.from_numpy(REFERENCE["stitch_source"])
    first, last = (torch.from_numpy(REFERENCE[f"stitch_image_{steps}"]) for steps in (0, 20))
    curve = {int(row[0]): row[1:] for row in REFERENCE["stitch_curve"]}
    assert float(masked_loss(first, source, border)) == pytest.approx(curve[0][0], rel=1e-4)
    assert float(masked_loss(last, source, border)) == pytest.approx(curve[20][0], rel=1e-4)
    assert float(masked_loss(last, first, content)) == pytest.approx(curve[20][1], rel=1e-4)


@pytest.mark.parametrize("kind", ["l2", "l1"])
def test_masked_loss_equals_a_loop(kind: str) -> None:
    a, b, mask = draws(2, 3, 4, 4), draws(2, 3, 4, 4, seed=1), torch.rand(2, 1, 4, 4)
    losses = masked_loss(a, b, mask, kind)
    for i in range(2):
        total = weight = 0.0
        for y in range(4):
            for x in range(4):
                weight += float(mask[i, 0, y, x])
                for c in range(3):
                    difference = float(a[i, c, y, x] - b[i, c, y, x])
                    error = difference**2 if kind == "l2" else abs(difference)
                    total += error * float(mask[i, 0, y, x])
        assert float(losses[i]) == pytest.approx(total / weight, rel=1e-5)


def test_an_empty_mask_gives_no_loss_and_no_gradient() -> None:
    a = draws(1, 3, 4, 4).requires_grad_()
    loss = masked_loss(a, torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    loss.sum().backward()
    assert float(loss.detach()) == 0.0
    assert a.grad is not None
    assert not a.grad.any()


def test_another_kind_or_shape_is_refused() -> None:
    image = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match="l3"):
        masked_loss(image, image, image[:, :1], "l3")
    with pytest.raises(ValueError, match="equal"):
        psnr(image, image[..., :2])
    with pytest.raises(ValueError, match="equal"):
        temporal_identity(image[0, 0], image[0, 0, :2])


def test_temporal_identity_equals_a_loop() -> None:
    source, edited = draws(6, 8) + 2, draws(6, 8, seed=1) + 2
    local: list[float] = []
    everywhere: list[float] = []
    for i in range(6):
        for j in range(6):
            if i != j:
                ratio = float(torch.cosine_similarity(edited[i], edited[j], dim=0)) / float(
                    torch.cosine_similarity(source[i], source[j], dim=0)
                )
                everywhere.append(ratio)
                if j == i + 1:
                    local.append(ratio)
    tl_id, tg_id = temporal_identity(source, edited)
    assert tl_id == pytest.approx(np.mean(local), rel=1e-5)
    assert tg_id == pytest.approx(np.mean(everywhere), rel=1e-5)


def test_the_source_itself_scores_one() -> None:
    source = draws(5, 8)
    assert temporal_identity(source, 3 * source) == pytest.approx((1.0, 1.0))
    assert temporal_identity(source[:1], source[:1]) == (1.0, 1.0)


def test_identity_cosine_is_one_for_the_same_and_minus_one_for_the_opposite() -> None:
    a = draws(3, 8)
    torch.testing.assert_close(identity_cosine(a, 2 * a).float(), torch.ones(3))
    torch.testing.assert_close(identity_cosine(a, -a).float(), -torch.ones(3))


def test_seam_error_looks_at_the_ring_inside_the_outline() -> None:
    source = np.full((40, 40, 3), 100, dtype=np.uint8)
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[10:30, 10:30] = 255
    edited = source.copy()
    edited[12:28, 12:28] = 200
    assert seam_error(source, edited, mask, width=2) == 0.0
    edited[10:30, 10:30] = 107
    assert seam_error(source, edited, mask, width=2) == 7.0
    assert seam_error(edited, source, mask, width=2) == 7.0
    assert seam_error(source, edited, np.zeros_like(mask)) == 0.0
    with pytest.raises(ValueError, match="fit"):
        seam_error(source, edited[:20], mask)
