"""What is uploaded as a Space, how, and what is said where it cannot be."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.page_server import serve
from deploy import space
from deploy.contents import LARGEST_FILE, LARGEST_SPACE, NEEDED, ROOT, THUMBNAIL, Contents, changed_files, read_contents
from stit_core.errors import StitError

NAME = "me/stit"
# Refuses whatever leaves this machine, in every process that inherits it.
OFFLINE = """
import sys
def refuse(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in ("localhost", "127.0.0.1", "::1", "0.0.0.0", None, ""):
        raise OSError(f"asks for {arguments[0]}")
    if event == "socket.connect" and arguments[1][0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"connects to {arguments[1]}")
sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def contents() -> Contents:
    return read_contents(NAME)


def make_program(folder: Path, text: str) -> Path:
    program = folder / "hf"
    program.write_text(f"#!{sys.executable}\n{text}")
    program.chmod(0o755)
    return program


# --- What is uploaded ---------------------------------------------------------------------------------------------


def test_a_space_is_small_and_holds_no_tests_and_no_documents(contents: Contents) -> None:
    sizes = dict(contents.sizes())
    assert max(sizes.values()) <= LARGEST_FILE
    assert sum(sizes.values()) <= LARGEST_SPACE
    assert {path.split("/")[0] for path in sizes} == {*NEEDED, "README.md"}
    at_the_top = {path for path in sizes if "/" not in path}
    assert at_the_top == {"app.py", "requirements.txt", "LICENSE", "README.md"}, "nothing of containers and clusters"
    assert {"app.py", "requirements.txt", "LICENSE", THUMBNAIL, "assets/packs/heads-256/pack.json"} <= set(sizes)
    assert not [path for path in sizes if path.endswith((".pyc", ".log", ".npz"))]


def test_a_docker_space_has_what_builds_it(contents: Contents) -> None:
    docker = dict(read_contents(NAME, docker=True).sizes())
    assert set(docker) - dict(contents.sizes()).keys() == {"Dockerfile", ".dockerignore", "requirements-c2pa.txt"}
    copied = {path.split("/")[0] for path in docker} - {"Dockerfile"}
    assert not copied & set((ROOT / ".dockerignore").read_text().split()), "the image would lack it"


def test_the_page_opens_from_the_uploaded_files_alone_and_offline(contents: Contents, tmp_path: Path) -> None:
    staged = tmp_path / "space"
    staged.mkdir()
    contents.stage(staged)
    found = {path.relative_to(staged).as_posix(): path.stat().st_size for path in staged.rglob("*") if path.is_file()}
    assert found == dict(contents.sizes())
    (tmp_path / "offline").mkdir()
    (tmp_path / "offline" / "sitecustomize.py").write_text(OFFLINE)
    settings = {
        "PYTHONPATH": str(tmp_path / "offline"),
        "SPACE_ID": NAME,
        "SPACE_HOST": "me-stit.hf.space",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    with serve(tmp_path, settings, root=staged) as server:
        with urllib.request.urlopen(server.address, timeout=60) as answer:
            assert "STIT Studio" in answer.read().decode()
        with urllib.request.urlopen(f"{server.address}config", timeout=60) as answer:
            parts = {part["props"].get("elem_id") for part in json.load(answer)["components"]}
        assert {"samples", "crops", "dials", "status"} <= parts
        assert "Traceback" not in server.log.read_text()
    environment = os.environ | settings
    verify = [sys.executable, "-m", "stit_core", "packs", "verify", "heads-256"]
    verified = subprocess.run(verify, cwd=staged, env=environment, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr


def test_without_git_the_same_files_are_found(contents: Contents, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    contents.stage(clone_with_caches(clone))
    shutil.copyfile(ROOT / "README.md", clone / "README.md")  # the Space's own is made of it
    assert read_contents(NAME, root=clone).sizes() == contents.sizes()
    assert changed_files(root=clone) == []


def clone_with_caches(folder: Path) -> Path:
    (folder / "page" / "__pycache__").mkdir(parents=True)
    (folder / "page" / "__pycache__" / "settings.cpython-311.pyc").write_bytes(b"x")
    (folder / "page" / "server.log").write_bytes(b"x")
    return folder


def test_a_file_over_ten_megabytes_is_named(contents: Contents, tmp_path: Path) -> None:
    contents.stage(tmp_path)
    with (tmp_path / "assets" / "weights.safetensors").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(StitError, match=r"assets/weights\.safetensors"):
        read_contents(NAME, root=tmp_path)


def test_a_part_of_the_repository_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    with pytest.raises(StitError, match="page is not here"):
        read_contents(NAME, root=tmp_path)


def test_what_is_not_committed_is_named(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    (tmp_path / "page").mkdir()
    for name in ("app.py", "page/settings.py", "notes.txt"):
        (tmp_path / name).write_text("1")
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    assert changed_files(root=tmp_path) == []
    (tmp_path / "app.py").write_text("2")
    (tmp_path / "page" / "new one.py").write_text("")
    (tmp_path / "notes.txt").write_text("2")  # no Space needs it
    assert changed_files(root=tmp_path) == ["app.py", "page/new one.py"]


# --- How ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_lists_files_and_sizes(contents: Contents, capsys: pytest.CaptureFixture[str]) -> None:
    assert space.main([NAME, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    for path, size in contents.sizes():
        assert f"{size:>12,}  {path}\n" in shown
    assert f"{len(contents.sizes())} files" in shown
    assert "Nothing was uploaded" in shown


def test_make_lists_with_its_own_dry_run() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    for extra, last in (((), "app.py"), (("DOCKER=1",), "Dockerfile")):
        command = [make, "--no-print-directory", "space", f"NAME={NAME}", "--dry-run", *extra]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert f"  {last}\n" in done.stdout
        assert f"spaces/{NAME}" in done.stdout
        assert ("  Dockerfile\n" in done.stdout) == bool(extra)


def test_hf_gets_exactly_these_files(contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = "import json, os, pathlib, sys\n"
    record += "files = [p.relative_to('.').as_posix() for p in pathlib.Path('.').rglob('*') if p.is_file()]\n"
    record += "pathlib.Path(os.environ['RECORD']).write_text(json.dumps([sys.argv[1:], sorted(files)]))\n"
    monkeypatch.setenv("RECORD", str(tmp_path / "record.json"))
    space.upload(str(make_program(tmp_path, record)), NAME, contents)
    arguments, files = json.loads((tmp_path / "record.json").read_text())
    assert arguments[:6] == ["upload", NAME, ".", ".", "--repo-type", "space"]
    assert files == [path for path, _ in contents.sizes()]


def test_hf_knows_what_it_is_given() -> None:
    program = shutil.which("hf", path=str(Path(sys.executable).parent))
    assert program is not None, "it comes with gradio"
    readme = (ROOT / "README.md").read_text()
    assert f"hf {' '.join(space.creation(NAME))}" in readme
    assert f"hf {' '.join(space.creation(NAME, docker=True))}" in readme
    upload = space.upload_command(program, NAME, private=True)[1:]
    shown = [line.split()[1:] for line in readme.splitlines() if line.startswith(("hf repos", "hf spaces"))]
    for command in (upload, space.creation(NAME), space.creation(NAME, docker=True), *shown):
        words = list(itertools.takewhile(lambda word: word != NAME, command))
        told = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True).stdout
        options = [word for word in command if re.fullmatch("--?[a-z-]+|zero-a10g", word)]
        assert options
        assert [option for option in options if option not in told] == [], command


# --- Where it cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["stit", "me/", "/stit", "me/a/b", "me/..x", "me/a--b", "m e/stit", "me/stit.", "me/é"]
)
def test_a_name_that_is_none_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert space.main([name]) == 1
    said = capsys.readouterr().err
    assert f"'{name}'" in said
    assert "OWNER/SPACE" in said


def test_no_name_at_all_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert space.main([]) == 1
    assert "make space NAME=me/stit" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["me/stit", "some-one/STIT_studio.2"])
def test_a_name_is_taken(name: str) -> None:
    assert space.check_name(name) == name


def test_who_is_not_logged_in_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HF_HOME", str(tmp_path))  # nobody's
    with pytest.raises(StitError, match="not logged in") as raised:
        space.find_hf()
    assert "auth login" in raised.value.hint


def test_hf_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StitError, match="not installed") as raised:
        space.find_hf()
    assert "make setup" in raised.value.hint


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(tmp_path, "import sys\nprint('Network is unreachable', file=sys.stderr)\nsys.exit(1)\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(StitError, match="Network is unreachable"):
        space.find_hf()


def test_changes_that_are_not_committed_stop_the_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "called"
    make_program(tmp_path, f"open({str(marker)!r}, 'w')\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(space, "changed_files", lambda *_: ["app.py"])
    assert space.main([NAME]) == 1
    assert "app.py is not committed" in capsys.readouterr().err
    assert not marker.exists()
    assert space.main([NAME, "--uncommitted"]) == 0
    assert marker.exists()
    assert f"spaces/{NAME}" in capsys.readouterr().out


def test_an_upload_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_program(tmp_path, "import sys\nsys.exit(sys.argv[1] == 'upload')\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert space.main([NAME, "--uncommitted"]) == 1
    said = capsys.readouterr().err
    assert "did not upload" in said
    assert f"hf repos create {NAME} --type space --sdk gradio --flavor zero-a10g" in said
