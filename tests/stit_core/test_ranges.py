"""The grid of a range: its layout, its labels, one frame of it, and the finished video opened again."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.config import VideoConfig, preset
from stit_core.errors import Cancelled, ConfigError, DirectionError, VideoError
from stit_core.media import probing
from stit_core.media.grids import DARK, Grid, draw_labels, fill, plan_grid
from stit_core.packs.loading import Models, find_pack
from stit_core.pipeline import Pipeline
from stit_core.ranges import range_warnings, run_range
from stit_core.runtime import CancelToken, Runtime
from stit_core.store.runs import Store
from tests.support.drawn_face import draw_face, write_clip

pytest_plugins = ["tests.support.fixtures_pack"]

CODEC_ERROR = 4.0  # mean levels that two encodings of one picture may be apart


# --- Layout -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "width", "height", "columns", "size"),
    [
        (2, 640, 360, 2, (1280, 392)),  # side by side: strips of 5 % of 640, and nothing to shrink
        (4, 640, 360, 2, (1280, 784)),
        (2, 1920, 1080, 2, (1920, 588)),  # each half as wide
        (8, 512, 512, 4, (1920, 1008)),
        (3, 720, 1280, 3, (1920, 1168)),
        (2, 241, 201, 2, (480, 220)),  # odd sides lose a pixel
    ],
)
def test_the_layout_comes_near_a_screen(
    cells: int, width: int, height: int, columns: int, size: tuple[int, int]
) -> None:
    grid = plan_grid(cells, width, height)
    assert (grid.columns, grid.size) == (columns, size)


def test_every_layout_keeps_its_promises() -> None:
    draw = random.Random(0)
    aspects = 0
    for _ in range(2000):
        cells, width, height = draw.randint(2, 400), draw.randint(64, 4000), draw.randint(64, 4000)
        try:
            grid = plan_grid(cells, width, height)
        except ConfigError:
            continue
        assert max(grid.size) <= 1920
        assert 64 <= grid.width <= width
        assert grid.height <= height
        assert not any(side % 2 for side in (*grid.size, grid.width, grid.height, grid.strip))
        corners = [grid.corner(cell) for cell in range(cells)]
        assert len(set(corners)) == cells
        assert all(0 <= x <= grid.size[0] - grid.width for x, _ in corners)
        assert all(0 <= y <= grid.size[1] - grid.strip - grid.height for _, y in corners)
        assert corners[-1][1] + grid.strip + grid.height == grid.size[1], "no row stays empty"
        wanted = width / height
        if grid.height > 100:
            aspects += 1
            assert abs(grid.width / grid.height / wanted - 1) < 0.04
    assert aspects > 300


def test_pictures_too_small_to_see_are_refused() -> None:
    assert plan_grid(301, 640, 360).width >= 64
    with pytest.raises(ConfigError, match=r"1001 pictures .* only \d\d pixels wide") as caught:
        plan_grid(1001, 512, 512)
    assert "fewer steps" in caught.value.hint
    with pytest.raises(ConfigError, match="60 pixels wide"):
        plan_grid(2, 60, 60)


# --- Labels and frames --------------------------------------------------------------------------------------------


def strips(frame: np.ndarray, grid: Grid) -> list[np.ndarray]:
    found = []
    for cell in range(grid.cells):
        x, y = grid.corner(cell)
        found.append(frame[y : y + grid.strip, x : x + grid.width])
    return found


def pictures(frame: np.ndarray, grid: Grid) -> list[np.ndarray]:
    found = []
    for cell in range(grid.cells):
        x, y = grid.corner(cell)
        found.append(frame[y + grid.strip : y + grid.strip + grid.height, x : x + grid.width])
    return found


@pytest.mark.parametrize(("cells", "width", "name"), [(4, 640, "smile"), (12, 1920, "smile"), (300, 640, "x" * 80)])
def test_every_label_can_be_read_and_told_from_the_others(cells: int, width: int, name: str) -> None:
    grid = plan_grid(cells, width, width * 9 // 16)
    ground = draw_labels(grid, [("source", ""), *((name, f"{cell / 10:+.2f}") for cell in range(1, cells))])
    drawn = strips(ground, grid)
    for strip in drawn:
        bright = (strip > 150).all(axis=-1)
        assert bright.sum() > 20
        rows, columns = np.nonzero(bright)
        assert rows.max() - rows.min() >= 4, "letters of some height"
        assert 0 < columns.min() <= columns.max() < grid.width - 1, "nothing is cut off"
    assert all(not np.array_equal(one, other) for one, other in itertools.combinations(drawn, 2))
    assert all((picture == DARK).all() for picture in pictures(ground, grid)), "no picture is written over"


def test_labels_shrink_to_their_strip() -> None:
    grid = Grid(cells=1, columns=1, width=200, height=100, strip=40)
    rows = [np.nonzero((draw_labels(grid, [(name, "+1.00")]) > 150).all(axis=-1))[0] for name in ("smile", "w" * 14)]
    high, low = (int(found.max() - found.min()) for found in rows)
    assert low < high


def test_a_frame_holds_every_picture_shrunk() -> None:
    grid = plan_grid(3, 1000, 700)
    assert grid.width < 1000
    given = [draw_face(1000, 700, (500, 350), 200, smile) for smile in (0.0, 0.5, 1.0)]
    ground = draw_labels(grid, [("source", ""), ("smile", "+0.50"), ("smile", "+1.00")])
    before = ground.copy()
    frame = fill(ground, grid, iter(given))
    assert np.array_equal(ground, before)
    assert (frame.shape[1], frame.shape[0]) == grid.size
    for found, picture in zip(pictures(frame, grid), given, strict=True):
        factor = 1000 / grid.width  # the mean over the pixels that a cell's pixel covers, an independent way to shrink
        column = np.minimum((np.arange(grid.width) + 0.5) * factor, 999).astype(int)
        row = np.minimum((np.arange(grid.height) + 0.5) * 700 / grid.height, 699).astype(int)
        assert np.abs(found.astype(int) - picture[row][:, column]).mean() < 3
    for found, drawn in zip(strips(frame, grid), strips(before, grid), strict=True):
        assert np.array_equal(found, drawn)


def test_another_number_of_pictures_is_refused() -> None:
    grid = plan_grid(3, 64, 64)
    ground = draw_labels(grid, [("source", ""), ("a", "1"), ("a", "2")])
    black = np.zeros((64, 64, 3), np.uint8)
    for count in (2, 4):
        with pytest.raises(ValueError, match="zip"):
            fill(ground, grid, [black] * count)
    with pytest.raises(ValueError, match="zip"):
        draw_labels(grid, [("a", "1")])


# --- The video ----------------------------------------------------------------------------------------------------


def pipeline_of(*edits: tuple[str, float], token: CancelToken | None = None, stop_at: str = "") -> Pipeline:
    token = token or CancelToken()

    def progress(stage: str, done: int, _total: int) -> None:
        if stage == stop_at and done >= 2:
            token.set()

    config = preset("draft", find_pack("tiny").schedules).with_changes(
        {"edit": {"directions": edits}, "video": {"crf": 8}}
    )
    models = Models(find_pack("tiny"), torch.device("cpu"))
    return Pipeline(models, Store(), config, Runtime(progress=progress, cancel=token))


def frames_of(path: Path) -> list[np.ndarray]:
    """All frames of a video, decoded by ffmpeg alone."""
    shape = re.search(r"Video: .*?, (\d+)x(\d+)", told_by_ffmpeg(path))
    assert shape is not None
    width, height = int(shape[1]), int(shape[2])
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path)]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return list(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3))


def told_by_ffmpeg(path: Path) -> str:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True).stderr


def check_grid(path: Path, source: Path, videos: list[Path]) -> None:
    """Every cell of the grid video equals the video that it stands for, shrunk."""
    first = probing.probe(source, VideoConfig())
    grid = plan_grid(1 + len(videos), first.width, first.height)
    found = probing.probe(path, VideoConfig())
    assert (found.width, found.height) == grid.size
    assert (found.frames, found.frame_rate, found.audio) == (first.frames, first.frame_rate, first.audio)
    made = frames_of(path)
    columns = [frames_of(video) for video in (source, *videos)]
    assert {len(column) for column in columns} == {len(made)}
    for frame, shown in zip(made, zip(*columns, strict=True), strict=True):
        for cell, picture in zip(pictures(frame, grid), shown, strict=True):
            small = Image.fromarray(picture).resize((grid.width, grid.height), Image.Resampling.BICUBIC)
            assert np.abs(cell.astype(int) - np.asarray(small)).mean() < CODEC_ERROR
    drawn = strips(made[0], grid)
    assert all((strip > 150).any() for strip in drawn)
    for one, other in itertools.combinations(drawn, 2):
        assert np.abs(one.astype(int) - other).max() > 80, "two labels are the same"


def test_a_range_gives_one_video_a_factor_and_a_grid(home: Path, face_clip: Path) -> None:
    made = run_range(pipeline_of(("smile", 0.0), ("age", 1.0)), face_clip, home / "r.mp4", "smile", [-6.0, 0.0, 6.0])
    names = [report.output.name for report in made.reports]
    assert names == ["r_smile_-6.00.mp4", "r_smile_+0.00.mp4", "r_smile_+6.00.mp4"]
    assert made.grid == home / "r_smile_grid.mp4"
    videos = [report.output for report in made.reports]
    check_grid(made.grid, face_clip, videos)
    one, other = frames_of(videos[0])[3].astype(int), frames_of(videos[2])[3]
    assert np.abs(one - other).mean() > 2 * CODEC_ERROR or np.abs(one - other).max() > 40, "the factors do something"
    told = told_by_ffmpeg(made.grid)
    assert "edited with STIT Studio, pack tiny, smile=-6.00 to +6.00, age=1" in told
    assert told.count("Audio:") == 1
    assert made.as_json()["grid"] == str(made.grid)
    assert [output["output"] for output in made.as_json()["outputs"]] == [str(video) for video in videos]
    assert not list(home.glob(".*.part"))


def test_one_factor_has_a_grid_too_and_frames_without_a_face_show_the_source(home: Path, tmp_path: Path) -> None:
    clip = tmp_path / "gap.mp4"
    shown = [draw_face(202, 180, (100 + 2 * i, 92), 44) for i in range(9)]
    for frame in range(3, 7):
        shown[frame] = np.full_like(shown[frame], (90, 110, 130))
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", "202x180", "-r", "24000/1001", "-i", "-", "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p",
    ]  # fmt: skip
    subprocess.run([*command, str(clip)], input=b"".join(picture.tobytes() for picture in shown), check=True)
    pipeline = pipeline_of(("smile", 0.0))
    pipeline = pipeline.with_config(pipeline.config.with_changes({"landmarks": {"max_gap": 1}}))
    made = run_range(pipeline, clip, home / "r.mp4", "smile", [6.0])
    assert made.reports[0].gaps == ((3, 6),)
    assert made.grid is not None
    check_grid(made.grid, clip, [made.reports[0].output])
    assert probing.probe(made.grid, VideoConfig()).frame_rate == Fraction(24000, 1001)
    source, edited = (pictures(frames_of(made.grid)[4], plan_grid(2, 202, 180))[cell].astype(int) for cell in (0, 1))
    assert np.abs(source - edited).max() < 12


def test_a_stopped_grid_leaves_nothing_and_comes_out_the_same(home: Path, face_clip: Path) -> None:
    whole = run_range(pipeline_of(("smile", 0.0)), face_clip, home / "r.mp4", "smile", [1.0, 2.0])
    assert whole.grid is not None
    expected = whole.grid.read_bytes()
    whole.grid.unlink()
    with pytest.raises(Cancelled):
        run_range(pipeline_of(("smile", 0.0), stop_at="grid"), face_clip, home / "r.mp4", "smile", [1.0, 2.0])
    assert not whole.grid.exists()
    assert not list(home.glob(".r*"))
    again = run_range(pipeline_of(("smile", 0.0)), face_clip, home / "r.mp4", "smile", [1.0, 2.0])
    assert all("stitch" in report.cached for report in again.reports)
    assert whole.grid.read_bytes() == expected


def test_the_clip_is_opened_once_and_its_report_says_so(
    home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    original = Pipeline.open
    monkeypatch.setattr(Pipeline, "open", lambda self, path: opened.append(path) or original(self, path))
    made = run_range(pipeline_of(("smile", 0.0)), face_clip, home / "r.mp4", "smile", [1.0, 2.0])
    assert opened == [face_clip]
    first, second = made.reports
    assert first.seconds["clip"] > 0
    assert "clip" not in first.cached
    assert second.seconds["clip"] == 0
    assert {"clip", "landmarks", "align", "invert", "tune", "masks"} <= set(second.cached)


def test_a_grid_too_fine_to_see_is_left_out_with_a_warning(home: Path) -> None:
    clip = write_clip(home / "small.mp4", frames=1, size=(240, 200))
    whole = pipeline_of(("smile", 0.0))
    made = run_range(whole, clip, home / "r.mp4", "smile", [1.0] * 2)
    assert made.grid is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stit_core.media.grids.SMALLEST_CELL", 241)
        told = run_range(whole, clip, home / "s.mp4", "smile", [1.0, 2.0])
    assert told.grid is None
    assert [report.output.exists() for report in told.reports] == [True, True]
    assert not (home / "s_smile_grid.mp4").exists()
    (text,) = told.warnings
    assert text.startswith("There is no grid video. A grid of 3 pictures")
    assert "fewer steps" in text
    assert told.as_json()["grid"] is None
    assert told.as_json()["warnings"] == [text]


def test_every_name_is_checked_before_any_work(home: Path, face_clip: Path) -> None:
    (home / "r_smile_grid.mp4").mkdir()
    with pytest.raises(VideoError, match="is a folder"):
        run_range(pipeline_of(("smile", 0.0)), face_clip, home / "r.mp4", "smile", [1.0])
    assert not (home / "runs").exists()
    with pytest.raises(DirectionError):
        run_range(pipeline_of(("smiel", 0.0)), face_clip, home / "t.mp4", "smiel", [1.0])
    with pytest.raises(ConfigError, match="factor of 'smile'"):
        run_range(pipeline_of(("smile", 0.0)), face_clip, home / "t.mp4", "smile", [1.0, 101.0])
    assert not (home / "runs").exists()


@pytest.fixture
def pulling(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directions "smile" and "frown", 0.6 of each the opposite of the other, and "age" at right angles to both."""
    rows = np.zeros((3, 10, 512), np.float32)
    rows[0, :, 0] = 0.1
    rows[1, :, :2] = (-0.06, 0.08)
    rows[2, :, 2] = 0.1
    folder = home / "directions" / "tiny"
    folder.mkdir(parents=True)
    for name, vector in zip(("smile", "frown", "age"), rows, strict=True):
        np.save(folder / f"{name}.npy", vector)
    monkeypatch.setenv("STIT_DIRECTIONS", str(folder.parent))
    return home


@pytest.mark.usefixtures("pulling")
def test_a_range_tells_of_its_ends_once() -> None:
    pipeline = pipeline_of(("smile", 0.0), ("frown", 2.0), ("age", 1.0))
    low, high = range_warnings(pipeline, "smile", [-1.0, 0.5, 4.0])
    assert "'smile' (-1) and 'frown' (+2) are nearly the same" in low
    assert "'smile' (+4) and 'frown' (+2) pull against each other (cosine -0.60)" in high
    assert "about 30 % of 'smile'" in high
    assert "over 100 % of 'frown'" in high
    (only,) = range_warnings(pipeline, "smile", [1.0, 2.0])
    assert "'smile' (+2)" in only
    assert range_warnings(pipeline, "age", [-1.0, 1.0]) == ()
