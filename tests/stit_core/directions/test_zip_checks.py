"""Zips that are made to do harm, each refused, or harmless by the time that it is read."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from stit_core.directions import zip_checks
from stit_core.directions.zip_checks import list_zip
from stit_core.errors import DirectionError

CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def write(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def patch(path: Path, record: bytes, number: int, offset: int, value: bytes) -> None:
    """Overwrite `value` at `offset` into the record of this kind, the `number`th of the file."""
    data = bytearray(path.read_bytes())
    place = -1
    for _ in range(number + 1):
        place = data.index(record, place + 1)
    data[place + offset : place + offset + len(value)] = value
    path.write_bytes(data)


def test_files_are_listed_and_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"one/x": b"123", "two/": b"", "two/y": b"4" * 5000}, zipfile.ZIP_DEFLATED)
    members = list_zip(path)
    assert [str(member.place) for member in members] == ["one/x", "two/y"]
    assert [member.read() for member in members] == [b"123", b"4" * 5000]
    assert [str(member.below("one").place) for member in members[:1]] == ["x"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "//x", "a\\x", "..\\x", "C:/x", "c:x", ".", "a/.."])
def test_paths_out_of_the_zip_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.zip", {"hat/a.png": b"1", name: b"2"})
    with pytest.raises(DirectionError, match="outside of itself"):
        list_zip(tmp_path / "a.zip")


def test_a_directory_out_of_the_zip_is_refused_too(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", {"hat/a.png": b"1", "../up/": b""})
    with pytest.raises(DirectionError, match="outside of itself"):
        list_zip(tmp_path / "a.zip")


def test_a_name_that_goes_on_behind_a_nul_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.pngX../../etc": b"1"})
    path.write_bytes(path.read_bytes().replace(b".pngX", b".png\0"))
    with pytest.raises(DirectionError, match=r"outside of itself|control characters"):
        list_zip(path)
    path = write(tmp_path / "b.zip", {"hat/a.pngXb": b"1"})
    path.write_bytes(path.read_bytes().replace(b".pngX", b".png\0"))
    with pytest.raises(DirectionError, match="control characters"):
        list_zip(path)


@pytest.mark.parametrize("name", ["hat/a\nb.png", "hat/\x1b[2J.png", "hat/\x7f.png"])
def test_control_characters_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DirectionError, match="control characters") as caught:
        list_zip(write(tmp_path / "a.zip", {name: b"1"}))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("kind", "told"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "no file"), (stat.S_IFCHR, "no file")]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: int, told: str) -> None:
    info = zipfile.ZipInfo("hat/a.png")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DirectionError, match=told):
        list_zip(tmp_path / "a.zip")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.png": b"1"})
    patch(path, CENTRAL, 0, 8, b"\x01\x00")
    with pytest.raises(DirectionError, match="encrypted"):
        list_zip(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_bounds_are_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(DirectionError, match="unusual method"):
        list_zip(write(tmp_path / "a.zip", {"hat/a.png": bytes(1000)}, method))


def test_one_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DirectionError, match="unpacks to 8 MB from almost nothing"):
        list_zip(write(tmp_path / "a.zip", {"hat/a.png": bytes(8 << 20)}, zipfile.ZIP_DEFLATED))


def test_many_small_files_that_unpack_to_far_more_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {f"hat/{k}.png": bytes(1 << 20) for k in range(66)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DirectionError, match="unpacks to 66 MB, which no zip of pictures"):
        list_zip(path)


def test_the_sum_of_all_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.png": bytes(600), "hat/b.png": bytes(600)})
    assert len(list_zip(path)) == 2
    monkeypatch.setattr(zip_checks, "MAX_ZIP_BYTES", 1000)
    with pytest.raises(DirectionError, match="unpacks to"):
        list_zip(path)


def test_files_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.png": bytes(500), "hat/b.png": bytes(500)})
    patch(path, CENTRAL, 1, 42, struct.pack("<L", 0))  # the second begins where the first does
    with pytest.raises(DirectionError, match="over one another"):
        list_zip(path)


def test_a_file_that_reaches_into_the_table_of_contents_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.png": bytes(500)})
    patch(path, CENTRAL, 0, 20, struct.pack("<LL", 560, 560))
    with pytest.raises(DirectionError, match="over one another"):
        list_zip(path)


@pytest.mark.parametrize("claimed", [0, 10, 499, 501, 100_000])
def test_a_header_that_lies_about_the_size_never_gives_more(tmp_path: Path, claimed: int) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.png": b"ab" * 250, "hat/b.png": b"ok"}, zipfile.ZIP_DEFLATED)
    patch(path, CENTRAL, 0, 24, struct.pack("<L", claimed))
    members = list_zip(path)
    assert members[0].read() is None
    assert members[1].read() == b"ok"


def test_damaged_contents_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"hat/a.png": bytes(range(256)) * 8, "hat/b.png": b"ok"}, zipfile.ZIP_DEFLATED)
    patch(path, LOCAL, 0, 30 + len("hat/a.png"), b"\xff" * 40)
    assert [member.read() for member in list_zip(path)] == [None, b"ok"]
    patch(path, LOCAL, 1, 0, b"XXXX")
    assert [member.read() for member in list_zip(path)] == [None, None]


def test_thousands_of_files_are_read_in_one_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.zip", {f"hat/{k}.png": b"%d" % k for k in range(3000)})
    opened = []
    plain = zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda *args: opened.append(args) or plain(*args))
    assert [member.read() for member in list_zip(path)] == [b"%d" % k for k in range(3000)]
    assert len(opened) == 1
    monkeypatch.setattr(zip_checks, "MAX_ENTRIES", 2999)
    with pytest.raises(DirectionError, match="3,000 files"):
        list_zip(path)


def test_a_table_of_contents_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.zip", {f"hat/{k}.png": b"" for k in range(50)})
    monkeypatch.setattr(zip_checks, "MAX_LIST_BYTES", 1000)
    monkeypatch.setattr(zipfile, "ZipFile", lambda _: pytest.fail("it was opened"))
    with pytest.raises(DirectionError, match="far too many files"):
        list_zip(path)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04 no more", b"PK\x05\x06" + b"\xff" * 18, b"x" * 200])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DirectionError, match=r"no readable zip|too many files"):
        list_zip(tmp_path / "a.zip")
