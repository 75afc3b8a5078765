"""Folders and zips of labelled pictures, honest and hostile."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stit_core import labelled_pictures as lp
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
    with pytest.raises(DirectionError, match="only 'hat'"):
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
    with pytest.raises(DirectionError, match="unpacks to 30 MB"):
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
    entry = next(e for e in lp.open_pictures(path).entries if e.name == "hat/p0_1.png")
    with pytest.raises(lp.UnusablePicture):
        entry.read()


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(DirectionError, match="no readable zip"):
        lp.open_pictures(tmp_path / "bad.zip")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read"),
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
