"""Folders and zips of labelled pictures, honest and hostile."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stit_core.directions import labelled_pictures as lp
from stit_core.errors import DirectionError


def picture(side: int = 80, level: int = 90, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), level, np.uint8)).save(out, format=kind)
    return out.getvalue()


def folder_of(tmp_path: Path) -> Path:
    top = tmp_path / "set"
    for label in ("hat", "bare"):
        (top / label / "deep").mkdir(parents=True)
        for number in range(3):
            (top / label / f"p{number}_1.png").write_bytes(picture(level=40 * number + len(label)))
    (top / "hat" / "deep" / "more.JPG").write_bytes(picture(kind="JPEG"))
    (top / "hat" / ".hidden.png").write_bytes(picture())
    (top / "hat" / "notes.txt").write_text("no picture")
    (top / "loose.png").write_bytes(picture())
    return top


def zipped(top: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(top.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(top).as_posix())
    return target


def listed(found: lp.PictureSet) -> list[tuple[str, str]]:
    return [(entry.label, entry.name) for entry in found.entries]


def test_a_folder_has_one_class_a_subfolder(tmp_path: Path) -> None:
    found = lp.open_pictures(folder_of(tmp_path))
    assert found.classes == ("bare", "hat")
    assert [name for _, name in listed(found)] == [
        "bare/p0_1.png",
        "bare/p1_1.png",
        "bare/p2_1.png",
        "hat/deep/more.JPG",
        "hat/p0_1.png",
        "hat/p1_1.png",
        "hat/p2_1.png",
    ]
    assert found.entries[0].read() == (tmp_path / "set/bare/p0_1.png").read_bytes()


@pytest.mark.parametrize("prefix", ["", "set/"])
def test_a_zip_gives_what_its_folder_gives(tmp_path: Path, prefix: str) -> None:
    top = folder_of(tmp_path)
    if prefix:
        (top / "loose.png").unlink()
    packed = lp.open_pictures(zipped(top, tmp_path / "set.zip", prefix))
    plain = lp.open_pictures(top)
    assert listed(packed) == listed(plain)
    assert [entry.read() for entry in packed.entries] == [entry.read() for entry in plain.entries]


def test_fewer_than_two_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one" / "hat").mkdir(parents=True)
    (tmp_path / "one" / "hat" / "a.png").write_bytes(picture())
    with pytest.raises(DirectionError, match="one class only, 'hat'"):
        lp.open_pictures(tmp_path / "one")
    with pytest.raises(DirectionError, match="no folder or zip"):
        lp.open_pictures(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["../a/x.png", "/a/x.png", "a/../../x.png", "a\\..\\x.png", "C:/a/x.png"])
def test_a_path_out_of_the_zip_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("hat/a.png", picture())
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, picture())
    with pytest.raises(DirectionError, match="outside of itself"):
        lp.open_pictures(tmp_path / "bad.zip")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        link = zipfile.ZipInfo("hat/a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DirectionError, match="holds a link"):
        lp.open_pictures(tmp_path / "bad.zip")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hat/a.png", bytes(30 << 20))
    with pytest.raises(DirectionError, match="unpacks to 30 MB from almost nothing"):
        lp.open_pictures(tmp_path / "bad.zip")


def test_a_zip_that_lies_about_a_size_costs_that_picture_only(tmp_path: Path) -> None:
    path = zipped(folder_of(tmp_path), tmp_path / "set.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("hat/p0_1.png")
    # The size stands in the central directory, 24 bytes into the entry whose name follows 46 bytes in.
    place = data.rindex(b"hat/p0_1.png") - 46 + 24
    assert int.from_bytes(data[place : place + 4], "little") == info.file_size
    data[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    entries = lp.open_pictures(path).entries
    with pytest.raises(lp.UnusablePicture, match="damaged in the zip"):
        next(e for e in entries if e.name == "hat/p0_1.png").read()
    others = [e for e in entries if e.name != "hat/p0_1.png"]
    assert [lp.decode(e.read()).shape for e in others] == [(80, 80, 3)] * 6


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(DirectionError, match="no readable zip"):
        lp.open_pictures(tmp_path / "bad.zip")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"no picture at all", "cannot be read as a picture"),
        (b"GIF89a....", "cannot be read"),
        (picture()[:60], "cannot be read"),
        (picture(side=40), "40 x 40 pixels are too few"),
    ],
)
def test_what_is_no_usable_picture_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(lp.UnusablePicture, match=reason):
        lp.decode(data)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lp, "MAX_PIXELS", 80 * 80 - 1)
    with pytest.raises(lp.UnusablePicture, match="too many"):
        lp.decode(picture())


def test_a_picture_is_turned_upright() -> None:
    image = Image.fromarray(np.zeros((70, 100, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, format="JPEG", exif=exif)
    assert lp.decode(out.getvalue()).shape == (100, 70, 3)


def test_a_file_that_vanishes_is_left_out(tmp_path: Path) -> None:
    found = lp.open_pictures(folder_of(tmp_path))
    os.remove(tmp_path / "set" / "bare" / "p0_1.png")
    with pytest.raises(lp.UnusablePicture, match="cannot be read"):
        found.entries[0].read()


@pytest.mark.parametrize(
    ("name", "person"), [("a/anna_02.jpg", "anna"), ("a/b_c_3.png", "b_c"), ("a/plain.png", "plain"), ("_1.png", "_1")]
)
def test_the_person_is_the_stem_before_the_last_underscore(name: str, person: str) -> None:
    assert lp.person_of(name) == person


# --- Which classes, and what is left out --------------------------------------------------------------------------


def test_the_order_of_the_classes_can_be_chosen(tmp_path: Path) -> None:
    top = folder_of(tmp_path)
    assert lp.open_pictures(top, ("hat", "bare")).classes == ("hat", "bare")
    (top / "third").mkdir()
    (top / "third" / "x.png").write_bytes(picture())
    found = lp.open_pictures(top, ("third", "bare"))
    assert found.classes == ("third", "bare")
    assert {entry.label for entry in found.entries} == {"third", "bare"}


@pytest.mark.parametrize("classes", [("hat", "cap"), ("hat",), ("hat", "hat")])
def test_classes_that_are_not_there_are_refused(tmp_path: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(DirectionError, match="cannot be taken as the classes") as caught:
        lp.open_pictures(folder_of(tmp_path), classes)
    assert "bare, hat" in caught.value.hint


def test_what_is_left_out_of_a_folder_is_listed_with_its_reason(tmp_path: Path) -> None:
    top, outside = folder_of(tmp_path), tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(picture())
    (top / "hat" / "out.png").symlink_to(outside / "secret.png")
    (top / "hat" / "nothing.png").symlink_to(outside / "gone.png")
    (top / "hat" / "round.png").symlink_to(top / "hat" / "round.png")
    (top / "hat" / "elsewhere").symlink_to(outside)
    (top / "class_elsewhere").symlink_to(outside)
    (top / "bare" / "again.png").symlink_to(top / "hat" / "p0_1.png")
    (top / "bare" / "phone.HEIC").write_bytes(b"x")
    (top / "bare" / "more.zip").write_bytes(b"x")
    (top / "bare" / "folder.png").mkdir()
    os.mkfifo(top / "bare" / "pipe.png")
    found = lp.open_pictures(top)
    assert {out.name: out.reason for out in found.left_out} == {
        "bare/more.zip": "it is an archive, which is not opened",
        "bare/phone.HEIC": "pictures of the kind .heic cannot be read",
        "bare/pipe.png": "it is no ordinary file",
        "class_elsewhere": "a link to a folder is not followed",
        "hat/elsewhere": "a link to a folder is not followed",
        "hat/nothing.png": "it is a link to nothing",
        "hat/out.png": "a link that leads out of the folder is not followed",
        "hat/round.png": "it is a link to nothing",
        "loose.png": "it lies in no class's folder",
    }
    assert "bare/again.png" in [entry.name for entry in found.entries]  # a link that stays inside
    assert not [entry for entry in found.entries if "secret" in entry.name]


def test_classes_one_folder_further_down_are_hinted_at(tmp_path: Path) -> None:
    folder_of(tmp_path)
    with pytest.raises(DirectionError, match="one class only, 'set'") as caught:
        lp.open_pictures(tmp_path)
    assert "give the folder 'set'" in caught.value.hint


def test_a_folder_of_files_only_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    with pytest.raises(DirectionError, match="no pictures in subfolders") as caught:
        lp.open_pictures(tmp_path)
    assert "a.png: it lies in no class's folder" in caught.value.hint


def test_names_that_cannot_be_printed_are_written_out(tmp_path: Path) -> None:
    for label in ("mit Hütchen 帽子", "b\u202e\x1b[31m"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "new\nline.png").write_bytes(picture())
    os.makedirs(os.fsencode(tmp_path) + b"/b\xff")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff/x.png")).write_bytes(picture())
    found = lp.open_pictures(tmp_path)
    assert found.classes == ("b\\u202e\\x1b[31m", "b\\udcff", "mit Hütchen 帽子")
    assert all(name.isprintable() for _, name in listed(found))
    assert [lp.decode(entry.read()).shape for entry in found.entries] == [(80, 80, 3)] * 3


def test_an_unreadable_file_is_left_out(tmp_path: Path) -> None:
    found = lp.open_pictures(folder_of(tmp_path))
    (tmp_path / "set" / "bare" / "p0_1.png").chmod(0)
    nobody = os.geteuid() == 0
    try:
        if nobody:
            os.seteuid(65534)
        with pytest.raises(lp.UnusablePicture, match="the file cannot be read"):
            found.entries[0].read()
    finally:
        if nobody:
            os.seteuid(0)


# --- Kinds of pictures --------------------------------------------------------------------------------------------


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(kind: str) -> None:
    levels = np.full((70, 70), 200 * 256 + 77, np.uint16)
    found = lp.decode(encoded(Image.fromarray(levels), kind))
    assert found.shape == (70, 70, 3)
    assert (found == 200).all()


def test_cmyk_palettes_and_grey_become_rgb() -> None:
    red = Image.new("RGB", (80, 80), (200, 30, 40))
    for data in (
        encoded(red.convert("CMYK"), "JPEG", quality=95),
        encoded(red.quantize(8), "PNG"),
        encoded(red.quantize(8), "GIF"),
    ):
        assert np.abs(lp.decode(data).astype(int) - [200, 30, 40]).max() < 6
    assert (lp.decode(encoded(Image.new("L", (80, 80), 90), "PNG")) == 90).all()
    assert (lp.decode(encoded(Image.new("1", (80, 80), 1), "PNG")) == 255).all()


def test_what_is_transparent_becomes_white() -> None:
    half = Image.new("RGBA", (80, 80), (10, 20, 30, 255))
    half.paste((250, 0, 0, 0), (0, 0, 40, 80))
    plain = lp.decode(encoded(half, "PNG"))
    palette = half.convert("RGB").quantize(8)
    index = palette.getpixel((0, 0))
    for found in (plain, lp.decode(encoded(palette, "PNG", transparency=index))):
        assert (found[40, 10] == 255).all()
        assert (found[40, 70] == [10, 20, 30]).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (80, 80), (level, level, level)) for level in (40, 120, 220)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(lp.decode(data).astype(int) - 40).max() <= 2


def test_floating_point_pixels_are_refused() -> None:
    data = encoded(Image.fromarray(np.ones((80, 80), np.float32)), "TIFF")
    with pytest.raises(lp.UnusablePicture, match="no whole numbers"):
        lp.decode(data)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_picture_bomb_is_refused_unread(side: int, recwarn: pytest.WarningsRecorder) -> None:
    small = bytearray(picture())
    small[16:24] = side.to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(small[12:29]).to_bytes(4, "big")
    with pytest.raises(lp.UnusablePicture, match="too many"):
        lp.decode(bytes(small))
    assert not recwarn.list


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lp.open_pictures(folder_of(tmp_path))
    packed = lp.open_pictures(zipped(tmp_path / "set", tmp_path / "set.zip"))
    monkeypatch.setattr(lp, "MAX_PICTURE_BYTES", 100)
    for entry in (found.entries[0], packed.entries[0]):
        with pytest.raises(lp.UnusablePicture, match="larger than"):
            entry.read()
