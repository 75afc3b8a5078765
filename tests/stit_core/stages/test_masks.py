from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, FrameFolder
from stit_core.config import MaskConfig
from stit_core.errors import BudgetSpent, Cancelled, FaceError, StoreError
from stit_core.geometry import to_crop_pixels
from stit_core.runtime import Runtime
from stit_core.stages.masks import full_masks, keep_face, make_masks, mask_regions, steady
from tests.support.geometry_cases import CLIP_HASH, REFERENCE, stopping_at

SKIN, HAT = 1, 18


class BrightnessParser:
    """Calls white skin, grey a hat, black background; answers at its own resolution, as real parsers do."""

    def __init__(self, resolution: int) -> None:
        self.resolution = resolution

    def parse(self, images: Tensor) -> Tensor:
        level = torch.nn.functional.interpolate(images.mean(dim=1, keepdim=True), size=(self.resolution,) * 2)[:, 0]
        logits = torch.full((len(images), 19, self.resolution, self.resolution), -9.0)
        logits[:, 0], logits[:, HAT], logits[:, SKIN] = -(level + 1).abs(), -level.abs(), -(level - 1).abs()
        return logits


def crops_of(pictures: list[np.ndarray], folder: Path, first: int = 0) -> Alignment:
    frames = tuple(range(first, first + len(pictures)))
    crops = FrameFolder(folder, frames)
    for frame, picture in zip(frames, pictures, strict=True):
        crops.write(frame, np.repeat(picture[..., None], 3, axis=2))
    return Alignment(CLIP_HASH, frames, np.zeros((len(frames), 4, 2)), crops, len(pictures[0]))


def face_picture(size: int = 128) -> np.ndarray:
    picture = np.zeros((size, size), dtype=np.uint8)
    picture[40:90, 44:84] = 255
    picture[30:40, 44:84] = 128
    return picture


def slow_dilation(mask: np.ndarray, pixels: int) -> np.ndarray:
    result = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        result[max(0, y - pixels) : y + pixels + 1, max(0, x - pixels) : x + pixels + 1] = 1
    return result


@pytest.mark.parametrize(
    ("name", "border_pixels", "inner", "outer", "whole"),
    [("default", 6, 0, 6, False), ("inner", 6, 3, 8, False), ("whole", 4, 2, 5, True)],
)
def test_regions_equal_the_reference(name: str, border_pixels: int, inner: int, outer: int, whole: bool) -> None:
    mask = REFERENCE["mask_in"].copy()
    regions = mask_regions(mask, border_pixels, inner, outer, whole)
    for part, ours in zip(("content", "border", "full"), regions, strict=True):
        np.testing.assert_array_equal(ours, REFERENCE[f"mask_{name}_{part}"])
    np.testing.assert_array_equal(mask, REFERENCE["mask_in"])
    for ours, from_tensor in zip(
        regions, mask_regions(torch.from_numpy(mask), border_pixels, inner, outer, whole), strict=True
    ):
        np.testing.assert_array_equal(ours, from_tensor)


def test_regions_equal_a_loop_over_pixels() -> None:
    mask = (np.random.default_rng(1).random((40, 40)) < 0.02).astype(np.uint8)
    mask[:10] = mask[-10:] = 0
    mask[:, :10] = mask[:, -10:] = 0
    _, border, full = mask_regions(mask, 0, 2, 5)
    np.testing.assert_array_equal(full, slow_dilation(mask, 7))
    np.testing.assert_array_equal(border, slow_dilation(mask, 7) - slow_dilation(mask, 2))


def test_a_face_cut_off_by_the_crop_meets_the_source_at_the_edge() -> None:
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[30:, 20:40] = 1
    content, border, full = mask_regions(mask, 3, 0, 3)
    assert border[61:, 20:40].all()
    assert not content[61:, 20:40].any()
    np.testing.assert_array_equal(content | border, full)
    assert not (content & border).any()


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        mask_regions(np.zeros((1, 8, 8)), 1)


@pytest.mark.parametrize(
    ("pixels", "size", "expected"), [(50, 512, 25), (50, 128, 6), (50, 64, 3), (1, 64, 1), (0, 64, 0)]
)
def test_dilations_follow_the_size_of_the_crop(pixels: int, size: int, expected: int) -> None:
    assert to_crop_pixels(pixels, size) == expected


def test_the_default_border_has_the_width_of_the_reference_at_64_px() -> None:
    content = REFERENCE["stitch_content_mask"]
    pixels = to_crop_pixels(MaskConfig().outer_dilation, 64)
    np.testing.assert_array_equal(mask_regions(content, pixels, 0, pixels).border, REFERENCE["stitch_border_mask"])


def test_specks_far_from_the_face_are_dropped_and_near_ones_kept() -> None:
    mask = np.zeros((60, 60), dtype=np.uint8)
    mask[20:40, 20:40] = 1
    near, far = (30, 43), (5, 5)
    mask[near], mask[far] = 1, 1
    kept = keep_face(mask, 5)
    assert kept[near] == 1
    assert kept[far] == 0
    np.testing.assert_array_equal(kept[20:40, 20:40], 1)
    assert mask[far] == 1


@pytest.mark.parametrize("resolution", [64, 128, 256])
def test_make_masks_follows_the_parser(tmp_path: Path, resolution: int) -> None:
    picture = face_picture()
    picture[2:4, 2:4] = 255
    alignment = crops_of([picture] * 10, tmp_path / "crops", first=5)
    steps: list[tuple[str, int, int]] = []
    masks = make_masks(
        alignment,
        MaskConfig(),
        BrightnessParser(resolution),
        Runtime(progress=lambda *step: steps.append(step)),
        tmp_path / "masks",
    )
    skin = np.zeros((128, 128), dtype=np.uint8)
    skin[40:90, 44:84] = 1
    expected = np.stack(mask_regions(skin, 6, 0, 6), axis=-1) * 255
    for frame in masks.frame_indices:
        np.testing.assert_array_equal(masks.pictures.read(frame), expected)
    assert (masks.size, masks.clip_hash, masks.frame_indices) == (128, CLIP_HASH, alignment.frame_indices)
    assert steps == [("masks", done, 10) for done in range(1, 11)]


def test_background_classes_are_a_setting(tmp_path: Path) -> None:
    alignment = crops_of([face_picture()], tmp_path / "crops")
    with_hat = make_masks(alignment, MaskConfig(background=(0,)), BrightnessParser(128), Runtime(), tmp_path / "masks")
    assert (with_hat.read(0).content[30:40, 44:84] == 255).all()


def test_a_frame_without_a_face_is_named(tmp_path: Path) -> None:
    empty = np.zeros((128, 128), dtype=np.uint8)
    alignment = crops_of([face_picture(), empty], tmp_path / "crops", first=8)
    with pytest.raises(FaceError, match="frame 9") as caught:
        make_masks(alignment, MaskConfig(), BrightnessParser(128), Runtime(), tmp_path / "masks")
    assert caught.value.hint


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    alignment = crops_of([face_picture()], tmp_path / "crops")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="frame 0"):
        make_masks(alignment, MaskConfig(), BrightnessParser(128), Runtime(), tmp_path / "file")


def test_a_stop_leaves_whole_masks_only(tmp_path: Path) -> None:
    alignment = crops_of([face_picture()] * 4, tmp_path / "crops")
    with pytest.raises(Cancelled):
        make_masks(alignment, MaskConfig(), BrightnessParser(128), stopping_at(3), tmp_path / "masks")
    assert sorted(file.name for file in (tmp_path / "masks").iterdir()) == [f"{i:06d}.png" for i in range(3)]


def test_steady_masks_are_the_majority_of_the_frames_around() -> None:
    rng = np.random.default_rng(3)
    frames = [0, 1, 2, 3, 7, 8, 9, 10, 11]
    masks = (rng.random((len(frames), 6, 5)) < 0.5).astype(np.uint8)
    found = list(steady(zip(frames, masks, strict=True), 2))
    assert [frame for frame, _ in found] == frames
    for place, (frame, mask) in enumerate(found):
        near = [m for f, m in zip(frames, masks, strict=True) if abs(f - frame) <= 2]
        for y, x in np.ndindex(6, 5):
            ones = sum(int(m[y, x]) for m in near)
            wanted = masks[place, y, x] if 2 * ones == len(near) else int(2 * ones > len(near))
            assert mask[y, x] == wanted, (frame, y, x)


def test_without_smoothing_every_mask_stays_its_own() -> None:
    masks = (np.random.default_rng(4).random((4, 3, 3)) < 0.5).astype(np.uint8)
    for (_, found), mask in zip(steady(enumerate(masks), 0), masks, strict=True):
        np.testing.assert_array_equal(found, mask)


def test_the_masks_of_single_crops_are_those_of_the_stage(tmp_path: Path) -> None:
    crops = crops_of([face_picture(), np.roll(face_picture(), 9, axis=1)], tmp_path / "crops")
    parser = BrightnessParser(64)
    made = make_masks(crops, MaskConfig(), parser, Runtime(), tmp_path / "masks")
    found = full_masks(np.stack(list(crops.crops)), MaskConfig(), parser, Runtime())
    for position, frame in enumerate(crops.frame_indices):
        np.testing.assert_array_equal(found[position], made.full(frame))


def test_masks_that_are_stopped_after_every_frame_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    pictures = [face_picture() for _ in range(11)]
    for picture in pictures:  # a beard in some frames, which the frames around have a say in
        picture[90:100, 44:84] = 255 * (rng.random() < 0.5)
    alignment, config = crops_of(pictures, tmp_path / "crops", first=3), MaskConfig(smoothing=2)
    whole = make_masks(alignment, config, BrightnessParser(128), Runtime(), tmp_path / "whole")
    steps: list[int] = []
    runtime = Runtime(progress=lambda _, done, __: steps.append(done), spent=lambda: True)
    for _ in range(len(pictures) - 1):
        with pytest.raises(BudgetSpent):
            make_masks(alignment, config, BrightnessParser(128), runtime, tmp_path / "parts")
    parts = make_masks(alignment, config, BrightnessParser(128), runtime, tmp_path / "parts")
    assert steps == list(range(1, len(pictures) + 1)), "no frame is made twice"
    for frame in alignment.frame_indices:
        assert parts.pictures.file(frame).read_bytes() == whole.pictures.file(frame).read_bytes()
    assert len({whole.pictures.file(frame).read_bytes() for frame in alignment.frame_indices}) > 1
    again = make_masks(alignment, config, BrightnessParser(128), runtime, tmp_path / "parts")
    assert again == parts, "one that was killed before its result was stored"
