"""The one-way rule of imports: page, command line -> pipeline -> stages -> models, pure functions -> contracts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "stit_core"
CONTRACTS = {"errors", "config", "artefacts", "runtime"}
PURE = {
    "change",
    "correspondence",
    "drawn",
    "face_labels",
    "mouth",
    "novelty",
    "placing",
    "warps",
    "geometry",
    "range_grid",
    "detail",
    "images",
    "ffmpeg",
    "probing",
    "memory",
    "metrics",
    "logistic",
    "zip_checks",
    "labelled_pictures",
    "regions",
    "framing",
    "turning",
    "changed_parts",
}
STAGES = {
    "video",
    "landmarks",
    "alignment",
    "inversion",
    "tuning",
    "editing",
    "registration",
    "masks",
    "stitching",
    "transfer",
    "measuring",
    "compositing",
}
SHARED_BY_STAGES = {"expression", "faces", "fitting", "frame_record", "key_frames"}  # what several have in common
READERS = {"read_bytes", "read_text", "read_file", "open", "load_file", "safe_open", "from_pretrained", "urlopen"}


def imports_of(path: Path) -> set[str]:
    """Names of all modules that a file imports, `from a import b` giving both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def core_imports(path: Path) -> set[str]:
    """First name below stit_core of everything that a file imports from there."""
    names = {name.split(".")[1] for name in imports_of(path) if name.startswith("stit_core.")}
    return {name for name in names if (CORE / f"{name}.py").exists() or (CORE / name).is_dir()}


MODULES = sorted(CORE.rglob("*.py"))


def test_the_walk_sees_the_package() -> None:
    assert {path.stem for path in CORE.glob("*.py")} >= STAGES | CONTRACTS | {"pipeline", "__main__"}
    assert "alignment" in core_imports(CORE / "pipeline.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_the_library_never_imports_the_page(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)}
    assert not outside & {"gradio", "app", "page", "recipes", "benchmarks", "tests"}


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_contracts_import_contracts_only(name: str) -> None:
    assert core_imports(CORE / f"{name}.py") <= CONTRACTS


@pytest.mark.parametrize("name", sorted(name for name in PURE if (CORE / f"{name}.py").exists()))
def test_pure_functions_import_no_stage(name: str) -> None:
    assert core_imports(CORE / f"{name}.py") <= CONTRACTS | PURE


@pytest.mark.parametrize("name", sorted(STAGES | SHARED_BY_STAGES))
def test_stages_import_neither_each_other_nor_what_stands_above(name: str) -> None:
    assert core_imports(CORE / f"{name}.py") - {name} <= CONTRACTS | PURE | SHARED_BY_STAGES | {"models"}


@pytest.mark.parametrize("path", sorted((CORE / "models").glob("*.py")), ids=lambda path: path.name)
def test_models_are_networks_only_and_read_no_file(path: Path) -> None:
    assert core_imports(path) <= {"models"}
    tree = ast.parse(path.read_text())
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert not called & READERS
    loads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "load" and getattr(node.value, "id", "") in ("torch", "np")
    ]
    assert not loads
    assert not imports_of(path) & {"pathlib", "os", "io", "urllib.request", "importlib.metadata"}


def test_only_runtime_picks_a_device() -> None:
    pickers = [
        path.name
        for path in MODULES
        if any(
            isinstance(node, ast.Attribute) and node.attr == "is_available"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert pickers == ["runtime.py"]


def test_help_loads_nothing_heavy() -> None:
    code = "import sys\nfrom stit_core.__main__ import build_parser\nbuild_parser().format_help()\n"
    code += "print(sorted({'torch', 'numpy', 'dlib', 'scipy', 'cv2'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "[]"


def test_every_module_can_be_imported_alone() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if path.stem not in ("__init__", "__main__")
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    code += "print('gradio' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "False"
